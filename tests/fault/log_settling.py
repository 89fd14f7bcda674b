# SPDX-License-Identifier: Apache-2.0
"""How fast members of a group settle, and how fast a second writer is refused."""

import os
import random
import signal
import statistics
import subprocess
import threading
import time

from log_support import TOOL, Process, expect, position_in, run

PARTITIONS = 8


class Watched:
    """A reader whose lines are looked at as they come."""

    def __init__(self, log, group):
        self.process = Process([TOOL, "read", log, "--group", group, "--envelope", "--follow"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.latest = {}       # of each partition, when something of it came
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        for line in self.process.stdout:
            self.latest[position_in(line)[0]] = time.monotonic()

    def has(self, since):
        return {partition for partition, when in list(self.latest.items()) if when > since}

    def end(self, how):
        self.process.send_signal(how)
        self.process.wait()
        self.thread.join(5)
        self.process.stdout.close()


class Trickle(threading.Thread):
    """An event every few milliseconds in each partition."""

    def __init__(self, log):
        super().__init__(daemon=True)
        self.process = Process([TOOL, "append", log], stdin=subprocess.PIPE, bufsize=0)
        self.stopped = False
        self.start()

    def run(self):
        number = 0
        while not self.stopped:
            self.process.stdin.write(b"".join(b'{"n":%d,"k":"k%d"}\n' % (number, key) for key in range(40)))
            number += 1
            time.sleep(0.01)

    def end(self):
        self.stopped = True
        self.join()
        self.process.stdin.close()
        self.process.wait()


class Clock(threading.Thread):
    """How late this machine wakes those who sleep: what takes long because of others is not measured here."""

    def __init__(self):
        super().__init__(daemon=True)
        self.worst = 0.0
        self.start()

    def run(self):
        while True:
            begun = time.monotonic()
            time.sleep(0.01)
            self.worst = max(self.worst, time.monotonic() - begun - 0.01)

    def lateness(self):
        worst, self.worst = self.worst, 0.0
        return worst


def settled(members):
    """Seconds until every partition comes from exactly one member, each having its share."""
    begun = time.monotonic()
    last_wrong = begun
    while time.monotonic() - begun < 5:
        since = time.monotonic()
        time.sleep(0.05)
        shares = [member.has(since) for member in members]
        whole = sorted(partition for share in shares for partition in share)
        fair = all(len(share) >= PARTITIONS // len(members) for share in shares)
        if whole == list(range(PARTITIONS)) and fair:
            if since - last_wrong > 0.1:
                return last_wrong - begun
        else:
            last_wrong = time.monotonic()
    return 99.0


def settling(args, base, tap):
    """How long it takes until partitions of a member that was killed, left or joined are read by the right ones."""
    log = os.path.join(base, "settle")
    expect(0, ["create", log, "--partitions", str(PARTITIONS), "--by", "k"])
    chance = random.Random(args.seed)
    trickle = Trickle(log)
    members = []
    times = {"killed": [], "left": [], "joined": []}
    clock = Clock()
    starved = 0
    try:
        members = [Watched(log, "g") for _ in range(3)]
        settled(members)
        for _ in range(30 if args.long else 4):
            for event in ("joined", chance.choice(("killed", "left")), "joined", "killed", chance.choice(("killed", "left"))):
                if event == "joined":
                    members.append(Watched(log, "g"))
                else:
                    members.pop(chance.randrange(len(members))).end(signal.SIGKILL if event == "killed" else signal.SIGTERM)
                clock.lateness()
                took = settled(members)
                if took < 1.0 or clock.lateness() < 0.1:
                    times[event].append(took)
                else:
                    starved += 1
            while len(members) < 3:
                members.append(Watched(log, "g"))
                settled(members)
    finally:
        for member in members:
            member.end(signal.SIGKILL)
        trickle.end()
    if starved:
        print(f"# {starved} times the machine was too busy to tell")
    for event, took in times.items():
        if took:
            tap.report(max(took) < 1.0, f"a member {event}: settled within {max(took) * 1000:.0f} ms, "
                                        f"median {statistics.median(took) * 1000:.0f} ms, of {len(took)} times")


def single_writer(args, base, tap):
    log = os.path.join(base, "single")
    expect(0, ["create", log, "--single-writer"])
    took = []
    alone = []  # what it takes to start a process here
    statuses = set()
    with Process([TOOL, "append", log, "--ack"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as first:
        first.stdin.write(b'{"n":1}\n')
        first.stdout.readline()
        for _ in range(50 if args.long else 9):
            begun = time.monotonic()
            status, _, _ = run(["append", log], data=b'{"n":2}\n')
            took.append(time.monotonic() - begun)
            statuses.add(status)
            begun = time.monotonic()
            run(["--version"])
            alone.append(time.monotonic() - begun)
        first.kill()
    got = expect(0, ["read", log])
    status, _, said = run(["append", log], data=b'{"n":3}\n')
    good = statuses == {6} and statistics.median(took) - statistics.median(alone) < 0.1 and got == b'{"n":1}\n' and status == 0
    tap.report(good, f"a second writer of a --single-writer log: refused in {statistics.median(took) * 1000:.1f} ms (at most {max(took) * 1000:.1f} ms; --version takes "
                     f"{statistics.median(alone) * 1000:.1f} ms), "
                     f"statuses {sorted(statuses)}; after the first was killed: {status} {said.strip()}")
