#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Converts text to NDJSON as stream-cat --format must, byte for byte: Python's csv, re and datetime, no code shared.

  text_oracle.py FORMAT [--columns a,b,…] [--base YEAR] <text >ndjson

FORMAT is csv, tsv, clf, combined, syslog or lines. A record that is no event goes to stderr as NUMBER: REASON
(records count from 1, a header too), and is left out. Times without a year are UTC of YEAR, which rolls over from
December to January.
"""
import argparse
import csv
import datetime
import io
import json
import re
import sys

JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?", re.ASCII)


class Bad(Exception):
    pass


def string(text):
    return json.dumps(text, ensure_ascii=False)


def string_or_null(text):
    return string(text) if text else "null"


def cell(text):
    if not text:
        return "null"
    return text if JSON_NUMBER.fullmatch(text) else string(text)


def members(pairs):
    return "{" + ",".join(f"{string(name)}:{value}" for name, value in pairs) + "}"


def rfc3339(time):
    time = time.astimezone(datetime.timezone.utc)
    micros = f"{time.microsecond:06}"
    fraction = "" if micros == "000000" else "." + (micros[:3] if micros.endswith("000") else micros)
    return string(time.strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z")


# --- csv, tsv

# Whether a cell was in quotes is what the csv module does not tell.
CSV_CELL = re.compile(r'(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r\n|\n|$)')


def csv_records(text):
    """Each record as a list of (text, was quoted)."""
    at = 0
    for row in csv.reader(io.StringIO(text, newline=""), strict=True):
        if not row:
            while text[at] != "\n":
                at += 1
            at += 1
            yield []
            continue
        record = []
        for text_by_csv in row:
            match = CSV_CELL.match(text, at)
            quoted, plain = match.group(1), match.group(2)
            mine = plain if quoted is None else quoted.replace('""', '"')
            if mine != text_by_csv:
                raise SystemExit(f"the oracle disagrees with itself: {mine!r} {text_by_csv!r}")
            record.append((mine, quoted is not None))
            at = match.end()
        yield record


def lines_of(text):
    for line in text.split("\n")[: -1 if text.endswith("\n") else None]:
        yield line.removesuffix("\r")


def tsv_records(text):
    for line in lines_of(text):
        yield [(value, False) for value in line.split("\t")] if line else []


def delimited(records, columns):
    for record in records:
        if not record:
            yield None
        elif columns is None:
            columns = [name or f"column_{i}" for i, (name, _) in enumerate(record, 1)]
            yield None
        elif len(record) != len(columns):
            yield Bad(f"{len(record)} cells where {len(columns)} columns are known")
        else:
            yield members(
                (name, string(value) if quoted else cell(value)) for name, (value, quoted) in zip(columns, record)
            )


# --- lines of logs

REQUEST = re.compile(r"([A-Za-z_-]+) (?:(.*) ([A-Za-z]+/[0-9.]+)|(/.*))", re.DOTALL)
IN_QUOTES = r'"((?:[^"\\]|\\.)*)"'
CLF = r"([^ ]*) [^ ]* (.*?) \[([^\]]*)\] " + IN_QUOTES + r" ([0-9]+|-) ([0-9]+|-)"
CLF_TIME = re.compile(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [-+]\d{4}")
ACCESS = {"clf": re.compile(CLF), "combined": re.compile(CLF + " " + IN_QUOTES + " " + IN_QUOTES)}


def access(line, form):
    match = ACCESS[form].fullmatch(line)
    if not match:
        raise Bad("not in this form")
    address, user, time, request, status, size, *rest = ("" if text == "-" else text for text in match.groups())
    if not CLF_TIME.fullmatch(time):
        raise Bad("not a time")
    request, *rest = (re.sub(r'\\(["\\])', r"\1", text) for text in (request, *rest))
    method, path, query, protocol = "", request, None, ""
    split = REQUEST.fullmatch(request)
    if split:
        method, path, protocol, old_path = split.groups()
        path, mark, query = (path if old_path is None else old_path).partition("?")
        query = query if mark else None
    pairs = [
        ("ts", rfc3339(datetime.datetime.strptime(time, "%d/%b/%Y:%H:%M:%S %z"))),
        ("remote_ip", string_or_null(address)),
        ("user", string_or_null(user)),
        ("method", string_or_null(method)),
        ("path", string_or_null(path)),
        ("query", "null" if query is None else string(query)),
        ("protocol", string_or_null(protocol)),
        ("status", cell(status)),
        ("bytes", cell(size)),
    ]
    return members(pairs + list(zip(("referrer", "agent"), map(string_or_null, rest))))


BSD = re.compile(r"(?:<\d{1,3}>)?([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) (?:([^ ]*[^ :]|) )?(.*)", re.DOTALL)
TAG = re.compile(r"(?:([^\[ ]+?)\[([^\] ]*)\]:? ?|([^\[ ]+?):(?: |$))(.*)", re.DOTALL)


class Syslog:
    def __init__(self, year):
        self.year, self.month = year, None

    def convert(self, line):
        match = BSD.fullmatch(line)
        if not match:
            raise Bad("not syslog")
        text, host, rest = match.groups()
        time = datetime.datetime.strptime(f"2000 {text}", "%Y %b %d %H:%M:%S")
        if self.month == 12 and time.month == 1:
            self.year += 1
        self.month = time.month
        tag = TAG.fullmatch(rest)
        with_pid, pid, alone, message = tag.groups() if tag else (None, None, None, rest)
        return members(
            (
                ("ts", rfc3339(time.replace(year=self.year, tzinfo=datetime.timezone.utc))),
                ("host", string_or_null(host)),
                ("program", string_or_null(with_pid or alone)),
                ("pid", cell(pid)),
                ("message", string_or_null(message)),
            )
        )


def by_line(text, convert, skip_blank=True):
    for line in lines_of(text):
        if skip_blank and not line:
            yield None
            continue
        try:
            yield convert(line)
        except (Bad, ValueError) as reason:
            yield Bad(str(reason))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("format", choices=("csv", "tsv", "clf", "combined", "syslog", "lines"))
    arguments.add_argument("--columns", type=lambda text: text.split(","))
    arguments.add_argument("--base", type=int)
    options = arguments.parse_args()
    text = sys.stdin.buffer.read().decode("utf-8").removeprefix("\ufeff")
    if options.format in ("csv", "tsv"):
        records = csv_records(text) if options.format == "csv" else tsv_records(text)
        events = delimited(records, options.columns)
    elif options.format == "syslog":
        events = by_line(text, Syslog(options.base).convert)
    elif options.format == "lines":
        events = by_line(text, lambda line: members([("line", string(line))]), skip_blank=False)
    else:
        events = by_line(text, lambda line: access(line, options.format))
    out = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="\n")
    for number, event in enumerate(events, 1):
        if isinstance(event, Bad):
            print(f"{number}: {event}", file=sys.stderr)
        elif event is not None:
            out.write(event + "\n")
    out.flush()


if __name__ == "__main__":
    main()
