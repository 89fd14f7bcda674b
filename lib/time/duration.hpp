// SPDX-License-Identifier: Apache-2.0
// Durations and positions as the command line writes them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "time/timestamp.hpp"

namespace stream {

// 250ms 10s 5m 1h 1d 2w, fractions (1.5s), combined from large to small (1h30m), ISO 8601 (PT5M,
// P1DT12H); also us and ns. Negative with a leading minus. ErrorKind::usage with the form expected;
// a bare number asks for its unit in the hint.
Result<DurationNs> parse_duration(std::string_view text);

// The shortest exact spelling parse_duration reads back: 90s, 1m30s, 250ms, 0s.
std::string format_duration(DurationNs duration);

// 64KiB 10MB 1G 4096: K, M, G, T are binary, as are KiB…; KB, MB… decimal. In any case, with a fraction
// where it comes to whole bytes.
Result<std::uint64_t> parse_size(std::string_view text);

// POS: `start`, `end`, N (a line or offset), -N (the last N), or a time: RFC 3339, @EPOCH, now, today,
// yesterday, -2h (before now). A bare number is never a time. `today` begins at midnight UTC, and so
// does a date alone. An epoch's unit goes by its magnitude, as in TimeParser.
struct Position {
    enum class Kind : std::uint8_t { start, end, number, last, time };
    Kind kind = Kind::start;
    std::uint64_t number = 0;
    TimeNs time = 0;
};
Result<Position> parse_position(std::string_view text, TimeNs now);

}  // namespace stream
