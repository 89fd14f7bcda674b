// SPDX-License-Identifier: Apache-2.0
// Expected values are those of jq 1.6, the binary, unless a test says otherwise.
#include "expr/run.hpp"
#include "expr/val.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace stream::expr {
namespace {

// What a builtin gives for JSON texts: its result as tojson writes it, "error: …" or "punt".
std::string call(std::string_view name, std::string_view in, std::vector<std::string_view> args = {}) {
    Run run(1u << 20, 1000, 0);
    for (const Builtin& builtin : date_builtins()) {
        if (builtin.name != name || builtin.arguments != args.size()) continue;
        std::vector<Val> values;
        for (const std::string_view arg : args) values.push_back(val_of_json(arg));
        try {
            const Val result = builtin.function(run, val_of_json(in), values.data());
            if (result.is_failed()) return "error: " + run.message();
            std::string out;
            append_json(run.arena, out, result);
            return out;
        } catch (const Punt&) {
            return "punt";
        }
    }
    return "no such builtin";
}

TEST(Dates, gmtime) {
    EXPECT_EQ(call("gmtime", "0"), "[1970,0,1,0,0,0,4,0]");
    EXPECT_EQ(call("gmtime", "1425599621"), "[2015,2,5,23,53,41,4,63]");
    EXPECT_EQ(call("gmtime", "1425599621.0"), "[2015,2,5,23,53,41,4,63]");
    EXPECT_EQ(call("gmtime", "-1"), "[1969,11,31,23,59,59,3,364]");
    EXPECT_EQ(call("gmtime", "1e10"), "[2286,10,20,17,46,40,6,323]");
    EXPECT_EQ(call("gmtime", "253402300799"), "[9999,11,31,23,59,59,5,364]");
    EXPECT_EQ(call("gmtime", R"("1")"), "error: gmtime() requires numeric inputs, not string");
    for (const std::string_view in :
         {"1425599621.678", "-0.5", "253402300800", "-62135596800", "1e18", "1e300"}) {
        EXPECT_EQ(call("gmtime", in), "punt") << in;
    }
}

TEST(Dates, mktime) {
    EXPECT_EQ(call("mktime", "[2015,2,5,23,51,47,4,63]"), "1425599507");
    EXPECT_EQ(call("mktime", "[2015,2,5,23,51,47,0,0]"), "1425599507");
    EXPECT_EQ(call("mktime", "[1900,0,1,0,0,0,0,0]"), "-2208988800");
    EXPECT_EQ(call("mktime", R"("x")"), "error: mktime requires array inputs, not string");
    for (const std::string_view in :
         {"[]", "[2015,2,5,23,51,41]", "[2015,2,5,23,51,41.678,4,63]", "[2015,14,35,25,61,61,0,0]",
          "[2015,1,31,0,0,0,0,0]", "[1969,11,31,23,59,59,3,364]", R"([2015,2,5,23,51,"a",4,63])",
          "[2015,2,5,23,51,41,4,63,9]", "[15,2,5,23,51,41,4,63]", "[1e10,2,5,23,51,41,4,63]",
          "[2015,-1,5,23,51,41,4,63]"}) {
        EXPECT_EQ(call("mktime", in), "punt") << in;
    }
}

TEST(Dates, strftime) {
    EXPECT_EQ(call("strftime", "1425599621", {R"("%A, %d %B %Y %H:%M:%S")"}),
              R"("Thursday, 05 March 2015 23:53:41")");
    EXPECT_EQ(call("strftime", "[2015,2,5,23,53,41,4,63]", {R"("%F %j %U")"}), R"("2015-03-05 064 09")");
    EXPECT_EQ(call("strftime", "0", {R"("é %e %y %% %I %p %V")"}), R"("é  1 70 % 12 AM 01")");
    EXPECT_EQ(call("strftime", R"("a")", {R"("%Y")"}),
              "error: strftime/1 requires parsed datetime inputs, not string");
    EXPECT_EQ(call("strftime", "0", {"5"}), "error: strftime/1 requires a string format, not number");
    for (const std::string_view format :
         {R"("%Z")", R"("%z")", R"("%s")", R"("%-d")", R"("%")", R"("%q")", R"("")", R"("a\u0000")"}) {
        EXPECT_EQ(call("strftime", "0", {format}), "punt") << format;
    }
    // A weekday that is not the date's.
    EXPECT_EQ(call("strftime", "[2015,2,5,23,51,41,0,0]", {R"("%A")"}), "punt");
}

TEST(Dates, todate) {
    EXPECT_EQ(call("todate", "1425599621"), R"("2015-03-05T23:53:41Z")");
    EXPECT_EQ(call("todateiso8601", "-86400"), R"("1969-12-31T00:00:00Z")");
    EXPECT_EQ(call("todate", "[2015,2,5,23,51,41,4,63]"), R"("2015-03-05T23:51:41Z")");
    EXPECT_EQ(call("todate", "-30610224000"), R"("1000-01-01T00:00:00Z")");
    EXPECT_EQ(call("todate", "1425599621.678"), R"("2015-03-05T23:53:41Z")");
    EXPECT_EQ(call("todate", "null"), "error: strftime/1 requires parsed datetime inputs, not null");
    for (const std::string_view in :
         {"-0.5", "1e12", "-30610224001", "[2015,14,35,25,61,61,0,0]"}) {
        EXPECT_EQ(call("todate", in), "punt") << in;
    }
}

TEST(Dates, strptime) {
    const auto parsed = [](std::string_view text, std::string_view format) {
        return call("strptime", '"' + std::string(text) + '"', {'"' + std::string(format) + '"'});
    };
    EXPECT_EQ(parsed("2015-03-05T23:51:47Z", "%Y-%m-%dT%H:%M:%SZ"), "[2015,2,5,23,51,47,4,63]");
    EXPECT_EQ(parsed("5 Mar 2015", "%d %b %Y"), "[2015,2,5,0,0,0,4,63]");
    EXPECT_EQ(parsed("5 MARCH 2015", "%e %B %Y"), "[2015,2,5,0,0,0,4,63]");
    EXPECT_EQ(parsed("2015-064", "%Y-%j"), "[2015,2,5,0,0,0,4,63]");
    EXPECT_EQ(parsed(" 2015-3- 5", "%F"), "[2015,2,5,0,0,0,4,63]");
    EXPECT_EQ(parsed("2015-03-05 23:51:47Z", "%F %T%Z"), "[2015,2,5,23,51,47,4,63]");
    EXPECT_EQ(parsed("17/May/2015:10:05:03 +0000", "%d/%b/%Y:%H:%M:%S %z"), "[2015,4,17,10,5,3,0,136]");
    EXPECT_EQ(parsed("10:05:03 PM 03/05/15", "%I:%M:%S %p %D"), "[2015,2,5,22,5,3,4,63]");
    EXPECT_EQ(parsed("2015-13-05", "%F"), R"(error: date "2015-13-05" does not match format "%F")");
    EXPECT_EQ(parsed("2015-03-05x", "%F"), R"(error: date "2015-03-05x" does not match format "%F")");
    EXPECT_EQ(parsed("", "%F"), R"(error: date "" does not match format "%F")");
    EXPECT_EQ(call("strptime", "5", {R"("%Y")"}),
              "error: strptime/1 requires string inputs and arguments, not number");
    EXPECT_EQ(call("strptime", R"("5")", {"[]"}),
              "error: strptime/1 requires string inputs and arguments, not array");
    const std::vector<std::vector<std::string_view>> odd = {
        {"2015", "%Y"},
        {"10:05", "%H:%M"},
        {"2015-02-31", "%F"},
        {"2015 366", "%Y %j"},
        {"2015-03-05 ", "%F"},
        {"2015-12-31T23:59:60Z", "%FT%TZ"},
        {"0001-01-01", "%F"},
        {"1425599621", "%s"},
        {"Mon, 05 Mar 2015", "%a, %d %b %Y"},
        {"2015-03-05UTC", "%F%Z"},
        {"2015-03-05T23:51:47+0100", "%FT%T%z"},
        {"2015-03-05\\u0000", "%F"},
    };
    for (const auto& row : odd) EXPECT_EQ(parsed(row[0], row[1]), "punt") << row[0];
}

TEST(Dates, fromdate) {
    EXPECT_EQ(call("fromdate", R"("2015-03-05T23:51:47Z")"), "1425599507");
    EXPECT_EQ(call("fromdateiso8601", R"("1969-01-01T00:00:00Z")"), "-31536000");
    EXPECT_EQ(call("fromdate", R"(" 2015-3-05T 23:51:47Z")"), "1425599507");
    EXPECT_EQ(call("fromdate", R"("2015-03-05T23:51:47.123Z")"),
              R"(error: date "2015-03-05T23:51:47.123Z" does not match format "%Y-%m-%dT%H:%M:%SZ")");
    EXPECT_EQ(call("fromdate", R"("2015-03-05t23:51:47z")"),
              R"(error: date "2015-03-05t23:51:47z" does not match format "%Y-%m-%dT%H:%M:%SZ")");
    EXPECT_EQ(call("fromdate", "5"), "error: strptime/1 requires string inputs and arguments, not number");
    for (const std::string_view in : {R"("1969-12-31T23:59:59Z")", R"("2015-02-30T00:00:00Z")",
                                      R"("2015-02-20T23:59:60Z")", R"("0999-02-20T23:59:00Z")"}) {
        EXPECT_EQ(call("fromdate", in), "punt") << in;
    }
}

// Ours: the reading of lib/time, each value by itself.
TEST(Dates, seconds) {
    EXPECT_EQ(call("seconds", "1425599621"), "1425599621");
    EXPECT_EQ(call("seconds", "1425599621.678"), "1425599621.678");
    EXPECT_EQ(call("seconds", "1425599621678"), "1425599621.678");
    EXPECT_EQ(call("seconds", "1425599621678901"), "1425599621.678901");
    EXPECT_EQ(call("seconds", "1425599621678901234"), "1425599621.678901234");
    EXPECT_EQ(call("seconds", "1425599621000"), "1425599621");
    EXPECT_EQ(call("seconds", R"("1425599621.5")"), "1425599621.5");
    EXPECT_EQ(call("seconds", R"("2015-03-05T23:51:47Z")"), "1425599507");
    EXPECT_EQ(call("seconds", R"("2015-03-05 23:51:47.000000001+01:00")"), "1425595907.000000001");
    EXPECT_EQ(call("seconds", R"("17/May/2015:10:05:03 +0200")"), "1431849903");
    EXPECT_EQ(call("seconds", R"("17\/May/2015:10:05:03 +0000")"), "1431857103");
    EXPECT_EQ(call("seconds", R"("1969-12-31T23:59:59.25Z")"), "-0.75");
    EXPECT_EQ(call("seconds", "-1.5"), "-1.5");
    EXPECT_EQ(call("seconds", "0"), "0");
    EXPECT_EQ(call("seconds", R"("x")"), R"(error: not a time: string ("x"))");
    EXPECT_EQ(call("seconds", "null"), "error: not a time: null (null)");
    EXPECT_EQ(call("seconds", "[1]"), "error: not a time: array ([1])");
    EXPECT_EQ(call("seconds", "1e300"), "error: not a time: number (1e+300)");
}

TEST(Dates, seconds_of_a_computed_number) {
    stream::expr::Run run(1u << 20, 1000, 0);
    for (const Builtin& builtin : date_builtins()) {
        if (builtin.name != "seconds") continue;
        std::string out;
        append_json(run.arena, out, builtin.function(run, Val::of_number(1425599621.678), nullptr));
        EXPECT_EQ(out, "1425599621.678");
        out.clear();
        append_json(run.arena, out, builtin.function(run, Val::of_integer(1425599621678), nullptr));
        EXPECT_EQ(out, "1425599621.678");
    }
}

}  // namespace
}  // namespace stream::expr
