#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Pipelines under stream-run killed at random, their sinks compared with an undisturbed run's: 300 kills here, 10,000
# with --long.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
exec python3 "$root/tests/fault/run_chaos.py"
