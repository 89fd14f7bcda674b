# SPDX-License-Identifier: Apache-2.0
"""Expressions against jq, on generated web events and on real ones where they are there.

Each pair runs once with its outputs kept and compared by value; then ours and jq take turns. Ours runs on
one core (taskset), jq has never used more.
"""
import hashlib
import json
import os
import shlex
import statistics
import subprocess

REAL = ("github-events/2021-07-21-few-hours.ndjson.zst", "zeek/dns.ndjson.zst")
# What, the least ratio, and for each file the tool with its expression and jq's.
JOBS = (
    ("a comparison", 25, {
        "web": ("filter", ".status >= 500"),
        "github": ("filter", ".actor.id >= 60000000"),
        "zeek": ("filter", ".qtype >= 28")}),
    ("four tests, one a string function", 15, {
        "web": ("filter", '.status >= 400 and .method == "GET" and .latency_ms > 20 and (.path | startswith("/blog"))'),
        "github": ("filter", '.type == "PushEvent" and .public and .payload.size > 1 and (.repo.name | contains("a"))'),
        "zeek": ("filter", '.proto == "udp" and .qtype == 1 and ."id.resp_p" == 53 and (.query | endswith(".org"))')}),
    ("a new object of five members, with arithmetic", 10, {
        "web": ("map", "{ts, path, kb: (.bytes / 1024), slow: (.latency_ms > 100), total: (.bytes + .status * 2)}"),
        "github": ("map", "{id, type, who: .actor.login, repo: .repo.name, twice: (.actor.id * 2)}"),
        "zeek": ("map", '{ts, query, from: ."id.orig_h", ms: (.rtt * 1000), port: (."id.orig_p" + 1)}')}),
)


def values_digest(path):
    """By value: number text and spacing do not count, order of members does."""
    digest = hashlib.sha256()
    with open(path, encoding="utf-8", errors="surrogateescape") as f:
        for line in f:
            digest.update(json.dumps(json.loads(line, parse_int=float)).encode() + b"\n")
    return digest.hexdigest()


def files(a, say):
    """Name, path, bytes; the real ones repeated to 100 MB."""
    found = [("web", a.file, os.path.getsize(a.file))]
    for relative in REAL:
        name = relative.split("/")[0].split("-")[0]
        source = os.path.join(a.data, relative)
        if not os.path.exists(source):
            say(f"SKIPPED  expressions on {name}: there is no {source}")
            continue
        path = os.path.join(a.folder, f"{name}.ndjson")
        events = subprocess.run(["zstd", "-dcq", source], stdout=subprocess.PIPE, check=True).stdout
        if name == "zeek":  # a query and its time are in all but a few
            events = b"".join(line + b"\n" for line in events.splitlines() if b'"query":' in line and b'"rtt":' in line)
        with open(path, "wb") as f:
            for _ in range(1 + 100_000_000 // len(events)):
                f.write(events)
        found.append((name, path, os.path.getsize(path)))
    return found


def table(a, timed, say, row):
    lines = ["", "## Expressions, one core", "",
             row("", "file", "MB/s", "jq, MB/s", "ratio", "by processor time", "target", "", "peak RSS, MiB"),
             row("---", "---", "---:", "---:", "---:", "---:", "---", "---", "---:")]
    agreed = True
    ours_out, jq_out = os.path.join(a.folder, "ours"), os.path.join(a.folder, "theirs")
    available = files(a, say)
    for what, target, by_file in JOBS:
        for name, path, size in available:
            tool, program = by_file[name]
            jq_program = f"select({program})" if tool == "filter" else program
            ours = f"taskset -c 1 stream-{tool} {shlex.quote(program)} {shlex.quote(path)}"
            theirs = f"taskset -c 1 jq -c {shlex.quote(jq_program)} {shlex.quote(path)}"
            say(f"expressions: {what}: {name}")
            wall_jq, cpu_jq, _, status = timed(a, theirs, os.devnull, jq_out, pipeline=False)
            status = status or timed(a, ours, os.devnull, ours_out, pipeline=False)[3]
            if status != 0 or values_digest(ours_out) != values_digest(jq_out):
                say(f"WRONG    expressions: {what}: {name}: the outputs differ (status {status})")
                say(f"         {ours}")
                agreed = False
                continue
            walls, cpus, rss = [], [], 0
            for _ in range(a.rounds):
                wall, cpu, kib, _ = timed(a, ours, os.devnull, os.devnull, pipeline=False)
                walls.append(wall)
                cpus.append(cpu)
                rss = max(rss, kib)
            ratio = wall_jq / statistics.median(walls)
            lines.append(row(f"{what}: `{program}`", f"{name}, {size / 1e6:,.0f} MB", f"{size / 1e6 / statistics.median(walls):,.0f}",
                             f"{size / 1e6 / wall_jq:,.0f}", f"{ratio:.1f}", f"{cpu_jq / statistics.median(cpus):.1f}", f"≥ {target}",
                             "met" if ratio >= target else "**not met**", f"{rss / 1024:.1f}"))
    for path in [ours_out, jq_out] + [path for name, path, _ in available if name != "web"]:
        if os.path.exists(path):
            os.remove(path)
    lines += ["", "github is github-events, zeek its DNS log, both real and repeated to 100 MB."]
    return lines, agreed
