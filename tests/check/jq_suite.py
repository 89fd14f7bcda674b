#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""jq's own test suite, where there is a copy of it, through expr_eval.

usage: jq_suite.py [FILE.test|FOLDER]…        default: $JQ_SUITE

The suite (tests/*.test of jq 1.6) is groups of lines: a program, its input, what it gives; or %%FAIL, a
program that does not compile, and the message. As an event is an object, a program P on an input X runs as
`.x | P` on {"x": X}, and where X is an object also as it is. Like jq's own runner, this one does not mind
an error after the last expected value. Each group runs compiled where it can be, and all in libjq.
"""
import argparse
import glob
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from jq_differential import Evaluator, read_json, root, same

# What cannot apply: a pattern of the program, and why.
EXCLUDED = [
    (r"^\s*(import|include|module)\b", "modules are refused"),
    (r"\bmodulemeta\b", "modules are refused"),
    (r"\b(input|inputs|input_filename|debug|stderr|halt|halt_error)\b", "refused: it reads or writes beside the events"),
    (r"\b(input_line_number|get_search_list)\b", "about jq's own command line"),
]


def groups(path):
    """(line number, program, input, expected values) and (line number, program, None, None) for %%FAIL."""
    with open(path, encoding="utf-8") as file:
        lines = [(number, line.rstrip("\n")) for number, line in enumerate(file, 1)]
    blocks, block = [], []
    for number, line in [*lines, (0, "")]:
        if line.startswith("#") and not line.startswith("#]"):
            continue
        if line.strip():
            block.append((number, line))
        elif block:
            blocks.append(block)
            block = []
    for block in blocks:
        texts = [text for _, text in block]
        if texts[0].startswith("%%FAIL"):
            yield block[1][0], texts[1], None, None
        elif len(texts) >= 2:
            yield block[0][0], texts[0], texts[1].lstrip("\ufeff"), texts[2:]


def reason_to_leave_out(program, texts):
    # A name in a string is no call.
    bare = re.sub(r'"(?:\\.|[^"\\])*"', '""', program)
    try:
        for text in texts:
            read_json(text)
    except ValueError:
        return "its input or what it expects is not JSON"  # some examples of the manual are cut off
    return next((why for pattern, why in EXCLUDED if re.search(pattern, bare)), None)


def sorted_members(value):
    """jq's runner does not look at the order of an object's members."""
    if isinstance(value, dict):
        return {name: sorted_members(value[name]) for name in sorted(value)}
    return [sorted_members(item) for item in value] if isinstance(value, list) else value


def verdict(answer, expected):
    """Empty where the answer is what the suite expects."""
    if "fault" in answer:
        return f"{answer['fault']}: {answer.get('why', '')}"
    run = answer["events"][0]
    try:
        results, message = read_json("[" + run + "]")
    except ValueError as fault:
        return f"not JSON ({fault}): {run}"
    wanted = [read_json(text) for text in expected]
    if len(results) == len(wanted) and all(same(sorted_members(ours), sorted_members(theirs), set()) for ours, theirs in zip(results, wanted)):
        return ""
    return f"{run}\n#   expected: {' '.join(expected)}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("paths", nargs="*", default=[os.environ["JQ_SUITE"]] if os.environ.get("JQ_SUITE") else [])
    parser.add_argument("--eval", default=os.environ.get("EXPR_EVAL", os.path.join(root, "build/release/bin/expr_eval")))
    options = parser.parse_args()
    files = [file for path in options.paths for file in (sorted(glob.glob(os.path.join(path, "*.test"))) if os.path.isdir(path) else [path])]
    files = [file for file in files if os.path.exists(file)]
    if not files:
        print("1..0 # SKIP no copy of jq's test suite (tests/*.test of jq 1.6): give its path, or set JQ_SUITE")
        sys.exit(77)
    if not os.access(options.eval, os.X_OK):
        print(f"not ok 1 - there is no {options.eval}")
        sys.exit(1)
    number = failed = compiled = left_out = 0
    with tempfile.TemporaryDirectory() as scratch:
        evaluator = Evaluator(options.eval, scratch)
        for file in files:
            for line, program, given, expected in groups(file):
                number += 1
                name = f"{os.path.basename(file)}:{line} {program[:100]}".replace("#", "\\#")
                why = None if given is None else reason_to_leave_out(program, [given, *expected])
                if why:
                    left_out += 1
                    print(f"ok {number} - {name} # SKIP {why}")
                    continue
                if given is None:
                    problem = "" if evaluator.ask([program], ["{}"])[0].get("fault") == "compile" else "it compiles"
                else:
                    forms = [(f".x | {program}", f'{{"x":{given}}}')]
                    if given.startswith("{"):
                        forms.append((program, given))
                    problem = ""
                    for libjq in (False, True):
                        for text, event in forms:
                            answer = evaluator.ask([text], [event], libjq)[0]
                            compiled += not libjq and text is forms[0][0] and bool(answer.get("compiled"))
                            problem = problem or verdict(answer, expected) and (("in libjq alone: " if libjq else "") + f"{text} on {event}\n#   gives: " + verdict(answer, expected))
                failed += bool(problem)
                print(f"{'not ' if problem else ''}ok {number} - {name}" + (f"\n#   {problem}" if problem else ""), flush=True)
    print(f"# {number} groups: {number - left_out - failed} as jq says, {failed} not, {left_out} do not apply; {compiled} were compiled")
    print(f"1..{number}")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
