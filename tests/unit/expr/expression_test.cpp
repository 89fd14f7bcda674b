// SPDX-License-Identifier: Apache-2.0
// What only a test inside can see: which programs are compiled, slots of the scanner, limits, exact
// arithmetic. That the answers are jq's is tests/check/jq_differential.py's.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "base/int128.hpp"
#include "expr/computed_fields.hpp"
#include "expr/expression.hpp"
#include "json/number.hpp"
#include "json/scanner.hpp"

namespace stream::expr {
namespace {

struct Fixture {
    FieldSet fields;
    Settings settings;
    std::optional<Expression> expression;
    std::string line;

    explicit Fixture(const std::string& program, Settings given = {}) : settings(std::move(given)) {
        auto made = Expression::make(program, settings, fields);
        if (made) expression.emplace(std::move(*made));
        else error = made.error().message();
    }
    std::string error;

    // Results by commas, or "error: …".
    std::string on(const std::string& event) {
        if (!expression) return "usage: " + error;
        Scanner scanner(fields);
        line = event + "\n";
        const std::size_t size = line.size();
        line.append(scanner_padding, '\0');
        scanner.start(line.data(), size);
        if (scanner.next() != Scanner::Outcome::event) return "bad: " + scanner.fault().reason;
        auto ran = expression->run(scanner.line(), scanner.values());
        if (!ran) return "error: " + ran.error().message();
        std::string out;
        for (const Value& value : expression->results()) out += (out.empty() ? "" : ",") + std::string(value.text);
        return out;
    }
};

std::string eval(const std::string& program, const std::string& event) { return Fixture(program).on(event); }

TEST(Expression, MovedValuesKeepTheirBytes) {
    EXPECT_EQ(eval("{a: .x, b: .o.p}", R"({"x":0.1000,"o":{"p": [1 , 1499816949527975237]}})"),
              R"({"a":0.1000,"b":[1 , 1499816949527975237]})");
    EXPECT_EQ(eval(".", R"({ "x" : 1.0 })"), R"({ "x" : 1.0 })");
    EXPECT_EQ(eval(".x", R"({"x":"\u0041\/"})"), R"("\u0041\/")");
}

TEST(Expression, SlotsKnowWhatIsOnTheWay) {
    EXPECT_EQ(eval(".a.b.c", R"({"a":{"b":{"c":1}}})"), "1");
    EXPECT_EQ(eval(".a.b.c", R"({"a":null})"), "null");
    EXPECT_EQ(eval(".a.b.c", "{}"), "null");
    EXPECT_EQ(eval(".a.b.c", R"({"a":{"b":7}})"), "error: cannot index number with \"c\"");
    EXPECT_EQ(eval(".a[1].b", R"({"a":[0,{"b":2}]})"), "2");
    EXPECT_EQ(eval(".a[1].b", R"({"a":{}})"), "error: cannot index object with a number");
    EXPECT_EQ(eval(".a", R"({"a":1,"a":{"b":2}})"), R"({"b":2})");
    EXPECT_EQ(eval(".a.b", R"({"a":{"b":2},"a":{}})"), "null");
    EXPECT_EQ(eval(".a | .b as $x | {$x, c}", R"({"a":{"b":2,"c":3}})"), R"({"x":2,"c":3})");
    EXPECT_EQ(eval("select(.n > 1) | .n", R"({"n":2})"), "2");
    // A dotted name is a name only to options; in jq's language it is in quotes.
    EXPECT_EQ(eval(R"([.a.b, ."a.b"])", R"({"a.b":1,"a":{"b":2}})"), "[2,1]");
}

TEST(Expression, ErrorsBeforeASlotAreNotLost) {
    EXPECT_EQ(eval("(.x.y as $z | .) | .a", R"({"x":1,"a":2})"), "error: cannot index number with \"y\"");
    EXPECT_EQ(eval(".a | length as $n | .b | [., $n]", R"({"a":{"b":1,"c":2}})"), "[1,2]");
}

TEST(Expression, WhatIsCompiled) {
    const auto explained = [](const std::string& program) { return Fixture(program).expression->explain(); };
    EXPECT_EQ(explained(".status >= 500 and .user.id == 3"), "compiled; reads .status, .user, .user.id\n");
    EXPECT_EQ(explained("def f: if . > 9 then . else . + 1 | f end; .n | f"),
              "runs in libjq 1.6, event by event: a recursive function\n"
              "def f: if . > 9 then . else . + 1 | f end; .n | f\n"
              "                                    ^\n");
    EXPECT_TRUE(Fixture("map(map(map(.a))) | map(map(.))").expression->is_compiled());
    EXPECT_FALSE(Fixture("walk(.)").expression->is_compiled());
    EXPECT_FALSE(Fixture(".a | limit(1; .x) ?// 1 | . as [$a] ?// $a | $a").expression.has_value());
}

TEST(Expression, IntegersAreExact) {
    EXPECT_EQ(eval(".n + 1", R"({"n":9007199254740992})"), "9007199254740993");
    EXPECT_EQ(eval(".n + 1", R"({"n":9223372036854775807})"), "9223372036854776000");
    EXPECT_EQ(eval(".n % 10", R"({"n":1499816949527975237})"), "7");
    EXPECT_EQ(eval(".n / 3", R"({"n":9007199254740993})"), "3002399751580331");
    EXPECT_EQ(eval(".n == 9007199254740993", R"({"n":9007199254740992})"), "false");
    EXPECT_EQ(eval(".n < 0.30000000000000000001", R"({"n":0.3})"), "true");
    EXPECT_EQ(eval(R"p("id \(.n)")p", R"({"n":1499816949527975237})"), R"("id 1499816949527975237")");
}

RC_GTEST_PROP(Expression, ArithmeticOf64Bits, ()) {
    const auto wide = [] {
        return rc::gen::oneOf(rc::gen::arbitrary<std::int64_t>(), rc::gen::inRange<std::int64_t>(-20, 20),
                              rc::gen::map(rc::gen::inRange<std::int64_t>(0, 30), [](std::int64_t k) { return INT64_MAX - k; }));
    };
    const std::int64_t a = *wide();
    const std::int64_t b = *wide();
    const std::string event = "{\"a\":" + std::to_string(a) + ",\"b\":" + std::to_string(b) + "}";
    const std::pair<const char*, Int128> cases[] = {{".a + .b", Int128{a} + b}, {".a - .b", Int128{a} - b}, {".a * .b", Int128{a} * b}};
    for (const auto& [program, exact] : cases) {
        std::string wanted;
        if (exact >= INT64_MIN && exact <= INT64_MAX) append_int128(wanted, exact);
        else append_double(wanted, static_cast<double>(exact));
        const std::string got = eval(program, event);
        // Past 64 bits the operands are rounded first, as doubles are.
        if (exact >= INT64_MIN && exact <= INT64_MAX) RC_ASSERT(got == wanted);
        else RC_ASSERT(std::abs(to_double(got) / to_double(wanted) - 1) < 1e-15);
    }
    RC_ASSERT(eval(".a < .b", event) == (a < b ? "true" : "false"));
    RC_ASSERT(eval("[.a, .b] | sort | .[0]", event) == std::to_string(std::min(a, b)));
}

TEST(Expression, LimitsAreErrorsOfTheEvent) {
    Settings settings;
    settings.fall_back = false;  // else libjq, which has more memory, has a try
    settings.steps = 1000;
    settings.memory_bytes = 1 << 20;
    EXPECT_EQ(Fixture("[range(100000)] | length", settings).on("{}"), "error: the expression takes more than 1000 steps on this event");
    settings.steps = 10'000'000;
    Fixture memory("[range(1000000)] | length", settings);
    EXPECT_EQ(memory.on("{}"), "error: the expression needs more than 1MiB for this event");
    EXPECT_EQ(Fixture(".a * 1000000000 | length", settings).on(R"({"a":"xxxxxxxx"})"), "error: the expression needs more than 1MiB for this event");
    EXPECT_EQ(Fixture("reduce range(3000) as $i (0; [.])", settings).on("{}"),
              "error: the expression makes values nested more than 1024 deep");
    // The next event is none the worse.
    Fixture again("[range(.n)] | length", settings);
    EXPECT_EQ(again.on(R"({"n":1000000})"), "error: the expression needs more than 1MiB for this event");
    EXPECT_EQ(again.on(R"({"n":3})"), "3");
}

TEST(Expression, TheFirstResultThatIsSomethingDecides) {
    Fixture f(R"(.a, error("x"))");
    Scanner scanner(f.fields);
    std::string line = R"({"a":1})"
                       "\n" R"({"a":false})"
                       "\n";
    const std::size_t size = line.size();
    line.append(scanner_padding, '\0');
    scanner.start(line.data(), size);
    ASSERT_EQ(scanner.next(), Scanner::Outcome::event);
    EXPECT_TRUE(*f.expression->holds(scanner.line(), scanner.values()));
    ASSERT_EQ(scanner.next(), Scanner::Outcome::event);
    EXPECT_EQ(f.expression->holds(scanner.line(), scanner.values()).error().message(), "x");
}

TEST(ComputedFields, AreFieldsLikeOthers) {
    FieldSet fields;
    const std::size_t kb = fields.add(*parse_field("(.bytes / 1024)"));
    const std::size_t plain = fields.add(*parse_field("bytes"));
    const std::size_t lower = fields.add(*parse_field(".m|ascii_downcase"));
    const std::size_t nothing = fields.add(*parse_field("(empty)"));
    auto computed = ComputedFields::make(fields, Settings{});
    ASSERT_TRUE(computed.has_value());
    Scanner scanner(fields);
    std::string line = R"({"bytes":2048,"m":"GET"})"
                       "\n" R"({"bytes":1,"m":7})"
                       "\n" R"({"bytes":512,"m":"x"})"
                       "\n";
    const std::size_t size = line.size();
    line.append(scanner_padding, '\0');
    scanner.start(line.data(), size);
    ASSERT_EQ(scanner.next(), Scanner::Outcome::event);
    EXPECT_EQ(scanner.values()[kb].text, "2");
    EXPECT_EQ(scanner.values()[plain].text, "2048");
    EXPECT_EQ(scanner.values()[lower].text, "\"get\"");
    EXPECT_EQ(scanner.values()[nothing].type, Type::missing);
    ASSERT_EQ(scanner.next(), Scanner::Outcome::bad);
    EXPECT_TRUE(scanner.fault().reason.starts_with("\".m|ascii_downcase\": ")) << scanner.fault().reason;
    ASSERT_EQ(scanner.next(), Scanner::Outcome::event);
    EXPECT_EQ(scanner.values()[kb].text, "0.5");
}

}  // namespace
}  // namespace stream::expr
