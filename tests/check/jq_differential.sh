#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Expressions against the jq binary (jq_differential.py; with --long, twenty times as many programs), then
# jq's own test suite where JQ_SUITE names a copy of it (jq_suite.py).
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python3 "$here/jq_differential.py"
status=$?
[ "$status" -eq 77 ] && exit 77
if [ -n "${JQ_SUITE:-}" ]; then
    python3 "$here/jq_suite.py" "$JQ_SUITE" || status=1
else
    echo "ok 1000 - jq's own test suite # SKIP JQ_SUITE names no copy of it"
fi
exit "$status"
