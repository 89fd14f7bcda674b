#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Other text: the ssh log (no year in its times), sensors, requests to language models."""
import os
import re
import sys
from datetime import datetime, timezone
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import oracle
from oracle import HOUR, MINUTE, SECOND


def ssh():
    line_of = re.compile(r"(\w{3}) +(\d+) (\d+):(\d+):(\d+) (\S+) ([^\[: ]+)(?:\[(\d+)\])?: (.*)")
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
    timed = []
    for line in oracle.text_of("ssh-auth-log/auth.log").split("\n"):
        if line:
            month, day, hour, minute, second, _, program, pid, _ = line_of.fullmatch(line).groups()
            at = datetime(2017, months.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=timezone.utc)
            timed.append((oracle.nanoseconds(at), (program, pid)))
    return oracle.tumbling(timed, HOUR, lambda event: event[0], lambda key: {"program": key}, lambda events: {
        "count": len(events), "distinct_pid": len({event[1] for event in events if event[1] is not None})})


def table(path):
    lines = oracle.text_of(path).splitlines()
    names = lines[0].split(",")
    return [dict(zip(names, (oracle.number_or_text(cell) for cell in line.split(",")))) for line in lines[1:] if line]


def sensor(name):
    timed = [(oracle.rfc3339_to_ns(row["timestamp"]), row["value"]) for row in table(f"sensors-csv/{name}.csv")]
    return oracle.tumbling(timed, HOUR, oracle.no_key, oracle.no_names, lambda values: {
        "count": len(values), "sum_value": sum(map(Decimal, values)), "mean_value": oracle.mean(values),
        "min_value": min(values), "max_value": max(values), "median_value": oracle.nearest_rank(values, 50)})


def requests(*names):
    timed = []
    for name in names:
        timed += [(oracle.rfc3339_to_ns(row["TIMESTAMP"]), row) for row in table(f"llm-requests-csv/{name}.csv")]
    timed.sort(key=lambda pair: pair[0])
    return timed


def tokens(*names):
    return oracle.tumbling(requests(*names), 10 * SECOND, oracle.no_key, oracle.no_names, lambda rows: {
        "count": len(rows), "sum_ContextTokens": sum(row["ContextTokens"] for row in rows),
        "sum_GeneratedTokens": sum(row["GeneratedTokens"] for row in rows)})


def percentiles(name):
    return oracle.tumbling(requests(name), MINUTE, oracle.no_key, oracle.no_names, lambda rows: {
        f"p{percent}_ContextTokens": oracle.nearest_rank([row["ContextTokens"] for row in rows], percent)
        for percent in (50, 95, 99)})


def hopping(name):
    """5 minutes every 30 seconds."""
    size, advance = 5 * MINUTE, 30 * SECOND
    windows = {}
    for ns, row in requests(name):
        start = ns // advance * advance
        while start + size > ns:
            windows.setdefault(start, []).append(row["ContextTokens"])
            start -= advance
    return [{"window_start": oracle.ns_to_rfc3339(start), "window_end": oracle.ns_to_rfc3339(start + size),
             "count": len(values), "p99_ContextTokens": oracle.nearest_rank(values, 99), "max_ContextTokens": max(values)}
            for start, values in sorted(windows.items())]


def sliding(name):
    """For each request the number and the tokens of those in the minute up to it, its peers included."""
    rows = requests(name)
    answer = []
    for ns, row in rows:
        reach = [other["ContextTokens"] for at, other in rows if ns - MINUTE <= at <= ns]
        answer.append({"count": len(reach), "sum_ContextTokens": sum(reach)})
    return answer


oracle.main({"ssh": ssh, "sensor": sensor, "tokens": tokens, "percentiles": percentiles, "hopping": hopping, "sliding": sliding})
