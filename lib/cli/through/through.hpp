// SPDX-License-Identifier: Apache-2.0
// A command that knows nothing of control lines, inside a run: it is fed one epoch at a time. At a barrier its stdin is
// closed, its output is read to the end, and its status is judged; then the barrier goes on, and the first event of
// the next epoch starts it again. It holds no state, so that what it writes for an epoch depends on that epoch alone.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "cli/diagnostics.hpp"
#include "cli/through/foreign_command.hpp"
#include "time/timestamp.hpp"

namespace stream {

struct ThroughOptions {
    std::vector<std::string> command;
    std::set<int> ok_statuses = {0};
    std::string control_key;          // --control
    std::string time_field;           // empty: no watermarks
    DurationNs lateness = 0;
    DurationNs watermark_every = ns_per_second;
    std::string arguments;            // of ours, for people
};

// The exit status: the command's own where there are no control lines, as it takes our place then.
Result<int> run_through(const ThroughOptions& options, const SignalsBefore& signals, Diagnostics& diagnostics);

}  // namespace stream
