// SPDX-License-Identifier: Apache-2.0
#include "time/timestamp.hpp"

#include "time/calendar.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace stream {
namespace {

TEST(Timestamp, WritesTheFewestFractionDigits) {
    EXPECT_EQ(to_rfc3339(0), "1970-01-01T00:00:00Z");
    EXPECT_EQ(to_rfc3339(ns_per_ms), "1970-01-01T00:00:00.001Z");
    EXPECT_EQ(to_rfc3339(100 * ns_per_ms), "1970-01-01T00:00:00.100Z");
    EXPECT_EQ(to_rfc3339(ns_per_us), "1970-01-01T00:00:00.000001Z");
    EXPECT_EQ(to_rfc3339(1), "1970-01-01T00:00:00.000000001Z");
    EXPECT_EQ(to_rfc3339(1'446'249'499'322 * ns_per_ms), "2015-10-30T23:58:19.322Z");
    EXPECT_EQ(to_rfc3339(951'782'400 * ns_per_second), "2000-02-29T00:00:00Z");
}

TEST(Timestamp, WritesTimesBefore1970) {
    EXPECT_EQ(to_rfc3339(-1), "1969-12-31T23:59:59.999999999Z");
    EXPECT_EQ(to_rfc3339(-ns_per_second), "1969-12-31T23:59:59Z");
    EXPECT_EQ(to_rfc3339(-ns_per_day), "1969-12-31T00:00:00Z");
    EXPECT_EQ(to_rfc3339(-ns_per_day - ns_per_ms), "1969-12-30T23:59:59.999Z");
}

TEST(Timestamp, WritesTheEndsOfTheRange) {
    EXPECT_EQ(to_rfc3339(time_before_all), "1677-09-21T00:12:43.145224192Z");
    EXPECT_EQ(to_rfc3339(time_after_all), "2262-04-11T23:47:16.854775807Z");
}

TEST(Timestamp, AppendKeepsWhatIsThere) {
    std::string out = "ts=";
    append_rfc3339(out, 0);
    EXPECT_EQ(out, "ts=1970-01-01T00:00:00Z");
}

TEST(Timestamp, ArithmeticSaturates) {
    EXPECT_EQ(time_add(time_after_all, 1), time_after_all);
    EXPECT_EQ(time_add(time_before_all, -1), time_before_all);
    EXPECT_EQ(time_sub(time_before_all, 1), time_before_all);
    EXPECT_EQ(time_sub(time_after_all, -1), time_after_all);
    EXPECT_EQ(time_add(time_after_all - 1750, 2'000), time_after_all);  // vectors: W28
    EXPECT_EQ(time_sub(5, 7), -2);
}

// The start of the tumbling window, as operators compute it; vectors: W01.
TEST(Timestamp, FloorDivisionAlignsWindows) {
    struct Case {
        std::int64_t offset, time, start;
    };
    const Case cases[] = {{0, 1, 0},   {0, 6, 0},  {0, 7, 7},    {0, 8, 7},   {3, 1, -4},   {3, 2, -4},
                          {3, 3, 3},   {3, 9, 3},  {3, 10, 10},  {-2, 1, -2}, {-2, -2, -2}, {-2, 3, -2},
                          {-2, 4, -2}, {-2, 7, 5}, {-2, 12, 12}, {0, -1, -7}};
    for (const Case& c : cases) EXPECT_EQ(floor_div(c.time - c.offset, 7) * 7 + c.offset, c.start) << c.time;
}

TEST(Calendar, KnowsLeapYears) {
    EXPECT_TRUE(is_leap_year(2000));
    EXPECT_FALSE(is_leap_year(1900));
    EXPECT_TRUE(is_leap_year(2024));
    EXPECT_TRUE(is_date(2024, 2, 29));
    EXPECT_FALSE(is_date(2023, 2, 29));
    EXPECT_FALSE(is_date(2023, 0, 1));
    EXPECT_FALSE(is_date(2023, 13, 1));
    EXPECT_FALSE(is_date(2023, 4, 31));
}

TEST(Calendar, KnowsWeekdays) {
    EXPECT_EQ(weekday_from_days(0), 4U);  // Thursday
    EXPECT_EQ(weekday_from_days(-1), 3U);
    EXPECT_EQ(weekday_from_days(-5), 6U);
    EXPECT_EQ(weekday_from_days(days_from_civil(2026, 1, 1)), 4U);
}

RC_GTEST_PROP(Calendar, DaysAndDatesAreInverse, ()) {
    const std::int64_t days = *rc::gen::inRange<std::int64_t>(-800'000, 2'000'000);
    const CivilDate date = civil_from_days(days);
    RC_ASSERT(is_date(date.year, date.month, date.day));
    RC_ASSERT(days_from_civil(date.year, date.month, date.day) == days);
    const CivilDate next = civil_from_days(days + 1);
    RC_ASSERT(
        (next.day == date.day + 1 || (next.day == 1 && date.day == days_in_month(date.year, date.month))));
}

}  // namespace
}  // namespace stream
