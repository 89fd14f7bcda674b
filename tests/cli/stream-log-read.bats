#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Reading a log: where from and how far, following, partitions, envelopes, gaps, damage; by other tools too.

load ../support/helpers
load ../support/log

setup() { log_setup; }
teardown() { log_teardown; }

pad=',"pad":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"'

# One event a second of 1970, in batches of two.
ten_seconds() {
    local n
    for n in 1 3 5 7 9; do append "$(printf '{"n":%d,"ts":%d}\n' $n $n $((n + 1)) $((n + 1)))" log "$@"; done
}

# reads N… -- ARG…: these events and no others.
reads() {
    local n
    : >"$BATS_TEST_TMPDIR/events"
    while [ "$1" != -- ]; do
        printf '{"n":%d,"ts":%d}\n' "$1" "$1" >>"$BATS_TEST_TMPDIR/events"
        shift
    done
    shift
    run_tool stream-log read log "$@"
    is_status 0
    out_is <"$BATS_TEST_TMPDIR/events"
    err_empty
}

@test "--from and --to: start, end, offsets, the last ones, times" {
    ten_seconds
    reads 1 2 3 4 5 6 7 8 9 10 -- --from start
    reads -- --from end
    reads 1 2 3 4 5 6 7 8 9 10 -- --from 0
    reads 4 5 6 7 8 9 10 -- --from 3
    reads 10 -- --from 9
    reads -- --from 10
    reads 8 9 10 -- --from -3
    reads 1 2 3 4 5 6 7 8 9 10 -- --from -99
    reads 1 2 3 -- --to 3
    reads -- --to start
    reads 1 2 3 4 5 6 7 8 9 10 -- --to end
    reads 1 2 3 4 5 6 7 8 -- --to -2
    reads 3 4 5 -- --from 2 --to 5
    reads -- --from 5 --to 2
    reads 5 6 7 8 9 10 -- --from @5
    reads 5 6 7 8 9 10 -- --from 1970-01-01T00:00:04.5Z
    reads 1 2 3 4 -- --to 1970-01-01T00:00:05Z
    reads 3 4 5 6 -- --from @3 --to @7
    reads 1 2 3 4 5 6 7 8 9 10 -- --from 1969-12-31
    reads -- --from 1971-01-01
    reads -- --from -2h
    reads 1 2 3 4 5 6 7 8 9 10 -- --to yesterday
}

@test "a time: the first event that is not older; of those behind it some may be" {
    append "$(printf '{"n":%d,"ts":%d}\n' 1 1 5 5 3 3)" log
    append "$(printf '{"n":%d,"ts":%d}\n' 2 2 9 9)" log
    reads 5 3 2 9 -- --from @3
    reads 5 3 2 9 -- --from @5
    reads 9 -- --from @6
    reads 1 -- --to @3
}

@test "a time, over many segments" {
    awk 'BEGIN { for (n = 1; n <= 20000; n++) printf "{\"n\":%d,\"ts\":%d}\n", n, n }' >events
    stream-log create log --segment 64KiB --codec none
    split -l 1000 events part.
    local part n
    for part in part.*; do stream-log append log "$part"; done
    [ "$(find log/segments -name '*.seg' | wc -l)" -gt 4 ]
    for n in 1 999 1000 1001 7777 13500 20000; do
        tail -n +"$n" events >"$wanted"
        stream-log read log --from "@$n" >"$out"
        same_bytes "from @$n" "$out"
        [ "$(stream-log read log --from "@$n" --to "@$((n + 3))" | wc -l)" -eq $((n + 3 > 20000 ? 20001 - n : 3)) ]
    done
}

@test "a time, in a log of plain lines: when they were appended" {
    printf 'old\n' | stream-log append log --raw
    sleep 1.2
    local between
    between=$(date -u +%FT%TZ)
    sleep 1
    printf 'new\n' | stream-log append log --raw
    run_tool stream-log read log --from "$between"
    is_status 0
    out_is <<<new
    run_tool stream-log read log --to "$between"
    out_is <<<old
}

@test "--time, the log's own time field, and STREAM_TIME" {
    append "$(printf '{"n":%d,"ts":%d,"at":%d}\n' 1 1 30 2 2 20 3 3 10)" log
    run_tool stream-log read log --from @2
    [ "$(jq -s -c 'map(.n)' "$out")" = '[2,3]' ]
    append "$(printf '{"n":%d,"ts":%d,"at":%d}\n' 1 3 10 2 2 20 3 1 30)" own --time at
    run_tool stream-log read own --from @15
    [ "$(jq -s -c 'map(.n)' "$out")" = '[2,3]' ]
    printf '{"n":%d,"ts":%d,"when":%d}\n' 1 9 10 2 8 20 | STREAM_TIME=when stream-log append env
    run_tool env STREAM_TIME=when stream-log read env --from @15
    [ "$(jq -s -c 'map(.n)' "$out")" = '[2]' ]
}

@test "--follow: what is there, and what comes, at once" {
    append '{"n":1}' log
    in_background follow stream-log read log --follow
    until_lines follow.out 1
    append '{"n":2}' log
    until_lines follow.out 2
    append "$(numbered 3 1000)" log
    until_lines follow.out 1000
    kill -TERM "$follow_pid"
    ended "$follow_pid"
    is_status 143
    numbered 1 1000 >"$wanted"
    same_bytes followed follow.out
    [ ! -s follow.err ]
}

@test "--follow --from end, -f; and Ctrl-C" {
    append '{"n":1}' log
    in_background follow stream-log read log -f --from end
    sleep 0.5
    append '{"n":2}' log
    until_lines follow.out 1
    kill -INT "$follow_pid"
    ended "$follow_pid"
    is_status 130
    echo '{"n":2}' >"$wanted"
    same_bytes followed follow.out
}

@test "--follow --to N ends there" {
    append '{"n":1}' log
    in_background follow stream-log read log --follow --to 3
    until_lines follow.out 1
    append "$(numbered 2 5)" log
    ended "$follow_pid"
    is_status 0
    numbered 1 3 >"$wanted"
    same_bytes followed follow.out
}

@test "--follow through full segments" {
    stream-log create log --segment 64KiB --codec none
    in_background follow stream-log read log --follow
    local n
    for n in 0 1 2 3 4 5 6 7; do append "$(numbered $((n * 1000 + 1)) $((n * 1000 + 1000)) "$pad")" log; done
    until_lines follow.out 8000
    kill -TERM "$follow_pid"
    ended "$follow_pid"
    [ "$(find log/segments -name '*.seg' | wc -l)" -gt 3 ]
    numbered 1 8000 "$pad" >"$wanted"
    same_bytes followed follow.out
}

@test "the reader of the output goes away: quietly, 141" {
    numbered 1 300000 | stream-log append log
    run_shell 'stream-log read log | head -n 1; exit ${PIPESTATUS[0]}'
    is_status 141
    err_empty
    out_is <<<'{"n":1}'
}

@test "several partitions come in the order in which they were appended, live and again" {
    stream-log create log --partitions 3 --by n
    in_background follow stream-log read log --follow
    local n
    for n in 0 1 2 3 4; do append "$(numbered $((n * 20 + 1)) $((n * 20 + 20)))" log; done
    until_lines follow.out 100
    kill -TERM "$follow_pid"
    ended "$follow_pid"
    numbered 1 100 >"$wanted"
    same_bytes live follow.out
    numbered 1 100 | log_has
}

@test "--partitions: some of them" {
    append "$(numbered 1 100)" log --partitions 5 --by n
    stream-log read log --envelope | jq -c 'select(.partition == 1 or .partition == 3 or .partition == 4) | {n}' >"$wanted"
    run_tool stream-log read log --partitions 3-4,1
    is_status 0
    same_bytes partitions "$out"
    local p total=0
    for p in 0 1 2 3 4; do total=$((total + $(stream-log read log --partitions $p | wc -l))); done
    [ "$total" -eq 100 ]
}

@test "an offset, in a log of several partitions: of each" {
    append "$(numbered 1 100)" log --partitions 4 --by n
    run_tool stream-log read log --from 5 --envelope
    [ "$(jq -s '[group_by(.partition)[] | map(.offset) | min] | unique | . == [5]' "$out")" = true ]
    run_tool stream-log read log --from -1
    [ "$(wc -l <"$out")" -eq 4 ]
}

@test "--merge: partitions in one order of event time" {
    # Each partition is in order by itself; as appended they are not.
    awk 'BEGIN { for (n = 0; n < 300; n++) printf "{\"k\":%d,\"ts\":%d}\n", n % 3, int(n / 3) + 1000 - 7 * (n % 3) }' >events
    stream-log append log --partitions 8 --by k <events
    jq -s -c 'sort_by(.ts) | map(.ts)' events >"$wanted"
    stream-log read log --merge | jq -s -c 'map(.ts)' >"$out"
    same_bytes merged "$out"
    stream-log read log --merge --envelope | jq -s -c 'group_by(.partition)[] | map(.offset) == [range(0; length)]' | sort -u >"$out"
    out_is <<<true
    run_tool stream-log read log --merge --from @1050 --to @1060
    is_status 0
    [ "$(jq -s 'map(.ts) | . == sort and min == 1050 and max == 1059' "$out")" = true ]
}

@test "--merge needs event times" {
    append '{"n":1}' log --partitions 2
    run_tool stream-log read log --merge
    is_status 3
    err_has 'no event time'
}

@test "--envelope: where it lies, and when it came" {
    append "$(numbered 1 2)" log
    local before after
    run_tool stream-log read log --envelope
    is_status 0
    sed -E 's/"append_time":"[0-9T:.-]+Z"/"append_time":T/' "$out" >shown
    cat >"$wanted" <<'E'
{"n":1,"partition":0,"offset":0,"append_time":T}
{"n":2,"partition":0,"offset":1,"append_time":T}
E
    same_bytes enveloped shown
    before=$(date +%s)
    append '{"n":3}' log
    after=$(date +%s)
    stream-log read log --from 2 --envelope |
        jq -e --argjson a "$before" --argjson b "$after" '.append_time[:19] + "Z" | fromdate | . >= $a and . <= $b'
}

@test "--envelope: members of these names are replaced, the other bytes stay" {
    append '{ "offset" : 7.50, "a":"\u0061", "partition":null,"append_time":{"x":[]} , "z":1e0}' log
    append '{}' log
    append '{ }' log
    stream-log read log --envelope | sed -E 's/"append_time":( *)"[0-9T:.-]+Z"/"append_time":\1T/' >"$out"
    out_is <<'E'
{ "offset" : 0, "a":"\u0061", "partition":0,"append_time":T , "z":1e0}
{"partition":0,"offset":1,"append_time":T}
{ "partition":0,"offset":2,"append_time":T}
E
}

@test "--envelope: a line that is no event" {
    printf 'plain "text"\n\n{"n":1}\n[1]\n\xff\xfe\n{"n":\n  \n' | stream-log append log --raw
    stream-log read log --envelope | sed -E 's/"append_time":"[0-9T:.-]+Z"/"append_time":T/' >"$out"
    out_is <<'E'
{"raw":"plain \"text\"","partition":0,"offset":0,"append_time":T}
{"raw":"","partition":0,"offset":1,"append_time":T}
{"n":1,"partition":0,"offset":2,"append_time":T}
{"raw":"[1]","partition":0,"offset":3,"append_time":T}
{"raw_base64":"//4=","partition":0,"offset":4,"append_time":T}
{"raw":"{\"n\":","partition":0,"offset":5,"append_time":T}
{"raw":"  ","partition":0,"offset":6,"append_time":T}
E
}

@test "a log is a FILE to the other tools" {
    ten_seconds
    stream-log read log >"$wanted"
    run_tool stream-cat log
    is_status 0
    same_bytes stream-cat "$out"
    run_tool stream-filter '.n > 8' log
    is_status 0
    [ "$(wc -l <"$out")" -eq 2 ]
    numbered 11 12 ',"ts":99' >more.ndjson
    run_tool stream-cat log more.ndjson
    [ "$(wc -l <"$out")" -eq 12 ]
    run_tool stream-cat --merge more.ndjson log
    [ "$(jq -s -c 'map(.n)' "$out")" = '[1,2,3,4,5,6,7,8,9,10,11,12]' ]
}

@test "stream-cat -f follows a log" {
    append '{"n":1}' log
    in_background follow stream-cat -f log
    until_lines follow.out 1
    append '{"n":2}' log
    until_lines follow.out 2
    kill -TERM "$follow_pid"
    ended "$follow_pid"
    is_status 143
    numbered 1 2 >"$wanted"
    same_bytes followed follow.out
}

# A log that has lost its first offsets; how many, in $gone.
ring() {
    stream-log create log --max-bytes 256KiB --codec none
    local n
    for n in 0 1 2 3 4 5 6 7 8 9; do append "$(numbered $((n * 1000 + 1)) $((n * 1000 + 1000)) "$pad")" log; done
    gone=$(stream-log info log | jq .first)
    [ "$gone" -gt 1000 ]
    [ "$(du -sb log/segments | cut -f 1)" -lt 350000 ]
}

@test "a gap: named, with status 3; or passed over, named too" {
    ring
    refused 3 stream-log read log --from 10 <<E
stream-log: offsets 10..$((gone - 1)) are gone (partition 0)
hint: --on-gap skip goes on at offset $gone
E
    run_tool stream-log read log --from 10 --on-gap skip
    is_status 0
    err_is <<<"stream-log: offsets 10..$((gone - 1)) are gone (partition 0)"
    numbered $((gone + 1)) 10000 "$pad" >"$wanted"
    same_bytes kept "$out"
    # What is kept from the start is no gap.
    run_tool stream-log read log
    is_status 0
    err_empty
    same_bytes kept "$out"
    run_tool stream-log read log --from $((gone - 1))
    is_status 3
    err_has "offset $((gone - 1)) is gone (partition 0)"
}

@test "a follower that is too slow for the ring: what it has missed is named, nothing else is missing" {
    stream-log create log --max-bytes 256KiB --codec none
    append "$(numbered 1 10 "$pad")" log
    mkfifo slow
    in_background follow sh -c 'exec stream-log read log --follow >slow'
    exec 7<slow
    local n
    for ((n = 0; n < 60; n++)); do append "$(numbered $((n * 1000 + 11)) $((n * 1000 + 1010)) "$pad")" log; done
    # One that says nothing follows for ever.
    timeout 10 cat <&7 >got || flunk 'jumped without a word' "$(wc -l <got) events, then" "$(tail -n 1 got)"
    exec 7<&-
    ended "$follow_pid"
    is_status 3
    local had first last
    had=$(wc -l <got)
    numbered 1 "$had" "$pad" | cmp - got
    [[ $(head -n 1 follow.err) =~ ^stream-log:\ offsets\ ([0-9]+)\.\.([0-9]+)\ are\ gone\ \(partition\ 0\)$ ]] || flunk "$(cat follow.err)"
    first=${BASH_REMATCH[1]} last=${BASH_REMATCH[2]}
    [ "$first" -eq "$had" ]
    run_tool stream-log read log --from $((last + 1))
    is_status 0
    [ "$(head -n 1 "$out" | jq .n)" -eq $((last + 2)) ]
}

@test "damage: what is before it is written, then status 5; --skip-corrupt reads the rest" {
    append "$(numbered 1 100)" log --codec none
    append "$(numbered 101 200)" log
    append "$(numbered 201 300)" log
    # In the second frame's payload: a frame of 100 events is some 1,100 bytes.
    damage "$(active_segment log)" 1500
    run_tool stream-log read log
    is_status 5
    err_well_formed stream-log
    err_has 'stream-log: log/segments/' 'hint: --skip-corrupt reads the rest'
    numbered 1 100 >"$wanted"
    same_bytes 'in front of the damage' "$out"
    run_tool stream-log read log --skip-corrupt
    is_status 0
    err_has 'stream-log: log/segments/'
    { numbered 1 100; numbered 201 300; } >"$wanted"
    same_bytes 'around the damage' "$out"
    run_tool stream-cat log
    is_status 5
}

@test "a lost or damaged head is no loss" {
    append "$(numbered 1 100)" log --partitions 2 --by n
    cp log/head head
    rm log/head
    numbered 1 100 | log_has
    damage log/head 20 2>/dev/null || cp head log/head
    damage log/head 20
    numbered 1 100 | log_has
    append "$(numbered 101 102)" log
    numbered 1 102 | log_has
    # An old one came back.
    cp head log/head
    numbered 1 102 | log_has
    append '{"n":103}' log
    numbered 1 103 | log_has
}

@test "a reader changes nothing" {
    ten_seconds
    printf 'torn' >>"$(active_segment log)"
    state() { find log -printf '%p %s %T@\n' | sort; find log -type f -exec cksum {} + | sort; }
    state >before
    stream-log read log >/dev/null
    stream-log read log --merge >/dev/null
    stream-log info log >/dev/null
    stream-log groups log >/dev/null
    stream-log verify log >/dev/null
    stream-cat log >/dev/null
    state >after
    cmp before after
}

@test "who may only read reads" {
    [ "$(id -u)" -eq 0 ] || skip 'only root can become somebody else'
    command -v setpriv >/dev/null || skip 'there is no setpriv'
    ten_seconds
    chmod -R go+rX log
    chmod 755 "$BATS_TEST_TMPDIR" "$PWD" "$BATS_RUN_TMPDIR" 2>/dev/null || true
    stream-log read log >"$wanted"
    local as='setpriv --reuid=65534 --regid=65534 --clear-groups'
    # shellcheck disable=SC2086
    $as test -r log/manifest || skip 'the tests lie in a folder that others may not enter'
    # shellcheck disable=SC2086
    run_tool $as stream-log read log
    is_status 0
    same_bytes 'as nobody' "$out"
    # shellcheck disable=SC2086
    run_tool $as stream-log info log
    is_status 0
    # shellcheck disable=SC2086
    run_tool $as stream-log append log
    is_status 4
    err_well_formed stream-log
}

@test "info: offsets, bytes and times" {
    append "$(printf '{"ts":%d}\n' 5 3 9)" log --codec none
    run_tool stream-log info log
    is_status 0
    project '{partition,first,next,records,raw_bytes,oldest,newest}' <<'E'
{"partition":0,"first":0,"next":3,"records":3,"raw_bytes":27,"oldest":"1970-01-01T00:00:05Z","newest":"1970-01-01T00:00:09Z"}
E
    [ "$(jq '.bytes' "$out")" -eq "$(stat -c %s "$(active_segment log)")" ]
    project '.segments[0] | {base,next,sealed,archived,newest}' <<'E'
{"base":0,"next":3,"sealed":false,"archived":false,"newest":"1970-01-01T00:00:09Z"}
E
    [ -f "log/$(jq -r '.segments[0].file' "$out")" ]
}
