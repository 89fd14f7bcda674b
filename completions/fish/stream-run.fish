# SPDX-License-Identifier: Apache-2.0
# Generated from the option table by tests/check/options.sh --update; do not edit.
complete -c stream-run -l command -s c -x -d 'the pipeline, run by bash -o pipefail'
complete -c stream-run -l every -x -d 'how often what is done is committed (default 1s)'
complete -c stream-run -l once -d 'what is there now, then stop; windows stay open for the next call. With status: one table'
complete -c stream-run -l drain -d 'as --once, and close everything: the run is finished then'
complete -c stream-run -l restart -x -d 'attempts without a commit before it gives up (default 5)'
complete -c stream-run -l output -r -F -d 'what the pipeline writes to stdout is appended to FILE'
complete -c stream-run -l sinks -x -d 'so many sinks, where a foreign command (tee) stands between the tools'
complete -c stream-run -l strict -d 'refuse what depends on when events arrive'
complete -c stream-run -l metrics -x -d 'serve Prometheus metrics over HTTP at ADDR: :9464 (this machine alone), HOST:PORT, unix:PATH'
complete -c stream-run -l json -d 'status: as NDJSON'
complete -c stream-run -l help -s h -d 'show help'
complete -c stream-run -l version -d 'show the version'
