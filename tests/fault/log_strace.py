# SPDX-License-Identifier: Apache-2.0
"""strace: which system calls a run makes, and a run in which one of them goes wrong."""

import re
import shutil
import subprocess

from log_support import skip


def why_no_strace():
    """Why nothing can be injected here; None where it can."""
    if not shutil.which("strace"):
        return "strace is not installed"
    # The injection itself is tried, on a process that would else succeed.
    got = subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=write", "-e", "inject=write:signal=KILL:when=1", "sh", "-c", "echo x"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return None if got.returncode == -9 else "ptrace is not allowed here"


def need_strace():
    why = why_no_strace()
    if why:
        skip(why)


CHANGING = ("openat open creat close write pwrite64 writev pwritev pwritev2 fsync fdatasync ftruncate rename renameat renameat2 unlink unlinkat "
            "mkdir mkdirat rmdir link linkat symlink flock fcntl fallocate sync_file_range copy_file_range sendfile chmod fchmod fchmodat").split()
CALL = re.compile(r"^(\d+) +(\w+)\((.*)$")
NAMED = re.compile(r"^(\d+)<([^>]*)>")


def strace_prefix(trace, follow=True, every_call=False):
    return ["strace", *(["-f"] if follow else []), "-y", "-qq", "-o", trace, "-e", "signal=none",
            "-e", "trace=" + ("all" if every_call else ",".join(CHANGING))]


def inject_prefix(call, what, follow=True):
    return ["strace", *(["-f"] if follow else []), "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e", f"inject={call}:{what}"]


class Call:
    def __init__(self, name, number, path, text, synced):
        self.name = name      # of the system call
        self.number = number  # how many of that name the process had made, this one counted
        self.path = path      # of its descriptor
        self.text = text
        self.synced = synced  # a close: of what was synced after it was written

    def __repr__(self):
        return f"{self.name}#{self.number}"


WRITES = ("write", "pwrite64", "writev", "pwritev", "pwritev2", "ftruncate", "fallocate", "copy_file_range", "sendfile")


class Trace:
    """The calls of a trace that change something, in their order; each (name, number) once. With `begin` those are all
    from the first on that has that in its arguments."""

    def __init__(self, begin=None):
        self.begin = begin
        self.begun = False
        self.counts = {}
        self.open = {}     # process, descriptor: what it is open for, "synced" or "written"
        self.seen = set()
        self.calls = []

    def line(self, line):
        found = CALL.match(line)
        # Without -f strace writes no process ids.
        process, name, rest = (found[1], found[2], found[3]) if found else ("0", *((line.split("(", 1) + [""])[:2]))
        if name not in CHANGING and not (self.begin and re.fullmatch(r"[a-z]\w*", name)):
            return
        number = self.counts[process, name] = self.counts.get((process, name), 0) + 1
        named = NAMED.match(rest)
        place = (process, named[1]) if named else None
        path = named[2] if named else ""
        if self.begin:
            self.begun = self.begun or (self.begin in rest and name != "execve")
            if self.begun and name not in ("exit", "exit_group"):
                self.add(Call(name, number, path, rest.strip(), False))
            return
        synced = False
        if name in ("openat", "open"):
            quoted = re.search(r'"((?:[^"\\]|\\.)*)"', rest)
            path = quoted[1] if quoted else ""
            got = re.search(r"= (\d+)<", rest)
            if got and re.search(r"O_WRONLY|O_RDWR", rest):
                self.open[process, got[1]] = "synced"
            if "O_CREAT" not in rest and "O_TRUNC" not in rest:
                return
        elif name == "close":
            state = self.open.pop(place, None)
            if state is None:
                return
            synced = state == "synced"
        elif name == "fcntl" and "SETLK" not in rest:
            return
        elif place in self.open and name in WRITES:
            self.open[place] = "written"
        elif place in self.open and name in ("fsync", "fdatasync"):
            self.open[place] = "synced"
        self.add(Call(name, number, path, rest.strip(), synced))

    def add(self, call):
        if (call.name, call.number) not in self.seen:
            self.seen.add((call.name, call.number))
            self.calls.append(call)


def calls_in(path, begin=None):
    trace = Trace(begin)
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            trace.line(line)
    return trace.calls
