// SPDX-License-Identifier: Apache-2.0
// Expected values: jq 1.6.
#include "expr/run.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace stream::expr {
namespace {

class Strings : public ::testing::Test {
protected:
    // The result as JSON; "error", "punt".
    std::string call(std::string_view name, std::string_view in, std::string_view argument = "") {
        run_.begin("", nullptr);
        const Val value = argument.empty() ? Val::null() : val_of_json(argument);
        for (const Builtin& builtin : string_builtins()) {
            if (builtin.name != name || builtin.arguments != (argument.empty() ? 0 : 1)) continue;
            try {
                const Val result = builtin.function(run_, val_of_json(in), &value);
                if (result.is_failed()) return "error";
                std::string out;
                append_json(run_.arena, out, result);
                return out;
            } catch (const Punt&) {
                return "punt";
            }
        }
        return "unknown";
    }

    expr::Run run_{8 << 20, 100'000, 0};
};

TEST_F(Strings, split) {
    EXPECT_EQ(call("split", R"("a,b,")", R"(",")"), R"(["a","b",""])");
    EXPECT_EQ(call("split", R"(",")", R"(",")"), R"(["",""])");
    EXPECT_EQ(call("split", R"("")", R"(",")"), "[]");
    EXPECT_EQ(call("split", R"("")", R"("")"), "[]");
    EXPECT_EQ(call("split", R"("aé😀")", R"("")"), R"(["a","é","😀"])");
    EXPECT_EQ(call("split", R"("aaa")", R"("aa")"), R"(["","a"])");
    EXPECT_EQ(call("split", R"("a\u0000b")", R"("\u0000")"), R"(["a","b"])");
    EXPECT_EQ(call("split", R"("a\nb")", R"("\n")"), R"(["a","b"])");
    EXPECT_EQ(call("split", "1", R"("a")"), "error");
    EXPECT_EQ(call("split", R"("a")", "null"), "error");
}

TEST_F(Strings, join) {
    EXPECT_EQ(call("join", R"(["a",1,null,true,"b",1e100])", R"("-")"), R"("a-1--true-b-1e+100")");
    EXPECT_EQ(call("join", "[]", R"("-")"), R"("")");
    EXPECT_EQ(call("join", "[null]", R"("-")"), R"("")");
    EXPECT_EQ(call("join", R"(["a"])", "1"), R"("a")");
    EXPECT_EQ(call("join", R"(["a","b"])", "1"), "error");
    EXPECT_EQ(call("join", R"(["a","b"])", "null"), R"("ab")");
    EXPECT_EQ(call("join", R"({"b":1,"a":"x"})", R"(",")"), R"("1,x")");
    EXPECT_EQ(call("join", R"([[1]])", R"(",")"), "error");
    EXPECT_EQ(call("join", R"([{}])", R"(",")"), "error");
    EXPECT_EQ(call("join", "null", R"(",")"), "error");
    EXPECT_EQ(call("join", R"("ab")", R"(",")"), "error");
}

TEST_F(Strings, beginnings_and_ends) {
    EXPECT_EQ(call("startswith", R"("abc")", R"("ab")"), "true");
    EXPECT_EQ(call("startswith", R"("abc")", R"("")"), "true");
    EXPECT_EQ(call("endswith", R"("abc")", R"("b")"), "false");
    EXPECT_EQ(call("startswith", "1", R"("b")"), "error");
    EXPECT_EQ(call("endswith", R"("b")", "null"), "error");
    EXPECT_EQ(call("ltrimstr", R"("abc")", R"("ab")"), R"("c")");
    EXPECT_EQ(call("rtrimstr", R"("abc")", R"("bc")"), R"("a")");
    EXPECT_EQ(call("rtrimstr", R"("abc")", R"("x")"), R"("abc")");
    EXPECT_EQ(call("ltrimstr", R"("abc")", "1"), R"("abc")");
    EXPECT_EQ(call("rtrimstr", "12", R"("2")"), "12");
}

TEST_F(Strings, characters) {
    EXPECT_EQ(call("ascii_downcase", R"("ABcÉ@[")"), R"("abcÉ@[")");
    EXPECT_EQ(call("ascii_upcase", R"("abZé`{")"), R"("ABZé`{")");
    EXPECT_EQ(call("ascii_upcase", "null"), "error");
    EXPECT_EQ(call("explode", R"("aé漢😀\u0000")"), "[97,233,28450,128512,0]");
    EXPECT_EQ(call("explode", R"("\udc00")"), "[65533]");
    EXPECT_EQ(call("explode", R"("")"), "[]");
    EXPECT_EQ(call("explode", "1"), "error");
    EXPECT_EQ(call("implode", "[97,233,28450,128512]"), R"("aé漢😀")");
    EXPECT_EQ(call("implode", "[]"), R"("")");
    for (const char* codes : {"[55296]", "[1114112]", "[-1]", "[1.5]", "[\"a\"]"})
        EXPECT_EQ(call("implode", codes), "punt") << codes;
    EXPECT_EQ(call("implode", R"("a")"), "error");
    EXPECT_EQ(call("utf8bytelength", R"("aé😀\u0000")"), "8");
    EXPECT_EQ(call("utf8bytelength", "[1]"), "error");
}

TEST_F(Strings, to_json_and_string) {
    EXPECT_EQ(call("tojson", R"({"a": [1.50, "é\u00e9"]})"), R"("{\"a\":[1.5,\"éé\"]}")");
    EXPECT_EQ(call("tojson", R"("a")"), R"("\"a\"")");
    EXPECT_EQ(call("tostring", R"("a")"), R"("a")");
    EXPECT_EQ(call("tostring", "[1, null]"), R"("[1,null]")");
}

TEST_F(Strings, tonumber_keeps_the_text) {
    EXPECT_EQ(call("tonumber", R"("12345678901234567890")"), "12345678901234567890");
    EXPECT_EQ(call("tonumber", R"("\u0031.50")"), "1.50");
    EXPECT_EQ(call("tonumber", R"("-1E+5")"), "-1E+5");
    EXPECT_EQ(call("tonumber", "1.50"), "1.50");
    for (const char* odd : {R"("01")", R"("1.")", R"(".5")", R"("+1")", R"(" 1")", R"("1 ")",  R"("nan")", R"("")", R"("1\u0000")", R"("infinity")", R"("[1]")", R"("1e")"}) {
        EXPECT_EQ(call("tonumber", odd), "punt") << odd;
    }
    for (const char* wrong : {R"("abc")", R"("-")", R"("0x10")", R"("2026-01-01T00:00:00Z")", R"("10.0.0.1/8")", "null", "true", "[1]", "{}"})
        EXPECT_EQ(call("tonumber", wrong), "error") << wrong;
}

TEST_F(Strings, fromjson_of_what_is_json) {
    EXPECT_EQ(call("fromjson", R"(" {\"a\":[1,\"\\u00e9\"]} \n")"), R"({"a":[1,"\u00e9"]})");
    EXPECT_EQ(call("fromjson", R"("1e5")"), "1e5");
    EXPECT_EQ(call("fromjson", R"("\"\\ud83d\\ude00\"")"), R"("\ud83d\ude00")");
    for (const char* odd :
         {R"("")", R"(" ")", R"("nan")", R"("[NaN]")", R"("[1,]")", R"("{\"a\"}")", R"("1 2")", R"("'a'")",
          R"("01")", R"("tru")", R"("\"a\nb\"")", R"("\"\\x\"")", R"("\"\\ud800\"")", R"("\"\\udc00\"")",
          R"("\"a")", R"("{1:2}")", R"("[1}")", R"("\u00001")"}) {
        EXPECT_EQ(call("fromjson", odd), "punt") << odd;
    }
    EXPECT_EQ(call("fromjson", "1"), "error");
    const auto nested = [](std::size_t depth) {
        return '"' + std::string(depth, '[') + std::string(depth, ']') + '"';
    };
    EXPECT_EQ(call("fromjson", nested(200)), std::string(200, '[') + std::string(200, ']'));
    EXPECT_EQ(call("fromjson", nested(250)), "punt");
}

}  // namespace
}  // namespace stream::expr
