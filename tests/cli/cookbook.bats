#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The cookbook of docs/guide.md: every recipe is read from the page and run, and must give what jq makes of
# the same events; the output that the page shows is how it begins. A recipe without an oracle here fails,
# and so does an oracle without its recipe.

load ../support/helpers

# On the page a recipe is a caption in bold and a fenced block: commands after `$ `, then output.
recipes() { # a line each: caption, tab, the block's lines joined by \x01
    perl -ne '
        $in = /^## A cookbook/ if /^## /;
        next unless $in;
        if (/^\*\*(.+)\*\*$/) { $caption = $1 }
        elsif (/^```/) {
            if ($open && defined $caption) { print "$caption\t", join("\x01", @block), "\n"; undef $caption }
            $open = !$open;
            @block = ();
        } elsif ($open) { chomp; push @block, $_ }' "$STREAM_ROOT/docs/guide.md"
}

# What jq gives, for each caption; 1 if there is none.
oracle() {
    case $1 in
        'Server errors') jq -c 'select(.status >= 500)' access.ndjson ;;
        'Slow requests to one path') jq -c 'select(.path == "/search" and .latency_ms > 100)' access.ndjson ;;
        "One user's requests, the name from outside") jq -c --arg who u1 'select(.user == $who)' access.ndjson ;;
        'Orders above a sum') jq -c 'select(.currency == "EUR" and .price * .quantity > 500)' orders.ndjson ;;
        # Its own test is below: these events are of no last hour.
        'The last hour, as of now') jq -c 'select((.ts[:19] + "Z" | fromdate) > now - 3600)' access.ndjson ;;
        'Was there any?') jq -nr 'if any(inputs; .status == 500) then "there were errors" else empty end' access.ndjson ;;
        'Minutes in which a user met an error')
            jq -sc "$minute"'group_by([.ts[:16], .user])[] | select(any(.[]; .status >= 500))
                | {window_start: beginning, window_end: ending, user: .[0].user, statuses: map(.status)}' access.ndjson
            ;;
        'Errors as a share of each minute')
            jq -sc "$minute"'group_by(.ts[:16])[]
                | {window_start: beginning, window_end: ending, errors: ((map(select(.status >= 500)) | length) / length)}' access.ndjson
            ;;
        'Requests by class of status')
            jq -sc '(map(.ts) | max) as $ts | group_by(.status / 100 | floor)[]
                | {ts: $ts, class: "\(.[0].status / 100 | floor)xx", count: length}' access.ndjson
            ;;
        'The five paths with most errors')
            jq -sc 'map(select(.status >= 400)) | (map(.ts) | max) as $ts
                | group_by(.path) | sort_by(-length) | .[:5][] | {ts: $ts, path: .[0].path, count: length}' access.ndjson
            ;;
        'How many users sent something')
            jq -sc '{ts: (map(.ts) | max), senders: (map(select(.method == "POST").user) | unique | length)}' access.ndjson
            ;;
        'Method and path as one key')
            jq -sc '(map(.ts) | max) as $ts | group_by([.method, .path]) | sort_by(-length)
                | .[:3][] | {ts: $ts, route: (.[0] | .method + " " + .path), count: length}' access.ndjson
            ;;
        'Numbers in paths made alike')
            # Without a regular expression.
            jq -sc 'def alike: reduce explode[] as $c ([]; if $c >= 48 and $c <= 57 then (if .[-1] == 78.5 then . else . + [78.5] end)
                    else . + [$c] end) | map(floor) | implode;
                (map(.ts) | max) as $ts | group_by(.path | alike) | sort_by(-length)
                | .[:3][] | {ts: $ts, route: (.[0].path | alike), count: length}' access.ndjson
            ;;
        'Members renamed, joined, left out') jq -c '{ts, who: .user, request: "\(.method) \(.path)", ms: .latency_ms}' access.ndjson ;;
        'Personal data out, addresses cut short')
            jq -c 'del(.user, .session, .agent) | .ip = (.ip | split(".") | .[3] = "0" | join("."))' access.ndjson
            ;;
        'A default for what is missing') jq -c '. + {referrer: "none"}' access.ndjson ;;
        'Part of a path as a member')
            jq -c 'select(.path | test("^/blog/[0-9]+$")) | {ts, post: (.path | split("/")[2])}' access.ndjson
            ;;
        'JSON in a string, as containers log it') cat access.ndjson ;;
        'An array as one event for each element')
            jq -sc "$minute"'group_by(.ts[:16])[] | beginning as $start | group_by(.path) | sort_by(-length)
                | .[:3][] | {window_start: $start, value: .[0].path, count: length, error: 0}' access.ndjson
            ;;
        'One event for each measure')
            jq -c '{ts, name: "status", value: .status}, {ts, name: "bytes", value: .bytes}, {ts, name: "latency_ms", value: .latency_ms}' access.ndjson
            ;;
        'A list as counts of its values')
            jq -sc 'group_by(.user)[]
                | {user: .[0].user, seen: (map(.status) | sort | reduce .[] as $s ({}; .["\($s)"] += 1))}' access.ndjson
            ;;
        'CSV for a spreadsheet') jq -r '"\"\(.ts)\",\"\(.path | gsub("\""; "\"\""))\",\(.status),\(.latency_ms)"' access.ndjson ;;
        'Lines that Prometheus reads')
            jq -sr 'group_by(.status)[] | "http_requests_total{status=\"\(.[0].status)\"} \(length)"' access.ndjson
            ;;
        *) return 1 ;;
    esac
}
# Of the events of a minute.
minute='def beginning: .[0].ts[:16] + ":00Z"; def ending: beginning | fromdate + 60 | todate; '

setup() {
    command -v jq >/dev/null || skip 'there is no jq to compare with'
    mkdir "$BATS_TEST_TMPDIR/kitchen"
    cd "$BATS_TEST_TMPDIR/kitchen"
    stream-gen web --events 20000 --seed 1 >access.ndjson
    stream-gen orders --events 5000 --seed 1 >orders.ndjson
    recipes >"$BATS_TEST_TMPDIR/recipes"
    rm -f "$input"
}

# The block's commands, one after the other; its output is that of all.
cook() { # BLOCK
    tr '\001' '\n' <<<"$1" | sed -n 's/^\$ //p' >"$BATS_TEST_TMPDIR/script"
    run_tool bash -eo pipefail "$BATS_TEST_TMPDIR/script"
    is_status 0
    err_empty
}

# Events are compared by value and order of members: jq 1.6 writes 64.10 as 64.1. Text is compared as it is.
comparable() { # FILE
    if [ "$(head -c 1 "$1")" = '{' ]; then jq -c . "$1"; else cat "$1"; fi
}

@test "the page has recipes, each captioned once" {
    [ "$(wc -l <"$BATS_TEST_TMPDIR/recipes")" -ge 15 ]
    [ -z "$(cut -f 1 "$BATS_TEST_TMPDIR/recipes" | sort | uniq -d)" ]
    # None lies in the page without its caption.
    local commands
    commands=$(sed -n '/^## A cookbook/,/^## /p' "$STREAM_ROOT/docs/guide.md" | grep -c '^\$ ')
    [ "$(cut -f 2 "$BATS_TEST_TMPDIR/recipes" | tr '\001' '\n' | grep -c '^\$ ')" -ge $((commands - 1)) ]
}

@test "every oracle here is of a recipe" {
    local caption
    declare -f oracle | perl -ne 'if (/^ {8}(?:\x27([A-Z].*)\x27|"([A-Z].*)")\)$/) { print $1 // $2, "\n" }' >oracles
    [ "$(wc -l <oracles)" -eq "$(wc -l <"$BATS_TEST_TMPDIR/recipes")" ]
    while IFS= read -r caption; do
        cut -f 1 "$BATS_TEST_TMPDIR/recipes" | grep -qxF -e "$caption" || flunk "no recipe: $caption"
    done <oracles
}

@test "every recipe gives what jq gives" {
    local caption block
    while IFS=$'\t' read -r caption block; do
        oracle "$caption" >oracle.out || flunk "no oracle: $caption"
        cook "$block"
        [ -s "$out" ] || [ "$caption" = 'The last hour, as of now' ] || flunk "$caption: gives nothing"
        comparable oracle.out >"$wanted"
        comparable "$out" >out.comparable
        same_bytes "$caption" out.comparable
    done <"$BATS_TEST_TMPDIR/recipes"
}

@test "the output begins as the page shows it" {
    local caption block
    while IFS=$'\t' read -r caption block; do
        tr '\001' '\n' <<<"$block" | grep -v '^\$ ' >"$wanted" || continue
        cook "$block"
        head -n "$(wc -l <"$wanted")" "$out" >out.shown
        same_bytes "$caption" out.shown
    done <"$BATS_TEST_TMPDIR/recipes"
}

@test "the last hour is the last hour" {
    local block
    block=$(grep '^The last hour' "$BATS_TEST_TMPDIR/recipes" | cut -f 2)
    local now
    now=$(date +%s)
    local ago
    for ago in 7200 3700 3500 1800 1; do echo "{\"ts\":\"$(date -u -d "@$((now - ago))" +%FT%TZ)\",\"ago\":$ago}"; done >access.ndjson
    cook "$block"
    tail -n 3 access.ndjson >"$wanted"
    same_bytes 'the last hour' "$out"
}

@test "personal data goes, and no other byte changes" {
    local block
    block=$(grep '^Personal data' "$BATS_TEST_TMPDIR/recipes" | cut -f 2)
    printf '%s\n' '{ "id" : 1499816949527975237, "user":"a","x": 0.1000 ,"ip":"10.1.2.3", "session":null, "agent":"x", "y":"\u0061" }' >access.ndjson
    printf '%s\n' '{ "id" : 1499816949527975237,"x": 0.1000 ,"ip":"10.1.2.0", "y":"\u0061" }' >"$wanted"
    cook "$block"
    same_bytes 'personal data' "$out"
}
