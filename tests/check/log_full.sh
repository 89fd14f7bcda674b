#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# stream-log on disks that are full or fail: each write, sync, close and truncation in turn, a full tmpfs, a limit
# on the size of files. A sample here, all of them with --long.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
exec python3 "$root/tests/fault/log_full.py"
