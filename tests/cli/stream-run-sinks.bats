#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a sink of a run finds that is not as it was left, and what is said when a commit is not durable.

load ../support/helpers

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    stream-gen web --events 3000 --seed 3 >web
    head -n 1000 web >in
    shim=$(dirname "$STREAM_BIN")/tests/inject.so
}

counts="stream-cat in | stream-window tumbling 2s --by path count"

# more N: the input grows up to line N.
more() { head -n "$1" web | tail -c "+$(($(wc -c <in) + 1))" >>in; }

# inject TOOL KIND AT COMMAND…: in TOOL that call goes wrong (tests/fault/inject.cpp).
inject() {
    [ -e "$shim" ] || skip "there is no $shim"
    rm -f mark
    STREAM_INJECT_TOOL=$1 STREAM_INJECT_KIND=$2 STREAM_INJECT_AT=$3 STREAM_INJECT_MARK=$PWD/mark LD_PRELOAD=$shim run_tool "${@:4}"
}

# number_of REGEX: of the first of stream-run's calls (listed in calls) that matches; number_after REGEX REGEX: of the first after one.
number_of() { awk -v what="$1" '$0 ~ what { print $1; exit }' calls; }
number_after() { awk -v first="$1" -v what="$2" 'seen && $0 ~ what { print $1; exit } $0 ~ first { seen = 1 }' calls; }

# list_calls COMMAND…: of stream-run, which is to do the same once more later.
list_calls() {
    inject stream-run count 0 "$@"
    is_status 0
    mv mark calls
}

@test "a log that is behind the commit with nothing staged, or ahead of it: an old copy was put back" {
    pipeline="$counts | stream-log append totals"
    stream-log create totals
    run_tool stream-run r --once -c "$pipeline"
    is_status 0
    cp -a totals old-totals
    cp -a r old-r
    more 2000
    run_tool stream-run r --once -c "$pipeline"
    is_status 0
    cp -a totals new-totals
    cp -a r new-r
    stream-log read totals >wanted
    more 3000

    rm -rf totals && cp -a old-totals totals
    run_tool stream-run r --once -c "$pipeline"
    is_status 5
    err_has 'an old copy of the log was put back' 'stream-run reset'
    rm -rf totals && cp -a new-totals totals

    rm -rf r && cp -a old-r r
    run_tool stream-run r --once -c "$pipeline"
    is_status 5
    err_has "an old copy of the run's folder was put back" 'stream-run reset'
    stream-log read totals | cmp - wanted # nothing was added
    rm -rf r && cp -a new-r r

    run_tool stream-run r --drain -c "$pipeline"
    is_status 0
    stream-window tumbling 2s --by path count <web | cmp - <(stream-log read totals)
}

@test "a file that is behind the commit, or ahead of it, or went on: exit 5, and nothing is written" {
    for how in '--output got' '--late got'; do
        rm -rf r got old-r
        head -n 1000 web >in
        if [ "$how" = '--output got' ]; then
            start() { run_tool stream-run r --once --output got -c "$counts"; }
        else
            # What is late is everything of before: a window far ahead of it comes first.
            start() { run_tool stream-run r --once --output windows -c "stream-cat far in | stream-window tumbling 2s --late got count"; }
            echo '{"ts":"2030-01-01T00:00:00Z"}' >far
        fi
        start
        is_status 0
        [ -s got ] || flunk "$how: nothing"
        cp -a r old-r
        cp -a got old-got
        more 2000
        start
        is_status 0
        cp -a got new-got
        more 3000
        for damage in 'cp old-got got' ': >got' 'truncate -s -1 got' 'echo more >>got' 'rm got'; do
            bash -c "$damage"
            [ ! -e got ] || cp got as-damaged
            start
            [ "$status" = 5 ] || flunk "$how: $damage: $status: $(cat "$err")"
            err_has 'got' 'stream-run reset'
            if [ "$damage" != 'rm got' ]; then cmp got as-damaged; fi
            cp new-got got
        done
        mv r new-r
        cp -a old-r r
        start
        is_status 5
        err_has 'goes on past'
        cmp got new-got
        rm -rf r
        mv new-r r
        start
        is_status 0
    done
}

@test "a stdout that is a file: one that was emptied, or that others wrote to, is exit 5; >> goes on" {
    start() { within_limit stream-run r "$@" -c "$counts" </dev/null 2>"$err" && status=0 || status=$?; }
    start --once >>got
    is_status 0
    more 2000
    cp got copy
    start --once >got # the shell empties it
    is_status 5
    err_has 'is 0 bytes long' '--output FILE, or >>'
    cp copy got
    echo more >>got
    start --once >>got
    is_status 5
    err_has 'goes on past'
    cp copy got
    more 3000
    start --drain >>got
    is_status 0
    stream-window tumbling 2s --by path count <web | cmp - got
}

@test "committed and staged, and not yet in the file: it is completed, over what differs; past it or damaged is exit 5" {
    list_calls stream-run calm --once --output calm-got -c "$counts"
    inject stream-run before "$(number_of 'pwrite .*/calm-got')" stream-run r --once --output got -c "$counts"
    [ "$status" -gt 128 ] || flunk "it was not killed: $status"
    [ ! -s got ]
    staged=$(echo r/staged/stdout.*)
    cp "$staged" copy
    cp -a r left
    more 2000

    head -c 100 copy | tr 0-9 x >got # a torn write may leave anything
    run_tool stream-run r --drain --output got -c "$counts"
    is_status 0
    stream-window tumbling 2s --by path count <in | cmp - got

    rm -rf r && cp -a left r
    { cat copy && echo more; } >got
    run_tool stream-run r --drain --output got -c "$counts"
    is_status 5
    err_has 'goes on past'

    : >got
    for damage in "printf x | dd of=$staged bs=1 seek=50 conv=notrunc" "truncate -s -1 $staged"; do
        rm -rf r && cp -a left r
        bash -c "$damage" 2>/dev/null
        run_tool stream-run r --drain --output got -c "$counts"
        [ "$status" = 5 ] || flunk "$damage: $status: $(cat "$err")"
        err_has 'staged/'
        [ ! -s got ] || flunk "$damage: it was written all the same"
    done
}

@test "the folder's fsync fails after the commit's rename: exit 4, no sink is told, and the next start publishes" {
    pipeline="stream-cat in --bad bad | stream-window tumbling 2s --by path count | stream-log append totals"
    sed -i 500s/.*/bad/ web
    head -n 1000 web >in
    stream-log create totals
    list_calls stream-run calm --once -c "$pipeline"
    [ -s bad ]
    stream-log read totals >wanted
    mv bad wanted-bad
    rm -rf totals
    stream-log create totals
    inject stream-run EIO "$(number_after 'rename .*/calm/commit' 'fsync .*/calm$')" stream-run r --once -c "$pipeline"
    is_status 4
    err_has 'cannot sync the folder' 'Input/output error'
    [ -e r/commit ]
    [ -z "$(stream-log read totals)" ] || flunk "the log was told"
    [ ! -s bad ] || flunk "the file was told"
    run_tool stream-run r --once -c "$pipeline"
    is_status 0
    stream-log read totals | cmp - wanted
    cmp bad wanted-bad
    [ -z "$(ls r/staged)" ]
}

@test "a sink in >( ) that is to finish what was committed is waited for, though the others have nothing to do" {
    pipeline="stream-cat in | tee >(sleep \${LATER:-0}; stream-filter '.status >= 400' | stream-log append errors) | stream-filter '.status < 400' | stream-log append others"
    make_logs() { rm -rf errors others && stream-log create errors && stream-log create others; }
    make_logs
    STREAM_INJECT_WITH=errors inject stream-log count 0 stream-run calm --drain --sinks 2 -c "$pipeline"
    is_status 0
    mv mark calls
    stream-log read errors >wanted
    [ -s wanted ]
    make_logs
    STREAM_INJECT_WITH=errors inject stream-log EIO "$(number_of 'fdatasync errors/runs|fdatasync .*/errors/runs')" stream-run r --drain --sinks 2 --restart 0 -c "$pipeline"
    is_status 4
    err_has 'Input/output error'
    LATER=0.5 run_tool stream-run r --drain --sinks 2 -c "$pipeline"
    is_status 0
    stream-log read errors | cmp - wanted
    [ -z "$(ls r/staged)" ]
}
