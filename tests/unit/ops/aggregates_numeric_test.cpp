// SPDX-License-Identifier: Apache-2.0
// Sums and what comes from them: against 128-bit arithmetic, and against constants from Python's
// fractions and statistics.
#include "aggregates_testing.hpp"
#include "base/int128.hpp"
#include "json/number.hpp"

namespace stream::testing {
namespace {

const std::string max_int128 = "170141183460469231731687303715884105727";
const std::string min_int128 = "-170141183460469231731687303715884105728";

TEST(Sum, decimals_as_128_bit_arithmetic_has_it) {
    EXPECT_TRUE(rc::check([](const std::vector<std::pair<std::int64_t, unsigned char>>& terms) {
        RC_PRE(!terms.empty());
        Int128 want = 0;  // in millionths
        std::vector<std::string> texts;
        for (const auto& [mantissa, seed] : terms) {
            const int scale = seed % 7;
            Int128 millionths = mantissa;
            for (int i = scale; i < 6; ++i) millionths *= 10;
            want += millionths;
            texts.push_back(std::to_string(mantissa) + (scale > 0 ? "e-" + std::to_string(scale) : ""));
        }
        std::string text;
        append_int128(text, want);
        std::string canonical;
        append_canonical_number(canonical, text + "e-6");
        if (want % 1000000 == 0) {
            canonical.clear();
            append_int128(canonical, want / 1000000);
        }
        RC_ASSERT(result_of("sum:x", texts) == canonical);
    }));
}

TEST(Sum, written_in_full) {
    EXPECT_EQ(result_of("sum:x", {"0.1", "0.2"}), "0.3");
    EXPECT_EQ(result_of("sum:x", {"0.5", "0.50"}), "1");
    EXPECT_EQ(result_of("sum:x", {"1", "true", "false", "-0"}), "2");
    EXPECT_EQ(result_of("sum:x", {"1e22", "0.5", "-0.5"}), "10000000000000000000000");
    EXPECT_EQ(result_of("sum:x", {"1e400", "1", "-1e400"}), "1");
    EXPECT_EQ(result_of("sum:x", {"1e400"}), "1e+400");
    EXPECT_EQ(result_of("sum:x", {"1e30", "1e-30"}),
              "1.000000000000000000000000000000000000000000000000000000000001e+30");
    EXPECT_EQ(result_of("sum:x", {"1e4095", "1e-4096", "-1e4095"}), "1e-4096");
    EXPECT_EQ(result_of("sum:x", {"123456789012345678901234567890.123", "0.877"}),
              "123456789012345678901234567891");
    EXPECT_EQ(result_of("sum:x", {"0e999999999999999999999", "0.00"}), "0");
}

TEST(Sum, integers_past_128_bits_are_a_limit_in_any_order) {
    EXPECT_EQ(result_of("sum:x", {max_int128}), max_int128);
    EXPECT_EQ(result_of("sum:x", {min_int128}), min_int128);
    EXPECT_EQ(result_of("sum:x", {max_int128, "-1", "1"}), max_int128);
    EXPECT_EQ(result_of("sum:x", {max_int128, max_int128, min_int128}),
              "170141183460469231731687303715884105726");
    EXPECT_EQ(result_of("sum:x", {min_int128, max_int128, max_int128}),
              "170141183460469231731687303715884105726");
    for (const auto& texts :
         {std::vector<std::string>{max_int128, "1"}, {min_int128, "-1"}, {std::string(200, '9')}}) {
        Subject subject("sum:x");
        subject.add(given(texts));
        std::string out;
        const auto written = subject.try_write(out);
        ASSERT_FALSE(written);
        EXPECT_EQ(written.error().kind(), ErrorKind::limit);
        // A decimal among them says that decimals are meant, which have no such bound.
        subject.add(Given{"0.0", 99, 99});
        EXPECT_TRUE(subject.try_write(out));
    }
}

TEST(Sum, messages) {
    Subject subject("sum:bytes");
    EXPECT_EQ(subject.try_add({"\"12\""}).error().message(),
              R"("bytes" is a string, "12": sum wants numbers)");
    EXPECT_EQ(subject.try_add({"[1]"}).error().message(), R"("bytes" is an array: sum wants numbers)");
    EXPECT_EQ(Subject("p99:x").try_add({"true"}).error().message(), R"("x" is true: p99 wants numbers)");
    for (const std::string text : {"1e4097", "1e99999999999999999999", "1e-4097", "1.1e-4096"}) {
        const auto added = subject.try_add({text});
        ASSERT_FALSE(added) << text;
        EXPECT_EQ(added.error().kind(), ErrorKind::data);
    }
}

TEST(Mean, nearest_double) {
    EXPECT_EQ(result_of("mean:x", {"1", "2"}), "1.5");
    EXPECT_EQ(result_of("mean:x", {"0.1", "0.2", "1e-7"}), "0.10000003333333334");
    EXPECT_EQ(result_of("mean:x", {"true", "false", "true", "true"}), "0.75");
    EXPECT_EQ(result_of("mean:x", {"9007199254740993", "9007199254740993"}), "9007199254740992");
    EXPECT_EQ(result_of("mean:x", {"9007199254740993", "9007199254740993.000000000000000000000000000001"}),
              "9007199254740994");
    EXPECT_EQ(result_of("mean:x", {"1e400", "-1e400", "3"}), "1");
    EXPECT_EQ(result_of("mean:x", {"1e-400"}), "0");
    EXPECT_EQ(result_of("mean:x", {max_int128, max_int128}), "1.7014118346046923e+38");
}

TEST(Variance, nearest_double_however_far_from_zero) {
    EXPECT_EQ(result_of("variance:x", {"3", "1", "2", "4"}), "1.6666666666666667");
    EXPECT_EQ(result_of("stddev:x", {"3", "1", "2", "4"}), "1.2909944487358056");
    EXPECT_EQ(result_of("variance:x", {"10000000000001", "10000000000002", "10000000000003"}), "1");
    EXPECT_EQ(result_of("variance:x", {"1e30", "1000000000000000000000000000001"}), "0.5");
    EXPECT_EQ(result_of("variance:x", {"0.1", "0.1", "0.1"}), "0");
    EXPECT_EQ(result_of("stddev:x", {"0.1", "0.10"}), "0");
    EXPECT_EQ(result_of("variance:x", {"5"}), "null");
    EXPECT_EQ(result_of("stddev:x", {"5", "null"}), "null");
}

TEST(Rate, per_second_of_the_window) {
    const WindowSpan minute{60 * ns_per_second, {}};
    EXPECT_EQ(result_of("rate", {"{}", "{}", "{}", "{}", "{}", "{}"}, minute), "0.1");
    EXPECT_EQ(result_of("rate:x", {"4", "2.5", "null", "true"}, minute), "0.125");
    EXPECT_EQ(result_of("rate:x", {"1"}, WindowSpan{1, {}}), "1000000000");
    EXPECT_EQ(result_of("rate", {"{}"}, WindowSpan{3 * ns_per_second, {}}), "0.3333333333333333");
    EXPECT_EQ(result_of("rate", {"{}"}, WindowSpan{}), "null");
}

TEST(Count, of_events_and_of_true_ones) {
    EXPECT_EQ(result_of("count", {"{}", "{}"}), "2");
    EXPECT_EQ(result_of("count:x", {"0", "\"\"", "null", "false", "true", "", "[]"}), "4");
}

TEST(Span, from_first_to_last_in_seconds) {
    EXPECT_EQ(result_of_events("span", std::vector<Given>{{"{}", 5, 0}}), "0");
    EXPECT_EQ(result_of_events("span", std::vector<Given>{{"{}", 90'500'000'000, 0}, {"{}", 0, 1}}), "90.5");
    EXPECT_EQ(result_of_events("span", std::vector<Given>{{"{}", -1, 0}, {"{}", 0, 1}}), "1e-9");
    EXPECT_EQ(result_of_events(
                  "span", std::vector<Given>{{"{}", time_before_all + 1, 0}, {"{}", time_after_all - 1, 1}}),
              "18446744073.709551613");
}

// Of a counter that only these readings show.
std::string increase_by_hand(const std::vector<std::int64_t>& readings) {
    std::int64_t sum = 0;
    for (std::size_t i = 1; i < readings.size(); ++i) {
        sum += readings[i] >= readings[i - 1] ? readings[i] - readings[i - 1] : readings[i];
    }
    return std::to_string(sum);
}

TEST(Increase, as_neighbours_have_it) {
    EXPECT_TRUE(rc::check([] {
        const auto readings = *rc::gen::nonEmpty(
            rc::gen::container<std::vector<std::int64_t>>(rc::gen::inRange<std::int64_t>(0, 100)));
        std::vector<std::string> texts;
        for (const auto reading : readings) texts.push_back(std::to_string(reading));
        RC_ASSERT(result_of("increase:x", texts) == increase_by_hand(readings));
        Subject subject("increase:x");
        subject.add(given(texts));
        RC_ASSERT(subject.aggregate().last_number(subject.state()) == texts.back());
    }));
}

TEST(Increase, from_before_the_window) {
    EXPECT_EQ(result_of("increase:x", {"5"}), "0");
    EXPECT_EQ(result_of("increase:x", {"5"}, WindowSpan{0, "3.5"}), "1.5");
    EXPECT_EQ(result_of("increase:x", {"5"}, WindowSpan{0, "8"}), "5");
    EXPECT_EQ(result_of("increase:x", {"10", "3"}, WindowSpan{0, "8"}), "5");
    EXPECT_EQ(result_of("increase:x", {"12345678901234567890123", "12345678901234567890124.5"}), "1.5");
    EXPECT_EQ(result_of("increase:x", {"null"}, WindowSpan{0, "8"}), "null");
}

}  // namespace
}  // namespace stream::testing
