// SPDX-License-Identifier: Apache-2.0
// What a time lacking its year or its date counts from. Internal to lib/time.
//
// The first time lies in the base's own year, or on its day. From then on a time goes to the year (or
// the day) in which it lies closest to the time before it: January after December starts a new year,
// and a line of late December that comes just after one of January goes back to the old one.
#pragma once

#include "base/error.hpp"
#include "time/time_format.hpp"

#include <cstdint>
#include <string_view>

namespace stream {

class TimeBase {
public:
    enum class Kind : std::uint8_t { none, year, date };

    // "2017", "2013-10-07", or nothing. ErrorKind::usage for anything else.
    static Result<TimeBase> make(std::string_view text);

    Kind kind() const { return kind_; }
    // Midnight of the date on a clock of the base's zone, in seconds since 1970-01-01T00:00 there.
    std::int64_t midnight_s() const { return midnight_s_; }

    // The fields, with what the format lacks filled in, as a clock would show them. Null, or the reason
    // why there is no such time; a time that fails is not one to count from.
    const char* complete(const TimeFormat& format, const TimeFields& fields, ClockTime& out);

    // What complete() has learnt, for a snapshot.
    bool has_previous() const { return has_previous_; }
    std::int64_t previous_s() const { return previous_s_; }
    void set_previous(std::int64_t seconds) {
        has_previous_ = true;
        previous_s_ = seconds;
    }

private:
    const char* find_year(const TimeFields& fields, std::int64_t of_day, std::int64_t& days) const;

    Kind kind_ = Kind::none;
    bool has_previous_ = false;
    std::int64_t year_ = 0;
    std::int64_t midnight_s_ = 0;
    std::int64_t previous_s_ = 0;
};

}  // namespace stream
