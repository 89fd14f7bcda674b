// SPDX-License-Identifier: Apache-2.0
// The contract of stream-window line by line: order, keys, lateness, options, what leaves no trace.
#include "window_test_support.hpp"

namespace stream::testing {
namespace {

std::string key(const std::string& json) { return "\"k\":" + json; }

TEST(WindowDetails, ResultsComeByEndThenStartThenKeyInJqsOrder) {
    WindowDriver d("hopping 20 10 count --by k");
    for (const char* json : {"{\"a\":1}", "[1]", "\"b\"", "\"a\"", "10", "9", "true", "false", "null"})
        d.at(5, key(json));
    d.at(5).at(15, key("1"));
    Lines wanted;
    for (const char* json : {"null", "false", "true", "9", "10", "\"a\"", "\"b\"", "[1]", "{\"a\":1}"}) {
        wanted.push_back("[-10,10) " + key(json) + ",\"count\":" + (std::string(json) == "null" ? "2" : "1"));
    }
    for (const char* json : {"null", "false", "true", "1", "9", "10", "\"a\"", "\"b\"", "[1]", "{\"a\":1}"}) {
        wanted.push_back("[0,20) " + key(json) + ",\"count\":" + (std::string(json) == "null" ? "2" : "1"));
    }
    wanted.push_back("[10,30) \"k\":1,\"count\":1");
    EXPECT_EQ(d.end().brief(), wanted);
}

TEST(WindowDetails, SessionsComeByEndThenStartThenKey) {
    WindowDriver d("session 5 count --by k");
    d.at(3, key("2")).at(1, key("3")).at(3, key("3")).at(3, key("1")).at(0, key("9"));
    EXPECT_EQ(d.end().brief(), (Lines{"[0,5) \"k\":9,\"count\":1", "[1,8) \"k\":3,\"count\":2",
                                      "[3,8) \"k\":1,\"count\":1", "[3,8) \"k\":2,\"count\":1"}));
}

TEST(WindowDetails, KeysCompareByValueAndAreWrittenCanonically) {
    WindowDriver d("tumbling 10 count --by k");
    d.at(0, "\"k\":1.0").at(1, "\"k\":1").at(2, "\"k\":1e0").at(3, "\"k\":\"\\u0061\"").at(4, "\"k\":\"a\"");
    d.at(5, "\"k\":9007199254740993").at(6, "\"k\":9007199254740992");
    EXPECT_EQ(d.end().brief(),
              (Lines{"[0,10) \"k\":1,\"count\":3", "[0,10) \"k\":9007199254740992,\"count\":1",
                     "[0,10) \"k\":9007199254740993,\"count\":1", "[0,10) \"k\":\"a\",\"count\":2"}));
}

TEST(WindowDetails, AKeyIsWrittenWhereItWasFound) {
    WindowDriver nested("tumbling 10 count --by repo.name,type --by tag=tags[0]");
    nested.at(0, R"("repo":{"name":"x","id":1},"type":"T","tags":["u","v"])");
    EXPECT_EQ(nested.end().brief(), (Lines{R"([0,10) "repo":{"name":"x"},"type":"T","tag":"u","count":1)"}));
    WindowDriver exact("tumbling 10 count --by id.orig_h");
    exact.at(0, R"("id.orig_h":"10.0.0.1")");
    EXPECT_EQ(exact.end().brief(), (Lines{R"([0,10) "id.orig_h":"10.0.0.1","count":1)"}));
    WindowDriver path("tumbling 10 count --by .id.orig_h");
    path.at(0, R"("id":{"orig_h":"10.0.0.1"})");
    path.restart();
    EXPECT_EQ(path.end().brief(), (Lines{R"([0,10) "id":{"orig_h":"10.0.0.1"},"count":1)"}));
}

// --- lateness ----------------------------------------------------------------------------------

// The lateness told is the least that would have kept the event.
TEST(WindowDetails, TheLatenessToldIsWhatWasMissing) {
    for (const std::string options :
         {"tumbling 10 count", "tumbling 10 count --allowed-lateness 7", "hopping 30 10 count",
          "hopping 3 10 count", "session 10 count", "session 10 count --allowed-lateness 7",
          "sliding 10 count", "tumbling 1d --tz Europe/Berlin count"}) {
        const TimeNs time = 1 * ms;
        const TimeNs watermark = 3 * ns_per_day + 12345;
        const auto lates = [&](TimeNs at) {
            WindowDriver d(options);
            d.watermark(at).event(time, "{}");
            return d.lates;
        };
        const auto lost = lates(watermark);
        ASSERT_EQ(lost.size(), 1u) << options;
        EXPECT_GT(lost[0].lateness, 0);
        EXPECT_EQ(lates(watermark - lost[0].lateness).size(), 0u) << options;
        EXPECT_EQ(lates(watermark - lost[0].lateness + 1).size(), 1u) << options;
    }
}

TEST(WindowDetails, LateIsFromTheInstantTheWindowCloses) {
    WindowDriver d("tumbling 10 count");
    EXPECT_EQ(d.at(3).watermark(10 * ms - 1).brief(), Lines{});
    EXPECT_EQ(d.at(4).watermark(10 * ms).brief(), (Lines{"[0,10) \"count\":2"}));
    EXPECT_EQ(d.at(9).lates.size(), 1u);
    WindowDriver s("session 10 count");
    EXPECT_EQ(s.at(0).watermark(10 * ms).brief(), Lines{});  // an event at 10 may still join it
    EXPECT_EQ(s.at(10).watermark(20 * ms).brief(), Lines{});
    EXPECT_EQ(s.watermark(20 * ms + 1).brief(), (Lines{"[0,20) \"count\":2"}));
    EXPECT_EQ(s.at(10).lates.size(), 1u);
}

TEST(WindowDetails, AllowedLatenessEndsToTheInstant) {
    WindowDriver d("tumbling 10 count --allowed-lateness 5");
    d.at(0).wm(10);
    EXPECT_EQ(d.brief(), (Lines{"[0,10) \"count\":1,\"revision\":1,\"final\":false"}));
    EXPECT_EQ(d.watermark(15 * ms - 1).at(1).brief(),
              (Lines{"[0,10) \"count\":2,\"revision\":2,\"final\":false"}));
    EXPECT_EQ(d.wm(15).brief(), (Lines{"[0,10) \"count\":2,\"revision\":3,\"final\":true"}));
    EXPECT_EQ(d.at(1).lates.size(), 1u);
}

// An event joins a closed session and makes it open; it closes when its new gap is over.
TEST(WindowDetails, ASessionOpenedAgainClosesInTime) {
    WindowDriver d("session 10 count --allowed-lateness 1000");
    d.at(0).wm(11);
    EXPECT_EQ(d.brief(), (Lines{"[0,10) \"count\":1,\"revision\":1,\"final\":false"}));
    EXPECT_EQ(d.at(8).wm(18).brief(), Lines{});
    EXPECT_EQ(d.wm(19).brief(), (Lines{"[0,18) \"count\":2,\"revision\":2,\"final\":false"}));
    d.at(12).at(20).wm(31);
    EXPECT_EQ(d.brief(), (Lines{"[0,30) \"count\":4,\"revision\":3,\"final\":false"}));
    EXPECT_EQ(d.wm(1030).brief(), Lines{});
    EXPECT_EQ(d.wm(1031).brief(), (Lines{"[0,30) \"count\":4,\"revision\":4,\"final\":true"}));
}

// What a late event changes in windows behind its own is said again, too.
TEST(WindowDetails, CorrectionsReachWhatDependsOnThem) {
    WindowDriver d("tumbling 10 increase:v --allowed-lateness 100 --changes");
    d.at(5, "\"v\":10").at(15, "\"v\":15").wm(20);
    EXPECT_EQ(d.brief(), (Lines{"c [0,10) \"increase_v\":0", "c [10,20) \"increase_v\":5"}));
    d.at(9, "\"v\":12");
    EXPECT_EQ(d.brief(), (Lines{"u [0,10) \"increase_v\":0 => [0,10) \"increase_v\":2",
                                "u [10,20) \"increase_v\":5 => [10,20) \"increase_v\":3"}));
    WindowDriver c("tumbling 10 count --compare --allowed-lateness 100 --changes");
    c.at(5).at(15).wm(20);
    c.take();
    c.at(6);
    EXPECT_EQ(c.brief(), (Lines{"u [0,10) \"count\":1,\"count_before\":null,\"count_change\":null => "
                                "[0,10) \"count\":2,\"count_before\":null,\"count_change\":null",
                                "u [10,20) \"count\":1,\"count_before\":1,\"count_change\":0 => "
                                "[10,20) \"count\":1,\"count_before\":2,\"count_change\":-1"}));
    WindowDriver s("session 5 increase:v --allowed-lateness 100 --changes");
    s.at(0, "\"v\":1").at(20, "\"v\":5").wm(30);
    s.take();
    s.at(3, "\"v\":4");
    EXPECT_EQ(s.brief(), (Lines{"d [0,5) \"increase_v\":0", "c [0,8) \"increase_v\":3",
                                "u [20,25) \"increase_v\":4 => [20,25) \"increase_v\":1"}));
}

// --- all, --every, --compare, --top --------------------------------------------------------------

TEST(WindowDetails, AllIsOneRunningResult) {
    EXPECT_EQ(WindowDriver("all count").end().take(), Lines{});
    WindowDriver plain("all count sum:v");
    EXPECT_EQ(plain.at(7, "\"v\":1").at(3, "\"v\":2").end().take(),
              (Lines{R"({"ts":"1970-01-01T00:00:00.007Z","count":2,"sum_v":3})"}));
    WindowDriver timeless("all count");
    EXPECT_EQ(timeless.event(time_before_all, "{}").end().take(), (Lines{R"({"count":1})"}));
    WindowDriver d("all count --by k --every 10");
    d.at(1, key("1")).wm(1).at(9, key("2")).wm(9);
    EXPECT_EQ(d.take(), Lines{});
    d.at(12, key("1")).wm(12);
    const auto line = [](int ts, const char* k, int count, int revision, bool last) {
        return "{\"ts\":\"1970-01-01T00:00:00.0" + std::to_string(ts) + "Z\",\"k\":" + k +
               ",\"count\":" + std::to_string(count) + ",\"revision\":" + std::to_string(revision) +
               ",\"final\":" + (last ? "true}" : "false}");
    };
    EXPECT_EQ(d.take(), (Lines{line(12, "1", 2, 1, false), line(12, "2", 1, 1, false)}));
    d.at(35, key("2")).restart().wm(35);
    EXPECT_EQ(d.take(), (Lines{line(35, "1", 2, 2, false), line(35, "2", 2, 2, false)}));
    EXPECT_EQ(d.end().take(), (Lines{line(35, "1", 2, 3, true), line(35, "2", 2, 3, true)}));
}

TEST(WindowDetails, CompareOfHoppingLooksOneAdvanceBack) {
    WindowDriver d("hopping 20 10 n=count --compare");
    d.at(5).at(6).at(15).at(35);
    EXPECT_EQ(d.end().brief(), (Lines{"[-10,10) \"n\":2,\"n_before\":null,\"n_change\":null",
                                      "[0,20) \"n\":3,\"n_before\":2,\"n_change\":1",
                                      "[10,30) \"n\":1,\"n_before\":3,\"n_change\":-2",
                                      "[20,40) \"n\":1,\"n_before\":1,\"n_change\":0",
                                      "[30,50) \"n\":1,\"n_before\":1,\"n_change\":0"}));
    WindowDriver gap("tumbling 10 n=count --compare");
    gap.at(5).at(25);
    EXPECT_EQ(gap.end().brief(), (Lines{"[0,10) \"n\":1,\"n_before\":null,\"n_change\":null",
                                        "[20,30) \"n\":1,\"n_before\":null,\"n_change\":null"}));
}

TEST(WindowDetails, TopKeepsTheGreatestWithTiesByKey) {
    const auto feed = [](WindowDriver& d) -> WindowDriver& {
        for (const char* k : {"\"c\"", "\"a\"", "\"b\"", "\"b\"", "\"d\""}) {
            d.at(1, key(k) + (k[1] == 'd' ? ",\"v\":100" : ",\"v\":1"));
        }
        return d;
    };
    WindowDriver first("tumbling 10 count sum:v --by k --top 2");
    EXPECT_EQ(feed(first).end().brief(), (Lines{"[0,10) \"k\":\"b\",\"count\":2,\"sum_v\":2",
                                                "[0,10) \"k\":\"a\",\"count\":1,\"sum_v\":1"}));
    WindowDriver named("tumbling 10 count sum:v --by k --top 2:sum_v");
    EXPECT_EQ(feed(named).end().brief(), (Lines{"[0,10) \"k\":\"d\",\"count\":1,\"sum_v\":100",
                                                "[0,10) \"k\":\"b\",\"count\":2,\"sum_v\":2"}));
}

// With revisions a group that drops out of the first N gets no final result, and one that comes back counts
// on.
TEST(WindowDetails, TopWithRevisions) {
    for (const bool changes : {false, true}) {
        WindowDriver d(std::string("tumbling 100 count --by k --top 1 --every 10") +
                       (changes ? " --changes" : ""));
        d.wm(0)
            .at(1, key("1"))
            .wm(10)
            .at(11, key("2"))
            .at(12, key("2"))
            .wm(20)
            .at(21, key("1"))
            .at(22, key("1"))
            .wm(30);
        EXPECT_EQ(d.end().brief(),
                  changes ? (Lines{"c [0,100) \"k\":1,\"count\":1", "d [0,100) \"k\":1,\"count\":1",
                                   "c [0,100) \"k\":2,\"count\":2", "d [0,100) \"k\":2,\"count\":2",
                                   "c [0,100) \"k\":1,\"count\":3"})
                          : (Lines{"[0,100) \"k\":1,\"count\":1,\"revision\":1,\"final\":false",
                                   "[0,100) \"k\":2,\"count\":2,\"revision\":1,\"final\":false",
                                   "[0,100) \"k\":1,\"count\":3,\"revision\":2,\"final\":false",
                                   "[0,100) \"k\":1,\"count\":3,\"revision\":3,\"final\":true"}));
    }
}

TEST(WindowDetails, ChangesAloneAreInserts) {
    WindowDriver d("tumbling 10 count --changes");
    EXPECT_EQ(
        d.at(1).end().take(),
        (Lines{
            R"({"op":"c","ts":"1970-01-01T00:00:00.009999999Z","before":null,)"
            R"("after":{"window_start":"1970-01-01T00:00:00Z","window_end":"1970-01-01T00:00:00.010Z","count":1}})"}));
}

TEST(WindowDetails, OnlyFinalResultsOfAStageBeforeAreTaken) {
    WindowDriver first("tumbling 10 n=count --every 5");
    WindowDriver second("tumbling 100 sum:n count");
    first.wm(0).at(1).wm(5).at(6).end();
    for (const std::string& line : first.take()) second.at(9, line.substr(1, line.size() - 2));
    EXPECT_EQ(second.end().brief(), (Lines{"[0,100) \"sum_n\":2,\"count\":1"}));
    EXPECT_EQ(second.closing_remark(), "1 provisional result was left out: only final ones are counted");
    // A member that happens to be called revision is nobody's result.
    WindowDriver other("tumbling 10 count");
    other.at(1, "\"revision\":7").at(2, "\"final\":false").at(3, "\"revision\":\"x\",\"final\":false");
    EXPECT_EQ(other.end().brief(), (Lines{"[0,10) \"count\":3"}));
    EXPECT_EQ(other.closing_remark(), "");
}

// --- aggregates that know of time --------------------------------------------------------------

TEST(WindowDetails, IncreaseCountsFromTheValueBeforeTheWindow) {
    WindowDriver d("tumbling 10 increase:v --by k");
    d.at(1, key("1") + ",\"v\":5")
        .at(5, key("1") + ",\"v\":8")
        .at(12, key("1") + ",\"v\":10")
        .at(13, key("2") + ",\"v\":7");
    d.wm(30).restart();
    d.at(45, key("1") + ",\"v\":4").at(46, key("2") + ",\"v\":null").at(55, key("2") + ",\"v\":9");
    EXPECT_EQ(d.end().brief(),
              (Lines{"[0,10) \"k\":1,\"increase_v\":3", "[10,20) \"k\":1,\"increase_v\":2",
                     "[10,20) \"k\":2,\"increase_v\":0", "[40,50) \"k\":1,\"increase_v\":4",
                     "[40,50) \"k\":2,\"increase_v\":null", "[50,60) \"k\":2,\"increase_v\":2"}));
}

TEST(WindowDetails, RateDividesByTheWindow) {
    EXPECT_EQ(WindowDriver("tumbling 10s rate rate:v").at(1, "\"v\":50").at(2).end().brief(),
              (Lines{"[0,10000) \"rate\":0.2,\"rate_v\":5"}));
    EXPECT_EQ(WindowDriver("session 4s rate").at(0).at(4000).end().brief(),
              (Lines{"[0,8000) \"rate\":0.25"}));
    EXPECT_EQ(WindowDriver("sliding 4s rate").at(0).at(4000).end().take(),
              (Lines{R"({"rate":0.25})", R"({"rate":0.5})"}));
}

TEST(WindowDetails, RowsGoByArrivalAndSpanByTime) {
    WindowDriver d("rows 2 first:v last:v collect:v span");
    d.at(5000, "\"v\":1").at(3000, "\"v\":2").at(4000, "\"v\":3");
    EXPECT_EQ(d.take(), (Lines{R"({"v":1,"first_v":1,"last_v":1,"collect_v":[1],"span":0})",
                               R"({"v":2,"first_v":1,"last_v":2,"collect_v":[1,2],"span":2})",
                               R"({"v":3,"first_v":2,"last_v":3,"collect_v":[2,3],"span":1})"}));
    EXPECT_TRUE(window_options("rows 2 span").uses_time());
    EXPECT_FALSE(window_options("rows 2 count").uses_time());
}

TEST(WindowDetails, AMemberOfTheAggregatesNameIsReplacedInPlace) {
    EXPECT_EQ(WindowDriver("rows 2 v=sum:v n=count").at(0, R"("v":1,"x":2)").take(),
              (Lines{R"({"v":1,"x":2,"n":1})"}));
}

// --- what leaves no trace ----------------------------------------------------------------------

TEST(WindowDetails, ARefusedEventLeavesNoTrace) {
    const std::string good = "\"k\":1,\"v\":1,\"w\":1";
    const std::string bad[] = {"\"k\":1,\"v\":1,\"w\":\"x\"", "\"k\":2,\"v\":\"x\",\"w\":1",
                               "\"k\":3,\"v\":1,\"w\":[1]", "\"k\":4,\"v\":1e999999,\"w\":1",
                               "\"k\":5,\"v\":2,\"w\":true"};
    for (const std::string kind :
         {"tumbling 10", "hopping 20 10", "tumbling 10 --fill all", "session 10", "session 10 --max 30",
          "sliding 10", "rows 3", "all", "tumbling 10 --every 5", "session 10 --allowed-lateness 5"}) {
        const std::string options = kind + " --by k count sum:v p50:w collect:v";
        WindowDriver with(options);
        WindowDriver without(options);
        for (WindowDriver* d : {&with, &without}) {
            for (const int time : {5, 25, 45}) {
                if (d == &with) {
                    for (const std::string& event : bad) d->at(time, event).at(time + 100, event);
                }
                d->at(time, good).wm(time);
                if (d == &with) d->at(time, bad[0]);
            }
            d->end();
        }
        EXPECT_EQ(with.refused.size(), 33u) << options;
        EXPECT_EQ(with.brief(), without.brief()) << options;
    }
}

TEST(WindowDetails, SketchesThatDoNotGoTogetherAreRefusedWhole) {
    const auto sketch = [](const std::string& aggregate) {
        WindowDriver d("all x=" + aggregate);
        const std::string line = d.at(0, "\"v\":1").end().take().at(0);
        return line.substr(line.find("\"x\":") + 4, line.size() - line.find("\"x\":") - 5);
    };
    const std::string hll = sketch("sketch_distinct:v");
    const std::string top = sketch("sketch_top10:v");
    for (const std::string kind : {"tumbling 10", "session 10", "all"}) {
        WindowDriver d(kind + " count a=merge:a b=merge:b");
        d.at(1, "\"a\":" + hll + ",\"b\":" + top);
        d.at(2, "\"a\":" + hll + ",\"b\":" + hll);
        d.at(3, "\"a\":" + top + ",\"b\":" + top);
        d.at(4, "\"a\":1,\"b\":1");
        EXPECT_EQ(d.refused.size(), 3u) << kind;
        const std::string line = d.end().take().at(0);
        EXPECT_NE(line.find("\"count\":1,\"a\":1,\"b\":[{\"value\":1,\"count\":1,\"error\":0}]"),
                  std::string::npos)
            << line;
    }
}

// --- --fill, --max -----------------------------------------------------------------------------

// A late event that also brings a window nobody knew of: that one is compared with the corrected one before.
TEST(WindowDetails, ALateEventBringsAWindowBehindTheLast) {
    WindowDriver d("hopping 8 1 n=count --compare --allowed-lateness 10 --changes --fill all");
    d.at(0).wm(9);
    d.take();
    EXPECT_EQ(d.at(1).brief().back(), "c [1,9) \"n\":1,\"n_before\":2,\"n_change\":-1");
}

// An event in time for one window only, behind others that were over before anybody knew of them: those are
// empty.
TEST(WindowDetails, FilledWindowsHoldNoEventThatWasLateForThem) {
    WindowDriver d("hopping 3 1 n=count --fill all");
    d.at(0).wm(6).at(4);
    EXPECT_EQ(d.end().brief(), (Lines{"[-2,1) \"n\":1", "[-1,2) \"n\":1", "[0,3) \"n\":1", "[1,4) \"n\":0",
                                      "[2,5) \"n\":0", "[3,6) \"n\":0", "[4,7) \"n\":1"}));
    EXPECT_TRUE(d.lates.empty());
}

// A watermark that runs ahead of the events does not lose the empty windows behind it.
TEST(WindowDetails, FillDoesNotDependOnWhenTheWatermarkCame) {
    for (const bool early : {false, true}) {
        WindowDriver d("tumbling 10 count --fill all");
        d.at(5);
        if (early) d.wm(20).restart();
        d.at(35);
        EXPECT_EQ(d.end().brief(), (Lines{"[0,10) \"count\":1", "[10,20) \"count\":0", "[20,30) \"count\":0",
                                          "[30,40) \"count\":1"}));
    }
}

TEST(WindowDetails, FillOfADurationForgets) {
    WindowDriver d("tumbling 10 count increase:v --by k --fill 20");
    d.at(5, key("1") + ",\"v\":3");
    for (const int time : {6, 16, 26, 36, 46}) d.at(time, key("2") + ",\"v\":" + std::to_string(time));
    d.at(58, key("1") + ",\"v\":9");
    Lines of_one;
    for (const std::string& line : d.end().brief()) {
        if (line.find("\"k\":1,") != std::string::npos) of_one.push_back(line);
    }
    EXPECT_EQ(of_one, (Lines{"[0,10) \"k\":1,\"count\":1,\"increase_v\":0",
                             "[10,20) \"k\":1,\"count\":0,\"increase_v\":null",
                             "[20,30) \"k\":1,\"count\":0,\"increase_v\":null",
                             "[50,60) \"k\":1,\"count\":1,\"increase_v\":0"}));
}

TEST(WindowDetails, FillAcrossAJumpStopsAtALimit) {
    WindowDriver d("tumbling 1 count --fill all");
    d.at(0).at(10'000'000);
    EXPECT_THROW(d.end(), std::runtime_error);
}

TEST(WindowDetails, PiecesOfALongSessionComeInTheOrderOfAllResults) {
    WindowDriver d("session 10 count --by k --max 15");
    for (int time = 0; time <= 60; time += 6) d.at(time, key("1")).wm(time);
    d.at(20, key("2"));  // joins nothing, is in time: watermark 60 has passed 20 + 10
    EXPECT_EQ(d.lates.size(), 1u);
    d.at(61, key("2")).wm(80);
    EXPECT_EQ(d.brief(), (Lines{"[0,15) \"k\":1,\"count\":3", "[18,33) \"k\":1,\"count\":3",
                                "[36,51) \"k\":1,\"count\":3", "[54,70) \"k\":1,\"count\":2",
                                "[61,71) \"k\":2,\"count\":1"}));
    WindowDriver other("session 10 count --by k --max 15");
    other.at(0, key("1")).at(3, key("2")).wm(5);
    for (int time = 6; time <= 30; time += 6) other.at(time, key("1"));
    EXPECT_EQ(other.wm(30).brief(),
              (Lines{"[3,13) \"k\":2,\"count\":1"}));  // nothing older can come: 15 is the first
    other.at(20, key("3")).wm(32);
    EXPECT_EQ(other.restart().brief(), Lines{});  // [20,30) waits for [0,15)
    EXPECT_EQ(other.end().brief(), (Lines{"[0,15) \"k\":1,\"count\":3", "[20,30) \"k\":3,\"count\":1",
                                          "[18,40) \"k\":1,\"count\":3"}));
}

}  // namespace
}  // namespace stream::testing
