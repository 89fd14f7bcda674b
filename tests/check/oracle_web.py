#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Web server logs: the access log (by SQLite, and sessions and late events in Python) and NASA's day."""
import calendar
import os
import re
import sqlite3
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import oracle
from oracle import HOUR, MINUTE, SECOND

ACCESS = "web-access/access.ndjson"


def clf_to_ns(text):
    stamp, zone = text.split(" ")
    assert zone == "+0000"
    return calendar.timegm(time.strptime(stamp, "%d/%b/%Y:%H:%M:%S")) * SECOND


def access():
    return [(clf_to_ns(event["time"]), event) for event in oracle.events_of(ACCESS)]


def per_minute_and_response():
    base = sqlite3.connect(":memory:")
    base.execute("create table log(at integer, response integer, bytes integer)")
    base.executemany("insert into log values(?, ?, ?)",
                     [(ns // SECOND, event["response"], event["bytes"]) for ns, event in access()])
    return [{"window_start": oracle.ns_to_rfc3339(start * SECOND), "window_end": oracle.ns_to_rfc3339((start + 60) * SECOND),
             "response": response, "count": count, "sum_bytes": total}
            for start, response, count, total in base.execute(
                "select at / 60 * 60 as start, response, count(*), sum(bytes) from log group by 1, 2 order by 1, 2")]


def sessions():
    def fold(members):
        return {"count": len(members), "span": (members[-1][0] - members[0][0]) // SECOND, "entry": members[0][1]["request"]}
    return oracle.sessions(access(), 30 * MINUTE, lambda event: event["remote_ip"], lambda key: {"remote_ip": key}, fold)


def late(lateness):
    return oracle.late_events(access(), 10 * SECOND, int(lateness) * SECOND)


def in_time(lateness):
    """Per 10 s window, what is left when the late events are gone."""
    whole = access()
    gone = {id(event) for event in oracle.late_events(whole, 10 * SECOND, int(lateness) * SECOND)}
    return oracle.tumbling([pair for pair in whole if id(pair[1]) not in gone], 10 * SECOND, oracle.no_key, oracle.no_names,
                           lambda events: {"count": len(events)})


def report():
    return oracle.report([ns for ns, _ in access()], [0, 10 * SECOND, 30 * SECOND])


def text_per_minute():
    """The text log itself, its whole lines."""
    line_of = re.compile(r'(\S+) \S+ (\S+) \[([^]]+)\] "([A-Z]+) (\S+) (\S+)" (\d+) (\d+|-) "([^"\\]|\\.)*" "([^"\\]|\\.)*"')
    timed = []
    for line in oracle.text_of("web-access/apache_access.log").split("\n"):
        match = line_of.fullmatch(line)
        if match:
            size = match.group(8)
            timed.append((clf_to_ns(match.group(3)), (int(match.group(7)), None if size == "-" else int(size), match.group(4))))
    return oracle.tumbling(timed, MINUTE, lambda event: event[0], lambda key: {"status": key}, lambda events: {
        "count": len(events),
        "sum_bytes": sum(event[1] for event in events if event[1] is not None) if any(
            event[1] is not None for event in events) else None,
        "distinct_method": len({event[2] for event in events})})


def nasa():
    lines = oracle.text_of("web-clicks-tsv/nasa_19950801.tsv").split("\n")
    names = lines[0].split("\t")
    for line in lines[1:]:
        if line:
            yield {name: oracle.number_or_text(cell) for name, cell in zip(names, line.split("\t"))}


def nasa_sessions():
    timed = [(int(event["time"]) * SECOND, event) for event in nasa()]
    return oracle.sessions(timed, 30 * MINUTE, lambda event: event["host"], lambda key: {"host": key}, lambda members: {
        "count": len(members), "first_url": members[0][1]["url"], "last_url": members[-1][1]["url"],
        "sum_bytes": sum(event["bytes"] for _, event in members if event["bytes"] is not None)})


def nasa_top():
    timed = [(int(event["time"]) * SECOND, event) for event in nasa()]
    rows = oracle.tumbling(timed, 15 * MINUTE, lambda event: event["url"], lambda key: {"url": key},
                           lambda events: {"count": len(events)})
    windows = {}
    for row in rows:
        windows.setdefault(row["window_start"], []).append(row)
    return [row for window in windows.values()
            for row in sorted(window, key=lambda row: (-row["count"], oracle.value_order(row["url"])))[:10]]


def nasa_hours():
    timed = [(int(event["time"]) * SECOND, event) for event in nasa()]
    return oracle.tumbling(timed, HOUR, lambda event: event["response"], lambda key: {"response": key}, lambda events: {
        "count": len(events), "hosts": len({event["host"] for event in events})})


oracle.main({"per_minute_and_response": per_minute_and_response, "sessions": sessions, "late": late, "in_time": in_time,
             "report": report, "text_per_minute": text_per_minute, "nasa_sessions": nasa_sessions, "nasa_top": nasa_top,
             "nasa_hours": nasa_hours})
