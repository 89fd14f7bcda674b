// SPDX-License-Identifier: Apache-2.0
// stream-table join: at every prefix, folding what was written is joining what was folded.
#include "unit/ops/table_testing.hpp"

#include <algorithm>

namespace stream {
namespace {

using namespace testing;

struct Types {
    const char* name;
    bool left;
    bool right;
};
constexpr Types types[] = {{"inner", false, false}, {"left", true, false}, {"right", false, true}, {"full", true, true}};

Table join(const std::string& left_on, const std::string& right_on, const Types& type, std::size_t memory = 256u << 20) {
    return Table([=] {
        JoinedTablesOptions options;
        options.left = {by("id"), by(left_on), type.left};
        options.right = {by("id"), by(right_on), type.right};
        options.deleted = ".gone";
        options.memory_bytes = memory;
        return must(make_joined_tables(std::move(options)));
    });
}

// The joined table, straight from its definition.
Rows naive_join(const Rows& left, const Rows& right, const std::string& left_on, const std::string& right_on, const Types& type) {
    Rows joined;
    const auto put = [&](const std::string* l, const std::string* r) {
        const std::string row = fmt::format(R"({{"left":{},"right":{}}})", l == nullptr ? "null" : *l, r == nullptr ? "null" : *r);
        joined[members(value_of(row), {"left.id", "right.id"})] = canonical(row);
    };
    const auto matches = [&](const std::string& l, const std::string& r) {
        const Value a = at(value_of(l), left_on);
        const Value b = at(value_of(r), right_on);
        return !a.is_nothing() && !b.is_nothing() && compare_values(a, b) == 0;
    };
    std::vector<std::string> matched;
    for (const auto& [lk, l] : left) {
        bool any = false;
        for (const auto& [rk, r] : right) {
            if (!matches(l, r)) continue;
            any = true;
            matched.push_back(rk);
            put(&l, &r);
        }
        if (!any && type.left) put(&l, nullptr);
    }
    for (const auto& [rk, r] : right) {
        if (type.right && std::find(matched.begin(), matched.end(), rk) == matched.end()) put(nullptr, &r);
    }
    return joined;
}

// A value's text in one of its spellings.
std::string spelling(int value) {
    switch (*rc::gen::inRange(0, 4)) {
        case 0: return fmt::format("{}.0", value);
        case 1: return fmt::format("{}e0", value);
        default: return std::to_string(value);
    }
}

std::string random_row(int id) {
    const int on = *rc::gen::inRange(-2, 3);
    std::string row = fmt::format(R"({{"id":{})", spelling(id));
    if (on == -1) row += R"(,"on":null)";
    if (on >= 0) row += fmt::format(R"(,"on":{})", on == 2 ? "\"x\"" : spelling(on));
    row += fmt::format(R"(,"v":{}}})", spelling(*rc::gen::inRange(0, 3)));
    return row;
}

// A change of one side; `rows` is the table so far (what `before` may say).
std::string random_change(const Rows& rows) {
    const int id = *rc::gen::inRange(0, 4);
    const auto found = rows.find(fmt::format("{}|", id));
    const std::string partial = fmt::format(R"({{"id":{}}})", spelling(id));
    const std::string before = found != rows.end() && *rc::gen::arbitrary<bool>() ? found->second : partial;
    switch (*rc::gen::inRange(0, 12)) {
        case 0:
        case 1: return fmt::format(R"({{"op":"d","before":{},"after":null}})", before);
        case 2: return fmt::format(R"({{"id":{},"gone":true}})", id);
        case 3: return fmt::format(R"({{"schema":null,"payload":{{"op":"u","before":{},"after":{}}}}})", before, random_row(id));
        case 4:  // another key
        case 5: return fmt::format(R"({{"op":"u","before":{},"after":{}}})", before, random_row(*rc::gen::inRange(0, 4)));
        case 6: return fmt::format(R"({{"op":"u","before":null,"after":{}}})", random_row(id));
        case 7: return *rc::gen::inRange(0, 4) == 0 ? R"({"op":"t","source":{}})" : R"({"ts_ms":5})";
        default: return *rc::gen::arbitrary<bool>() ? random_row(id) : fmt::format(R"({{"op":"c","before":null,"after":{}}})", random_row(id));
    }
}

// The reference's fold of the same change.
void apply(Rows& rows, const std::string& change) {
    if (change.find("\"op\":\"t\"") != std::string::npos) rows.clear();
    else if (change.find("ts_ms") != std::string::npos) return;
    else if (change.find("gone") != std::string::npos) rows.erase(members(value_of(change), {"id"}));
    else fold_into(rows, change.starts_with("{\"schema") ? std::string(at(value_of(change), "payload").text) : change, {"id"});
}

RC_GTEST_PROP(TableJoin, EveryPrefixFoldsToTheJoin, ()) {
    for (const Types& type : types) {
        const bool by_key = *rc::gen::inRange(0, 3) == 0;  // primary keys on one side, or foreign keys on both
        const std::string left_on = "on";
        const std::string right_on = by_key ? "id" : "on";
        Table table = join(left_on, right_on, type);
        Table undisturbed = join(left_on, right_on, type);
        Rows sides[2];
        Rows joined;
        const int changes = *rc::gen::inRange(1, 40);
        for (int i = 0; i < changes; ++i) {
            const int side = *rc::gen::inRange(0, 2);
            const std::string change = random_change(sides[side]);
            const Rows before = joined;
            RC_ASSERT(table.give(side, change, i) == "");
            apply(sides[side], change);
            const auto lines = table.take();
            RC_ASSERT(undisturbed.give(side, change, i) == "");
            RC_ASSERT(undisturbed.take() == lines);
            int rank = 0;
            for (const std::string& line : lines) {
                RC_LOG() << type.name << ": " << change << " -> " << line << "\n";
                RC_ASSERT(fold_into(joined, line, {"left.id", "right.id"}, true));
                const int now = static_cast<int>(std::string_view("duc").find(at(value_of(line), "op").inner()));
                RC_ASSERT(now >= rank);
                rank = now;
            }
            RC_ASSERT(joined == naive_join(sides[0], sides[1], left_on, right_on, type));
            if (joined == before) RC_ASSERT(lines.empty());
            if (*rc::gen::inRange(0, 10) == 0) table.restart();
        }
    }
}

std::vector<std::string> in_short(const std::vector<std::string>& lines) {
    std::vector<std::string> all;
    for (const std::string& line : lines) {
        const Value event = value_of(line);
        const auto row = [&](std::string_view name) {
            const Value pair = at(event, name);
            if (pair.type != Type::object) return std::string();
            const auto v = [&](std::string_view side) {
                const Value one = at(pair, side);
                return one.type == Type::object ? std::string(at(one, "v").text) : std::string("-");
            };
            return v("left") + v("right");
        };
        all.push_back(std::string(at(event, "op").inner()) + " " + row("before") + ">" + row("after"));
    }
    return all;
}

using Lines = std::vector<std::string>;

// J10 (Kafka Streams documentation, KTable-KTable join): one key; results in the order of the table's column.
TEST(TableJoin, KafkasTableOfTableTableJoins) {
    const std::pair<int, int> steps[] = {{0, 0}, {1, 0}, {0, 1}, {1, 2}, {0, 3}, {1, 4}, {0, 0}, {1, 0}, {0, 5}, {1, 6}, {1, 0}, {0, 0}, {1, 0}, {1, 7}, {0, 8}};
    const std::vector<Lines> wanted[] = {
        {{}, {}, {}, {"c >12"}, {"u 12>32"}, {"u 32>34"}, {"d 34>"}, {}, {}, {"c >56"}, {"d 56>"}, {}, {}, {}, {"c >87"}},
        {{}, {}, {"c >1-"}, {"d 1->", "c >12"}, {"u 12>32"}, {"u 32>34"}, {"d 34>"}, {}, {"c >5-"}, {"d 5->", "c >56"}, {"d 56>", "c >5-"}, {"d 5->"}, {}, {}, {"c >87"}},
        {},
        {{}, {}, {"c >1-"}, {"d 1->", "c >12"}, {"u 12>32"}, {"u 32>34"}, {"d 34>", "c >-4"}, {"d -4>"}, {"c >5-"}, {"d 5->", "c >56"}, {"d 56>", "c >5-"}, {"d 5->"}, {}, {"c >-7"}, {"d -7>", "c >87"}}};
    for (std::size_t type = 0; type < 4; ++type) {
        if (wanted[type].empty()) continue;
        Table table = join("id", "id", types[type]);
        for (std::size_t i = 0; i < std::size(steps); ++i) {
            const auto [side, value] = steps[i];
            const std::string change = value == 0 ? R"({"op":"d","before":{"id":1},"after":null})" : fmt::format(R"({{"id":1,"v":{}}})", value);
            EXPECT_EQ(table.give(side, change), "");
            EXPECT_EQ(in_short(table.take()), wanted[type][i]) << types[type].name << " step " << i + 1;
        }
    }
}

// J12 and J14: a foreign key that is changed, points nowhere, and comes back.
TEST(TableJoin, ForeignKeysMove) {
    Table table = join("on", "id", types[1]);
    const auto step = [&](int side, const std::string& change) {
        EXPECT_EQ(table.give(side, change), "");
        return in_short(table.take());
    };
    EXPECT_EQ(step(1, R"({"id":1,"v":"F"})"), Lines{});
    EXPECT_EQ(step(0, R"({"id":"k","on":1,"v":1})"), (Lines{R"(c >1"F")"}));
    EXPECT_EQ(step(0, R"({"id":"k","on":2,"v":2})"), (Lines{R"(d 1"F">)", "c >2-"}));
    EXPECT_EQ(step(0, R"({"id":"k","on":3,"v":3})"), (Lines{"u 2->3-"}));
    EXPECT_EQ(step(1, R"({"id":3,"v":"B"})"), (Lines{"d 3->", R"(c >3"B")"}));
    EXPECT_EQ(step(0, R"({"id":"k","on":null,"v":4})"), (Lines{R"(d 3"B">)", "c >4-"}));
    EXPECT_EQ(step(0, R"({"id":"k","on":1,"v":1})"), (Lines{"d 4->", R"(c >1"F")"}));
    EXPECT_EQ(step(0, R"({"id":"q","on":10,"v":10})"), (Lines{"c >10-"}));
    EXPECT_EQ(step(0, R"({"id":"r","on":10,"v":11})"), (Lines{"c >11-"}));
    EXPECT_EQ(step(1, R"({"id":10,"v":"Z"})"), (Lines{"d 10->", "d 11->", R"(c >10"Z")", R"(c >11"Z")"}));
    EXPECT_EQ(step(0, R"({"op":"d","before":{"id":"absent"},"after":null})"), Lines{});
    EXPECT_EQ(step(0, R"({"op":"d","before":{"id":"r"},"after":null})"), (Lines{R"(d 11"Z">)"}));
    EXPECT_EQ(step(0, R"({"op":"d","before":{"id":"r"},"after":null})"), Lines{});
    EXPECT_EQ(step(1, R"({"id":1.0,"v":"F"})"), Lines{}) << "it says the same";
}

// J22: two right rows alike: one may go.
TEST(TableJoin, RowsAlikeAreCounted) {
    Table table = join("on", "on", types[0]);
    EXPECT_EQ(table.give(0, R"({"id":1,"on":"a","v":1})"), "");
    EXPECT_EQ(table.give(1, R"({"id":1,"on":"a","v":2})"), "");
    EXPECT_EQ(table.give(1, R"({"id":2,"on":"a","v":2})"), "");
    EXPECT_EQ(in_short(table.take()), (Lines{"c >12", "c >12"}));
    EXPECT_EQ(table.give(1, R"({"op":"d","before":{"id":1},"after":null})"), "");
    EXPECT_EQ(in_short(table.take()), (Lines{"d 12>"}));
}

// J22: left rows of one order, joined on a line of it.
TEST(TableJoin, FlinksUpdatingJoin) {
    Table table = join("id", "id", types[1]);
    const auto step = [&](int side, const std::string& change) {
        EXPECT_EQ(table.give(side, change), "");
        return in_short(table.take());
    };
    EXPECT_EQ(step(0, R"({"id":"LO1","order":1,"v":1})"), (Lines{"c >1-"}));
    EXPECT_EQ(step(0, R"({"id":"LO2","order":1,"v":2})"), (Lines{"c >2-"}));
    EXPECT_EQ(step(1, R"({"id":"LO2","v":"AIR"})"), (Lines{"d 2->", R"(c >2"AIR")"}));
    EXPECT_EQ(step(0, R"({"id":"LO2","order":1,"v":3})"), (Lines{R"(u 2"AIR">3"AIR")"}));
    EXPECT_EQ(step(1, R"({"id":"LO2","v":"SHIP"})"), (Lines{R"(u 3"AIR">3"SHIP")"}));
    EXPECT_EQ(step(1, R"({"id":"LO1","v":"TRUCK"})"), (Lines{"d 1->", R"(c >1"TRUCK")"}));
    EXPECT_EQ(step(1, R"({"op":"d","before":{"id":"LO2"},"after":null})"), (Lines{R"(d 3"SHIP">)", "c >3-"}));
    EXPECT_EQ(step(1, R"({"id":"LO2","v":"RAIL"})"), (Lines{"d 3->", R"(c >3"RAIL")"}));
    EXPECT_EQ(step(1, R"({"op":"t","source":{}})"), (Lines{R"(d 1"TRUCK">)", R"(d 3"RAIL">)", "c >1-", "c >3-"}));
}

// J23: joined with counts that change, whose value is what they are joined on.
TEST(TableJoin, JoinedOnWhatIsCounted) {
    for (const std::size_t type : {1u, 2u, 3u}) {
        Table table([&] {
            JoinedTablesOptions options;
            options.left = {by("id"), by("id"), types[type].left};
            options.right = {by("id"), by("on"), types[type].right};
            return must(make_joined_tables(std::move(options)));
        });
        for (const int left : {0, 1, 2}) table.give(0, fmt::format(R"({{"id":{},"v":{}}})", left, left));
        table.take();
        const auto step = [&](int id, int count) {
            EXPECT_EQ(table.give(1, fmt::format(R"({{"id":{},"on":{},"v":{}}})", id, count, count)), "");
            return in_short(table.take());
        };
        const bool pads = types[type].left;
        EXPECT_EQ(step(0, 1), (pads ? Lines{"d 1->", "c >11"} : Lines{"c >11"}));
        EXPECT_EQ(step(1, 1), (Lines{"c >11"}));
        EXPECT_EQ(step(0, 2), (pads ? Lines{"d 11>", "d 2->", "c >22"} : Lines{"d 11>", "c >22"}));
    }
}

TEST(TableJoin, WhatIsWritten) {
    Table table = join("on", "id", types[3]);
    table.give(0, R"({"id":1,"on":7,"v":[1, 2]})", ns_per_second);
    table.give(1, R"({"op":"c","after":{"id":7,"x": 1.50},"source":{}})", 2 * ns_per_second + ns_per_ms);
    EXPECT_EQ(table.take(), (Lines{R"({"op":"c","ts":"1970-01-01T00:00:01Z","before":null,"after":{"left":{"id":1,"on":7,"v":[1, 2]},"right":null}})",
                                   R"({"op":"d","ts":"1970-01-01T00:00:02.001Z","before":{"left":{"id":1,"on":7,"v":[1, 2]},"right":null},"after":null})",
                                   R"({"op":"c","ts":"1970-01-01T00:00:02.001Z","before":null,"after":{"left":{"id":1,"on":7,"v":[1, 2]},"right":{"id":7,"x": 1.50}}})"}));
}

TEST(TableJoin, KeysOfSeveralMembersAndUnusableEvents) {
    Table table([] {
        JoinedTablesOptions options;
        options.left = {by("a,b"), by("x,y"), false};
        options.right = {by("a,b"), by("x=(.p|ascii_downcase),y=q.r"), false};
        return must(make_joined_tables(std::move(options)));
    });
    EXPECT_EQ(table.give(0, R"({"a":1,"b":2,"x":"k","y":3,"v":1})"), "");
    EXPECT_EQ(table.give(1, R"({"a":1,"b":null,"p":"K","q":{"r":3.0},"v":2})"), "");
    EXPECT_EQ(in_short(table.take()), (Lines{"c >12"}));
    EXPECT_EQ(table.give(0, R"({"x":"k"})"), R"(no key: "a", "b" are missing)");
    EXPECT_NE(table.give(1, R"({"a":9,"p":5})"), "") << "the expression fails";
    EXPECT_EQ(table.give(1, R"({"op":"x","before":null,"after":{}})"), R"(an unknown op: "x")");
    EXPECT_EQ(in_short(table.take()), Lines{});
}

TEST(TableJoin, MemoryIsBounded) {
    Table table = join("on", "on", types[0], 100'000);
    std::string error;
    for (int i = 0; i < 10'000 && error.empty(); ++i) error = table.give(0, fmt::format(R"({{"id":{},"on":{}}})", i, i % 10));
    EXPECT_NE(error.find("--memory"), std::string::npos) << error;
}

// A row joined with many, changed often, costs what is written and no more.
TEST(TableJoin, ManyRowsUnderOneValue) {
    Table table = join("on", "id", types[1]);
    for (int i = 0; i < 20'000; ++i) table.give(0, fmt::format(R"({{"id":{},"on":"hot","v":{}}})", i, i));
    EXPECT_EQ(table.take().size(), 20'000U);
    for (int i = 0; i < 20'000; ++i) table.give(0, fmt::format(R"({{"id":{},"on":"cold","v":{}}})", i, i));
    EXPECT_EQ(table.take().size(), 20'000U);
    table.give(1, R"({"id":"cold","v":0})");
    EXPECT_EQ(table.take().size(), 40'000U);
}

}  // namespace
}  // namespace stream
