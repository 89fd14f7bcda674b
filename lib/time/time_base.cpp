// SPDX-License-Identifier: Apache-2.0
#include "time/time_base.hpp"

#include "base/text.hpp"
#include "time/calendar.hpp"

#include <fmt/format.h>

namespace stream {
namespace {

constexpr const char* no_such_date = "there is no such day";

// Half a year: one of the years round the previous time is nearer than that for any day but
// February 29th, which most years lack.
constexpr std::int64_t half_year_s = 184 * seconds_per_day;

bool fields_to_days(const TimeFields& fields, std::int64_t year, std::int64_t& days) {
    if (fields.day_of_year > 0) {
        if (fields.day_of_year == 366 && !is_leap_year(year)) return false;
        days = days_from_civil(year, 1, 1) + fields.day_of_year - 1;
        return true;
    }
    const auto month = static_cast<unsigned>(fields.month);
    const auto day = static_cast<unsigned>(fields.day);
    if (!is_date(year, month, day)) return false;
    days = days_from_civil(year, month, day);
    return true;
}

std::int64_t distance(std::int64_t a, std::int64_t b) { return a < b ? b - a : a - b; }

int digits_at(std::string_view text, std::size_t at) { return two_digits(text.data() + at); }

}  // namespace

Result<TimeBase> TimeBase::make(std::string_view text) {
    TimeBase base;
    if (text.empty()) return base;
    const auto refuse = [&] {
        return fail(ErrorKind::usage, fmt::format("a base is a year or a date, not {}", quoted(text)),
                    "--base YEAR or --base YYYY-MM-DD");
    };
    if (text.size() != 4 && text.size() != 10) return refuse();
    const int century = digits_at(text, 0);
    const int of_century = digits_at(text, 2);
    if (century < 0 || of_century < 0) return refuse();
    base.year_ = century * 100 + of_century;
    if (base.year_ < 1678 || base.year_ > 2261) return refuse();
    base.kind_ = Kind::year;
    if (text.size() == 4) return base;

    const int month = digits_at(text, 5);
    const int day = digits_at(text, 8);
    if (text[4] != '-' || text[7] != '-' || month < 0 || day < 0 ||
        !is_date(base.year_, static_cast<unsigned>(month), static_cast<unsigned>(day))) {
        return refuse();
    }
    base.kind_ = Kind::date;
    base.midnight_s_ = days_from_civil(base.year_, static_cast<unsigned>(month), static_cast<unsigned>(day)) *
                       seconds_per_day;
    return base;
}

const char* TimeBase::find_year(const TimeFields& fields, std::int64_t of_day, std::int64_t& days) const {
    // A base that is a date is a time to be close to, from the first.
    if (!has_previous_ && kind_ == Kind::year) {
        return fields_to_days(fields, year_, days) ? nullptr : no_such_date;
    }
    const std::int64_t near = has_previous_ ? previous_s_ : midnight_s_;
    const std::int64_t year = civil_from_days(floor_div(near, seconds_per_day)).year;
    std::int64_t best = half_year_s;
    for (std::int64_t candidate = year - 1; candidate <= year + 1; ++candidate) {
        std::int64_t candidate_days = 0;
        if (!fields_to_days(fields, candidate, candidate_days)) continue;
        const std::int64_t away = distance(candidate_days * seconds_per_day + of_day, near);
        if (away >= best) continue;
        best = away;
        days = candidate_days;
    }
    return best < half_year_s ? nullptr : no_such_date;
}

const char* TimeBase::complete(const TimeFormat& format, const TimeFields& fields, ClockTime& out) {
    out.nanoseconds = fields.second == 60 ? 0 : fields.nanoseconds;
    out.has_offset = fields.has_offset;
    out.offset_s = fields.offset_s;
    if (fields.has_epoch) {
        out.seconds = fields.epoch_s;
        out.has_offset = true;
        out.offset_s = 0;
        return nullptr;
    }
    const std::int64_t of_day = fields.hour * 3600 + fields.minute * 60 + fields.second;
    std::int64_t days = 0;
    if (format.lacks_date()) {
        // On the day that brings it within half a day of the time before it.
        days = floor_div(midnight_s_, seconds_per_day);
        if (has_previous_) days = floor_div(previous_s_ - of_day + seconds_per_day / 2, seconds_per_day);
    } else if (format.lacks_year()) {
        if (const char* reason = find_year(fields, of_day, days)) return reason;
    } else if (!fields_to_days(fields, fields.year, days)) {
        return no_such_date;
    }
    if (fields.weekday >= 0 && weekday_from_days(days) != static_cast<unsigned>(fields.weekday)) {
        return "the day of the week is another";
    }
    out.seconds = days * seconds_per_day + of_day;
    if (format.lacks_date() || format.lacks_year()) set_previous(out.seconds);
    return nullptr;
}

}  // namespace stream
