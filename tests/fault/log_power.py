#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Power cuts: a log on a loop-mounted ext4 whose power is cut (EXT4_IOC_SHUTDOWN) at a random moment under
appenders, a consumer, commits, compaction and excision. After mounting it again what was acknowledged
is there, of each writer a prefix in order, committed positions stay, what excise said is gone is gone, and
the next append needs no help.

A round cuts the power once; the log goes on for a few rounds, then a new file system is made, in the next mount mode.

  log_power.py [--seed N] [--rounds N] [--long]
"""

import argparse
import fcntl
import json
import os
import random
import subprocess
import sys
import threading
import time

from log_bytes import holds
from log_support import LONG, TOOL, Process, Tap, Violation, clean_up, expect, group_positions, need, need_tool, new_folder, read_lines, read_positions, \
    run, skip, undone, verify

SHUTDOWN = 0x8004587D          # EXT4_IOC_SHUTDOWN
NOTHING_FLUSHED, JOURNAL_FLUSHED = 2, 1
MODES = ("", "noauto_da_alloc", "data=writeback", "data=journal")
IMAGE_MIB = 64
ROUNDS_EACH = 5                # of one file system


class Disk:
    def __init__(self, base, mode):
        self.image = os.path.join(base, "image")
        self.folder = os.path.join(base, "disk")
        self.mode = mode
        os.makedirs(self.folder, exist_ok=True)
        with open(self.image, "wb") as file:
            file.truncate(IMAGE_MIB << 20)
        subprocess.run(["mkfs.ext4", "-qF", "-E", "lazy_itable_init=1,lazy_journal_init=1", self.image], check=True, stdout=subprocess.DEVNULL)
        self.mounted = False
        undone.append(self.remove)
        self.mount()

    def mount(self):
        options = "loop" + ("," + self.mode if self.mode else "")
        subprocess.run(["mount", "-o", options, self.image, self.folder], check=True, stderr=subprocess.PIPE)
        self.mounted = True

    def cut(self, how):
        fd = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, SHUTDOWN, how.to_bytes(4, "little"))
        finally:
            os.close(fd)

    def umount(self):
        for _ in range(50):
            if subprocess.run(["umount", self.folder], check=False, stderr=subprocess.DEVNULL).returncode == 0:
                self.mounted = False
                return
            time.sleep(0.05)
        subprocess.run(["umount", "-l", self.folder], check=False)
        self.mounted = False
        raise Violation("the file system cannot be unmounted: something still has a file open")

    def again(self):
        self.umount()
        self.mount()

    def remove(self):
        if self.mounted:
            subprocess.run(["umount", "-l", self.folder], check=False)
            self.mounted = False
        if os.path.exists(self.image):
            os.unlink(self.image)


def why_not(base):
    if os.geteuid() != 0:
        return "a file system can be mounted by root only"
    try:
        disk = Disk(base, "")
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no ext4 image can be mounted here ({error})"
    try:
        disk.cut(NOTHING_FLUSHED)
        return None
    except OSError as error:
        return f"the kernel knows no EXT4_IOC_SHUTDOWN ({error})"
    finally:
        disk.remove()


def event(who, number, pad):
    secret = f',"secret":"x{who}-{number // 50}-cafe"' if number % 50 == 7 else ""
    return f'{{"ts":{1_700_000_000 + number},"w":"{who}","n":{number},"k":"k{number % 11}"{secret},"pad":"{pad}"}}\n'.encode()


class Writer(threading.Thread):
    """Appends numbered events as fast as they are acknowledged, until the power goes."""

    def __init__(self, log, who, first, seed):
        super().__init__()
        self.log, self.who, self.next = log, who, first
        self.acknowledged = first          # of its events, how many
        self.ends = {}                     # of each partition, what was acknowledged
        self.chance = random.Random(seed)
        self.status, self.said = None, ""

    def run(self):
        with Process([TOOL, "append", self.log, "--ack"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as process:
            acks = os.fdopen(os.dup(process.stdout.fileno()), "rb")
            try:
                while True:
                    count = self.chance.choice((1, 1, 4, 30, 100))
                    pad = "%x" % self.chance.getrandbits(8 * self.chance.choice((2, 40, 200)))
                    process.stdin.write(b"".join(event(self.who, self.next + at, pad) for at in range(count)))
                    self.next += count
                    left = count
                    while left > 0:
                        line = acks.readline()
                        if not line.endswith(b"\n"):
                            raise BrokenPipeError
                        ack = json.loads(line)
                        self.ends[ack["partition"]] = ack["last"] + 1
                        left -= ack["last"] - ack["first"] + 1
                    self.acknowledged = self.next
            except BrokenPipeError:
                pass
            try:
                process.stdin.close()
            except BrokenPipeError:
                pass
            self.said = process.stderr.read().decode(errors="replace").strip()
            self.status = process.wait()
            acks.close()


class Again(threading.Thread):
    """Runs something again and again while it succeeds, and keeps what was known when it last did."""

    def __init__(self, work):
        super().__init__()
        self.work, self.stopped = work, False
        self.ran = 0
        self.wrong = None

    def run(self):
        try:
            while not self.stopped and self.work():
                self.ran += 1
        except Violation as broken:
            self.wrong = str(broken)


class Log:
    """The log on the disk, and what is known of it."""

    def __init__(self, folder, seed):
        self.chance = random.Random(seed)
        self.path = os.path.join(folder, "log")
        create = self.chance.choice((["--codec", "none"], [], ["--partitions", "3", "--by", "k"], ["--partitions", "3", "--by", "k", "--codec", "none"]))
        expect(0, ["create", self.path, "--segment", self.chance.choice(("64KiB", "128KiB", "1MiB")), *create])
        self.compacts = "--by" in create and self.chance.random() < 0.3
        self.ends = {}                              # acknowledged, of each partition
        self.writers = {"a": 0, "b": 0}             # of each writer, acknowledged
        self.written = {"a": 0, "b": 0}             # …and given
        self.positions = {}                         # committed
        self.excised = []                           # said to be gone
        self.excising = []                          # begun
        self.holes = {"a": set(), "b": set()}       # written, not acknowledged, and lost

    # What goes on beside the appenders.
    def consume(self):
        status, _, said = run(["consume", self.path, "--group", "c", "--", "cat"], timeout=120)
        need(status in (0, 4), f"consume: status {status}: {said.strip()}")
        if status != 0:
            return False
        positions = self.read_positions("c")
        if positions is not None:
            self.positions["c"] = positions
        return True

    def read_positions(self, group):
        try:
            return group_positions(self.path, group)
        except Violation:
            return None

    def commit(self):
        got, out, _ = run(["read", self.path, "--group", "p", "--envelope"])
        if got != 0:
            return False
        status, _, said = run(["commit", self.path, "--group", "p"], data=out)
        need(status in (0, 4), f"commit: status {status}: {said.strip()}")
        if status != 0:
            return False
        ends = {}
        for line in out.splitlines():
            row = json.loads(line)
            ends[row["partition"]] = row["offset"] + 1
        self.positions["p"] = {**self.positions.get("p", {}), **ends}
        return True

    def excise(self):
        time.sleep(self.chance.random() * 0.2)
        who, number = self.chance.choice("ab"), self.chance.randrange(1 + self.written["a"] // 50 + 3)
        marker = f"x{who}-{number}-cafe"
        self.excising.append(marker)
        before = {writer.who: writer.acknowledged for writer in self.running}  # what comes later is promised nothing
        status, _, said = run(["excise", self.path, "--where", f'.secret == "{marker}"'])
        need(status in (0, 4, 6), f"excise: status {status}: {said.strip()}")  # 6: compaction is at it
        if status == 0:
            self.excised.append((marker, before))
        return status in (0, 6)

    def compact(self):
        time.sleep(self.chance.random() * 0.1)
        status, _, said = run(["compact", self.path])
        need(status in (0, 4, 6), f"compact: status {status}: {said.strip()}")
        return status in (0, 6)

    def round(self, disk, how, notes):
        self.running = [Writer(self.path, who, first, self.chance.random()) for who, first in self.written.items()]
        others = [Again(self.consume), Again(self.commit)]
        if self.chance.random() < 0.5:
            others.append(Again(self.excise))
        if self.compacts:
            others.append(Again(self.compact))
        for thread in [*self.running, *others]:
            thread.start()
        time.sleep(0.05 + 0.4 * self.chance.random())
        # What is acknowledged once the cut has begun is promised nothing: ext4 lets an fsync that is under way succeed
        # though the shutdown kept the end of its writing (the conversion of unwritten extents) from the journal.
        promised = self.known()
        disk.cut(how)
        for other in others:
            other.stopped = True
        for thread in [*self.running, *others]:
            thread.join(60)
            need(not thread.is_alive(), "something hangs after the power cut")
        for writer in self.running:
            self.written[writer.who] = writer.next
            need(writer.status == 4, f"a writer without a disk: status {writer.status}: {writer.said}")
        for other in others:
            need(other.wrong is None, other.wrong)
            notes["beside"] += other.ran
        in_the_cut = self.known()
        self.take(promised, notes)
        disk.again()
        self.judge("before recovery")
        notes["lost"] += self.lost(in_the_cut)
        expect(0, ["append", self.path], data=event("z", 0, ""))  # recovers
        self.judge("after recovery")
        for writer in self.running:  # what was not acknowledged may be there: numbers are not used twice
            self.writers[writer.who] = self.written[writer.who]
        where = holds([marker.encode() for marker in self.must_be_gone], self.path)
        need(not where, f"excised bytes are in {where}")

    def known(self):
        """What was acknowledged: of each writer, of the partitions, of the groups, of what was excised."""
        ends = dict(self.ends)
        for writer in self.running:
            for partition, end in list(writer.ends.items()):
                ends[partition] = max(end, ends.get(partition, 0))
        return {writer.who: writer.acknowledged for writer in self.running}, ends, dict(self.positions), list(self.excised)

    def take(self, known, notes):
        writers, self.ends, self.positions, self.excised = known
        for who, acknowledged in writers.items():
            notes["acknowledged"] += acknowledged - self.writers[who]
            self.writers[who] = acknowledged

    def lost(self, known):
        """How much of what was acknowledged while the power went is not there."""
        writers, _, groups, _ = known
        gone = sum(1 for who, end in writers.items() if any(n not in self.seen.get(who, set()) for n in range(self.writers[who], end) if n % 50 != 7)) \
            if not self.compacts else 0
        for group, positions in groups.items():
            now = group_positions(self.path, group)
            gone += any(now.get(partition, 0) < position for partition, position in positions.items())
        return gone

    def judge(self, when):
        verify(self.path)
        lines = read_lines(self.path)
        last = {}
        seen = {}
        gone = {marker for marker, _ in self.excised} | set(self.excising)
        for line in lines:
            row = json.loads(line)
            who, number = row["w"], row["n"]
            if who == "z":
                continue
            need(number > last.get(who, -1), f"{when}: writer {who}: {number} after {last.get(who)}")
            last[who] = number
            seen.setdefault(who, set()).add(number)
            need(number < self.written[who], f"{when}: writer {who} never wrote {number}")
        if not self.compacts:
            for who, end in self.written.items():
                here = seen.get(who, set())
                for number in range(self.writers[who]):
                    need(number in here or number in self.holes[who] or self.is_excised(who, number, gone),
                         f"{when}: writer {who}: {number} is lost, {self.writers[who]} were acknowledged, {end} written")
                # What was not acknowledged: a prefix.
                tail = [number for number in range(self.writers[who], end) if not self.is_excised(who, number, gone)]
                there = [number in here for number in tail]
                need(there == sorted(there, reverse=True), f"{when}: writer {who}: a hole in what was not acknowledged")
        ends = {}
        for partition, offset, _ in read_positions(self.path):
            ends[partition] = offset + 1
        if not self.compacts and not gone:
            for partition, end in self.ends.items():
                need(ends.get(partition, 0) >= end, f"{when}: partition {partition} ends at {ends.get(partition)}, acknowledged was {end}")
        for group, positions in self.positions.items():
            now = group_positions(self.path, group)
            for partition, position in positions.items():
                need(now.get(partition, 0) >= position, f"{when}: group {group}, partition {partition}: {now.get(partition)}, committed was {position}")
        # An event that is excised must have been there to be gone for good.
        self.must_be_gone = set()
        for marker, writers in self.excised:
            who, number = marker[1], int(marker.split("-")[1]) * 50 + 7
            if number < writers.get(who, 0) and number < self.writers[who]:
                self.must_be_gone.add(marker)
                need(number not in seen.get(who, set()), f"{when}: {marker} is back")
        self.seen = seen

    @staticmethod
    def is_excised(who, number, gone):
        return number % 50 == 7 and f"x{who}-{number // 50}-cafe" in gone

    def note_holes(self):
        """What was written without an acknowledgement, and did not survive."""
        self.holes = {who: {number for number in range(end) if number not in self.seen.get(who, set())} for who, end in self.written.items()}


def campaign(args, base, tap):
    chance = random.Random(args.seed)
    results = {}
    rounds = 0
    while rounds < args.rounds and not tap.failed:
        mode = MODES[rounds // ROUNDS_EACH % len(MODES)]
        seed = chance.randrange(10**9)
        notes = results.setdefault(mode, {"rounds": 0, "acknowledged": 0, "beside": 0, "lost": 0})
        disk = Disk(base, mode)
        try:
            log = Log(disk.folder, seed)
            for _ in range(min(ROUNDS_EACH, args.rounds - rounds)):
                rounds += 1
                log.round(disk, chance.choice((NOTHING_FLUSHED, JOURNAL_FLUSHED)), notes)
                log.note_holes()
                notes["rounds"] += 1
        except Violation as broken:
            tap.report(False, f"ext4 {mode or 'as it comes'}: round {rounds} of seed {args.seed}", [str(broken)])
            if args.keep:
                subprocess.run(["cp", "-a", os.path.join(disk.folder, "log"), args.keep], check=False)
        finally:
            disk.remove()
    for mode, notes in results.items():
        if not tap.failed:
            tap.report(True, f"ext4 {mode or 'as it comes'}: {notes['rounds']} power cuts, {notes['acknowledged']} events acknowledged, "
                             f"{notes['beside']} runs of consume, commit, excise, compact; "
                             f"{notes['lost']} lost that were acknowledged while it went")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--keep", help="where to copy a log that breaks a promise")
    parser.add_argument("--long", action="store_true", default=LONG)
    args = parser.parse_args()
    args.rounds = args.rounds or (1000 if args.long else 20)
    need_tool()
    base = new_folder("log-power-")
    try:
        why = why_not(base)
        if why:
            skip(why)
        print(f"# seed {args.seed}")
        tap = Tap()
        begun = time.monotonic()
        campaign(args, base, tap)
        print(f"# {time.monotonic() - begun:.0f} s")
        return tap.end()
    finally:
        clean_up()


if __name__ == "__main__":
    sys.exit(main())
