// SPDX-License-Identifier: Apache-2.0
#include "json/number.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <cstdlib>
#include <limits>

namespace stream {
namespace {

std::string canonical(std::string_view text) {
    std::string out;
    append_canonical_number(out, text);
    return out;
}

std::string printed(double value) {
    std::string out;
    append_double(out, value);
    return out;
}

TEST(ParseInt64, plain_integers_only) {
    EXPECT_EQ(parse_int64("0"), 0);
    EXPECT_EQ(parse_int64("-0"), 0);
    EXPECT_EQ(parse_int64("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(parse_int64("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
    for (const std::string_view text :
         {"", "-", "1.0", "1e3", "9223372036854775808", "-9223372036854775809", " 1", "+1"}) {
        EXPECT_FALSE(parse_int64(text)) << text;
    }
    EXPECT_TRUE(
        rc::check([](std::int64_t value) { RC_ASSERT(parse_int64(std::to_string(value)) == value); }));
}

TEST(ToDouble, nearest_and_past_the_range) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    EXPECT_EQ(to_double("1e400"), infinity);
    EXPECT_EQ(to_double("-1e400"), -infinity);
    EXPECT_EQ(to_double("1e-400"), 0);
    EXPECT_EQ(to_double("1e99999999999999999999"), infinity);
    EXPECT_EQ(to_double("1e-99999999999999999999"), 0);
    EXPECT_EQ(to_double("0e99999999999999999999"), 0);
    EXPECT_EQ(to_double(std::string(400, '9')), infinity);
    EXPECT_EQ(to_double("0." + std::string(400, '0') + "1"), 0);
    EXPECT_EQ(to_double("0." + std::string(400, '0') + "1e401"), 1);
    EXPECT_EQ(to_double("9007199254740993"), 9007199254740992.0);
    EXPECT_TRUE(std::signbit(to_double("-0")));
    EXPECT_TRUE(std::signbit(to_double("-1e-400")));
}

TEST(AppendDouble, as_ecmascript) {
    EXPECT_EQ(printed(0), "0");
    EXPECT_EQ(printed(-0.0), "0");
    EXPECT_EQ(printed(1), "1");
    EXPECT_EQ(printed(-1.5), "-1.5");
    EXPECT_EQ(printed(0.1), "0.1");
    EXPECT_EQ(printed(1e-6), "0.000001");
    EXPECT_EQ(printed(1e-7), "1e-7");
    EXPECT_EQ(printed(5e-7), "5e-7");
    EXPECT_EQ(printed(1.25e-7), "1.25e-7");
    EXPECT_EQ(printed(1e20), "100000000000000000000");
    EXPECT_EQ(printed(123456789012345680000.0), "123456789012345680000");
    EXPECT_EQ(printed(1e21), "1e+21");
    EXPECT_EQ(printed(5e-324), "5e-324");
    EXPECT_EQ(printed(1.7976931348623157e308), "1.7976931348623157e+308");
    EXPECT_EQ(printed(std::numeric_limits<double>::infinity()), "null");
    EXPECT_EQ(printed(std::nan("")), "null");
    EXPECT_TRUE(rc::check([](double value) {
        const std::string text = printed(value);
        RC_ASSERT(std::strtod(text.c_str(), nullptr) == value);
        RC_ASSERT(to_double(text) == value);
        RC_ASSERT(canonical(text) == text);
    }));
}

TEST(AppendInt128, both_ends) {
    const auto printed128 = [](Int128 value) {
        std::string out;
        append_int128(out, value);
        return out;
    };
    const auto max = static_cast<Int128>(~UInt128{0} >> 1);
    EXPECT_EQ(printed128(0), "0");
    EXPECT_EQ(printed128(max), "170141183460469231731687303715884105727");
    EXPECT_EQ(printed128(-max - 1), "-170141183460469231731687303715884105728");
    EXPECT_EQ(printed128(Int128{10'000'000'000'000'000'000u} * 10), "100000000000000000000");
    EXPECT_EQ(printed128(-Int128{std::numeric_limits<std::int64_t>::min()}), "9223372036854775808");
}

TEST(CanonicalNumber, one_text_a_value) {
    for (const std::string_view text :
         {"1", "1.0", "1e0", "10e-1", "0.1e1", "100E-2", "1.000", "0.0001e+4"}) {
        EXPECT_EQ(canonical(text), "1") << text;
    }
    for (const std::string_view text : {"0", "-0", "0.0", "-0.00e5", "0e999999999999999999999999999"}) {
        EXPECT_EQ(canonical(text), "0") << text;
    }
    EXPECT_EQ(canonical("-12.50"), "-12.5");
    EXPECT_EQ(canonical("100000000000000000000"), "100000000000000000000");
    EXPECT_EQ(canonical("1000000000000000000000"), "1e+21");
    EXPECT_EQ(canonical("123456789012345678901.5"), "123456789012345678901.5");
    EXPECT_EQ(canonical("1234567890123456789012.5"), "1.2345678901234567890125e+21");
    EXPECT_EQ(canonical("0.000001"), "0.000001");
    EXPECT_EQ(canonical("0.0000001"), "1e-7");
    EXPECT_EQ(canonical("1e400"), "1e+400");
    EXPECT_EQ(canonical("1e999999999"), "1e+999999999");
    EXPECT_EQ(canonical("12e-999999999999999999999999"), "1.2e-999999999999999999999998");
    EXPECT_EQ(canonical("12e999999999999999999999999"), "1.2e+1000000000000000000000000");
    EXPECT_EQ(canonical("0.012e1000000000000000000000000"), "1.2e+999999999999999999999998");
    EXPECT_EQ(canonical("1e000000000000000000000000000005"), "100000");
    EXPECT_EQ(canonical(std::string(200, '9') + ".0"), "9." + std::string(199, '9') + "e+199");
}

TEST(CompareNumbers, by_exact_value) {
    EXPECT_EQ(compare_numbers("1", "1.0"), 0);
    EXPECT_EQ(compare_numbers("-0", "0.0e7"), 0);
    EXPECT_EQ(compare_numbers("9007199254740992", "9007199254740993"), -1);
    EXPECT_EQ(compare_numbers("9007199254740992.0", "9007199254740993.0"), -1);
    EXPECT_EQ(compare_numbers("-1e400", "-1e399"), -1);
    EXPECT_EQ(compare_numbers("1e400", "1e399"), 1);
    EXPECT_EQ(compare_numbers("1e-400", "-1e400"), 1);
    EXPECT_EQ(compare_numbers("1e-400", "0"), 1);
    EXPECT_EQ(compare_numbers("0.1", "0.10000000000000000000000000000001"), -1);
    EXPECT_EQ(compare_numbers("1e99999999999999999999", "1e999999999999999999999"), -1);
    EXPECT_EQ(compare_numbers("1e-99999999999999999999", "1e-999999999999999999999"), 1);
    EXPECT_EQ(compare_numbers("10e999999999999999999", "1e1000000000000000000"), 0);
    EXPECT_EQ(compare_numbers("1e999999999999999999", "0.1e1000000000000000000"), 0);
    EXPECT_EQ(compare_numbers("1e1000000000000000000", "1e-1000000000000000000"), 1);
    EXPECT_TRUE(rc::check([](std::int64_t a, std::int64_t b) {
        const std::string left = std::to_string(a) + ".0";
        const std::string right = std::to_string(b) + "0e-1";
        RC_ASSERT(compare_numbers(left, right) == (a < b ? -1 : a > b ? 1 : 0));
    }));
}

TEST(SubtractNumbers, exact) {
    EXPECT_EQ(subtract_numbers("1", "0.9"), "0.1");
    EXPECT_EQ(subtract_numbers("0.3", "0.1"), "0.2");
    EXPECT_EQ(subtract_numbers("1.0", "1"), "0");
    EXPECT_EQ(subtract_numbers("-1.5", "-1.25"), "-0.25");
    EXPECT_EQ(subtract_numbers("99.5", "-0.5"), "100");
    EXPECT_EQ(subtract_numbers("9223372036854775807", "-9223372036854775808"), "18446744073709551615");
    EXPECT_EQ(subtract_numbers("1e30", "1"), "9.99999999999999999999999999999e+29");
    EXPECT_EQ(subtract_numbers("1e400", "1e400"), "0");
    EXPECT_EQ(subtract_numbers("1e-400", "0"), "1e-400");
    EXPECT_EQ(subtract_numbers("0", "1e999999999999999999999"), "-1e+999999999999999999999");
    EXPECT_EQ(subtract_numbers("2e999999999999999999999", "1e999999999999999999999"),
              "1e+999999999999999999999");
    EXPECT_EQ(subtract_numbers("1e999999999", "1"), std::nullopt);
    EXPECT_EQ(subtract_numbers("1e999999999999999999999", "1"), std::nullopt);
    EXPECT_TRUE(subtract_numbers("1e4095", "1"));
    EXPECT_FALSE(subtract_numbers("1e4096", "1"));
    EXPECT_TRUE(rc::check([](std::int64_t a, std::int64_t b) {
        std::string want;
        append_int128(want, Int128{a} - b);
        std::string text;
        append_canonical_number(text, want + "e-3");
        RC_ASSERT(subtract_numbers(std::to_string(a) + "e-3", std::to_string(b) + "000e-6") == text);
    }));
}

}  // namespace
}  // namespace stream
