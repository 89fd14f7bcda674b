#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""stream-join against nested loops: thousands of random small inputs, every type and bound.

The oracle keeps everything and compares everything with everything. Each case is run from files and from pipes
whose bytes come in random pieces at random moments: the answer is to be the same to the byte. STREAM_LONG has
twenty times as many cases; JOIN_SEED and JOIN_CASES choose others. What fails is told with its command line and
inputs.
"""
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
os.environ.setdefault("STREAM_TEST_DATA", "")
from oracle import SECOND, ns_to_rfc3339

TYPES = ("inner", "left", "right", "full", "semi", "anti")
NOWHERE = (1 << 90, 0)  # behind every event
seed = int(os.environ.get("JOIN_SEED", "20261121"))
cases = int(os.environ.get("JOIN_CASES", "3000" if os.environ.get("STREAM_LONG") else "150"))
folder = tempfile.mkdtemp()


# --- inputs ---------------------------------------------------------------------------------------------------

class Event:
    def __init__(self, time_ns, key, raw, position, change=None):
        self.time, self.key, self.raw, self.position, self.change = time_ns, key, raw, position, change


def same_key(value):
    """By value and type; None never matches."""
    if value is None:
        return None
    return (type(value).__name__ if not isinstance(value, (int, float)) else "number", json.dumps(float(value) if isinstance(value, (int, float)) else value))


KEYS = ('1', '1.0', '"1"', '"a"', '"\\u0061"', '2', 'null', None, '[1]')


def times(rng, count, spread, disorder):
    """Half seconds, in an order that is off by up to `disorder`, and sometimes more."""
    sorted_times = sorted(rng.randint(-spread, spread) for _ in range(count))
    keyed = sorted(range(count), key=lambda i: sorted_times[i] + rng.uniform(0, disorder))
    return [sorted_times[i] for i in keyed]


def plain_events(rng, name, count, spread, disorder, keys):
    events = []
    numeric = rng.random() < 0.5
    for position, half in enumerate(times(rng, count, spread, disorder)):
        key = rng.choice(keys)
        time_member = str(half / 2) if numeric else '"%s"' % ns_to_rfc3339(half * SECOND // 2)
        raw = '{"ts":%s%s,"%s":%d}' % (time_member, "" if key is None else ',"k":' + key, name, position)
        events.append(Event(half * SECOND // 2, same_key(None if key is None else json.loads(key)), raw, position))
    return events


def split_late(events, lateness):
    """Those in time, and those older than the watermark of their own input."""
    kept, late, newest = [], [], None
    for event in events:
        if newest is not None and event.time < newest - lateness:
            late.append(event)
        else:
            kept.append(event)
        newest = event.time if newest is None else max(newest, event.time)
    return kept, late


# --- the oracles ----------------------------------------------------------------------------------------------

def pair_line(time_ns, left, right, flat):
    stamp = ns_to_rfc3339(time_ns)
    if not flat:
        return '{"ts":"%s","left":%s,"right":%s}' % (stamp, left.raw if left else "null", right.raw if right else "null")
    text = '{"ts":"%s"' % stamp
    if left:
        text += left.raw[left.raw.index(",", left.raw.index('"ts"')):-1]
    if right:
        text += "," + right.raw[1:-1].replace('"ts"', '"right_ts"', 1).replace('"k"', '"right_k"', 1).replace('"r"', '"right_r"', 1)
    return text + "}"


def place(event):
    return (event.time, event.position)


def interval(left, right, kind, before, after, flat, keyed):
    rows, matched_left, matched_right = [], set(), set()
    for l, r in itertools.product(left, right):
        if keyed and (l.key is None or l.key != r.key):
            continue
        if not l.time - before <= r.time <= l.time + after:
            continue
        matched_left.add(l.position)
        matched_right.add(r.position)
        if kind in ("inner", "left", "right", "full"):
            at = max(l.time, r.time)
            rows.append((at, place(l), place(r), pair_line(at, l, r, flat)))
    for l in left:
        is_matched = l.position in matched_left
        if kind in ("left", "full") and not is_matched:
            rows.append((l.time, place(l), NOWHERE, pair_line(l.time, l, None, flat)))
        if kind == "semi" and is_matched or kind == "anti" and not is_matched:
            rows.append((l.time, place(l), NOWHERE, l.raw))
    for r in right:
        if kind in ("right", "full") and r.position not in matched_right:
            rows.append((r.time, NOWHERE, place(r), pair_line(r.time, None, r, flat)))
    rows.sort(key=lambda row: row[:3])
    return [row[3] for row in rows]


def table(left, changes, kind, upto):
    """`upto(event)`: which changes an event sees, in order; the last one of its key counts."""
    lines = []
    for l in left:
        row = None
        if l.key is not None:
            for change in upto(l):
                what, key, text = change.change
                if what == "truncate":
                    row = None
                elif key == l.key:
                    row = text if what == "set" else None
        if kind in ("semi", "anti"):
            if (row is not None) == (kind == "semi"):
                lines.append(l.raw)
        elif row is not None or kind == "left":
            lines.append(l.raw[:-1] + ',"right":%s}' % (row if row is not None else "null"))
    return lines


def change_events(rng, count, spread, disorder, keys):
    events = []
    for position, half in enumerate(times(rng, count, spread, disorder)):
        key = rng.choice(keys)
        stamp = '"%s"' % ns_to_rfc3339(half * SECOND // 2)
        member = "" if key is None else '"k":%s,' % key
        row = '{%s"v":%d}' % (member, position)
        value = same_key(None if key is None else json.loads(key))
        form = rng.random()
        if form < 0.5:
            row = '{"ts":%s,%s"v":%d}' % (stamp, member, position)
            raw, change = row, ("set", value, row)
        elif form < 0.65:
            raw, change = '{"ts":%s,"op":"%s","before":null,"after":%s}' % (stamp, rng.choice("cru"), row), ("set", value, row)
        elif form < 0.8 and value is not None:
            raw, change = '{"ts":%s,"op":"d","before":%s,"after":null}' % (stamp, row), ("remove", value, None)
        elif form < 0.95:
            raw, change = '{"ts":%s,%s"gone":true}' % (stamp, member), ("remove", value, None)
        else:
            raw, change = '{"ts":%s,"op":"t","before":null,"after":null}' % stamp, ("truncate", None, None)
        events.append(Event(half * SECOND // 2, value, raw, position, change))
    return events


# --- running --------------------------------------------------------------------------------------------------

def text_of(events):
    return "".join(event.raw + "\n" for event in events).encode()


def dribble(path, data, rng):
    """Random pieces, now and then with a pause."""
    pieces = []
    at = 0
    while at < len(data):
        size = rng.choice((1, 7, 40, 200, 5000))
        pieces.append((data[at:at + size], rng.random() < 0.1))
        at += size

    def write():
        with open(path, "wb", buffering=0) as pipe:
            for piece, pause in pieces:
                try:
                    pipe.write(piece)
                except BrokenPipeError:
                    return
                if pause:
                    time.sleep(0.002)

    thread = threading.Thread(target=write)
    thread.start()
    return thread


def run(arguments, left, right, how, rng, late=None):
    """`how`: for each side file or pipe."""
    paths, threads = [], []
    for name, data, kind in (("left", left, how[0]), ("right", right, how[1])):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            os.remove(path)
        if kind == "file":
            with open(path, "wb") as file:
                file.write(data)
        else:
            os.mkfifo(path)
            threads.append(dribble(path, data, random.Random(rng.random())))
        paths.append(path)
    command = ["stream-join", paths[1]] + arguments + (["--late", late] if late else [])
    if late and os.path.exists(late):
        os.remove(late)
    with open(paths[0], "rb") as stdin:
        done = subprocess.run(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    for thread in threads:
        thread.join()
    return done


class Failed(Exception):
    pass


def check(arguments, left, right, wanted, how, rng, late_lines):
    late = os.path.join(folder, "late")
    done = run(arguments, left, right, how, rng, late)
    got = done.stdout.decode().splitlines()
    if done.returncode == 0 and got == wanted:
        kept = open(late, encoding="utf-8").read().splitlines() if os.path.exists(late) else []
        if sorted(kept) == sorted(late_lines):
            return
        got, wanted = ["late: " + line for line in sorted(kept)], ["late: " + line for line in sorted(late_lines)]
    raise Failed("\n".join([
        "stream-join RIGHT " + " ".join(arguments) + f"   (LEFT from a {how[0]}, RIGHT from a {how[1]})",
        f"status {done.returncode}: {done.stderr.decode().strip()}", "LEFT:", left.decode(), "RIGHT:", right.decode(),
        "WANTED:", *wanted, "GOT:", *got]))


def duration(half_seconds):
    return ("-" if half_seconds < 0 else "") + "%dms" % (abs(half_seconds) * 500)


def some_keys(rng):
    return rng.sample(KEYS, rng.randint(1, len(KEYS)))


WAYS = (("file", "file"), ("pipe", "file"), ("file", "pipe"), ("pipe", "pipe"))


def interval_case(rng):
    keys, spread = some_keys(rng), rng.choice((3, 10, 40))
    disorder = rng.choice((0, 0, 3, 10))
    lateness = [rng.choice((0, disorder, disorder, 20)) for _ in range(2)]
    left = plain_events(rng, "l", rng.randint(0, 14), spread, disorder, keys)
    right = plain_events(rng, "r", rng.randint(0, 14), spread, disorder, keys)
    kind, flat, keyed = rng.choice(TYPES), rng.random() < 0.2, rng.random() < 0.85
    before, after = rng.randint(-6, 12), rng.randint(-6, 12)
    if before + after < 0:
        before = -after
    arguments = ["--before", duration(before), "--after", duration(after)]
    if rng.random() < 0.3:
        before = after = abs(before)
        arguments = ["--within", duration(before)]
    arguments += ["--type", kind, "--lateness", "=".join(duration(value) for value in lateness)]
    arguments += ["--on", "k"] if keyed else []
    arguments += ["--flat"] if flat else []
    half = SECOND // 2
    kept = [split_late(events, value * half) for events, value in ((left, lateness[0]), (right, lateness[1]))]
    wanted = interval(kept[0][0], kept[1][0], kind, before * half, after * half, flat, keyed)
    late_lines = [event.raw for _, late in kept for event in late]
    for how in WAYS:
        check(arguments, text_of(left), text_of(right), wanted, how, rng, late_lines)
    if rng.random() < 0.2:  # the same rows at once, in another order
        done = run(arguments + ["--eager"], text_of(left), text_of(right), ("pipe", "pipe"), rng, os.path.join(folder, "late"))
        if sorted(done.stdout.decode().splitlines()) != sorted(wanted):
            raise Failed("--eager writes other rows: " + " ".join(arguments) + "\n" + text_of(left).decode() + "--\n" + text_of(right).decode())


def as_of_case(rng):
    keys, spread = some_keys(rng), rng.choice((3, 10, 40))
    disorder = rng.choice((0, 0, 3, 10))
    lateness = [rng.choice((0, disorder, disorder, 20)) for _ in range(2)]
    left = plain_events(rng, "l", rng.randint(0, 14), spread, disorder, keys)
    right = change_events(rng, rng.randint(0, 14), spread, disorder, keys)
    kind = rng.choice(("inner", "left", "semi", "anti"))
    arguments = ["--as-of", "--on", "k", "--type", kind, "--deleted", ".gone == true",
                 "--lateness", "=".join(duration(value) for value in lateness)]
    whole = sorted(right, key=lambda event: (event.time, event.position))
    wanted = table(left, whole, kind, lambda l: [change for change in whole if change.time <= l.time])
    for how in (("file", "file"), ("pipe", "file")):
        check(arguments, text_of(left), text_of(right), wanted, how, rng, [])
    half = SECOND // 2
    in_time, late_left = split_late(left, lateness[0] * half)
    seen, late_right = split_late(right, lateness[1] * half)
    in_time.sort(key=lambda event: (event.time, event.position))
    seen.sort(key=lambda event: (event.time, event.position))
    wanted = table(in_time, seen, kind, lambda l: [change for change in seen if change.time <= l.time])
    for how in (("file", "pipe"), ("pipe", "pipe")):
        check(arguments, text_of(left), text_of(right), wanted, how, rng, [event.raw for event in late_left + late_right])


def latest_case(rng):
    keys = some_keys(rng)
    left = plain_events(rng, "l", rng.randint(0, 14), 10, 5, keys)
    right = change_events(rng, rng.randint(0, 14), 10, 5, keys)
    kind = rng.choice(("inner", "left", "semi", "anti"))
    arguments = ["--latest", "--on", "k", "--type", kind, "--deleted", ".gone == true"]
    wanted = table(left, right, kind, lambda _: right)
    for how in WAYS:
        check(arguments, text_of(left), text_of(right), wanted, how, rng, [])


def any_order_case(rng):
    """No two of one time: any order within the lateness gives the bytes of the sorted one."""
    spots = rng.sample(range(-60, 60), 24)
    sides = []
    for name, part in (("l", sorted(spots[:12])), ("r", sorted(spots[12:]))):
        sides.append([Event(half * SECOND // 2, None, '{"ts":%s,"k":%d,"%s":%d}' % (half / 2, rng.randint(1, 2), name, i), i)
                      for i, half in enumerate(part)])
    disorder = rng.choice((2, 6, 15))
    kind = rng.choice(TYPES)
    arguments = ["--within", "3s", "--on", "k", "--type", kind, "--lateness", duration(disorder)]
    wanted = None
    for _ in range(4):
        shuffled = sides if wanted is None else [sorted(side, key=lambda event: event.time + rng.uniform(0, disorder) * SECOND / 2) for side in sides]
        done = run(arguments, text_of(shuffled[0]), text_of(shuffled[1]), rng.choice(WAYS), rng)
        if done.returncode != 0:
            raise Failed(f"status {done.returncode}: {done.stderr.decode()}")
        if wanted is None:
            wanted = done.stdout
        if done.stdout != wanted:
            raise Failed("another order within the lateness gives other bytes: " + " ".join(arguments) + "\n" + text_of(shuffled[0]).decode() + "--\n" + text_of(shuffled[1]).decode())
    if kind in ("left", "full"):
        seen = {json.loads(line)["left"]["l"] for line in wanted.decode().splitlines() if json.loads(line)["left"]}
        if seen != set(range(12)):
            raise Failed("a left event is lost")


def restart_case(rng):
    """Both inputs cut at any place, the second call going on: the bytes of one call."""
    keys, disorder = some_keys(rng), rng.choice((0, 4))
    kind = rng.choice(TYPES)
    left = plain_events(rng, "l", rng.randint(1, 12), 12, disorder, keys)
    right = plain_events(rng, "r", rng.randint(1, 12), 12, disorder, keys)
    lateness = disorder + 1
    how = rng.choice(WAYS)
    if rng.random() < 0.6:
        arguments = ["--within", "2s", "--on", "k", "--type", kind, "--lateness", duration(lateness)]
    else:
        right = change_events(rng, rng.randint(1, 12), 12, disorder, keys)
        kind = rng.choice(("inner", "left", "semi", "anti"))
        arguments = ["--as-of", "--on", "k", "--type", kind, "--deleted", ".gone == true", "--lateness", duration(lateness)]
        how = (how[0], "pipe")  # a file is a table that is there from the beginning
    whole = run(arguments, text_of(left), text_of(right), how, rng)
    state = os.path.join(folder, "state")
    subprocess.run(["rm", "-rf", state], check=True)
    cut_left, cut_right = rng.randint(0, len(left)), rng.randint(0, len(right))
    first = run(arguments + ["--state", state], text_of(left[:cut_left]), text_of(right[:cut_right]), how, rng)
    second = run(arguments + ["--state", state, "--final"], text_of(left[cut_left:]), text_of(right[cut_right:]), how, rng)
    if first.stdout + second.stdout != whole.stdout:
        raise Failed("\n".join(["cut in two calls: " + " ".join(arguments) + f" after {cut_left} of LEFT and {cut_right} of RIGHT, {how}",
                                text_of(left).decode() + "--", text_of(right).decode(), "ONE CALL:", whole.stdout.decode(), "TWO:",
                                first.stdout.decode() + first.stderr.decode() + "--", second.stdout.decode() + second.stderr.decode()]))


def main():
    only = sys.argv[1:]
    bad = False
    parts = ((interval_case, 1.0), (as_of_case, 0.6), (latest_case, 0.2), (any_order_case, 0.3), (restart_case, 0.5))
    for number, (case, share) in enumerate(parts, 1):
        name = case.__name__.replace("_case", "").replace("_", " ")
        count = max(1, int(cases * share))
        if only and case.__name__ not in only:
            continue
        failure = None
        for i in range(count):
            try:
                case(random.Random(f"{seed}/{case.__name__}/{i}"))
            except (Failed, subprocess.TimeoutExpired) as error:
                failure = f"case {i} of seed {seed}\n{error}"
                break
        print(f"{'not ok' if failure else 'ok'} {number} - {name}: {count} random inputs as nested loops have them", flush=True)
        if failure:
            bad = True
            print("\n".join("# " + line for line in failure.splitlines()), flush=True)
    print(f"1..{len(parts)}")
    subprocess.run(["rm", "-rf", folder], check=False)
    return 1 if bad else 0


sys.exit(main())
