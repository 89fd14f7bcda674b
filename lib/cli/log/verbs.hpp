// SPDX-License-Identifier: Apache-2.0
// stream-log: from the command line to what its verb does.
#pragma once

#include <memory>

#include "base/error.hpp"
#include "cli/log/arguments.hpp"
#include "cli/tool.hpp"
#include "ops/operator.hpp"

namespace stream {

// For Tool::run(): an operator to pump, or none where all is done.
Result<std::unique_ptr<Operator>> run_log_verb(Tool& tool, const LogArguments& arguments);

}  // namespace stream
