#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Debezium's change events: nested times and keys, deletes that have no row."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import oracle
from oracle import SECOND


def orders():
    timed = [(event["source"]["ts_ms"] * 10**6, event) for event in oracle.events_of("cdc/debezium_pg_orders.ndjson")]
    rows = lambda events: [event["after"] for event in events if event["after"] is not None]
    return oracle.tumbling(timed, 10 * SECOND, lambda event: (event["after"] or {}).get("status"),
                           lambda key: {"after": {"status": key}}, lambda events: {
        "count": len(events),
        "sum_after_price": sum(row["price"] for row in rows(events)) if rows(events) else None,
        "mean_after_quantity": oracle.mean([row["quantity"] for row in rows(events)])})


oracle.main({"orders": orders})
