#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# --by: how keys are found, compared, written and ordered; where the event time is found.

load ../support/helpers

@test "keys compare by value, and results come in jq's order of values" {
    given <<'E'
{"ts":1,"k":{"b":2,"a":1}}
{"ts":1,"k":[1]}
{"ts":1,"k":"\u0061"}
{"ts":1,"k":"10"}
{"ts":1,"k":10}
{"ts":1,"k":2}
{"ts":1,"k":-1}
{"ts":1,"k":true}
{"ts":1,"k":false}
{"ts":1,"k":null}
{"ts":1}
{"ts":1,"k":"a"}
{"ts":1,"k":1e1}
{"ts":1,"k":2.0}
{"ts":1,"k": { "a" : 1.0 , "b" : 2 } }
{"ts":1,"k":[1.0]}
E
    want_windows <<'E'
0 10 "k":null,"count":2
0 10 "k":false,"count":1
0 10 "k":true,"count":1
0 10 "k":-1,"count":1
0 10 "k":2,"count":2
0 10 "k":10,"count":2
0 10 "k":"10","count":1
0 10 "k":"a","count":2
0 10 "k":[1],"count":2
0 10 "k":{"a":1,"b":2},"count":2
E
    golden stream-window tumbling 10s --by k count
}

@test "integers beyond 2^53 stay apart, and themselves" {
    rows ts id <<'E'
1 9007199254740993
1 9007199254740992
1 9007199254740993.0
1 18446744073709551617
E
    want_windows <<'E'
0 10 "id":9007199254740992,"count":1
0 10 "id":9007199254740993,"count":2
0 10 "id":18446744073709551617,"count":1
E
    golden stream-window tumbling 10s --by id count
}

@test "several keys, by commas or by repeating the option" {
    rows ts a b <<'E'
1 "x" 1
2 "x" 2
3 "x" 1
E
    want_windows <<'E'
0 10 "a":"x","b":1,"count":2
0 10 "a":"x","b":2,"count":1
E
    golden stream-window tumbling 10s --by a,b count
    golden stream-window tumbling 10s --by a --by b count
}

@test "a path is written where it was found, so that the next stage reads it the same way" {
    given <<'E'
{"ts":1,"repo":{"name":"r"}}
E
    want_windows <<'E'
0 10 "repo":{"name":"r"},"count":1
E
    golden stream-window tumbling 10s --by repo.name count
    want_windows <<'E'
0 60 "repo":{"name":"r"},"sum_count":1
E
    golden bash -c 'stream-window tumbling 10s --by repo.name count | stream-window tumbling 1m --by repo.name sum:count'
}

@test "a dotted name is first the member of exactly that name" {
    given <<'E'
{"ts":1,"id.orig_h":"10.0.0.1","id":{"orig_h":"other"}}
E
    want_windows <<'E'
0 10 "id.orig_h":"10.0.0.1","count":1
E
    golden stream-window tumbling 10s --by id.orig_h count
}

@test "NAME=FIELD gives a key a name; an index needs one" {
    given <<'E'
{"ts":1,"items":[{"sku":"s1"},{"sku":"s2"}]}
E
    want_windows <<'E'
0 10 "sku":"s1","count":1
E
    golden stream-window tumbling 10s --by 'sku=items[0].sku' count
    run_tool stream-window tumbling 10s --by 'items[0].sku' count
    is_status 2
    out_empty
    err_has 'items[0].sku'
}

@test "two equal names are a usage error" {
    given <<<'{"ts":1,"a":1}'
    run_tool stream-window tumbling 10s --by a,a count
    is_status 2
    run_tool stream-window tumbling 10s --by a a=count
    is_status 2
    run_tool stream-window tumbling 10s count count
    is_status 2
}

@test "duplicate member names: the last one counts" {
    given <<'E'
{"ts":99,"k":"x","ts":1,"k":"y"}
E
    want_windows <<'E'
0 10 "k":"y","count":1
E
    golden stream-window tumbling 10s --by k count
}

@test "a key that no event had is told at the end, with the names there are" {
    rows ts path <<'E'
1 "/a"
2 "/b"
E
    run_tool stream-window tumbling 10s --by pth count
    is_status 0
    err_has pth path
    out_is <<'E'
{"window_start":"1970-01-01T00:00:00Z","window_end":"1970-01-01T00:00:10Z","pth":null,"count":2}
E
}

@test "event time: RFC 3339 in its forms" {
    given <<'E'
{"ts":"1970-01-01T00:00:01Z"}
{"ts":"1970-01-01t01:00:02+01:00"}
{"ts":"1970-01-01 00:00:03.123456789"}
{"ts":"1969-12-31T23:00:04.5-01:00"}
E
    want_windows <<'E'
1 2 "count":1
2 3 "count":1
3 4 "count":1
4 5 "count":1
E
    golden stream-window tumbling 1s count
}

@test "event time: numbers and strings of one, by magnitude" {
    local value
    for value in 1431857103 '"1431857103"' 1431857103000 1431857103000000 1431857103000000000 \
        '"17/May/2015:10:05:03 +0000"' '"17/May/2015:12:05:03 +0200"' 1431857103.0 1.431857103e9; do
        given <<<"{\"ts\":$value}"
        run_tool stream-window tumbling 1s count
        is_status 0
        err_empty
        out_is <<'E'
{"window_start":"2015-05-17T10:05:03Z","window_end":"2015-05-17T10:05:04Z","count":1}
E
    done
}

@test "event time: an event that differs in unit, or does not fit, is bad" {
    rows ts <<'E'
1431857103
1431857103000
E
    run_tool stream-window tumbling 1s count
    is_status 3
    err_has stdin:2
    given <<<'{"ts":"2300-01-01T00:00:00Z"}'
    run_tool stream-window tumbling 1s count
    is_status 3
    err_has stdin:1 2300
    given <<<'{"ts":"2015-02-30T00:00:00Z"}'
    run_tool stream-window tumbling 1s count
    is_status 3
}

@test "event time: --time, then STREAM_TIME, then ts, window_end, source.ts_ms" {
    given <<'E'
{"a":1,"b":11,"ts":21,"window_end":"1970-01-01T00:00:41Z","source":{"ts_ms":51000000000}}
E
    local at
    start_of() {
        run_tool "$@"
        is_status 0
        at=$(jq -r .window_start "$out")
    }
    start_of stream-window tumbling 10s --time a count
    [ "$at" = 1970-01-01T00:00:00Z ]
    STREAM_TIME=b start_of stream-window tumbling 10s count
    [ "$at" = 1970-01-01T00:00:10Z ]
    start_of stream-window tumbling 10s count
    [ "$at" = 1970-01-01T00:00:20Z ]
    given <<<'{"window_end":"1970-01-01T00:00:40Z","source":{"ts_ms":1}}'
    start_of stream-window tumbling 10s count
    [ "$at" = 1970-01-01T00:00:30Z ] # 1 ns before window_end
    start_of stream-window tumbling 10s --time window_end count
    [ "$at" = 1970-01-01T00:00:30Z ]
    given <<<'{"ts_ms":1,"source":{"ts_ms":1734568154752}}'
    start_of stream-window tumbling 10s count
    [ "$at" = 2024-12-19T00:29:10Z ]
}
