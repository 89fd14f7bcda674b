# SPDX-License-Identifier: Apache-2.0
"""What the oracles in tests/check share: reading the data, exact numbers, and writing rows.

Nothing here knows how the tools work; everything is kept, sorted and counted in the plainest way.
"""
import decimal
import json
import os
import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction

SECOND = 10**9
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

decimal.getcontext().prec = 200  # sums in full

data_folder = os.environ["STREAM_TEST_DATA"]


def text_of(path):
    """The text of a file of the shared data, unpacked where it is stored packed."""
    full = os.path.join(data_folder, path)
    if os.path.exists(full + ".zst"):
        return subprocess.run(["zstd", "-dcq", full + ".zst"], stdout=subprocess.PIPE, check=True).stdout.decode()
    with open(full, "rb") as file:
        return file.read().decode()


def events_of(path):
    return [json.loads(line, parse_float=Decimal) for line in text_of(path).split("\n") if line]


def number_or_text(cell):
    """A cell of a text format: a number where it is one in JSON, null where it is empty."""
    if cell == "":
        return None
    if re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?", cell):
        return Decimal(cell)
    return cell


def nanoseconds(moment):
    return ((moment - EPOCH) // timedelta(microseconds=1)) * 1000


def rfc3339_to_ns(text):
    """`2018-03-24T17:15:20.865716Z`, also with a blank and without a zone (UTC), 0 to 9 digits."""
    match = re.fullmatch(r"(\d+)-(\d+)-(\d+)[T ](\d+):(\d+):(\d+)(?:\.(\d+))?Z?", text)
    year, month, day, hour, minute, second = (int(group) for group in match.groups()[:6])
    whole = nanoseconds(datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc))
    return whole + int((match.group(7) or "").ljust(9, "0"))


def ns_to_rfc3339(ns):
    seconds, rest = divmod(ns, SECOND)
    text = (EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    if rest:
        digits = f"{rest:09d}"
        for keep in (3, 6, 9):
            if not digits[keep:].strip("0"):
                text += "." + digits[:keep]
                break
    return text + "Z"


def value_order(value):
    """A sort key in jq's order of values, for what the data has as keys."""
    if value is None:
        return (0, 0)
    if value is False:
        return (1, 0)
    if value is True:
        return (2, 0)
    if isinstance(value, (int, Decimal)):
        return (3, value)
    if isinstance(value, str):
        return (4, value)
    raise ValueError(value)


def nearest_rank(values, percent):
    if not values:
        return None
    ordered = sorted(values)
    rank = -((-len(ordered) * Fraction(str(percent))) // 100)
    return ordered[max(int(rank), 1) - 1]


def nearest_double(fraction):
    """An exact quotient as the nearest double, in its shortest digits."""
    return Decimal(repr(float(fraction)))


def mean(values):
    return nearest_double(sum(Fraction(value) for value in values) / len(values)) if values else None


def plain(value):
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name, ensure_ascii=False)}:{plain(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(plain(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def write(rows):
    out = sys.stdout
    for row in rows:
        out.write(plain(row) + "\n")


def tumbling(timed, size, key_of, names_of, fold):
    """Rows of tumbling windows: `timed` are (ns, event) pairs in order of arrival."""
    groups = {}
    for ns, event in timed:
        groups.setdefault((ns // size * size, value_order(key_of(event)), key_of(event)), []).append((ns, event))
    rows = []
    for (start, _, key), members in sorted(groups.items(), key=lambda item: item[0][:2]):
        members.sort(key=lambda pair: pair[0])  # stable: ties stay in order of arrival
        row = {"window_start": ns_to_rfc3339(start), "window_end": ns_to_rfc3339(start + size)}
        row.update(names_of(key))
        row.update(fold([event for _, event in members]))
        rows.append(row)
    return rows


def no_key(_):
    return None


def no_names(_):
    return {}


def sessions(timed, gap, key_of, names_of, fold):
    keys = {}
    for ns, event in timed:
        keys.setdefault(key_of(event), []).append((ns, event))
    found = []
    for key, members in keys.items():
        members.sort(key=lambda pair: pair[0])
        current = []
        for ns, event in members:
            if current and ns - current[-1][0] > gap:
                found.append((key, current))
                current = []
            current.append((ns, event))
        found.append((key, current))
    found.sort(key=lambda item: (item[1][-1][0], item[1][0][0], value_order(item[0])))
    rows = []
    for key, members in found:
        row = {"window_start": ns_to_rfc3339(members[0][0]), "window_end": ns_to_rfc3339(members[-1][0] + gap)}
        row.update(names_of(key))
        row.update(fold(members))
        rows.append(row)
    return rows


def late_events(timed, size, lateness):
    """Which of the events come when the tumbling window they belong to has closed."""
    late, newest = [], None
    for ns, event in timed:
        end = ns // size * size + size
        if newest is not None and newest - lateness >= end:
            late.append(event)
        newest = ns if newest is None or ns > newest else newest
    return late


def report(times, bounds):
    """What `stream-time report --at` is to say of these times, in seconds."""
    def seconds(ns):
        return Decimal(ns) / SECOND

    lateness, newest = [], None
    for ns in times:
        newest = ns if newest is None or ns > newest else newest
        lateness.append(newest - ns)
    ordered = sorted(times)
    return [{
        "events": len(times),
        "out_of_order": sum(1 for value in lateness if value > 0),
        "lateness_p50": seconds(nearest_rank(lateness, 50)),
        "lateness_p99": seconds(nearest_rank(lateness, 99)),
        "lateness_max": seconds(max(lateness)),
        "gap_max": seconds(max(b - a for a, b in zip(ordered, ordered[1:]))),
        "later": [sum(1 for value in lateness if value > bound) for bound in bounds],
    }]


def main(questions):
    """Answers the question that the command line names."""
    write(questions[sys.argv[1]](*sys.argv[2:]))
