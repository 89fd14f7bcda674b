#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A command that knows no control lines: as itself outside a run, an epoch at a time inside one.

load ../support/helpers

# Events and control lines by hand, with the key `k`: a word a line. `|1` is a barrier, `.2` the end (`!2` with drain),
# `w` a watermark, `$` a first line, anything else an event with that number.
control() {
    local word
    for word in "$@"; do
        case $word in
            '$') echo '{"$stream":"hand","run":"k"}' ;;
            '|'*) echo "{\"\$barrier\":${word#|},\"run\":\"k\"}" ;;
            .*) echo "{\"\$end\":${word#.},\"drain\":false,\"run\":\"k\"}" ;;
            !*) echo "{\"\$end\":${word#!},\"drain\":true,\"run\":\"k\"}" ;;
            w) echo '{"$watermark":"2026-01-01T00:00:00Z","time":"ts","run":"k"}' ;;
            *) echo "{\"n\":$word}" ;;
        esac
    done
}
# The same of the output.
shown() {
    sed -E 's/^\{"\$stream":"stream-through","run":"k"\}$/$/; s/^\{"\$barrier":([0-9]+),"run":"k"\}$/|\1/
        s/^\{"\$end":([0-9]+),"drain":false,"run":"k"\}$/.\1/; s/^\{"\$end":([0-9]+),"drain":true,"run":"k"\}$/!\1/
        s/^\{"\$watermark":"([^"]*)","time":"n","run":"k"\}$/w\1/; s/^\{"n":(.*)\}$/\1/' "$out" | tr '\n' ' ' | sed 's/ $//'
}
shows() { [ "$(shown)" = "$*" ] || flunk "wanted: $*" "got:    $(shown)" "stderr: $(cat "$err")"; }

# by_hand WORD… -- ARG…: the tool on those lines, in a pipe.
by_hand() {
    local words=()
    while [ "$1" != -- ]; do
        words+=("$1")
        shift
    done
    shift
    control "${words[@]}" >"$input.lines"
    # shellcheck disable=SC2002
    cat "$input.lines" | within_limit stream-through --control k "$@" >"$out" 2>"$err" && status=0 || status=$?
    [ "$status" -ne 124 ] || flunk "hangs: $*"
}

# in_run PIPELINE [OPTION…]: in a run of its own; what it wrote is $out.
in_run() {
    local pipeline=$1
    shift
    rm -rf "$BATS_TEST_TMPDIR/run" "$out"
    cd "$BATS_TEST_TMPDIR" || return 1
    within_limit stream-run "$BATS_TEST_TMPDIR/run" --output "$out" "$@" -c "$pipeline" </dev/null >"$out.stdout" 2>"$err" && status=0 || status=$?
    [ "$status" -ne 124 ] || flunk "hangs: $pipeline"
}

numbered() { seq 1 "$1" | sed 's/.*/{"ts":&,"n":&}/'; }

# --- outside a run -------------------------------------------------------------------------------

@test "outside a run it is the command: bytes, status, arguments" {
    printf 'not json\r\n{"a":1}' >"$input"
    cp "$input" "$wanted"
    local how
    for how in file pipe dribble; do
        golden_from $how stream-through -- cat
        golden_from $how stream-through cat
    done
    run_tool stream-through -- grep -c json
    is_status 0
    out_is <<<1
    run_tool stream-through -- grep xyz
    is_status 1
    err_empty
    run_tool stream-through -- sh -c 'exit 77'
    is_status 77
    run_tool stream-through -- sh -c 'printf "%s|" "$@"' name 'a b' -- --time ''
    is_status 0
    printf 'a b|--|--time||' >"$wanted"
    same_bytes arguments "$out"
}

@test "outside a run it is the very process, with the signals it was started with" {
    run_tool bash -c 'echo $$; exec stream-through -- sh -c "echo \$\$"'
    [ "$(sort -u "$out" | wc -l)" -eq 1 ]
    run_tool stream-through -- perl -e 'kill PIPE => $$; sleep 1; exit 5'
    is_status 141
    run_tool perl -e '$SIG{INT} = "IGNORE"; exec @ARGV' stream-through -- perl -e 'kill INT => $$; exit 5'
    is_status 5
}

@test "a command line that is none: status 2" {
    echo >"$input"
    run_tool stream-through
    is_status 2
    err_has 'no command'
    run_tool stream-through -- no-such-command-here
    is_status 2
    err_has no-such-command-here
    err_well_formed stream-through
    run_tool stream-through -- ./no/such
    is_status 2
    err_has ./no/such
    run_tool stream-through grep -v x
    is_status 2
    err_has -v
    run_tool stream-through --ok-status 0 grep
    is_status 2
    err_has ' -- '
    local bad
    for bad in '' x 1,, 256 -1 0-1 ,1; do
        run_tool stream-through --ok-status "$bad" -- cat
        is_status 2
        err_has --ok-status
    done
    run_tool stream-through --lateness 1s -- cat
    is_status 2
    err_has --lateness --time
    run_tool stream-through --control 'a b' -- cat
    is_status 2
    err_has --control
    within_limit stream-through --help >/dev/full 2>"$err" && status=0 || status=$?
    is_status 4
}

# --- by hand -------------------------------------------------------------------------------------

@test "by hand: barriers and the end pass in order, with the right events between them" {
    by_hand '$' 1 2 '|1' 3 '|2' '|3' 4 5 '!4' -- -- cat
    is_status 0
    err_empty
    shows '$ 1 2 |1 3 |2 |3 4 5 !4'
    by_hand '$' 1 w 2 '|1' w '.2' -- -- cat
    is_status 0
    shows '$ 1 2 |1 .2'
    by_hand '$' 1 2 '|1' 3 '.2' -- -- jq -c .n
    is_status 0
    shows '$ 1 2 |1 3 .2'
    by_hand '$' '!1' -- -- cat
    shows '$ !1'
}

@test "by hand: the environment says so too, and the command does not find it" {
    control '$' 1 '!1' >"$input.lines"
    run_shell "cat '$input.lines' | STREAM_CONTROL=1 STREAM_KEY=k stream-through -- sh -c 'env | grep -e ^STREAM_CON -e ^STREAM_KEY -e ^STREAM_RUN; cat'"
    is_status 0
    shows '$ 1 !1'
}

@test "the command starts with the first event of an epoch, and ends with the epoch" {
    by_hand '$' 1 2 '|1' '|2' 3 '|3' w '!4' -- -- sh -c "echo started >>'$BATS_TEST_TMPDIR/starts'; wc -l | tr -d ' '"
    is_status 0
    shows '$ 2 |1 |2 1 |3 !4'
    [ "$(wc -l <"$BATS_TEST_TMPDIR/starts")" -eq 2 ]
}

@test "a last line without its end gets one, also with --time" {
    by_hand '$' 1 2 '|1' 3 '!2' -- -- perl -0777 -pe 's/\n\z//'
    is_status 0
    shows '$ 1 2 |1 3 !2'
    by_hand '$' 1 2 '|1' 3 '!2' -- --time n -- perl -0777 -pe 's/\n\z//'
    is_status 0
    shows '$ 1 w1970-01-01T00:00:01Z 2 w1970-01-01T00:00:02Z |1 3 w1970-01-01T00:00:03Z !2'
}

@test "what the command writes of its own accord is an event: blank lines, forged lines, any bytes" {
    by_hand '$' 1 '!1' -- -- printf '\n{"$barrier":7,"run":"x"}\nno json\r\n\377'
    is_status 0
    printf '{"$stream":"stream-through","run":"k"}\n\n{"$barrier":7,"run":"x"}\nno json\r\n\377\n{"$end":1,"drain":true,"run":"k"}\n' >"$wanted"
    same_bytes output "$out"
}

@test "control lines that are none are events" {
    { control '$'; printf '%s\n' '{"$barrier":1,"run":"other"}' '{"$barrier":1,"run":"k"} ' '{"$barrier":01,"run":"k"}' '{"$end":1}'; } >"$input.lines"
    control '!1' >>"$input.lines"
    run_shell "cat '$input.lines' | stream-through --control k -- cat"
    is_status 0
    sed 1s/hand/stream-through/ "$input.lines" >"$wanted"
    same_bytes output "$out"
}

@test "--time: watermarks behind the events that gave them, at whole multiples, the same wherever the barriers lie" {
    by_hand '$' 1 5 3 9 '|1' 8 12 '!2' -- --time n --lateness 3s --watermark-every 2s -- cat
    is_status 0
    shows '$ 1 w1969-12-31T23:59:58Z 5 w1970-01-01T00:00:02Z 3 9 w1970-01-01T00:00:06Z |1 8 12 w1970-01-01T00:00:08Z !2'
    local before
    before=$(shown | sed 's/|[0-9]* //g; s/!2/!3/')
    by_hand '$' 1 '|1' 5 3 '|2' 9 8 12 '!3' -- --time n --lateness 3s --watermark-every 2s -- cat
    [ "$(shown | sed 's/|[0-9]* //g')" = "$before" ] || flunk "$(shown)" "$before"
    # Lines without a time pass as they are.
    by_hand '$' 1 '!1' -- --time n -- printf '%s\n' 'no json' '{"m":1}' '{"n":"never"}' '{"n":7}'
    is_status 0
    err_empty
    shows '$ no json {"m":1} "never" 7 w1970-01-01T00:00:07Z !1'
    # One of more than 16 MiB too.
    by_hand '$' 1 '!1' -- --time n -- perl -e 'print "x" x (17 << 20), "\n{\"n\":7}"'
    is_status 0
    [ "$(cut -c 1-60 "$out" | tail -n 3)" = '{"n":7}
{"$watermark":"1970-01-01T00:00:07Z","time":"n","run":"k"}
{"$end":1,"drain":true,"run":"k"}' ]
}

@test "a status that is no success: 3, which command and which status; the epoch does not pass" {
    by_hand '$' 1 '|1' 2 '!2' -- -- grep 1
    is_status 3
    err_has '"grep"' 'status 1' --ok-status
    err_well_formed stream-through
    shows '$ 1 |1'
    by_hand '$' 1 '|1' 2 '!2' -- --ok-status 0,1 -- grep 1
    is_status 0
    err_empty
    shows '$ 1 |1 !2'
    by_hand '$' 1 '!1' -- --ok-status 7 -- sh -c 'cat; exit 7'
    is_status 0
    by_hand '$' 1 '!1' -- --ok-status 7 -- cat
    is_status 3
    by_hand '$' 1 '!1' -- -- sh -c 'kill -9 $$'
    is_status 3
    err_has '"sh"' 'signal 9'
    by_hand '$' 1 '!1' -- -- no-such-command-here
    is_status 2
    err_has no-such-command-here
}

@test "a failing command is noticed before the epoch is over" {
    mkfifo "$BATS_TEST_TMPDIR/in"
    within_limit stream-through --control k -- sh -c 'exit 9' <"$BATS_TEST_TMPDIR/in" >"$out" 2>"$err" 3>&- &
    local pid=$!
    exec 9>"$BATS_TEST_TMPDIR/in"
    control '$' 1 >&9
    wait "$pid" && status=0 || status=$?
    exec 9>&-
    is_status 3
    err_has 'status 9'
}

@test "an input that breaks off: 3, and no control line comes of it" {
    by_hand '$' 1 '|1' 2 -- -- cat
    is_status 3
    err_has 'without its end line'
    grep -qF barrier "$out"
    ! grep -qF '$end' "$out"
    by_hand -- -- cat
    is_status 3
    by_hand 1 2 -- -- cat
    is_status 3
    err_has 'dropped the control lines' stream-through
    by_hand '|1' -- -- cat
    is_status 3
    by_hand '$' '$' -- -- cat
    is_status 2
    err_has 'two commands'
    head -c 600000 /dev/zero | within_limit stream-through --control k -- cat >"$out" 2>"$err" && status=0 || status=$?
    is_status 3
}

@test "a stdin that is no pipe, under control: status 2, stream-cat goes in front" {
    control '$' 1 '!1' >"$input"
    run_tool stream-through --control k -- cat
    is_status 2
    err_has stdin stream-cat
    rm "$input"
    run_tool stream-through --control k -- cat
    is_status 2
}

@test "a command that reads nothing, little, or all before it writes; one that writes much of its own" {
    local many=200000
    { control '$'; numbered $many; control '|1'; numbered 3; control '!2'; } >"$input.lines"
    count() { # LINES COMMAND…: so many events come out
        local lines=$1
        shift
        # shellcheck disable=SC2002
        cat "$input.lines" | within_limit stream-through --control k -- "$@" >"$out" 2>"$err" && status=0 || status=$?
        is_status 0
        err_empty
        [ "$(grep -vc '"run":"k"}$' "$out" || true)" -eq "$lines" ] || flunk "$*: $(grep -vc '"run":"k"}$' "$out")"
        [ "$(grep -c '"run":"k"}$' "$out")" -eq 3 ]
    }
    count 0 true
    count 0 sleep 0.1
    count 2 echo hello
    count 2 head -n 1
    count $((many + 3)) sort
    count $((many + 3)) sh -c 'exec cat <&0'
    count $((many + 3 + 2000000)) sh -c 'seq 1 1000000; cat'
    count $((2 * (many + 3))) awk '{ print; print }'
    count $((many + 3)) sh -c 'cat; exec >&-; sleep 0.1'
    count $((many + 3)) sh -c 'sleep 0.2; cat'
    count 2 sh -c 'exec <&-; sleep 0.2; echo x'
}

@test "long lines, split anywhere, pass to the byte" {
    { control '$'; perl -e 'print "{\"n\":\"", "x" x $_, "\"}\n" for 1, 262130 .. 262150, 3 << 20, 5'; control '|1'
        perl -e 'print "{\"\$" x (1 << 20), "\n\n\n"'; control '!2'; } >"$input.lines"
    sed 1s/hand/stream-through/ "$input.lines" >"$wanted"
    run_shell "cat '$input.lines' | stream-through --control k -- cat"
    is_status 0
    same_bytes whole "$out"
    run_shell "head -c 400000 '$input.lines' | cat - <(tail -c +400001 '$input.lines') | stream-through --control k --time n -- cat"
    is_status 0
    same_bytes 'whole, with --time' "$out"
    control '$' 1 2 '|1' 3 '!2' >"$input.lines"
    sed 1s/hand/stream-through/ "$input.lines" >"$wanted"
    run_shell "cat '$input.lines' | perl '$STREAM_ROOT/tests/support/dribble.pl' | stream-through --control k -- cat"
    is_status 0
    same_bytes 'a byte a read' "$out"
}

@test "what the command writes is passed on while nothing more comes" {
    mkfifo "$BATS_TEST_TMPDIR/in"
    within_limit stream-through --control k -- cat <"$BATS_TEST_TMPDIR/in" >"$out" 2>"$err" 3>&- &
    local pid=$! i
    exec 9>"$BATS_TEST_TMPDIR/in"
    control '$' 1 2 >&9
    for ((i = 0; i < 100; i++)); do grep -qF '"n":2' "$out" && break; sleep 0.05; done
    shows '$ 1 2'
    control '!1' >&9
    wait "$pid"
    exec 9>&-
    shows '$ 1 2 !1'
}

@test "a reader that goes away: 141, quietly, and the command goes with it" {
    local pids=$BATS_TEST_TMPDIR/pid
    within_limit bash -c "{ printf '%s\n' '{\"\$stream\":\"hand\",\"run\":\"k\"}' 1; sleep 1; } 3>&- | stream-through --control k -- sh -c 'echo \$\$ >$pids; exec yes' 2>'$err' | head -n 2 >'$out'; exit \${PIPESTATUS[1]}" && status=0 || status=$?
    is_status 141
    err_empty
    ! kill -0 "$(cat "$pids")" 2>/dev/null
    # One that has nothing to say notices too.
    within_limit bash -c "{ printf '%s\n' '{\"\$stream\":\"hand\",\"run\":\"k\"}' 1; sleep 1; } 3>&- | stream-through --control k -- sleep 30 2>'$err' | head -n 1 >'$out'; exit \${PIPESTATUS[1]}" && status=0 || status=$?
    is_status 141
}

@test "SIGTERM and SIGINT: 128 + n, and the command is gone; SIGKILL takes it along too" {
    local signal pid child i
    for signal in TERM:143 INT:130 KILL:137; do
        rm -f "$BATS_TEST_TMPDIR/in" "$out.child"
        mkfifo "$BATS_TEST_TMPDIR/in"
        perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV or die' stream-through --control k -- sh -c "echo \$\$ >'$out.child'; exec sleep 50" \
            <"$BATS_TEST_TMPDIR/in" >"$out" 2>"$err" 3>&- &
        pid=$!
        exec 9>"$BATS_TEST_TMPDIR/in"
        control '$' 1 >&9
        for ((i = 0; i < 100; i++)); do [ -s "$out.child" ] && break; sleep 0.05; done
        kill -"${signal%:*}" "$pid"
        wait "$pid" && status=0 || status=$?
        exec 9>&-
        is_status "${signal#*:}"
        child=$(cat "$out.child")
        for ((i = 0; i < 100; i++)); do [ -d "/proc/$child" ] || break; sleep 0.02; done
        [ ! -d "/proc/$child" ] || grep -q '^State:.*Z' "/proc/$child/status" || flunk "$signal: the command lives on"
    done
}

@test "a full disk: status 4" {
    { control '$'; numbered 100000; control '!1'; } >"$input.lines"
    run_shell "cat '$input.lines' | stream-through --control k -- cat >/dev/full"
    grep -qi 'no space' "$err" || flunk "$(cat "$err")"
    [ "$status" -eq 4 ] || [ "$status" -eq 141 ]
}

# --- in a run ------------------------------------------------------------------------------------

@test "in a run: jq and awk, with a tool behind them" {
    numbered 20000 >"$BATS_TEST_TMPDIR/f.ndjson"
    in_run 'stream-cat f.ndjson | stream-through -- jq -c "{a:.n}" | stream-window all count sum:a' --every 20ms
    is_status 0
    err_empty
    (cd "$BATS_TEST_TMPDIR" && stream-cat f.ndjson | stream-through -- jq -c '{a:.n}' | stream-window all count sum:a) >"$wanted"
    same_bytes 'through jq' "$out"
    in_run 'stream-cat f.ndjson | stream-through -- awk "{ print; print }" | stream-through -- jq -c .n' --every 20ms
    is_status 0
    seq 1 20000 | awk '{ print; print }' >"$wanted"
    same_bytes 'through awk and jq' "$out"
}

@test "in a run: grep, where an epoch matches nothing" {
    numbered 50000 >"$BATS_TEST_TMPDIR/f.ndjson"
    in_run "stream-cat f.ndjson | stream-through --ok-status 0,1 -- grep -F '\"n\":49999}'" --every 10ms
    is_status 0
    err_empty
    out_is <<<'{"ts":49999,"n":49999}'
    in_run 'stream-cat f.ndjson | stream-through -- grep -F nothing'
    is_status 3
    err_has '"grep" failed: status 1' --ok-status
    [ ! -s "$out" ]
}

@test "in a run: a command that fails, is not there, is killed, or reads nothing" {
    numbered 1000 >"$BATS_TEST_TMPDIR/f.ndjson"
    in_run 'stream-cat f.ndjson | stream-through -- jq -c ".a|||"'
    is_status 3
    err_has '"jq" failed: status 3'
    in_run 'stream-cat f.ndjson | stream-through -- no-such-command-here | stream-window all count'
    is_status 2
    err_has no-such-command-here
    # Killed by a signal it is started again; the second time it lives.
    in_run "stream-cat f.ndjson | stream-through -- sh -c '[ -e once ] || { touch once; kill -9 \$\$; }; cat'"
    is_status 0
    err_has 'signal 9'
    cp "$BATS_TEST_TMPDIR/f.ndjson" "$wanted"
    same_bytes 'after a kill' "$out"
    in_run 'stream-cat f.ndjson | stream-through -- true | stream-cat'
    is_status 0
    [ ! -s "$out" ]
    in_run 'stream-through -- cat <f.ndjson'
    is_status 2
    err_has stream-cat
}

@test "in a run: 20 MB through cat in many epochs, the same as without" {
    perl -e 'printf qq({"ts":%d,"n":%d,"pad":"%s"}\n), $_, $_, "x" x ($_ % 300) for 1 .. 112000' >"$BATS_TEST_TMPDIR/f.ndjson"
    [ "$(stat -c %s "$BATS_TEST_TMPDIR/f.ndjson")" -gt 20000000 ]
    cp "$BATS_TEST_TMPDIR/f.ndjson" "$wanted"
    in_run 'stream-cat f.ndjson | stream-through -- cat | stream-cat' --every 20ms
    is_status 0
    err_empty
    cmp "$wanted" "$out"
    in_run 'stream-cat f.ndjson | stream-through --time ts -- cat | stream-filter .' --every 20ms
    is_status 0
    cmp "$wanted" "$out"
}

@test "in a run: killed again and again, the same as without" {
    numbered 300000 >"$BATS_TEST_TMPDIR/f.ndjson"
    jq -c '{ts,m:.n}' "$BATS_TEST_TMPDIR/f.ndjson" | stream-window tumbling 10s count sum:m >"$wanted"
    local i
    rm -rf "$BATS_TEST_TMPDIR/run"
    (cd "$BATS_TEST_TMPDIR" && within_limit stream-run run --output "$out" --every 20ms --restart 100 \
        -c 'stream-cat f.ndjson | stream-through --time ts -- jq -c "{ts,m:.n}" | stream-window tumbling 10s count sum:m' </dev/null >/dev/null 2>"$err"; echo $? >"$out.status") 3>&- &
    local runner=$!
    for ((i = 0; i < 8; i++)); do
        sleep 0.15
        local pid
        for pid in $(pgrep -x stream-through || true); do
            # Only those of this run.
            if tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qxF "STREAM_RUN=$BATS_TEST_TMPDIR/run"; then kill -9 "$pid" 2>/dev/null || true; fi
        done
    done
    wait "$runner"
    status=$(cat "$out.status")
    is_status 0
    same_bytes 'killed eight times' "$out"
}

@test "in a run: the command finds neither the environment nor the descriptors of it" {
    numbered 1 >"$BATS_TEST_TMPDIR/f.ndjson"
    in_run "stream-cat f.ndjson | stream-through -- sh -c 'env | grep -e ^STREAM_CON -e ^STREAM_KEY -e ^STREAM_RUN; for f in /proc/\$\$/fd/*; do readlink \$f; done; cat >/dev/null'"
    is_status 0
    ! grep -qE 'STREAM_(CONTROL|KEY|RUN)|lock|sock|eventfd' "$out" || flunk "$(cat "$out")"
    [ "$(grep -c '^pipe:' "$out")" -ge 2 ]
}

@test "in a run: jq without it is told by name" {
    numbered 1000 >"$BATS_TEST_TMPDIR/f.ndjson"
    in_run 'stream-cat f.ndjson | jq -c "{a:.n}" | stream-window all count'
    [ "$status" -eq 2 ] || [ "$status" -eq 3 ] || flunk "$status"
    err_has jq 'stream-through -- '
}

@test "in a run: what is new since the last --once goes through" {
    numbered 10 >"$BATS_TEST_TMPDIR/f.ndjson"
    in_run 'stream-cat f.ndjson | stream-through -- jq -c .n' --once
    is_status 0
    seq 1 10 | out_is
    numbered 13 | tail -n 3 >>"$BATS_TEST_TMPDIR/f.ndjson"
    local i
    for i in 1 2; do
        (cd "$BATS_TEST_TMPDIR" && within_limit stream-run run --output "$out" --once -c 'stream-cat f.ndjson | stream-through -- jq -c .n' </dev/null >/dev/null 2>"$err")
        seq 1 13 | out_is
    done
}
