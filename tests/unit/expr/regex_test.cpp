// SPDX-License-Identifier: Apache-2.0
#include "expr/regex.hpp"

#include "expr/nodes.hpp"
#include "expr/run.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace stream::expr {
namespace {

std::string refusal(std::string_view pattern, std::string_view flags = "") {
    std::string why;
    return Regex::compile(pattern, flags, why) == nullptr ? why : "";
}

std::unique_ptr<Regex> compiled(std::string_view pattern, std::string_view flags = "") {
    std::string why;
    auto regex = Regex::compile(pattern, flags, why);
    EXPECT_NE(regex, nullptr) << why;
    return regex;
}

bool test(std::string_view pattern, std::string_view subject, std::string_view flags = "") {
    const auto regex = compiled(pattern, flags);
    EXPECT_TRUE(regex->fits(subject));
    return regex->test(subject);
}

TEST(Regex, what_is_refused_says_why) {
    EXPECT_EQ(refusal("(?=x)"), R"x("(?=x)" looks ahead, which RE2 does not)x");
    EXPECT_NE(refusal("(?!x)").find("looks ahead"), std::string::npos);
    EXPECT_NE(refusal("(?<=x)y").find("looks behind"), std::string::npos);
    EXPECT_NE(refusal("(?<!x)y").find("looks behind"), std::string::npos);
    EXPECT_NE(refusal("(a)\\1").find("refers back"), std::string::npos);
    EXPECT_NE(refusal("a++").find("possessive"), std::string::npos);
    EXPECT_NE(refusal("(?>a)").find("atomic"), std::string::npos);
}

TEST(Regex, what_is_refused) {
    for (const char* pattern : {"\\p{L}",
                                "\\h",
                                "\\R",
                                "\\X",
                                "\\Ka",
                                "\\Ga",
                                "a\\Z",
                                "\\v",
                                "\\e",
                                "\\07",
                                "\\x{41}",
                                "\\xe9",
                                "\\Qa\\E",
                                "[[:^alpha:]]",
                                "[[:upper:]]",
                                "[a&&b]",
                                "[a[b]]",
                                "[]a]",
                                "[^]a]",
                                "[a-\\d]",
                                "[\\d-z]",
                                "[a-c-e]",
                                "[z-a]",
                                "(?i)a",
                                "(?i:a)",
                                "(?#x)",
                                "(?P<n>a)",
                                "(?'n'a)",
                                "(?<1>a)",
                                "(?<n>a)(?<n>b)",
                                "(?<n>a)(b)",
                                "(?:a+)+",
                                "a**",
                                "a{2}{3}",
                                "(a*)*",
                                "(?:a|)+",
                                "()?",
                                "a{,3}",
                                "a{0}",
                                "a{3,2}",
                                "a{1001}",
                                "a{2}?",
                                "{2}",
                                "^*",
                                "\\b+",
                                "*a",
                                "a|*",
                                "(",
                                "a)",
                                "[a",
                                "a\\",
                                "\\`a",
                                "(a{1000}){1000}"}) {
        EXPECT_NE(refusal(pattern), "") << pattern;
    }
    EXPECT_NE(refusal("é", "i"), "");
    // To Oniguruma, "FF" is one character of [\\w] when case is ignored.
    EXPECT_NE(refusal("[\\w]", "i"), "");
    EXPECT_EQ(refusal("\\w[a-z\\d]", "i"), "");
    EXPECT_NE(refusal("a b", "x"), "");
    EXPECT_NE(refusal("a*", "n"), "");
    for (const char* flags : {"s", "m", "p", "l", "z", "G"}) EXPECT_NE(refusal("a", flags), "") << flags;
    EXPECT_EQ(refusal("a+(?<b>c)", "gixn"), "");
}

TEST(Regex, anchors_are_of_the_subject_not_of_lines) {
    EXPECT_FALSE(test("^b", "a\nb"));
    EXPECT_FALSE(test("a$", "a\nb"));
    EXPECT_FALSE(compiled("a$")->fits("a\n"));
    EXPECT_FALSE(compiled("^a|b$")->fits("b\n"));
    EXPECT_TRUE(compiled("a\\z")->fits("a\n"));
    EXPECT_FALSE(test(".", "\n"));
    EXPECT_TRUE(test("[^a]", "\n"));
}

TEST(Regex, plain_text_is_the_same_without_re2) {
    EXPECT_TRUE(test("b\\.", "ab.c"));
    EXPECT_FALSE(test("b\\.", "abc"));
    EXPECT_TRUE(test("^ab", "abc") && test("bc$", "abc") && test("^abc$", "abc") && test("", "") &&
                test("^$", ""));
    EXPECT_FALSE(test("^bc", "abc") || test("ab$", "abc") || test("^ab$", "abc") || test("^$", "a"));
    EXPECT_FALSE(test("a^", "a^"));
    EXPECT_TRUE(test("é漢", "xé漢"));
    Span span[1];
    EXPECT_FALSE(compiled("^a")->search("aa", 1, span));
    EXPECT_FALSE(compiled("aa$")->search("aa", 1, span));
    EXPECT_TRUE(compiled("a$")->search("aa", 1, span));
}

TEST(Regex, unicode_and_case_fit_ascii_only) {
    for (const char* pattern : {"\\d", "\\w", "\\s", "\\S", "\\b", "[\\d]", "[[:alpha:]]"}) {
        EXPECT_FALSE(compiled(pattern)->fits("é")) << pattern;
        EXPECT_TRUE(compiled(pattern)->fits("an ascii text")) << pattern;
    }
    EXPECT_FALSE(compiled("k", "i")->fits("\xE2\x84\xAA"));
    EXPECT_TRUE(compiled("[^a].")->fits("é"));
    EXPECT_TRUE(test("\\s", "\v"));
    EXPECT_FALSE(test("\\S", "\v"));
    EXPECT_FALSE(test("[\\S]", "\v"));
    EXPECT_TRUE(test("^[é-ü]{2}$", "ëï"));
}

// --- the builtins ------------------------------------------------------------------------------------

class Member_of_input final : public Node {
public:
    explicit Member_of_input(std::string name) : Node(true), name_(std::move(name)) {}
    Val one(Run& run, Val in) const override {
        bool found = false;
        return member_of(run.arena, in, name_, found);
    }

private:
    std::string name_;
};

// Two results, for arguments that must have one.
class Two final : public Node {
public:
    Two() : Node(false) {}
    Flow each(Run&, Val, Emit emit) const override {
        return emit(Val::null()) == Flow::more ? emit(Val::null()) : Flow::stop;
    }
};

NodePtr text(std::string_view literal) { return make_constant(Val::of_string(literal)); }
NodePtr member(const char* name) { return std::make_unique<Member_of_input>(name); }

class Builtins : public ::testing::Test {
protected:
    template <typename... Args>
    NodePtr node(std::string_view name, Args... args) {
        std::vector<NodePtr> list;
        (list.push_back(std::move(args)), ...);
        why_.clear();
        return make_regex_node(name, list, why_);
    }
    // The results as JSON, one a line; "error: …", "punt: …".
    std::string results(const NodePtr& node, Val in) {
        run_.begin("", nullptr);
        std::string out;
        const auto append = [&](Val value) {
            append_json(run_.arena, out, value);
            out += '\n';
            return Flow::more;
        };
        try {
            const Flow flow =
                node->is_single() ? emit_one(node->one(run_, in), append) : node->each(run_, in, append);
            if (flow == Flow::fail) out = "error: " + run_.message();
        } catch (const Punt& punt) {
            out = std::string("punt: ") + punt.why;
        }
        return out;
    }
    template <typename... Args>
    std::string on(std::string_view subject, std::string_view name, Args... args) {
        const NodePtr made = node(name, std::move(args)...);
        return made ? results(made, Val::of_string(subject)) : "refused: " + why_;
    }
    bool punts(std::string_view result) { return result.starts_with("punt: "); }

    expr::Run run_{1 << 20, 100'000, 0};
    std::string why_;
};

TEST_F(Builtins, names_and_arities_of_jq_1_6) {
    EXPECT_TRUE(is_regex_builtin("test", 1) && is_regex_builtin("gsub", 3) && is_regex_builtin("split", 2));
    EXPECT_FALSE(is_regex_builtin("split", 1) || is_regex_builtin("scan", 2) || is_regex_builtin("sub", 1));
}

TEST_F(Builtins, test_and_match) {
    EXPECT_EQ(on("abc", "test", text("b.")), "true\n");
    EXPECT_EQ(on("abc", "test", text("B"), text("i")), "true\n");
    EXPECT_EQ(on("", "test", text("x*")), "true\n");
    EXPECT_EQ(on("xaéa", "match", text("(x)(b?)|(?:é)(a)"), text("")),
              "punt: a group that took no part in a match");
    EXPECT_EQ(on("xaé", "match", text("(x)(b?)a")), R"({"offset":0,"length":2,"string":"xa","captures":[)"
                                                    R"({"offset":0,"length":1,"string":"x","name":null},)"
                                                    R"({"offset":1,"string":"","length":0,"name":null}]})"
                                                    "\n");
    EXPECT_EQ(
        on("éaéa", "match", text("(?<n>a)"), text("g")),
        R"({"offset":1,"length":1,"string":"a","captures":[{"offset":1,"length":1,"string":"a","name":"n"}]})"
        "\n"
        R"({"offset":3,"length":1,"string":"a","captures":[{"offset":3,"length":1,"string":"a","name":"n"}]})"
        "\n");
    EXPECT_EQ(on("b", "match", text("a")), "");
}

TEST_F(Builtins, capture_scan_split) {
    EXPECT_EQ(on("a=1 b=2", "capture", text("(?<k>\\w)=(?<v>\\d)"), text("g")),
              "{\"k\":\"a\",\"v\":\"1\"}\n{\"k\":\"b\",\"v\":\"2\"}\n");
    EXPECT_EQ(on("a=1 b=2", "capture", text("(\\w)=")), "{}\n");
    EXPECT_EQ(on("a1b22", "scan", text("\\d+")), "\"1\"\n\"22\"\n");
    EXPECT_EQ(on("a1b2", "scan", text("([a-z])(\\d)")), "[\"a\",\"1\"]\n[\"b\",\"2\"]\n");
    EXPECT_EQ(on("a, b,c,", "splits", text(", *")), "\"a\"\n\"b\"\n\"c\"\n\"\"\n");
    EXPECT_EQ(on("a, b", "split", text(", *"), make_constant(Val::null())), "[\"a\",\"b\"]\n");
    EXPECT_EQ(on("", "splits", text("a")), "\"\"\n");
}

TEST_F(Builtins, sub_and_gsub) {
    EXPECT_EQ(on("abab", "sub", text("b"), text("X")), "\"aXab\"\n");
    EXPECT_EQ(on("abab", "sub", text("b"), text("X"), text("g")), "\"aXaX\"\n");
    EXPECT_EQ(on("abab", "gsub", text("(?<l>[ab])b"), member("l")), "\"aa\"\n");
    EXPECT_EQ(on("abab", "gsub", text("c"), text("X")), "\"abab\"\n");
    // jq 1.6 takes what follows a match for a subject of its own.
    EXPECT_EQ(on("aab", "gsub", text("^a"), text("")), "\"b\"\n");
    EXPECT_EQ(on("aba", "gsub", text("b"), make_constant(Val::null())), "\"aa\"\n");
    EXPECT_EQ(on("aba", "sub", text("b"), make_constant(Val::of_integer(1))),
              R"(error: string ("a") and number (1) cannot be added)");
}

TEST_F(Builtins, what_is_doubtful_is_for_libjq) {
    for (const char* name : {"match", "capture", "scan", "splits"})
        EXPECT_TRUE(punts(on("b", name, text("a*")))) << name;
    EXPECT_TRUE(punts(on("b", "sub", text("^"), text("x"))));
    EXPECT_TRUE(punts(on("b", "capture", text("(?<a>a)|(?<b>b)"))));
    EXPECT_TRUE(punts(on("é", "test", text("\\w"))));
    EXPECT_TRUE(punts(on("a\n", "test", text("a$"))));
}

TEST_F(Builtins, wrong_types_are_errors) {
    const NodePtr made = node("test", text("a"));
    EXPECT_EQ(results(made, Val::of_integer(3)),
              "error: number (3) cannot be matched, as it is not a string");
    EXPECT_EQ(on("a", "test", make_constant(Val::of_integer(1))).substr(0, 8), "refused:");
}

TEST_F(Builtins, arguments_with_many_results_are_refused) {
    EXPECT_EQ(node("test", std::make_unique<Two>()), nullptr);
    EXPECT_EQ(why_, "the pattern of test may give no result or many");
    EXPECT_EQ(node("sub", text("a"), std::make_unique<Two>()), nullptr);
    EXPECT_EQ(why_, "the replacement of sub may give no result or many");
    EXPECT_EQ(node("gsub", text("(?=a)"), text("b")), nullptr);
    EXPECT_EQ(why_, R"x("(?=a)" looks ahead, which RE2 does not)x");
}

// The subject is the pattern as well.
TEST_F(Builtins, a_computed_pattern) {
    const NodePtr made = node("match", make_identity());
    ASSERT_NE(made, nullptr);
    for (const char* subject : {"abc", "abc", "x.z"}) {
        EXPECT_TRUE(results(made, Val::of_string(subject)).starts_with(R"({"offset":0,"length":3)"))
            << subject;
    }
    EXPECT_TRUE(punts(results(made, Val::of_string("(?=a)"))));
    EXPECT_TRUE(punts(results(made, Val::of_string("("))));
    EXPECT_TRUE(results(made, Val::of_string("a")).starts_with("{\"offset\":0"));
}

}  // namespace
}  // namespace stream::expr
