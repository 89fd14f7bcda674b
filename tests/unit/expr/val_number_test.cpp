// SPDX-License-Identifier: Apache-2.0
// Printed forms are those of jq 1.6, the binary, unless a test says otherwise.
#include "expr/val_number.hpp"

#include "expr/run.hpp"
#include "json/number.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

namespace stream::expr {
namespace {

constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();

Val text(std::string_view number) { return Val::of_text(Kind::number_text, number, false); }

std::string printed(Val number) {
    std::string out;
    append_jq_number(out, number);
    return out;
}

int sign(int order) { return (order > 0) - (order < 0); }

// Numbers of all the shapes that there are, often near one another.
std::string any_number() {
    const auto digits = [](int longest) {
        std::string out = std::to_string(*rc::gen::inRange(0, 10));
        const int more = *rc::gen::inRange(0, longest);
        for (int i = 0; i < more; ++i) out += static_cast<char>('0' + *rc::gen::element(0, 0, 9, 9, 1, 5));
        return out;
    };
    std::string integer = digits(22);
    integer.erase(0, std::min(integer.find_first_not_of('0'), integer.size() - 1));
    std::string out = (*rc::gen::arbitrary<bool>() ? "-" : "") + integer;
    if (*rc::gen::arbitrary<bool>()) out += '.' + digits(22);
    if (*rc::gen::inRange(0, 4) == 0)
        out += *rc::gen::element<std::string>("e0", "E+2", "e-3", "e22", "e-22", "e400", "e-400");
    return out;
}

TEST(SmallInteger, reads_what_parse_int64_reads) {
    EXPECT_TRUE(rc::check([] {
        std::string number = std::to_string(*rc::gen::inRange<std::int64_t>(least, most));
        number.resize(std::min<std::size_t>(number.size(), *rc::gen::inRange<std::size_t>(1, 21)));
        const int spoilt = *rc::gen::inRange(-40, static_cast<int>(number.size()));
        if (spoilt >= 0)
            number[static_cast<std::size_t>(spoilt)] =
                *rc::gen::element('.', 'e', '-', '/', ':', '0', '\xB0');
        std::int64_t value = 0;
        const bool read = small_integer(number, value);
        const auto expected = parse_int64(number);
        const std::size_t digits = number.size() - (number.front() == '-' ? 1 : 0);
        RC_ASSERT(read == (expected && digits <= 18 && !(number.front() == '-' && *expected == 0)));
        if (read) RC_ASSERT(value == *expected);
    }));
}

TEST(SmallInteger, each_length) {
    const std::string digits = "123456789012345678";
    for (std::size_t size = 1; size <= digits.size(); ++size) {
        std::int64_t value = 0;
        ASSERT_TRUE(small_integer(digits.substr(0, size), value));
        EXPECT_EQ(std::to_string(value), digits.substr(0, size));
        ASSERT_TRUE(small_integer("-" + digits.substr(0, size), value));
        EXPECT_EQ(std::to_string(value), "-" + digits.substr(0, size));
    }
    std::int64_t value = 0;
    for (const char* const other :
         {"", "-", "-0", "1.5", "1e3", "1234567890123456789", "-1234567890123456789"}) {
        EXPECT_FALSE(small_integer(other, value)) << other;
    }
}

TEST(CompareNumberVals, by_exact_value) {
    const std::string_view ascending[] = {"-1e400",
                                          "-9223372036854775809",
                                          "-9223372036854775808",
                                          "-1.5",
                                          "-1",
                                          "-1e-400",
                                          "0",
                                          "1e-400",
                                          "0.1",
                                          "0.10000000000000001",
                                          "0.2",
                                          "1",
                                          "499.99999999999999999",
                                          "500",
                                          "9007199254740992",
                                          "9007199254740992.5",
                                          "9007199254740993",
                                          "9223372036854775807",
                                          "9223372036854775808",
                                          "1e400",
                                          "1e401"};
    for (std::size_t i = 0; i < std::size(ascending); ++i) {
        for (std::size_t k = 0; k < std::size(ascending); ++k) {
            EXPECT_EQ(compare_number_vals(text(ascending[i]), text(ascending[k])), i < k ? -1 : i > k)
                << ascending[i] << ' ' << ascending[k];
        }
    }
    EXPECT_EQ(compare_number_vals(text("-0"), text("0")), 0);
    EXPECT_EQ(compare_number_vals(text("-0"), Val::of_integer(0)), 0);
    EXPECT_EQ(compare_number_vals(Val::of_number(-0.0), Val::of_integer(0)), 0);
    EXPECT_EQ(compare_number_vals(text("1.0"), text("1e0")), 0);
    EXPECT_EQ(compare_number_vals(text("500.0"), Val::of_integer(500)), 0);
    EXPECT_EQ(compare_number_vals(Val::of_integer(most), text("9223372036854775807.0")), 0);
    EXPECT_LT(compare_number_vals(Val::of_integer(most), text("9223372036854775807.5")), 0);
}

TEST(CompareNumberVals, a_double_is_its_shortest_text) {
    EXPECT_EQ(compare_number_vals(Val::of_number(0.1), text("0.1")), 0);
    EXPECT_LT(compare_number_vals(Val::of_number(0.1), text("0.10000000000000001")), 0);
    EXPECT_GT(compare_number_vals(Val::of_number(0.1 + 0.2), text("0.3")), 0);
    // 1152921504606846976 is written 1152921504606847000.
    EXPECT_EQ(compare_number_vals(Val::of_number(1152921504606846976.0), text("1152921504606847000")), 0);
    EXPECT_EQ(
        compare_number_vals(Val::of_number(1152921504606846976.0), Val::of_integer(1152921504606847000)), 0);
    EXPECT_GT(
        compare_number_vals(Val::of_number(1152921504606846976.0), Val::of_integer(1152921504606846976)), 0);
    EXPECT_LT(compare_number_vals(Val::of_number(1.5), Val::of_number(2.5)), 0);
}

TEST(CompareNumberVals, as_compare_numbers_does) {
    EXPECT_TRUE(rc::check([] {
        const std::string a = any_number();
        const std::string b =
            *rc::gen::inRange(0, 3) == 0 ? a + (a.find_first_of(".eE") == a.npos ? ".0" : "") : any_number();
        RC_ASSERT(compare_number_vals(text(a), text(b)) == sign(compare_numbers(a, b)));
        const std::int64_t integer = *rc::gen::arbitrary<std::int64_t>();
        RC_ASSERT(compare_number_vals(Val::of_integer(integer), text(b)) ==
                  sign(compare_numbers(std::to_string(integer), b)));
        const double computed = to_double(a);
        if (!std::isfinite(computed)) return;
        std::string shortest;
        append_double(shortest, computed);
        RC_ASSERT(compare_number_vals(Val::of_number(computed), text(b)) ==
                  sign(compare_numbers(shortest, b)));
        RC_ASSERT(compare_number_vals(text(b), Val::of_number(computed)) ==
                  sign(compare_numbers(b, shortest)));
        RC_ASSERT(compare_number_vals(Val::of_number(computed), text(a)) ==
                  sign(compare_numbers(shortest, a)));
    }));
}

TEST(IntegerOf, exact_integers_only) {
    const auto integer = [](Val number) {
        std::int64_t value = 0;
        return integer_of(number, value) ? std::to_string(value) : "none";
    };
    for (const std::string_view whole :
         {"1000", "1e3", "1E+3", "1000.0", "1000.000e0", "0.1e4", "10000e-1", "100000.0e-2"}) {
        EXPECT_EQ(integer(text(whole)), "1000") << whole;
    }
    for (const std::string_view zero : {"0", "0.0", "0e99999999999999999999", "0.000e-5"})
        EXPECT_EQ(integer(text(zero)), "0");
    EXPECT_EQ(integer(text("9223372036854775807")), std::to_string(most));
    EXPECT_EQ(integer(text("-9223372036854775808")), std::to_string(least));
    EXPECT_EQ(integer(text("-9223372036854775808.00")), std::to_string(least));
    EXPECT_EQ(integer(text("922337203685477580.7e1")), std::to_string(most));
    EXPECT_EQ(integer(text("1" + std::string(40, '0') + "e-40")), "1");
    for (const std::string_view none :
         {"1.5", "1e-3", "9223372036854775808", "-9223372036854775809", "1e19", "1e400", "1e-400",
          "1e99999999999999999999", "-0", "-0.0", "-0e5", "18446744073709551617"}) {
        EXPECT_EQ(integer(text(none)), "none") << none;
    }
    EXPECT_EQ(integer(Val::of_number(3)), "3");
    EXPECT_EQ(integer(Val::of_number(-9007199254740992.0)), "-9007199254740992");
    EXPECT_EQ(integer(Val::of_number(2.5)), "none");
    EXPECT_EQ(integer(Val::of_number(-0.0)), "none");
    EXPECT_EQ(integer(Val::of_number(1e17)), "none");
    EXPECT_EQ(integer(Val::of_integer(least)), std::to_string(least));
}

TEST(IntegerOf, agrees_with_exact_comparison) {
    EXPECT_TRUE(rc::check([] {
        const std::string number = any_number();
        std::int64_t value = 0;
        if (integer_of(text(number), value)) RC_ASSERT(compare_numbers(number, std::to_string(value)) == 0);
    }));
}

TEST(DoubleOf, nearest) {
    EXPECT_EQ(double_of(text("0.1")), 0.1);
    EXPECT_EQ(double_of(text("9007199254740993")), 9007199254740992.0);
    EXPECT_EQ(double_of(Val::of_integer(most)), 9223372036854775808.0);
    EXPECT_TRUE(std::signbit(double_of(text("-0"))));
    EXPECT_EQ(double_of(text("1e-400")), 0);
    EXPECT_THROW(double_of(text("1e400")), Punt);
}

TEST(AppendJqNumber, doubles) {
    const std::pair<const char*, const char*> expected[] = {
        {"0.1", "0.1"},
        {"1.50", "1.5"},
        {"100e-2", "1"},
        {"0.0001", "0.0001"},
        {"0.00001", "1e-05"},
        {"1.234e-5", "1.234e-05"},
        {"0.00012345", "0.00012345"},
        {"1e15", "1000000000000000"},
        {"1e16", "1e+16"},
        {"1e17", "1e+17"},
        {"1.5e17", "1.5e+17"},
        {"1234567e12", "1234567000000000000"},
        {"1.5e300", "1.5e+300"},
        {"5e-324", "5e-324"},
        {"1e-10", "1e-10"},
        {"3.0000000000000004", "3.0000000000000004"},
        {"0.30000000000000004", "0.30000000000000004"},
        {"-0.0", "-0"},
        {"-1e-400", "-0"},
        {"0e5", "0"},
        {"-2.5e-7", "-2.5e-07"},
        {"123456789012345678.5", "123456789012345680"},
        {"1.7976931348623157e308", "1.7976931348623157e+308"},
    };
    for (const auto& [number, form] : expected) EXPECT_EQ(printed(text(number)), form) << number;
    EXPECT_EQ(printed(Val::of_number(1e17)), "1e+17");
    EXPECT_EQ(printed(Val::of_number(-0.0)), "-0");
    EXPECT_EQ(printed(Val::of_number(1152921504606846976.0)), "1152921504606847000");
    EXPECT_THROW(printed(text("1e400")), Punt);
}

TEST(AppendJqNumber, plain_integers_keep_their_digits) {
    for (const char* const number : {"0", "-0", "500", "-17", "123456789012345678901234567890"})
        EXPECT_EQ(printed(text(number)), number);
    // Not jq's: 1e+17, 9007199254740992.
    EXPECT_EQ(printed(text("100000000000000000")), "100000000000000000");
    EXPECT_EQ(printed(text("9007199254740993")), "9007199254740993");
    EXPECT_EQ(printed(Val::of_integer(100000000000000000)), "100000000000000000");
    EXPECT_EQ(printed(Val::of_integer(least)), "-9223372036854775808");
}

TEST(AppendJqNumber, reads_back) {
    EXPECT_TRUE(rc::check([](std::uint64_t bits) {
        double value = 0;
        std::memcpy(&value, &bits, sizeof value);
        RC_PRE(std::isfinite(value));
        RC_ASSERT(to_double(printed(Val::of_number(value))) == value);
    }));
}

}  // namespace
}  // namespace stream::expr
