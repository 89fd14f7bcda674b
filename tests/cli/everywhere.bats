#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What every binary does alike: outputs that fail, readers that go away, odd inputs, signals, usage.

load ../support/helpers

# A usual command line of each tool that reads stdin and writes as it reads. A tool that is not listed
# fails the first test below.
command_of() {
    case $1 in
        stream-cat) echo stream-cat ;;
        stream-time) echo stream-time parse ts ;;
        stream-window) echo stream-window tumbling 1s count ;;
        stream-dedupe) echo stream-dedupe --by n ;;
        stream-filter) echo stream-filter .n ;;
        stream-map) echo stream-map --set m=.n ;;
        stream-gen) echo stream-gen web --events 200000 ;;
        stream-log) echo stream-log read "$(a_log)" ;;
        stream-join) echo stream-join /dev/null --on n --latest --type anti ;;
        stream-table) echo stream-table join /dev/null --on n --type left ;;
        stream-through) echo stream-through cat ;;
        stream-run) echo stream-run status "$(a_run)" ;;
        streamutils) echo streamutils ;;
        *) return 1 ;;
    esac
}
a_log() { # a log with many events, made when it is first asked for
    local log=$BATS_FILE_TMPDIR/log
    [ -e "$log" ] || many 300000 | stream-log append "$log" >&2
    echo "$log"
}
a_run() { # a run that is finished
    local run=$BATS_FILE_TMPDIR/run
    [ -e "$run" ] || many 10 | stream-log append "$run.log" >&2
    [ -e "$run" ] || stream-run "$run" --output "$run.out" -c "stream-cat $run.log" >&2
    echo "$run"
}
tools() { (cd "$STREAM_BIN" && ls | grep -E '^stream'); }
filters() { tools | grep -vxE 'stream-gen|stream-log|stream-run|stream-through|streamutils'; }

many() { # events, one a second, each with its number
    seq 1 "${1:-100000}" | sed 's/.*/{"ts":&,"n":&}/'
}

# The lines that a tool gives for many N: all of these write one line an event or window.
lines_of() { case $1 in streamutils) echo 1 ;; *) echo "$2" ;; esac; }

@test "every binary has a usual command here" {
    local tool
    [ -n "$(tools)" ]
    for tool in $(tools); do command_of "$tool" >/dev/null || flunk "$tool: add it to command_of"; done
}

@test "--help: on stdout, examples first, status 0; --version" {
    rm -f "$input"
    local tool
    for tool in $(tools); do
        run_tool "$tool" --help
        is_status 0
        err_empty
        head -n 12 "$out" | grep -qF "$tool" || flunk "$tool --help:" "$(cat "$out")"
        cp "$out" "$wanted"
        run_tool "$tool" -h
        is_status 0
        run_tool "$tool" --version
        is_status 0
        err_empty
        grep -qE '[0-9]+\.[0-9]+\.[0-9]+' "$out" || flunk "$tool --version: $(cat "$out")"
    done
}

@test "an unknown option: status 2, the nearest name, nothing on stdout" {
    rm -f "$input"
    local tool
    for tool in $(tools); do
        # shellcheck disable=SC2046
        run_tool $(command_of "$tool") --versoin
        is_status 2
        out_empty
        err_has --versoin --version
        err_well_formed "$tool"
    done
}

@test "a full disk: status 4 and a reason, --help too" {
    [ -e /dev/full ] || skip "there is no /dev/full"
    many >"$input"
    local tool
    for tool in $(tools); do
        [ "$tool" != stream-through ] || continue # it becomes cat here, which says so in its own way
        # shellcheck disable=SC2046
        within_limit $(command_of "$tool") <"$input" >/dev/full 2>"$err" && status=0 || status=$?
        is_status 4
        err_well_formed "$tool"
        grep -qi 'space' "$err" || flunk "$tool: $(cat "$err")"
        within_limit "$tool" --help >/dev/full 2>"$err" && status=0 || status=$?
        is_status 4
        # One line, which only the last flush writes.
        if [ "$tool" != stream-gen ]; then
            # shellcheck disable=SC2046
            echo '{"ts":1,"n":1}' | within_limit $(command_of "$tool") >/dev/full 2>"$err" && status=0 || status=$?
            is_status 4
        fi
    done
}

@test "a closed stdout: status 4" {
    many 1000 >"$input"
    local tool
    for tool in $(tools); do
        # shellcheck disable=SC2046
        within_limit $(command_of "$tool") <"$input" >&- 2>"$err" && status=0 || status=$?
        is_status 4
        err_well_formed "$tool"
    done
}

@test "| head -n 1: status 141, quietly" {
    many 300000 >"$input"
    local tool
    for tool in $(tools | grep -vxE 'streamutils|stream-run'); do # their answers are short
        within_limit bash -c "$(command_of "$tool") <'$input' 2>'$err' | head -n 1 >'$out'; exit \${PIPESTATUS[0]}" && status=0 || status=$?
        is_status 141
        err_empty
        [ "$(wc -l <"$out")" -eq 1 ]
    done
}

@test "a reader that went away ends a tool that has nothing to write, its input still open" {
    local tool
    for tool in $(filters); do
        mkfifo "$BATS_TEST_TMPDIR/in.$tool"
        sleep 30 >"$BATS_TEST_TMPDIR/in.$tool" 3>&- &
        local sleeper=$!
        timeout 10 bash -c "$(command_of "$tool") <'$BATS_TEST_TMPDIR/in.$tool' 2>'$err' | true; exit \${PIPESTATUS[0]}" && status=0 || status=$?
        kill "$sleeper" 2>/dev/null || true
        is_status 141
        err_empty
    done
}

@test "a non-blocking stdin and stdout: no line lost" {
    many 200000 >"$input"
    local tool
    for tool in $(filters); do
        # shellcheck disable=SC2046
        within_limit $(command_of "$tool") <"$input" >"$wanted" 2>"$err"
        within_limit bash -o pipefail -c "{ head -c 100000 '$input'; sleep 0.2; tail -c +100001 '$input'; } |
            perl '$STREAM_ROOT/tests/support/nonblocking.pl' 0,1 $(command_of "$tool") 2>'$err' |
            { sleep 0.5; cat; }" >"$out" && status=0 || status=$?
        is_status 0
        same_bytes "$tool, non-blocking" "$out"
        err_empty
    done
}

@test "a storm of signals that mean nothing: no line lost" {
    many 200000 >"$input"
    local tool
    for tool in $(filters); do
        # shellcheck disable=SC2046
        within_limit $(command_of "$tool") <"$input" >"$wanted" 2>"$err"
        # shellcheck disable=SC2046
        (split_in_pieces "$input" | perl -e 'print $$, "\n"; $| = 1; open STDOUT, ">", shift or die; exec @ARGV' "$out" \
            $(command_of "$tool") 2>"$err" >"$out.pid"; echo $? >"$out.status") 3>&- &
        local runner=$!
        while [ ! -s "$out.pid" ]; do sleep 0.01; done
        while kill -WINCH "$(cat "$out.pid")" 2>/dev/null; do :; done
        wait "$runner" || true
        status=$(cat "$out.status")
        is_status 0
        same_bytes "$tool, under signals" "$out"
        rm -f "$out.pid"
    done
}
split_in_pieces() { perl -e '$| = 1; while (read STDIN, my $piece, 30000) { print $piece; select undef, undef, undef, 0.002 }' <"$1"; }

@test "SIGINT and SIGTERM: 128 + n, what is finished is written, no window closed" {
    local signal tool
    for tool in $(filters); do
        for signal in INT:130 TERM:143; do
            rm -f "$BATS_TEST_TMPDIR/in"
            mkfifo "$BATS_TEST_TMPDIR/in"
            # shellcheck disable=SC2046
            perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV or die' $(command_of "$tool") <"$BATS_TEST_TMPDIR/in" >"$out" 2>"$err" 3>&- &
            local pid=$!
            exec 9>"$BATS_TEST_TMPDIR/in"
            many 3 >&9
            sleep 0.3
            kill -"${signal%:*}" "$pid"
            wait "$pid" && status=0 || status=$?
            exec 9>&-
            is_status "${signal#*:}"
            err_empty
            case $tool in
                stream-window) [ "$(wc -l <"$out")" -eq 2 ] ;; # the third may still grow
                *) [ "$(wc -l <"$out")" -eq 3 ] ;;
            esac || flunk "$tool: $(cat "$out")"
        done
    done
}

@test "flush when idle: a result is there as soon as it is known" {
    local tool i
    for tool in $(filters); do
        rm -f "$BATS_TEST_TMPDIR/in"
        mkfifo "$BATS_TEST_TMPDIR/in"
        # shellcheck disable=SC2046
        within_limit $(command_of "$tool") <"$BATS_TEST_TMPDIR/in" >"$out" 2>"$err" 3>&- &
        exec 9>"$BATS_TEST_TMPDIR/in"
        many 2 >&9
        for ((i = 0; i < 100; i++)); do [ -s "$out" ] && break; sleep 0.05; done
        [ -s "$out" ] || flunk "$tool keeps it back"
        exec 9>&-
        wait $!
    done
}

@test "a folder on stdin, a folder as FILE, binary bytes: a status, a reason, no control characters" {
    local tool
    mkdir "$BATS_TEST_TMPDIR/folder"
    for tool in $(filters); do
        # shellcheck disable=SC2046
        within_limit $(command_of "$tool") <"$BATS_TEST_TMPDIR/folder" >"$out" 2>"$err" && status=0 || status=$?
        [ "$status" -eq 2 ] || [ "$status" -eq 4 ] || flunk "$tool: $status $(cat "$err")"
        grep -qi directory "$err"
        head -c 5000 /bin/ls >"$input"
        # shellcheck disable=SC2046
        run_tool $(command_of "$tool")
        is_status 3
        err_has stdin:1
        err_well_formed "$tool"
    done
    for tool in stream-cat stream-dedupe; do
        # shellcheck disable=SC2046
        run_tool $(command_of "$tool") "$BATS_TEST_TMPDIR/folder"
        is_status 2
        err_has folder directory
        err_well_formed "$tool"
    done
}

@test "stdin a terminal and no FILE: status 2 with the short help" {
    need_terminal
    local tool
    for tool in $(filters); do
        on_terminal "timeout --foreground 20 $(command_of "$tool")" >"$out" && status=0 || status=$?
        is_status 2
        grep -qF "$tool" "$out"
    done
}
