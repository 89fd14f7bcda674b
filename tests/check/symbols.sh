#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The libraries neither print nor exit, and operators ask no clock and no environment: read from what
# the objects of build/release/lib*.a leave undefined. base/check.cpp, which stops the program, is excepted.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

if ! command -v nm >/dev/null; then
    echo 'skipped: because there is no nm'
    exit 77
fi

prints='exit|_exit|_Exit|quick_exit|abort|printf|fprintf|vprintf|vfprintf|__printf_chk|__fprintf_chk|__vfprintf_chk|puts|fputs|putchar|fputc|perror|stdout|stderr|_ZSt4cout|_ZSt4cerr|_ZSt4clog|_ZN3fmt[0-9a-zA-Z_]*6vprint.*'
world='getenv|secure_getenv|environ|__environ|clock_gettime|gettimeofday|time|clock|localtime|localtime_r|getrandom|rand|random|getpid|open|open64|openat|read|write|close|_ZNSt6chrono.*3nowEv|_ZNSt13random_device.*'

number=0 bad=0
for layer in base io time json expr control log state ops run; do
    archive=build/release/lib/libstream_$layer.a
    number=$((number + 1))
    if [ ! -f "$archive" ]; then
        echo "not ok $number - lib/$layer: there is no $archive"
        bad=1
        continue
    fi
    forbidden=$prints
    if [ "$layer" = ops ]; then forbidden="$prints|$world"; fi
    found=$(nm --undefined-only --print-file-name "$archive" 2>/dev/null | awk -v forbidden="^($forbidden)(@.*)?\$" '
        { member = $1; sub(/^[^:]*:/, "", member); sub(/:.*/, "", member) }
        member != "check.cpp.o" && $NF ~ forbidden { print member ": " $NF }' | sort -u)
    if [ -z "$found" ]; then
        echo "ok $number - lib/$layer neither prints nor exits$([ $layer = ops ] && echo ', and asks nothing of the world')"
    else
        echo "not ok $number - lib/$layer neither prints nor exits"
        # shellcheck disable=SC2001
        sed 's/^/# /' <<<"$found"
        bad=1
    fi
done
echo "1..$number"
exit $bad
