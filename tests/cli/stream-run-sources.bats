#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Sources under stream-run: each goes on where the last commit stood, gaps are told, and what cannot be read again is
# refused unless that is wanted.

load ../support/helpers

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

# killed N OPTIONS… -c PIPELINE: kill -9 of a process of the run, or of the run itself, N times; then to its end.
killed() {
    local times=$1 try victims
    shift
    for ((try = 0; try < times; try++)); do
        stream-run r --every 10ms --restart 1000 --output got "$@" >>said 2>&1 &
        sleep "0.$((RANDOM % 2))$((RANDOM % 9 + 1))"
        mapfile -t victims < <(grep -lsz "^STREAM_RUN=$PWD/r\$" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3)
        [ ${#victims[@]} -eq 0 ] || kill -9 "${victims[RANDOM % ${#victims[@]}]}" 2>/dev/null || true
        sleep "0.0$((RANDOM % 9 + 1))"
        kill -9 %% 2>/dev/null || true
        wait %% 2>/dev/null || true
    done
    within_limit stream-run r --every 10ms --restart 1000 --output got "$@" >>said 2>&1 || flunk "$(tail -n 5 said)"
}

# log_of_web OPTIONS…: a log of several segments.
log_of_web() {
    stream-log create in --segment 2MiB "$@"
    stream-gen web --events 60000 --seed 3 --disorder 2% | stream-log append in
}

@test "stream-log read with --merge, --envelope, --to: killed at any time, the same bytes" {
    log_of_web --partitions 3 --by user
    local options
    for options in '--merge' '--envelope' '--merge --envelope --to 18000' '--to -2000 --partitions 0,2' '--from 100 --to 15000 --merge'; do
        # shellcheck disable=SC2086
        stream-log read in $options >wanted
        killed 3 -c "stream-log read in $options | stream-filter true"
        cmp wanted got || flunk "$options: $(tail -n 5 said)"
        rm -r r got
    done
}

@test "stream-log read --merge --follow: in small batches, stopped in between, and drained, as the whole" {
    stream-log create in --partitions 3 --by user
    stream-gen web --events 8000 --seed 5 >web
    split -n l/5 web piece.
    local piece
    for piece in piece.*; do
        stream-log append in <"$piece"
        stream-run r --once --output got -c 'stream-log read in --merge --follow'
    done
    stream-run r --drain --output got -c 'stream-log read in --merge --follow'
    stream-log read in --merge | cmp - got
}

@test "--to ends the source for good: what is appended later, before or behind it, is never read" {
    stream-gen web --events 300 --seed 6 >web
    head -n 100 web | stream-log append in
    run_tool stream-run r --once --output got -c 'stream-log read in --to 150'
    is_status 0
    [ "$(wc -l <got)" = 100 ]
    tail -n +101 web | stream-log append in
    local try
    for try in 1 2; do
        run_tool stream-run r --once --output got -c 'stream-log read in --to 150'
        is_status 0
        [ "$(wc -l <got)" = 150 ]
    done
    # The end as it was at the first call.
    run_tool stream-run e --once --output end -c 'stream-log read in --to end'
    stream-log append in <web
    run_tool stream-run e --once --output end -c 'stream-log read in --to end'
    is_status 0
    [ "$(wc -l <end)" = 300 ]
    # A time that no event has reached: looked for again by each call.
    local time
    time=$(sed -n 250p web | jq -r .ts)
    head -n 100 web | stream-log append t
    run_tool stream-run t --once --output times -c "stream-log read t --to $time"
    is_status 0
    tail -n +101 web | stream-log append t
    run_tool stream-run t --once --output times -c "stream-log read t --to $time"
    is_status 0
    stream-log read t --to "$time" | cmp - times
}

@test "--skip-corrupt: what is damaged is told once, and the rest is there once" {
    log_of_web
    local segment
    segment=$(find in -name '*.seg' | sort | head -n 1)
    printf 'XXXXXXXX' | dd of="$segment" bs=1 seek=300000 conv=notrunc 2>/dev/null
    stream-log read in --skip-corrupt >wanted 2>told
    [ -s told ]
    run_tool stream-run d --output got -c 'stream-log read in'
    is_status 5
    rm -f got
    killed 3 -c 'stream-log read in --skip-corrupt'
    cmp wanted got
    : >said
    rm -r r got
    run_tool stream-run r --once --output got -c 'stream-log read in --skip-corrupt'
    is_status 0
    [ "$(grep -c 'cannot be read' "$err")" = 1 ] || flunk "$(cat "$err")"
    stream-gen web --events 10 --seed 9 | stream-log append in
    run_tool stream-run r --once --output got -c 'stream-log read in --skip-corrupt'
    is_status 0
    err_empty
    [ "$(wc -l <got)" = "$(($(wc -l <wanted) + 10))" ]
}

@test "text formats: killed at any time, followed or not, the same bytes" {
    stream-gen web --events 40000 --seed 7 | jq -r '[.ts, .user, .status, .bytes, .path] | @csv' >rows
    { echo 'ts,user,status,bytes,path' && cat rows; } >app.csv
    awk 'NR % 500 == 0 { print "broken,row" } { print }' app.csv >bad.csv
    # Years go on from line to line.
    awk 'BEGIN { split("Nov Dec Jan Feb", m); for (i = 0; i < 60000; i++) printf "%s %2d %02d:%02d:%02d host prog[%d]: line %d\n", m[int(i / 15000) + 1], i % 15000 / 600 + 1, i % 600 / 30, i % 30 * 2, i % 60, i, i }' >app.log
    jq -r '"10.0.0.1 - - [10/Oct/2025:13:55:36 +0000] \"GET \(.[4]) HTTP/1.1\" \(.[2]) \(.[3])"' <(jq -R 'split(",") | map(gsub("\""; ""))' rows) >clf.log
    local options
    for options in 'app.csv' 'bad.csv --bad skip' '--format syslog --base 2024 app.log' '--format clf clf.log' '--format lines rows' \
        '--merge app.csv --format csv' 'app.csv --pace 4000x --time ts'; do
        # shellcheck disable=SC2086
        stream-cat ${options/--pace 4000x/} >wanted 2>/dev/null
        [ -s wanted ]
        killed 3 -c "stream-cat $options | stream-filter true"
        cmp wanted got || flunk "$options: $(tail -n 5 said)"
        rm -r r got
    done
}

@test "text formats, followed: one that grows, in small batches and killed, as the whole" {
    stream-gen web --events 6000 --seed 8 | jq -r '[.ts, .user, .status, .bytes] | @csv' >rows
    { echo 'ts,user,status,bytes' && cat rows; } >all.csv
    stream-cat all.csv >wanted
    split -n l/6 all.csv piece.
    local piece
    : >app.csv
    for piece in piece.*; do
        head -c -7 "$piece" >>app.csv # in the midst of a line
        stream-run r --once --output got -c 'stream-cat -f --format csv app.csv'
        stream-run r --every 10ms --restart 1000 --output got -c 'stream-cat -f --format csv app.csv' 2>>said &
        tail -c 7 "$piece" >>app.csv
        sleep 0.1
        kill -9 %%
        wait %% 2>/dev/null || true
    done
    stream-run r --drain --output got -c 'stream-cat -f --format csv app.csv'
    cmp wanted got
}

@test "a followed file rotates while the run is down; its header is known behind it" {
    printf 'n,s\n1,a\n' >app.csv
    run_tool stream-run r --once --output got -c 'stream-cat -f --format csv app.csv'
    is_status 0
    printf '2,b\n' >>app.csv
    mv app.csv app.csv.1
    printf '3,c\n' >app.csv
    run_tool stream-run r --once --output got -c 'stream-cat -f --format csv app.csv'
    is_status 0
    printf '{"n":%s,"s":"%s"}\n' 1 a 2 b 3 c | cmp - got
}

@test "a gap in followed files: named, status 3, no second try; --on-gap skip goes on, and tells it once" {
    seq 1000 | jq -c '{n: .}' >in
    run_tool stream-run r --once --output got -c 'stream-cat -f in'
    is_status 0
    seq 1001 1100 | jq -c '{n: .}' >new
    rm in
    cp new in
    run_tool stream-run r --once --restart 100 --output got -c 'stream-cat -f in'
    is_status 3
    err_has 'where reading stopped is gone' '--on-gap skip'
    [ "$(grep -c 'is gone' "$err")" = 1 ] || flunk "$(cat "$err")"
    [ "$(wc -l <got)" = 1000 ]
    run_tool stream-run r --once --output got -c 'stream-cat -f in --on-gap skip'
    is_status 0
    err_has 'is gone' 'going on with what is there'
    [ "$(wc -l <got)" = 1100 ]
    run_tool stream-run r --once --output got -c 'stream-cat -f in'
    is_status 0
    err_lacks 'is gone'
}

@test "a followed file that went away before its first line was read is a gap, too" {
    echo '{"n":0}' >other
    printf '{"n":1' >in
    run_tool stream-run r --once --output got -c 'stream-cat --merge --time n -f in other'
    is_status 0
    rm in
    echo '{"n":2}' >in
    run_tool stream-run r --once --output got -c 'stream-cat --merge --time n -f in other'
    is_status 3
    err_has 'where reading stopped is gone (byte 0'
    run_tool stream-run r --drain --output got -c 'stream-cat --merge --time n -f in other --on-gap skip'
    is_status 0
    err_has 'going on with what is there'
    printf '{"n":%s}\n' 0 2 | cmp - got
}

@test "a log whose offsets were retained away while the run was down: the same" {
    local tool try
    for tool in 'stream-log read ring' 'stream-cat ring' 'stream-log read ring --merge' 'stream-filter true ring'; do
        rm -rf r got ring
        stream-log create ring --max-bytes 256KiB --codec none
        stream-gen web --events 500 --seed 2 | stream-log append ring
        run_tool stream-run r --once --output got -c "$tool"
        is_status 0
        for try in 3 4 5 6; do stream-gen web --events 2000 --seed $try --start 2026-02-0${try}T00:00:00Z | stream-log append ring; done
        run_tool stream-run r --once --restart 100 --output got -c "$tool"
        is_status 3
        [ "$(grep -c 'offsets 500..[0-9]* are gone (partition 0)' "$err")" = 1 ] || flunk "$tool: $(cat "$err")"
        case $tool in *filter*) continue ;; esac
        run_tool stream-run r --once --output got -c "$tool --on-gap skip"
        is_status 0
        [ "$(grep -c 'are gone' "$err")" = 1 ] || flunk "$tool: $(cat "$err")"
        run_tool stream-run r --once --output got -c "$tool --on-gap skip"
        is_status 0
        err_empty
        run_tool stream-run r --drain --output got -c "$tool --on-gap skip"
        [ "$(tail -n 1 got)" = "$(stream-log read ring --from -1)" ] || flunk "$tool"
    done
}

@test "what cannot be read again is refused, unless --at-most-once" {
    mkfifo pipe
    run_tool stream-run a -c 'stream-cat /dev/zero'
    is_status 2
    err_has 'cannot be read again' 'stream-log append in front' '--at-most-once'
    run_shell 'seq 3 | jq -c "{n: .}" | stream-run b -c "stream-cat | stream-filter true"'
    is_status 2
    err_has 'stream-run itself has as stdin' '--at-most-once'
    run_tool stream-run c --strict --at-most-once -c 'stream-cat in'
    is_status 2
    run_shell 'seq 3 | jq -c "{n: .}" | stream-run d --at-most-once --output got -c "stream-cat | stream-filter true"'
    is_status 0
    err_has 'cannot be read again' 'stdin (stream-cat)'
    printf '{"n":%s}\n' 1 2 3 | cmp - got
    (seq 4 6 | jq -c '{n: .}' >pipe) &
    run_tool stream-run e --at-most-once --output got2 -c 'stream-cat pipe'
    is_status 0
    err_has 'pipe (stream-cat)'
    printf '{"n":%s}\n' 4 5 6 | cmp - got2
    seq 3 | stream-run f --once --at-most-once --output got3 -c 'stream-cat --format lines'
    [ "$(wc -l <got3)" = 3 ]
}

@test "--at-most-once: killed at any time, lines may be lost, and none is there twice or in part" {
    (for ((i = 1; i <= 300; i++)); do
        seq $((i * 100)) $((i * 100 + 99)) | sed 's/.*/{"n":&,"pad":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}/'
        sleep 0.005
    done) | stream-run r --at-most-once --every 10ms --restart 1000 --output got -c 'stream-cat | stream-filter true' 2>said &
    local run=$! try victims
    for try in 1 2 3 4 5 6; do
        sleep 0.2
        mapfile -t victims < <(grep -lsz "^STREAM_RUN=$PWD/r\$" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3)
        [ ${#victims[@]} -eq 0 ] || kill -9 "${victims[RANDOM % ${#victims[@]}]}" 2>/dev/null || true
    done
    wait $run || flunk "$(cat said)"
    grep -q 'was killed' said
    jq -se 'map(.n) | length > 1000 and . == (unique)' got >/dev/null || flunk "$(wc -l <got)"
    [ "$(tail -n 1 got | jq .n)" = 30099 ]
}
