#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A newcomer's mistakes get help: the status, and the words that a message must have.

load ../support/helpers

refused() { # STATUS WORD… -- TOOL ARG…
    local want_status=$1 words=()
    shift
    while [ "$1" != -- ]; do words+=("$1"); shift; done
    shift
    run_tool "$@"
    is_status "$want_status"
    err_has "${words[@]}"
    err_well_formed "$1"
}

@test "no event time: the fields that look like one are named" {
    given <<'E'
{"time":"17/May/2015:10:05:03 +0000","user":"x","bytes":1}
E
    refused 3 'stream-window: stdin:1: no event time' '"ts"' 'hint: ' '--time time' -- stream-window tumbling 1m count
    out_empty
    given <<<'{"x":1,"created_at":"2021-07-21T06:00:00Z"}'
    refused 3 '--time created_at' -- stream-window tumbling 1m count
    given <<<'{"x":"y"}'
    refused 3 'no event time' -- stream-window tumbling 1m count
}

@test "--time with a field that the event lacks" {
    given <<<'{"time":"2021-07-21T06:00:00Z"}'
    refused 3 '"tme"' time -- stream-window tumbling 1m --time tme count
}

@test "a text log given as NDJSON" {
    given <<'E'
83.149.9.216 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 203023 "-" "Mozilla/5.0"
E
    refused 3 stdin:1 '--format combined' -- stream-window tumbling 1m count
    given <<'E'
Mar 27 13:06:56 ip-10-77-20-248 sshd[1291]: Server listening on 0.0.0.0 port 22.
E
    refused 3 stdin:1 '--format syslog' -- stream-window tumbling 1m count
}

@test "a JSON array instead of lines" {
    given <<<'[{"ts":1},{"ts":2}]'
    refused 3 stdin:1 "jq -c '.[]'" -- stream-window tumbling 1m count
    printf '[\n  {"ts":1},\n  {"ts":2}\n]\n' >"$input"
    refused 3 stdin:1 "jq -c '.[]'" -- stream-window tumbling 1m count
}

@test "JSON that is no object, and pretty-printed JSON" {
    given <<<'42'
    refused 3 stdin:1 -- stream-window tumbling 1m count
    printf '{\n  "ts":1\n}\n' >"$input"
    refused 3 stdin:1 'jq -c' -- stream-window tumbling 1m count
}

@test "an unknown aggregate: the nearest, and the usual synonyms" {
    given <<<'{"ts":1,"v":1}'
    refused 2 cuont count -- stream-window tumbling 1m cuont
    refused 2 avg mean -- stream-window tumbling 1m avg:v
    refused 2 average mean -- stream-window tumbling 1m average:v
    refused 2 perc95 p95 -- stream-window tumbling 1m perc95:v
    refused 2 count_distinct distinct -- stream-window tumbling 1m count_distinct:v
    refused 2 zzz -- stream-window tumbling 1m zzz:v
}

@test "an aggregate without the field it needs, or without any name" {
    given <<<'{"ts":1,"v":1}'
    refused 2 sum -- stream-window tumbling 1m sum
    refused 2 p101 -- stream-window tumbling 1m p101:v
    run_tool stream-window tumbling 1m
    is_status 2
}

@test "an unknown kind: the nearest, and the usual synonyms" {
    given <<<'{"ts":1,"v":1}'
    refused 2 tumblng tumbling -- stream-window tumblng 1m count
    refused 2 hop hopping -- stream-window hop 1m 10s count
    refused 2 sessions session -- stream-window sessions 1m count
    refused 2 fixed tumbling -- stream-window fixed 1m count
}

@test "a size that is none" {
    given <<<'{"ts":1,"v":1}'
    refused 2 '"60"' 60s -- stream-window tumbling 60 count
    refused 2 -- stream-window tumbling 0s count
    refused 2 -- stream-window tumbling -5s count
    refused 2 -- stream-window hopping 10s 0s count
    refused 2 -- stream-window rows 0 count
    refused 2 -- stream-window rows abc count
    refused 2 -- stream-window tumbling count
}

@test "a file name among the aggregates" {
    given <<<'{"ts":1}'
    cp "$input" "$BATS_TEST_TMPDIR/events.ndjson"
    cd "$BATS_TEST_TMPDIR"
    refused 2 events.ndjson stdin '<' -- stream-window tumbling 1m count events.ndjson
    refused 2 access.log.gz -- stream-window tumbling 1m count access.log.gz
}

@test "stdout being a file called =500: an unquoted >" {
    cd "$BATS_TEST_TMPDIR"
    given <<<'{"ts":1,"status":500}'
    # shellcheck disable=SC2016
    within_limit bash -c 'stream-window tumbling 1m count errors=count:.status >=500' <"$input" 2>"$err" && status=0 || status=$?
    is_status 2
    err_has =500 quote
}

@test "a late event: how late, and the --lateness that keeps all" {
    rows ts <<'E'
1
700
3
E
    refused 3 late --lateness -- stream-window tumbling 1m count
}

@test "an unknown option: the nearest name" {
    given <<<'{"ts":1}'
    refused 2 --latenes --lateness -- stream-window tumbling 1m --latenes 5s count
    refused 2 --group-by --by -- stream-window tumbling 1m --group-by x count
}

@test "an option without its value, and a value that is none" {
    given <<<'{"ts":1}'
    refused 2 --lateness -- stream-window tumbling 1m count --lateness
    refused 2 --lateness ten -- stream-window tumbling 1m --lateness ten count
    refused 2 --lateness 10s -- stream-window tumbling 1m --lateness 10 count
}

@test "exact percentiles over very many overlapping windows are refused, naming approx_" {
    given <<<'{"ts":1,"v":1}'
    refused 2 approx_p99 -- stream-window hopping 1h 1s p99:v
    run_tool stream-window hopping 1h 1s approx_p99:v
    is_status 0
}

@test "binary input: said to be, and not put on the terminal" {
    printf '\177ELF\002\001\001\000\033[31m\000\000\n' >"$input"
    refused 3 stdin:1 -- stream-window tumbling 1m count
}

@test "the offending text is quoted, cut at 40 characters, and harmless" {
    printf '{"ts":"\\u001b[31mred%s"}\n' "$(printf 'x%.0s' {1..300})" >"$input"
    refused 3 stdin:1 -- stream-window tumbling 1m count
    ! grep -qE 'x{41}' "$err"
    printf 'garbage \033[31m %s\n' "$(printf 'y%.0s' {1..300})" >"$input"
    refused 3 stdin:1 -- stream-window tumbling 1m count
    ! grep -qE 'y{41}' "$err"
}

@test "--max-ahead: one wild timestamp is bad instead of closing everything" {
    rows ts <<'E'
1
99999999
2
12
E
    want_windows <<'E'
0 10 "count":2
10 20 "count":1
E
    golden_stderr=any golden stream-window tumbling 10s --max-ahead 1h --bad skip count
    run_tool stream-window tumbling 10s --max-ahead 1h count
    is_status 3
    err_has stdin:2
}
