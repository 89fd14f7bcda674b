// SPDX-License-Identifier: Apache-2.0
// Adding a member to an event whose other bytes stay as they are.
#pragma once

#include <string>
#include <string_view>

namespace stream {

// Appends `event` (one JSON object, valid) with the member `name` having `value_json` (one JSON value):
// the value of the last member of that name is replaced where it stands, else the member goes before
// the final brace. Nothing else changes, white space and earlier members of the name included (the
// last one counts).
void append_with_member(std::string& out, std::string_view event, std::string_view name,
                        std::string_view value_json);

}  // namespace stream
