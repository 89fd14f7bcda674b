#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Damaged logs: bits flipped, files cut, blocks zeroed, doubled, swapped and spliced, files removed, renamed and
# replaced. 20,000 positions of each kind of file here; with --long every one, of a 64 KiB segment too. What is
# wrong is told with the command that shows it again.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
damage=${STREAM_BIN:-$root/build/release/bin}/log_damage
if [ ! -x "$damage" ]; then
    echo "not ok 1 - $damage is not built"
    exit 1
fi
positions=20000
[ -n "${STREAM_LONG:-}" ] && positions=0
out=$("$damage" --positions "$positions" --repair 200)
status=$?
n=0
while IFS= read -r line; do
    [[ $line =~ \ ([0-9]+)\ wrong, ]] || continue
    n=$((n + 1))
    if [ "${BASH_REMATCH[1]}" = 0 ]; then
        echo "ok $n - $line"
    else
        echo "not ok $n - $line"
    fi
done <<<"$out"
n=$((n + 1))
if [ "$status" = 0 ]; then
    echo "ok $n - nothing was taken for what it is not"
else
    echo "not ok $n - the campaign ended with $status"
    sed 's/^/# /' <<<"$out"
fi
echo "1..$n"
