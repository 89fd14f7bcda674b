#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kill stream-log on entering each of its state-changing system calls, start it again, and see whether its
promises hold: what was acknowledged is there, what is there is a prefix of what was appended, positions
stay, excised bytes are gone, verify finds no damage, and nothing but the same command is needed.

A scenario is run once under strace, which counts the calls; then once for each call, which is killed there.
Two deep: the restart is killed too.

  log_kill.py [--seed N] [--points N] [--long]        all scenarios
  log_kill.py --seed N --scenario NAME --at pwrite64#3,fsync#1     one, to look at
"""

import argparse
import concurrent.futures
import os
import random
import shutil
import sys
import threading
import time

import log_scenarios
from log_strace import calls_in, inject_prefix, need_strace, strace_prefix
from log_support import LONG, Tap, Violation, clean_up, need_tool, new_folder, remove_folder, restore, undone


class Tried:
    def __init__(self):
        self.points = 0
        self.two_deep = 0
        self.not_reached = 0
        self.failures = []
        self.lock = threading.Lock()


class Trial:
    """A scenario in a folder of its own, from its start to each of its kills."""

    def __init__(self, kind, folder, seed):
        self.scenario = kind(os.path.join(folder, "work"), seed)
        self.kind = kind
        self.seed = seed
        self.work = os.path.join(folder, "work")
        self.saved = os.path.join(folder, "start")
        self.second = os.path.join(folder, "second")
        self.trace = os.path.join(folder, "trace")
        os.makedirs(self.work)
        self.scenario.start()
        shutil.copytree(self.work, self.saved, symlinks=True)
        self.known = self.scenario.remember()

    def rewind(self):
        restore(self.saved, self.work)
        self.scenario.recall(self.known)

    def count(self, every_call=False):
        """The calls of an undisturbed run."""
        status = self.scenario.act(strace_prefix(self.trace, self.scenario.follow, every_call))
        if status != 0:
            raise Violation(f"undisturbed, but under strace: status {status}: {self.scenario.message}")
        return calls_in(self.trace, self.scenario.log if every_call else None)

    def kill(self, name, number):
        """Whether it came to that."""
        return self.scenario.act(inject_prefix(name, f"signal=KILL:when={number}", self.scenario.follow)) == 137

    def at(self, points, tried):
        self.rewind()
        try:
            for depth, (name, number) in enumerate(points):
                if not self.kill(name, number):
                    with tried.lock:
                        tried.not_reached += 1
                    break
                self.scenario.after_kill()
                if depth == len(points) - 1:  # of two the first was one of its own
                    with tried.lock:
                        tried.points += 1
                        tried.two_deep += depth > 0
            self.scenario.finish()
        except Violation as broken:
            where = ",".join(f"{name}#{number}" for name, number in points)
            with tried.lock:
                tried.failures.append(f"log_kill.py --seed {self.seed} --scenario {self.kind.name} --at {where}: {broken}")

    def second_calls(self, name, number):
        """The calls of a restart after a kill there."""
        self.rewind()
        if not self.kill(name, number):
            return []
        return self.count(self.scenario.every_call)


def campaign(kind, folder, seed, budget, deep, tried):
    """budget: how many points, 0 for all; deep: how many restarts are killed at each of their calls."""
    os.makedirs(folder)
    chance = random.Random(f"{seed} {kind.name}")
    try:
        trial = Trial(kind, folder, seed)
        calls = [(call.name, call.number) for call in trial.count(kind.every_call)]
        trial.scenario.finish()
    except Violation as broken:
        with tried.lock:
            tried.failures.append(f"{kind.name} --seed {seed}: {broken}")
        return 0
    singles = calls if not budget else chance.sample(calls, min(len(calls), max(1, budget - 2)))
    for point in singles:
        trial.at([point], tried)
    if budget:
        for _ in range(2):
            trial.at([chance.choice(calls), chance.choice(calls[:max(4, len(calls) // 2)])], tried)
    for first in chance.sample(calls, min(deep, len(calls))):
        try:
            seconds = [(call.name, call.number) for call in trial.second_calls(*first)]
        except Violation as broken:
            with tried.lock:
                tried.failures.append(f"log_kill.py --seed {seed} --scenario {kind.name} --at {first[0]}#{first[1]}: {broken}")
            continue
        for second in seconds:
            trial.at([first, second], tried)
    if not tried.failures:
        remove_folder(folder)
    return len(calls)


def run_all(args, base, tap):
    """Each scenario is a test; with --long, seed after seed until there are enough points."""
    seed = args.seed
    total = Tried()
    begun = time.monotonic()
    while True:
        results = [Tried() for _ in log_scenarios.ALL]
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            waiting = [pool.submit(campaign, kind, os.path.join(base, f"{seed}-{kind.name}"), seed,
                                   0 if args.long else max(4, 1 - -args.points // len(log_scenarios.ALL)), 3 if args.long else 0, tried)
                       for kind, tried in zip(log_scenarios.ALL, results)]
            for kind, tried, future in zip(log_scenarios.ALL, results, waiting):
                calls = future.result()
                tap.report(not tried.failures and tried.points > 0,
                           f"{kind.name}: {kind.__doc__} (seed {seed}): killed at {tried.points} points, {tried.two_deep} of them two deep, of {calls} calls",
                           tried.failures[:5])
                total.points += tried.points
                total.two_deep += tried.two_deep
                total.not_reached += tried.not_reached
        if not args.long or total.points >= args.points or tap.failed:
            break
        seed += 1
    print(f"# {total.points} points ({total.two_deep} two deep, {total.not_reached} not reached), "
          f"seeds {args.seed} to {seed}, {time.monotonic() - begun:.0f} s")
    if args.long:
        tap.report(total.points >= args.points, f"{total.points} points of at least {args.points}")


def run_one(args, base, tap):
    kind = next((kind for kind in log_scenarios.ALL if kind.name == args.scenario), None)
    if kind is None:
        sys.exit("scenarios: " + " ".join(kind.name for kind in log_scenarios.ALL))
    tried = Tried()
    try:
        trial = Trial(kind, os.path.join(base, kind.name), args.seed)
        if not args.at:
            for call in trial.count(kind.every_call):
                print(f"# {call} {call.text}")
            trial.scenario.finish()
            return tap.report(True, f"{kind.name}, undisturbed")
    except Violation as broken:
        return tap.report(False, f"{kind.name}, undisturbed", [str(broken)])
    trial.at([(name, int(number)) for name, number in (point.split("#") for point in args.at.split(","))], tried)
    return tap.report(not tried.failures and not tried.not_reached, f"{kind.name} at {args.at}: {tried.points} reached", tried.failures)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--points", type=int)
    parser.add_argument("--scenario")
    parser.add_argument("--at", help="CALL#N,…; without it the calls are listed")
    parser.add_argument("--long", action="store_true", default=LONG)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    args.points = args.points or (2000 if args.long else 200)
    need_tool()
    need_strace()
    print(f"# seed {args.seed}")
    tap = Tap()
    base = new_folder("log-kill-")
    try:
        (run_one if args.scenario else run_all)(args, base, tap)
    finally:
        if args.keep:
            print(f"# kept: {base}")
            undone.clear()
        clean_up()
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
