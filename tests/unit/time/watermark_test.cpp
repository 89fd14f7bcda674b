// SPDX-License-Identifier: Apache-2.0
// The watermark of several inputs; M01, M03 and M06 of the shared vectors.
#include "time/watermark.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <string>
#include <utility>

namespace stream {
namespace {

TEST(InputWatermarks, M01MergesThreeInputs) {
    InputWatermarks marks(3, 0);
    EXPECT_EQ(marks.current(), time_before_all);
    EXPECT_FALSE(marks.on_mark(0, 0));
    EXPECT_FALSE(marks.on_mark(1, 0));
    EXPECT_TRUE(marks.on_mark(2, 0));
    EXPECT_EQ(marks.current(), 0);
    EXPECT_FALSE(marks.on_mark(0, 12));
    EXPECT_FALSE(marks.on_mark(2, 8));
    EXPECT_FALSE(marks.on_mark(2, 10));
    EXPECT_TRUE(marks.on_mark(1, 15));
    EXPECT_EQ(marks.current(), 10);
    EXPECT_FALSE(marks.on_mark(0, 6));  // goes back: ignored
    EXPECT_EQ(marks.of(0), 12);
    EXPECT_TRUE(marks.set_idle(2));
    EXPECT_EQ(marks.current(), 12);
    EXPECT_TRUE(marks.on_mark(0, 17));
    EXPECT_EQ(marks.current(), 15);
    EXPECT_FALSE(marks.on_mark(0, 25));
    EXPECT_TRUE(marks.on_mark(1, 20));
    EXPECT_EQ(marks.current(), 20);
    EXPECT_FALSE(marks.set_active(2));
    EXPECT_FALSE(marks.on_mark(2, 18));  // behind the output
    EXPECT_TRUE(marks.on_mark(1, 22));
    EXPECT_EQ(marks.current(), 22);
    EXPECT_FALSE(marks.on_mark(0, 28));
    EXPECT_TRUE(marks.on_mark(1, 33));
    EXPECT_EQ(marks.current(), 28);
    EXPECT_FALSE(marks.on_mark(2, 30));  // caught up: counts again
    EXPECT_TRUE(marks.on_mark(0, 31));
    EXPECT_EQ(marks.current(), 30);
    EXPECT_TRUE(marks.on_mark(2, 34));
    EXPECT_EQ(marks.current(), 31);
    EXPECT_TRUE(marks.set_idle(0));
    EXPECT_EQ(marks.current(), 33);
    EXPECT_FALSE(marks.set_idle(2));
    EXPECT_FALSE(marks.is_idle());
    EXPECT_FALSE(marks.set_idle(1));
    EXPECT_TRUE(marks.is_idle());
    EXPECT_FALSE(marks.set_active(0));
    EXPECT_FALSE(marks.is_idle());
    EXPECT_TRUE(marks.on_mark(0, 36));
    EXPECT_EQ(marks.current(), 36);
    EXPECT_FALSE(marks.set_active(1));
    EXPECT_FALSE(marks.on_mark(1, 35));
    EXPECT_TRUE(marks.on_mark(0, 37));
    EXPECT_EQ(marks.current(), 37);
    EXPECT_FALSE(marks.on_mark(1, 38));
    EXPECT_TRUE(marks.on_mark(0, 40));
    EXPECT_EQ(marks.current(), 38);
}

TEST(InputWatermarks, M03IsTheNewestTimeLessTheLateness) {
    InputWatermarks marks(1, 5);
    EXPECT_EQ(marks.current(), time_before_all);
    for (const auto& [time, expected] :
         {std::pair<TimeNs, TimeNs>{10, 5}, {12, 7}, {9, 7}, {20, 15}, {3, 15}}) {
        marks.on_event(0, time);
        EXPECT_EQ(marks.current(), expected) << time;
    }
    EXPECT_LT(3, marks.current());  // late where order is needed
}

TEST(InputWatermarks, M06EachInputHasItsOwn) {
    InputWatermarks each(2, 0);
    InputWatermarks merged(1, 0);
    int late_of_each = 0;
    int late_of_merged = 0;
    const std::pair<std::size_t, TimeNs> events[] = {{0, 100}, {0, 200}, {0, 300}, {1, 1}, {1, 2}, {1, 3}};
    for (const auto& [input, time] : events) {
        late_of_each += time < each.of(input) ? 1 : 0;
        late_of_merged += time < merged.of(0) ? 1 : 0;
        each.on_event(input, time);
        merged.on_event(0, time);
    }
    EXPECT_EQ(each.current(), 3);
    EXPECT_EQ(late_of_each, 0);
    EXPECT_EQ(merged.current(), 300);
    EXPECT_EQ(late_of_merged, 3);
}

TEST(InputWatermarks, AnEndedInputHoldsNobodyBack) {
    InputWatermarks marks(2, 10);
    marks.on_event(0, 100);
    EXPECT_EQ(marks.current(), time_before_all);
    EXPECT_TRUE(marks.end(1));
    EXPECT_EQ(marks.current(), 90);
    EXPECT_TRUE(marks.end(0));
    EXPECT_EQ(marks.current(), time_after_all);
}

TEST(InputWatermarks, WithAllIdleAClockMovesOnAndTheInputsCatchUp) {
    InputWatermarks marks(2, 0);
    marks.on_event(0, 100);
    marks.on_event(1, 50);
    EXPECT_EQ(marks.current(), 50);
    marks.set_idle(0);
    marks.set_idle(1);
    EXPECT_TRUE(marks.move_to(200));
    EXPECT_FALSE(marks.move_to(150));
    marks.set_active(0);
    EXPECT_FALSE(marks.on_event(0, 120));  // still behind
    EXPECT_EQ(marks.current(), 200);
    EXPECT_TRUE(marks.on_event(0, 210));
    EXPECT_EQ(marks.current(), 210);
}

TEST(InputWatermarks, ALatenessPastTheRangeDoesNotWrap) {
    InputWatermarks marks(1, time_after_all);
    EXPECT_FALSE(marks.on_event(0, -10));
    EXPECT_EQ(marks.current(), time_before_all);
    EXPECT_TRUE(marks.on_event(0, 10));
}

TEST(InputWatermarks, NeverGoesBackNorPastTheLeastInputThatCounts) {
    EXPECT_TRUE(rc::check([] {
        const auto inputs = *rc::gen::inRange<std::size_t>(1, 4);
        InputWatermarks marks(inputs, *rc::gen::inRange<DurationNs>(0, 5));
        TimeNs before = time_before_all;
        std::vector<bool> idle(inputs);
        for (int step = 0; step < 60; ++step) {
            const auto input = *rc::gen::inRange<std::size_t>(0, inputs);
            bool grew = false;
            switch (*rc::gen::inRange(0, 5)) {
                case 0:
                    grew = marks.set_idle(input);
                    idle[input] = true;
                    break;
                case 1:
                    grew = marks.set_active(input);
                    idle[input] = false;
                    break;
                default:
                    grew = marks.on_event(input, *rc::gen::inRange<TimeNs>(-50, 50));
            }
            RC_ASSERT(grew == (marks.current() > before));
            RC_ASSERT(marks.current() >= before);
            before = marks.current();
            TimeNs largest = time_before_all;
            for (std::size_t i = 0; i < inputs; ++i) largest = std::max(largest, marks.of(i));
            RC_ASSERT(marks.current() <= largest);
        }
    }));
}

}  // namespace
}  // namespace stream
