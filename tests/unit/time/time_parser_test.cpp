// SPDX-License-Identifier: Apache-2.0
#include "time/time_parser.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace stream {
namespace {

TimeParser parser(const TimeOptions& options = {}) {
    auto made = TimeParser::make(options);
    EXPECT_TRUE(made) << (made ? "" : made.error().message());
    return std::move(*made);
}

std::string shown(const Result<TimeNs>& time) {
    return time ? to_rfc3339(*time) : "error: " + time.error().message();
}

// Each with a parser of its own: the form is not latched.
std::string text(std::string_view value, const TimeOptions& options = {}) {
    return shown(parser(options).parse_text(value));
}
std::string number(std::string_view value, const TimeOptions& options = {}) {
    return shown(parser(options).parse_number(value));
}

bool is_error(const std::string& result) { return result.starts_with("error: "); }

TEST(TimeParserRfc3339, ReadsAllItsForms) {
    EXPECT_EQ(text("2026-01-01T00:00:00Z"), "2026-01-01T00:00:00Z");
    EXPECT_EQ(text("2026-01-01t00:00:00z"), "2026-01-01T00:00:00Z");
    EXPECT_EQ(text("2026-01-01 00:00:00"), "2026-01-01T00:00:00Z");
    EXPECT_EQ(text("2026-01-01T00:00:00.123Z"), "2026-01-01T00:00:00.123Z");
    EXPECT_EQ(text("2026-01-01T00:00:00.1"), "2026-01-01T00:00:00.100Z");
    EXPECT_EQ(text("2026-01-01T00:00:00.123456789+00:00"), "2026-01-01T00:00:00.123456789Z");
    EXPECT_EQ(text("2026-01-01T00:00:00+01:30"), "2025-12-31T22:30:00Z");
    EXPECT_EQ(text("2026-01-01T00:00:00-0130"), "2026-01-01T01:30:00Z");
    EXPECT_EQ(text("2026-01-01T00:00:00+01"), "2025-12-31T23:00:00Z");
    EXPECT_EQ(text("2026-01-01T00:00:00-00:00"), "2026-01-01T00:00:00Z");
    EXPECT_EQ(text("1969-12-31T23:59:59.999999999Z"), "1969-12-31T23:59:59.999999999Z");
    EXPECT_EQ(text("2019-12-29 04:58:34.806671"), "2019-12-29T04:58:34.806671Z");  // vectors: R04
}

TEST(TimeParserRfc3339, LeapSecondIsTheNextSecondsStart) {
    EXPECT_EQ(text("2016-12-31T23:59:60Z"), "2017-01-01T00:00:00Z");
    EXPECT_EQ(text("2016-12-31T23:59:60.5Z"), "2017-01-01T00:00:00Z");
}

TEST(TimeParserRfc3339, RefusesWhatIsMalformed) {
    for (const char* bad : {"",
                            "x",
                            "2026-01-01",
                            "2026-01-01T",
                            "2026-01-01T00:00",
                            "2026-01-01T00:00Z",
                            "2026-01-01T00:00:0Z",
                            "2026-1-1T00:00:00Z",
                            "2026-13-01T00:00:00Z",
                            "2026-00-01T00:00:00Z",
                            "2026-01-00T00:00:00Z",
                            "2026-01-32T00:00:00Z",
                            "2026-02-29T00:00:00Z",
                            "2026-04-31T00:00:00Z",
                            "1900-02-29T00:00:00Z",
                            "2026-01-01T24:00:00Z",
                            "2026-01-01T00:60:00Z",
                            "2026-01-01T00:00:61Z",
                            "2026-01-01T00:00:00.Z",
                            "2026-01-01T00:00:00.1234567890Z",
                            "2026-01-01T00:00:00,5Z",
                            "2026-01-01T00:00:00+24:00",
                            "2026-01-01T00:00:00+00:60",
                            "2026-01-01T00:00:00+1",
                            "2026-01-01T00:00:00+",
                            "2026-01-01T00:00:00+01:",
                            "2026-01-01T00:00:00+01:0",
                            "2026-01-01T00:00:00+010",
                            "2026-01-01T00:00:00Zx",
                            "2026-01-01T00:00:00 Z",
                            "2026-01-01T00:00:00Z ",
                            " 2026-01-01T00:00:00Z",
                            "2026-01-01_00:00:00Z",
                            "2026/01/01T00:00:00Z",
                            "2026-01-01T00.00:00Z",
                            "2026-01-01T00:00.00Z",
                            "2O26-01-01T00:00:00Z",
                            "2026-01-01T0 :00:00Z",
                            "-026-01-01T00:00:00Z",
                            "2026-01-01T00:00:-1Z",
                            "2026-01-01T00:00:00--1:00",
                            "yesterday"}) {
        EXPECT_TRUE(is_error(text(bad))) << bad;
    }
}

TEST(TimeParserRfc3339, ZerosAreNoCachedMinute) {
    const std::string zeros(16, '\0');
    EXPECT_TRUE(is_error(text(zeros + ":00Z")));
}

TEST(TimeParserRfc3339, RangeEndsBeforeTheWatermarks) {
    EXPECT_EQ(text("1677-09-21T00:12:43.145224193Z"), "1677-09-21T00:12:43.145224193Z");
    EXPECT_EQ(text("2262-04-11T23:47:16.854775806Z"), "2262-04-11T23:47:16.854775806Z");
    for (const char* out : {"1677-09-21T00:12:43.145224192Z", "2262-04-11T23:47:16.854775807Z",
                            "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2262-04-11T23:47:16+00:00:00"}) {
        EXPECT_TRUE(is_error(text(out))) << out;
    }
    EXPECT_EQ(text("9999-12-31T23:59:59Z"),
              "error: out of range, times are from 1677-09-21 to 2262-04-11: \"9999-12-31T23:59:59Z\"");
}

TEST(TimeParserRfc3339, ErrorsAreDataAndQuoteTheText) {
    const auto bad = parser().parse_text("2026-02-30T00:00:00Z");
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().kind(), ErrorKind::data);
    EXPECT_EQ(bad.error().message(), "not a time: \"2026-02-30T00:00:00Z\" (there is no such day)");
    const auto none = parser().parse_text("noon");
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().message(), "not a time: \"noon\"");
    EXPECT_EQ(none.error().hint(), "--time-format FORMAT");
}

TEST(TimeParserRfc3339, AllVariantsAreOneForm) {
    TimeParser one = parser();
    EXPECT_EQ(shown(one.parse_text("2026-01-01T00:00:00.5Z")), "2026-01-01T00:00:00.500Z");
    EXPECT_EQ(shown(one.parse_text("2026-01-01 00:00:01")), "2026-01-01T00:00:01Z");
    EXPECT_EQ(shown(one.parse_text("2026-01-01t00:00:02+01:00")), "2025-12-31T23:00:02Z");
    EXPECT_EQ(shown(one.parse_text("2026-01-01T00:00:03.123456Z")), "2026-01-01T00:00:03.123456Z");
    EXPECT_EQ(shown(one.parse_text("2026-01-01T00:01:03Z")), "2026-01-01T00:01:03Z");
    EXPECT_EQ(shown(one.parse_text("2026-01-01T00:00:03Z")), "2026-01-01T00:00:03Z");
}

TEST(TimeParserClf, Reads) {
    EXPECT_EQ(text("17/May/2015:10:05:03 +0000"), "2015-05-17T10:05:03Z");
    EXPECT_EQ(text("17/may/2015:10:05:03 -0730"), "2015-05-17T17:35:03Z");
    EXPECT_EQ(text("31/Dec/1969:23:59:59 +0000"), "1969-12-31T23:59:59Z");
    TimeParser one = parser();
    EXPECT_EQ(shown(one.parse_text("17/May/2015:10:05:03 +0000")), "2015-05-17T10:05:03Z");
    EXPECT_EQ(shown(one.parse_text("17/May/2015:10:05:59 +0200")), "2015-05-17T08:05:59Z");
    EXPECT_EQ(shown(one.parse_text("17/May/2015:10:06:00 +0000")), "2015-05-17T10:06:00Z");
    for (const char* bad :
         {"17/May/2015:10:05:03", "17/Mai/2015:10:05:03 +0000", "31/Feb/2015:10:05:03 +0000",
          "17/May/2015:24:05:03 +0000", "17/May/2015:10:05:61 +0000", "17/May/2015 10:05:03 +0000",
          "17/May/2015:10:05:03 +00000", "17/May/2015:10:05:03 UTC", "1/May/2015:10:05:03 +0000"}) {
        EXPECT_TRUE(is_error(text(bad))) << bad;
    }
}

TEST(TimeParserNumber, UnitByMagnitude) {
    EXPECT_EQ(number("1446249499"), "2015-10-30T23:58:19Z");
    EXPECT_EQ(number("1446249499322"), "2015-10-30T23:58:19.322Z");
    EXPECT_EQ(number("1446249499322001"), "2015-10-30T23:58:19.322001Z");
    EXPECT_EQ(number("1446249499322001002"), "2015-10-30T23:58:19.322001002Z");
    EXPECT_EQ(number("0"), "1970-01-01T00:00:00Z");
    EXPECT_EQ(number("-1"), "1969-12-31T23:59:59Z");
    EXPECT_EQ(number("-100000000000"), "1966-10-31T14:13:20Z");
    EXPECT_TRUE(is_error(number("99999999999")));  // seconds: the year 5138
    EXPECT_EQ(number("100000000000"), "1973-03-03T09:46:40Z");
    EXPECT_TRUE(is_error(number("99999999999999999")));  // microseconds: the same
    EXPECT_EQ(number("100000000000000000"), "1973-03-03T09:46:40Z");
}

TEST(TimeParserNumber, FractionsAndExponentsAreExact) {
    EXPECT_EQ(number("1.5e9"), "2017-07-14T02:40:00Z");
    EXPECT_EQ(number("15E8"), "2017-07-14T02:40:00Z");
    EXPECT_EQ(number("1.5e+9"), "2017-07-14T02:40:00Z");
    EXPECT_EQ(number("1500000000000e-3"), "2017-07-14T02:40:00Z");
    EXPECT_EQ(number("1331901000.000001"), "2012-03-16T12:30:00.000001Z");
    EXPECT_EQ(number("1331901000.123456789"), "2012-03-16T12:30:00.123456789Z");
    EXPECT_EQ(number("1331901000.1234567890000000000000000000"), "2012-03-16T12:30:00.123456789Z");
    EXPECT_EQ(number("1446249499322.5"), "2015-10-30T23:58:19.322500Z");
    EXPECT_EQ(number("-0.000000001"), "1969-12-31T23:59:59.999999999Z");
    EXPECT_EQ(number("0e999999999999999999999"), "1970-01-01T00:00:00Z");
    EXPECT_EQ(number("0.000e5"), "1970-01-01T00:00:00Z");
    EXPECT_EQ(number("0.00000000015e19"), "2017-07-14T02:40:00Z");
}

TEST(TimeParserNumber, RefusesWhatDoesNotFit) {
    for (const char* bad :
         {"1331901000.1234567891", "1e-10", "1446249499322001002.5", "9223372036854775807",
          "-9223372036854775808", "9223372036854775808", "99999999999999999999", "1e400", "-1e400", "1e-400",
          "123456789.12345678901234567890123", "1e99999999999999999999", "1e-99999999999999999999",
          "12345678901234567890123456789012345678901234567890"}) {
        EXPECT_TRUE(is_error(number(bad))) << bad << " " << number(bad);
    }
    EXPECT_EQ(number("9223372036854775806"), "2262-04-11T23:47:16.854775806Z");
    EXPECT_EQ(number("-9223372036854775807"), "1677-09-21T00:12:43.145224193Z");
}

TEST(TimeParserNumber, StringsReadTheSame) {
    EXPECT_EQ(text("1446249499322"), "2015-10-30T23:58:19.322Z");
    EXPECT_EQ(text("1.5e9"), "2017-07-14T02:40:00Z");
    EXPECT_EQ(text("-1.25"), "1969-12-31T23:59:58.750Z");
    TimeParser one = parser();
    EXPECT_EQ(shown(one.parse_text("1446249499322")), "2015-10-30T23:58:19.322Z");
    EXPECT_EQ(shown(one.parse_number("1446249499323")), "2015-10-30T23:58:19.323Z");
    for (const char* bad : {"1.", ".5", "1e", "1e+", "+1", "--1", "-", "1 ", " 1", "0x10", "1_000", "1,5",
                            "1.5.1", "NaN", "Infinity", "1e5e5", "true", "e5"}) {
        EXPECT_TRUE(is_error(text(bad))) << bad;
        EXPECT_TRUE(is_error(number(bad))) << bad;
    }
}

TEST(TimeParserNumber, GivenUnitCountsWhateverTheMagnitude) {
    TimeOptions options;
    options.unit = TimeUnit::ms;
    EXPECT_EQ(number("1500", options), "1970-01-01T00:00:01.500Z");
    EXPECT_EQ(text("1.5", options), "1970-01-01T00:00:00.001500Z");
    EXPECT_EQ(text("2026-01-01T00:00:00Z", options), "2026-01-01T00:00:00Z");
    options.unit = TimeUnit::ns;
    EXPECT_EQ(number("1", options), "1970-01-01T00:00:00.000000001Z");
    EXPECT_TRUE(is_error(number("1.5", options)));
    options.unit = TimeUnit::s;
    EXPECT_TRUE(is_error(number("1446249499322", options)));
}

TEST(TimeParserLatch, FirstFormStays) {
    TimeParser one = parser();
    ASSERT_TRUE(one.parse_text("2026-01-01T00:00:00Z"));
    EXPECT_EQ(shown(one.parse_number("1446249499")),
              "error: the first time was RFC 3339, this is a number: \"1446249499\"");
    EXPECT_EQ(shown(one.parse_text("1446249499")),
              "error: the first time was RFC 3339, this is a number: \"1446249499\"");
    EXPECT_TRUE(is_error(shown(one.parse_text("17/May/2015:10:05:03 +0000"))));
    EXPECT_TRUE(one.parse_text("2026-01-01T00:00:00Z"));

    TimeParser numbers = parser();
    ASSERT_TRUE(numbers.parse_number("1446249499"));
    EXPECT_TRUE(is_error(shown(numbers.parse_text("2026-01-01T00:00:00Z"))));
}

TEST(TimeParserLatch, FirstUnitStays) {
    TimeParser one = parser();
    ASSERT_TRUE(one.parse_number("1446249499322"));
    const auto other = one.parse_number("1446249499");
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().message(),
              "the first time was in milliseconds, this is in seconds by its size: \"1446249499\"");
    EXPECT_EQ(other.error().hint(), "--time-unit ms");
    EXPECT_TRUE(one.parse_number("1446249499323"));
}

TEST(TimeParserLatch, FailureLatchesNothing) {
    TimeParser one = parser();
    EXPECT_FALSE(one.parse_text("2026-02-30T00:00:00Z"));
    EXPECT_FALSE(one.parse_number("99999999999"));
    EXPECT_FALSE(one.parse_number("1446249499322.12345678"));
    EXPECT_TRUE(one.parse_number("1446249499"));
    EXPECT_TRUE(one.parse_number("1446249500"));
}

TEST(TimeParserZone, AppliesWhereThereIsNoOffset) {
    TimeOptions options;
    options.zone = "Europe/Berlin";
    EXPECT_EQ(text("2026-01-01T00:00:00", options), "2025-12-31T23:00:00Z");
    EXPECT_EQ(text("2026-07-01 00:00:00.5", options), "2026-06-30T22:00:00.500Z");
    EXPECT_EQ(text("2026-01-01T00:00:00Z", options), "2026-01-01T00:00:00Z");
    EXPECT_EQ(text("2026-01-01T00:00:00+05:00", options), "2025-12-31T19:00:00Z");
    EXPECT_EQ(number("1446249499", options), "2015-10-30T23:58:19Z");
    // Never was, and was twice.
    EXPECT_EQ(text("2026-03-29T02:30:00", options), "2026-03-29T01:00:00Z");
    EXPECT_EQ(text("2026-10-25T02:30:00", options), "2026-10-25T00:30:00Z");
    EXPECT_TRUE(is_error(text("9999-01-01T00:00:00", options)));
}

TEST(TimeParserZone, UnknownIsAUsageError) {
    TimeOptions options;
    options.zone = "Europe/Berln";
    const auto made = TimeParser::make(options);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().kind(), ErrorKind::usage);
    EXPECT_EQ(made.error().hint(), "Europe/Berlin");
}

TEST(TimeParserSave, CarriesWhatWasLearnt) {
    TimeParser one = parser();
    ASSERT_TRUE(one.parse_number("1446249499322"));
    TimeParser two = parser();
    ASSERT_TRUE(two.load(one.save()));
    EXPECT_FALSE(two.parse_number("1446249499"));
    EXPECT_FALSE(two.parse_text("2026-01-01T00:00:00Z"));
    EXPECT_TRUE(two.parse_number("1446249499322"));

    TimeParser three = parser();
    ASSERT_TRUE(three.load(parser().save()));
    EXPECT_TRUE(three.parse_text("2026-01-01T00:00:00Z"));
}

TEST(TimeParserSave, RefusesDamageAndOtherOptions) {
    TimeParser one = parser();
    ASSERT_TRUE(one.parse_number("1446249499322"));
    const std::string saved = one.save();
    EXPECT_FALSE(parser().load(""));
    EXPECT_FALSE(parser().load(saved.substr(1)));
    EXPECT_FALSE(parser().load(saved + "x"));
    EXPECT_FALSE(parser().load(std::string(12, '\xff')));
    EXPECT_FALSE(parser({"", TimeUnit::s, "", ""}).load(saved));
    TimeParser format = parser({"%Y", TimeUnit::none, "", ""});
    ASSERT_TRUE(format.parse_text("2015"));
    EXPECT_FALSE(parser().load(format.save()));
}

TEST(LooksLikeTime, TextsAndNumbers) {
    EXPECT_TRUE(looks_like_time("2026-01-01T00:00:00Z", false));
    EXPECT_TRUE(looks_like_time("17/May/2015:10:05:03 +0000", false));
    EXPECT_TRUE(looks_like_time("1446249499322", true));
    EXPECT_TRUE(looks_like_time("1446249499.5", false));
    EXPECT_TRUE(looks_like_time("946684800", true));
    EXPECT_TRUE(looks_like_time("4102444799", true));
    for (const char* no : {"0", "946684799", "4102444800", "-1446249499", "42", "", "x", "1e400"}) {
        EXPECT_FALSE(looks_like_time(no, true)) << no;
        EXPECT_FALSE(looks_like_time(no, false)) << no;
    }
    EXPECT_FALSE(looks_like_time("2026-02-30T00:00:00Z", false));
    EXPECT_FALSE(looks_like_time("9999-02-20T00:00:00Z", false));
    EXPECT_FALSE(looks_like_time("10.0.0.1", false));
}

RC_GTEST_PROP(TimeParserProperty, ReadsWhatWasWritten, (TimeNs any)) {
    const TimeNs scale = *rc::gen::element<TimeNs>(1, ns_per_us, ns_per_ms, ns_per_second, ns_per_hour);
    TimeNs time = any / scale * scale;
    if (time == time_before_all || time == time_after_all) time = 0;
    static TimeParser one = parser();
    const auto read = one.parse_text(to_rfc3339(time));
    RC_ASSERT(read.has_value());
    RC_ASSERT(*read == time);
}

// rapidcheck's integers are small ones mostly: the whole range needs to be asked for.
RC_GTEST_PROP(TimeParserProperty, ReadsWhatWasWrittenAnywhere, ()) {
    const auto time = *rc::gen::inRange<TimeNs>(time_before_all + 1, time_after_all);
    RC_ASSERT(*parser().parse_text(to_rfc3339(time)) == time);
    RC_ASSERT(*parser({"", TimeUnit::ns, "", ""}).parse_number(std::to_string(time)) == time);
}

RC_GTEST_PROP(TimeParserProperty, DamagedTextsNeverCrash, ()) {
    std::string damaged = to_rfc3339(*rc::gen::inRange<TimeNs>(0, time_after_all));
    const auto at = *rc::gen::inRange<std::size_t>(0, damaged.size());
    damaged[at] = *rc::gen::arbitrary<char>();
    damaged.resize(*rc::gen::inRange<std::size_t>(0, damaged.size() + 1));
    static TimeParser one = parser();
    (void)one.parse_text(damaged);
    (void)parser().parse_text(damaged);
    (void)parser().parse_number(damaged);
    (void)looks_like_time(damaged, false);
}

}  // namespace
}  // namespace stream
