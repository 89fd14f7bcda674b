#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# stream-join, events with events. Tables: stream-join-table.bats; real data: stream-join-oracle.bats; random
# inputs against nested loops: check/join_property.py.

load ../support/helpers

setup() { cd "$BATS_TEST_TMPDIR" || return 1; }

# Two small inputs: a pair at each end of the bounds, an event without a match on either side.
searches() {
    given <<'E'
{"ts":10,"user":"ann","q":"shoes"}
{"ts":20,"user":"bob","q":"hats"}
{"ts":30,"user":"ann","q":"coats"}
E
}
clicks() {
    cat >clicks <<'E'
{"ts":12, "user":"ann","item":1}
{"ts":15,"user":"ann" ,"item":2}
{"ts":19,"user":"bob","item":3}
{"ts":50,"user":"eve","item":4}
E
}

@test "inner: pairs, the sides' own bytes, the later of the two times" {
    searches
    clicks
    want <<'E'
{"ts":"1970-01-01T00:00:12Z","left":{"ts":10,"user":"ann","q":"shoes"},"right":{"ts":12, "user":"ann","item":1}}
{"ts":"1970-01-01T00:00:15Z","left":{"ts":10,"user":"ann","q":"shoes"},"right":{"ts":15,"user":"ann" ,"item":2}}
{"ts":"1970-01-01T00:00:20Z","left":{"ts":20,"user":"bob","q":"hats"},"right":{"ts":19,"user":"bob","item":3}}
E
    golden stream-join clicks --on user --within 5s
    golden stream-join clicks --on user --within 5s --type inner
    golden stream-join clicks --on user --before 5s --after 5s
}

@test "left: events of LEFT without a match, once none can come" {
    searches
    clicks
    want <<'E'
{"ts":"1970-01-01T00:00:12Z","left":{"ts":10,"user":"ann","q":"shoes"},"right":{"ts":12, "user":"ann","item":1}}
{"ts":"1970-01-01T00:00:15Z","left":{"ts":10,"user":"ann","q":"shoes"},"right":{"ts":15,"user":"ann" ,"item":2}}
{"ts":"1970-01-01T00:00:20Z","left":{"ts":20,"user":"bob","q":"hats"},"right":{"ts":19,"user":"bob","item":3}}
{"ts":"1970-01-01T00:00:30Z","left":{"ts":30,"user":"ann","q":"coats"},"right":null}
E
    golden stream-join clicks --on user --within 5s --type left
}

@test "right" {
    searches
    clicks
    want <<'E'
{"ts":"1970-01-01T00:00:12Z","left":{"ts":10,"user":"ann","q":"shoes"},"right":{"ts":12, "user":"ann","item":1}}
{"ts":"1970-01-01T00:00:15Z","left":{"ts":10,"user":"ann","q":"shoes"},"right":{"ts":15,"user":"ann" ,"item":2}}
{"ts":"1970-01-01T00:00:20Z","left":{"ts":20,"user":"bob","q":"hats"},"right":{"ts":19,"user":"bob","item":3}}
{"ts":"1970-01-01T00:00:50Z","left":null,"right":{"ts":50,"user":"eve","item":4}}
E
    golden stream-join clicks --on user --within 5s --type right
}

@test "full" {
    searches
    clicks
    want <<'E'
{"ts":"1970-01-01T00:00:12Z","left":{"ts":10,"user":"ann","q":"shoes"},"right":{"ts":12, "user":"ann","item":1}}
{"ts":"1970-01-01T00:00:15Z","left":{"ts":10,"user":"ann","q":"shoes"},"right":{"ts":15,"user":"ann" ,"item":2}}
{"ts":"1970-01-01T00:00:20Z","left":{"ts":20,"user":"bob","q":"hats"},"right":{"ts":19,"user":"bob","item":3}}
{"ts":"1970-01-01T00:00:30Z","left":{"ts":30,"user":"ann","q":"coats"},"right":null}
{"ts":"1970-01-01T00:00:50Z","left":null,"right":{"ts":50,"user":"eve","item":4}}
E
    golden stream-join clicks --on user --within 5s --type full
}

@test "semi and anti: events of LEFT in their own bytes, each once" {
    given <<'E'
{"ts":10, "user":"ann"}
{"ts":20,"user":"bob" }
{"ts":30,"user":"ann","n":1.0}
E
    clicks
    want <<'E'
{"ts":10, "user":"ann"}
{"ts":20,"user":"bob" }
E
    golden stream-join clicks --on user --within 5s --type semi
    want <<'E'
{"ts":30,"user":"ann","n":1.0}
E
    golden stream-join clicks --on user --within 5s --type anti
}

@test "both ends of the bounds are included, to the nanosecond" {
    given <<'E'
{"ts":"1970-01-01T00:00:10Z","l":1}
E
    cat >right <<'E'
{"ts":"1970-01-01T00:00:04.999999999Z","r":1}
{"ts":"1970-01-01T00:00:05Z","r":2}
{"ts":"1970-01-01T00:00:13Z","r":3}
{"ts":"1970-01-01T00:00:13.000000001Z","r":4}
E
    want <<'E'
{"ts":"1970-01-01T00:00:10Z","left":{"ts":"1970-01-01T00:00:10Z","l":1},"right":{"ts":"1970-01-01T00:00:05Z","r":2}}
{"ts":"1970-01-01T00:00:13Z","left":{"ts":"1970-01-01T00:00:10Z","l":1},"right":{"ts":"1970-01-01T00:00:13Z","r":3}}
E
    golden stream-join right --before 5s --after 3s
}

@test "one bound alone: the other is 0s" {
    rows ts l <<<$'10 1'
    printf '{"ts":%s}\n' 7 8 10 12 13 >right
    run_tool stream-join right --before 2s
    is_status 0
    project .right.ts <<<$'8\n10'
    run_tool stream-join right --after 2s
    is_status 0
    project .right.ts <<<$'10\n12'
}

@test "negative bounds: a least distance, on either side" {
    rows ts l <<<$'10 1'
    printf '{"ts":%s}\n' 3 4 5 6 9 10 11 14 15 16 17 >right
    run_tool stream-join right --before -5s --after 6s
    is_status 0
    err_empty
    project .right.ts <<<$'15\n16'
    run_tool stream-join right --before 6s --after -5s
    is_status 0
    project .right.ts <<<$'4\n5'
    run_tool stream-join right --before -5s --after 5s
    is_status 0
    project .right.ts <<<15
    # With nothing at that distance each is alone, and no result is out of order.
    printf '{"ts":%s}\n' 9 11 >right
    run_tool stream-join right --before -5s --after 6s --type full
    is_status 0
    project '[.left.ts,.right.ts]' <<<$'[null,9]\n[10,null]\n[null,11]'
    run_tool stream-join right --before 6s --after -5s --type full
    is_status 0
    project '[.left.ts,.right.ts]' <<<$'[null,9]\n[10,null]\n[null,11]'
}

@test "a result waits while an older event may still be without a match" {
    rows ts k <<'E'
10 "a"
12 "b"
E
    printf '{"ts":%s,"k":"b"}\n' 13 >right
    # The pair of 13 is known before it is known that 10 is alone.
    run_tool stream-join right --on k --within 5s --type left
    is_status 0
    project '[.left.ts,.right.ts]' <<<$'[10,null]\n[12,13]'
    run_tool stream-join right --on k --within 5s --type left --eager
    is_status 0
    project '[.left.ts,.right.ts]' <<<$'[12,13]\n[10,null]'
    # stream-window needs no lateness behind it.
    run_shell "stream-join right --on k --within 5s --type full <'$input' | stream-window tumbling 1s count"
    is_status 0
    err_empty
}

@test "results of one time: by the event of LEFT, then that of RIGHT, whatever the order of the lines" {
    given <<'E'
{"ts":3,"l":"c"}
{"ts":1,"l":"a"}
{"ts":2,"l":"b1"}
{"ts":2,"l":"b2"}
{"ts":5,"l":"d"}
E
    printf '%s\n' '{"ts":5,"r":2}' '{"ts":4,"r":1}' '{"ts":5,"r":3}' >right
    run_tool stream-join right --within 3s --lateness 5s --type full
    is_status 0
    err_empty
    project '[.ts[17:19],.left.l,.right.r]' <<'E'
["04","a",1]
["04","b1",1]
["04","b2",1]
["04","c",1]
["05","b1",2]
["05","b1",3]
["05","b2",2]
["05","b2",3]
["05","c",2]
["05","c",3]
["05","d",1]
["05","d",2]
["05","d",3]
E
}

@test "keys by value and type; null and missing match nothing, not even each other" {
    given <<'E'
{"ts":1,"k":1,"l":1}
{"ts":1,"k":"1","l":2}
{"ts":1,"k":null,"l":3}
{"ts":1,"l":4}
{"ts":1,"k":[1,{"a":2}],"l":5}
{"ts":1,"k":"\u0061","l":6}
{"ts":1,"k":9007199254740993,"l":7}
{"ts":1,"k":true,"l":8}
E
    cat >right <<'E'
{"ts":1,"k":1.0,"r":1}
{"ts":1,"k":null,"r":2}
{"ts":1,"r":3}
{"ts":1,"k":[1e0, { "a":2.0 }],"r":4}
{"ts":1,"k":"a","r":5}
{"ts":1,"k":9007199254740992,"r":6}
{"ts":1,"k":"true","r":7}
E
    run_tool stream-join right --on k --within 1s --type full
    is_status 0
    err_empty
    project '[.left.l,.right.r]' <<'E'
[1,1]
[2,null]
[3,null]
[4,null]
[5,4]
[6,5]
[7,null]
[8,null]
[null,2]
[null,3]
[null,6]
[null,7]
E
    run_tool stream-join right --on k --within 1s --type anti
    is_status 0
    project .l <<<$'2\n3\n4\n7\n8'
}

@test "several keys, by commas and by repeating; other names on the right; paths; all must be there" {
    given <<'E'
{"ts":1,"user":{"id":1},"site":"x","l":1}
{"ts":1,"user":{"id":1},"site":null,"l":2}
{"ts":1,"user":{"id":1},"site":"y","l":3}
E
    printf '%s\n' '{"ts":1,"uid":1,"site":"x","r":1}' '{"ts":1,"uid":1,"site":null,"r":2}' '{"ts":1,"uid":2,"site":"y","r":3}' >right
    local on
    for on in '--on user.id=uid,site' '--on user.id=uid --on site' '--on .user.id=.uid,.site=.site'; do
        # shellcheck disable=SC2086
        run_tool stream-join right $on --within 1s
        is_status 0
        project '[.left.l,.right.r]' <<<'[1,1]'
    done
}

@test "each input has its own form of a field: a name with a dot here, a path there" {
    given <<<'{"ts":1,"id":{"orig_h":"a"},"l":1}'
    echo '{"ts":1,"id.orig_h":"a","r":1}' >right
    run_tool stream-join right --on id.orig_h --within 1s
    is_status 0
    err_empty
    project '[.left.l,.right.r]' <<<'[1,1]'
    run_tool stream-join "$input" --on id.orig_h --within 1s <right
    run_shell "stream-join '$input' --on id.orig_h --within 1s <right"
    is_status 0
    project '[.left.r,.right.l]' <<<'[1,1]'
}

@test "expressions in --on, each for the events of its side alone" {
    given <<<'{"ts":1,"customer":"7","l":1}'
    printf '%s\n' '{"ts":1,"id":7,"r":1}' '{"ts":1,"id":8,"r":2}' >right
    run_tool stream-join right --on '(.customer|tonumber)=id' --within 1s
    is_status 0
    err_empty
    project '[.left.l,.right.r]' <<<'[1,1]'
    run_shell "stream-join '$input' --on 'id=(.customer|tonumber)' --within 1s <right"
    is_status 0
    err_empty
    project '[.left.r,.right.l]' <<<'[1,1]'
    run_tool stream-join right --on '(.customer|tonumber|. >= 7)=(.id == 7)' --within 1s
    is_status 0
    project '[.left.l,.right.r]' <<<'[1,1]'
    # libjq's, and one that yields nothing: no key.
    run_tool stream-join right --on '(.customer|ltrimstr("x")|tonumber)=(.id|select(. < 8)|[.]|first)' --within 1s --type full
    is_status 0
    project '[.left.l,.right.r]' <<<$'[1,1]\n[null,2]'
    run_tool stream-join right --on '(.customer|error("no"))=id' --within 1s
    is_status 3
    err_has stdin:1
    err_well_formed stream-join
}

@test "without --on everything in time matches" {
    rows ts l <<<$'1 1\n3 2'
    printf '{"ts":%s,"r":%s}\n' 1 1 2 2 9 3 >right
    want <<'E'
{"ts":"1970-01-01T00:00:01Z","left":{"ts":1,"l":1},"right":{"ts":1,"r":1}}
{"ts":"1970-01-01T00:00:02Z","left":{"ts":1,"l":1},"right":{"ts":2,"r":2}}
{"ts":"1970-01-01T00:00:03Z","left":{"ts":3,"l":2},"right":{"ts":2,"r":2}}
E
    golden stream-join right --within 1s
}

@test "--flat: members of both, RIGHT's with a prefix; --as names it" {
    given <<'E'
{"user":"ann","ts":10,"n":1.0}
{"user":"bob","ts":20,"n":2}
E
    echo '{ "ts":12 ,"user":"ann","a b":[1, 2],"\u0061":null}' >right
    echo '{"ts":40,"user":"eve"}' >>right
    want <<'E'
{"user":"ann","ts":"1970-01-01T00:00:12Z","n":1.0,"right_ts":12,"right_user":"ann","right_a b":[1, 2],"right_a":null}
{"user":"bob","ts":"1970-01-01T00:00:20Z","n":2}
{"ts":"1970-01-01T00:00:40Z","right_ts":40,"right_user":"eve"}
E
    golden stream-join right --on user --within 5s --type full --flat
    sed -i 's/right_/click_/g' "$wanted"
    golden stream-join right --on user --within 5s --type full --flat --as click
    # Where LEFT has no ts of its own it comes last.
    given <<<'{"at":10,"user":"ann"}'
    want <<'E'
{"at":10,"user":"ann","ts":"1970-01-01T00:00:12Z","right_ts":12,"right_user":"ann","right_a b":[1, 2],"right_a":null}
E
    golden stream-join right --on user --within 5s --flat --time at=ts
}

@test "--flat writes no name twice: RIGHT's value stands where LEFT has the name" {
    given <<<'{"ts":1,"k":1,"right_v":"mine","w":"right_"}'
    echo '{"ts":1,"k":1,"v":"theirs"}' >right
    want <<'E'
{"ts":"1970-01-01T00:00:01Z","k":1,"right_v":"theirs","w":"right_","right_ts":1,"right_k":1}
E
    golden stream-join right --on k --within 5s --flat
}

@test "a flat result joins again, and a nested one is windowed, without flags" {
    rows ts k l <<<$'1 1 1\n2 2 2'
    printf '{"ts":%s,"k":%s,"r":%s}\n' 2 1 1 3 2 2 >right
    printf '{"ts":%s,"k":%s,"z":%s}\n' 4 1 1 >third
    run_shell "stream-join right --on k --within 5s --flat <'$input' | stream-join third --on k --within 5s --flat --as z"
    is_status 0
    err_empty
    out_is <<'E'
{"ts":"1970-01-01T00:00:04Z","k":1,"l":1,"right_ts":2,"right_k":1,"right_r":1,"z_ts":4,"z_k":1,"z_z":1}
E
    run_shell "stream-join right --on k --within 5s <'$input' | stream-window tumbling 1m --by left.k count"
    is_status 0
    err_empty
    project '[.left.k,.count]' <<<$'[1,1]\n[2,1]'
}

@test "times: RFC 3339 against epoch milliseconds, each input its own field, guessed or told" {
    given <<<'{"when":"1970-01-01T00:16:40Z","k":1}'
    echo '{"source":{"ts_ms":1000500000000},"k":1}' >right
    run_tool stream-join right --on k --within 1s --time when=source.ts_ms
    is_status 0
    out_empty
    echo '{"source":{"ts_ms":1000500},"k":1}' >right
    sed -i 's/00:16:40Z/00:16:40.25Z/' "$input"
    echo '{"source":{"at":"1970-01-01 00:16:41"},"k":1}' >right
    want <<'E'
{"ts":"1970-01-01T00:16:41Z","left":{"when":"1970-01-01T00:16:40.25Z","k":1},"right":{"source":{"at":"1970-01-01 00:16:41"},"k":1}}
E
    golden stream-join right --on k --within 1s --time when=source.at
    # One side told, the other as always.
    echo '{"ts":1001,"k":1}' >right
    run_tool stream-join right --on k --within 1s --time when=
    is_status 0
    project .right.ts <<<1001
    run_shell "stream-join '$input' --on k --within 1s --time =when <right"
    is_status 0
    project .left.ts <<<1001
    # Before 1970.
    rows ts k <<<$'-5 1'
    echo '{"ts":"1969-12-31T23:59:54Z","k":1}' >right
    run_tool stream-join right --on k --within 1s
    is_status 0
    project .ts <<<'"1969-12-31T23:59:55Z"'
}

@test "late: by the watermark of its own input, however far the other is" {
    rows ts l <<<$'100 1\n200 2'
    # 10 is far behind LEFT, and in time in its own input; 5 is not.
    printf '{"ts":%s}\n' 8 10 5 101 >right
    run_tool stream-join right --within 1s --type full
    is_status 3
    project '[.left.ts,.right.ts]' <<<$'[null,8]\n[null,10]\n[100,101]\n[200,null]'
    err_has '1 late event, dropped; the latest by 5s'
    err_has --lateness --late
    err_well_formed stream-join
    run_tool stream-join right --within 1s --type full --late drop
    is_status 0
    err_has '1 late event, dropped'
    rm -f kept
    run_tool stream-join right --within 1s --type full --late kept
    is_status 0
    [ "$(cat kept)" = '{"ts":5}' ]
    run_tool stream-join right --within 1s --type full --lateness 0s=5s
    is_status 0
    err_empty
    project '[.left.ts,.right.ts]' <<<$'[null,5]\n[null,8]\n[null,10]\n[100,101]\n[200,null]'
}

@test "late: told by how much, and with what --lateness all would have been kept" {
    rows ts k <<<$'20 1\n10 1\n14 1\n18 1'
    : >right
    run_tool stream-join right --within 1s --type left --lateness 3s
    is_status 3
    project .left.ts <<<$'18\n20'
    err_has '2 late events, dropped; the latest by 10s'
    grep -qE 'hint: --lateness 10s' "$err" || flunk "$(cat "$err")"
    run_tool stream-join right --within 1s --type left --lateness 10s=0s
    is_status 0
    err_empty
    project .left.ts <<<$'10\n14\n18\n20'
}

@test "--lateness all: sorted at the end" {
    rows ts k <<<$'20 1\n10 1'
    printf '{"ts":%s,"k":1}\n' 11 19 1 >right
    run_tool stream-join right --on k --within 1s --lateness all
    is_status 0
    project '[.left.ts,.right.ts]' <<<$'[10,11]\n[20,19]'
}

@test "a bad line of either input: its place, its policy" {
    rows ts k <<<$'1 1'
    printf '%s\n' '{"ts":1,"k":1}' '{"ts":2,' >right
    run_tool stream-join right --on k --within 5s
    is_status 3
    err_has right:2
    run_tool stream-join right --on k --within 5s --bad skip
    is_status 0
    err_has '1 bad event'
    [ "$(wc -l <"$out")" -eq 1 ]
    rm -f dead
    printf '%s\n' '{"k":1}' '{"ts":2,"k":1}' >right
    run_tool stream-join right --on k --within 5s --bad dead
    is_status 0
    [ "$(jq -r '[.source,.line,.raw]|@csv' dead)" = '"right",1,"{""k"":1}"' ] || flunk "$(cat dead)"
    printf '%s\n' '{"ts":1,"k":1}' nonsense >"$input"
    run_tool stream-join right --on k --within 5s --time ts --bad skip
    is_status 0
    err_has '2 bad events'
}

@test "compressed inputs, CSV and TSV by the name's ending, --format" {
    searches
    printf 'ts,user,item\n12,ann,1\n19,bob,\n' >clicks.csv
    gzip -k clicks.csv
    zstd -q clicks.csv
    tr , '\t' <clicks.csv >clicks.tsv
    local file
    want <<'E'
{"ts":"1970-01-01T00:00:12Z","left":{"ts":10,"user":"ann","q":"shoes"},"right":{"ts":12,"user":"ann","item":1}}
{"ts":"1970-01-01T00:00:20Z","left":{"ts":20,"user":"bob","q":"hats"},"right":{"ts":19,"user":"bob","item":null}}
E
    for file in clicks.csv clicks.csv.gz clicks.csv.zst clicks.tsv; do golden stream-join $file --on user --within 5s; done
    cp clicks.csv.gz clicks
    golden stream-join clicks --on user --within 5s --format ndjson=csv
    golden stream-join clicks --on user --within 5s --format =csv
    run_shell "stream-join '$input' --on user --within 5s --format csv <clicks.csv"
    is_status 0
    [ "$(wc -l <"$out")" -eq 2 ]
    run_tool stream-join clicks --on user --within 5s
    is_status 3
    err_has clicks:1 csv
}

@test "pipes: <( ), a fifo, and both sides one byte at a time" {
    searches
    clicks
    stream-join clicks --on user --within 5s --type full <"$input" >"$wanted"
    run_shell "stream-join <(cat clicks) --on user --within 5s --type full <'$input'"
    is_status 0
    same_bytes '<( )' "$out"
    run_shell "cat '$input' | stream-join <(sleep 0.3; cat clicks) --on user --within 5s --type full"
    is_status 0
    same_bytes 'RIGHT later' "$out"
    run_shell "(sleep 0.3; cat '$input') | stream-join <(cat clicks) --on user --within 5s --type full"
    is_status 0
    same_bytes 'LEFT later' "$out"
    run_shell "perl '$STREAM_ROOT/tests/support/dribble.pl' <'$input' | stream-join <(perl '$STREAM_ROOT/tests/support/dribble.pl' <clicks) --on user --within 5s --type full"
    is_status 0
    same_bytes 'bytes' "$out"
}

@test "empty inputs" {
    : >empty
    clicks
    : >"$input"
    run_tool stream-join clicks --on user --within 5s --type left
    is_status 0
    out_empty
    run_tool stream-join clicks --on user --within 5s --type right
    is_status 0
    [ "$(wc -l <"$out")" -eq 4 ]
    run_tool stream-join empty --within 5s --type full
    is_status 0
    out_empty
    err_empty
    searches
    run_tool stream-join /dev/null --on user --within 5s --type anti
    is_status 0
    cp "$input" "$wanted"
    same_bytes 'anti with nothing' "$out"
}

@test "a followed RIGHT: read on, results as they come" {
    clicks
    head -n 1 clicks >grows
    mkfifo left
    (stream-join -f grows --on user --within 5s --type left <left >"$out" 2>"$err"; echo $? >status) 3>&- &
    local i
    written() { for i in $(seq 200); do [ "$(wc -l <"$out")" -ge "$1" ] && return; sleep 0.1; done; flunk "$(cat "$out" "$err")"; }
    exec 9>left
    echo '{"ts":10,"user":"ann"}' >&9
    sleep 0.3
    sed -n 2,3p clicks >>grows
    echo '{"ts":18,"user":"bob"}' >&9
    echo '{"ts":60,"user":"ann"}' >&9
    written 2
    project '[.left.ts,.right.ts]' <<<$'[10,12]\n[10,15]'
    echo '{"ts":70,"user":"ann"}' >>grows
    written 3
    project '[.left.ts,.right.ts]' <<<$'[10,12]\n[10,15]\n[18,19]'
    # LEFT ends; RIGHT is past what 60 may match; nothing of LEFT is left: that is the end.
    exec 9>&-
    written 4
    project '[.left.ts,.right.ts]' <<<$'[10,12]\n[10,15]\n[18,19]\n[60,null]'
    for i in $(seq 100); do [ -e status ] && break; sleep 0.1; done
    [ -e status ] || flunk "still there"
    [ "$(cat status)" -eq 0 ] || flunk "$(cat status) $(cat "$err")"
}

@test "a log as RIGHT" {
    [ -x "$STREAM_BIN/stream-log" ] || skip "there is no stream-log"
    searches
    clicks
    stream-log append log <clicks
    stream-join clicks --on user --within 5s --type full <"$input" >"$wanted"
    run_tool stream-join log --on user --within 5s --type full
    is_status 0
    err_empty
    same_bytes 'from a log' "$out"
}

@test "a diamond of tee with one branch far behind: no deadlock, nothing lost" {
    local events=70000 memory=64MiB
    [ -z "${STREAM_LONG:-}" ] || events=700000 memory=512MiB
    seq "$events" | sed 's/.*/{"ts":&,"k":&,"pad":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}/' >big
    [ "$(stat -c %s big)" -gt $((events * 120)) ]
    rm -f "$input"
    mkfifo behind
    # One branch begins when all the other's bytes have gone into the tool.
    run_shell "tee >(perl -e 'local \$/; \$_ = <STDIN>; print' >behind) <big | stream-join behind --on k --within 0s --memory 4MiB | wc -l"
    is_status 0
    [ "$(cat "$out")" -eq "$events" ] || flunk "$(cat "$out") of $events" "$(cat "$err")"
    run_shell "tee behind <big | perl -e 'local \$/; \$_ = <STDIN>; print' | stream-join behind --on k --as-of --memory $memory | wc -l"
    is_status 0
    [ "$(cat "$out")" -eq "$events" ] || flunk "$(cat "$out") of $events" "$(cat "$err")"
    run_shell "tee behind <big | stream-join behind --on k --latest --memory $memory | wc -l"
    is_status 0
    [ "$(cat "$out")" -eq "$events" ] || flunk "$(cat "$out") of $events" "$(cat "$err")"
}

@test "--spill-max: a limit with a name when one input is too far ahead" {
    seq 200000 | sed 's/.*/{"ts":&,"k":&}/' >big
    mkfifo behind
    rm -f "$input"
    run_shell "tee >(perl -e 'local \$/; \$_ = <STDIN>; print' >behind) <big | stream-join behind --on k --within 0s --memory 1MiB --spill-max 1MiB"
    [ "$(cut -c 1-11 "$err" | head -n 1)" = stream-join ]
    err_has --spill-max
    err_well_formed stream-join
}

@test "--memory: what may still match does not fit: 7, and says what to do" {
    seq 200000 | sed 's/.*/{"ts":&,"k":&}/' >"$input"
    seq 200000 | sed 's/.*/{"ts":&,"k":&}/' >right
    run_tool stream-join right --on k --within 1w --memory 4MiB
    is_status 7
    err_has --memory --within
    err_well_formed stream-join
    # With a window that fits it does.
    run_tool stream-join right --on k --within 10s --memory 4MiB
    is_status 0
    [ "$(wc -l <"$out")" -eq 200000 ]
    # Many pairs of one time are counted too.
    seq 3000 | sed 's/.*/{"ts":1,"k":1,"n":&}/' >"$input"
    cp "$input" right
    run_tool python3 "$STREAM_ROOT/tests/support/peak_memory.py" peak stream-join right --on k --within 0s --memory 16MiB
    if [ "$status" -eq 0 ]; then
        [ "$(wc -l <"$out")" -eq 9000000 ]
        [ "$(cat peak)" -le $((64 << 10)) ] || flunk "$(cat peak) KiB"
    else
        is_status 7
        err_has --memory
    fi
}

@test "--idle: a silent input holds nobody back; what it then brings late is told, not mispaired" {
    rm -f "$input"
    run_shell "{ echo '{\"ts\":10,\"k\":1}'; sleep 1; echo '{\"ts\":100,\"k\":2}'; sleep 2.5; } |
        stream-join <(echo '{\"ts\":9,\"k\":9}'; sleep 3; echo '{\"ts\":12,\"k\":1}'; echo '{\"ts\":200,\"k\":1}') --on k --within 5s --type full --idle 400ms"
    is_status 3
    err_has '1 late event'
    project '[.left.ts,.right.ts]' <<<$'[null,9]\n[10,null]\n[100,null]\n[null,200]'
}

@test "--idle: a file is never silent; a pipe that was, and is behind then, is late" {
    seq 200000 | sed 's/.*/{"ts":&,"k":&}/' >right
    rm -f "$input"
    # RIGHT is not read while LEFT holds it back, and goes on after that.
    run_shell "{ echo '{\"ts\":1,\"k\":1}'; sleep 1; } | stream-join right --on k --within 0s --lateness 0s=1s --type right --idle 300ms | wc -l"
    is_status 0
    err_empty
    [ "$(cat "$out")" -eq 200000 ]
    run_shell "{ echo '{\"ts\":1,\"k\":1}'; sleep 1.5; seq 100000 100010 | sed 's/.*/{\"ts\":&,\"k\":&}/'; } |
        stream-join right --on k --within 0s --idle 300ms --late late"
    is_status 0
    [ $(($(wc -l <"$out") + $(wc -l <late))) -eq 12 ] || flunk "$(wc -l "$out" late)"
}

@test "--max-ahead: of its own input's newest" {
    rows ts k <<<$'10 1\n1000 1\n11 1'
    printf '{"ts":%s,"k":1}\n' 500 501 >right
    run_tool stream-join right --on k --within 1s --type full --max-ahead 60s --bad skip
    is_status 0
    err_has '1 bad event'
    project '[.left.ts,.right.ts]' <<<$'[10,null]\n[11,null]\n[null,500]\n[null,501]'
}

@test "--state: the end is a pause, the next call goes on as if its inputs had followed at once" {
    printf '%s\n' '{"ts":20,"k":1}' '{"ts":100,"k":1}' >l1
    echo '{"ts":1,"k":9}' >r1
    echo '{"ts":105,"k":1}' >l2
    echo '{"ts":25,"k":1}' >r2
    rm -f "$input"
    run_shell 'stream-join r1 --on k --within 10s --type left --state state <l1'
    is_status 0
    err_empty
    run_shell 'cat l1 l2 | stream-join <(cat r1 r2) --on k --within 10s --type left'
    cp "$out" "$wanted"
    [ "$(wc -l <"$wanted")" -eq 3 ]
    rm -rf state
    run_shell '{ stream-join r1 --on k --within 10s --type left --state state <l1 &&
        stream-join r2 --on k --within 10s --type left --state state --final <l2; }'
    is_status 0
    same_bytes 'in two calls' "$out"
    run_shell 'stream-join r1 --on k --within 10s --type left --state state <l1 && stream-join r1 --on k --within 11s --type left --state state <l1'
    is_status 2
    err_has state
}

@test "SIGTERM of pipes is a pause: nothing is closed, and the next call goes on" {
    rm -f "$input"
    mkfifo left right
    sleep 20 >right 3>&- &
    local sleeper=$!
    stream-join right --on k --within 5s --type left --state state <left >"$out" 2>"$err" 3>&- &
    local tool=$!
    exec 9>left 8>right
    echo '{"ts":1,"k":1}' >&8
    echo '{"ts":3,"k":1}' >&9
    sleep 2
    kill -TERM "$tool"
    wait "$tool" && status=0 || status=$?
    exec 9>&- 8>&-
    kill "$sleeper"
    is_status 143
    out_empty
    # What RIGHT is called may be another name: of <( ) it is chance.
    run_shell "stream-join <(echo '{\"ts\":20,\"k\":1}') --on k --within 5s --type left --state state --final </dev/null"
    is_status 0
    out_is <<'E'
{"ts":"1970-01-01T00:00:03Z","left":{"ts":3,"k":1},"right":{"ts":1,"k":1}}
E
}

@test "--stats: what is held, and that it is let go" {
    seq 1000 | sed 's/.*/{"ts":&,"k":&}/' >"$input"
    cp "$input" right
    run_tool stream-join right --on k --within 5s --stats stats
    is_status 0
    [ "$(tail -n 1 stats | jq -c '[.tool,.events_in,.events_out,.late,.held_left,.held_right,.matches,.final]')" = '["stream-join",2000,1000,0,0,0,1000,true]' ] ||
        flunk "$(cat stats)"
}

@test "a field that one of the inputs never has is told, with the names it has" {
    rows ts user <<<$'1 1'
    echo '{"ts":1,"uid":1}' >right
    run_tool stream-join right --on user --within 1s
    is_status 0
    out_empty
    err_has right '"user"' uid
    run_tool stream-join right --on usr=uid --within 1s
    is_status 0
    err_has stdin '"usr"'
}

@test "a mispaired input is never silent: an unsorted file past its lateness" {
    seq 100 | sed 's/.*/{"ts":&,"k":&}/' | shuf --random-source=<(yes) >"$input"
    seq 100 | sed 's/.*/{"ts":&,"k":&}/' >right
    rm -f kept
    run_tool stream-join right --on k --within 0s --lateness 5s=0s --late kept
    is_status 0
    [ $(($(wc -l <"$out") + $(wc -l <kept))) -eq 100 ] || flunk "$(wc -l <"$out") pairs and $(wc -l <kept) late"
    [ "$(wc -l <kept)" -gt 0 ]
    run_tool stream-join right --on k --within 0s --lateness 5s=0s
    is_status 3
}

@test "mistakes in the command line: 2, what is wrong, and nothing on stdout" {
    searches
    clicks
    local line
    refused() { # WORD ARG…
        local word=$1
        shift
        run_tool stream-join "$@"
        is_status 2
        out_empty
        err_has "$word"
        err_well_formed stream-join
    }
    refused 'how the two relate in time' clicks --on user
    refused --within clicks --on user
    refused 'one of --within' clicks --on user --within 5s --as-of
    refused 'one of --within' clicks --on user --within 5s --before 3s
    refused 'one of --within' clicks --on user --as-of --latest
    refused 'RIGHT is not given' --on user --within 5s
    refused '"more"' clicks more --on user --within 5s
    refused 'stdin' - --on user --within 5s
    refused '--within cannot be negative' clicks --within -5s
    refused 'no time in which anything matches' clicks --before 5s --after -6s
    refused 'needs its unit' clicks --within 5
    refused '"outer"' clicks --within 5s --type outer
    refused 'did you mean left' clicks --within 5s --type lefft
    refused 'names no field' clicks --within 5s --on =user
    refused 'names no field' clicks --within 5s --on user=
    refused --lateness clicks --within 5s --lateness 1s=2
    refused 'cannot be negative' clicks --within 5s --lateness -1s
    refused '"cvs"' clicks --within 5s --format ndjson=cvs
    refused --as clicks --within 5s --as x
    refused --fields clicks --within 5s --fields x
    refused --deleted clicks --within 5s --deleted .x
    refused --within clicks --wihtin 5s
    run_tool stream-join clicks --within 5s --on '.user |'
    is_status 2
    err_has 'unexpected end' '^'
    run_tool stream-join nowhere --on user --within 5s
    is_status 4
    err_has nowhere
    rm -f "$input"
}

@test "LEFT on a terminal: the short help, 2" {
    need_terminal
    : >right
    on_terminal 'timeout --foreground 20 stream-join right --within 1s' >"$out" && status=0 || status=$?
    [ "$status" -eq 2 ] || flunk "status $status"
    grep -q 'stream-join' "$out"
}
