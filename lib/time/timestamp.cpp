// SPDX-License-Identifier: Apache-2.0
#include "time/timestamp.hpp"

#include "time/calendar.hpp"

namespace stream {
namespace {

void put_two(char* out, std::uint64_t value) {
    out[0] = static_cast<char>('0' + value / 10);
    out[1] = static_cast<char>('0' + value % 10);
}

void put_three(char* out, std::uint64_t value) {
    out[0] = static_cast<char>('0' + value / 100);
    put_two(out + 1, value % 100);
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

    // Written in place: a copy would wait for these small stores.
    const std::size_t start = out.size();
    out.append("0000-00-00T00:00:00.000000000Z");
    char* const text = out.data() + start;
    const auto year = static_cast<std::uint64_t>(date.year);
    put_two(text, year / 100);
    put_two(text + 2, year % 100);
    put_two(text + 5, date.month);
    put_two(text + 8, date.day);
    put_two(text + 11, of_day / 3600);
    put_two(text + 14, of_day / 60 % 60);
    put_two(text + 17, of_day % 60);

    std::size_t length = 19;
    if (fraction != 0) {
        const std::uint64_t us = fraction / 1000;
        put_three(text + 20, us / 1000);
        put_three(text + 23, us % 1000);
        put_three(text + 26, fraction % 1000);
        length = fraction % 1000 != 0 ? 29 : us % 1000 != 0 ? 26 : 23;
    }
    text[length] = 'Z';
    out.resize(start + length + 1);
}

std::string to_rfc3339(TimeNs time) {
    std::string out;
    append_rfc3339(out, time);
    return out;
}

}  // namespace stream
