# SPDX-License-Identifier: Apache-2.0
"""The pipelines of run_syscalls.py, and one of them in a folder of its own."""

import fcntl
import json
import os
import subprocess
import time

from log_support import BIN, Process, Violation, kill_session, need

EVENTS = 1500
STARTS = 3
SHIM = os.environ.get("STREAM_INJECT", os.path.join(os.path.dirname(BIN), "tests", "inject.so"))


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
    resets = False      # between the last two of them, and that is what goes wrong


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


class Spilled(Scene):
    name = "stream-time's state, on disk past its memory"
    pipeline = ("stream-cat in --pace 120x | stream-dedupe --by user --within 3s --summary 1s --late drop --memory 128KiB | "
                "stream-time reorder --lateness 8s --late drop --memory 1KiB | stream-log append once")
    tool = "stream-time"
    options = ("--every", "5ms")
    logs = ("once",)
    goes_on = True


class SpilledCopies(Spilled):
    name = "stream-dedupe's state, on disk past its memory"
    tool = "stream-dedupe"


class Commits(Scene):
    name = "stream-run, with states and sinks of its tools"
    pipeline = "stream-cat in --bad bad | stream-dedupe --by id | stream-window tumbling 2s --by path count --lateness 1s --late late | stream-log append totals"
    tool = "stream-run"
    logs = ("totals",)
    files = ("bad", "late")


class Tee(Scene):
    name = "stream-log append, one of two by tee"
    pipeline = "stream-cat in | tee >(stream-filter '.status >= 400' | stream-log append errors) | stream-window tumbling 2s --by path count --late drop | stream-log append totals"
    tool = "stream-log"
    word = "errors"
    options = ("--sinks", "2")
    logs = ("errors", "totals")


class Epochs(Scene):
    name = "stream-log append, epoch after epoch"
    pipeline = "stream-cat in --pace 120x | stream-dedupe --by id | stream-window tumbling 1s --by status count --lateness 1s --late late | stream-log append totals"
    tool = "stream-log"
    word = "append"
    options = ("--every", "5ms")
    logs = ("totals",)
    files = ("late",)
    goes_on = True


class EpochsOfRun(Scene):
    name = "stream-run, epoch after epoch"
    pipeline = "stream-cat in --pace 120x | stream-dedupe --by id | stream-window tumbling 1s --by status count --late drop"
    tool = "stream-run"
    options = ("--every", "5ms", "--output", "out")
    files = ("out",)
    goes_on = True


class Reset(Scene):
    name = "stream-run reset"
    pipeline = "stream-cat in | stream-dedupe --by id | stream-log append once"
    tool = "stream-run"
    word = "reset"
    logs = ("once",)
    resets = True


SCENES = (Output, Stdout, Log, Partitioned, Late, Bad, State, Spilled, SpilledCopies, Commits, Tee, Epochs, EpochsOfRun, Reset)


def make_input(seed):
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
        if scene.resets:
            self.pieces = [*self.pieces[:-1], b"", self.pieces[-1]]
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

    def is_reset(self, number):
        return self.scene.resets and number == len(self.pieces) - 2

    def start(self, number, inject=None, restart="5"):
        """One stream-run. Its status and stderr."""
        env = {**os.environ, "PATH": BIN + os.pathsep + os.environ["PATH"]}
        for name in ("STREAM_CONTROL", "STREAM_KEY", "STREAM_RUN"):
            env.pop(name, None)
        if inject:
            env.update(LD_PRELOAD=SHIM, STREAM_INJECT_TOOL=self.scene.tool, STREAM_INJECT_WITH=self.scene.word, **inject)
        out = open(os.path.join(self.folder, "out"), "ab") if self.scene.to_stdout else subprocess.DEVNULL
        how = [] if self.scene.goes_on else ["--once"] if number < len(self.pieces) - 1 else ["--drain"]
        command = [os.path.join(BIN, "stream-run"), "run", *how, "--restart", restart, *self.scene.options, "-c", self.scene.pipeline]
        if self.is_reset(number):
            command = [os.path.join(BIN, "stream-run"), "reset", "run"]
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
        states = [line for line in lines if line["m"] == "state" and line.get("file")]
        beside = [one for line in states for what in ("changes", "kept") for one in line.get(what, "").splitlines()]
        return lines[0]["epoch"], {line["file"] for line in states} | {one.split()[0] for one in beside}

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
