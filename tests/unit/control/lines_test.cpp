// SPDX-License-Identifier: Apache-2.0
// Goal: control lines are what they are by their exact bytes; no event can be one, and every other line is an event.
#include "control/lines.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace stream {
namespace {

constexpr const char* key = "0123456789abcdef0123456789abcdef";

std::string without_end(std::string line) {
    EXPECT_EQ(line.back(), '\n');
    line.pop_back();
    return line;
}

TEST(ControlLines, AreReadAsTheyAreWritten) {
    const ControlLines lines(key);
    std::string out;
    lines.append_stream(out, "stream-log");
    EXPECT_EQ(out, R"({"$stream":"stream-log","run":"0123456789abcdef0123456789abcdef"})" "\n");
    auto line = lines.read(without_end(out));
    ASSERT_TRUE(line);
    EXPECT_EQ(line->kind, ControlLine::Kind::stream);
    EXPECT_EQ(line->text, "stream-log");

    out.clear();
    lines.append_watermark(out, 1'767'225'600'000'000'000, "source.\"ts\"");
    EXPECT_EQ(out, R"({"$watermark":"2026-01-01T00:00:00Z","time":"source.\"ts\"","run":"0123456789abcdef0123456789abcdef"})" "\n");
    line = lines.read(without_end(out));
    ASSERT_TRUE(line);
    EXPECT_EQ(line->kind, ControlLine::Kind::watermark);
    EXPECT_EQ(line->time, 1'767'225'600'000'000'000);
    EXPECT_EQ(line->text, "source.\"ts\"");

    out.clear();
    lines.append_barrier(out, 17);
    EXPECT_EQ(out, R"({"$barrier":17,"run":"0123456789abcdef0123456789abcdef"})" "\n");
    line = lines.read(without_end(out));
    ASSERT_TRUE(line);
    EXPECT_EQ(line->kind, ControlLine::Kind::barrier);
    EXPECT_EQ(line->epoch, 17u);

    for (const bool drain : {false, true}) {
        out.clear();
        lines.append_end(out, 18, drain);
        line = lines.read(without_end(out));
        ASSERT_TRUE(line);
        EXPECT_EQ(line->kind, ControlLine::Kind::end);
        EXPECT_EQ(line->epoch, 18u);
        EXPECT_EQ(line->drain, drain);
    }
}

TEST(ControlLines, WhateverElseIsAnEvent) {
    const ControlLines lines(key);
    const std::string tail = std::string(",\"run\":\"") + key + "\"}";
    for (const std::string& event : {
             std::string(R"({"$barrier":17,"run":"0123456789abcdef0123456789abcdee"})"),  // another key
             R"({ "$barrier":17)" + tail, R"({"$barrier": 17)" + tail, R"({"$barrier":017)" + tail, R"({"$barrier":-1)" + tail, R"({"$barrier":1.0)" + tail,
             R"({"$barrier":17,"x":1)" + tail, R"({"$barrier":"17")" + tail, R"({"$barriers":17)" + tail, R"({"$end":17)" + tail,
             R"({"$end":17,"drain":1)" + tail, R"({"$watermark":"tomorrow","time":"ts")" + tail, R"({"$watermark":"2026-01-01T00:00:00Z")" + tail,
             R"({"$stream":5)" + tail, R"({"$stream":"a","b":"c")" + tail, R"({"$barrier":17)" + tail + " ", R"({"$barrier":99999999999999999999)" + tail,
             std::string("{\"$\"}"), std::string(), std::string("{\"$barrier\":"), tail}) {
        EXPECT_FALSE(lines.read(event)) << event;
    }
}

RC_GTEST_PROP(ControlLines, NoTextOfAToolOrFieldBreaksThem, ()) {
    const ControlLines lines(key);
    const auto text = *rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127));
    std::string out;
    lines.append_watermark(out, 5, text);
    RC_ASSERT(out.find('\n') == out.size() - 1);
    out.pop_back();
    const auto line = lines.read(out);
    RC_ASSERT(line.has_value());
    RC_ASSERT(line->text == text);
}

TEST(ControlLines, Keys) {
    EXPECT_TRUE(ControlLines::is_key("k"));
    EXPECT_TRUE(ControlLines::is_key(key));
    for (const char* text : {"", "a b", "a\"", "ä", "a-b"}) EXPECT_FALSE(ControlLines::is_key(text));
    EXPECT_FALSE(ControlLines::is_key(std::string(65, 'a')));
}

}  // namespace
}  // namespace stream
