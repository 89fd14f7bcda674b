#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Groups: consume (what a command gets, what is repeated, the status), read --group and commit, seek, groups.

load ../support/helpers
load ../support/log

setup() { log_setup; }
teardown() { log_teardown; }

# A command that keeps what it got, a file for each time it was run: got.1, got.2, …; its batch ids in `batches`.
# It ends as the file `fails` says (a status), if there is one.
cat_command() {
    cat >keep <<'E'
#!/bin/bash
echo "$STREAM_BATCH" >>batches
cat >"got.$(wc -l <batches)"
[ ! -e fails ] || exit "$(cat fails)"
E
    chmod +x keep
    : >batches
}

# consume by that command, with this status and nothing on stdout.
consume() { # STATUS ARG…
    local want_status=$1
    shift
    run_tool stream-log consume log --group g "$@" -- ./keep
    is_status "$want_status"
    out_empty
}

got() { # N A B: the Nth time the command got events A to B
    numbered "$2" "$3" >"$wanted"
    same_bytes "time $1" "got.$1"
}
times() { [ "$(wc -l <batches)" -eq "$1" ] || flunk "run $(wc -l <batches) times instead of $1"; }
batch() { sed -n "$1p" batches; }

# These members of group g, in its first partition.
group_is() { # MEMBERS JSON
    stream-log groups log | jq -c 'select(.group == "g" and .partition == 0)' >group
    [ "$(jq -c "{$1}" group)" = "$2" ] || flunk "$(jq -c "{$1}" group) instead of $2"
}

until_position() { # N: 3 seconds at most
    local i
    for ((i = 0; i < 60; i++)); do
        [ "$(stream-log groups log | jq .position)" = "$1" ] && return 0
        sleep 0.05
    done
    flunk "position $(stream-log groups log | jq .position) instead of $1"
}

pad=',"pad":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"'

# Ten thousand more events to a log that keeps fewer; its first offset then, in $gone.
ring() {
    local n
    for n in 0 1 2 3 4 5 6 7 8 9; do append "$(numbered $((n * 1000 + 1)) $((n * 1000 + 1000)) "$pad")" log; done
    gone=$(stream-log info log | jq .first)
    [ "$gone" -gt 1000 ]
}

@test "consume: what is new, once" {
    cat_command
    append "$(numbered 1 5)" log
    consume 0
    err_empty
    got 1 1 5
    consume 0
    err_empty
    times 1
    append "$(numbered 6 7)" log
    consume 0
    got 2 6 7
    times 2
    [[ $(batch 1) =~ ^[0-9a-f]{32}$ ]]
    [ "$(batch 1)" != "$(batch 2)" ]
    group_is position,lag,batch '{"position":7,"lag":0,"batch":null}'
}

@test "consume: nothing there, nothing run" {
    cat_command
    stream-log create log
    consume 0
    times 0
}

@test "consume: a failed batch comes again, the same, and what is new after it in the same call" {
    cat_command
    append "$(numbered 1 5)" log
    echo 3 >fails
    consume 3
    err_is <<<"stream-log: ./keep exited with 3: batch $(batch 1) is given again next time"
    group_is position,lag '{"position":null,"lag":5}'
    [ "$(jq -r .batch group)" = "$(batch 1)" ]
    append "$(numbered 6 9)" log
    consume 3
    times 2
    got 2 1 5
    [ "$(batch 2)" = "$(batch 1)" ]
    rm fails
    append "$(numbered 10 10)" log
    consume 0
    err_empty
    times 4
    got 3 1 5
    got 4 6 10
    [ "$(batch 3)" = "$(batch 1)" ]
    [ "$(batch 4)" != "$(batch 1)" ]
    consume 0
    times 4
}

@test "consume: the status is the command's, however it ended" {
    append '{"n":1}' log
    run_tool stream-log consume log --group a -- sh -c 'exit 77'
    is_status 77
    run_tool stream-log consume log --group b -- sh -c 'kill -KILL $$'
    is_status 137
    err_has 'sh was killed by signal 9: batch '
    run_tool stream-log consume log --group c -- ./no-such-command
    is_status 127
    err_has './no-such-command cannot be run: '
    touch no-program
    run_tool stream-log consume log --group d -- ./no-program
    is_status 126
    run_tool stream-log consume log --group e -- false
    is_status 1
    # Each of them gets it again.
    local g
    for g in a b c d e; do
        run_tool stream-log consume log --group $g -- cat
        is_status 0
        out_is <<<'{"n":1}'
    done
}

@test "consume: a command that does not read all of its input, and succeeds, is content" {
    append "$(numbered 1 100000)" log
    run_tool stream-log consume log --group g -- head -n 1
    is_status 0
    out_is <<<'{"n":1}'
    err_empty
    run_tool stream-log consume log --group g -- cat
    is_status 0
    out_empty
    append '{"n":1}' log
    run_tool stream-log consume log --group g -- true
    is_status 0
    group_is lag '{"lag":0}'
}

@test "consume: the command's own stdout and stderr, its arguments, its environment" {
    append '{"n":1}' log
    run_tool env STREAM_CONTROL=1 STREAM_KEY=k stream-log consume log --group g -- \
        sh -c 'echo "$#:$1:$2:$STREAM_CONTROL:$STREAM_KEY"; echo oops >&2; cat >/dev/null' word 'two words' --from
    is_status 0
    out_is <<<'2:two words:--from::'
    err_is <<<oops
}

@test "consume: killed while the command runs, the same batch comes again" {
    append "$(numbered 1 5)" log
    in_background consume stream-log consume log --group g -- sh -c 'echo "$STREAM_BATCH" >first; cat >/dev/null; while [ ! -e go ]; do sleep 0.05; done'
    until_lines first 1
    kill -KILL "$consume_pid"
    ended "$consume_pid"
    append "$(numbered 6 7)" log
    cat_command
    consume 0
    touch go
    got 1 1 5
    got 2 6 7
    times 2
    [ "$(batch 1)" = "$(cat first)" ]
}

@test "consume: SIGTERM reaches the command; the batch comes again" {
    append '{"n":1}' log
    in_background consume stream-log consume log --group g -- sh -c 'trap "echo told >told; exit 0" TERM; echo >started; while :; do sleep 0.1; done'
    until_lines started 1
    kill -TERM "$consume_pid"
    ended "$consume_pid"
    is_status 143
    [ "$(cat told)" = told ]
    cat_command
    consume 0
    got 1 1 1
}

@test "consume: a second one at the same time is refused" {
    append '{"n":1}' log
    in_background first stream-log consume log --group g -- sh -c 'echo >started; cat; while [ ! -e go ]; do sleep 0.05; done'
    until_lines started 1
    refused 6 stream-log consume log --group g -- cat <<<'stream-log: group "g" is being consumed by somebody else'
    run_tool stream-log consume log --group h -- cat
    is_status 0
    out_is <<<'{"n":1}'
    touch go
    ended "$first_pid"
    is_status 0
    run_tool stream-log consume log --group g -- cat
    is_status 0
    out_empty
}

@test "consume --max: so many at most" {
    cat_command
    append "$(numbered 1 10)" log
    consume 0 --max 4
    got 1 1 4
    consume 0 --max 4
    got 2 5 8
    echo 1 >fails
    consume 1 --max 1
    rm fails
    # The batch that is given again is what it was.
    consume 0 --max 4
    got 4 9 9
    got 5 10 10
    times 5
}

@test "consume --envelope" {
    append "$(numbered 1 2)" log
    run_tool stream-log consume log --group g --envelope -- jq -c '[.n, .partition, .offset]'
    is_status 0
    out_is <<'E'
[1,0,0]
[2,0,1]
E
}

@test "consume: several partitions in the order in which they were appended" {
    cat_command
    local n
    for n in 0 1 2; do append "$(numbered $((n * 30 + 1)) $((n * 30 + 30)))" log --partitions 3 --by n; done
    consume 0
    got 1 1 90
    append "$(numbered 91 120)" log
    echo 1 >fails
    consume 1
    append "$(numbered 121 130)" log
    rm fails
    consume 0
    got 2 91 120
    got 3 91 120
    got 4 121 130
}

@test "consume: a batch that is given again lacks what was excised since, and is done where nothing is left" {
    cat_command
    append "$(numbered 1 5)" log
    echo 1 >fails
    consume 1
    stream-log excise log --where '.n == 2 or .n == 5' >/dev/null
    consume 1
    err_has 'is given again next time'
    printf '{"n":%d}\n' 1 3 4 >"$wanted"
    same_bytes 'what is left' got.2
    [ "$(batch 2)" = "$(batch 1)" ]
    stream-log excise log --where '.n < 6' >/dev/null
    rm fails
    consume 0
    err_empty
    times 2
    append "$(numbered 6 7)" log
    consume 0
    times 3
    got 3 6 7
}

@test "consume: a damaged log: status 5, and the batch comes when it is repaired" {
    cat_command
    append "$(numbered 1 100)" log --codec none
    append "$(numbered 101 200)" log
    append "$(numbered 201 300)" log
    damage "$(active_segment log)" 1500
    run_tool stream-log consume log --group g -- ./keep
    is_status 5
    group_is position '{"position":null}'
    stream-log repair log >/dev/null
    run_tool stream-log consume log --group g --on-gap skip -- ./keep
    is_status 0
    [ "$(cat got.* | jq -s -c 'map(.n) | unique | length')" -eq 200 ]
    group_is lag '{"lag":0}'
}

@test "consume: a gap is named, with status 3, and nothing is given; --on-gap skip goes on" {
    cat_command
    stream-log create log --max-bytes 256KiB --codec none
    append '{"n":0}' log
    consume 0
    ring
    refused 3 stream-log consume log --group g -- ./keep <<E
stream-log: offsets 1..$((gone - 1)) are gone (partition 0)
hint: --on-gap skip goes on at offset $gone
E
    times 1
    consume 0 --on-gap skip
    err_is <<<"stream-log: offsets 1..$((gone - 1)) are gone (partition 0)"
    numbered "$gone" 10000 "$pad" >"$wanted"
    same_bytes kept got.2
    consume 0
    times 2
}

@test "groups know nothing of each other" {
    append "$(numbered 1 3)" log
    local g
    for g in one two; do
        run_tool stream-log consume log --group $g -- cat
        is_status 0
        numbered 1 3 | out_is
    done
}

@test "read --group shows again what is not committed; commit moves on" {
    append "$(numbered 1 10)" log
    local i
    for i in 1 2; do
        run_tool stream-log read log --group g
        is_status 0
        numbered 1 10 | out_is
        err_empty
    done
    run_shell 'stream-log read log --group g --envelope | head -n 4 | stream-log commit log --group g'
    err_empty
    out_empty
    group_is position,lag '{"position":4,"lag":6}'
    run_tool stream-log read log --group g
    numbered 5 10 | out_is
    run_shell 'stream-log read log --group g --envelope | stream-log commit log --group g'
    is_status 0
    run_tool stream-log read log --group g
    out_empty
}

@test "commit: the place may be anywhere in the event, and its stages may change the rest" {
    append "$(numbered 1 5)" log
    run_shell "stream-log read log --group g --envelope | jq -c '{x: .n, offset, partition}' | stream-log commit log --group g"
    is_status 0
    group_is position '{"position":5}'
}

@test "commit never goes back" {
    append "$(numbered 1 10)" log
    stream-log read log --envelope | stream-log commit log --group g
    stream-log read log --envelope --to 3 | stream-log commit log --group g
    group_is position '{"position":10}'
}

@test "commit: while its input goes on, within a second or two" {
    append "$(numbered 1 3)" log
    mkfifo pipe
    in_background commit sh -c 'exec stream-log commit log --group g <pipe'
    exec 7>pipe
    stream-log read log --envelope >&7
    until_position 3
    exec 7>&-
    ended "$commit_pid"
    is_status 0
}

@test "commit: what is no enveloped event, or of another log" {
    append "$(numbered 1 3)" log
    echo '{"n":1}' >"$input"
    refused 3 stream-log commit log --group g <<'E'
stream-log: stdin:1: not an enveloped event: no "partition"
hint: stream-log read DIR --group G --envelope writes them
E
    echo '{"partition":0,"offset":"x"}' >"$input"
    run_tool stream-log commit log --group g
    is_status 3
    err_has 'stream-log: stdin:1: not an enveloped event: "offset" is '
    echo '{"partition":1,"offset":0}' >"$input"
    refused 3 stream-log commit log --group g <<<'stream-log: stdin:1: not of this log: it has no partition 1'
    echo '{"partition":0,"offset":3}' >"$input"
    refused 3 stream-log commit log --group g <<<'stream-log: stdin:1: not of this log: partition 0 ends at offset 3, before 3'
    # What came before is committed.
    printf '%s\n' '{"partition":0,"offset":1}' x >"$input"
    run_tool stream-log commit log --group g
    is_status 3
    group_is position '{"position":2}'
}

@test "seek: offsets, the last ones, start, end, a time" {
    local n
    for n in 1 2 3 4 5 6 7 8 9 10; do append "{\"n\":$n,\"ts\":$n}" log; done
    local pos want
    while read -r pos want; do
        run_tool stream-log seek log "$pos" --group g
        is_status 0
        out_empty
        err_empty
        group_is position "{\"position\":$want}"
    done <<'E'
4 4
end 10
start 0
-3 7
-99 0
@6 5
1970-01-01T00:00:02.5Z 2
1971-01-01 10
-2h 10
10 10
E
    run_tool stream-log seek log --group g -- -2
    is_status 0
    group_is position '{"position":8}'
    run_tool stream-log read log --group g
    [ "$(jq -s -c 'map(.n)' "$out")" = '[9,10]' ]
}

@test "seek: past the end, or to what is gone" {
    append "$(numbered 1 3)" log
    refused 2 stream-log seek log 4 --group g <<'E'
stream-log: offset 4 is past the end of partition 0, which has 0 to 3
hint: end is where it ends
E
    rm -rf log
    stream-log create log --max-bytes 256KiB --codec none
    ring
    refused 2 stream-log seek log 4 --group g <<E
stream-log: offset 4 is gone from partition 0, which has $gone to 10000
hint: start is the oldest there is
E
}

@test "seek: some of the partitions" {
    append "$(numbered 1 100)" log --partitions 3 --by n
    stream-log seek log end --group g
    stream-log seek log 2 --group g --partitions 1
    [ "$(stream-log groups log | jq -s -c 'map(.position == .end)')" = '[true,false,true]' ]
    [ "$(stream-log groups log | jq -s -c '.[1].position')" = 2 ]
}

@test "seek: an open batch of consume is no more" {
    cat_command
    append "$(numbered 1 5)" log
    echo 1 >fails
    consume 1
    stream-log seek log 3 --group g
    group_is position,batch '{"position":3,"batch":null}'
    rm fails
    consume 0
    got 2 4 5
    [ "$(batch 2)" != "$(batch 1)" ]
}

@test "seek: what was read before it and is committed after it counts no more" {
    append "$(numbered 1 5)" log
    mkfifo pipe
    in_background commit sh -c 'exec stream-log commit log --group g <pipe'
    exec 7>pipe
    stream-log read log --envelope --to 2 >&7
    until_position 2
    stream-log seek log 0 --group g
    stream-log read log --envelope --from 2 >&7
    exec 7>&-
    ended "$commit_pid"
    is_status 6
    grep -qF 'was sought elsewhere' commit.err || flunk "$(cat commit.err)"
    group_is position '{"position":0}'
}

@test "a reader of the group follows a seek" {
    append "$(numbered 1 5)" log
    in_background follow stream-log read log --group g --follow
    until_lines follow.out 5
    stream-log seek log 3 --group g
    until_lines follow.out 7
    kill -TERM "$follow_pid"
    ended "$follow_pid"
    { numbered 1 5; numbered 4 5; } >"$wanted"
    same_bytes followed follow.out
}

@test "groups: lag in records, bytes and event time; members" {
    append "$(printf '{"n":%d,"ts":%d}\n' 1 10 2 20 3 50)" log
    stream-log seek log 1 --group g
    run_tool stream-log groups log
    is_status 0
    out_is <<'E'
{"group":"g","partition":0,"position":1,"end":3,"lag":2,"lag_bytes":32,"lag_seconds":30,"members":0,"batch":null}
E
    in_background follow stream-log read log --group g --follow
    until_lines follow.out 2
    group_is members '{"members":1}'
    kill -KILL "$follow_pid"
    ended "$follow_pid"
    group_is members '{"members":0}'
}

@test "groups: none, and several by name" {
    append '{"n":1}' log
    run_tool stream-log groups log
    is_status 0
    out_empty
    stream-log seek log end --group b-2
    stream-log seek log end --group A.1
    [ "$(stream-log groups log | jq -r .group | tr '\n' ' ')" = 'A.1 b-2 ' ]
}

@test "two readers share the partitions, and one takes over when the other is killed" {
    append "$(numbered 1 200)" log --partitions 4 --by n
    in_background a stream-log read log --group g --follow --envelope
    until_lines a.out 200
    # Nothing is committed, so what the second one takes over comes there again.
    in_background b stream-log read log --group g --follow --envelope
    until_lines b.out 1
    sleep 1
    jq -s -e 'map(.partition) | unique | length == 2' b.out
    append "$(numbered 201 400)" log
    sleep 1
    # Of the new ones each has come to exactly one of them.
    cat a.out b.out | jq -s -e 'map(.n | select(. > 200)) | sort == [range(201; 401)]'
    jq -s -e 'map(select(.n > 200) | .partition) | unique | length == 2' a.out
    kill -KILL "$a_pid"
    ended "$a_pid"
    sleep 1
    append "$(numbered 401 500)" log
    local i
    for ((i = 0; i < 20; i++)); do
        jq -s -e 'map(.n | select(. > 400)) | sort == [range(401; 501)]' b.out >verdict && break
        sleep 0.1
    done
    grep -qx true verdict || flunk 'the one that is left does not read all partitions'
    # Of what the killed one had not committed, all comes to the other.
    jq -s -e 'map(.n) | unique == [range(1; 501)]' b.out
}

@test "a reader that ends gives its partitions back" {
    append "$(numbered 1 100)" log --partitions 4 --by n
    in_background a stream-log read log --group g --follow --envelope
    until_lines a.out 100
    run_shell 'stream-log read log --group g --envelope | stream-log commit log --group g'
    is_status 0
    sleep 1
    append "$(numbered 101 200)" log
    sleep 1
    jq -s -e 'map(.n | select(. > 100)) | sort == [range(101; 201)]' a.out
}

@test "read --group on a terminal says once that positions are committed by commit" {
    need_terminal
    append '{"n":1}' log
    on_terminal 'stream-log read log --group g' >"$out"
    grep -qF 'stream-log: positions are committed by stream-log commit, the last stage of a pipe, not by having been printed' "$out"
}

@test "in a run, groups are refused" {
    append '{"n":1}' log
    refused 2 env STREAM_RUN=x stream-log read log --group g <<'E'
stream-log: --group in a run: the run keeps its own positions
hint: stream-log read DIR, without --group
E
    refused 2 env STREAM_RUN=x stream-log consume log --group g -- cat <<'E'
stream-log: consume in a run: the run keeps its own positions
hint: stream-log read DIR, without --group
E
    refused 2 env STREAM_RUN=x stream-log commit log --group g <<'E'
stream-log: commit in a run: the run keeps its own positions
hint: stream-log read DIR, without --group
E
}
