#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# stream-join, events with a table's rows: --as-of and --latest.

load ../support/helpers

setup() { cd "$BATS_TEST_TMPDIR" || return 1; }

orders() {
    given <<'E'
{"ts":10, "sku":"a","n":1.0}
{"ts":20,"sku":"b" }
{"ts":30,"sku":"a"}
{"ts":40,"sku":"c"}
E
}
prices() {
    cat >prices <<'E'
{"ts":10,"sku":"a","price":1.50}
{"ts":25,"sku":"a", "price":1.60}
{"ts":5,"sku":"b","price":2}
{"ts":41,"sku":"c","price":3}
E
}
# The tool, in the background, has written so many lines.
written() {
    local i
    for i in $(seq 200); do
        [ "$(wc -l <"$out")" -lt "$1" ] || return 0
        sleep 0.1
    done
    flunk "not $1 lines:" "$(cat "$out" "$err")"
}
ended() {
    local i
    for i in $(seq 100); do
        [ -e status ] && return
        sleep 0.1
    done
    flunk 'still there'
}

@test "--as-of: the row as it was at the event's time; the event's bytes as they are" {
    orders
    prices
    want <<'E'
{"ts":10, "sku":"a","n":1.0,"right":{"ts":10,"sku":"a","price":1.50}}
{"ts":20,"sku":"b" ,"right":{"ts":5,"sku":"b","price":2}}
{"ts":30,"sku":"a","right":{"ts":25,"sku":"a", "price":1.60}}
E
    golden stream-join prices --on sku --as-of
    golden stream-join prices --on sku --as-of --type inner
    echo '{"ts":40,"sku":"c","right":null}' >>"$wanted"
    golden stream-join prices --on sku --as-of --type left
    # A pipe in order of time is merged.
    sort -t: -k2n prices >sorted
    run_shell "stream-join <(cat sorted) --on sku --as-of --type left <'$input'"
    is_status 0
    err_empty
    same_bytes '<( )' "$out"
}

@test "--as-of: semi and anti" {
    orders
    prices
    want <<'E'
{"ts":10, "sku":"a","n":1.0}
{"ts":20,"sku":"b" }
{"ts":30,"sku":"a"}
E
    golden stream-join prices --on sku --as-of --type semi
    want <<'E'
{"ts":40,"sku":"c"}
E
    golden stream-join prices --on sku --as-of --type anti
}

@test "--as NAME and --fields: names with blanks, a member there was is replaced in its place" {
    orders
    prices
    want <<'E'
{"ts":10, "sku":"a","n":1.0,"unit price":{"price":1.50}}
{"ts":20,"sku":"b" ,"unit price":{"price":2}}
{"ts":30,"sku":"a","unit price":{"price":1.60}}
E
    golden stream-join prices --on sku --as-of --fields price --as 'unit price'
    want <<'E'
{"ts":10, "sku":"a","n":{"ts":10,"price":1.50}}
{"ts":20,"sku":"b" ,"n":{"ts":5,"price":2}}
{"ts":30,"sku":"a","n":{"ts":25,"price":1.60}}
E
    golden stream-join prices --on sku --as-of --fields price,ts --as n
}

@test "--as-of: of equal times the last line; a version counts from its own instant on" {
    rows ts k <<<$'9 1\n10 1\n11 1'
    printf '%s\n' '{"ts":10,"k":1,"v":1}' '{"ts":10,"k":1,"v":2}' '{"ts":11,"k":1,"v":4}' '{"ts":11,"k":1,"v":3}' >table
    run_tool stream-join table --on k --as-of --type left
    is_status 0
    project '.right.v' <<<$'null\n2\n3'
    run_shell "stream-join <(cat table) --on k --as-of --type left <'$input'"
    is_status 0
    project '.right.v' <<<$'null\n2\n3'
}

@test "--as-of: a file in any order, LEFT in any order, nothing is late" {
    rows ts k <<<$'30 1\n10 1\n20 1'
    printf '%s\n' '{"ts":25,"k":1,"v":3}' '{"ts":5,"k":1,"v":1}' '{"ts":15,"k":1,"v":2}' >table
    run_tool stream-join table --on k --as-of
    is_status 0
    err_empty
    project '[.ts,.right.v]' <<<$'[30,3]\n[10,1]\n[20,2]'
    # From a pipe: what is older than its own input's watermark is late, and told.
    run_shell "stream-join <(cat table) --on k --as-of --type left <'$input'"
    is_status 3
    err_has '4 late events'
    project '[.ts,.right.v]' <<<$'[30,3]'
    run_shell "stream-join <(cat table) --on k --as-of --lateness 20s <'$input'"
    is_status 0
    err_empty
    project '[.ts,.right.v]' <<<$'[10,1]\n[20,2]\n[30,3]'
}

@test "deletes: Debezium's, seen from their instant on; truncation; a key that changes" {
    cat >table <<'E'
{"op":"c","before":null,"after":{"id":1,"n":"x"},"ts":1}
{"op":"u","before":{"id":1,"n":"x"},"after":{"id":1,"n":"y"},"ts":5}
{"op":"d","before":{"id":1,"n":"y"},"after":null,"ts":9}
{"op":"r","before":null,"after":{"id":2,"n":"q"},"ts":9}
{"op":"u","before":{"id":2,"n":"q"},"after":{"id":3,"n":"q"},"ts":12}
{"op":"t","before":null,"after":null,"ts":15}
{"op":"c","before":null,"after":{"id":1,"n":"z"},"ts":15}
E
    seq 1 16 | sed 's/.*/{"ts":&,"id":1}\n{"ts":&,"id":2}\n{"ts":&,"id":3}/' >"$input"
    run_tool stream-join table --on id --as-of
    is_status 0
    err_empty
    project '[.ts,.id,.right.n]' <<'E'
[1,1,"x"]
[2,1,"x"]
[3,1,"x"]
[4,1,"x"]
[5,1,"y"]
[6,1,"y"]
[7,1,"y"]
[8,1,"y"]
[9,2,"q"]
[10,2,"q"]
[11,2,"q"]
[12,3,"q"]
[13,3,"q"]
[14,3,"q"]
[15,1,"z"]
[16,1,"z"]
E
    cp "$out" "$wanted"
    run_shell "stream-join <(cat table) --on id --as-of <'$input'"
    is_status 0
    same_bytes merged "$out"
}

@test "--deleted: rows that say that they are deleted" {
    cat >rows <<'E'
{"ts":1,"id":1,"n":"x"}
{"ts":5,"id":1,"n":"y"}
{"ts":9,"id":1,"state":"gone"}
{"ts":12,"id":1,"n":"z"}
E
    rows ts id <<<$'8 1\n9 1\n11 1\n12 1'
    run_tool stream-join rows --on id --as-of --type left --deleted '.state == "gone"'
    is_status 0
    project '.right.n' <<<$'"y"\nnull\nnull\n"z"'
    run_shell "stream-join <(cat rows) --on id --as-of --type left --deleted '.state == \"gone\"' <'$input'"
    is_status 0
    project '.right.n' <<<$'"y"\nnull\nnull\n"z"'
    head -n 3 rows >now
    run_tool stream-join now --on id --latest --type anti --deleted '.state == "gone"'
    is_status 0
    [ "$(wc -l <"$out")" -eq 4 ]
}

@test "Debezium's envelope: in a payload or not, its time source.ts_ms; what is no change is nothing" {
    cat >table <<'E'
{"payload":{"op":"c","before":null,"after":{"id":1,"n":"x"},"source":{"ts_ms":1700000001000}},"schema":{}}
{"schema":{},"payload":{"op":"d","before":{"id":1,"n":"x"},"after":null,"source":{"ts_ms":1700000005000}}}
E
    rows ts id <<<$'1700000001 1\n1700000004 1\n1700000005 1'
    run_tool stream-join table --on id --as-of --type left --time ts=payload.source.ts_ms
    is_status 0
    err_empty
    project '.right.n' <<<$'"x"\n"x"\nnull'
    printf '%s\n' '{"op":"c","after":{"id":1,"n":"x"},"source":{"ts_ms":1700000001000}}' '{"op":"m","message":{"prefix":"p"},"source":{"ts_ms":1700000002000}}' >table
    run_tool stream-join table --on id --as-of
    is_status 0
    [ "$(wc -l <"$out")" -eq 3 ]
    printf '%s\n' '{"op":"x","before":null,"after":{"id":1},"source":{"ts_ms":1700000001000}}' >table
    run_tool stream-join table --on id --as-of
    is_status 3
    err_has table:1 '"x"'
    run_tool stream-join table --on id --as-of --bad skip --type left
    is_status 0
    err_has '1 bad event'
    [ "$(wc -l <"$out")" -eq 3 ]
}

@test "null keys match nothing; a row without its key is no row" {
    printf '%s\n' '{"ts":1,"k":null}' '{"ts":1}' '{"ts":1,"k":2}' >"$input"
    printf '%s\n' '{"ts":0,"k":null,"v":1}' '{"ts":0,"v":2}' '{"ts":0,"k":2.0,"v":3}' >table
    local how
    for how in --as-of --latest; do
        run_tool stream-join table --on k $how --type left
        is_status 0
        project '.right.v' <<<$'null\nnull\n3'
    done
}

@test "several keys, other names, expressions on either side" {
    rows ts a b <<<$'1 1 "x"\n1 1 null\n1 2 "x"'
    printf '%s\n' '{"ts":0,"id":1,"kind":"X","v":1}' '{"ts":0,"id":2,"kind":"Y","v":2}' >table
    local how
    for how in --as-of --latest; do
        run_tool stream-join table --on 'a=id,b=(.kind|ascii_downcase)' $how --type left
        is_status 0
        project '.right.v' <<<$'1\nnull\nnull'
        run_tool stream-join table --on 'a=id' --on '(.b|if . then ascii_upcase else . end)=kind' $how --type left
        is_status 0
        err_empty
        project '.right.v' <<<$'1\nnull\nnull'
    done
}

@test "each input its own form of a field" {
    given <<<'{"ts":1,"a":{"b":1}}'
    echo '{"ts":0,"a.b":1,"v":2}' >table
    run_tool stream-join table --on a.b --as-of
    is_status 0
    project .right.v <<<2
    run_shell "stream-join '$input' --on a.b --latest <table"
    is_status 0
    project .right.a.b <<<1
}

@test "--latest: the last line of a key, whatever the times; none are needed" {
    rows sku <<<$'"a"\n"b"\n"c"'
    want <<'E'
{"sku":"a","now":{"sku":"a","v":3}}
{"sku":"b","now":null}
{"sku":"c","now":{"sku":"c","v":5}}
E
    printf '%s\n' '{"sku":"a","v":1,"ts":9}' '{"sku":"b","v":2}' '{"sku":"a","v":3}' '{"op":"d","before":{"sku":"b"},"after":null}' '{"sku":"c","v":5}' >table
    golden stream-join table --on sku --latest --as now --type left
    run_shell "stream-join <(sleep 0.3; cat table) --on sku --latest --as now --type left <'$input'"
    is_status 0
    err_empty
    same_bytes 'a pipe' "$out"
    run_shell "cat '$input' | stream-join <(sleep 0.3; cat table) --on sku --latest --as now --type left"
    is_status 0
    same_bytes 'two pipes' "$out"
}

@test "CSV, TSV, gzip and zstd as RIGHT: cells as they are" {
    orders
    printf 'sku,ts,price\na,5,1.50\nb,6,007\n,7,3\n' >p.csv
    gzip -k p.csv
    zstd -q p.csv
    tr , '\t' <p.csv >p.tsv
    want <<'E'
{"ts":10, "sku":"a","n":1.0,"p":{"price":1.50}}
{"ts":20,"sku":"b" ,"p":{"price":"007"}}
{"ts":30,"sku":"a","p":{"price":1.50}}
E
    local file
    for file in p.csv p.csv.gz p.csv.zst p.tsv; do golden stream-join $file --on sku --as-of --fields price --as p; done
    run_shell "stream-join <(cat p.csv) --format =csv --on sku --latest --fields price --as p <'$input'"
    is_status 0
    same_bytes 'a pipe' "$out"
    run_shell "stream-join <(cat p.csv) --on sku --latest <'$input'"
    is_status 3
    err_has :1 csv
}

@test "a log as RIGHT" {
    [ -x "$STREAM_BIN/stream-log" ] || skip "there is no stream-log"
    orders
    prices
    stream-log append log <prices
    stream-join prices --on sku --as-of --type left <"$input" >"$wanted"
    run_tool stream-join log --on sku --as-of --type left
    is_status 0
    err_empty
    same_bytes 'from a log' "$out"
}

@test "--latest --follow: what is there first, then changes as they come; LEFT's end is the end" {
    echo '{"k":1,"v":1}' >table
    mkfifo left
    (stream-join -f table --on k --latest --type left <left >"$out" 2>"$err"; echo $? >status) 3>&- &
    exec 9>left
    echo '{"k":1}' >&9
    written 1
    echo '{"k":1,"v":2}' >>table
    sleep 1.5
    echo '{"k":1}' >&9
    written 2
    exec 9>&-
    ended
    [ "$(cat status)" -eq 0 ]
    project .right.v <<<$'1\n2'
}

@test "--as-of --follow: LEFT waits for the table's watermark" {
    echo '{"ts":1,"k":1,"v":1}' >table
    mkfifo left
    (stream-join -f table --on k --as-of --type left <left >"$out" 2>"$err"; echo $? >status) 3>&- &
    exec 9>left
    echo '{"ts":10,"k":1}' >&9
    sleep 0.5
    [ ! -s "$out" ]
    echo '{"ts":10,"k":1,"v":2}' >>table
    sleep 0.7
    [ ! -s "$out" ] # another change of 10 may come
    echo '{"ts":11,"k":1,"v":3}' >>table
    written 1
    exec 9>&-
    ended
    project .right.v <<<2
}

@test "--state: a table of a pipe goes on where it was" {
    rm -f "$input"
    printf '%s\n' '{"ts":1,"k":1,"v":1}' '{"ts":5,"k":1,"v":2}' '{"ts":9,"k":1,"v":3}' '{"ts":20,"k":1,"v":4}' >table
    printf '{"ts":%s,"k":1}\n' 1 4 5 8 9 21 >left
    mkfifo right
    stream-join right --on k --as-of --type left <left >"$wanted" 3>&- &
    cat table >right
    wait $!
    local n m
    for n in 0 1 2 3 4; do
        for m in 0 2 3 6; do
            rm -rf state
            run_shell "head -n $n table >right & head -n $m left | stream-join right --on k --as-of --type left --state state || exit
                tail -n +$((n + 1)) table >right & tail -n +$((m + 1)) left | stream-join right --on k --as-of --type left --state state --final"
            is_status 0
            same_bytes "after $m and $n" "$out"
        done
    done
}

@test "--memory: a table that does not fit: 7" {
    seq 200000 | sed 's/.*/{"ts":0,"k":&,"pad":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}/' >table
    rows ts k <<<'1 1'
    run_tool stream-join table --on k --as-of --memory 4MiB
    is_status 7
    err_has --memory
    err_well_formed stream-join
    run_tool stream-join table --on k --latest
    is_status 0
}

@test "--max-ahead counts for a table too" {
    rows ts k <<<$'10 1'
    printf '{"ts":%s,"k":1}\n' 1 1000 >table
    run_tool stream-join table --on k --as-of --max-ahead 60s
    is_status 3
    err_has table:2 --max-ahead
}

@test "a name that no row or no event has is told" {
    rows ts k <<<'1 1'
    echo '{"ts":1,"id":1}' >table
    local how
    for how in --as-of --latest; do
        run_tool stream-join table --on k $how
        err_has '"k"'
        run_tool stream-join table --on kk=id $how
        err_has '"kk"'
    done
    echo '{"ts":1,"k":1}' >table
    run_tool stream-join table --on k --as-of --fields price,nope
    is_status 0
    err_has '"nope"'
}

@test "mistakes: 2" {
    orders
    prices
    refused() { # WORD ARG…
        local word=$1
        shift
        run_tool stream-join "$@"
        is_status 2
        out_empty
        err_has "$word"
        err_well_formed stream-join
    }
    refused --on prices --as-of
    refused --type prices --on sku --as-of --type full
    refused --type prices --on sku --latest --type right
    refused --flat prices --on sku --as-of --flat
    refused --eager prices --on sku --latest --eager
    refused --fields prices --on sku --as-of --fields '(.a)'
    refused stdin - --on sku --latest
    run_tool stream-join prices --on sku --as-of --deleted '.a =='
    is_status 2
    err_has 'unexpected end' '^'
}

@test "--state: a table that is a file is read anew by each call, and is no part of the state" {
    local how
    for how in --latest '--as-of --time ts'; do
        rm -rf state
        rows ts k <<<$'5 1\n5 2'
        echo '{"ts":1,"k":1,"v":1}' >table
        # shellcheck disable=SC2086
        run_tool stream-join table --on k $how --type left --state state
        is_status 0
        project .right.v <<<$'1\nnull'
        echo '{"ts":1,"k":2,"v":2}' >table
        # shellcheck disable=SC2086
        run_tool stream-join table --on k $how --type left --state state --stats stats
        is_status 0
        project .right.v <<<$'null\n2'
        [ "$(tail -n 1 stats | jq -c '[.rows,.versions]')" = '[1,1]' ] || flunk "$(cat stats)"
    done
}
