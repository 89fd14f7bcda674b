// SPDX-License-Identifier: Apache-2.0
// Reads the payload of a manifest or positions frame: one line of JSON, an object of plain values and of lists
// of numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "json/scanner.hpp"
#include "json/value.hpp"
#include "time/timestamp.hpp"

namespace stream::log {

// For one payload after the other. What is no such object has no members.
class JsonEntry {
public:
    JsonEntry() : scanner_(no_fields_) {}

    // Forgets the entry before. False where `payload` is not one line with an object.
    bool parse(std::string_view payload);

    // A string's text; empty where there is none of that name.
    std::string text(std::string_view name) const;
    // Whole numbers from 0 to 2^63 - 1.
    std::optional<std::uint64_t> number(std::string_view name) const;
    std::optional<std::vector<std::uint64_t>> numbers(std::string_view name) const;
    // Nanoseconds; null and missing are time_before_all.
    std::optional<TimeNs> time(std::string_view name) const;
    bool flag(std::string_view name) const;
    // 16 hex digits.
    std::optional<std::uint64_t> id(std::string_view name) const;
    // An object whose names and values are such numbers, as they come.
    using Pairs = std::vector<std::pair<std::uint64_t, std::uint64_t>>;
    std::optional<Pairs> pairs(std::string_view name) const;

private:
    const Value* find(std::string_view name) const;

    FieldSet no_fields_;
    Scanner scanner_;
    std::string line_;
    std::vector<std::pair<std::string, Value>> members_;
};

}  // namespace stream::log
