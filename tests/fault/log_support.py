# SPDX-License-Identifier: Apache-2.0
"""What the campaigns against a log share: running stream-log, numbered records."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("STREAM_BIN", os.path.join(ROOT, "build/release/bin"))
TOOL = os.path.join(BIN, "stream-log")
LONG = bool(os.environ.get("STREAM_LONG"))
SKIPPED = 77


class Violation(Exception):
    """A promise was broken."""


def need(condition, what):
    if not condition:
        raise Violation(what)


def skip(why):
    print(f"1..0 # SKIP {why}")
    sys.exit(SKIPPED)


def need_tool():
    if not os.access(TOOL, os.X_OK):
        print(f"not ok 1 - there is no {TOOL}")
        sys.exit(1)


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = 0

    def report(self, good, what, detail=()):
        self.count += 1
        if not good:
            self.failed += 1
        print(f"{'ok' if good else 'not ok'} {self.count} - {what}", flush=True)
        for line in detail:
            print("# " + line.replace("\n", "\n# "), flush=True)

    def end(self):
        print(f"1..{self.count}")
        return 1 if self.failed else 0


def new_folder(prefix, in_memory=True):
    """A folder for a campaign: in memory where that can be had, since what a kill leaves does not depend on a disk.
    Removed by clean_up()."""
    where = os.environ.get("TMPDIR")
    if where is None and in_memory and os.access("/dev/shm", os.W_OK) and os.statvfs("/dev/shm").f_bavail * os.statvfs("/dev/shm").f_frsize > 256 << 20:
        where = "/dev/shm"
    folder = tempfile.mkdtemp(prefix=prefix, dir=where)
    undone.append(lambda: remove_folder(folder))
    clean_up_when_stopped()
    return folder


# ---- cleaning up -----------------------------------------------------------------------------------------

alive = set()    # processes whose sessions are killed when a campaign ends, however it does
undone = []      # what else is to be done then, last first


def clean_up():
    for process in list(alive):
        kill_session(process)
    while undone:
        undone.pop()()


def on_signal(number, _):
    clean_up()
    os._exit(128 + number)


def clean_up_when_stopped():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, on_signal)


class Process(subprocess.Popen):
    """In a session of its own, which is killed where it is left."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, start_new_session=True, **options)
        alive.add(self)

    def __exit__(self, *error):
        if self.poll() is None and error[0] is not None:
            kill_session(self)
        super().__exit__(*error)
        alive.discard(self)


# ---- running -------------------------------------------------------------------------------------------

def run(arguments, data=b"", timeout=60, wrap=(), env=None):
    """Runs stream-log; a triple of status, stdout, stderr. Killed by a signal: 128 + its number."""
    # From a file: how much comes at once does not depend on who is faster.
    with tempfile.TemporaryFile() as given, \
            Process([*wrap, TOOL, *arguments], stdin=filled(given, data), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    env=env) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            kill_session(process)
            process.communicate()
            raise Violation(f"{describe(arguments)} hung for {timeout} s") from None
        return status_of(process), out, err.decode(errors="replace")


def filled(file, data):
    file.write(data)
    file.seek(0)
    return file


def status_of(process):
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def kill_session(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def describe(arguments):
    return "stream-log " + " ".join(arguments)


def expect(status, arguments, **options):
    got, out, err = run(arguments, **options)
    need(got == status, f"{describe(arguments)}: status {got}, not {status}: {err.strip()}")
    return out


def append_in_chunks(arguments, chunks, on_ack, wrap=(), timeout=60):
    """`append … --ack`, a chunk at a time: the next one once the one before is acknowledged. on_ack is called
    with each acknowledgement. Status and stderr of the process, which may have died meanwhile."""
    with tempfile.TemporaryFile() as errors:
        with Process([*wrap, TOOL, "append", *arguments, "--ack"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                     bufsize=0) as process:
            timer = threading.Timer(timeout, kill_session, [process])
            timer.start()
            reader = os.fdopen(os.dup(process.stdout.fileno()), "rb")
            try:
                for chunk in chunks:
                    left = len(chunk)
                    try:
                        process.stdin.write(b"".join(chunk))
                    except BrokenPipeError:
                        break
                    while left > 0:
                        line = reader.readline()
                        if not line.endswith(b"\n"):
                            left = -1
                            break
                        ack = json.loads(line)
                        left -= ack["last"] - ack["first"] + 1
                        on_ack(ack)
                    if left < 0:
                        break
                try:
                    process.stdin.close()
                except BrokenPipeError:
                    pass
                for line in reader:  # e.g. an acknowledgement after a failure of another write
                    if line.endswith(b"\n"):
                        on_ack(json.loads(line))
                process.wait()
            finally:
                reader.close()
                hung = not timer.is_alive()
                timer.cancel()
                if process.poll() is None:
                    kill_session(process)
        errors.seek(0)
        message = errors.read().decode(errors="replace")
    need(not hung, f"append hung for {timeout} s: {message}")
    return status_of(process), message


# ---- reading back --------------------------------------------------------------------------------------

def read_lines(log, *more):
    return expect(0, ["read", log, *more]).splitlines(keepends=True)


ENVELOPE = re.compile(rb'"\$?partition":(\d+).*?"\$?offset":(\d+)')


def read_positions(log, *more):
    """Of each record: partition and offset, and its line in the envelope."""
    result = []
    for line in expect(0, ["read", log, "--envelope", *more]).splitlines():
        result.append((*position_in(line), line))
    return result


def position_in(line):
    found = ENVELOPE.search(line)
    need(found, f"no partition and offset in {line[:200]!r}")
    return int(found[1]), int(found[2])


def verify(log):
    status, out, err = run(["verify", log])
    need(status == 0, f"verify: status {status}: {out.decode(errors='replace')[-600:]} {err.strip()}")


def group_positions(log, group):
    """The next offset of each partition that the group has begun."""
    positions = {}
    for line in expect(0, ["groups", log]).splitlines():
        row = json.loads(line)
        if row.get("group") != group:
            continue
        for part in row.get("partitions", [row]):
            if isinstance(part, dict) and part.get("position") is not None:
                positions[part["partition"]] = part["position"]
    return positions


# ---- records -------------------------------------------------------------------------------------------

def record(seed, number, keys=7, marker=None, at=1_700_000_000, weight=60):
    """The numbered record, the same bytes each time it is asked for, about `weight` of them padding."""
    chance = random.Random(seed * 1_000_003 + number)
    digits = 1 + chance.randrange(2 * weight)
    pad = chance.choice(("", "ab" * (digits // 3), *["%0*x" % (digits, chance.getrandbits(4 * digits))] * 4))
    secret = f',"secret":"{marker}"' if marker else ""
    return f'{{"ts":{at + number},"n":{number},"id":"{number}{marker or ""}","k":"k{chance.randrange(keys)}"{secret},"pad":"{pad}"}}\n'.encode()


def chunked(lines, seed, sizes):
    chance = random.Random(seed)
    chunks = []
    at = 0
    while at < len(lines):
        size = chance.choice(sizes)
        chunks.append(lines[at:at + size])
        at += size
    return chunks


def remove_folder(folder):
    shutil.rmtree(folder, ignore_errors=True)


def restore(source, target):
    remove_folder(target)
    shutil.copytree(source, target, symlinks=True)


def wait_until(condition, seconds, step=0.01):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(step)
    return True
