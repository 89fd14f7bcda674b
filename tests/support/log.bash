# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For the bats files of stream-log, after `load ../support/helpers`. Each test works in a folder of its own, so
# that a log is called `log` there, in messages too.
#
#   numbered A B [MORE]    events {"n":A} to {"n":B}, each with MORE in front of its brace
#   err_is <<'E'           stderr, to the byte
#   log_has [DIR]          `read` writes what is on stdin, to the byte (status 0, no stderr)
#   in_background NAME COMMAND…    its stdout in NAME.out, stderr in NAME.err; $NAME_pid; killed at the end
#   until_lines FILE N     waits until FILE has N lines, 20 seconds at most

log_setup() {
    mkdir -p "$BATS_TEST_TMPDIR/work"
    cd "$BATS_TEST_TMPDIR/work" || return 1
    background=()
}

log_teardown() {
    local pid
    for pid in "${background[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
}

numbered() { seq -f "{\"n\":%.0f${3:-}}" "$1" "$2"; }

err_is() {
    cat >"$wanted"
    same_bytes stderr "$err"
}

log_has() {
    cat >"$BATS_TEST_TMPDIR/has"
    run_tool stream-log read "${1:-log}"
    is_status 0
    out_is <"$BATS_TEST_TMPDIR/has"
    err_empty
}

# Once, on these lines; what must go well.
append() { # LINES ARG…
    local lines=$1
    shift
    printf '%s\n' "$lines" | within_limit stream-log append "$@" >"$out" 2>"$err" || flunk "append: status $?" "$(cat "$err")"
    err_empty
}

in_background() {
    local name=$1
    shift
    # SIGINT and SIGQUIT are ignored in what a script starts in the background; the tool gets them as at a prompt.
    perl -e '$SIG{INT} = $SIG{QUIT} = "DEFAULT"; exec @ARGV or die' "$@" >"$name.out" 2>"$name.err" 3>&- &
    printf -v "${name}_pid" %d $!
    background+=($!)
}

until_lines() { # FILE N
    local i
    for ((i = 0; i < 400; i++)); do
        [ "$(cat "$1" 2>/dev/null | wc -l)" -ge "$2" ] && return 0
        sleep 0.05
    done
    flunk "$1: $(cat "$1" 2>/dev/null | wc -l) of $2 lines" "$(cat "${1%.out}.err" 2>/dev/null)"
}

# Its status, however it ended.
ended() { # PID
    wait "$1" && status=0 || status=$?
}

# refused STATUS COMMAND… <<'E': that status, nothing on stdout, and exactly this on stderr.
refused() {
    local want_status=$1
    shift
    cat >"$BATS_TEST_TMPDIR/message"
    run_tool "$@"
    is_status "$want_status"
    err_is <"$BATS_TEST_TMPDIR/message"
    err_well_formed stream-log
    out_empty
}

# The one file in a log's folder that is its newest segment.
active_segment() { # DIR
    local file last=
    for file in "$1"/segments/*.seg; do last=$file; done
    printf '%s' "$last"
}

# damage FILE AT: turns the bits of one byte around.
damage() {
    perl -e 'open my $f, "+<", $ARGV[0] or die; seek $f, $ARGV[1], 0; read $f, my $b, 1; seek $f, $ARGV[1], 0; print $f chr(255 ^ ord $b)' "$1" "$2"
}
