// SPDX-License-Identifier: Apache-2.0
// stream-log info: what there is, a line of JSON for each partition.
#pragma once

#include "base/error.hpp"
#include "cli/log/arguments.hpp"
#include "cli/tool.hpp"

namespace stream {

Result<int> tell_info(Tool& tool, const LogArguments& arguments);

}  // namespace stream
