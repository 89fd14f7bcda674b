#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# stream-join against nested loops (join_property.py; with --long, twenty times as many inputs).
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PATH=${STREAM_BIN:-$here/../../build/release/bin}:$PATH
exec python3 "$here/join_property.py"
