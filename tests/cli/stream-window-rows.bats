#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The kinds that answer for each event (sliding, rows), and the one window of all.

load ../support/helpers

@test "sliding: an answer for each event, both ends and peers included" {
    rows ts k v <<'E'
0.002 "aaa" 1
0.003 "bbb" 10
4.001 "aaa" 2
4.002 "aaa" 3
4.003 "aaa" 4
4.801 "bbb" 25
6.501 "aaa" 5
6.501 "aaa" 6
6.501 "bbb" 30
7.001 "aaa" 7
8.001 "aaa" 8
12.001 "aaa" 9
12.001 "aaa" 10
12.001 "bbb" 40
E
    want <<'E'
{"ts":0.002,"k":"aaa","v":1,"min_v":1,"max_v":1}
{"ts":0.003,"k":"bbb","v":10,"min_v":10,"max_v":10}
{"ts":4.001,"k":"aaa","v":2,"min_v":1,"max_v":2}
{"ts":4.002,"k":"aaa","v":3,"min_v":1,"max_v":3}
{"ts":4.003,"k":"aaa","v":4,"min_v":2,"max_v":4}
{"ts":4.801,"k":"bbb","v":25,"min_v":25,"max_v":25}
{"ts":6.501,"k":"aaa","v":5,"min_v":2,"max_v":6}
{"ts":6.501,"k":"aaa","v":6,"min_v":2,"max_v":6}
{"ts":6.501,"k":"bbb","v":30,"min_v":25,"max_v":30}
{"ts":7.001,"k":"aaa","v":7,"min_v":2,"max_v":7}
{"ts":8.001,"k":"aaa","v":8,"min_v":2,"max_v":8}
{"ts":12.001,"k":"aaa","v":9,"min_v":8,"max_v":10}
{"ts":12.001,"k":"aaa","v":10,"min_v":8,"max_v":10}
{"ts":12.001,"k":"bbb","v":40,"min_v":40,"max_v":40}
E
    golden stream-window sliding 4s --by k min:v max:v
}

@test "sliding: the event's own bytes, in event-time order within the lateness" {
    given <<'E'
{ "ts" : 3,  "x":1.0 }
{"ts":1, "x":2e0}
{"ts":9,"x":"\u0061" }
E
    want <<'E'
{"ts":1, "x":2e0,"count":1}
{ "ts" : 3,  "x":1.0 ,"count":2}
{"ts":9,"x":"\u0061" ,"count":1}
E
    golden stream-window sliding 5s --lateness 5s count
}

@test "rows: the key's last N by arrival, no event time needed" {
    rows k v <<'E'
"a" 1
"b" 10
"a" 2
"a" 3
"a" 4
E
    want <<'E'
{"k":"a","v":1,"sum_v":1,"first_v":1,"last_v":1,"collect_v":[1]}
{"k":"b","v":10,"sum_v":10,"first_v":10,"last_v":10,"collect_v":[10]}
{"k":"a","v":2,"sum_v":3,"first_v":1,"last_v":2,"collect_v":[1,2]}
{"k":"a","v":3,"sum_v":6,"first_v":1,"last_v":3,"collect_v":[1,2,3]}
{"k":"a","v":4,"sum_v":9,"first_v":2,"last_v":4,"collect_v":[2,3,4]}
E
    golden stream-window rows 3 --by k sum:v first:v last:v collect:v
}

@test "rows: a member of the aggregate's name is replaced in place" {
    given <<'E'
{"count":"old","z":1}
E
    want <<'E'
{"count":1,"z":1}
E
    golden stream-window rows 2 count
}

@test "all: one window, ts the newest event's, in any order" {
    rows ts v <<'E'
25 1
3 2
9 4
E
    want <<'E'
{"ts":"1970-01-01T00:00:25Z","count":3,"sum_v":7}
E
    golden stream-window all count sum:v
}

@test "all: nothing for no events, and no event time needed" {
    : >"$input"
    : >"$wanted"
    golden stream-window all count
    rows k <<'E'
"b"
"a"
"b"
E
    run_tool stream-window all --by k count
    is_status 0
    project '[.k,.count]' <<'E'
["a",1]
["b",2]
E
}
