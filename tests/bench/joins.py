# SPDX-License-Identifier: Apache-2.0
"""stream-join against DuckDB, one core, its reading of JSON counted; memory against what the windows must hold; the cost
of an event at short and long windows.

The as-of join is each trade of a day of BAC with the last quote of its exchange (real data, where it is there); the
interval join is of two generated streams, requests and what is like responses to them, by session and path. Outputs
are compared by what pairs they name, in whatever order. Run by compare.py, or alone: joins.py --folder DIR
[--megabytes N], once run.sh has built there.
"""
import hashlib
import json
import os
import shlex
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TRADE = "ms,price,size,exchange,condition,suspicious"
QUOTE = "ms,bid,bidsize,ask,asksize,exchange,condition,suspicious"
WEB = """{ts: 'TIMESTAMP', id: 'VARCHAR', user: 'VARCHAR', session: 'VARCHAR', path: 'VARCHAR', method: 'VARCHAR',
          status: 'INTEGER', bytes: 'BIGINT', latency_ms: 'DOUBLE', ip: 'VARCHAR', agent: 'VARCHAR'}"""
# The inputs are read as a query over a file would: only what is needed, with its type.
# Read into tables first: straight from the files DuckDB plans the as-of join as a loop, and takes minutes.
AS_OF = """CREATE OR REPLACE TEMP TABLE t AS SELECT * FROM read_json('@LEFT@', format = 'newline_delimited',
               columns = {ts: 'VARCHAR', ms: 'BIGINT', price: 'BIGINT', size: 'BIGINT', exchange: 'VARCHAR', condition: 'VARCHAR',
                          suspicious: 'BIGINT'});
           CREATE OR REPLACE TEMP TABLE q AS SELECT * FROM read_json('@RIGHT@', format = 'newline_delimited',
               columns = {ms: 'BIGINT', bid: 'BIGINT', ask: 'BIGINT', exchange: 'VARCHAR'});
           COPY (SELECT t.*, CASE WHEN q.ms IS NOT NULL THEN struct_pack(ms := q.ms, bid := q.bid, ask := q.ask) END AS quote
           FROM t ASOF LEFT JOIN q ON t.exchange = q.exchange AND t.ms >= q.ms) TO '@OUT@' (FORMAT json)"""
INTERVAL = f"""COPY (SELECT greatest(l.ts, r.ts) AS ts, l AS "left", r AS "right"
              FROM read_json('@LEFT@', format = 'newline_delimited', columns = {WEB}) l
              JOIN read_json('@RIGHT@', format = 'newline_delimited', columns = {WEB}) r
              ON l.session = r.session AND l.path = r.path AND r.ts BETWEEN l.ts - INTERVAL 10 SECONDS AND l.ts + INTERVAL 10 SECONDS)
              TO '@OUT@' (FORMAT json)"""


def pairs_digest(path, name_of):
    """How many, and a sum that does not depend on their order."""
    count, total = 0, 0
    with open(path, encoding="utf-8") as f:
        for line in f:
            count += 1
            total += int.from_bytes(hashlib.blake2b(name_of(json.loads(line)).encode(), digest_size=8).digest(), "big")
    return f"{count} {total % (1 << 64):016x}"


def quote_of(event):
    # The quote's time: of several of one millisecond DuckDB takes any, ours the last.
    quote = event.get("quote")
    return f"{event['ms']} {event['price']} {event['size']} {event['exchange']} {quote and quote['ms']}"


def pair_of(event):
    return f"{event['left']['id']} {event['right']['id']}"


def bac(a, say):
    """The day's trades and quotes as NDJSON; None where they are not there."""
    found = []
    for kind, columns in (("trade", TRADE), ("quote", QUOTE)):
        source = os.path.join(a.data, f"trades-quotes/20131007_bac_{kind}_tick.csv.zst")
        if not os.path.exists(source):
            say(f"SKIPPED  joins: there is no {source}")
            return None
        path = os.path.join(a.folder, f"bac-{kind}.ndjson")
        with open(path, "wb") as f:
            subprocess.run(["stream-cat", "--format", "csv", "--columns", columns, "--time", "ms", "--time-unit", "ms",
                            "--tz", "America/New_York", "--base", "2013-10-07", source], stdout=f, check=True)
        found.append(path)
    return found


def generated(a, megabytes):
    """Requests, and a response to each up to a second later, each stream of so many megabytes."""
    left, right = os.path.join(a.folder, "requests.ndjson"), os.path.join(a.folder, "responses.ndjson")
    events = megabytes * 1_000_000 // 240
    with open(left, "wb") as f:
        subprocess.run(["stream-gen", "web", "--events", str(events), "--seed", "1"], stdout=f, check=True)
    # The same events, a little later: one latency for all keeps them in order.
    with open(right, "wb") as f:
        subprocess.run(["stream-gen", "web", "--events", str(events), "--seed", "1", "--start", "2026-01-01T00:00:01Z"], stdout=f, check=True)
    return [left, right]


def duckdb(a, query, files, out):
    program = ("import sys,time,duckdb;c=duckdb.connect(config={'threads':1});b=time.perf_counter();p=time.process_time();"
               "c.execute(sys.argv[1]);open(sys.argv[2],'w').write(f'{time.perf_counter()-b} {time.process_time()-p}')")
    seconds = os.path.join(a.folder, "duckdb.seconds")
    for name, path in (("@LEFT@", files[0]), ("@RIGHT@", files[1]), ("@OUT@", out)):
        query = query.replace(name, path)
    query = " ".join(query.split())
    return (f"taskset -c 1 {shlex.quote(a.duckdb_python)} -c {shlex.quote(program)} {shlex.quote(query)} {shlex.quote(seconds)}", seconds)


def against_duckdb(a, timed, say, row, jobs):
    lines = ["", "## Joins, one core", "",
             row("", "input, MB", "MB/s", "DuckDB, MB/s", "ratio", "by processor time", "target", "", "peak RSS, MiB", "DuckDB's, MiB"),
             row("---", "---:", "---:", "---:", "---:", "---:", "---", "---", "---:", "---:")]
    agreed = True
    ours_out, duck_out = os.path.join(a.folder, "ours"), os.path.join(a.folder, "theirs")
    for what, files, options, query, name_of in jobs:
        size = sum(os.path.getsize(path) for path in files)
        ours = f"taskset -c 1 stream-join {shlex.quote(files[1])} {options}"
        say(f"joins: {what}")
        status = timed(a, ours, files[0], ours_out, pipeline=False)[3]
        wanted = pairs_digest(ours_out, name_of) if status == 0 else f"status {status}"
        os.remove(ours_out)  # gigabytes, where the inputs are
        walls, cpus, rss, duck_walls, duck_cpus, duck_rss = [], [], 0, [], [], 0
        if a.duckdb_python:
            command, seconds = duckdb(a, query, files, duck_out)
            status = status or timed(a, command, os.devnull, os.devnull, pipeline=False)[3]
            theirs = pairs_digest(duck_out, name_of) if status == 0 else f"status {status}"
            if theirs != wanted:
                say(f"WRONG    joins: {what}: ours {wanted}, DuckDB's {theirs}")
                agreed = False
                continue
        for _ in range(a.rounds):
            wall, cpu, kib, _ = timed(a, ours, files[0], os.devnull, pipeline=False)
            walls.append(wall)
            cpus.append(cpu)
            rss = max(rss, kib)
            if a.duckdb_python:
                command, seconds = duckdb(a, query, files, os.devnull)
                duck_rss = max(duck_rss, timed(a, command, os.devnull, os.devnull, pipeline=False)[2])
                with open(seconds, encoding="ascii") as f:
                    wall, cpu = (float(value) for value in f.read().split())
                duck_walls.append(wall)
                duck_cpus.append(cpu)
        speed = size / 1e6 / statistics.median(walls)
        cells = ["–"] * 4
        if duck_walls:
            ratio = statistics.median(duck_walls) / statistics.median(walls)
            cells = [f"{size / 1e6 / statistics.median(duck_walls):,.0f}", f"{ratio:.1f}",
                     f"{statistics.median(duck_cpus) / statistics.median(cpus):.1f}", "met" if ratio > 1 else "**not met**"]
        lines.append(row(f"{what}: `{options}`, {wanted.split()[0]} results", f"{size / 1e6:,.0f}", f"{speed:,.0f}", *cells[:3], "> 1",
                         cells[3], f"{rss / 1024:.1f}", f"{duck_rss / 1024:.1f}" if duck_rss else "–"))
    for path in (ours_out, duck_out):
        if os.path.exists(path):
            os.remove(path)
    return lines, agreed


def windows(a, timed, say, row, files):
    """One match an event, whatever the window: what it costs to hold more, and how much memory that takes."""
    lines = ["", "An event and its one match (`--on id`), by how long the window is:", "",
             row("window", "events a second", "µs of processor an event", "against 10 s", "held, events", "their bytes, MiB",
                 "peak RSS above 1 s', MiB", "ratio", "target", ""),
             row("---", "---:", "---:", "---:", "---:", "---:", "---:", "---:", "---", "---")]
    events = subprocess.run(["wc", "-l", files[0]], stdout=subprocess.PIPE, check=True).stdout.split()[0]
    events = 2 * int(events)
    size = sum(os.path.getsize(path) for path in files)
    base, first = None, None
    for window, seconds in (("1s", 1), ("10s", 10), ("1m", 60), ("10m", 600), ("1h", 3600)):
        say(f"joins: window {window}")
        walls, cpus, rss = [], [], 0
        for _ in range(a.rounds):
            command = f"taskset -c 1 stream-join {shlex.quote(files[1])} --on id --within {window} --memory 8GiB"
            wall, cpu, kib, status = timed(a, command, files[0], os.devnull, pipeline=False)
            if status != 0:
                return lines + [f"window {window}: status {status}"], False
            walls.append(wall)
            cpus.append(cpu)
            rss = max(rss, kib)
        wall, cpu = statistics.median(walls), statistics.median(cpus)
        if base is None:
            base = rss
            continue
        first = first or cpu
        held = min(events, 2 * 100 * seconds)  # 100 events a second of each stream
        held_bytes = held * size / events
        ratio = (rss - base) * 1024 / held_bytes
        verdict = "–" if held_bytes < 4 << 20 else "met" if ratio <= 3 else "**not met**"
        lines.append(row(window, f"{events / wall:,.0f}", f"{cpu / events * 1e6:.2f}", f"{cpu / first:.2f}", f"{held:,}", f"{held_bytes / (1 << 20):.1f}",
                         f"{(rss - base) / 1024:.1f}", "–" if verdict == "–" else f"{ratio:.2f}", "≤ 3", verdict))
    return lines, True


def table(a, timed, say, row):
    megabytes = a.join_megabytes
    files = generated(a, megabytes)
    jobs = [("interval join of two streams", files, "--on session,path --within 10s", INTERVAL, pair_of)]
    quotes = bac(a, say)
    if quotes:
        jobs.insert(0, ("as-of join of BAC's trades with quotes", quotes, "--on exchange --as-of --as quote --type left --fields ms,bid,ask", AS_OF, quote_of))
    lines, agreed = against_duckdb(a, timed, say, row, jobs)
    more, fine = windows(a, timed, say, row, files)
    for path in files + (quotes or []):
        os.remove(path)
    return lines + more, agreed and fine


def main():
    import argparse

    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--folder", required=True)
    p.add_argument("--bin", default=os.path.join(HERE, "../../build/release/bin"))
    p.add_argument("--data", default=os.path.join(HERE, "../../../shared/data"))
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--megabytes", dest="join_megabytes", type=int, default=200, help="of each generated stream (1000: 1 GB)")
    a = p.parse_args()
    os.environ["PATH"] = os.path.abspath(a.bin) + os.pathsep + os.environ["PATH"]
    try:
        import duckdb as _  # noqa: F401
        a.duckdb_python = sys.executable
    except ImportError:
        a.duckdb_python = None

    def timed(a, command, stdin, stdout, pipeline=True):
        report = os.path.join(a.folder, "report")
        words = ["bash", "-o", "pipefail", "-c", command] if pipeline else shlex.split(command)
        subprocess.run([os.path.join(a.folder, "timed"), report, stdin, stdout, *words], check=True)
        with open(report, encoding="ascii") as f:
            wall, cpu, rss, status = f.read().split()
        return float(wall), float(cpu), int(rss), int(status)

    lines, agreed = table(a, timed, lambda text: print(text, file=sys.stderr),
                          lambda *cells: "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    print("\n".join(lines))
    sys.exit(0 if agreed else 1)


if __name__ == "__main__":
    main()
