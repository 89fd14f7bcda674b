// SPDX-License-Identifier: Apache-2.0
// Goal: a rate is of about the last second, whatever the distance of the reports, and 0 in silence.
#include "run/pace.hpp"

#include <gtest/gtest.h>

namespace stream::run {
namespace {

constexpr std::int64_t ms = 1'000'000;

TEST(Pace, IsUnknownBeforeTheSecondReport) {
    Pace pace;
    EXPECT_FALSE(pace.rates(0));
    pace.heard(1'000'000, 5, 0);  // what it had before it was started again
    EXPECT_FALSE(pace.rates(ms));
}

TEST(Pace, IsOverTheLastSecond) {
    Pace pace;
    for (std::uint64_t i = 0; i <= 50; ++i) pace.heard(i < 20 ? 0 : (i - 20) * 10, i, static_cast<std::int64_t>(i) * 100 * ms);
    const auto rates = pace.rates(5000 * ms);
    ASSERT_TRUE(rates);
    EXPECT_DOUBLE_EQ(rates->in, 100);
    EXPECT_DOUBLE_EQ(rates->out, 10);
}

TEST(Pace, RareReportsAreTakenAsTheyAre) {
    Pace pace;
    pace.heard(0, 0, 0);
    pace.heard(600, 6, 60'000 * ms);
    EXPECT_DOUBLE_EQ(pace.rates(120'000 * ms)->in, 10);
    // Twice as long, and nothing came.
    EXPECT_DOUBLE_EQ(pace.rates(182'000 * ms)->in, 0);
}

TEST(Pace, CountsThatFallAreNoNegativeRate) {
    Pace pace;
    pace.heard(100, 100, 0);
    pace.heard(50, 200, 1000 * ms);
    EXPECT_DOUBLE_EQ(pace.rates(1000 * ms)->in, 0);
    EXPECT_DOUBLE_EQ(pace.rates(1000 * ms)->out, 100);
}

}  // namespace
}  // namespace stream::run
