#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# retain, compact, archive, excise, verify, repair: what is gone, what is still there, what was said.

load ../support/helpers
load ../support/log

setup() { log_setup; }
teardown() { log_teardown; }

pad=',"pad":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"'

# Ten batches of a thousand events of some 55 bytes, each with this event time: segments of two or three batches.
ten_thousand() { # TS ARG…
    local n ts=$1
    shift
    [ -d log ] || stream-log create log --segment 128KiB --codec none "$@"
    for n in 0 1 2 3 4 5 6 7 8 9; do append "$(numbered $((n * 1000 + 1)) $((n * 1000 + 1000)) ",\"ts\":\"$ts\"")" log; done
}
ago() { date -u -d "$1 ago" +%FT%TZ; }

info() { stream-log info log | jq -c "$1"; }
segments() { find log/segments -name '*.seg' | wc -l; }
# A sealed segment, the first one.
sealed_segment() { find log/segments -name '*.seg' | sort | head -n 1; }

one_line() { [ "$(wc -l <"$out")" -eq 1 ] || flunk "$(cat "$out")"; }

# Nowhere in these folders, not even compressed.
nowhere() { # TEXT DIR…
    local text=$1 file
    shift
    ! grep -rqF -e "$text" "$@" || flunk "still there: $(grep -rlF -e "$text" "$@")"
}

# --- retain ---

@test "retain: segments whose events are all older go, whole ones, never the active one" {
    ten_thousand "$(ago '3 hours')" --retain 1d
    run_tool stream-log retain log
    is_status 0
    out_is <<<'{"segments":0,"records":0,"bytes":0}'
    rm -rf log
    ten_thousand "$(ago '3 days')" --retain 1d
    # Much of it went when segments were full.
    local first
    first=$(info .first)
    [ "$first" -gt 0 ] && [ "$first" -lt 10000 ] || flunk "first offset $first"
    [ "$(segments)" -le 2 ]
    append "$(numbered 10001 14000 ",\"ts\":\"$(ago '1 minute')\"")" log
    run_tool stream-log retain log
    is_status 0
    one_line
    [ "$(segments)" -eq "$(info '.segments | length')" ]
    run_tool stream-log read log --from -1
    [ "$(jq .n "$out")" -eq 14000 ]
}

@test "retain: the same as when a segment is full" {
    stream-log create log --segment 128KiB --codec none --retain 2s
    ten_thousand "$(date -u +%FT%TZ)"
    local before
    before=$(segments)
    [ "$before" -gt 2 ]
    sleep 2.5
    run_tool stream-log retain log
    is_status 0
    one_line
    [ "$(jq .segments "$out")" -eq $((before - 1)) ]
    [ "$(jq .records "$out")" -eq "$(info .first)" ]
    [ "$(segments)" -eq 1 ]
    run_tool stream-log retain log
    out_is <<<'{"segments":0,"records":0,"bytes":0}'
}

@test "retain: an event dated 2099 keeps nothing" {
    stream-log create log --segment 128KiB --codec none --retain 2s
    append '{"n":0,"ts":"2099-01-01T00:00:00Z"}' log
    ten_thousand "$(date -u +%FT%TZ)"
    sleep 2.5
    run_tool stream-log retain log
    is_status 0
    [ "$(info .first)" -gt 1000 ]
}

@test "retain: lines without event times, by when they were appended" {
    stream-log create log --segment 64KiB --codec none --retain 2s
    local n
    for n in 1 2 3; do seq -f 'line %g of some length, so that segments fill up with it' 1 1500 | stream-log append log --raw; done
    sleep 2.5
    run_tool stream-log retain log
    is_status 0
    [ "$(jq .segments "$out")" -ge 1 ]
}

@test "--max-bytes: a ring of whole segments" {
    stream-log create log --max-bytes 512KiB --codec none
    local n
    for n in 0 1 2; do ten_thousand "$(date -u +%FT%TZ)"; done
    [ "$(du -sb log/segments | cut -f 1)" -lt 700000 ]
    [ "$(info .next)" -eq 30000 ]
    [ "$(info '.records == .next - .first')" = true ]
    [ "$(stream-log read log | wc -l)" -eq "$(info .records)" ]
}

@test "retain: a log that keeps everything" {
    ten_thousand "$(ago '3 years')"
    run_tool stream-log retain log
    is_status 0
    out_is <<<'{"segments":0,"records":0,"bytes":0}'
    [ "$(info .first)" -eq 0 ]
}

# --- compact ---

# Users 0 to 99, each a hundred times over; the last ones in a segment of their own that is not full.
versions() { # ARG…
    stream-log create log --by u --segment 64KiB --codec none --compact "$@"
    local v u
    for v in $(seq 1 40); do
        for ((u = 0; u < 100; u++)); do printf '{"u":%d,"v":%d%s}\n' $u "$v" "$pad"; done | stream-log append log
    done
}

@test "compact: the newest of each key, in order, offsets as they were" {
    versions
    stream-log read log --envelope | jq -c '[.offset,.u,.v,.append_time]' >before
    run_tool stream-log compact log
    is_status 0
    one_line
    [ "$(jq '.records > 3000 and .bytes_after < .bytes_before and .tombstones == 0' "$out")" = true ] || flunk "$(cat "$out")"
    stream-log read log --envelope | jq -c '[.offset,.u,.v,.append_time]' >after
    # All of it was there before, in this order, and the newest of each user is there still.
    comm -13 <(sort before) <(sort after) >new
    [ ! -s new ]
    sort -n -t '[' -k 2 -c after
    [ "$(jq -s -c 'group_by(.[1]) | map(map(.[2]) | max) | unique' after)" = '[40]' ]
    # In what is sealed there is one of each at most.
    local base
    base=$(info '.segments[-1].base')
    [ "$(jq -s "map(select(.[0] < $base)) | group_by(.[1]) | map(length) | max // 1" after)" -eq 1 ]
    [ "$(info .next)" -eq 4000 ]
    run_tool stream-log compact log
    is_status 0
    [ "$(jq .records "$out")" -eq 0 ]
}

@test "compact: reading from an offset that is gone goes on at the next one, and says nothing" {
    versions
    stream-log compact log >/dev/null
    run_tool stream-log read log --from 1
    is_status 0
    err_empty
    run_tool stream-log read log --from 1 --to 4000
    is_status 0
    err_empty
    [ "$(jq -s 'map(.v) | max' "$out")" -eq 40 ]
}

@test "compact: tombstones go when they are old enough, and what they delete goes with them" {
    versions --deleted '.gone'
    for u in 3 5; do echo "{\"u\":$u,\"gone\":true}"; done | stream-log append log
    # Enough to fill the segment that has them, wherever the batches before ended.
    for ((v = 41; v < 61; v++)); do for ((u = 10; u < 100; u++)); do printf '{"u":%d,"v":%d%s}\n' $u $v "$pad"; done; done | stream-log append log
    append '{"u":99,"v":61}' log
    run_tool stream-log compact log
    is_status 0
    [ "$(jq .tombstones "$out")" -eq 0 ]
    [ "$(stream-log read log | jq -s -c 'map(select(.u == 3 or .u == 5))')" = '[{"u":3,"gone":true},{"u":5,"gone":true}]' ]
    run_tool stream-log compact log --tombstones 0s
    is_status 0
    [ "$(jq .tombstones "$out")" -eq 2 ] || flunk "$(cat "$out")" "$(info .segments)" "$(stream-log read log --envelope | grep gone)"
    [ "$(stream-log read log | jq -s -c 'map(select(.u == 3 or .u == 5))')" = '[]' ]
    [ "$(stream-log read log | jq -s -c 'map(.u) | unique | length')" -eq 98 ]
}

@test "compact: events without the key stay" {
    stream-log create log --by u --segment 64KiB --codec none --compact
    local n
    for n in 1 2 3 4; do
        { echo '{"x":1}'; echo '{"u":null}'; for ((u = 0; u < 1500; u++)); do printf '{"u":1,"v":%d%s}\n' $u "$pad"; done; } | stream-log append log
    done
    stream-log compact log >/dev/null
    [ "$(stream-log read log | grep -c '"x":1')" -eq 4 ]
    [ "$(stream-log read log | grep -c '"u":null')" -eq 4 ]
}

@test "compact: a group in the middle misses nothing of what is newest" {
    versions
    stream-log seek log 2050 --group g
    stream-log compact log >/dev/null
    run_tool stream-log read log --group g
    is_status 0
    err_empty
    [ "$(jq -s -c 'group_by(.u) | map(map(.v) | max) | unique | . == [40]' "$out")" = true ]
}

@test "compact: keys that need more than --memory" {
    stream-log create log --by n --segment 64KiB --codec none --compact
    local i
    for i in 1 2 3; do numbered 1 100000 | stream-log append log; done
    run_tool stream-log compact log --memory 1MiB
    is_status 7
    err_is <<'E'
stream-log: log: compaction needs more than the 1MiB of --memory for its keys
hint: --memory 2MiB
E
    out_empty
    [ "$(stream-log read log | wc -l)" -eq 300000 ]
    run_tool stream-log compact log --memory 16MiB
    is_status 0
}

@test "compact: a log without a key" {
    append '{"n":1}' log
    refused 2 stream-log compact log <<'E'
stream-log: "log" has no key, so none of its events replaces another
hint: stream-log create DIR --by FIELD --compact says what the key is
E
}

# --- archive ---

@test "archive: segments move, and reading goes on as before" {
    ten_thousand "$(ago '1 hour')"
    stream-log read log >before
    local sealed
    sealed=$(($(segments) - 1))
    run_tool stream-log archive log cold
    is_status 0
    one_line
    [ "$(jq .segments "$out")" -eq "$sealed" ]
    [ "$(segments)" -eq 1 ]
    [ "$(find cold -name '*.seg' | wc -l)" -eq "$sealed" ]
    log_has <before
    [ "$(info '[.segments[] | .archived] | unique')" = '[false,true]' ]
    [ "$(stream-log read log --from 500 --to 502 | jq -s -c 'map(.n)')" = '[501,502]' ]
    run_tool stream-log archive log cold
    out_is <<<'{"segments":0,"records":0,"bytes":0}'
    # From somewhere else, by another name for the log.
    mkdir sub
    (cd sub && stream-log read ../log) >"$out"
    cp before "$wanted"
    same_bytes 'from elsewhere' "$out"
}

@test "archive: retention neither counts nor removes what lies there" {
    ten_thousand "$(date -u +%FT%TZ)" --retain 1s
    stream-log archive log cold >/dev/null
    local there
    there=$(find cold -name '*.seg' | wc -l)
    sleep 1.5
    run_tool stream-log retain log
    is_status 0
    out_is <<<'{"segments":0,"records":0,"bytes":0}'
    [ "$(find cold -name '*.seg' | wc -l)" -eq "$there" ]
    [ "$(stream-log read log | wc -l)" -eq "$(info .records)" ]
}

@test "archive: into the log, into another log, into another log's archive" {
    ten_thousand "$(ago '1 hour')"
    local here=$PWD
    refused 2 stream-log archive log log/cold <<<"stream-log: the archive \"$here/log/cold\" is inside the log"
    stream-log create other
    refused 2 stream-log archive log other <<<"stream-log: the archive \"$here/other\" is a log"
    stream-log archive log cold >/dev/null
    append '{"n":1}' other
    refused 2 stream-log archive other cold <<E
stream-log: "$here/cold" is the archive of another log
hint: take a folder of its own for each log
E
}

@test "archive: not there when it is read" {
    ten_thousand "$(ago '1 hour')"
    stream-log archive log cold >/dev/null
    mv cold elsewhere
    run_tool stream-log read log
    [ "$status" -eq 4 ] || [ "$status" -eq 5 ]
    err_has cold
    err_well_formed stream-log
    run_tool stream-log read log --from -1
    is_status 0
    mv elsewhere cold
    run_tool stream-log read log
    is_status 0
    [ "$(wc -l <"$out")" -eq 10000 ]
}

@test "archive: a copy of the log leaves alone what the other one has archived since" {
    ten_thousand "$(ago '1 hour')"
    stream-log archive log cold >/dev/null
    cp -a log copy
    ten_thousand "$(ago '1 hour')"
    stream-log archive log cold >/dev/null
    stream-log read log >before
    numbered 1 5000 "$pad" | stream-log append copy
    stream-log retain copy >/dev/null
    log_has <before
    stream-log archive copy cold-of-copy >/dev/null
    log_has <before
    [ "$(stream-log read copy | wc -l)" -eq 15000 ]
}

@test "archive: a copy of the log does not write over what the other one has archived since" {
    ten_thousand "$(ago '1 hour')"
    stream-log archive log cold >/dev/null
    cp -a log copy
    ten_thousand "$(ago '1 hour')"
    stream-log archive log cold >/dev/null
    stream-log read log >before
    # The segment that was active when it was copied goes on differently here, under the same name.
    numbered 1 5000 "$pad" | stream-log append copy
    run_tool stream-log archive copy cold
    [ "$status" -ne 0 ]
    err_well_formed stream-log
    log_has <before
    [ "$(stream-log read copy | wc -l)" -eq 15000 ]
}

# --- excise ---

# u17's secret is in sealed segments, the active one, the archive, and a quarantine.
secrets() { # ARG…
    stream-log create log --segment 128KiB --codec none "$@"
    local n
    for n in 1 2 3 4; do
        { numbered 1 2000 "$pad"; echo '{"user":"u17","word":"rumpelstiltskin"}'; numbered 1 5; } | stream-log append log
    done
    stream-log archive log cold >/dev/null
    for n in 1 2 3 4; do
        { numbered 1 2000 "$pad"; echo '{"user":"u17","word":"rumpelstiltskin"}'; numbered 1 5; } | stream-log append log
    done
}

@test "excise: --dry-run counts and changes nothing" {
    secrets
    find log cold -type f -exec cksum {} + | sort >before
    run_tool stream-log excise log --where '.user == "u17"' --dry-run
    is_status 0
    err_empty
    one_line
    [ "$(jq -c '[.records,.undecided,.runs,.dry_run]' "$out")" = '[8,0,[],true]' ]
    find log cold -type f -exec cksum {} + | sort >after
    cmp before after
}

@test "excise: gone from every file; the rest stays, with its offsets" {
    secrets
    mkdir -p log/quarantine
    echo rumpelstiltskin >log/quarantine/old
    stream-log read log --envelope | grep -v rumpelstiltskin >before
    run_tool stream-log excise log --where '.user == "u17"'
    is_status 0
    err_empty
    one_line
    [ "$(jq -c '[.records,.undecided,.runs,.dry_run]' "$out")" = '[8,0,[],false]' ]
    nowhere rumpelstiltskin log cold
    [ -z "$(find log/quarantine log/keys -type f 2>/dev/null)" ]
    stream-log read log --envelope >after
    cmp before after
    # How many and when, not what.
    grep -aq '"entry":"excise","records":8' log/manifest
    nowhere u17 log cold
    run_tool stream-log read log --from 2000 --to 2001
    is_status 0
    err_empty
    out_empty
    append '{"n":1}' log
    run_tool stream-log verify log
    is_status 0
    run_tool stream-log excise log --where '.user == "u17"'
    is_status 0
    [ "$(jq .records "$out")" -eq 0 ]
}

@test "excise: compressed segments" {
    stream-log create log
    local n
    for n in 1 2 3; do { numbered 1 500; echo '{"user":"u17"}'; } | stream-log append log; done
    run_tool stream-log excise log --where '.user == "u17"'
    is_status 0
    [ "$(jq .records "$out")" -eq 3 ]
    [ "$(stream-log read log | wc -l)" -eq 1500 ]
    [ "$(stream-log read log | grep -c u17 || true)" -eq 0 ]
    local file
    for file in log/segments/*.seg; do ! zstd -dcfq "$file" 2>/dev/null | grep -q u17; done
}

@test "excise: the value from outside, several partitions" {
    awk 'BEGIN { for (n = 0; n < 900; n++) printf "{\"user\":\"u%d\"}\n", n % 30 }' | stream-log append log --partitions 3 --by user
    run_tool stream-log excise log --arg who=u17 --where '.user == $who'
    is_status 0
    [ "$(jq .records "$out")" -eq 30 ]
    [ "$(stream-log read log | grep -c '"u17"' || true)" -eq 0 ]
    [ "$(stream-log read log | wc -l)" -eq 870 ]
}

@test "excise: what cannot be decided is kept, counted and told, with status 3" {
    printf '%s\n' '{"n":1}' 'no event' '{"n":"x"}' '{"n":2}' | stream-log append log --raw
    run_tool stream-log excise log --where '.n + 1 == 2'
    is_status 3
    [ "$(jq -c '[.records,.undecided]' "$out")" = '[1,2]' ]
    err_has 'stream-log: 2 records could not be decided and are kept; the first: '
    err_well_formed stream-log
    run_tool stream-log read log
    printf '%s\n' 'no event' '{"n":"x"}' '{"n":2}' | out_is
}

@test "excise: a repeat that was dropped for its key stays dropped only while its event is there" {
    append '{"id":1}' log --idempotency-key id
    stream-log excise log --where '.id == 1' >/dev/null
    append '{"id":1}' log --idempotency-key id
    log_has <<<'{"id":1}'
}

@test "excise: the runs that may still hold what was removed are named" {
    append '{"n":1}' log
    stream-log seek log end --group run:totals
    stream-log seek log end --group other
    run_tool stream-log excise log --where '.n == 1'
    is_status 0
    [ "$(jq -c .runs "$out")" = '["run:totals"]' ]
}

@test "excise: a reader that follows goes on" {
    append "$(numbered 1 10)" log
    in_background follow stream-log read log --follow
    until_lines follow.out 10
    stream-log excise log --where '.n == 3' >/dev/null
    append '{"n":11}' log
    until_lines follow.out 11
    kill -TERM "$follow_pid"
    ended "$follow_pid"
    numbered 1 11 >"$wanted"
    same_bytes followed follow.out
    [ ! -s follow.err ]
}

# --- verify and repair ---

@test "verify: a sound log" {
    secrets
    run_tool stream-log verify log
    is_status 0
    err_empty
    one_line
    [ "$(jq -c '[.records,.damaged]' "$out")" = '[16048,0]' ]
    stream-log create empty
    run_tool stream-log verify empty
    is_status 0
    out_is <<<'{"segments":0,"frames":0,"records":0,"bytes":0,"damaged":0}'
}

@test "verify: a log with a single writer, consumed, with keys, archived: nothing to remark" {
    stream-log create log --single-writer --segment 64KiB --codec none
    local n
    for n in 0 1 2; do numbered $((n * 2000)) $((n * 2000 + 1999)) "$pad" | stream-log append log --idempotency-key n; done
    stream-log consume log --group g -- cat >/dev/null
    stream-log read log --group h --envelope | stream-log commit log --group h
    stream-log archive log cold >/dev/null
    run_tool stream-log verify log
    is_status 0
    err_empty
    one_line
}

@test "verify: damage in a sealed segment, the active one, the manifest, a group" {
    ten_thousand "$(ago '1 hour')"
    stream-log seek log 5 --group g
    stream-log seek log 6 --group g
    cp -a log sound
    local file
    for file in "$(sealed_segment)" "$(active_segment log)"; do
        rm -rf log
        cp -a sound log
        damage "$file" 3000
        run_tool stream-log verify log
        is_status 5
        [ "$(wc -l <"$out")" -ge 2 ]
        [ "$(head -n 1 "$out" | jq -c '[.file,.damage,.partition,.from < 3001 and .to > 3000,.last_offset - .first_offset]')" = "[\"${file#log/}\",true,0,true,999]" ] ||
            flunk "$(cat "$out")"
        [ "$(tail -n 1 "$out" | jq .damaged)" -ge 1 ]
    done
    for file in log/manifest log/groups/g; do
        rm -rf log
        cp -a sound log
        damage "$file" 170
        run_tool stream-log verify log
        is_status 5
        [ "$(head -n 1 "$out" | jq -c '[.file,.damage]')" = "[\"${file#log/}\",true]" ] || flunk "$(cat "$out")"
    done
}

@test "verify: what a killed writer left is told, and is no damage" {
    append '{"n":1}' log
    printf 'half a fra' >>"$(active_segment log)"
    run_tool stream-log verify log
    is_status 0
    [ "$(head -n 1 "$out" | jq -c .damage)" = false ]
    [ "$(head -n 1 "$out" | jq -r .problem | cut -c 1-11)" = 'a torn tail' ]
    [ "$(tail -n 1 "$out" | jq .damaged)" -eq 0 ]
}

@test "verify: a segment that is not there, or too short" {
    ten_thousand "$(ago '1 hour')"
    local file
    file=$(sealed_segment)
    cp "$file" kept
    truncate -s 5000 "$file"
    run_tool stream-log verify log
    is_status 5
    rm "$file"
    run_tool stream-log verify log
    is_status 5
    [ "$(head -n 1 "$out" | jq -r .file)" = "${file#log/}" ]
    run_tool stream-log read log
    is_status 5
    cp kept "$file"
    run_tool stream-log verify log
    is_status 0
}

@test "verify: a segment of another log" {
    ten_thousand "$(ago '1 hour')"
    mv log one
    ten_thousand "$(ago '1 hour')"
    cp "$(find one/segments -name '*.seg' | sort | head -n 1)" "$(sealed_segment)"
    run_tool stream-log verify log
    is_status 5
    run_tool stream-log read log
    is_status 5
    out_empty
}

@test "repair: a damaged log is read and appended to again; a copy is kept" {
    ten_thousand "$(ago '1 hour')"
    cp -a log sound
    local file
    for file in "$(sealed_segment)" "$(active_segment log)"; do
        rm -rf log
        cp -a sound log
        damage "$file" 3000
        cp "$file" broken
        run_tool stream-log read log
        is_status 5
        run_tool stream-log repair log
        is_status 0
        err_empty
        [ "$(tail -n 1 "$out" | jq -c .records_lost)" -eq 1000 ] || flunk "$(cat "$out")"
        run_tool stream-log read log --envelope
        is_status 0
        err_empty
        [ "$(jq -s -c 'length == 9000 and (map(.offset + 1 == .n) | all)' "$out")" = true ]
        local copy found=no
        for copy in $(find log/quarantine -type f); do cmp -s "$copy" broken && found=yes; done
        [ $found = yes ] || flunk 'no copy of the damaged file in quarantine/'
        append '{"n":10001}' log
        [ "$(stream-log read log --from -1 --envelope | jq -c '[.n,.offset]')" = '[10001,10000]' ]
        run_tool stream-log verify log
        is_status 0
    done
}

@test "repair: a damaged group file" {
    append "$(numbered 1 10)" log
    stream-log seek log 5 --group g
    stream-log seek log 6 --group g
    damage log/groups/g 170
    run_tool stream-log groups log
    is_status 5
    run_tool stream-log repair log
    is_status 0
    run_tool stream-log groups log
    is_status 0
    run_tool stream-log verify log
    is_status 0
}

@test "repair: a sound log is left as it is" {
    ten_thousand "$(ago '1 hour')"
    find log -type f -name '*.seg' -exec cksum {} + | sort >before
    run_tool stream-log repair log
    is_status 0
    out_is <<<'{"segments":0,"bytes_removed":0,"records_lost":0}'
    find log -type f -name '*.seg' -exec cksum {} + | sort >after
    cmp before after
}

@test "one upkeep at a time" {
    command -v flock >/dev/null || skip 'there is no flock(1)'
    ten_thousand "$(ago '1 hour')"
    exec 8>log/UPKEEP
    flock 8
    local verb
    for verb in 'retain log' 'archive log cold' "excise log --where .n==1" 'repair log'; do
        # shellcheck disable=SC2086
        run_tool stream-log $verb
        is_status 6
        err_well_formed stream-log
    done
    # It keeps nobody from reading, appending, verifying.
    append '{"n":0}' log
    run_tool stream-log verify log
    is_status 0
    exec 8>&-
    run_tool stream-log retain log
    is_status 0
}
