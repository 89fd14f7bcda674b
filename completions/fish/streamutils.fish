# SPDX-License-Identifier: Apache-2.0
# Generated from the option table by tests/check/options.sh --update; do not edit.
complete -c streamutils -f
complete -c streamutils -l help -s h -d 'show help'
complete -c streamutils -l version -d 'show the version'
complete -c streamutils -a 'stream-cat stream-dedupe stream-filter stream-gen stream-join stream-log stream-map stream-run stream-table stream-through stream-time stream-window'
