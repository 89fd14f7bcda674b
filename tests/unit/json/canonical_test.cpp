// SPDX-License-Identifier: Apache-2.0
#include "json/canonical.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <vector>

#include "json/cursor.hpp"

namespace stream {
namespace {

std::string canonical(std::string_view text) {
    std::string out;
    append_canonical(out, value_of(text));
    return out;
}

std::string unescaped(std::string_view text) {
    std::string out;
    append_unescaped(out, value_of(text));
    return out;
}

int compare(std::string_view a, std::string_view b) { return compare_values(value_of(a), value_of(b)); }

TEST(Unescape, all_escapes) {
    EXPECT_EQ(unescaped(R"("plain")"), "plain");
    EXPECT_EQ(unescaped(R"("")"), "");
    EXPECT_EQ(unescaped(R"("\"\\\/\b\f\n\r\t")"), "\"\\/\b\f\n\r\t");
    EXPECT_EQ(unescaped(R"("\u0041\u00e9\u20AC\ud83d\ude00")"), "Aé€😀");
    EXPECT_EQ(unescaped(R"("\u0000")"), std::string(1, '\0'));
    EXPECT_EQ(unescaped(R"("a\ud800b")"), "a\uFFFDb");
    EXPECT_EQ(unescaped(R"("\udc00\ud800")"), "\uFFFD\uFFFD");
    EXPECT_EQ(unescaped(R"("\ud800\ud83d\ude00")"), "\uFFFD😀");
    EXPECT_EQ(unescaped(R"("\ud800\n")"), "\uFFFD\n");
    EXPECT_EQ(unescaped(R"("\ud800\u0041")"),
              "\uFFFD"
              "A");
}

TEST(Quote, only_what_must_be_escaped) {
    std::string out;
    append_quoted(out, std::string_view("é/\"\\\b\f\n\r\t\0\x1f\x7f", 13));
    EXPECT_EQ(out, "\"é/\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\"");
    EXPECT_TRUE(rc::check([](const std::string& text) {
        std::string quoted;
        append_quoted(quoted, text);
        RC_ASSERT(unescaped(quoted) == text);
    }));
}

TEST(Canonical, equal_values_equal_bytes) {
    EXPECT_EQ(canonical(""), "null");
    EXPECT_EQ(canonical("[ 1.0 , true,null , \"\\u0061\" ]"), R"([1,true,null,"a"])");
    EXPECT_EQ(canonical("[]"), "[]");
    EXPECT_EQ(canonical("[ ]"), "[]");
    EXPECT_EQ(canonical("{ }"), "{}");
    EXPECT_EQ(canonical(R"({"b":1,"a":{"d":[{}],"c":2}})"), R"({"a":{"c":2,"d":[{}]},"b":1})");
    EXPECT_EQ(canonical(R"({"a":1,"b":0,"a":2,"\u0061":3})"), R"({"a":3,"b":0})");
    EXPECT_EQ(canonical(R"({"a":3,"b":0})"), R"({"a":3,"b":0})");
    EXPECT_EQ(canonical(R"({"a]}\"":"[{\\","b":"}"})"), R"({"a]}\"":"[{\\","b":"}"})");
    EXPECT_EQ(canonical(R"("\/")"), R"("/")");
    EXPECT_EQ(canonical(R"("\ud800")"), "\"\uFFFD\"");
    // By bytes, which for UTF-8 is by code point: U+FF21 before U+1F600.
    EXPECT_EQ(canonical("{\"😀\":1,\"Ａ\":2}"), "{\"Ａ\":2,\"😀\":1}");
}

TEST(Canonical, deep) {
    const std::string deep = std::string(1024, '[') + "1.0" + std::string(1024, ']');
    EXPECT_EQ(canonical(deep), std::string(1024, '[') + "1" + std::string(1024, ']'));
    EXPECT_EQ(compare(deep, canonical(deep)), 0);
}

TEST(CompareValues, in_jqs_order) {
    const std::vector<std::string> ascending = {
        "null", "false", "true", "-1e400", "-1", "0", "0.5", "9007199254740992", "9007199254740993", "1e400",
        R"("")", R"("a")", R"("a\u0000")", R"("ab")", R"("b")", "\"é\"", "\"\\ud83d\\ude00\"", "[]", "[null]",
        "[1]", "[1,0]", "[2]", "{}",
        // jq: first the names, then the values.
        R"({"a":1})", R"({"a":2})", R"({"b":0,"a":1})", R"({"a":1,"b":1})", R"({"a":1,"c":0})", R"({"b":0})"};
    for (std::size_t i = 0; i < ascending.size(); ++i) {
        for (std::size_t j = 0; j < ascending.size(); ++j) {
            EXPECT_EQ(compare(ascending[i], ascending[j]), i < j   ? -1
                                                           : i > j ? 1
                                                                   : 0)
                << ascending[i] << " and " << ascending[j];
        }
    }
    EXPECT_EQ(compare("", "null"), 0);
    EXPECT_EQ(compare(R"({"a":1,"a":2})", R"({"a":2.0})"), 0);
    EXPECT_EQ(compare(R"("\u0061")", R"("a")"), 0);
    EXPECT_EQ(compare("[1, 2]", "[1.0,2]"), 0);
}

TEST(Cursor, members_and_elements) {
    std::vector<std::string> seen;
    for (Cursor cursor(value_of(" {}")); cursor.next();) ADD_FAILURE();
    for (Cursor cursor(value_of(R"({ "a" : [1,{"x":"]"}] ,"\"":"}", "n":null })")); cursor.next();) {
        seen.emplace_back(cursor.name().text);
        seen.emplace_back(cursor.value().text);
    }
    EXPECT_EQ(seen, (std::vector<std::string>{R"("a")", R"([1,{"x":"]"}])", R"("\"")", R"("}")", R"("n")",
                                              "null"}));
    for (Cursor cursor(value_of("12")); cursor.next();) ADD_FAILURE();
}

// Values as texts, and the same values written otherwise.
rc::Gen<std::string> value_text(int depth) {
    const auto leaf = rc::gen::element<std::string>("null", "true", "1", "1.0", "-2e3", "\"\"", "\"x\"",
                                                    R"("\u0078")", "0.5");
    if (depth == 0) return leaf;
    const auto inner = rc::gen::container<std::vector<std::string>>(value_text(depth - 1));
    const auto array = rc::gen::map(inner, [](const std::vector<std::string>& values) {
        std::string out = "[";
        for (const auto& value : values) out += (out.size() > 1 ? ", " : "") + value;
        return out + "]";
    });
    const auto object = rc::gen::map(inner, [](const std::vector<std::string>& values) {
        static const std::vector<std::string> names = {"b", "a", "\\u0061", "c", "b"};
        std::string out = "{";
        for (std::size_t i = 0; i < values.size(); ++i) {
            out += (i > 0 ? "," : "") + std::string("\"") + names[i % names.size()] + "\" :" + values[i];
        }
        return out + "}";
    });
    return rc::gen::weightedOneOf<std::string>({{2, leaf}, {1, array}, {1, object}});
}

TEST(Canonical, agrees_with_comparison) {
    EXPECT_TRUE(rc::check([] {
        const std::string a = *value_text(3);
        const std::string b = *value_text(3);
        RC_ASSERT(canonical(canonical(a)) == canonical(a));
        RC_ASSERT(compare(a, canonical(a)) == 0);
        RC_ASSERT((compare(a, b) == 0) == (canonical(a) == canonical(b)));
        RC_ASSERT(compare(a, b) == -compare(b, a));
    }));
}

}  // namespace
}  // namespace stream
