// SPDX-License-Identifier: Apache-2.0
#include "time/timestamp.hpp"

#include "time/calendar.hpp"

namespace stream {
namespace {

// The last `count` decimal digits of `value`.
void put_digits(char* out, std::uint64_t value, int count) {
    for (int i = count - 1; i >= 0; --i) {
        out[i] = static_cast<char>('0' + value % 10);
        value /= 10;
    }
}

}  // namespace

void append_rfc3339(std::string& out, TimeNs time) {
    const std::int64_t seconds = floor_div(time, ns_per_second);
    // seconds * ns_per_second may lie below the range of int64: unsigned arithmetic wraps back.
    const std::uint64_t fraction =
        static_cast<std::uint64_t>(time) - static_cast<std::uint64_t>(seconds) * std::uint64_t{ns_per_second};
    const std::int64_t days = floor_div(seconds, seconds_per_day);
    const auto of_day = static_cast<std::uint64_t>(seconds - days * seconds_per_day);
    const CivilDate date = civil_from_days(days);

    char text[] = "0000-00-00T00:00:00.000000000Z";
    put_digits(text, static_cast<std::uint64_t>(date.year), 4);
    put_digits(text + 5, date.month, 2);
    put_digits(text + 8, date.day, 2);
    put_digits(text + 11, of_day / 3600, 2);
    put_digits(text + 14, of_day / 60 % 60, 2);
    put_digits(text + 17, of_day % 60, 2);

    std::size_t length = 19;
    if (fraction != 0) {
        if (fraction % ns_per_ms == 0) {
            put_digits(text + 20, fraction / ns_per_ms, 3);
            length += 4;
        } else if (fraction % ns_per_us == 0) {
            put_digits(text + 20, fraction / ns_per_us, 6);
            length += 7;
        } else {
            put_digits(text + 20, fraction, 9);
            length += 10;
        }
    }
    text[length++] = 'Z';
    out.append(text, length);
}

std::string to_rfc3339(TimeNs time) {
    std::string out;
    append_rfc3339(out, time);
    return out;
}

}  // namespace stream
