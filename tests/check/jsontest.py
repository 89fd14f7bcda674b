#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which lines are events: RFC 8259's rules, each text as a member's value on one line.

Names begin with y_ (an event: accepted and passed through byte for byte) or n_ (not: rejected with status
3, and whole in the dead letters). All go through stream-cat together, and each alone. TAP on stdout.
"""
import base64
import json
import os
import subprocess
import sys
import tempfile

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
stream_cat = os.path.join(os.environ.get("STREAM_BIN", os.path.join(root, "build/release/bin")), "stream-cat")

cases = []  # (name, line); the line without its end


def value(name, text):
    cases.append((name, b'{"v":' + (text if isinstance(text, bytes) else text.encode()) + b"}"))


def line(name, text):
    cases.append((name, text if isinstance(text, bytes) else text.encode()))


# Values of every kind.
for name, text in [("null", "null"), ("true", "true"), ("false", "false"), ("empty_array", "[]"), ("empty_object", "{}"),
                   ("array", '[1,"a",null,[true]]'), ("object", '{"a":{"b":[]}}'), ("spaces", " [ 1 , 2 ] "),
                   ("tabs", "\t[\t1\t,\t2\t]\t"), ("carriage_returns", "\r[\r1\r]\r"), ("empty_string", '""'),
                   ("empty_name", '{"":0}'), ("equal_names", '{"a":1,"a":2}'), ("name_with_escape", '{"\\u0061\\n":1}')]:
    value("y_" + name, text)
for name, text in [("nothing", ""), ("capital_null", "Null"), ("cut_null", "nul"), ("long_null", "nulll"), ("cut_true", "tru"),
                   ("capital_true", "TRUE"), ("cut_false", "fals"), ("undefined", "undefined"), ("bare_word", "a"),
                   ("bareword_nan", "NaN"), ("infinity", "Infinity"), ("minus_infinity", "-Infinity"),
                   ("array_comma_first", "[,1]"), ("array_comma_last", "[1,]"), ("array_two_commas", "[1,,2]"),
                   ("array_no_comma", "[1 2]"), ("array_colon", "[1:2]"), ("array_open", "[1"), ("array_closed_twice", "[1]]"),
                   ("array_closed_by_brace", "[1}"), ("only_close", "]"), ("object_open", '{"a":1'), ("object_comma_last", '{"a":1,}'),
                   ("object_comma_first", '{,"a":1}'), ("object_two_commas", '{"a":1,,"b":2}'), ("object_no_colon", '{"a" 1}'),
                   ("object_two_colons", '{"a"::1}'), ("object_no_value", '{"a":}'), ("object_only_name", '{"a"}'),
                   ("object_number_name", "{1:1}"), ("object_bare_name", "{a:1}"), ("object_null_name", "{null:1}"),
                   ("object_single_quotes", "{'a':1}"), ("object_closed_by_bracket", '{"a":1]'), ("object_equals", '{"a"=1}'),
                   ("object_name_open", '{"a:1}'), ("comment_block", "/* */1"), ("comment_line", "1//x"), ("comment_hash", "1#x"),
                   ("two_values", "1 2"), ("single_quotes", "'a'"), ("backquotes", "`a`"), ("string_open", '"a'),
                   ("string_closed_twice", '"a""'), ("plus", "+"), ("brackets_mixed", "[{]}"), ("semicolon", "[1;2]")]:
    value("n_" + name, text)

# Numbers.
for text in ["0", "-0", "1", "-1", "10", "123456789", "0.0", "-0.0", "0.5", "1.25", "0e0", "0E0", "0e+1", "0e-1", "1e5", "1E5", "1e+5",
             "1e-5", "1E+05", "1.5e10", "-1.5E-10", "20e1", "1e400", "-1e400", "1e-400", "9007199254740993", "18446744073709551616",
             "-9223372036854775809", "1" * 400, "0." + "0" * 400 + "1", "1e" + "9" * 30, "1e-" + "9" * 30]:
    value(f"y_number_{text[:24]}", text)
for text in ["+1", "01", "-01", "00", "0x1", "0X1F", "1.", ".5", "-.5", "-", "--1", "1..2", "1.2.3", "1e", "1e+", "1E-", "1e1.5", "e5", "1ee5",
             "1e5e5", "1_000", "1,000", "0.e1", "1.e1", "- 1", "1 .5", "1e 5", "0b1", "1L", "1.0f", "\uff11", "1\u00a0", "0.1-", "9.a", "-NaN",
             "1+2", "0-1", "012", "-a"]:
    value(f"n_number_{text}", text)

# Escapes: every letter after a backslash.
good_escapes = set(b'"\\/bfnrt')
for byte in range(0x20, 0x7F):
    if byte == ord("u"):
        continue
    text = b'"\\' + bytes([byte]) + b'"'
    if byte == ord('"'):
        value('y_escape_quote', text)
    elif byte in good_escapes:
        value(f"y_escape_{byte:02x}", text)
    else:
        value(f"n_escape_{byte:02x}", text)
for name, text in [("lower", '"\\u00e9"'), ("upper", '"\\u00E9"'), ("zero", '"\\u0000"'), ("ffff", '"\\uffff"'), ("quote", '"\\u0022"'),
                   ("pair", '"\\ud83d\\ude00"'), ("pair_upper", '"\\uD83D\\uDE00"'), ("lone_high", '"\\ud800"'), ("lone_low", '"\\udc00"'),
                   ("high_high", '"\\ud800\\ud800"'), ("low_high", '"\\udc00\\ud800"'), ("high_text", '"\\ud800abc"'),
                   ("high_escape", '"\\ud800\\n"'), ("high_bmp", '"\\ud800\\u0061"'), ("last_pair", '"\\udbff\\udfff"'),
                   ("four_then_digit", '"\\u00e90"')]:
    value("y_unicode_escape_" + name, text)
for name, text in [("none", '"\\u"'), ("one", '"\\u0"'), ("two", '"\\u00"'), ("three", '"\\u00e"'), ("not_hex", '"\\u00g0"'),
                   ("capital_u", '"\\U00e9"'), ("space", '"\\u 0e9"'), ("sign", '"\\u+0e9"'), ("cut_by_end", '"\\u00'), ("braces", '"\\u{e9}"'),
                   ("backslash_x", '"\\x41"'), ("second_half_cut", '"\\ud83d\\ude0"'), ("backslash_last", '"\\'), ("three_backslashes", '"\\\\\\"')]:
    value("n_unicode_escape_" + name, text)
value("y_backslashes", '"\\\\\\\\"')
value("y_backslash_quote", '"\\\\\\""')

# UTF-8.
for name, text in [("two_bytes", b"\xc2\x80"), ("two_bytes_last", b"\xdf\xbf"), ("three_bytes", b"\xe0\xa0\x80"),
                   ("before_surrogates", b"\xed\x9f\xbf"), ("after_surrogates", b"\xee\x80\x80"), ("three_bytes_last", b"\xef\xbf\xbf"),
                   ("bom_inside", b"\xef\xbb\xbf"), ("four_bytes", b"\xf0\x90\x80\x80"), ("last", b"\xf4\x8f\xbf\xbf"),
                   ("emoji", "😀".encode()), ("line_separator", b"\xe2\x80\xa8"), ("noncharacter", b"\xef\xb7\x90"),
                   ("escaped_neighbour", b"\\n\xc3\xa9\\t")]:
    value("y_utf8_" + name, b'"' + text + b'"')
for name, text in [("overlong_nul", b"\xc0\x80"), ("overlong_slash_2", b"\xc0\xaf"), ("overlong_slash_3", b"\xe0\x80\xaf"),
                   ("overlong_slash_4", b"\xf0\x80\x80\xaf"), ("overlong_c1", b"\xc1\xbf"), ("overlong_3", b"\xe0\x9f\xbf"),
                   ("overlong_4", b"\xf0\x8f\xbf\xbf"), ("surrogate_high", b"\xed\xa0\x80"), ("surrogate_low", b"\xed\xbf\xbf"),
                   ("surrogate_pair_cesu", b"\xed\xa0\xbd\xed\xb8\x80"), ("past_last", b"\xf4\x90\x80\x80"), ("five_bytes", b"\xf8\x88\x80\x80\x80"),
                   ("six_bytes", b"\xfc\x84\x80\x80\x80\x80"), ("cut_2", b"\xc3"), ("cut_3", b"\xe2\x82"), ("cut_4", b"\xf0\x9f\x98"),
                   ("cut_then_ascii", b"\xe2\x82a"), ("continuation_first", b"\x80abc"), ("two_starts", b"\xc3\xc3\xa9"), ("latin1", b"caf\xe9"),
                   ("utf16", b"\xff\xfea\x00")]:
    value("n_utf8_" + name, b'"' + text + b'"')
value("n_utf8_outside_string", b"\xc3\xa9")
value("n_utf8_bad_in_name", b'{"\xff":1}')

# Every byte, alone in a string, alone as a value, and after a value. 0x0a ends a line: two broken ones.
for byte in range(256):
    if byte == 0x0A:
        continue
    raw = bytes([byte])
    in_string = 0x20 <= byte < 0x80 and byte not in b'"\\'
    value(f"{'y' if in_string else 'n'}_byte_{byte:02x}_in_string", b'"a' + raw + b'z"')
    value(f"{'y' if raw.isdigit() else 'n'}_byte_{byte:02x}_as_value", raw)
    after = raw.isdigit() or byte in (0x09, 0x0D, 0x20)
    value(f"{'y' if after else 'n'}_byte_{byte:02x}_after_value", b"1" + raw)

# Whole lines.
line("y_line_spaces_inside", '{ "a" : 1 , "b" : [ ] }')
line("y_line_empty_object", "{}")
for name, text in [("array", "[1]"), ("number", "1"), ("string", '"a"'), ("null", "null"), ("true", "true"), ("two_objects", '{"a":1}{"a":2}'),
                   ("two_objects_space", '{"a":1} {"a":2}'), ("trailing_comma", '{"a":1},'), ("trailing_text", '{"a":1} x'),
                   ("trailing_brace", '{"a":1}}'), ("trailing_nul", b'{"a":1}\x00'), ("trailing_comment", '{"a":1} // x'), ("leading_comma", ',{"a":1}'),
                   ("leading_text", 'x{"a":1}'), ("leading_nul", b'\x00{"a":1}'), ("record_separator", b'\x1e{"a":1}'), ("open", "{"),
                   ("open_string", '{"a'), ("close", "}"), ("bom_not_first", b'\xef\xbb\xbf{"a":1}'), ("form_feed", b'\x0c{"a":1}'),
                   ("no_break_space", b'\xc2\xa0{"a":1}'), ("single_quotes", "{'a':1}"), ("half_pretty", '"a": 1,'), ("xml", "<a>1</a>"),
                   ("csv", "a,b,c"), ("prefix", 'data: {"a":1}')]:
    line("n_line_" + name, text)

# Depth: the object itself is 1.
for name, depth in [("y_depth_1024", 1024), ("n_depth_1025", 1025), ("n_depth_100000", 100000)]:
    value(name + "_arrays", "[" * (depth - 1) + "]" * (depth - 1))
    value(name + "_objects", '{"a":' * (depth - 1) + "1" + "}" * (depth - 1))
value("n_depth_open_arrays", "[" * 100000)
value("n_depth_open_objects", '{"a":' * 100000)
value("y_wide", "[" + "0," * 100000 + "0]")
# Structure at the edges of the blocks that a fast scanner takes at a time.
for length in list(range(55, 70)) + [127, 128, 255, 256]:
    value(f"y_string_of_{length}", '"' + "x" * length + '"')
    value(f"y_backslashes_at_{length}", '"' + "x" * length + '\\\\\\""')
    value(f"n_open_string_of_{length}", '"' + "x" * length)
    value(f"n_control_at_{length}", b'"' + b"x" * length + b"\x01" + b"x" * 70 + b'"')
    value(f"n_bad_utf8_at_{length}", b'"' + b"x" * length + b"\xff" + b"x" * 70 + b'"')

number = failed = 0


def verdict(name, problem):
    global number, failed
    number += 1
    if problem:
        failed += 1
        print(f"not ok {number} - {name}\n# {problem}")
    else:
        print(f"ok {number} - {name}")


def run(data, *options):
    done = subprocess.run([stream_cat, *options], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


names = [name for name, _ in cases]
assert len(cases) >= 150 and all(b"\n" not in text for _, text in cases), len(cases)

for name, text in cases:
    if name == "n_line_bom_not_first":
        continue  # alone it is first
    status, out, err = run(text + b"\n")
    if name.startswith("y_"):
        problem = "" if (status, out, err) == (0, text + b"\n", b"") else f"status {status}, stdout {out[:80]!r}, stderr {err[:120]!r}"
    else:
        problem = "" if status == 3 and out == b"" and b"stdin:1" in err else f"status {status}, stdout {out[:80]!r}, stderr {err[:120]!r}"
    verdict(f"{name} alone", problem)

# All of them in one stream: what is good passes in order, what is not lies in the dead letters as it came.
with tempfile.TemporaryDirectory() as folder:
    dead = os.path.join(folder, "dead")
    status, out, err = run(b"".join(text + b"\n" for _, text in cases), "--bad", dead)
    good = [text for name, text in cases if name.startswith("y_")]
    verdict("all together: what is good passes, byte for byte",
            "" if status == 0 and out == b"".join(text + b"\n" for text in good) else f"status {status}, {len(out.splitlines())} of {len(good)} lines")
    letters = []
    with open(dead, encoding="utf-8") as file:
        for letter in map(json.loads, file):
            letters.append((letter["line"], base64.b64decode(letter["raw_base64"]) if "raw_base64" in letter else letter["raw"].encode()))
    wanted = [(at, text) for at, (name, text) in enumerate(cases, 1) if name.startswith("n_")]
    missing = [names[at - 1] for at, text in wanted if (at, text) not in set(letters)]
    verdict("all together: what is bad lies in the dead letters, byte for byte",
            "" if letters == wanted else f"{len(letters)} letters of {len(wanted)}; missing or different: {missing[:5]}")

status, out, _ = run(b'{"a":"\n"}\n')
verdict("n_byte_0a_in_string", "" if status == 3 and out == b"" else f"status {status}, stdout {out!r}")
status, out, err = run(b"\xef\xbb\xbf{\"a\":1}\n")
verdict("y_bom_first", "" if (status, out, err) == (0, b'{"a":1}\n', b"") else f"status {status}, {out!r} {err!r}")
for text in (b' {"a":1}\n', b'\t{"a":1} \n', b'{"a":1}\t\r\n'):
    status, out, err = run(text)
    verdict(f"y_space_around {text!r}", "" if status == 0 and json.loads(out) == {"a": 1} and err == b"" else f"status {status}, {out!r} {err!r}")

print(f"1..{number}")
sys.exit(failed > 0)
