#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write numbered JSON lines to a file that is rotated meanwhile, to see what a follower makes of it.

The lines are `{"ts":…,"seq":N,"pad":"…"}`, N from 0 without a hole, each made from N alone, written in
pieces of random size that care nothing for where a line ends. Ways to rotate:
  rename        the file is renamed; the writer goes on writing to it for a while, then opens a new one
                (made by it, or empty by the rotator), sometimes leaving its last line without a newline
  truncate      the file is opened anew with O_TRUNC, half a line may be dropped
  copytruncate  the file is copied and truncated under a writer that appends
  hole          the same under a writer without O_APPEND, which goes on behind a hole
  mixed         rename, truncate and copytruncate, at random

What was done goes to --log, a line of JSON each:
  {"event":"rename","to":PATH,"next":N}
  {"event":"truncate","kind":K,"held":[FIRST,LAST],"partial":N|null,"size":BYTES}   lines of which any
      byte was in the file when it was cut: only these may a follower have missed, and must then say so;
      "partial" is the one that was cut in two
  {"event":"end","lines":N,"kind":K,"seed":S}
"""

import argparse
import json
import os
import random
import shutil
import sys
import time

BASE_MS = 1_700_000_000_000


def line_of(seq: int) -> bytes:
    pad = "x" * (seq * 2_654_435_761 % 2**32 % 160)
    return f'{{"ts":{BASE_MS + seq},"seq":{seq},"pad":"{pad}"}}\n'.encode()


class Writer:
    def __init__(self, args):
        self.args = args
        self.random = random.Random(args.seed)
        self.log = open(args.log, "w", encoding="utf-8")
        self.append = args.kind != "hole"
        self.seq = 0            # the next line
        self.rest = b""         # what is still to be written of the line before it
        self.first_in_file = 0  # the first line of which the file has all bytes
        self.rotated = 0
        self.fd = self.open_file(os.O_CREAT)

    def open_file(self, flags):
        return os.open(self.args.file, os.O_WRONLY | flags | (os.O_APPEND if self.append else 0), 0o644)

    def note(self, event, **fields):
        print(json.dumps({"event": event, **fields}), file=self.log, flush=True)

    def write_all(self, data):
        while data:
            data = data[os.write(self.fd, data):]

    def write_lines(self, count, whole=False):
        """That many lines in random pieces; unless `whole`, the last may stay cut short."""
        data = self.rest + b"".join(line_of(n) for n in range(self.seq, self.seq + count))
        self.seq += count
        keep = 0
        if not whole and count and self.random.random() < 0.5:
            keep = self.random.randrange(len(line_of(self.seq - 1)))
        end = len(data) - keep
        at = 0
        while at < end:
            size = min(self.random.choice((1, 7, 60, 500, 4096)), end - at)
            self.write_all(data[at:at + size])
            at += size
            if self.random.random() < 0.02:
                self.nap()
        self.rest = data[end:]

    def nap(self):
        time.sleep(self.random.random() * self.args.nap_ms / 1000)

    def rename(self):
        self.rotated += 1
        to = f"{self.args.file}.{self.rotated}"
        os.rename(self.args.file, to)
        if self.random.random() < 0.5:
            os.close(os.open(self.args.file, os.O_WRONLY | os.O_CREAT, 0o644))
        if self.random.random() < 0.5:
            self.nap()
        self.write_lines(self.random.randrange(5), whole=True)
        if self.seq and self.random.random() < 0.2:
            self.write_all(line_of(self.seq)[:-1])  # its file ends it
            self.seq += 1
        os.close(self.fd)
        self.note("rename", to=to, next=self.seq)
        self.fd = self.open_file(os.O_CREAT)
        self.first_in_file = self.seq
        # An empty file is never gone over to: the first of its lines comes with it.
        self.write_lines(1, whole=True)

    def cut(self, kind):
        partial = self.seq - 1 if self.rest else None
        if kind == "truncate":
            size = os.fstat(self.fd).st_size
            os.close(self.fd)
            self.rest = b""  # never written
            self.fd = self.open_file(os.O_TRUNC)
        else:
            self.rotated += 1
            shutil.copyfile(self.args.file, f"{self.args.file}.{self.rotated}")
            size = os.fstat(self.fd).st_size
            os.truncate(self.args.file, 0)
        held = [self.first_in_file, self.seq - 1] if self.seq > self.first_in_file else None
        self.note("truncate", kind=kind, held=held, partial=partial, size=size)
        self.first_in_file = self.seq

    def run(self):
        kinds = ("rename", "truncate", "copytruncate") if self.args.kind == "mixed" else (self.args.kind,)
        per_file = max(1, self.args.lines // (self.args.rotations + 1))
        if self.args.until_seen:  # what is cut away before the follower has opened the file is not its to see
            self.write_lines(1, whole=True)
            for _ in range(3000):
                if os.path.exists(self.args.until_seen) and os.path.getsize(self.args.until_seen) > 0:
                    break
                time.sleep(0.01)
        for rotation in range(self.args.rotations + 1):
            goal = (rotation + 1) * per_file
            while self.seq < goal:
                self.write_lines(self.random.randrange(1, 20))
            if rotation == self.args.rotations:
                break
            kind = self.random.choice(kinds)
            if kind == "rename":
                self.rename()
            else:
                self.cut("copytruncate" if kind == "hole" else kind)
        self.write_lines(1, whole=True)
        os.close(self.fd)
        self.note("end", lines=self.seq, kind=self.args.kind, seed=self.args.seed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--log", required=True)
    parser.add_argument("--kind", default="rename",
                        choices=("rename", "truncate", "copytruncate", "hole", "mixed"))
    parser.add_argument("--lines", type=int, default=20_000)
    parser.add_argument("--rotations", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nap-ms", type=float, default=5.0, help="the longest pause, taken at random")
    parser.add_argument("--until-seen", metavar="OUTPUT", help="wait after the first line until OUTPUT has something")
    args = parser.parse_args()
    Writer(args).run()


if __name__ == "__main__":
    sys.exit(main())
