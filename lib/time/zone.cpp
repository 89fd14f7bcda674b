// SPDX-License-Identifier: Apache-2.0
// Zones come from the date library and the system's tzdata once, as a table of their clock changes;
// after that nothing allocates, throws or locks.
#include "time/zone.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <vector>

// As Debian builds the library; its own CMake targets would say the same.
#ifndef USE_OS_TZDB
#define USE_OS_TZDB 1
#endif
#ifndef ONLY_C_LOCALE
#define ONLY_C_LOCALE 1
#endif
#include "base/text.hpp"
#include "time/calendar.hpp"
#include "time/time_forms.hpp"

#include <date/tz.h>

namespace stream {
namespace {

constexpr std::int64_t first_second = time_before_all / ns_per_second;
constexpr std::int64_t last_second = time_after_all / ns_per_second;

TimeNs clamp_time(WideInt time) {
    if (time <= time_before_all) return time_before_all;
    if (time >= time_after_all) return time_after_all;
    return static_cast<TimeNs>(time);
}

// A stretch of time with one offset, up to the next one's begin.
struct Span {
    TimeNs begin;
    std::int64_t offset_ns;
    std::int64_t local_end;  // the end on the clock before it is changed
};

class TableZone final : public Zone {
public:
    // `changes` are (second, offset), in order; the first holds from the beginning of time.
    explicit TableZone(const std::vector<std::pair<std::int64_t, std::int64_t>>& changes) {
        for (const auto& [second, offset_s] : changes) {
            const std::int64_t offset_ns = offset_s * ns_per_second;
            if (!spans_.empty() && spans_.back().offset_ns == offset_ns) continue;
            const TimeNs begin = spans_.empty() ? time_before_all : second * ns_per_second;
            if (!spans_.empty()) spans_.back().local_end = time_add(begin, spans_.back().offset_ns);
            spans_.push_back({begin, offset_ns, time_after_all});
        }
    }

    std::int64_t offset_s(TimeNs time) const override {
        return spans_[span_at(time)].offset_ns / ns_per_second;
    }

    TimeNs to_utc(std::int64_t local_ns) const override {
        // The first span whose clock has not yet shown this time when it ends shows it, or begins
        // after the gap that holds it.
        const Span& span = spans_[span_at_local(local_ns)];
        const WideInt time = WideInt{local_ns} - span.offset_ns;
        return clamp_time(time < span.begin ? span.begin : time);
    }

private:
    // Events of a stream are near each other: the last answer is usually the next one. Relaxed, since
    // any index is a good guess.
    std::size_t span_at(TimeNs time) const {
        const std::size_t guess = recent_.load(std::memory_order_relaxed);
        if (spans_[guess].begin <= time && (guess + 1 == spans_.size() || time < spans_[guess + 1].begin)) {
            return guess;
        }
        const auto after = std::upper_bound(spans_.begin() + 1, spans_.end(), time,
                                            [](TimeNs t, const Span& span) { return t < span.begin; });
        const auto found = static_cast<std::size_t>(after - spans_.begin()) - 1;
        recent_.store(found, std::memory_order_relaxed);
        return found;
    }

    std::size_t span_at_local(std::int64_t local_ns) const {
        const std::size_t guess = recent_.load(std::memory_order_relaxed);
        if ((local_ns < spans_[guess].local_end || guess + 1 == spans_.size()) &&
            (guess == 0 || local_ns >= spans_[guess - 1].local_end)) {
            return guess;
        }
        const auto found =
            std::upper_bound(spans_.begin(), spans_.end() - 1, local_ns,
                             [](std::int64_t t, const Span& span) { return t < span.local_end; });
        return static_cast<std::size_t>(found - spans_.begin());
    }

    std::vector<Span> spans_;
    mutable std::atomic<std::size_t> recent_{0};
};

using Changes = std::vector<std::pair<std::int64_t, std::int64_t>>;

// The library reads a zone's file but not the rule at its end, and Debian's files list changes up to
// 2037. Years after that repeat one of 2030 to 2037 that has the same weekdays from March on: rules
// speak of weekdays of a month, and none changes a clock in January or February. (Zones listed up to 2087
// because of Ramadan keep their last offset from then on.)
void repeat_last_years(Changes& changes) {
    constexpr std::int64_t last_listed = 2037;
    const std::int64_t last_day = floor_div(changes.back().first, seconds_per_day);
    if (changes.size() < 2 || civil_from_days(last_day).year != last_listed) return;
    const Changes listed = changes;
    const auto march = [](std::int64_t year) { return days_from_civil(year, 3, 1); };
    for (std::int64_t year = last_listed + 1; year <= 2262; ++year) {
        std::int64_t model = last_listed;
        while (weekday_from_days(march(model)) != weekday_from_days(march(year))) --model;
        const std::int64_t shift = (march(year) - march(model)) * seconds_per_day;
        for (const auto& [second, offset_s] : listed) {
            if (second < march(model) * seconds_per_day || second >= march(model + 1) * seconds_per_day)
                continue;
            if (second + shift < last_second) changes.emplace_back(second + shift, offset_s);
        }
    }
}

Changes read_changes(const date::time_zone& zone) {
    Changes changes;
    std::int64_t at = first_second;
    while (at < last_second) {
        const date::sys_info info = zone.get_info(date::sys_seconds{std::chrono::seconds{at}});
        changes.emplace_back(at, info.offset.count());
        const std::int64_t end = info.end.time_since_epoch().count();
        if (end <= at) break;
        at = end;
    }
    repeat_last_years(changes);
    return changes;
}

bool same_but_case(std::string_view a, std::string_view b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [&](char x, char y) { return lower(x) == lower(y); });
}

// The whole name in another case, its last part alone (`Berlin`), or a near one.
std::string near_name(std::string_view name, const std::vector<std::string_view>& names) {
    for (const std::string_view candidate : names) {
        if (same_but_case(candidate, name)) return std::string(candidate);
    }
    for (const std::string_view candidate : names) {
        const std::size_t slash = candidate.rfind('/');
        if (slash != std::string_view::npos && same_but_case(candidate.substr(slash + 1), name)) {
            return std::string(candidate);
        }
    }
    return std::string(nearest(name, names));
}

}  // namespace

Result<std::shared_ptr<const Zone>> Zone::find(const std::string& name) {
    using Found = Result<std::shared_ptr<const Zone>>;
    if (name == "UTC" || name == "Etc/UTC") return Found(std::make_shared<TableZone>(Changes{{0, 0}}));
    try {
        const date::tzdb& database = date::get_tzdb();
        std::vector<std::string_view> names;
        for (const date::time_zone& zone : database.zones) {
            if (zone.name() == name) return Found(std::make_shared<TableZone>(read_changes(zone)));
            names.emplace_back(zone.name());
        }
        return fail(ErrorKind::usage, fmt::format("unknown time zone {}", quoted(name)),
                    near_name(name, names));
    } catch (const std::exception& error) {
        return fail(ErrorKind::io,
                    fmt::format("cannot read the system's time zones: {}", printable(error.what(), 200)),
                    "apt-get install tzdata");
    }
}

}  // namespace stream
