// SPDX-License-Identifier: Apache-2.0
// stream-log read: records to stdout, at the speed they can be read; alone or as a member of a group.
#pragma once

#include <memory>

#include "base/error.hpp"
#include "cli/log/arguments.hpp"
#include "cli/tool.hpp"
#include "ops/operator.hpp"

namespace stream {

// Gives the exit status.
// In a run: through the pump, which keeps the place.
Result<std::unique_ptr<Operator>> read_log_in_run(Tool& tool, const LogArguments& arguments);
Result<int> read_log(Tool& tool, const LogArguments& arguments);
// --merge: through the pump, each partition an input.
Result<std::unique_ptr<Operator>> merge_log(Tool& tool, const LogArguments& arguments);

}  // namespace stream
