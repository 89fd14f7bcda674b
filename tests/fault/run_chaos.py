#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pipelines under stream-run, killed at random: any process of them, and the run itself, by SIGKILL, SIGTERM and SIGSTOP,
until they are finished. What their sinks show then is byte for byte what one undisturbed run shows.

  run_chaos.py [--seed N] [--kills N] [--only NAME] [--keep] [--long]
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

from log_support import BIN, LONG, Process, Tap, Violation, clean_up, need, new_folder

EVENTS = 60_000
STEPS = 12            # of a file that rotates


def tool(name):
    return os.path.join(BIN, name)


def sh(folder, command, check=True):
    env = {**os.environ, "PATH": BIN + os.pathsep + os.environ["PATH"]}
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if check and done.returncode != 0:
        raise Violation(f"{command}: status {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


class Case:
    """One pipeline: what it reads, what it writes, and what goes on meanwhile."""

    name = ""
    pipeline = ""
    options = ()
    logs = ()          # what it appends to, fresh for each run
    output = False     # whether its stdout is a result
    files = ()         # side files
    until_drained = False  # it follows something, and ends by --drain

    def prepare(self, folder):
        """Inputs, in the case's own folder."""

    def meanwhile(self, folder, chance):
        """Changes the inputs while the run is disturbed; returns whether there is more to come."""
        return False

    def undisturbed(self, folder):
        pass

    def make_sinks(self, folder):
        for log in self.logs:
            sh(folder, f"stream-log create {log}")

    def results(self, folder):
        found = {}
        for log in self.logs:
            for partition in range(self.partitions(folder, log)):
                found[f"{log}[{partition}]"] = sh(folder, f"stream-log read {log} --partitions {partition}")
        for name in [*self.files, *(["out"] if self.output else [])]:
            with open(os.path.join(folder, name), "rb") as file:
                found[name] = file.read()
        return found

    @staticmethod
    def partitions(folder, log):
        return int(sh(folder, f"stream-log info {log} | wc -l"))


class Windows(Case):
    name = "log, filter, dedupe, window, log"
    pipeline = "stream-cat in --pace PACE | stream-filter '.status < 500' | stream-dedupe --by id | stream-window tumbling 10s --by path count sum:bytes p50:latency_ms | stream-log append totals"
    logs = ("totals",)

    def prepare(self, folder):
        sh(folder, f"stream-log create in --segment 2MB; stream-gen web --events {EVENTS} --seed 5 --duplicates 2% | stream-log append in")


class Partitioned(Case):
    name = "log, map, partitioned log"
    pipeline = "stream-cat in --pace PACE | stream-map '{ts, user, path, bytes}' | stream-log append parts"
    logs = ("parts",)

    def prepare(self, folder):
        sh(folder, f"stream-log create in --segment 1MB; stream-gen web --events {EVENTS} --seed 6 | stream-log append in")

    def make_sinks(self, folder):
        sh(folder, "stream-log create parts --partitions 3 --by user")


class Join(Case):
    name = "two logs, join, window, file"
    pipeline = "stream-cat in --pace PACE | stream-join <(stream-log read right | stream-filter '.status < 400') --on id --within 3s --type full | stream-window tumbling 10s count"
    output = True

    def prepare(self, folder):
        sh(folder, f"stream-gen web --events {EVENTS // 2} --seed 7 | stream-log append in; "
                   f"stream-gen web --events {EVENTS // 2} --seed 7 --start 2026-01-01T00:00:01Z | stream-log append right")


class Late(Case):
    name = "file, window with late and bad events kept, file"
    pipeline = "stream-cat web --bad bad --pace PACE | stream-window tumbling 5s --by status count --lateness 1s --late late"
    output = True
    files = ("late", "bad")

    def prepare(self, folder):
        sh(folder, f"stream-gen web --events {EVENTS} --seed 8 --disorder 1% --disorder-max 20s | awk 'NR % 997 == 0 {{ print \"no event \" NR }} {{ print }}' > web")


class Merge(Case):
    name = "two files merged, join with a table, log"
    pipeline = "stream-cat --merge one two --pace PACE | stream-join table --on path --latest --as about --type left | stream-log append out2"
    logs = ("out2",)

    def prepare(self, folder):
        sh(folder, f"stream-gen web --events {EVENTS // 3} --seed 9 > one; stream-gen web --events {EVENTS // 3} --seed 10 > two; "
                   "stream-window all --by path count < one > table")


class Spilled(Case):
    """Each of the tools has most of its state on disk."""
    name = "log, three dedupes and a reorder past their memory, log"
    pipeline = ("stream-cat in --pace PACE | stream-dedupe --by id --memory 256KiB | stream-dedupe --by user,path --within 20s --keep last --memory 128KiB | "
                "stream-dedupe --by path,user --within 1m --summary 10s --memory 128KiB | stream-time reorder --lateness 2m --memory 64KiB --late drop | "
                "stream-log append spilled")
    logs = ("spilled",)

    def prepare(self, folder):
        sh(folder, f"stream-log create in --segment 2MB; stream-gen web --events {EVENTS} --seed 14 --duplicates 5% --disorder 5% | stream-log append in")


class Tee(Case):
    name = "tee into two logs"
    pipeline = "stream-cat in --pace PACE | tee >(stream-filter '.status >= 400' | stream-log append errors) | stream-window session 10s --by user count | stream-log append sessions"
    options = ("--sinks", "2")
    logs = ("errors", "sessions")

    def prepare(self, folder):
        sh(folder, f"stream-gen web --events {EVENTS} --seed 11 | stream-log append in")


class Rotated(Case):
    name = "followed file that rotates, window, log"
    until_drained = True
    pipeline = "stream-cat -f app.ndjson | stream-window tumbling 10s --by status count | stream-log append totals"
    logs = ("totals",)

    def prepare(self, folder):
        sh(folder, f"stream-gen web --events {EVENTS // 2} --seed 12 > all; split -n l/{STEPS} -d all piece.; : > app.ndjson")
        self.step = 0

    def meanwhile(self, folder, chance):
        if self.step >= STEPS:
            return False
        with open(os.path.join(folder, f"piece.{self.step:02}"), "rb") as piece, open(os.path.join(folder, "app.ndjson"), "ab") as to:
            to.write(piece.read())
        self.step += 1
        # Before the first commit the run knows of no file but the one that bears the name.
        if chance.random() < 0.4 and self.step < STEPS and os.path.exists(os.path.join(folder, "run", "commit")):
            number = self.step
            os.rename(os.path.join(folder, "app.ndjson"), os.path.join(folder, f"app.ndjson.{number}"))
            with open(os.path.join(folder, "app.ndjson"), "wb"):
                pass
            if chance.random() < 0.5:
                sh(folder, f"gzip app.ndjson.{number}")
        return True

    def undisturbed(self, folder):
        """One run over the whole, drained."""
        shutil.copy(os.path.join(folder, "all"), os.path.join(folder, "app.ndjson"))


class Sources(Case):
    name = "partitions of a log merged, joined with a followed CSV, log"
    pipeline = ("stream-log read in --merge --envelope --to 16000 | stream-map '{ts, id, user, offset}' | "
                "stream-join <(stream-cat -f --format csv --time ts rows.csv --on-gap skip) --on id --within 3s | stream-log append both")
    logs = ("both",)
    until_drained = True

    def prepare(self, folder):
        sh(folder, "stream-log create in --partitions 3 --by user --segment 1MB; "
                   f"stream-gen web --events {EVENTS} --seed 13 | tee web | stream-log append in; "
                   "jq -r '[.ts, .id, .path] | @csv' web | sed '1i ts,id,path' > all; "
                   f"split -n l/{STEPS} -d all piece.; cp piece.00 rows.csv")
        self.step = 1

    def meanwhile(self, folder, chance):
        if self.step >= STEPS:
            return False
        with open(os.path.join(folder, f"piece.{self.step:02}"), "rb") as piece, open(os.path.join(folder, "rows.csv"), "ab") as to:
            to.write(piece.read())
        self.step += 1
        return True

    def undisturbed(self, folder):
        shutil.copy(os.path.join(folder, "all"), os.path.join(folder, "rows.csv"))


CASES = [Sources, Windows, Spilled, Partitioned, Join, Late, Merge, Tee, Rotated]


def members(folder):
    """The run's processes: by their environment."""
    wanted = f"STREAM_RUN={folder}".encode()
    found = []
    for pid in os.listdir("/proc"):
        if not pid.isdigit():
            continue
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if wanted in file.read().split(b"\0"):
                    found.append(int(pid))
        except OSError:
            pass
    return found


def send(pid, number):
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


class Disturbed:
    def __init__(self, case, folder, seed, kills):
        self.case, self.folder, self.kills = case, folder, kills
        self.chance = random.Random(seed)
        self.run_folder = os.path.realpath(os.path.join(folder, "run"))
        # So that there is time for the kills: about a tenth of a second each.
        self.pace = f"{EVENTS / 100 / (0.12 * kills + 0.5):.0f}x"
        self.killed = 0
        self.starts = 0
        self.said = []

    def start(self, *more):
        self.starts += 1
        self.errors = open(os.path.join(self.folder, "stderr"), "ab")
        return Process([tool("stream-run"), "run", "--every", "50ms", "--restart", "1000000", *self.case.options, *(["--output", "out"] if self.case.output else []),
                        *more, "-c", self.case.pipeline.replace("PACE", self.pace)], cwd=self.folder, stdout=self.errors, stderr=self.errors, stdin=subprocess.DEVNULL,
                       env={**os.environ, "PATH": BIN + os.pathsep + os.environ["PATH"]})

    def disturb(self, process):
        victims = members(self.run_folder)
        itself = self.chance.random() < 0.15
        if not itself and not victims:
            return
        victim = process.pid if itself else self.chance.choice(victims)
        what = self.chance.random()
        if what < 0.7:
            self.killed += send(victim, signal.SIGKILL)
        elif what < 0.85:
            self.killed += send(victim, signal.SIGTERM)
        else:
            if send(victim, signal.SIGSTOP):
                self.killed += 1
                time.sleep(self.chance.random() * 0.1)
                send(victim, signal.SIGCONT)

    def go(self):
        deadline = time.monotonic() + 600
        process = self.start()
        while True:
            need(time.monotonic() < deadline, f"not finished after ten minutes; {self.killed} kills, {self.starts} starts")
            time.sleep(self.chance.random() * 0.12)
            more = self.case.meanwhile(self.folder, self.chance) if self.chance.random() < 0.5 else True
            status = process.poll()
            if status is None:
                if self.killed < self.kills:
                    self.disturb(process)
                elif self.case.until_drained and not more:
                    send(process.pid, signal.SIGTERM)  # all is written: let it end, and drain
                    process.wait()
                    process = self.start("--drain")
                    process.wait(300)
                continue
            if status == 0:
                return
            need(status in (-signal.SIGKILL, -signal.SIGTERM, 143, 137, 3, 4), f"stream-run ended with {status}")
            process = self.start(*(["--drain"] if self.case.until_drained and self.killed >= self.kills and self.case.step >= STEPS else []))


def play(case_class, base, seed, kills, keep):
    case = case_class()
    folder = os.path.join(base, case_class.__name__)
    os.makedirs(folder)
    os.makedirs(os.path.join(folder, "calm"))
    calm = os.path.join(folder, "calm")
    case.prepare(folder)
    # One undisturbed run, of the same inputs.
    quiet = case_class()
    quiet.prepare(calm)
    quiet.undisturbed(calm)
    quiet.make_sinks(calm)
    ending = "--drain " if case_class.until_drained else ""
    pipeline = case.pipeline.replace("PACE", "max")
    sh(calm, f"stream-run run {ending}{' '.join(case.options)} {'--output out' if case.output else ''} -c '{pipeline.replace(chr(39), chr(39) + chr(92) + chr(39) + chr(39))}'")
    wanted = quiet.results(calm)
    need(any(wanted.values()), "the undisturbed run gave nothing")
    case.make_sinks(folder)
    run = Disturbed(case, folder, seed, kills)
    run.go()
    found = case.results(folder)
    for name, bytes_ in wanted.items():
        if found.get(name) != bytes_:
            for where, what in (("wanted", bytes_), ("found", found.get(name, b""))):
                with open(os.path.join(folder, f"{where}.{name}"), "wb") as file:
                    file.write(what)
            theirs, ours = bytes_.splitlines(), found.get(name, b"").splitlines()
            at = next((i for i, (a, b) in enumerate(zip(theirs, ours)) if a != b), min(len(theirs), len(ours)))
            raise Violation(f"{name} differs at line {at + 1} of {len(theirs)} (here {len(ours)}), after {run.killed} kills and {run.starts} starts; seed {seed}")
    return run


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--kills", type=int)
    parser.add_argument("--only")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--long", action="store_true", default=LONG)
    args = parser.parse_args()
    cases = [case for case in CASES if args.only is None or args.only in case.__name__]
    kills = args.kills or (10_000 if args.long else 300)
    if not os.access(tool("stream-run"), os.X_OK):
        print(f"not ok 1 - there is no {tool('stream-run')}")
        return 1
    print(f"# seed {args.seed}")
    tap = Tap()
    base = new_folder("run-chaos-")
    chance = random.Random(args.seed)
    each = -(-kills // len(cases))
    lock = threading.Lock()
    work = [(case, chance.randrange(10**9)) for case in cases]

    def worker():
        while True:
            with lock:
                if not work:
                    return
                case, seed = work.pop(0)
            began = time.monotonic()
            try:
                run = play(case, base, seed, each, args.keep)
                with lock:
                    tap.report(True, f"{case.name}: {run.killed} kills, {run.starts} starts of the run, the same bytes ({time.monotonic() - began:.0f} s)")
            except Violation as broken:
                folder = os.path.join(base, case.__name__)
                said = ""
                if os.path.exists(os.path.join(folder, "stderr")):
                    with open(os.path.join(folder, "stderr"), encoding="utf-8", errors="replace") as file:
                        said = "".join(file.readlines()[-12:])
                with lock:
                    tap.report(False, f"{case.name} (seed {seed})", [str(broken), said])
                if args.keep:
                    subprocess.run(["cp", "-a", folder, f"/tmp/run-chaos-{case.__name__}"], check=False, stderr=subprocess.DEVNULL)

    try:
        threads = [threading.Thread(target=worker) for _ in range(2)]  # two pipelines at a time
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        clean_up()
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
