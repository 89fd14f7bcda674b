#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0

load ../support/helpers

@test "parse: ts is added at the end, the rest's bytes stay" {
    given <<'E'
{"time":"17/May/2015:10:05:03 +0000", "n":1.0 }
{ "time" : "17/May/2015:12:05:03 +0200","s":"\u0061"}
{"time":"17/May/2015:10:05:04 +0000"}
E
    want <<'E'
{"time":"17/May/2015:10:05:03 +0000", "n":1.0 ,"ts":"2015-05-17T10:05:03Z"}
{ "time" : "17/May/2015:12:05:03 +0200","s":"\u0061","ts":"2015-05-17T10:05:03Z"}
{"time":"17/May/2015:10:05:04 +0000","ts":"2015-05-17T10:05:04Z"}
E
    golden stream-time parse time
}

@test "parse: a member ts is replaced in place" {
    given <<'E'
{"ts":1431857103,"n":1}
{"a":0, "ts" : 1431857104 , "n":2}
E
    want <<'E'
{"ts":"2015-05-17T10:05:03Z","n":1}
{"a":0, "ts" : "2015-05-17T10:05:04Z" , "n":2}
E
    golden stream-time parse ts
}

@test "parse: epochs by magnitude, or by --time-unit" {
    local value
    for value in 1431857103 1431857103000 1431857103000000 1431857103000000000 '"1431857103"' 1431857103.0; do
        given <<<"{\"t\":$value}"
        run_tool stream-time parse t
        is_status 0
        [ "$(jq -r .ts "$out")" = 2015-05-17T10:05:03Z ] || flunk "$value: $(cat "$out")"
    done
    given <<<'{"t":5000}'
    run_tool stream-time parse t --time-unit ms
    [ "$(jq -r .ts "$out")" = 1970-01-01T00:00:05Z ]
    run_tool stream-time parse t --time-unit us
    [ "$(jq -r .ts "$out")" = 1970-01-01T00:00:00.005Z ]
    run_tool stream-time parse t --time-unit ns
    [ "$(jq -r .ts "$out")" = 1970-01-01T00:00:00.000005Z ]
    run_tool stream-time parse t --time-unit h
    is_status 2
    given <<<'{"t":1431857103.123456789}'
    run_tool stream-time parse t
    [ "$(jq -r .ts "$out")" = 2015-05-17T10:05:03.123456789Z ]
}

@test "parse: RFC 3339 in its forms, fraction digits the fewest of 0, 3, 6, 9" {
    given <<'E'
{"t":"2024-02-29T12:00:00Z"}
{"t":"2024-02-29 12:00:00"}
{"t":"2024-02-29t12:00:00z"}
{"t":"2024-02-29T14:30:00.5+02:30"}
{"t":"2024-02-29T12:00:00.000100"}
{"t":"2024-02-29T12:00:00.0000001"}
{"t":"1969-12-31T23:59:59.999999999Z"}
E
    run_tool stream-time parse t
    is_status 0
    project .ts <<'E'
"2024-02-29T12:00:00Z"
"2024-02-29T12:00:00Z"
"2024-02-29T12:00:00Z"
"2024-02-29T12:00:00.500Z"
"2024-02-29T12:00:00.000100Z"
"2024-02-29T12:00:00.000000100Z"
"1969-12-31T23:59:59.999999999Z"
E
}

@test "parse: what is no time is a bad event, quoted" {
    local value
    for value in '"2023-02-29T00:00:00Z"' '"2024-13-01T00:00:00Z"' '"2024-01-01T25:00:00Z"' '"soon"' '""' true '{}' null; do
        given <<<"{\"t\":$value}"
        run_tool stream-time parse t
        is_status 3
        err_has stdin:1
    done
}

@test "parse --time-format --tz: a zone's clock, summer and winter" {
    given <<'E'
{"t":"2024/07/01 12:00"}
{"t":"2024/01/01 12:00"}
E
    run_tool stream-time parse t --time-format '%Y/%m/%d %H:%M' --tz America/New_York
    is_status 0
    project .ts <<'E'
"2024-07-01T16:00:00Z"
"2024-01-01T17:00:00Z"
E
    run_tool stream-time parse t --time-format '%Y/%m/%d %H:%M'
    project .ts <<'E'
"2024-07-01T12:00:00Z"
"2024-01-01T12:00:00Z"
E
}

@test "parse --base: a year, rolling over from December to January" {
    given <<'E'
{"t":"Dec 31 23:59:59"}
{"t":"Jan  1 00:00:01"}
{"t":"Jan  2 00:00:00"}
E
    run_tool stream-time parse t --time-format '%b %d %H:%M:%S' --base 2017
    is_status 0
    project .ts <<'E'
"2017-12-31T23:59:59Z"
"2018-01-01T00:00:01Z"
"2018-01-02T00:00:00Z"
E
}

@test "parse: a text without a year and without --base is an error that names it" {
    given <<<'{"t":"Dec 31 23:59:59"}'
    run_tool stream-time parse t --time-format '%b %d %H:%M:%S'
    [ "$status" -eq 2 ] || [ "$status" -eq 3 ]
    err_has --base
}

@test "parse --base: milliseconds since a zone's midnight" {
    given <<'E'
{"ms":34200000}
{"ms":14430123}
E
    run_tool stream-time parse ms --time-unit ms --tz America/New_York --base 2013-10-07
    is_status 0
    project .ts <<'E'
"2013-10-07T13:30:00Z"
"2013-10-07T08:00:30.123Z"
E
}

@test "correct: device time plus (received - sent)" {
    given <<'E'
{"device":"2024-01-01T10:00:00Z","sent":"2024-01-01T10:00:10Z","received":"2024-01-01T10:05:10.250Z"}
{"device":"2024-01-01T12:00:00Z","sent":"2024-01-01T12:00:01Z","received":"2024-01-01T11:00:01Z"}
E
    run_tool stream-time correct --device device --sent sent --received received
    is_status 0
    err_empty
    project .ts <<'E'
"2024-01-01T10:05:00.250Z"
"2024-01-01T11:00:00Z"
E
}

@test "correct without --received takes the event's own time, or says what it needs" {
    given <<<'{"ts":"2024-01-01T10:05:10Z","device":"2024-01-01T10:00:00Z","sent":"2024-01-01T10:00:10Z"}'
    run_tool stream-time correct --device device --sent sent
    # Received is now: the corrected time is ten seconds ago.
    is_status 0
    [ "$(jq -r 'now - (.ts | sub("\\.[0-9]+"; "") | fromdateiso8601) | (. > 5 and . < 60)' "$out")" = true ] ||
        flunk "$(cat "$out")"
    run_tool stream-time correct --device device
    is_status 2
    err_has --sent
}

@test "reorder: event-time order within the lateness, ties by position, bytes kept" {
    given <<'E'
{"ts":5, "n":1}
{"ts":3,"n":2}
{"ts":5,"n":3}
{"ts":4.5,"n":4 }
{"ts":20,"n":5}
{"ts":11,"n":6}
E
    want <<'E'
{"ts":3,"n":2}
{"ts":4.5,"n":4 }
{"ts":5, "n":1}
{"ts":5,"n":3}
{"ts":11,"n":6}
{"ts":20,"n":5}
E
    golden stream-time reorder --lateness 10s
}

@test "reorder: what comes later than that is late" {
    rows ts <<'E'
5
20
9
10
21
E
    want <<'E'
{"ts":5}
{"ts":10}
{"ts":20}
{"ts":21}
E
    golden_status=3 golden stream-time reorder --lateness 10s
    run_tool stream-time reorder --lateness 10s
    err_has late 11s
    run_tool stream-time reorder --lateness 10s --late "$BATS_TEST_TMPDIR/late"
    is_status 0
    [ "$(cat "$BATS_TEST_TMPDIR/late")" = '{"ts":9}' ]
}

@test "stamp adds the processing time" {
    given <<'E'
{"a":1}
{"a":2}
E
    run_tool stream-time stamp
    is_status 0
    err_empty
    jq -se 'length == 2 and all(length == 2) and map(.a) == [1,2]
        and all(del(.a) | to_entries[0].value | sub("\\.[0-9]+"; "") | fromdateiso8601 | (now - . | fabs) < 60)' "$out" >/dev/null ||
        flunk "$(cat "$out")"
}

@test "report: one event about the disorder" {
    rows ts <<'E'
10
12
11
20
5
20
30
E
    run_tool stream-time report
    is_status 0
    err_empty
    # Lateness of each: 0 0 1 0 15 0 0; in time order the gaps are 5 1 1 8 0 10.
    project '[.events,.out_of_order,.lateness_p50,.lateness_p99,.lateness_max,.gap_max]' <<<'[7,2,0,15,15,10]'
}

@test "report --at: how many events are later than each" {
    rows ts <<'E'
10
12
11
20
5
20
30
E
    run_tool stream-time report --at 0s,1s,14s,15s
    is_status 0
    jq -e '[del(.events,.out_of_order,.lateness_p50,.lateness_p99,.lateness_max,.gap_max) | .. | numbers] == [2,1,1,0]' "$out" >/dev/null ||
        flunk "$(cat "$out")"
}

@test "report of nothing, and of one" {
    : >"$input"
    run_tool stream-time report
    is_status 0
    given <<<'{"ts":1}'
    run_tool stream-time report
    is_status 0
    project '[.events,.out_of_order,.lateness_max]' <<<'[1,0,0]'
}

@test "an unknown verb, and none" {
    given <<<'{"ts":1}'
    run_tool stream-time prase ts
    is_status 2
    err_has prase parse
    run_tool stream-time
    is_status 2
}
