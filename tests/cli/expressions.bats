#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Expressions in every tool: where a field goes, arguments, numbers, time, limits, and what they cannot do.

load ../support/helpers

web() {
    given <<'E'
{"ts":1,"user":"Ann","bytes":1024,"status":200,"r":{"n":"x/y"}}
{"ts":2,"user":"ann","bytes":512,"status":500,"r":{"n":"x/z"}}
{"ts":3,"user":"BOB","bytes":0,"status":503,"r":{"n":"y/z"}}
{"ts":70,"user":"bob","bytes":256,"status":200,"r":{"n":"y/z"}}
E
}
one() { given <<<'{"a":1}'; }

@test "stream-window: keys and aggregates of expressions" {
    web
    want_windows <<'E'
0 60 "u":"ann","count":2,"kb":1.5,"errors":0.5
0 60 "u":"bob","count":1,"kb":0,"errors":1
60 120 "u":"bob","count":1,"kb":0.25,"errors":0
E
    golden stream-window tumbling 1m --by 'u=.user|ascii_downcase' count 'kb=sum:(.bytes/1024)' 'errors=mean:(.status >= 500)'
    golden_from file stream-window tumbling 1m --by 'u=(walk(.)|.user|ascii_downcase)' count 'kb=sum:(.bytes/1024)' 'errors=mean:(.status >= 500)'
    want_windows <<'E'
0 60 "h":"x","l":"y","c":[["x","y"]]
0 60 "h":"x","l":"z","c":[["x","z"]]
0 60 "h":"y","l":"z","c":[["y","z"]]
60 120 "h":"y","l":"z","c":[["y","z"]]
E
    golden stream-window tumbling 1m --by 'h=.r.n|split("/")[0],l=.r.n|split("/")|.[1]' 'c=collect:(.r.n|split("/"))'
    want_windows <<'E'
0 60 "bad":2,"s":1539
60 120 "bad":0,"s":257
E
    golden stream-window tumbling 1m 'bad=count:(.status >= 500)' 's=sum:.bytes+1'
}

@test "stream-window: what yields nothing is skipped, several values or the wrong type are bad" {
    web
    want_windows <<'E'
0 60 "x":512,"n":0
60 120 "x":null,"n":0
E
    golden stream-window tumbling 1m 'x=sum:(select(.status == 500)|.bytes)' 'n=count:(empty)'
    run_tool stream-window tumbling 1m 'x=sum:(.bytes,.status)'
    is_status 3
    out_empty
    err_has stdin:1 '(.bytes,.status)' 'gives 2 values'
    run_tool stream-window tumbling 1m 'x=sum:(.user|ascii_downcase)'
    is_status 3
    err_has stdin:1 'wants numbers'
    run_tool stream-window tumbling 1m 'x=sum:(.user/2)' --bad skip
    is_status 0
    out_empty
    err_has '4 bad events'
    run_tool stream-window tumbling 1m --by 'x=(1,2)' count
    is_status 3
    err_has stdin:1
}

@test "an expression needs a name where its value is written; a plain path does not" {
    web
    local arguments
    for arguments in '--by (.user)|count' '--by .user+"x"|count' 'sum:(.bytes)' 'sum:.bytes+1'; do
        IFS='|' read -r -a words <<<"${arguments/--by /--by|}"
        run_tool stream-window tumbling 1m "${words[@]}"
        is_status 2
        out_empty
        err_has 'needs a name' 'hint: NAME='
        err_well_formed stream-window
    done
    run_tool stream-dedupe --by '.user|ascii_downcase'
    is_status 2
    err_has 'hint: NAME=.user|ascii_downcase'
    run_tool stream-window all --by .user count
    is_status 0
    run_tool stream-window tumbling 1m 'x=sum:.bytes|'
    is_status 2
    printf '%s\n' 'stream-window: unexpected end of the program, wanted an expression' '.bytes|' '       ^' >"$wanted"
    same_bytes caret "$err"
}

@test "stream-dedupe: keys of expressions; none is bad" {
    web
    sed -n '1p;3p' "$input" >"$wanted"
    golden stream-dedupe --by 'u=.user|ascii_downcase'
    golden_from file stream-dedupe --by 'u=(walk(.)|.user|ascii_downcase)'
    sed -n '1p;3p;4p' "$input" >"$wanted"
    golden stream-dedupe --by 'u=.user|ascii_downcase' --within 1m --time '(.ts*10)'
    sed -n '1p;2p;3p;4p' "$input" >"$wanted"
    golden_from file stream-dedupe --by 'u=(.user|ascii_downcase),ok=.status < 400'
    run_tool stream-dedupe --by 'u=(.zz)'
    is_status 3
    err_has stdin:1 'no key'
    run_tool stream-dedupe --by 'u=.user.x'
    is_status 3
    err_has stdin:1
}

@test "--time takes an expression, in any tool" {
    web
    want_windows <<'E'
60 120 "count":1
120 180 "count":1
180 240 "count":1
4200 4260 "count":1
E
    golden stream-window tumbling 1m --time '(.ts*60)' count
    golden_from file stream-window tumbling 1m --time '.ts*60' count
    want_windows <<'E'
0 60 "count":3
60 120 "count":1
E
    golden stream-window tumbling 1m --time '(.zz // .ts)' count
    golden_from file stream-window tumbling 1m --time '(.ts|todate)' count
    tac "$input" >"$wanted"
    run_tool stream-time reorder --lateness 100s --time '(100-.ts)'
    is_status 0
    same_bytes reorder "$out"
    run_tool stream-cat --merge --time '(.ts*2)' "$input" "$input"
    is_status 0
    out_is < <(sed p "$input")
    run_tool stream-window tumbling 1m --time '(.zz)' count
    is_status 3
    err_has stdin:1 'no event time'
}

@test "--arg and --argjson, in every tool that takes expressions" {
    one
    cp "$input" "$wanted"
    golden stream-filter --arg x=1 --argjson y=1 '$x == "1" and $y == 1'
    golden_from file stream-filter '$x == "a=b \"c\""' --arg 'x=a=b "c"'
    golden_from file stream-filter --arg x= '$x == ""'
    run_tool stream-map --argjson x=1499816949527975237 --argjson 'y={"b":[1.00,"\u00e9"]}' '{$x, y: $y.b}'
    is_status 0
    out_is <<<'{"x":1499816949527975237,"y":[1.00,"\u00e9"]}'
    run_tool stream-map --arg 'x=é" \n' --argjson 'y=[null]' 'walk(.) | {$x, $y}'
    is_status 0
    out_is <<<'{"x":"é\" \\n","y":[null]}'
    run_tool stream-map --set 'b=$x' --arg x=q
    out_is <<<'{"a":1,"b":"q"}'
    web
    run_tool stream-window all --argjson k=2 'x=sum:(.bytes*$k)' --arg p=a --by 'a=.user|ascii_downcase|startswith($p)'
    is_status 0
    project '[.a, .x]' <<'E'
[false,512]
[true,3072]
E
    run_tool stream-dedupe --arg x=b --by 'u=.user|ascii_downcase|startswith($x)'
    is_status 0
    out_is < <(sed -n '1p;3p' "$input")
    run_tool stream-time reorder --time '(.ts+$x)' --argjson x=1
    is_status 0
    run_tool stream-cat --merge --time '(.ts+$x)' --argjson x=1 "$input"
    is_status 0
}

@test "--arg and --argjson: wrong use" {
    one
    run_tool stream-filter --arg x y '.a == $x'
    is_status 2
    out_empty
    printf '%s\n' 'stream-filter: --arg: NAME=VALUE is wanted, not "x"' 'hint: --arg x=VALUE, in one word' >"$wanted"
    same_bytes '--arg x y' "$err"
    run_tool stream-filter --argjson x=1x .
    is_status 2
    grep -qx 'stream-filter: --argjson x: not a JSON value: "1x"' "$err"
    local wrong
    for wrong in '--argjson x' '--argjson x=' '--argjson x=[1' '--argjson x={}{}' '--arg 1x=1' '--arg =1' '--arg x=1 --arg x=2' '--arg x=1 --argjson x=2'; do
        # shellcheck disable=SC2086
        run_tool stream-filter $wrong .
        is_status 2
        out_empty
        err_well_formed stream-filter
    done
    run_tool stream-filter --arg x=$'\xff' .
    is_status 2
    err_has UTF-8
}

@test "what an expression may not do: refused by name, compiled or not" {
    one
    local name prefix
    for name in input inputs debug stderr halt halt_error input_filename input_line_number get_search_list modulemeta; do
        for prefix in '' 'walk(.) | ' 'try '; do
            run_tool stream-filter "$prefix$name"
            is_status 2
            out_empty
            err_has "$name is not available in expressions over a stream" "$prefix$name" '^'
        done
    done
    run_tool stream-filter 'input'
    printf '%s\n' 'stream-filter: input is not available in expressions over a stream' input ^ 'hint: an event is all that an expression sees' >"$wanted"
    same_bytes input "$err"
    for name in 'import "a" as a; .' 'include "/etc/passwd"; .' 'import "/etc/passwd" as $d; $d' 'walk(.) | "\(input)"' 'reduce inputs as $x (0; 1)' \
        'def f: input; f' '{a: input}' '. as {(input): $x} | 1' '"x" | stderr' 'halt_error(1)' 'debug("x")'; do
        run_tool stream-filter "$name"
        is_status 2
        out_empty
    done
    # Members, variables and functions of one's own may be called so.
    run_tool stream-map 'def input: 5; {a: input, b: .debug?, inputs: 1} | . as $input | $input'
    is_status 0
    out_is <<<'{"a":5,"b":null,"inputs":1}'
}

@test "no file is read and no command run: strace sees none" {
    command -v strace >/dev/null || skip "there is no strace"
    one
    strace -f -e trace=open,openat,execve,socket -o "$BATS_TEST_TMPDIR/trace" stream-filter 'walk(.) | .a' <"$input" >"$out" 2>"$err" ||
        skip "strace does not run here"
    ! grep -E '\.jq|/etc/passwd|socket\(' "$BATS_TEST_TMPDIR/trace" | grep -v '= -1 ' || flunk "reads more than it should"
    [ "$(grep -c execve "$BATS_TEST_TMPDIR/trace")" -eq 1 ]
}

@test "a ~/.jq changes nothing" {
    one
    mkdir "$BATS_TEST_TMPDIR/home"
    echo 'def select(f): empty; def length: 7; def walk(f): 8; def foo: 1;' >"$BATS_TEST_TMPDIR/home/.jq"
    export HOME=$BATS_TEST_TMPDIR/home
    run_tool stream-map '{a: length}, (walk(.) | {b: length}), select(true)'
    is_status 0
    out_is < <(printf '%s\n' '{"a":1}' '{"b":1}' '{"a":1}')
    run_tool stream-filter foo
    is_status 2
    rm "$HOME/.jq"
    mkdir -p "$HOME/.jq"
    echo 'def foo: 1;' >"$HOME/.jq/foo.jq"
    run_tool stream-filter 'walk(.) | .a'
    is_status 0
    err_empty
}

@test "an event that libjq would round is bad, and says which number" {
    printf '%s\n' '{"id":1499816949527975237}' '{"id":2}' '{"id":1,"x":{"y":[0.10000000000000000000001]}}' '{"id":0.1000}' >"$input"
    run_tool stream-filter 'walk(.)'
    is_status 3
    out_empty
    grep -qx 'stream-filter: stdin:1: jq would round the number 1499816949527975237' "$err" || flunk "$(cat "$err")"
    run_tool stream-map 'walk(.)' --bad "$BATS_TEST_TMPDIR/dead"
    is_status 0
    out_is < <(printf '%s\n' '{"id":2}' '{"id":0.1}')
    [ "$(jq -r .reason "$BATS_TEST_TMPDIR/dead" | tail -n 1)" = 'jq would round the number 0.10000000000000000000001' ]
    # The same number where it is only carried is none of libjq's.
    run_tool stream-filter .id
    is_status 0
}

@test "seconds: every form of time that --time reads" {
    given <<'E'
{"t":"2015-05-17T10:05:03Z"}
{"t":"2015-05-17 10:05:03"}
{"t":"2015-05-17T10:05:03.250+02:00"}
{"t":"17/May/2015:10:05:03 +0000"}
{"t":1431857103}
{"t":1431857103.5}
{"t":"1431857103"}
{"t":1431857103250}
{"t":1431857103250000}
{"t":-1}
{"t":0}
E
    printf '{"s":%s}\n' 1431857103 1431857103 1431849903.25 1431857103 1431857103 1431857103.5 1431857103 1431857103.25 1431857103.25 -1 0 >"$wanted"
    golden stream-map '{s: (.t | seconds)}'
    golden_from file stream-map 'walk(.) | {s: (.t | seconds)}'
    given <<<'{"t":"2015-05-17T10:05:03.123456789Z","n":"1431857103250000000"}'
    run_tool stream-map '{s: (.t | seconds), n: (.n | seconds)}'
    out_is <<<'{"s":1431857103.123456789,"n":1431857103.25}'
    local t
    for t in '"yesterday"' null '[]' '"2015-13-01T00:00:00Z"'; do
        given <<<"{\"t\":$t}"
        run_tool stream-filter '.t | seconds'
        is_status 3
        err_has stdin:1 'not a time'
        run_tool stream-filter '.t | seconds?'
        is_status 0
        out_empty
    done
}

@test "seconds of integer nanoseconds in libjq: right, or bad since libjq rounds it" {
    given <<<'{"t":1431857103250000000}'
    run_tool stream-map '{s: (.t | seconds)}'
    out_is <<<'{"s":1431857103.25}'
    run_tool stream-map 'walk(.) | {s: (.t | seconds)}'
    [ "$status" -eq 3 ] || out_is <<<'{"s":1431857103.25}'
}

@test "now is one value within an event, compiled and in libjq, and about right" {
    one
    run_tool stream-map --set 'n=now' --set 'm=now' --set 'o=walk(now)' --set 'p=[now, now] | unique | length'
    is_status 0
    [ "$(jq --argjson t "$(date +%s)" '.n == .m and .p == 1 and (.n - $t | fabs < 5) and (.o - $t | fabs < 5)' "$out")" = true ] || flunk "$(cat "$out")"
}

@test "\$ENV and env" {
    one
    X='a "b" é' run_tool stream-map '{x: $ENV.X, y: env.X, z: $ENV.NOPE}, (walk(.) | {x: $ENV.X, y: env.X, z: $ENV.NOPE})'
    is_status 0
    err_empty
    out_is < <(for _ in 1 2; do echo '{"x":"a \"b\" é","y":"a \"b\" é","z":null}'; done)
}

@test "NUL in strings, lone surrogates, long strings" {
    printf '%s\n' '{"a":"\u0000b"}' >"$input"
    run_tool stream-map '{b: (.a + "x"), c: .a, d: (.a | explode), e: (.a | length)}, (walk(.) | {c: .a, e: (.a | length)})'
    is_status 0
    out_is < <(printf '%s\n' '{"b":"\u0000bx","c":"\u0000b","d":[0,98],"e":2}' '{"c":"\u0000b","e":2}')
    run_tool stream-map -r .a
    printf '\0b\n' | cmp - "$out"
    printf '%s\n' '{"a":"\ud83dx","\ude00":1}' >"$input"
    cp "$input" "$wanted"
    golden stream-filter '.a == "\ufffdx"'
    run_tool stream-map '{b: .a, d: (.a | explode), f: keys}'
    out_is <<<'{"b":"\ud83dx","d":[65533,120],"f":["a","�"]}'
    run_tool stream-filter 'walk(.) | .a'
    is_status 3
    err_has stdin:1 surrogate
    perl -e 'print "{\"a\":\"", "x" x 3000000, "\"}\n{\"a\":1}\n"' >"$input"
    cp "$input" "$wanted"
    local e
    for e in '.a | tostring | ascii_upcase | test("Y") | not' 'walk(.) | .a'; do
        run_tool stream-filter "$e"
        is_status 0
        same_bytes long "$out"
    done
    run_tool stream-filter . --max-line 1MiB --bad skip
    out_is <<<'{"a":1}'
}

@test "depth bombs" {
    local n e
    for n in 1023 1024 300000; do
        perl -e 'my $n = shift; print "{\"a\":", "[" x $n, "]" x $n, "}\n{\"a\":1}\n"' "$n" >"$input"
        for e in . '. == .' '[..] | length > 0' tojson '[paths] | length > 0' 'walk(.) | .a'; do
            run_tool stream-filter "$e" --bad skip
            is_status 0
            tail -n 1 "$out" | cmp - <(echo '{"a":1}')
            if [ "$n" -gt 1023 ]; then [ "$(wc -l <"$out")" -eq 1 ]; fi
        done
    done
    one
    run_tool stream-map '{b: (reduce range(100000) as $i (0; [.]))}'
    is_status 3
    err_has stdin:1 deep
}

@test "an endless or greedy expression makes the event bad, and the tool goes on" {
    printf '{"a":%d}\n' 1 2 >"$input"
    local e
    for e in 'last(range(1e18))' '1 | until(false; .)' '[range(1e9)]' '"a" * 1e9' '{} | .a[1000000000] = 1' 'walk(.) | def f: 1 + f; f'; do
        run_tool stream-filter "if .a == 1 then ($e) else true end" --bad skip
        is_status 0
        out_is <<<'{"a":2}'
        grep -qx 'stream-filter: 1 bad event, skipped' "$err" || flunk "$e: $(cat "$err")"
    done
}

@test "an endless loop in libjq ends after about 5 s, and the tool goes on" {
    printf '{"a":%d}\n' 1 2 3 >"$input"
    local start=$SECONDS
    run_tool stream-filter 'walk(.) | if .a == 2 then def f: f; f else true end' --bad "$BATS_TEST_TMPDIR/dead"
    is_status 0
    out_is < <(printf '{"a":%d}\n' 1 3)
    [ $((SECONDS - start)) -ge 4 ] && [ $((SECONDS - start)) -lt 20 ]
    [ "$(jq -r '"\(.line) \(.reason)"' "$BATS_TEST_TMPDIR/dead")" = '2 took longer than 5s in libjq' ] || flunk "$(cat "$BATS_TEST_TMPDIR/dead")"
}

# Whether none of these runs (a zombie that nobody has waited for does not).
gone() {
    local pid i
    for pid; do
        for ((i = 0; i < 60; i++)); do
            [ -e "/proc/$pid/stat" ] || break
            grep -q ') Z ' "/proc/$pid/stat" 2>/dev/null && break
            sleep 0.05
        done
        [ "$i" -lt 60 ] || return 1
    done
}

@test "kill -9, SIGTERM, SIGINT: no child process stays, also in an endless loop" {
    local signal e children pid
    mkfifo "$BATS_TEST_TMPDIR/in"
    for signal in KILL TERM INT; do
        for e in 'walk(.)' 'walk(.) | def f: f; f'; do
            perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV or die' stream-filter "$e" <"$BATS_TEST_TMPDIR/in" >"$out" 2>"$err" 3>&- &
            pid=$!
            exec 9>"$BATS_TEST_TMPDIR/in"
            echo '{"a":1}' >&9
            for ((i = 0; i < 60; i++)); do
                children=$(pgrep -P "$pid" || true)
                [ -z "$children" ] || break
                sleep 0.05
            done
            [ -n "$children" ] || skip "libjq has no process of its own"
            sleep 0.1
            kill -"$signal" "$pid"
            wait "$pid" && status=0 || status=$?
            exec 9>&-
            case $signal in KILL) is_status 137 ;; TERM) is_status 143 ;; INT) is_status 130 ;; esac
            # shellcheck disable=SC2086
            gone $children || flunk "$signal, $e: $children stays"
        done
    done
}

@test "with libjq: a reader that goes away, a full disk, closed stdin and stdout" {
    seq 1 50000 | sed 's/.*/{"ts":&}/' >"$input"
    local e='walk(.) | .ts'
    within_limit bash -c "stream-filter '$e' <'$input' 2>'$err' | head -n 1 >'$out'; exit \${PIPESTATUS[0]}" && status=0 || status=$?
    is_status 141
    err_empty
    within_limit bash -c "yes '{\"a\":1}' | stream-map -r .a 2>'$err' | head -n 1 >'$out'; exit \${PIPESTATUS[1]}" && status=0 || status=$?
    is_status 141
    err_empty
    head -n 100 "$input" >"$input.few"
    if [ -e /dev/full ]; then
        within_limit stream-filter "$e" "$input.few" >/dev/full 2>"$err" && status=0 || status=$?
        is_status 4
        err_has space
    fi
    within_limit stream-filter "$e" "$input.few" >&- 2>"$err" && status=0 || status=$?
    is_status 4
    within_limit stream-filter "$e" <&- >"$out" 2>"$err" && status=0 || status=$?
    is_status 4
    err_has 'stdin is closed'
    within_limit stream-filter "$e" "$input.few" <&- >"$out" 2>"$err" && status=0 || status=$?
    is_status 0
    cmp "$input.few" "$out"
    within_limit stream-filter "$e" "$input.few" <&- >"$out" 2>&- && status=0 || status=$?
    is_status 0
    cmp "$input.few" "$out"
}

@test "a typo in a field's name is told at the end, with the near name" {
    web
    printf '%s\n' 'no event had a field "statsu"' 'hint: did you mean status? the members there are: ts, user, bytes, status, r' >"$input.message"
    local e
    for e in '.statsu >= 500' '.["statsu"] == 1' '.user == 1 or .statsu == 2' 'if .statsu then false else false end'; do
        run_tool stream-filter "$e"
        is_status 0
        out_empty
        sed '1s/^/stream-filter: /' "$input.message" >"$wanted"
        same_bytes "$e" "$err"
    done
    sed '1s/^/stream-map: /' "$input.message" >"$wanted"
    run_tool stream-map '{statsu}'
    is_status 0
    same_bytes map "$err"
    run_tool stream-map --set 'x=.statsu'
    same_bytes set "$err"
    sed '1s/^/stream-window: /' "$input.message" >"$wanted"
    run_tool stream-window all 'errors=mean:(.statsu >= 500)'
    is_status 0
    same_bytes window "$err"
    sed '1s/^/stream-dedupe: /' "$input.message" >"$wanted"
    run_tool stream-dedupe --by 'k=(.statsu|not)'
    same_bytes dedupe "$err"
}

@test "nothing is told of fields that may be missing" {
    web
    local e
    for e in '.statsu? >= 500' '(.statsu // 0) >= 500' 'has("statsu")' 'del(.statsu)' '(.r.m? // .r.n) == 1' '.x?.y?' '.user'; do
        run_tool stream-filter "$e"
        is_status 0
        err_empty
    done
    run_tool stream-window all 'x=mean:(.statsu // 0)' --by 'u=(.usr // "x")'
    is_status 0
    err_empty
    rm -f "$input"
    run_tool stream-filter .a # no event at all
    is_status 0
    err_empty
}

@test "the names there are: each once, and no empty list" {
    printf '%s\n' '{"id":1,"s":1,"s":2}' >"$input"
    run_tool stream-filter .zz
    err_has 'the members there are: id, s'
    err_lacks 's, s'
    echo '{}' >"$input"
    run_tool stream-filter .zz
    is_status 0
    ! grep -q 'there are: *$' "$err" || flunk "$(cat "$err")"
}

@test "messages begin in lower case and stay on their lines, from libjq too" {
    one
    local e
    for e in '[.[] | tostring] | combinations' '.a.b' '.[0]' '.a | test("x")' '.a | significand | .b' '"x" | test("(")'; do
        run_tool stream-filter "$e"
        is_status 3
        grep -qE '^stream-filter: stdin:1: [^A-Z]' "$err" || flunk "$e: $(cat "$err")"
        err_well_formed stream-filter
    done
}
