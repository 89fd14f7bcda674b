// SPDX-License-Identifier: Apache-2.0
// Aggregates that pick, count or collect values.
#include <set>

#include "aggregates_testing.hpp"
#include "json/number.hpp"

namespace stream::testing {
namespace {

TEST(MinMax, as_a_stable_sort_has_it) {
    EXPECT_TRUE(rc::check([](std::vector<std::string> texts) {
        texts = *rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(value_text()));
        std::vector<std::string> values;
        for (const auto& text : texts) {
            if (!value_of(text).is_nothing()) values.push_back(text);
        }
        RC_PRE(!values.empty());
        const auto less = [](const std::string& a, const std::string& b) {
            return compare_values(value_of(a), value_of(b)) < 0;
        };
        // Both of these find the first among equals.
        RC_ASSERT(result_of("min:x", texts) == *std::min_element(values.begin(), values.end(), less));
        RC_ASSERT(result_of("max:x", texts) == *std::max_element(values.begin(), values.end(), less));
    }));
}

TEST(MinMax, by_exact_value_and_in_own_bytes) {
    EXPECT_EQ(result_of("max:x", {"9007199254740992", "9007199254740993"}), "9007199254740993");
    EXPECT_EQ(result_of("min:x", {"9007199254740993", "9007199254740992"}), "9007199254740992");
    EXPECT_EQ(result_of("max:x", {"1e400", "1e500", "1e450"}), "1e500");
    EXPECT_EQ(result_of("max:x", {"1.50", "1.5"}), "1.50");
    EXPECT_EQ(result_of("max:x", {"\"a\"", "\"b\"", "9"}), "\"b\"");
    EXPECT_EQ(result_of("min:x", {"\"a\"", "\"b\"", "9"}), "9");
    EXPECT_EQ(result_of("min:x", {"\"this text is longer than what fits in place\""}),
              "\"this text is longer than what fits in place\"");
}

TEST(FirstLast, by_time_then_position) {
    const std::vector<Given> events = {
        {"\"b\"", 5, 0}, {"\"a\"", 3, 1}, {"\"c\"", 5, 2}, {"\"A\"", 3, 3}, {"null", 9, 4}};
    EXPECT_EQ(result_of_events("first:x", events), "\"a\"");
    EXPECT_EQ(result_of_events("last:x", events), "\"c\"");
    EXPECT_EQ(result_of_events("collect:x", events), R"(["a","A","b","c"])");
    EXPECT_EQ(result_of_events("last", events), "null");  // the event's own bytes
}

TEST(Percentile, as_sorting_has_it) {
    EXPECT_TRUE(rc::check([] {
        const auto texts = *rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(number_text()));
        std::vector<std::string> sorted = texts;
        std::sort(sorted.begin(), sorted.end(),
                  [](const std::string& a, const std::string& b) { return compare_numbers(a, b) < 0; });
        const auto canonical_at = [&](std::size_t rank) {
            std::string text;
            append_canonical_number(text, sorted[rank - 1]);
            return text;
        };
        const std::size_t n = texts.size();
        RC_ASSERT(result_of("p0:x", texts) == canonical_at(1));
        RC_ASSERT(result_of("p100:x", texts) == canonical_at(n));
        RC_ASSERT(result_of("median:x", texts) == canonical_at((n + 1) / 2));
        RC_ASSERT(result_of("p25:x", texts) == canonical_at((n + 3) / 4));
        RC_ASSERT(result_of("p12.5:x", texts) == canonical_at((n + 7) / 8));
        RC_ASSERT(result_of("p99.9:x", texts) == canonical_at((n * 999 + 999) / 1000));
    }));
}

TEST(Percentile, rank_is_exact) {
    // 0.07 · 100 is 7.000000000000001 in doubles.
    std::vector<std::string> hundred;
    for (int i = 1; i <= 100; ++i) hundred.push_back(std::to_string(i));
    EXPECT_EQ(result_of("p7:x", hundred), "7");
    EXPECT_EQ(result_of("p7.0:x", hundred), "7");
    EXPECT_EQ(result_of("p7.000000000001:x", hundred), "8");
    EXPECT_EQ(result_of("p99.9:x", hundred), "100");
    EXPECT_EQ(
        result_of("median:x", {"0.1234567890123456789", "0.1234567890123456788", "0.12345678901234568"}),
        "0.1234567890123456789");
    EXPECT_EQ(result_of("p100:x", {"-0", "-0.0"}), "0");
}

TEST(Distinct, as_a_set_of_canonical_texts_has_it) {
    EXPECT_TRUE(rc::check([] {
        const auto texts = *rc::gen::container<std::vector<std::string>>(value_text());
        std::set<std::string> seen;
        for (const auto& text : texts) {
            if (value_of(text).is_nothing()) continue;
            std::string canonical;
            append_canonical(canonical, value_of(text));
            seen.insert(canonical);
        }
        RC_ASSERT(result_of("distinct:x", texts) == std::to_string(seen.size()));
    }));
    EXPECT_EQ(result_of("distinct:x", {"1", "1.0", "\"1\"", R"("\u0031")", "10e-1", "[1]"}), "3");
}

TEST(Collect, values_or_events) {
    EXPECT_EQ(result_of("collect:x", {"1", "null", "\"a\"", "", "[ 1 ]"}), R"([1,"a",[ 1 ]])");
    EXPECT_EQ(result_of("collect", {R"({"v":1})", R"({"v":null})"}), R"([{"v":1},{"v":null}])");
}

}  // namespace
}  // namespace stream::testing
