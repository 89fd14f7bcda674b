#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Watermarks on their way through tools that may change an event's time: passed on where they cannot have, else made
# anew from what is written, the same after every restart.

load ../support/helpers

setup() { cd "$BATS_TEST_TMPDIR" || return; }

# Control lines and events by hand: `|1` a barrier, `!2` the end, `w5` a watermark of ts, `m5` one of meta.at, `5` an
# event of the second 5, which also stands in meta.at, and in `was` a minute before.
control() {
    local word
    for word in "$@"; do
        case $word in
            '|'*) echo "{\"\$barrier\":${word#|},\"run\":\"k\"}" ;;
            '!'*) echo "{\"\$end\":${word#!},\"drain\":true,\"run\":\"k\"}" ;;
            w*) echo "{\"\$watermark\":\"1970-01-01T00:00:$(printf %02d "${word#w}")Z\",\"time\":\"ts\",\"run\":\"k\"}" ;;
            m*) echo "{\"\$watermark\":\"1970-01-01T00:00:$(printf %02d "${word#m}")Z\",\"time\":\"meta.at\",\"run\":\"k\"}" ;;
            *) echo "{\"ts\":$word,\"meta\":{\"at\":$word},\"was\":$((word - 60))}" ;;
        esac
    done
}
# by_hand WORD… -- COMMAND…: what comes of them: the same words, an event as `e`, watermarks of other fields with their name.
by_hand() {
    local words=()
    while [ "$1" != -- ]; do
        words+=("$1")
        shift
    done
    shift
    { echo '{"$stream":"hand","run":"k"}'; control "${words[@]}"; } >lines
    # shellcheck disable=SC2002
    cat lines | within_limit "$@" --control k >"$out" 2>"$err" && status=0 || status=$?
    [ "$status" = 0 ] || flunk "status $status: $*" "$(cat "$err")"
    shown=$(sed -E '1d; s/^\{"\$barrier":([0-9]+),.*/|\1/; s/^\{"\$end":([0-9]+),.*/!\1/
        s/^\{"\$watermark":"1970-01-01T00:00:0?([0-9.]*)Z","time":"ts".*/w\1/; s/^\{"\$watermark":"([^"]*)","time":"meta.at".*/m\1/; s/^\{"\$watermark":"([^"]*)","time":"([^"]*)".*/\2=\1/
        s/^m1970-01-01T00:00:0?([0-9]*)Z/m\1/; s/^\{.*/e/' "$out" | tr '\n' ' ' | sed 's/ $//')
}
shows() { [ "$shown" = "$*" ] || flunk "wanted: $*" "got:    $shown" "$(cat "$out")"; }

@test "stream-map passes on the watermarks of a member that it leaves alone" {
    for edit in . 'select(.ts > 0)' '.x = 1' '.meta.x = 1' '{ts, was}' '. + {n: 1}' '[.][] + {ts}' 'del(.was)' 'def f: .; .x = (.|f)' 'if .x then {ts} else . end'; do
        by_hand 1 w1 '|1' 5 w3 3 '!2' -- stream-map "$edit"
        case $edit in
            'def f'*) shows 'e w1 |1 e w5 e !2' ;; # a program with functions of its own is not looked through
            *) shows 'e w1 |1 e w3 e !2' ;;
        esac
    done
    for edit in '--set x=1' '--drop was' '--drop ts' '--keep ts,was'; do
        # shellcheck disable=SC2086
        by_hand 1 w1 '|1' 5 w3 3 '!2' -- stream-map $edit
        shows 'e w1 |1 e w3 e !2'
    done
}

@test "stream-map takes those of a member that it may change, and writes its own of what it writes" {
    for edit in '.ts = .was + 60' '.ts |= . + 0' '{ts: .meta.at}' '{ts: 1} + .' 'to_entries | from_entries' '. as {$ts} | {$ts}'; do
        by_hand 1 w1 '|1' 5 w3 3 '!2' -- stream-map "$edit"
        shows 'e w1 |1 e w5 e !2'
    done
    by_hand 1 w1 5 w3 3 '!1' -- stream-map --set ts=.meta.at
    shows 'e w1 e w5 e !1'
    # Not of one that another time is read before.
    by_hand 1 w1 5 w3 '!1' -- stream-map '.window_end = .ts + 3600'
    shows 'e w1 e w3 !1'
    by_hand 1 w1 5 w3 '!1' -- stream-map '{window_end: .ts}'
    shows 'e window_end=1970-01-01T00:00:00Z w1 e window_end=1970-01-01T00:00:04Z w3 !1'
    # What has no time that can be read gives none, and is not bad.
    by_hand 1 w1 5 w3 '!1' -- stream-map '.ts = "never"'
    shows 'e e !1'
    [ ! -s "$err" ]
    # Text is no event.
    by_hand 1 w1 5 w3 '!1' -- stream-map -r '@json "\(.)"'
    shows 'e e !1'
}

@test "a nested field, its parent, and the member of that name" {
    for edit in '.meta.x = 1' '.meta = .meta' '.["meta.at"] = 1' '{meta}' 'del(.meta.x)'; do
        by_hand 1 m1 5 m3 '!1' -- stream-map "$edit"
        shows 'e e !1'
    done
    for edit in '.x = 1' '{ts}' 'del(.was)' '.at = 1'; do
        by_hand 1 m1 5 m3 '!1' -- stream-map "$edit"
        shows 'e m1 e m3 !1'
    done
    by_hand 1 m1 5 m3 '!1' -- stream-map --keep meta
    shows 'e e !1'
    by_hand 1 m1 5 m3 '!1' -- stream-map --drop meta.x
    shows 'e e !1'
    by_hand 1 m1 5 m3 '!1' -- env STREAM_TIME=meta.at stream-map '.meta.x = 1'
    shows 'e m1 e m5 !1'
}

@test "--time, --lateness and --watermark-every of stream-map; the same wherever the barriers lie" {
    by_hand 1 5 w1 3 9 '|1' 8 12 '!2' -- stream-map --time ts --lateness 3s --watermark-every 2s .
    shows 'e ts=1969-12-31T23:59:58Z e w2 e e w6 |1 e e w8 !2'
    before=${shown//'|1 '/}
    by_hand 1 '|1' 5 w1 3 '|2' 9 8 12 '!3' -- stream-map --time ts --lateness 3s --watermark-every 2s .
    after=${shown//'|1 '/}
    after=${after//'|2 '/}
    [ "${after/e e w8/e w8}" != "$after" ] || flunk "$shown"
    by_hand 1 '|1' 5 w1 3 '|2' 9 '|3' 8 12 '!4' -- stream-map --time ts --lateness 3s --watermark-every 2s .
    after=$(sed 's/|[0-9] //g; s/!4/!2/' <<<"$shown")
    [ "$after" = "$before" ] || flunk "$after" "$before"
    by_hand 1 5 9 '!1' -- stream-map '.ts |= . + 0' --lateness 3s
    shows 'e ts=1969-12-31T23:59:58Z e w2 e w6 !1'
    # Alone, of nothing that came: a file.
    printf '{"ts":%s}\n' 1 5 >in
    run_tool stream-map --control k --time ts . in
    is_status 0
    [ "$(grep -c watermark "$out")" = 2 ]
    run_tool stream-map -r .ts --time ts in
    is_status 2
    err_has --time -r
    run_tool stream-map . --time '(.a)' in
    is_status 2
    # Nothing of it is at a prompt.
    run_tool stream-map '.ts = 7' --time ts --lateness 3s in
    is_status 0
    ! grep -q watermark "$out"
}

@test "each time of our own watermarks is read by itself: a first event of a restart chooses nothing" {
    for times in '5 1700000000000 7 9' '1700000000000 7 9' '"1970-01-01T00:00:05Z" 7 "1970-01-01T00:00:09Z"' '7 "1970-01-01T00:00:09Z"'; do
        # shellcheck disable=SC2086
        printf '{"ts":%s}\n' $times >in
        run_tool stream-map --control k --time ts . in
        is_status 0
        grep -o '"$watermark":"[^"]*"' "$out" | tail -n 1 >last
        case $times in
            *17*) grep -q '2023-11-14T22:13:20Z' last ;;
            *) grep -q '1970-01-01T00:00:09Z' last ;;
        esac
    done
    # The member of that name is looked for first, whichever came first.
    printf '%s\n' '{"a":{"b":5}}' '{"a.b":7,"a":{"b":1}}' '{"a":{"b":9}}' >in
    run_tool stream-map --control k --time a.b . in
    is_status 0
    [ "$(grep -c watermark "$out")" = 3 ]
}

@test "stream-time: parse and correct write their own, of ts; stamp passes on what it leaves alone" {
    by_hand 1 w1 5 w3 '!1' -- stream-time parse was
    shows 'e ts=1969-12-31T23:59:01Z e ts=1969-12-31T23:59:05Z !1'
    by_hand 1 m1 5 m3 '!1' -- stream-time parse meta.at --lateness 2s
    shows 'e ts=1969-12-31T23:59:59Z e w3 !1'
    by_hand 1 w1 5 w3 '!1' -- stream-time correct --device was --sent was --received ts
    shows 'e w1 e w5 !1'
    by_hand 1 w1 5 w3 '!1' -- stream-time correct --device was --sent was --received ts --lateness 2s
    shows 'e ts=1969-12-31T23:59:59Z e w3 !1'
    by_hand 1 w1 5 w3 '!1' -- stream-time stamp
    shows 'e w1 e w3 !1'
    by_hand 1 w1 '!1' -- stream-time stamp --as ts
    [[ $shown == 'e ts=20'*' !1' ]] || flunk "$shown"
    by_hand 1 w1 5 w3 '!1' -- stream-time report
    shows 'e !1'
    # reorder is still held back by what comes.
    by_hand 1 w1 5 w3 3 9 w7 '!1' -- stream-time reorder
    shows 'w1 e w3 e e w7 e !1'
}

# Half of the events a second, a third of them up to 4 s late.
disordered() { stream-gen web --events 3000 --seed 5 --density 20 --disorder 30% --disorder-max 4s; }

# in_a_run NAME PIPELINE: it ends well, says nothing, and shows what is in `wanted`.
in_a_run() {
    run_tool stream-run "$1" --output "$1.got" -c "$2"
    is_status 0
    err_empty
    cmp wanted "$1.got"
}

@test "in a run the lateness of the source decides, also behind a stream-map" {
    disordered >in
    stream-map '{ts, path, n: 1}' <in | stream-window tumbling 2s --lateness 5s --by path count >wanted
    source='stream-cat in | stream-through --time ts --lateness 5s -- cat'
    in_a_run a "$source | stream-map '{ts, path, n: 1}' | stream-window tumbling 2s --by path count"
    # One that may change the time says by its own --lateness.
    run_tool stream-run b --output lost -c "$source | stream-map '.ts |= .' | stream-window tumbling 2s --by path count"
    is_status 3
    err_has 'late events'
    in_a_run c "$source | stream-map --lateness 5s '.ts |= .' | stream-window tumbling 2s --by path count"
    run_tool stream-run d --output parsed -c "stream-map '{when: .ts, path}' in | stream-time parse when --lateness 5s | stream-window tumbling 2s --by path count"
    is_status 0
    cmp wanted parsed
    # So does a file's, which brings no watermarks.
    in_a_run f "stream-map --lateness 5s '{ts, path, n: 1}' in | stream-window tumbling 2s --by path count"
    # And the lesser of both where whoever reads has one.
    run_tool stream-run e --output lesser -c "stream-cat in | stream-map '.ts |= .' | stream-window tumbling 2s --lateness 5s --by path count"
    is_status 0
    cmp wanted lesser
}

# What is late depends on each watermark; --late says which events were.
late_pipeline="stream-cat in | stream-map --lateness 1s '.ts |= .' | stream-window tumbling 2s --by path --late late count"

@test "calls one after the other: the same results and the same late events as of one" {
    disordered >all
    cp all in
    run_tool stream-run one --drain --output wanted -c "$late_pipeline"
    is_status 0
    mv late wanted-late
    [ "$(wc -l <wanted-late)" -gt 50 ]
    : >in
    for lines in 1 2 100 101 500 700 1500 2999 3000; do
        head -n "$lines" all >in.new
        tail -c "+$(($(wc -c <in) + 1))" in.new >>in
        run_tool stream-run r --once --output got -c "$late_pipeline"
        is_status 0
    done
    run_tool stream-run r --drain --output got -c "$late_pipeline"
    is_status 0
    cmp wanted got
    cmp wanted-late late
}

@test "killed at any time: the same results and the same late events" {
    disordered >in
    for verb in "stream-map --lateness 1s '.ts |= .'" "stream-map '{when: .ts, path}' | stream-time parse when --lateness 1s"; do
        rm -rf one r wanted wanted-late got late
        tool=stream-map
        [ "${verb/stream-time/}" = "$verb" ] || tool=stream-time
        pipeline="stream-cat in --pace 200x | $verb | stream-window tumbling 2s --by path --late late count"
        run_tool stream-run one --output wanted -c "${pipeline/ --pace 200x/}"
        is_status 0
        mv late wanted-late
        [ "$(wc -l <wanted-late)" -gt 50 ]
        for try in 1 2 3; do
            stream-run r --every 10ms --restart 100 --output got -c "$pipeline" 2>said &
            sleep 0.1
            for shell in $(pgrep -P $!); do pkill -9 -P "$shell" -x "$tool" || true; done
            sleep 0.1
            kill -9 $! 2>/dev/null || true
            wait $! 2>/dev/null || true
        done
        run_tool stream-run r --restart 100 --output got -c "$pipeline"
        is_status 0
        cmp wanted got
        cmp wanted-late late
    done
}

@test "stream-cat --lateness: watermarks of a file, which go through a stream-map" {
    disordered >in
    stream-window tumbling 2s --lateness 5s --by path count <in >wanted
    pipeline="stream-cat --lateness 5s in | stream-map '.x = 1' | stream-window tumbling 2s --by path count"
    in_a_run r "$pipeline"
    run_tool stream-run without --output lost -c "${pipeline/ --lateness 5s/}"
    is_status 3
    err_has 'late events'
    # How much it is may change; whether it is there is another source.
    head -n 1000 in >part
    run_tool stream-run p --once --output got -c "${pipeline/5s in/5s part}"
    is_status 0
    run_tool stream-run p --once --output got -c "${pipeline/5s in/6s part}"
    is_status 0
    run_tool stream-run p --once --output got -c "${pipeline/--lateness 5s in/part}"
    is_status 2
    err_has 'stream-run reset'
    # Merged files: behind the least of them.
    awk 'NR % 2' in >odd
    awk 'NR % 2 == 0' in >even
    run_tool stream-run m --output merged -c "stream-cat --merge --lateness 5s odd even | stream-map '{ts, path}' | stream-window tumbling 2s --by path count"
    is_status 0
    cmp wanted merged
    # What has no time is passed.
    printf '%s\n' '{"n":1}' '{"ts":7}' '{"ts":"never"}' '{"ts":3}' >in
    run_tool stream-cat --control k --lateness 2s in
    is_status 0
    err_empty
    [ "$(grep -v '^{"\$' "$out")" = "$(cat in)" ]
    [ "$(grep -c '"1970-01-01T00:00:05Z","time":"ts"' "$out")" = 1 ]
    [ "$(grep -c watermark "$out")" = 1 ]
}

@test "--idle: where a source is silent its watermarks go on with the clock, and close windows behind windows" {
    local i
    printf '{"ts":"2026-01-01T00:00:0%d.5Z"}\n' 1 2 3 >events
    : >totals
    stream-run idle.run --every 100ms --output totals -c 'stream-cat -f events --lateness 1s --idle 300ms | stream-window tumbling 1s count | stream-window tumbling 2s sum:count' 2>err &
    for ((i = 0; i < 100; i++)); do
        [ "$(wc -l <totals)" -lt 2 ] || break
        sleep 0.1
    done
    kill %1
    wait
    [ "$(cat totals)" = '{"window_start":"2026-01-01T00:00:00Z","window_end":"2026-01-01T00:00:02Z","sum_count":1}
{"window_start":"2026-01-01T00:00:02Z","window_end":"2026-01-01T00:00:04Z","sum_count":2}' ] || flunk "$(cat totals err)"
    grep -q -e '--idle' err
}

@test "inputs with control lines are not read one after the other" {
    printf '{"ts":%s}\n' 1 2 >a
    printf '{"ts":%s}\n' 3 4 >b
    for command in 'stream-cat <(stream-cat a) <(stream-cat b)' 'stream-map . a <(stream-cat b)' 'stream-cat a | stream-filter .ts - b'; do
        rm -rf r
        run_tool stream-run r --output got -c "$command"
        is_status 2
        err_has 'stream-cat --merge'
        [ ! -s got ]
    done
    run_tool stream-run m --output got -c 'stream-cat --merge <(stream-cat a) <(stream-cat b)'
    is_status 0
    [ "$(wc -l <got)" = 4 ]
}

@test "--max-ahead: an event that is not believed moves nothing, whatever the watermarks in front say" {
    printf '{"ts":%s}\n' 1000 1001 99999999 1002 1063 >in
    for kind in 'tumbling 1m count' 'sliding 1m count'; do
        window="stream-window $kind --max-ahead 1h --bad skip"
        # shellcheck disable=SC2086
        stream-map '.ts |= .' <in | $window >wanted
        rm -rf r got
        run_tool stream-run r --output got -c "stream-map '.ts |= .' in | $window"
        is_status 0
        cmp wanted got
    done
    printf '{"ts":%s}\n' 1000 1002 1063 >right
    join='stream-join <(stream-cat --lateness 0s right) --within 1s --max-ahead 1h --bad skip'
    stream-map '.ts |= .' <in | stream-join right --within 1s --max-ahead 1h --bad skip >wanted
    [ -s wanted ]
    run_tool stream-run j --output joined -c "stream-map '.ts |= .' in | $join"
    is_status 0
    cmp wanted joined
}

@test "what is held back, or gets another time, comes without watermarks" {
    by_hand 1 2 w2 3 4 w4 5 w5 '!1' -- stream-cat --to -2
    shows 'e e e !1'
    printf '{"ts":%s}\n' 1 2 3 4 >in
    run_tool stream-cat --control k --lateness 0s --from -2 in
    is_status 0
    [ "$(sed 1d "$out" | tr '\n' ' ')" = '{"ts":3} {"ts":4} {"$end":1,"drain":true,"run":"k"} ' ]
    by_hand 1 2 w2 3 '!1' -- stream-cat --to 4
    shows 'e e w2 e !1'
    for aggregate in ts=min:was window_end=min:was; do
        by_hand 1 2 w2 3 '!1' -- stream-window rows 2 "$aggregate"
        shows 'e e e !1'
    done
    by_hand 1 2 w2 3 '!1' -- stream-window rows 2 n=min:was
    shows 'e e w2 e !1'
    # Who wrote it did not know that these are milliseconds.
    by_hand 1 2 w2 3 '!1' -- stream-time reorder --time ts --time-unit ms
    shows 'w0.001 e e e !1'
}

@test "a text format's watermarks are of the ts that is written" {
    printf 't,path\n1970-01-01T00:00:05Z,a\n1970-01-01T00:00:09Z,b\n' >a.csv
    cp a.csv b.csv
    for command in 'stream-cat a.csv' 'stream-cat --merge a.csv b.csv'; do
        # shellcheck disable=SC2086
        run_tool $command --control k --time t --lateness 2s
        is_status 0
        [ "$(grep -c '"time":"ts"' "$out")" = 2 ]
        [ "$(grep -c watermark "$out")" = 2 ]
    done
}
