#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# options.sh [--update]: the option tables of the tools, their --help, man pages and completion files say
# the same. --update writes the completion files anew.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
PATH=$PWD/build/release/bin:$PATH
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

tools=$(for file in tools/*.cpp; do file=${file##*/}; echo "${file%.cpp}"; done)
place_of() { # SHELL TOOL
    case $1 in
        bash) echo "completions/bash/$2" ;;
        zsh) echo "completions/zsh/_$2" ;;
        fish) echo "completions/fish/$2.fish" ;;
    esac
}

if [ "${1:-}" = --update ]; then
    for tool in $tools; do
        for shell in bash zsh fish; do
            file=$(place_of $shell "$tool")
            mkdir -p "${file%/*}"
            python3 tests/support/completions.py $shell "$tool" >"$scratch/new" || exit 1
            cp "$scratch/new" "$file"
        done
    done
    exit 0
fi

number=0 bad=0
verdict() { # NAME LINES: passed if there are no lines
    number=$((number + 1))
    if [ -z "$2" ]; then
        echo "ok $number - $1"
    else
        echo "not ok $number - $1"
        # shellcheck disable=SC2001
        sed 's/^/# /' <<<"$2"
        bad=1
    fi
}

only_in() { # FIRST SECOND WHERE: the lines of FIRST that SECOND lacks
    comm -23 "$1" "$2" | sed "s|\$| is not in $3|"
}

for tool in $tools; do
    if ! "$tool" --dump-options </dev/null >"$scratch/dump" 2>&1; then
        verdict "$tool --dump-options" "$(head -n 3 "$scratch/dump")"
        continue
    fi
    jq -r 'select(.name) | .name, (.short | select(. != ""))' "$scratch/dump" | sort -u >"$scratch/table"
    "$tool" --help </dev/null | grep -oE '^ +(-[a-zA-Z], )?--[a-z0-9-]+' | grep -oE -e '--?[a-zA-Z0-9][a-z0-9-]*' | sort -u >"$scratch/help"
    verdict "$tool: --help lists the table" \
        "$(only_in "$scratch/table" "$scratch/help" --help; only_in "$scratch/help" "$scratch/table" 'the table')"

    verdict "$tool: every option has a help text, of one line, without a full stop" \
        "$(jq -r 'select(.name and ((.help | length) == 0 or (.help | test("\n|\\.$")))) | .name' "$scratch/dump")"

    page=man/$tool.1
    if [ -e "$page" ]; then
        # mdoc: `.It Fl Fl lateness Ns = Ns Ar DUR`, `.Fl f`; in the list of options, `.It` lines only.
        sed -nE 's/^\.It //p' "$page" | grep -oE 'Fl (Fl |\\?-)?[a-zA-Z0-9][a-zA-Z0-9-]*' |
            sed -E 's/^Fl (Fl |\\?-)/--/; s/^Fl /-/' | sort -u >"$scratch/man"
        verdict "$tool: its man page lists the table" \
            "$(only_in "$scratch/table" "$scratch/man" "$page"; only_in "$scratch/man" "$scratch/table" 'the table')"
    else
        verdict "$tool: its man page lists the table" "there is no $page"
    fi

    for shell in bash zsh fish; do
        file=$(place_of $shell "$tool")
        if [ ! -e "$file" ]; then
            verdict "$tool: completion for $shell is of this table" "there is no $file (tests/check/options.sh --update)"
            continue
        fi
        python3 tests/support/completions.py $shell "$tool" >"$scratch/new"
        verdict "$tool: completion for $shell is of this table" \
            "$(diff "$file" "$scratch/new" >"$scratch/diff" || { echo 'it differs (tests/check/options.sh --update):'; head -n 20 "$scratch/diff"; })"
    done
done
echo "1..$number"
exit $bad
