#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# stream-map: events made by an expression, edits with --set, --drop, --keep, text with -r.

load ../support/helpers

# becomes ARG…: the lines of stdin are an event and what it becomes, in turn.
becomes() {
    local event result
    : >"$input"
    : >"$wanted"
    while IFS= read -r event && IFS= read -r result; do
        printf '%s\n' "$event" >>"$input"
        printf '%s\n' "$result" >>"$wanted"
    done
    run_tool stream-map "$@"
    is_status 0
    err_empty
    same_bytes "$*" "$out"
}

@test "each result that is an object is an event: one, several, none" {
    given <<'E'
{"id":1,"items":[{"k":"a"},{"k":"b"}]}
{"id":2,"items":[]}
{"id":3,"items":[{"k":"c"}]}
E
    want <<'E'
{"k":"a","order":1}
{"k":"b","order":1}
{"k":"c","order":3}
E
    golden stream-map '.items[] + {order: .id}'
    golden stream-map '.id as $id | .items[] | {k, order: $id}'
    want <<'E'
{"id":1}
{"n":2}
{"id":2}
{"n":0}
{"id":3}
{"n":1}
E
    golden stream-map '{id}, {n: (.items | length)}'
    want <<<'{"id":3,"k":"c"}'
    golden stream-map 'select(.id == 3) | {id, k: .items[0].k}'
    : >"$wanted"
    golden stream-map empty
}

@test "numbers and strings that are only carried keep their text" {
    given <<'E'
{ "id" : 1499816949527975237, "v":0.1000 ,"s":"\u0061\/", "d":1,"d":2.50, "o":{ "x" : [ 1.0, -0 ] } }
E
    want <<<'{"id":1499816949527975237,"v":0.1000,"d":2.50,"x":-0}'
    golden stream-map '{id, v, d, x: .o.x[1]}'
    want <<<'{"s":"\u0061\/"}'
    golden stream-map '{s}'
    cp "$input" "$wanted"
    golden stream-map .
    run_tool stream-map -r '.id, .v, .o.x[0]'
    out_is < <(printf '%s\n' 1499816949527975237 0.1000 1.0)
    run_tool stream-map --set 'copy=.id' --drop s,d,o
    is_status 0
    [ "$(grep -o 1499816949527975237 "$out" | wc -l)" -eq 2 ]
    grep -qF '0.1000' "$out"
    jq -e 'keys == ["copy", "id", "v"]' "$out" >/dev/null
}

@test "integers compute exactly in 64 bits, past them as doubles" {
    given <<<'{"a":9007199254740993,"b":9223372036854775807,"c":-9223372036854775808,"d":0.1000}'
    want <<<'{"a1":9007199254740994,"a2":27021597764222979,"a3":3,"b1":9223372036854776000,"b2":9223372036854775806,"c1":-9223372036854776000,"d1":0.1,"d2":0.2}'
    golden stream-map '{a1: (.a + 1), a2: (.a * 3), a3: (.a % 10), b1: (.b + 1), b2: (.b - 1), c1: (.c - 1), d1: (.d + 0), d2: (.d * 2)}'
    want <<<'{"lt":true,"eq":false,"s":"9007199254740993","u":[9007199254740992,9007199254740993]}'
    golden stream-map '{lt: (9007199254740992 < .a), eq: (.a == 9007199254740992), s: (.a | tostring), u: ([.a, 9007199254740992, .a] | unique)}'
}

@test "a result that is no object is bad, with a hint; nothing of that event is written" {
    given <<'E'
{"a":1}
{"a":[]}
{"a":{"b":1}}
E
    run_tool stream-map '{first: 1}, .a'
    is_status 3
    out_empty
    printf '%s\n' 'stream-map: stdin:1: a result is a number, not an object: "1"' \
        'hint: {name: EXPR} makes an object of it, -r writes text' >"$wanted"
    same_bytes 'a number' "$err"
    run_tool stream-map '{first: 1}, .a' --bad skip
    is_status 0
    out_is <<'E'
{"first":1}
{"b":1}
E
    grep -qx 'stream-map: 2 bad events, skipped' "$err"
    run_tool stream-map .a --bad "$BATS_TEST_TMPDIR/dead"
    is_status 0
    [ "$(jq -c '[.line, .reason, .raw]' "$BATS_TEST_TMPDIR/dead" | head -n 1)" = '[1,"a result is a number, not an object: \"1\"","{\"a\":1}"]' ] ||
        flunk "$(cat "$BATS_TEST_TMPDIR/dead")"
    local e
    for e in '"x"' '[1]' true null 'walk(.) | 1'; do
        run_tool stream-map "$e"
        is_status 3
        out_empty
        err_has 'not an object' 'stdin:1'
    done
    run_tool stream-map '{a}, {b: (.a + 1)}'
    is_status 3
    out_is <<'E'
{"a":1}
{"b":2}
E
    err_has stdin:2
}

@test "blanks around an event: no expression minds them" {
    printf '  {"a":1, "b":{"c": 2} } \t\n' >"$input"
    cp "$input" "$wanted"
    run_tool stream-map .
    is_status 0
    [ "$(jq -c . "$out")" = '{"a":1,"b":{"c":2}}' ]
    run_tool stream-map '., {a}'
    is_status 0
    run_tool stream-map '{k: keys, n: length, same: (. == .)}'
    is_status 0
    out_is <<<'{"k":["a","b"],"n":2,"same":true}'
    run_tool stream-map -r tojson
    is_status 0
    out_is <<<'{"a":1,"b":{"c":2}}'
    run_tool stream-map --set 'e=.b.c' --drop a
    is_status 0
    [ "$(jq -c . "$out")" = '{"b":{"c":2},"e":2}' ]
    run_tool stream-map --set 'e=keys' --drop a
    is_status 0
}

@test "-r: strings without quotes, the rest as JSON, @csv, @tsv; as jq -r" {
    given <<'E'
{"ts":1,"path":"/a,b","s":"say \"hi\"","n":null,"t":true,"l":[1,"x",{"y":null}]}
{"ts":2,"path":"tab\there","s":"new\nline é","n":1.5,"t":false,"l":[]}
E
    local e
    for e in .path .s .n .l '.ts, .path' '[.ts, .path, .s, .n, .t] | @csv' '[.ts, .path, .s, .n, .t] | @tsv' '@json' '"\(.ts): \(.path)"' \
        '.path | @uri, @html, @sh, @base64' '.l[]' '{ts}' empty '[.l[] | tostring] | join(";")' 'walk(.) | .path, .l'; do
        jq -rc "$e" "$input" >"$wanted"
        run_tool stream-map -r "$e"
        is_status 0
        err_empty
        same_bytes "$e" "$out"
        run_tool stream-map --raw "$e"
        same_bytes "--raw $e" "$out"
    done
    printf '1 /a,b\n2 tab\there\n' >"$wanted"
    golden stream-map -r '"\(.ts) \(.path)"'
    run_tool stream-map -r .ts --set a=1
    is_status 2
    run_tool stream-map -r --drop ts
    is_status 2
    err_has -r --drop
}

@test "--set: a new member at the end, one that is there in its place, all else to the byte" {
    becomes --set 'k=.id + 1' <<'E'
{ "id" : 1499816949527975237, "v":0.1000 ,"s":"\u0061\/", "s":"x" }
{ "id" : 1499816949527975237, "v":0.1000 ,"s":"\u0061\/", "s":"x" ,"k":1499816949527975238}
{"id":1,"k":null,"z":1.0}
{"id":1,"k":2,"z":1.0}
E
    becomes --set 'id=.id + 1' --set 'v=.id' <<'E'
{ "id" : 1, "v" :0.1000 , "s":"\u0061\/" }
{ "id" : 2, "v" :1 , "s":"\u0061\/" }
{"v":[ ],"id":7}
{"v":7,"id":8}
E
    becomes --set 'a=.b' --set 'b=.a' <<'E'
{"a":1,"b":2}
{"a":2,"b":1}
E
    becomes --set a=1 --set b=2 <<'E'
{}
{"a":1,"b":2}
{ "b" : 0 }
{ "b" : 2 ,"a":1}
E
    becomes --set a=2 <<'E'
{"p":3,"\u0061":1}
{"p":3,"\u0061":2}
E
    becomes --set 's=.s + 1' <<'E'
{"a":1,"s":1,"b":4,"s":3}
{"a":1,"s":1,"b":4,"s":4}
E
    becomes --set 'a b="x\ty"' --set 'é=[.n, {}]' <<'E'
{"n":1.50}
{"n":1.50,"a b":"x\ty","é":[1.50,{}]}
E
    becomes --set 'n=walk(.)' --set 'a=.a == 1' <<'E'
{"a":1}
{"a":true,"n":{"a":1}}
E
}

@test "--set: an expression that gives nothing changes nothing, one that gives several is bad" {
    becomes --set 'a=empty' --set 'b=empty' <<'E'
{"a":1, "c":2}
{"a":1, "c":2}
E
    given <<<'{"a":1}'
    run_tool stream-map --set 'a=1,2'
    is_status 3
    out_empty
    err_has stdin:1 '--set a' 'gives 2 values'
    run_tool stream-map --set 'a=.a.b'
    is_status 3
    out_empty
    err_has stdin:1
    run_tool stream-map --set 'a=.a.b' --bad skip
    is_status 0
    out_empty
}

@test "--set: NAME=EXPR in one word" {
    given <<<'{"a":1}'
    local wrong
    for wrong in x =1 'x=.a |' 'x=foo'; do
        run_tool stream-map --set "$wrong"
        is_status 2
        out_empty
    done
    run_tool stream-map --set x
    printf '%s\n' 'stream-map: --set: NAME=EXPR is wanted, not "x"' "hint: --set 'kb=.bytes / 1024'" >"$wanted"
    same_bytes message "$err"
    run_tool stream-map --set
    is_status 2
    run_tool stream-map --set 'x=.a |'
    printf '%s\n' 'stream-map: unexpected end of the program, wanted an expression' '.a |' '    ^' >"$wanted"
    same_bytes caret "$err"
}

@test "--drop: first, middle, last, only, several, missing" {
    becomes --drop a <<'E'
{"a":1,"b":2,"c":3}
{"b":2,"c":3}
{"b": 2,"a":1,"c" :3.0}
{"b": 2,"c" :3.0}
{"b":2,"c":3,"a":1}
{"b":2,"c":3}
{"a":1}
{}
{"\u0061":1,"b":"a"}
{"b":"a"}
{"b":{"a":1}}
{"b":{"a":1}}
E
    becomes --drop a,b --drop c <<'E'
{"c":1,"a":2,"d":1.50,"b":3}
{"d":1.50}
{"a":1,"b":2,"c":3}
{}
{"a":1,"b":2,"d":3}
{"d":3}
E
}

@test "--drop: every member of that name, wherever they stand" {
    local event
    while IFS= read -r event; do
        printf '%s\n' "$event" >"$input"
        jq -c 'del(.s)' "$input" >"$wanted"
        run_tool stream-map --drop s
        is_status 0
        jq -c . "$out" >"$out.jq" 2>/dev/null || flunk "of $event:" "$(cat "$out")"
        same_bytes "$event" "$out.jq"
        ! grep -q '"s"' "$out" || flunk "of $event:" "$(cat "$out")"
    done <<'E'
{"s":1,"s":3}
{"s":1,"s":2,"s":3}
{"s":1,"a":2,"s":3}
{"a":1,"s":1,"s":3}
{"a":1,"s":1,"s":3,"b":4}
{"a":1,"s":1,"b":4,"s":3}
{"s":1,"s":2,"a":1}
{ "a" : 1 ,"s":1 , "s":3 }
{"a":1,"s":1,"s":2,"s":3,"b":4,"s":5}
{"a":1,"s":1,"s":2,"b":2,"s":1,"s":2,"c":3}
E
}

@test "--drop: paths, a dotted name first, elements of arrays" {
    becomes --drop o.a.b <<'E'
{"o":{"a":{"b":1,"c":2},"z":3}}
{"o":{"a":{"c":2},"z":3}}
{"o":{"a":{"b":1}},"o.a":1}
{"o":{"a":{}},"o.a":1}
{"o":1}
{"o":1}
{"o":{"a":[1]}}
{"o":{"a":[1]}}
E
    becomes --drop a.b <<'E'
{"p":3,"a.b":1,"a":{"b":2,"c":3}}
{"p":3,"a":{"b":2,"c":3}}
{"p":3,"a":{"b":2,"c":3}}
{"p":3,"a":{"c":3}}
E
    becomes --drop 'l[1],m[0].x' <<'E'
{"l":[1,2,3],"m":[{"x":1,"y":2},{"x":3}]}
{"l":[1,3],"m":[{"y":2},{"x":3}]}
{"l":[1],"m":{"x":1}}
{"l":[1],"m":{"x":1}}
E
    becomes --drop 'l[0],l[2]' <<'E'
{"l":[1,2,3]}
{"l":[2]}
E
    becomes --drop .o.a,o.b,p <<'E'
{"o":{"a":1,"b":2},"p":3}
{"o":{}}
E
    becomes --drop o,o.b <<'E'
{"o":{"a":1,"b":2},"p":3}
{"p":3}
E
}

@test "--keep: the order is the event's, paths keep their way" {
    becomes --keep v,id <<'E'
{"id":1499816949527975237,"s":"x","v":0.1000}
{"id":1499816949527975237,"v":0.1000}
{"v":"\u0061","x":1}
{"v":"\u0061"}
{"x":1}
{}
E
    becomes --keep o.a.c,a.b --keep p <<'E'
{"p":1,"o":{"a":{"b":1,"c":2},"z":3},"a.b":9,"a":{"b":1}}
{"p":1,"o":{"a":{"c":2}},"a.b":9}
E
    becomes --keep o,o.a <<'E'
{"p":3,"o":{"a":1,"b":2}}
{"o":{"a":1,"b":2}}
E
}

@test "--set, --drop and --keep together" {
    becomes --set 'c=.b' --drop b <<'E'
{"a":1.0,"b":2,"d":3}
{"a":1.0,"d":3,"c":2}
E
    becomes --keep a --set 'n=.b + .d' <<'E'
{"a":1.0,"b":2,"d":3}
{"a":1.0,"n":5}
E
    becomes --keep a --set 'b=.b + 1' <<'E'
{"a":1,"b":2,"c":3}
{"a":1,"b":3}
E
    becomes --keep a,b --drop b <<'E'
{"a":1,"b":2,"c":3}
{"a":1}
E
    given <<<'{"a":1,"b":2}'
    want <<<'{"b":2,"s":3}'
    golden stream-map --set 's=.a + .b' --drop a
}

@test "--drop and --keep: a field that no event had is told, as everywhere" {
    given <<<'{"ts":1,"email":"a@b"}'
    run_tool stream-map --drop emial
    is_status 0
    out_is <<<'{"ts":1,"email":"a@b"}'
    err_has 'no event had a field "emial"' email
    run_tool stream-map --keep ts,emial
    is_status 0
    err_has 'no event had a field "emial"' email
}

@test "--drop and --keep take fields, not expressions" {
    given <<<'{"a":1}'
    local o f
    for o in --drop --keep; do
        for f in '.a|.b' '(.a)' '.["a"]'; do
            run_tool stream-map "$o" "$f"
            is_status 2
            out_empty
            err_well_formed stream-map
            err_has "$o" 'hint:'
        done
        run_tool stream-map "$o" ''
        is_status 2
        err_lacks TEXT
    done
}

@test "no expression, or a file where it should be" {
    given <<<'{"a":1}'
    run_tool stream-map
    is_status 2
    out_empty
    grep -qx 'stream-map: no expression is given' "$err"
    # What is hinted at must work: a test is no event.
    err_lacks ".status >= 500"
    cd "$BATS_TEST_TMPDIR"
    echo '{"a":1}' >events.ndjson
    run_tool stream-map events.ndjson
    is_status 2
    printf '%s\n' 'stream-map: the expression is missing: "events.ndjson" is a file' 'hint: stream-map EXPR FILE' >"$wanted"
    same_bytes 'a file' "$err"
    run_tool stream-map --set b=2 events.ndjson
    is_status 0
    out_is <<<'{"a":1,"b":2}'
    run_tool stream-map --sett b=2 events.ndjson
    is_status 2
    err_has '--set'
}

@test "--explain" {
    rm -f "$input"
    run_tool stream-map --explain '{a}'
    is_status 0
    err_empty
    grep -qxE 'compiled; reads \.?a' "$out"
    run_tool stream-map --explain --set 'a=.b' --set 'c=walk(.)' --drop x
    is_status 0
    err_empty
    grep -qxE 'a: compiled; reads \.?b' "$out"
    grep -qxF 'c: runs in libjq 1.6, event by event: walk/1 is not compiled' "$out"
}

@test "CRLF, a BOM, blank lines, FILEs, gzip" {
    printf '\xef\xbb\xbf{"a":1 }\r\n\r\n{"a": 2}' >"$input"
    printf '{"a":1 ,"b":1}\n{"a": 2,"b":2}\n' >"$wanted"
    golden stream-map --set b=.a
    printf '{"b":1}\n{"b":2}\n' >"$wanted"
    golden stream-map '{b: .a}'
    cd "$BATS_TEST_TMPDIR"
    gzip -c "$input" >one.gz
    run_tool stream-map '{b: .a}' one.gz - one.gz
    is_status 0
    out_is < <(for _ in 1 2 3; do printf '{"b":1}\n{"b":2}\n'; done)
}

@test "what jq makes of an event is what comes, event by event" {
    [ "$(jq --version 2>/dev/null)" = jq-1.6 ] || skip "the oracle is jq 1.6"
    given <<'E'
{"n":1,"path":"/a/b","user":{"id":7,"name":"Zoë"},"tags":["x","y","x"],"ms":1.5,"z":null}
{"n":2,"path":"","user":{"id":-3,"name":"b\"q\\"},"tags":[],"ms":250,"z":false}
E
    local e
    while IFS= read -r e; do
        jq -c "$e" "$input" >"$wanted"
        run_tool stream-map "$e"
        is_status 0
        same_bytes "$e" "$out"
    done <<'E'
{n, path, kb: (.ms / 1024), "a b": .z}
. + {n: 5, q: [.tags[] | {t: .}]}
.user + {t: .tags[]}
del(.user, .tags[0])
.user.id |= . + 1
.tags |= (unique | map(ascii_upcase))
with_entries(select(.value != null))
{(.user.name): .n}
to_entries[] | {key}
{a: [limit(2; .tags[])], b: (.path | split("/")), c: (.tags | join(",")), d: (.path | test("b$"))}
{g: (.tags | group_by(.) | map({k: .[0], n: length}))}
reduce .tags[] as $t ({}; .[$t] += 1)
.tags as [$a, $b] | {$a, $b}
walk(if type == "string" then length else . end)
E
}

@test "a result is an event: nothing deeper than the next tool reads" {
    perl -e 'print "{\"a\":", "[" x 1023, "]" x 1023, "}\n"' >"$input"
    run_tool stream-filter .a
    is_status 0
    local arguments
    for arguments in '{a:[.a]}' '--set b=[.a]'; do
        # shellcheck disable=SC2086
        run_tool stream-map $arguments --bad skip
        is_status 0
        within_limit stream-filter . <"$out" >/dev/null || flunk "$arguments wrote what stream-filter calls bad"
    done
}

@test "memory stays below 16 MiB" {
    seq 1 100000 | sed 's/.*/{"ts":&,"user":"user-&","path":"\/a\/b","n":&}/' >"$input"
    local arguments peak
    for arguments in '{user,k:(.n/1024)}' '--set k=.n/1024 --drop user' '--keep ts,user' '-r [.ts,.user]|@csv'; do
        # shellcheck disable=SC2086
        run_tool python3 "$STREAM_ROOT/tests/support/peak_memory.py" "$BATS_TEST_TMPDIR/peak" stream-map $arguments
        is_status 0
        [ "$(wc -l <"$out")" -eq 100000 ]
        peak=$(cat "$BATS_TEST_TMPDIR/peak")
        [ "$peak" -lt 16384 ] || flunk "$arguments: $peak KiB"
    done
}
