#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The man pages are well-formed, and what they, README.md and docs/guide.md show runs: every line that reads
# `$ COMMAND` (in a literal block; `\` at its end goes on in the next line) is run in a folder that holds the
# files named below, and must end with status 0. One that follows (-f, --follow) or never ends by itself
# (--rate without --events) is stopped after 2 seconds by SIGINT. A line `$ COMMAND  # status N` ends with N.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
root=$PWD
export PATH=$root/build/release/bin:$PATH

if ! command -v mandoc >/dev/null; then
    echo 'skipped: because there is no mandoc'
    exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# What an example may read.
sandbox() {
    mkdir "$scratch/sandbox" && cd "$scratch/sandbox" || exit 1
    stream-gen web --events 20000 --seed 1 >access.ndjson
    cp access.ndjson events.ndjson
    cp access.ndjson requests.ndjson
    stream-gen web --events 20000 --seed 1 --disorder 0.05 --duplicates 0.01 >disordered.ndjson
    stream-gen orders --events 5000 --seed 1 >orders.ndjson
    gzip -c access.ndjson >access.ndjson.gz
    zstd -q access.ndjson -o access.ndjson.zst
    head -n 10000 access.ndjson >yesterday.ndjson
    tail -n +10001 access.ndjson >today.ndjson
    cp yesterday.ndjson a.ndjson
    cp today.ndjson b.ndjson
    local i
    for i in 1 2 3 4 5 6 7 8 9; do
        echo "192.0.2.$i - - [17/May/2015:10:0$i:03 +0000] \"GET /a?x=$i HTTP/1.1\" 20$((i % 2)) 20$i \"-\" \"Mozilla/5.0\""
    done >access.log
    for i in 1 2 3 4 5 6 7 8 9; do echo "Mar 27 13:0$i:56 host sshd[129$i]: Failed password for root from 192.0.2.$i port 22 ssh2"; done >auth.log
    for i in 1 2 3 4 5 6 7 8 9; do echo "2024-05-01 09:1$i:02 install bats:all <none> 1.8.2-$i"; done >dpkg.log
    { echo timestamp,value; for i in 1 2 3 4 5 6 7 8 9; do echo "2024-05-01 09:1$i:02,$i.5"; done; } >sensor.csv
    cp sensor.csv sensors.csv
    for i in 1 2 3 4 5 6 7 8 9; do echo "3420000$i,181520$i,100,Q,1,0"; done >trades.csv
    for i in 1 2 3 4 5 6 7 8 9; do
        printf '{"device":"2024-01-01T10:00:0%dZ","sent":"2024-01-01T10:00:1%dZ","received":"2024-01-01T10:05:1%dZ","ts":"2024-01-01T10:05:1%dZ"}\n' $i $i $i $i
    done >device.ndjson
    for i in 1 2 3 4 5 6 7 8 9; do printf '{"time":"17/May/2015:10:05:0%d +0000","n":%d}\n' $i $i; done >clf.ndjson
}

# The commands of a page, one a line, as a reader sees them.
commands_of() {
    case $1 in
        *.md) sed 's/^/  /' "$1" ;;
        *) mandoc -T utf8 -O width=500 "$1" 2>/dev/null | perl -CSD -pe 's/.\x08//g' ;;
    esac | perl -CSD -ne '
        if ($open) { s/^\s+//; chomp; $open = s/\\$//; print $_, $open ? "" : "\n" }
        elsif (/^\s+\$ (.*)/) { $_ = $1; $open = s/\\$//; print $_, $open ? "" : "\n" }'
}

number=0 bad=0
verdict() { # STATUS NAME [LINES]
    number=$((number + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $number - $2"
    else
        echo "not ok $number - $2"
        [ -z "${3:-}" ] || sed 's/^/# /' <<<"$3"
        bad=1
    fi
}

run_example() { # COMMAND
    local limit=60 status wanted=0 endless=no
    if [[ $1 =~ \#\ status\ ([0-9]+)$ ]]; then wanted=${BASH_REMATCH[1]}; fi
    if [[ $1 =~ (^|[[:space:]])(-f|--follow|tail)([[:space:]]|$) ]] || { [[ $1 == *--rate* ]] && [[ $1 != *--events* ]]; }; then
        limit=2 endless=yes
    fi
    timeout -s INT -k 5 $limit bash -o pipefail -c "$1" >"$scratch/out" 2>"$scratch/err" </dev/null
    status=$?
    if [ $endless = yes ] && { [ $status -eq 124 ] || [ $status -eq 130 ]; }; then status=0; fi
    [ $status -eq "$wanted" ]
}

(sandbox) || exit 1
shopt -s nullglob
pages=("$root"/man/*.[157])
[ ${#pages[@]} -gt 0 ] || verdict 1 'there are man pages'
for page in "$root/README.md" "$root/docs/guide.md" "${pages[@]}"; do
    name=${page##*/}
    complaints=
    [[ $name = *.md ]] || complaints=$(mandoc -T lint -W warning "$page" 2>&1 | grep -vE 'STYLE|referenced manual not found|unknown library' | head -n 10)
    [[ $name = *.md ]] ||
        verdict "$([ -z "$complaints" ] && echo 0 || echo 1)" "$name: mandoc has no complaint" "$complaints"
    commands_of "$page" >"$scratch/commands"
    if [ ! -s "$scratch/commands" ]; then
        case $name in *.1) verdict 1 "$name: has examples that run (lines that begin with \$ )" ;; esac
        continue
    fi
    cd "$scratch/sandbox" || exit 1
    while IFS= read -r command; do
        if run_example "$command"; then
            verdict 0 "$name: $command"
        else
            verdict 1 "$name: $command" "$(head -n 5 "$scratch/err")"
        fi
    done <"$scratch/commands"
done
echo "1..$number"
exit $bad
