// SPDX-License-Identifier: Apache-2.0
// Formats and bases, through TimeParser.
#include "time/time_parser.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace stream {
namespace {

TimeParser parser(const TimeOptions& options) {
    auto made = TimeParser::make(options);
    EXPECT_TRUE(made) << (made ? "" : made.error().message());
    return std::move(*made);
}

TimeOptions with_format(std::string format, std::string base = "", std::string zone = "") {
    return {std::move(format), TimeUnit::none, std::move(zone), std::move(base)};
}

std::string shown(const Result<TimeNs>& time) {
    return time ? to_rfc3339(*time) : "error: " + time.error().message();
}

std::string read(const std::string& format, std::string_view text, const std::string& base = "") {
    return shown(parser(with_format(format, base)).parse_text(text));
}

bool fails(const std::string& format, std::string_view text, const std::string& base = "") {
    return read(format, text, base).starts_with("error: ");
}

TEST(TimeFormat, UsualLetters) {
    EXPECT_EQ(read("%Y-%m-%d %H:%M:%S", "2015-10-18 18:01:47"), "2015-10-18T18:01:47Z");
    EXPECT_EQ(read("%F %T", "2015-10-18 18:01:47.978"), "2015-10-18T18:01:47.978Z");
    EXPECT_EQ(read("%F %T", "2015-10-18 18:01:47,978"), "2015-10-18T18:01:47.978Z");
    EXPECT_EQ(read("%F %T.%f", "2015-10-18 18:01:47.978"), "2015-10-18T18:01:47.978Z");
    EXPECT_EQ(read("%F %T,%f", "2015-10-18 18:01:47,5"), "2015-10-18T18:01:47.500Z");
    EXPECT_EQ(read("%d/%b/%Y:%H:%M:%S %z", "17/May/2015:10:05:03 +0200"), "2015-05-17T08:05:03Z");
    EXPECT_EQ(read("%a, %d %b %Y %T %Z", "Sun, 06 Nov 1994 08:49:37 GMT"), "1994-11-06T08:49:37Z");
    EXPECT_EQ(read("%A, %d %B %Y %T", "sunday, 06 NOVEMBER 1994 08:49:37"), "1994-11-06T08:49:37Z");
    EXPECT_EQ(read("%c", "Sun Nov  6 08:49:37 1994"), "1994-11-06T08:49:37Z");
    EXPECT_EQ(read("%D %r", "11/06/94 08:49:37 PM"), "1994-11-06T20:49:37Z");
    EXPECT_EQ(read("%m/%d/%y %I:%M %p", "1/2/69 12:00 am"), "1969-01-02T00:00:00Z");
    EXPECT_EQ(read("%m/%d/%y %I:%M %p", "1/2/68 12:30 PM"), "2068-01-02T12:30:00Z");
    EXPECT_EQ(read("%Y%m%dT%H%M%S%z", "20151018T180147Z"), "2015-10-18T18:01:47Z");
    EXPECT_EQ(read("%Y %j %R", "2016 366 23:59"), "2016-12-31T23:59:00Z");
    EXPECT_EQ(read("%s", "1446249499"), "2015-10-30T23:58:19Z");
    EXPECT_EQ(read("%s", "-1.25"), "1969-12-31T23:59:58.750Z");
    EXPECT_EQ(read("%F%n%T%t", "2015-10-18\n18:01:47"), "2015-10-18T18:01:47Z");
    EXPECT_EQ(read("%F 100%%", "2015-10-18 100%"), "2015-10-18T00:00:00Z");
    EXPECT_EQ(read("%Y-%m", "2015-10"), "2015-10-01T00:00:00Z");
    EXPECT_EQ(read("%Y", "2015"), "2015-01-01T00:00:00Z");
    EXPECT_EQ(read("%F %T %z", "2015-10-18 18:01:47 -07:30"), "2015-10-19T01:31:47Z");
    EXPECT_EQ(read("%F %T", "2016-12-31 23:59:60"), "2017-01-01T00:00:00Z");
    EXPECT_EQ(read("%Ez %F", "Z 2015-10-18").substr(0, 5), "error");
}

TEST(TimeFormat, RareLettersGoToTheDateLibrary) {
    EXPECT_EQ(read("%G-W%V-%u", "2015-W53-5"), "2016-01-01T00:00:00Z");
    EXPECT_EQ(read("%Y %U %w %T", "2015 42 0 18:01:47"), "2015-10-18T18:01:47Z");
    EXPECT_EQ(read("%C%y-%m-%d %H:%M:%S", "2015-10-18 18:01:47.5"), "2015-10-18T18:01:47.500Z");
    EXPECT_EQ(read("%F %T %Ez", "2015-10-18 18:01:47 +02:00"), "2015-10-18T16:01:47Z");
    EXPECT_TRUE(fails("%G-W%V-%u", "2015-W53-5x"));
    EXPECT_TRUE(fails("%G-W%V-%u", "2015-Wxx-5"));
    EXPECT_TRUE(fails("%G-W%V-%u", ""));
    TimeParser one = parser(with_format("%G-W%V-%u"));
    EXPECT_FALSE(one.parse_text("nothing"));
    EXPECT_EQ(shown(one.parse_text("2015-W01-1")), "2014-12-29T00:00:00Z");
}

TEST(TimeFormat, RefusesWhatDoesNotMatch) {
    EXPECT_TRUE(fails("%F %T", "2015-10-18 18:01:47 UTC"));
    EXPECT_TRUE(fails("%F %T", "2015-10-18 18:01"));
    EXPECT_TRUE(fails("%F %T", "2015-10-18 24:01:00"));
    EXPECT_TRUE(fails("%F %T", "2015-10-18 18:60:00"));
    EXPECT_TRUE(fails("%F %T", "2015-10-18 18:00:61"));
    EXPECT_TRUE(fails("%F %T", "2015-02-29 18:00:00"));
    EXPECT_TRUE(fails("%F %T", "2015-13-01 18:00:00"));
    EXPECT_TRUE(fails("%F %T", "2015-10-18 18:01:47."));
    EXPECT_TRUE(fails("%F %T", "2015-10-18 18:01:47.1234567890"));
    EXPECT_TRUE(fails("%F %T", ""));
    EXPECT_TRUE(fails("%a %F", "Mon 2015-10-18"));
    EXPECT_TRUE(fails("%b %Y", "Okt 2015"));
    EXPECT_TRUE(fails("%Y %j", "2015 366"));
    EXPECT_TRUE(fails("%Y %j", "2015 000"));
    EXPECT_TRUE(fails("%F %I %p", "2015-10-18 13 PM"));
    EXPECT_TRUE(fails("%F %I %p", "2015-10-18 00 AM"));
    EXPECT_TRUE(fails("%F %T %Z", "2015-10-18 18:01:47 CEST"));
    EXPECT_TRUE(fails("%F %T %Z", "2015-10-18 18:01:47 UTCX"));
    EXPECT_TRUE(fails("%F %T %z", "2015-10-18 18:01:47 +25:00"));
    EXPECT_TRUE(fails("%s", "99999999999"));
    EXPECT_TRUE(fails("%s", "9999999999999"));
    EXPECT_TRUE(fails("%s", "-"));
    EXPECT_TRUE(fails("%F", "9999-01-01"));
}

TEST(TimeFormat, FormatsThatNameNoTime) {
    for (const char* bad : {"x", "%", "%Q!", "%z", "%p", "%M:%S", "%d %H", "%Y %d", "%I:%M", "%b", "%i",
                            "%V %s", "%U %a", "%Y %U", "%F %T %"}) {
        const auto made = TimeParser::make(with_format(bad));
        ASSERT_FALSE(made) << bad;
        EXPECT_EQ(made.error().kind(), ErrorKind::usage) << bad;
    }
}

TEST(TimeFormat, NumbersReadByTheFormatUnlessAUnitIsGiven) {
    EXPECT_EQ(shown(parser(with_format("%Y%m%d")).parse_number("20151018")), "2015-10-18T00:00:00Z");
    TimeOptions both = with_format("%Y%m%d");
    both.unit = TimeUnit::s;
    EXPECT_EQ(shown(parser(both).parse_number("20151018")), "1970-08-22T05:30:18Z");
    EXPECT_EQ(shown(parser(both).parse_text("20151018")), "2015-10-18T00:00:00Z");
}

TEST(TimeFormat, ZoneOfClocksWithoutOffset) {
    TimeParser one = parser(with_format("%F %T", "", "America/New_York"));
    EXPECT_EQ(shown(one.parse_text("2015-07-01 00:00:00")), "2015-07-01T04:00:00Z");
    EXPECT_EQ(shown(one.parse_text("2015-12-01 00:00:00")), "2015-12-01T05:00:00Z");
    EXPECT_EQ(shown(one.parse_text("2015-03-08 02:59:59")), "2015-03-08T07:00:00Z");
    EXPECT_EQ(shown(one.parse_text("2015-11-01 01:59:59")), "2015-11-01T05:59:59Z");
}

TEST(TimeBase, IsAskedForWhereItIsNeeded) {
    const auto no_year = TimeParser::make(with_format("%b %e %T"));
    ASSERT_FALSE(no_year);
    EXPECT_EQ(no_year.error().kind(), ErrorKind::usage);
    EXPECT_EQ(no_year.error().hint(), "--base YEAR");
    const auto no_date = TimeParser::make(with_format("%T", "2017"));
    ASSERT_FALSE(no_date);
    EXPECT_EQ(no_date.error().hint(), "--base YYYY-MM-DD");
    for (const char* bad :
         {"x", "17", "20170", "2017-13-01", "2017-02-29", "2017/01/01", "1600", "2300", "2013-1-1"}) {
        const auto made = TimeParser::make(with_format("%b %e %T", bad));
        ASSERT_FALSE(made) << bad;
        EXPECT_EQ(made.error().kind(), ErrorKind::usage);
    }
    EXPECT_FALSE(TimeParser::make(with_format("%F", "2017")));
    EXPECT_FALSE(TimeParser::make(with_format("", "2013-10-07")));
}

TEST(TimeBase, YearRollsOverAndBack) {
    TimeParser one = parser(with_format("%b %e %H:%M:%S", "2017"));
    EXPECT_EQ(shown(one.parse_text("Dec 10 06:55:46")), "2017-12-10T06:55:46Z");
    EXPECT_EQ(shown(one.parse_text("Dec 31 23:59:59")), "2017-12-31T23:59:59Z");
    EXPECT_EQ(shown(one.parse_text("Jan  1 00:00:00")), "2018-01-01T00:00:00Z");
    EXPECT_EQ(shown(one.parse_text("Dec 31 23:59:58")), "2017-12-31T23:59:58Z");
    EXPECT_EQ(shown(one.parse_text("Jan  1 00:00:01")), "2018-01-01T00:00:01Z");
    EXPECT_EQ(shown(one.parse_text("May  1 00:00:01")), "2018-05-01T00:00:01Z");
    EXPECT_EQ(shown(one.parse_text("Oct 11 00:00:01")), "2018-10-11T00:00:01Z");
    EXPECT_EQ(shown(one.parse_text("Jan  1 00:00:01")), "2019-01-01T00:00:01Z");
}

TEST(TimeBase, BadTimesDoNotMoveTheYear) {
    TimeParser one = parser(with_format("%b %e %H:%M:%S", "2017"));
    ASSERT_TRUE(one.parse_text("Dec 31 23:59:59"));
    EXPECT_FALSE(one.parse_text("Jan  1 25:00:00"));
    EXPECT_FALSE(one.parse_text("Feb 30 00:00:00"));
    EXPECT_EQ(shown(one.parse_text("Dec 31 23:59:59")), "2017-12-31T23:59:59Z");
}

TEST(TimeBase, LeapDays) {
    EXPECT_EQ(read("%b %e", "Feb 29", "2016"), "2016-02-29T00:00:00Z");
    EXPECT_TRUE(fails("%b %e", "Feb 29", "2017"));
    TimeParser one = parser(with_format("%b %e", "2015"));
    EXPECT_EQ(shown(one.parse_text("Dec 30")), "2015-12-30T00:00:00Z");
    EXPECT_EQ(shown(one.parse_text("Feb 29")), "2016-02-29T00:00:00Z");
    EXPECT_EQ(shown(one.parse_text("Mar  1")), "2016-03-01T00:00:00Z");
    TimeParser two = parser(with_format("%b %e", "2017"));
    EXPECT_EQ(shown(two.parse_text("Feb 28")), "2017-02-28T00:00:00Z");
    EXPECT_FALSE(two.parse_text("Feb 29"));
    TimeParser by_day = parser(with_format("%j %H", "2015"));
    EXPECT_EQ(shown(by_day.parse_text("365 00")), "2015-12-31T00:00:00Z");
    EXPECT_EQ(shown(by_day.parse_text("001 00")), "2016-01-01T00:00:00Z");
    EXPECT_FALSE(by_day.parse_text("366 00").has_value() &&
                 shown(by_day.parse_text("366 00")) != "2016-12-31T00:00:00Z");
}

TEST(TimeBase, YearWithoutFormatReadsSyslog) {
    TimeParser one = parser(with_format("", "2017"));
    EXPECT_EQ(shown(one.parse_text("Dec 10 06:55:46")), "2017-12-10T06:55:46Z");
    EXPECT_FALSE(one.parse_text("2026-01-01T00:00:00Z"));
    EXPECT_EQ(shown(parser(with_format("", "2017")).parse_text("2026-01-01T00:00:00Z")),
              "2026-01-01T00:00:00Z");
}

TEST(TimeBase, DateChoosesTheYearItIsNear) {
    EXPECT_EQ(read("%b %e", "Jan  2", "2013-12-31"), "2014-01-02T00:00:00Z");
    EXPECT_EQ(read("%b %e", "Dec 30", "2014-01-01"), "2013-12-30T00:00:00Z");
}

TEST(TimeBase, TimesOfDayRollOverMidnight) {
    TimeParser one = parser(with_format("%H:%M:%S", "2013-10-07"));
    EXPECT_EQ(shown(one.parse_text("23:59:59.5")), "2013-10-07T23:59:59.500Z");
    EXPECT_EQ(shown(one.parse_text("00:00:01")), "2013-10-08T00:00:01Z");
    EXPECT_EQ(shown(one.parse_text("23:59:58")), "2013-10-07T23:59:58Z");
    EXPECT_EQ(shown(one.parse_text("00:00:02")), "2013-10-08T00:00:02Z");
    EXPECT_EQ(shown(one.parse_text("08:00:02")), "2013-10-08T08:00:02Z");
    EXPECT_EQ(shown(one.parse_text("16:00:00")), "2013-10-08T16:00:00Z");
    EXPECT_EQ(shown(one.parse_text("01:00:00")), "2013-10-09T01:00:00Z");
    TimeParser zoned = parser(with_format("%H:%M", "2013-10-07", "America/New_York"));
    EXPECT_EQ(shown(zoned.parse_text("09:30")), "2013-10-07T13:30:00Z");
}

TEST(TimeBase, NumbersCountFromMidnight) {
    TimeOptions options = with_format("", "2013-10-07", "America/New_York");
    options.unit = TimeUnit::ms;
    TimeParser one = parser(options);
    EXPECT_EQ(shown(one.parse_number("34200000")), "2013-10-07T13:30:00Z");
    EXPECT_EQ(shown(one.parse_text("34200000.5")), "2013-10-07T13:30:00.000500Z");
    EXPECT_EQ(shown(one.parse_number("86400000")), "2013-10-08T04:00:00Z");
    EXPECT_FALSE(one.parse_number("9e12"));
}

TEST(TimeBase, SaveCarriesTheYear) {
    TimeParser one = parser(with_format("%b %e", "2017"));
    ASSERT_TRUE(one.parse_text("Dec 31"));
    ASSERT_TRUE(one.parse_text("Jan  1"));
    TimeParser two = parser(with_format("%b %e", "2017"));
    ASSERT_TRUE(two.load(one.save()));
    EXPECT_EQ(shown(two.parse_text("Jan  2")), "2018-01-02T00:00:00Z");
}

// A log in order, none of its gaps longer than five months, keeps its years.
RC_GTEST_PROP(TimeBaseProperty, YearsAreRestored, ()) {
    TimeNs time = 1'483'228'800 * ns_per_second;  // 2017
    TimeParser full = parser(with_format("%Y-%m-%d %H:%M:%S"));
    TimeParser lacking = parser(with_format("%m-%d %H:%M:%S", "2017"));
    for (const int hours : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 150 * 24))) {
        const std::string text = to_rfc3339(time);
        RC_ASSERT(shown(lacking.parse_text(text.substr(5, 5) + " " + text.substr(11, 8))) == text);
        RC_ASSERT(shown(full.parse_text(text.substr(0, 10) + " " + text.substr(11, 8))) == text);
        time += hours * ns_per_hour;
    }
}

RC_GTEST_PROP(TimeFormatProperty, AnyFormatAndTextAreSafe, ()) {
    const auto letters =
        *rc::gen::container<std::string>(rc::gen::elementOf(std::string("%%%%%YmdHMSbjzpIs:- TUVGE1")));
    const auto text =
        *rc::gen::container<std::string>(rc::gen::elementOf(std::string("0123456789:-+ JanPMZ.")));
    auto made = TimeParser::make(with_format(letters.empty() ? "%F" : letters));
    if (made) (void)made->parse_text(text);
}

}  // namespace
}  // namespace stream
