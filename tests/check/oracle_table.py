#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tables in SQLite and in dictionaries, for stream-table on Debezium's orders.

    rows [MS]             the orders at the end, or as of that millisecond, in order of id
    customers SEED        a changelog of the orders' customers: names move between ids, rows go and come back
    prefixes TYPE C J     after every instant, the changes in J folded are SQLite's join of the orders and of C
"""
import json
import os
import random
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import oracle

ORDERS = "cdc/debezium_pg_orders.ndjson"


def plain(value):
    return json.dumps(value, sort_keys=True, default=float)


def order_changes():
    """(ms, id that goes or None, row or None)"""
    for event in oracle.events_of(ORDERS):
        before, after = event["before"], event["after"]
        yield event["source"]["ts_ms"], before and before["id"], after


def rows(until=None):
    table = {}
    for ms, gone, row in order_changes():
        if until is not None and ms > int(until):
            continue
        table.pop(gone, None)
        if row:
            table[row["id"]] = row
    for key in sorted(table):
        print(json.dumps(table[key], default=float))


def customers(seed):
    dice = random.Random(int(seed))
    changes = list(order_changes())
    names = sorted({row["customer_name"] for _, _, row in changes if row})
    first, last = changes[0][0], changes[-1][0]
    table = {}
    for number, ms in enumerate(sorted(dice.randint(first - 500, last + 500) for _ in range(1500))):
        key = dice.randint(1, 300)
        old = table.get(key)
        if old and dice.random() < 0.3:
            event = {"op": "d", "before": dice.choice([old, {"id": key}]), "after": None}
            table.pop(key)
        else:
            # Few names, so that many customers share one; some have none.
            name = dice.choice(names[:200] + [None]) if not old or dice.random() < 0.6 else old["name"]
            new = {"id": key, "name": name, "level": dice.randint(1, 3)}
            if old and dice.random() < 0.2:
                new["id"] = dice.choice([other for other in range(301, 2000) if other not in table])
                table.pop(key)
                event = {"op": "u", "before": {"id": key}, "after": new}
            elif dice.random() < 0.5:
                event = new
            else:
                event = {"op": "u" if old else "c", "before": old, "after": new}
            table[new["id"]] = new
        print(json.dumps({"ts": ms, **event}))


def prefixes(kind, customers_file, joined_file):
    events = [(ms, 1, gone, row) for ms, gone, row in order_changes()]
    for line in open(customers_file):
        event = json.loads(line)
        ms = event.pop("ts")
        if "op" in event:
            events.append((ms, 0, event["before"] and event["before"]["id"], event["after"]))
        else:
            events.append((ms, 0, None, {"ts": ms, **event}))
    events.sort(key=lambda event: event[:2])
    base = sqlite3.connect(":memory:")
    base.execute("create table l (id integer primary key, name text, row text)")
    base.execute("create table r (id integer primary key, name text, row text)")
    base.execute("create index rn on r (name)")
    base.execute("create index ln on l (name)")
    query = "select l.id, r.id, l.row, r.row from l join r on l.name = r.name"
    if kind in ("left", "full"):
        query += " union all select l.id, null, l.row, null from l where not exists (select 1 from r where l.name = r.name)"
    if kind in ("right", "full"):
        query += " union all select null, r.id, null, r.row from r where not exists (select 1 from l where l.name = r.name)"
    outputs = [json.loads(line) for line in open(joined_file)]
    folded, at, instants = {}, 0, 0
    key_of = lambda pair: tuple(pair[side] and pair[side]["id"] for side in ("left", "right"))
    for place, (ms, side, gone, row) in enumerate(events):
        table = "l" if side == 1 else "r"
        base.execute(f"delete from {table} where id = ?", (gone,))
        if row:
            name = row["customer_name"] if side == 1 else row["name"]
            base.execute(f"insert or replace into {table} values (?, ?, ?)", (row["id"], name, plain(row)))
        if place + 1 < len(events) and events[place + 1][0] == ms:
            continue
        while at < len(outputs) and oracle.rfc3339_to_ns(outputs[at]["ts"]) <= ms * 10**6:
            change = outputs[at]
            at += 1
            before, after = change["before"], change["after"]
            assert change["op"] == ("u" if before and after else "c" if after else "d"), change
            assert plain(before) != plain(after), ("it changes nothing", change)
            if before:
                had = folded.pop(key_of(before))
                assert had == (plain(before["left"]), plain(before["right"])), ("not what was there", change)
            if after:
                assert key_of(after) not in folded, ("it is there already", change)
                assert not before or key_of(after) == key_of(before), change
                folded[key_of(after)] = (plain(after["left"]), plain(after["right"]))
        instants += 1
        if instants % 10 == 0 or place + 1 == len(events):  # a tenth of the instants, and the last
            joined = {(a, b): (l or "null", r or "null") for a, b, l, r in base.execute(query)}
            if folded != joined:
                sys.exit(f"at {ms}: {sorted(set(folded.items()) ^ set(joined.items()), key=str)[:5]}")
    if at != len(outputs):
        sys.exit(f"{len(outputs) - at} changes after the last instant")
    print(f"{kind} {len(folded) > 0} {len(outputs) > 1000} {instants > 1000}")


{"rows": rows, "customers": customers, "prefixes": prefixes}[sys.argv[1]](*sys.argv[2:])
