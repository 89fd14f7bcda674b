// SPDX-License-Identifier: Apache-2.0
// What a person reads about a wrong program, and the limits that keep any text from doing harm.
#include "base/text.hpp"
#include "expr/parser.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

namespace stream::expr {
namespace {

std::string message(std::string_view program) {
    const auto parsed = parse(program);
    if (parsed) return "no error";
    EXPECT_EQ(parsed.error().kind(), ErrorKind::usage);
    return parsed.error().message();
}

std::string first_line(std::string_view program) {
    const std::string whole = message(program);
    return whole.substr(0, whole.find('\n'));
}

std::string hint(std::string_view program) {
    const auto parsed = parse(program);
    return parsed ? "no error" : parsed.error().hint();
}

std::string repeated(std::string_view text, std::size_t count) {
    std::string out;
    while (count-- > 0) out += text;
    return out;
}

TEST(ParserErrors, ShowThePlace) {
    EXPECT_EQ(message(".a | | .b"), "unexpected \"|\", wanted an expression\n.a | | .b\n     ^");
    EXPECT_EQ(message(".a |\n  # no more\n"),
              "unexpected end of the program, wanted an expression\n.a |\n    ^");
    EXPECT_EQ(message("1 +\n\t\"größe\" 2\n+ 3"),
              "unexpected \"2\", wanted an operator or the end\n \"größe\" 2\n         ^");
    EXPECT_EQ(message("1 + \"abc"), "a string that does not end\n1 + \"abc\n    ^");
    EXPECT_EQ(message("1 | if . then 2 else 3"), "\"if\" without its \"end\"\n1 | if . then 2 else 3\n    ^");
    EXPECT_EQ(message("[(1, 2]"), "unexpected \"]\", wanted \")\"\n[(1, 2]\n      ^");
    EXPECT_EQ(message("f([1, 2"), "\"[\" without its \"]\"\nf([1, 2\n  ^");
    EXPECT_EQ(message("\"a\\(1"), "\"(\" without its \")\"\n\"a\\(1\n   ^");
    EXPECT_EQ(message(std::string_view("1\0", 2)), "a NUL byte in the program\n1�\n ^");
    EXPECT_EQ(message("1 \xc3( 2"), "the program is not UTF-8\n1 �( 2\n  ^");
    EXPECT_EQ(message("\x1b[2J"), "unexpected \"\\x1b\", wanted an expression\n�[2J\n^");
    EXPECT_EQ(first_line("import \"a\" as a; 1"), "\"import\": modules are not available here");
    EXPECT_EQ(first_line("include \"a\";"), "\"include\": modules are not available here");
    EXPECT_EQ(first_line("module {}; 1"), "\"module\": modules are not available here");
    EXPECT_EQ(first_line("1 == 2 == 3"), "a second comparison needs parentheses around one of the two");
    EXPECT_EQ(first_line("1..2"), "not a number: \"1..2\"");
}

TEST(ParserErrors, LongLinesAreCut) {
    const std::string program = repeated("é", 100) + ") " + repeated("x", 100);
    EXPECT_EQ(caret("m", program, 200),
              "m\n…" + repeated("é", 35) + ") " + repeated("x", 33) + "…\n" + repeated(" ", 36) + "^");
    const std::string ends = repeated("1+", 100);
    EXPECT_EQ(caret("m", ends, 200), "m\n…" + repeated("1+", 35) + "\n" + repeated(" ", 71) + "^");
    EXPECT_EQ(caret("m", ends, 1), "m\n" + repeated("1+", 35) + "…\n ^");
    EXPECT_EQ(caret("m", "", 9), "m\n\n^");
    EXPECT_EQ(caret("m", "a\nb\nc", 2), "m\nb\n^");
}

TEST(ParserErrors, HintsForHabits) {
    EXPECT_EQ(hint("'GET' == .method"), "strings are written in double quotes: \"GET\"");
    EXPECT_EQ(hint(".a == 'it"), "strings are written in double quotes");
    EXPECT_EQ(hint(".a && .b"), "\"&&\" is written and");
    EXPECT_EQ(hint(".a || .b"), "\"||\" is written or");
    EXPECT_EQ(hint("!.a"), "\"!x\" is written x | not");
    EXPECT_EQ(hint(".a === 1"), "\"===\" is written ==");
    EXPECT_EQ(hint("(1 2"), "the \"(\" of line 1, column 1 is still open");
    EXPECT_EQ(hint("1 |\n [(1]"), "the \"(\" of line 2, column 3 is still open");
    EXPECT_EQ(hint("if 1 then 2 else if 3 then 4 end"), "");
    EXPECT_EQ(hint("if 1 then 2 else if 3 then 4 else 5"), "\"else if\" is written elif");
    EXPECT_EQ(hint("{a: 1 + 2}"), "a value with operators goes in parentheses: {a: (1 + 2)}");
    EXPECT_EQ(hint("{if}"), "{if: .if}");
    EXPECT_EQ(hint(".a.[0]"), "no dot before a bracket: .a[0]");
    EXPECT_EQ(hint(".e1"), ".\"e1\"");
    EXPECT_EQ(hint(". as x | x"), "$x");
    EXPECT_EQ(hint(".größe"), "a name with other letters than a-z goes in quotes: .\"größe\"");
}

TEST(ParserLimits, NestingIsBounded) {
    const auto nested = [](std::string_view open, std::string_view inside, std::string_view close,
                           std::size_t count) {
        return repeated(open, count) + std::string(inside) + repeated(close, count);
    };
    struct Nest {
        std::string_view open, inside, close;
    };
    for (const Nest& nest :
         {Nest{"[", "1", "]"}, Nest{"(", "1", ")"}, Nest{"{a:", "1", "}"}, Nest{"\"\\(", "1", ")\""},
          Nest{"if ", "1", " then 2 else 3 end"}, Nest{"def f: ", "1", "; 2"}, Nest{".[", "1", "]"},
          Nest{"f(", "1", ")"}, Nest{"{(", "1", "):1}"}, Nest{"1 + 1 as {(", "1", "): $x} | 1"},
          Nest{"reduce (", "1", ") as $x (1; 2)"}}) {
        EXPECT_TRUE(parse(nested(nest.open, nest.inside, nest.close, 240))) << nest.open;
        for (const std::size_t count : {501U, 5000U, 60000U}) {
            EXPECT_FALSE(parse(nested(nest.open, nest.inside, nest.close, count))) << nest.open;
        }
    }
    EXPECT_TRUE(parse(nested("[", "1", "]", program_depth_max)));
    EXPECT_EQ(first_line(nested("[", "1", "]", program_depth_max + 1)), "nested deeper than 500 levels");
    EXPECT_TRUE(parse("1 as " + nested("[", "$x", "]", 400) + " | 1"));
    EXPECT_EQ(first_line("1 as " + nested("[", "$x", "]", 600) + " | 1"), "nested deeper than 500 levels");
    // The tallest tree dies where the stack is at its deepest.
    EXPECT_FALSE(parse(repeated("{(", 499) + repeated(".a", 9000) + " 1"));
}

TEST(ParserLimits, ChainsAreBounded) {
    for (const std::string_view link :
         {"1+", "1|", "1,", "1//", "-", "try ", "def f: 1;", "1 as $x|", "label $x|", "try 1 catch "}) {
        EXPECT_TRUE(parse(repeated(link, 9900) + "1")) << link;
        EXPECT_EQ(first_line(repeated(link, 10100) + "1"), "a chain of more than 10000 links") << link;
        EXPECT_FALSE(parse(repeated(link, 80000) + "1")) << link;
    }
    for (const std::string_view link : {".a", "[1]", "[]?", ".\"a\"", "[1:]"}) {
        EXPECT_TRUE(parse("(.)" + repeated(link, 4900))) << link;
        EXPECT_FALSE(parse(".a" + repeated(link, 100000))) << link;
    }
    EXPECT_FALSE(parse("1" + repeated("?", 100000)));
    EXPECT_FALSE(parse("{a:" + repeated("-", 100000) + "1}"));
    EXPECT_FALSE(parse("if 1 then 1 " + repeated("elif 1 then 1 ", 50000) + "end"));
    EXPECT_TRUE(parse("[" + repeated("[1],", 9000) + "1]"));
}

TEST(ParserLimits, TextIsBounded) {
    EXPECT_TRUE(parse(std::string(program_max, ' ')));
    EXPECT_EQ(message(std::string(program_max + 1, ' ')),
              "a program of 1048577 bytes: at most 1MiB are read");
}

// Any text ends in a tree or a sentence, and every place lies in the text.
bool within(const Ast& ast, std::size_t begin, std::size_t end) {
    if (ast.begin < begin || ast.end > end || ast.begin > ast.end) return false;
    for (const auto& kid : ast.kids) {
        if (kid != nullptr && !within(*kid, ast.begin, ast.end)) return false;
    }
    return true;
}

RC_GTEST_PROP(ParserProperty, AnyTokensAreReadOrRefused, ()) {
    static const std::vector<std::string> words = {
        ".", "..", ".a", "\"a\"", "\"\\(", "\"",   "\\",  "@text", "1",      "-",      "+",
        "|", ",",  "//", "?//",   "?",     "==",   "=",   "and",   "try",    "catch",  "def",
        "f", ":",  ";",  "if",    "as",    "then", "end", "elif",  "$x",     "$",      "(",
        ")", "[",  "]",  "{",     "}",     " ",    "\n",  "#",     "reduce", "é",      "\r",
        "'", "!",  "&&", "::",    "else",  "\xff", ".e1", "label", "break",  "__loc__"};
    const auto chosen = *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(words));
    std::string program;
    for (const auto& word : chosen) program += word;
    const auto parsed = parse(program);
    if (parsed) {
        RC_ASSERT(within(**parsed, 0, program.size()));
    } else {
        const std::string& text = parsed.error().message();
        RC_ASSERT(text.back() == '^');
        RC_ASSERT(is_utf8(text));
    }
}

}  // namespace
}  // namespace stream::expr
