#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# --bad and --max-bad, the same in every tool.

load ../support/helpers

mixed() {
    printf '%s\n' '{"ts":1,"id":"a"}' '{"ts":2,' '{"ts":3,"id":"c"} trailing' '[1]' '{"id":"no time"}' '{"ts":6,"id":"f"}' >"$input"
    printf '{"ts":7,"id":"\377"}\n{"ts":8,"id":"h"}\n' >>"$input"
}

@test "--bad stop: what came before is written, then status 3" {
    mixed
    run_tool stream-cat --bad stop
    is_status 3
    err_has stdin:2
    out_is <<<'{"ts":1,"id":"a"}'
    run_tool stream-cat
    is_status 3
    out_is <<<'{"ts":1,"id":"a"}'
    run_tool stream-window tumbling 1s count
    is_status 3
    err_has stdin:2
}

@test "--bad skip: one line of count on stderr, status 0" {
    mixed
    run_tool stream-window tumbling 10s --bad skip count
    is_status 0
    err_has 5
    [ "$(grep -c . "$err")" -le 2 ]
    out_is <<'E'
{"window_start":"1970-01-01T00:00:00Z","window_end":"1970-01-01T00:00:10Z","count":3}
E
    run_tool stream-cat --bad skip
    is_status 0
    out_is <<'E'
{"ts":1,"id":"a"}
{"id":"no time"}
{"ts":6,"id":"f"}
{"ts":8,"id":"h"}
E
}

@test "--bad FILE: dead letters with their exact bytes, appended" {
    mixed
    local dead=$BATS_TEST_TMPDIR/letters
    run_tool stream-window tumbling 10s --bad "$dead" count
    is_status 0
    jq -c '[.source,.line,.offset,.raw]' "$dead" >"$dead.seen"
    diff "$dead.seen" - <<'E'
["stdin",2,18,"{\"ts\":2,"]
["stdin",3,27,"{\"ts\":3,\"id\":\"c\"} trailing"]
["stdin",4,54,"[1]"]
["stdin",5,58,"{\"id\":\"no time\"}"]
["stdin",7,93,null]
E
    [ "$(jq -r 'select(.line == 7) | .raw_base64' "$dead" | base64 -d | od -An -c | tr -d ' \n')" = '{"ts":7,"id":"377"}' ]
    jq -se 'all(.reason | type == "string" and length > 0)' "$dead" >/dev/null
    run_tool stream-window tumbling 10s --bad "$dead" count
    [ "$(wc -l <"$dead")" -eq 10 ]
}

@test "a bad event moves no watermark" {
    printf '%s\n' '{"ts":1}' '{"ts":500,' '{"ts":2}' '{"ts":501} x' '{"ts":3}' >"$input"
    want_windows <<'E'
0 10 "count":3
E
    golden_stderr=any golden stream-window tumbling 10s --bad skip count
}

@test "--max-bad stops a flood, by number and by share" {
    { seq 1 100 | sed 's/.*/bad/'; echo '{"ts":1}'; } >"$input"
    run_tool stream-cat --bad skip --max-bad 10
    is_status 3
    run_tool stream-cat --bad skip --max-bad 100
    is_status 0
    run_tool stream-cat --bad skip --max-bad 50%
    is_status 3
    { seq 1 1000 | sed 's/.*/{"ts":1}/'; echo bad; } >"$input"
    run_tool stream-cat --bad skip --max-bad 50%
    is_status 0
}

@test "--max-line: a longer line is bad, and its dead letter whole" {
    printf '{"ts":1,"x":"%s"}\n{"ts":2}\n' "$(printf 'x%.0s' {1..5000})" >"$input"
    run_tool stream-cat --max-line 4KiB
    is_status 3
    err_has stdin:1 --max-line
    run_tool stream-cat --max-line 4KiB --bad "$BATS_TEST_TMPDIR/letters"
    is_status 0
    out_is <<<'{"ts":2}'
    jq -r '.raw // (.raw_base64 | @base64d)' "$BATS_TEST_TMPDIR/letters" | cmp - <(head -n 1 "$input")
    run_tool stream-cat --max-line 5020
    is_status 0
}

@test "blank lines, a BOM and CRLF are no events and no part of one" {
    printf '\357\273\277{"ts":1}\r\n\r\n\n  \n{"ts":2}\r\n{"ts":3}' >"$input"
    want <<'E'
{"ts":1}
{"ts":2}
{"ts":3}
E
    golden stream-cat
}

@test "valid JSON that others refuse passes: long integers, 1e400, lone surrogates" {
    given <<'E'
{"ts":1,"a":123456789012345678901234567890,"b":1e400,"c":"\ud800","d":-0.0,"e":1E+2}
E
    cp "$input" "$wanted"
    golden stream-cat
    run_tool stream-window tumbling 10s --by c count
    is_status 0
    project '.c' <<<'"�"'
}
