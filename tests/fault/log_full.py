#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Disks that are full, broken or too small under stream-log: each write, sync, close, truncation and making of
a file fails in turn (once, or from then on), a file system that is really full, a limit on the size of files.
The exit status is 4, nothing was acknowledged that is not there, the log can be read, and once there is room the same
command goes on.

  log_full.py [--seed N] [--points N] [--long]
  log_full.py --seed N --scenario NAME --at pwrite64#3:ENOSPC     or …:ENOSPC+ for from then on
"""

import argparse
import concurrent.futures
import os
import random
import re
import subprocess
import sys
import time

import log_kill
import log_scenarios as scenarios
from log_strace import need_strace, why_no_strace
from log_support import LONG, Tap, Violation, append_in_chunks, chunked, clean_up, expect, group_positions, need, need_tool, new_folder, read_lines, record, \
    remove_folder, run, undone, verify


WRITES = ("write", "pwrite64", "writev", "pwritev", "pwritev2", "fallocate", "copy_file_range", "sendfile")
SYNCS = ("fsync", "fdatasync", "sync_file_range", "close", "ftruncate")
MAKES = ("openat", "open", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "link", "linkat")
TEXT = {"ENOSPC": "No space left on device", "EIO": "Input/output error", "EFBIG": "File too large", "EDQUOT": "Disk quota exceeded"}
INJECTED = [scenarios.Append, scenarios.AppendPartitions, scenarios.AppendNew, scenarios.AppendKeys, scenarios.AppendRing, scenarios.Recover,
            scenarios.Commit, scenarios.Seek, scenarios.Nightly, scenarios.Compact, scenarios.Archive, scenarios.Excise, scenarios.Repair,
            scenarios.Create]


def errors_of(call):
    if call.name in WRITES:
        return ("ENOSPC", "EIO", "EFBIG", "EDQUOT")
    if call.name in SYNCS:
        return ("EIO", "ENOSPC")
    if call.name in MAKES:
        return ("ENOSPC", "EIO")
    return ()


def counts(call):
    """Not the pipe to a command, which is no disk. A close that strace lets fail is not made: a lock would be held
    for ever, which no kernel does."""
    if call.name == "close":
        return not is_lock(call)
    if call.text.startswith("2<"):
        return False  # a remark that nobody can read
    return not call.path.startswith("pipe:") or call.text.startswith("1<")


def is_lock(call):
    return os.path.basename(call.path) in ("LOCK", "UPKEEP", "WRITER") or call.path.endswith((".lock", ".members", ".consume"))


def may_be_ignored(call):
    """An index is a cache, so is head; the process id in a lock a courtesy; and what is synced is there."""
    return ".idx" in call.text or call.path.endswith("/head") or is_lock(call) or call.synced


class Faults(log_kill.Trial):
    def __init__(self, kind, folder, seed):
        super().__init__(kind, folder, seed)
        self.calls = [call for call in self.count() if errors_of(call) and counts(call)]
        self.not_reached = 0

    def inject(self, call, error, ever_after):
        """The failure of one call (and of those of its name after it), and what is left. None, or what is wrong."""
        plan = [f"inject={call.name}:error={error}:when={call.number}{'+' if ever_after else ''}"]
        if call.name in WRITES and ever_after:
            plan.append("inject=ftruncate:error=EIO")  # nor can what was written of it be cut off
        wrap = ["strace", *(["-f"] if self.scenario.follow else []), "-qq", "-o", self.trace,
                "-e", "trace=" + ",".join({part.split("=")[1].split(":")[0] for part in plan})]
        for part in plan:
            wrap += ["-e", part]
        self.rewind()
        try:
            status = self.scenario.act(wrap)
            said = self.scenario.message.strip()
            with open(self.trace, encoding="utf-8", errors="replace") as trace:
                if not re.search(rf"{call.name}[( ].*\(INJECTED\)", trace.read()):
                    self.not_reached += 1
                    return None
            # Retention beside an append: the append is done, the rest is told. A file that cannot be synced is another thing.
            beside = self.kind is scenarios.AppendRing and (call.name in WRITES or call.path.endswith("/segments")) and TEXT[error] in said
            if status == 0 and (may_be_ignored(call) or beside):
                self.scenario.finish()
                return None
            need(status == 4, f"status {status}, not 4: {said}")
            no_stderr = call.name == "write" and ever_after
            need(TEXT[error] in said or (len(plan) > 1 and TEXT["EIO"] in said) or no_stderr, f"the error is not named: {said!r}")
            self.scenario.after_kill()
            self.scenario.finish()
        except Violation as broken:
            return (f"log_full.py --seed {self.seed} --scenario {self.kind.name} --at {call}:{error}{'+' if ever_after else ''} "
                    f"({call.text[:120]}): {broken}")
        return None


def campaign(kind, folder, seed, budget):
    """Calls that fail, one after the other: how many there are to choose from, how many were tried, what was wrong."""
    os.makedirs(folder)
    chance = random.Random(f"{seed} {kind.name} full")
    try:
        faults = Faults(kind, folder, seed)
        faults.scenario.finish()
    except Violation as broken:
        return 0, 0, [f"{kind.name} --seed {seed}: {broken}"]
    every = [(call, error, ever_after) for call in faults.calls for error in errors_of(call)
             for ever_after in ((False,) if call.name == "close" else (False, True))]
    chosen = every if not budget else chance.sample(every, min(len(every), budget))
    wrong = [found for found in (faults.inject(*one) for one in chosen) if found]
    remove_folder(folder)
    return len(every), len(chosen) - faults.not_reached, wrong


def injections(args, base, tap):
    budget = 0 if args.long else max(3, args.points // len(INJECTED))
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        waiting = [(kind, pool.submit(campaign, kind, os.path.join(base, kind.name), args.seed, budget)) for kind in INJECTED]
        for kind, future in waiting:
            every, tried, wrong = future.result()
            tap.report(not wrong and tried, f"{kind.name}: {tried} of {every} failures of a write, sync, close, truncation, making of a file", wrong[:5])


def one_injection(args, base, tap):
    kind = next(kind for kind in INJECTED if kind.name == args.scenario)
    faults = Faults(kind, os.path.join(base, kind.name), args.seed)
    point, error = args.at.split(":")
    call = next(call for call in faults.calls if repr(call) == point)
    wrong = faults.inject(call, error.rstrip("+"), error.endswith("+"))
    tap.report(not wrong and not faults.not_reached, f"{kind.name} {call} {call.text}", [wrong] if wrong else [])


# ---- a file system that is full --------------------------------------------------------------------------

class Small:
    """A tmpfs of so many KiB, and a file in it that can make room."""

    def __init__(self, folder, kib, filler_kib):
        self.folder = folder
        self.filler = os.path.join(folder, "filler")
        os.makedirs(folder)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", folder], check=True, stderr=subprocess.DEVNULL)
        undone.append(self.__exit__)
        with open(self.filler, "wb") as file:
            file.write(bytes(filler_kib << 10))

    def fill(self):
        """To the last byte."""
        with open(self.filler, "ab", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if os.path.ismount(self.folder):
            subprocess.run(["umount", "-l", self.folder], check=False)

    def make_room(self):
        os.unlink(self.filler)


def can_mount(base):
    try:
        with Small(os.path.join(base, "probe"), 64, 1):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def full_append(base, seed):
    chance = random.Random(seed)
    create = chance.choice((["--codec", "none"], ["--segment", "64KiB"], ["--partitions", "3", "--by", "k", "--codec", "none"], []))
    size = chance.randrange(300, 500, 4)
    with Small(os.path.join(base, f"append-{seed}"), size, size - chance.randrange(80, 160)) as small:
        log = os.path.join(small.folder, "log")
        lines = [record(seed, number, weight=200) for number in range(4000)]
        counted = {}

        def acknowledged(ack):
            counted[ack["partition"]] = ack["last"] + 1

        expect(0, ["create", log, *create])
        status, said = append_in_chunks([log], chunked(lines, seed, (1, 30, 200)), acknowledged)
        need(status == 4 and TEXT["ENOSPC"] in said, f"status {status}: {said.strip()}")
        acknowledged_records = sum(counted.values())
        got = read_lines(log)
        need(got == lines[:len(got)], "what is there is not a prefix of what was appended")
        need(len(got) >= acknowledged_records, f"{len(got)} records, {acknowledged_records} were acknowledged")
        verify(log)
        status, _, said = run(["append", log], data=b"".join(lines[len(got):]))
        need(status == 4, f"still full: status {status}: {said.strip()}")
        got = read_lines(log)
        need(got == lines[:len(got)], "what is there after a second try is not a prefix of what was appended")
        small.make_room()
        more = lines[len(got):len(got) + 100]
        expect(0, ["append", log], data=b"".join(more))
        need(read_lines(log) == lines[:len(got) + len(more)], "with room again: not what was appended")
        verify(log)


def full_everything_else(base, seed):
    """Groups, compaction, archiving and excision where not a byte can be written."""
    with Small(os.path.join(base, f"other-{seed}"), 1400, 4) as small:
        log = os.path.join(small.folder, "log")
        expect(0, ["create", log, "--segment", "64KiB", "--codec", "none", "--by", "k", "--compact"])
        lines = [record(seed, number, weight=500) for number in range(700)]
        append_in_chunks([log], chunked(lines, seed, (50,)), lambda ack: None)
        envelopes = expect(0, ["read", log, "--envelope"]).splitlines(keepends=True)
        expect(0, ["commit", log, "--group", "g"], data=b"".join(envelopes[:300]))
        ran = os.path.join(base, f"ran-{seed}")
        small.fill()
        # A positions file has room up to the end of its page: commits until that is used up.
        status = 0
        for at in range(300, 700):
            status, _, said = run(["commit", log, "--group", "g"], data=envelopes[at])
            if status != 0:
                break
        need(status == 4, f"commit: status {status}: {said.strip()}")
        least = group_positions(log, "g")[0]
        need(least >= at, f"position {least}, committed was {at}")
        for arguments in (["consume", log, "--group", "new", "--", "touch", ran], ["compact", log],
                          ["excise", log, "--where", '.k == "k1"'], ["archive", log, os.path.join(small.folder, "archive")],
                          ["seek", log, "0", "--group", "other"], ["create", os.path.join(small.folder, "second")]):
            status, _, said = run(arguments)
            need(status == 4 and TEXT["ENOSPC"] in said, f"{arguments[0]}: status {status}: {said.strip()}")
            need(read_lines(log) == lines, f"{arguments[0]} that failed changed what is read")
            verify(log)
        need(not os.path.exists(ran), "consume ran its command, whose batch it could not write down")
        small.make_room()
        need(group_positions(log, "g")[0] == least, "a position was lost")
        expect(0, ["commit", log, "--group", "g"], data=b"".join(envelopes))
        expect(0, ["consume", log, "--group", "new", "--", "touch", ran])
        expect(0, ["excise", log, "--where", '.k == "k1"'])
        need(read_lines(log) == [line for line in lines if b'"k":"k1"' not in line], "with room again, excision did not do what it says")
        expect(0, ["compact", log])
        expect(0, ["archive", log, os.path.join(small.folder, "archive")])
        verify(log)


def too_large(base, seed, limits):
    """No file may grow past a limit (EFBIG, SIGXFSZ)."""
    for limit in limits:
        log = os.path.join(base, f"limit-{limit}")
        lines = [record(seed, number) for number in range(300)]
        expect(0, ["create", log, "--codec", "none"])
        counted = []
        status, said = append_in_chunks([log], chunked(lines, seed, (1, 3, 8)), counted.append, wrap=["prlimit", f"--fsize={limit}"])
        need(status == 4 and TEXT["EFBIG"] in said, f"--fsize={limit}: status {status}: {said.strip()}")
        got = read_lines(log)
        need(got == lines[:len(got)], f"--fsize={limit}: not a prefix of what was appended")
        need(not counted or len(got) > counted[-1]["last"], f"--fsize={limit}: acknowledged, but not there")
        verify(log)
        expect(0, ["append", log], data=b"".join(lines[len(got):]))
        need(read_lines(log) == lines, f"--fsize={limit}: without the limit again: not what was appended")
        remove_folder(log)


def tested(tap, what, function, *arguments):
    try:
        function(*arguments)
        tap.report(True, what)
    except Violation as broken:
        tap.report(False, what, [str(broken)])


def really_full(args, base, tap):
    chance = random.Random(args.seed)
    rounds = 30 if args.long else 3
    if can_mount(base):
        for seed in (chance.randrange(10**6) for _ in range(rounds)):
            tested(tap, f"a full tmpfs, append (seed {seed})", full_append, base, seed)
        tested(tap, f"a full tmpfs, everything else (seed {args.seed})", full_everything_else, base, args.seed)
    else:
        tap.report(True, "a full tmpfs # SKIP nothing can be mounted here")
    limits = sorted({chance.randrange(200, 20000) for _ in range(100 if args.long else 8)})
    tested(tap, f"files of at most {limits[0]} to {limits[-1]} bytes (seed {args.seed})", too_large, base, args.seed, limits)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--scenario")
    parser.add_argument("--at")
    parser.add_argument("--long", action="store_true", default=LONG)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    need_tool()
    print(f"# seed {args.seed}")
    tap = Tap()
    base = new_folder("log-full-")
    begun = time.monotonic()
    try:
        if args.scenario:
            need_strace()
            one_injection(args, base, tap)
        else:
            really_full(args, base, tap)
            why = why_no_strace()
            if why:
                tap.report(True, f"failures of each call # SKIP {why}")
            else:
                injections(args, base, tap)
    finally:
        clean_up()
    print(f"# {time.monotonic() - begun:.0f} s")
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
