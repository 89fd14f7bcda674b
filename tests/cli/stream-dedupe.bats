#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0

load ../support/helpers

@test "the first copy passes with its own bytes; no event time is needed" {
    given <<'E'
{ "id" : "a", "n":1.0 }
{"id":"b","n":2e0}
{"id":"a","n":3}
{"id":"\u0061","n":4}
{"id":"c" }
E
    want <<'E'
{ "id" : "a", "n":1.0 }
{"id":"b","n":2e0}
{"id":"c" }
E
    golden stream-dedupe --by id
}

@test "keys compare by value and by type" {
    given <<'E'
{"id":1}
{"id":1.0}
{"id":10e-1}
{"id":"1"}
{"id":true}
{"id":[1,2]}
{"id":[1.0, 2]}
{"id":{"a":1,"b":[]}}
{"id":{ "b":[] , "a":1e0 }}
{"id":9007199254740993}
{"id":9007199254740992}
{"id":-0}
{"id":0}
{"id":"\ud83d\ude00"}
{"id":"😀"}
{"id":""}
E
    want <<'E'
{"id":1}
{"id":"1"}
{"id":true}
{"id":[1,2]}
{"id":{"a":1,"b":[]}}
{"id":9007199254740993}
{"id":9007199254740992}
{"id":-0}
{"id":"\ud83d\ude00"}
{"id":""}
E
    golden stream-dedupe --by id
}

@test "several keys: their boundaries count" {
    given <<'E'
{"a":"x","b":"yz"}
{"a":"xy","b":"z"}
{"b":"yz","a":"x"}
E
    want <<'E'
{"a":"x","b":"yz"}
{"a":"xy","b":"z"}
E
    golden stream-dedupe --by a,b
    golden stream-dedupe --by a --by b
}

@test "a path, a dotted name, an index" {
    given <<'E'
{"u":{"id":1},"id.x":1,"l":[{"s":"p"}]}
{"u":{"id":1},"id.x":1,"l":[{"s":"p"}]}
{"u":{"id":2},"id.x":2,"l":[{"s":"q"}]}
E
    sed 2d "$input" >"$wanted"
    golden stream-dedupe --by u.id
    golden stream-dedupe --by id.x
    golden stream-dedupe --by 's=l[0].s'
}

@test "a null or missing key is a bad event" {
    given <<'E'
{"id":1}
{"id":null}
{"x":1}
{"id":2}
E
    run_tool stream-dedupe --by id
    is_status 3
    err_has stdin:2 id
    out_is <<<'{"id":1}'
    run_tool stream-dedupe --by id --bad skip
    is_status 0
    out_is <<'E'
{"id":1}
{"id":2}
E
}

@test "--within counts from the copy that was written" {
    rows ts id n <<'E'
0 "a" 1
8 "a" 2
12 "a" 3
13 "b" 4
21 "a" 5
30 "a" 6
30 "b" 7
E
    want <<'E'
{"ts":0,"id":"a","n":1}
{"ts":12,"id":"a","n":3}
{"ts":13,"id":"b","n":4}
{"ts":30,"id":"a","n":6}
{"ts":30,"id":"b","n":7}
E
    golden stream-dedupe --by id --within 10s
}

@test "--within: order of arrival; a copy somewhat older than the written one is a repeat" {
    rows ts id <<'E'
20 "a"
15 "a"
11 "a"
25 "c"
E
    want <<'E'
{"ts":20,"id":"a"}
{"ts":25,"id":"c"}
E
    golden stream-dedupe --by id --within 10s --lateness 10s
}

@test "--within: a copy too old to be known is late" {
    rows ts id <<'E'
0 "a"
100 "b"
1 "a"
101 "c"
E
    want <<'E'
{"ts":0,"id":"a"}
{"ts":100,"id":"b"}
{"ts":101,"id":"c"}
E
    golden_status=3 golden stream-dedupe --by id --within 10s
    run_tool stream-dedupe --by id --within 10s
    err_has late --lateness
    local dead=$BATS_TEST_TMPDIR/late
    run_tool stream-dedupe --by id --within 10s --late "$dead"
    is_status 0
    [ "$(cat "$dead")" = '{"ts":1,"id":"a"}' ]
}

@test "--within needs event time" {
    given <<<'{"id":1,"time":"2021-07-21T06:00:00Z"}'
    run_tool stream-dedupe --by id --within 10s
    is_status 3
    err_has '--time time'
}

@test "--keep last: the last to arrive of those within the first's reach" {
    rows ts id n <<'E'
0 "a" 1
5 "a" 2
8 "a" 3
30 "b" 4
60 "c" 5
E
    want <<'E'
{"ts":8,"id":"a","n":3}
{"ts":30,"id":"b","n":4}
{"ts":60,"id":"c","n":5}
E
    golden stream-dedupe --by id --within 10s --keep last
}

@test "--keep last without --within is a usage error" {
    given <<<'{"id":1}'
    run_tool stream-dedupe --by id --keep last
    is_status 2
    err_has --within
    run_tool stream-dedupe --by id --keep middle
    is_status 2
    err_has first last
}

@test "--by is needed" {
    given <<<'{"id":1}'
    run_tool stream-dedupe
    is_status 2
    err_has --by
}

@test "--summary: what was suppressed is counted, all of it" {
    seq 1 50 | awk '{ printf "{\"ts\":%d,\"id\":\"a\"}\n", $1 }' >"$input"
    echo '{"ts":200,"id":"b"}' >>"$input"
    run_tool stream-dedupe --by id --within 100s --summary 20s
    is_status 0
    head -n 1 "$out" | diff - <(head -n 1 "$input")
    jq -se 'map(select(has("suppressed"))) | length >= 2 and all(.id == "a" and .ts == 1) and (map(.suppressed) | (add == 49 or max == 49))' \
        "$out" >/dev/null || flunk "$(cat "$out")"
}

@test "FILEs, one after the other, as one stream" {
    printf '{"id":%d}\n' 1 2 >"$BATS_TEST_TMPDIR/one"
    printf '{"id":%d}\n' 2 3 | zstd -q >"$BATS_TEST_TMPDIR/two.zst"
    run_tool stream-dedupe --by id "$BATS_TEST_TMPDIR/one" "$BATS_TEST_TMPDIR/two.zst"
    is_status 0
    err_empty
    [ "$(jq -s 'map(.id) | sort == [1,2,3]' "$out")" = true ]
}

@test "many keys: exactly the first of each, as awk finds them" {
    seq 1 200000 | awk '{ printf "{\"id\":\"user-%d\",\"n\":%d}\n", ($1 * 7919) % 60013, $1 }' >"$input"
    awk -F'"' '!seen[$4]++' "$input" >"$wanted"
    golden_from file stream-dedupe --by id
    golden_from pipe stream-dedupe --by id
}

@test "past --memory exact state goes to disk, the answer staying the same" {
    seq 1 300000 | awk '{ printf "{\"id\":%d}\n", ($1 * 7919) % 200003 }' >"$input"
    awk '!seen[$0]++' "$input" >"$wanted"
    golden_from file stream-dedupe --by id --memory 1MiB
}

@test "--approx: no repeat passes, and few first copies are lost" {
    { seq 1 50000; seq 1 50000; } | awk '{ printf "{\"id\":%d}\n", $1 }' >"$input"
    run_tool stream-dedupe --by id --approx 0.001
    is_status 0
    err_empty
    [ "$(sort "$out" | uniq -d | wc -l)" -eq 0 ]
    local kept
    kept=$(wc -l <"$out")
    [ "$kept" -le 50000 ] && [ "$kept" -ge 49850 ] || flunk "$kept of 50000"
}

@test "--state: what was seen stays seen, call after call" {
    local state=$BATS_TEST_TMPDIR/state day
    for day in 1 2 3; do
        printf '{"id":%d}\n' 1 2 "$((day + 2))" | within_limit stream-dedupe --by id --state "$state" >>"$out"
    done
    out_copy=$(cat "$out")
    [ "$out_copy" = "$(printf '{"id":%d}\n' 1 2 3 4 5)" ] || flunk "$out_copy"
}

@test "--state: what lies on disk is beside it, and goes when it is of no use" {
    local state=$BATS_TEST_TMPDIR/state case kept
    cd "$BATS_TEST_TMPDIR" || return
    stream-gen web --events 20000 --seed 4 --duplicates 5% --disorder 5% >all
    head -n 9000 all >one
    tail -n +9001 all >two
    for case in "--by id" "--by user,path --within 20s --keep last --lateness 10s" "--by path,user --within 1m --summary 10s --lateness 10s"; do
        # shellcheck disable=SC2086
        {
            stream-dedupe $case all >wanted
            stream-dedupe $case --memory 64KiB --state "$state" one >got
            kept=$(find "$state" -name 'state.*.kept-*' | wc -l)
            stream-dedupe $case --memory 64KiB --state "$state" /dev/null >>got
            stream-dedupe $case --memory 64KiB --state "$state" --final two >>got
        }
        cmp wanted got || flunk "$case"
        [ "$kept" -gt 0 ] || flunk "$case: nothing on disk"
        [ -z "$(find "$state" -mindepth 1 -name 'state*')" ] || flunk "$case: $(find "$state")"
        [ -z "$(find "$state/spill" -mindepth 1)" ] || flunk "$case: $(find "$state")"
        rm -r "$state"
    done
    # Damaged, gone: named. As it was: right.
    mkdir -p "$state/spill/streamutils-keys.killed"
    stream-dedupe --by id --memory 64KiB --state "$state" one >got
    [ -z "$(find "$state/spill" -mindepth 1)" ] || flunk "$(find "$state")"
    kept=$(find "$state" -name 'state.*.kept-*' -size +8k | head -n 1)
    cp "$kept" copy
    printf '\377\377\377\377' | dd of="$kept" bs=1 seek=4000 conv=notrunc status=none
    run_tool stream-dedupe --by id --memory 64KiB --state "$state" two
    is_status 5
    err_has "${kept##*/}"
    rm "$kept"
    run_tool stream-dedupe --by id --memory 64KiB --state "$state" two
    is_status 5
    err_has "${kept##*/}"
    mv copy "$kept"
    stream-dedupe --by id --memory 64KiB --state "$state" two >>got
    cmp <(stream-dedupe --by id all) got
}

@test "--state: a damaged, foreign or differently made state is a named error" {
    local state=$BATS_TEST_TMPDIR/state file
    given <<<'{"id":1}'
    run_tool stream-dedupe --by id --state "$state"
    is_status 0
    # Other arguments over the same state.
    run_tool stream-dedupe --by other --state "$state"
    [ "$status" -ne 0 ]
    [ -s "$err" ]
    file=$(find "$state" -type f -size +16c | head -n 1)
    printf '\377\377\377\377' | dd of="$file" bs=1 seek=12 conv=notrunc status=none
    run_tool stream-dedupe --by id --state "$state"
    is_status 5
    echo nonsense >"$file"
    run_tool stream-dedupe --by id --state "$state"
    is_status 5
}
