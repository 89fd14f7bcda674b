// SPDX-License-Identifier: Apache-2.0
// What `stream-run status` tells, as Prometheus reads it: the text exposition format 0.0.4.
#pragma once

#include <string>
#include <vector>

#include "run/message.hpp"

namespace stream::run {

inline constexpr const char* exposition_type = "text/plain; version=0.0.4; charset=utf-8";

// `report`: one message "run", and one "stats" for each tool (docs/formats/run.md). Of two tools with one name, the second
// gets `#2` behind it: a series must not be there twice.
std::string exposition_of(const std::vector<Message>& report);

}  // namespace stream::run
