#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Real data against independent answers (tests/check/oracle_*.py: SQLite, or Python written for this),
# exactly: the same rows in the same order, numbers by exact value.

load ../support/helpers

# agree ORACLE QUESTION ARG… -- PIPELINE: the pipeline says what the oracle says, with status 0 and
# nothing on stderr (agree_stderr=any: or something).
agree() {
    local question=()
    while [ "$1" != -- ]; do question+=("$1"); shift; done
    python3 "$STREAM_ROOT/tests/check/oracle_${question[0]}.py" "${question[@]:1}" >"$wanted"
    rm -f "$input"
    cd "$STREAM_TEST_DATA"
    run_shell "$2"
    is_status "${agree_status:-0}"
    [ "${agree_stderr:-empty}" = any ] || err_empty
    python3 "$STREAM_ROOT/tests/support/same_rows.py" "$wanted" "$out" >"$out.differences" ||
        flunk "$2" "$(cat "$out.differences")"
}

@test "web-access: requests and bytes per minute and response, at 60 s lateness" {
    need_data web-access/access.ndjson.zst
    agree web per_minute_and_response -- \
        'stream-window tumbling 1m --time time --lateness 60s --by response count sum:bytes <web-access/access.ndjson.zst'
}

@test "web-access: the same from a pipe and through stream-cat" {
    need_data web-access/access.ndjson.zst
    agree web per_minute_and_response -- 'zstd -dcq web-access/access.ndjson.zst | stream-cat |
        stream-time parse time | stream-window tumbling 1m --lateness 60s --by response count sum:bytes'
}

@test "web-access: the late events of 10 s windows at 0, 10 and 30 s lateness" {
    need_data web-access/access.ndjson.zst
    local lateness dead
    for lateness in 0 10 30; do
        dead=$BATS_TEST_TMPDIR/late.$lateness
        agree web in_time $lateness -- \
            "stream-window tumbling 10s --time time --lateness ${lateness}s --late drop count <web-access/access.ndjson.zst 2>/dev/null"
        agree_stderr=any agree web late $lateness -- \
            "stream-window tumbling 10s --time time --lateness ${lateness}s --late $dead count <web-access/access.ndjson.zst >/dev/null && cat $dead"
        run_shell "stream-window tumbling 10s --time time --lateness ${lateness}s count <web-access/access.ndjson.zst"
        is_status 3
        err_has "$(wc -l <"$dead")" --lateness
    done
}

@test "web-access: stream-time report --at 0s,10s,30s" {
    need_data web-access/access.ndjson.zst
    agree web report -- 'stream-time report --time time --at 0s,10s,30s web-access/access.ndjson.zst | jq -c '\
"'"'[del(.events,.out_of_order,.lateness_p50,.lateness_p99,.lateness_max,.gap_max) | .. | numbers] as $later
        | {events,out_of_order,lateness_p50,lateness_p99,lateness_max,gap_max,later:$later}'"'"
}

@test "web-access: sessions per remote_ip at 30 minutes" {
    need_data web-access/access.ndjson.zst
    agree web sessions -- \
        'stream-window session 30m --time time --lateness 60s --by remote_ip count span entry=first:request <web-access/access.ndjson.zst'
}

@test "web-access: the text log itself, its cut line told" {
    need_data web-access/apache_access.log.zst
    agree_stderr=any agree web text_per_minute -- 'stream-cat --format combined --bad skip web-access/apache_access.log.zst |
        stream-window tumbling 1m --lateness 60s --by status count sum:bytes distinct:method'
    run_tool stream-cat --format combined "$STREAM_TEST_DATA/web-access/apache_access.log.zst"
    is_status 3
    err_has apache_access.log.zst:8899
}

@test "zeek: dns queries, distinct names and p95 of rtt per minute and client" {
    need_data zeek/dns.ndjson.zst
    agree zeek dns -- 'stream-window tumbling 1m --lateness 15m --by id.orig_h count distinct:query p95:rtt <zeek/dns.ndjson.zst'
}

@test "zeek: dns, what is late at 60 s, and the report" {
    need_data zeek/dns.ndjson.zst
    agree_stderr=any agree zeek dns_late -- \
        "stream-window tumbling 1m --lateness 60s --late $BATS_TEST_TMPDIR/late count <zeek/dns.ndjson.zst >/dev/null && cat $BATS_TEST_TMPDIR/late"
    agree zeek dns_report -- 'stream-time report --at 0s,10s,30s zeek/dns.ndjson.zst | jq -c '\
"'"'[del(.events,.out_of_order,.lateness_p50,.lateness_p99,.lateness_max,.gap_max) | .. | numbers] as $later
        | {events,out_of_order,lateness_p50,lateness_p99,lateness_max,gap_max,later:$later}'"'"
}

@test "zeek: ssl by version and port, a key sometimes missing" {
    need_data zeek/ssl.ndjson.zst
    agree zeek ssl -- 'stream-window tumbling 5m --lateness 15m --by version,id.resp_p \
        count count:established share=mean:established first:uid last:uid <zeek/ssl.ndjson.zst'
}

@test "debezium: orders by status per 10 s of source.ts_ms" {
    need_data cdc/debezium_pg_orders.ndjson
    agree cdc orders -- 'stream-window tumbling 10s --time source.ts_ms --by after.status \
        count sum:after.price mean:after.quantity <cdc/debezium_pg_orders.ndjson'
    agree cdc orders -- 'stream-window tumbling 10s --by after.status \
        count sum:after.price mean:after.quantity <cdc/debezium_pg_orders.ndjson'
}

@test "trades: open, high, low, close, volume per minute" {
    need_data trades-quotes/20131007_ibm_trade_tick.csv trades-quotes/20131007_bac_trade_tick.csv.zst
    local bar='open=first:price high=max:price low=min:price close=last:price volume=sum:size count'
    local lean='stream-cat --format csv --columns ms,price,size,exchange,condition,suspicious
        --time ms --time-unit ms --tz America/New_York --base 2013-10-07'
    lean=${lean//$'\n'/ }
    agree trades lean ibm -- "$lean trades-quotes/20131007_ibm_trade_tick.csv | stream-window tumbling 1m $bar"
    agree trades lean bac -- "$lean trades-quotes/20131007_bac_trade_tick.csv.zst | stream-window tumbling 1m $bar"
}

@test "trades: an hour of bitcoin by side, sums of decimals exact; nine shares" {
    need_data trades-quotes/questdb_btc_trades.csv trades-quotes/questdb_nasdaq_trades.csv.zst
    agree trades bitcoin -- 'stream-cat --time timestamp trades-quotes/questdb_btc_trades.csv |
        stream-window tumbling 1m --by side open=first:price high=max:price low=min:price close=last:price volume=sum:amount count'
    agree trades nasdaq -- 'stream-cat --time timestamp trades-quotes/questdb_nasdaq_trades.csv.zst |
        stream-window tumbling 10m --by id count first:price last:price min:price max:price mean:price'
}

@test "ssh log: events per hour and program; its times lack the year" {
    need_data ssh-auth-log/auth.log
    agree text ssh -- 'stream-cat --format syslog --base 2017 ssh-auth-log/auth.log |
        stream-window tumbling 1h --by program count distinct:pid'
    run_tool stream-cat --format syslog "$STREAM_TEST_DATA/ssh-auth-log/auth.log"
    [ "$status" -eq 2 ] || [ "$status" -eq 3 ]
    err_has --base
}

@test "sensors: eleven series per hour" {
    need_data sensors-csv/nyc_taxi.csv
    local file name
    for file in "$STREAM_TEST_DATA"/sensors-csv/*.csv; do
        name=$(basename "$file" .csv)
        agree text sensor "$name" -- "stream-cat --time timestamp sensors-csv/$name.csv |
            stream-window tumbling 1h --lateness 1h count sum:value mean:value min:value max:value median:value"
    done
}

@test "llm requests: tokens per 10 s, of each service and of both merged" {
    need_data llm-requests-csv/code.csv llm-requests-csv/conv.csv
    local name sums='count sum:ContextTokens sum:GeneratedTokens'
    for name in code conv; do
        agree text tokens $name -- "stream-cat --time TIMESTAMP llm-requests-csv/$name.csv | stream-window tumbling 10s $sums"
    done
    agree text tokens code conv -- \
        "stream-cat --merge --time TIMESTAMP llm-requests-csv/code.csv llm-requests-csv/conv.csv | stream-window tumbling 10s $sums"
}

@test "llm requests: percentiles per minute, 5 minutes every 30 s, the minute up to each" {
    need_data llm-requests-csv/code.csv
    local read='stream-cat --time TIMESTAMP llm-requests-csv/code.csv'
    agree text percentiles code -- "$read | stream-window tumbling 1m p50:ContextTokens p95:ContextTokens p99:ContextTokens"
    agree text hopping code -- "$read | stream-window hopping 5m 30s count p99:ContextTokens max:ContextTokens"
    agree text sliding code -- "$read | stream-window sliding 1m count sum:ContextTokens | jq -c '{count,sum_ContextTokens}'"
}

@test "nasa: sessions per host, the ten most asked urls per 15 minutes, hosts per hour and response" {
    need_data web-clicks-tsv/nasa_19950801.tsv.zst
    local read='stream-cat --time time --time-unit s web-clicks-tsv/nasa_19950801.tsv.zst'
    agree web nasa_sessions -- "$read | stream-window session 30m --by host count first:url last:url sum:bytes"
    agree web nasa_top -- "$read | stream-window tumbling 15m --by url --top 10 count"
    agree web nasa_hours -- "$read | stream-window tumbling 1h --by response count hosts=distinct:host"
}

@test "nginx: growth of a counter per minute; windows by host and id" {
    need_data nginx-metrics/nginxplus_status.ndjson.zst windows-events/rdp_lsass.ndjson.zst
    cd "$STREAM_TEST_DATA"
    rm -f "$input"
    # Growth adds up to last - first, the counter never having fallen.
    run_shell 'stream-window tumbling 1m --time timestamp increase:requests.total first:requests.total last:requests.total <nginx-metrics/nginxplus_status.ndjson.zst |
        jq -s -c "(map(.increase_requests_total) | add) == .[-1].last_requests_total - .[0].first_requests_total"'
    [ "$(cat "$out")" = true ]
    run_shell 'zstd -dcq windows-events/rdp_lsass.ndjson.zst | stream-dedupe --by Hostname,Channel,RecordNumber | cksum'
    is_status 0
    cp "$out" "$wanted"
    run_shell 'zstd -dcq windows-events/rdp_lsass.ndjson.zst | jq -c "[.Hostname,.Channel,.RecordNumber]" | sort | uniq | wc -l'
    local keys
    keys=$(cat "$out")
    run_shell 'stream-dedupe --by Hostname,Channel,RecordNumber windows-events/rdp_lsass.ndjson.zst | wc -l'
    [ "$(cat "$out")" -eq "$keys" ] || flunk "$(cat "$out") of $keys"
}
