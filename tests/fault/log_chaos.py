#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writers and readers of one log, killed at random and started again.

4 writers append numbered events to a log of 8 partitions; 16 readers in 4 groups take them through
`stream-log read --group … --envelope --follow | RECORDER | stream-log commit …`. Writers go on from what was acknowledged.
At the end each group has seen every event at least once, none is missing, order within a partition was kept in
each reader's own stretch, and no reader was given what was committed before it began.
Then how fast members settle, and how fast a second writer is refused.

  log_chaos.py [--seed N] [--seconds N] [--long]
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

from log_settling import PARTITIONS, settling, single_writer
from log_support import LONG, TOOL, Process, Tap, Violation, clean_up, expect, group_positions, need, need_tool, new_folder, position_in, read_positions, \
    verify, wait_until

WRITERS, GROUPS, READERS = 4, 4, 4

# What it is given, to a file first and then on: what is committed was recorded.
RECORDER = r"""
open my $file, '>>', $ARGV[0] or die;
while (sysread STDIN, my $block, 65536) {
    for my $to ($file, \*STDOUT) {
        for (my $at = 0; $at < length $block;) { my $n = syswrite $to, $block, length($block) - $at, $at; die unless $n; $at += $n }
    }
}
"""


class Stop:
    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    def __bool__(self):
        return time.monotonic() > self.end


class Writer(threading.Thread):
    def __init__(self, log, who, seed, stop, rate):
        super().__init__()
        self.rate = rate            # events a second, at most
        self.log, self.who, self.stop = log, who, stop
        self.chance = random.Random(seed)
        self.process = None
        self.life = 0
        self.acknowledged = []      # ids
        self.in_doubt = []          # given, and nobody said so
        self.wrong = None
        self.acks = 0

    def run(self):
        try:
            while not self.stop:
                self.live()
                self.life += 1
        except Violation as broken:
            self.wrong = str(broken)

    def live(self):
        number = 0
        with Process([TOOL, "append", self.log, "--ack"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as process:
            self.process = process
            acks = os.fdopen(os.dup(process.stdout.fileno()), "rb")
            while not self.stop:
                ids = []
                lines = []
                # Now and then so many that a kill cuts a write in two.
                for _ in range(self.chance.choice((1, 5, 20, 100)) if self.chance.random() < 0.97 else 3000):
                    ids.append(f"{self.who}.{self.life}.{number}")
                    lines.append(b'{"ts":%d,"id":"%s","n":%d,"k":"k%d"}\n' % (time.time_ns() // 1_000_000, ids[-1].encode(), number, self.chance.randrange(50)))
                    number += 1
                if not self.give(process, acks, lines):
                    self.in_doubt += ids
                    break
                self.acknowledged += ids
                time.sleep(max(self.chance.random() * 0.05, len(ids) / self.rate))
            acks.close()
            try:
                process.stdin.close()
            except BrokenPipeError:
                pass
            status = process.wait()
            said = process.stderr.read().decode(errors="replace").strip()
            need(status in (0, -signal.SIGKILL), f"writer {self.who}: status {status}: {said}")

    def give(self, process, acks, lines):
        try:
            process.stdin.write(b"".join(lines))
        except BrokenPipeError:
            return False
        left = len(lines)
        while left > 0:
            line = acks.readline()
            if not line.endswith(b"\n"):
                return False
            ack = json.loads(line)
            left -= ack["last"] - ack["first"] + 1
            self.acks += 1
        need(left == 0, f"writer {self.who}: more was acknowledged than given")
        return True

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            return True
        return False


class Reader:
    """A pipeline that reads as a member of a group, in as many lives as it takes."""

    def __init__(self, log, group, number, folder):
        self.log, self.group, self.folder = log, group, folder
        self.name = f"{group}.{number}"
        self.lives = []        # (file, positions that were committed before)
        self.stages = []

    def begin(self):
        before = group_positions(self.log, self.group)
        path = os.path.join(self.folder, f"{self.name}.{len(self.lives)}")
        with open(path, "wb"):
            pass
        self.lives.append((path, before))
        errors = open(path + ".err", "wb")
        read = Process([TOOL, "read", self.log, "--group", self.group, "--envelope", "--follow"], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=errors)
        record = Process(["perl", "-e", RECORDER, path], stdin=read.stdout, stdout=subprocess.PIPE, stderr=errors)
        commit = Process([TOOL, "commit", self.log, "--group", self.group], stdin=record.stdout, stdout=subprocess.DEVNULL, stderr=errors)
        read.stdout.close()
        record.stdout.close()
        errors.close()
        self.stages = [read, record, commit]

    def alive(self):
        return bool(self.stages) and self.stages[0].poll() is None

    def kill(self, which):
        """Whether there was anything to kill."""
        living = [self.stages[stage] for stage in which if stage < len(self.stages) and self.stages[stage].poll() is None]
        for stage in living:
            stage.kill()
        return bool(living)

    def reap(self, signal_number=None):
        """Ends the pipeline: what was begun is committed where the signal is not KILL."""
        if not self.stages:
            return
        if signal_number:
            if self.stages[0].poll() is None:
                self.stages[0].send_signal(signal_number)
        for stage in self.stages:
            try:
                stage.wait(20)
            except subprocess.TimeoutExpired:
                stage.kill()
                stage.wait()
                raise Violation(f"reader {self.name}: a stage does not end: {stage.args}") from None

    def errors(self):
        said = []
        for path, _ in self.lives:
            with open(path + ".err", encoding="utf-8", errors="replace") as file:
                said += [line for line in file.read().splitlines() if line.startswith("stream-log")]
        return said


class Chaos:
    def __init__(self, base, seed, seconds):
        self.chance = random.Random(seed)
        self.log = os.path.join(base, "log")
        self.stop = Stop(seconds)
        self.base = base
        self.moving = None     # an archiver at work
        self.stretches = 0     # times that a reader got a partition back
        self.kills = {"writers": 0, "readers": 0, "pipelines": 0, "commits": 0, "archivers": 0}
        expect(0, ["create", self.log, "--partitions", str(PARTITIONS), "--by", "k", "--segment", "64KiB"])
        rate = min(1000, 500_000 / seconds / WRITERS)  # what is recorded is kept till the end
        self.writers = [Writer(self.log, f"w{at}", self.chance.random(), self.stop, rate) for at in range(WRITERS)]
        self.readers = [Reader(self.log, f"g{group}", at, base) for group in range(GROUPS) for at in range(READERS)]

    def run(self):
        try:
            for reader in self.readers:
                reader.begin()
            for writer in self.writers:
                writer.start()
            while not self.stop:
                time.sleep(self.chance.random() * 0.25)
                self.strike()
                self.look_after()
            if self.moving:
                self.moving.wait(30)
            for writer in self.writers:
                writer.join(30)
                need(not writer.is_alive(), f"writer {writer.who} hangs")
                need(writer.wrong is None, writer.wrong)
            self.catch_up()
        finally:
            for writer in self.writers:
                writer.kill()
            for reader in self.readers:
                reader.kill(range(len(reader.stages)))
                for stage in reader.stages:
                    stage.wait()

    def strike(self):
        if self.chance.random() < 0.3:
            self.kills["writers"] += self.chance.choice(self.writers).kill()
        else:
            reader = self.chance.choice(self.readers)
            how = self.chance.random()
            name, which = ("readers", [0]) if how < 0.6 else ("pipelines", [0, 1, 2]) if how < 0.8 else ("commits", [2])
            self.kills[name] += reader.kill(which)
        for reader in self.readers:
            # One whose commit is gone notices with the next thing it is given; here it is not waited for.
            if reader.stages and (not reader.alive() or reader.stages[2].poll() is not None):
                reader.kill([0])
                reader.reap()
                if self.chance.random() < 0.7:
                    reader.begin()
                else:
                    reader.stages = []
        for reader in self.readers:
            if not reader.stages and self.chance.random() < 0.5:
                reader.begin()

    def look_after(self):
        """Sealed segments go to the archive, and the log is verified, under those who write and read it."""
        chance = self.chance.random()
        if chance < 0.1:
            if self.moving is None or self.moving.poll() is not None:
                need(self.moving is None or self.moving.returncode in (0, -signal.SIGKILL), f"archive: status {self.moving and self.moving.returncode}")
                self.moving = Process([TOOL, "archive", self.log, os.path.join(self.base, "archive")], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
                self.kills["archivers"] += chance < 0.05
                if chance < 0.05:
                    time.sleep(self.chance.random() * 0.02)
                    self.moving.kill()
        elif chance < 0.15:
            verify(self.log)

    def catch_up(self):
        self.truth = [[] for _ in range(PARTITIONS)]  # of each partition, its events
        for partition, offset, line in read_positions(self.log):
            need(offset == len(self.truth[partition]), f"partition {partition}: offset {offset} after {len(self.truth[partition]) - 1}")
            self.truth[partition].append(line)
        ends = {partition: len(lines) for partition, lines in enumerate(self.truth) if lines}
        for reader in self.readers:
            if not reader.alive():
                reader.reap()
                reader.begin()
        for group in range(GROUPS):
            done = wait_until(lambda group=group: group_positions(self.log, f"g{group}") == ends, 30, 0.2)
            need(done, f"group g{group} does not come to the end: {group_positions(self.log, f'g{group}')} of {ends}")
        for reader in self.readers:
            reader.reap(signal.SIGTERM)

    def judge(self):
        """Counts of events, deliveries and those that came again."""
        verify(self.log)
        in_log = set()
        last = {}
        for partition, lines in enumerate(self.truth):
            for line in lines:
                identity = line.split(b'"id":"')[1].split(b'"')[0].decode()
                need(identity not in in_log, f"{identity} is in the log twice")
                in_log.add(identity)
                who, life, number = identity.split(".")
                place = (int(life), int(number))
                need(place > last.get((partition, who), (-1, -1)), f"partition {partition}: {identity} is out of order")
                last[partition, who] = place
        for writer in self.writers:
            for identity in writer.acknowledged:
                need(identity in in_log, f"{identity} was acknowledged, and is not in the log")
        known = {identity for writer in self.writers for identity in writer.acknowledged + writer.in_doubt}
        need(in_log <= known, "events that nobody wrote")
        delivered = again = 0
        for group in range(GROUPS):
            seen = [bytearray(len(lines)) for lines in self.truth]  # how often, 255 at most
            for reader in self.readers:
                if reader.group == f"g{group}":
                    for path, before in reader.lives:
                        self.judge_life(reader, path, before, seen)
            for partition, times in enumerate(seen):
                need(0 not in times, f"group g{group} missed {times.count(0)} events of partition {partition}, the first at offset {times.find(0)}")
                delivered += sum(times)
                again += sum(times) - len(times)
        return len(in_log), delivered, again

    def judge_life(self, reader, path, before, seen):
        expected = {}
        stretches = {}
        with open(path, "rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break  # cut by a kill
                partition, offset = position_in(line)
                here = self.truth[partition]
                need(offset < len(here) and here[offset] == line[:-1], f"reader {reader.name} got {line[:120]!r}, which the log does not hold")
                need(offset >= before.get(partition, 0), f"reader {reader.name}: partition {partition}: {offset} again, committed was {before.get(partition)}")
                # One after the other; unless it lost the partition and got it again, which takes members that come or go.
                if offset != expected.get(partition, offset):
                    stretches[partition] = stretches.get(partition, 0) + 1
                expected[partition] = offset + 1
                seen[partition][offset] = min(255, seen[partition][offset] + 1)
        changes = sum(2 * len(other.lives) for other in self.readers if other.group == reader.group)
        need(max(stretches.values(), default=0) <= changes, f"reader {reader.name}: order broken {stretches} times, {changes} members came or went")
        self.stretches += sum(stretches.values())


def chaos(args, base, tap):
    here = Chaos(base, args.seed, args.seconds)
    what = f"{WRITERS} writers, {GROUPS * READERS} readers in {GROUPS} groups, {args.seconds} s (seed {args.seed})"
    try:
        here.run()
        events, delivered, again = here.judge()
        kills = ", ".join(f"{count} {name}" for name, count in here.kills.items())
        tap.report(True, f"{what}: {events} events, {delivered} deliveries of which {again} again, {here.stretches} partitions got back; killed: {kills}")
        said = [line for reader in here.readers for line in reader.errors()]
        for line in sorted(set(said))[:10]:
            print(f"# {said.count(line)} x {line}")
    except Violation as broken:
        tap.report(False, what, [str(broken)] + sorted({line for reader in here.readers for line in reader.errors()})[:10])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--long", action="store_true", default=LONG)
    parser.add_argument("--only", choices=["chaos", "settling", "single"])
    args = parser.parse_args()
    args.seconds = args.seconds or (600 if args.long else 20)
    need_tool()
    print(f"# seed {args.seed}")
    tap = Tap()
    base = new_folder("log-chaos-")
    try:
        if args.only in (None, "single"):
            single_writer(args, base, tap)
        if args.only in (None, "settling"):
            settling(args, base, tap)
        if args.only in (None, "chaos"):
            chaos(args, base, tap)
    finally:
        clean_up()
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
