# SPDX-License-Identifier: Apache-2.0
"""log_kill.py: making a log, appending to it, recovering what a writer left."""

import json
import os
import random
import stat

from log_bytes import digest, files_under
from log_scenario import Scenario, in_order
from log_support import append_in_chunks, chunked, expect, need, read_positions, record, run, verify


class Append(Scenario):
    """append, one partition"""
    name = "append"
    create = ["--segment", "64KiB", "--codec", "none"]
    options = []
    initial = 12
    total = 90
    weight = 2500  # enough for a few segments
    sizes = (1, 2, 5, 12)

    def lines(self):
        return [record(self.seed, number, weight=self.weight) for number in range(self.total)]

    def start(self):
        self.known["acks"] = {}
        self.input = self.lines()
        if self.create is not None:
            expect(0, ["create", self.log, *self.create])
        if self.initial:
            self.feed((), self.input[:self.initial])
            verify(self.log)

    def acknowledged(self, ack):
        acks = self.known["acks"]
        acks[ack["partition"]] = max(acks.get(ack["partition"], 0), ack["last"] + 1)

    def feed(self, wrap, lines):
        status, self.message = append_in_chunks([self.log, *self.options], chunked(lines, self.seed, self.sizes), self.acknowledged, wrap)
        return status

    def have(self):
        """How many records there are, as a writer that resumes has to find out."""
        if not os.path.exists(os.path.join(self.log, "manifest")):
            return 0
        status, out, _ = run(["read", self.log])
        return len(out.splitlines()) if status == 0 else 0

    def act(self, wrap):
        have = self.have()
        self.known["from"] = have
        return self.feed(wrap, self.input[have:])

    def judge(self, lines, positions):
        for at, line in enumerate(lines):
            wanted = self.input[at] if at < len(self.input) else b""
            need(line == wanted, f"record {at} is {line[:80]!r}, appended was {wanted[:80]!r}")
        ends = in_order(positions)
        for partition, end in self.known["acks"].items():
            need(ends.get(partition, 0) >= end, f"partition {partition} ends at {ends.get(partition, 0)}, acknowledged was {end}")

    def after_kill(self):
        self.judge(*self.looked_at())

    def at_end(self):
        lines, positions = self.looked_at()
        self.judge(lines, positions)
        need(len(lines) == len(self.input), f"{len(lines)} of {len(self.input)} records")
        self.modes()

    def modes(self):
        for path in files_under(self.log):
            mode = stat.S_IMODE(os.lstat(path).st_mode)
            need(mode == 0o600, f"{path} has mode {mode:o}")


class AppendPartitions(Append):
    """append, three partitions by key, compressed"""
    name = "append-partitions"
    create = ["--segment", "64KiB", "--partitions", "3", "--by", "k"]
    sizes = (3, 8, 20)
    total = 150
    weight = 6000


class AppendNew(Append):
    """append, the log made by it"""
    name = "append-new"
    create = None
    initial = 0
    total = 8

    def after_kill(self):
        if self.is_there():
            super().after_kill()
        need(self.is_there() or not self.known["acks"], "acknowledged, but there is no log")

    def is_there(self):
        # A log whose making was not finished is none yet; who reads it is told so.
        status, _, message = run(["info", self.log])
        need(status in (0, 2), f"info: status {status}: {message.strip()}")
        return status == 0


class AppendDuration(Append):
    """append --sync 5ms"""
    name = "append-duration"
    options = ["--sync", "5ms"]
    total = 40


class AppendUnsynced(Append):
    """append --sync none"""
    name = "append-unsynced"
    options = ["--sync", "none"]
    create = ["--segment", "64KiB"]
    total = 70
    weight = 6000


class AppendSingle(Append):
    """append to a log of a single writer"""
    name = "append-single-writer"
    create = ["--single-writer", "--segment", "64KiB", "--codec", "none"]
    total = 50


class AppendExpected(Append):
    """append --expect-offset"""
    name = "append-expect"
    total = 40

    def act(self, wrap):
        have = self.have()
        self.options = ["--expect-offset", str(have)]
        return self.feed(wrap, self.input[have:])

    def start(self):
        super().start()
        self.options = []


class AppendRing(Append):
    """append to a ring (--max-bytes)"""
    name = "append-ring"
    create = ["--segment", "64KiB", "--codec", "none", "--max-bytes", "160KiB"]
    total = 180

    def have(self):
        positions = read_positions(self.log)
        return positions[-1][1] + 1 if positions else 0

    def judge(self, lines, positions):
        for line, (_, offset, _) in zip(lines, positions):
            need(line == self.input[offset], f"offset {offset} is {line[:80]!r}")
        offsets = [offset for _, offset, _ in positions]
        need(offsets == list(range(offsets[0], offsets[0] + len(offsets))), "a hole in what is kept")
        need(offsets[-1] + 1 >= self.known["acks"].get(0, 0), f"ends at {offsets[-1] + 1}, acknowledged was {self.known['acks'].get(0)}")

    def at_end(self):
        lines, positions = self.looked_at()
        self.judge(lines, positions)
        need(positions[-1][1] == len(self.input) - 1, f"ends at {positions[-1][1]}")
        # A kill between sealing and removing leaves that to the next sealing, or to `retain`.
        expect(0, ["retain", self.log])
        positions = read_positions(self.log)
        need(positions[0][1] > 0 and positions[-1][1] == len(self.input) - 1, f"offsets {positions[0][1]} to {positions[-1][1]} are left")


class AppendKeys(Append):
    """append --idempotency-key, everything given again"""
    name = "append-keys"
    options = ["--idempotency-key", "n", "--within", "1000000000s"]
    create = ["--segment", "64KiB", "--partitions", "2", "--by", "k"]
    total = 60
    weight = 8000

    def act(self, wrap):
        # The first time at the pace of the acknowledgements; then all at once, since what is there is not acknowledged again.
        if self.known.get("again"):
            status = self.verb(wrap, "append", self.log, *self.options, "--ack", data=b"".join(self.input))
            for line in self.out.splitlines(keepends=True):
                if line.endswith(b"\n"):
                    self.acknowledged(json.loads(line))
            return status
        self.known["again"] = True
        return self.feed(wrap, self.input[self.initial:])


class AppendRaw(Append):
    """append --raw, any bytes"""
    name = "append-raw"
    options = ["--raw"]
    total = 50

    def lines(self):
        chance = random.Random(self.seed)
        return [bytes(byte for byte in chance.randbytes(chance.randrange(300)) if byte != 10) + b"\n" for _ in range(self.total)]

    def judge(self, lines, positions):
        super().judge(lines, [(0, at, line) for at, line in enumerate(lines)])

    def looked_at(self):
        before = digest(self.log)
        verify(self.log)
        out = expect(0, ["read", self.log])
        need(digest(self.log) == before, "reading or verifying changed the log")
        return [line + b"\n" for line in out.split(b"\n")[:-1]], []

    def have(self):
        status, out, _ = run(["read", self.log])
        return out.count(b"\n") if status == 0 else 0


class Recover(Append):
    """recovery of a torn log, then append"""
    name = "recover"
    create = ["--partitions", "3", "--by", "k", "--codec", "none"]
    total = 60
    weight = 60
    initial = 30

    def start(self):
        super().start()
        self.tear()

    def tear(self):
        """As a power cut leaves it: a batch more than head knows of, its parts there in part."""
        with open(os.path.join(self.log, "head"), "rb") as file:
            head = file.read()
        sizes = {path: os.path.getsize(path) for path in files_under(os.path.join(self.log, "segments"))}
        chunk = self.input[self.initial:self.initial + 10]  # one batch: a second would prove that the first was durable
        append_in_chunks([self.log], [chunk], lambda ack: None)
        how = self.seed % 4
        if how == 3:
            os.unlink(os.path.join(self.log, "head"))
        else:
            with open(os.path.join(self.log, "head"), "wb") as file:
                file.write(head)
        grown = [path for path in sorted(files_under(os.path.join(self.log, "segments"))) if os.path.getsize(path) > sizes.get(path, 0)]
        torn = self.chance.choice(grown)
        size, before = os.path.getsize(torn), sizes.get(torn, 64)
        with open(torn, "r+b") as file:
            if how == 1:  # blocks that were never written
                at = self.chance.randrange(before, size)
                file.seek(at)
                file.write(bytes(size - at))
            else:
                file.truncate(self.chance.randrange(before, size))
            if how == 2:  # something else
                file.seek(0, os.SEEK_END)
                file.write(self.chance.randbytes(self.chance.randrange(1, 400)))


class RecoverOne(Recover):
    """recovery of a torn log of one partition, compressed"""
    name = "recover-one"
    create = []
    total = 45


class Create(Scenario):
    """create"""
    name = "create"

    def start(self):
        pass

    def act(self, wrap):
        status = self.verb(wrap, "create", self.log, "--partitions", "3", "--by", "k", "--segment", "1MiB")
        # Once made it says that it is there: who was killed after that has what he wanted.
        before = self.known.get("tried")
        self.known["tried"] = True
        return 0 if status == 2 and before else status

    def after_kill(self):
        status, _, message = run(["info", self.log])
        need(status in (0, 2), f"info: status {status}: {message.strip()}")

    def at_end(self):
        lines = [record(self.seed, number) for number in range(30)]
        expect(0, ["append", self.log], data=b"".join(lines))
        got, positions = self.looked_at()
        need(got == lines, "not what was appended")
        need(len(in_order(positions)) > 1, "the log has not the partitions that it was made with")
