#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Inputs and systems that try to break every reader: errors in the middle, very long, very deep, very many.

load ../support/helpers

command_of() {
    case $1 in
        stream-cat) echo stream-cat ;;
        stream-time) echo stream-time parse ts ;;
        stream-window) echo stream-window tumbling 1s count ;;
        stream-dedupe) echo stream-dedupe --by n ;;
        stream-filter) echo stream-filter .n ;;
        stream-map) echo stream-map --set m=.n ;;
        stream-join) echo stream-join /dev/null --on n --latest --type anti ;;
        stream-table) echo stream-table join /dev/null --on n --type left ;;
    esac
}
filters() { (cd "$STREAM_BIN" && ls | grep -E '^stream-' | grep -vxE 'stream-gen|stream-log|stream-run|stream-through'); }

with_peak() { # KIB COMMAND…: it may use so much memory at most
    local limit=$1 peak
    shift
    run_tool python3 "$STREAM_ROOT/tests/support/peak_memory.py" "$out.peak" "$@"
    peak=$(cat "$out.peak")
    [ "$peak" -le "$limit" ] || flunk "$peak KiB instead of $limit at most: $*"
}

@test "EIO in the middle of a file: status 4, what was read before is written" {
    command -v strace >/dev/null || skip "there is no strace"
    strace -o /dev/null true 2>/dev/null || skip "this machine does not let strace trace"
    seq 1 200000 | sed 's/.*/{"ts":&,"n":&}/' >"$input"
    local tool
    for tool in $(filters); do
        # shellcheck disable=SC2046
        within_limit strace -f -o /dev/null -P "$input" -e trace=read,pread64,readv,preadv \
            -e inject=read,pread64,readv,preadv:error=EIO:when=4+ $(command_of "$tool") <"$input" >"$out" 2>"$err" && status=0 || status=$?
        is_status 4
        err_has stdin
        grep -qi 'input/output error' "$err" || flunk "$tool: $(cat "$err")"
        err_well_formed "$tool"
        [ -s "$out" ] || [ "$tool" = stream-window ]
    done
}

@test "ENOSPC in the middle of the output: status 4, not success" {
    command -v strace >/dev/null || skip "there is no strace"
    strace -o /dev/null true 2>/dev/null || skip "this machine does not let strace trace"
    seq 1 200000 | sed 's/.*/{"ts":&,"n":&}/' >"$input"
    local tool
    for tool in $(filters); do
        # shellcheck disable=SC2046
        within_limit strace -f -o /dev/null -P "$out" -e trace=write,writev \
            -e inject=write,writev:error=ENOSPC:when=3+ $(command_of "$tool") <"$input" >"$out" 2>"$err" && status=0 || status=$?
        is_status 4
        grep -qi 'no space' "$err" || flunk "$tool: $(cat "$err")"
    done
}

@test "a line of 20 MiB: bad, and with a larger --max-line an event" {
    perl -e 'print qq({"ts":1,"n":"), "x" x (20 << 20), qq("}\n), qq({"ts":2,"n":2}\n)' >"$input"
    local tool
    for tool in $(filters); do
        # shellcheck disable=SC2046
        run_tool $(command_of "$tool")
        is_status 3
        err_has stdin:1 --max-line
        # shellcheck disable=SC2046
        run_tool $(command_of "$tool") --bad skip
        is_status 0
        [ "$(wc -l <"$out")" -eq 1 ]
        # shellcheck disable=SC2046
        run_tool $(command_of "$tool") --max-line 32MiB
        is_status 0
        err_empty
        [ "$(wc -l <"$out")" -eq 2 ]
    done
}

@test "a line that never ends: bad, in bounded memory" {
    local size=$((256 << 20)) tool
    [ -z "${STREAM_LONG:-}" ] || size=$((1 << 30))
    for tool in $(filters); do
        # shellcheck disable=SC2046
        with_peak $((160 << 10)) bash -c "perl -e 'print qq({\"ts\":1,\"n\":\"); print q(x) x (1 << 20) for 1 .. ($size >> 20); print qq(\"}\\n{\"ts\":2,\"n\":2}\\n)' |
            $(command_of "$tool") --bad skip"
        is_status 0
        [ "$(wc -l <"$out")" -eq 1 ]
    done
}

@test "depth: 1,024 is an event, 1,025 is bad, a million is bad and no crash" {
    local tool depth
    nested() { perl -e 'my $d = $ARGV[0] - 1; print qq({"ts":1,"n":), "[" x $d, "]" x $d, "}\n"' "$1"; }
    for tool in $(filters); do
        nested 1024 >"$input"
        # shellcheck disable=SC2046
        run_tool $(command_of "$tool")
        is_status 0
        for depth in 1025 1000000; do
            nested $depth >"$input"
            # shellcheck disable=SC2046
            run_tool $(command_of "$tool")
            is_status 3
            err_has stdin:1
        done
        perl -e 'print qq({"ts":1,"n":), "{\"a\":" x 1000000' >"$input"
        # shellcheck disable=SC2046
        run_tool $(command_of "$tool")
        is_status 3
    done
}

@test "many keys within --memory, or a named limit" {
    local keys=300000
    [ -z "${STREAM_LONG:-}" ] || keys=10000000
    seq 1 $keys | sed 's/.*/{"ts":1,"n":"key-&"}/' >"$input"
    tool_limit=900 with_peak $((400 << 10)) stream-dedupe --by n --memory 256MiB
    is_status 0
    cmp "$out" "$input"
    tool_limit=900 with_peak $((450 << 10)) stream-window tumbling 1m --by n --memory 256MiB count
    if [ "$status" -ne 0 ]; then
        is_status 7
        err_has --memory
    else
        [ "$(wc -l <"$out")" -eq $keys ]
    fi
}

@test "stateless tools stay below 16 MiB" {
    seq 1 500000 | sed 's/.*/{"ts":&,"n":&}/' >"$input"
    with_peak $((16 << 10)) stream-cat
    is_status 0
    with_peak $((16 << 10)) stream-time parse ts
    is_status 0
    with_peak $((24 << 10)) stream-window tumbling 1s count
    is_status 0
}

@test "no results depend on the machine's hash seed, locale, zone or home" {
    seq 1 5000 | awk '{ printf "{\"ts\":%d,\"k\":\"k%d\",\"n\":%d}\n", $1 / 10, ($1 * 7919) % 101, $1 }' >"$input"
    run_tool stream-window tumbling 1m --by k count sum:n
    cp "$out" "$wanted"
    local i
    for i in 1 2 3; do
        run_tool env -i PATH="$PATH" TZ=Asia/Tokyo LC_ALL=tr_TR.UTF-8 stream-window tumbling 1m --by k count sum:n
        same_bytes "run $i" "$out"
        err_empty
    done
}
