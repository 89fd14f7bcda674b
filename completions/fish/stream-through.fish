# SPDX-License-Identifier: Apache-2.0
# Generated from the option table by tests/check/options.sh --update; do not edit.
complete -c stream-through -l ok-status -x -d 'exit statuses of COMMAND that are no failure (default 0)'
complete -c stream-through -l time -x -d 'write watermarks, from this field of what COMMAND writes (default: none)'
complete -c stream-through -l lateness -x -d 'with --time: how far they may be out of order (default 0s)'
complete -c stream-through -l watermark-every -x -d 'with --time: how often a watermark is written, in event time (default 1s)'
complete -c stream-through -l control -x -d 'read and write control lines that end in KEY (stream-run does so by itself)'
complete -c stream-through -l help -s h -d 'show help'
complete -c stream-through -l version -d 'show the version'
