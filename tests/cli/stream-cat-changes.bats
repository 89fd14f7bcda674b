#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# --format debezium, maxwell, wal2json: change events of others as Debezium-style changes.

load ../support/helpers

@test "debezium: schema and payload unwrapped, values keep their bytes, the rest follows" {
    given <<'E'
{"before":null,"after":{"id":1,"price": 1.50},"source":{"ts_ms":1734568154752,"table":"orders"},"op":"c","ts_ms":1734568155168,"transaction":null}
{"schema":{"type":"struct"},"payload":{"op":"u","before":{"id":1},"after":{"id":2},"source":{"ts_ms":1734568154752,"ts_us":1734568154752123},"ts_ms":1734568155168,"transaction":{"id":"7"}}}
{"op":"r","after":{"id":3},"source":{"ts_ms":0,"snapshot":"true"},"ts_ms":1734568155168}
{"op":"d","before":{"id":3},"after":null,"ts":"2024-12-19T00:00:00Z"}
{"source":{"table":"orders"},"op":"t","ts_ms":1734568155168}
{"op":"c","after":{"id":4}}
E
    want <<'E'
{"ts":"2024-12-19T00:29:14.752Z","op":"c","before":null,"after":{"id":1,"price": 1.50},"source":{"ts_ms":1734568154752,"table":"orders"},"ts_ms":1734568155168}
{"ts":"2024-12-19T00:29:14.752123Z","op":"u","before":{"id":1},"after":{"id":2},"source":{"ts_ms":1734568154752,"ts_us":1734568154752123},"ts_ms":1734568155168,"transaction":{"id":"7"}}
{"ts":"2024-12-19T00:29:15.168Z","op":"r","before":null,"after":{"id":3},"source":{"ts_ms":0,"snapshot":"true"},"ts_ms":1734568155168}
{"ts":"2024-12-19T00:00:00Z","op":"d","before":{"id":3},"after":null}
{"ts":"2024-12-19T00:29:15.168Z","op":"t","before":null,"after":null,"source":{"table":"orders"},"ts_ms":1734568155168}
{"op":"c","before":null,"after":{"id":4}}
E
    golden stream-cat --format debezium
}

@test "debezium: tombstones, heartbeats, marks of transactions and messages are no events" {
    given <<'E'
null
{"schema":null,"payload":null}
{"ts_ms":1734568155168}
{"status":"BEGIN","id":"571:53195829","ts_ms":1734568155168,"event_count":null,"data_collections":null}
{"op":"m","ts_ms":1734568155168,"source":{},"message":{"prefix":"a","content":"b"}}

{"op":"c","after":{"id":1},"ts_ms":1734568155168}
E
    want <<'E'
{"ts":"2024-12-19T00:29:15.168Z","op":"c","before":null,"after":{"id":1},"ts_ms":1734568155168}
E
    golden stream-cat --format debezium
}

@test "debezium: what is none is bad, and named" {
    given <<<'{"id":1}'
    run_tool stream-cat --format debezium
    is_status 3
    err_has stdin:1 'no member "op"'
    given <<<'{"op":"x","after":{}}'
    run_tool stream-cat --format debezium
    is_status 3
    err_has 'an unknown op'
    printf '{"op":"c","after":{"id":1}}\n{"op":"c","after":{"id":}}\nplain text\n{"op":"c","after":{"id":2},"ts_ms":"soon"}\n{"op":"c","after":{"id":3}}' >"$input"
    run_tool stream-cat --format debezium --bad "$BATS_TEST_TMPDIR/x.dead"
    is_status 0
    project '.after.id' <<<$'1\n3'
    [ "$(jq -c '[.line,.offset]' "$BATS_TEST_TMPDIR/x.dead" | tr '\n' ' ')" = '[2,28] [3,55] [4,66] ' ] || flunk "$(cat "$BATS_TEST_TMPDIR/x.dead")"
}

@test "R01, R03: maxwell's updates have the row before; old members may be null, or of columns that are gone" {
    given <<'E'
{"database":"db","table":"product","type":"insert","ts":1596684883,"xid":7125,"xoffset":5,"data":{"id":106,"name":"hammer","description":"16oz carpenter's hammer","weight":1.0}}
{"database":"db","table":"product","type":"update","ts":1596684893,"xid":7152,"commit":true,"data":{"id":106,"name":"hammer","description":"18oz carpenter hammer","weight":1.0},"old":{"description":"16oz carpenter's hammer"}}
{"database":"db","table":"product","type":"update","ts":1596684897,"data":{"id":107,"a":1,"c":2,"d":3},"old":{"d":4,"c":null,"gone":5}}
{"database":"db","table":"product","type":"delete","ts":1596684906,"data":{"id":106}}
E
    want <<'E'
{"ts":"2020-08-06T03:34:43Z","op":"c","before":null,"after":{"id":106,"name":"hammer","description":"16oz carpenter's hammer","weight":1.0},"source":{"db":"db","table":"product","xid":7125,"xoffset":5}}
{"ts":"2020-08-06T03:34:53Z","op":"u","before":{"id":106,"name":"hammer","description":"16oz carpenter's hammer","weight":1.0},"after":{"id":106,"name":"hammer","description":"18oz carpenter hammer","weight":1.0},"source":{"db":"db","table":"product","xid":7152,"commit":true}}
{"ts":"2020-08-06T03:34:57Z","op":"u","before":{"id":107,"a":1,"c":null,"d":4,"gone":5},"after":{"id":107,"a":1,"c":2,"d":3},"source":{"db":"db","table":"product"}}
{"ts":"2020-08-06T03:35:06Z","op":"d","before":{"id":106},"after":null,"source":{"db":"db","table":"product"}}
E
    golden stream-cat --format maxwell
}

@test "R10: maxwell's bootstrap is rows that were read; its marks and changes of tables are no events" {
    given <<'E'
{"database":"db","table":"t","type":"bootstrap-start","ts":1450557744,"data":{}}
{"database":"db","table":"t","type":"bootstrap-insert","ts":1450557744,"data":{"id":1}}
{"type":"table-alter","database":"db","table":"t","old":{},"def":{},"ts":1477053217000,"sql":"ALTER TABLE t add column c int"}
{"database":"db","table":"t","type":"bootstrap-complete","ts":1450557744,"data":{}}
E
    want <<'E'
{"ts":"2015-12-19T20:42:24Z","op":"r","before":null,"after":{"id":1},"source":{"db":"db","table":"t"}}
E
    golden stream-cat --format maxwell
    given <<<'{"database":"db","table":"t","type":"merge","ts":1,"data":{}}'
    run_tool stream-cat --format maxwell
    is_status 3
    err_has 'an unknown type'
}

@test "R04: wal2json version 2: marks are no events, what they say goes to the changes between them" {
    given <<'E'
{"action":"M","transactional":false,"prefix":"wal2json","content":"no change"}
{"action":"B","xid":5,"timestamp":"2019-12-29 04:58:34.806671+00"}
{"action":"I","schema":"public","table":"p","columns":[{"name":"a","type":"integer","value":1},{"name":"b","type":"text","value":"Backup \"and\" Restore"}],"pk":[{"name":"a","type":"integer"}]}
{"action":"U","schema":"public","table":"p","columns":[{"name":"a","type":"integer","value":2}],"identity":[{"name":"a","type":"integer","value":1},{"name":"b","type":"text","value":"x"}]}
{"action":"D","xid":6,"timestamp":"2018-03-27 11:58:28.988414-03","schema":"public","table":"p","identity":[{"name":"a","type":"integer","value":2}]}
{"action":"C","xid":5}
{"action":"T","schema":"public","table":"p"}
{"action":"D","schema":"public","table":"p"}
E
    want <<'E'
{"ts":"2019-12-29T04:58:34.806671Z","op":"c","before":null,"after":{"a":1,"b":"Backup \"and\" Restore"},"source":{"schema":"public","table":"p","pk":[{"name":"a","type":"integer"}],"xid":5}}
{"ts":"2019-12-29T04:58:34.806671Z","op":"u","before":{"a":1,"b":"x"},"after":{"a":2,"b":"x"},"source":{"schema":"public","table":"p","xid":5}}
{"ts":"2018-03-27T14:58:28.988414Z","op":"d","before":{"a":2},"after":null,"source":{"xid":6,"schema":"public","table":"p"}}
{"op":"t","before":null,"after":null,"source":{"schema":"public","table":"p"}}
{"op":"d","before":null,"after":null,"source":{"schema":"public","table":"p"}}
E
    golden stream-cat --format wal2json
}

@test "wal2json version 1: a transaction is an event a change" {
    given <<'E'
{"change":[]}
{"xid":9,"nextlsn":"0/1","timestamp":"2018-03-27 11:58:28.988414-03","change":[{"kind":"insert","schema":"public","table":"t","columnnames":["a","b"],"columntypes":["integer","text"],"columnvalues":[1,"Backup"]},{"kind":"message","transactional":true,"prefix":"p","content":"c"},{"kind":"update","schema":"public","table":"t","columnnames":["a","b"],"columntypes":["integer","text"],"columnvalues":[2,"B"],"oldkeys":{"keynames":["a"],"keytypes":["integer"],"keyvalues":[1]}},{"kind":"delete","schema":"public","table":"t","oldkeys":{"keynames":["a"],"keytypes":["integer"],"keyvalues":[2]}}]}
{"change":[{"kind":"insert","schema":"s","table":"u","columnnames":["a"],"columnvalues":[1]}]}
E
    want <<'E'
{"ts":"2018-03-27T14:58:28.988414Z","op":"c","before":null,"after":{"a":1,"b":"Backup"},"source":{"schema":"public","table":"t","xid":9,"nextlsn":"0/1"}}
{"ts":"2018-03-27T14:58:28.988414Z","op":"u","before":{"a":1},"after":{"a":2,"b":"B"},"source":{"schema":"public","table":"t","xid":9,"nextlsn":"0/1"}}
{"ts":"2018-03-27T14:58:28.988414Z","op":"d","before":{"a":2},"after":null,"source":{"schema":"public","table":"t","xid":9,"nextlsn":"0/1"}}
{"op":"c","before":null,"after":{"a":1},"source":{"schema":"s","table":"u"}}
E
    golden stream-cat --format wal2json
}

@test "wal2json: a transaction that cannot be read is bad as a whole; places are those of its line" {
    given <<'E'
{"change":[{"kind":"insert","table":"t","columnnames":["a"],"columnvalues":[1]},{"kind":"insert","table":"t","columnnames":["a"],"columnvalues":[2]}]}
{"change":[{"kind":"insert","table":"t","columnnames":["a"],"columnvalues":[3]},{"kind":"insert","table":"t","columnnames":["a","b"],"columnvalues":[4]}]}
{"change":[{"kind":"insert","table":"t","columnnames":["a"],"columnvalues":[5]},{"kind":"insert","table":"t","columnnames":["a"],"columnvalues":[6]}]}
{"action":"X"}
{"other":1}
E
    run_tool stream-cat --format wal2json --bad "$BATS_TEST_TMPDIR/x.dead"
    is_status 0
    project '.after.a' <<<$'1\n2\n5\n6'
    [ "$(jq -c .line "$BATS_TEST_TMPDIR/x.dead" | tr '\n' ' ')" = '2 4 5 ' ] || flunk "$(cat "$BATS_TEST_TMPDIR/x.dead")"
}

@test "--time writes ts from another field" {
    given <<<'{"action":"I","table":"t","columns":[{"name":"at","type":"timestamp","value":"Sun Mar 01 08:09:00 2020"}]}'
    run_tool stream-cat --format wal2json --time after.at --time-format '%a %b %d %H:%M:%S %Y'
    is_status 0
    out_is <<<'{"op":"c","before":null,"after":{"at":"Sun Mar 01 08:09:00 2020"},"source":{"table":"t"},"ts":"2020-03-01T08:09:00Z"}'
}

@test "cdc: what Debezium wrote comes out with every change and byte of its rows" {
    need_data cdc/debezium_pg_orders.ndjson
    local shape='[.op, .before, .after, .source, .ts_ms]'
    jq -c "$shape, (.source.ts_ms / 1000 | todate)" "$STREAM_TEST_DATA/cdc/debezium_pg_orders.ndjson" >"$wanted"
    run_tool stream-cat --format debezium "$STREAM_TEST_DATA/cdc/debezium_pg_orders.ndjson"
    is_status 0
    err_empty
    jq -c "$shape, .ts[:19] + \"Z\"" "$out" >"$out.jq"
    same_bytes debezium "$out.jq"
}

@test "cdc: maxwell's and wal2json's files, against jq" {
    need_data cdc/maxwell.ndjson cdc/wal2json_v2.ndjson
    jq -c '[{insert:"c",update:"u",delete:"d"}[.type],
            (if .type == "update" then .data + .old elif .type == "delete" then .data else null end),
            (if .type == "delete" then null else .data end), .table, .xid]' "$STREAM_TEST_DATA/cdc/maxwell.ndjson" >"$wanted"
    run_tool stream-cat --format maxwell "$STREAM_TEST_DATA/cdc/maxwell.ndjson"
    is_status 0
    err_empty
    jq -c '[.op,.before,.after,.source.table,.source.xid]' "$out" >"$out.jq"
    same_bytes maxwell "$out.jq"
    jq -c 'def row: if . == null then null else map({(.name): .value}) | add end;
           select(.action | IN("I","U","D","T")) | (.columns | row) as $new | (.identity | row) as $old |
           [{I:"c",U:"u",D:"d",T:"t"}[.action], $old,
            (if $new then $new + (($old // {}) | with_entries(select(.key as $k | $new | has($k) | not))) else null end),
            .schema, .table]' "$STREAM_TEST_DATA/cdc/wal2json_v2.ndjson" >"$wanted"
    run_tool stream-cat --format wal2json "$STREAM_TEST_DATA/cdc/wal2json_v2.ndjson"
    is_status 0
    err_empty
    jq -c '[.op,.before,.after,.source.schema,.source.table]' "$out" >"$out.jq"
    same_bytes wal2json "$out.jq"
}
