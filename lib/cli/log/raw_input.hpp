// SPDX-License-Identifier: Apache-2.0
// append --raw: lines of any bytes, as they are.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"
#include "ops/log_append.hpp"

namespace stream {

// Reads the files (none: stdin) to their ends. ErrorKind::stopped where a signal asked for it: what was read
// is appended then.
Result<void> append_raw(const std::vector<std::string>& files, LogAppend& op);

}  // namespace stream
