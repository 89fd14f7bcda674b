#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Zeek's network logs: names with dots in them, times late by minutes."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import oracle
from oracle import MINUTE, SECOND


def timed(name):
    return [(oracle.rfc3339_to_ns(event["ts"]), event) for event in oracle.events_of(f"zeek/{name}.ndjson")]


def dns():
    return oracle.tumbling(timed("dns"), MINUTE, lambda event: event.get("id.orig_h"), lambda key: {"id.orig_h": key}, lambda events: {
        "count": len(events),
        "distinct_query": len({event["query"] for event in events if event.get("query") is not None}),
        "p95_rtt": oracle.nearest_rank([event["rtt"] for event in events if event.get("rtt") is not None], 95)})


def dns_late():
    return oracle.late_events(timed("dns"), MINUTE, 60 * SECOND)


def dns_report():
    return oracle.report([ns for ns, _ in timed("dns")], [0, 10 * SECOND, 30 * SECOND])


def ssl():
    """Two keys, one of which is sometimes missing; shares of a boolean; first and last."""
    groups = {}
    for ns, event in timed("ssl"):
        groups.setdefault((ns // (5 * MINUTE), event.get("version"), event["id.resp_p"]), []).append((ns, event))
    rows = []
    for (window, version, port), members in sorted(
            groups.items(), key=lambda item: (item[0][0], oracle.value_order(item[0][1]), item[0][2])):
        members.sort(key=lambda pair: pair[0])
        established = [event["established"] for _, event in members if event.get("established") is not None]
        rows.append({"window_start": oracle.ns_to_rfc3339(window * 5 * MINUTE),
                     "window_end": oracle.ns_to_rfc3339((window + 1) * 5 * MINUTE),
                     "version": version, "id.resp_p": port, "count": len(members),
                     "count_established": sum(1 for value in established if value),
                     "share": oracle.mean([int(value) for value in established]),
                     "first_uid": members[0][1]["uid"], "last_uid": members[-1][1]["uid"]})
    return rows


oracle.main({"dns": dns, "dns_late": dns_late, "dns_report": dns_report, "ssl": ssl})
