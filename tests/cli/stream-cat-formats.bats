#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Text to events.

load ../support/helpers

@test "csv: a header, quotes, numbers only where JSON has them, empty is null" {
    printf '%s\r\n' 'name,value,z' '"a,b",1,x' '"x ""y""",007,' ',1.50,-0' '"two' 'lines",1e5,+1' 'é,.5,NaN' 'true,1.,0x1' >"$input"
    want <<'E'
{"name":"a,b","value":1,"z":"x"}
{"name":"x \"y\"","value":"007","z":null}
{"name":null,"value":1.50,"z":-0}
{"name":"two\r\nlines","value":1e5,"z":"+1"}
{"name":"é","value":".5","z":"NaN"}
{"name":"true","value":"1.","z":"0x1"}
E
    golden stream-cat --format csv
}

@test "csv: known by the name's ending, before .gz and .zst" {
    cd "$BATS_TEST_TMPDIR"
    printf 'a,b\n1,2' >t.csv
    gzip -k t.csv
    zstd -q t.csv
    local file
    for file in t.csv t.csv.gz t.csv.zst; do
        run_tool stream-cat $file
        is_status 0
        err_empty
        out_is <<<'{"a":1,"b":2}'
    done
    printf 'a\tb\n1\tx y\n' >t.tsv
    run_tool stream-cat t.tsv
    out_is <<<'{"a":1,"b":"x y"}'
}

@test "csv: never guessed from content; a wrong choice gets a hint" {
    printf 'a,b\n1,2\n' >"$input"
    run_tool stream-cat
    is_status 3
    err_has '--format csv'
}

@test "csv --columns: the file has no header, and no newline at its end" {
    printf '100,1.5,Q\n200,2.5,P' >"$input"
    want <<'E'
{"ms":100,"price":1.5,"x":"Q"}
{"ms":200,"price":2.5,"x":"P"}
E
    golden stream-cat --format csv --columns ms,price,x
}

@test "csv: every file has its own header" {
    cd "$BATS_TEST_TMPDIR"
    printf 'a,b\n1,2\n' >one.csv
    printf 'b,c\n3,4\n' >two.csv
    run_tool stream-cat one.csv two.csv
    out_is <<<$'{"a":1,"b":2}\n{"b":3,"c":4}'
}

@test "csv: a quote that is never closed, or a row of another length, is bad" {
    printf 'a,b\n1,"2\n3,4\n' >"$input"
    run_tool stream-cat --format csv
    is_status 3
    printf 'a,b\n1,2,3\n4,5\n' >"$input"
    run_tool stream-cat --format csv --bad skip
    is_status 0
    [ "$(tail -n 1 "$out")" = '{"a":4,"b":5}' ]
}

@test "csv --time writes ts" {
    printf 'timestamp,v\n2013-12-02 21:15:00,1\n2013-12-02 21:20:00,2\n' >"$input"
    run_tool stream-cat --format csv --time timestamp
    is_status 0
    project '[.timestamp,.v,.ts]' <<'E'
["2013-12-02 21:15:00",1,"2013-12-02T21:15:00Z"]
["2013-12-02 21:20:00",2,"2013-12-02T21:20:00Z"]
E
    run_tool stream-cat --format csv --time timestamp --tz Europe/Berlin
    [ "$(jq -r .ts "$out" | head -n 1)" = 2013-12-02T20:15:00Z ]
    printf '34200000,5\n' >"$input"
    run_tool stream-cat --format csv --columns ms,p --time ms --time-unit ms --tz America/New_York --base 2013-10-07
    [ "$(jq -r .ts "$out")" = 2013-10-07T13:30:00Z ]
}

@test "tsv: tabs only, quotes are text" {
    printf 'a\tb\tc\n1\t"x"\t\n' >"$input"
    want <<'E'
{"a":1,"b":"\"x\"","c":null}
E
    golden stream-cat --format tsv
}

@test "logfmt" {
    given <<'E'
level=info msg="hello \"you\" = x" n=5 t=1.50 path=/a/b
E
    want <<'E'
{"level":"info","msg":"hello \"you\" = x","n":5,"t":1.50,"path":"/a/b"}
E
    golden stream-cat --format logfmt
}

@test "lines: any text, one member" {
    printf 'plain\n\ttab "quote" \\ back\001\n é\n' >"$input"
    want <<'E'
{"line":"plain"}
{"line":"\ttab \"quote\" \\ back\u0001"}
{"line":" é"}
E
    golden stream-cat --format lines
}

@test "regex: named groups; a line that does not match is bad" {
    given <<'E'
GET /x 12
POST /y 3.5
E
    want <<'E'
{"method":"GET","path":"/x","n":12}
{"method":"POST","path":"/y","n":3.5}
E
    golden stream-cat --format 'regex:(?P<method>\w+) (?P<path>\S+) (?P<n>.*)'
    echo nothing >>"$input"
    run_tool stream-cat --format 'regex:(?P<method>\w+) (?P<path>\S+) (?P<n>.*)'
    is_status 3
    err_has stdin:3
    run_tool stream-cat --format 'regex:(?P<method>\w+'
    is_status 2
}

@test "clf and combined: the members, ts in UTC, - is null" {
    given <<'E'
127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif?x=1&y=2 HTTP/1.0" 200 2326
::1 - - [10/Oct/2000:13:55:37 -0700] "POST /form HTTP/1.1" 302 -
E
    run_tool stream-cat --format clf
    is_status 0
    err_empty
    project '[.ts,.remote_ip,.user,.method,.path,.query,.protocol,.status,.bytes]' <<'E'
["2000-10-10T20:55:36Z","127.0.0.1","frank","GET","/apache_pb.gif","x=1&y=2","HTTP/1.0",200,2326]
["2000-10-10T20:55:37Z","::1",null,"POST","/form",null,"HTTP/1.1",302,null]
E
    given <<'E'
83.149.9.216 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 203023 "http://s.com/p/" "Mozilla/5.0 \"x\" (X11)"
E
    run_tool stream-cat --format combined
    is_status 0
    project '[.ts,.path,.bytes,.referrer,.agent[0:11]]' <<<'["2015-05-17T10:05:03Z","/a",203023,"http://s.com/p/","Mozilla/5.0"]'
    jq -c keys_unsorted "$out" | grep -qF '["ts","remote_ip","user","method","path","query","protocol","status","bytes","referrer","agent"]' ||
        flunk "$(cat "$out")"
}

@test "combined: a line that is cut short is bad" {
    given <<'E'
46.118.127.106 - - [20/May/2015:12:05:17 +0000] "GET /x HTTP/1.1" 200 235 "-" "Mozilla/5.0 (compatible
E
    run_tool stream-cat --format combined
    is_status 3
    err_has stdin:1
}

@test "syslog: needs a year, rolls over at New Year" {
    given <<'E'
Dec 31 23:59:59 host sshd[1291]: Server listening on 0.0.0.0 port 22.
Jan  1 00:00:00 host kernel: [    0.000000] Linux "x"
E
    want <<'E'
{"ts":"2017-12-31T23:59:59Z","host":"host","program":"sshd","pid":1291,"message":"Server listening on 0.0.0.0 port 22."}
{"ts":"2018-01-01T00:00:00Z","host":"host","program":"kernel","pid":null,"message":"[    0.000000] Linux \"x\""}
E
    golden stream-cat --format syslog --base 2017
    run_tool stream-cat --format syslog
    [ "$status" -eq 2 ] || [ "$status" -eq 3 ]
    err_has --base
}
