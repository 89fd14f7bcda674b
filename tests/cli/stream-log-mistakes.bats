#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a newcomer types, and what stream-log says to it: the status and every word.

load ../support/helpers
load ../support/log

setup() {
    log_setup
    stream-log create log
}
teardown() { log_teardown; }

@test "no verb, a wrong one, the words the other way round" {
    refused 2 stream-log <<'E'
stream-log: no verb is given
hint: create, append, read, consume, commit, info, groups, seek, retain, compact, archive, excise, verify or repair
E
    refused 2 stream-log raed log <<'E'
stream-log: no verb is called "raed"
hint: did you mean read?
E
    refused 2 stream-log frobnicate log <<'E'
stream-log: no verb is called "frobnicate"
hint: create, append, read, consume, commit, info, groups, seek, retain, compact, archive, excise, verify or repair
E
    refused 2 stream-log log read <<'E'
stream-log: no verb is called "log"
hint: the verb comes first: stream-log read log
E
}

@test "no folder, too many words" {
    refused 2 stream-log read <<'E'
stream-log: read needs the log's folder
hint: stream-log read DIR
E
    refused 2 stream-log read '' <<'E'
stream-log: the log's folder is an empty name
hint: stream-log read DIR
E
    refused 2 stream-log read log 10 <<'E'
stream-log: read takes no "10"
hint: stream-log read DIR --from 10
E
    refused 2 stream-log info log log2 <<'E'
stream-log: info takes no "log2"
hint: stream-log info DIR
E
    refused 2 stream-log seek log --group g <<'E'
stream-log: seek needs a position: start, end, N, -N or a time
hint: stream-log seek DIR POS --group G
E
    refused 2 stream-log archive log <<'E'
stream-log: archive needs the folder of the archive
hint: stream-log archive DIR DIR2
E
    refused 2 stream-log consume log --group g <<'E'
stream-log: consume needs a command, after --
hint: stream-log consume DIR --group G -- CMD
E
}

@test "an option of another verb" {
    refused 2 stream-log read log --ack <<'E'
stream-log: --ack does not go with read
hint: it goes with append
E
    refused 2 stream-log append log --follow <<'E'
stream-log: --follow does not go with append
hint: it goes with read
E
    refused 2 stream-log create log2 --from 3 <<'E'
stream-log: --from does not go with create
hint: it goes with read
E
    run_tool stream-log read log --folow
    is_status 2
    err_has '--folow' '--follow'
}

@test "there is no log" {
    local verb
    for verb in 'read nowhere' 'info nowhere' 'groups nowhere' 'commit nowhere --group g' 'consume nowhere --group g -- cat' \
        'seek nowhere 1 --group g' 'retain nowhere' 'archive nowhere cold' 'excise nowhere --where .x' 'verify nowhere' 'repair nowhere' 'compact nowhere'; do
        # shellcheck disable=SC2086
        refused 2 stream-log $verb <<'E'
stream-log: there is no log "nowhere"
hint: stream-log create nowhere makes one
E
    done
    [ ! -e nowhere ]
    refused 2 stream-log read 'no where' <<'E'
stream-log: there is no log "no where"
hint: stream-log create 'no where' makes one
E
}

@test "a file, a folder that is no log, a folder of logs" {
    echo '{"n":1}' >events.ndjson
    refused 2 stream-log read events.ndjson <<'E'
stream-log: "events.ndjson" is a file, not a log
hint: a log is a folder: stream-log append DIR <events.ndjson makes one of a file
E
    mkdir plain
    refused 2 stream-log read plain <<'E'
stream-log: "plain" is a folder, but no log
hint: stream-log create plain makes one
E
    mkdir topics
    stream-log create topics/web
    stream-log create topics/orders
    refused 2 stream-log read topics <<'E'
stream-log: "topics" is a folder, but no log
hint: in it are logs: topics/orders, topics/web
E
    run_tool stream-cat plain
    is_status 2
    err_well_formed stream-cat
}

@test "a manifest that cannot be read is damage, not a missing log" {
    damage log/manifest 70
    run_tool stream-log read log
    is_status 5
    err_has 'stream-log: log/manifest: '
    err_well_formed stream-log
    run_tool stream-cat log
    is_status 5
    err_has log/manifest
    run_tool stream-log append log
    is_status 5
}

@test "groups: none named, a bad name" {
    refused 2 stream-log consume log -- cat <<'E'
stream-log: consume needs --group NAME
hint: stream-log consume DIR --group G -- CMD
E
    refused 2 stream-log commit log <<'E'
stream-log: commit needs --group NAME
hint: stream-log commit DIR --group G
E
    local name
    for name in .hidden a/b ../up 'a b' -x "$(printf 'x%.0s' $(seq 201))"; do
        run_tool stream-log read log "--group=$name"
        is_status 2
        err_well_formed stream-log
        out_empty
    done
    refused 2 stream-log read log --group g --partitions 0 <<'E'
stream-log: --partitions and --group do not go together: the group's members share the partitions
E
    refused 2 stream-log read log --group g --from 3 <<'E'
stream-log: --from and --group do not go together: a group goes on where it was
hint: stream-log seek DIR POS --group G
E
    refused 2 stream-log read log --group g --merge <<'E'
stream-log: --merge and --group do not go together: the group's members share the partitions
E
}

@test "positions" {
    local pos
    for pos in soon 1.5 2h 99999999999999999999 2026-13-01; do
        run_tool stream-log read log --from "$pos"
        is_status 2
        err_has 'stream-log: --from: '
        err_well_formed stream-log
        run_tool stream-log seek log "$pos" --group g
        is_status 2
        err_well_formed stream-log
    done
}

@test "create: numbers, codecs, fields, conditions" {
    refused 2 stream-log create log2 --partitions 0 <<<'stream-log: --partitions: 1 to 4096, not 0'
    refused 2 stream-log create log2 --partitions 5000 <<<'stream-log: --partitions: 1 to 4096, not 5000'
    refused 2 stream-log create log2 --partitions two <<<'stream-log: --partitions: not a whole number: "two"'
    refused 2 stream-log create log2 --codec lz4 <<'E'
stream-log: --codec: no codec is called "lz4"
hint: zstd:1 to zstd:19, or none
E
    refused 2 stream-log create log2 --codec zstd:99 <<'E'
stream-log: --codec: no codec is called "zstd:99"
hint: zstd:1 to zstd:19, or none
E
    refused 2 stream-log create log2 --segment 10 <<<'stream-log: --segment: at least 64KiB'
    refused 2 stream-log create log2 --compact <<<'stream-log: --compact needs --by FIELD: the newest event of each key is kept'
    refused 2 stream-log create log2 --by a,b <<<'stream-log: --by: one field, not several: "a,b"'
    run_tool stream-log create log2 --by u --compact --deleted '.x =='
    is_status 2
    err_is <<'E'
stream-log: --deleted: unexpected end of the program, wanted an expression
.x ==
     ^
E
    run_tool stream-log create log2 --retain 7
    is_status 2
    run_tool stream-log create log2 --max-bytes many
    is_status 2
    [ ! -e log2 ]
    run_tool stream-log create nowhere/log2
    is_status 4
    err_well_formed stream-log
}

@test "append: what does not go together" {
    refused 2 stream-log append log --within 1d <<<'stream-log: --within goes with --idempotency-key FIELD'
    refused 2 stream-log append log --expect-offset 3 --idempotency-key id <<<'stream-log: --expect-offset and --idempotency-key do not go together'
    refused 2 stream-log append log --raw --bad skip <<<'stream-log: --bad does not go with --raw: lines are any bytes then, not events'
    refused 2 stream-log append log --sync soon <<'E'
stream-log: --sync: not a duration: "soon" (such are 250ms, 10s, 5m, 1h30m, 1d, 2w, PT5M)
hint: batch, none, or a duration: 50ms
E
    stream-log create keyed --partitions 2 --by u
    refused 2 stream-log append keyed --raw <<<'stream-log: --raw: the partitions of keyed go by "u", which raw lines do not have'
    refused 4 stream-log append log nowhere.ndjson <<<'stream-log: cannot open "nowhere.ndjson": No such file or directory'
}

@test "read: partitions that are not there; options that need --merge" {
    refused 2 stream-log read log --partitions 1 <<'E'
stream-log: --partitions: there is no partition 1
hint: the log has one, 0
E
    stream-log create four --partitions 4
    refused 2 stream-log read four --partitions 2-9 <<'E'
stream-log: --partitions: there is no partition 9
hint: the log has 0 to 3
E
    refused 2 stream-log read four --partitions 3-1 <<'E'
stream-log: --partitions: not a list of partitions: "3-1"
hint: --partitions 0-3,7
E
    refused 2 stream-log read log --bad skip <<<'stream-log: --bad goes with --merge'
    refused 2 stream-log read log --merge --idle 5s <<<'stream-log: --idle goes with --merge --follow'
}

@test "read: a time in --from and --to is the log's, not another field's" {
    printf '{"n":%d,"ts":%d,"seen":%d}\n' 1 10 103 2 20 102 3 30 101 | stream-log append log
    printf '{"n":%d,"at":%d,"ts":%d}\n' 1 10 103 2 20 102 3 30 101 | stream-log append own --time at
    local bound
    for bound in '--from @102' '--to @102' '--from 1 --to @102'; do
        # shellcheck disable=SC2086
        refused 2 stream-log read log --time seen $bound <<'E'
stream-log: --time seen: a time in --from and --to is one that events had when they were appended
hint: leave --time out, or choose by .seen with stream-filter
E
        # shellcheck disable=SC2086
        refused 2 stream-log read own --time ts $bound <<'E'
stream-log: --time ts: a time in --from and --to is one that events had when they were appended
hint: leave --time out, or choose by .ts with stream-filter
E
    done
    # What the log goes by itself may be said, and offsets go by no time.
    run_tool stream-log read own --time .at --from @20 --to @30
    is_status 0
    out_is <<<'{"n":2,"at":20,"ts":102}'
    run_tool stream-log read log --time seen --from 1 --to 2
    is_status 0
    out_is <<<'{"n":2,"ts":20,"seen":102}'
    # Merged, events come in that field's order, between bounds that are the log's.
    printf '{"n":%d,"ts":%d,"seen":%d}\n' 1 10 101 2 20 102 3 30 103 | stream-log append rising
    run_tool stream-log read rising --merge --time seen --from @20
    is_status 0
    out_is <<'E'
{"n":2,"ts":20,"seen":102}
{"n":3,"ts":30,"seen":103}
E
}

@test "excise: a condition is needed, and is none if it assigns" {
    refused 2 stream-log excise log <<'E'
stream-log: excise needs --where EXPR
hint: stream-log excise DIR --where EXPR
E
    run_tool stream-log excise log --where '.user = "u17"'
    is_status 2
    err_has 'stream-log: --where: ' 'hint: == compares'
    run_tool stream-log excise log --where '.user =='
    is_status 2
    err_is <<'E'
stream-log: --where: unexpected end of the program, wanted an expression
.user ==
        ^
E
}

@test "kafka:// is not built in" {
    refused 2 stream-log read kafka://localhost:9092/orders <<<'stream-log: "kafka://localhost:9092/orders": kafka:// is not built in'
}

@test "a log of a later version is refused, and left as it is" {
    # Byte 8 of a file is its major version; the header's CRC is wrong then too.
    perl -e 'open my $f, "+<", "log/manifest" or die; seek $f, 8, 0; print $f chr 2'
    cksum log/manifest >before
    run_tool stream-log read log
    is_status 5
    err_well_formed stream-log
    run_tool stream-log append log
    is_status 5
    cksum log/manifest | cmp - before
}

@test "--help begins with examples" {
    run_tool stream-log --help
    is_status 0
    head -n 12 "$out" | grep -q 'stream-log append'
    for verb in create append read consume commit info groups seek retain compact archive excise verify repair; do
        grep -q "\b$verb\b" "$out" || flunk "--help does not name $verb"
    done
}
