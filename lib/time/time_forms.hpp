// SPDX-License-Identifier: Apache-2.0
// The forms of time that are read without being asked for: RFC 3339, CLF, and epoch numbers. Each
// reader gives null, or the reason why the text is not such a time (a literal; may be empty). Nothing
// here allocates. Internal to lib/time.
#pragma once

#include "time/time_parser.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace stream {

__extension__ using WideInt = __int128;

// What a clock showed. Seconds may lie far outside the range of TimeNs: years 0 to 9999.
struct ClockTime {
    std::int64_t seconds = 0;  // since 1970-01-01T00:00 on that clock
    std::int32_t nanoseconds = 0;
    std::int32_t offset_s = 0;  // east of UTC
    bool has_offset = false;
};

// The reason of a time that TimeNs cannot hold.
inline constexpr const char* time_out_of_range = "out of range";

// The minute that was read last, by its text: timestamps of a stream mostly share it.
struct MinuteCache {
    char text[17] = {};
    bool filled = false;
    std::int64_t seconds = 0;
};

// Where a reader stands. Readers of a part move it past what they took.
struct TimeCursor {
    const char* at;
    const char* end;

    bool done() const { return at == end; }
    std::size_t left() const { return static_cast<std::size_t>(end - at); }
    bool take(char c) {
        if (at == end || *at != c) return false;
        ++at;
        return true;
    }
};

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Exactly two digits; -1 if they are not there.
inline int two_digits(const char* at) {
    const auto high = static_cast<unsigned>(static_cast<unsigned char>(at[0])) - '0';
    const auto low = static_cast<unsigned>(static_cast<unsigned char>(at[1])) - '0';
    return high > 9 || low > 9 ? -1 : static_cast<int>(high * 10 + low);
}

// 1 to 9 digits after a decimal point, as nanoseconds.
const char* read_fraction(TimeCursor& cursor, std::int32_t& nanoseconds);
// ±HH:MM, ±HHMM, ±HH.
const char* read_offset(TimeCursor& cursor, std::int32_t& offset_s);
// 1 to 12 from Jan to Dec in any case (with `full`, January as well), 0 if there is none.
unsigned read_month_name(TimeCursor& cursor, bool full);

// 2026-01-01T00:00:00.123Z. T, t or space; Z, z, an offset or nothing.
const char* read_rfc3339(std::string_view text, MinuteCache& cache, ClockTime& out);
// 17/May/2015:10:05:03 +0000
const char* read_clf(std::string_view text, MinuteCache& cache, ClockTime& out);

// A decimal number, taken apart: ±digits × 10^exponent.
struct Decimal {
    std::uint64_t digits = 0;
    std::int64_t exponent = 0;
    std::int64_t magnitude = 0;  // |value| < 10^magnitude and, unless it is 0, >= 10^(magnitude - 1)
    bool negative = false;
    bool too_long = false;  // more than 19 significant digits: `digits` holds the first 19
};
// JSON's grammar, leading zeros allowed.
bool read_decimal(std::string_view text, Decimal& out);
// < 1e11, < 1e14, < 1e17, else.
TimeUnit unit_by_magnitude(const Decimal& number);
// The number in that unit as nanoseconds, exactly.
const char* to_nanoseconds(const Decimal& number, TimeUnit unit, std::int64_t& out);

// What a text looks like from its first characters, whether or not it will read.
enum class TimeForm : std::uint8_t { none, rfc3339, clf, number, format };
TimeForm guess_form(std::string_view text);

}  // namespace stream
