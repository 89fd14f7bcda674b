#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the toolkit and shows it at work on two streams: made-up web traffic, and this machine's own
# package log. Installs what is missing (Debian 12; as root or with sudo).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tests/support/install.sh
. "$root/tests/support/install.sh"
export LC_ALL=C.UTF-8

say() { printf '\n%s\n' "$*"; }

# show 'COMMAND' [LINES]: the command as you would type it, and the beginning of what it prints.
show() {
    local lines=${2:-10} rest
    printf '\n    $ %s\n\n' "$1"
    rm -f "$scratch/status"
    { bash -o pipefail -c "$1" </dev/null || echo $? >"$scratch/status"; } >"$scratch/out"
    if [ -e "$scratch/status" ]; then
        echo "that ended with status $(cat "$scratch/status")" >&2
        exit 1
    fi
    head -n "$lines" "$scratch/out" | cut -c 1-160
    rest=$(($(wc -l <"$scratch/out") - lines))
    if [ "$rest" -gt 0 ]; then echo "… and $rest lines more"; fi
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

mkdir -p "$root/build/release"
if [ -n "$(stream_missing "$stream_build_packages")" ]; then echo 'Installing what the build needs.'; fi
stream_install "$stream_build_packages" "$scratch/install.log" </dev/null
if [ ! -x "$root/build/release/bin/stream-window" ]; then echo 'Building, which takes some minutes the first time.'; fi
stream_build "$root" "$root/build/release/build.log"
export PATH=$root/build/release/bin:$PATH
cd "$scratch"

say '1. Web traffic: one event a line. stream-gen makes 200,000, of which 5 % come out of order and 1 % twice.'
show 'stream-gen web --events 200000 --disorder 0.05 --duplicates 0.01 --seed 7 > web.ndjson; head -n 2 web.ndjson' 2

# How late the latest is decides what --lateness keeps them all.
late=$(stream-time report web.ndjson | sed -n 's/.*"lateness_max":\([0-9]*\).*/\1/p')
lateness=$((${late:-0} + 1))s

say "How disordered is it? (The latest comes $late s late, so $lateness of lateness lose nothing.)"
show 'stream-time report --at 1s,10s web.ndjson' 3

say 'Without the repeats, the requests of each minute and status, and the latency that 95 % stay below:'
show "stream-dedupe --by id web.ndjson | stream-window tumbling 1m --lateness $lateness --by status count p95:latency_ms" 8

say 'The three most asked paths of each minute:'
show "stream-dedupe --by id web.ndjson | stream-window tumbling 1m --lateness $lateness --by path --top 3 count" 6

say '2. A text log: what dpkg did on this machine, summed by hour and action.'
# dpkg runs once at a time, but several logs or a clock set back may leave lines out of order.
log=/var/log/dpkg.log
dpkg_command() {
    printf '%s' "stream-cat --format 'regex:(?P<time>\S+ \S+) (?P<action>\S+) (?P<rest>.*)' --time time --bad skip $1 | " \
        "stream-window tumbling 1h --late drop --by action count"
}
if [ ! -r $log ]; then
    echo "There is no $log here (a container image often has none), so here is the same of four lines:"
    printf '%s\n' '2024-05-01 09:14:02 install bats:all <none> 1.8.2-1' '2024-05-01 09:14:02 status half-installed bats:all 1.8.2-1' \
        '2024-05-01 09:14:03 status installed bats:all 1.8.2-1' '2024-05-01 10:02:44 remove bats:all 1.8.2-1 <none>' >"$scratch/dpkg.log"
    log=dpkg.log
elif [ ! -s $log ]; then
    echo "$log is empty: nothing was installed since it was last rotated. Its windows are none:"
fi
show "$(dpkg_command $log)" 12

cat <<'END'

What you saw: tools that read events on stdin or from files and write events on stdout, so that a pipe
joins them, and jq, grep or sort fit in between. Where to go on:

    build/release/bin/streamutils             the tools, a line each
    build/release/bin/stream-window --help    windows and aggregates, examples first
    man -l man/stream-window.1                the whole of it
    README.md                                 how to install
END
