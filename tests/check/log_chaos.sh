#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Writers and group readers of one log killed at random: 20 s here, 10 minutes with --long.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
exec python3 "$root/tests/fault/log_chaos.py"
