// SPDX-License-Identifier: Apache-2.0
// stream-log retain, compact, archive, excise, verify and repair: each prints one line of JSON on what it did
// (the last two one more for each problem).
#pragma once

#include "base/error.hpp"
#include "cli/log/arguments.hpp"
#include "cli/tool.hpp"

namespace stream {

Result<int> retain_log_now(Tool& tool, const LogArguments& arguments);
Result<int> compact_log_now(Tool& tool, const LogArguments& arguments);
Result<int> archive_log_now(Tool& tool, const LogArguments& arguments);
Result<int> excise_from_log(Tool& tool, const LogArguments& arguments);
Result<int> verify_log_now(Tool& tool, const LogArguments& arguments);
Result<int> repair_log_now(Tool& tool, const LogArguments& arguments);

}  // namespace stream
