// SPDX-License-Identifier: Apache-2.0
#include "time/duration.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace stream {
namespace {

DurationNs duration(std::string_view text) {
    const auto parsed = parse_duration(text);
    EXPECT_TRUE(parsed) << text << ": " << (parsed ? "" : parsed.error().message());
    return parsed.value_or(-999);
}

TEST(ParseDuration, SingleUnits) {
    EXPECT_EQ(duration("7ns"), 7);
    EXPECT_EQ(duration("7us"), 7 * ns_per_us);
    EXPECT_EQ(duration("250ms"), 250 * ns_per_ms);
    EXPECT_EQ(duration("10s"), 10 * ns_per_second);
    EXPECT_EQ(duration("5m"), 5 * ns_per_minute);
    EXPECT_EQ(duration("1h"), ns_per_hour);
    EXPECT_EQ(duration("1d"), ns_per_day);
    EXPECT_EQ(duration("2w"), 14 * ns_per_day);
    EXPECT_EQ(duration("0s"), 0);
}

TEST(ParseDuration, CombinedFractionalNegative) {
    EXPECT_EQ(duration("1h30m"), 90 * ns_per_minute);
    EXPECT_EQ(duration("1w2d3h4m5s6ms7us8ns"),
              9 * ns_per_day + 3 * ns_per_hour + 4 * ns_per_minute + 5 * ns_per_second + 6'007'008);
    EXPECT_EQ(duration("1.5s"), 1'500 * ns_per_ms);
    EXPECT_EQ(duration("0.5h"), 30 * ns_per_minute);
    EXPECT_EQ(duration("0.000000001s"), 1);
    EXPECT_EQ(duration("1.50000000000000000000s"), 1'500 * ns_per_ms);
    EXPECT_EQ(duration("-10s"), -10 * ns_per_second);
    EXPECT_EQ(duration("-1h30m"), -90 * ns_per_minute);
}

TEST(ParseDuration, Iso8601) {
    EXPECT_EQ(duration("PT5M"), 5 * ns_per_minute);
    EXPECT_EQ(duration("P1DT12H"), 36 * ns_per_hour);
    EXPECT_EQ(duration("P2W"), 14 * ns_per_day);
    EXPECT_EQ(duration("PT0.25S"), 250 * ns_per_ms);
    EXPECT_EQ(duration("-PT1H30M"), -90 * ns_per_minute);
}

TEST(ParseDuration, RangeIsChecked) {
    EXPECT_EQ(duration("9223372036854775807ns"), time_after_all);
    EXPECT_EQ(duration("-9223372036854775808ns"), time_before_all);
    EXPECT_EQ(duration("106751d"), 106'751 * ns_per_day);
    for (const char* bad :
         {"9223372036854775808ns", "-9223372036854775809ns", "106752d", "300y", "99999999999999999999w",
          "106751d1d", "106751d24h", "18446744073709551616s", "P106752D"}) {
        EXPECT_FALSE(parse_duration(bad)) << bad;
    }
}

TEST(ParseDuration, RefusesOthers) {
    for (const char* bad :
         {"",     "-",      "s",       "10",   "1.5",  ".5s",  "1.s", "1..5s", "10 s",  " 10s",
          "10s ", "10sec",  "5M",      "1m1h", "1m1m", "1h30", "+5s", "--5s",  "0.5ns", "0.0000000001s",
          "1e3s", "P",      "PT",      "P1",   "PT5",  "PT5m", "P1H", "P1DT",  "P1Y",   "P1M",
          "P5S",  "PT1M1H", "PT1HT1M", "p1d",  "T5M",  "1y",   "1s2", "1h-30m"}) {
        const auto parsed = parse_duration(bad);
        ASSERT_FALSE(parsed) << bad;
        EXPECT_EQ(parsed.error().kind(), ErrorKind::usage);
    }
}

TEST(ParseDuration, SaysWhatIsExpected) {
    EXPECT_EQ(parse_duration("soon").error().message(),
              "not a duration: \"soon\" (such are 250ms, 10s, 5m, 1h30m, 1d, 2w, PT5M)");
    EXPECT_EQ(parse_duration("90").error().message(), "a duration needs its unit: \"90\"");
    EXPECT_EQ(parse_duration("90").error().hint(), "90s");
    EXPECT_EQ(parse_duration("1m1h").error().message(),
              "not a duration: \"1m1h\" (units go from large to small, each once)");
    EXPECT_EQ(parse_duration("P1Y").error().message(),
              "not a duration: \"P1Y\" (months and years have no fixed length)");
}

TEST(FormatDuration, ShortestExact) {
    EXPECT_EQ(format_duration(0), "0s");
    EXPECT_EQ(format_duration(90 * ns_per_second), "90s");
    EXPECT_EQ(format_duration(90 * ns_per_minute), "90m");
    EXPECT_EQ(format_duration(250 * ns_per_ms), "250ms");
    EXPECT_EQ(format_duration(1'500 * ns_per_ms), "1.5s");
    EXPECT_EQ(format_duration(100 * ns_per_ms), "100ms");
    EXPECT_EQ(format_duration(7 * ns_per_day), "1w");
    EXPECT_EQ(format_duration(8 * ns_per_day), "8d");
    EXPECT_EQ(format_duration(ns_per_hour + ns_per_second), "1h1s");
    EXPECT_EQ(format_duration(-90 * ns_per_second), "-90s");
    EXPECT_EQ(format_duration(1), "1ns");
}

RC_GTEST_PROP(FormatDurationProperty, ReadsBack, ()) {
    const auto scale =
        *rc::gen::element<DurationNs>(1, ns_per_us, ns_per_ms, ns_per_second, ns_per_minute, ns_per_day);
    const auto value = *rc::gen::inRange<DurationNs>(time_before_all, time_after_all) / scale * scale;
    RC_ASSERT(*parse_duration(format_duration(value)) == value);
    const auto small = *rc::gen::inRange<DurationNs>(-10'000, 10'000) * scale;
    RC_ASSERT(*parse_duration(format_duration(small)) == small);
}

TEST(FormatDuration, ReadsBackAtTheEnds) {
    EXPECT_EQ(duration(format_duration(time_before_all)), time_before_all);
    EXPECT_EQ(duration(format_duration(time_after_all)), time_after_all);
}

TEST(ParseSize, Units) {
    const auto size = [](std::string_view text) { return parse_size(text).value_or(999); };
    EXPECT_EQ(size("4096"), 4096U);
    EXPECT_EQ(size("0"), 0U);
    EXPECT_EQ(size("64KiB"), 65'536U);
    EXPECT_EQ(size("64K"), 65'536U);
    EXPECT_EQ(size("64k"), 65'536U);
    EXPECT_EQ(size("10MB"), 10'000'000U);
    EXPECT_EQ(size("10kB"), 10'000U);
    EXPECT_EQ(size("10M"), 10U << 20);
    EXPECT_EQ(size("1G"), 1U << 30);
    EXPECT_EQ(size("1TiB"), 1ULL << 40);
    EXPECT_EQ(size("2TB"), 2'000'000'000'000U);
    EXPECT_EQ(size("1.5K"), 1536U);
    EXPECT_EQ(size("512B"), 512U);
    EXPECT_EQ(size("18446744073709551615"), ~0ULL);
    EXPECT_EQ(size("16777215T"), 16'777'215ULL << 40);
}

TEST(ParseSize, RefusesOthers) {
    for (const char* bad :
         {"", "K", "-1", "+1", "1 K", "1X", "1KK", "1iB", "1BK", "1Kib2", "0.5", "1.0001K", "1e3", "1.",
          "18446744073709551616", "16777216T", "99999999999999999999999K", "1PiB", "K1"}) {
        const auto parsed = parse_size(bad);
        ASSERT_FALSE(parsed) << bad;
        EXPECT_EQ(parsed.error().kind(), ErrorKind::usage);
    }
}

TEST(ParsePosition, All) {
    const TimeNs now = 1'446'249'499 * ns_per_second;  // 2015-10-30T23:58:19Z
    const auto shown = [&](std::string_view text) -> std::string {
        const auto position = parse_position(text, now);
        if (!position) return "error";
        switch (position->kind) {
            case Position::Kind::start:
                return "start";
            case Position::Kind::end:
                return "end";
            case Position::Kind::number:
                return "number " + std::to_string(position->number);
            case Position::Kind::last:
                return "last " + std::to_string(position->number);
            case Position::Kind::time:
                return to_rfc3339(position->time);
        }
        return {};
    };
    EXPECT_EQ(shown("start"), "start");
    EXPECT_EQ(shown("end"), "end");
    EXPECT_EQ(shown("0"), "number 0");
    EXPECT_EQ(shown("1446249499"), "number 1446249499");
    EXPECT_EQ(shown("18446744073709551615"), "number 18446744073709551615");
    EXPECT_EQ(shown("-10"), "last 10");
    EXPECT_EQ(shown("2015-10-30T12:00:00+01:00"), "2015-10-30T11:00:00Z");
    EXPECT_EQ(shown("2015-10-30"), "2015-10-30T00:00:00Z");
    EXPECT_EQ(shown("@1446249499"), "2015-10-30T23:58:19Z");
    EXPECT_EQ(shown("@1446249499322"), "2015-10-30T23:58:19.322Z");
    EXPECT_EQ(shown("@-1.5"), "1969-12-31T23:59:58.500Z");
    EXPECT_EQ(shown("now"), "2015-10-30T23:58:19Z");
    EXPECT_EQ(shown("today"), "2015-10-30T00:00:00Z");
    EXPECT_EQ(shown("yesterday"), "2015-10-29T00:00:00Z");
    EXPECT_EQ(shown("-2h"), "2015-10-30T21:58:19Z");
    EXPECT_EQ(shown("-1d12h"), "2015-10-29T11:58:19Z");
    EXPECT_EQ(shown("-PT1H"), "2015-10-30T22:58:19Z");
    for (const char* bad :
         {"", "-", "--2h", "-x", "2h", "@", "@x", "@1e30", "18446744073709551616", "2015-10-32",
          "2015-10-30T25:00:00Z", "tomorrow", "Start", "+5", "1.5", "-1.5", "--5"}) {
        EXPECT_EQ(shown(bad), "error") << bad;
    }
    EXPECT_EQ(parse_position("2h", now).error().hint(), "-2h");
}

}  // namespace
}  // namespace stream
