#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trades: bars of a day of New York, and of an hour of Coinbase."""
import csv
import io
import os
import sys
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import oracle
from oracle import MINUTE


def bar(price, size):
    return lambda events: {
        "open": events[0][price], "high": max(event[price] for event in events), "low": min(event[price] for event in events),
        "close": events[-1][price], "volume": sum(event[size] for event in events), "count": len(events)}


def lean(symbol):
    midnight = oracle.nanoseconds(datetime(2013, 10, 7, tzinfo=ZoneInfo("America/New_York")))
    timed = []
    for line in oracle.text_of(f"trades-quotes/20131007_{symbol}_trade_tick.csv").splitlines():
        ms, price, size = line.split(",")[:3]
        timed.append((midnight + int(ms) * 10**6, {"price": int(price), "size": int(size)}))
    return oracle.tumbling(timed, MINUTE, oracle.no_key, oracle.no_names, bar("price", "size"))


def table(path):
    return list(csv.DictReader(io.StringIO(oracle.text_of(path), newline="")))


def bitcoin():
    timed = [(oracle.rfc3339_to_ns(row["timestamp"]), {
        "side": row["side"], "price": Decimal(row["price"]), "amount": Decimal(row["amount"])})
        for row in table("trades-quotes/questdb_btc_trades.csv")]
    return oracle.tumbling(timed, MINUTE, lambda event: event["side"], lambda key: {"side": key}, bar("price", "amount"))


def nasdaq():
    timed = [(oracle.rfc3339_to_ns(row["timestamp"]), {"id": row["id"], "price": Decimal(row["price"]), "volume": Decimal(row["dayVolume"])})
             for row in table("trades-quotes/questdb_nasdaq_trades.csv")]
    return oracle.tumbling(timed, 10 * MINUTE, lambda event: event["id"], lambda key: {"id": key}, lambda events: {
        "count": len(events), "first_price": events[0]["price"], "last_price": events[-1]["price"],
        "min_price": min(event["price"] for event in events), "max_price": max(event["price"] for event in events),
        "mean_price": oracle.mean([event["price"] for event in events]),
        "increase_dayVolume": None})


def nasdaq_rows():
    """nasdaq() without the counter: its growth depends on the window before."""
    rows = nasdaq()
    for row in rows:
        del row["increase_dayVolume"]
    return rows


oracle.main({"lean": lean, "bitcoin": bitcoin, "nasdaq": nasdaq_rows})
