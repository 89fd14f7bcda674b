// SPDX-License-Identifier: Apache-2.0
// Trees as jq 1.6 reads programs; what it accepts was compared with its binary on generated programs.
#include "expr/parser.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace stream::expr {
namespace {

std::string show(const Ast& ast);

std::string show(const AstPtr& ast) { return ast == nullptr ? "_" : show(*ast); }

std::string show(const Pattern& pattern) {
    if (pattern.kind == Pattern::Kind::variable) return "$" + pattern.name;
    std::string out = pattern.kind == Pattern::Kind::array ? "[" : "{";
    for (const auto& item : pattern.items) out += (out.size() > 1 ? " " : "") + show(*item);
    for (const auto& member : pattern.members) {
        out += out.size() > 1 ? " " : "";
        out += member.variable.empty() ? show(member.key) : "$" + member.variable;
        if (member.value != nullptr) out += ":" + show(*member.value);
    }
    return out + (pattern.kind == Pattern::Kind::array ? "]" : "}");
}

std::string name_of(const Ast& ast) {
    switch (ast.kind) {
        case AstKind::field:
            return ast.has_text ? "." + ast.text : ".";
        case AstKind::index:
            return "index";
        case AstKind::slice:
            return "slice";
        case AstKind::iterate:
            return "each";
        case AstKind::string:
            return ast.text.empty() ? "str" : ast.text;
        case AstKind::array:
            return "array";
        case AstKind::object:
            return "object";
        case AstKind::negate:
            return "neg";
        case AstKind::pipe:
            return "|";
        case AstKind::comma:
            return ",";
        case AstKind::arithmetic:
        case AstKind::comparison:
        case AstKind::assign:
            return ast.op;
        case AstKind::logic_and:
            return "and";
        case AstKind::logic_or:
            return "or";
        case AstKind::alternative:
            return "//";
        case AstKind::conditional:
            return "if";
        case AstKind::attempt:
            return ast.op[0] == '?' ? "?" : "try";
        case AstKind::reduce:
            return "reduce";
        case AstKind::foreach:
            return "foreach";
        case AstKind::bind:
            return "as";
        case AstKind::define:
            return "def " + ast.text;
        case AstKind::call:
            return ast.text;
        case AstKind::label:
            return "label $" + ast.text;
        default:
            return "BAD";
    }
}

// (operator kid kid …); leaves by themselves.
std::string show(const Ast& ast) {
    switch (ast.kind) {
        case AstKind::identity:
            return ".";
        case AstKind::recurse:
            return "..";
        case AstKind::number:
        case AstKind::format:
            return ast.text;
        case AstKind::string_part:
            return "'" + ast.text + "'";
        case AstKind::variable:
            return "$" + ast.text;
        case AstKind::location:
            return "$__loc__:" + std::to_string(ast.line);
        case AstKind::break_to:
            return "break $" + ast.text;
        case AstKind::call:
            if (ast.kids.empty()) return ast.text;
            break;
        case AstKind::string:
            if (ast.text.empty() && ast.kids.empty()) return "''";
            if (ast.text.empty() && ast.kids.size() == 1) return show(ast.kids[0]);
            break;
        default:
            break;
    }
    std::string out = "(" + name_of(ast);
    for (const auto& parameter : ast.params) out += (parameter.by_value ? " $" : " ") + parameter.name;
    for (const auto& member : ast.members) {
        out += " " + show(member.key);
        if (member.value != nullptr) out += ":" + show(member.value);
    }
    const bool patterns_last = ast.patterns.empty();
    for (std::size_t i = 0; i < ast.kids.size(); ++i) {
        out += " " + show(ast.kids[i]);
        if (i > 0 || patterns_last) continue;
        for (const auto& pattern : ast.patterns) out += " " + show(*pattern);
    }
    return out + ")";
}

std::string tree(std::string_view program) {
    const auto parsed = parse(program);
    return parsed ? show(*parsed) : "error: " + parsed.error().message();
}

struct Case {
    std::string_view program;
    std::string_view tree;
};

void expect_trees(const std::vector<Case>& cases) {
    for (const auto& each : cases) EXPECT_EQ(tree(each.program), each.tree) << each.program;
}

void expect_refused(const std::vector<std::string_view>& programs) {
    for (const auto program : programs) EXPECT_FALSE(parse(program)) << program;
}

TEST(Parser, EmptyProgramsAreIdentity) {
    expect_trees({{"", "."}, {" \n\t", "."}, {"# only a remark", "."}, {"# a \\\n1", "1"}, {".", "."}});
    expect_trees({{"def f: 1;", "(def f 1 .)"}, {"def f: 1; def g: 2; # x", "(def f 1 (def g 2 .))"}});
    expect_refused({"(def f: 1;)", "1 | def f: 1;", "def f: def g: 2;; 1", "- def f: 1;", "()"});
}

TEST(Parser, Paths) {
    expect_trees({
        {".a.b", "(.b (.a .))"},
        {".a .b", "(.b (.a .))"},
        {". .a", "(.a .)"},
        {".\"a\"", "(.a .)"},
        {". \"a b\".\"c\"", "(.c (.a b .))"},
        {".\"\"", "(. .)"},
        {".\"a\\(1)b\"", "(. . (str 'a' 1 'b'))"},
        {".@text \"a\"", "(.a .)"},
        {".@json \"\\(1)\".b", "(.b (. . (@json 1)))"},
        {".[\"a\"]", "(index . 'a')"},
        {".[0][]", "(each (index . 0))"},
        {"..[0]", "(index .. 0)"},
        {".. .a", "(.a ..)"},
        {".[1:]", "(slice . 1 _)"},
        {".[:-1]", "(slice . _ (neg 1))"},
        {".[1:2]?", "(? (slice . 1 2) _)"},
        {".a.and.if", "(.if (.and (.a .)))"},
        {".e1x", "(.e1x .)"},
        {"{}.a", "(.a (object))"},
        {"f(1).a", "(.a (f 1))"},
        {"@json .a", "(.a @json)"},
        {"break $x.a", "(.a break $x)"},
    });
    expect_refused({". foo", "..a", ".. \"a\"", "...a", ".a.[0]", ".[:]", ".[1:2:3]", ".a.0", ".e1", ".E5",
                    ".e-1", "reduce 1 as $x (0;1).a", ".@text", ".a.", ". ."});
}

TEST(Parser, QuestionMarks) {
    expect_trees({
        {".a?", "(? (.a .) _)"},
        {".a?.b?", "(? (.b (? (.a .) _)) _)"},
        {".[]?", "(? (each .) _)"},
        {".a??", "(try (? (.a .) _) _)"},
        {".?", "(try . _)"},
        {"(.a)?", "(try (.a .) _)"},
        {"-1?", "(neg (try 1 _))"},
        {"1 + 2?", "(+ 1 (try 2 _))"},
        {"1 as $x | 2?", "(as 1 $x (try 2 _))"},
        {"if 1 then 2 else 3 end?", "(try (if 1 2 3) _)"},
        {".a? // 1", "(// (? (.a .) _) 1)"},
    });
    expect_refused({"(.a)?.b", ".a??.b", "\"x\"?.a", "f?.a", ".a?//1", "?", "{a: .?}"});
}

TEST(Parser, Precedence) {
    expect_trees({
        {"1,2|3,4", "(| (, 1 2) (, 3 4))"},
        {"1|2|3", "(| 1 (| 2 3))"},
        {"1,2,3", "(, (, 1 2) 3)"},
        {"1 // 2 // 3", "(// 1 (// 2 3))"},
        {"1 // 2, 3", "(, (// 1 2) 3)"},
        {".a = 1 // 2", "(// (= (.a .) 1) 2)"},
        {".a // .b = 3", "(// (.a .) (= (.b .) 3))"},
        {".a |= 1 or 2", "(|= (.a .) (or 1 2))"},
        {".a //= 1 | .b %= 2", "(| (//= (.a .) 1) (%= (.b .) 2))"},
        {"1 or 2 and 3 or 4", "(or (or 1 (and 2 3)) 4)"},
        {"1 and 2 == 3 and 4", "(and (and 1 (== 2 3)) 4)"},
        {"1 + 2 < 3 * 4", "(< (+ 1 2) (* 3 4))"},
        {"1 - 2 - 3", "(- (- 1 2) 3)"},
        {"1 + 2 * 3 % 4 - 5", "(- (+ 1 (% (* 2 3) 4)) 5)"},
        {"(1 + 2) * 3", "(* (+ 1 2) 3)"},
        {". - 1", "(- . 1)"},
        {".-1", "(- . 1)"},
        {".a-1", "(- (.a .) 1)"},
        {"1 == 2 // 3 == 4", "(// (== 1 2) (== 3 4))"},
    });
    expect_refused(
        {"1 == 2 == 3", "1 < 2 >= 3", "1 = 2 = 3", ".a |= .b += 1", "1 == -2 == 3", "1 == try 2 == 3"});
}

TEST(Parser, UnaryMinusTakesProductsAndAllBindings) {
    expect_trees({
        {"-1", "(neg 1)"},
        {"-.a.b", "(neg (.b (.a .)))"},
        {"--1", "(neg (neg 1))"},
        {"1 - -1", "(- 1 (neg 1))"},
        {"-1 + 2", "(+ (neg 1) 2)"},
        {"-1 * 2", "(neg (* 1 2))"},
        {"2 * -1 * 3 + 4", "(+ (* 2 (neg (* 1 3))) 4)"},
        {"-1 as $x | $x, 2", "(neg (as 1 $x (, $x 2)))"},
        {"- if 1 then 2 else 3 end", "(neg (if 1 2 3))"},
    });
}

TEST(Parser, TryTakesLittle) {
    expect_trees({
        {"try error(\"x\") // 1", "(// (try (error 'x') _) 1)"},
        {"try .a catch .b | .c", "(| (try (.a .) (.b .)) (.c .))"},
        {"try .a?", "(try (? (.a .) _) _)"},
        {"try (1)?", "(try (try 1 _) _)"},
        {"try 1 catch 2?", "(try (try 1 2) _)"},
        {"try 1 + 2", "(+ (try 1 _) 2)"},
        {"try -1 * 2", "(try (neg (* 1 2)) _)"},
        {"try -1 + 2", "(+ (try (neg 1) _) 2)"},
        {"try try 1 catch 2 catch 3", "(try (try 1 2) 3)"},
        {"try 1 as $x | 2, 3 catch 4, 5", "(, (try (as 1 $x (, 2 3)) 4) 5)"},
        {"try def f: 1; f catch 2", "(try (def f 1 f) 2)"},
        {"try 1 catch try 2 catch 3", "(try 1 (try 2 3))"},
    });
    expect_refused({"try", "try 1 catch", "1 catch 2", "try 1 + 2 catch 3", "try (1 catch 2)"});
}

TEST(Parser, BindingsReachFar) {
    expect_trees({
        {".a as $x | $x, 2", "(as (.a .) $x (, $x 2))"},
        {"1 as $x | 2 as $y | $x + $y", "(as 1 $x (as 2 $y (+ $x $y)))"},
        {"0 | 1 as $x | 2", "(| 0 (as 1 $x 2))"},
        {"1 + 2 as $x | $x | 3", "(+ 1 (as 2 $x (| $x 3)))"},
        {"def f: 1; f, 2", "(def f 1 (, f 2))"},
        {"1 == def f: 2; f == 3", "(== 1 (def f 2 (== f 3)))"},
        {"def f($a; b): $a | b; f(1; 2)", "(def f $a b (| $a b) (f 1 2))"},
        {"def f: def g: 1; g; f", "(def f (def g 1 g) f)"},
        {"def a::b: 1; a::b", "(def a::b 1 a::b)"},
        {"label $out | 1, break $out", "(label $out (, 1 break $out))"},
        {"$ x | $__prog", "(| $x $__prog)"},
    });
    expect_refused({"(1)? as $x | 2", "1 + 2) as $x", ". as $x", ". as x | 1", "1 as $__loc__ | 1", "$if",
                    "def if: 1; 1", "def f(): 1; f", "f()", "def f: 1", "label x | 1", "break", "a::"});
}

TEST(Parser, Patterns) {
    expect_trees({
        {". as [$a, [$b]] | 1", "(as . [$a [$b]] 1)"},
        {". as {a: [$x], $b, $c: [$d]} | 1", "(as . {'a':[$x] $b $c:[$d]} 1)"},
        {". as {\"a\": $x, \"b\\(1)\": $y} | 1", "(as . {'a':$x (str 'b' 1):$y} 1)"},
        {". as {(1, 2): $x, if: $y, __loc__: $z} | 1", "(as . {(, 1 2):$x 'if':$y '__loc__':$z} 1)"},
        {". as [$a] ?// {$a} ?//$a | $a", "(as . [$a] {$a} $a $a)"},
    });
    expect_refused({". as [] | 1", ". as {} | 1", ". as [$a,] | 1", ". as {a} | 1", ". as {\"a\"} | 1",
                    ". as {$a,} | 1", ". as {$__loc__: $x} | 1", ". as {@text: $x} | 1"});
}

TEST(Parser, ReduceForeachIf) {
    expect_trees({
        {"reduce .[] as [$a, $b] (0; . + $a)", "(reduce (each .) [$a $b] 0 (+ . $a))"},
        {"foreach .[] as $x (0; 1), 2", "(, (foreach (each .) $x 0 1 _) 2)"},
        {"foreach .[] as $x (0; 1; 2, 3)", "(foreach (each .) $x 0 1 (, 2 3))"},
        {"if 1, 2 then 3 | 4 else 5 end", "(if (, 1 2) (| 3 4) 5)"},
        {"if 1 then 2 elif 3 then 4 else 5 end", "(if 1 2 (if 3 4 5))"},
        {"if 1 then 2 end", "(if 1 2 _)"},
        {"if 1 then 2 elif 3 then 4 end + 1", "(+ (if 1 2 (if 3 4 _)) 1)"},
    });
    expect_refused({"reduce -1 as $x (0; 1)", "foreach 1 as $x (1)", "reduce . as $x (1; 2; 3)",
                    "if 1 then else 2 end", "if 1 then 2 else 3", "if 1 end"});
}

TEST(Parser, Objects) {
    expect_trees({
        {"{}", "(object)"},
        {"{a, \"b\", $x, \"c\\(1)\", @base64 \"d\"}", "(object 'a' 'b' 'x':$x (str 'c' 1) (@base64 'd'))"},
        {"{(.k, 1): 2, @json \"\\(1)\": 3, a: 4,}", "(object (, (.k .) 1):2 (@json 1):3 'a':4)"},
        {"{if: 1, and: 2, __loc__: 3, x::y: 4}", "(object 'if':1 'and':2 '__loc__':3 'x::y':4)"},
        {"{a: 1 | -2 | .b?, c: - -3}", "(object 'a':(| 1 (| (neg 2) (? (.b .) _))) 'c':(neg (neg 3)))"},
        {"{a: (1, 2)}", "(object 'a':(, 1 2))"},
    });
    expect_refused({"{,}", "{a:1,,}", "{if}", "{$__loc__}", "{$if}", "{$x: 1}", "{a: 1 + 2}", "{a: 1 | 2?}",
                    "{(1)}", "{a: try 1}", "{a: 1 as $x | 2}", "{1: 2}", "{a b}", "{@text: 1}", "{@text}",
                    "{a: \"x\"?}"});
}

TEST(Parser, StringsNumbersFormats) {
    expect_trees({
        {R"j("a\("b\("c" + "d")")e")j", "(str 'a' (str 'b' (+ 'c' 'd')) 'e')"},
        {R"j("\(1)\(2)")j", "(str 1 2)"},
        {R"j(@base64 "x\(.a)")j", "(@base64 'x' (.a .))"},
        {R"j("\"\\\/\u00e9\ud83d\ude00\udc00")j", "'\"\\/é😀\uFFFD'"},
        {"\"a\nb\t# no remark\"", "'a\nb\t# no remark'"},
        {"[.5, 1., 1e3, 1.e-2, 1E+2, 007]", "(array (, (, (, (, (, .5 1.) 1e3) 1.e-2) 1E+2) 007))"},
        {"@text, @json", "(, @text @json)"},
        {"1 |\n ($\n__loc__)", "(| 1 $__loc__:2)"},
        {"[1,2|3]", "(array (| (, 1 2) 3))"},
    });
    EXPECT_EQ((*parse(R"j("\b\f\n\r\t\u0000")j"))->kids[0]->text, std::string("\b\f\n\r\t\0", 6));
    expect_refused({R"j("\q")j", R"j("\u12")j", R"j("\ud83d")j", R"j("\ud83dx")j", R"j("\ud83d\u0041")j",
                    R"j("\()")j", "\"\\\n\"", "\"", "\"\\", "1..2", "1e2.3", "1 2", "@", "@text \"a\" \"b\"",
                    "1\r\n+2", "1\f", "__loc__", "\"a\\(1\""});
}

TEST(Parser, PlacesCoverTheText) {
    const auto whole = parse("  (.a + 1) * .\"b\"? | if . then [1] end ");
    ASSERT_TRUE(whole);
    const Ast& pipe = **whole;
    EXPECT_EQ(pipe.begin, 2U);
    EXPECT_EQ(pipe.end, 38U);
    EXPECT_EQ(pipe.kids[0]->kids[0]->begin, 2U);  // with its parentheses
    EXPECT_EQ(pipe.kids[0]->kids[0]->end, 10U);
    EXPECT_EQ(pipe.kids[0]->kids[1]->begin, 13U);
    EXPECT_EQ(pipe.kids[0]->kids[1]->end, 18U);
    EXPECT_EQ(pipe.kids[1]->kids[1]->begin, 31U);
    EXPECT_EQ(pipe.kids[1]->kids[1]->end, 34U);
}

}  // namespace
}  // namespace stream::expr
