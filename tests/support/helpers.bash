# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For the bats files: `load ../support/helpers`.
#
#   given <<'E'            what the tool will read (into the file $input)
#   want  <<'E'            what it must write, to the byte (into the file $wanted)
#   golden TOOL ARG…       runs it in every way there is: file, pipe, one byte a read, gzip, zstd, no last
#                          newline, and (where it has --state) stopped and restarted after each line; each
#                          must give exactly what is wanted, status 0 and an empty stderr.
#                          golden_status=3 golden … for another status; then stderr may say something,
#                          as it may with golden_stderr=any.
#   rows NAME… <<'E'       the same as given, of lines with one JSON value for each NAME
#   want_windows <<'E'     the same as want, of lines `START END MEMBERS`, in seconds since 1970
#   run_tool TOOL ARG…     runs it once on $input: $status, and the files $out and $err
#   is_status N · out_is <<'E' · out_empty · err_empty · err_has WORD… · err_lacks WORD…

STREAM_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export STREAM_BIN=${STREAM_BIN:-$STREAM_ROOT/build/release/bin}
export STREAM_TEST_DATA=${STREAM_TEST_DATA:-$STREAM_ROOT/../shared/data}
export PATH=$STREAM_BIN:$PATH LC_ALL=C.UTF-8 TZ=UTC TERM=dumb
unset STREAM_TIME STREAM_CONTROL STREAM_KEY STREAM_RUN

# Seconds after which a tool that should have ended is said to hang.
tool_limit=${STREAM_TOOL_LIMIT:-60}

input=$BATS_TEST_TMPDIR/input
wanted=$BATS_TEST_TMPDIR/wanted
out=$BATS_TEST_TMPDIR/out
err=$BATS_TEST_TMPDIR/err

# A failed assertion shows what there is.
flunk() {
    printf '%s\n' "$@" >&2
    return 1
}

given() { cat >"$input"; }
want() { cat >"$wanted"; }

rows() { # values without blanks; `-`: this event lacks the member
    local cells i line
    while read -r -a cells; do
        line=
        for ((i = 0; i < $#; i++)); do
            local name=$((i + 1))
            [ "${cells[i]}" = - ] || line+=",\"${!name}\":${cells[i]}"
        done
        printf '{%s}\n' "${line#,}"
    done >"$input"
}

instant() { printf '%(%Y-%m-%dT%H:%M:%SZ)T' "$1"; } # of whole seconds since 1970

want_windows() {
    local start end members
    while read -r start end members; do
        printf '{"window_start":"%s","window_end":"%s",%s}\n' "$(instant "$start")" "$(instant "$end")" "$members"
    done >"$wanted"
}

# project FILTER: what jq makes of the output, a line each, is what is wanted (on stdin).
project() {
    jq -c "$1" "$out" >"$out.projected" || flunk "jq refuses the output:" "$(head -n 5 "$out")"
    cat >"$wanted"
    same_bytes "stdout through jq '$1'" "$out.projected"
}

within_limit() { timeout -k 5 "$tool_limit" "$@"; }

run_tool() {
    if [ -e "$input" ]; then
        within_limit "$@" <"$input" >"$out" 2>"$err" && status=0 || status=$?
    else
        within_limit "$@" </dev/null >"$out" 2>"$err" && status=0 || status=$?
    fi
    if [ "$status" -eq 124 ]; then flunk "hangs: $*"; fi
}

# run_shell 'PIPELINE': the same for a pipeline, whose status is its last failing command's.
run_shell() { run_tool bash -o pipefail -c "$1"; }

is_status() {
    [ "$status" -eq "$1" ] ||
        flunk "status $status instead of $1" "stderr:" "$(cat "$err")" "stdout:" "$(head -n 20 "$out")"
}

same_bytes() { # HOW FILE
    cmp -s "$wanted" "$2" || flunk "$1: not what is wanted:" "$(diff -u --label wanted --label got "$wanted" "$2" | head -n 60)" \
        "stderr: $(head -n 10 "$err")"
}

out_is() {
    cat >"$wanted"
    same_bytes stdout "$out"
}

out_empty() { [ ! -s "$out" ] || flunk "something on stdout:" "$(head -n 20 "$out")"; }
err_empty() { [ ! -s "$err" ] || flunk "something on stderr:" "$(head -n 20 "$err")"; }

err_has() {
    local word
    for word in "$@"; do
        grep -qF -e "$word" "$err" || flunk "stderr lacks '$word':" "$(head -n 20 "$err")"
    done
}

err_lacks() {
    local word
    for word in "$@"; do
        ! grep -qF -e "$word" "$err" || flunk "stderr has '$word':" "$(head -n 20 "$err")"
    done
}

# At most one hint, and every line begins with the tool's name or `hint:`.
err_well_formed() { # TOOL
    local hints
    hints=$(grep -c '^hint:' "$err" || true)
    [ "$hints" -le 1 ] || flunk "$hints hints:" "$(cat "$err")"
    ! grep -vE "^($1: |hint: | )" "$err" | grep -q . || flunk "a line without a place:" "$(cat "$err")"
    ! LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "$err" || flunk "control characters:" "$(cat -v "$err")"
}

# golden_check HOW: the verdict on one way of running it.
golden_check() {
    local want_status=${golden_status:-0}
    [ "$status" -eq "$want_status" ] ||
        flunk "$1: status $status instead of $want_status" "stderr: $(head -n 10 "$err")"
    same_bytes "$1" "$out"
    if [ "$want_status" -eq 0 ] && [ "${golden_stderr:-empty}" = empty ]; then
        [ ! -s "$err" ] || flunk "$1: something on stderr: $(head -n 10 "$err")"
    fi
}

dribble() { perl "$STREAM_ROOT/tests/support/dribble.pl"; }

golden() {
    golden_from file "$@"
    golden_from pipe "$@"
    golden_from dribble "$@"
    golden_from gzip "$@"
    golden_from zstd "$@"
    golden_from cut "$@"
    case $1 in
        stream-window | stream-dedupe) golden_restarted "$@" ;;
        stream-time) case " $* " in *' reorder '*) golden_restarted "$@" ;; esac ;;
    esac
}

golden_from() { # HOW TOOL ARG…
    local how=$1
    shift
    # A policy's file is appended to: each way starts without one.
    rm -f "$BATS_TEST_TMPDIR"/*.dead
    case $how in
        file) within_limit "$@" <"$input" >"$out" 2>"$err" && status=0 || status=$? ;;
        pipe) cat "$input" | within_limit "$@" >"$out" 2>"$err" && status=0 || status=$? ;;
        dribble) dribble <"$input" | within_limit "$@" >"$out" 2>"$err" && status=0 || status=$? ;;
        gzip) gzip -c "$input" | within_limit "$@" >"$out" 2>"$err" && status=0 || status=$? ;;
        zstd)
            zstd -q -c "$input" >"$input.zst"
            within_limit "$@" <"$input.zst" >"$out" 2>"$err" && status=0 || status=$?
            ;;
        cut) # without its last newline
            printf '%s' "$(cat "$input"; printf x)" | perl -0777 -pe 's/\n?x\z//' >"$input.cut"
            within_limit "$@" <"$input.cut" >"$out" 2>"$err" && status=0 || status=$?
            ;;
    esac
    golden_check "$how"
}

# Stopped after line N and gone on, for the middle (for every N with STREAM_LONG): the two outputs one
# after the other are what one run gives.
golden_restarted() {
    local lines cuts n first second
    lines=$(wc -l <"$input")
    if [ -n "${STREAM_LONG:-}" ]; then cuts=$(seq 0 "$lines"); else cuts="$((lines / 3)) $(((lines + 1) / 2))"; fi
    for n in $cuts; do
        rm -rf "$BATS_TEST_TMPDIR/state" "$BATS_TEST_TMPDIR"/*.dead
        head -n "$n" "$input" | within_limit "$@" --state "$BATS_TEST_TMPDIR/state" >"$out" 2>"$err" && first=0 || first=$?
        tail -n +"$((n + 1))" "$input" |
            within_limit "$@" --state "$BATS_TEST_TMPDIR/state" --final >>"$out" 2>>"$err" && second=0 || second=$?
        status=$((first > second ? first : second))
        golden_check "restarted after line $n"
    done
}

# need_data PATH…: skips the test where the shared data is not there.
need_data() {
    local path
    for path in "$@"; do
        [ -e "$STREAM_TEST_DATA/$path" ] ||
            skip "$STREAM_TEST_DATA/$path is not there (set STREAM_TEST_DATA)"
    done
}

# data PATH: a file of the shared data as text, whether it is stored compressed or not.
data() {
    if [ -e "$STREAM_TEST_DATA/$1.zst" ]; then zstd -dcq "$STREAM_TEST_DATA/$1.zst"; else cat "$STREAM_TEST_DATA/$1"; fi
}

# on_terminal COMMAND: runs it with a terminal as stdin, stdout and stderr; its status is the result.
on_terminal() {
    script -qec "$1" /dev/null </dev/null
}
need_terminal() {
    command -v script >/dev/null || skip "there is no script(1) to make a terminal"
    script -qec true /dev/null </dev/null >/dev/null 2>&1 || skip "this machine gives no pseudo-terminals"
}
