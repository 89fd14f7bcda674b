#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Tumbling, hopping and session windows. The other kinds, aggregates, keys, late data, what is done with
# results, and mistakes have their own files.

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
