// SPDX-License-Identifier: Apache-2.0
// Which programs are known to leave a member alone. What the tests call kept is also true: see the events of the last.
#include "expr/keeps.hpp"

#include <gtest/gtest.h>

#include <string>

#include "expr/expression.hpp"
#include "expr/parser.hpp"
#include "json/canonical.hpp"
#include "json/cursor.hpp"
#include "json/scanner.hpp"

namespace stream::expr {
namespace {

bool keeps(const std::string& program, const std::string& field) {
    const auto path = parse_field(field);
    const auto ast = parse(program);
    EXPECT_TRUE(path && ast) << program;
    return path && ast && keeps_member(**ast, MemberNames(*path));
}

const char* const kept[] = {
    "", ".", "select(.a)", "select(.a) | .a = 1", ".a = .ts", ".a |= 1", ".a.ts = 1", ".a[0] += 1", ".a[].ts = 1", ".[\"a\"] = 1", "(.a, .b) = 1",
    "(if .x then .a else .b end) = 1", "(.a | .ts) = 1", "(select(.x) | .a) = 1", "select(.x).a = 1", ".a? = 1", ".a //= 1", "{ts, a: 1}", "{ts: .ts}", "{a}", "{}",
    "{\"a\": .ts}", ". + {a: 1}", ". += {a: 1}", ". * {a: {ts: 1}}", ".items[] + {ts}", ".x + {ts: .ts, b: 1}", "{ts} + {a}", "del(.a)", "del(.ts)", "del(.a, .ts)",
    "if .a then . else {ts} end", "if .a then . end", ".a as $x | .b = $x", "reduce .l[] as $i (.; .n += $i)", "., {ts}", "empty", "error", "try . catch empty",
    "objects", "(.a = 1) // {ts}", ".a = (def f: .ts = 1; f)",
};
const char* const changed[] = {
    ".ts = 1", ".ts |= .", ".ts.a = 1", ".[\"ts\"] = 1", ".[.a] = 1", ".[] = 1", "(.a, .ts) = 1", "(if .x then .a end) = 1", "(. | .ts) = 1", "(.. | .a?) = 1", "{ts: 1}", "{ts: .a}",
    "{(.a): 1}", "{\"t\\(.a)\": 1}", ".a as $ts | {$ts}", ". + {ts: 1}", "{ts: 1} + .", ". + .a", ".items[] + {a}", ".items[]", "del(.ts.a)", "del(.[])", "to_entries", "map_values(1)",
    "with_entries(.)", "def f: .ts = 1; f", "def select(f): .ts = 1; select(.a)", "{ts} | {ts: 1}", "{ts: .a} | {ts}", ".items[] | {ts}", "if .a then . else {ts: 1} end",
    "try . catch {ts: 1}", "., {ts: 1}", "reduce .l[] as $i ({ts: 1}; .)", "reduce .l[] as $i (.; .ts = $i)", ". += {ts: 1}", ". * {ts: 1}", ". -= {}", "walk(.)", "..",
    "getpath([\"a\"])", "setpath([\"ts\"]; 1)", ".a // .ts", "first(.[])", "$__loc__",
};

TEST(keeps_member, told_from_the_text) {
    for (const char* program : kept) EXPECT_TRUE(keeps(program, "ts")) << program;
    for (const char* program : changed) EXPECT_FALSE(keeps(program, "ts")) << program;
}

TEST(keeps_member, a_path_is_also_the_member_of_its_name) {
    for (const char* program : {".", "select(.source.ts_ms)", ".ts = 1", "{ts}", "del(.a)", ". + {ts_ms: 1}"}) EXPECT_TRUE(keeps(program, "source.ts_ms")) << program;
    for (const char* program : {".source = 1", ".source.a = 1", ".[\"source.ts_ms\"] = 1", "{source}", "{\"source.ts_ms\"}", "del(.source)", "del(.[\"source.ts_ms\"])", ". + {source}"}) {
        EXPECT_FALSE(keeps(program, "source.ts_ms")) << program;
    }
}

TEST(keeps_member, an_expression_may_read_anything) {
    for (const char* program : {".", "select(.a)"}) EXPECT_TRUE(keeps(program, "(.a + .b)")) << program;
    for (const char* program : {".a = 1", "{a}", "{}", ". + {}", "del(.a)"}) EXPECT_FALSE(keeps(program, "(.a + .b)")) << program;
}

std::string member_of(std::string_view object, std::string_view name) {
    std::string found;
    for (Cursor cursor(value_of(object)); cursor.next();) {
        if (cursor.name().inner() == name) found = cursor.value().text;
    }
    return found;
}

TEST(keeps_member, and_it_is_kept) {
    for (const std::string event : {R"({"ts":1.50,"a":{"ts":2},"b":3,"items":[{"ts":4,"a":5},{"x":6}],"l":[7,8],"x":{"ts":9}})", R"({"a":{"b":1},"items":[],"x":null})"}) {
        for (const char* program : kept) {
            FieldSet fields;
            auto made = Expression::make(program, Settings{}, fields);
            if (!made) continue;  // `if` without else: not in every jq
            Scanner scanner(fields);
            std::string line = event + "\n";
            const std::size_t size = line.size();
            line.append(scanner_padding, '\0');
            scanner.start(line.data(), size);
            ASSERT_EQ(scanner.next(), Scanner::Outcome::event);
            if (!made->run(scanner.line(), scanner.values())) continue;
            for (const Value& result : made->results()) {
                if (result.type != Type::object) continue;
                const std::string ts = member_of(result.text, "ts");
                EXPECT_TRUE(ts.empty() || ts == "null" || ts == member_of(event, "ts") || ts == "1.5") << program << " gives " << result.text;
            }
        }
    }
}

}  // namespace
}  // namespace stream::expr
