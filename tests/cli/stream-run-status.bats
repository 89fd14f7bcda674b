#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# How a run is watched: status, metrics, readiness; and what it says when it is refused or fails.

load ../support/helpers

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    stream-gen web --events 20000 --seed 3 >web
}
teardown() {
    [ -z "${run:-}" ] || kill -KILL "$run" 2>/dev/null || true
}

window="stream-filter '.status < 500' | stream-window tumbling 10s --by status count"

start() { # OPTION… -c PIPELINE: in r, in the background; $run is its number
    stream-run r "$@" 2>said &
    run=$!
}
stop() {
    kill -TERM "$run"
    wait "$run" && status=0 || status=$?
    run=
    is_status 143
}
until_true() { # COMMAND…: within ten seconds
    local tries=0
    until "$@"; do
        [ $((tries += 1)) -lt 100 ] || flunk "not within ten seconds: $*" "$(cat said)"
        sleep 0.1
    done
}
has_epoch() { stream-run status r --json 2>/dev/null | jq -se ".[0].epoch >= $1 and .[0].state == \"running\"" >/dev/null; }
address() { sed -n 's|.*http://\(.*\)/metrics$|\1|p' said; }
# http ADDR REQUEST: the whole answer.
http() {
    exec 9<>"/dev/tcp/${1%:*}/${1##*:}"
    printf "$2" >&9
    timeout 10 cat <&9
    exec 9>&-
}
metric() { http "$(address)" 'GET /metrics HTTP/1.1\r\n\r\n' | sed -n "s/^$1 //p"; }

@test "status: rates, times, lag, state and age of each tool, in the order of the pipe" {
    start --every 100ms --output got -c "stream-cat web --pace 20x | $window"
    until_true has_epoch 15
    run_tool stream-run status r --json
    is_status 0
    err_empty
    jq -se '.[0] | .m == "run" and .state == "running" and .attempt == 1 and .commits == .epoch and .restarts == 0 and .pid == '"$run"' and (.pipeline | startswith("stream-cat web"))
        and .committed_ago_ns >= 0 and .committed_ago_ns < 5e9 and (.committed_at | test("^20..-.*Z$")) and (.started_at | test("Z$"))' "$out" >/dev/null || flunk "$(cat "$out")"
    [ "$(jq -r 'select(.m == "stats").tool' "$out" | paste -sd' ')" = 'stream-cat stream-filter stream-window' ]
    jq -se 'map(select(.m == "stats")) | all(.events_in > 0 and .events_in_per_s > 200 and .events_in_per_s < 20000 and .epoch > 10 and .epoch_ago_ns >= 0 and .late == 0 and .bad == 0 and (.gone | not))
        and (.[2] | .state_bytes > 0 and .watermark_lag_ns >= 0 and .events_out_per_s < .events_in_per_s and (.newest | startswith("2026-01-01T00:0")))' "$out" >/dev/null || flunk "$(cat "$out")"
    run_tool stream-run status r
    is_status 0
    head -n 1 "$out" | grep -qE '^running, epoch [0-9]+ committed [0-9.]+s ago, attempt 1, run [0-9a-f]{32}$' || flunk "$(cat "$out")"
    grep -qE '^tool +events in +in/s +events out +event time +lag +late +state +epoch +age$' "$out" || flunk "$(cat "$out")"
    grep -qE '^stream-window +[0-9]+ +[0-9.]+ +[0-9]+ +2026-01-01T00:0[0-9:]+Z +[0-9.]+s +0 +[0-9.]+ K?i?B +[0-9]+ +[0-9.]+s$' "$out" || flunk "$(cat "$out")"
    stop
    # Nobody is there: what the commit says.
    run_tool stream-run status r --json
    is_status 0
    err_has 'not under way: stopped'
    jq -se '.[0] | .state == "stopped" and .finished == false and .epoch > 10 and .committed_ago_ns > 0 and (.committed_at | test("Z$"))' "$out" >/dev/null || flunk "$(cat "$out")"
    stream-run f --drain --output gotf -c "stream-cat web | $window"
    run_tool stream-run status f
    err_has 'not under way: finished'
    head -n 1 "$out" | grep -qE '^finished, epoch 1 committed [0-9.]+s ago, attempt 1, run '
    run_tool stream-run status none
    is_status 2
    err_has 'there is no run in'
}

@test "status: counts go on while an epoch is long" {
    start --every 1h --output got -c "stream-cat web --pace 20x | $window"
    until_true has_epoch 1
    sleep 4
    stream-run status r --json | jq -se '.[0].epoch == 1 and (map(select(.m == "stats")) | all(.events_in > 2000 and .epoch == 1 and .events_in_per_s > 200))' >/dev/null ||
        flunk "$(stream-run status r)"
    stop
}

@test "status on a terminal is drawn again until the run's end" {
    need_terminal
    start --every 100ms --once --output got -c "stream-cat web --pace 60x | $window"
    until_true has_epoch 1
    TERM=xterm on_terminal 'stream-run status r' >seen
    [ "$(grep -c 'running, epoch' seen)" -gt 1 ] || flunk "$(cat -v seen)"
    grep -q 'stopped, epoch' seen
    wait "$run"
    run=
    # Once where nothing can be drawn over, or if asked.
    rm -r r
    start --every 100ms --output got2 -c "stream-cat web --pace 20x | $window"
    until_true has_epoch 1
    [ "$(TERM=xterm on_terminal 'stream-run status r --once' | grep -c running)" = 1 ]
    [ "$(TERM=dumb on_terminal 'stream-run status r' | grep -c running)" = 1 ]
    stop
}

@test "metrics: the page, and what else is asked for" {
    start --metrics 127.0.0.1:0 --every 100ms --output got -c "stream-cat web --pace 20x | $window"
    until_true has_epoch 5
    local at
    at=$(address)
    http "$at" 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n' >page
    head -n 1 page | grep -q '^HTTP/1.1 200 OK'
    grep -q '^Content-Type: text/plain; version=0.0.4; charset=utf-8' page
    sed '1,/^\r$/d' page >body
    [ "$(sed -n 's/^Content-Length: \([0-9]*\).*/\1/p' page)" = "$(wc -c <body)" ]
    # Each family has its two lines once; each sample is a name, labels, a number.
    [ -z "$(grep '^#' body | sort | uniq -d)" ]
    [ -z "$(grep -v '^#' body | sed 's/ [^ ]*$//' | sort | uniq -d)" ]
    [ -z "$(grep -vE '^# (HELP|TYPE) [a-z_]+ .+|^[a-z_]+(\{([a-z]+="[^"]*",?)*\})? -?[0-9.]+$' body)" ] || flunk "$(cat body)"
    grep -qE '^streamutils_tool_events_in_total\{tool="stream-window",name="stream-window-[0-9a-f]{16}"\} [1-9]' body
    grep -qE '^streamutils_run_last_commit_timestamp_seconds [0-9]{10}\.[0-9]{9}$' body
    if command -v promtool >/dev/null; then promtool check metrics <body; fi
    [ "$(http "$at" 'HEAD /metrics HTTP/1.0\r\n\r\n' | tail -c 4 | od -An -c | tr -d ' ')" = '\r\n\r\n' ]
    http "$at" 'GET /other HTTP/1.1\r\n\r\n' | grep -q '^HTTP/1.1 404 '
    http "$at" 'POST /metrics HTTP/1.1\r\nContent-Length: 2\r\n\r\nxx' >page
    grep -q '^HTTP/1.1 405 ' page && grep -q '^Allow: GET, HEAD' page
    http "$at" '\x16\x03\x01\x02\r\n\r\n' | grep -q '^HTTP/1.1 400 '
    http "$at" "GET /metrics HTTP/1.1\r\nX: $(head -c 9000 /dev/zero | tr '\0' x)" | grep -q '^HTTP/1.1 431 '
    # The address is taken: said at the start, before anything is run.
    run_tool stream-run other --metrics "$at" -c 'stream-cat web'
    is_status 4
    err_has "cannot listen on \"$at\"" 'Address already in use'
    run_tool stream-run other --metrics example.org:80 -c 'stream-cat web'
    is_status 2
    err_has '--metrics'
    stop
}

@test "metrics: clients that say nothing hold nobody up" {
    start --metrics :0 --every 100ms --output got -c "stream-cat web --pace 20x | $window"
    until_true has_epoch 2
    local at fd
    at=$(address)
    for fd in 20 21 22 23 24 25 26 27 28 29; do eval "exec $fd<>/dev/tcp/${at%:*}/${at##*:}"; done
    local before after
    before=$(metric streamutils_run_epoch)
    sleep 1
    after=$(metric streamutils_run_epoch)
    [ "$after" -gt "$before" ]
    # They are dropped.
    timeout 8 cat <&29
    for fd in 20 21 22 23 24 25 26 27 28 29; do eval "exec $fd<&-"; done
    stop
}

@test "metrics outlive the tools" {
    start --metrics "unix:$PWD/socket" --every 100ms --restart 100 --output got -c "stream-cat web --pace 20x | $window"
    until_true has_epoch 2
    get() { python3 -c 'import socket,sys
s = socket.socket(socket.AF_UNIX); s.connect("socket"); s.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
while b := s.recv(65536): sys.stdout.write(b.decode())'; }
    kill -KILL "$(stream-run status r --json | jq 'select(.tool == "stream-window").pid')"
    restarted() { get | grep -q '^streamutils_run_restarts_total 1$'; }
    until_true restarted
    again() { get | grep -q '^streamutils_run_running 1$'; }
    until_true again
    get | grep -q '^streamutils_run_attempt 2$'
    stream-run status r --json | jq -se '.[0] | .restarts == 1 and .failure == "stream-window was killed"' >/dev/null
    stop
    [ ! -e socket ]
}

# listen NAME: what is told at the socket NAME (@: abstract), a line each, into the file told.
listen() {
    python3 -c 'import socket,sys,os
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1].replace("@", "\0", 1))
open("bound", "w").close()
while True: print(s.recv(4096).decode().replace("\n", " "), file=open("told", "a"), flush=True)' "$1" 3>&- &
    listener=$!
    until_true test -e bound
}

@test "readiness: the manager hears READY once an epoch is committed, and STOPPING; the tools are not told of it" {
    : >said
    local name
    for name in "$PWD/notify" "@streamutils-test-$$"; do
        rm -rf r told bound got
        listen "$name"
        NOTIFY_SOCKET=$name start --every 100ms --output got -c 'stream-cat web --pace 20x | stream-through -- sh -c "echo \"[\$NOTIFY_SOCKET]\" >>environment; cat"'
        until_true grep -q '^READY=1 STATUS=epoch 1$' told
        [ -e r/commit ]
        stop
        until_true grep -q '^STOPPING=1' told
        [ "$(grep -c READY=1 told)" = 1 ] && [ "$(grep -c STOPPING=1 told)" = 1 ] || flunk "$(cat told)"
        [ "$(sort -u environment)" = '[]' ]
        kill "$listener"
    done
    # Nothing new is ready, too; a manager that is not there is no trouble.
    NOTIFY_SOCKET=$PWD/nobody run_tool stream-run r --once --output got -c 'stream-cat web | stream-filter true'
    is_status 2 # another pipeline: it was stream-through's
    NOTIFY_SOCKET=$PWD/nobody run_tool stream-run q --once --output gotq -c 'stream-cat web'
    is_status 0
    err_empty
}

@test "a refused pipeline is refused once, and is not the run's pipeline then" {
    run_tool stream-run r --once --output got -c "stream-cat web | stream-window tumbling 10s count"
    is_status 0
    run_tool stream-run r --once --output got -c "stream-cat web | stream-filter true | stream-window tumbling 20s count"
    is_status 2
    [ "$(grep -vc '^hint: ' "$err")" = 1 ] || flunk "$(cat "$err")"
    err_has 'another one than'
    jq -e '.pipeline == "stream-cat web | stream-window tumbling 10s count"' r/run.json >/dev/null
    run_tool stream-run r --once --output got -c "stream-cat web | stream-window tumbling 10s count"
    is_status 0
    err_empty
    run_tool stream-run r --once --output got -c "stream-cat web | stream-filter true | stream-window tumbling 10s count"
    is_status 0
    err_has 'the pipeline was edited'
    run_tool stream-run s --strict -c 'stream-cat web | stream-window tumbling 1m count --idle 5s'
    is_status 2
    [ "$(grep -vc '^hint: ' "$err")" = 1 ] || flunk "$(cat "$err")"
}

@test "another output is named; a file that was moved goes on" {
    head -n 5000 web >in
    run_tool stream-run r --once --output one -c 'stream-cat in'
    is_status 0
    run_tool stream-run r --once --output two -c 'stream-cat in'
    is_status 2
    err_has "the run's output was \"$PWD/one\", now \"$PWD/two\"" 'stream-run reset'
    run_shell "stream-run r --once -c 'stream-cat in' | cat"
    is_status 2
    err_has 'now a pipe or a terminal'
    mv one two
    head -n 6000 web >in
    run_tool stream-run r --once --output two -c 'stream-cat in'
    is_status 0
    cmp in two
}

@test "a file that is not there is no reason to try again, nor is a command" {
    run_tool stream-run r --output got -c 'stream-cat nofile'
    is_status 4
    [ "$(grep -c nofile "$err")" = 1 ] || flunk "$(cat "$err")"
    err_lacks 'given up'
    run_tool stream-run q --output gotq -c 'stream-cat web | nocommand'
    is_status 2
    [ "$(grep -c 'nocommand' "$err")" = 1 ] || flunk "$(cat "$err")"
    err_lacks 'given up'
}

@test "a named pipe between tools: the writer begins when the reader does" {
    mkfifo pipe
    run_tool stream-run r --output got -c 'stream-cat web >pipe & stream-filter true pipe'
    is_status 0
    cmp web got
}
