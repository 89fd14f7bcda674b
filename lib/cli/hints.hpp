// SPDX-License-Identifier: Apache-2.0
// A newcomer's mistakes, recognised by what a line looks like.
#pragma once

#include <string>
#include <string_view>

namespace stream {

// What a line that is not an event probably is, as a hint; empty if it looks like nothing known.
std::string hint_for_bad_line(std::string_view line, std::string_view tool, std::string_view source);

// Whether stdout is a file called like the rest of an unquoted comparison ("=500"): a hint, or empty.
std::string hint_for_stdout();

}  // namespace stream
