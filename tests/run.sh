#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing (Debian), builds the preset `release`, and runs every test there is.
# The last line says `N passed, N failed, N skipped`; the exit status is 1 if anything failed.
set -uo pipefail

usage() {
    cat <<'HELP'
usage: tests/run.sh [--long] [--only PART] [--no-build]

  --long        also the campaigns that take minutes to hours
  --only PART   one of: unit cli check examples (may be repeated)
  --no-build    test what build/release holds
  STREAM_TEST_DATA=DIR   where the shared event data is (default: ../shared/data beside the checkout)
HELP
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tests/support/install.sh
. "$root/tests/support/install.sh"

# A bare chroot has no /proc, which bash's <( ) and bats need: it is mounted for this run alone.
if [ ! -e /proc/self/fd ] && [ "$(id -u)" -eq 0 ] && mount -t proc proc /proc 2>/dev/null; then
    trap 'umount /proc' EXIT
fi

build=yes
parts=()
while [ $# -gt 0 ]; do
    case $1 in
        --long) export STREAM_LONG=1 ;;
        --no-build) build=no ;;
        --only)
            case ${2:-} in
                unit | cli | check | examples) parts+=("$2") ;;
                *) usage >&2; exit 2 ;;
            esac
            shift
            ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done
[ ${#parts[@]} -gt 0 ] || parts=(unit check cli examples)

# Nothing of the caller's session reaches a test.
export LC_ALL=C.UTF-8 TZ=UTC TERM=dumb NO_COLOR=1
unset STREAM_TIME STREAM_CONTROL STREAM_KEY STREAM_RUN CDPATH GREP_OPTIONS
exec </dev/null

export STREAM_BIN=$root/build/release/bin
export STREAM_TEST_DATA=${STREAM_TEST_DATA:-$root/../shared/data}
reports=$root/build/release/test-reports
rm -rf "$reports"
mkdir -p "$reports"/{unit,cli,check,examples} || exit 1

passed=0 failed=0 skipped=0
seconds_of=()

count() { passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3)); }

finish() {
    local line
    echo
    for line in "${seconds_of[@]}"; do echo "$line"; done
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit $?
}

# part NAME FUNCTION: runs it and notes how long it took.
part() {
    local start=$SECONDS
    echo "== $1"
    "$2"
    seconds_of+=("$(printf '%-10s %5d s' "$1" $((SECONDS - start)))")
}

# count_tap NAME LOG STATUS: adds the TAP lines of a log up; shows what failed and what was skipped.
# A program without TAP lines is one test: its status says how it went, 77 meaning skipped.
count_tap() {
    local name=$1 log=$2 status=$3 ok not_ok skip
    ok=$(grep -cE '^ok ' "$log")
    not_ok=$(grep -cE '^not ok ' "$log")
    skip=$(grep -cE '^ok .*# [Ss][Kk][Ii][Pp]' "$log")
    if [ $((ok + not_ok)) -eq 0 ]; then
        case $status in
            0) ok=1 ;;
            77) ok=1 skip=1 ;;
            *) not_ok=1 ;;
        esac
    elif [ "$status" -ne 0 ] && [ "$not_ok" -eq 0 ]; then
        not_ok=1 # it broke off
    fi
    count $((ok - skip)) "$not_ok" "$skip"
    printf '%-44s %4d passed%s%s\n' "$name" $((ok - skip)) \
        "$([ "$not_ok" -gt 0 ] && echo ", $not_ok FAILED")" \
        "$([ "$skip" -gt 0 ] && echo ", $skip skipped")"
    if [ "$status" -eq 77 ]; then sed 's/^/    /' "$log"; fi
    grep -E '^ok .*# [Ss][Kk][Ii][Pp]' "$log" | sed -E 's/^ok [0-9]* */    skipped: /; s/# [Ss][Kk][Ii][Pp] */because /'
    if [ "$not_ok" -gt 0 ]; then
        # bats puts the detail of a failure in comment lines after it.
        awk -v tap=$((ok + not_ok > 1)) '
            /^ok / { show = 0; next }
            /^not ok / { show = 1 }
            show || !tap { if (++lines <= 400) print "    " $0 }' "$log"
        echo "    (all of it: $log)"
    fi
}

run_unit() {
    local log=$reports/unit/ctest.log status totals
    GTEST_OUTPUT=xml:$reports/unit/ GTEST_COLOR=no \
        ctest --test-dir "$root/build/release" --output-on-failure --no-tests=error --timeout 1800 \
        -j "$(nproc)" >"$log" 2>&1
    status=$?
    # GoogleTest's own reports count each test; a program that died left none, or one without failures.
    if ! totals=$(python3 "$root/tests/support/gtest_totals.py" "$reports/unit"); then
        totals='0 0 0'
    fi
    # shellcheck disable=SC2086
    set -- $totals
    if [ "$status" -ne 0 ] && [ "$2" -eq 0 ]; then set -- "$1" 1 "$3"; fi
    count "$1" "$2" "$3"
    if [ "$status" -ne 0 ]; then tail -n 300 "$log"; fi
    echo "unit tests: $1 passed, $2 failed, $3 skipped"
    if [ "$3" -gt 0 ]; then grep -E '\[  SKIPPED \]' "$log" | sort -u | sed 's/^/    /'; fi
}

# run_files FOLDER FILE…: each file as one program, two (as many as there are cores) at a time, and then
# their reports in order.
run_files() {
    local folder=$1 file name
    shift
    printf '%s\0' "$@" | STREAM_REPORTS=$reports/$folder xargs -0 -r -n 1 -P "$(nproc)" \
        bash "$root/tests/support/run_one.sh"
    for file in "$@"; do
        name=$(basename "$file")
        count_tap "$folder/$name" "$reports/$folder/$name.log" "$(cat "$reports/$folder/$name.status" 2>/dev/null || echo 1)"
    done
}

run_cli() {
    local files=("$root"/tests/cli/*.bats)
    if [ ! -e /proc/self/fd ]; then
        echo "skipped: tests/cli because there is no /proc here, which bats needs"
        count 0 0 ${#files[@]}
        return
    fi
    [ -e "${files[0]}" ] && run_files cli "${files[@]}"
}

# tests/check: every *.sh and *test.py; the oracles there are asked by tests/cli.
run_check() {
    local files=() file
    for file in "$root"/tests/check/*.sh "$root"/tests/check/*test.py; do
        [ -e "$file" ] && files+=("$file")
    done
    [ ${#files[@]} -gt 0 ] && run_files check "${files[@]}"
}

run_examples() {
    local files=("$root"/examples/*.sh)
    [ -e "${files[0]}" ] && run_files examples "${files[@]}"
}

start=$SECONDS
echo '== install'
if ! stream_install "$stream_build_packages$stream_test_packages" "$reports/install.log"; then
    count 0 1 0
    finish
fi
seconds_of+=("$(printf '%-10s %5d s' install $((SECONDS - start)))")

if [ "$build" = yes ]; then
    start=$SECONDS
    echo '== build'
    if ! stream_build "$root" "$root/build/release/build.log"; then
        count 0 1 0
        finish
    fi
    seconds_of+=("$(printf '%-10s %5d s' build $((SECONDS - start)))")
fi

if [ ! -d "$STREAM_TEST_DATA" ]; then
    echo "The shared data is not at $STREAM_TEST_DATA (set STREAM_TEST_DATA): tests that need it are skipped."
fi
for name in "${parts[@]}"; do part "$name" "run_$name"; done
finish
