#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judge what a follower wrote of what follow_writer.py did. Exit 0: kept its word; 1: it did not.

  - every line is one that was written, byte for byte, once, in order
  - a line may be missing only if it was in the file at a truncation, and then with all that came behind
    it in that file, and only if the follower reported a gap
  - half lines come only from lines that a truncation cut in two: of one that was half written then, any
    part; of the first that was missed, the beginning (it had been half written at the last look)
  - where nothing was truncated no gap is reported
"""

import argparse
import json
import sys

sys.dont_write_bytecode = True  # no __pycache__ in the checkout
from follow_writer import line_of  # noqa: E402

GAP = ("cut off before", "truncated after", "rewritten after", "taken back", "came and went",
       "may be missing", "is missing")


def judge(output, events, gaps):
    problems = []
    total = next((e["lines"] for e in events if e["event"] == "end"), None)
    if total is None:
        return ["the writer did not end"], {}
    cuts = [e for e in events if e["event"] == "truncate"]
    seen = set()
    newest = -1
    halves = []
    if output and not output.endswith(b"\n"):
        problems.append("the output ends in the middle of a line")
    for number, line in enumerate(output.splitlines(keepends=True), 1):
        try:
            seq = json.loads(line)["seq"]
            whole = line == line_of(seq) and seq < total
        except (ValueError, KeyError, TypeError):
            whole = False
        if not whole:
            halves.append((number, line.rstrip(b"\n")))
            continue
        if seq in seen:
            problems.append(f"line {number} repeats seq {seq}")
        elif seq < newest:
            problems.append(f"line {number}: seq {seq} after {newest}")
        seen.add(seq)
        newest = max(newest, seq)

    lost = set(range(total)) - seen
    explained = set()
    lossy = 0
    cut_in_two = []
    missed_first = []
    for event in cuts:
        if not event["held"]:
            continue
        first, last = event["held"]
        here = sorted(n for n in lost if first <= n <= last)
        explained.update(here)
        whole_ones = [n for n in here if n != event["partial"]]
        lossy += bool(whole_ones)
        end = last - 1 if last == event["partial"] else last
        if whole_ones and whole_ones != list(range(whole_ones[0], end + 1)):
            problems.append(f"lost inside {first}..{last}, not at its end: {whole_ones[:20]}")
        if event["partial"] is not None:
            cut_in_two.append(line_of(event["partial"]))
        if here:
            missed_first.append(line_of(here[0]))
    for number, text in halves:
        if not any(text in line for line in cut_in_two) and not any(line.startswith(text) for line in missed_first):
            problems.append(f"line {number} was never written: {text[:100]!r}")
    unexplained = sorted(lost - explained)
    if unexplained:
        problems.append(f"{len(unexplained)} lines lost that no truncation removed: {unexplained[:20]}")
    if lossy and not gaps:
        problems.append(f"{len(lost)} lines lost by truncation and no gap reported")
    if gaps and not cuts:
        problems.append(f"a gap was reported and there was none: {gaps[0]}")
    return problems, {"lines": total, "seen": len(seen), "lost_by_truncation": len(explained), "halves": len(halves),
                      "truncations": len(cuts), "lossy_truncations": lossy, "gaps_reported": len(gaps),
                      "renames": sum(e["event"] == "rename" for e in events)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", required=True, help="of follow_writer.py")
    parser.add_argument("--output", required=True, help="the follower's stdout")
    parser.add_argument("--gaps", required=True, help="the follower's stderr")
    args = parser.parse_args()
    with open(args.output, "rb") as file:
        output = file.read()
    with open(args.log, encoding="utf-8") as file:
        events = [json.loads(line) for line in file]
    with open(args.gaps, encoding="utf-8", errors="replace") as file:
        gaps = [line.strip() for line in file if any(text in line for text in GAP)]
    problems, summary = judge(output, events, gaps)
    print(json.dumps(summary))
    for problem in problems[:20]:
        print(f"follow_check: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
