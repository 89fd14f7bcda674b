#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0

load ../support/helpers

setup() { cd "$BATS_TEST_TMPDIR"; }

@test "fold: of each key the newest row, its own bytes, in order of key" {
    given <<'E'
{"id":"b","v": 1.50}
{"id":10,"v":1}
{"id":9,"v":1,"v2":{"x":[1, 2]}}
{ "v":2,"id":9.0 }
{"op":"d","before":{"id":10},"after":null}
{"id":null}
{"op":"u","before":{"id":"b"},"after":{"id":"a","v":3}}
E
    want <<'E'
{"id":null}
{ "v":2,"id":9.0 }
{"id":"a","v":3}
E
    golden stream-table --by id
    golden_restarted stream-table --by id
    # A pause writes nothing.
    run_tool stream-table --by id --state s
    is_status 0
    out_empty
    run_shell "stream-table --by id --state s --final </dev/null"
    same_bytes 'after a pause' "$out"
}

@test "fold: several files, one after the other; keys of several fields and of expressions" {
    echo '{"a":1,"b":"x","v":1}' >one
    echo '{"a":1,"b":"X","v":2}' >two
    rm -f "$input"
    run_tool stream-table --by 'a,b' two one
    is_status 0
    err_empty
    out_is <<<$'{"a":1,"b":"X","v":2}\n{"a":1,"b":"x","v":1}'
    run_tool stream-table --by 'a,b=(.b|ascii_upcase)' one two
    out_is <<<'{"a":1,"b":"X","v":2}'
    printf 'id,v\n1,x\n2,y\n1,z\n' >t.csv
    run_tool stream-table --by id t.csv
    is_status 0
    out_is <<<$'{"id":1,"v":"z"}\n{"id":2,"v":"y"}'
}

@test "fold: corrected windows, as rows and as changes, come to the final ones" {
    seq 1 500 | awk '{ printf "{\"ts\":%d,\"k\":%d}\n", 100 + $1 + ($1 * 7919) % 23, $1 % 3 }' >"$input"
    stream-window tumbling 10s --lateness 1m --by k count <"$input" | jq -c '[.window_start,.k,.count]' >"$wanted"
    run_shell 'stream-window tumbling 10s --allowed-lateness 1m --by k count | stream-table --by window_start,k'
    is_status 0
    jq -c '[.window_start,.k,.count]' "$out" >"$out.short"
    same_bytes 'rows with revisions' "$out.short"
    run_shell 'stream-window tumbling 10s --allowed-lateness 1m --changes --by k count | stream-table --by window_start,k'
    is_status 0
    jq -c '[.window_start,.k,.count]' "$out" >"$out.short"
    same_bytes 'changes' "$out.short"
}

@test "fold --deleted" {
    given <<'E'
{"id":1,"gone":false}
{"id":2,"gone":false}
{"id":1,"gone":true}
E
    want <<<'{"id":2,"gone":false}'
    golden stream-table --by id --deleted .gone
    run_tool stream-table --by id --deleted '.gone == $word' --argjson word=true
    is_status 0
    same_bytes "an argument" "$out"
    run_tool stream-table --by id --deleted '.gone =='
    is_status 2
}

@test "fold --every: the whole table at each instant, all changes up to it in it, and at the end" {
    given <<'E'
{"ts":"2026-01-01T00:00:01Z","id":1,"v":1}
{"ts":"2026-01-01T00:00:12Z","id":2,"v":1}
{"ts":"2026-01-01T00:00:10Z","id":1,"v":2}
{"ts":"2026-01-01T00:00:31Z","id":1,"v":3}
{"op":"d","ts":"2026-01-01T00:00:35Z","before":{"id":2},"after":null}
E
    want <<'E'
{"ts":"2026-01-01T00:00:10Z","id":1,"v":2}
{"ts":"2026-01-01T00:00:20Z","id":1,"v":2}
{"ts":"2026-01-01T00:00:20Z","id":2,"v":1}
{"ts":"2026-01-01T00:00:30Z","id":1,"v":2}
{"ts":"2026-01-01T00:00:30Z","id":2,"v":1}
{"ts":"2026-01-01T00:00:40Z","id":1,"v":3}
E
    golden stream-table --by id --every 10s --lateness 5s
    golden_restarted stream-table --by id --every 10s --lateness 5s
    # Each table is the events of one window.
    run_shell 'stream-table --by id --every 10s --lateness 5s | stream-window tumbling 10s count sum:v'
    is_status 0
    project '[.window_start[17:19], .count, .sum_v]' <<<$'["10",1,2]\n["20",2,3]\n["30",2,3]\n["40",1,3]'
    run_tool stream-table --by id --every 10s
    is_status 3
    err_has '1 late event' --lateness
    given <<<'{"id":1}'
    run_tool stream-table --by id --every 10s
    is_status 3
    err_has 'no event time'
}

@test "fold --as-of: the newest up to then, in whatever order they come" {
    given <<'E'
{"ts":"2026-01-01T00:00:05Z","id":1,"v":5}
{"ts":"2026-01-01T00:00:03Z","id":1,"v":3}
{"op":"d","ts":"2026-01-01T00:00:07Z","before":{"id":1},"after":null}
{"ts":"2026-01-01T00:00:06Z","id":1,"v":6}
{"ts":"2026-01-01T00:00:06Z","id":1,"v":66}
E
    want <<<'{"ts":"2026-01-01T00:00:03Z","id":1,"v":3}'
    golden stream-table --by id --as-of 2026-01-01T00:00:04Z
    want <<<'{"ts":"2026-01-01T00:00:06Z","id":1,"v":66}'
    golden stream-table --by id --as-of @1767225606
    golden_restarted stream-table --by id --as-of @1767225606
    run_tool stream-table --by id --as-of 2026-01-01T00:00:07Z
    is_status 0
    out_empty
    run_tool stream-table --by id --as-of 12
    is_status 2
    err_has '--as-of' '"12"'
}

@test "R01: Maxwell's twenty messages leave eight rows" {
    cat >"$input" <<'E'
{"type":"insert","ts":1,"data":{"id":101,"name":"scooter","description":"Small 2-wheel scooter","weight":3.14}}
{"type":"insert","ts":1,"data":{"id":102,"name":"car battery","description":"12V car battery","weight":8.1}}
{"type":"insert","ts":1,"data":{"id":103,"name":"12-pack drill bits","description":"12-pack of drill bits","weight":0.8}}
{"type":"insert","ts":1,"data":{"id":104,"name":"hammer","description":"12oz carpenter's hammer","weight":0.75}}
{"type":"insert","ts":1,"data":{"id":105,"name":"hammer","description":"14oz carpenter's hammer","weight":0.875}}
{"type":"insert","ts":1,"data":{"id":106,"name":"hammer","description":"16oz carpenter's hammer","weight":1.0}}
{"type":"insert","ts":1,"data":{"id":107,"name":"rocks","description":"box of assorted rocks","weight":5.3}}
{"type":"insert","ts":1,"data":{"id":108,"name":"jacket","description":"water resistent black wind breaker","weight":0.1}}
{"type":"insert","ts":1,"data":{"id":109,"name":"spare tire","description":"24 inch spare tire","weight":22.2}}
{"type":"update","ts":2,"data":{"id":106,"name":"hammer","description":"18oz carpenter hammer","weight":1.0},"old":{"description":"16oz carpenter's hammer"}}
{"type":"update","ts":3,"data":{"id":107,"name":"rocks","description":"box of assorted rocks","weight":5.1},"old":{"weight":5.3}}
{"type":"insert","ts":4,"data":{"id":110,"name":"jacket","description":"water resistent white wind breaker","weight":0.2}}
{"type":"insert","ts":5,"data":{"id":111,"name":"scooter","description":"Big 2-wheel scooter ","weight":5.18}}
{"type":"update","ts":6,"data":{"id":110,"name":"jacket","description":"new water resistent white wind breaker","weight":0.5},"old":{"description":"water resistent white wind breaker","weight":0.2}}
{"type":"update","ts":7,"data":{"id":111,"name":"scooter","description":"Big 2-wheel scooter ","weight":5.17},"old":{"weight":5.18}}
{"type":"delete","ts":8,"data":{"id":111,"name":"scooter","description":"Big 2-wheel scooter ","weight":5.17}}
{"type":"update","ts":9,"data":{"id":101,"name":"scooter","description":"Small 2-wheel scooter","weight":5.17},"old":{"weight":3.14}}
{"type":"update","ts":9,"data":{"id":102,"name":"car battery","description":"12V car battery","weight":5.17},"old":{"weight":8.1}}
{"type":"delete","ts":9,"data":{"id":102,"name":"car battery","description":"12V car battery","weight":5.17}}
{"type":"delete","ts":9,"data":{"id":103,"name":"12-pack drill bits","description":"12-pack of drill bits","weight":0.8}}
E
    run_shell 'stream-cat --format maxwell | stream-table --by id'
    is_status 0
    err_empty
    project '[.id, (.weight * 1000 | round)]' <<<$'[101,5170]\n[104,750]\n[105,875]\n[106,1000]\n[107,5100]\n[108,100]\n[109,22200]\n[110,500]'
    cp "$out" "$wanted"
    run_tool stream-table --format maxwell --by id
    same_bytes 'stream-table --format maxwell' "$out"
}

@test "R04: wal2json: deletes by the key alone, of the table that is asked for" {
    given <<'E'
{"action":"B"}
{"action":"I","schema":"public","table":"with_pk","columns":[{"name":"a","type":"integer","value":1},{"name":"b","type":"text","value":"Backup and Restore"}]}
{"action":"I","schema":"public","table":"with_pk","columns":[{"name":"a","type":"integer","value":2},{"name":"b","type":"text","value":"Tuning"}]}
{"action":"I","schema":"public","table":"with_pk","columns":[{"name":"a","type":"integer","value":3},{"name":"b","type":"text","value":"Replication"}]}
{"action":"D","schema":"public","table":"with_pk","identity":[{"name":"a","type":"integer","value":1}]}
{"action":"D","schema":"public","table":"with_pk","identity":[{"name":"a","type":"integer","value":2}]}
{"action":"I","schema":"public","table":"without","columns":[{"name":"a","type":"integer","value":1}]}
{"action":"U","schema":"public","table":"with_pk","columns":[{"name":"a","type":"integer","value":456},{"name":"b","type":"text","value":"Replication"}],"identity":[{"name":"a","type":"integer","value":3}]}
{"action":"C"}
E
    run_shell "stream-cat --format wal2json | stream-filter '.source.table == \"with_pk\"' | stream-table --by a"
    is_status 0
    err_empty
    out_is <<<'{"a":456,"b":"Replication"}'
}

@test "diff: what differs by value, in order of key; folded over the old table it is the new one" {
    cat >old <<'E'
{"id":3,"v":[1.0,{"b":1,"a":2}]}
{"id":"x","v":1}
{"id":2,"v":1}
{"id":1,"v":"é"}
E
    cat >new <<'E'
{"v":[1,{"a":2,"b":1e0}],"id":3.0}
{"id":10,"v":0}
{"id":2,"v":1.5}
{"id":1,"v":"\u00e9"}
E
    rm -f "$input"
    run_tool stream-table diff old new --by id
    is_status 0
    err_empty
    out_is <<'E'
{"op":"u","before":{"id":2,"v":1},"after":{"id":2,"v":1.5}}
{"op":"c","before":null,"after":{"id":10,"v":0}}
{"op":"d","before":{"id":"x","v":1},"after":null}
E
    cp "$out" changes
    run_tool stream-table --by id old changes
    jq -cS . "$out" >"$out.sorted"
    stream-table --by id new | jq -cS . >"$wanted"
    same_bytes 'fold(diff) over old' "$out.sorted"
    run_shell 'stream-table diff - old --by id <old'
    is_status 0
    out_empty
}

@test "diff: ts is the newest time of both, where there is one" {
    rm -f "$input"
    echo '{"id":1,"ts":"2026-01-01T00:00:00Z"}' >old
    echo '{"id":2,"ts":"2026-01-02T00:00:00Z"}' >new
    run_tool stream-table diff old new --by id
    is_status 0
    project .ts <<<$'"2026-01-02T00:00:00Z"\n"2026-01-02T00:00:00Z"'
    run_tool stream-table diff new old --by id
    project .ts <<<$'"2026-01-02T00:00:00Z"\n"2026-01-02T00:00:00Z"'
}

@test "join: R09, a row without a match comes back when its last match goes" {
    given <<'E'
{"ts":1,"id":1,"k":7}
{"op":"d","ts":4,"before":{"id":1},"after":null}
E
    printf '%s\n' '{"ts":2,"k":7,"n":"a"}' '{"op":"d","ts":3,"before":{"k":7},"after":null}' >right
    want <<'E'
{"op":"c","ts":"1970-01-01T00:00:01Z","before":null,"after":{"left":{"ts":1,"id":1,"k":7},"right":null}}
{"op":"d","ts":"1970-01-01T00:00:02Z","before":{"left":{"ts":1,"id":1,"k":7},"right":null},"after":null}
{"op":"c","ts":"1970-01-01T00:00:02Z","before":null,"after":{"left":{"ts":1,"id":1,"k":7},"right":{"ts":2,"k":7,"n":"a"}}}
{"op":"d","ts":"1970-01-01T00:00:03Z","before":{"left":{"ts":1,"id":1,"k":7},"right":{"ts":2,"k":7,"n":"a"}},"after":null}
{"op":"c","ts":"1970-01-01T00:00:03Z","before":null,"after":{"left":{"ts":1,"id":1,"k":7},"right":null}}
{"op":"d","ts":"1970-01-01T00:00:04Z","before":{"left":{"ts":1,"id":1,"k":7},"right":null},"after":null}
E
    golden stream-table join right --on k --by id=k --type left
    run_shell "stream-table join <(sleep 0.3; cat right) --on k --by id=k --type left"
    is_status 0
    same_bytes 'a slow pipe on the right' "$out"
    run_shell "(sleep 0.3; cat) | stream-table join right --on k --by id=k --type left"
    same_bytes 'a slow pipe on the left' "$out"
    run_shell "stream-table join right --on k --by id=k --type left | stream-table --by left.id,right.k"
    is_status 0
    out_empty
}

@test "join: stopped and gone on" {
    given <<'E'
{"ts":1,"id":1,"k":7}
{"ts":2,"id":2,"k":7}
{"ts":3,"id":1,"k":8}
{"ts":5,"id":3,"k":8}
E
    printf '%s\n' '{"ts":1,"k":7,"n":"a"}' '{"ts":2,"k":8,"n":"b"}' '{"ts":4,"k":7,"n":"c"}' >right
    run_tool stream-table join right --on k --by id=k --type full
    is_status 0
    cp "$out" "$wanted"
    head -n 2 right >right1
    tail -n 1 right >right2
    run_shell "head -n 2 | stream-table join right1 --on k --by id=k --type full --state s && tail -n 2 '$input' |
        stream-table join right2 --on k --by id=k --type full --state s --final"
    is_status 0
    err_empty
    same_bytes restarted "$out"
}

@test "join: late changes are counted, each side by its own lateness" {
    printf '%s\n' '{"ts":10,"id":1,"k":1}' '{"ts":5,"id":2,"k":1}' >"$input"
    printf '%s\n' '{"ts":10,"k":1}' '{"ts":4,"k":2}' >right
    run_tool stream-table join right --on k --by id=k --lateness 5s=0s
    is_status 3
    err_has '1 late event'
    [ "$(wc -l <"$out")" -eq 2 ]
    run_tool stream-table join right --on k --by id=k --lateness 5s=6s
    is_status 0
    err_empty
}

@test "join: memory is bounded, and so is the fold's" {
    seq 1 20000 | sed 's/.*/{"ts":&,"id":&,"text":"some text that takes place"}/' >"$input"
    run_tool stream-table --by id --memory 1MiB
    is_status 7
    err_has --memory 'the table takes more'
    run_tool stream-table join /dev/null --on id --memory 1MiB
    is_status 7
    err_has --memory 'the two tables take more'
}

@test "mistakes" {
    given <<<'{"id":1}'
    run_tool stream-table
    is_status 2
    err_has '--by'
    run_tool stream-table diff one --by id
    is_status 2
    err_has 'OLD and NEW'
    run_tool stream-table diff one two three --by id
    is_status 2
    run_tool stream-table join --on id
    is_status 2
    err_has RIGHT
    run_tool stream-table join right
    is_status 2
    err_has '--on'
    run_tool stream-table join right --on id --type outer
    is_status 2
    run_tool stream-table join right --on id --type lefft
    is_status 2
    err_has left
    run_tool stream-table join right --on id --by =
    is_status 2
    err_has '--by'
    run_tool stream-table --by id --on id
    is_status 2
    err_has 'stream-table join'
    run_tool stream-table --by id --lateness 5s
    is_status 2
    err_has '--every'
    run_tool stream-table --by id --every 0s
    is_status 2
    run_tool stream-table --by id --every 5s --as-of now
    is_status 2
    run_tool stream-table diff a b --by id --state s
    is_status 2
    run_tool stream-table --by id nowhere.ndjson
    is_status 4
    given <<<'{"v":1}'
    run_tool stream-table --by id
    is_status 3
    err_has stdin:1 'no key' '"id"'
    run_tool stream-table --by id --bad skip
    is_status 0
    given <<<'{"id":1,"v":1}'
    run_tool stream-table --by id,kk
    is_status 0
    err_has 'no row had a field "kk"'
    given <<<'{"op":"u","before":null,"after":null}'
    run_tool stream-table --by id
    is_status 3
    err_has 'an update without "after"'
}

@test "--stats: what is in the table" {
    printf '%s\n' '{"id":1}' '{"id":2}' '{"id":1,"v":1}' '{"ts_ms":3}' >"$input"
    run_tool stream-table --by id --stats stats
    is_status 0
    jq -se '.[-1] | .changes == 3 and .rows == 2 and .other == 1 and .state_bytes > 0 and .final' stats >/dev/null || flunk "$(cat stats)"
}

@test "Debezium's orders: the table, and as of a time, are what Python makes of them" {
    need_data cdc/debezium_pg_orders.ndjson
    local orders=$STREAM_TEST_DATA/cdc/debezium_pg_orders.ndjson at
    python3 "$STREAM_ROOT/tests/check/oracle_table.py" rows | jq -cS . >"$wanted"
    rm -f "$input"
    run_tool stream-table --by id "$orders"
    is_status 0
    err_empty
    jq -cS . "$out" >"$out.sorted"
    same_bytes 'the table' "$out.sorted"
    run_tool stream-table --format debezium --by id "$orders"
    jq -cS . "$out" >"$out.sorted"
    same_bytes 'the table, with --format' "$out.sorted"
    for at in 1734568160000 1734568170123; do
        python3 "$STREAM_ROOT/tests/check/oracle_table.py" rows $at | jq -cS . >"$wanted"
        run_tool stream-table --by id --as-of @$at "$orders"
        is_status 0
        jq -cS . "$out" >"$out.sorted"
        same_bytes "as of $at" "$out.sorted"
    done
}

@test "Debezium's orders joined to a changelog of customers: at every prefix what SQLite joins" {
    need_data cdc/debezium_pg_orders.ndjson
    local orders=$STREAM_TEST_DATA/cdc/debezium_pg_orders.ndjson type
    python3 "$STREAM_ROOT/tests/check/oracle_table.py" customers 5 >customers
    rm -f "$input"
    for type in inner left right full; do
        run_shell "stream-cat --format debezium '$orders' | stream-table join customers --on customer_name=name --by id --type $type --lateness 2s"
        is_status 0
        err_empty
        cp "$out" joined
        python3 "$STREAM_ROOT/tests/check/oracle_table.py" prefixes $type customers joined >"$out" 2>&1 || flunk "$type: $(tail -n 5 "$out")"
        out_is <<<"$type True True True"
        # The join folded is the join of what was folded.
        stream-table --by left.id,right.id joined | wc -l >rows
        [ "$(cat rows)" -gt 100 ]
    done
}
