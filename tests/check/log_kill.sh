#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# stream-log killed on entering its state-changing system calls: 200 of them here, with --long all of them and
# at least 2,000, recovery itself among them.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
exec python3 "$root/tests/fault/log_kill.py"
