#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One call that changes the file system goes wrong in one process of a run: it is killed before, after or in the middle
of it, or the call fails (EIO, ENOSPC, a disk that stays full, half of a write); `twice`: the restart is killed too. What is visible then is what the commit
covers, the message is honest, and after a start without the fault everything is as if there had been none.

A pipeline is run three times over an input that grows: --once, --once, --drain. A scene is such a pipeline and the
process whose calls go wrong; they are counted first, in each of the three (tests/fault/inject.cpp). One scene is a single
run of many epochs, whose calls are not the same ones each time.

  run_syscalls.py [--seed N] [--cases N] [--long]
  run_syscalls.py --seed N --scene NAME --start 0..2 --at K --kind KIND [--keep]     one, to look at
  run_syscalls.py --scene NAME --list                                                its calls
"""

import argparse
import fcntl
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time

from log_support import BIN, LONG, Process, Tap, Violation, clean_up, kill_session, need, new_folder, remove_folder

EVENTS = 1500
STARTS = 3
SHIM = os.environ.get("STREAM_INJECT", os.path.join(os.path.dirname(BIN), "tests", "inject.so"))
KILLS = ("before", "after", "twice")
WRITES = ("write", "pwrite", "writev")
SAYS = {"EIO": "Input/output error", "ENOSPC": "No space left on device", "full": "No space left on device"}


def kinds_of(call):
    """What can go wrong in a call of that name."""
    kinds = [*KILLS, "EIO"]
    if call in WRITES:
        kinds += ["torn", "short", "ENOSPC", "full"]
    elif call in ("create", "mkdir", "bind", "fallocate"):
        kinds += ["ENOSPC", "full"]
    elif call in ("fsync", "fdatasync", "rename", "close"):
        kinds += ["ENOSPC"]
    return kinds


class Scene:
    """A pipeline, and the process of it whose calls go wrong."""

    name = ""
    pipeline = ""
    tool = ""           # its program
    word = ""           # among its arguments
    options = ()
    logs = ()           # what it appends to
    create = ""         # options of stream-log create
    files = ()          # what else it writes
    to_stdout = False   # stream-run's stdout is `out`
    goes_on = False     # one run of many epochs, not three of one


class Output(Scene):
    name = "stream-run --output"
    pipeline = "stream-cat in | stream-filter '.status < 500'"
    tool = "stream-run"
    options = ("--output", "out")
    files = ("out",)


class Stdout(Scene):
    name = "stream-run >> FILE"
    pipeline = "stream-cat in | stream-window tumbling 2s --by path count --late drop"
    tool = "stream-run"
    files = ("out",)
    to_stdout = True


class Log(Scene):
    name = "stream-log append"
    pipeline = "stream-cat in | stream-window tumbling 2s --by path count --late drop | stream-log append totals"
    tool = "stream-log"
    word = "append"
    logs = ("totals",)


class Partitioned(Scene):
    name = "stream-log append to partitions, by key"
    pipeline = "stream-cat in | stream-map '{ts, id, user, path}' | stream-log append parts --idempotency-key id --within 1h"
    tool = "stream-log"
    word = "append"
    create = "--partitions 3 --by user --segment 64KiB"
    logs = ("parts",)


class Late(Scene):
    name = "stream-window --late FILE"
    pipeline = "stream-cat in | stream-window tumbling 2s --by path count p50:latency_ms --lateness 1s --late late | stream-log append totals"
    tool = "stream-window"
    logs = ("totals",)
    files = ("late",)


class Bad(Scene):
    name = "stream-cat --bad FILE"
    pipeline = "stream-cat in --bad bad | stream-window tumbling 2s --by path count --late drop"
    tool = "stream-cat"
    options = ("--output", "out")
    files = ("bad", "out")


class State(Scene):
    name = "stream-dedupe's state"
    pipeline = "stream-cat in | stream-dedupe --by id | stream-log append once"
    tool = "stream-dedupe"
    logs = ("once",)


class Commits(Scene):
    name = "stream-run, with states and sinks of its tools"
    pipeline = "stream-cat in --bad bad | stream-dedupe --by id | stream-window tumbling 2s --by path count --lateness 1s --late late | stream-log append totals"
    tool = "stream-run"
    logs = ("totals",)
    files = ("bad", "late")


class Epochs(Scene):
    name = "stream-log append, epoch after epoch"
    pipeline = "stream-cat in --pace 60x | stream-dedupe --by id | stream-window tumbling 1s --by status count --lateness 1s --late late | stream-log append totals"
    tool = "stream-log"
    word = "append"
    options = ("--every", "5ms")
    logs = ("totals",)
    files = ("late",)
    goes_on = True


class EpochsOfRun(Scene):
    name = "stream-run, epoch after epoch"
    pipeline = "stream-cat in --pace 60x | stream-dedupe --by id | stream-window tumbling 1s --by status count --late drop"
    tool = "stream-run"
    options = ("--every", "5ms", "--output", "out")
    files = ("out",)
    goes_on = True


SCENES = (Output, Stdout, Log, Partitioned, Late, Bad, State, Commits, Epochs, EpochsOfRun)


def make_input(folder, seed):
    """The three pieces of what is read, all of them with late, repeated and bad lines."""
    made = subprocess.run([os.path.join(BIN, "stream-gen"), "web", "--events", str(EVENTS), "--seed", str(seed), "--duplicates", "2%", "--disorder", "2%",
                           "--disorder-max", "8s"], stdout=subprocess.PIPE, check=True).stdout.splitlines(keepends=True)
    lines = []
    for number, line in enumerate(made):
        if number % 97 == 0:
            lines.append(b"no event %d\n" % number)
        lines.append(line)
    each = -(-len(lines) // STARTS)
    return [b"".join(lines[at:at + each]) for at in range(0, len(lines), each)]


class Trial:
    """A scene in a folder of its own."""

    def __init__(self, scene, folder, pieces):
        self.scene, self.folder, self.pieces = scene, folder, pieces
        self.run_folder = os.path.join(folder, "run")
        os.makedirs(folder)
        if "--bad" not in scene.pipeline:
            self.pieces = [b"".join(line for line in piece.splitlines(keepends=True) if not line.startswith(b"no")) for piece in pieces]
        if scene.goes_on:
            self.pieces = [b"".join(self.pieces)]
        for log in scene.logs:
            self.sh(["stream-log", "create", log, *scene.create.split()])

    def sh(self, command, check=True):
        done = subprocess.run([os.path.join(BIN, command[0]), *command[1:]], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)
        if check:
            need(done.returncode == 0, f"{' '.join(command)}: status {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def grow(self, number):
        with open(os.path.join(self.folder, "in"), "ab") as file:
            file.write(self.pieces[number])

    def start(self, number, inject=None, restart="5"):
        """One stream-run. Its status and stderr."""
        env = {**os.environ, "PATH": BIN + os.pathsep + os.environ["PATH"]}
        for name in ("STREAM_CONTROL", "STREAM_KEY", "STREAM_RUN"):
            env.pop(name, None)
        if inject:
            env.update(LD_PRELOAD=SHIM, STREAM_INJECT_TOOL=self.scene.tool, STREAM_INJECT_WITH=self.scene.word, **inject)
        out = open(os.path.join(self.folder, "out"), "ab") if self.scene.to_stdout else subprocess.DEVNULL
        how = [] if self.scene.goes_on else ["--once"] if number < STARTS - 1 else ["--drain"]
        command = [os.path.join(BIN, "stream-run"), "run", *how, "--restart", restart, *self.scene.options, "-c", self.scene.pipeline]
        try:
            with Process(command, cwd=self.folder, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE) as process:
                try:
                    _, err = process.communicate(timeout=60)
                except subprocess.TimeoutExpired:
                    kill_session(process)
                    process.communicate()
                    raise Violation("stream-run hung for 60 s") from None
                return process.returncode, err.decode(errors="replace")
        finally:
            if self.scene.to_stdout:
                out.close()

    def wait_for_its_processes(self):
        """Nobody of a killed run is left."""
        try:
            with open(os.path.join(self.run_folder, "attempt.lock"), "rb") as lock:
                end = time.monotonic() + 10
                while True:
                    try:
                        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        return
                    except BlockingIOError:
                        need(time.monotonic() < end, "processes of a killed run are left after 10 s")
                        time.sleep(0.002)
        except FileNotFoundError:
            pass

    def commit(self):
        """Its epoch, and the state files it names."""
        try:
            with open(os.path.join(self.run_folder, "commit"), encoding="utf-8") as file:
                lines = [json.loads(line) for line in file]
        except FileNotFoundError:
            return 0, set()
        return lines[0]["epoch"], {line["file"] for line in lines if line["m"] == "state" and line.get("file")}

    def visible(self):
        """Of each log the lines by partition, of each file its bytes."""
        found = {}
        for log in self.scene.logs:
            partitions = len(self.sh(["stream-log", "info", log]).splitlines())
            found[log] = [self.sh(["stream-log", "read", log, "--partitions", str(number)]) for number in range(partitions)]
        for name in self.scene.files:
            try:
                with open(os.path.join(self.folder, name), "rb") as file:
                    found[name] = file.read()
            except FileNotFoundError:
                found[name] = b""
        return found

    def check_leftovers(self):
        _, states = self.commit()
        left = set(os.listdir(os.path.join(self.run_folder, "state"))) - states
        missing = states - set(os.listdir(os.path.join(self.run_folder, "state")))
        need(not left and not missing, f"state/: {sorted(left)} are left, {sorted(missing)} are missing")
        staged = os.listdir(os.path.join(self.run_folder, "staged"))
        need(not staged, f"staged/: {staged} are left")
        known = {"run.json", "commit", "state", "staged", "run.lock", "attempt.lock", "run.sock"}
        left = set(os.listdir(self.run_folder)) - known
        need(not left, f"the run's folder: {sorted(left)} are left")


class Played:
    """What an undisturbed run of the scene shows after each start, and which calls it makes."""

    def __init__(self, scene, base, pieces):
        self.scene = scene
        calm = Trial(scene, os.path.join(base, "calm"), pieces)
        self.wanted = [calm.visible()]
        self.calls = []
        for number in range(len(calm.pieces)):
            calm.grow(number)
            count = os.path.join(base, f"calls.{number}")
            status, err = calm.start(number, {"STREAM_INJECT_KIND": "count", "STREAM_INJECT_MARK": count})
            need(status == 0, f"{scene.name}, undisturbed: status {status}: {err}")
            calm.check_leftovers()
            self.wanted.append(calm.visible())
            with open(count, encoding="utf-8") as file:
                # Those of a tool that the shell started twice have one number.
                self.calls.append(dict(line.split(" ", 1) for line in file.read().splitlines()))
        need(all(any(part) for part in self.wanted[-1].values()), f"{scene.name}, undisturbed: a sink got nothing")

    def cases(self):
        for number, calls in enumerate(self.calls):
            for at, call in calls.items():
                for kind in kinds_of(call.split(" ")[0]):
                    yield number, at, kind


def is_part(what, whole):
    """Of a file its first bytes, of a log the first lines of each partition."""
    if isinstance(what, bytes):
        return whole.startswith(what)
    return len(what) == len(whole) and all(is_part(one, all_of_it) for one, all_of_it in zip(what, whole))


def check_broken_off(trial, played, number, at, kind, status, err, say):
    """What stands there behind a start that went wrong, and what it said."""
    before, after = played.wanted[number], played.wanted[number + 1]
    epoch, _ = trial.commit()
    found = trial.visible()
    if trial.scene.goes_on:
        for name, what in found.items():
            need(is_part(what, after[name]), f"{name} is no part of what it shows in the end")
        epoch = number + 1 if status == 0 else -1
    else:
        need(epoch in (number, number + 1), f"epoch {epoch} is committed, in start {number}")
    for name, what in found.items():
        if trial.scene.goes_on:
            continue
        if epoch == number:
            need(what == before[name], f"{name} shows what nobody committed")
        elif isinstance(what, bytes):
            need(after[name].startswith(what) and len(what) >= len(before[name]), f"{name} is no part of what is committed")
        else:
            need(what in (before[name], after[name]), f"{name} shows a part of an epoch")
    if status == 0:
        need(found == after and epoch == number + 1, "exit 0, and not all is there")
        need(kind not in (*KILLS, "torn"), "exit 0, though it was killed")
        need(kind == "short" or "sync" not in played.calls[number].get(at, "").split(" ")[0], "exit 0, though a sync failed")
        return
    say.append(f"status {status}: {err.strip()}")
    if kind in SAYS:
        need(status == 4, f"status {status}, not 4: {err.strip()}")
        need(SAYS[kind] in err, f"the message does not say {SAYS[kind]!r}: {err.strip()}")
    elif kind == "short":
        raise Violation(f"half of a write is not finished: status {status}: {err.strip()}")
    elif at.startswith("c") or status == 137:
        # Its shell, or, where the others had nothing more to do, one before it took part.
        need(status == 137 and "the pipeline was killed by signal 9" in err, f"status {status}: {err.strip()}")
    elif trial.scene.tool == "stream-run":
        need(status == -9, f"status {status}, not killed: {err.strip()}")
    else:
        # One that was killed before it took part is known by what its neighbours lost.
        said = (f"{trial.scene.tool} was killed", "lost its reader", "ended before its first control line")
        need(status == 3 and any(text in err for text in said), f"status {status}: {err.strip()}")


def disturb(played, folder, pieces, case):
    """One case. Whether it came to that; what was said."""
    number, at, kind = case
    say = []
    trial = Trial(played.scene, folder, pieces)
    mark = os.path.join(folder, "mark")
    for start in range(len(trial.pieces)):
        trial.grow(start)
        if start == number:
            # In some the run restarts by itself; where it is given up, one can look what it left.
            heals = "5" if kind not in ("full", "twice") and int(at.lstrip("c")) % 8 == 3 else "0"
            status, err = trial.start(start, {"STREAM_INJECT_KIND": "before" if kind == "twice" else kind, "STREAM_INJECT_AT": at, "STREAM_INJECT_MARK": mark}, heals)
            if not os.path.exists(mark):
                return False, say
            trial.wait_for_its_processes()
            if heals == "0" or status != 0:
                check_broken_off(trial, played, start, at, kind, status, err, say)
            if status == 0:
                need(trial.visible() == played.wanted[start + 1], "exit 0, and not all is there")
                continue
            if kind == "twice":
                # At any call of the restart, which makes up to as many.
                again = str(1 + (int(at.lstrip("c")) * 7 + start) % len(played.calls[start]))
                second = os.path.join(folder, "second")
                status, err = trial.start(start, {"STREAM_INJECT_KIND": "before", "STREAM_INJECT_AT": again, "STREAM_INJECT_MARK": second}, "0")
                trial.wait_for_its_processes()
                if os.path.exists(second):
                    check_broken_off(trial, played, start, again, kind, status, err, say)
        status, err = trial.start(start)
        need(status == 0, f"start {start}, after the fault: status {status}: {err.strip()}")
        found = trial.visible()
        for name, what in played.wanted[start + 1].items():
            need(found[name] == what, f"{name} is not as undisturbed after start {start}")
        trial.check_leftovers()
    for log in trial.scene.logs:
        trial.sh(["stream-log", "verify", log])
    return True, say


class Campaign:
    def __init__(self, args, base, pieces):
        self.args, self.base, self.pieces = args, base, pieces
        self.lock = threading.Lock()
        self.results = {}

    def prepare(self, scenes):
        self.played = []
        for scene in scenes:
            folder = os.path.join(self.base, scene.__name__)
            os.makedirs(folder)
            self.played.append(Played(scene, folder, self.pieces))
            self.results[scene] = {"tried": 0, "not_reached": 0, "failures": [], "kinds": {}}

    def choose(self, chance):
        if self.args.at:
            return [(played, (self.args.start, self.args.at, self.args.kind)) for played in self.played]
        every = [(played, list(played.cases())) for played in self.played]
        if self.args.long:
            return [(played, case) for played, cases in every for case in cases]
        chosen = []
        for number, (played, cases) in enumerate(every):
            share = self.args.cases * (number + 1) // len(every) - self.args.cases * number // len(every)
            # Each kind of fault in turn, as far as they go.
            by_kind = {}
            if played.scene.goes_on:
                cases = cases[:len(cases) // 2]  # the next time it may be fewer
            for case in cases:
                by_kind.setdefault(case[2], []).append(case)
            turns = [by_kind[kind] for kind in by_kind]
            chance.shuffle(turns)
            for turn in range(share):
                chosen.append((played, chance.choice(turns[turn % len(turns)])))
        return chosen

    def play(self, played, case, where):
        number, at, kind = case
        result = self.results[played.scene]
        folder = os.path.join(self.base, f"case-{where}")
        failure = None
        reached = True
        try:
            reached, said = disturb(played, folder, self.pieces, case)
            if self.args.at:
                for line in said:
                    print("# " + line.replace("\n", "\n# "))
        except Violation as broken:
            call = played.calls[number].get(at, "?")
            failure = (f"run_syscalls.py --seed {self.args.seed} --scene {played.scene.__name__} --start {number} --at {at} --kind {kind}   ({call}): {broken}")
        with self.lock:
            result["tried"] += reached
            result["not_reached"] += not reached
            result["kinds"][kind] = result["kinds"].get(kind, 0) + reached
            if failure:
                print("# " + failure.split("\n", maxsplit=1)[0], file=sys.stderr, flush=True)
                result["failures"].append(failure)
        if failure and self.args.keep:
            subprocess.run(["cp", "-a", folder, "/tmp/run-syscalls-" + played.scene.__name__], check=False, stderr=subprocess.DEVNULL)
        remove_folder(folder)

    def go(self, work):
        numbers = iter(list(enumerate(work)))

        def worker():
            while True:
                with self.lock:
                    got = next(numbers, None)
                if got is None:
                    return
                self.play(got[1][0], got[1][1], got[0])

        threads = [threading.Thread(target=worker) for _ in range(self.args.jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--scene")
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--at")
    parser.add_argument("--kind", default="before")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--long", action="store_true", default=LONG)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    for what in (os.path.join(BIN, "stream-run"), SHIM):
        if not os.access(what, os.X_OK):
            print(f"not ok 1 - there is no {what}")
            return 1
    scenes = [scene for scene in SCENES if args.scene is None or args.scene == scene.__name__]
    print(f"# seed {args.seed}")
    tap = Tap()
    began = time.monotonic()
    base = new_folder("run-syscalls-")
    try:
        campaign = Campaign(args, base, make_input(base, args.seed))
        try:
            campaign.prepare(scenes)
        except Violation as broken:
            tap.report(False, "undisturbed", [str(broken)])
            return tap.end()
        if args.list:
            for played in campaign.played:
                for number, calls in enumerate(played.calls):
                    for at, call in calls.items():
                        print(f"# {played.scene.__name__} --start {number} --at {at}: {call}")
            return 0
        campaign.go(campaign.choose(random.Random(args.seed)))
        for played in campaign.played:
            result = campaign.results[played.scene]
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(result["kinds"].items()))
            calls = sum(len(calls) for calls in played.calls)
            tap.report(not result["failures"] and result["tried"] > 0,
                       f"{played.scene.name}: {result['tried']} faults ({kinds}) at its {calls} calls in {len(played.calls)} starts, {result['not_reached']} not reached",
                       result["failures"][:12] if not args.long else result["failures"])
        print(f"# {sum(result['tried'] for result in campaign.results.values())} faults, {time.monotonic() - began:.0f} s")
    finally:
        clean_up()
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
