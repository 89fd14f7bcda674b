# SPDX-License-Identifier: Apache-2.0
"""The log against zstd and the validating loop, on the generated web events.

append and read take turns with `zstd -1` (to a file, with and without a sync), the bare loop that validates
everything, and `zstd -d`; what the log and zstd give back is compared with the input before a time is
believed. Then, live: from the write of an event to its line from `read --follow`, beside what a bare
fdatasync of this disk takes; a seek to a time in a large log; opening a log of many segments.
"""
import json
import os
import random
import shlex
import shutil
import statistics
import subprocess
import time

GIB = 1 << 30
EVENT_BYTES = 225  # of the web events, about
DENSITY = 100      # of their event time, a second
SEGMENT = 64 << 10  # the least there is


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def verdict(met):
    return "met" if met else "**not met**"


class Bench:
    def __init__(self, a, timed, say, row):
        self.a, self.timed_, self.say, self.row = a, timed, say, row
        self.agreed = True

    def path(self, name):
        return os.path.join(self.a.folder, name)

    def wrong(self, what):
        self.say(f"WRONG    log: {what}")
        self.agreed = False

    def timed(self, command, stdout=os.devnull):
        """Wall and processor seconds, RSS; None where it failed."""
        wall, cpu, rss, status = self.timed_(self.a, command, os.devnull, stdout, pipeline="&&" in command)
        if status != 0:
            self.wrong(f"exit status {status}: {command}")
            return None
        return wall, cpu, rss

    def ms(self, command):
        run = self.timed(command)
        return run[0] * 1000 if run is not None else float("nan")

    def same(self, command, expected):
        """Whether what the command writes is that file, to the byte."""
        out = self.path("out")
        fine = self.timed(command, out) is not None and subprocess.run(["cmp", "-s", out, expected], check=False).returncode == 0
        if os.path.exists(out):
            os.remove(out)
        return fine

    # ------------------------------------------------------------------------ throughput

    def throughput(self, count):
        a, row = self.a, self.row
        file, log, packed = shlex.quote(a.file), self.path("log"), self.path("packed.zst")
        size = os.path.getsize(a.file)
        append = f"stream-log append {shlex.quote(log)} {file}"
        jobs = {  # the names are the table's
            "bare loop, validating": f"{shlex.quote(self.path('bare_loop'))} copy dom {file}",
            "zstd -1": f"zstd -q -f -1 -o {shlex.quote(packed)} {file}",
            "zstd -1, then sync": f"zstd -q -f -1 -o {shlex.quote(packed)} {file} && sync {shlex.quote(packed)}",
            "stream-log append --sync none": f"{append} --sync none",
            "stream-log append": append,
            "zstd -d": f"zstd -d -q -c {shlex.quote(packed)}",
            "stream-log read": f"stream-log read {shlex.quote(log)}",
        }
        runs = {name: [] for name in jobs}
        for k in range(a.rounds + 1):  # the first one is the check, and warms
            self.say(f"log: round {k}" if k > 0 else "log: checking append and read")
            for name, command in jobs.items():
                if " append" in name:
                    shutil.rmtree(log, ignore_errors=True)
                    os.sync()  # what others left dirty is not this one's to write
                if k > 0:
                    runs[name].append(self.timed(command))
                elif name in ("zstd -d", "stream-log read"):
                    if not self.same(command, a.file):
                        self.wrong(f"{name} does not give the input back")
                        return []
                elif self.timed(command) is None:
                    return []
        stored = sum(os.path.getsize(os.path.join(folder, f)) for folder, _, files in os.walk(log) for f in files)
        packed_size = os.path.getsize(packed)
        shutil.rmtree(log, ignore_errors=True)
        os.remove(packed)
        if any(run is None for of_one in runs.values() for run in of_one):
            return []

        wall = {name: statistics.median(w for w, _, _ in of_one) for name, of_one in runs.items()}
        cpu = {name: statistics.median(c for _, c, _ in of_one) for name, of_one in runs.items()}
        lines = ["", "## The log: append and read", "",
                 row("what", "target", "measured", "", "by processor time"), row("---", "---", "---:", "---", "---:")]

        def ratio(ours, what, *others, target=None):
            value = sum(wall[o] for o in others) / wall[ours]
            lines.append(row(ours, what if target is None else f"≥ {target:.2f} of {what}", f"{value:.2f}",
                             "" if target is None else verdict(value >= target), f"{sum(cpu[o] for o in others) / cpu[ours]:.2f}"))

        series = "`zstd -1` and the validating loop in series"
        ratio("stream-log append", series, "zstd -1", "bare loop, validating", target=0.90)
        ratio("stream-log append", f"of {series}, synced too", "zstd -1, then sync", "bare loop, validating")
        ratio("stream-log append --sync none", f"of {series}", "zstd -1", "bare loop, validating")
        ratio("stream-log read", "`zstd -d`", "zstd -d", target=0.90)
        lines += ["", row("", "events/s", "MB/s, median (least to most)", "CPU s", "peak RSS, MiB", "runs"),
                  row("---", "---:", "---:", "---:", "---:", "---:")]
        for name, of_one in runs.items():
            speeds = sorted(size / 1e6 / w for w, _, _ in of_one)
            lines.append(row(name, f"{count / wall[name]:,.0f}", f"{size / 1e6 / wall[name]:,.0f} ({speeds[0]:,.0f} to {speeds[-1]:,.0f})",
                             f"{cpu[name]:.2f}", f"{max(r for _, _, r in of_one) / 1024:,.1f}", len(of_one)))
        lines += ["", f"Batches are synced, frames are `zstd:1`: {stored / size:.1%} of the events' bytes, `zstd -1` has {packed_size / size:.1%}."]
        return lines

    # ------------------------------------------------------------------------ latency

    def bare_syncs(self, count):
        """Milliseconds of a write of one event and its fdatasync, each."""
        path, taken = self.path("probe"), []
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        try:
            for _ in range(count):
                begin = time.perf_counter_ns()
                os.write(fd, b"x" * EVENT_BYTES)
                os.fdatasync(fd)
                taken.append((time.perf_counter_ns() - begin) / 1e6)
        finally:
            os.close(fd)
            os.remove(path)
        return taken

    def latency(self):
        rate, seconds = 1000, 2 if self.a.quick else 10
        events, row = rate * seconds, self.row
        lines = ["", "## The log: latency, live", "",
                 f"{events:,} events, {rate:,} a second, one write each, from the write to the line from `read --follow`.", "",
                 row("", "p50, ms", "p99, ms", "p99.9, ms", "max, ms"), row("---", "---:", "---:", "---:", "---:")]
        log = self.path("log")
        syncs = self.bare_syncs(events // 10)
        for name, sync in (("append and read --follow, each batch synced", ""), ("the same, --sync none", " --sync none")):
            self.say(f"log: latency: {name}")
            best = None
            for _ in range(1 if self.a.quick else 3):
                shutil.rmtree(log, ignore_errors=True)
                subprocess.run(["stream-log", "create", log], check=True)
                at = shlex.quote(log)
                pipeline = (f"stream-log read {at} --follow --to {events} & reader=$!;"
                            f" stream-log append {at}{sync} && wait $reader")
                done = subprocess.run([self.path("latency"), str(rate), str(seconds), pipeline], stdout=subprocess.PIPE, text=True, check=False)
                if done.returncode != 0 or int(done.stdout.split()[0]) != events - events // 10:
                    self.wrong(f"latency: {name}: {done.stdout.strip() or done.returncode}")
                    break
                figures = [float(figure) / 1000 for figure in done.stdout.split()[1:]]
                if best is None or figures[1] < best[1]:
                    best = figures
            if best:
                lines.append(row(name, *(f"{figure:.2f}" for figure in best)))
        shutil.rmtree(log, ignore_errors=True)
        syncs += self.bare_syncs(events // 10)
        lines.append(row("a bare write and fdatasync of this disk", *(f"{percentile(syncs, share):.2f}" for share in (0.5, 0.99, 0.999, 1))))
        lines += ["", "The best of three runs by p99; the bare syncs before and after them, one at a time."]
        return lines

    # ------------------------------------------------------------------------ seeks, and many segments

    def start(self):
        """Milliseconds of a process that only starts."""
        return statistics.median(self.ms("stream-log --version") for _ in range(21))

    def fill(self, log, events, options):
        """Generated events into a log; False where that fails."""
        shutil.rmtree(log, ignore_errors=True)
        with subprocess.Popen(["stream-gen", "web", "--events", str(events), "--density", str(DENSITY)], stdout=subprocess.PIPE) as gen:
            done = subprocess.run(["stream-log", "append", log, *options], stdin=gen.stdout, check=False)
        if done.returncode != 0 or gen.returncode != 0:
            self.wrong(f"could not fill {log}")
            return False
        return True

    def info(self, log):
        out = subprocess.run(["stream-log", "info", log], stdout=subprocess.PIPE, text=True, check=True).stdout
        return [json.loads(line) for line in out.splitlines()][0]

    def seeks(self, start):
        a, row, log = self.a, self.row, self.path("large")
        size = 10 * GIB if a.full else 64 << 20 if a.quick else GIB
        events = size // EVENT_BYTES
        self.say(f"log: a log of {size / GIB:.2g} GiB")
        # As many segments as 10 GiB have by default.
        if not self.fill(log, events, ["--sync", "1s", "--segment", str(max(SEGMENT, (256 << 20) * size // (10 * GIB)))]):
            return []
        about, taken, firsts = self.info(log), [], random.Random(1)
        base = 1767225600  # 2026-01-01, where the generator begins
        for _ in range(5 if a.quick else 41):
            at = base + firsts.randrange(events // DENSITY - 10)
            out = self.path("out")
            run = self.timed(f"stream-log read {shlex.quote(log)} --from @{at} --to @{at + 1}", out)
            with open(out, encoding="utf-8") as f:
                stamps = [json.loads(line)["ts"] for line in f]
            wanted = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))
            if run is None or not stamps or any(not stamp.startswith(wanted) for stamp in stamps):
                self.wrong(f"--from @{at} gives {len(stamps)} events from {stamps[:1]}")
                return []
            taken.append(run[0] * 1000 - start)
        os.remove(self.path("out"))
        return [row(f"one second of events by its time, from a log of {about['raw_bytes'] / GIB:.2g} GiB ({about['bytes'] / GIB:.2g} stored,"
                    f" {len(about['segments'])} segments)", f"{statistics.median(taken):.1f}", f"{percentile(taken, 0.9):.1f}", "", "")]

    def opens(self, start):
        a, row, log = self.a, self.row, self.path("segments")
        wanted = 100 if a.quick else 1000
        self.say(f"log: {wanted} segments")
        if not self.fill(log, (wanted + 5) * SEGMENT // (EVENT_BYTES - 10), ["--sync", "none", "--segment", str(SEGMENT), "--codec", "none"]):
            return []
        count = len(self.info(log)["segments"])
        if count < wanted:
            self.wrong(f"{count} segments where {wanted} were wanted")
        rows = []
        for name in ("read --from end", "info"):
            command = f"stream-log {name.split()[0]} {shlex.quote(log)}{' --from end' if 'end' in name else ''}"
            taken = [self.ms(command) for _ in range(5 if a.quick else 41)]
            rows.append(row(f"`stream-log {name}`, {count:,} segments, process and all", f"{statistics.median(taken):.1f}",
                            f"{percentile(taken, 0.9):.1f}", "< 200 ms" if wanted == 1000 else "",
                            verdict(statistics.median(taken) < 200) if wanted == 1000 else ""))
        return rows

    def places(self):
        start = self.start()
        rows = self.seeks(start)
        shutil.rmtree(self.path("large"), ignore_errors=True)
        rows += self.opens(start)
        return ["", "## The log: to a place in it", "", self.row("", "ms, median", "ms, p90", "target", ""),
                self.row("---", "---:", "---:", "---", "---"), *rows, "",
                f"The first is without the {start:.1f} ms that the process takes to start; page cache warm."]


def tables(a, count, timed, say, row):
    bench = Bench(a, timed, say, row)
    try:
        lines = bench.throughput(count) + bench.latency() + bench.places()
    finally:
        for name in ("log", "large", "segments"):
            shutil.rmtree(bench.path(name), ignore_errors=True)
        for name in ("out", "packed.zst", "probe"):
            if os.path.exists(bench.path(name)):
                os.remove(bench.path(name))
    return lines, bench.agreed
