// SPDX-License-Identifier: Apache-2.0
// stream-window at its limits: refused command lines, memory, the ends of time, calendars, damaged state.
#include "window_test_support.hpp"

namespace stream::testing {
namespace {

std::string key(const std::string& json) { return "\"k\":" + json; }

// --- refusals ----------------------------------------------------------------------------------

TEST(WindowDetails, WhatMeansNothingIsRefused) {
    for (const char* wrong : {"sliding 10 count --offset 5",
                              "session 10 count --offset 5",
                              "rows 3 count --offset 5",
                              "all count --offset 5",
                              "tumbling 10 count --max 5",
                              "session 10 count --compare",
                              "all count --compare",
                              "rows 3 count --compare",
                              "session 10 count --fill all",
                              "sliding 10 count --fill all",
                              "all count --fill 10",
                              "session 10 count --top 3",
                              "rows 3 count --top 3",
                              "sliding 10 count --every 5",
                              "rows 3 count --every 5",
                              "sliding 10 count --changes",
                              "sliding 10 count --allowed-lateness 5",
                              "rows 3 count --allowed-lateness 5",
                              "all count --allowed-lateness 5",
                              "session 10 count --max 30 --every 5",
                              "tumbling 10",
                              "tumbling 10 count count",
                              "tumbling 10 x=count x=sum:v",
                              "tumbling 10 window_start=count",
                              "tumbling 10 k=count --by k",
                              "tumbling 10 repo=count --by repo.name",
                              "tumbling 10 count --by window_end",
                              "all count --by ts",
                              "all ts=count",
                              "tumbling 10 revision=count --every 5",
                              "tumbling 10 final=count --allowed-lateness 5",
                              "tumbling 10 count count_change=sum:v --compare",
                              "tumbling 10 count --compare --by count_before",
                              "tumbling 10 count --top 3:sum_v",
                              "hopping 100s 1ms count:x p99:v",
                              "hopping 1000000 1 count",
                              "hopping 1mo 1d count --tz UTC",
                              "hopping 3d 2d count --tz UTC"}) {
        EXPECT_NE(refusal(wrong), "") << wrong;
    }
    for (const char* right :
         {"tumbling 10 revision=count", "tumbling 10 count count_change=sum:v", "rows 3 window_start=count",
          "all count --top 3 --by k", "hopping 10 3 count --offset 100",
          "tumbling 10 revision=count --every 5 --changes", "hopping 1000 1 p99:v",
          "hopping 100s 1ms approx_p99:v", "hopping 1w 1d count --tz UTC", "tumbling 10 n=count --top 3:n"}) {
        EXPECT_EQ(refusal(right), "") << right;
    }
    EXPECT_NE(refusal("hopping 100s 1ms distinct:u p99:v").find("approx_p99:v"), std::string::npos);
}

TEST(WindowDetails, PastMemoryItStopsAndNamesTheApproximateForm) {
    for (const std::string kind : {"tumbling 10", "session 10", "sliding 10", "rows 100000", "all"}) {
        WindowDriver d(kind + " --memory 20000 count distinct:v");
        try {
            for (int i = 0; i < 10000; ++i) d.at(1, "\"v\":" + std::to_string(i));
            d.wm(10);  // sliding gets its events now
            ADD_FAILURE() << kind;
        } catch (const std::runtime_error& error) {
            EXPECT_NE(std::string(error.what()).find("--memory"), std::string::npos);
        }
    }
    // What lies on the heap of a sketch or a long text counts too.
    WindowDriver d("tumbling 10 --memory 300000 last --by k");
    EXPECT_THROW(
        {
            for (int i = 0; i < 100; ++i)
                d.at(1, key(std::to_string(i)) + ",\"x\":\"" + std::string(10'000, 'x') + "\"");
        },
        std::runtime_error);
}

// --- the ends of time, and calendars -----------------------------------------------------------

TEST(WindowDetails, NothingWrapsAtTheBeginningOfTime) {
    WindowDriver d("tumbling 1000ns count");
    d.event(time_before_all + 1, "{}").event(time_before_all + 900, "{}").event(time_before_all + 2000, "{}");
    const auto lines = d.end().take();
    ASSERT_EQ(lines.size(),
              3u);  // -...775808 lies in [-...776000, -...775000), which begins before all times
    EXPECT_NE(
        lines[0].find(
            "\"1677-09-21T00:12:43.145224192Z\",\"window_end\":\"1677-09-21T00:12:43.145225Z\",\"count\":1"),
        std::string::npos)
        << lines[0];
    EXPECT_NE(
        lines[1].find(
            "\"1677-09-21T00:12:43.145225Z\",\"window_end\":\"1677-09-21T00:12:43.145226Z\",\"count\":1"),
        std::string::npos)
        << lines[1];
    for (const char* kind :
         {"hopping 3000ns 1000ns count", "hopping 100000d 50000d count",
          "tumbling 100000d count --offset -80000d", "session 100000d count", "sliding 100000d count",
          "tumbling 1mo --tz Europe/Berlin count", "hopping 1w 1d --tz Europe/Berlin count"}) {
        WindowDriver far(kind);
        for (const TimeNs time : {time_before_all + 1, time_before_all + 5000, TimeNs{0}, time_after_all - 1})
            far.event(time, "{}");
        far.watermark(time_before_all + 10).watermark(0).watermark(time_after_all - 1).restart();
        EXPECT_GE(far.end().take().size(), 2u) << kind;
        EXPECT_TRUE(far.lates.empty()) << kind;
    }
}

Lines bounds(const std::string& options, const std::vector<std::string>& times) {
    WindowDriver d(options);
    auto parser = must(TimeParser::make({}));
    for (const std::string& time : times) d.event(must(parser.parse_text(time)), "{}");
    Lines all;
    for (const std::string& line : d.end().take()) {
        const std::string start = line.substr(17, line.find('"', 17) - 17);
        const auto end = line.find("\"window_end\":\"") + 14;
        all.push_back(start + " " + line.substr(end, line.find('"', end) - end) +
                      line.substr(line.find(",\"count\"")));
    }
    return all;
}

TEST(WindowDetails, CalendarDaysFollowTheClockChanges) {
    EXPECT_EQ(
        bounds("tumbling 1d --tz Europe/Berlin count", {"2026-03-28T22:59:59Z", "2026-03-28T23:00:00Z",
                                                        "2026-03-29T21:59:59Z", "2026-03-29T22:00:00Z"}),
        (Lines{"2026-03-27T23:00:00Z 2026-03-28T23:00:00Z,\"count\":1}",
               "2026-03-28T23:00:00Z 2026-03-29T22:00:00Z,\"count\":2}",
               "2026-03-29T22:00:00Z 2026-03-30T22:00:00Z,\"count\":1}"}));
    EXPECT_EQ(bounds("tumbling 1d --tz Europe/Berlin count",
                     {"2026-10-24T22:00:00Z", "2026-10-25T22:59:59Z", "2026-10-25T23:00:00Z"}),
              (Lines{"2026-10-24T22:00:00Z 2026-10-25T23:00:00Z,\"count\":2}",
                     "2026-10-25T23:00:00Z 2026-10-26T23:00:00Z,\"count\":1}"}));
}

TEST(WindowDetails, CalendarWeeksMonthsAndHops) {
    EXPECT_EQ(bounds("tumbling 1w --tz Europe/Berlin count",
                     {"2026-03-25T12:00:00Z", "2026-03-29T21:59:59Z", "2026-03-29T22:00:00Z"}),
              (Lines{"2026-03-22T23:00:00Z 2026-03-29T22:00:00Z,\"count\":2}",
                     "2026-03-29T22:00:00Z 2026-04-05T22:00:00Z,\"count\":1}"}));
    EXPECT_EQ(
        bounds("tumbling 1w count", {"1970-01-01T00:00:00Z", "1970-01-07T23:59:59Z", "1970-01-08T00:00:00Z"}),
        (Lines{"1970-01-01T00:00:00Z 1970-01-08T00:00:00Z,\"count\":2}",
               "1970-01-08T00:00:00Z 1970-01-15T00:00:00Z,\"count\":1}"}));
    EXPECT_EQ(bounds("tumbling 1mo --tz Europe/Berlin count",
                     {"2026-02-28T22:59:59Z", "2026-02-28T23:00:00Z", "2026-03-31T21:59:59Z"}),
              (Lines{"2026-01-31T23:00:00Z 2026-02-28T23:00:00Z,\"count\":1}",
                     "2026-02-28T23:00:00Z 2026-03-31T22:00:00Z,\"count\":2}"}));
    EXPECT_EQ(bounds("hopping 2d 1d --tz Europe/Berlin count", {"2026-03-29T12:00:00Z"}),
              (Lines{"2026-03-27T23:00:00Z 2026-03-29T22:00:00Z,\"count\":1}",
                     "2026-03-28T23:00:00Z 2026-03-30T22:00:00Z,\"count\":1}"}));
    EXPECT_EQ(bounds("tumbling 1d --tz Europe/Berlin --offset 6h count",
                     {"2026-03-29T03:59:59Z", "2026-03-29T04:00:00Z"}),
              (Lines{"2026-03-28T05:00:00Z 2026-03-29T04:00:00Z,\"count\":1}",
                     "2026-03-29T04:00:00Z 2026-03-30T04:00:00Z,\"count\":1}"}));
    EXPECT_EQ(bounds("tumbling 1d --tz Europe/Berlin --fill all count",
                     {"2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z"}),
              (Lines{"2026-10-23T22:00:00Z 2026-10-24T22:00:00Z,\"count\":1}",
                     "2026-10-24T22:00:00Z 2026-10-25T23:00:00Z,\"count\":0}",
                     "2026-10-25T23:00:00Z 2026-10-26T23:00:00Z,\"count\":1}"}));
}

// --- saved state -------------------------------------------------------------------------------

TEST(WindowDetails, StateThatIsCutShortIsFoundOut) {
    for (const std::string options :
         {"hopping 20 10 --by k count increase:v --allowed-lateness 50 --fill 30 --compare --changes",
          "session 10 --by k count increase:v --max 20",
          "session 10 --by k count --allowed-lateness 20 --every 5", "sliding 10 --by k count increase:v",
          "rows 3 count last", "all count --every 5"}) {
        FieldSet fields;
        auto op = must(make_window(window_options(options), fields));
        Scanner scanner(fields);
        WindowDriver sink("all count");
        for (int i = 0; i < 40; ++i) {
            std::string text = "{\"k\":" + std::to_string(i % 3) + ",\"v\":" + std::to_string(i) + "}\n";
            const std::size_t size = text.size();
            text.append(scanner_padding, ' ');
            scanner.start(text.data(), size);
            ASSERT_EQ(scanner.next(), Scanner::Outcome::event);
            const TimeNs time = i * 4 * ms;
            must(op->on_event(0, Event{scanner.line(), time, static_cast<std::uint64_t>(i), scanner.values()},
                              sink));
            must(op->on_watermark(time - 8 * ms, sink));
        }
        StateWriter writer;
        op->snapshot(writer);
        for (std::size_t size = 0; size < writer.bytes().size(); ++size) {
            FieldSet other_fields;
            auto other = must(make_window(window_options(options), other_fields));
            const std::string cut = writer.bytes().substr(0, size);
            StateReader reader(cut);
            EXPECT_FALSE(other->restore(reader)) << options << ' ' << size;
        }
    }
}

}  // namespace
}  // namespace stream::testing
