# SPDX-License-Identifier: Apache-2.0
# zsh_complete.zsh FOLDER LINE: what LINE becomes when Tab is pressed at its end, with FOLDER's
# completion functions. Needs a pseudo-terminal (zpty).
zmodload zsh/zpty || exit 77
local answer=$(mktemp)
local ready=$answer.ready
zpty inner zsh -f -i || exit 77
zpty -w inner "fpath=(${(q)1} \$fpath); autoload -Uz compinit; compinit -u -D -d $answer.dump
_tell() { zle complete-word; print -r -- \"\$BUFFER\" >$answer; BUFFER=; touch $answer.done }
zle -N _tell; bindkey '^T' _tell; setopt no_list_beep no_beep; unsetopt list_ambiguous; touch $ready"
local i
for ((i = 0; i < 200; i++)); do [[ -e $ready ]] && break; sleep 0.05; done
sleep 0.2
zpty -n -w inner "$2"$'\x14'
for ((i = 0; i < 200; i++)); do [[ -e $answer.done ]] && break; sleep 0.05; done
cat $answer
zpty -d inner
rm -f $answer $answer.*
