#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A run in which one call that changes the file system goes wrong, at each call of each sink and of stream-run itself:
# 60 of them here, all with --long.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
exec python3 "$root/tests/fault/run_syscalls.py"
