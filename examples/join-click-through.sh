#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Click-through rate: searches and clicks, two streams that arrive disordered and through different pipes, joined
# within an hour of event time. join-click-through.expected is what it prints.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PATH=${STREAM_BIN:-$root/build/release/bin}:$PATH LC_ALL=C.UTF-8
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

say() { printf '\n%s\n' "$*"; }

# Six hours of a small site; 5 % of it up to 10 s late.
stream-gen web --events 40000 --density 2 --users 2500 --disorder 0.05 --seed 11 >web.ndjson
stream-filter '.path | startswith("/search")' web.ndjson | stream-map '{ts, id, user}' >searches.ndjson
stream-filter '.path | startswith("/products/")' web.ndjson | stream-map '{ts, user, item: .path}' >clicks.ndjson

say "The first clicks within an hour of a search, of $(wc -l <searches.ndjson) searches and $(wc -l <clicks.ndjson) clicks:"
stream-join clicks.ndjson --on user --after 1h --lateness 10s --flat --as click <searches.ndjson >pairs.ndjson
head -n 3 pairs.ndjson

say 'Of the searches of each hour, how many were followed by a click within an hour (a pair has the time of its click,'
echo 'up to an hour after the search: hence the lateness of the window):'
stream-join clicks.ndjson --on user --after 1h --lateness 10s --type left <searches.ndjson |
    stream-map '{ts: .left.ts, id: .left.id, clicked: (.right != null)}' |
    stream-window tumbling 1h --lateness 1h searches=distinct:id 'clicked=distinct:(select(.clicked) | .id)' |
    stream-map '{hour: .window_start, searches, clicked, rate: ((.clicked * 1000 / .searches | round) / 1000)}'

say 'How long it took from the search to the first click, of those with one:'
stream-join clicks.ndjson --on user --after 1h --lateness 10s <searches.ndjson | stream-dedupe --by left.id |
    stream-map '{ts, took: ((.right.ts | seconds) - (.left.ts | seconds))}' | stream-window all count p50:took p90:took |
    stream-map '{count, p50: (.p50_took | round), p90: (.p90_took | round)}'

say 'Live, from two pipes one of which is slow, and with the clicks sent first: the same bytes.'
cmp pairs.ndjson <({ sleep 0.5; cat searches.ndjson; } |
    stream-join <(cat clicks.ndjson) --on user --after 1h --lateness 10s --flat --as click) && echo same
