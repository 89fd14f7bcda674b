#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""peak_memory.py FILE COMMAND ARG…: runs it; its peak resident size in KiB goes to FILE, its status is ours."""
import os
import sys

pid = os.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], "w") as report:
    report.write(f"{usage.ru_maxrss}\n")
code = os.waitstatus_to_exitcode(status)
sys.exit(code if code >= 0 else 128 - code)
