#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Would a missing fsync be noticed? Each sync of a file or a folder in lib/log, each step that orders them, and each
# check of a checksum is taken out of a copy of its source in turn, and the campaign of log_crash must then fail, or
# the unit tests: of what tells frames apart (file, epoch, chain) one stands in for another in nearly every crash.
# With --long alone: seconds for one that the scenarios of its file notice, minutes for one that nothing notices.
# LOG_MUTANTS=PATTERN: only mutants whose name matches. LOG_MUTANTS_JOBS=N: so many at once (half the processors).
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
import concurrent.futures, os, re, subprocess, sys

root, build, work, only = sys.argv[1:5]
def commands_of(target):
    return subprocess.run(["ninja", "-C", build, "-t", "commands", target], capture_output=True, text=True, check=True).stdout.splitlines()

commands = commands_of("log_crash")
unit_link = commands_of("unit_log")[-1]

# Mutants that break nothing, and why: how their names begin.
equivalent = {
    "rebuild_manifest.cpp:301 without files_.sync_folder(folder_)":
        "before anything goes that the old manifest needs, quarantine() or recover() syncs the folder; should the old one come back "
        "and head not, the files say what its last entry did, where that is more than a count",
    **dict.fromkeys(("manifest.cpp:328 without file_->sync()", "runs.cpp:227 without (*file)->sync()"),
                    "what a write that failed left in the file and a power failure brings back is a torn entry, or one that was meant"),
}
# Which scenarios a file's mutants are tried with, before all of them are: those first that notice most of them.
scenarios = {
    "archive.cpp": ["excise-after-archive", "repair-archived", "archive"],
    "compaction.cpp": ["repair-compacted", "compact"],
    "create.cpp": ["create"],
    "excision.cpp": ["excise-after-archive", "excise", "excise-torn"],
    "frame.cpp": ["append-several", "publish"],
    "group_entries.cpp": ["groups"],
    "head.cpp": ["append-several"],
    "manifest.cpp": ["create", "append-one", "publish"],
    "positions.cpp": ["groups-killed", "groups"],
    "quarantine.cpp": ["append-one", "repair"],
    "rebuild_group.cpp": ["rebuild"],
    "rebuild_manifest.cpp": ["rebuild-last", "rebuild"],
    "rebuild_segment.cpp": ["repair", "rebuild"],
    "recovery.cpp": ["append-several", "append-one", "reopen", "publish"],
    "repair.cpp": ["repair-beside", "repair-head", "repair", "rebuild", "rebuild-last"],
    "retention.cpp": ["repair-retained", "retain", "ring"],
    "runs.cpp": ["publish", "publish-beside"],
    "seal.cpp": ["append-one", "compact", "excise"],
    "segment_writer.cpp": ["compact", "excise"],
    "upkeep.cpp": ["excise-after-archive", "repair-compacted", "archive", "retain"],
    "writer.cpp": ["append-several", "publish", "append-lazily"],
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
        ("repair.cpp", "if (actives[p].is_there) STREAM_TRY(make_durable(p, actives[p], damaged.contains(p) ? actives[p].size : end.length));", "",
         "syncing what is sealed, and what lies beside it"),
        ("repair.cpp", "std::min(proven, end), end, end, 0}", "end, end, end, 0}", "writing it again"),
        ("repair.cpp", "damaged.contains(p) ? actives[p].size : end.length", "damaged.contains(p) ? 0 : end.length", "syncing what is sealed"),
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

def build_mutant(number, name, text):
    folder = os.path.join(work, str(number))
    os.mkdir(folder)
    source, obj, program = (os.path.join(folder, end) for end in (name, name + ".o", "log_crash"))
    with open(source, "w", encoding="utf-8") as out:
        out.write(text)
    compiled = next(c for c in commands if f"/lib/log/{name} " in c + " " and " -c " in c)
    compiled = re.sub(r"-o \S+", f"-o {obj}", re.sub(r"-M[DTF]+( (?!-)\S+)?", "", compiled)).replace(f"{root}/lib/log/{name}", source).replace("-Werror", "")
    linked = commands[-1].replace("-o bin/log_crash", f"{obj} -o {program}")
    unit = unit_link.replace("-o bin/unit_log", f"{obj} -o {program}.unit")
    for command in (compiled, linked, unit):
        done = subprocess.run(command, shell=True, cwd=build, capture_output=True, text=True)
        if done.returncode != 0:
            return None, done.stderr[-600:]
    return program, ""

# Crashes notice a missing sync far more often than failing calls do: of these there are few at first.
def tries_of(names):
    return [["--failures", "1", "--scenario", s, "--states", "20000", "--faults", "20"] for s in names]

tries_of_all = ["--failures", "1", "--states", "60000", "--faults", "100"]

def caught(program, name):
    for arguments in [*tries_of(scenarios.get(name, [])), tries_of_all]:
        try:
            done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=3600)
        except subprocess.TimeoutExpired:
            return "it hangs"
        if done.returncode != 0:
            return (done.stdout.splitlines() or [f"status {done.returncode}"])[0][:150]
    unit = subprocess.run([program + ".unit", "--gtest_brief=1"], capture_output=True, text=True, timeout=3600)
    failed = [line for line in unit.stdout.splitlines() if line.startswith("[  FAILED  ]")]
    return None if unit.returncode == 0 else (failed or ["a unit test fails"])[0][:150]

def judge(mutant):
    """Its line, but for the number."""
    number, (name, what, text) = mutant
    what = what.replace("#", "")
    program, trouble = build_mutant(number, name, text)
    if program is None:
        return "not ok", f"{what}: does not compile\n# {trouble}"
    seen = caught(program, name)
    os.remove(program)
    os.remove(program + ".unit")
    if seen is not None:
        return "ok", f"{what}: {seen}"
    why_not = next((why for start, why in equivalent.items() if what.startswith(start)), None)
    return ("ok", f"{what} # SKIP {why_not}") if why_not is not None else ("not ok", f"{what}: the campaign did not notice")

chosen = [mutant for mutant in mutants() if not only or re.search(only, mutant[1])]
# Without a mutant nothing may fail of what is tried with them.
first = sorted({s for name, _, _ in chosen for s in scenarios.get(name, [])})
for arguments in [*tries_of(first), *([] if only else [tries_of_all])]:
    done = subprocess.run(["bin/log_crash", *arguments], cwd=build, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"not ok 1 - log_crash {' '.join(arguments)} fails without any mutant: then it says nothing about them\n# {done.stdout[:300]}\n1..1")
        sys.exit(0)
jobs = int(os.environ.get("LOG_MUTANTS_JOBS") or max(1, (os.cpu_count() or 1) // 2))
with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
    for number, (verdict, line) in enumerate(pool.map(judge, enumerate(chosen, 1)), 1):
        print(f"{verdict} {number} - {line}", flush=True)
print(f"1..{len(chosen)}")
PY
