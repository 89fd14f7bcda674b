#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0

load ../support/helpers

setup() { rm -f "$input"; }

@test "it lists every tool that is built, each with what it does" {
    run_tool streamutils
    is_status 0
    err_empty
    local tool
    for tool in "$STREAM_BIN"/stream-*; do
        grep -qE "^ *$(basename "$tool")  *[a-z]" "$out" || flunk "$(basename "$tool") is not listed:" "$(cat "$out")"
    done
    ! grep -oE '\bstream-[a-z]+' "$out" | sort -u | while read -r tool; do [ -x "$STREAM_BIN/$tool" ] || echo "$tool"; done | grep . ||
        flunk "it lists what is not there"
}

@test "it describes one, by its name or without the stream-" {
    run_tool streamutils stream-window
    is_status 0
    grep -qi window "$out"
    cp "$out" "$wanted"
    run_tool streamutils window
    is_status 0
    same_bytes 'streamutils window' "$out"
}

@test "an unknown name gets the nearest" {
    run_tool streamutils stream-windw
    is_status 2
    err_has stream-window
}

@test "an unknown option is a usage error" {
    run_tool streamutils --frobnicate
    is_status 2
    err_has --frobnicate
}
