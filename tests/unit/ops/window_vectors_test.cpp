// SPDX-License-Identifier: Apache-2.0
// The shared vectors of windows (W) and watermarks (M), as other engines or a derivation have them;
// watermarks are injected, exclusive: no later event is older. What of them is left out, or meant
// differently here, is in docs/adr/0003-vectors.md. M01, M03 and M06 are in time/watermark_test.cpp.
#include "window_test_support.hpp"

#include <initializer_list>

namespace stream::testing {
namespace {

constexpr std::int64_t minute = 60'000;

// hh:mm and hh:mm:ss as milliseconds of a day.
std::int64_t clock(const std::string& text) {
    std::int64_t seconds = std::stoll(text.substr(0, 2)) * 3600 + std::stoll(text.substr(3, 2)) * 60;
    if (text.size() > 5) seconds += std::stoll(text.substr(6, 2));
    return seconds * 1000;
}

std::string of_key(const std::string& key) { return "\"k\":\"" + key + "\""; }

Lines windows_of(const std::string& options, std::int64_t time_ms) {
    return WindowDriver(options).at(time_ms).end().brief();
}

// `[start,end) "count":1` for windows of a size.
Lines windows(std::int64_t size, std::initializer_list<std::int64_t> starts) {
    Lines lines;
    for (const std::int64_t start : starts) {
        lines.push_back("[" + std::to_string(start) + "," + std::to_string(start + size) + ") \"count\":1");
    }
    return lines;
}

// --- fixed windows -----------------------------------------------------------------------------

TEST(WindowVectors, W01TumblingStartWithOffset) {
    const std::int64_t cases[][3] = {{0, 1, 0},   {0, 6, 0},   {0, 7, 7},    {0, 8, 7},
                                     {3, 1, -4},  {3, 2, -4},  {3, 3, 3},    {3, 9, 3},
                                     {3, 10, 10}, {-2, 1, -2}, {-2, -2, -2}, {-2, 3, -2},
                                     {-2, 4, -2}, {-2, 7, 5},  {-2, 12, 12}, {0, -1, -7}};
    for (const auto& [offset, time, start] : cases) {
        EXPECT_EQ(windows_of("tumbling 7 count --offset " + std::to_string(offset), time),
                  windows(7, {start}))
            << offset << ' ' << time;
    }
    EXPECT_EQ(windows_of("tumbling 1d count --offset -8h", 1470902048450),
              windows(86'400'000, {1470844800000}));
}

TEST(WindowVectors, W02OffsetsCountModuloTheSize) {
    const std::int64_t time = 4000;
    for (const char* offset : {"-16m", "-6m", "4m"}) {
        EXPECT_EQ(windows_of(std::string("tumbling 10m count --offset ") + offset, time),
                  windows(600'000, {-6 * minute}));
    }
    for (const char* offset : {"-4m", "6m", "16m"}) {
        EXPECT_EQ(windows_of(std::string("tumbling 10m count --offset ") + offset, time),
                  windows(600'000, {-4 * minute}));
    }
    EXPECT_EQ(windows_of("tumbling 10m count --offset 0", time), windows(600'000, {0}));
}

TEST(WindowVectors, W03HoppingStarts) {
    const std::string hopping = "hopping 5000 1000 count --offset ";
    EXPECT_EQ(windows_of(hopping + "0", 0), windows(5000, {-4000, -3000, -2000, -1000, 0}));
    EXPECT_EQ(windows_of(hopping + "0", 4999), windows(5000, {0, 1000, 2000, 3000, 4000}));
    EXPECT_EQ(windows_of(hopping + "0", 5000), windows(5000, {1000, 2000, 3000, 4000, 5000}));
    EXPECT_EQ(windows_of(hopping + "100", 100), windows(5000, {-3900, -2900, -1900, -900, 100}));
    EXPECT_EQ(windows_of(hopping + "100", 5099), windows(5000, {100, 1100, 2100, 3100, 4100}));
    EXPECT_EQ(windows_of(hopping + "100", 5100), windows(5000, {1100, 2100, 3100, 4100, 5100}));
    EXPECT_EQ(windows_of(hopping + "-100", 0), windows(5000, {-4100, -3100, -2100, -1100, -100}));
    EXPECT_EQ(windows_of(hopping + "-100", 4899), windows(5000, {-100, 900, 1900, 2900, 3900}));
    EXPECT_EQ(windows_of(hopping + "-100", 4900), windows(5000, {900, 1900, 2900, 3900, 4900}));
    for (const char* wrong :
         {"tumbling 0 count", "tumbling -5 count", "hopping 5000 0 count", "hopping 0 1000 count",
          "hopping 5000 -1 count", "session 0 count", "sliding 0 count", "rows 0 count"}) {
        EXPECT_NE(refusal(wrong), "") << wrong;
    }
}

TEST(WindowVectors, W04HoppingHoldsEveryWindowOfAnEvent) {
    WindowDriver d("hopping 10 5 collect:v");
    for (const int time : {1, 2, 5, 9, 10, 11}) d.at(time, "\"v\":" + std::to_string(time));
    EXPECT_EQ(d.end().brief(), (Lines{"[-5,5) \"collect_v\":[1,2]", "[0,10) \"collect_v\":[1,2,5,9]",
                                      "[5,15) \"collect_v\":[5,9,10,11]", "[10,20) \"collect_v\":[10,11]"}));
}

TEST(WindowVectors, W06WindowsWithGapsBetween) {
    WindowDriver d("hopping 3 10 collect:v");
    for (const int time : {1, 2, 3, 5, 9, 10, 11, 100}) d.at(time, "\"v\":" + std::to_string(time));
    EXPECT_EQ(d.end().brief(), (Lines{"[0,3) \"collect_v\":[1,2]", "[10,13) \"collect_v\":[10,11]",
                                      "[100,103) \"collect_v\":[100]"}));
    EXPECT_TRUE(d.lates.empty());
    EXPECT_TRUE(d.refused.empty());
}

void bids(WindowDriver& d, std::int64_t watermark_every = 0) {
    const std::pair<const char*, int> all[] = {{"08:05", 4}, {"08:07", 2}, {"08:09", 5},
                                               {"08:11", 3}, {"08:13", 1}, {"08:17", 6}};
    std::int64_t mark = clock("08:00");
    for (const auto& [time, price] : all) {
        while (watermark_every > 0 && mark + watermark_every <= clock(time)) d.wm(mark += watermark_every);
        d.at(clock(time), "\"price\":" + std::to_string(price));
    }
    while (watermark_every > 0 && mark < clock("08:20")) d.wm(mark += watermark_every);
}

std::string sum_of(const std::string& start, const std::string& end, int sum, const std::string& more = {}) {
    return "[" + std::to_string(clock(start)) + "," + std::to_string(clock(end)) +
           ") \"sum_price\":" + std::to_string(sum) + more;
}

TEST(WindowVectors, W08TumbleAndHopSums) {
    WindowDriver tumble("tumbling 10m sum:price");
    bids(tumble);
    EXPECT_EQ(tumble.end().brief(), (Lines{sum_of("08:00", "08:10", 11), sum_of("08:10", "08:20", 10)}));
    // window_time is the last instant, here of nanoseconds.
    EXPECT_EQ(tumble.times(), (std::vector<TimeNs>{clock("08:10") * ms - 1, clock("08:20") * ms - 1}));
    WindowDriver moved("tumbling 10m sum:price --offset 1m");
    bids(moved);
    EXPECT_EQ(moved.end().brief(), (Lines{sum_of("08:01", "08:11", 11), sum_of("08:11", "08:21", 10)}));
    WindowDriver hop("hopping 10m 5m sum:price");
    bids(hop);
    EXPECT_EQ(hop.end().brief(), (Lines{sum_of("08:00", "08:10", 11), sum_of("08:05", "08:15", 15),
                                        sum_of("08:10", "08:20", 10), sum_of("08:15", "08:25", 6)}));
}

// CUMULATE has other bounds; --every has its sums, without those that repeat.
TEST(WindowVectors, W08CumulateAsProvisionalResults) {
    WindowDriver d("tumbling 10m sum:price --every 2m");
    bids(d, 2 * minute);
    const auto provisional = [](const char* start, const char* end, int sum, int revision, bool last) {
        return sum_of(
            start, end, sum,
            ",\"revision\":" + std::to_string(revision) + ",\"final\":" + (last ? "true" : "false"));
    };
    EXPECT_EQ(d.brief(),
              (Lines{provisional("08:00", "08:10", 4, 1, false), provisional("08:00", "08:10", 6, 2, false),
                     provisional("08:00", "08:10", 11, 3, true), provisional("08:10", "08:20", 3, 1, false),
                     provisional("08:10", "08:20", 4, 2, false), provisional("08:10", "08:20", 10, 3, false),
                     provisional("08:10", "08:20", 10, 4, true)}));
}

const std::pair<const char*, const char*> orders[] = {{"10:15:00", "paint"},
                                                      {"10:24:15", "paper"},
                                                      {"10:24:45", "brush"},
                                                      {"10:58:00", "paint"},
                                                      {"11:10:00", "paint"}};

TEST(WindowVectors, W09OffsetsOfTumbleAndHop) {
    const char* starts[] = {"10:13", "10:23", "10:23", "10:53", "11:03"};
    for (std::size_t i = 0; i < 5; ++i) {
        EXPECT_EQ(windows_of("tumbling 10m count --offset 3m", clock(orders[i].first)),
                  windows(600'000, {clock(starts[i])}));
    }
    EXPECT_EQ(windows_of("hopping 10m 5m count --offset 2m", clock("10:15")),
              windows(600'000, {clock("10:07"), clock("10:12")}));
}

TEST(WindowVectors, W13LatenessIsJudgedOnTheWindow) {
    WindowDriver d("tumbling 2000 count --by k");
    d.at(1000, of_key("k2")).wm(1986).at(1980, of_key("k2"));
    EXPECT_EQ(d.wm(2000).brief(), (Lines{"[0,2000) \"k\":\"k2\",\"count\":2"}));
    d.at(1998, of_key("k2"));
    EXPECT_EQ(d.lates.size(), 1u);
    d.at(2001, of_key("k2"));
    EXPECT_EQ(d.wm(3000).brief(), Lines{});
    EXPECT_EQ(d.wm(4000).brief(), (Lines{"[2000,4000) \"k\":\"k2\",\"count\":1"}));
}

TEST(WindowVectors, W14AnEventIsLateForSomeOfItsWindows) {
    WindowDriver d("hopping 3000 1000 count --by k");
    d.at(1000, of_key("k2"));
    EXPECT_EQ(d.wm(2000).brief(), (Lines{"[-1000,2000) \"k\":\"k2\",\"count\":1"}));
    d.at(2000, of_key("k2"));
    EXPECT_EQ(d.wm(3001).brief(), (Lines{"[0,3000) \"k\":\"k2\",\"count\":2"}));
    d.at(3001, of_key("k1"))
        .at(2400, of_key("k2"))
        .at(2400, of_key("k2"))
        .at(3001, of_key("k1"))
        .at(3900, of_key("k2"));
    EXPECT_TRUE(d.lates.empty());
    EXPECT_EQ(d.wm(6001).brief(),
              (Lines{"[1000,4000) \"k\":\"k1\",\"count\":2", "[1000,4000) \"k\":\"k2\",\"count\":5",
                     "[2000,5000) \"k\":\"k1\",\"count\":2", "[2000,5000) \"k\":\"k2\",\"count\":4",
                     "[3000,6000) \"k\":\"k1\",\"count\":2", "[3000,6000) \"k\":\"k2\",\"count\":1"}));
    d.at(3001, of_key("k1"));
    EXPECT_EQ(d.lates.size(), 1u);
    EXPECT_EQ(d.wm(25001).brief(), Lines{});
}

// Final results with Kafka's stream time as the watermark: its newest time less the grace.
TEST(WindowVectors, W17KafkaTumbleFinalResults) {
    WindowDriver d("tumbling 2 count --by k");
    std::int64_t newest = -1;
    for (const int time : {0, 1, 2, 1, 0}) {
        d.at(time, of_key("k1"));
        newest = std::max<std::int64_t>(newest, time);
        EXPECT_EQ(d.wm(newest - 1).brief(), Lines{});
    }
    d.at(5, of_key("k1"));
    EXPECT_EQ(d.wm(4).brief(), (Lines{"[0,2) \"k\":\"k1\",\"count\":4", "[2,4) \"k\":\"k1\",\"count\":1"}));
    d.at(0, of_key("k1"));
    EXPECT_EQ(d.lates.size(), 1u);
    EXPECT_EQ(d.end().brief(), (Lines{"[4,6) \"k\":\"k1\",\"count\":1"}));
}

void hours(WindowDriver& d, std::initializer_list<std::pair<const char*, int>> rows) {
    for (const auto& [time, foo] : rows)
        d.at(clock(time), "\"foo\":" + std::to_string(foo)).wm(clock(time) - 5 * minute);
}

TEST(WindowVectors, W26EmitOnClose) {
    WindowDriver d("tumbling 1h max:foo first:foo");
    hours(d, {{"16:51", 1}, {"16:56", 8}, {"17:30", 3}, {"17:59", 4}, {"18:01", 6}});
    const auto hour = [](const char* start, const char* end, const std::string& rest) {
        return "[" + std::to_string(clock(start)) + "," + std::to_string(clock(end)) + ") " + rest;
    };
    EXPECT_EQ(d.brief(), (Lines{hour("16:00", "17:00", "\"max_foo\":8,\"first_foo\":1")}));
    hours(d, {{"18:10", 7}});
    EXPECT_EQ(d.brief(), (Lines{hour("17:00", "18:00", "\"max_foo\":4,\"first_foo\":3")}));
}

TEST(WindowVectors, W28NothingWrapsAtTheEndOfTime) {
    WindowDriver d("tumbling 1000ns count --allowed-lateness 2000ns");
    d.event(time_after_all - 1750, "{}");
    d.watermark(time_after_all - 1499);
    EXPECT_EQ(d.take(), Lines{});
    d.event(time_after_all - 1750, "{}");
    EXPECT_TRUE(d.lates.empty());
    d.end();
    const auto lines = d.take();
    ASSERT_EQ(lines.size(), 2u);  // once when it closes, once for good
    EXPECT_NE(lines[0].find("\"count\":2,\"revision\":1,\"final\":false"), std::string::npos) << lines[0];
    EXPECT_NE(lines[1].find("\"count\":2,\"revision\":2,\"final\":true"), std::string::npos) << lines[1];
}

TEST(WindowVectors, W30GapFillWithNulls) {
    WindowDriver d("tumbling 1m last:v --fill all --changes --allowed-lateness 1h");
    const auto put = [&](const char* time, int value) {
        d.at(clock(time), "\"v\":" + std::to_string(value));
    };
    const auto row = [](const char* time, const std::string& value) {
        return "[" + std::to_string(clock(time)) + "," + std::to_string(clock(time) + minute) +
               ") \"last_v\":" + value;
    };
    put("10:00", 10);
    put("10:02", 12);
    put("10:05", 15);
    put("10:08", 20);
    d.wm(clock("10:09"));
    EXPECT_EQ(d.brief(),
              (Lines{"c " + row("10:00", "10"), "c " + row("10:01", "null"), "c " + row("10:02", "12"),
                     "c " + row("10:03", "null"), "c " + row("10:04", "null"), "c " + row("10:05", "15"),
                     "c " + row("10:06", "null"), "c " + row("10:07", "null"), "c " + row("10:08", "20")}));
    put("10:01", 11);
    EXPECT_EQ(d.brief(), (Lines{"u " + row("10:01", "null") + " => " + row("10:01", "11")}));
    put("10:04", 14);
    EXPECT_EQ(d.brief(), (Lines{"u " + row("10:04", "null") + " => " + row("10:04", "14")}));
    put("09:57", 7);
    EXPECT_EQ(d.brief(),
              (Lines{"c " + row("09:57", "7"), "c " + row("09:58", "null"), "c " + row("09:59", "null")}));
    EXPECT_EQ(d.end().brief(), Lines{});
}

// RisingWave waits for the row behind a gap, which its interpolation needs; nulls need only the window's end.
TEST(WindowVectors, W30GapFillOnClose) {
    WindowDriver d("tumbling 1m last:v --fill all");
    const auto put = [&](const char* time, int value) {
        d.at(clock(time), "\"v\":" + std::to_string(value)).wm(clock(time) - 5000);
    };
    const auto row = [](const char* time, const std::string& value) {
        return "[" + std::to_string(clock(time)) + "," + std::to_string(clock(time) + minute) +
               ") \"last_v\":" + value;
    };
    put("10:00", 10);
    put("10:02", 12);
    put("10:05", 15);
    put("10:08", 21);
    EXPECT_EQ(d.brief(),
              (Lines{row("10:00", "10"), row("10:01", "null"), row("10:02", "12"), row("10:03", "null"),
                     row("10:04", "null"), row("10:05", "15"), row("10:06", "null")}));
    put("10:10", 25);
    EXPECT_EQ(d.brief(), (Lines{row("10:07", "null"), row("10:08", "21")}));
}

TEST(WindowVectors, W33TwoWindowsInAChain) {
    WindowDriver first("tumbling 1000 n=count");
    WindowDriver second("tumbling 5000 sum:n");
    std::size_t passed = 0;
    const auto pass_on_lines = [&] {
        const Lines lines = first.take();
        for (std::size_t i = 0; i < lines.size(); ++i) second.event(first.times()[passed++], lines[i]);
    };
    for (int time = 0; time <= 9900; time += 100) {
        first.at(time).wm(time);
        pass_on_lines();
        second.wm(time);
    }
    first.end();
    pass_on_lines();
    second.end();
    EXPECT_EQ(passed, 10u);
    EXPECT_EQ(second.brief(), (Lines{"[0,5000) \"sum_n\":50", "[5000,10000) \"sum_n\":50"}));
    EXPECT_TRUE(second.lates.empty());
}

}  // namespace
}  // namespace stream::testing
