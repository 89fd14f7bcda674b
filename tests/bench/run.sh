#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh [--write] [OPTION…]: the benchmark, all of it (options: run.sh --help).
#
# Builds what it needs beside the tools, makes the file of web events in $TMPDIR, and hands over to
# compare.py, which runs our tools, the bare loops and the peers in turn, checks that they agree, and
# prints the tables. Nothing here passes or fails by the clock.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${TMPDIR:-/tmp}/streamutils-bench-$(id -u)
"$here/build.sh" "$folder"
exec python3 "$here/compare.py" --folder "$folder" "$@"
