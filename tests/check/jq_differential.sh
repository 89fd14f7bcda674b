#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Expressions against the jq binary (jq_differential.py), and jq's own test suite where there is a copy of it
# (jq_suite.py, $JQ_SUITE). With --long, twenty times as many programs.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
status=0
python3 "$here/jq_differential.py" || status=$?
if [ -n "${JQ_SUITE:-}" ]; then
    python3 "$here/jq_suite.py" "$JQ_SUITE" || status=$?
fi
exit "$status"
