#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0

load ../support/helpers

setup() { rm -f "$input"; }

@test "the same seed gives the same bytes, another seed others" {
    local kind
    for kind in web orders; do
        run_tool stream-gen $kind --events 2000 --disorder 0.1 --duplicates 0.05 --seed 7
        is_status 0
        err_empty
        cp "$out" "$wanted"
        run_tool stream-gen $kind --events 2000 --disorder 0.1 --duplicates 0.05 --seed 7
        same_bytes "$kind again" "$out"
        run_tool stream-gen $kind --events 2000 --disorder 0.1 --duplicates 0.05 --seed 8
        ! cmp -s "$wanted" "$out" || flunk "$kind: seeds 7 and 8 are alike"
    done
}

@test "the bytes of seed 7 are for ever, on any machine" {
    local kind
    for kind in web orders; do
        run_tool stream-gen $kind --events 1000 --seed 7
        is_status 0
        [ -e "$STREAM_ROOT/tests/cli/stream-gen.sha256" ] || skip "no tests/cli/stream-gen.sha256 yet"
        grep -qxF "$kind $(sha256sum <"$out" | cut -d' ' -f1)" "$STREAM_ROOT/tests/cli/stream-gen.sha256" ||
            flunk "$kind: $(sha256sum <"$out")"
    done
}

@test "as many events as asked for, each one valid JSON with ts" {
    local kind
    for kind in web orders; do
        run_tool stream-gen $kind --events 3000 --seed 1
        [ "$(wc -l <"$out")" -eq 3000 ]
        jq -se 'length == 3000 and all(type == "object" and has("ts"))' "$out" >/dev/null
        stream-cat <"$out" | cmp - "$out"
    done
}

@test "web has what the examples use" {
    run_tool stream-gen web --events 1000 --seed 1
    jq -se 'all(has("path") and (.status | type == "number") and (.latency_ms | type == "number"))' "$out" >/dev/null ||
        flunk "$(head -n 2 "$out")"
}

@test "without --disorder and --duplicates: in order, no line twice" {
    run_tool stream-gen web --events 5000 --seed 3
    [ "$(sort "$out" | uniq -d | wc -l)" -eq 0 ]
    run_shell "stream-gen web --events 5000 --seed 3 | stream-time report"
    [ "$(jq .out_of_order "$out")" = 0 ]
}

@test "--disorder puts about that share out of order, --duplicates about that share in twice" {
    run_shell "stream-gen web --events 20000 --seed 3 --disorder 0.1 | stream-time report"
    jq -e '.events == 20000 and .out_of_order > 1000 and .out_of_order < 3000' "$out" >/dev/null || flunk "$(cat "$out")"
    run_tool stream-gen web --events 20000 --seed 3 --duplicates 0.1
    local repeats
    repeats=$(($(wc -l <"$out") - $(sort -u "$out" | wc -l)))
    [ "$repeats" -gt 1000 ] && [ "$repeats" -lt 3000 ] || flunk "$repeats repeats"
}

@test "--rate holds the pace" {
    local start=${EPOCHREALTIME/./} took
    run_tool stream-gen web --events 200 --rate 1000 --seed 1
    took=$((${EPOCHREALTIME/./} - start))
    is_status 0
    [ "$(wc -l <"$out")" -eq 200 ]
    [ "$took" -ge 150000 ] || flunk "$took us"
}

@test "usage: unknown kind, no kind, a dial out of range" {
    run_tool stream-gen wbe --events 1
    is_status 2
    err_has wbe web
    run_tool stream-gen
    is_status 2
    run_tool stream-gen web --disorder 1.5
    is_status 2
    run_tool stream-gen web --events -1
    is_status 2
}

@test "it goes through the tools: dedupe leaves as many as were made, windows count them" {
    run_shell "stream-gen web --events 10000 --seed 5 --duplicates 0.05 --disorder 0.05 | sort -u | wc -l"
    local different
    different=$(cat "$out")
    run_shell "stream-gen web --events 10000 --seed 5 --duplicates 0.05 --disorder 0.05 | stream-window tumbling 1m --lateness 1h count | jq -s 'map(.count) | add'"
    is_status 0
    err_empty
    [ "$(cat "$out")" -ge "$different" ]
}
