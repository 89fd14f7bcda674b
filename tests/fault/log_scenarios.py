# SPDX-License-Identifier: Apache-2.0
"""All that log_kill.py kills."""

from log_scenarios_append import Append, AppendDuration, AppendExpected, AppendKeys, AppendNew, AppendPartitions, AppendRaw, AppendRing, AppendSingle, \
    AppendUnsynced, Create, Recover, RecoverOne
from log_scenarios_groups import Commit, Nightly, NightlyFailing, Seek
from log_scenarios_upkeep import Archive, Compact, Excise, Repair, Retain

ALL = [Append, AppendPartitions, AppendNew, AppendDuration, AppendUnsynced, AppendSingle, AppendExpected, AppendRing, AppendKeys, AppendRaw,
       Recover, RecoverOne, Commit, Seek, Nightly, NightlyFailing, Compact, Retain, Archive, Excise, Repair, Create]
