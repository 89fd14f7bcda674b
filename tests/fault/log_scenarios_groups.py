# SPDX-License-Identifier: Apache-2.0
"""log_kill.py: groups, and what cron does."""

import os

from log_scenario import Scenario, in_order
from log_support import expect, group_positions, need, read_positions, record


class Commit(Scenario):
    """commit: the last stage of a pipe"""
    name = "commit"

    def start(self):
        expect(0, ["create", self.log, "--partitions", "2", "--by", "k"])
        self.lines = [record(self.seed, number) for number in range(80)]
        expect(0, ["append", self.log], data=b"".join(self.lines))
        self.envelopes = expect(0, ["read", self.log, "--envelope"])
        first = b"".join(self.envelopes.splitlines(keepends=True)[:20])
        expect(0, ["commit", self.log, "--group", "g"], data=first)
        self.known["least"] = group_positions(self.log, "g")
        self.ends = in_order(read_positions(self.log))

    def act(self, wrap):
        return self.verb(wrap, "commit", self.log, "--group", "g", data=self.envelopes)

    def after_kill(self):
        self.looked_at()
        positions = group_positions(self.log, "g")
        for partition, least in self.known["least"].items():
            need(positions.get(partition, 0) >= least, f"partition {partition}: position {positions.get(partition)}, was {least}")
        for partition, position in positions.items():
            need(position <= self.ends[partition], f"partition {partition}: position {position} of {self.ends[partition]}")
        self.known["least"] = positions

    def at_end(self):
        self.after_kill()
        need(group_positions(self.log, "g") == self.ends, f"positions {group_positions(self.log, 'g')}, not {self.ends}")
        need(expect(0, ["read", self.log, "--group", "g"]) == b"", "read again what is committed")


class Seek(Commit):
    """seek"""
    name = "seek"

    def act(self, wrap):
        return self.verb(wrap, "seek", self.log, "3", "--group", "g")

    def after_kill(self):
        self.looked_at()
        positions = group_positions(self.log, "g")
        old, new = self.known["least"], {partition: 3 for partition in self.ends}
        need(positions in (old, new) or self.known.get("mixed"), f"positions {positions}: neither {old} nor {new}")

    def at_end(self):
        need(group_positions(self.log, "g") == {partition: 3 for partition in self.ends}, f"positions {group_positions(self.log, 'g')}")


REPORT = r"""#!/bin/sh
# Keeps what it was given, and under which name; fails where it is told to.
cd "$(dirname "$0")" || exit 1
n=$(date +%s%N)
printf '%s\n' "${STREAM_BATCH:-none}" > runs/$n.id
cat > runs/$n.in
status=0
if [ -e fail ]; then rm fail; status=9; fi
echo $status > runs/$n.tmp && mv runs/$n.tmp runs/$n.done
exit $status
"""


class Nightly(Scenario):
    """consume, as cron has it"""
    name = "consume"
    follow = False  # stream-log's own calls, not the command's
    every_call = True
    failing = False

    def start(self):
        expect(0, ["create", self.log, "--partitions", "2", "--by", "k", "--codec", "none"])
        self.lines = [record(self.seed, number) for number in range(60)]
        self.known["given"] = 25
        expect(0, ["append", self.log], data=b"".join(self.lines[:25]))
        os.mkdir(os.path.join(self.folder, "runs"))
        self.report = os.path.join(self.folder, "report.sh")
        with open(self.report, "w", encoding="utf-8") as file:
            file.write(REPORT)
        os.chmod(self.report, 0o755)
        # One night went well before.
        need(self.night(()) == 0, f"the first night: {self.message}")
        self.append(20)

    def append(self, count):
        given = self.known["given"]
        expect(0, ["append", self.log], data=b"".join(self.lines[given:given + count]))
        self.known["given"] = min(given + count, len(self.lines))

    def night(self, wrap):
        return self.verb(wrap, "consume", self.log, "--group", "nightly", "--", self.report)

    def act(self, wrap):
        if self.failing and not self.known.get("failed"):
            with open(os.path.join(self.folder, "fail"), "wb"):
                pass
            self.known["failed"] = True
        before = set(self.runs())
        status = self.night(wrap)
        if self.failing and status not in (0, 137):
            need(any(run_status == 9 for _, _, run_status in self.runs().values()), f"status {status}: {self.message}")
            status = 0
        if status == 0:
            # What a night did that ended well is never given again.
            done = self.known.setdefault("committed", [])
            done.extend(name for name in set(self.runs()) - before if self.runs()[name][2] == 0)
        return status

    def runs(self):
        """Of each run of the command: batch, lines, status (None: it was stopped, its stream-log being dead); by its
        name, which is when it was. None goes on: it has the stdout that was read to its end."""
        folder = os.path.join(self.folder, "runs")
        result = {}
        for name in sorted(name[:-3] for name in os.listdir(folder) if name.endswith(".id")):
            path = os.path.join(folder, name)
            with open(path + ".id", encoding="utf-8") as file:
                batch = file.read().strip()
            lines = []
            if os.path.exists(path + ".in"):
                with open(path + ".in", "rb") as file:
                    lines = [line for line in file.read().splitlines(keepends=True) if line.endswith(b"\n")]
            status = None
            if os.path.exists(path + ".done"):
                with open(path + ".done", encoding="utf-8") as file:
                    status = int(file.read())
            if batch:
                result[name] = (batch, lines, status)
        return result

    def after_kill(self):
        self.looked_at()
        if not self.known.get("more"):  # what comes after a kill belongs to no batch that was begun
            self.known["more"] = True
            self.append(8)
        self.judge()

    def look_at_positions(self):
        """Committed is what the command had and was content with; and if all of that is, none of it comes again."""
        runs = self.runs()
        good = {line for _, lines, status in runs.values() if status == 0 for line in lines}
        committed = sum(group_positions(self.log, "nightly").values())
        need(committed <= len(good), f"{committed} records are committed, the command ended well for {len(good)}")
        if committed == len(good):
            done = self.known.setdefault("committed", [])
            # (One whose stream-log died before it had fed it anything was content with nothing.)
            done.extend(name for name in runs if runs[name][2] == 0 and runs[name][1] and name not in done)

    def judge(self):
        self.look_at_positions()
        runs = self.runs()
        batches = {}
        for name, (batch, lines, _) in runs.items():
            need(batch != "none", f"run {name} of the command had no STREAM_BATCH")
            batches.setdefault(batch, []).append((name, lines))
        owner = {}
        for batch, attempts in batches.items():
            longest = max((lines for _, lines in attempts), key=len)
            for name, lines in attempts:
                need(lines == longest[:len(lines)], f"batch {batch} had other records in run {name}")
            for line in longest:
                need(owner.setdefault(line, batch) == batch, f"{line[:60]!r} came in batch {owner[line]} and in {batch}")
            if batch in [runs[name][0] for name in self.known.get("committed", [])]:
                finished = [name for name in self.known["committed"] if runs[name][0] == batch]
                need(max(name for name, _ in attempts) == max(finished), f"batch {batch} was given again after a night that ended well")

    def finish(self):
        # The next night, and one more for what came in between.
        for _ in range(2 if not self.failing else 3):
            status = self.act(())
            need(status == 0, f"restarted: status {status}: {self.message.strip()}")
        self.judge()
        self.looked_at()
        wanted = self.lines[:self.known["given"]]
        good = [(batch, lines) for batch, lines, status in self.runs().values() if status == 0]
        seen = {line for _, lines in good for line in lines}
        need(seen == set(wanted), f"{len(set(wanted) - seen)} records were skipped, {len(seen - set(wanted))} invented")
        # Complete and successful, and given again: only with the same id, which judge() looked at.
        before = len(self.runs())
        need(self.night(()) == 0 and len(self.runs()) == before, "the command was run though nothing is new")


class NightlyFailing(Nightly):
    """consume, whose command fails first"""
    name = "consume-failing"
    failing = True
