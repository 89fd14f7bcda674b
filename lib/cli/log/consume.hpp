// SPDX-License-Identifier: Apache-2.0
// stream-log consume: a command for what is new to a group, once; positions move only when it succeeds.
#pragma once

#include "base/error.hpp"
#include "cli/log/arguments.hpp"
#include "cli/tool.hpp"

namespace stream {

// Gives the exit status: the command's, where it failed.
Result<int> consume_log(Tool& tool, const LogArguments& arguments);

}  // namespace stream
