#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Following a growing file through rotation. Lines carry a sequence number: none is lost, none repeated.

load ../support/helpers

setup() {
    log=$BATS_TEST_TMPDIR/app.log
    rounds=${STREAM_LONG:+1000}
    rounds=${rounds:-25}
    followers=()
}

teardown() {
    local pid
    for pid in "${followers[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
}

follow() { # ARG…
    # SIGINT and SIGQUIT are ignored in what a script starts in the background; the tool gets them as at a prompt.
    perl -e '$SIG{INT} = $SIG{QUIT} = "DEFAULT"; exec @ARGV or die' stream-cat -f "$@" >"$out" 2>"$err" 3>&- &
    follower=$!
    followers+=("$follower")
}

# Waits until the output has N lines, 20 seconds at most.
until_lines() {
    local i
    for ((i = 0; i < 400; i++)); do
        [ "$(wc -l <"$out")" -ge "$1" ] && return 0
        sleep 0.05
    done
    flunk "$(wc -l <"$out") of $1 lines" "$(cat "$err")"
}

stop() { # SIGNAL
    kill -"$1" "$follower"
    wait "$follower" && status=0 || status=$?
}

line() { printf '{"n":%d}\n' "$@"; }

in_sequence() { # N
    line $(seq 1 "$1") >"$wanted"
    same_bytes followed "$out"
}

@test "lines come as they are written, half a line when it is whole" {
    line 1 2 >"$log"
    follow "$log"
    until_lines 2
    printf '{"n":' >>"$log"
    sleep 0.3
    [ "$(wc -l <"$out")" -eq 2 ]
    printf '3}\n' >>"$log"
    until_lines 3
    stop TERM
    is_status 143
    in_sequence 3
    err_empty
}

@test "Ctrl-C: status 130" {
    line 1 >"$log"
    follow "$log"
    until_lines 1
    stop INT
    is_status 130
    in_sequence 1
}

@test "a file that is not there yet" {
    follow "$log"
    sleep 0.3
    line 1 >"$log"
    until_lines 1
    stop TERM
    is_status 143
    in_sequence 1
}

@test "rotation by rename: the old file to its end, then the new one" {
    local i
    line 1 >"$log"
    follow "$log"
    until_lines 1
    for ((i = 1; i <= rounds; i++)); do
        mv "$log" "$log.1"
        line $((3 * i - 1)) >>"$log.1" # a writer that still has the old one open
        line $((3 * i)) $((3 * i + 1)) >"$log"
        until_lines $((3 * i + 1))
    done
    stop TERM
    in_sequence $((3 * rounds + 1))
    err_empty
}

@test "rotation by rename: a last line without a newline is complete" {
    line 1 >"$log"
    follow "$log"
    until_lines 1
    printf '{"n":2}' >>"$log"
    sleep 0.3
    mv "$log" "$log.1"
    line 3 >"$log"
    until_lines 3
    stop TERM
    in_sequence 3
}

@test "copytruncate" {
    local i
    line 1 >"$log"
    follow "$log"
    until_lines 1
    for ((i = 1; i <= rounds; i++)); do
        line $((2 * i)) >>"$log"
        until_lines $((2 * i))
        cp "$log" "$log.1"
        : >"$log"
        line $((2 * i + 1)) >>"$log"
        until_lines $((2 * i + 1))
    done
    stop TERM
    in_sequence $((2 * rounds + 1))
}

@test "rewritten in place, shorter and longer" {
    line 1 2 3 >"$log"
    follow "$log"
    until_lines 3
    line 4 >"$log"
    until_lines 4
    sleep 0.3
    : >"$log"
    sleep 0.5 # seen empty, so that what follows is new whatever its length
    line 5 6 7 8 9 >>"$log"
    until_lines 9
    stop TERM
    in_sequence 9
}

@test "bytes removed before any read are a gap that is told" {
    line 1 >"$log"
    follow "$log"
    until_lines 1
    kill -STOP "$follower"
    line 2 3 4 5 >>"$log"
    : >"$log"
    kill -CONT "$follower"
    sleep 0.5
    line 6 >>"$log"
    until_lines 2
    stop TERM
    [ "$(tail -n 1 "$out")" = '{"n":6}' ]
}

@test "many files, each line whole" {
    local i
    : >"$log.a"
    : >"$log.b"
    follow "$log.a" "$log.b"
    for ((i = 1; i <= 50; i++)); do
        line $((2 * i - 1)) >>"$log.a"
        line $((2 * i)) >>"$log.b"
    done
    until_lines 100
    stop TERM
    sort -t: -k2n "$out" >"$out.sorted"
    line $(seq 1 100) | diff - "$out.sorted"
}

@test "--from end starts behind what is there" {
    line 1 2 3 >"$log"
    follow --from end "$log"
    sleep 0.5
    line 4 >>"$log"
    until_lines 1
    stop TERM
    out_is <<<'{"n":4}'
}

@test "a reader that goes away ends it, though nothing is written" {
    line 1 >"$log"
    perl -e 'alarm 20; exec @ARGV' bash -c 'stream-cat -f "$1" | head -n 1; exit ${PIPESTATUS[0]}' - "$log" >"$out" 2>"$err" && status=0 || status=$?
    is_status 141
    err_empty
}
