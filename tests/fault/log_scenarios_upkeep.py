# SPDX-License-Identifier: Apache-2.0
"""log_kill.py: what is done to a whole log."""

import os
import random
import shutil
import time

from log_bytes import digest, files_under, holds
from log_scenario import Scenario, in_order
from log_support import append_in_chunks, chunked, expect, need, position_in, read_lines, read_positions, record, run, verify


class Whole(Scenario):
    """A verb over sealed segments; once it is through, the log is what it is after an undisturbed run."""
    create = []
    total = 130
    keys = 7
    weight = 6000

    def fill(self):
        expect(0, ["create", self.log, *self.create])
        self.lines = [record(self.seed, number, self.keys, weight=self.weight) for number in range(self.total)]
        append_in_chunks([self.log], chunked(self.lines, self.seed, (6, 14)), lambda ack: None)

    def start(self):
        self.fill()
        self.prepare()
        self.before = read_positions(self.log)
        need(self.before, "nothing in the log")
        self.reference()

    def prepare(self):
        pass

    def reference(self):
        """What an undisturbed run leaves; the log is as it was afterwards."""
        saved = self.folder + ".saved"
        shutil.copytree(self.folder, saved, symlinks=True)
        status = self.act(())
        need(status == 0, f"undisturbed: status {status}: {self.message.strip()}")
        self.wanted = read_positions(self.log)
        verify(self.log)
        self.also_wanted()
        shutil.rmtree(self.folder)
        shutil.move(saved, self.folder)

    def also_wanted(self):
        need(len(self.wanted) < len(self.before), f"all {len(self.before)} records are still there")

    def after_kill(self):
        _, positions = self.looked_at()
        here = set(positions)
        need(here <= set(self.before), f"not there before: {next(iter(here - set(self.before)), None)}")
        in_order(positions, dense=False)
        missing = set(self.wanted) - here
        need(not missing, f"lost: {next(iter(missing), None)} and {len(missing) - 1} more")

    def at_end(self):
        _, positions = self.looked_at()
        need(positions == self.wanted, f"{len(positions)} records, {len(self.wanted)} after an undisturbed run")
        # And it can be written to.
        expect(0, ["append", self.log], data=record(self.seed, 10**6))
        need(len(read_lines(self.log)) >= 1, "nothing can be read after another append")
        verify(self.log)


class Compact(Whole):
    """compact, two partitions"""
    name = "compact"
    create = ["--segment", "64KiB", "--partitions", "2", "--by", "k", "--compact", "--deleted", '.k == "k3"']

    def act(self, wrap):
        return self.verb(wrap, "compact", self.log, "--tombstones", "0s")


class Retain(Whole):
    """retain by age"""
    name = "retain"
    create = ["--segment", "64KiB", "--partitions", "2", "--by", "k", "--retain", "3s", "--codec", "none"]

    def fill(self):
        now = int(time.time()) - 1
        expect(0, ["create", self.log, *self.create])
        self.lines = [record(self.seed, number, at=now - number, weight=self.weight) for number in range(self.total)]
        append_in_chunks([self.log], chunked(self.lines, self.seed, (40,)), lambda ack: None)

    def prepare(self):
        time.sleep(3.3)

    def act(self, wrap):
        return self.verb(wrap, "retain", self.log)


class Archive(Whole):
    """archive"""
    name = "archive"
    create = ["--segment", "64KiB", "--partitions", "2", "--by", "k"]

    def act(self, wrap):
        return self.verb(wrap, "archive", self.log, os.path.join(self.folder, "archive"))

    def also_wanted(self):
        need(self.wanted == self.before, "archiving changed what is read")
        need(any(path.endswith(".seg") for path in files_under(os.path.join(self.folder, "archive"))), "nothing was archived")

    def at_end(self):
        super().at_end()
        names = [os.path.basename(path) for path in files_under(os.path.join(self.log, "segments")) if path.endswith(".seg")]
        twice = set(names) & {os.path.basename(path) for path in files_under(os.path.join(self.folder, "archive"))}
        need(not twice, f"{twice} are in both folders")


class Excise(Whole):
    """excise, with an archive, a quarantine and idempotency keys"""
    name = "excise"
    total = 200
    create = ["--segment", "64KiB", "--partitions", "2", "--by", "k"]

    def fill(self):
        self.marker = "%024x" % random.Random(self.seed).getrandbits(96)
        expect(0, ["create", self.log, *self.create])
        self.lines = [record(self.seed, number, marker=self.marker if number % 9 == 4 else None, weight=self.weight) for number in range(self.total)]
        keys = ["--idempotency-key", "id", "--within", "1000000000s"]
        half = self.total * 2 // 3
        append_in_chunks([self.log, *keys], chunked(self.lines[:half], self.seed, (6, 14)), lambda ack: None)
        expect(0, ["archive", self.log, os.path.join(self.folder, "archive")])
        # A torn tail with the bytes in it goes to the quarantine at the next append.
        active = max((path for path in files_under(os.path.join(self.log, "segments")) if path.endswith(".seg")), key=os.path.getmtime)
        with open(active, "ab") as file:
            file.write(self.marker.encode() * 3)
        append_in_chunks([self.log, *keys], chunked(self.lines[half:], self.seed, (6, 14)), lambda ack: None)
        need(holds(self.marker.encode(), self.log), "the bytes to be excised cannot be found in the log before")
        need(holds(self.marker.encode(), os.path.join(self.folder, "archive")), "nor in its archive")

    def act(self, wrap):
        return self.verb(wrap, "excise", self.log, "--where", f'.secret == "{self.marker}"')

    def at_end(self):
        where = holds(self.marker.encode(), self.folder)
        need(not where, f"excised bytes are in {where}")
        super().at_end()
        where = holds(self.marker.encode(), self.folder)
        need(not where, f"excised bytes are in {where} after an append")


class Repair(Whole):
    """repair of a damaged log"""
    name = "repair"
    create = ["--segment", "64KiB", "--codec", "none"]

    def prepare(self):
        self.before_damage = read_positions(self.log)
        sealed = sorted(path for path in files_under(os.path.join(self.log, "segments")) if path.endswith(".seg"))[:-1]
        damaged = self.chance.choice(sealed)
        with open(damaged, "r+b") as file:
            at = self.chance.randrange(200, os.path.getsize(damaged) - 100)
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes((byte ^ 0x40,)))
        status, _, _ = run(["verify", self.log])
        need(status == 5, f"verify of a damaged log: status {status}")

    def start(self):
        self.fill()
        self.prepare()
        self.before = self.before_damage
        self.reference()

    def act(self, wrap):
        status = self.verb(wrap, "repair", self.log)
        return 0 if status in (0, 3) else status  # 3: says that something was lost

    def after_kill(self):
        before = digest(self.log)
        status, _, message = run(["verify", self.log])
        need(status in (0, 5), f"verify: status {status}: {message.strip()}")
        need(digest(self.log) == before, "verify changed the log")
        status, out, message = run(["read", self.log, "--envelope"])
        need(status in (0, 5), f"read: status {status}: {message.strip()}")
        here = {(*position_in(line), line) for line in out.splitlines()}
        need(here <= set(self.before), "read what was never there")
        if status == 0:
            need(here >= set(self.wanted), "a repaired log lacks records")

    def at_end(self):
        kept = list(files_under(os.path.join(self.log, "quarantine")))
        need(kept, "repair kept no copy of what it changed")
        super().at_end()
