// SPDX-License-Identifier: Apache-2.0
// Adding members to an event and taking members out, whose other bytes stay as they are.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "json/fields.hpp"

namespace stream {

// Appends `event` (one JSON object, valid) with the member `name` having `value_json` (one JSON value):
// the value of the last member of that name is replaced where it stands, else the member goes before
// the final brace. Nothing else changes, white space and earlier members of the name included (the
// last one counts).
void append_with_member(std::string& out, std::string_view event, std::string_view name,
                        std::string_view value_json);

// `event` without the members at `paths`, every one of that name: first the member of exactly the path's
// text, if there is one, else along its steps. Where there is none nothing changes. What goes takes a comma
// along; the numbers of elements are those of the event as it is.
void append_without(std::string& out, std::string_view event, const std::vector<FieldPath>& paths);

// `event` with only the members at `paths` (and what leads to them), in the event's order and with their
// own bytes. Elements of arrays (`items[0]`) leave an array of those kept.
void append_kept(std::string& out, std::string_view event, const std::vector<FieldPath>& paths);

}  // namespace stream
