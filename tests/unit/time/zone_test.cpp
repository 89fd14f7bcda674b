// SPDX-License-Identifier: Apache-2.0
#include "time/zone.hpp"

#include "time/calendar.hpp"
#include "time/time_parser.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace stream {
namespace {

std::shared_ptr<const Zone> zone(const std::string& name) {
    auto found = Zone::find(name);
    EXPECT_TRUE(found) << name << (found ? "" : found.error().message());
    return *found;
}

TimeNs at(std::string_view text) { return *TimeParser::make({})->parse_text(text); }

std::string window(const std::string& name, std::string_view time, CalendarUnit unit, std::int64_t count = 1,
                   DurationNs shift = 0) {
    const CalendarWindow found = calendar_window(*zone(name), at(time), unit, count, shift);
    return to_rfc3339(found.start) + " " + to_rfc3339(found.end);
}

TEST(Zone, FindsNames) {
    EXPECT_EQ(zone("UTC")->offset_s(0), 0);
    EXPECT_EQ(zone("Asia/Kolkata")->offset_s(at("2026-01-01T00:00:00Z")), 19'800);
    EXPECT_EQ(zone("US/Pacific")->offset_s(at("2026-07-01T00:00:00Z")), -7 * 3600);
}

TEST(Zone, UnknownNamesGetANearOne) {
    for (const auto& [wrong, right] : {std::pair{"Europe/Berln", "Europe/Berlin"},
                                       {"europe/berlin", "Europe/Berlin"},
                                       {"Berlin", "Europe/Berlin"},
                                       {"Amercia/New_York", "America/New_York"}}) {
        const auto found = Zone::find(wrong);
        ASSERT_FALSE(found) << wrong;
        EXPECT_EQ(found.error().kind(), ErrorKind::usage);
        EXPECT_EQ(found.error().hint(), right);
    }
    for (const char* wrong :
         {"", "../../../etc/passwd", "Nowhere/Particular", "/usr/share/zoneinfo/Europe/Berlin"}) {
        EXPECT_FALSE(Zone::find(wrong)) << wrong;
    }
    EXPECT_EQ(Zone::find("Mars\x1b[0m").error().message(), "unknown time zone \"Mars\\x1b[0m\"");
}

TEST(Zone, OffsetsAcrossChanges) {
    const auto berlin = zone("Europe/Berlin");
    EXPECT_EQ(berlin->offset_s(at("2026-03-29T00:59:59Z")), 3600);
    EXPECT_EQ(berlin->offset_s(at("2026-03-29T01:00:00Z")), 7200);
    EXPECT_EQ(berlin->offset_s(at("2026-10-25T00:59:59Z")), 7200);
    EXPECT_EQ(berlin->offset_s(at("2026-10-25T01:00:00Z")), 3600);
    EXPECT_EQ(berlin->offset_s(at("1969-07-01T00:00:00Z")), 3600);
    EXPECT_EQ(berlin->offset_s(at("1700-01-01T00:00:00Z")), 3208);  // local mean time
    EXPECT_EQ(berlin->offset_s(time_before_all), 3208);
}

// tzdata's files end in 2037, its rules do not.
TEST(Zone, RulesGoOn) {
    const auto berlin = zone("Europe/Berlin");
    EXPECT_EQ(berlin->offset_s(at("2099-07-01T00:00:00Z")), 7200);
    EXPECT_EQ(berlin->offset_s(at("2099-12-01T00:00:00Z")), 3600);
    EXPECT_EQ(berlin->offset_s(at("2050-03-27T00:59:59Z")), 3600);
    EXPECT_EQ(berlin->offset_s(at("2050-03-27T01:00:00Z")), 7200);
    EXPECT_EQ(zone("America/New_York")->offset_s(at("2100-03-14T06:59:59Z")), -18'000);
    EXPECT_EQ(zone("America/New_York")->offset_s(at("2100-03-14T07:00:00Z")), -14'400);
    EXPECT_EQ(zone("Australia/Sydney")->offset_s(at("2200-01-15T00:00:00Z")), 39'600);
    EXPECT_EQ(zone("Australia/Sydney")->offset_s(at("2200-07-15T00:00:00Z")), 36'000);
    EXPECT_EQ(zone("Asia/Tokyo")->offset_s(at("2200-07-15T00:00:00Z")), 32'400);
}

TEST(Zone, LocalTimesThatAreNotOne) {
    const auto berlin = zone("Europe/Berlin");
    EXPECT_EQ(berlin->to_utc(at("2026-03-29T02:00:00Z")), at("2026-03-29T01:00:00Z"));
    EXPECT_EQ(berlin->to_utc(at("2026-03-29T02:59:59Z")), at("2026-03-29T01:00:00Z"));
    EXPECT_EQ(berlin->to_utc(at("2026-03-29T03:00:00Z")), at("2026-03-29T01:00:00Z"));
    EXPECT_EQ(berlin->to_utc(at("2026-03-29T01:59:59Z")), at("2026-03-29T00:59:59Z"));
    EXPECT_EQ(berlin->to_utc(at("2026-10-25T02:00:00Z")), at("2026-10-25T00:00:00Z"));
    EXPECT_EQ(berlin->to_utc(at("2026-10-25T02:59:59Z")), at("2026-10-25T00:59:59Z"));
    EXPECT_EQ(berlin->to_utc(at("2026-10-25T03:00:00Z")), at("2026-10-25T02:00:00Z"));
    // Samoa skipped a day.
    EXPECT_EQ(zone("Pacific/Apia")->to_utc(at("2011-12-30T12:00:00Z")), at("2011-12-30T10:00:00Z"));
}

TEST(CalendarWindow, DaysOfAZone) {
    EXPECT_EQ(window("UTC", "2026-01-01T12:00:00Z", CalendarUnit::day),
              "2026-01-01T00:00:00Z 2026-01-02T00:00:00Z");
    EXPECT_EQ(window("UTC", "2026-01-01T00:00:00Z", CalendarUnit::day),
              "2026-01-01T00:00:00Z 2026-01-02T00:00:00Z");
    EXPECT_EQ(window("UTC", "1969-12-31T23:59:59.999999999Z", CalendarUnit::day),
              "1969-12-31T00:00:00Z 1970-01-01T00:00:00Z");
    EXPECT_EQ(window("Europe/Berlin", "2026-03-29T12:00:00Z", CalendarUnit::day),
              "2026-03-28T23:00:00Z 2026-03-29T22:00:00Z");  // 23 hours
    EXPECT_EQ(window("Europe/Berlin", "2026-10-25T12:00:00Z", CalendarUnit::day),
              "2026-10-24T22:00:00Z 2026-10-25T23:00:00Z");  // 25 hours
    EXPECT_EQ(window("UTC", "2016-08-11T07:54:08.450Z", CalendarUnit::day, 1, -8 * ns_per_hour),
              "2016-08-10T16:00:00Z 2016-08-11T16:00:00Z");  // vectors: W01
    EXPECT_EQ(window("UTC", "1970-01-05T00:00:00Z", CalendarUnit::day, 3),
              "1970-01-04T00:00:00Z 1970-01-07T00:00:00Z");
}

TEST(CalendarWindow, WeeksAndMonths) {
    EXPECT_EQ(window("UTC", "2026-01-01T12:00:00Z", CalendarUnit::week),
              "2025-12-29T00:00:00Z 2026-01-05T00:00:00Z");
    EXPECT_EQ(window("UTC", "1970-01-04T12:00:00Z", CalendarUnit::week),
              "1969-12-29T00:00:00Z 1970-01-05T00:00:00Z");
    EXPECT_EQ(window("UTC", "1970-01-05T00:00:00Z", CalendarUnit::week, 2),
              "1970-01-05T00:00:00Z 1970-01-19T00:00:00Z");
    EXPECT_EQ(window("Europe/Berlin", "2026-03-29T12:00:00Z", CalendarUnit::week),
              "2026-03-22T23:00:00Z 2026-03-29T22:00:00Z");
    EXPECT_EQ(window("UTC", "2024-02-29T12:00:00Z", CalendarUnit::month),
              "2024-02-01T00:00:00Z 2024-03-01T00:00:00Z");
    EXPECT_EQ(window("UTC", "1969-12-31T12:00:00Z", CalendarUnit::month),
              "1969-12-01T00:00:00Z 1970-01-01T00:00:00Z");
    EXPECT_EQ(window("Europe/Berlin", "2026-04-15T00:00:00Z", CalendarUnit::month, 3),
              "2026-03-31T22:00:00Z 2026-06-30T22:00:00Z");
    EXPECT_EQ(window("UTC", "2026-04-15T00:00:00Z", CalendarUnit::month, 12),
              "2026-01-01T00:00:00Z 2027-01-01T00:00:00Z");
    EXPECT_EQ(window("UTC", "2026-04-03T00:00:00Z", CalendarUnit::month, 1, 5 * ns_per_day),
              "2026-03-06T00:00:00Z 2026-04-06T00:00:00Z");
}

TEST(CalendarWindow, DayThatWasSkipped) {
    EXPECT_EQ(window("Pacific/Apia", "2011-12-30T09:59:59Z", CalendarUnit::day),
              "2011-12-29T10:00:00Z 2011-12-30T10:00:00Z");
    EXPECT_EQ(window("Pacific/Apia", "2011-12-30T10:00:00Z", CalendarUnit::day),
              "2011-12-30T10:00:00Z 2011-12-31T10:00:00Z");
}

// Havana puts its clocks back at one o'clock: midnight comes twice, the first one counts.
TEST(CalendarWindow, MidnightTwice) {
    EXPECT_EQ(window("America/Havana", "2026-11-01T04:30:00Z", CalendarUnit::day),
              "2026-11-01T04:00:00Z 2026-11-02T05:00:00Z");
    EXPECT_EQ(window("America/Havana", "2026-11-01T05:30:00Z", CalendarUnit::day),
              "2026-11-01T04:00:00Z 2026-11-02T05:00:00Z");
    // A boundary in the midst of the hour that comes twice.
    EXPECT_EQ(window("Europe/Berlin", "2026-10-25T01:15:00Z", CalendarUnit::day, 1, 150 * ns_per_minute),
              "2026-10-25T00:30:00Z 2026-10-26T01:30:00Z");
}

TEST(CalendarWindow, EndsOfTheRange) {
    for (const CalendarUnit unit : {CalendarUnit::day, CalendarUnit::week, CalendarUnit::month}) {
        for (const std::int64_t count : {std::int64_t{1}, std::int64_t{1000}, time_after_all}) {
            for (const TimeNs time : {time_before_all + 1, TimeNs{-1}, TimeNs{0}, time_after_all - 1}) {
                const CalendarWindow found =
                    calendar_window(*zone("Asia/Tokyo"), time, unit, count, -ns_per_hour);
                EXPECT_LE(found.start, time);
                EXPECT_LT(time, found.end);
            }
        }
    }
}

std::shared_ptr<const Zone> any_zone() {
    static const std::vector<std::shared_ptr<const Zone>> zones = {zone("Europe/Berlin"),
                                                                   zone("America/Havana"),
                                                                   zone("Pacific/Apia"),
                                                                   zone("Australia/Lord_Howe"),
                                                                   zone("America/Sao_Paulo"),
                                                                   zone("Africa/Casablanca"),
                                                                   zone("UTC")};
    return *rc::gen::elementOf(zones);
}

RC_GTEST_PROP(CalendarWindowProperty, WindowsAreContiguousAndHoldTheirTime, ()) {
    const auto its_zone = any_zone();
    const auto unit = *rc::gen::element(CalendarUnit::day, CalendarUnit::week, CalendarUnit::month);
    const auto count = *rc::gen::inRange<std::int64_t>(1, 10);
    const auto shift = *rc::gen::inRange<DurationNs>(-2 * ns_per_day, 2 * ns_per_day);
    TimeNs time = *rc::gen::inRange<TimeNs>(-7'000'000'000 * ns_per_second, 7'000'000'000 * ns_per_second);
    for (int i = 0; i < 400; ++i) {
        const CalendarWindow one = calendar_window(*its_zone, time, unit, count, shift);
        RC_ASSERT(one.start <= time);
        RC_ASSERT(time < one.end);
        if (one.end == time_after_all) break;
        const CalendarWindow at_start = calendar_window(*its_zone, one.start, unit, count, shift);
        const CalendarWindow at_last = calendar_window(*its_zone, one.end - 1, unit, count, shift);
        const CalendarWindow next = calendar_window(*its_zone, one.end, unit, count, shift);
        RC_ASSERT(at_start.start == one.start);
        RC_ASSERT(at_start.end == one.end);
        RC_ASSERT(at_last.start == one.start);
        RC_ASSERT(at_last.end == one.end);
        RC_ASSERT(next.start == one.end);
        time = one.end;
    }
}

RC_GTEST_PROP(ZoneProperty, ClockAndInstantAgree, ()) {
    const auto its_zone = any_zone();
    for (int i = 0; i < 100; ++i) {
        const TimeNs time =
            *rc::gen::inRange<TimeNs>(-7'000'000'000 * ns_per_second, 7'000'000'000 * ns_per_second);
        const std::int64_t local = time + its_zone->offset_s(time) * ns_per_second;
        const TimeNs back = its_zone->to_utc(local);
        // The first of the instants that show this clock.
        RC_ASSERT(back <= time);
        RC_ASSERT(back + its_zone->offset_s(back) * ns_per_second == local);
    }
}

}  // namespace
}  // namespace stream
