#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The power of an ext4 file system cut under stream-log: 20 times here, 1,000 with --long. By root only.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
exec python3 "$root/tests/fault/log_power.py"
