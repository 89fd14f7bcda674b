# SPDX-License-Identifier: Apache-2.0
"""What log_kill.py does to a log while it is killed, and what must hold afterwards.

A scenario has
  start()       makes the log that it begins with
  act(wrap)     the verb, run under `wrap`; its status. Run again it goes on: nothing else is ever needed
  after_kill()  what must hold before anything is restarted
  finish()      act() to its end, and what must hold then
  remember(), recall()   what it has been told so far (acknowledgements), kept with a copy of the log
"""

import copy
import os
import random

from log_bytes import digest
from log_support import need, read_lines, read_positions, run, verify


class Scenario:
    name = ""
    follow = True        # strace follows children
    every_call = False   # also those that change nothing

    def __init__(self, folder, seed):
        self.folder = folder
        self.log = os.path.join(folder, "log")
        self.seed = seed
        self.chance = random.Random(f"{self.name} {seed}")
        self.known = {}
        self.message = ""

    def remember(self):
        return copy.deepcopy(self.known)

    def recall(self, known):
        self.known = copy.deepcopy(known)

    def verb(self, wrap, *arguments, data=b""):
        status, self.out, self.message = run(list(arguments), data, wrap=wrap)
        return status

    def looked_at(self):
        """Verified and read, neither of which may change a byte (P8)."""
        before = digest(self.log)
        verify(self.log)
        lines = read_lines(self.log)
        positions = read_positions(self.log)
        need(digest(self.log) == before, "reading or verifying changed the log")
        need(len(positions) == len(lines), f"{len(lines)} records, but {len(positions)} in envelopes")
        return lines, positions

    def finish(self):
        status = self.act(())
        need(status == 0, f"restarted: status {status}: {self.message.strip()}")
        self.at_end()


def in_order(positions, dense=True):
    """Offsets of each partition grow, without a hole where nothing is ever removed. How many there are of each."""
    ends = {}
    for partition, offset, _ in positions:
        if dense:
            need(offset == ends.get(partition, 0), f"partition {partition}: offset {offset} after {ends.get(partition, 0) - 1}")
        else:
            need(offset >= ends.get(partition, 0), f"partition {partition}: offset {offset} after {ends.get(partition, 0) - 1}")
        ends[partition] = offset + 1
    return ends
