#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Late events: what is late, what is said, and where late events go.

load ../support/helpers

one_late() {
    rows ts v <<'E'
1 "a"
12 "b"
3 "late"
13 "c"
25 "d"
E
}

@test "an event for a closed window is dropped, told and makes the status 3" {
    one_late
    want_windows <<'E'
0 10 "count":1
10 20 "count":2
20 30 "count":1
E
    golden_status=3 golden stream-window tumbling 10s count
    run_tool stream-window tumbling 10s count
    err_has 1 late 9s --lateness
    err_well_formed stream-window
}

@test "the --lateness that the message names keeps them all" {
    rows ts <<'E'
100
7
250
13
95
300
199
E
    run_tool stream-window tumbling 10s count
    is_status 3
    local enough
    enough=$(grep -oE -e '--lateness[ =][0-9a-z.]+' "$err" | head -n 1 | sed 's/--lateness[ =]//')
    [ -n "$enough" ] || flunk "no --lateness in: $(cat "$err")"
    run_tool stream-window tumbling 10s --lateness "$enough" count
    is_status 0
    err_empty
    [ "$(jq -s 'map(.count) | add' "$out")" = 7 ]
}

@test "lateness is judged on the window, not on the event" {
    rows ts k <<'E'
1 "k2"
1.986 "k2"
1.980 "k2"
2 "k2"
1.998 "k2"
2.001 "k2"
4 "k2"
E
    want_windows <<'E'
0 2 "k":"k2","count":3
2 4 "k":"k2","count":2
4 6 "k":"k2","count":1
E
    golden_status=3 golden stream-window tumbling 2s --by k count
}

@test "a window closes once the watermark reaches its end, not before" {
    rows ts <<'E'
9.999999999
0
10
9.999999999
E
    want_windows <<'E'
0 10 "count":2
10 20 "count":1
E
    golden_status=3 golden stream-window tumbling 10s count
}

@test "--lateness keeps windows open for as long" {
    rows ts <<'E'
1
14.999
3
15
4
26
E
    want_windows <<'E'
0 10 "count":2
10 20 "count":2
20 30 "count":1
E
    golden_status=3 golden stream-window tumbling 10s --lateness 5s count
    run_tool stream-window tumbling 10s --lateness 5s count
    err_has 11s
}

@test "hopping: late for one window, in time for another, is not late" {
    rows ts <<'E'
1
11
7
30
E
    want <<'E'
{"window_start":"1969-12-31T23:59:55Z","window_end":"1970-01-01T00:00:05Z","count":1}
{"window_start":"1970-01-01T00:00:00Z","window_end":"1970-01-01T00:00:10Z","count":1}
{"window_start":"1970-01-01T00:00:05Z","window_end":"1970-01-01T00:00:15Z","count":2}
{"window_start":"1970-01-01T00:00:10Z","window_end":"1970-01-01T00:00:20Z","count":1}
{"window_start":"1970-01-01T00:00:25Z","window_end":"1970-01-01T00:00:35Z","count":1}
{"window_start":"1970-01-01T00:00:30Z","window_end":"1970-01-01T00:00:40Z","count":1}
E
    golden stream-window hopping 10s 5s count
}

@test "hopping: late for all its windows is late" {
    rows ts <<'E'
1
16
7
E
    run_tool stream-window hopping 10s 5s count
    is_status 3
    err_has late 9s
}

@test "session: late once no live session can take it" {
    rows ts <<'E'
10
40
11
41
E
    want_windows <<'E'
10 15 "count":1
40 46 "count":2
E
    golden_status=3 golden stream-window session 5s count
}

@test "session: its own overlapping session while that may still last" {
    # The session of 0 closed at W > 5; 3 could still last until 8, and W is 6: a session of its own.
    rows ts k <<'E'
0 "a"
6 "b"
3 "a"
20 "b"
E
    want_windows <<'E'
0 5 "k":"a","count":1
3 8 "k":"a","count":1
6 11 "k":"b","count":1
20 25 "k":"b","count":1
E
    golden stream-window session 5s --by k count
}

@test "sliding: older than the watermark is late" {
    rows ts <<'E'
5
10
9
11
E
    want <<'E'
{"ts":5,"count":1}
{"ts":10,"count":2}
{"ts":11,"count":2}
E
    golden_status=3 golden stream-window sliding 5s count
}

@test "--late drop: counted, status 0" {
    one_late
    want_windows <<'E'
0 10 "count":1
10 20 "count":2
20 30 "count":1
E
    golden_stderr=any golden stream-window tumbling 10s --late drop count
}

@test "--late FILE keeps them as they came, appending" {
    given <<'E'
{"ts":1}
{"ts":12}
{ "ts" : 3.0 , "x":"\u00e9" }
{"ts":4, "y":1e2}
E
    local dead=$BATS_TEST_TMPDIR/late.ndjson
    run_tool stream-window tumbling 10s --late "$dead" count
    is_status 0
    diff "$dead" - <<'E'
{ "ts" : 3.0 , "x":"\u00e9" }
{"ts":4, "y":1e2}
E
    run_tool stream-window tumbling 10s --late "$dead" count
    is_status 0
    [ "$(wc -l <"$dead")" -eq 4 ]
}

@test "--late FILE that cannot be written is an I/O error" {
    one_late
    run_tool stream-window tumbling 10s --late "$BATS_TEST_TMPDIR/no/such/folder" count
    is_status 4
    [ -e /dev/full ] || skip "there is no /dev/full"
    run_tool stream-window tumbling 10s --late /dev/full count
    is_status 4
}

@test "--allowed-lateness: a late event brings a corrected result, one result is final" {
    rows ts <<'E'
1
12
3
13
25
E
    run_tool stream-window tumbling 10s --allowed-lateness 1m count
    is_status 0
    err_empty
    jq -c 'select(.window_start == "1970-01-01T00:00:00Z") | [.count,.revision,.final]' "$out" >"$out.first"
    diff "$out.first" - <<'E'
[1,1,false]
[2,2,false]
[2,3,true]
E
    one_final_each
    jq -c 'select(.final) | [.window_start,.count]' "$out" | sort | diff - <(printf '%s\n' \
        '["1970-01-01T00:00:00Z",2]' '["1970-01-01T00:00:10Z",2]' '["1970-01-01T00:00:20Z",1]')
}

# Revisions count from 1 without a gap, and exactly the last of a window is final.
one_final_each() {
    jq -se 'group_by([.window_start,.window_end,.k]) | all(
        ([.[].revision] == [range(1; length + 1)]) and ([.[].final] == ([range(1; length) | false] + [true])))' "$out" >/dev/null ||
        flunk "revisions: $(cat "$out")"
}

@test "--allowed-lateness: past it an event is late" {
    rows ts <<'E'
1
12
3
31
4
E
    run_tool stream-window tumbling 10s --allowed-lateness 20s count
    # W = 31 >= 10 + 20: closed for good. A policy was named, so the status is 0.
    is_status 0
    one_final_each
    [ "$(jq -s 'map(select(.final) | .count) | add' "$out")" = 4 ]
}

@test "--allowed-lateness: a late event that merges sessions corrects both" {
    rows ts <<'E'
10
16
30
13
60
E
    run_tool stream-window session 5s --allowed-lateness 1m count --changes
    is_status 0
    # Folded, the changes are the table of sessions.
    jq -nc 'reduce inputs as $c ({}; ($c.before // {}) as $b | ($c.after // {}) as $a
        | if $c.op == "d" or ($b != {} and $b.window_start + $b.window_end != ($a.window_start + $a.window_end))
          then delpaths([[$b.window_start + $b.window_end]]) else . end
        | if $c.op == "d" then . else .[$a.window_start + $a.window_end] = $a.count end)
        | map(.) | sort' "$out" >"$out.folded"
    diff "$out.folded" - <<<'[1,1,3]'
}

@test "--changes: created, updated; folding them gives the final table" {
    rows ts k <<'E'
1 "a"
2 "b"
12 "a"
3 "a"
25 "b"
E
    run_tool stream-window tumbling 10s --by k --allowed-lateness 1m --changes count
    is_status 0
    jq -se 'map(.op) | unique | . == ["c","u"] or . == ["c"]' "$out" >/dev/null || flunk "$(cat "$out")"
    jq -se 'map(select(.op == "c")) | all(.before == null)' "$out" >/dev/null
    jq -sc 'map(select(.after) | .after | {key: "\(.window_start) \(.k)", value: .count}) | from_entries | to_entries | sort_by(.key) | map([.key,.value])[]' \
        "$out" >"$out.folded"
    diff "$out.folded" - <<'E'
["1970-01-01T00:00:00Z a",2]
["1970-01-01T00:00:00Z b",1]
["1970-01-01T00:00:10Z a",1]
["1970-01-01T00:00:20Z b",1]
E
}
