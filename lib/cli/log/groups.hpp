// SPDX-License-Identifier: Apache-2.0
// stream-log groups, seek and commit.
#pragma once

#include <memory>

#include "base/error.hpp"
#include "cli/log/arguments.hpp"
#include "cli/tool.hpp"
#include "ops/operator.hpp"

namespace stream {

Result<int> tell_groups(Tool& tool, const LogArguments& arguments);
Result<int> seek_group(Tool& tool, const LogArguments& arguments);
Result<std::unique_ptr<Operator>> commit_group(Tool& tool, const LogArguments& arguments);

}  // namespace stream
