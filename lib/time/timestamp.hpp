// SPDX-License-Identifier: Apache-2.0
// Event time: int64 nanoseconds since 1970-01-01T00:00:00Z, 1677-09-21 to 2262-04-11.
// The two ends of the range are watermarks, never the time of an event.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

namespace stream {

using TimeNs = std::int64_t;
using DurationNs = std::int64_t;

// The watermark before any event, and the one after the last. No event has these times.
inline constexpr TimeNs time_before_all = std::numeric_limits<std::int64_t>::min();
inline constexpr TimeNs time_after_all = std::numeric_limits<std::int64_t>::max();

inline constexpr DurationNs ns_per_us = 1'000;
inline constexpr DurationNs ns_per_ms = 1'000'000;
inline constexpr DurationNs ns_per_second = 1'000'000'000;
inline constexpr DurationNs ns_per_minute = 60 * ns_per_second;
inline constexpr DurationNs ns_per_hour = 60 * ns_per_minute;
inline constexpr DurationNs ns_per_day = 24 * ns_per_hour;

// Saturating, so that a lateness of a thousand years does not wrap.
constexpr TimeNs time_add(TimeNs time, DurationNs duration) {
    TimeNs sum = 0;
    if (__builtin_add_overflow(time, duration, &sum)) return duration > 0 ? time_after_all : time_before_all;
    return sum;
}
constexpr TimeNs time_sub(TimeNs time, DurationNs duration) {
    TimeNs difference = 0;
    if (__builtin_sub_overflow(time, duration, &difference)) {
        return duration > 0 ? time_before_all : time_after_all;
    }
    return difference;
}

// Division that rounds towards minus infinity: windows before 1970 are aligned like those after.
constexpr std::int64_t floor_div(std::int64_t a, std::int64_t b) {
    const std::int64_t q = a / b;
    return (a % b != 0 && (a < 0) != (b < 0)) ? q - 1 : q;
}

// RFC 3339 in UTC with `Z`, with 0, 3, 6 or 9 fraction digits, the fewest that are exact. No quotes.
void append_rfc3339(std::string& out, TimeNs time);
std::string to_rfc3339(TimeNs time);

}  // namespace stream
