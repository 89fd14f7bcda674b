// SPDX-License-Identifier: Apache-2.0
// Goal: what is noted is what came since the last whole copy, neither more nor less; the operators' own tests restart
// from it after every event.
#include "ops/journal.hpp"

#include "json/canonical.hpp"
#include "ops/dedupe.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace stream {
namespace {

// Keeps the bytes of all its events, and what they were told with.
struct Diary final : Operator {
    Result<void> on_event(int input, const Event& event, Sink&) override {
        told.push_back(std::to_string(input) + std::string(event.raw) + std::to_string(event.time) + "#" + std::to_string(event.position));
        return {};
    }
    Result<void> on_watermark(TimeNs watermark, Sink&) override {
        told.push_back("w" + std::to_string(watermark));
        return {};
    }
    void on_input_end(int input) override { told.push_back("e" + std::to_string(input)); }
    std::vector<std::string> told;
};

struct Deaf final : Sink {
    void pass(const Event&) override {}
    std::string& begin() override { return line; }
    void end(TimeNs) override {}
    void late(const Event&, DurationNs) override {}
    std::string line;
};

std::vector<std::string> replayed(const std::string& bytes) {
    Diary diary;
    Journal journal(diary);
    StateReader reader(bytes);
    EXPECT_TRUE(journal.replay(reader, [](int, std::string_view raw, Event& event) {
        event.raw = raw;
        return true;
    }));
    EXPECT_TRUE(reader.at_end());
    return diary.told;
}

std::string changes(Journal& journal) {
    StateWriter writer;
    journal.snapshot_changes(writer);
    return writer.take();
}

TEST(Journal, TellsWhatCameSinceTheLastTime) {
    Diary diary;
    Journal journal(diary);
    Deaf sink;
    const Event event{"{}", -7, 300, nullptr};
    ASSERT_TRUE(journal.on_event(0, event, sink));
    EXPECT_FALSE(journal.knows_changes());
    journal.track(1000, true);
    ASSERT_TRUE(journal.on_event(1, event, sink));
    ASSERT_TRUE(journal.on_watermark(5, sink));
    journal.on_input_end(1);
    EXPECT_EQ(replayed(changes(journal)), (std::vector<std::string>{"1{}-7#300", "w5", "e1"}));
    EXPECT_TRUE(replayed(changes(journal)).empty());
    ASSERT_TRUE(journal.on_watermark(6, sink));
    EXPECT_EQ(replayed(changes(journal)), (std::vector<std::string>{"w6"}));
}

TEST(Journal, AWholeCopyEndsWhatWasNotedBeforeIt) {
    Diary diary;
    Journal journal(diary);
    Deaf sink;
    journal.track(1000, true);
    ASSERT_TRUE(journal.on_watermark(1, sink));
    journal.stop_tracking();  // a small one: the next is whole, too
    EXPECT_FALSE(journal.knows_changes());
    ASSERT_TRUE(journal.on_watermark(2, sink));
    journal.track(1000, true);
    ASSERT_TRUE(journal.on_watermark(3, sink));
    EXPECT_EQ(replayed(changes(journal)), (std::vector<std::string>{"w3"}));
}

TEST(Journal, GivesUpPastItsLimitAndWhereCallsWouldNotGiveTheSame) {
    Diary diary;
    Journal journal(diary);
    Deaf sink;
    journal.track(100, true);
    const std::string raw(200, 'x');
    ASSERT_TRUE(journal.on_event(0, Event{raw, 0, 0, nullptr}, sink));
    EXPECT_FALSE(journal.knows_changes());
    ASSERT_TRUE(journal.on_watermark(1, sink));
    EXPECT_FALSE(journal.knows_changes());
    journal.track(100, false);
    EXPECT_FALSE(journal.knows_changes());
    journal.track(100, true);
    ASSERT_TRUE(journal.on_end(sink));
    EXPECT_FALSE(journal.knows_changes());
}

TEST(Journal, WhatASetNotesHasALimit) {
    DedupeOptions options;
    options.fields = {"id"};
    options.limits.folder = "/nowhere";
    options.limits.memory_bytes = 1 << 20;
    Dedupe dedupe(options);
    Journal journal(dedupe);
    Deaf sink;
    journal.track(1 << 20, true);
    int noted = 0;
    for (; noted < 40'000 && journal.knows_changes(); ++noted) {
        const std::string key = std::to_string(noted);
        const Value value = value_of(key);
        ASSERT_TRUE(journal.on_event(0, Event{"{}", 0, 0, &value}, sink));
    }
    EXPECT_EQ(noted, (1 << 18) / 16 + 1);
}

}  // namespace
}  // namespace stream
