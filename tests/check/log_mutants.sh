#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Would a missing fsync be noticed? Each sync of a file or a folder in lib/log, each step that orders them, and each
# check of a checksum is taken out of a copy of its source in turn, and the campaign of log_crash must then fail.
# With --long alone: some minutes for each. LOG_MUTANTS=PATTERN: only mutants whose name matches.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${STREAM_LOG_BUILD:-$root/build/release}
if [ -z "${STREAM_LONG:-}" ]; then
    echo "skipped: the mutation run of the log takes an hour: --long"
    exit 77
fi
if ! ninja -C "$build" -t commands log_crash >/dev/null 2>&1; then
    echo "skipped: $build is no build made by ninja"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 - "$root" "$build" "$work" "${LOG_MUTANTS:-}" <<'PY'
import os, re, subprocess, sys

root, build, work, only = sys.argv[1:5]
commands = subprocess.run(["ninja", "-C", build, "-t", "commands", "log_crash"], capture_output=True, text=True, check=True).stdout.splitlines()

# Mutants that break nothing, and why.
equivalent = {
    "rebuild_": "what repair rebuilds of manifest and groups has no scenario here",
}
# Which scenarios a file's mutants are tried with, before all of them are.
scenarios = {
    "archive.cpp": ["archive", "excise-archived"], "compaction.cpp": ["compact"], "excision.cpp": ["excise", "excise-archived", "excise-torn"],
    "positions.cpp": ["groups"], "group_entries.cpp": ["groups"], "repair.cpp": ["repair"], "rebuild_segment.cpp": ["repair"],
    "retention.cpp": ["retain", "ring"], "upkeep.cpp": ["retain", "excise", "archive", "compact"], "seal.cpp": ["append-one", "compact", "excise"],
    "manifest.cpp": ["create", "append-one"], "runs.cpp": ["publish", "publish-beside"],
}

def call_at(text, at):
    """The end of the call whose parenthesis opens at or after `at`."""
    depth, i = 0, text.index("(", at)
    while True:
        depth += {"(": 1, ")": -1}.get(text[i], 0)
        i += 1
        if depth == 0:
            return i

def mutants():
    """File, name, text."""
    folder = os.path.join(root, "lib/log")
    calls = re.compile(r"(?:\(\*\w+\)|[\w.\[\]]+?)(?:->|\.)(?:\w+->)*(?:sync|sync_folder|sync_unlinked|make_durable|raise_epoch)\(")
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".cpp"):
            continue
        text = open(os.path.join(folder, name), encoding="utf-8").read()
        for found in calls.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            end = call_at(text, found.end() - 1)
            yield name, f"{name}:{line} without {text[found.start():end]}", text[:found.start()] + "Result<void>()" + text[end:]
    checks = [
        ("frame.cpp", "crc32c(stored) == header.payload_crc", "true", "the payload's checksum"),
        ("frame.cpp", 'if (header.file_id != place.file_id) why = "a frame of another file";', "if (false) {}", "the file's id"),
        ("frame.cpp", "header.epoch < place.least_epoch", "false", "the epoch"),
        ("frame.cpp", "header.chain != place.chain", "false", "the chain"),
        ("head.cpp", "if (crc32c(bytes.substr(0, bytes.size() - 4)) != get<std::uint32_t>(bytes, bytes.size() - 4)) return std::optional<HeadState>{};", "",
         "head's checksum"),
        ("recovery.cpp", "STREAM_TRY(keep_copy(files, folder, tail));", "", "the copy of what is cut"),
        ("recovery.cpp", "parts.there != parts.whole", "false", "whether a batch is whole"),
        ("recovery.cpp", "first != sequence_ ||", "", "holes between batches"),
        ("recovery.cpp", "(*file)->write_at(block, at); }));\n    if (tail.size", "Result<void>(); }));\n    if (tail.size", "writing again what may be lost"),
        ("excision.cpp", 'STREAM_TRY(empty(folder + "/quarantine"));', "", "emptying quarantine"),
        ("excision.cpp", "STREAM_TRY(upkeep_.sweep());", "", "the leftovers of kills"),
        ("seal.cpp", "STREAM_TRY(sync_dirty());", "", "syncing before a seal"),
        ("writer.cpp", "STREAM_TRY(sync_dirty());", "", "syncing before a seal"),
        ("writer.cpp", "            take_back();\n", "", "taking a failed write back"),
        ("manifest.cpp", "STREAM_TRY(files.rename(temporary, manifest.path_));", "", "the manifest's rename"),
        ("manifest.cpp", 'folder + fmt::format("/manifest.tmp-{:016x}", files.random());', 'manifest.path_;', "the manifest's temporary name"),
    ]
    for name, old, new, what in checks:
        text = open(os.path.join(folder, name), encoding="utf-8").read()
        if old in text:
            yield name, f"{name} without {what}", text.replace(old, new, 1)

def build_mutant(name, text):
    source, obj, program = (os.path.join(work, end) for end in (name, name + ".o", "log_crash"))
    with open(source, "w", encoding="utf-8") as out:
        out.write(text)
    compiled = next(c for c in commands if f"/lib/log/{name} " in c + " " and " -c " in c)
    compiled = re.sub(r"-o \S+", f"-o {obj}", re.sub(r"-M[DTF]+( (?!-)\S+)?", "", compiled)).replace(f"{root}/lib/log/{name}", source).replace("-Werror", "")
    linked = commands[-1].replace("-o bin/log_crash", f"{obj} -o {program}")
    for command in (compiled, linked):
        done = subprocess.run(command, shell=True, cwd=build, capture_output=True, text=True)
        if done.returncode != 0:
            return None, done.stderr[-600:]
    return program, ""

def caught(program, name):
    tries = [["--scenario", s, "--states", "6000"] for s in scenarios.get(name, [])] + [["--states", "60000"]]
    for arguments in tries:
        try:
            done = subprocess.run([program, "--failures", "1", "--faults", "100", *arguments], capture_output=True, text=True, timeout=600)
        except subprocess.TimeoutExpired:
            return "it hangs"
        if done.returncode != 0:
            return (done.stdout.splitlines() or [f"status {done.returncode}"])[0][:150]
    return None

if subprocess.run(["bin/log_crash", "--states", "60000", "--failures", "1"], cwd=build, capture_output=True, check=False).returncode != 0:
    print("not ok 1 - the campaign fails without any mutant: then it says nothing about them\n1..1")
    sys.exit(0)
number = 0
for name, what, text in mutants():
    if only and not re.search(only, what):
        continue
    number += 1
    what = what.replace("#", "")
    program, trouble = build_mutant(name, text)
    why_not = next((why for start, why in equivalent.items() if what.startswith(start)), None)
    if program is None:
        print(f"not ok {number} - {what}: does not compile\n# {trouble}")
    elif (seen := caught(program, name)) is not None:
        print(f"ok {number} - {what}: {seen}")
    elif why_not is not None:
        print(f"ok {number} - {what} # SKIP {why_not}")
    else:
        print(f"not ok {number} - {what}: the campaign did not notice")
    sys.stdout.flush()
print(f"1..{number}")
PY
