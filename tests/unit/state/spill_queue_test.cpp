// SPDX-License-Identifier: Apache-2.0
// The queue against std::map, under limits so small that it spills, merges and punches all the time.
#include "state/spill_queue.hpp"

#include "unit/state/temp_folder.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <random>
#include <string>
#include <tuple>

namespace stream {
namespace {

using test::TempFolder;
using Model = std::map<std::tuple<TimeNs, std::uint32_t, std::uint64_t>, std::string>;

SpillLimits limits(const TempFolder& folder, std::size_t memory, std::uint64_t disk = 1ull << 40) {
    return {memory, disk, folder.path()};
}

void push(SpillQueue& queue, Model& model, TimeNs time, std::uint32_t input, std::uint64_t position,
          const std::string& bytes) {
    ASSERT_TRUE(queue.push({time, input, position, bytes}));
    model[{time, input, position}] = bytes;
}

void pop_least(SpillQueue& queue, Model& model) {
    ASSERT_FALSE(queue.empty());
    ASSERT_EQ(queue.size(), model.size());
    ASSERT_EQ(queue.min_time(), std::get<0>(model.begin()->first));
    auto event = queue.pop();
    ASSERT_TRUE(event) << event.error().message();
    ASSERT_EQ(std::tuple(event->time, event->input, event->position), model.begin()->first);
    ASSERT_EQ(event->bytes, model.begin()->second);
    model.erase(model.begin());
}

void expect_drains(SpillQueue& queue, Model& model) {
    while (!model.empty()) ASSERT_NO_FATAL_FAILURE(pop_least(queue, model));
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.size(), 0u);
    EXPECT_EQ(queue.min_time(), time_after_all);
}

TEST(SpillQueue, OrdersByTimeThenInputThenPosition) {
    TempFolder folder;
    SpillQueue queue(limits(folder, 1 << 20));
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.min_time(), time_after_all);
    Model model;
    push(queue, model, 5, 1, 1, "c");
    push(queue, model, 5, 0, 9, "b");
    push(queue, model, 5, 1, 0, "b2");
    push(queue, model, -3, 7, 2, "");
    push(queue, model, time_after_all - 1, 0, 3, "far");
    expect_drains(queue, model);
    EXPECT_TRUE(folder.empty());
}

TEST(SpillQueue, ThePoppedBytesOutliveThePop) {
    TempFolder folder;
    SpillQueue queue(limits(folder, 1 << 20));
    const std::string big(3 << 20, 'x');
    ASSERT_TRUE(queue.push({1, 0, 0, big}));
    ASSERT_TRUE(queue.push({2, 0, 1, "y"}));
    auto event = queue.pop();
    EXPECT_EQ(queue.min_time(), 2);
    EXPECT_TRUE(event->bytes == big);
}

TEST(SpillQueue, SpillsAndMergesAndStaysWithinItsMemory) {
    TempFolder folder;
    constexpr std::size_t memory = 256 << 10;
    SpillQueue queue(limits(folder, memory));
    Model model;
    std::mt19937_64 random(7);
    std::size_t most = 0;
    for (std::uint64_t i = 0; i < 150000; ++i) {
        const auto time = static_cast<TimeNs>(random() % 1000000);
        ASSERT_NO_FATAL_FAILURE(push(queue, model, time, static_cast<std::uint32_t>(random() % 3), i,
                                     std::string(random() % 300, 'a')));
        most = std::max(most, queue.memory_used());
    }
    EXPECT_LT(most, 2 * memory);
    EXPECT_GT(queue.spilled_bytes(), 10u << 20);
    EXPECT_TRUE(folder.empty());  // files have no names
    while (model.size() > 1000) ASSERT_NO_FATAL_FAILURE(pop_least(queue, model));
    EXPECT_LT(queue.spilled_bytes(), 150u << 20);
    expect_drains(queue, model);
    EXPECT_EQ(queue.spilled_bytes(), 0u);
}

TEST(SpillQueue, SpaceOfWhatWasReadComesBackBeforeTheRunEnds) {
    TempFolder folder;
    SpillQueue queue(limits(folder, 16 << 20));
    const std::string bytes(1000, 'x');
    std::uint64_t position = 0;
    while (queue.spilled_bytes() == 0) {
        ASSERT_TRUE(queue.push({static_cast<TimeNs>(position), 0, position, bytes}));
        ++position;
    }
    const std::uint64_t full = queue.spilled_bytes();
    for (std::uint64_t i = 0; i < position / 2; ++i) ASSERT_TRUE(queue.pop());
    EXPECT_LT(queue.spilled_bytes(), full * 3 / 4);
}

TEST(SpillQueue, PastItsDiskIsALimitThatNamesTheOption) {
    TempFolder folder;
    SpillQueue queue(limits(folder, 64 << 10, 1 << 20));
    const std::string bytes(1000, 'x');
    for (std::uint64_t i = 0; i < 3000; ++i) {
        auto pushed = queue.push({static_cast<TimeNs>(i), 0, i, bytes});
        if (pushed) continue;
        EXPECT_EQ(pushed.error().kind(), ErrorKind::limit);
        EXPECT_NE(pushed.error().message().find("--spill-max"), std::string::npos);
        EXPECT_GT(i, 800u);
        return;
    }
    FAIL() << "no limit";
}

TEST(SpillQueue, AFolderThatCannotBeWrittenIsAnIoError) {
    SpillQueue queue({4096, 1 << 20, "/proc/no/such/folder"});
    const std::string bytes(1000, 'x');
    for (std::uint64_t i = 0; i < 100; ++i) {
        auto pushed = queue.push({static_cast<TimeNs>(i), 0, i, bytes});
        if (pushed) continue;
        EXPECT_EQ(pushed.error().kind(), ErrorKind::io);
        return;
    }
    FAIL() << "no error";
}

TEST(SpillQueue, OneEventFarAheadDoesNotHoldTheRestsMemory) {
    TempFolder folder;
    SpillQueue queue(limits(folder, 1ull << 30));
    const std::string bytes(200, 'x');
    std::uint64_t position = 0;
    std::size_t most = 0;
    for (TimeNs time = 0; time < 300000; ++time) {
        // Each 1,000th stays for ever and pins its chunk.
        const TimeNs at = time % 1000 == 0 ? time_after_all - 1000000 + time : time;
        ASSERT_TRUE(queue.push({at, 0, position++, bytes}));
        while (queue.min_time() <= time) ASSERT_TRUE(queue.pop());
        most = std::max(most, queue.memory_used());
    }
    EXPECT_LT(most, 16u << 20);  // of 60 MB that went through
    EXPECT_EQ(queue.size(), 300u);
}

TEST(SpillQueue, RestoreRefusesDamage) {
    TempFolder folder;
    SpillQueue queue(limits(folder, 1 << 20));
    ASSERT_TRUE(queue.push({1, 2, 3, "hello"}));
    ASSERT_TRUE(queue.push({2, 2, 4, "world"}));
    StateWriter writer;
    queue.snapshot(writer);
    for (std::size_t size = 0; size < writer.bytes().size(); ++size) {
        StateReader reader(std::string_view(writer.bytes()).substr(0, size));
        SpillQueue other(limits(folder, 1 << 20));
        auto restored = other.restore(reader);
        ASSERT_FALSE(restored) << size;
        ASSERT_EQ(restored.error().kind(), ErrorKind::corrupt);
    }
}

RC_GTEST_PROP(SpillQueue, BehavesAsAMap, ()) {
    TempFolder folder;
    const auto memory = *rc::gen::element<std::size_t>(1, 5000, 20000, 1 << 20);
    auto queue = std::make_unique<SpillQueue>(limits(folder, memory));
    Model model;
    std::uint64_t position = 0;
    TimeNs now = 0;
    const auto steps = *rc::gen::inRange(0, 3000);
    std::mt19937_64 random(*rc::gen::arbitrary<std::uint64_t>());
    const auto spread = *rc::gen::element<std::uint64_t>(1, 3, 1000, 1000000);
    const auto pops = *rc::gen::element<std::uint64_t>(20, 45, 70);
    for (int step = 0; step < steps; ++step) {
        const auto dice = random() % 100;
        if (dice < pops) {
            if (!model.empty()) {
                pop_least(*queue, model);
            }
        } else if (dice == 99 && step % 7 == 0) {
            StateWriter writer;
            queue->snapshot(writer);
            StateReader reader(writer.bytes());
            queue = std::make_unique<SpillQueue>(limits(folder, memory));
            RC_ASSERT(queue->restore(reader).has_value());
            RC_ASSERT(reader.at_end());
            StateWriter again;
            queue->snapshot(again);
            RC_ASSERT(again.bytes() == writer.bytes());
        } else {
            now += static_cast<TimeNs>(random() % 10);
            const auto time = now + static_cast<TimeNs>(random() % spread);
            std::string bytes(random() % 100 == 0 ? 9000 : random() % 50,
                              static_cast<char>('a' + random() % 26));
            push(*queue, model, time, static_cast<std::uint32_t>(random() % 12), position++, bytes);
        }
        RC_ASSERT(!::testing::Test::HasFatalFailure());
        RC_ASSERT(queue->size() == model.size());
        RC_ASSERT(queue->min_time() == (model.empty() ? time_after_all : std::get<0>(model.begin()->first)));
    }
    expect_drains(*queue, model);
    RC_ASSERT(!::testing::Test::HasFatalFailure());
}

}  // namespace
}  // namespace stream
