# SPDX-License-Identifier: Apache-2.0
"""The benchmark: our tools, the bare simdjson loops and the peers on one file, in turn.

Every contender first runs once with its output kept, and is timed only if that output agrees with the
bare loop that validates everything (bytes where it passes events through, values where it prints anew).
Then they run A B C … A B C …, so that a machine that slows down slows all of them down. Absolute times
drift on shared machines: quote ratios.
"""
import argparse
import datetime
import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import statistics
import subprocess
import sys

import expressions
import joins
import log

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
WINDOW = "stream-window tumbling 1m --by path count sum:bytes"
DEDUPE = "stream-dedupe --by id"


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---------------------------------------------------------------------------- outputs, made comparable

def bytes_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        for block in iter(lambda: f.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def ids_of(path):
    with open(path, "rb") as f:
        ids = re.findall(rb'"id": *"([0-9a-f]{16})"', f.read())
    ids.sort()
    return f"{len(ids)} ids {hashlib.sha256(b' '.join(ids)).hexdigest()}"


def groups_of(path):
    """count and sum by minute and path, from NDJSON (any names of members, in that order) or from TSV."""
    rows = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            if line.startswith("{"):
                event = json.loads(line)
                event.pop("window_end", None)
                minute, key, count, total = event.values()
            else:
                minute, key, count, total = line.rstrip("\n").split("\t")
            rows.append((minute[:16], key, int(count), int(total)))
    rows.sort()
    return f"{len(rows)} groups {hashlib.sha256(repr(rows).encode()).hexdigest()}"


# ---------------------------------------------------------------------------- contenders

class Contender:
    def __init__(self, job, name, command, compare, stdin=False, slow=False, needs=(), seconds_from=None):
        self.job, self.name, self.command, self.compare = job, name, command, compare
        self.stdin, self.slow, self.needs, self.seconds_from = stdin, slow, needs, seconds_from
        self.wall, self.cpu, self.rss = [], [], []
        self.missing = None

    def median(self):
        return statistics.median(self.wall)


def contenders(a):
    file = shlex.quote(a.file)
    bare = shlex.quote(os.path.join(a.folder, "bare_loop"))
    seconds = os.path.join(a.folder, "duckdb.seconds")
    duck = f"{shlex.quote(a.duckdb_python or 'python3')} {shlex.quote(os.path.join(HERE, 'duckdb_job.py'))}"
    jq_window = (f"jq -r '[.ts[0:16], .path, .bytes] | @tsv' {file} | awk -F'\\t' '{{ k = $1 FS $2; c[k]++; s[k] += $3 }}"
                 f" END {{ for (k in c) printf \"%s\\t%d\\t%.0f\\n\", k, c[k], s[k] }}'")
    mlr_window = (f"mlr --ijsonl --ojsonl cut -o -f ts,path,bytes then put '$ts = $ts[1:16]' "
                  f"then stats1 -a count,sum -f bytes -g ts,path {file}")
    out = []

    def add(job, name, command, compare, **more):
        out.append(Contender(job, name, command, compare, **more))

    def bare_loops(job, compare):
        add(job, "bare loop, validating", f"{bare} {job} dom {file}", compare)
        add(job, "bare loop, on demand", f"{bare} {job} ondemand {file}", compare)

    def duckdb(job, compare):
        for threads in (1, 2):
            name = f"DuckDB, {threads} thread" + ("s" if threads > 1 else "")
            add(job, name, f"{duck} {job} {threads} {file} @OUT@ {shlex.quote(seconds)}", compare,
                needs=("duckdb",), seconds_from=seconds)

    bare_loops("copy", bytes_of)
    add("copy", "stream-cat", f"stream-cat {file}", bytes_of, needs=("stream-cat",))
    add("copy", "cat (copies, validates nothing)", f"cat {file}", bytes_of)

    bare_loops("filter", bytes_of)
    add("filter", "stream-filter", f"stream-filter '.status >= 500' {file}", bytes_of, needs=("stream-filter",))
    duckdb("filter", ids_of)
    add("filter", "jq", f"jq -c 'select(.status >= 500)' {file}", ids_of, slow=True, needs=("jq",))
    add("filter", "Miller", f"mlr --ijsonl --ojsonl filter '$status >= 500' {file}", ids_of, slow=True, needs=("mlr",))

    bare_loops("window", groups_of)
    add("window", "stream-window", WINDOW, groups_of, stdin=True, needs=("stream-window",))
    add("window", "stream-cat FILE | stream-window", f"stream-cat {file} | {WINDOW}", groups_of,
        needs=("stream-cat", "stream-window"))
    add("window", "chain of four", f"stream-cat {file} | stream-cat - | {DEDUPE} | {WINDOW}", groups_of,
        needs=("stream-cat", "stream-dedupe", "stream-window"))
    duckdb("window", groups_of)
    add("window", "jq and awk", jq_window, groups_of, slow=True, needs=("jq", "awk"))
    add("window", "Miller", mlr_window, groups_of, slow=True, needs=("mlr",))

    bare_loops("dedupe", bytes_of)
    add("dedupe", "stream-dedupe", f"{DEDUPE} {file}", bytes_of, needs=("stream-dedupe",))
    duckdb("dedupe", ids_of)
    add("dedupe", "Miller", f"mlr --ijsonl --ojsonl head -n 1 -g id {file}", ids_of, slow=True, needs=("mlr",))

    wanted = re.compile(a.only)
    return [c for c in out if c.name.startswith("bare loop, val") or wanted.search(f"{c.job} {c.name}")]


def is_there(a, need):
    return a.duckdb_python is not None if need == "duckdb" else shutil.which(need) is not None


def timed(a, command, stdin, stdout, pipeline=True):
    """Wall seconds, processor seconds, largest RSS in KiB; SystemExit where the command fails."""
    report = os.path.join(a.folder, "report")
    words = ["bash", "-o", "pipefail", "-c", command] if pipeline else shlex.split(command)
    subprocess.run([os.path.join(a.folder, "timed"), report, stdin, stdout, *words], check=True)
    with open(report, encoding="ascii") as f:
        wall, cpu, rss, status = f.read().split()
    return float(wall), float(cpu), int(rss), int(status)


def run(a, c, stdout, record):
    command = c.command.replace("@OUT@", shlex.quote(stdout))
    wall, cpu, rss, status = timed(a, command, a.file if c.stdin else os.devnull,
                                   os.devnull if c.seconds_from else stdout, "|" in re.sub(r"'[^']*'", "", command))
    if status != 0:
        return f"exit status {status}"
    if c.seconds_from:
        with open(c.seconds_from, encoding="ascii") as f:
            wall, cpu = (float(seconds) for seconds in f.read().split())
    if record:
        c.wall.append(wall)
        c.cpu.append(cpu)
        c.rss.append(rss)
    return None


def check_all(a, all_of_them):
    """Runs each once and compares; gives those that agree, and whether all did."""
    expected, agreed, all_agree = {}, [], True
    out = os.path.join(a.folder, "out")
    for c in all_of_them:
        missing = [need for need in c.needs if not is_there(a, need)]
        if missing or (a.skip_peers and c.slow):
            c.missing = f"no {missing[0]} here" if missing else "asked to skip"
            say(f"SKIPPED  {c.job}: {c.name}: {c.missing}")
            continue
        say(f"checking {c.job}: {c.name}")
        problem = run(a, c, out, record=c.slow)
        if problem is None and c.name == "bare loop, validating":
            expected[c.job] = {f: f(out) for f in {bytes_of, ids_of, groups_of} if f is not groups_of or c.job == "window"}
        elif problem is None and c.compare(out) != expected[c.job][c.compare]:
            problem = f"its output differs: {c.compare(out)}, expected {expected[c.job][c.compare]}"
        if os.path.exists(out):
            os.remove(out)
        if problem is None:
            agreed.append(c)
        else:
            all_agree = False
            c.missing = f"WRONG: {problem}"
            say(f"WRONG    {c.job}: {c.name}: {problem}")
            say(f"         {c.command}")
    return agreed, all_agree


# ---------------------------------------------------------------------------- the tables

def row(*cells):
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def job_tables(a, all_of_them, size):
    titles = {"copy": "Every event, as it is", "filter": "Keep status ≥ 500",
              "window": "count and sum of bytes by minute and path", "dedupe": "First event of each id"}
    lines = []
    for job, title in titles.items():
        mine = [c for c in all_of_them if c.job == job]
        timed_ones = [c for c in mine if c.wall]
        if not timed_ones:
            continue
        bare = next((c for c in timed_ones if c.name == "bare loop, validating"), None)
        lines += ["", f"## {title}", "",
                  row("", "MB/s, median (least to most)", "of the validating loop", "CPU s", "peak RSS, MiB", "runs"),
                  row("---", "---:", "---:", "---:", "---:", "---:")]
        for c in mine:
            if not c.wall:
                lines.append(row(c.name, c.missing, "", "", "", ""))
                continue
            speeds = sorted(size / 1e6 / wall for wall in c.wall)
            share = f"{bare.median() / c.median():.1%}" if bare else ""
            lines.append(row(c.name, f"{size / 1e6 / c.median():,.0f} ({speeds[0]:,.0f} to {speeds[-1]:,.0f})", share,
                             f"{statistics.median(c.cpu):.2f}", f"{max(c.rss) / 1024:,.1f}", len(c.wall)))
    return lines


def target_table(all_of_them):
    """What was aimed at, as ratios from this run."""
    by = {(c.job, c.name): c for c in all_of_them if c.wall}
    lines = ["", "## Targets", "",
             row("what", "target", "measured", "", "by processor time"), row("---", "---", "---:", "---", "---:")]

    def add(what, target_text, value, target):
        if value is not None:
            lines.append(row(what, target_text, f"{value[0]:.2f}", "met" if value[0] >= target else "**not met**",
                             f"{value[1]:.2f}" if value[1] else ""))

    def ratio(ours, other):
        if not ours or not other:
            return None
        return other.median() / ours.median(), statistics.median(other.cpu) / statistics.median(ours.cpu)

    for job, tool, duck, miller in (("filter", "stream-filter", 5, 60), ("window", "stream-window", 2.5, 40),
                                    ("dedupe", "stream-dedupe", 6, None)):
        ours = by.get((job, tool))
        add(tool, "≥ 0.80 of the loop that validates", ratio(ours, by.get((job, "bare loop, validating"))), 0.80)
        add(tool, "≥ 0.65 of the loop on demand", ratio(ours, by.get((job, "bare loop, on demand"))), 0.65)
        add(tool, f"≥ {duck} × DuckDB on one thread", ratio(ours, by.get((job, "DuckDB, 1 thread"))), duck)
        add(tool, "≥ 25 × jq", ratio(ours, by.get((job, "jq")) or by.get((job, "jq and awk"))), 25)
        if miller:
            add(tool, f"≥ {miller} × Miller", ratio(ours, by.get((job, "Miller"))), miller)

    cat, dedupe, window = by.get(("copy", "stream-cat")), by.get(("dedupe", "stream-dedupe")), by.get(("window", "stream-window"))
    cores = os.cpu_count() or 1
    for name, stages in (("stream-cat FILE | stream-window", (cat, window)),
                         ("chain of four", (cat, cat, dedupe, window))):
        chain = by.get(("window", name))
        if chain and all(stages):
            least = max(max(s.median() for s in stages), sum(statistics.median(s.cpu) for s in stages) / cores)
            add(name, "≥ 0.60 of min(slowest stage alone, cores ÷ sum of costs)", (least / chain.median(), None), 0.60)
    return lines if len(lines) > 5 else []


def start_table(a):
    one = os.path.join(a.folder, "one.ndjson")
    with open(a.file, "rb") as f, open(one, "wb") as g:
        g.write(f.readline())
    commands = [("stream-cat", f"stream-cat {one}", 5), ("stream-filter", f"stream-filter '.status >= 500' {one}", 5),
                ("stream-window", WINDOW, 5), ("stream-dedupe", f"{DEDUPE} {one}", 5),
                ("stream-cat BIG | head -1 (with bash)", f"stream-cat {shlex.quote(a.file)} | head -1", 20)]
    lines = ["", "## Start, on one line, process and all", "",
             row("", "ms, median", "ms, p90", "target", ""), row("---", "---:", "---:", "---", "---")]
    for name, command, target_ms in commands:
        if not is_there(a, name.split()[0]):
            say(f"SKIPPED  start: no {name.split()[0]}")
            continue
        walls = []
        for _ in range(41):
            pipeline = "|" in command.replace("'.status", "")
            wall, _, _, status = timed(a, command, one, os.devnull, pipeline)
            # A reader that goes away is 141; pipefail shows it.
            if status not in ((0, 141) if pipeline else (0,)):
                say(f"WRONG    start: {command}: exit status {status}")
            walls.append(wall * 1000)
        walls.sort()
        median = statistics.median(walls)
        lines.append(row(name, f"{median:.1f}", f"{walls[len(walls) * 9 // 10]:.1f}", f"< {target_ms} ms",
                         "met" if median < target_ms else "**not met**"))
    return lines if len(lines) > 5 else []


def memory_table(a, count):
    """Growth of the resident set with the keys, the empty tool's taken off."""
    one = os.path.join(a.folder, "one.ndjson")
    file = shlex.quote(a.file)
    lines = ["", "## Memory", "", row("", "measured", "target", ""), row("---", "---:", "---", "---")]

    def rss(command, stdin=os.devnull):
        _, _, kib, status = timed(a, command, stdin, os.devnull, pipeline=False)
        if status != 0:
            say(f"WRONG    memory: {command}: exit status {status}")
            return None
        return kib * 1024

    def add(what, value, target, unit):
        if value is not None:
            lines.append(row(what, f"{value:,.1f} {unit}", f"≤ {target} {unit}", "met" if value <= target else "**not met**"))

    def growth(command, entries, key_bytes, **more):
        full, empty = rss(command, a.file, **more), rss(command, one, **more)
        return None if full is None or empty is None else (full - empty) / entries - key_bytes

    if is_there(a, "stream-cat"):
        full = rss(f"stream-cat {file}")
        add("stream-cat, peak RSS", full and full / (1 << 20), 16, "MiB")
    if is_there(a, "stream-filter"):
        full = rss(f"stream-filter '.status >= 500' {file}")
        add("stream-filter, peak RSS", full and full / (1 << 20), 16, "MiB")
    if is_there(a, "stream-map"):
        full = rss(f"stream-map '{{path, kb: (.bytes / 1024)}}' {file}")
        add("stream-map, peak RSS", full and full / (1 << 20), 16, "MiB")
    if is_there(a, "stream-window"):
        add("a window group with count and sum, beside its key (16 bytes)",
            growth("stream-window all --memory 4GiB --by id count sum:bytes", count, 16), 100, "bytes")
    if is_there(a, "stream-dedupe"):
        add(f"an exact dedupe entry, {count:,} of them (≤ 24 at 7/8 load, 1.6 times that while growing)",
            growth(f"{DEDUPE} --memory 4GiB", count, 0), 38.4, "bytes")
    return lines if len(lines) > 5 else []


def latency_table(a):
    lines = ["", "## Latency, live", "",
             f"From the write of the line that decides a result to the result, {a.latency_rate:,} events/s.", "",
             row("", "p50, µs", "p99, µs", "p99.9, µs", "max, µs", "target, p99", ""),
             row("---", "---:", "---:", "---:", "---:", "---", "---")]
    small = "stream-window tumbling 10ms --by path count sum:bytes"
    cases = [("cat (the floor)", "cat", None), ("five cats (the floor)", "cat | cat | cat | cat | cat", None),
             ("stream-cat", "stream-cat -", 200), ("stream-dedupe", "stream-dedupe --by id", 200),
             ("stream-window tumbling 10ms", small, 200),
             ("five tools", f"stream-cat - | stream-dedupe --by id | stream-dedupe --by seq | stream-cat - | {small}", 1000)]
    for name, pipeline, target_us in cases:
        needed = {word for word in pipeline.split() if word.startswith("stream-")}
        missing = [need for need in needed if not is_there(a, need)]
        if missing:
            say(f"SKIPPED  latency: {name}: no {missing[0]}")
            continue
        say(f"latency: {name}")
        best = None
        for _ in range(3):
            done = subprocess.run([os.path.join(a.folder, "latency"), str(a.latency_rate), str(a.latency_seconds), pipeline],
                                  stdout=subprocess.PIPE, text=True, check=False)
            if done.returncode != 0:
                say(f"WRONG    latency: {name}")
                break
            figures = [float(figure) for figure in done.stdout.split()[1:]]
            if best is None or figures[1] < best[1]:
                best = figures
        if best:
            verdict = "" if target_us is None else "met" if best[1] < target_us else "**not met**"
            lines.append(row(name, *(f"{figure:,.0f}" for figure in best),
                             "" if target_us is None else f"< {target_us} µs", verdict))
    lines += ["", "The best of three runs by p99: on a shared machine the others measure its neighbours."]
    return lines


# ---------------------------------------------------------------------------- the whole

def output_of(command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def head_lines(a, size, count):
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    commit = output_of(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"]) or "unknown"
    if output_of(["git", "-C", ROOT, "status", "--porcelain", "--untracked-files=no"]):
        commit += " with changes"
    peers = [output_of(["jq", "--version"]), output_of(["mlr", "--version"]).replace("mlr", "Miller").replace("version ", "")]
    if a.duckdb_python:
        peers.append("DuckDB " + output_of([a.duckdb_python, "-c", "import duckdb; print(duckdb.__version__)"]))
    load = os.getloadavg()[0]
    return ["# Benchmarks", "",
            "Made by `tests/bench/run.sh --write`. Ratios hold from machine to machine better than speeds do; all",
            "are from one run in which the contenders took turns, after their outputs were found to agree.", "",
            f"- {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC, commit {commit}",
            f"- {model}, {os.cpu_count()} cores, Linux {platform.release()}, load average {load:.1f} at the end",
            f"- {', '.join(peer for peer in peers if peer)}",
            f"- `stream-gen web --events {count} --seed 1`: {size / 1e6:,.0f} MB, {size / count:.0f} bytes an event,"
            " page cache warm"]


def find_duckdb():
    for python in (sys.executable, "python3"):
        if output_of([python, "-c", "import duckdb; print(1)"]) == "1":
            return python
    return None


def make_file(a):
    if a.file is None:
        if shutil.which("stream-gen") is None:
            sys.exit("no stream-gen in --bin: build the release preset first, or give --file")
        a.file = a.made = os.path.join(a.folder, f"web-{a.events}.ndjson")
        with open(a.file, "wb") as f:
            subprocess.run(["stream-gen", "web", "--events", str(a.events), "--seed", "1"], stdout=f, check=True)
    count = 0
    with open(a.file, "rb") as f:  # counts, and warms the page cache
        for block in iter(lambda: f.read(1 << 20), b""):
            count += block.count(b"\n")
    return count


def arguments():
    p = argparse.ArgumentParser(prog="run.sh", description="the benchmark of streamutils")
    p.add_argument("--folder", help=argparse.SUPPRESS)
    p.set_defaults(made=None)
    p.add_argument("--bin", default=os.path.join(ROOT, "build/release/bin"), help="where the tools are")
    p.add_argument("--events", type=int, default=2_000_000)
    p.add_argument("--file", help="this file instead of a generated one")
    p.add_argument("--data", default=os.path.join(ROOT, "../shared/data"), help="where the real events are")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--slow-rounds", type=int, default=1, help="of jq and Miller")
    p.add_argument("--skip-peers", action="store_true", help="leave jq and Miller out")
    p.add_argument("--only", default="", metavar="REGEX", help="contenders whose 'JOB NAME' matches")
    p.add_argument("--sections", default="jobs,expressions,log,joins,start,memory,latency", help="which of them")
    p.add_argument("--join-megabytes", type=int, default=200, help="of each stream that is joined (1000: 1 GB)")
    p.add_argument("--latency-rate", type=int, default=10_000)
    p.add_argument("--latency-seconds", type=int, default=10)
    p.add_argument("--full", action="store_true", help="seek in a log of 10 GiB in place of 1 (3 GB of disk)")
    p.add_argument("--quick", action="store_true", help="one round of few events: whether it works, on a busy machine")
    p.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    a = p.parse_args()
    if a.quick:
        a.events, a.rounds, a.latency_seconds = min(a.events, 100_000), 1, min(a.latency_seconds, 2)
        if a.write:
            p.error("--quick measures nothing that is worth --write")
    return a


def main():
    a = arguments()
    try:
        measure(a)
    finally:
        if a.made and os.path.exists(a.made):
            os.remove(a.made)


def measure(a):
    os.environ["PATH"] = os.path.abspath(a.bin) + os.pathsep + os.environ["PATH"]
    os.environ["LC_ALL"] = "C.UTF-8"
    a.duckdb_python = find_duckdb()
    sections = a.sections.split(",")
    count = make_file(a)
    size = os.path.getsize(a.file)
    lines, all_agree = [], True

    if "jobs" in sections:
        everyone = contenders(a)
        agreed, all_agree = check_all(a, everyone)
        for k in range(max(a.rounds, a.slow_rounds)):
            say(f"round {k + 1}")
            for c in agreed:
                # The check already timed the slow ones once.
                if k < (a.slow_rounds - 1 if c.slow else a.rounds):
                    problem = run(a, c, os.devnull, record=True)
                    if problem:
                        say(f"WRONG    {c.job}: {c.name}: {problem}")
                        all_agree = False
        lines += target_table(everyone)
    if "expressions" in sections:
        table, fine = expressions.table(a, timed, say, row)
        lines += table
        all_agree = all_agree and fine
    if "log" in sections:
        table, fine = log.tables(a, count, timed, say, row)
        lines += table
        all_agree = all_agree and fine
    if "joins" in sections:
        table, fine = joins.table(a, timed, say, row)
        lines += table
        all_agree = all_agree and fine
    if "start" in sections:
        lines += start_table(a)
    if "memory" in sections:
        start_one = os.path.join(a.folder, "one.ndjson")
        with open(a.file, "rb") as f, open(start_one, "wb") as g:
            g.write(f.readline())
        lines += memory_table(a, count)
    if "latency" in sections:
        lines += latency_table(a)
    if "jobs" in sections:
        lines += job_tables(a, everyone, size)

    text = "\n".join(head_lines(a, size, count) + lines) + "\n"
    print(text, end="")
    if a.write:
        with open(os.path.join(ROOT, "docs/benchmarks.md"), "w", encoding="utf-8") as f:
            f.write(text)
    if not all_agree:
        sys.exit("not all outputs agree: see WRONG above")


main()
