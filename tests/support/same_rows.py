#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""same_rows.py WANTED GOT: whether two NDJSON files say the same, row for row: the same members in the
same order, the same values, numbers by exact value. Shows the first differences and exits 1 if not."""
import itertools
import json
import sys
from decimal import Decimal


def rows(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            yield line.rstrip("\n"), json.loads(line, parse_float=Decimal, parse_int=Decimal)


def same(a, b):
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


differences = count = 0
nothing = ("(no more rows)", None)
for number, (wanted, got) in enumerate(itertools.zip_longest(rows(sys.argv[1]), rows(sys.argv[2]), fillvalue=nothing), 1):
    count = number
    if wanted is nothing or got is nothing or not same(wanted[1], got[1]):
        differences += 1
        if differences <= 5:
            print(f"row {number}\n  wanted {wanted[0]}\n  got    {got[0]}")
if differences or count == 0:
    print(f"{differences} of {count} rows differ" if count else "no rows at all")
    sys.exit(1)
