// SPDX-License-Identifier: Apache-2.0
// Expected values are those of jq 1.6, the binary, unless a test says otherwise.
#include "expr/run.hpp"
#include "expr/val.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace stream::expr {
namespace {

// What a builtin gives for JSON texts: its result as tojson writes it, "error: …" or "punt".
std::string call(std::string_view name, std::string_view in, std::vector<std::string_view> args = {}) {
    Run run(1u << 20, 1000, 0);
    for (const Builtin& builtin : math_builtins()) {
        if (builtin.name != name || builtin.arguments != args.size()) continue;
        std::vector<Val> values;
        for (const std::string_view arg : args) values.push_back(val_of_json(arg));
        try {
            const Val result = builtin.function(run, val_of_json(in), values.data());
            if (result.is_failed()) return "error: " + run.message();
            std::string out;
            append_tojson(run.arena, out, result);
            return out;
        } catch (const Punt&) {
            return "punt";
        }
    }
    return "no such builtin";
}

TEST(Math, rounding) {
    const std::vector<std::vector<std::string_view>> expected = {
        // in, floor, ceil, round, trunc, rint
        {"2.5", "2", "3", "3", "2", "2"},
        {"-2.5", "-3", "-2", "-3", "-2", "-2"},
        {"0.5", "0", "1", "1", "0", "0"},
        {"-0.5", "-1", "-0", "-1", "-0", "-0"},
        {"1e3", "1000", "1000", "1000", "1000", "1000"},
        {"-0", "-0", "-0", "-0", "-0", "-0"},
        {"1e17", "1e+17", "1e+17", "1e+17", "1e+17", "1e+17"},
        {"1152921504606846976.0", "1152921504606847000", "1152921504606847000", "1152921504606847000",
         "1152921504606847000", "1152921504606847000"},
    };
    for (const auto& row : expected) {
        const char* const names[] = {"floor", "ceil", "round", "trunc", "rint"};
        for (std::size_t i = 0; i < 5; ++i)
            EXPECT_EQ(call(names[i], row[0]), row[i + 1]) << names[i] << row[0];
    }
    EXPECT_EQ(call("nearbyint", "1.5"), "2");
    EXPECT_EQ(call("fabs", "-2.5"), "2.5");
    EXPECT_EQ(call("fabs", "-0"), "0");
}

TEST(Math, integers_of_64_bits_stay_exact) {
    // Not jq's, which rounds to a double.
    for (const char* const name : {"floor", "ceil", "round", "trunc", "rint", "nearbyint", "fabs"}) {
        EXPECT_EQ(call(name, "9007199254740993"), "9007199254740993");
        EXPECT_EQ(call(name, "9223372036854775807"), "9223372036854775807");
    }
    EXPECT_EQ(call("floor", "-9223372036854775808"), "-9223372036854775808");
    EXPECT_EQ(call("fabs", "-9223372036854775807"), "9223372036854775807");
    EXPECT_EQ(call("fabs", "-9223372036854775808"), "9223372036854776000");
    EXPECT_EQ(call("floor", "12345678901234567890"), "12345678901234567000");
}

TEST(Math, functions_of_one) {
    EXPECT_EQ(call("sqrt", "2.5"), "1.5811388300841898");
    EXPECT_EQ(call("sqrt", "16"), "4");
    EXPECT_EQ(call("sqrt", "-0"), "-0");
    EXPECT_EQ(call("cbrt", "2.5"), "1.3572088082974532");
    EXPECT_EQ(call("exp", "2.5"), "12.182493960703473");
    EXPECT_EQ(call("exp", "0"), "1");
    EXPECT_EQ(call("exp2", "2.5"), "5.656854249492381");
    EXPECT_EQ(call("exp10", "2.5"), "316.2277660168379");
    EXPECT_EQ(call("log", "2.5"), "0.9162907318741551");
    EXPECT_EQ(call("log2", "9007199254740992"), "53");
    EXPECT_EQ(call("log10", "1e17"), "17");
    EXPECT_EQ(call("log1p", "2.5"), "1.252762968495368");
    EXPECT_EQ(call("sin", "2.5"), "0.5984721441039565");
    EXPECT_EQ(call("atan", "-0.5"), "-0.4636476090008061");
    EXPECT_EQ(call("lgamma", "0.5"), "0.5723649429247001");
    EXPECT_EQ(call("tgamma", "2.5"), "1.329340388179137");
    EXPECT_EQ(call("frexp", "2.5"), "[0.625,2]");
    EXPECT_EQ(call("modf", "-2.5"), "[-0.5,-2]");
    EXPECT_EQ(call("modf", "-0.5"), "[-0.5,-0]");
}

TEST(Math, functions_of_more) {
    EXPECT_EQ(call("pow", "null", {"2", "3"}), "8");
    EXPECT_EQ(call("pow", "null", {"2.5", "-1"}), "0.4");
    EXPECT_EQ(call("pow", "null", {"0", "0"}), "1");
    EXPECT_EQ(call("pow", "null", {"10", "20"}), "1e+20");
    EXPECT_EQ(call("pow", "null", {"2", "62"}), "4611686018427388000");
    EXPECT_EQ(call("atan2", "null", {"2", "3"}), "0.5880026035475675");
    EXPECT_EQ(call("fmod", "null", {"-7", "3"}), "-1");
    EXPECT_EQ(call("fmin", "null", {"2", "-3"}), "-3");
    EXPECT_EQ(call("fmax", "null", {"1", "2.9"}), "2.9");
    EXPECT_EQ(call("hypot", "null", {"2", "3"}), "3.605551275463989");
    EXPECT_EQ(call("copysign", "null", {"2.5", "-1"}), "-2.5");
    EXPECT_EQ(call("nextafter", "null", {"-0", "1"}), "5e-324");
    EXPECT_EQ(call("ldexp", "null", {"2.5", "-1"}), "1.25");
    EXPECT_EQ(call("ldexp", "null", {"1", "2.9"}), "punt");
    EXPECT_EQ(call("fma", "null", {"2", "3", "4"}), "10");
}

TEST(Math, what_is_not_finite_punts) {
    EXPECT_EQ(call("sqrt", "-1"), "punt");
    EXPECT_EQ(call("log", "0"), "punt");
    EXPECT_EQ(call("exp", "1000"), "punt");
    EXPECT_EQ(call("acos", "2"), "punt");
    EXPECT_EQ(call("pow", "null", {"10", "400"}), "punt");
    EXPECT_EQ(call("fmod", "null", {"0", "0"}), "punt");
    EXPECT_EQ(call("floor", "1e400"), "punt");
}

TEST(Math, only_numbers) {
    EXPECT_EQ(call("floor", R"("a")"), R"(error: string ("a") number required)");
    EXPECT_EQ(call("sqrt", "null"), "error: null (null) number required");
    EXPECT_EQ(call("fabs", "[1]"), "error: array ([1]) number required");
    EXPECT_EQ(call("pow", "null", {"1", "null"}), "error: null (null) number required");
    EXPECT_EQ(call("pow", "null", {R"("a")", "1"}), R"(error: string ("a") number required)");
    EXPECT_EQ(call("fma", "null", {"1", "true", "2"}), "error: boolean (true) number required");
}

}  // namespace
}  // namespace stream::expr
