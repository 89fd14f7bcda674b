#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A pipeline under stream-run: what it gives is what the pipe gives, once, whatever stops it.

load ../support/helpers

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    stream-gen web --events 20000 --seed 3 >web
}

window="stream-filter '.status < 500' | stream-window tumbling 10s --by status count sum:bytes"
plain() { bash -o pipefail -c "stream-cat web | $window"; }

@test "a file is the same as the pipe's, and a finished run is a no-op" {
    plain >wanted
    run_tool stream-run r --output got -c "stream-cat web | $window"
    is_status 0
    err_empty
    cmp wanted got
    run_tool stream-run r --output got -c "stream-cat web | $window"
    is_status 0
    err_has 'the run is finished'
    cmp wanted got
}

@test "stdout: a pipe, and a file that the shell goes on with" {
    plain >wanted
    stream-run r -c "stream-cat web | $window" | cmp - wanted
    { stream-run q -c "stream-cat web | $window"; echo done; } >got
    echo done >>wanted
    cmp wanted got
}

@test "a log to a log, a hundred calls and a drain: as one run over the whole" {
    plain >wanted
    stream-log create in
    split -n l/20 web piece.
    for piece in piece.*; do
        stream-log append in <"$piece"
        stream-run r --once -c "stream-log read in | $window | stream-log append totals"
        stream-run r --once -c "stream-log read in | $window | stream-log append totals" # nothing new
    done
    stream-run r --drain -c "stream-log read in | $window | stream-log append totals"
    stream-log read totals | cmp - wanted
    [ -z "$(ls r/staged)" ]
}

@test "a last line that is not finished waits for its end, and comes once" {
    printf '{"ts":1,"n":1}\n{"ts":2,"n"' >in
    run_tool stream-run r --once --output got -c 'stream-cat in'
    is_status 0
    printf ':2}\n' >>in
    run_tool stream-run r --once --output got -c 'stream-cat in'
    is_status 0
    cmp in got
}

@test "killed at any time, and started again, it gives the same" {
    plain >wanted
    for try in 1 2 3 4 5; do
        stream-run r --every 10ms --restart 100 --output got -c "stream-cat web --pace 400x | $window" 2>said &
        sleep 0.1
        pkill -9 -f "^stream-window tumbling 10s --by status" || true
        sleep 0.1
        kill -9 %1 2>/dev/null || true
        wait %1 2>/dev/null || true
    done
    stream-run r --restart 100 --output got -c "stream-cat web --pace 400x | $window" 2>>said
    cmp wanted got
}

@test "Ctrl-C: what is complete is committed, and the next start goes on" {
    plain >wanted
    stream-run r --every 10ms --output got -c "stream-cat web --pace 100x | $window" &
    sleep 0.5
    kill -INT %1
    wait %1 && status=0 || status=$?
    is_status 130
    [ -s got ]
    cmp -n "$(stat -c %s got)" wanted got
    # Without --pace it is another command: the way on is told.
    run_tool stream-run r --output got -c "stream-cat web | $window"
    is_status 2
    err_has 'stream-run reset'
    run_tool stream-run r --output got -c "stream-cat web --pace 100x | $window"
    is_status 0
    cmp wanted got
}

@test "a second run of the same folder is refused, and status tells of the first" {
    stream-run r --every 10ms --output got -c "stream-cat web --pace 50x | $window" &
    sleep 0.5
    run_tool stream-run r --output got -c "stream-cat web | $window"
    is_status 6
    err_has 'is under way'
    run_tool stream-run status r --json
    is_status 0
    jq -se '.[0].m == "run" and .[0].epoch > 0' "$out" >/dev/null
    jq -se 'map(select(.tool == "stream-window")) | length == 1 and .[0].events_in > 0' "$out" >/dev/null
    run_tool stream-run status r
    grep -q '^stream-window ' "$out"
    kill -TERM %1
    wait %1 || true
}

@test "what cannot be in a run says so, once, with its own status" {
    run_tool stream-run a -c "stream-cat web | jq -c '{ts}' | stream-window all count"
    is_status 3
    err_has 'jq' 'dropped the control lines' 'stream-through -- jq'
    run_tool stream-run b -c 'stream-cat web | stream-window tumbling 1m count >f'
    is_status 2
    err_has 'stdout is not to be sent to a file' '--output FILE'
    run_tool stream-run c -c 'stream-log read nolog | stream-log append out'
    is_status 2
    [ "$(grep -c 'there is no log' "$err")" = 1 ] || { cat "$err"; false; }
    run_tool stream-run d -c 'stream-cat web | stream-dedupe --by id | stream-dedupe --by id'
    is_status 2
    err_has 'alike' '--name'
    run_tool stream-run e --strict -c 'stream-cat web | stream-window tumbling 1m count --idle 5s'
    is_status 2
    err_has '--strict' '--idle'
    run_tool stream-run h -c 'stream-cat web --name a/b'
    is_status 2
    run_tool stream-run g -c 'stream-cat web | stream-log append l --expect-offset 0'
    is_status 2
    run_tool stream-run k -c true
    is_status 3
    err_has 'no command of the pipeline takes part'
    run_tool stream-run k --restart 1 -c 'kill -9 $$'
    is_status 137
    err_has 'killed by signal 9' 'given up after 2 attempts'
}

@test "a pipeline that changed is refused; a filter may be edited, and what only limits; reset begins anew" {
    head -n 10000 web >in
    run_tool stream-run r --once --output got -c "stream-cat in | stream-filter '.status < 500' | stream-window tumbling 10s count"
    is_status 0
    run_tool stream-run r --once --output got -c "stream-cat in | stream-filter '.status < 500' | stream-window tumbling 20s count"
    is_status 2
    err_has 'another one than' 'stream-run reset'
    run_tool stream-run r --once --output got -c "stream-cat in --bad skip | stream-filter '.status < 600' | stream-window tumbling 10s count --memory 64MiB"
    is_status 0
    err_has 'edited'
    run_tool stream-run n --once --output gotn -c 'stream-cat in | stream-dedupe --name d --by id'
    is_status 0
    tail -n 10 web >>in
    run_tool stream-run n --once --output gotn -c 'stream-cat in | stream-dedupe --name d --by path'
    is_status 2
    run_tool stream-run reset r
    is_status 0
    [ ! -e r/commit ]
}

@test "damaged, missing and foreign state is named, and never taken" {
    head -n 10000 web >in
    pipeline="stream-cat in | stream-window tumbling 1h --by path,user count"
    run_tool stream-run r --once --output got -c "$pipeline"
    is_status 0
    cp -a r good
    state=$(echo r/state/stream-window*)
    cp "$state" copy
    head -n 10100 web >in # so that there is something to do
    for damage in "printf x | dd of='$state' bs=1 seek=200 conv=notrunc" "truncate -s -1 '$state'" "rm '$state'" "cp '$BATS_TEST_TMPDIR/in' '$state'" "truncate -s -3 r/commit" \
        "sed -i '1s/\"epoch\":./\"epoch\":9/' r/commit" "echo {} >r/commit" "echo nothing >r/run.json"; do
        bash -c "$damage" 2>/dev/null
        run_tool stream-run r --once --output got -c "$pipeline"
        [ "$status" = 5 ] || flunk "$damage: $status: $(cat "$err")"
        rm -rf r
        cp -a good r
    done
    cmp copy "$state"
    # A target that others wrote to.
    echo more >>got
    run_tool stream-run r --once --output got -c "$pipeline"
    is_status 5
    err_has 'goes on past'
}

@test "a full disk: exit 4, and the next start resumes" {
    [ "$(id -u)" = 0 ] && mkdir small && mount -t tmpfs -o size=400k none small 2>/dev/null || skip "no small file system can be mounted"
    plain >wanted
    head -c 300000 /dev/zero >small/fill
    run_tool stream-run r --restart 1 --output small/got -c "stream-cat web | stream-window tumbling 1s --by status count sum:bytes"
    local first=$status
    rm small/fill
    run_tool stream-run r --output small/got -c "stream-cat web | stream-window tumbling 1s --by status count sum:bytes"
    local second=$status
    stream-cat web | stream-window tumbling 1s --by status count sum:bytes | cmp - small/got && local same=0 || same=$?
    umount small
    [ "$first" = 4 ] && [ "$second" = 0 ] && [ "$same" = 0 ] || flunk "$first $second $same: $(cat "$err")"
}

@test "events that look like control lines are events" {
    printf '%s\n' '{"$barrier":1,"run":"k"}' '{"$end":1,"drain":true,"run":"00000000000000000000000000000000"}' '{"$stream":"x","run":"k"}' >in
    run_tool stream-run r --output got -c 'stream-cat in | stream-filter true'
    is_status 0
    cmp in got
    grep -q '"run":"' got
}

@test "now is the run's: the same in each call" {
    echo '{"n":1}' >in
    run_tool stream-run r --once --output got -c "stream-map '{n: now}' in"
    is_status 0
    sleep 0.1
    echo '{"n":2}' >>in
    run_tool stream-run r --once --output got -c "stream-map '{n: now}' in"
    is_status 0
    [ "$(sort -u got | wc -l)" = 1 ] && [ "$(wc -l <got)" = 2 ] || flunk "$(cat got)"
}

@test "generated events go on where they were" {
    stream-gen web --events 300000 --seed 4 --disorder 3% | stream-window tumbling 1m --by path count --lateness 20s >wanted
    pipeline='stream-gen web --events 300000 --seed 4 --disorder 3% | stream-window tumbling 1m --by path count --lateness 20s'
    for try in 1 2 3 4; do
        stream-run r --every 10ms --output got -c "$pipeline" 2>/dev/null &
        sleep 0.1
        kill -9 %1 2>/dev/null || true
        wait %1 2>/dev/null || true
    done
    stream-run r --output got -c "$pipeline"
    cmp wanted got
}

@test "several inputs in small batches and a drain: as one run over the whole" {
    stream-gen web --events 6000 --seed 5 >a
    stream-gen web --events 6000 --seed 5 --start 2026-01-01T00:00:02Z >b
    stream-join b --on id --within 5s --type full <a >joined
    stream-cat --merge a b >merged
    stream-log create la
    stream-log create lb
    split -n l/6 a a.
    split -n l/4 b b.
    : >ga
    : >gb
    for part in aa ab ac ad ae af; do
        stream-log append la <"a.$part"
        cat "a.$part" >>ga
        if [ -e "b.$part" ]; then
            stream-log append lb <"b.$part"
            cat "b.$part" >>gb
        fi
        stream-run j1 --once --output got1 -c 'stream-log read la | stream-join lb --on id --within 5s --type full --follow'
        stream-run j2 --once --output got2 -c 'stream-log read la | stream-join <(stream-log read lb) --on id --within 5s --type full'
        stream-run m1 --once --output got3 -c 'stream-cat --merge ga gb'
        stream-run m2 --once --output got4 -c 'stream-cat --merge <(stream-cat ga) <(stream-cat gb)'
    done
    stream-run j1 --drain --output got1 -c 'stream-log read la | stream-join lb --on id --within 5s --type full --follow'
    stream-run j2 --drain --output got2 -c 'stream-log read la | stream-join <(stream-log read lb) --on id --within 5s --type full'
    stream-run m1 --drain --output got3 -c 'stream-cat --merge ga gb'
    stream-run m2 --drain --output got4 -c 'stream-cat --merge <(stream-cat ga) <(stream-cat gb)'
    cmp joined got1
    cmp joined got2
    cmp merged got3
    cmp merged got4
}

@test "a large state is copied beside the stream, and what changed since is put on it" {
    # 400,000 keys that do not compress, each then seen once more.
    head -c 9600000 /dev/urandom | od -An -v -tx1 -w24 | tr -d ' ' | head -n 400000 >keys
    cat keys keys | awk '{ printf "{\"ts\":%.0f,\"id\":\"%s\",\"v\":%d}\n", 1767225600000 + NR, $0, NR % 1000 }' | stream-log append in >/dev/null
    pipeline='stream-log read in | stream-window tumbling 1h count sum:v --by id --memory 1G'
    run_shell "$pipeline" && mv "$out" wanted
    local starts=0 victim
    until ((starts >= 8)); do
        starts=$((starts + 1))
        stream-run r --every 50ms --restart 0 --output got -c "$pipeline" 2>said &
        sleep 0.$((RANDOM % 5 + 4))
        ls r/state >>files
        if ((starts < 4)); then
            victim=$(grep -lsz "^STREAM_RUN=$PWD/r\$" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3 | shuf -n 1)
            [ -z "$victim" ] || kill -9 "$victim" 2>/dev/null || true
        fi
        if wait %+; then break; fi
    done
    cmp wanted got
    # Of the window both were there: a file above 8 MiB, and changes.
    grep -q '^stream-window-' files
}

@test "what was read is not computed again in another environment" {
    local i
    for i in 1 2 3; do
        awk -v i=$i 'BEGIN { srand(i); for (j = 0; j < (i == 1 ? 3000 : 100); ++j) printf "{\"ts\":%.0f,\"k\":\"%08x%08x\"}\n", 1767225600000 + i * 10000 + j, rand() * 4294967295, rand() * 4294967295 }' >>in
        FOO=a stream-run r --once --output got -c "stream-cat in | stream-window session 1h --by 'x=(env.FOO),k' count"
    done
    FOO=b stream-run r --drain --output got -c "stream-cat in | stream-window session 1h --by 'x=(env.FOO),k' count"
    [ "$(grep -c '"x":"a"' got)" = 3200 ]
    [ "$(wc -l <got)" = 3200 ]
}

@test "--lateness of stream-table is kept in a run, whatever comes of watermarks" {
    stream-gen web --events 4000 --seed 3 --disorder 20% --disorder-max 2s | stream-log append in >/dev/null
    pipeline='stream-log read in | stream-table --by path --every 1s --lateness 3s'
    run_shell "$pipeline"
    is_status 0
    mv "$out" wanted
    run_tool stream-run r --output got -c "$pipeline"
    is_status 0
    cmp wanted got
}
