#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Expressions against the jq binary: programs made from jq's grammar by a seed, events made and real.

usage: jq_differential.py [--seed N] [--programs N] [--share P] [--long] [--only LABEL] [--show N] [--out FILE]

Each program runs over the same events in jq (1.6) and in build/release/bin/expr_eval ($EXPR_EVAL, --eval).
The values, those before a failure too, must be the same, and whether it fails; what a failure says only
where it is caught. What else may differ is in same_number(), same_text() and Comparison.reason(), each with
why. TAP on stdout; a failing case is shown small: the program, the event, both answers.

First come every builtin on odd values, regular expressions, dates and doubles (a share of them by --share),
then generated programs, some with a token changed (both must refuse them, or neither), and numbers that a
double would round, for which Python's arithmetic is the measure.
"""
import argparse
import collections
import decimal
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from decimal import Decimal

here = os.path.dirname(os.path.abspath(__file__))
root = os.path.join(here, "..", "..")
decimal.getcontext().prec = 800
decimal.getcontext().Emax = 10**9
decimal.getcontext().Emin = -10**9

# What both sides see of the world.
environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": "/nonexistent", "TZ": "UTC", "LC_ALL": "C.UTF-8",
               "JQ_WORD": "per aspera", "JQ_NUMBER": "12", "PAGER": "less"}

# ---------------------------------------------------------------------------------------------------------
# Programs: a tree of texts, so that a failing one can be cut down.

PIPE, COMMA, ALTERNATIVE, ASSIGN, OR, AND, COMPARE, ADD, MULTIPLY, UNARY, POSTFIX, TERM = range(1, 13)
OPEN = 0  # `def`, `as`, `label`: everything to the right belongs to it


class Node:
    def __init__(self, parts, precedence=TERM):
        self.parts, self.precedence = parts, precedence

    def __str__(self):
        return "".join(map(str, self.parts))

    def kids(self):
        return [part for part in self.parts if isinstance(part, Node)]


class Shape:
    """What values are like: shares of kinds, of members and elements, and samples."""

    def __init__(self, kind=None, elem=None, members=None):
        self.kinds = collections.Counter({kind: 1} if kind else {})
        self.elem, self.members = elem, dict(members or {})
        self.samples, self.cache = [], None

    def take(self, value):
        kind = kind_of(value)
        self.kinds[kind] += 1
        if kind in ("str", "num") and len(self.samples) < 12:
            self.samples.append(value)
        if kind == "arr":
            for item in value[:20]:
                self.elem = self.elem or Shape()
                self.elem.take(item)
        if kind == "obj":
            for name, item in value.items():
                if name in self.members or len(self.members) < 60:
                    self.members.setdefault(name, Shape()).take(item)

    def share(self, kind):
        return self.kinds[kind] / max(1, sum(self.kinds.values()))

    def paths(self):
        """(steps, shape, whether it gives a stream) of what is inside, to a depth of four."""
        if self.cache is None:
            self.cache, level = [], [((), self, False)]
            for _ in range(4):
                deeper = []
                for steps, shape, stream in level:
                    if shape.share("obj") > 0.2:
                        deeper += [(steps + (name,), inner, stream) for name, inner in shape.members.items()]
                    if shape.share("arr") > 0.2 and shape.elem:
                        deeper += [(steps + (index,), shape.elem, stream) for index in (0, -1)]
                        deeper.append((steps + (None,), shape.elem, True))
                self.cache += deeper
                level = deeper[:120]
        return self.cache


def kind_of(value):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float, Decimal)):
        return "num"
    return {str: "str", list: "arr", dict: "obj"}[type(value)]


NUM, STR, BOOL, ANY = Shape("num"), Shape("str"), Shape("bool"), Shape("any")
ENTRY = Shape("obj", members={"key": STR, "value": ANY})
MATCH = Shape("obj", members={"offset": NUM, "length": NUM, "string": STR, "name": STR,
                              "captures": Shape("arr", Shape("obj", members={"offset": NUM, "length": NUM, "string": STR, "name": STR}))})

# Templates: wanted kind → (weight, precedence, text, shape of the result). In the text <kind> is a hole for
# a program of that kind; <kind,P> one that binds at least as tightly as P (default PIPE), <kind:x> lets the
# result's shape be called x, and <kind/x> has the input x ("x[]": its elements). The result's shape: a
# name, "x[]", "[x]" (a list of such) or a Shape; default: just the kind.
TEMPLATES = collections.defaultdict(list)


def template(kinds, weight, precedence, text, shape=None):
    for kind in kinds.split():
        TEMPLATES[kind].append((weight, precedence, text, shape))


# Numbers.
for op, level in (("+", ADD), ("-", ADD), ("*", MULTIPLY), ("/", MULTIPLY), ("%", MULTIPLY)):
    template("num", 3, level, f"<num,{level}> {op} <num,{level + 1}>")
template("num", 1, ADD, "-<num,10>")
for name in ("length", "utf8bytelength", "tonumber"):
    template("num", 2, PIPE, f"<str,2> | {name}")
template("num", 4, PIPE, "<arr,2> | length")
template("num", 2, PIPE, "<obj,2> | length")
template("num", 1, PIPE, "<any,2> | length")
template("num", 1, PIPE, "<any,2> | tonumber")
for name in ("floor", "sqrt", "ceil", "round", "fabs", "trunc", "exp10", "log", "log2", "log10", "exp", "exp2", "significand", "logb", "gamma",
             "cbrt", "sin", "cos", "atan", "nearbyint", "rint", "tgamma", "lgamma", "not", "length", "tostring|tonumber", "frexp|add",
             "modf|add", "lgamma_r|add", "infinite", "nan|isnan", "expm1", "log1p", "tanh"):
    template("num", 0.6 if name in ("floor", "sqrt", "round", "ceil", "fabs") else 0.12, PIPE, f"<num,2> | {name}")
for name in ("pow", "atan2", "fmin", "fmax", "fmod", "ldexp", "hypot", "copysign", "nextafter", "drem", "fdim"):
    template("num", 0.6 if name == "pow" else 0.1, TERM, f"{name}(<num>; <num>)")
template("num", 0.1, TERM, "fma(<num>; <num>; <num>)")
template("num", 2, PIPE, "<arr,2:a> | map(<num/a[]>) | add")
template("num", 1, PIPE, "[<nums>] | add")
for name in ("min", "max", "add", "first", "last", ".[0]", ".[-1]"):
    template("num", 0.5, PIPE, f"[<nums>] | {name}")
template("num", 1.5, PIPE, "<str,2> | index(<str>)")
template("num", 0.7, PIPE, "<str,2> | rindex(<str>)")
template("num", 1, OPEN, "reduce <arr,12:a>[] as $x (<num>; . + ($x | <num/a[]>))")
template("num", 1, OPEN, "reduce <st,12> as $x (0; . + 1)")
template("num", 1, PIPE, "<date,2> | fromdate")
template("num", 0.4, PIPE, "<date,2> | strptime(\"%Y-%m-%dT%H:%M:%SZ\") | mktime")
template("num", 0.3, PIPE, "<num,2> | gmtime | mktime")
template("num", 0.3, PIPE, "<date,2> | fromdateiso8601")
template("num", 0.3, PIPE, "<num,2> | todate | fromdate")
template("num", 0.4, PIPE, "<arr,2> | bsearch(<any>)")
template("num", 0.5, TERM, "first(<nums>)")
template("num", 0.3, TERM, "last(<nums>)")
template("num", 0.3, TERM, "nth(<small>; <nums>)")
template("num", 0.4, TERM, "(now | floor | . > 1600000000 | if . then 1 else 0 end)")
template("num", 0.5, PIPE, "<num,2> | until(. > 100 or . < -1 or . != .; . * 2 + 1)")
template("num", 0.4, PIPE, "$__loc__ | .line")
template("num", 0.4, PIPE, "<str,2> | explode | add")
template("num", 0.4, PIPE, "<str,2> | fromjson")
template("num", 0.3, PIPE, "<arr,2> | indices(<any>) | length")
template("num", 0.3, PIPE, "[limit(<small>; <nums>)] | length")
template("num", 0.3, PIPE, "<str,2> | [match(<re>; \"g\").offset] | add")
template("num", 0.4, PIPE, "$ENV.JQ_NUMBER | tonumber")
# Several numbers.
template("nums", 3, PIPE, "<num,2>")
template("nums", 2, COMMA, "<num,2>, <num,3>")
template("nums", 2, TERM, "range(<small>)")
template("nums", 1, TERM, "range(<small>; <small>)")
template("nums", 0.7, TERM, "range(<small>; <small>; <step>)")
template("nums", 1, PIPE, "<arr,2:a> | .[] | <num/a[]>")
template("nums", 0.5, TERM, "limit(<small>; <nums>)")
template("nums", 0.3, PIPE, "<num,2> | while(. < 20 and . > -1; . * 2 + 1)")
template("nums", 0.3, PIPE, "<num,2> | limit(4; repeat(. * 2))")
template("nums", 0.3, OPEN, "label $out | foreach (<nums>) as $i (0; . + 1; if . > 2 then ., break $out else $i end)")
template("nums", 0.5, OPEN, "foreach <arr,12:a>[] as $i (0; . + ($i | <num/a[]>))")
template("nums", 0.3, TERM, "(<num>)[]")
template("step", 3, TERM, "1")
template("step", 2, TERM, "2")
template("step", 1, TERM, "0.5")
template("step", 1, ADD, "-1")
template("step", 0.5, COMMA, "1, 3")
for text in ("0", "1", "2", "3", "5", "7", "-1", "1.5", "2, 4", "length", ".if", "null"):
    template("small", 1 if text in "01235" else 0.15, COMMA if "," in text else ADD if "-" in text else TERM, text)
# Strings.
template("str", 3, ADD, "<str,8> + <str,9>")
template("str", 1, PIPE, "[<strs>] | add")
for name in ("ascii_downcase", "ascii_upcase", "tostring", "tojson", "@html", "@uri", "@sh", "@base64", "@json", "@text", "@base32",
             "@base64 | @base64d", "@base64d", "explode | implode", "explode | map(. + 1) | implode", "fromjson | tojson", "type", "@html",
             "tojson | fromjson | tostring", "[.] | @csv", "[.] | @tsv", "@csv", "@base32d", "@base32 | @base32d", "reverse", "ascii"):
    template("str", 1.5 if name.startswith("ascii_") else 0.25, PIPE, f"<str,2> | {name}")
template("str", 1.5, PIPE, "<any,2> | tostring")
template("str", 1, PIPE, "<any,2> | tojson")
template("str", 1.5, PIPE, "<any,2> | type")
for name in ("@csv", "@tsv", "@sh", "@json", "@html", "@text", "@uri", "@base64"):
    template("str", 0.3, PIPE, f"<arr,2> | {name}")
    template("str", 0.1, PIPE, f"<any,2> | {name}")
template("str", 0.7, PIPE, "[<scalar>, <scalar>, <scalar>] | @csv")
template("str", 0.7, PIPE, "[<scalar>, <scalar>, <scalar>] | @tsv")
template("str", 0.4, PIPE, "[<scalar>, <scalar>] | @sh")
for name in ("ltrimstr", "rtrimstr"):
    template("str", 0.8, PIPE, f"<str,2> | {name}(<str>)")
template("str", 1.2, PIPE, "<str,2> | .[<small>:<small>]")
template("str", 0.7, PIPE, "<str,2> | .[<small>:]")
template("str", 0.5, PIPE, "<str,2> | .[:<num>]")
template("str", 2, PIPE, "<arr,2:a> | map(<str/a[]>) | join(<str>)")
template("str", 1, PIPE, "<arr,2> | join(<str>)")
template("str", 0.7, PIPE, "<str,2> | split(<str>) | join(<str>)")
template("str", 1, PIPE, "<str,2> | sub(<re>; <rep>)")
template("str", 1, PIPE, "<str,2> | gsub(<gre>; <rep>)")
template("str", 0.4, PIPE, "<str,2> | sub(<gre>; <rep>; <flags>)")
template("str", 0.4, PIPE, "<str,2> | gsub(<gre>; <rep>; <flags>)")
template("str", 0.7, PIPE, "<str,2> | match(<re>).string")
template("str", 0.5, PIPE, "<num,2> | todate")
template("str", 0.4, PIPE, "<num,2> | strftime(<timeformat>)")
template("str", 0.15, PIPE, "<num,2> | strflocaltime(<timeformat>)")
template("str", 0.2, PIPE, "<num,2> | gmtime | todate")
template("str", 0.3, PIPE, "<date,2> | strptime(\"%Y-%m-%dT%H:%M:%SZ\") | strftime(<timeformat>)")
template("str", 0.2, PIPE, "<num,2> | localtime | mktime | tostring")
template("str", 0.5, PIPE, "<obj,2> | keys[0]")
template("str", 0.6, MULTIPLY, "<str,9> * <small,12>")
template("str", 0.3, TERM, "$ENV.JQ_WORD")
template("str", 0.2, TERM, "env.JQ_WORD")
template("str", 0.7, POSTFIX, "try <fails,12> catch .")
template("str", 0.5, PIPE, "<str,2> | ltrimstr(<str>) | rtrimstr(<str>)")
template("str", 0.5, OPEN, "reduce (<strs>) as $s (\"\"; . + $s)")
template("str", 0.3, OPEN, "@sh \"echo \\(<scalar>)\"")
for name in ("@html", "@uri", "@csv", "@base64", "@json", "@tsv", "@text", "@base64d"):
    template("str", 0.15, TERM, f"{name} \"a=\\(<any>)&b=\\(<str>)\"")
template("strs", 2, PIPE, "<str,2>")
template("strs", 2, COMMA, "<str,2>, <str,3>")
template("strs", 1, PIPE, "<obj,2> | keys[]")
template("strs", 1, PIPE, "<str,2> | split(<str>)[]")
template("strs", 0.5, PIPE, "<str,2> | splits(<re>)")
template("strs", 1, PIPE, "<str,2> | scan(<gre>)")
template("strs", 1, PIPE, "<arr,2:a> | .[] | <str/a[]>")
template("strs", 1, PIPE, "<any,2> | .. | strings")
template("strs", 0.5, PIPE, "<any,2> | leaf_paths | join(\".\")")
template("rep", 5, TERM, "<str,12>")
template("rep", 1, TERM, '"<\\(.)>"')
template("rep", 0.7, TERM, '"\\(.y // .a)!"')
template("rep", 0.4, COMMA, "<str,3>, \"z\"")
for text in ('"%Y-%m-%dT%H:%M:%SZ"', '"%A, %B %d, %Y"', '"%j %U %w %H:%M:%S %Z"', '"%s"', '"%d/%b/%y %I%p"', '"%e %k"', '""', "1", '"%F %T"'):
    template("timeformat", 1, TERM, text)
for text in ('"g"', '"i"', '"x"', '"gi"', '"n"', '"s"', '"p"', '"l"', '""', "null", '"q"', "1", '"gx"', '"ns"'):
    template("flags", 1, TERM, text)
# Booleans.
for op in ("==", "!=", "<", "<=", ">", ">="):
    template("bool", 1.5, COMPARE, f"<num,8> {op} <num,8>")
    template("bool", 1, COMPARE, f"<str,8> {op} <str,8>")
    template("bool", 0.5, COMPARE, f"<any,8> {op} <any,8>")
template("bool", 2, COMPARE, "<any,8> == null")
template("bool", 1, COMPARE, "<any,8> != null")
template("bool", 2, AND, "<bool,6> and <bool,7>")
template("bool", 2, OR, "<bool,5> or <bool,6>")
template("bool", 0.5, AND, "<any,6> and <any,7>")
template("bool", 0.5, OR, "<any,5> or <any,6>")
template("bool", 1.5, PIPE, "<bool,2> | not")
template("bool", 1, PIPE, "<any,2> | not")
template("bool", 1, PIPE, "<obj,2:o> | has(<key/o>)")
template("bool", 0.7, PIPE, "<arr,2> | has(<small>)")
template("bool", 1.5, PIPE, "<arr,2:a> | any(<bool/a[]>)")
template("bool", 1, PIPE, "<arr,2:a> | all(<bool/a[]>)")
template("bool", 0.5, TERM, "any(<st:s>; <bool/s>)")
template("bool", 0.5, TERM, "all(<st:s>; <bool/s>)")
template("bool", 0.5, PIPE, "[<bools>] | any, all")
template("bool", 2, PIPE, "<str,2> | startswith(<str>)")
template("bool", 2, PIPE, "<str,2> | endswith(<str>)")
template("bool", 2.5, PIPE, "<str,2> | test(<re>)")
template("bool", 0.7, PIPE, "<str,2> | test(<re>; <flags>)")
template("bool", 0.3, PIPE, "<str,2> | test([<re>, <flags>])")
template("bool", 1, PIPE, "<str,2> | contains(<str>)")
template("bool", 1, PIPE, "<arr,2> | contains(<arr>)")
template("bool", 0.7, PIPE, "<obj,2> | contains(<obj>)")
template("bool", 0.5, PIPE, "<any,2> | contains(<any>)")
template("bool", 0.7, PIPE, "<str,2> | inside(<str>)")
template("bool", 0.5, PIPE, "<any,2> | inside(<any>)")
template("bool", 0.5, PIPE, "<key,2> | in(<obj>)")
template("bool", 1, PIPE, "<any,2> | IN(<st>)")
template("bool", 0.3, TERM, "IN(<st>; <st>)")
template("bool", 0.7, TERM, "isempty(<st>)")
template("bool", 0.4, PIPE, "<num,2> | isnan, isinfinite, isnormal, isfinite")
template("bool", 1, TERM, "(<any> | type) == \"<kind>\"")
template("bool", 0.7, POSTFIX, "try <bool,12> catch false")
template("bools", 2, PIPE, "<bool,2>")
template("bools", 1, COMMA, "<bool,2>, <bool,3>")
for name in ("null", "boolean", "number", "string", "array", "object"):
    template("kind", 1, TERM, name)
# Lists.
template("arr", 4, TERM, "[<st:s>]", "[s]")
template("arr", 1, TERM, "[<nums>]", Shape("arr", NUM))
template("arr", 1, TERM, "[<strs>]", Shape("arr", STR))
template("arr", 1, TERM, "[<any,2:a>, <any,3>]", "[a]")
template("arr", 4, PIPE, "<arr,2:a> | map(<any/a[]:b>)", "[b]")
template("arr", 4, PIPE, "<arr,2:a> | map(select(<bool/a[]>))", "a")
for name in ("sort", "unique", "reverse", "flatten", ".[1:]", ".[:-1]", ".[1:3]", "map(.)", "to_entries", "transpose", "[.[]?]", "[.[-2:][]]",
             "map(tostring)", "map(type)", "flatten(1)", "tojson | fromjson", "combinations", "[combinations(2)] | .[:5]", "flatten(-1)"):
    template("arr", 0.25 if len(name) > 10 else 1, PIPE, f"<arr,2:a> | {name}", "a" if len(name) < 11 else None)
for name in ("sort_by", "group_by", "unique_by"):
    template("arr", 1.5, PIPE, f"<arr,2:a> | {name}(<any/a[]>)", "[a]" if name == "group_by" else "a")
    template("arr", 0.5, PIPE, f"<arr,2:a> | {name}(<any/a[]>, <any,3/a[]>)", "[a]" if name == "group_by" else "a")
template("arr", 1, PIPE, "<arr,2:a> | group_by(<any/a[]>) | map({k: (.[0] | <any/a[]>), n: length})")
template("arr", 0.6, PIPE, "<arr,2:a> | group_by(<any/a[]>) | map(length)", Shape("arr", NUM))
template("arr", 1.5, PIPE, "<str,2> | split(<str>)", Shape("arr", STR))
template("arr", 0.3, PIPE, "<str,2> | split(<re>; <flags>)", Shape("arr", STR))
template("arr", 0.7, PIPE, "<str,2> | [match(<re>; <flags>)]", Shape("arr", MATCH))
template("arr", 0.7, PIPE, "<str,2> | [scan(<re>)]", Shape("arr", STR))
template("arr", 0.4, PIPE, "<str,2> | [splits(<re>)]", Shape("arr", STR))
template("arr", 0.7, PIPE, "<str,2> | explode", Shape("arr", NUM))
template("arr", 0.4, PIPE, "<str,2> | indices(<str>)", Shape("arr", NUM))
template("arr", 0.4, PIPE, "<arr,2:a> | indices(<any/a[]>)", Shape("arr", NUM))
template("arr", 0.4, PIPE, "<arr,2:a> | indices([.[1]?])", Shape("arr", NUM))
template("arr", 1.5, PIPE, "<obj,2> | keys", Shape("arr", STR))
template("arr", 1, PIPE, "<obj,2> | keys_unsorted", Shape("arr", STR))
template("arr", 1.5, PIPE, "<obj,2> | to_entries", Shape("arr", ENTRY))
template("arr", 1, PIPE, "<any,2> | [paths]", Shape("arr", Shape("arr", ANY)))
template("arr", 0.5, PIPE, "<any,2> | [paths(<bool>)]", Shape("arr", Shape("arr", ANY)))
template("arr", 0.5, PIPE, "<any,2> | [leaf_paths]", Shape("arr", Shape("arr", ANY)))
template("arr", 1, TERM, "[path(<lhs>)]", Shape("arr", Shape("arr", ANY)))
template("arr", 0.5, PIPE, "<any,2> | [tostream]", Shape("arr", Shape("arr", ANY)))
template("arr", 0.3, PIPE, "<any,2> | [1 | truncate_stream([[0],1],[[1,0],2],[[1,0]],[[1]])]")
template("arr", 1.5, ADD, "<arr,8:a> + <arr,9>", "a")
template("arr", 1, ADD, "<arr,8:a> - <arr,9>", "a")
template("arr", 0.7, TERM, "[limit(<small>; <st:s>)]", "[s]")
template("arr", 0.5, TERM, "[first(<st:s>)]", "[s]")
template("arr", 0.4, TERM, "[until(length > 3; . + [1])?]")
template("arr", 0.5, TERM, "[.. | <any,12>?]")
template("arr", 0.7, OPEN, "reduce <st,12:s> as $x ([]; . + [$x])", "[s]")
template("arr", 0.4, TERM, "[foreach (<st>) as $x (0; . + 1; [., $x])]")
template("arr", 0.5, TERM, "[label $f | <st,2:s> | if <bool/s> then ., break $f else . end]", "[s]")
template("arr", 0.4, PIPE, "<arr,2> | (.[<small>] = <any>)")
template("arr", 0.4, PIPE, "<arr,2> | (.[<small>:<small>] = <arr>)")
template("arr", 0.3, PIPE, "<arr,2:a> | map_values(<any/a[]>)")
template("arr", 0.4, PIPE, "<arr,2> | del(.[<small>])")
template("arr", 0.3, PIPE, "<arr,2> | del(.[<small>:<small>])")
template("arr", 0.3, PIPE, "<arr,2> | del(.[<small>, <small>])")
template("arr", 0.3, PIPE, "<num,2> | gmtime", Shape("arr", NUM))
template("arr", 0.3, PIPE, "<date,2> | strptime(<timeformat>)", Shape("arr", NUM))
template("arr", 0.3, PIPE, "<date,2> | strptime(\"%Y-%m-%dT%H:%M:%SZ\")", Shape("arr", NUM))
template("arr", 0.4, TERM, "[recurse(if type == \"array\" then .[] else empty end)]")
template("arr", 0.4, TERM, "[recurse(.[]?; . != null)]")
template("arr", 0.3, TERM, "[JOIN(<obj>; <st>; tostring)]")
template("arr", 0.2, PIPE, "<num,2> | [frexp, modf]")
template("arr", 0.3, PIPE, "[<arr>, <arr>] | [combinations] | .[:8]")
template("arr", 0.3, PIPE, "[splits(\"a\")?, ascii_downcase?, ltrimstr(\"x\"), tojson]")
# Objects.
template("obj", 2, PIPE, "<obj,2:o> | with_entries(<any/entry>)")
template("obj", 1, PIPE, "<obj,2:o> | with_entries(select(<bool/entry>))", "o")
template("obj", 0.7, PIPE, "<obj,2:o> | with_entries(.value |= <any/entry.value>)", "o")
template("obj", 0.5, PIPE, "<obj,2:o> | with_entries(.key |= <str/entry.key>)")
template("obj", 0.7, PIPE, "<obj,2:o> | to_entries | from_entries", "o")
template("obj", 0.4, PIPE, "<arr,2> | from_entries")
template("obj", 0.4, TERM, "([{name: <str,12>, value: <any,12>}, {k: <str,12>, v: 1}, {key: <scalar,12>}] | from_entries)")
template("obj", 1.5, PIPE, "<obj,2:o> | map_values(<any/o.*>)")
template("obj", 1.5, ADD, "<obj,8:o> + <obj,9>", "o")
template("obj", 1, MULTIPLY, "<obj,9:o> * <obj,10>", "o")
template("obj", 0.7, PIPE, "<str,2> | capture(<cre>)")
template("obj", 0.3, PIPE, "<str,2> | capture(<cre>; <flags>)")
template("obj", 1.5, PIPE, "<obj,2:o> | del(<lhs/o>)", "o")
template("obj", 0.5, PIPE, "<obj,2:o> | delpaths([<arr>])", "o")
template("obj", 0.5, PIPE, "<obj,2:o> | delpaths([path(<lhs/o>)])", "o")
template("obj", 1, PIPE, "<obj,2:o> | setpath([<key/o>]; <any>)", "o")
template("obj", 0.7, TERM, "INDEX(<st:s>; <any/s>)")
template("obj", 0.7, PIPE, "<arr,2:a> | INDEX(<any/a[]>)")
template("obj", 0.7, OPEN, "reduce <st,12:s> as $x ({}; .[$x | <str,12/s>] += 1)")
template("obj", 0.5, OPEN, "reduce (<strs>) as $x ({}; . + {($x): ($x | length)})")
template("obj", 0.6, PIPE, "<arr,2:a> | map({(<str/a[]>): .}) | add")
template("obj", 0.5, PIPE, "<arr,2> | map(objects) | add")
template("obj", 0.5, PIPE, "<any,2> | [tostream] | fromstream(.[])")
template("obj", 0.7, PIPE, "<any,2> | walk(<walker>)")
template("obj", 0.3, PIPE, "[<obj>, <obj>] | add")
template("obj", 0.3, PIPE, "<str,2> | match(<re>)", MATCH)
template("obj", 0.2, TERM, "$__loc__")
template("obj", 0.2, PIPE, "$ENV | {JQ_WORD}")
for op in ("=", "|=", "+=", "-=", "*=", "/=", "%=", "//="):
    template("obj", 2.5 if op in ("=", "|=") else 0.9, PIPE, f"<obj,2:o> | (<lhs,5/o> {op} <any,5>)" if op != "|="
             else "<obj,2:o> | <lhs,5/o> |= <upd,5>", "o")
    if op not in ("=", "|=", "//="):
        template("obj", 0.9, PIPE, f"<obj,2:o> | <lnum,5/o> {op} <num,5/o>", "o")
template("obj", 0.3, PIPE, "<obj,2:o> | (<lhs,5/o>, <lhs,5/o>) |= <upd,5>", "o")
for text in ('if type == "string" then ascii_upcase else . end', 'if type == "number" then . + 1 else . end', ".",
             'if type == "object" then del(.id) else . end', 'if type == "array" then sort else . end', 'if type == "array" then map(select(. != null)) else . end',
             'select(. != null)', "numbers |= -.", "tostring"):
    template("walker", 1, TERM, text)
template("upd", 3, PIPE, "<any,4>")
for text in (".", "tostring", "not", "empty", "length", "select(. != null)", ". + 1", ". + \"x\"", "[.]", "{v: .}", ".[0]", "1, 2", "null", "ascii_downcase",
             "if . == null then 0 else . end", "type", ".[1:]", "try tonumber catch null", "error", "map(.)?", "try error(\"x\") catch ."):
    template("upd", 0.3, TERM, f"({text})")
# Several values.
template("st", 3, PIPE, "<any,2:a>", "a")
template("st", 3, COMMA, "<any,2:a>, <any,3>", "a")
template("st", 4, PIPE, "<arr,2:a> | .[]", "a[]")
template("st", 3, TERM, "<arr,12:a>[]", "a[]")
template("st", 1, PIPE, "<obj,2:o> | .[]", "o.*")
template("st", 0.7, TERM, "<any,12:o>[]?", "o.*")
template("st", 3, PIPE, "<arr,2:a> | .[] | select(<bool/a[]>)", "a[]")
template("st", 1.5, PIPE, "<st,2:s> | select(<bool/s>)", "s")
template("st", 1.5, PIPE, "<st,2:s> | <any/s:b>", "b")
template("st", 1, PIPE, "<any,2> | ..")
template("st", 0.5, PIPE, "<any,2> | .. | numbers", NUM)
template("st", 0.5, PIPE, "<any,2> | .. | <kindfilter>")
template("st", 0.5, TERM, "recurse")
template("st", 0.3, PIPE, "<any,2> | recurse_down")
template("st", 0.5, PIPE, "<any,2> | paths", Shape("arr", ANY))
template("st", 0.7, TERM, "path(<lhs>)", Shape("arr", ANY))
template("st", 0.7, TERM, "limit(<small>; <st:s>)", "s")
template("st", 0.7, TERM, "first(<st:s>)", "s")
template("st", 0.4, TERM, "last(<st:s>)", "s")
template("st", 0.3, TERM, "nth(<small>; <st:s>)", "s")
template("st", 0.5, TERM, "empty")
template("st", 0.7, TERM, "(<nums>)", NUM)
template("st", 0.7, TERM, "(<strs>)", STR)
template("st", 0.7, OPEN, "foreach (<st:s>) as $v (<any,2>; <any>; [$v, .])", Shape("arr", ANY))
template("st", 0.7, OPEN, "foreach <arr,12:a>[] as $v (0; . + 1)", NUM)
template("st", 0.5, OPEN, "label $here | <st,2:s> | if <bool/s> then break $here else . end", "s")
template("st", 0.5, POSTFIX, "try <st,12:s>", "s")
template("st", 0.7, POSTFIX, "<st,11:s>?", "s")
template("st", 0.7, POSTFIX, "try <st,12> catch <any,12>")
template("st", 0.3, PIPE, "<any,2> | tostream", Shape("arr", ANY))
template("st", 0.3, PIPE, "<arr,2> | combinations", Shape("arr", ANY))
template("st", 0.6, ALTERNATIVE, "<st,4:s> // <any,3>", "s")
template("st", 0.3, PIPE, "<str,2> | match(<re>; \"g\")", MATCH)
template("st", 0.2, PIPE, "fromstream(1 | truncate_stream(<any,2> | tostream))")
template("st", 0.2, PIPE, "<st,2> | getpath([<key>])")
for text in ("numbers", "strings", "booleans", "nulls", "arrays", "objects", "iterables", "scalars", "values", "finites", "normals", "select(type == \"number\")"):
    template("kindfilter", 1, TERM, text)
    template("any", 0.12, PIPE, f"<st,2> | {text}")
# Anything.
for kind, weight in (("num", 4), ("str", 4), ("bool", 3), ("arr", 4), ("obj", 4)):
    template("any", weight, PIPE, f"<{kind}:x>", "x")
    template("any", weight / 8, OPEN, f"if <bool> then <{kind}:x> else <any> end", "x")
    template(kind, 0.7, OPEN, f"if <bool> then <{kind}:x> else <{kind}> end", "x")
    template(kind, 0.3, OPEN, f"if <bool> then <{kind}:x> elif <bool> then <{kind}> else <any> end", "x")
    template(kind, 1, ALTERNATIVE, f"<{kind},4:x> // <{kind},3>", "x")
    template(kind, 0.3, PIPE, f"<any,2:y> | <{kind}/y:x>", "x")
    template(kind, 0.3, TERM, f"first(<{kind}:x>, <any,3>)", "x")
    template(kind, 0.3, POSTFIX, f"try <{kind},12:x> catch <any,12>", "x")
    template(kind, 0.15, PIPE, f"<{kind},2:x> | try error catch .", "x")
template("any", 1, TERM, "null")
template("any", 0.3, POSTFIX, "try error(<any>) catch .")
template("any", 0.3, PIPE, "<arr,2:a> | min_by(<any/a[]>), max_by(<any/a[]>)", "a[]")
template("any", 0.5, PIPE, "<arr,2> | min, max", "a[]")
template("any", 0.5, PIPE, "<arr,2:a> | first, last", "a[]")
template("any", 0.3, PIPE, "<arr,2:a> | nth(<small>)", "a[]")
template("any", 0.7, PIPE, "<arr,2> | add")
template("any", 0.5, PIPE, "<any,2> | getpath(<patharr>)")
template("any", 0.3, TERM, "getpath(<patharr>)")
template("any", 0.5, PIPE, "<str,2> | fromjson")
template("any", 0.4, PIPE, "<any,2> | tojson | fromjson")
template("any", 0.4, POSTFIX, "<any,11:x>?", "x")
template("any", 0.4, TERM, "<any,12>.<field>?")
template("any", 0.4, TERM, "<any,12>[<any>]?")
template("any", 0.3, TERM, "<any,12>[<any>]")
template("any", 0.3, TERM, "<any,12>[<num>:<num>]")
template("any", 0.2, ADD, "<any,8> + <any,9>")
template("any", 0.1, ADD, "<any,8> - <any,9>")
template("any", 0.1, MULTIPLY, "<any,9> * <any,10>")
template("any", 0.1, MULTIPLY, "<any,9> / <any,10>")
template("any", 0.1, MULTIPLY, "<any,9> % <any,10>")
template("any", 0.15, TERM, "splits(<any>)")
template("any", 0.2, POSTFIX, "try <fails,12> catch .")
template("any", 0.2, TERM, "error(<any>)")
template("any", 0.1, TERM, "error")
template("any", 0.2, PIPE, "<arr,2> | .[<arr>]")
template("any", 0.3, PIPE, "<st,2> | IN(<st>)")
template("scalar", 1, PIPE, "<num>")
template("scalar", 1, PIPE, "<str>")
template("scalar", 0.3, PIPE, "<bool>")
template("scalar", 0.3, TERM, "null")
template("fails", 1, TERM, "error(<any>)")
template("fails", 2, TERM, "(<any,2> | <any/num>)")
for text in ("<any,8> + <any,9>", "<any,8> - <any,9>", "<any,9> * <any,10>", "<any,9> / <any,10>", "<any,9> % <any,10>", "<any,2> | keys", "<any,2> | .[]",
             "<any,2> | has(<any>)", "<any,2> | contains(<any>)", "<any,2> | ltrimstr(<any>)", "<any,2> | split(<any>)", "<any,2> | join(<any>)",
             "<any,2> | test(<any>)", "<any,2> | tonumber", "<any,2> | fromjson", "<any,2> | explode", "<any,2> | implode", "<any,2> | sort", "<any,2> | add",
             "<any,2> | ascii_downcase", "<any,2> | @csv", "<any,2> | @sh", "<any,2> | @base64d", "<any,2> | fromdate", "<any,2> | todate", "<any,2> | mktime",
             "<any,2> | min", "<any,2> | unique", "<any,2> | group_by(.)", "<any,2> | flatten", "<any,2> | flatten(<any>)", "range(<any>)", "<any,2> | floor",
             "<any,2> | startswith(<any>)", "<any,2> | endswith(<any>)", "<any,2> | to_entries", "<any,2> | from_entries", "<any,2> | reverse",
             "<any,2> | getpath(<any>)", "<any,2> | setpath(<any>; <any>)", "<any,2> | delpaths(<any>)", "{(<any>): 1}", "-<any,10>", "<any,2> | .[<any>]",
             "<any,2> | .[<any>:<any>]", "<any,2> | .a", "<any,2> | indices(<any>)", "<any,2> | index(<any>)", "<any,2> | tojson | .[<any>]", "<any,2> | @tsv",
             "<any,2> | (.[<any>] = <any>)", "<any,2> | (.a.b |= <any>)", "<any,2> | del(.[<any>])", "<any,2> | length", "<any,2> | utf8bytelength",
             "<any,2> | strptime(<any>)", "<any,2> | strftime(<any>)", "<any,2> | gmtime", "path(<any>)", "(<any>) |= <any,5>", "<any,2> | capture(<any>)",
             "<any,2> | sub(<any>; <any>)", "<any,2> | match(<any>; <any>)", "<any,2> | splits(<any>)", "<any,2> | in(<any>)", "<any,2> | transpose",
             "<any,2> | bsearch(<any>)", "<any,2> | combinations", "<any,2> | sort_by(<any>)", "<any,2> | max_by(.a)", "<any,2> | ascii_upcase",
             "<any,2> | pow(<any>; <any>)", "limit(<any>; <any>)", "nth(<any>; <any>)", "<any,2> | @json, @html, @uri", "<any,2> | rtrimstr(<any>)"):
    template("fails", 0.5, TERM, f"({text})")
    template("any", 0.015, TERM, f"({text})")

RE = ['"^[a-z]+"', '"[0-9]+"', '"a|e|o"', '"\\\\s+"', '"."', '"^."', '".$"', '"[A-Z][a-z]*"', '"\\\\w+"', '"\\\\d{2,}"', '"(a)(b)?"', '"é"', '"[^a-z]"',
      '"(?<y>\\\\d{4})-(?<m>\\\\d{2})"', '"(?<a>[a-z]+)"', '"^(?<a>\\\\w+)\\\\W(?<y>.*)$"', '"(?i)A"', '"\\\\bt"', '"\\\\."', '"/"', '"-"', '"Z$"',
      '"(\\\\w)\\\\1"', '"o(?=n)"', '"[[:upper:]]"', '"\\\\p{L}+"', '"(?<!a)b"', '"a+?"', '"[\\\\u00e0-\\\\u00ff]"', '"(x|(y))+"', '"^https?://([^/]+)"', '"\\\\S+@\\\\S+"']
EMPTY_RE = ['""', '"x*"', '"^"', '"$"', '"a?"', '"\\\\b"', '"(?<a>q)?"', '"("', '"*"', '"[z-a]"', '"\\\\"', '"(?<a>x)|(?<y>.)"']
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
NUMBERS = ["0", "1", "2", "3", "10", "100", "0.5", "1.5", "1e3", "2.50", "1E2", "3.14159", "1e-3", "0.1", "0.2", "404", "200", "1000000", "1600000000",
           "123456789012", "-1", "-0.5", "0.30000000000000004", "1.0", ".5", "5.", "00", "1e1000", "4294967296"]
STRINGS = ["", "a", "b", "x", " ", ",", "-", "/", ".", "é", "T", "abc", "12", "1.5", "null", "[1,2]", '{\\"a\\":1}', "a,b", "\\n", "\\t", '\\"', "\\\\", "\\u00e9",
           "\\ud83d\\ude00", "日本", "<b>&'", "true", "2015-03-05T23:51:47Z", "1e2", "nan", "z", "_", "%", "$", "foo bar", "-0", " 1", "0x10", "ÅÄÖ", "\\u0000", "\\/"]
DATES = ["2015-03-05T23:51:47Z", "1970-01-01T00:00:00Z", "2024-02-29T12:00:00Z", "1999-12-31T23:59:59Z", "2015-3-5T3:1:7Z", "2015-13-05T23:51:47Z", "10:20"]


class Generator:
    def __init__(self, random_, shape):
        self.random, self.shape = random_, shape
        self.names, self.functions, self.top = 0, [], False
        self.tables = {kind: (rows, [row[0] for row in rows]) for kind, rows in TEMPLATES.items()}

    def program(self):
        self.names, self.functions = 0, []
        want = self.random.choices(["any", "st", "bool", "obj", "num", "str", "arr", "fails"], [4, 4, 6, 5, 2, 3, 3, 0.7])[0]
        self.top = self.random.random() < 0.95  # not a leaf alone
        node, _ = self.expression(want, self.shape, (), self.random.choices([1, 2, 3, 4], [3, 5, 4, 2])[0])
        return node

    # An expression of the wanted kind, and the shape of what it gives. `scope`: ((name, shape), …) of variables.
    def expression(self, want, dot, scope, depth):
        r = self.random
        if want in ("key", "field", "lhs", "lnum", "re", "gre", "cre", "date", "patharr", "kind"):
            return getattr(self, "make_" + want)(dot, scope, depth)
        if want in ("num", "str", "bool", "arr", "obj") and r.random() < 0.03:
            want = r.choice(["num", "str", "bool", "arr", "obj", "any"])
        simple = {"num", "str", "bool", "arr", "obj", "any", "scalar", "nums", "strs", "st"}
        if want in simple:
            roll = r.random()
            top, self.top = self.top, False
            if depth <= 0 or roll < 0.18 and not top:
                return self.leaf(want, dot, scope)
            if roll < 0.22:
                return self.bind(want, dot, scope, depth)
            if roll < 0.24:
                return self.define(want, dot, scope, depth)
            if roll < 0.32 and want in ("obj", "any"):
                return self.construction(dot, scope, depth)
            if roll < 0.34 and want in ("str", "any"):
                return self.interpolation(dot, scope, depth)
            if roll < 0.36 and self.functions:
                return self.call(dot, scope, depth)
        if want == "obj" and r.random() < 0.25:
            return self.construction(dot, scope, depth)
        if want == "str" and r.random() < 0.12:
            return self.interpolation(dot, scope, depth)
        rows, weights = self.tables[want]
        _, precedence, text, shape = r.choices(rows, weights)[0]
        return self.fill(text, precedence, shape, want, dot, scope, depth)

    HOLE = re.compile(r"<([a-z]+)(?:,(\d+))?(?::([a-z]))?(?:/([a-z.*\[\]]+))?(?::([a-z]))?>")

    def fill(self, text, precedence, shape, want, dot, scope, depth):
        bound, parts, at = {"entry": ENTRY, "num": NUM}, [], 0
        for hole in self.HOLE.finditer(text):
            kind, least, name, place, name_after = hole.groups()
            parts.append(text[at:hole.start()])
            at = hole.end()
            node, got = self.expression(kind, self.look(bound, place) if place else dot, scope, depth - 1)
            if name or name_after:
                bound[name or name_after] = got
            parts.append(self.enclose(node, int(least) if least else OPEN))
        parts.append(text[at:])
        return Node(parts, precedence), self.result(shape, want, bound)

    def enclose(self, node, least):
        if node.precedence >= least:
            return node
        if least < TERM and self.random.random() < 0.03:
            return node  # what it means then is up to the grammar
        return Node(["(", node, ")"])

    def look(self, bound, place):
        if place.endswith("[]"):
            return bound[place[:-2]].elem or ANY
        if place.endswith(".*"):
            members = bound[place[:-2]].members
            return self.random.choice(list(members.values())) if members else ANY
        name, _, member = place.partition(".")
        return bound[name].members.get(member, ANY) if member else bound[name]

    def result(self, shape, want, bound):
        if shape is None:
            return {"nums": NUM, "strs": STR, "bools": BOOL}.get(want) or Shape(want)
        if isinstance(shape, Shape):
            return shape
        if shape.startswith("["):
            return Shape("arr", bound[shape[1:-1]])
        return self.look(bound, shape) if shape.rstrip("[].*") in bound else ANY

    def leaf(self, want, dot, scope):
        r = self.random
        base = {"nums": "num", "strs": "str", "scalar": r.choice(["num", "str", "bool"]), "st": "any"}.get(want, want)
        if scope and r.random() < 0.35:
            fitting = [(name, shape) for name, shape in scope if base == "any" or shape.share(base) > 0.3]
            if fitting:
                name, shape = r.choice(fitting)
                return Node(["$" + name]), shape
        if r.random() < 0.8:
            found = self.path(base, dot, stream=want in ("nums", "strs", "st"))
            if found:
                return found
        if base == "any":
            base = r.choice(["num", "str", "bool", "arr", "obj", "dot", "dot", "null"])
        if base in ("dot",) or (dot.share(base) > 0.5 and r.random() < 0.7):
            return Node(["."]), dot
        if base == "num":
            text = r.choice(NUMBERS)
            if dot.samples and r.random() < 0.3:
                text = str(r.choice(dot.samples))
                text = text if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text) and len(text) < 16 else "7"
            return Node([text], ADD if text.startswith("-") else TERM), NUM
        if base == "str":
            return Node([self.string(dot)]), STR
        if base == "bool":
            return Node([r.choice(["true", "false"])]), BOOL
        if base == "null":
            return Node(["null"]), Shape("null")
        if base == "arr":
            return Node([r.choice(["[]", "[1, 2, 3]", '["a", "b"]', "[null, 1, \"a\"]", "[[1, 2], [3]]", "[.]", "[3, 1, 2]", "[0.1, 1e3, -1]"])]), Shape("arr", NUM)
        return Node([r.choice(["{}", "{a: 1}", '{"a": 1, "b": [2]}', '{"b": {"c": null}, "a": "x"}', "{a: .}"])]), Shape("obj", members={"a": NUM})

    def string(self, dot):
        r = self.random
        texts = [value for value in dot.samples if isinstance(value, str)]
        if texts and r.random() < 0.5:
            text = r.choice(texts)
            cut = r.random()
            if cut < 0.6 and text:
                begin = r.randrange(len(text))
                text = text[begin:begin + r.randint(1, 4)] if cut < 0.4 else text[:r.randint(1, 5)]
            return quote(text)
        return '"' + r.choice(STRINGS) + '"'

    def step(self, name, first):
        """One step of a path as jq writes it: .a, ."a", ["a"], [0], []."""
        r = self.random
        if name is None:
            return "[]" if not first else ".[]"
        if isinstance(name, int):
            return f".[{name}]" if first else f"[{name}]"
        roll = r.random()
        if IDENTIFIER.match(name) and roll < 0.9:
            return "." + name
        if first and roll > 0.95:
            return f".[{quote(name)}]"
        if roll < 0.95:
            return "." + quote(name)
        return f"[{quote(name)}]"

    def path(self, kind, dot, stream):
        r = self.random
        fitting = [row for row in dot.paths() if (row[2] is False or stream) and (kind == "any" or row[1].share(kind) > 0.3)]
        if not fitting:
            return None
        # What most events have comes more often.
        steps, shape, _ = r.choices(fitting, [min(60, sum(row[1].kinds.values())) for row in fitting])[0]
        text = ""
        for at, name in enumerate(steps):
            pipe = at > 0 and r.random() < 0.04
            text += (" | " if pipe else "") + self.step(name, at == 0 or pipe)
            if r.random() < 0.05:
                text += "?"
        return Node([text], PIPE if "|" in text else TERM), shape

    def make_key(self, dot, scope, depth):
        if dot.members and self.random.random() < 0.85:
            return Node([quote(self.random.choice(list(dot.members)))]), STR
        return self.leaf("str", dot, scope)

    def make_field(self, dot, scope, depth):
        names = [name for name in dot.members if IDENTIFIER.match(name)]
        return Node([self.random.choice(names or ["a", "b"])]), ANY

    def make_re(self, dot, scope, depth):
        roll = self.random.random()
        if roll < 0.1:
            return Node([self.random.choice(EMPTY_RE)]), STR
        if roll < 0.2:
            text = self.string(dot)
            return Node([text if text != '""' else '"a"']), STR
        if roll < 0.24 and depth > 0:
            return self.expression("str", dot, scope, 0)
        return Node([self.random.choice(RE)]), STR

    def make_gre(self, dot, scope, depth):  # jq 1.6's gsub never ends where a match is empty
        return Node([self.random.choice(RE)]), STR

    def make_cre(self, dot, scope, depth):
        return Node([self.random.choice([text for text in RE + EMPTY_RE if "?<" in text])]), STR

    def make_date(self, dot, scope, depth):
        if self.random.random() < 0.5:
            found = [row for row in dot.paths() if not row[2] and any(re.match(r"\d{4}-\d\d-\d\dT[\d:]+Z", str(text)) for text in row[1].samples)]
            if found:
                steps, _, _ = self.random.choice(found)
                return Node(["".join(self.step(name, at == 0) for at, name in enumerate(steps))]), STR
        return Node([quote(self.random.choice(DATES))]), STR

    def make_patharr(self, dot, scope, depth):
        rows = [row for row in dot.paths() if not row[2]]
        if rows and self.random.random() < 0.85:
            steps, shape, _ = self.random.choice(rows)
            return Node([json.dumps(list(steps), ensure_ascii=self.random.random() < 0.5)]), shape
        return self.expression("arr", dot, scope, 0)

    def make_kind(self, dot, scope, depth):
        return Node([self.random.choice(["null", "boolean", "number", "string", "array", "object"])]), STR

    def make_lnum(self, dot, scope, depth):
        return self.path("num", dot, self.random.random() < 0.3) or self.make_lhs(dot, scope, depth)

    def make_lhs(self, dot, scope, depth):
        """Something on the left of an assignment, or inside path()."""
        r = self.random
        roll = r.random()
        found = self.path("any", dot, r.random() < 0.3) or (Node(["." + r.choice("abc")]), ANY)
        if roll < 0.55 or depth <= 0:
            return found
        if roll < 0.62:
            return Node([f".{quote(r.choice(['new', 'a', 'x y', 'é']))}"]), ANY
        if roll < 0.95:
            text, precedence = r.choice([
                ("<lhs,2>, <lhs,3>", COMMA), ("<lhs,2> | select(<bool>)", PIPE), ("<arr,2:a> | .[] | select(<bool/a[]>)", PIPE), ("..", TERM),
                ("if <bool> then <lhs> else <lhs> end", OPEN), ("<lhs,4> // <lhs,3>", ALTERNATIVE), ("first(<lhs>)", TERM), ("<lhs,12>[]?", TERM),
                (".. | numbers", PIPE), (".. | select(type == \"string\")", PIPE), ("getpath(<patharr>)", TERM), ("recurse", TERM), ("empty", TERM),
                ("<lhs,12>[<small>:<small>]", TERM), ("<lhs,12>[<small>]", TERM), ("<lhs,12>?", POSTFIX), ("limit(1; <lhs>)", TERM), (".[<key>]", TERM),
                ("paths | select(length > 1)", PIPE), ("<lhs,2> | .a", PIPE), ("last(<lhs>)", TERM), (".", TERM), ("try <lhs,12>", POSTFIX),
                ("<lhs,2> | if type == \"object\" then .[] else . end", PIPE), ("<lhs,12>.new.deep", TERM), ("(<lhs> | select(. != null))", TERM),
                ("to_entries[].value", TERM), ("<any,2> | .a", PIPE), ("map(.)", TERM), (".[]?", TERM), ("reduce (1, 2) as $x (.; .)", OPEN)])
            return self.fill(text, precedence, None, "any", dot, scope, depth)
        return self.expression("any", dot, scope, depth - 1)

    def fresh(self):
        self.names += 1
        return self.random.choice(["x", "y", "v", "item", "acc", "a", "n", "out", "_t"]) + (str(self.names) if self.random.random() < 0.6 else "")

    def bind(self, want, dot, scope, depth):
        r = self.random
        source, shape = self.expression(r.choice(["any", "num", "str", "obj", "arr", "st"]), dot, scope, depth - 1)
        pattern, names = self.pattern(shape, 2 if r.random() < 0.45 else 0, dot, scope, depth)
        parts = [self.enclose(source, TERM), " as ", *pattern]
        while r.random() < 0.12:
            other, more = self.pattern(shape, 2, dot, scope, depth)
            parts += [" ?// ", *other]
            names = names + more
        body, got = self.expression(want, dot, scope + names, depth - 1)
        return Node(parts + [" | ", body], OPEN), got

    def pattern(self, shape, depth, dot, scope, budget):
        r = self.random
        if depth > 0 and (shape.share("arr") > 0.3 or r.random() < 0.15):
            parts, names = ["["], ()
            for at in range(r.randint(1, 3)):
                inner, more = self.pattern(shape.elem or ANY, depth - 1, dot, scope, budget)
                parts += [", " if at else "", *inner]
                names += more
            return parts + ["]"], names
        if depth > 0 and (shape.share("obj") > 0.3 or r.random() < 0.1):
            parts, names = ["{"], ()
            for at in range(r.randint(1, 3)):
                name = r.choice(list(shape.members)) if shape.members and r.random() < 0.9 else r.choice(["a", "key", "if"])
                inner, more = self.pattern(shape.members.get(name, ANY), depth - 1, dot, scope, budget)
                roll = r.random()
                parts.append(", " if at else "")
                if IDENTIFIER.match(name) and roll < 0.35:
                    parts.append("$" + name)
                    names += ((name, shape.members.get(name, ANY)),)
                    if roll < 0.08:
                        parts += [": ", *inner]
                        names += more
                    continue
                if IDENTIFIER.match(name) and roll < 0.65:
                    parts.append(name)
                elif roll < 0.9:
                    parts.append(quote(name))
                else:
                    key, _ = self.expression("str", dot, scope, 0)
                    parts += ["(", key, ")"]
                parts += [": ", *inner]
                names += more
            return parts + ["}"], names
        name = self.fresh()
        return ["$" + name], ((name, shape),)

    def define(self, want, dot, scope, depth):
        r = self.random
        name = r.choice(["f", "g", "h", "twice", "pick"])
        kinds = r.choice([(), (), ("filter",), ("$",), ("filter", "$")])
        parameters, inner, calls = [], scope, []
        for at, kind in enumerate(kinds):
            parameters.append(("$" if kind == "$" else "") + "pq"[at])
            if kind == "$":
                inner = inner + (("pq"[at], ANY),)
            calls.append("pq"[at])
        saved = self.functions
        self.functions = saved + [(call, ()) for call in calls] if calls else saved
        body, shape = self.expression(r.choice(["any", "num", "str"]), dot, inner, depth - 1)
        self.functions = saved + [(name, kinds)]
        rest, got = self.expression(want, dot, scope, depth - 1)
        self.functions = saved
        head = f"def {name}({'; '.join(parameters)}): " if parameters else f"def {name}: "
        return Node([head, body, "; ", rest], OPEN), got

    def call(self, dot, scope, depth):
        name, kinds = self.random.choice(self.functions)
        if not kinds:
            return Node([name]), ANY
        parts = [name, "("]
        for at in range(len(kinds)):
            argument, _ = self.expression("any", dot, scope, depth - 1)
            parts += ["; " if at else "", argument]
        return Node(parts + [")"]), ANY

    def construction(self, dot, scope, depth):
        r = self.random
        parts, members = ["{"], {}
        for at in range(r.randint(1, 4)):
            parts.append(", " if at else "")
            roll = r.random()
            names = [name for name in dot.members if IDENTIFIER.match(name)]
            if roll < 0.2 and names:
                name = r.choice(names)
                parts.append(name)
                members[name] = dot.members[name]
            elif roll < 0.26 and scope:
                name, shape = r.choice(scope)
                parts.append("$" + name)
                members[name] = shape
            elif roll < 0.30 and dot.members:
                name = r.choice(list(dot.members))
                parts.append(quote(name))
                members[name] = dot.members[name]
            elif roll < 0.32:
                parts.append("@base64 \"\\(1)x\"" if r.random() < 0.2 else '"a\\(1 + 1)"')
            else:
                name = r.choice(["a", "b", "n", "total", "k", "if", "__loc__", "and"])
                shown = Node([name])
                if roll > 0.9:
                    key, _ = self.expression("str" if r.random() < 0.95 else "any", dot, scope, depth - 2)
                    shown = Node(["(", key, ")"])
                elif roll > 0.85:
                    shown = Node([quote(name)])
                value, shape = self.expression(r.choice(["any", "num", "str", "arr", "bool", "st"]), dot, scope, depth - 1)
                parts += [shown, ": ", self.enclose(value, TERM)]
                members[name] = shape
        return Node(parts + ["}"]), Shape("obj", members=members)

    def interpolation(self, dot, scope, depth):
        parts = ['"']
        for _ in range(self.random.randint(1, 3)):
            parts.append(self.random.choice(["", "a", " ", "=", "é", "\\n", "\\u00e9", "/"]))
            value, _ = self.expression(self.random.choice(["any", "num", "str", "strs", "arr"]), dot, scope, depth - 1)
            parts += ["\\(", value, ")"]
        return Node(parts + ['"']), STR


def quote(text):
    """A string as a program may hold it; no interpolation can come of it."""
    return json.dumps(text, ensure_ascii=False)


TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|[A-Za-z_$.@][A-Za-z0-9_]*|[0-9.]+|\S|\s+')


def broken(text, r):
    """A program with a token dropped, doubled, swapped or replaced: mostly none any more."""
    tokens = TOKEN.findall(text)
    at = r.randrange(len(tokens))
    roll = r.random()
    if roll < 0.4:
        del tokens[at]
    elif roll < 0.6:
        tokens.insert(at, r.choice(tokens))
    elif roll < 0.75:
        other = r.randrange(len(tokens))
        tokens[at], tokens[other] = tokens[other], tokens[at]
    else:
        tokens[at] = r.choice(["|", ",", "(", ")", "[", "]", "{", "}", "?", ";", ":", "$x", "as", "..", ".", "//", "=", "==", "and", "not", "end", "if", "1", '"a"',
                               "-", "@csv", "try", "catch", "reduce", "def", "$__loc__", "label", "?//", "|=", "then", "else", "nosuch", "1/0"])
    return "".join(tokens)


# ---------------------------------------------------------------------------------------------------------
# Events.

TAME = ["0", "1", "2", "3", "7", "10", "42", "100", "-1", "-5", "1.0", "1e2", "-0", "0.1000", "1e-7", "2.5", "1E3", "0.1", "0.30000000000000004", "-0.0",
        "123456", "12345678901", "1.5e3", "99.99", "1e17", "4294967296", "0e5", "1.10", "-2.50", "1e+2", "3.0e0", "1700000000", "1425599621.678", "9007199254740992"]
WILD = ["9007199254740993", "0.1000000000000000055511151231257827", "12345678901234567890", "1e400", "1e-400", "-1e309", "3.14159265358979323846264",
        "-9223372036854775809", "9223372036854775807", "18446744073709551616", "100000000000000000001", "0.30000000000000000001"]
TEXTS = ["", "a", "abc", "Alice", "bob", "foo bar", "a,b,c", "x=1&y=2", "12", "1.5", "-3", "1e2", " 7", "0x1f", "nan", "null", "true", "[1,2]", '{"a":1}', "é", "ÅÄÖ",
         "日本語", "😀 ok", "tab\there", 'quote"d', "back\\slash", "line\nfeed", "<b>&'", "2015-03-05T23:51:47Z", "2024-02-29T12:00:00Z", "1970-01-01T00:00:00Z",
         "2015-13-45T99:00:00Z", "user@example.org", "https://example.org/a/b?c=d", "GET /index.html HTTP/1.1", "10.0.0.1", "aXNzdWU=", "NULL", "e\u0301", "\u00df",
         "\x7f", "a/b/c", "  padded ", "UPPER lower", "aaa", "xyx", "1,234", "2021-07", "\u2028"]
NAMES = ["alice", "bob", "carol", "dave", "eve"]


SURROGATE = re.compile("[\ud800-\udfff]")


class Raw(str):
    """A number as it is written."""


def dump(value, r=None):
    """JSON text; with `r`, sometimes spaced and escaped in unusual ways."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=bool(SURROGATE.search(value)) or r is not None and r.random() < 0.2)
        if r is not None and r.random() < 0.04:
            text = text.replace("/", "\\/") if "\\" in text else text.replace("a", "\\u0061", 1)
        return text
    if isinstance(value, (dict, list)):
        gap = r.choice(["", "", "", "", "", "", " "]) if r is not None else ""
        if isinstance(value, dict):
            members = [f"{dump(name, r)}:{gap}{dump(item, r)}" for name, item in value.items()]
            if r is not None and members and r.random() < 0.015:
                members.append(r.choice(members).split(":")[0] + ":" + r.choice(["1", "null", '"again"', "[2]"]))  # a name twice
            return "{" + gap + ("," + gap).join(members) + gap + "}"
        return "[" + gap + ("," + gap).join(dump(item, r) for item in value) + gap + "]"
    return json.dumps(value)


class Events:
    def __init__(self, r, wild):
        self.r, self.wild = r, wild

    def number(self):
        return Raw(self.r.choice(WILD if self.wild and self.r.random() < 0.4 else TAME))

    def small(self):
        return Raw(str(self.r.randint(0, 6)))

    def text(self):
        return self.r.choice(TEXTS)

    def scalar(self):
        return self.r.choice([self.number, self.text, lambda: None, lambda: True, lambda: False, self.small])()

    def anything(self, depth=2):
        r = self.r
        if depth == 0 or r.random() < 0.5:
            return self.scalar()
        if r.random() < 0.5:
            return [self.anything(depth - 1) for _ in range(r.randint(0, 3))]
        return {r.choice(["a", "b", "c", "k", "é", "", "x y"]): self.anything(depth - 1) for _ in range(r.randint(0, 3))}

    def item(self):
        r = self.r
        item = {"sku": r.choice(["A-1", "B-22", "C-3", "a-1"]), "qty": self.small(), "price": self.number(), "tags": [self.text() for _ in range(r.randint(0, 2))]}
        if r.random() < 0.2:
            del item[r.choice(list(item))]
        return item

    def tree(self, depth):
        kids = [self.tree(depth - 1) for _ in range(self.r.randint(0, 2))] if depth else []
        return {"v": self.small(), "kids": kids} if self.r.random() < 0.9 else {"v": None}

    def event(self):
        r = self.r
        event = {
            "id": Raw(str(r.randint(1, 5000))), "name": r.choice(NAMES), "n": self.number(), "m": self.number(), "ok": r.random() < 0.5,
            "status": Raw(r.choice(["200", "200", "404", "500", "301"])), "note": r.choice([None, "", self.text()]), "text": self.text(), "s": self.text(),
            "user": {"id": self.small(), "name": r.choice(NAMES), "email": r.choice(["a@b.c", "bob@example.org", None]), "tags": [self.text() for _ in range(r.randint(0, 3))],
                     "address": {"city": r.choice(["Oslo", "Zürich", "東京"]), "zip": r.choice(["0150", "8001"])}},
            "tags": [r.choice(["a", "b", "c", "d", "é"]) for _ in range(r.randint(0, 4))], "items": [self.item() for _ in range(r.randint(0, 3))],
            "nums": [self.number() for _ in range(r.randint(0, 5))], "grid": [[self.small() for _ in range(r.randint(0, 3))] for _ in range(r.randint(0, 3))],
            "kv": {name: self.text() for name in r.sample(["x", "y", "z", "w"], r.randint(0, 4))}, "counts": {name: self.small() for name in r.sample("abcd", r.randint(0, 4))},
            "ts": r.choice(DATES[:4]), "time": Raw(r.choice(["0", "1425599621", "1700000000.5", "-1", "1e9"])), "mixed": [self.anything(1) for _ in range(r.randint(0, 5))],
            "any": self.anything(), "tree": self.tree(3), "pairs": [{"key": r.choice("abc"), "value": self.scalar()} for _ in range(r.randint(0, 3))],
            "id.orig_h": "10.0.0." + str(r.randint(1, 3)), "@timestamp": r.choice(DATES[:4]), "if": self.small(), "ключ": self.text(), "": self.scalar(),
            "empty": r.choice([{}, [], "", {"a": {}}]), "json": r.choice(['{"a":[1,2.0]}', "[1]", "nope", '"x"', "1e3", ""])}
        for name in list(event):
            roll = r.random()
            if roll < 0.06:
                del event[name]
            elif roll < 0.09:
                event[name] = None
            elif roll < 0.15:
                event[name] = self.anything()
        names = list(event)
        for name in ("user.name", "tags[0]", "user", "items"):
            if r.random() < 0.05:
                event[name] = self.anything()  # the first two are names with a dot and a bracket in them
        names = list(event)
        if r.random() < 0.2:
            r.shuffle(names)
        text = dump({name: event[name] for name in names}, r)
        if r.random() < 0.03:
            # A low surrogate alone; jq 1.6 does not read an event with a high one alone.
            text = text.replace('"name":', r.choice(['"low":"\\udc00x","name":', '"nul":"a\\u0000b","name":']), 1)
        return text


FILES = {"github": ("github-events/2021-07-21-few-hours.ndjson", 25), "dns": ("zeek/dns.ndjson", 50), "ssl": ("zeek/ssl.ndjson", 50),
         "web": ("web-access/access.ndjson", 60), "cloudtrail": ("cloudtrail/cloudtrail.ndjson", 30), "nginx": ("nginx-metrics/nginxplus_status.ndjson", 10),
         "orders": ("cdc/debezium_pg_orders.ndjson", 40)}


def lines_of(folder, path):
    full = os.path.join(folder, path)
    if os.path.exists(full + ".zst"):
        shown = subprocess.run(["zstd", "-dcq", full + ".zst"], stdout=subprocess.PIPE, check=True).stdout
        return shown.decode().splitlines()[:4000]
    if os.path.exists(full):
        with open(full, encoding="utf-8") as file:
            return file.read().splitlines()[:4000]
    return None


def number_texts(event):
    found = []

    def note(text):
        found.append(text)
        return 0
    json.loads(event, parse_float=note, parse_int=note)
    return found


def nearest_double(text):
    return Decimal(repr(float(text))) if abs(float(text)) != float("inf") else Decimal("Infinity")


def rounds(text):
    """Whether a double cannot hold the number."""
    return nearest_double(text) != Decimal(text)


def twin(event, small):
    """The event with every number that a double would round replaced by one that it would not."""
    def replace(text):
        if not rounds(text) and (not small or abs(Decimal(text)) < 2**53):
            return Raw(text)
        if small:
            return Raw(str(Decimal(text).quantize(Decimal("0.001")) % 1000)) if abs(Decimal(text)) < 10**30 else Raw("999")
        exact = nearest_double(text)
        if not exact.is_finite():
            return Raw("-1e308" if text.startswith("-") else "1e308")
        return Raw(str(int(exact)) if exact == exact.to_integral_value() and abs(exact) < 10**25 else repr(float(text)))
    return dump(json.loads(event, parse_float=replace, parse_int=replace))


# ---------------------------------------------------------------------------------------------------------
# Running both. An answer of a program: {"fault": text} (it does not compile, or it cannot be asked), or
# {"events": [(texts of the results, what it failed with or None), …]}.

BATCH = 8
GONE = "jq gave no answer"  # it died, or took too long: nothing to compare with


def limits():
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    resource.setrlimit(resource.RLIMIT_FSIZE, (100 << 20, 100 << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run_limited(command, data, seconds):
    """Status (None: out of time), stdout, stderr."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=err, env=environment, preexec_fn=limits)
        try:
            process.communicate(data, timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return None, b"", b""
        out.seek(0)
        err.seek(0)
        return process.returncode, out.read(), err.read()


ERROR = re.compile(r"^jq: error \(at [^)\n]*\)(?: \(not a string\))?: ", re.MULTILINE)


def ask_jq(programs, events):
    answers = []
    for at in range(0, len(programs), BATCH):
        answers += ask_jq_batch(programs[at:at + BATCH], events)
    return answers


def ask_jq_batch(programs, events):
    # One jq for several programs: each input says which one it is for. ["b"] comes before a run's values, each
    # value as ["v",value], and ["e"] after the last one unless there was an error.
    asked = ""
    for at, program in enumerate(programs):
        asked += f"{'elif' if at else 'if'} .[0] == {at} then .[1] | ([\"b\"], (({program}) | [\"v\", .]), [\"e\"]) "
    asked += "else empty end"
    data = "".join(f"[{at},{event}]\n" for at in range(len(programs)) for event in events).encode()
    status, out, err = run_limited(["jq", "-c", asked], data, 4)
    if status is None and len(programs) > 1:
        return [ask_jq_batch([program], events)[0] for program in programs]
    if status not in (0, 5):
        if len(programs) > 1:
            half = len(programs) // 2
            return ask_jq_batch(programs[:half], events) + ask_jq_batch(programs[half:], events)
        text = err.decode(errors="replace")
        if status == 3:
            return [{"fault": "compile", "why": text.split("\n")[0]}]
        if len(events) > 1 and status is not None:
            # A few events that jq dies of are no reason to leave the others out.
            half = len(events) // 2
            parts = [ask_jq_batch(programs, some)[0] for some in (events[:half], events[half:])]
            return [{"events": [run for part in parts for run in part["events"]]}]
        return [{"events": [([], GONE)] * len(events)}]
    messages = iter(ERROR.split(err.decode(errors="replace"))[1:])
    runs = []
    for line in out.decode().split("\n")[:-1]:
        if line == '["b"]':
            runs.append([[], False])
        elif line == '["e"]':
            runs[-1][1] = True
        else:
            runs[-1][0].append(line[5:-1])
    runs = [(results, None if ended else next(messages, "?").rstrip("\n")) for results, ended in runs]
    assert len(runs) == len(programs) * len(events), (programs, len(runs))
    return [{"events": runs[at * len(events):(at + 1) * len(events)]} for at in range(len(programs))]


class Evaluator:
    """expr_eval. Its answers have also: "compiled", "left_to_libjq", "holds_differs"."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder

    def ask(self, programs, events, libjq=False):
        names = [os.path.join(self.folder, name) for name in ("programs", "events")]
        with open(names[1], "w", encoding="utf-8") as file:
            file.write("".join(event + "\n" for event in events))
        answers = []
        while len(answers) < len(programs):
            rest = programs[len(answers):]
            with open(names[0], "w", encoding="utf-8") as file:
                file.write("".join(json.dumps(program, ensure_ascii=False) + "\n" for program in rest))
            status, out, err = run_limited([self.binary, *names, *(["--libjq"] if libjq else [])], None, 20 + 6 * len(rest))
            got = self.read(out.decode(errors="surrogateescape"), len(rest))
            answers += got
            if len(got) < len(rest):
                said = err.decode(errors="replace")[-300:]
                answers.append({"fault": "time" if status is None else f"died, status {status}: {said}"})
        return answers

    @staticmethod
    def read(out, count):
        answers, runs = [], []
        for line in out.split("\n")[:-1]:
            if line.startswith("{"):
                answers.append({"events": runs, **json.loads(line)})
                runs = []
                continue
            _, event, rest = line.split(",", 2)
            if event == "-1":
                answers.append({"fault": "compile", "why": json.loads(rest[3:-1])})
            else:
                runs.append(rest[:-1])  # [results],error
        return answers[:count]


# ---------------------------------------------------------------------------------------------------------
# Comparing.

DIGITS = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


def read_json(text):
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def same_number(ours, theirs, notes):
    if ours == theirs:
        return True
    a, b = float(ours), float(theirs)
    if a == b or (abs(a) == float("inf") and abs(b) == sys.float_info.max and (a > 0) == (b > 0)):
        notes.add("a double's worth")  # carried in full, where jq has it rounded
        return True
    if ours == ours.to_integral_value() and 2**53 < abs(ours) < 2**64 and abs(ours - theirs) <= abs(theirs) * Decimal(2)**-50:
        notes.add("exact beyond 2^53")
        return True
    return False


def same_text(ours, theirs, notes):
    if ours == theirs:
        return True
    if SURROGATE.search(ours) and SURROGATE.sub("\ufffd", ours) == theirs:
        notes.add("lone surrogate kept")  # carried as it was written; jq has U+FFFD
        return True
    # An integer in digits where jq writes 17 digits and an exponent, or rounds.
    mine, other = DIGITS.findall(ours), DIGITS.findall(theirs)
    if len(mine) == len(other) and DIGITS.split(ours) == DIGITS.split(theirs):
        for a, b in zip(mine, other):
            if a != b and not (re.fullmatch(r"-?\d{17,}", a) and ("e+" in b or len(b) >= 17) and same_number(Decimal(a), Decimal(b), set())):
                return False
        notes.add("digits in a string")
        return True
    return False


def same(ours, theirs, notes):
    if isinstance(ours, Decimal) and isinstance(theirs, Decimal):
        return same_number(ours, theirs, notes)
    if type(ours) is not type(theirs):
        return False
    if isinstance(ours, str):
        return same_text(ours, theirs, notes)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(same(a, b, notes) for a, b in zip(ours, theirs))
    if isinstance(ours, dict):
        if [*ours] == [*theirs] == ["__jq"]:
            return True  # a break that was caught: the number counts the labels that the process has met
        return len(ours) == len(theirs) and all(same_text(a, b, notes) and same(ours[a], theirs[b], notes) for a, b in zip(ours, theirs))
    return ours == theirs


def difference(ours, theirs, notes):
    """None where an event's answers agree, else in a few words what is different. `ours`: [results],error."""
    results, error = theirs
    if error == GONE:
        return None
    expected = "[" + ",".join(results) + "]"
    if error is None and ours == expected + ",null":
        return None
    if error is not None and ours.startswith(expected + ',"'):
        return None
    try:
        got, message = read_json("[" + ours + "]")
    except ValueError as fault:
        return f"not JSON: {fault}"
    if message is not None and REFUSED.search(message):
        return "refused"
    if LIMIT.search(message or ""):
        return "limit"
    wanted = read_json(expected)
    if (error is None) != (message is None):
        return f"fails ({message})" if error is None else "does not fail"
    if len(got) != len(wanted):
        return "another count of results" + (" before the failure" if error else "")
    return None if same(got, wanted, notes) else "another value" + (" before the failure" if error else "")


# What expr_eval says when it will not hand an event to libjq, and when a limit is reached.
REFUSED = re.compile(r"jq would round the number")
LIMIT = re.compile(r"^(the expression (needs|takes|makes values nested) more than|its results are more than|it is nested deeper|a result is nested deeper|jq (needs|takes|took))")
ARITHMETIC = re.compile(r"[-+*/%]|add|range|reduce|floor|round|length|min|max|sort|group|unique|tostring|tojson|@|to[nd]|implode|time|limit|nth|\[")


def rounding_literal(program):
    """Whether the program holds a number that a double would round: it does not go to libjq either."""
    return any(rounds(text) for text in re.findall(r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", program))


class Comparison:
    """Counts and collects over a whole run."""

    def __init__(self, evaluator):
        self.evaluator = evaluator
        self.counts, self.permitted, self.asked, self.cases = collections.Counter(), collections.Counter(), collections.Counter(), []

    def programs(self, nodes, events, wild, label, libjq=False):
        """Compares; `nodes` are programs as trees."""
        texts = [str(node) for node in nodes]
        theirs = ask_jq(texts, events)
        self.asked[label, libjq] += len(texts)
        # What jq does not end with is not asked here either.
        asked = [at for at, answer in enumerate(theirs) if "fault" in answer or answer["events"][0][1] != GONE]
        self.counts["programs that jq gave no answer to"] += len(texts) - len(asked)
        ours = self.evaluator.ask([texts[at] for at in asked], events, libjq)
        for at, mine in zip(asked, ours):
            self.counts["programs"] += 1
            self.one(nodes[at], events, wild, label, mine, theirs[at], libjq)

    def one(self, node, events, wild, label, ours, theirs, libjq):
        if "fault" in ours or "fault" in theirs:
            self.counts["programs jq does not compile"] += "fault" in theirs
            if REFUSED.search(ours.get("why", "")) and rounding_literal(str(node)):
                self.permitted["refused by libjq's side"] += 1
            elif ours.get("fault") != theirs.get("fault"):
                what = f"compiles where jq does not ({theirs['why']})" if "fault" in theirs else f"{ours['fault']}: {ours.get('why', '')}"
                self.case(label, what, node, events[0], str(ours.get("why", ours.get("fault"))), theirs.get("why"), libjq, None)
            return
        self.counts["compiled"] += ours["compiled"]
        if not libjq and (label == "made" or label in FILES):
            self.counts["generated programs"] += 1
            self.counts["generated programs compiled"] += ours["compiled"]
        self.counts["compiled, some events left to libjq"] += ours["compiled"] and ours["left_to_libjq"] > 0
        # holds() may be through before run() meets an event that is refused, or a limit.
        holds = [at for at in ours["holds_differs"] if not re.search(REFUSED.pattern + "|" + LIMIT.pattern.lstrip("^"), ours["events"][at])]
        if holds:
            self.case(label, "holds() is not what run() says", node, events[holds[0]], ours["events"][holds[0]], "", libjq, None)
        seen = False
        for number, (mine, other) in enumerate(zip(ours["events"], theirs["events"])):
            self.counts["answers"] += 1
            self.counts[GONE] += other[1] == GONE
            self.counts["answers with results"] += bool(other[0])
            self.counts["answers with an error"] += other[1] is not None
            notes = set()
            what = difference(mine, other, notes)
            for note in notes:
                self.permitted[note] += 1
            if what is None or seen:
                continue
            reason = self.reason(what, str(node), events[number], wild[number], ours, libjq)
            if reason:
                self.permitted[reason] += 1
                continue
            seen = True  # one event says enough of a program
            self.case(label, what, node, events[number], mine, other, libjq, wild[number])

    def reason(self, what, program, event, wild, ours, libjq):
        """Why this difference may be, or None."""
        if what == "refused":
            # An event with a number that a double would round does not go to libjq.
            left = libjq or not ours["compiled"] or ours["left_to_libjq"]
            return "refused by libjq's side" if left and (wild or rounding_literal(program)) else None
        if what == "limit":
            return "a limit of ours"
        if not wild and not any(abs(Decimal(text)) >= 2**53 for text in number_texts(event)):
            return None
        # Numbers compare as exact decimals and integers count exactly: with the numbers that a double rounds
        # replaced by ones that it does not, the answers must agree.
        twins = [twin(event, False), twin(event, True)]
        mine, other = self.evaluator.ask([program], twins, libjq)[0], ask_jq([program], twins)[0]
        if "fault" in mine or "fault" in other:
            return None
        agrees = [difference(a, b, set()) is None for a, b in zip(mine["events"], other["events"])]
        if agrees[0]:
            return "compared or carried exactly"
        # Doubles that are integers beyond 2^53: arithmetic on them is exact here.
        return "arithmetic beyond 2^53" if agrees[1] and ARITHMETIC.search(program) else None

    def case(self, label, what, node, event, mine, other, libjq, wild):
        self.cases.append((label, what, node, event, mine, other, libjq, wild))


# ---------------------------------------------------------------------------------------------------------
# Every builtin on odd values: `.x | f`, and with `.y` as its argument.

VALUES = ["null", "true", "false", "0", "-0", "1", "-1", "2", "1.5", "-2.5", "1e2", "1.0", "0.1", "1e-7", "3", '""', '"a"', '"abc"', '"é日"', '"1"', '"1.5"', '" 1 "',
          '"nan"', '"-0"', '"a,b,c"', '"[1,2]"', '"2015-03-05T23:51:47Z"', '"aGk="', '"\\u0000"', '"x\\ny\\"z\\\\"', '"\\ud83d\\ude00\\u00e9"', '"<&\'>"', '"abab"',
          '"%Y"', "[]", "[1]", "[3,1,2]", "[[1,2],[3]]", '["a","b"]', '[null,1,"a",[],{}]', '[0,"x"]', '[{"key":"a","value":1}]', '[{"name":"n","v":2},{"k":"q"}]',
          "[1,[2,[3]]]", "[2015,2,5,23,51,47.5,4,63]", "[[0],[1,0]]", "[true,false,null]", "[97,233,128512]", "{}", '{"a":1}', '{"a":{"b":2},"c":[1]}', '{"b":1,"a":2}',
          '{"start":1,"end":2}', '{"a":null,"":[{}]}', '["a"]', "[-1]", "[1.0,1,1e0]", '[{"a":2,"b":1},{"a":1},{"b":0}]']
MORE = ["100000000000", "1425599621.678", "-62135596800", "1e17", "1e300", "-1e300", "9007199254740992", "5e-324", "1.7976931348623157e308", "123456789.125", "0.30000000000000004",
        '"1e1000"', '"0x10"', '"nan1"', '"01"', '"+1"', '"1 2"', '"{\\"a\\":1e5}"', '"tru"', '"2015-03-05T23:51:47.123Z"', '"10:20"', '"a\\tb"', '"=3D"', '"////"', '"YWJ"', '"é\\u0301"',
        '"\\u007f\\u0080\\u2028"', '"\\udc00"', "[1,null,2]", '[[1,"a"],[1,"b"]]', '{"a":[1,2,{"b":[]}],"c":{"d":null}}', '[{"a":1,"b":2},{"b":2,"a":1}]', "[[],{},0]",
        '{"a b":1,"é":2,"$":3}', "[1e2,100,\"100\"]", '{"a":1,"a":2}', "[0.1,0.10,1e-1]"]
UNARY = """length utf8bytelength not keys keys_unsorted values add any all flatten floor sqrt ceil round fabs trunc significand logb gamma lgamma tgamma lgamma_r frexp modf
exp10 exp2 exp log log2 log10 cbrt sin cos tan asin acos atan sinh cosh tanh nearbyint rint expm1 log1p j0 y1 pow10 exp10 erf tostring tonumber type infinite nan isinfinite isnan
isnormal isfinite sort unique group_by(.) unique_by(length) min max reverse explode implode ascii_downcase ascii_upcase tojson fromjson todate fromdate gmtime mktime
localtime strftime("%A_%B_%d_%j_%Z") strptime("%Y-%m-%dT%H:%M:%SZ") to_entries from_entries with_entries(.) map(.) map_values(.) map_values(empty) paths leaf_paths tostream
fromstream(tostream) [.[]?] .[0] .[-1] .["a"] .a .[1:] .[:-1] .[:1.5] .[null:1] .[] .[]? .. recurse recurse(.[]?;.!=null) first last nth(1) transpose combinations @text @json
@csv @tsv @html @uri @sh @base64 @base64d @base32 @base32d arrays objects iterables booleans numbers normals finites strings nulls scalars error error(null)
del(.[0]) del(.a) del(.[]?) delpaths([["a"]]) delpaths([[0]]) to_entries[].key walk(.) env|type halt_error? splits("b") ascii -. -(.) .+null null+. .a=1 .[0]=1 .a|=.+1 .[]+=1
.[1:]=[7] .[:1]|=map(.) .a.b.c=1 (.[0],.[1])=5 path(..) path(.a[0]) path(.[1:]) [paths(type=="number")] getpath(["a","b"]) getpath([0,"a"]) setpath([];1) setpath(["a",0];1)
limit(2;.[]?) first(.[]?) isempty(.[]?) [.[]?|tostring] tojson|fromjson @json|fromjson [splits(",")?] min_by(.) max_by(length) sort_by(.a?) group_by(type) any(.==1) all(.!=null)
flatten(1) flatten(0) flatten(-1) [limit(3;range(.))] indices(1) indices("a") index(",") rindex("b") inside([1,2,3]) ltrimstr("a") rtrimstr("c") startswith("a") endswith("c") split(",")
join(",") join(null) test("b") [match("b*";"g")] capture("(?<x>a)(?<y>z)?") scan("[a-z]") sub("b";"-") gsub("[ab]";"<\\(.)>") ascii_downcase|explode tojson|length
if.then"t"else"f"end .//"d" try.catch"c" [.?] .["a","b"]? .[[1]]? bsearch(1) IN(1,"a",null) has(0)? has("a")? contains([]) contains("") .[.]?
todate|fromdate todate? @sh"x\(.)" @html"<\(.)>" "\(.)" {a:.} {(.):1}? [.,.]|unique reduce.[]?as$x(0;.+1) foreach.[]?as$x(0;.+1) .as[$x,{a:$y}]?//$x|[$x,$y] .as{a:$x}|$x .as[$x,[$y]]|$y
$__loc__.line splits("a";"g")? tojson|.[0:9] getpath(["a"])? tostream|select(length==2) strflocaltime("%H_%Z")? gsub("\\s+";"") ascii_upcase? @base64|@base64d @base32|@base32d
limit(0;.[]?) limit(-1;.[]?) until(true;.) [while(false;.)] INDEX(.a?)? JOIN({};.)? isvalid(.a)? env.PAGER $ENV.PAGER input_filename? truncate_stream(1;.)? tojson|tojson""".split()
BINARY = """.x==.y .x!=.y .x<.y .x<=.y .x>.y .x>=.y .x+.y .x-.y .x*.y .x/.y .x%.y .x//.y .x[.y] .x[.y]? .x[.y:] .x[:.y] (.x|has(.y)) (.x|contains(.y)) (.x|inside(.y)) (.y|in(.x))
(.x|index(.y)) (.x|rindex(.y)) (.x|indices(.y)) (.x|split(.y)) (.x|join(.y)) (.x|ltrimstr(.y)) (.x|rtrimstr(.y)) (.x|startswith(.y)) (.x|endswith(.y)) (.x|test(.y)) (.x|[match(.y)])
(.x|[match(.y;"g")]) (.x|split(.y;null)) (.x|[splits(.y)]) (.x|sub(.y;"-")) (.x|[scan(.y)]) (.x|capture(.y)) (.x|getpath(.y)) (.x|setpath(.y;1)) (.x|delpaths(.y)) (.x|delpaths([.y])) (.x|del(.[.y]))
(.x|flatten(.y)) (.x|bsearch(.y)) pow(.x;.y) atan2(.x;.y) fmin(.x;.y) fmax(.x;.y) fmod(.x;.y) hypot(.x;.y) copysign(.x;.y) drem(.x;.y) scalb(.x;.y) nextafter(.x;.y) fdim(.x;.y)
(.x|IN(.y)) (.x|IN(.y[]?)) (.x|strftime(.y)) (.x|strptime(.y)) (.x|todate+.y) (.x|first(.[.y]?)) [.x,.y]|sort [.x,.y]|unique [.x,.y]|min [.x,.y]|max [.x,.y]|add [.x,.y]|@csv [.x,.y]|@tsv [.x,.y]|@sh
[.x,.y]|tojson {(.x):.y} .x=.y .x|=.y .x+=.y .x.a=.y .x[0]=.y .x[.y]=1 .x[.y]|=. .x[.y:]=[9] [.x,.y]|group_by(.) [.x,.y]|transpose .x as[$a]|.y as{b:$b}|[$a,$b] .x and.y .x or.y [limit(.y;.x[]?)]
.x|map(.==.y)? (.x|map_values(.))+.y .x|walk(.)==.y .x|error(.y)? try(.x|error)catch(.==.y) "\(.x)-\(.y)" @text"\(.x)\(.y)" .x|tostring==.y (.x|tojson)<(.y|tojson) ldexp(.x;.y) nth(.y;.x[]?)
(.x|indices(.y)|first)? (.x|min_by(.y)) (.x|to_entries)==(.y|to_entries) (.x|keys)==(.y|keys) .x|with_entries(.value|=.)==.y (.x-.y)+.y (.x|tojson|index(.y)) fma(.x;.y;1) .x//=.y .x-=.y .x*=.y .x/=.y .x%=.y
(.x|reverse)==.y .x|any(.==.y)? .x|all(.==.y)? (.x|paths)==.y [.x|..]==.y (.x|getpath([.y])) (.x|path(.[.y])) (.x|[paths(.==.y)]) (.x|test(.y;"ix")) (.x|gsub(.y;"")|length)? [range(.x;.y)]|length
(.x|implode)==.y .x[.y:.y] (.x|.[.y:.y]=[1])""".split()


SUBJECTS = ["", "a", "abc", "aaa", "abcabc", "ABC", "aXbXc", "foo bar", "foo  bar\n", "foo\nbar\n", "\n", "line1\nline2", "é", "éa", "日本語", "日本日本", "a日b", "ÀÉ", "àé", "ß", "ſK", "12", "a1b22",
            "2015-03-05T23:51:47Z", "user@example.org", "a.b.c", "a-b_c", "x\ty", "aab", "ab\u0000c", "٣", "İi", "e\u0301", "a\r\nb", "\u00a0x", "\u2028", "test123test", "😀a😀", "[x]", "a\\b",
            "{2}", "zzzz", "bcd", " a ", "'q'", "ǆ", "ΣσΣς", "straße", "1e5", "a b c"]


class Patterns:
    """Regular expressions, some of them none."""

    def __init__(self, r):
        self.r = r

    def plain(self, depth=2):
        """Of what people write, which is compiled."""
        r, out = self.r, ""
        for _ in range(r.choice([1, 2, 2, 3, 4])):
            out += r.choice(["a", "b", "foo", "o", "1", "é", "日", "s", "k", "ß", "K", " ", "-", "\\.", "\\/", ".", "\\d", "[a-z]", "[^a-z]", "[0-9]", "[A-Z]", "[abc]", "[^,]", "[é日]", "\\n", "\\t", "^", "$", "(", "(?:", "(?<n>", "|",
                             "[a-zA-Z0-9_]", "[.]", "[-a]", "\\-", "@", "\\w", "\\s", "\\S", "\\b"])
            if out[-1] not in "(|>:^" and r.random() < 0.3:
                out += r.choice(["*", "+", "?", "*?", "+?", "{2}", "{1,3}", "{2,}"])
        out = out.replace("()", "(a)").replace("(?:)", "a").replace("(?<n>)", "(?<n>a)")
        while out.count("(") > out.count(")"):
            out += "a)" if out[-1] in "(:>" else r.choice([")", ")", ")?", ")*", ")+"])
        return out

    def atom(self, depth):
        r, roll = self.r, self.r.random()
        if roll < 0.38:
            return r.choice(["a", "b", "c", "x", "o", "1", "é", "日", "K", "s", " ", "ab", "foo", "ss", "\\.", "\\n", "\\t", "\\/", "\\-", "-", "_", ",", "@", "ß", "σ", "İ", "A", "\\\\", "#", "'"])
        if roll < 0.58:
            return r.choice([".", "\\w", "\\d", "\\s", "\\W", "\\D", "\\S", "\\h", "\\H", "\\p{L}", "\\p{Lu}", "\\P{L}", "\\p{Alpha}", "\\p{^L}", "\\x41", "\\x{e9}", "\\R", "\\X", "\\N", "\\e", "\\u00e9",
                             "\\p{Han}", "\\p{Greek}", "\\cA", "\\101", "\\0", "\\a", "\\v", "\\pL"])
        if roll < 0.72:
            return r.choice(["[abc]", "[^abc]", "[a-z]", "[^a-z]", "[A-Z]", "[0-9]", "[[:alpha:]]", "[[:upper:]]", "[^[:space:]]", "[[:digit:]x]", "[[:word:]]", "[\\w-]", "[\\d.]", "[é日]", "[à-ÿ]",
                             "[]a]", "[^]a]", "[a-]", "[-a]", "[a-z&&[aeiou]]", "[\\]a]", "[.]", "[\\n]", "[ſs]", "[[:punct:]]", "[\\x41-\\x43]", "[z-a]", "[^\\W]", "[\\s\\S]", "[[:^alpha:]]", "[a[bc]]", "[\\b]", "[K]",
                             "[[:foo:]]", "[\\p{L}]", "[^\\d\\s]", "[\\h]"])
        if roll < 0.80:
            return r.choice(["^", "$", "\\b", "\\B", "\\A", "\\z", "\\Z", "\\G", "\\K", "(?i)", "(?m)", "(?s)", "(?x)", "(?#c)", "\\Qa.b\\E", "(?-i)", "(?im)"])
        if depth <= 0:
            return "a"
        inner = self.pattern(depth - 1)
        return r.choice(["({})", "({})", "(?:{})", "(?<n>{})", "(?<a1>{})", "(?i:{})", "(?={})", "(?!{})", "(?<={})", "(?>{})", "(?P<n>{})", "(?m:{})", "(?s:{})", "(?<n_2>{})?", "({})\\1", "(?:{})?"]).format(inner)

    def pattern(self, depth=2):
        r = self.r
        out = ""
        for _ in range(r.choice([1, 1, 2, 2, 3, 4])):
            out += self.atom(depth)
            if r.random() < 0.35:
                out += r.choice(["*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{2,}", "{,2}", "{1,2}?", "++", "*+", "?+", "{2}+", "{0}", "{x}", "**", "{3,1}"])
        if depth > 0 and r.random() < 0.15:
            out += "|" + (self.pattern(depth - 1) if r.random() < 0.8 else "")
        return out


def regex_programs(r, count):
    patterns, found = Patterns(r), []
    forms = ["test({p})", "test({p}; {f})", "[match({p})]", "[match({p}; \"g\")]", "[match({p}; \"g\")]", "[match({p}; {f})]", "[match([{p}, {f}])]", "[scan({p})]", "split({p}; null)", "split({p}; {f})",
             "[splits({p})]", "sub({p}; \"<\\(.)>\")", "sub({p}; \"-\")", "capture({p})", "[match({p}; \"gi\") | .string]", "[match({p}; \"gn\") | .offset]", "[capture({p}; \"g\")]", "test({p}; \"x\")",
             "try test({p}) catch \"no\""]
    for _ in range(count):
        pattern = patterns.pattern() if r.random() < 0.4 else patterns.plain()
        found.append(Node([".x | " + r.choice(forms).replace("{p}", quote(pattern)).replace("{f}", r.choice(['"g"', '"i"', '"x"', '"gi"', '"n"', '"s"', '"p"', '"l"', '"gx"', '""', "null", '"gs"', '"gp"', '"gl"', '"gin"']))]))
    return found


LETTERS = "aAbBcCdDeFgGhHIjklmMnprRsStTuUVwWxXyYzZ%OE+"
MOMENTS = ["0", "1", "-1", "86399", "86400", "951782400", "1425599621", "1425599621.678", "1425599621.999999", "-62135596800", "-62167219200", "253402300799", "253402300800", "1e12", "0.5", "-0.5", "1709164800",
           "1709251199", "1e5", "1078012800", "4102444800", "-2208988800", "-2208988801", "1230768000", "1483228800.25", "1e15", "-1e10", "68169600", "1.5e9"]
WRITTEN = ["2015-03-05T23:51:47Z", "2015-03-05T23:51:47", "2015-03-05 23:51:47", "2015-3-5T3:1:7Z", "2015-02-30T00:00:00Z", "2015-13-05T23:51:47Z", "2016-02-29T24:00:00Z", "2015-03-05T23:51:60Z", "2015-03-05T23:51:61Z",
           "2015-03-05", "05/Mar/2015:23:51:47", "Thu, 05 Mar 2015 23:51:47 GMT", "Thursday March 5 2015", "1425599621", "10:20:30 PM", "23:51", "2015 064", "15", " 2015-03-05T23:51:47Z", "2015-03-05T23:51:47Zx",
           "2015-03-05T23:51:47+0100", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "10000-01-01T00:00:00Z", "-001-01-01T00:00:00Z", "", "x", "2015-W10-4", "mar 5", "1969-12-31T23:59:59Z", "1900-01-01T00:00:00Z", "0000-01-01T00:00:00Z"]


def date_programs():
    formats = [f'"%{letter}"' for letter in LETTERS] + ['"%Y-%m-%dT%H:%M:%SZ"', '"%d/%b/%Y:%H:%M:%S"', '"%a, %d %b %Y %H:%M:%S %Z"', '"%A %B %e %Y"', '"%s"', '"%I:%M:%S %p"', '"%H:%M"', '"%Y %j"', '"%Y-%m-%d %H:%M:%S"', '"%F %T"',
                                                        '"%Y-%m-%dT%H:%M:%S%z"', '"%D"', '"%c"', '"x%%y"', '" %Y"', '"%Y-%m-%d"', '""', '"%10Y"', '"%-d"', '"%_H"', '"%Ey"', '"%C%y"', '"%G-W%V-%u"', '"%b %d"']
    moments = [f".x | strftime({text})" for text in formats] + [".x | " + text for text in (
        "todate", "gmtime", "gmtime | mktime", "gmtime | todate", "localtime", "localtime | mktime", "todate | fromdate", "todateiso8601", "gmtime | strftime(\"%c\")", "gmtime | .[5]", "strflocaltime(\"%c %Z\")", "mktime", "gmtime | map(floor) | mktime",
        "gmtime | .[0:6] | mktime", "gmtime | .[0:3] | mktime", "gmtime | .[6:] | todate", "gmtime | .[1] += 13 | mktime", "gmtime | .[2] = 0 | todate", "[., 1] | mktime", "[2015, ., 1, 0, 0, 0, 0, 0] | mktime, todate", "[2015, 1, ., 0, 0, 0, 0, 0] | mktime, todate",
        "[2015, 1, 1, 0, 0, ., 0, 0] | mktime, todate", "[., 1, 1, 0, 0, 0, 0, 0] | mktime, todate, strftime(\"%j %U %a\")")]
    texts = [f".x | strptime({text})" for text in formats] + [f".x | try (strptime({text}) | mktime) catch ." for text in formats[len(LETTERS):]]
    texts += [".x | fromdate", ".x | try fromdate catch .", ".x | fromdateiso8601 | todate", ".x | strptime(\"%Y-%m-%dT%H:%M:%SZ\") | todate"]
    return [Node([text]) for text in moments], [Node([text]) for text in texts]


def doubles(r, count):
    """Numbers of all sizes, as a double is written shortest, and others."""
    found = []
    for _ in range(count):
        roll = r.random()
        if roll < 0.3:
            found.append(repr(r.uniform(-1, 1) * 10 ** r.randint(-12, 20)))
        elif roll < 0.5:
            found.append(repr(round(r.uniform(-1000, 1000), r.randint(0, 6))))
        elif roll < 0.6:
            found.append(str(r.choice([10, 2, 5]) ** r.randint(0, 15) * r.choice([1, -1, 3])))
        elif roll < 0.7:
            found.append(f"{r.randint(1, 99)}e{r.randint(-30, 30)}")
        elif roll < 0.8:
            found.append(repr(r.choice([1, -1]) * 10.0 ** r.randint(-308, 307) * r.uniform(1, 9.99)))
        else:
            found.append(str(r.randint(-2000, 2000)))
    return found


DOUBLES = """.x .x+.y .x-.y .x*.y .x/.y .x|tostring .x|tojson (.x+.y)|tostring (.x*.y)|tojson (.x/.y)|tostring "\\(.x-.y)" [.x,.y]|@csv [.x*.5,.y]|@tsv [.x/3]|@sh {a:(.x*3)}|tojson {a:.x}|tojson [.x,.y]|@text
@html"\\(.x)" @json"\\(.x/7)" (.x|floor)|tostring (.x|sqrt)|tostring (.x|round)|tojson .x|tostring|tonumber .x|tojson|fromjson (.x|tostring|tonumber)==.x (.x+.y)==(.y+.x) .x%.y? .x<.y .x==.y -.x|tostring
(.x*1000|floor)/1000|tostring .x*0|tostring [.x,.y]|add|tostring [.x,.y]|min|tostring [.x,.y]|sort|tojson (.x|fabs)|tostring pow(.x;2)|tostring .x|@base64 .x|@uri (.x|log)|tojson .x|ceil|tostring [.x|frexp,modf]|tojson
[.x,.y,1]|join("-") (.x|tostring)+"" .x|tostring|length .[]|tostring to_entries|tojson .x|=.+1|tojson .x+=.y .x*=2|tostring [.x,.y]|unique|tojson keys+[.x]|tojson .x|significand|tostring .x|logb|tostring .x|exp10|tostring
.x|trunc|tojson .x|nearbyint|tojson ldexp(.x;2)|tojson .x*100|round|./100|tostring .x//1|tostring .x|numbers|tostring .x|error(.)? try(.x|error)catch tostring .x|ascii? range(.x;.x+2)|tostring""".split()


# Arguments that have something to do with each other.
TOGETHER = [('"abab"', '"b"'), ('"a,b,a"', '"a"'), ('"日本日本"', '"本"'), ('"é日a日"', '"a"'), ('"xax"', '"x"'), ("[1,2,1,2]", "1"), ("[1,2,1,2]", "[1,2]"), ("[1,2,1]", "[1]"), ('"a.c"', '"."'),
            ('"(x)"', '"("'), ('"a+"', '"+"'), ('{"a":null}', '"a"'), ("[null]", "0"), ("[1,2,3]", "-1"), ("[1,2,3]", "-5"), ('"abc"', '"abc"'), ('"abcd"', '"cd"'), ('"aaa"', '"aa"'), ('"aXbX"', '"X"'),
            ('{"a":{"b":[1,2]},"c":3}', '{"a":{"b":[2]}}'), ('["foo","bar"]', '["o"]'), ('"foobar"', '"bar"'), ("[[1,2],[3,4]]", "[[1,2]]"), ("[1,[2]]", "[[2]]"), ('{"a":[1,2],"b":{"c":1}}', '{"b":{"d":2},"a":[3]}'),
            ('{"a":{"x":1}}', '["a","x"]'), ('[[0,1],[2]]', "[0,1]"), ('{"a":[5,6]}', '["a",-1]'), ("[5,6,7,8]", '[{"start":1,"end":3}]'), ("[5,6,7,8]", '{"start":-2}'), ("[3,1,2,1]", "[1]"), ("[[1],[0]]", "[0]"),
            ("[1,2,3]", "2"), ("[1,2,3]", "2.5"), ("[1,2,4]", "3"), ("1425599621", '"%Y-%m-%d"'), ('"2015-03-05"', '"%Y-%m-%d"'), ("[1,[2,[3]]]", "1"), ("7", "3"), ("-7", "3"), ("7", "-3"), ("7.9", "2.9"), ("0.1", "0.2"),
            ('"ab"', "3"), ('"ab"', "0"), ('"ab"', "0.5"), ("3", '"ab"'), ('"a-b-c"', '"-"'), ('"test"', '"T"'), ('"x1y22"', '"[0-9]+"'), ('"aé"', '"(?<l>.)$"'), ("[2,1]", "[1,2]"), ('{"b":2,"a":1}', '{"a":1,"b":2}'),
            ("[0,1]", "1"), ("1.0", "1"), ("[1,1.0]", "[1.0,1]"), ('"\\u0000a"', '"a"'), ('"\\ud83d\\ude00x"', '"x"'), ('["b","a"]', '","'), ('["a",1,null,true]', '"-"'), ("[]", '","')]


def systematic(r, share):
    """(label, program trees, events). With a share below 1, fewer forms of the programs and fewer events."""
    unary = [f".x|{text}" for text in UNARY if "halt" not in text and "input_filename" not in text]
    values = VALUES + MORE
    events = [f'{{"x":{value}}}' for value in values]
    for at in range(0, len(unary), 40):
        some = [form.format(text) for text in unary[at:at + 40] for form in (("{}", "[{}]", "try ({}) catch .") if share == 1 else r.choices(("{}", "[{}]", "try ({}) catch ."), [4, 1, 2]))]
        yield "builtins", [Node([text]) for text in some], events if share == 1 else r.sample(events, min(len(events), int(200 * share)))
    yield "regex", regex_programs(r, 1200 if share == 1 else int(300 * share)), [f'{{"x":{json.dumps(text)}}}' for text in SUBJECTS]
    moments, texts = date_programs()
    yield "dates", [node for node in moments if r.random() < share], [f'{{"x":{moment}}}' for moment in MOMENTS]
    yield "dates", [node for node in texts if r.random() < share], [f'{{"x":{json.dumps(text)}}}' for text in WRITTEN]
    some = doubles(r, 400)
    yield "doubles", [Node([text]) for text in DOUBLES if r.random() < 2 * share], [f'{{"x":{r.choice(some)},"y":{r.choice(some)}}}' for _ in range(400)]
    # Arithmetic of numbers and all comparisons also with great numbers; else those would make lists as great.
    numbers = [value for value in values if re.match(r"[-0-9]", value)]
    big = [f'{{"x":{a},"y":{b}}}' for a in numbers for b in numbers]
    sane = [text for text in BINARY if re.search(r"[<=>+*/]|pow|atan|fm|hyp|copy|drem|scalb|next|fdim|ldexp|sort|unique|min|max|csv|tojson|%", text) and "[.y" not in text and "range" not in text
            and ".y]" not in text and "nth" not in text and "limit" not in text]
    yield "numbers", [Node([text]) for text in sane], big if share == 1 else r.sample(big, int(len(big) * share / 2))
    pairs = [f'{{"x":{a},"y":{b}}}' for a in VALUES for b in VALUES]
    together = [f'{{"x":{a},"y":{b}}}' for a, b in TOGETHER]
    for at in range(0, len(BINARY), 24):
        some = [form.format(text) for text in BINARY[at:at + 24] for form in (("{}", "try ({}) catch .") if share == 1 else r.choices(("{}", "try ({}) catch ."), [3, 1]))]
        yield "pairs", [Node([text]) for text in some], together + (pairs if share == 1 else r.sample(pairs, int(600 * share)))


# ---------------------------------------------------------------------------------------------------------
# Where jq is no measure: numbers that a double rounds, by Python's arithmetic.

def int64(number):
    return int(number) if number == number.to_integral_value() and -2**63 <= number < 2**63 else None


def arithmetic(op, a, b, exactly=True):
    """What + - * give: exact in 64 bits, else as doubles."""
    count = {"+": lambda x, y: x + y, "-": lambda x, y: x - y, "*": lambda x, y: x * y}[op]
    if exactly and int64(a) is not None and int64(b) is not None and -2**63 <= count(int64(a), int64(b)) < 2**63:
        return Decimal(count(int64(a), int64(b)))
    return count(clipped(a), clipped(b))


def clipped(number):
    """A double as jq has it."""
    return max(-sys.float_info.max, min(sys.float_info.max, float(number)))


def exact_numbers(evaluator):
    """What is wrong, as texts."""
    texts = [*dict.fromkeys(WILD + TAME + ["9007199254740992", "9007199254740994", "-9007199254740993", "9223372036854775808", "-9223372036854775808", "4611686018427387904",
                                           "3037000500", "12345678901234567891", "1e18", "0.1", "0.10000000000000001", "1e308", "1.0e400", "10e399", "123456789012345678901234567890"])]
    pairs = [(a, b) for a in texts for b in texts]
    events = [f'{{"x":{a},"y":{b}}}' for a, b in pairs]
    orders = {"==": lambda x, y: x == y, "!=": lambda x, y: x != y, "<": lambda x, y: x < y, "<=": lambda x, y: x <= y, ">": lambda x, y: x > y, ">=": lambda x, y: x >= y}
    wrong, programs, expected = [], [], []
    for op, holds in orders.items():
        programs.append(f".x {op} .y")
        expected.append([("text", json.dumps(holds(Decimal(a), Decimal(b)))) for a, b in pairs])
    for op in "+-*":
        programs.append(f".x {op} .y")
        # 1.0, -0 and 1e3 may count as integers or as doubles.
        expected.append([("number", [arithmetic(op, Decimal(a), Decimal(b), exactly) for exactly in ((True,) if (a + b).replace("-", "").isdigit() and "-0" not in (a, b) else (True, False))])
                         for a, b in pairs])
    carried = {".x": "{a}", "[.x, .y]": "[{a},{b}]", "{b: .y, a: [.x]}": '{{"b":{b},"a":[{a}]}}', ".": '{{"x":{a},"y":{b}}}', ".x as $v | [.y, $v]": "[{b},{a}]",
               "if .y then .x else 1 end": "{a}", "[.[]]": "[{a},{b}]", ".x // 1": "{a}", "select(true).y": "{b}", "{x}": '{{"x":{a}}}', "first(.x, .y)": "{a}"}
    for program, form in carried.items():
        programs.append(program)
        expected.append([("text", form.format(a=a, b=b)) for a, b in pairs])
    for program, choose in (("[.x, .y] | sort", sorted), ("[.x, .y] | min", min), ("[.x, .y] | unique | length", None)):
        programs.append(program)
        expected.append([("text", "[" + ",".join(choose([a, b], key=Decimal)) + "]") if choose is sorted else ("equal", Decimal(choose([a, b], key=Decimal))) if choose
                         else ("text", "1" if Decimal(a) == Decimal(b) else "2") for a, b in pairs])
    for answer, program, row in zip(evaluator.ask(programs, events), programs, expected):
        if "fault" in answer:
            wrong.append(f"{program}: {answer}")
            continue
        for run, event, (how, value) in zip(answer["events"], events, row):
            if REFUSED.search(run) and answer["left_to_libjq"]:
                continue
            right = run == f"[{value}],null" if how == "text" else False
            if how != "text" and run.endswith("],null"):
                got = read_json("[" + run + "]")[0]
                right = len(got) == 1 and any(got[0] == one if how == "equal" or isinstance(one, Decimal) else clipped(got[0]) == clipped(one)
                                              for one in (value if isinstance(value, list) else [value]))
            if not right:
                wrong.append(f"{program} on {event} gives {run}; wanted {value}")
                break
    return wrong


# ---------------------------------------------------------------------------------------------------------
# Making a case small.

def reductions(node):
    """Trees with one piece of this one replaced by a kid of it or by a dot; roughly shortest first."""
    found = []

    def walk(current, rebuild):
        for at, part in enumerate(current.parts):
            if not isinstance(part, Node):
                continue

            def with_part(new, current=current, at=at, rebuild=rebuild):
                return rebuild(Node(current.parts[:at] + [new] + current.parts[at + 1:], current.precedence))
            for kid in part.kids():
                found.append(with_part(Node(["(", kid, ")"])))
                found.append(with_part(kid))
            if str(part) not in (".", "1"):
                found.append(with_part(Node(["."])))
                found.append(with_part(Node(["1"])))
            walk(part, with_part)
    walk(node, lambda new: new)
    found += node.kids()
    unique = {str(tree): tree for tree in found}
    return sorted(unique.values(), key=lambda tree: len(str(tree)))[:80]


def smaller_events(text):
    value = json.loads(text, parse_float=Raw, parse_int=Raw)
    found = []

    def walk(current, rebuild):
        if isinstance(current, dict):
            names = list(current)
            for some in ([], names[:len(names) // 2], names[len(names) // 2:], *([name] for name in names)):
                found.append(rebuild({name: current[name] for name in some}))
            for name in current:
                found.append(rebuild({other: item for other, item in current.items() if other != name}))
            for name in current:
                walk(current[name], lambda new, name=name: rebuild({**current, name: new}))
        elif isinstance(current, list) and current:
            found.append(rebuild([]))
            for at in range(len(current)):
                found.append(rebuild(current[:at] + current[at + 1:]))
            for at, item in enumerate(current):
                walk(item, lambda new, at=at: rebuild(current[:at] + [new] + current[at + 1:]))
    walk(value, lambda new: new)
    return sorted({dump(item) for item in found if isinstance(item, dict)}, key=len)[:300]


class Minimiser:
    def __init__(self, evaluator, libjq):
        self.evaluator, self.libjq = evaluator, libjq

    def differs(self, programs, events):
        """For each program and event: what is different, or None."""
        theirs, ours = ask_jq(programs, events), self.evaluator.ask(programs, events, self.libjq)
        table = []
        for mine, other in zip(ours, theirs):
            if "fault" in mine or "fault" in other:
                if REFUSED.search(mine.get("why", "")):
                    table.append([None] * len(events))
                    continue
                table.append([("fault", mine, other) if mine.get("fault") != other.get("fault") else None] * len(events))
                continue
            row = []
            for number in range(len(events)):
                what = difference(mine["events"][number], other["events"][number], set())
                row.append((what.split(" (")[0], mine["events"][number], other["events"][number]) if what else None)
            table.append(row)
        return table

    def smallest(self, node, event, rounds=12):
        text = str(node)
        found = self.differs([text], [event])[0][0]
        if not found:
            return text, event, None
        for _ in range(rounds):
            trees = [tree for tree in reductions(node) if len(str(tree)) < len(text)]
            rows = self.differs([str(tree) for tree in trees], [event]) if trees else []
            # The same sort of difference, so that it does not turn into another one on the way.
            smaller = next((at for at, row in enumerate(rows) if row[0] and row[0][0] == found[0]), None)
            if smaller is None:
                break
            node, text, found = trees[smaller], str(trees[smaller]), rows[smaller][0]
        for _ in range(5 * rounds):
            events = [other for other in smaller_events(event) if len(other) < len(event)]
            row = self.differs([text], events)[0] if events else []
            smaller = next((at for at, cell in enumerate(row) if cell and cell[0] == found[0]), None)
            if smaller is None:
                break
            event, found = events[smaller], row[smaller]
        return text, event, found


# ---------------------------------------------------------------------------------------------------------

def families(r, data, programs):
    """(label, shape, events, which are wild), ever new ones."""
    labels = ["made"] * 6 + [label for label in FILES if label in data]
    made = 0
    while made < programs:
        label = labels[made // 50 % len(labels)] if made else "made"
        if label == "made":
            wild_share = r.random() < 0.4
            events = [Events(r, wild_share and r.random() < 0.25).event() for _ in range(58)] + ["{}", '{"a":1,"b":[1,{"c":"x"}],"a":2}']
        else:
            events = r.sample(data[label], min(len(data[label]), FILES[label][1]))
        shape = Shape()
        for event in events:
            shape.take(json.loads(event))
        yield label, shape, events, [any(map(rounds, number_texts(event))) for event in events]
        made += 50


def broken_programs(comparison, r, nodes):
    """Programs with a token changed: both must take them or both refuse. Those that both take are compared."""
    texts = [broken(str(node), r) for node in nodes]
    texts = [text for text in texts if not re.search(r"\b(import|include|inputs?|input_filename|debug|stderr|halt\w*|limit|repeat|until|while|range|module)\b", text)]
    ours = comparison.evaluator.ask(texts, ["{}"])
    for text, mine in zip(texts, ours):
        status, _, err = run_limited(["jq", text], b"{}", 5)
        if status is None:
            continue
        comparison.counts["broken programs"] += 1
        comparison.asked["broken", False] += 1
        refused = status == 3
        comparison.counts["broken programs refused"] += refused
        if refused != (mine.get("fault") == "compile"):
            # jq 1.7's `if` without `else`, which is taken here too.
            if refused and "fault" not in mine and "if" in text and text.count("else") < len(re.findall(r"\bif\b", text)):
                comparison.permitted["if without else"] += 1
                continue
            said = err.decode(errors="replace").split("\n")[0]
            comparison.case("broken", "compiles where jq does not" if refused else f"{mine.get('fault')} where jq compiles", Node([text]), "{}",
                            str(mine.get("why", mine.get("fault"))), said, False, None)


def show(case, comparison, quick):
    label, what, node, event, mine, other, libjq, wild = case
    program = str(node)
    if not quick and isinstance(other, tuple):
        program, event, found = Minimiser(comparison.evaluator, libjq).smallest(node, event)
        if found:
            _, mine, other = found
    return {"label": label + (" --libjq" if libjq else ""), "what": what, "program": program, "event": event, "ours": str(mine)[:600], "jq": str(other)[:600], "wild": bool(wild)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=int(os.environ.get("JQ_SEED", "20161102")))
    parser.add_argument("--programs", type=int, default=1500)
    parser.add_argument("--long", action="store_true", default=bool(os.environ.get("STREAM_LONG")))
    parser.add_argument("--show", type=int, default=25)
    parser.add_argument("--eval", default=os.environ.get("EXPR_EVAL", os.path.join(root, "build/release/bin/expr_eval")))
    parser.add_argument("--out", help="append the differences to this file too")
    parser.add_argument("--only", help="one family of events")
    parser.add_argument("--share", type=float, default=0.25, help="of the builtins on odd values")
    options = parser.parse_args()
    programs = 30000 if options.long else options.programs
    print(f"# seed {options.seed}, {programs} programs; again with: tests/check/jq_differential.py --seed {options.seed} --programs {programs}", flush=True)
    if not os.access(options.eval, os.X_OK):
        print(f"not ok 1 - there is no {options.eval}")
        sys.exit(1)
    version = subprocess.run(["jq", "--version"], stdout=subprocess.PIPE, check=False).stdout.decode().strip()
    if version != "jq-1.6":
        print(f"1..0 # SKIP jq is {version or 'not installed'}: 1.6 is what the answers are compared with")
        sys.exit(77)
    folder = os.environ.get("STREAM_TEST_DATA", os.path.join(root, "../shared/data"))
    data = {label: lines for label, (path, _) in FILES.items() if (lines := lines_of(folder, path))}
    r = random.Random(options.seed)
    began = time.monotonic()
    number = 0
    with tempfile.TemporaryDirectory() as scratch:
        comparison = Comparison(Evaluator(options.eval, scratch))
        for label, nodes, events in systematic(r, 1 if options.long else options.share):
            if not options.only or label == options.only:
                comparison.programs(nodes, events, [any(map(rounds, number_texts(event))) for event in events], label)
        for at, (label, shape, events, wild) in enumerate(families(r, data, programs)):
            if options.only and label != options.only:
                continue
            generator = Generator(r, shape)
            nodes = [generator.program() for _ in range(50)]
            comparison.programs(nodes, events, wild, label)
            if at % 4 == 0:
                comparison.programs(r.sample(nodes, 8), events, wild, label, libjq=True)
            broken_programs(comparison, r, r.sample(nodes, 4))
        wrong = exact_numbers(comparison.evaluator)
        groups = collections.defaultdict(list)
        for case in comparison.cases:
            groups[case[0], case[6]].append(case)
        shown, reports = 0, []
        for label in ["builtins", "regex", "dates", "doubles", "numbers", "pairs", "made", *FILES, "broken"]:
            for libjq in (False, True):
                cases, asked = groups[label, libjq], comparison.asked[label, libjq]
                if not asked and (libjq or label not in FILES or label in data):
                    continue
                number += 1
                name = f"{label}{' in libjq alone' if libjq else ''}: {asked} programs, the same as jq"
                if not asked:
                    print(f"ok {number} - {name} # SKIP no {FILES[label][0]} in {folder}")
                    continue
                print(f"{'not ' if cases else ''}ok {number} - {name}" + (f" ({len(cases)} differences)" if cases else ""))
                for case in cases:
                    shown += 1
                    if shown > options.show:
                        break
                    report = show(case, comparison, quick=shown > 60)
                    reports.append(report)
                    print("#\n# " + report["what"] + "\n#   program: " + report["program"] + "\n#   event:   " + report["event"][:400] +
                          "\n#   ours:    " + report["ours"] + "\n#   jq:      " + report["jq"], flush=True)
        counts = comparison.counts
        number += 2
        print(f"{'not ' if wrong else ''}ok {number - 1} - numbers that a double rounds are carried, compared and counted exactly" + "".join("\n# " + text[:600] for text in wrong))
        share = counts["generated programs compiled"] / max(1, counts["generated programs"])
        print(f"{'' if share > 0.5 else 'not '}ok {number} - more than half of the programs are compiled")
        print(f"# compiled: {share:.1%}")
        for name, count in sorted({**counts, **{"permitted: " + name: n for name, n in comparison.permitted.items()}}.items()):
            print(f"# {name}: {count}")
        print(f"# {time.monotonic() - began:.0f} s")
        print(f"1..{number}")
    if options.out:
        with open(options.out, "a", encoding="utf-8") as file:
            for report in reports:
                file.write(json.dumps({"seed": options.seed, **report}, ensure_ascii=False) + "\n")
    sys.exit(bool(comparison.cases or wrong) or share <= 0.5)


if __name__ == "__main__":
    main()
