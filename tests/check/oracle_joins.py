#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Joins of real data: trades with the last quote of their exchange, by a program that walks the files; DNS queries
with the TLS sessions that followed, by SQLite's range join."""
import os
import sqlite3
import sys
from datetime import datetime
from zoneinfo import ZoneInfo

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import oracle
from oracle import SECOND, number_or_text

TRADE = ("ms", "price", "size", "exchange", "condition", "suspicious")
QUOTE = ("ms", "bid", "bidsize", "ask", "asksize", "exchange", "condition", "suspicious")
MIDNIGHT = oracle.nanoseconds(datetime(2013, 10, 7, tzinfo=ZoneInfo("America/New_York")))


def ticks(symbol, kind, names):
    for line in oracle.text_of(f"trades-quotes/20131007_{symbol}_{kind}_tick.csv").splitlines():
        yield dict(zip(names, (number_or_text(cell) for cell in line.split(","))))


def quoted(symbol):
    """Each trade with the last quote of its exchange that is no later; of one millisecond the last in the file."""
    quotes = list(ticks(symbol, "quote", QUOTE))
    last = {}
    at = 0
    for trade in ticks(symbol, "trade", TRADE):
        while at < len(quotes) and quotes[at]["ms"] <= trade["ms"]:
            last[quotes[at]["exchange"]] = quotes[at]
            at += 1
        quote = last.get(trade["exchange"])
        yield {"ms": trade["ms"], "price": trade["price"], "size": trade["size"], "exchange": trade["exchange"],
               "quote": quote and [quote[name] for name in ("ms", "bid", "bidsize", "ask", "asksize")]}


def lookups():
    """dns and ssl of one client, the name asked for being the server's, the session at most 5 s after the query."""
    base = sqlite3.connect(":memory:")
    base.execute("create table dns (n integer, at integer, host text, name text, uid text)")
    base.execute("create table ssl (n integer, at integer, host text, name text, uid text)")
    for table, member in (("dns", "query"), ("ssl", "server_name")):
        base.executemany(f"insert into {table} values (?, ?, ?, ?, ?)", (
            (n, oracle.rfc3339_to_ns(event["ts"]), event.get("id.orig_h"), event.get(member), event["uid"])
            for n, event in enumerate(oracle.events_of(f"zeek/{table}.ndjson"))))
        base.execute(f"create index {table}_index on {table} (host, name, at)")
    return base, (5 * SECOND,)


def matches():
    base, bound = lookups()
    for at, left, right in base.execute(
            "select max(dns.at, ssl.at), dns.uid, ssl.uid from dns join ssl on dns.host = ssl.host and dns.name = ssl.name"
            " and ssl.at >= dns.at and ssl.at <= dns.at + ? order by 1, dns.at, dns.n, ssl.at, ssl.n", bound):
        yield {"ts": oracle.ns_to_rfc3339(at), "dns": left, "ssl": right}


def unanswered():
    base, bound = lookups()
    for (uid,) in base.execute(
            "select uid from dns where not exists (select 1 from ssl where dns.host = ssl.host and dns.name = ssl.name"
            " and ssl.at >= dns.at and ssl.at <= dns.at + ?) order by at, n", bound):
        yield {"uid": uid}


oracle.main({"quoted": quoted, "matches": matches, "unanswered": unanswered})
