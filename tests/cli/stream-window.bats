#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The kinds of window. Aggregates, keys, late data, revisions and mistakes have their own files.

load ../support/helpers

@test "tumbling: half-open, aligned to the epoch" {
    rows ts v <<'E'
1 1
3 2
9.999 4
10 8
25 16
E
    want_windows <<'E'
0 10 "count":3,"sum_v":7
10 20 "count":1,"sum_v":8
20 30 "count":1,"sum_v":16
E
    golden stream-window tumbling 10s count sum:v
}

@test "tumbling: before 1970 too, rounding down" {
    rows ts <<'E'
-10
-0.000000001
0
E
    want <<'E'
{"window_start":"1969-12-31T23:59:50Z","window_end":"1970-01-01T00:00:00Z","count":2}
{"window_start":"1970-01-01T00:00:00Z","window_end":"1970-01-01T00:00:10Z","count":1}
E
    golden stream-window tumbling 10s count
}

@test "tumbling: bounds carry the fewest fraction digits that are exact" {
    rows ts <<'E'
0.25
0.5
1.1
E
    want <<'E'
{"window_start":"1970-01-01T00:00:00Z","window_end":"1970-01-01T00:00:00.500Z","count":1}
{"window_start":"1970-01-01T00:00:00.500Z","window_end":"1970-01-01T00:00:01Z","count":1}
{"window_start":"1970-01-01T00:00:01Z","window_end":"1970-01-01T00:00:01.500Z","count":1}
E
    golden stream-window tumbling 500ms count
}

@test "tumbling: no events, no windows" {
    : >"$input"
    : >"$wanted"
    golden stream-window tumbling 10s count
}

@test "tumbling: an event in its own window closes what ended before it" {
    rows ts <<'E'
9
E
    want_windows <<'E'
0 10 "count":1
E
    golden stream-window tumbling 10s count
}

@test "tumbling --offset moves the windows" {
    rows ts <<'E'
1
2
3
9
10
E
    want <<'E'
{"window_start":"1969-12-31T23:59:56Z","window_end":"1970-01-01T00:00:03Z","count":2}
{"window_start":"1970-01-01T00:00:03Z","window_end":"1970-01-01T00:00:10Z","count":2}
{"window_start":"1970-01-01T00:00:10Z","window_end":"1970-01-01T00:00:17Z","count":1}
E
    golden stream-window tumbling 7s --offset 3s count
}

@test "tumbling --offset counts modulo the size, in either direction" {
    given <<'E'
{"ts":"2021-06-30T00:00:04Z"}
E
    local offset
    for offset in -16m -6m 4m 14m; do
        run_tool stream-window tumbling 10m --offset=$offset count
        is_status 0
        out_is <<'E'
{"window_start":"2021-06-29T23:54:00Z","window_end":"2021-06-30T00:04:00Z","count":1}
E
        run_tool stream-window tumbling 10m --offset $offset count
        is_status 0
    done
}

@test "hopping: every window that holds the event, those before 1970 too" {
    rows ts <<'E'
1
2
5
9
10
11
E
    want <<'E'
{"window_start":"1969-12-31T23:59:55Z","window_end":"1970-01-01T00:00:05Z","count":2,"collect_ts":[1,2]}
{"window_start":"1970-01-01T00:00:00Z","window_end":"1970-01-01T00:00:10Z","count":4,"collect_ts":[1,2,5,9]}
{"window_start":"1970-01-01T00:00:05Z","window_end":"1970-01-01T00:00:15Z","count":4,"collect_ts":[5,9,10,11]}
{"window_start":"1970-01-01T00:00:10Z","window_end":"1970-01-01T00:00:20Z","count":2,"collect_ts":[10,11]}
E
    golden stream-window hopping 10s 5s count collect:ts
}

@test "hopping: an advance beyond the size leaves gaps; what falls there is neither late nor an error" {
    rows ts <<'E'
1
2
3
5
9
10
11
100
E
    want_windows <<'E'
0 3 "collect_ts":[1,2]
10 13 "collect_ts":[10,11]
100 103 "collect_ts":[100]
E
    golden stream-window hopping 3s 10s collect:ts
}

@test "hopping: an advance that does not divide the size" {
    rows ts <<'E'
0
1
2
3
E
    want <<'E'
{"window_start":"1969-12-31T23:59:56Z","window_end":"1970-01-01T00:00:01Z","collect_ts":[0]}
{"window_start":"1969-12-31T23:59:58Z","window_end":"1970-01-01T00:00:03Z","collect_ts":[0,1,2]}
{"window_start":"1970-01-01T00:00:00Z","window_end":"1970-01-01T00:00:05Z","collect_ts":[0,1,2,3]}
{"window_start":"1970-01-01T00:00:02Z","window_end":"1970-01-01T00:00:07Z","collect_ts":[2,3]}
E
    golden stream-window hopping 5s 2s collect:ts
}

@test "session: at most the gap between neighbours, the gap itself included" {
    rows ts user <<'E'
0 "a"
2 "b"
5 "a"
11 "a"
E
    want_windows <<'E'
2 7 "user":"b","count":1
0 10 "user":"a","count":2
11 16 "user":"a","count":1
E
    golden stream-window session 5s --by user count
}

@test "session: an event in between joins two" {
    rows ts <<'E'
10
12
20
16
30
E
    want_windows <<'E'
10 25 "collect_ts":[10,12,16,20]
30 35 "collect_ts":[30]
E
    golden stream-window session 5s --lateness 8s collect:ts
}

@test "session: a late-looking event that joins a live session is in time" {
    rows ts <<'E'
10
14
11
30
E
    want_windows <<'E'
10 19 "count":3
30 35 "count":1
E
    golden stream-window session 5s count
}

@test "session --max cuts a longer one from its first event" {
    rows ts <<'E'
0
4
8
12
16
E
    run_tool stream-window session 5s --max 10s count
    is_status 0
    err_empty
    project '[.window_start,.count]' <<'E'
["1970-01-01T00:00:00Z",3]
["1970-01-01T00:00:12Z",2]
E
}

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
