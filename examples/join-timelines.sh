#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everybody's timeline, kept while posts are written, edited and deleted and people follow and unfollow: two tables
# that change, joined, and the join is a table of changes again. join-timelines.expected is what it prints.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PATH=${STREAM_BIN:-$root/build/release/bin}:$PATH LC_ALL=C.UTF-8
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

say() { printf '\n%s\n' "$*"; }

# Who follows whom: a row for each pair.
cat >follows.ndjson <<'E'
{"ts":"2026-01-01T09:00:00Z","op":"c","after":{"pair":"ann-bob","user":"ann","author":"bob"}}
{"ts":"2026-01-01T09:05:00Z","op":"c","after":{"pair":"cid-bob","user":"cid","author":"bob"}}
{"ts":"2026-01-01T09:20:00Z","op":"c","after":{"pair":"ann-dee","user":"ann","author":"dee"}}
{"ts":"2026-01-01T09:40:00Z","op":"d","before":{"pair":"cid-bob","user":"cid","author":"bob"}}
E
cat >posts.ndjson <<'E'
{"ts":"2026-01-01T09:10:00Z","op":"c","after":{"post":1,"author":"bob","text":"good morning"}}
{"ts":"2026-01-01T09:15:00Z","op":"c","after":{"post":2,"author":"dee","text":"tea?"}}
{"ts":"2026-01-01T09:30:00Z","op":"u","before":{"post":1,"author":"bob","text":"good morning"},"after":{"post":1,"author":"bob","text":"good morning, all"}}
{"ts":"2026-01-01T09:50:00Z","op":"d","before":{"post":2,"author":"dee","text":"tea?"},"after":null}
E

say 'What changes in the timelines, as it happens:'
stream-table join follows.ndjson --on author --by post=pair <posts.ndjson >timelines.ndjson
stream-map '{ts, op, user: (.after // .before).right.user, post: (.after // .before).left.post, text: .after.left.text}' timelines.ndjson

timelines_at() {
    stream-table --by left.post,right.pair --as-of "$1" timelines.ndjson |
        stream-map '{user: .right.user, author: .left.author, post: .left.post, text: .left.text}'
}
say 'The timelines at 9:35:'
timelines_at 2026-01-01T09:35:00Z
say 'And at the end:'
timelines_at 2026-01-01T10:00:00Z

say 'The same as joining the two tables as they are at the end:'
stream-table --by post posts.ndjson >posts.table
stream-table --by pair follows.ndjson >follows.table
jq -c --slurpfile follows follows.table '. as $p | $follows[] | select(.author == $p.author) | {user, author, post: $p.post, text: $p.text}' posts.table |
    cmp - <(timelines_at 2026-01-01T10:00:00Z) && echo same
