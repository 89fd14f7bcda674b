// SPDX-License-Identifier: Apache-2.0
// A run's status for people.
#pragma once

#include <string>
#include <vector>

#include "run/message.hpp"

namespace stream {

// Lines, each with its end: two for the run, then a table of its tools (or of its states, where none is under way).
std::string status_table(const std::vector<run::Message>& report);

}  // namespace stream
