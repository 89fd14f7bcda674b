#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Reading, joining and cutting out events. Text formats and following have their own files.

load ../support/helpers

@test "events pass byte for byte" {
    given <<'E'
{"a":1.0,"b":"\u0041\/","a":2}
{ "spaced" :	[ 1 , 2.50 , -0 ] , "u":"é😀" }
{}
{"deep":{"er":{"est":[[[[]]]]}},"n":1e400,"m":123456789012345678901234567890}
E
    cp "$input" "$wanted"
    golden stream-cat
}

@test "several files, one after the other; - is stdin" {
    cd "$BATS_TEST_TMPDIR"
    printf '{"a":1}\n{"a":2}' >one.ndjson
    printf '{"a":3}\n' | gzip >two.ndjson.gz
    printf '{"a":4}\n' | zstd -q >three
    given <<<'{"a":0}'
    run_tool stream-cat one.ndjson - two.ndjson.gz three
    is_status 0
    err_empty
    out_is <<'E'
{"a":1}
{"a":2}
{"a":0}
{"a":3}
{"a":4}
E
}

@test "a gzip file of several members, and a zstd file of several frames" {
    cd "$BATS_TEST_TMPDIR"
    { echo '{"a":1}' | gzip; echo '{"a":2}' | gzip; } >two.gz
    { echo '{"a":1}' | zstd -q; echo '{"a":2}' | zstd -q; } >two.zst
    printf '{"a":1}\n{"a":2}\n' >"$wanted"
    run_tool stream-cat two.gz
    is_status 0
    same_bytes gzip "$out"
    run_tool stream-cat two.zst
    is_status 0
    same_bytes zstd "$out"
}

@test "compressed bytes that are cut short or damaged: status 5 or 4, what could be read written" {
    cd "$BATS_TEST_TMPDIR"
    seq 1 20000 | sed 's/.*/{"a":&}/' >whole
    gzip -k whole
    zstd -q whole
    local file
    for file in whole.gz whole.zst; do
        head -c $(($(stat -c %s $file) / 2)) $file >cut
        run_tool stream-cat cut
        [ "$status" -eq 5 ] || [ "$status" -eq 4 ] || flunk "$file: $status"
        err_has cut
        cmp -n "$(stat -c %s "$out")" "$out" whole
    done
}

@test "files that overlap in time get a warning that names --merge" {
    cd "$BATS_TEST_TMPDIR"
    printf '{"ts":%d}\n' 1 5 >a
    printf '{"ts":%d}\n' 3 9 >b
    run_tool stream-cat a b
    is_status 0
    err_has --merge
    printf '{"ts":%d}\n' 6 9 >b
    run_tool stream-cat a b
    is_status 0
    err_empty
}

@test "--merge: by event time, ties by input, nothing dropped" {
    cd "$BATS_TEST_TMPDIR"
    printf '{"ts":%s,"f":"a"}\n' 1 3 5 >a
    printf '{"ts":%s,"f":"b"}\n' 2 3 4 >b
    printf '{"ts":%s,"f":"c"}\n' 3 3 >c
    run_tool stream-cat --merge a b c
    is_status 0
    err_empty
    project '[.ts,.f]' <<'E'
[1,"a"]
[2,"b"]
[3,"a"]
[3,"b"]
[3,"c"]
[3,"c"]
[4,"b"]
[5,"a"]
E
}

@test "--merge: a line counts as old as the newest its own input has shown" {
    cd "$BATS_TEST_TMPDIR"
    printf '{"ts":%s,"f":"a"}\n' 1 10 2 >a
    printf '{"ts":%s,"f":"b"}\n' 5 11 >b
    run_tool stream-cat --merge a b
    is_status 0
    project '[.ts,.f]' <<'E'
[1,"a"]
[5,"b"]
[10,"a"]
[2,"a"]
[11,"b"]
E
}

@test "--merge of FIFOs gives what --merge of files gives, whoever writes first" {
    cd "$BATS_TEST_TMPDIR"
    seq 1 3 300 | sed 's/.*/{"ts":&,"f":"a"}/' >a
    seq 2 2 300 | sed 's/.*/{"ts":&,"f":"b"}/' >b
    run_tool stream-cat --merge a b
    is_status 0
    cp "$out" "$wanted"
    mkfifo fa fb
    (sleep 0.3; cat a >fa) &
    cat b >fb &
    run_tool stream-cat --merge fa fb
    wait
    is_status 0
    same_bytes fifos "$out"
}

@test "--from and --to: times" {
    rows ts <<'E'
1
2
3
4
5
E
    run_tool stream-cat --from 1970-01-01T00:00:01.5Z --to 1970-01-01T00:00:04.5Z
    is_status 0
    project .ts <<<$'2\n3\n4'
    run_tool stream-cat --from @2.5
    project .ts <<<$'3\n4\n5'
    run_tool stream-cat --from start --to end
    project .ts <<<$'1\n2\n3\n4\n5'
}

@test "--from: the last N lines; a bare number is never a time" {
    seq 1 100000 | sed 's/.*/{"ts":&}/' >"$BATS_TEST_TMPDIR/many"
    run_tool stream-cat --from -3 "$BATS_TEST_TMPDIR/many"
    is_status 0
    out_is <<<$'{"ts":99998}\n{"ts":99999}\n{"ts":100000}'
    # Of a pipe, whatever pauses it makes.
    { printf '{"ts":%d}\n' 1 2; sleep 0.3; printf '{"ts":%d}\n' 3 4; sleep 0.3; printf '{"ts":%d}\n' 5; } | stream-cat --from -2 >"$out"
    out_is <<<$'{"ts":4}\n{"ts":5}'
    run_tool stream-cat --from 99999 "$BATS_TEST_TMPDIR/many"
    is_status 0
    [ "$(tail -n 1 "$out")" = '{"ts":100000}' ]
    [ "$(wc -l <"$out")" -le 2 ]
}

@test "--tag says where a line came from" {
    cd "$BATS_TEST_TMPDIR"
    echo '{"a":1.0 }' >one
    echo '{"a":2}' >two
    run_tool stream-cat --tag src one two
    is_status 0
    jq -se 'length == 2 and all(has("src")) and .[0].src != .[1].src and (.[0].src | tostring | contains("one"))' "$out" >/dev/null ||
        flunk "$(cat "$out")"
    grep -qF '{"a":1.0 ,"src":' "$out"
}

@test "--pace replays by event time" {
    rows ts <<'E'
0
1
2
E
    local start=${EPOCHREALTIME/./} took
    run_tool stream-cat --pace 10x
    took=$((${EPOCHREALTIME/./} - start))
    is_status 0
    cp "$input" "$wanted"
    same_bytes pace "$out"
    [ "$took" -ge 180000 ] || flunk "$took us"
    run_tool stream-cat --pace max
    same_bytes max "$out"
    run_tool stream-cat --pace fast
    is_status 2
}

@test "a file that is not there, a folder, a file that may not be read" {
    cd "$BATS_TEST_TMPDIR"
    run_tool stream-cat nowhere.ndjson
    is_status 4
    err_has nowhere.ndjson
    err_well_formed stream-cat
    mkdir folder
    run_tool stream-cat folder
    is_status 2
    err_has folder directory
    err_well_formed stream-cat
}

@test "what is not built in yet is refused by name" {
    run_tool stream-cat kafka://localhost:9092/topic
    is_status 2
    err_has 'not built in'
    given <<<'{}'
    run_tool stream-cat --format cvs
    is_status 2
    err_has cvs csv
}

@test "a file that is given twice is read twice, an empty one is nothing" {
    cd "$BATS_TEST_TMPDIR"
    echo '{"a":1}' >one
    : >empty
    run_tool stream-cat one empty one
    is_status 0
    out_is <<<$'{"a":1}\n{"a":1}'
    run_tool stream-cat empty
    is_status 0
    out_empty
    err_empty
}

@test "--stats FILE: counters as NDJSON" {
    rows ts <<<$'1\n2\n3'
    run_tool stream-cat --stats "$BATS_TEST_TMPDIR/stats"
    is_status 0
    err_empty
    jq -se 'length >= 1 and (.[-1] | [.. | numbers] | any(. == 3))' "$BATS_TEST_TMPDIR/stats" >/dev/null ||
        flunk "$(cat "$BATS_TEST_TMPDIR/stats")"
}
