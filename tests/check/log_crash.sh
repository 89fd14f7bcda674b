#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The log on a disk that is simulated and crashed at every call: 20,000 distinct states here, 1,000,000 with --long.
# A broken promise is told with the command that shows it again.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
crash=${STREAM_BIN:-$root/build/release/bin}/log_crash
if [ ! -x "$crash" ]; then
    echo "not ok 1 - $crash is not built"
    exit 1
fi
n=0
judge() { # NAME COMMAND…
    local name=$1 out
    shift
    n=$((n + 1))
    if out=$("$@" 2>&1); then
        echo "ok $n - $name: ${out##*log_crash: }"
    else
        echo "not ok $n - $name"
        sed 's/^/# /' <<<"$out"
    fi
}
if [ -n "${STREAM_LONG:-}" ]; then
    judge "crashes" "$crash" --states 1000000
    judge "crashes of other seeds" "$crash" --states 20000 --seed "$(date +%s)"
else
    judge "crashes" "$crash" --states 20000 --draws 4 --nested 16 --faults 40
fi
# The oracle is looked at, too: what would break a promise must be seen.
for planted in "drop-segment-sync append-one" "drop-log-folder-sync create" "early-head append-several" "drop-remove excise" \
    "drop-group-sync groups" "reader-writes append-one" "late-run-entry publish" "drop-runs-sync publish"; do
    read -r plant scenario <<<"$planted"
    n=$((n + 1))
    if "$crash" --plant "$plant" --scenario "$scenario" --states 5000 --failures 1 >/dev/null 2>&1; then
        echo "not ok $n - $plant breaks $scenario, and nobody saw it"
    else
        echo "ok $n - $plant in $scenario is seen"
    fi
done
echo "1..$n"
