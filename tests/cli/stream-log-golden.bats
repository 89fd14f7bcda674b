#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Logs of format version 1, as files that were once written (tests/golden/log/v1): what was read from them then
# is read from them by each later version, to the byte, and they go on. They are never made anew.
#
#   plain   codec none, one partition, a sealed segment (with its index) and an active one
#   keyed   zstd:1, two partitions by .user, sealed segments that were compacted, an index for each, two groups
#
# (Their segments are smaller than --segment would have them.) NAME.read and the like are what the verbs said.

load ../support/helpers
load ../support/log

golden_logs=$STREAM_ROOT/tests/golden/log/v1

setup() {
    log_setup
    cp -r "$golden_logs"/* .
    chmod -R u+w .
}
teardown() { log_teardown; }

said() { # FILE COMMAND…: what is in that file, status 0, no stderr
    local file=$1
    shift
    run_tool "$@"
    is_status 0
    err_empty
    out_is <"$file"
}

appended() { # DIR LINES <<ACKS
    cat >"$BATS_TEST_TMPDIR/acks"
    printf '%s\n' "$2" >"$input"
    said "$BATS_TEST_TMPDIR/acks" stream-log append "$1" --ack
    rm "$input"
}

@test "format 1: nothing is missing, and each verb says what it said" {
    local name
    for name in plain keyed; do
        said "$name.verify" stream-log verify "$name"
        said "$name.info" stream-log info "$name"
        said "$name.read" stream-log read "$name"
        said "$name.envelope" stream-log read "$name" --envelope
        said "$name.read" stream-cat "$name"
        # Who only reads changes nothing.
        diff -r "$name" "$golden_logs/$name"
    done
    said keyed.groups stream-log groups keyed
}

@test "format 1: without its indexes, which are caches" {
    rm plain/segments/*.idx keyed/segments/*.idx
    local name
    for name in plain keyed; do
        said "$name.read" stream-log read "$name"
        said "$name.verify" stream-log verify "$name"
    done
    run_tool stream-log read plain --from 2026-01-01T00:00:05Z --to 2026-01-01T00:00:06Z
    out_is <<<'{"ts":"2026-01-01T00:00:05Z","n":5,"text":"event"}'
}

@test "format 1: places in it" {
    run_tool stream-log read plain --from 2026-01-01T00:00:17Z --to 2026-01-01T00:00:20Z
    is_status 0
    out_is <<'E'
{"ts":"2026-01-01T00:00:17Z","n":17,"text":"event"}
{"ts":"2026-01-01T00:00:18Z","n":18,"text":"event"}
{"ts":"2026-01-01T00:00:19Z","n":19,"text":"  spaces, \u00e9 é and 雪"}
E
    # Offset 11 was compacted away; what is next has its own.
    run_tool stream-log read keyed --partitions 1 --from 11 --to 20 --envelope
    is_status 0
    err_empty
    grep '"partition":1,"offset":1[1-9],' keyed.envelope >between
    out_is <between
    run_tool stream-log read keyed --merge --from 2026-01-01T00:01:38Z
    is_status 0
    out_is <<'E'
{"ts":"2026-01-01T00:01:38Z","user":"u2","n":98}
{"ts":"2026-01-01T00:01:39Z","user":"u0","n":99}
E
}

@test "format 1, plain: it goes on" {
    local more='{"ts":"2026-01-01T00:00:24Z","n":24,"text":"new"}'
    appended plain "$more" <<<'{"partition":0,"first":24,"last":24}'
    { cat plain.read && echo "$more"; } | log_has plain
    run_tool stream-log verify plain
    is_status 0
    [ "$(jq -c '[.records, .damaged]' "$out")" = '[25,0]' ]
    # Into the next segment too.
    appended plain "$(numbered 25 140)" <<<'{"partition":0,"first":25,"last":140}'
    { cat plain.read && echo "$more" && numbered 25 140; } | log_has plain
    [ "$(stream-log info plain | jq '.segments | length')" -eq 3 ]
    stream-log verify plain
}

@test "format 1, keyed: it goes on, by the same keys, and its groups go on too" {
    # u1 has always been in partition 1, u7 in partition 0.
    local more='{"ts":"2026-01-01T00:02:00Z","user":"u1","n":100}
{"ts":"2026-01-01T00:02:01Z","user":"u7","n":101}'
    appended keyed "$more" <<'E'
{"partition":0,"first":41,"last":41}
{"partition":1,"first":59,"last":59}
E
    { cat keyed.read && echo "$more"; } | log_has keyed
    { grep -A 99 '"n":80}' keyed.read && echo "$more"; } >weekly
    said weekly stream-log consume keyed --group weekly -- cat
    { tail -n 30 keyed.read && echo "$more"; } >nightly
    said nightly stream-log consume keyed --group nightly -- cat
    stream-log groups keyed >"$out"
    [ "$(jq -s -c 'map([.group, .partition, .position, .lag])' "$out")" = \
        '[["nightly",0,42,0],["nightly",1,60,0],["weekly",0,42,0],["weekly",1,60,0]]' ]
    run_tool stream-log verify keyed
    is_status 0
    [ "$(jq -c '[.records, .damaged]' "$out")" = '[39,0]' ]
    # Compacted again: one event a user, the newest, and in the active segments all.
    stream-log compact keyed >/dev/null
    stream-log read keyed >"$out"
    tail -n 1 "$out" | grep -qF '"n":101'
    stream-log verify keyed
}
