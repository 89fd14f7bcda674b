#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Following a file through rotation of every kind under a writer: no line lost by rename, none repeated
# ever, a gap reported wherever a truncation removed lines. A sample here; with --long, 1,000 rotations of
# each kind.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
first=1 last=2 rotations=12 lines=3000
if [ -n "${STREAM_LONG:-}" ]; then last=10 rotations=100 lines=40000; fi
log=$(mktemp)
if ROTATIONS=$rotations LINES_EACH=$lines timeout 1500 bash "$root/tests/fault/follow_campaign.sh" $first $last >"$log" 2>&1; then
    echo "ok 1 - $(wc -l <"$log") runs of $rotations rotations: nothing lost by rename, nothing repeated, every gap told"
else
    echo "not ok 1 - following through rotation"
    tail -n 20 "$log" | sed 's/^/# /'
fi
rm -f "$log"
