#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Asks each shell, not a person: what does it make of `stream-window --la`, of a kind half typed, and of
# every tool's `--vers`?
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
export PATH=$PWD/build/release/bin:$PATH TERM=xterm

number=0 bad=0
verdict() { # NAME WANTED GOT
    number=$((number + 1))
    if [[ " ${3//$'\n'/ } " == *" $2 "* ]]; then
        echo "ok $number - $1"
    else
        echo "not ok $number - $1"
        echo "# wanted $2, got: ${3:-nothing}"
        bad=1
    fi
}
skip() {
    number=$((number + 1))
    echo "ok $number - $1 # SKIP $2"
}

# Each prints the candidates for the last word of LINE.
ask_bash() { # LINE
    bash --norc -c '
        if [ -r /usr/share/bash-completion/bash_completion ]; then . /usr/share/bash-completion/bash_completion; fi
        read -ra COMP_WORDS <<<"$1"
        . "completions/bash/${COMP_WORDS[0]}" || exit 1
        COMP_LINE=$1 COMP_POINT=${#1} COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_TYPE=9
        function=$(complete -p "${COMP_WORDS[0]}" | sed -E "s/.*-F ([^ ]+).*/\1/")
        "$function" "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        printf "%s\n" "${COMPREPLY[@]}"' - "$1" 2>&1
}
ask_fish() {
    HOME=$scratch XDG_CONFIG_HOME=$scratch XDG_DATA_HOME=$scratch \
        fish --no-config -c "source completions/fish/${1%% *}.fish; complete -C '$1'" 2>&1 </dev/null | cut -f 1
}
ask_zsh() {
    HOME=$scratch timeout 30 zsh -f tests/support/zsh_complete.zsh "$PWD/completions/zsh" "$1" 2>/dev/null </dev/null |
        awk '{ sub(/=$/, "", $NF); print $NF }' # zsh writes --option=, and takes the = back before a space
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

for shell in bash zsh fish; do
    if ! command -v $shell >/dev/null; then
        skip "$shell" "there is no $shell"
        continue
    fi
    if [ $shell = zsh ] && ! zsh -f -c 'zmodload zsh/zpty && zpty t true' 2>/dev/null; then
        skip zsh 'zsh gets no pseudo-terminal here'
        continue
    fi
    verdict "$shell: stream-window --la" --lateness "$(ask_$shell 'stream-window --laten')"
    verdict "$shell: stream-window tumb" tumbling "$(ask_$shell 'stream-window tumb')"
    verdict "$shell: stream-window hop" hopping "$(ask_$shell 'stream-window hop')"
    verdict "$shell: stream-window ses" session "$(ask_$shell 'stream-window ses')"
    verdict "$shell: stream-time repo" report "$(ask_$shell 'stream-time repo')"
    verdict "$shell: stream-gen or" orders "$(ask_$shell 'stream-gen or')"
    verdict "$shell: stream-cat --format comb" combined "$(ask_$shell 'stream-cat --format comb')"
    verdict "$shell: stream-window --bad sk" skip "$(ask_$shell 'stream-window --bad sk')"
    verdict "$shell: stream-window --bad READM" README.md "$(ask_$shell 'stream-window --bad READM')"
    for file in tools/*.cpp; do
        tool=${file##*/}
        tool=${tool%.cpp}
        verdict "$shell: $tool --vers" --version "$(ask_$shell "$tool --vers")"
    done
done
echo "1..$number"
exit $bad
