#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What is done with results: --top, --compare, --fill, --every; calendar windows; windows of windows.

load ../support/helpers

@test "--top keeps the greatest, greatest first, ties by key" {
    rows ts k v <<'E'
1 "a" 1
2 "b" 9
3 "a" 1
4 "c" 1
5 "a" 1
6 "d" 1
7 "d" 1
8 "c" 1
11 "z" 1
E
    want_windows <<'E'
0 10 "k":"a","count":3,"sum_v":3
0 10 "k":"c","count":2,"sum_v":2
10 20 "k":"z","count":1,"sum_v":1
E
    golden stream-window tumbling 10s --by k --top 2 count sum:v
    want_windows <<'E'
0 10 "k":"b","count":1,"sum_v":9
10 20 "k":"z","count":1,"sum_v":1
E
    golden stream-window tumbling 10s --by k --top 1:sum_v count sum:v
}

@test "--top by an aggregate that is not there is a usage error that names it" {
    given <<<'{"ts":1,"k":1}'
    run_tool stream-window tumbling 10s --by k --top 2:sum_x count
    is_status 2
    err_has sum_x
}

@test "--compare adds the value just before and the change" {
    rows ts k v <<'E'
1 "a" 1
2 "a" 2
11 "a" 10
12 "b" 5
31 "a" 4
E
    run_tool stream-window tumbling 10s --by k --compare count sum:v
    is_status 0
    err_empty
    project '[.window_start[17:19],.k,.count,.count_before,.count_change,.sum_v,.sum_v_before,.sum_v_change]' <<'E'
["00","a",2,null,null,3,null,null]
["10","a",1,2,-1,10,3,7]
["10","b",1,null,null,5,null,null]
["30","a",1,null,null,4,null,null]
E
}

@test "--compare of exact decimals is exact" {
    rows ts v <<'E'
1 0.1
11 0.3
E
    run_tool stream-window tumbling 10s --compare sum:v
    is_status 0
    grep -qF '"sum_v_change":0.2' "$out" && ! grep -qF 0.19999 "$out" || flunk "$(cat "$out")"
}

@test "--compare for hopping looks one advance back; for sessions it is refused" {
    rows ts <<'E'
1
6
7
E
    run_tool stream-window hopping 10s 5s --compare count
    is_status 0
    project '[.count,.count_before,.count_change]' <<'E'
[1,null,null]
[3,1,2]
[2,3,-1]
E
    run_tool stream-window session 5s --compare count
    is_status 2
}

@test "--fill all writes the empty windows, as an aggregate of nothing" {
    rows ts k v <<'E'
1 "a" 1
2 "b" 2
35 "b" 4
E
    want_windows <<'E'
0 10 "k":"a","count":1,"sum_v":1,"collect_v":[1]
0 10 "k":"b","count":1,"sum_v":2,"collect_v":[2]
10 20 "k":"a","count":0,"sum_v":null,"collect_v":[]
10 20 "k":"b","count":0,"sum_v":null,"collect_v":[]
20 30 "k":"a","count":0,"sum_v":null,"collect_v":[]
20 30 "k":"b","count":0,"sum_v":null,"collect_v":[]
30 40 "k":"a","count":0,"sum_v":null,"collect_v":[]
30 40 "k":"b","count":1,"sum_v":4,"collect_v":[4]
E
    golden stream-window tumbling 10s --by k --fill all count sum:v collect:v
}

@test "--fill DUR forgets a key that was silent so long" {
    rows ts k <<'E'
1 "a"
2 "b"
15 "b"
25 "b"
35 "b"
45 "b"
55 "b"
E
    run_tool stream-window tumbling 10s --by k --fill 20s count
    is_status 0
    # Every window of b, and of a the first and some of the empty ones, but not all.
    [ "$(jq -s 'map(select(.k == "b")) | length' "$out")" -eq 6 ]
    local a
    a=$(jq -s 'map(select(.k == "a")) | length' "$out")
    [ "$a" -ge 2 ] && [ "$a" -le 4 ] || flunk "$a windows of a: $(cat "$out")"
}

@test "--fill across a wild jump stops at a limit" {
    given <<'E'
{"ts":"1970-01-01T00:00:00Z"}
{"ts":"2200-01-01T00:00:00Z"}
E
    run_tool stream-window tumbling 1ms --fill all count
    is_status 7
}

@test "--every writes provisional results, and one final one a window, the same as without" {
    seq 0 99 | awk '{ printf "{\"ts\":%d,\"k\":\"%s\"}\n", $1, $1 % 3 ? "a" : "b" }' >"$input"
    run_tool stream-window tumbling 30s --by k count
    cp "$out" "$wanted.plain"
    run_tool stream-window tumbling 30s --by k --every 10s count
    is_status 0
    err_empty
    jq -se 'group_by([.window_start,.k]) | all(
        ([.[].revision] == [range(1; length + 1)]) and ([.[].final] == ([range(1; length) | false] + [true]))
        and ([.[].count] == ([.[].count] | sort)))' "$out" >/dev/null || flunk "$(cat "$out")"
    jq -se 'any(.final == false)' "$out" >/dev/null
    jq -c 'select(.final) | del(.revision,.final)' "$out" | diff "$wanted.plain" -
}

@test "all --every gives a running result" {
    rows ts <<'E'
1
2
11
21
E
    run_tool stream-window all --every 10s count
    is_status 0
    jq -se 'map(.count) | . == sort and .[-1] == 4 and length > 1' "$out" >/dev/null || flunk "$(cat "$out")"
}

@test "another stream-window takes the final results only, and says how many it left" {
    seq 0 99 | awk '{ printf "{\"ts\":%d}\n", $1 }' >"$input"
    run_shell 'stream-window tumbling 10s --every 5s count | stream-window all sum:count'
    is_status 0
    [ "$(jq .sum_count "$out")" = 100 ]
    [ -s "$err" ]
}

@test "calendar days follow the zone's clock: 23 hours in spring, 25 in autumn" {
    given <<'E'
{"ts":"2024-03-30T22:59:59Z"}
{"ts":"2024-03-30T23:00:00Z"}
{"ts":"2024-03-31T21:59:59Z"}
{"ts":"2024-03-31T22:00:00Z"}
{"ts":"2024-10-26T21:59:59Z"}
{"ts":"2024-10-26T22:00:00Z"}
{"ts":"2024-10-27T22:59:59Z"}
{"ts":"2024-10-27T23:00:00Z"}
E
    want <<'E'
{"window_start":"2024-03-29T23:00:00Z","window_end":"2024-03-30T23:00:00Z","count":1}
{"window_start":"2024-03-30T23:00:00Z","window_end":"2024-03-31T22:00:00Z","count":2}
{"window_start":"2024-03-31T22:00:00Z","window_end":"2024-04-01T22:00:00Z","count":1}
{"window_start":"2024-10-25T22:00:00Z","window_end":"2024-10-26T22:00:00Z","count":1}
{"window_start":"2024-10-26T22:00:00Z","window_end":"2024-10-27T23:00:00Z","count":2}
{"window_start":"2024-10-27T23:00:00Z","window_end":"2024-10-28T23:00:00Z","count":1}
E
    golden stream-window tumbling 1d --tz Europe/Berlin count
}

@test "calendar weeks start on Monday in a zone; without one they are 7 days from the epoch" {
    given <<'E'
{"ts":"2024-03-31T21:59:59Z"}
{"ts":"2024-03-31T22:00:00Z"}
E
    want <<'E'
{"window_start":"2024-03-24T23:00:00Z","window_end":"2024-03-31T22:00:00Z","count":1}
{"window_start":"2024-03-31T22:00:00Z","window_end":"2024-04-07T22:00:00Z","count":1}
E
    golden stream-window tumbling 1w --tz Europe/Berlin count
    want <<'E'
{"window_start":"2024-03-28T00:00:00Z","window_end":"2024-04-04T00:00:00Z","count":2}
E
    golden stream-window tumbling 1w count
}

@test "calendar months need a zone" {
    given <<'E'
{"ts":"2024-02-29T22:59:59Z"}
{"ts":"2024-02-29T23:00:00Z"}
{"ts":"2024-03-31T21:59:59Z"}
E
    want <<'E'
{"window_start":"2024-01-31T23:00:00Z","window_end":"2024-02-29T23:00:00Z","count":1}
{"window_start":"2024-02-29T23:00:00Z","window_end":"2024-03-31T22:00:00Z","count":2}
E
    golden stream-window tumbling 1mo --tz Europe/Berlin count
    run_tool stream-window tumbling 1mo count
    is_status 2
    err_has --tz
}

@test "an unknown zone is a usage error that names a near one" {
    given <<<'{"ts":1}'
    run_tool stream-window tumbling 1d --tz Europe/Berln count
    is_status 2
    err_has Europe/Berlin
}

@test "windows of windows: ten rows of ten, and two of fifty" {
    seq 0 99 | awk '{ printf "{\"ts\":%.1f}\n", $1 / 10 }' >"$input"
    want_windows <<'E'
0 5 "sum_count":50
5 10 "sum_count":50
E
    golden bash -o pipefail -c 'stream-window tumbling 1s count | stream-window tumbling 5s sum:count'
}

@test "tumbling of tumbling is tumbling, keys and extremes too" {
    seq 1 3000 | awk '{ printf "{\"ts\":%d,\"repo\":{\"name\":\"r%d\"},\"v\":%d}\n", $1 * 7, $1 % 5, ($1 * 7919) % 1009 }' >"$input"
    run_tool stream-window tumbling 1h --by repo.name n=count s=sum:v lo=min:v hi=max:v
    is_status 0
    cp "$out" "$wanted"
    golden_from pipe bash -o pipefail -c 'stream-window tumbling 1m --by repo.name n=count s=sum:v lo=min:v hi=max:v |
        stream-window tumbling 1h --by repo.name n=sum:n s=sum:s lo=min:lo hi=max:hi'
}

@test "sliding and rows keep their event's time for the next stage" {
    rows ts v <<'E'
1 1
2 2
12 3
E
    want_windows <<'E'
0 10 "last_sum_v":3
10 20 "last_sum_v":3
E
    golden bash -o pipefail -c 'stream-window sliding 5s sum:v | stream-window tumbling 10s last:sum_v'
    want_windows <<'E'
0 10 "last_sum_v":3
10 20 "last_sum_v":5
E
    golden bash -o pipefail -c 'stream-window rows 2 sum:v | stream-window tumbling 10s last:sum_v'
}
