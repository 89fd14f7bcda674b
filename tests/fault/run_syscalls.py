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
import os
import random
import subprocess
import sys
import threading
import time

from log_support import BIN, LONG, Tap, Violation, clean_up, need, new_folder, remove_folder
from run_scenes import SCENES, SHIM, Trial, make_input

KILLS = ("before", "after", "twice")
WRITES = ("write", "pwrite", "writev")
SAYS = {"EIO": "Input/output error", "ENOSPC": "No space left on device", "full": "No space left on device"}


def kinds_of(call):
    """What can go wrong in a call of that name."""
    kinds = [*KILLS, "EIO"]
    if call in WRITES:
        kinds += ["torn", "short", "ENOSPC", "full"]
    elif call in ("create", "mkdir", "bind", "fallocate", "link"):
        kinds += ["ENOSPC", "full"]
    elif call in ("fsync", "fdatasync", "rename", "close"):
        kinds += ["ENOSPC"]
    return kinds


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
            if scene.resets and not calm.is_reset(number):
                self.calls.append({})
                continue
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


def check_broken_off(trial, played, number, at, kind, status, err, mark, say):
    """What stands there behind a start that went wrong, and what it said."""
    before, after = played.wanted[number], played.wanted[number + 1]
    with open(mark, encoding="utf-8") as file:
        call = file.read()  # the one that it was: with many epochs and threads not always the one that was counted
    epoch, _ = trial.commit()
    found = trial.visible()
    if trial.scene.goes_on:
        for name, what in found.items():
            need(is_part(what, after[name]), f"{name} is no part of what it shows in the end")
        epoch = number + 1 if status == 0 else -1
    elif trial.is_reset(number):
        need(epoch in (0, number), f"epoch {epoch} is committed, in a reset")
        epoch = number + 1 if status == 0 else number
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
        need(kind == "short" or "sync" not in call, "exit 0, though a sync failed")
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
        said = (f"{trial.scene.tool} was killed", "lost its reader", "ended before its first control line", "ended before its epoch was complete")
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
                check_broken_off(trial, played, start, at, kind, status, err, mark, say)
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
                    check_broken_off(trial, played, start, again, kind, status, err, second, say)
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
                cases = cases[:len(cases) // 4]  # the next time it may be fewer
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
            if reached:
                result["kinds"][kind] = result["kinds"].get(kind, 0) + 1
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
        campaign = Campaign(args, base, make_input(args.seed))
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
