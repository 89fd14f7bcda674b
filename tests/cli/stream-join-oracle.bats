#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# stream-join on real data against independent answers (tests/check/oracle_joins.py), the same rows in the same order.

load ../support/helpers

setup() { cd "$BATS_TEST_TMPDIR" || return 1; }

# agree QUESTION ARG… -- PIPELINE
agree() {
    local question=()
    while [ "$1" != -- ]; do question+=("$1"); shift; done
    [ -e "$wanted.${question[*]}" ] || python3 "$STREAM_ROOT/tests/check/oracle_joins.py" "${question[@]}" >"$wanted.${question[*]}"
    rm -f "$input"
    run_shell "$2"
    is_status 0
    err_empty
    [ -s "$out" ]
    python3 "$STREAM_ROOT/tests/support/same_rows.py" "$wanted.${question[*]}" "$out" >"$out.differences" ||
        flunk "$2" "$(head -n 40 "$out.differences")"
}

lean() { # SYMBOL KIND COLUMNS: the ticks as events
    local file=$STREAM_TEST_DATA/trades-quotes/20131007_$1_$2_tick.csv
    [ -e "$file" ] || file=$file.zst
    stream-cat --format csv --columns "$3" --time ms --time-unit ms --tz America/New_York --base 2013-10-07 "$file" >"$1.$2"
}

quoted() { # SYMBOL
    need_data trades-quotes/20131007_ibm_trade_tick.csv trades-quotes/20131007_"$1"_quote_tick.csv.zst
    lean "$1" trade ms,price,size,exchange,condition,suspicious
    lean "$1" quote ms,bid,bidsize,ask,asksize,exchange,condition,suspicious
    local show='stream-map "{ms,price,size,exchange,quote:(.quote|if . then [.ms,.bid,.bidsize,.ask,.asksize] else null end)}"'
    local join='--on exchange --as-of --as quote --type left'
    # The table whole; merged, as a pipe; both as pipes; compressed.
    agree quoted "$1" -- "stream-join $1.quote $join <$1.trade | $show"
    agree quoted "$1" -- "stream-join <(cat $1.quote) $join <$1.trade | $show"
    agree quoted "$1" -- "cat $1.trade | stream-join <(cat $1.quote) $join | $show"
    agree quoted "$1" -- "zstd -qc $1.quote >$1.zst && stream-join $1.zst $join <$1.trade | $show"
}

@test "trades-quotes: every IBM trade with the last quote of its exchange, ties by position" { quoted ibm; }

@test "trades-quotes: every BAC trade with the last quote of its exchange, ties by position" { quoted bac; }

@test "zeek: dns with the ssl of the same client and name within 5 s, as SQLite's range join" {
    need_data zeek/dns.ndjson.zst zeek/ssl.ndjson.zst
    local dns=$STREAM_TEST_DATA/zeek/dns.ndjson.zst ssl=$STREAM_TEST_DATA/zeek/ssl.ndjson.zst
    local join="--on id.orig_h,query=server_name --after 5s --lateness 15m"
    local show='stream-map "{ts, dns: .left.uid, ssl: .right.uid}"'
    agree matches -- "stream-join '$ssl' $join <'$dns' | $show"
    agree matches -- "zstd -dcq '$dns' | stream-join <(zstd -dcq '$ssl') $join | $show"
    agree unanswered -- "stream-join '$ssl' $join --type anti <'$dns' | stream-map '{uid}'"
    # Sorted, it needs no lateness; the order of the lines does not matter.
    run_shell "stream-join <(stream-time reorder --lateness 15m '$ssl') --on id.orig_h,query=server_name --after 5s < <(stream-time reorder --lateness 15m '$dns') | $show"
    is_status 0
    err_empty
    python3 "$STREAM_ROOT/tests/support/same_rows.py" "$wanted.matches" "$out"
}

@test "zeek: what is late at 60 s is counted, kept, and not paired" {
    need_data zeek/dns.ndjson.zst zeek/ssl.ndjson.zst
    local dns=$STREAM_TEST_DATA/zeek/dns.ndjson.zst ssl=$STREAM_TEST_DATA/zeek/ssl.ndjson.zst
    rm -f "$input"
    run_shell "stream-join '$ssl' --on id.orig_h,query=server_name --after 5s --lateness 60s <'$dns'"
    is_status 3
    err_has 'late events, dropped'
    run_shell "stream-join '$ssl' --on id.orig_h,query=server_name --after 5s --lateness 60s --type left --late late <'$dns'"
    is_status 0
    local lefts
    lefts=$(jq -r 'select(.left) | .left.uid + .left.ts' "$out" | sort -u | wc -l)
    # Every query is in the output or among the late ones.
    [ $((lefts + $(jq -r 'select(._path == "dns") | .uid + .ts' late | sort -u | wc -l))) -eq "$(zstd -dcq "$dns" | jq -r '.uid + .ts' | sort -u | wc -l)" ]
}
