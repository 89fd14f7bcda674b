#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What epochs cost: log -> running window by key -> log with 10^6 keys held and 10^5 touched an epoch, with an epoch each
# second and with none on the way, in turn.
#   tests/bench/epochs.sh BIN FOLDER [EVENTS] [ROUNDS]
set -euo pipefail
PATH=$(realpath "$1"):$PATH
cd "$2"
events=${3:-20000000} rounds=${4:-3}
if [ ! -d in.log ]; then
    # Each key once, then a tenth of them at a time for 2 million events each.
    awk -v events="$events" 'BEGIN {
        for (i = 0; i < 1000000; ++i) printf "{\"ts\":%.0f,\"user\":\"user-%07d\",\"bytes\":%d}\n", 1767225600000 + i, i, i % 977
        for (; i < events; ++i) printf "{\"ts\":%.0f,\"user\":\"user-%07d\",\"bytes\":%d}\n", 1767225600000 + i, i * 7919 % 100000 + int(i / 2000000) % 10 * 100000, i % 977
    }' | stream-log append in.log >/dev/null
fi
for pipeline in 'tumbling 30d count sum:bytes --by user' 'all --every 6h count sum:bytes --by user'; do
    echo "stream-log read | stream-window $pipeline | stream-log append, $events events"
    for ((round = 0; round < rounds; ++round)); do
        for every in 1h 1s; do
            rm -rf r out
            /usr/bin/time -f "  --every $every: %e s, cpu %U s, %M KiB" stream-run r --once --every $every -c "stream-log read in.log | stream-window $pipeline --memory 2G | stream-log append out" >/dev/null
            [ $every = 1h ] || sed -n 's/.*"epoch":\([0-9]*\),"attempt.*/    \1 epochs/p' r/commit
        done
    done
done
