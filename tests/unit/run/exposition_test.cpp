// SPDX-License-Identifier: Apache-2.0
// Goal: what Prometheus reads is the format to the letter, whatever the tools are called, and each series is there once.
#include "run/exposition.hpp"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

namespace stream::run {
namespace {

Message tool(const std::string& name) {
    return Message("stats").set("tool", "stream-window").set("name", name).set("events_in", std::uint64_t{7}).set("events_out", std::uint64_t{2});
}

TEST(Exposition, NamesValuesAndTimes) {
    Message head = Message("run").set("run", "r1").set("state", "running").set("epoch", std::uint64_t{17}).set("committed_at", "2026-01-01T00:00:00.5Z");
    const std::string text = exposition_of({head, tool("w").set("watermark_lag_ns", std::int64_t{1'500'000'000}).set("newest", "1969-12-31T23:59:59.75Z")});
    for (const char* line : {"streamutils_run_info{run=\"r1\"} 1\n", "streamutils_run_running 1\n", "# TYPE streamutils_run_epoch gauge\nstreamutils_run_epoch 17\n",
                             "streamutils_run_last_commit_timestamp_seconds 1767225600.500000000\n",
                             "# TYPE streamutils_tool_events_in_total counter\nstreamutils_tool_events_in_total{tool=\"stream-window\",name=\"w\"} 7\n",
                             "streamutils_tool_watermark_lag_seconds{tool=\"stream-window\",name=\"w\"} 1.500000000\n",
                             "streamutils_tool_event_time_seconds{tool=\"stream-window\",name=\"w\"} -0.250000000\n"}) {
        EXPECT_NE(text.find(line), std::string::npos) << line << text;
    }
    // What is not known is not there: no commit, no state.
    EXPECT_EQ(text.find("streamutils_tool_state_bytes"), std::string::npos);
}

TEST(Exposition, LabelsAreEscaped) {
    const std::string text = exposition_of({tool("a\"b\\c\nd")});
    EXPECT_NE(text.find("name=\"a\\\"b\\\\c\\nd\"} 7\n"), std::string::npos) << text;
}

TEST(Exposition, TwoOfOneNameAreTwoSeries) {
    std::istringstream lines(exposition_of({Message("run").set("run", "r"), tool("w"), tool("w"), tool("v")}));
    std::set<std::string> series, heads;
    for (std::string line; std::getline(lines, line);) {
        const bool is_head = line.starts_with('#');
        const std::string key = is_head ? line : line.substr(0, line.rfind(' '));
        EXPECT_TRUE((is_head ? heads : series).insert(key).second) << line;
    }
    EXPECT_EQ(series.count("streamutils_tool_events_in_total{tool=\"stream-window\",name=\"w#2\"}"), 1u);
}

}  // namespace
}  // namespace stream::run
