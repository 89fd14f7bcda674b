#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One pipeline, from a prompt to a service: by cron over a file that grows, then for good, with a tool and then
# stream-run itself killed at work, and what becomes of the numbers. Needs the tools built (examples/quickstart.sh
# does that); run-totals.expected is what it prints.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PATH=${STREAM_BIN:-$root/build/release/bin}:$PATH LC_ALL=C.UTF-8
scratch=$(mktemp -d)
service=
trap '[ -z "$service" ] || kill -KILL $service 2>/dev/null || true; rm -rf "$scratch"' EXIT
cd "$scratch"

say() { printf '\n%s\n' "$*"; }
totals() { echo "$1: status $2, $(wc -l <totals.ndjson) lines"; }

# Requests, some late and some twice, as they come in: the file grows.
stream-gen web --events 20000 --seed 3 --disorder 5% --duplicates 2% >all.ndjson
arrive() { sed -n "$1,$2p" all.ndjson >>requests.ndjson; }

# Requests each 20 seconds. -f goes on as the file grows; under --once it reads what there is.
pipeline='stream-cat -f requests.ndjson | stream-dedupe --by id | stream-window tumbling 20s --lateness 10s count'

# What cron runs: a crontab has the line
#     */10 * * * *  cd /srv/web && stream-run totals.run --once --output totals.ndjson -c 'PIPELINE'
by_cron() { # NAME OPTION
    local status=0
    stream-run totals.run "$2" --output totals.ndjson -c "$pipeline" || status=$?
    totals "$1" $status
}

# What systemd starts (examples/totals.service).
start() {
    stream-run totals.run --every 100ms --output totals.ndjson -c "$pipeline" 2>>journal &
    service=$!
}
# The process of a tool, once it is there.
pid_of() {
    local pid='' tries=0
    until [ -n "$pid" ]; do
        [ $((tries += 1)) -lt 600 ] || { echo "no $1" >&2 && cat journal >&2; exit 1; }
        sleep 0.05
        pid=$({ stream-run status totals.run --json | stream-map -r "select(.tool == \"$1\") | .pid | values"; } 2>/dev/null || true)
    done
    echo "$pid"
}
until_lines() { # COUNT: of the totals
    local tries=0
    until [ "$(wc -l <totals.ndjson)" -ge "$1" ]; do
        [ $((tries += 1)) -lt 600 ] || { echo "only $(wc -l <totals.ndjson) lines" && cat journal; exit 1; }
        sleep 0.05
    done
}

say 'By cron. 5,000 lines are there, 49 seconds: the first 20 are done, the next 20 still wait for late ones.'
arrive 1 5000
by_cron first --once

say '5,000 more. What was open goes on where it was.'
arrive 5001 10000
by_cron second --once

say 'Nothing is new: nothing is done.'
by_cron third --once

say 'For good, with the same words behind. 3,000 more; stream-window is killed, and all of them are started again.'
start
window=$(pid_of stream-window)
arrive 10001 11500
kill -KILL "$window"
arrive 11501 13000
until_lines 5
totals 'on its own again' none

say '4,000 more, in the midst of which stream-run is killed, as if the machine had died. It is started again.'
arrive 13001 15000
{ kill -KILL $service && wait $service; } 2>>journal || true
arrive 15001 17000
start
until_lines 7
totals 'after the crash' none

say 'systemctl stop: what was read is committed, and nothing is closed.'
kill -TERM $service
status=0
wait $service || status=$?
service=
totals stopped $status

say 'The last lines. --drain closes everything, and the run is finished.'
arrive 17001 30000
by_cron last --drain

say 'The plain pipe, undisturbed, over the whole file gives the same bytes:'
sh -c "${pipeline/-f /}" >at-once.ndjson
cmp at-once.ndjson totals.ndjson && stream-map -r '"\(.window_end)  \(.count)"' totals.ndjson
