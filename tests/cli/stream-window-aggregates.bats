#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What each aggregate says, of something, of one, of nothing, and of numbers that do not fit a double.

load ../support/helpers

some_values() {
    rows ts v <<'E'
0 3
10 1
20 2
30 null
40 -
50 4
E
}

@test "count, sum, mean, min, max; null and missing are skipped" {
    some_values
    want_windows <<'E'
0 60 "count":6,"count_v":4,"sum_v":10,"mean_v":2.5,"min_v":1,"max_v":4
E
    golden stream-window tumbling 1m count count:v sum:v mean:v min:v max:v
}

@test "first, last, collect, distinct, span" {
    some_values
    want_windows <<'E'
0 60 "first_v":3,"last_v":4,"collect_v":[3,1,2,4],"distinct_v":4
E
    golden stream-window tumbling 1m first:v last:v collect:v distinct:v
    want_windows <<'E'
0 60 "span":50
E
    golden stream-window tumbling 1m span
}

@test "variance and stddev are the sample's" {
    some_values
    want_windows <<'E'
0 60 "variance_v":1.6666666666666667,"stddev_v":1.2909944487358056
E
    golden stream-window tumbling 1m variance:v stddev:v
}

@test "percentiles are by nearest rank" {
    some_values
    want_windows <<'E'
0 60 "median_v":2,"p50_v":2,"p25_v":1,"p26_v":2,"p75_v":3,"p76_v":4,"p99_v":4,"p99_9_v":4
E
    golden stream-window tumbling 1m median:v p50:v p25:v p26:v p75:v p76:v p99:v p99.9:v
}

@test "rate is per second of the window: of events, or of a sum" {
    some_values
    want_windows <<'E'
0 60 "rate":0.1,"rate_v":0.16666666666666666
E
    golden stream-window tumbling 1m rate rate:v
}

@test "of nothing: count and distinct 0, collect [], all else null" {
    rows ts v <<'E'
1 null
2 -
E
    want_windows <<'E'
0 10 "count_v":0,"distinct_v":0,"collect_v":[],"sum_v":null,"mean_v":null,"min_v":null,"max_v":null,"first_v":null,"last_v":null,"stddev_v":null,"variance_v":null,"median_v":null,"p9_v":null,"increase_v":null
E
    golden_stderr=any golden stream-window tumbling 10s count:v distinct:v collect:v sum:v mean:v min:v max:v \
        first:v last:v stddev:v variance:v median:v p9:v increase:v
}

@test "of one value: variance and stddev null, increase 0, span 0" {
    rows ts v <<'E'
1 5
E
    want_windows <<'E'
0 10 "variance_v":null,"stddev_v":null,"increase_v":0,"span":0,"mean_v":5,"p1_v":5
E
    golden stream-window tumbling 10s variance:v stddev:v increase:v span mean:v p1:v
}

@test "count:F leaves out null and false; mean takes true as 1 and false as 0" {
    rows ts b <<'E'
1 true
2 false
3 true
4 true
5 null
6 0
E
    want_windows <<'E'
0 10 "count_b":4
E
    golden stream-window tumbling 10s count:b
    sed -i '$d' "$input"
    want_windows <<'E'
0 10 "share":0.75,"sum_b":3
E
    golden stream-window tumbling 10s share=mean:b sum:b
}

@test "first and last go by event time, then by position" {
    rows ts v <<'E'
5 "b"
3 "a"
5 "c"
3 "A"
E
    want_windows <<'E'
0 10 "first_v":"a","last_v":"c","collect_v":["a","A","b","c"]
E
    golden stream-window tumbling 10s --lateness 5s first:v last:v collect:v
}

@test "first, last, collect without a field take the whole event" {
    given <<'E'
{"ts":1,"v":"x"}
{"ts":2,"v":"y"}
E
    want_windows <<'E'
0 10 "first":{"ts":1,"v":"x"},"last":{"ts":2,"v":"y"},"collect":[{"ts":1,"v":"x"},{"ts":2,"v":"y"}]
E
    golden stream-window tumbling 10s first last collect
}

@test "sums of decimals are exact" {
    rows ts v <<'E'
1 0.1
2 0.2
3 1e-7
E
    want_windows <<'E'
0 10 "sum_v":0.3000001,"mean_v":0.10000003333333334
E
    golden stream-window tumbling 10s sum:v mean:v
    rows ts v <<'E'
1 10000000000000000
2 1.5
3 -10000000000000000
4 0.50
E
    want_windows <<'E'
0 10 "sum_v":2,"mean_v":0.5
E
    golden stream-window tumbling 10s sum:v mean:v
}

@test "sums of integers are exact in 128 bits, and an error past them" {
    rows ts v <<'E'
1 9223372036854775807
2 9223372036854775807
3 100000000000000000000000000000000000000
E
    want_windows <<'E'
0 10 "sum_v":100000000000000000018446744073709551614
E
    golden stream-window tumbling 10s sum:v
    rows ts v <<'E'
1 170141183460469231731687303715884105727
2 1
E
    run_tool stream-window tumbling 10s sum:v
    [ "$status" -eq 7 ] || [ "$status" -eq 3 ]
    err_has sum
}

@test "values keep their digits: ids and numbers that a double cannot hold" {
    rows ts id <<'E'
1 9007199254740993
2 12345678901234567890123
E
    want_windows <<'E'
0 10 "first_id":9007199254740993,"max_id":12345678901234567890123,"collect_id":[9007199254740993,12345678901234567890123]
E
    golden stream-window tumbling 10s first:id max:id collect:id
}

@test "distinct compares by value" {
    rows ts v <<'E'
1 1
2 1.0
3 "1"
4 "\u0031"
5 10e-1
6 [1]
E
    want_windows <<'E'
0 10 "distinct_v":3
E
    golden stream-window tumbling 10s distinct:v
}

@test "increase: growth since the key's last event before the window, a fall being a restart" {
    rows ts k c <<'E'
1 "a" 5
2 "b" 7
5 "a" 8
12 "a" 10
18 "a" 3
25 "a" 4
E
    want_windows <<'E'
0 10 "k":"a","increase_c":3
0 10 "k":"b","increase_c":0
10 20 "k":"a","increase_c":5
20 30 "k":"a","increase_c":1
E
    golden stream-window tumbling 10s --by k increase:c
}

@test "names: given, or made of letters, digits and _" {
    given <<'E'
{"ts":1,"user":{"bytes-in":4}}
E
    want_windows <<'E'
0 10 "sum_user_bytes_in":4,"n":1
E
    golden stream-window tumbling 10s sum:user.bytes-in n=count
}

@test "a string where a number is summed is a bad event, named with its place" {
    rows ts v <<'E'
1 1
2 "12abc"
3 4
E
    run_tool stream-window tumbling 10s sum:v
    is_status 3
    err_has stdin:2 12abc
    err_well_formed stream-window
    run_tool stream-window tumbling 10s sum:v --bad skip
    is_status 0
    err_has 1
    out_is <<'E'
{"window_start":"1970-01-01T00:00:00Z","window_end":"1970-01-01T00:00:10Z","sum_v":5}
E
}

# 1,000 users of which user N comes N times.
skewed() { seq 1 "$1" | awk '{ for (i = 0; i < $1; i++) printf "{\"ts\":%d,\"u\":%d,\"v\":%d}\n", 1, $1, $1 }' >"$input"; }

@test "approx_distinct and approx_pNN stay within their error" {
    skewed 400
    run_tool stream-window tumbling 10s d=approx_distinct:u p=approx_p50:v q=approx_p99:v exact=p50:v
    is_status 0
    err_empty
    jq -e '(.d - 400 | fabs) <= 12 and (.p - .exact | fabs) <= .exact * 0.01 and (.q - 398 | fabs) <= 3.98' "$out" >/dev/null ||
        flunk "$(cat "$out")"
}

@test "approx_topN names the most frequent" {
    skewed 40
    run_tool stream-window tumbling 10s t=approx_top3:u
    is_status 0
    err_empty
    [[ $(cat "$out") == *40*39*38* ]] || flunk "$(cat "$out")"
}

@test "merged sketches say what one sketch of the whole says" {
    skewed 200
    local whole
    run_tool stream-window all d=approx_distinct:u p=approx_p99.9:v t=approx_top3:u
    whole=$(jq -c '[.d,.p,.t]' "$out")
    run_shell "stream-window rows 1 --by u d=sketch_distinct:u p=sketch_p99.9:v t=sketch_top3:u | stream-window all d=merge:d p=merge:p t=merge:t"
    is_status 0
    err_empty
    project '[.d,.p,.t]' <<<"$whole"
}

@test "sketches of sketches are sketches, and approx_ answers from any percentile's" {
    skewed 200
    local whole
    run_tool stream-window all d=approx_distinct:u p=approx_p90:v
    whole=$(jq -c '[.d,.p]' "$out")
    run_shell "stream-window rows 1 --by u d=sketch_distinct:u p=sketch_median:v | stream-window all d=sketch_distinct:d p=sketch_p75:p | stream-window all d=merge:d p=approx_p90:p"
    is_status 0
    err_empty
    project '[.d,.p]' <<<"$whole"
}

@test "merge of nothing is null; of sketches of different percentiles a bad event" {
    rows ts v <<'E'
1 1
2 2
E
    run_tool stream-window all m=merge:nothing
    is_status 0
    project .m <<<null
    run_shell "{ stream-window rows 1 s=sketch_p50:v; stream-window rows 1 s=sketch_p99:v <'$input'; } | stream-window all m=merge:s"
    is_status 3
    err_has stdin:3 p99 p50
    err_well_formed stream-window
}

@test "what grows with the events goes to disk past --memory, or stops with 7 and the approx_ form" {
    seq 1 400000 | awk '{ printf "{\"ts\":1,\"v\":%d}\n", $1 * 7919 % 1000003 }' >"$input"
    run_tool stream-window tumbling 10s --memory 1MiB distinct:v p50:v
    if [ "$status" -eq 0 ]; then
        local exact
        exact=$(seq 1 400000 | awk '{ print $1 * 7919 % 1000003 }' | sort -n | sed -n 200000p)
        project '[.distinct_v,.p50_v]' <<<"[400000,$exact]"
    else
        is_status 7
        err_has approx_ memory
    fi
}
