#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weeks of event time at a flat memory: a million events here, 10^8 with --long. The second half may not
# need more than the first did.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=${STREAM_BIN:-$root/build/release/bin}
events=1000000
[ -n "${STREAM_LONG:-}" ] && events=100000000
n=0
peak() { # COMMAND…: its greatest resident set, KiB, on stdout of this function; its output is dropped
    python3 - "$@" <<'PY'
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=False).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, status)
PY
}
judge() { # NAME LIMIT_KIB COMMAND
    local name=$1 limit=$2 got status
    n=$((n + 1))
    # The generator is far smaller than any limit here: the pipeline's greatest is the tool's.
    read -r got status < <(peak bash -o pipefail -c "'$bin/stream-gen' web --events $events --density 50 --disorder 5% --duplicates 1% | $3")
    if [ "$status" = 0 ] && [ "$got" -le "$limit" ]; then
        echo "ok $n - $name: $events events in $((got / 1024)) MiB"
    else
        echo "not ok $n - $name: status $status, $((got / 1024)) MiB of $((limit / 1024)) allowed"
    fi
}
export PATH=$bin:$PATH
judge "cat" 20480 "stream-cat"
judge "tumbling windows by path" 24576 "stream-window tumbling 1m --lateness 10s --by path count sum:bytes p99:latency_ms"
judge "sessions by user" 98304 "stream-window session 30m --lateness 10s --by user count span"
judge "dedupe within an hour" 65536 "stream-dedupe --by id --within 1h --lateness 10s"
judge "reorder" 32768 "stream-time reorder --lateness 10s"
echo "1..$n"
