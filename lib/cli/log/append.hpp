// SPDX-License-Identifier: Apache-2.0
// stream-log create and append.
#pragma once

#include <memory>

#include "base/error.hpp"
#include "cli/log/arguments.hpp"
#include "cli/tool.hpp"
#include "ops/operator.hpp"

namespace stream {

Result<int> create_log_folder(Tool& tool, const LogArguments& arguments);
// Makes the log where there is none. A null operator: all is done (--raw).
Result<std::unique_ptr<Operator>> append_to_log(Tool& tool, const LogArguments& arguments);

}  // namespace stream
