#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# create and append: what is in the log afterwards, to the byte, and what was said about it.

load ../support/helpers
load ../support/log

setup() { log_setup; }
teardown() { log_teardown; }

@test "what was appended is read, byte for byte, whatever way it came" {
    given <<'E'
{"n":1}
{ "n" : 2.50 , "s":"\u00e9é\/" }
{"id":12345678901234567890123,"big":1e400}
{"lone":"\ud800","twice":1,"twice":2}
{}
E
    cp "$input" "$wanted"
    golden bash -c 'rm -rf log; stream-log append log && stream-log read log'
    golden bash -c 'rm -rf log; stream-log append log --codec none --sync none && stream-log read log'
    golden bash -c 'rm -rf log; stream-log append log --partitions 3 && stream-log read log'
    golden bash -c 'rm -rf log; stream-log append log --partitions 3 --by twice && stream-log read log'
}

@test "line ends are no part of an event; blank lines and a byte order mark are none" {
    printf '\xef\xbb\xbf{"n":1}\r\n\n  \n{"n":2}\r\n\r\n{"n":3}' >"$input"
    run_tool stream-log append log
    is_status 0
    err_empty
    rm "$input"
    numbered 1 3 | log_has
}

@test "append writes nothing; a second one appends behind the first" {
    numbered 1 3 >"$input"
    run_tool stream-log append log
    is_status 0
    out_empty
    err_empty
    numbered 4 5 >"$input"
    run_tool stream-log append log
    is_status 0
    rm "$input"
    numbered 1 5 | log_has
}

@test "files in place of standard input, compressed ones too" {
    numbered 1 2 >a.ndjson
    numbered 3 4 | gzip -c >b.ndjson.gz
    numbered 5 6 | zstd -q -c >c.ndjson.zst
    numbered 7 8 >"$input"
    run_tool stream-log append log a.ndjson b.ndjson.gz c.ndjson.zst -
    is_status 0
    err_empty
    rm "$input"
    numbered 1 8 | log_has
}

@test "nothing appended: a log all the same" {
    : >"$input"
    run_tool stream-log append log --ack
    is_status 0
    out_empty
    log_has </dev/null
    run_tool stream-log info log
    project '{partition,first,next,records,segments}' <<<'{"partition":0,"first":0,"next":0,"records":0,"segments":[]}'
}

@test "--ack: a line for what is durable, the next one going on from there" {
    numbered 1 3 >"$input"
    run_tool stream-log append log --ack
    out_is <<<'{"partition":0,"first":0,"last":2}'
    numbered 4 4 >"$input"
    run_tool stream-log append log --ack
    out_is <<<'{"partition":0,"first":3,"last":3}'
    err_empty
}

@test "a batch is what is ready: events that come apart are acknowledged apart, at once" {
    mkfifo pipe
    in_background append stream-log append log --ack pipe
    exec 7>pipe
    echo '{"n":1}' >&7
    until_lines append.out 1
    numbered 1 1 | log_has
    echo '{"n":2}' >&7
    until_lines append.out 2
    exec 7>&-
    ended "$append_pid"
    is_status 0
    printf '{"partition":0,"first":%d,"last":%d}\n' 0 0 1 1 >"$wanted"
    same_bytes acks append.out
    numbered 1 2 | log_has
}

@test "--sync DUR: what comes within it is one batch" {
    mkfifo pipe
    in_background append stream-log append log --sync 1s --ack pipe
    exec 7>pipe
    echo '{"n":1}' >&7
    sleep 0.2
    echo '{"n":2}' >&7
    until_lines append.out 1
    exec 7>&-
    ended "$append_pid"
    is_status 0
    echo '{"partition":0,"first":0,"last":1}' >"$wanted"
    same_bytes acks append.out
}

@test "--raw: any bytes, empty lines and carriage returns too" {
    perl -e 'srand 7; for (1 .. 2000) { my $l = join "", map { my $b = int rand 256; $b == 10 ? "" : chr $b } 1 .. rand 60; print "$l\n" } print "\n\n\r\n \n\xef\xbb\xbf\n"' >bytes
    local how
    for how in '' '--codec none' '--codec zstd:19' '--segment 64KiB --codec none' '--partitions 4'; do
        rm -rf log
        cp bytes "$input"
        # shellcheck disable=SC2086
        run_tool stream-log append log --raw $how
        is_status 0
        err_empty
        rm "$input"
        log_has <bytes
    done
}

@test "--raw: lines that are no JSON, and a last one without its end" {
    printf 'plain text\n\nlast' >"$input"
    run_tool stream-log append log --raw --ack
    out_is <<<'{"partition":0,"first":0,"last":2}'
    rm "$input"
    printf 'plain text\n\nlast\n' | log_has
}

@test "a bad event stops: what came before it is appended" {
    printf '{"n":1}\n{"n":2}\n{"n":\n{"n":4}\n' >"$input"
    run_tool stream-log append log --ack
    is_status 3
    out_is <<<'{"partition":0,"first":0,"last":1}'
    err_has 'stream-log: stdin:3: '
    rm "$input"
    numbered 1 2 | log_has
}

@test "--bad skip, --bad FILE" {
    printf '{"n":1}\nx\n{"n":2}\n[]\n' >"$input"
    run_tool stream-log append log --bad skip
    is_status 0
    err_has '2 bad events'
    run_tool stream-log append log --bad dead.ndjson
    is_status 0
    rm "$input"
    printf '{"n":%d}\n' 1 2 1 2 | log_has
    jq -c '{line,raw}' dead.ndjson >"$out"
    out_is <<'E'
{"line":2,"raw":"x"}
{"line":4,"raw":"[]"}
E
}

@test "create says what the log is; info tells it" {
    run_tool stream-log create log --partitions 2 --by user.id --retain 7d --max-bytes 10MiB --segment 1MiB --codec zstd:3 --compact \
        --deleted '.op == "d"' --single-writer --time at
    is_status 0
    out_empty
    err_empty
    run_tool stream-log info log
    project .log <<'E'
{"partitions":2,"by":"user.id","time":"at","codec":"zstd:3","segment":1048576,"retain":"1w","max_bytes":10485760,"compact":true,"deleted":".op == \"d\"","single_writer":true}
{"partitions":2,"by":"user.id","time":"at","codec":"zstd:3","segment":1048576,"retain":"1w","max_bytes":10485760,"compact":true,"deleted":".op == \"d\"","single_writer":true}
E
    [ "$(stat -c %a log log/segments log/manifest | sort -u | tr '\n' ' ')" = '600 700 ' ]
}

@test "the defaults" {
    run_tool stream-log create log
    is_status 0
    run_tool stream-log info log
    project .log <<'E'
{"partitions":1,"by":null,"time":null,"codec":"zstd:1","segment":268435456,"retain":null,"max_bytes":null,"compact":false,"deleted":null,"single_writer":false}
E
}

@test "create where there is a log, or something else" {
    stream-log create log
    refused 2 stream-log create log <<<'stream-log: log is a log already'
    mkdir other
    touch other/thing
    refused 2 stream-log create other <<'E'
stream-log: other is a folder with something else in it ("thing")
hint: a log has a folder of its own
E
    mkdir empty
    run_tool stream-log create empty
    is_status 0
    touch file
    refused 2 stream-log create file <<<'stream-log: "file" is a file, and a log is a folder'
}

@test "append makes the log with create's options, and refuses others than it has" {
    numbered 1 10 >"$input"
    run_tool stream-log append log --partitions 4 --by n --codec none
    is_status 0
    run_tool stream-log append log --partitions 4 --by n
    is_status 0
    refused 2 stream-log append log --by user <<<'stream-log: --by is decided when a log is created: log has "n"'
    refused 2 stream-log append log --partitions 2 <<<'stream-log: --partitions is decided when a log is created: log has 4'
    refused 2 stream-log append log --codec zstd:1 <<<'stream-log: --codec is decided when a log is created: log has none'
    refused 2 stream-log append log --retain 7d <<<'stream-log: --retain is decided when a log is created: log has none'
    refused 2 stream-log append log --single-writer <<<'stream-log: --single-writer is decided when a log is created: log has none'
    rm "$input"
    [ "$(stream-log read log | wc -l)" -eq 20 ]
}

@test "--by: equal values share a partition, and each partition keeps its order" {
    local n
    for ((n = 1; n <= 400; n++)); do printf '{"user":"u%d","n":%d}\n' $((n % 17)) "$n"; done >"$input"
    run_tool stream-log append log --partitions 4 --by user --ack
    is_status 0
    [ "$(jq -s 'map(.last + 1) | add' "$out")" -eq 400 ]
    [ "$(jq -s 'map(.partition) == [0,1,2,3]' "$out")" = true ]
    rm "$input"
    stream-log read log --envelope >"$out"
    jq -s -e 'group_by(.user) | map(map(.partition) | unique | length) | unique == [1]' "$out" || flunk 'a user in two partitions'
    jq -s -e 'map(.n) == [range(1; 401)]' "$out" || flunk 'not in the order in which they were appended'
    jq -s -e 'group_by(.partition) | map(map(.offset) == [range(0; length)]) | all' "$out" || flunk 'offsets with holes'
}

@test "--by: keys by value, and a missing one where null goes" {
    printf '%s\n' '{"k":1}' '{"k":1.0}' '{"k":10e-1}' '{"k":null}' '{"x":1}' '{"k":"\u0061"}' '{"k":"a"}' >"$input"
    run_tool stream-log append log --partitions 64 --by k
    is_status 0
    rm "$input"
    stream-log read log --envelope >"$out"
    [ "$(jq -s -c 'map(.partition) | [.[0] == .[1], .[1] == .[2], .[3] == .[4], .[5] == .[6]]' "$out")" = '[true,true,true,true]' ] ||
        flunk "$(cat "$out")"
}

@test "--by: the partition is XXH3-64 of the key's canonical text" {
    # Of XXH3_64bits() in xxhash.h, seed 0, of the text on the left, mod 1000.
    local partition key
    while read -r partition key; do
        rm -rf log
        append "{\"k\":$key}" log --partitions 1000 --by k
        [ "$(stream-log read log --envelope | jq .partition)" -eq "$partition" ] || flunk "$key: not in partition $partition"
    done <<'E'
415 "u1"
804 "a longer key, of more than sixteen bytes"
811 17
811 17.0
673 null
539 {"b":[],"a":1}
E
}

@test "--idempotency-key: appended once, in one call, in the next, and without the saved keys" {
    printf '%s\n' '{"id":"a","n":1}' '{"id":"b"}' '{"id":"\u0061","n":2}' >"$input"
    run_tool stream-log append log --idempotency-key id
    is_status 0
    err_empty
    printf '%s\n' '{"id":"b","n":3}' '{"id":"c"}' >"$input"
    run_tool stream-log append log --idempotency-key id --ack
    is_status 0
    out_is <<<'{"partition":0,"first":2,"last":2}'
    rm -rf log/keys
    run_tool stream-log append log --idempotency-key id --ack
    is_status 0
    out_empty
    rm "$input"
    log_has <<'E'
{"id":"a","n":1}
{"id":"b"}
{"id":"c"}
E
}

@test "--idempotency-key: what others appended without it counts too" {
    append '{"id":1}' log
    append '{"id":1.0}' log --idempotency-key id
    append '{"id":"1"}' log --idempotency-key id
    append '{"id":"1"}' log
    log_has <<'E'
{"id":1}
{"id":"1"}
{"id":"1"}
E
}

@test "--idempotency-key --within: known for so long after it was appended" {
    append '{"id":1,"ts":"1999-01-01T00:00:00Z"}' log --idempotency-key id --within 2s
    append '{"id":1,"ts":"2026-01-01T00:00:00Z"}' log --idempotency-key id --within 2s
    [ "$(stream-log read log | wc -l)" -eq 1 ]
    sleep 2.2
    append '{"id":1,"ts":"1999-01-01T00:00:00Z"}' log --idempotency-key id --within 2s
    [ "$(stream-log read log | wc -l)" -eq 2 ]
}

@test "--idempotency-key: an event without it is bad" {
    printf '%s\n' '{"id":1}' '{"x":1}' >"$input"
    run_tool stream-log append log --idempotency-key id
    is_status 3
    err_is <<<'stream-log: stdin:2: no key: "id" is missing'
    printf '%s\n' '{"id":null}' >"$input"
    run_tool stream-log append log --idempotency-key id
    is_status 3
    err_is <<<'stream-log: stdin:1: no key: "id" is null'
    rm "$input"
    log_has <<<'{"id":1}'
}

@test "--idempotency-key: many, over several partitions" {
    awk 'BEGIN { for (n = 0; n < 6000; n++) printf "{\"id\":%d,\"n\":%d}\n", n % 4001, n }' >"$input"
    run_tool stream-log append log --partitions 3 --idempotency-key id
    is_status 0
    run_tool stream-log append log --idempotency-key id
    is_status 0
    rm "$input"
    [ "$(stream-log read log | jq -s 'map(.id) | sort == [range(0; 4001)]')" = true ]
}

@test "--expect-offset: the first one appends, the second is refused and appends nothing" {
    numbered 1 2 >"$input"
    run_tool stream-log append log --expect-offset 0
    is_status 0
    refused 6 stream-log append log --expect-offset 0 <<<'stream-log: log is at offset 2, not 0: somebody else was first'
    refused 6 stream-log append log --expect-offset 3 <<<'stream-log: log is at offset 2, not 3: somebody else was first'
    run_tool stream-log append log --expect-offset 2
    is_status 0
    rm "$input"
    printf '{"n":%d}\n' 1 2 1 2 | log_has
}

@test "--expect-offset: somebody appends between two batches of ours" {
    mkfifo pipe
    in_background first stream-log append log --expect-offset 0 --ack pipe
    exec 7>pipe
    echo '{"n":1}' >&7
    until_lines first.out 1
    append '{"n":2}' log
    echo '{"n":3}' >&7
    exec 7>&-
    ended "$first_pid"
    is_status 6
    echo 'stream-log: log is at offset 2, not 1: somebody else was first' >"$wanted"
    same_bytes stderr first.err
    numbered 1 2 | log_has
}

@test "--expect-offset is for one partition" {
    stream-log create log --partitions 2
    refused 2 stream-log append log --expect-offset 0 <<<'stream-log: log has 2 partitions: an expected offset is of a log of one'
}

@test "--single-writer: a second writer is refused at once, and let in when the first has ended" {
    stream-log create log --single-writer
    mkfifo pipe
    in_background first stream-log append log --ack pipe
    exec 7>pipe
    echo '{"n":1}' >&7
    until_lines first.out 1
    echo '{"n":2}' >"$input"
    refused 6 stream-log append log <<<'stream-log: log has a single writer, and somebody else is writing'
    exec 7>&-
    ended "$first_pid"
    is_status 0
    run_tool stream-log append log
    is_status 0
    rm "$input"
    numbered 1 2 | log_has
}

@test "--single-writer: the first one killed, the next one writes" {
    stream-log create log --single-writer
    mkfifo pipe
    in_background first stream-log append log --ack pipe
    exec 7>pipe
    echo '{"n":1}' >&7
    until_lines first.out 1
    kill -KILL "$first_pid"
    ended "$first_pid"
    exec 7>&-
    append '{"n":2}' log
    numbered 1 2 | log_has
}

@test "four writers at once: every event once, each writer's in order" {
    local writer pid
    stream-log create log --partitions 2 --by w
    for writer in 1 2 3 4; do
        # Forty batches and more: what comes apart is appended apart.
        perl -e '$| = 1; for my $n (0 .. 999) { print "{\"w\":$ARGV[0],\"n\":$n}\n"; select undef, undef, undef, 0.01 if $n % 25 == 24 }' $writer >lines.$writer
        in_background "w$writer" perl -e 'open STDOUT, "|-", "stream-log append log" or die; $| = 1; open my $f, "<", $ARGV[0] or die;
            while (<$f>) { print; select undef, undef, undef, 0.01 if $. % 25 == 0 } close STDOUT or exit 1' lines.$writer
    done
    for writer in 1 2 3 4; do
        pid=w${writer}_pid
        ended "${!pid}"
        is_status 0
    done
    stream-log read log >"$out"
    [ "$(jq -s -c 'group_by(.w) | map(map(.n) == [range(0; 1000)])' "$out")" = '[true,true,true,true]' ]
}

@test "SIGTERM: what was read is appended" {
    mkfifo pipe
    in_background append stream-log append log --sync 1h pipe
    exec 7>pipe
    numbered 1 3 >&7
    sleep 0.5
    kill -TERM "$append_pid"
    ended "$append_pid"
    exec 7>&-
    is_status 143
    numbered 1 3 | log_has
}

@test "killed: what was acknowledged is there, in order, and nothing else than what was sent" {
    local round acked
    mkfifo pipe
    for round in 1 2 3 4 5; do
        rm -rf log
        in_background append stream-log append log --ack pipe
        in_background source perl -e 'open my $f, ">", "pipe" or die; $| = 1; select $f; $| = 1; my $n = 0; print "{\"n\":", ++$n, "}\n" while 1'
        until_lines append.out 20
        kill -KILL "$append_pid"
        ended "$append_pid"
        ended "$source_pid"
        acked=$(grep '}$' append.out | tail -n 1 | jq .last)
        run_tool stream-log read log
        is_status 0
        [ "$(wc -l <"$out")" -gt "$acked" ]
        jq -s -e 'map(.n) == [range(1; length + 1)]' "$out" >/dev/null || flunk "round $round: not what was sent"
        echo '{"n":0}' | stream-log append log 2>remark
        [ "$(stream-log read log --from -1)" = '{"n":0}' ]
    done
}

@test "a torn tail: the next append cuts it off, says so and keeps it" {
    append '{"n":1}' log
    printf 'half a fra' >>"$(active_segment log)"
    log_has <<<'{"n":1}'
    echo '{"n":2}' >"$input"
    run_tool stream-log append log
    is_status 0
    err_is <<<'stream-log: log: what a writer that died left unfinished was cut off: 10 bytes with 0 whole records that were never acknowledged (a copy is in quarantine/)'
    rm "$input"
    numbered 1 2 | log_has
    grep -rq 'half a fra' log/quarantine
}

@test "damage in front of what is known to be durable: appending is refused, nothing is cut" {
    append "$(numbered 1 100)" log --codec none
    append "$(numbered 101 200)" log
    damage "$(active_segment log)" 170
    # What head vouches for is not read again; without it all of it is.
    rm log/head
    cp "$(active_segment log)" before
    echo '{"n":3}' >"$input"
    run_tool stream-log append log
    is_status 5
    err_has 'stream-log: log/segments/' '(bytes 64 to'
    err_well_formed stream-log
    cmp before "$(active_segment log)"
    [ ! -e log/head ]
}

@test "no room: status 4, nothing acknowledged, and the log goes on when there is" {
    stream-log create log --codec none
    append '{"n":1}' log
    numbered 1 20000 >"$input"
    # A limit on the size of files is what any user can set.
    run_tool bash -c 'ulimit -f 64; exec stream-log append log --ack'
    is_status 4
    out_empty
    err_well_formed stream-log
    rm "$input"
    log_has <<<'{"n":1}'
    append '{"n":2}' log
    numbered 1 2 | log_has
}

@test "--stats counts" {
    printf '%s\n' '{"id":1}' '{"id":2}' '{"id":1}' >"$input"
    run_tool stream-log append log --idempotency-key id --stats stats.ndjson
    is_status 0
    tail -n 1 stats.ndjson | jq -c '{tool,events_in,appended,duplicates,batches,final}' >"$out"
    out_is <<<'{"tool":"stream-log","events_in":3,"appended":2,"duplicates":1,"batches":1,"final":true}'
}
