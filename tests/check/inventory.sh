#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every tool has all its parts, and every part its tool: tools/NAME.cpp, man/NAME.1, tests/cli/NAME*.bats,
# completions for three shells; an operator also lib/ops/NAME*. Nothing else has a list of them.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

number=0 bad=0
part() { # NAME GLOB
    number=$((number + 1))
    if compgen -G "$2" >/dev/null; then
        echo "ok $number - $1 has $2"
    else
        echo "not ok $number - $1 has no $2"
        bad=1
    fi
}

tools=$(for file in tools/*.cpp; do file=${file##*/}; echo "${file%.cpp}"; done)
is_tool() { grep -qxF -- "$1" <<<"$tools"; }
orphan() { # FILE NAME
    is_tool "$2" && return
    number=$((number + 1))
    echo "not ok $number - $1 is of no tool: there is no tools/$2.cpp"
    bad=1
}

for tool in $tools; do
    part "$tool" "man/$tool.1"
    part "$tool" "tests/cli/$tool*.bats"
    part "$tool" "completions/bash/$tool"
    part "$tool" "completions/zsh/_$tool"
    part "$tool" "completions/fish/$tool.fish"
    part "$tool" "build/release/bin/$tool"
done
for file in man/*.1; do [ -e "$file" ] && name=${file##*/} && orphan "$file" "${name%.1}"; done
for file in completions/bash/*; do [ -e "$file" ] && orphan "$file" "${file##*/}"; done
for file in completions/zsh/_*; do [ -e "$file" ] && name=${file##*/_} && orphan "$file" "$name"; done
for file in completions/fish/*.fish; do [ -e "$file" ] && name=${file##*/} && orphan "$file" "${name%.fish}"; done
for file in tests/cli/stream-*.bats; do
    name=${file##*/}
    name=${name%.bats}
    # stream-window-late.bats belongs to stream-window.
    while [ "$name" != stream ] && ! is_tool "$name" && [[ $name == *-* ]]; do name=${name%-*}; done
    is_tool "$name" || orphan "$file" "$(basename "$file" .bats)"
done
for page in events.5 log.5 stream-expressions.7 streamutils.7; do part 'the manual' "man/$page"; done

# The README's table names the tools there are, and no other.
number=$((number + 1))
named=$(grep -oE '^\| `(stream[a-z-]*)`' README.md | grep -oE 'stream[a-z-]*' | sort -u)
if [ "$named" = "$(sort -u <<<"$tools")" ]; then
    echo "ok $number - README.md's table is the tools there are"
else
    echo "not ok $number - README.md's table is the tools there are"
    diff <(echo "$named") <(sort -u <<<"$tools") | sed 's/^/# /'
    bad=1
fi

echo "1..$number"
exit $bad
