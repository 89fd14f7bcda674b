// SPDX-License-Identifier: Apache-2.0
// --envelope: records with the members `partition`, `offset` and `append_time`.
#pragma once

#include <string>
#include <string_view>

#include "json/fields.hpp"
#include "json/scanner.hpp"
#include "log/reader.hpp"

namespace stream {

class Envelope {
public:
    Envelope();

    // Appends the run's records, a line each. An event's own bytes stay, members of these names aside; what is
    // no event becomes {"raw":…} ({"raw_base64":…} where it is no UTF-8) with the three.
    void append(std::string& out, const log::Run& run);

private:
    void append_event(std::string& out, std::string_view event, const Value* values);
    void append_raw(std::string& out, std::string_view record);
    void set_place(std::uint64_t offset);

    FieldSet fields_;
    Scanner scanner_;
    std::string lines_;
    std::string place_;  // `"partition":0,"offset":`
    std::string time_;   // `"2026-…Z"`
    std::string tail_;   // all three members, and the brace
    std::uint64_t offset_ = 0;
    std::uint32_t partition_ = 0;
    std::string step_[2];
};

}  // namespace stream
