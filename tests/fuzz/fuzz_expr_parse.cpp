// SPDX-License-Identifier: Apache-2.0
// Any bytes as a program: what is refused is refused with a caret under the place, what is read has its
// places in the text, one within the other, and what is compiled runs within its limits.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "base/text.hpp"
#include "expr/expression.hpp"
#include "expr/names.hpp"
#include "expr/parser.hpp"
#include "json/scanner.hpp"

using namespace stream;

namespace {

std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// What was wrong, the line, and the caret under it.
void check_complaint(const Error& error, std::string_view program) {
    STREAM_CHECK(error.kind() == ErrorKind::usage);
    const std::string_view message = error.message();
    if (program.size() > expr::program_max) return;
    STREAM_CHECK(is_utf8(message));
    const std::size_t last = message.rfind('\n');
    STREAM_CHECK(last != message.npos && last > 0);
    const std::size_t before = message.rfind('\n', last - 1);
    STREAM_CHECK(before != message.npos && before > 0);
    const std::string_view line = message.substr(before + 1, last - before - 1);
    const std::string_view caret = message.substr(last + 1);
    STREAM_CHECK(caret.find_first_not_of(' ') == caret.size() - 1 && caret.back() == '^');
    STREAM_CHECK(characters(line) <= 72 && caret.size() - 1 <= characters(line));
    // Nothing that a terminal would act on.
    STREAM_CHECK(std::none_of(message.begin(), message.end(), [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7F; }));
}

std::size_t kids_of(expr::AstKind kind) {
    using expr::AstKind;
    switch (kind) {
        case AstKind::iterate:
        case AstKind::negate:
        case AstKind::label: return 1;
        case AstKind::index:
        case AstKind::pipe:
        case AstKind::comma:
        case AstKind::arithmetic:
        case AstKind::comparison:
        case AstKind::logic_and:
        case AstKind::logic_or:
        case AstKind::alternative:
        case AstKind::assign:
        case AstKind::attempt:
        case AstKind::bind:
        case AstKind::define: return 2;
        case AstKind::slice:
        case AstKind::conditional:
        case AstKind::reduce: return 3;
        case AstKind::foreach: return 4;
        case AstKind::identity:
        case AstKind::recurse:
        case AstKind::number:
        case AstKind::string_part:
        case AstKind::format:
        case AstKind::variable:
        case AstKind::location:
        case AstKind::break_to: return 0;
        default: return SIZE_MAX;
    }
}

class TreeCheck {
public:
    explicit TreeCheck(std::size_t size) : size_(size) {}

    // The tree may be higher than a stack of calls.
    void check(const expr::Ast& program) {
        push(&program, 0, size_);
        while (!left_.empty()) {
            const Place place = left_.back();
            left_.pop_back();
            if (place.ast != nullptr) node(*place.ast, place.begin, place.end);
            else pattern(*place.pattern);
        }
    }

private:
    struct Place {
        const expr::Ast* ast;
        const expr::Pattern* pattern;
        std::size_t begin;
        std::size_t end;
    };
    void push(const expr::Ast* ast, std::size_t begin, std::size_t end) {
        if (ast != nullptr) left_.push_back({ast, nullptr, begin, end});
    }
    void node(const expr::Ast& ast, std::size_t begin, std::size_t end) {
        STREAM_CHECK(begin <= ast.begin && ast.begin <= ast.end && ast.end <= end);
        const std::size_t kids = kids_of(ast.kind);
        STREAM_CHECK(kids == SIZE_MAX || kids == ast.kids.size());
        STREAM_CHECK(ast.kind != expr::AstKind::field || ast.kids.size() == (ast.has_text ? 1 : 2));
        STREAM_CHECK((ast.kind == expr::AstKind::bind || ast.kind == expr::AstKind::reduce || ast.kind == expr::AstKind::foreach) ==
                     !ast.patterns.empty());
        STREAM_CHECK(is_utf8(ast.text));
        std::size_t from = ast.begin;
        for (const expr::AstPtr& kid : ast.kids) {
            push(kid.get(), from, ast.end);
            if (kid != nullptr) from = kid->end;
        }
        for (const expr::Ast::Member& member : ast.members) {
            STREAM_CHECK(member.key != nullptr);
            push(member.key.get(), ast.begin, ast.end);
            push(member.value.get(), ast.begin, ast.end);
        }
        for (const auto& one : ast.patterns) left_.push_back({nullptr, one.get(), 0, 0});
    }
    void pattern(const expr::Pattern& pattern) {
        STREAM_CHECK(pattern.begin < size_);
        STREAM_CHECK((pattern.kind == expr::Pattern::Kind::variable) == !pattern.name.empty());
        for (const auto& item : pattern.items) left_.push_back({nullptr, item.get(), 0, 0});
        for (const auto& member : pattern.members) {
            STREAM_CHECK(member.key != nullptr || !member.variable.empty());
            push(member.key.get(), 0, size_);
            if (member.value != nullptr) left_.push_back({nullptr, member.value.get(), 0, 0});
        }
    }
    std::size_t size_;
    std::vector<Place> left_;
};

const expr::Settings& settings() {
    static const expr::Settings made = [] {
        expr::Settings all;
        all.arguments = {{"n", "3"}, {"o", R"({"k":[1,"x",null]})"}};
        all.environment = {{"HOME", "/nonexistent"}};
        all.now = 1'700'000'000.25;
        all.memory_bytes = 1u << 20;
        all.steps = 5'000;
        all.fall_back = false;
        return all;
    }();
    return made;
}

void run_on_an_event(expr::Expression& expression, FieldSet& fields) {
    static const std::string events = [] {
        std::string text = R"({"a":{"b":[1,2.5,"x",null,{"c":true}],"s":"a,b c"},"b":[3,1,2],"n":12,"s":"2024-02-29T12:30:00Z","t":false,"é":"\u00e9\n"})"
                           "\n{}\n";
        text.append(scanner_padding, '\0');
        return text;
    }();
    Scanner scanner(fields);
    scanner.start(events.data(), events.size() - scanner_padding);
    while (scanner.next() == Scanner::Outcome::event) {
        const auto ran = expression.run(scanner.line(), scanner.values());
        if (!ran) {
            STREAM_CHECK(ran.error().kind() == ErrorKind::data);
            continue;
        }
        for (const Value& result : expression.results()) {
            STREAM_CHECK(result.type != Type::missing);
            std::string line = "{\"v\":";
            line += result.text;
            line += "}\n";
            const std::size_t size = line.size();
            line.append(scanner_padding, '\0');
            FieldSet none;
            Scanner again(none);
            again.start(line.data(), size);
            STREAM_CHECK(again.next() == Scanner::Outcome::event && again.next() == Scanner::Outcome::end);
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view program(reinterpret_cast<const char*>(data), size);
    auto parsed = expr::parse(program);
    if (!parsed) {
        check_complaint(parsed.error(), program);
        return 0;
    }
    TreeCheck(size).check(**parsed);
    const auto used = expr::check_names(**parsed, program, settings());
    if (!used) check_complaint(used.error(), program);
    FieldSet fields;
    auto expression = expr::Expression::make(program, settings(), fields);
    if (!expression) {
        check_complaint(expression.error(), program);
        STREAM_CHECK(fields.size() == 0);
        return 0;
    }
    STREAM_CHECK(used.has_value() && expression->is_compiled() && !expression->explain().empty());
    run_on_an_event(*expression, fields);
    return 0;
}

#ifndef STREAM_LIBFUZZER
#include "driver.hpp"

std::span<const std::string_view> fuzz_words() {
    static constexpr std::string_view words[] = {
        "|", ",", "//", "=", "|=", "+=", "-=", "*=", "/=", "%=", "//=", "or", " and ", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/",
        "%", "?", "?//", "..", ".", ".a", ".[", "]", "[]", "[0]", "[-1]", "[1:]", "[:2]", "(", ")", "{", "}", "{a:1}", "{$n}", "{\"a\"}",
        "{(.s):1}", "$n", "$o", "$x", "$__loc__", "$ENV", " as $x | ", " as [$x,{a:$y}] | ", " as {$x:[$y]} ?// $x | ", "reduce ",
        "foreach ", "reduce .b[] as $x (0; .+$x)", "foreach .b[] as $x (0; .+$x; [.,$x])", "if . then . else . end", "if ", " then ",
        " elif ", " else ", " end", "try ", " catch ", "label $x | ", "break $x", "def f: ", "def f(g; $x): ", "; ", "f", "f(.)", "f(.;1)",
        "\"", "\\(", "\"\\(.n)\"", "\\u00e9", "\\ud83d\\ude00", "@csv ", "@base64 \"\\(.)\"", "@sh", "@html", "@uri", "@tsv", "@json",
        "@text", "@base64d", "#", "\n", "é", "“", "'", "0", "1e3", "1e400", ".5", "00", "12345678901234567890", "null", "true", "false",
        "map(", "select(", "recurse(", "limit(", "first(", "range(", "until(", "while(", "repeat(", "any(", "all(", "sort_by(", "group_by(",
        "path(", "del(", "getpath(", "setpath(", "to_entries", "from_entries", "with_entries(", "test(\"a.c\")", "sub(\"a\";\"b\")",
        "gsub(", "match(", "capture(", "scan(", "split(", "splits(", "join(", "tojson", "fromjson", "tonumber", "tostring", "keys",
        "length", "add", "flatten", "error", "empty", "env", "now", "input", "paths", "map_values(", "strftime(\"%Y\")", "fromdate",
        "todate", "mktime", "gmtime", "pow(", "floor", "sqrt", "explode", "implode", "ltrimstr(", "contains(", "index(", "IN(", "isvalid",
        "import", "__loc__", "a::b", "seconds", "unique", "min_by(", "walk(", "input_line_number", "ascii", "@"};
    return words;
}
#endif
