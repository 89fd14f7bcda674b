// SPDX-License-Identifier: Apache-2.0
// The shared vectors of sessions, sliding windows and watermarks; see window_vectors_test.cpp.
#include "window_test_support.hpp"

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

const std::pair<const char*, const char*> orders[] = {{"10:15:00", "paint"},
                                                      {"10:24:15", "paper"},
                                                      {"10:24:45", "brush"},
                                                      {"10:58:00", "paint"},
                                                      {"11:10:00", "paint"}};

// --- sessions ----------------------------------------------------------------------------------

TEST(WindowVectors, W10SessionsOfEachKey) {
    WindowDriver d("session 20m count --by product");
    for (const auto& [time, product] : orders)
        d.at(clock(time), "\"product\":\"" + std::string(product) + "\"");
    const auto session = [](const char* start, const char* end, const std::string& product, int count) {
        return "[" + std::to_string(clock(start)) + "," + std::to_string(clock(end)) + ") \"product\":\"" +
               product + "\",\"count\":" + std::to_string(count);
    };
    EXPECT_EQ(d.end().brief(),
              (Lines{session("10:15", "10:35", "paint", 1), session("10:24:15", "10:44:15", "paper", 1),
                     session("10:24:45", "10:44:45", "brush", 1), session("10:58", "11:30", "paint", 2)}));
}

TEST(WindowVectors, W15ALateLookingEventJoinsALiveSession) {
    WindowDriver d("session 3000 count");
    d.at(1000).wm(2000).at(2000).wm(4999).at(4500).at(8500).wm(7401).at(7000);
    EXPECT_EQ(d.wm(11502).brief(), (Lines{"[1000,11500) \"count\":5"}));
    d.at(11600);
    EXPECT_EQ(d.wm(14601).brief(), (Lines{"[11600,14600) \"count\":1"}));
    d.at(10000);
    EXPECT_EQ(d.lates.size(), 1u);
    EXPECT_EQ(d.wm(14601).brief(), Lines{});
    d.at(14500);
    EXPECT_EQ(d.wm(20001).brief(), (Lines{"[14500,17500) \"count\":1"}));
}

TEST(WindowVectors, W16ALateEventBridgesClosedSessions) {
    for (const bool changes : {true, false}) {
        WindowDriver d(std::string("session 3000 count --allowed-lateness 10s") +
                       (changes ? " --changes" : ""));
        d.at(1000).wm(2000).at(2000).wm(4999).at(4500).at(8500).wm(7401).at(7000).wm(11502).at(11600).wm(
            14601);
        EXPECT_EQ(d.brief(), changes ? (Lines{"c [1000,11500) \"count\":5", "c [11600,14600) \"count\":1"})
                                     : (Lines{"[1000,11500) \"count\":5,\"revision\":1,\"final\":false",
                                              "[11600,14600) \"count\":1,\"revision\":1,\"final\":false"}));
        d.at(10000);
        EXPECT_EQ(d.brief(), changes ? (Lines{"d [1000,11500) \"count\":5", "d [11600,14600) \"count\":1",
                                              "c [1000,14600) \"count\":7"})
                                     : (Lines{"[1000,14600) \"count\":7,\"revision\":2,\"final\":false"}));
        d.at(14500).wm(20001);
        EXPECT_EQ(d.brief(), changes ? (Lines{"d [1000,14600) \"count\":7", "c [1000,17500) \"count\":8"})
                                     : (Lines{"[1000,17500) \"count\":8,\"revision\":3,\"final\":false"}));
        d.end();
        EXPECT_EQ(d.brief(),
                  changes ? Lines{} : (Lines{"[1000,17500) \"count\":8,\"revision\":4,\"final\":true"}));
        EXPECT_TRUE(d.lates.empty());
    }
}

TEST(WindowVectors, W19KafkaSessionsCloseByTheTimeOfAnyKey) {
    WindowDriver d("session 5 count --by k");
    std::int64_t newest = -1;
    Lines all;
    const std::pair<const char*, int> rows[] = {{"k1", 0},  {"k1", 5}, {"k1", 1},
                                                {"k2", 11}, {"k1", 5}, {"k1", 30}};
    for (const auto& [key, time] : rows) {
        d.at(time, of_key(key));
        newest = std::max<std::int64_t>(newest, time);
        for (const std::string& line : d.wm(newest).brief())
            all.push_back("on " + std::to_string(time) + ": " + line);
    }
    EXPECT_EQ(all,
              (Lines{"on 11: [0,10) \"k\":\"k1\",\"count\":3", "on 30: [11,16) \"k\":\"k2\",\"count\":1"}));
    EXPECT_EQ(d.lates.size(), 1u);
}

Lines sessions(const std::string& options, std::initializer_list<int> times) {
    WindowDriver d(options + " collect:v");
    for (const int time : times) d.at(time, "\"v\":" + std::to_string(time));
    return d.end().brief();
}

TEST(WindowVectors, W20SessionsMergeAndAnExactGapJoins) {
    EXPECT_EQ(sessions("session 5", {10, 12, 20}),
              (Lines{"[10,17) \"collect_v\":[10,12]", "[20,25) \"collect_v\":[20]"}));
    EXPECT_EQ(sessions("session 5", {10, 12, 20, 16}), (Lines{"[10,25) \"collect_v\":[10,12,16,20]"}));
    EXPECT_EQ(sessions("session 5", {0, 6, 4}), (Lines{"[0,11) \"collect_v\":[0,4,6]"}));
    EXPECT_EQ(sessions("session 5", {2, 5, 11}),
              (Lines{"[2,10) \"collect_v\":[2,5]", "[11,16) \"collect_v\":[11]"}));
    EXPECT_EQ(sessions("session 10", {0, 10}), (Lines{"[0,20) \"collect_v\":[0,10]"}));
    EXPECT_EQ(sessions("session 10", {0, 20, 10}), (Lines{"[0,30) \"collect_v\":[0,10,20]"}));
}

TEST(WindowVectors, W21BeamSessions) {
    // Beam has three; a gap that is reached exactly joins here.
    EXPECT_EQ(sessions("session 10", {0, 10, 101}),
              (Lines{"[0,20) \"collect_v\":[0,10]", "[101,111) \"collect_v\":[101]"}));
    EXPECT_EQ(sessions("session 10", {1, 2, 5, 9, 100, 101}),
              (Lines{"[1,19) \"collect_v\":[1,2,5,9]", "[100,111) \"collect_v\":[100,101]"}));
    EXPECT_EQ(sessions("session 10", {1, 15, 30, 100, 101, 95, 22, 10}),
              (Lines{"[1,40) \"collect_v\":[1,10,15,22,30]", "[95,111) \"collect_v\":[95,100,101]"}));
}

TEST(WindowVectors, W29AnEventBesideAFiredSession) {
    WindowDriver gone("session 5 count");
    EXPECT_EQ(gone.at(0).wm(6).brief(), (Lines{"[0,5) \"count\":1"}));
    EXPECT_EQ(gone.at(3).wm(9).brief(), (Lines{"[3,8) \"count\":1"}));
    EXPECT_TRUE(gone.lates.empty());
    WindowDriver kept("session 5 count --allowed-lateness 1 --changes");
    EXPECT_EQ(kept.at(0).wm(6).brief(), (Lines{"c [0,5) \"count\":1"}));
    EXPECT_EQ(kept.at(3).wm(9).brief(), (Lines{"d [0,5) \"count\":1", "c [0,8) \"count\":2"}));
}

// --- sliding and rows --------------------------------------------------------------------------

// Kafka's windows that end with an event; those that begin after one it has besides.
TEST(WindowVectors, W22SlidingWindowsThatEndWithAnEvent) {
    WindowDriver d("sliding 10 collect:v");
    const int times[] = {10, 10, 14, 15, 20, 22, 30};
    for (int i = 0; i < 7; ++i) d.at(times[i], "\"v\":" + std::to_string(i + 1)).wm(times[i] - 5);
    EXPECT_EQ(d.end().brief(), (Lines{R"({"v":1,"collect_v":[1,2]})", R"({"v":2,"collect_v":[1,2]})",
                                      R"({"v":3,"collect_v":[1,2,3]})", R"({"v":4,"collect_v":[1,2,3,4]})",
                                      R"({"v":5,"collect_v":[1,2,3,4,5]})",
                                      R"({"v":6,"collect_v":[3,4,5,6]})", R"({"v":7,"collect_v":[5,6,7]})"}));
}

// An event older than the watermark is late for all of its windows here; Kafka keeps it in younger ones.
TEST(WindowVectors, W23SlidingWithLateEvents) {
    const int times[] = {10, 11, 10, 13, 10, 24, 5, 7, 90};
    const auto counts = [&](int lateness, std::size_t late) {
        WindowDriver d("sliding 5 count");
        int newest = 0;
        for (const int time : times) {
            newest = std::max(newest, time);
            d.at(time, "\"t\":" + std::to_string(time)).wm(newest - lateness);
        }
        d.end();
        EXPECT_EQ(d.lates.size(), late);
        return d.take();
    };
    const auto line = [](int time, int count) {
        return "{\"t\":" + std::to_string(time) + ",\"count\":" + std::to_string(count) + "}";
    };
    EXPECT_EQ(counts(15, 2), (Lines{line(10, 3), line(10, 3), line(10, 3), line(11, 4), line(13, 5),
                                    line(24, 1), line(90, 1)}));
    EXPECT_EQ(counts(19, 0), (Lines{line(5, 1), line(7, 2), line(10, 5), line(10, 5), line(10, 5),
                                    line(11, 5), line(13, 5), line(24, 1), line(90, 1)}));
}

const std::tuple<const char*, int, int> over_rows[] = {
    {"16:51", 1, 100}, {"16:56", 8, 100}, {"17:30", 3, 200}, {"17:35", 5, 100},
    {"17:59", 4, 100}, {"18:01", 6, 200}, {"18:10", 7, 100}, {"18:11", 9, 200}};

TEST(WindowVectors, W27RowNumberAndSessionFrames) {
    WindowDriver numbers("sliding 1000d n=count --by bar");
    WindowDriver visits("session 10m first:tm last:tm --by bar");
    Lines in_batch[2];
    Lines closed[2];
    for (std::size_t i = 0; i < 8; ++i) {
        const auto& [time, foo, bar] = over_rows[i];
        const std::string members = "\"tm\":\"" + std::string(time) + "\",\"bar\":" + std::to_string(bar);
        for (WindowDriver* d : {&numbers, &visits}) d->at(clock(time), members).wm(clock(time) - 5 * minute);
        for (std::string line : numbers.take()) in_batch[i / 6].push_back(line);
        for (std::string line : visits.brief()) closed[i / 6].push_back(line.substr(line.find(' ') + 1));
    }
    EXPECT_EQ(in_batch[0], (Lines{R"({"tm":"16:51","bar":100,"n":1})", R"({"tm":"16:56","bar":100,"n":2})",
                                  R"({"tm":"17:30","bar":200,"n":1})", R"({"tm":"17:35","bar":100,"n":3})"}));
    EXPECT_EQ(in_batch[1], (Lines{R"({"tm":"17:59","bar":100,"n":4})", R"({"tm":"18:01","bar":200,"n":2})"}));
    // A session is known to be over at its gap's end; RisingWave waits for the watermark to pass a row behind
    // it.
    EXPECT_EQ(closed[0], (Lines{R"("bar":100,"first_tm":"16:51","last_tm":"16:56")",
                                R"("bar":200,"first_tm":"17:30","last_tm":"17:30")",
                                R"("bar":100,"first_tm":"17:35","last_tm":"17:35")"}));
}

TEST(WindowVectors, W31OverRangeWithPeers) {
    const std::tuple<int, const char*, int> rows[] = {
        {2, "aaa", 1},     {3, "bbb", 10},    {4001, "aaa", 2},   {4002, "aaa", 3},  {4003, "aaa", 4},
        {4801, "bbb", 25}, {6501, "aaa", 5},  {6501, "aaa", 6},   {6501, "bbb", 30}, {7001, "aaa", 7},
        {8001, "aaa", 8},  {12001, "aaa", 9}, {12001, "aaa", 10}, {12001, "bbb", 40}};
    const int expected[][2] = {{1, 1}, {10, 10}, {1, 2}, {1, 3}, {2, 4},  {25, 25}, {2, 6},
                               {2, 6}, {25, 30}, {2, 7}, {2, 8}, {8, 10}, {8, 10},  {40, 40}};
    WindowDriver d("sliding 4000 min:v max:v --by k");
    Lines wanted;
    for (std::size_t i = 0; i < std::size(rows); ++i) {
        const auto& [time, key, value] = rows[i];
        d.wm(time).at(time, of_key(key) + ",\"v\":" + std::to_string(value));
        wanted.push_back("{" + of_key(key) + ",\"v\":" + std::to_string(value) +
                         ",\"min_v\":" + std::to_string(expected[i][0]) +
                         ",\"max_v\":" + std::to_string(expected[i][1]) + "}");
    }
    EXPECT_EQ(d.wm(19001).brief(), wanted);
}

// Ties have no rank here; row numbers are counts of rows, in order of arrival.
TEST(WindowVectors, W34RowNumbersSurviveARestart) {
    WindowDriver d("rows 1000000 n=count --by k");
    Lines wanted;
    int number = 0;
    for (const int second : {0, 20, 20, 40}) {
        if (second == 40) d.restart();
        d.at(second * 1000, "\"k\":1").wm(second * 1000 - 5000);
        wanted.push_back("{\"k\":1,\"n\":" + std::to_string(++number) + "}");
    }
    EXPECT_EQ(d.take(), wanted);
}

// --- watermarks --------------------------------------------------------------------------------

TEST(WindowVectors, M03AnEventBehindTheWatermarkCountsInWindowsThatAreOpen) {
    WindowDriver d("tumbling 100 count");
    std::int64_t newest = -1;
    for (const int time : {10, 12, 9, 20, 3}) {
        d.at(time);
        newest = std::max<std::int64_t>(newest, time);
        d.wm(newest - 5);
    }
    EXPECT_TRUE(d.lates.empty());
    EXPECT_EQ(d.end().brief(), (Lines{"[0,100) \"count\":5"}));
}

// What is complete at progress 4 is what is before 4.
TEST(WindowVectors, M04ProgressIsExclusive) {
    WindowDriver d("sliding 1 count");
    d.at(1).at(2).at(3).at(4).wm(4);
    EXPECT_EQ(d.take().size(), 3u);
    d.end();
    EXPECT_EQ(d.take().size(), 1u);
}

TEST(WindowVectors, M05TheEndClosesWhatIsOpenAndAPauseDoesNot) {
    WindowDriver ended("tumbling 1000 count");
    EXPECT_EQ(ended.at(10).at(1500).end().brief(),
              (Lines{"[0,1000) \"count\":1", "[1000,2000) \"count\":1"}));
    WindowDriver paused("tumbling 1000 count");
    EXPECT_EQ(paused.at(10).at(1500).restart().brief(), Lines{});
    EXPECT_EQ(paused.end().brief(), (Lines{"[0,1000) \"count\":1", "[1000,2000) \"count\":1"}));
}

}  // namespace
}  // namespace stream::testing
