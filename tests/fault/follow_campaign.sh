#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# follow_campaign.sh FIRST_SEED LAST_SEED [FOLLOWER…]: every way to rotate, once a seed. The follower gets
# the file as its last argument; without one it is the stream-cat of the release build. Prints a line of
# JSON a run and keeps the folder of one that fails.
set -u
here=$(cd "$(dirname "$0")" && pwd)
first=${1:?first seed}
last=${2:?last seed}
shift 2
if [ $# -eq 0 ]; then
    set -- "$here/../../build/release/bin/stream-cat" --bad skip -f
fi

failed=0
for seed in $(seq "$first" "$last"); do
    for kind in rename truncate copytruncate hole mixed; do
        folder=$(mktemp -d)
        "$@" "$folder/log" >"$folder/output" 2>"$folder/stderr" &
        follower=$!
        # Alternately at leisure and as fast as it can.
        python3 "$here/follow_writer.py" "$folder/log" --log "$folder/events" --kind "$kind" --seed "$seed" --until-seen "$folder/output" \
            --lines "${LINES_EACH:-8000}" --rotations "${ROTATIONS:-30}" --nap-ms $((seed % 3 * 4))
        # Done when the last line has come, or when nothing has for a while.
        end=$(tail -n 1 "$folder/log")
        for _ in $(seq 100); do
            [ "$(tail -n 1 "$folder/output")" = "$end" ] && break
            sleep 0.1
        done
        sleep 0.3
        if ! kill -INT "$follower" 2>/dev/null; then echo "the follower is gone" >>"$folder/stderr"; fi
        wait "$follower"
        printf '%s %s: ' "$kind" "$seed"
        if python3 "$here/follow_check.py" --log "$folder/events" --output "$folder/output" --gaps "$folder/stderr"; then
            rm -r "$folder"
        else
            failed=$((failed + 1))
            tail -n 3 "$folder/stderr" >&2
            echo "kept: $folder" >&2
        fi
    done
done
[ "$failed" -eq 0 ]
