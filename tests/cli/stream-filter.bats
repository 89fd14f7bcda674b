#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# stream-filter: which events pass, and that they pass to the byte. What expressions mean and what limits
# them is in expressions.bats.

load ../support/helpers

# Runs the tool with $input and compares: passes LINE… names the lines of $input that are wanted.
passes() { local n; for n in "$@"; do sed -n "${n}p" "$input"; done >"$wanted"; }

strange() { # events whose bytes a parser and writer would change
    given <<'E'
{ "id" : 1499816949527975237 ,"v":0.1000, "s":"\u0061\/\ud83d\ude00" }
{"z":1,"a":2,"a":3,"v":1E+2,"e":"é\u00e9","id":-0}
{"id":9007199254740993,"v":null}
{"v":[ 1.0 , {"x" : "\ud800"} ],"id":123456789012345678901234567890,"t":1e400}
{	"id":2,	"v":false	}
{"v":"","id":0.10e-7}
E
}

@test "an event that is selected keeps its bytes: blanks, order, escapes, duplicates, numbers" {
    strange
    passes 1 2 4 6
    golden stream-filter .v
    golden_from file stream-filter '(.v | type) != "null" and .v != false'
    cp "$input" "$wanted"
    golden stream-filter '.id != null'
    golden_from file stream-filter .
}

@test "the same where libjq decides; what it would round is left out" {
    given <<'E'
{ "id" : 1 ,"v":0.1000, "s":"\u0061\/\ud83d\ude00" }
{"z":1,"a":2,"a":3,"v":1E+2,"e":"é\u00e9","id":0}
{"id":3,"v":null}
{	"id":2,	"v":"x"	}
E
    passes 1 2 4
    golden stream-filter 'walk(.) | .v'
    golden_from file stream-filter '([tostream] | length > 2) and .v'
}

@test "blanks before and after the object are the event's bytes, and no expression minds them" {
    printf '  { "a":1, "b": [ 1 ] }  \n\t{"a":2,"b":[]}\t\n {"a":3,"b":{}} \n' >"$input"
    passes 1 2 3
    local e
    for e in . .a '. == .' length 'keys | length' tojson '.[]' '. as $x | $x.a' 'type == "object"' '.b | type' 'walk(.)'; do
        run_tool stream-filter "$e"
        is_status 0
        err_empty
        same_bytes "$e" "$out"
    done
}

@test "CRLF, blank lines, a BOM, no last newline: the event's bytes and a line feed" {
    printf '\xef\xbb\xbf{"a":1 }\r\n\r\n  \n{"a": 2}\r\n\n{"a":0,"b":"\xef\xbb\xbf"}\n{"a":3}' >"$input"
    printf '{"a":1 }\n{"a": 2}\n{"a":3}\n' >"$wanted"
    golden stream-filter '.a > 0'
    printf '{"a":0,"b":"\xef\xbb\xbf"}\n' >"$wanted"
    golden stream-filter '.b'
    golden_from file stream-filter -v '.a > 0'
}

@test "neither false nor null: 0, \"\", [] and {} hold; no result and all false do not" {
    given <<'E'
{"v":0}
{"v":""}
{"v":[]}
{"v":{}}
{"v":false}
{"v":null}
{"w":1}
{"v":true}
E
    passes 1 2 3 4 8
    golden stream-filter '.v | select(. != 7)'
    passes 5 6 7
    golden_from file stream-filter -v .v
    golden_from file stream-filter --invert .v
    : >"$wanted"
    run_tool stream-filter empty
    is_status 0
    out_empty
    err_empty
    run_tool stream-filter '.[] | select(. == 7)'
    is_status 0
    out_empty
    cp "$input" "$wanted"
    golden_from file stream-filter -v empty
}

@test "several results: one that holds is enough, the event passes once" {
    given <<'E'
{"l":[1,2,3],"n":1}
{"l":[],"n":2}
{"l":[null,false],"n":3}
{"l":[null,5,false],"n":4}
E
    passes 1 4
    golden stream-filter '.l[]'
    passes 2 3
    golden_from file stream-filter -v '.l[]'
    passes 1 2 3 4
    golden_from file stream-filter 'false, .n, false'
}

@test "which events pass is what jq's select says" {
    need_jq
    given <<'E'
{"n":1,"status":200,"path":"/api/users","user":"ann","tags":["a","b"],"o":{"p":{"q":1}},"ms":1.5}
{"n":2,"status":503,"path":"/api/orders","user":null,"tags":[],"o":{"p":{}},"ms":2e3}
{"n":3,"status":404,"path":"/index.html","tags":["b"],"o":null,"ms":-0.25}
{"n":4,"status":"500","path":"","user":"Zoë","tags":null,"o":{"p":[1,2]},"ms":0}
{"n":5,"status":500,"path":"/API/x?y=1&z=%20","user":"bob@example.org","tags":["c",["a"]],"o":[],"ms":1000}
{"n":6}
{"n":7,"status":true,"path":"日本語","user":false,"tags":{"a":1},"o":"p","ms":"7"}
E
    # One run of jq for all: a column of booleans an expression.
    local expressions program= i
    mapfile -t expressions <<'E'
.status >= 500
.status == 500 or .status == 404
.status >= 500 and (.path | startswith("/api"))
.user // false
.user == null
has("user")
.path | test("api"; "i")
.path | test("^/(api|index)")
.path? | length > 5
.tags | index("a")
.tags | contains(["b"])
.tags[0] == "a"
.tags[-1] == "b"
.tags | length == 0
.o.p.q?
.o.p?
[.o?.p?] | length > 0
any(.tags[]?; . == "b")
all(.tags[]?; . == "b")
.ms | . > 1
.ms * 2 == 3
.ms % 7 == 5
(.ms | tostring) == "2000"
.status | type == "number"
.path | ascii_downcase | startswith("/api")
.path | split("/") | length == 3
if .status == 200 then .user else .path end
[.status, .ms] | map(numbers) | add > 500
.n as $n | $n > 3 and $n < 6
.status | not
.path < .user
.path | @uri | test("%")
.n | IN(2, 5)
.status | tostring | test("^[45]")
[paths] | length > 9
. == {"n": 6}
to_entries | length == 7
reduce .tags[]? as $t (0; . + 1) | . == 1
try error("x") catch false
.path | ltrimstr("/") | startswith("api")
[.tags[]? | strings] | sort | join(",") == "a,b"
.status as $s | [200, 404] | index($s)
walk(.) | .status == 404
.path | explode | length == 3
.ms | floor == 1
label $f | .tags[]? | if . == "b" then ., break $f else empty end
limit(1; .tags[]?)
E
    for i in "${!expressions[@]}"; do program+="${program:+, }(try ([${expressions[i]}] | any) catch false)"; done
    jq -r "[.n, $program] | @tsv" "$input" >"$input.columns"
    for i in "${!expressions[@]}"; do
        awk -v column=$((i + 2)) '$column == "true" { print "{\"n\":" $1 }' "$input.columns" >"$wanted"
        run_tool stream-filter --bad skip "${expressions[i]}"
        is_status 0
        grep -o '^{"n":[0-9]' "$out" >"$out.n" || true
        same_bytes "${expressions[i]}" "$out.n"
    done
}
need_jq() { [ "$(jq --version 2>/dev/null)" = jq-1.6 ] || skip "the oracle is jq 1.6"; }

@test "-q: status 0 at the first, 1 if there is none, writes nothing" {
    printf '{"a":%d}\n' 1 2 3 >"$input"
    run_tool stream-filter -q '.a == 2'
    is_status 0
    out_empty
    err_empty
    run_tool stream-filter --quiet '.a == 4'
    is_status 1
    out_empty
    err_empty
    run_tool stream-filter -q -v '.a < 3'
    is_status 0
    run_tool stream-filter -v -q '.a < 4'
    is_status 1
    run_tool stream-filter -q 'walk(.) | .a == 3'
    is_status 0
    run_tool stream-filter -q 'walk(.) | .a == 4'
    is_status 1
    : >"$input"
    run_tool stream-filter -q .
    is_status 1
    err_empty
}

@test "-q stops at the first: what follows may be bad, or never end" {
    printf '{"a":1}\nno event\n' >"$input"
    run_tool stream-filter -q .a
    is_status 0
    err_empty
    run_tool stream-filter -q '.a == 2'
    is_status 3
    err_has stdin:2
    run_tool stream-filter -q '.a == 2' --bad skip
    is_status 1
    rm -f "$input"
    local e
    for e in .a 'walk(.) | .a'; do
        run_tool timeout 10 bash -c "yes '{\"a\":1}' | stream-filter -q '$e'"
        is_status 0
        out_empty
    done
    # One event, and a writer that stays silent.
    mkfifo "$BATS_TEST_TMPDIR/in"
    timeout 10 stream-filter -q .a <"$BATS_TEST_TMPDIR/in" >"$out" 2>"$err" 3>&- &
    local pid=$!
    exec 9>"$BATS_TEST_TMPDIR/in"
    echo '{"a":1}' >&9
    wait "$pid" && status=0 || status=$?
    exec 9>&-
    is_status 0
    err_empty
}

@test "--explain says which way it runs, and reads nothing" {
    rm -f "$input"
    run_tool stream-filter --explain '.status >= 500'
    is_status 0
    err_empty
    grep -qxE 'compiled; reads \.?status' "$out" || flunk "$(cat "$out")"
    run_tool stream-filter --explain '.a.b > $x and .c' --arg x=1 "$BATS_TEST_TMPDIR/nowhere"
    is_status 0
    err_empty
    grep -qx 'compiled; reads .*' "$out"
    run_tool stream-filter --explain 'true'
    out_is <<<'compiled'
    run_tool stream-filter --explain '.a | walk(.)'
    is_status 0
    err_empty
    out_is <<'E'
runs in libjq 1.6, event by event: walk/1 is not compiled
.a | walk(.)
     ^
E
    run_tool stream-filter --explain '.a |'
    is_status 2
    out_empty
}

@test "a mistake in the expression: status 2, the place with a caret, nothing read" {
    given <<<'{"a":1}'
    local expression message
    while IFS=$'\t' read -r expression message; do
        run_tool stream-filter "$expression"
        is_status 2
        out_empty
        err_well_formed_with_caret
        printf 'stream-filter: %s\n' "$message" | sed 's/ ¦ /\n/g' >"$wanted"
        same_bytes "$expression" "$err"
    done <<'E'
.a == 'x'	unexpected "'", wanted an expression ¦ .a == 'x' ¦       ^ ¦ hint: strings are written in double quotes: "x"
.a && .b	unexpected "&&", wanted an operator or the end ¦ .a && .b ¦    ^ ¦ hint: "&&" is written and
.a || .b	unexpected "|", wanted an expression ¦ .a || .b ¦     ^ ¦ hint: "||" is written or
!.a	unexpected "!", wanted an expression ¦ !.a ¦ ^ ¦ hint: "!x" is written x | not
.a === 1	unexpected "=", wanted an expression ¦ .a === 1 ¦      ^ ¦ hint: "===" is written ==
.a +	unexpected end of the program, wanted an expression ¦ .a + ¦     ^
.a)	unexpected ")", wanted an operator or the end ¦ .a) ¦   ^
(.a	"(" without its ")" ¦ (.a ¦ ^
[.a	"[" without its "]" ¦ [.a ¦ ^
"abc	a string that does not end ¦ "abc ¦ ^
if .a then 1	"if" without its "end" ¦ if .a then 1 ¦ ^
startwith("a")	startwith/1 is not defined ¦ startwith("a") ¦ ^ ¦ hint: did you mean startswith?
.a and lenght	lenght/0 is not defined ¦ .a and lenght ¦        ^ ¦ hint: did you mean length?
status >= 500	status/0 is not defined ¦ status >= 500 ¦ ^ ¦ hint: a member is written .status, a string "status"
.a == x	x/0 is not defined ¦ .a == x ¦       ^ ¦ hint: a member is written .x, a string "x"
.a == $x	$x is not defined ¦ .a == $x ¦       ^ ¦ hint: --arg x=VALUE defines it
.a == “x”	unexpected "“", wanted an expression ¦ .a == “x” ¦       ^ ¦ hint: strings are written in straight double quotes
split	split/0 is not defined ¦ split ¦ ^ ¦ hint: split takes 1 argument
E
}
# The place comes first; the expression's line and the caret's are the expression's own.
err_well_formed_with_caret() {
    [ "$(grep -c '^hint:' "$err" || true)" -le 1 ] || flunk "$(cat "$err")"
    grep -qE '^ *\^$' "$err" || flunk "no caret:" "$(cat "$err")"
}

@test "a caret also for what only libjq would find: functions of a later jq, a division by zero" {
    given <<<'{"a":1}'
    local e
    for e in '.a | abs' 'pick(.a)' '.a | ltrimstr("x") | trim' 'scan("a"; "g")' '.a == 1/0' '$__prog_args'; do
        run_tool stream-filter "$e"
        is_status 2
        out_empty
        grep -qxF -e "$e" "$err" || flunk "$e: the expression is not shown:" "$(cat "$err")"
        err_well_formed_with_caret
        err_lacks '(line 1'
    done
}

@test "a caret in a long expression, and in one of several lines" {
    given <<<'{"a":1}'
    run_tool stream-filter $'.a\n| foo\n| .b'
    is_status 2
    printf '%s\n' 'stream-filter: foo/0 is not defined' '| foo' '  ^' 'hint: a member is written .foo, a string "foo"' >"$wanted"
    same_bytes 'three lines' "$err"
    run_tool stream-filter "$(printf '.a+%.0s' {1..500})foo"
    is_status 2
    awk 'length($0) > 100 { exit 1 }' "$err" || flunk "a long line:" "$(cat "$err")"
    [ "$(sed -n 2p "$err" | tail -c 4)" = foo ]
    run_tool stream-filter "$(printf '(%.0s' {1..5000})"
    is_status 2
    run_tool stream-filter $'"é" | \t foo'
    is_status 2
    err_has 'foo/0'
}

@test "no expression, or a file where it should be: status 2 with what to write" {
    given <<<'{"a":1}'
    run_tool stream-filter
    is_status 2
    out_empty
    printf '%s\n' 'stream-filter: no expression is given' "hint: for example: stream-filter '.status >= 500'" >"$wanted"
    same_bytes 'no expression' "$err"
    cd "$BATS_TEST_TMPDIR"
    echo '{"a":1}' >events.ndjson
    run_tool stream-filter events.ndjson
    is_status 2
    out_empty
    printf '%s\n' 'stream-filter: the expression is missing: "events.ndjson" is a file' 'hint: stream-filter EXPR FILE' >"$wanted"
    same_bytes 'a file' "$err"
    run_tool stream-filter "$BATS_TEST_TMPDIR/events.ndjson"
    is_status 2
    err_has 'the expression is missing'
    run_tool stream-filter -v --explain events.ndjson
    is_status 2
}

@test "an unquoted >: stdout is a file called =500" {
    cd "$BATS_TEST_TMPDIR"
    echo '{"status":500}' >access.ndjson
    stream-filter .status >=500 access.ndjson 2>"$err" && status=0 || status=$?
    is_status 2
    err_has '"=500"' 'quotes'
    err_well_formed stream-filter
    [ ! -s =500 ]
}

@test "stdin a terminal: the short help; - means it" {
    need_terminal
    on_terminal 'timeout --foreground 20 stream-filter .a' >"$out" && status=0 || status=$?
    is_status 2
    grep -qF stream-filter "$out"
    # Ctrl-D at once.
    on_terminal "printf '' | timeout --foreground 20 stream-filter .a -" >"$out" && status=0 || status=$?
    is_status 0
}

@test "options of stream-map are none here" {
    given <<<'{"a":1}'
    local o
    for o in '--set a=1' '--drop a' '-r'; do
        # shellcheck disable=SC2086
        run_tool stream-filter $o .a
        is_status 2
        out_empty
        err_well_formed stream-filter
    done
}

@test "an expression that begins with a dash goes after --" {
    given <<<'{"a":1}'
    cp "$input" "$wanted"
    run_tool stream-filter -- '-.a < 0'
    is_status 0
    same_bytes dash "$out"
}

@test "FILEs: several, compressed, -, missing, a folder" {
    cd "$BATS_TEST_TMPDIR"
    printf '{"a":%d}\n' 1 2 >one
    printf '{"a":%d}\n' 3 4 | gzip >two.gz
    printf '{"a":5}' | zstd -q >three.zst
    printf '{"a":6}\n' >"$input"
    run_tool stream-filter '.a != 2' one two.gz three.zst -
    is_status 0
    err_empty
    out_is < <(printf '{"a":%d}\n' 1 3 4 5 6)
    run_tool stream-filter . one nowhere two.gz
    is_status 4
    err_has nowhere
    err_well_formed stream-filter
    run_tool stream-filter . one .
    is_status 2
    err_has directory
}

@test "bad events: what is no event, by name and line" {
    printf '{"a":1}\r\n\n{"a":2} x\n{"a":3}\n' >"$input"
    run_tool stream-filter .a
    is_status 3
    out_is <<<'{"a":1}'
    err_has stdin:3 'text after the object'
    local dead=$BATS_TEST_TMPDIR/dead
    run_tool stream-filter .a --bad "$dead"
    is_status 0
    out_is < <(printf '{"a":%d}\n' 1 3)
    [ "$(jq -c '[.source, .line, .offset, .raw]' "$dead")" = '["stdin",3,10,"{\"a\":2} x"]' ] || flunk "$(cat "$dead")"
    # Validated whole, whatever the expression looks at.
    printf '%s\n' '{"a":1,"b":01}' >"$input"
    run_tool stream-filter .a
    is_status 3
    printf '{"a":1,"b":"\xff"}\n' >"$input"
    run_tool stream-filter true
    is_status 3
    err_has UTF-8
}

@test "an expression fails on event N: what came before is written, status 3" {
    given <<'E'
{"a":1}
{"a":2}
{"a":"x"}
{"a":4}
{"a":[]}
E
    local e how
    for e in '.a + 1 > 0' 'walk(.) | .a + 1 > 0'; do
        run_tool stream-filter "$e"
        is_status 3
        out_is < <(printf '{"a":%d}\n' 1 2)
        grep -qx 'stream-filter: stdin:3: string ("x") and number (1) cannot be added' "$err" || flunk "$(cat "$err")"
        err_well_formed stream-filter
        run_tool stream-filter -v "$e"
        is_status 3
        out_empty
        run_tool stream-filter "$e" --bad skip
        is_status 0
        out_is < <(printf '{"a":%d}\n' 1 2 4)
        grep -qx 'stream-filter: 2 bad events, skipped' "$err" || flunk "$(cat "$err")"
        rm -f "$BATS_TEST_TMPDIR/dead"
        run_tool stream-filter "$e" --bad "$BATS_TEST_TMPDIR/dead"
        is_status 0
        out_is < <(printf '{"a":%d}\n' 1 2 4)
        printf '%s\n' \
            '{"source":"stdin","line":3,"offset":16,"reason":"string (\"x\") and number (1) cannot be added","raw":"{\"a\":\"x\"}"}' \
            '{"source":"stdin","line":5,"offset":34,"reason":"array ([]) and number (1) cannot be added","raw":"{\"a\":[]}"}' >"$wanted"
        same_bytes "dead letters of $e" "$BATS_TEST_TMPDIR/dead"
        run_tool stream-filter "$e" --bad skip --max-bad 2
        is_status 0
        run_tool stream-filter "$e" --bad skip --max-bad 1
        is_status 3
        out_is < <(printf '{"a":%d}\n' 1 2 4)
        err_has stdin:5
    done
}

@test "error(…) makes an event bad, in its words" {
    given <<<'{"a":7}'
    run_tool stream-filter 'error("no \(.a)")'
    is_status 3
    grep -qx 'stream-filter: stdin:1: no 7' "$err" || flunk "$(cat "$err")"
    run_tool stream-filter 'error({b: .a})'
    is_status 3
    grep -qF '{"b":7}' "$err" || flunk "$(cat "$err")"
    run_tool stream-filter 'try error("x") catch . == "x"'
    is_status 0
    run_tool stream-filter 'error("a\u001b[31mb\nc\u0000d")'
    is_status 3
    err_well_formed stream-filter
}

@test "many events, as grep finds them; memory stays below 16 MiB" {
    seq 1 100000 | sed 's/.*/{"ts":&,"user":"user-&","path":"\/a\/b","n":&}/' >"$input"
    grep '7}$' "$input" >"$wanted"
    run_tool stream-filter '.n % 10 == 7'
    is_status 0
    err_empty
    same_bytes grep "$out"
    local e peak
    for e in '.n % 10 == 7' '.user | test("7$")' '[.[] | tostring] | sort | .[0] | length > 1'; do
        run_tool python3 "$STREAM_ROOT/tests/support/peak_memory.py" "$BATS_TEST_TMPDIR/peak" stream-filter "$e"
        is_status 0
        peak=$(cat "$BATS_TEST_TMPDIR/peak")
        [ "$peak" -lt 16384 ] || flunk "$e: $peak KiB"
    done
    # libjq costs a process; both stay small.
    head -n 5000 "$input" >"$input.head"
    run_tool python3 "$STREAM_ROOT/tests/support/peak_memory.py" "$BATS_TEST_TMPDIR/peak" stream-filter 'walk(.) | .n % 10 == 7' "$input.head"
    is_status 0
    [ "$(wc -l <"$out")" -eq 500 ]
    [ "$(cat "$BATS_TEST_TMPDIR/peak")" -lt 16384 ] || flunk "libjq: $(cat "$BATS_TEST_TMPDIR/peak") KiB"
}

@test "--stats counts; --line-buffered changes nothing" {
    printf '{"a":%d}\n' 1 2 3 >"$input"
    passes 2 3
    golden stream-filter '.a > 1' --line-buffered
    run_tool stream-filter '.a > 1' --stats "$BATS_TEST_TMPDIR/stats"
    is_status 0
    [ "$(tail -n 1 "$BATS_TEST_TMPDIR/stats" | jq -c '[.tool, .events_in, .events_out, .bad, .final]')" = '["stream-filter",3,2,0,true]' ] ||
        flunk "$(cat "$BATS_TEST_TMPDIR/stats")"
}
