#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Stocks: open, high, low, close and volume of each day, and the day's top gainers, each day's close joined with that
# of the day before. join-stocks.expected is what it prints.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PATH=${STREAM_BIN:-$root/build/release/bin}:$PATH LC_ALL=C.UTF-8
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

say() { printf '\n%s\n' "$*"; }

# Three days of trades of six shares, prices in cents walking at random (a generator of our own: the same everywhere).
awk 'BEGIN {
    seed = 12345
    split("ALDER BIRCH CEDAR ELM FIR OAK", name, " ")
    for (s = 1; s <= 6; s++) price[s] = 2000 + 700 * s
    for (day = 0; day < 3; day++) {
        for (n = 0; n < 3000; n++) {
            seed = seed * 16807 % 2147483647; s = 1 + int(seed / 128) % 6
            seed = seed * 16807 % 2147483647; price[s] += int(seed / 128) % 21 - 10
            seed = seed * 16807 % 2147483647; size = 100 * (1 + int(seed / 128) % 5)
            # 14:30 to 21:00 UTC, Monday to Wednesday
            printf "{\"ts\":%d.%03d,\"symbol\":\"%s\",\"price\":%d.%02d,\"size\":%d}\n", 1767623400 + 86400 * day + int(n * 7.8), n % 1000, name[s], price[s] / 100, price[s] % 100, size
        }
    }
}' >trades.ndjson

say "A day's bars of $(wc -l <trades.ndjson) trades:"
stream-window tumbling 1d --by symbol open=first:price high=max:price low=min:price close=last:price volume=sum:size <trades.ndjson >bars.ndjson
head -n 6 bars.ndjson | stream-map '{day: .window_start[0:10], symbol, open, high, low, close, volume}'

# RIGHT exactly one day before LEFT: both bounds are one day.
say 'Each close beside that of the day before:'
stream-join bars.ndjson --on symbol --before 1d --after -1d --flat --as before <bars.ndjson >beside.ndjson
stream-map '{day: .window_start[0:10], symbol, before: .before_close, close, percent: ((.close / .before_close - 1) * 10000 | round / 100)}' beside.ndjson >gains.ndjson
head -n 3 gains.ndjson

say 'The top gainers of each day:'
stream-map '{ts, day: .window_start[0:10], symbol, gain: ((.close / .before_close - 1) * 10000 | round / 100)}' beside.ndjson |
    stream-window tumbling 1d --by day,symbol --top 3 gain=max:gain | stream-map '{day, symbol, gain}'

say 'Each trade with the price of the last trade of its share a minute or more before, and the greatest moves:'
stream-join <(stream-map '{ts: ((.ts | seconds) + 60), symbol, price}' trades.ndjson) --on symbol --as-of --fields price --as ago <trades.ndjson |
    stream-map '{ts: (.ts | todate), symbol, move: ((.price - .ago.price) * 100 | round)}' |
    stream-window all --by symbol up=max:move down=min:move | stream-map '{symbol, up, down}'
