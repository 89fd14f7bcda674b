#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Orders with the list price that was valid at their time, from price changes as a database sends them: updates, an
# article that is withdrawn, and one that came later. join-order-prices.expected is what it prints.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PATH=${STREAM_BIN:-$root/build/release/bin}:$PATH LC_ALL=C.UTF-8
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

say() { printf '\n%s\n' "$*"; }

stream-gen orders --events 3000 --skus 4 --seed 5 | stream-filter '.status == "created"' |
    stream-map '{ts, order_id, sku, quantity, paid: .price}' >orders.ndjson

# What Debezium writes of `update prices set …`; ts_ms is when the database committed it.
cat >prices.ndjson <<'E'
{"op":"r","before":null,"after":{"sku":"SKU-10000","list":20.00},"source":{"ts_ms":1767225500000}}
{"op":"r","before":null,"after":{"sku":"SKU-10001","list":30.00},"source":{"ts_ms":1767225500000}}
{"op":"u","before":{"sku":"SKU-10000","list":20.00},"after":{"sku":"SKU-10000","list":22.50},"source":{"ts_ms":1767225605000}}
{"op":"c","before":null,"after":{"sku":"SKU-10002","list":9.90},"source":{"ts_ms":1767225608000}}
{"op":"d","before":{"sku":"SKU-10001","list":30.00},"after":null,"source":{"ts_ms":1767225612000}}
{"op":"u","before":{"sku":"SKU-10000","list":22.50},"after":{"sku":"SKU-10000","list":21.00},"source":{"ts_ms":1767225615000}}
E

say 'Orders with their list price; null where the article was not on the list then:'
stream-join prices.ndjson --on sku --as-of --type left --fields list --as price <orders.ndjson >priced.ndjson
head -n 4 priced.ndjson

say 'How many orders had which price, and from when to when:'
stream-window all --by sku,list=.price.list count first:ts last:ts <priced.ndjson |
    stream-map '{sku, list, count, from: .first_ts, to: .last_ts}'

say 'Orders that should not have been possible:'
stream-join prices.ndjson --on sku --as-of --type anti <orders.ndjson | stream-window all --by sku count | stream-map '{sku, count}'

say 'While the changes still come, through a pipe: each order waits for the changes of its time. The same bytes.'
cmp priced.ndjson <(stream-join <(sleep 0.5; cat prices.ndjson) --on sku --as-of --type left --fields list --as price <orders.ndjson) && echo same

say 'By the list of today, which is another question:'
stream-join prices.ndjson --on sku --latest --fields list --as price <orders.ndjson | stream-window all --by sku,list=.price.list count | stream-map '{sku, list, count}'
