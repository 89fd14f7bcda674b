#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A report each night, by cron, from a log that is appended to all the time: a night on which the report fails,
# one on which the machine dies at the worst moment, and what becomes of the numbers. Needs the tools built
# (examples/quickstart.sh does that); log-nightly.expected is what it prints.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PATH=${STREAM_BIN:-$root/build/release/bin}:$PATH LC_ALL=C.UTF-8
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
mkdir reports

say() { printf '\n%s\n' "$*"; }

# What cron runs: a crontab has the line
#     30 2 * * *  stream-log consume /srv/web --group nightly -- /srv/report.sh
night() { # NAME
    local status=0
    (stream-log consume web --group nightly -- ./report.sh || exit $?) 2>mail || status=$?
    # cron would send these lines by mail; batch ids are random, and so is what the shell says of a killed process.
    sed -E '/ Killed /d; s/[0-9a-f]{32}/ID/' mail
    echo "$1: status $status, $(find reports -name '*.ndjson' | wc -l) reports, of $(cat reports/*.ndjson 2>/dev/null | stream-map -r .count | awk '{ n += $1 } END { print n + 0 }') requests"
}

# The report goes by the batch: one that comes again replaces its own report, and counts once.
cat >report.sh <<'E'
#!/bin/bash
set -euo pipefail
[ ! -e disk-is-full ] || { echo 'report.sh: no room for the report' >&2; exit 1; }
stream-window all --by status count >"reports/$STREAM_BATCH.new"
mv "reports/$STREAM_BATCH.new" "reports/$STREAM_BATCH.ndjson"
# For the third night: the machine dies when the report is done, and before that is written down.
[ ! -e machine-dies ] || { rm machine-dies; kill -KILL $PPID; }
E
chmod +x report.sh

stream-gen web --events 9000 --seed 3 >requests.ndjson

say 'Monday. 3,000 requests, and no room for the report: its status is the status of the call.'
head -n 3000 requests.ndjson | stream-log append web
touch disk-is-full
night Monday

say 'Tuesday. 2,000 more. The batch of Monday comes again as it was, then what is new: two reports.'
sed -n 3001,5000p requests.ndjson | stream-log append web
rm disk-is-full
night Tuesday

say 'Wednesday. 4,000 more, and the machine dies between the report and writing down that it was done.'
tail -n +5001 requests.ndjson | stream-log append web
touch machine-dies
night Wednesday

say 'Thursday. Nothing is new, but Wednesday comes again, with the same STREAM_BATCH: the report is replaced.'
night Thursday

say 'Friday. Nothing is new: the command is not run.'
night Friday

say 'All requests were counted once:'
cat reports/*.ndjson | stream-window all --by status sum:count | stream-map '{status, count: .sum_count}' >by-batch
stream-log read web | stream-window all --by status count | stream-map '{status, count}' >at-once
cmp by-batch at-once && cat at-once
