// SPDX-License-Identifier: Apache-2.0
#include "base/check.hpp"
#include "time/calendar.hpp"
#include "time/time_forms.hpp"
#include "time/zone.hpp"

namespace stream {
namespace {

constexpr std::int64_t first_monday = 4;  // 1970-01-05

// How many units from 1970 to this time on the clock.
std::int64_t unit_at(CalendarUnit unit, std::int64_t local_ns) {
    const std::int64_t days = floor_div(local_ns, ns_per_day);
    if (unit == CalendarUnit::day) return days;
    if (unit == CalendarUnit::week) return floor_div(days - first_monday, 7);
    const CivilDate date = civil_from_days(days);
    return (date.year - 1970) * 12 + date.month - 1;
}

// The instant that a time on the clock denotes; one beyond the range is an end of it.
TimeNs instant_of(const Zone& zone, WideInt local_ns) {
    constexpr std::int64_t margin = 2 * ns_per_day;
    std::int64_t inward = 0;
    if (local_ns > time_after_all - margin) inward = -margin;
    if (local_ns < time_before_all + margin) inward = margin;
    const WideInt inside = local_ns + inward;
    if (inside > time_after_all - margin) return time_after_all;
    if (inside < time_before_all + margin) return time_before_all;
    const WideInt time = WideInt{zone.to_utc(static_cast<std::int64_t>(inside))} - inward;
    if (time >= time_after_all) return time_after_all;
    return time <= time_before_all ? time_before_all : static_cast<TimeNs>(time);
}

TimeNs start_of(const Zone& zone, CalendarUnit unit, WideInt index, DurationNs shift_ns) {
    if (unit == CalendarUnit::day) return instant_of(zone, index * ns_per_day + shift_ns);
    if (unit == CalendarUnit::week) {
        return instant_of(zone, (index * 7 + first_monday) * ns_per_day + shift_ns);
    }
    // Far outside the range, shifted or not.
    if (index > 12'000) return time_after_all;
    if (index < -12'000) return time_before_all;
    const auto months = static_cast<std::int64_t>(index);
    const std::int64_t years = floor_div(months, 12);
    const std::int64_t days =
        days_from_civil(1970 + years, static_cast<unsigned>(months - years * 12 + 1), 1);
    return instant_of(zone, WideInt{days} * ns_per_day + shift_ns);
}

}  // namespace

CalendarWindow calendar_window(const Zone& zone, TimeNs time, CalendarUnit unit, std::int64_t count,
                               DurationNs shift_ns) {
    STREAM_CHECK(count > 0);
    const std::int64_t local_ns = time_sub(time_add(time, zone.offset_s(time) * ns_per_second), shift_ns);
    WideInt index = floor_div(unit_at(unit, local_ns), count);
    const auto boundary = [&](WideInt window) { return start_of(zone, unit, window * count, shift_ns); };

    // Where a clock is put back over a boundary, the clock's time says the window before it although
    // the boundary is behind us; and a day that a zone skipped is an empty window. The boundaries as
    // instants decide.
    CalendarWindow window{boundary(index), boundary(index + 1)};
    while (time < window.start) {
        --index;
        window = {boundary(index), window.start};
    }
    while (time >= window.end && window.end != time_after_all) {
        ++index;
        window = {window.end, boundary(index + 1)};
    }
    return window;
}

}  // namespace stream
