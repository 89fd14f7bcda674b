// SPDX-License-Identifier: Apache-2.0
// stream-table's fold and diff against maps that are folded in the most obvious way.
#include "unit/ops/table_testing.hpp"

#include "json/keys.hpp"

#include <algorithm>

namespace stream {
namespace {

using namespace testing;
using Lines = std::vector<std::string>;

Table fold(const std::string& key, const std::function<void(FoldOptions&)>& set = {}) {
    return Table([=] {
        FoldOptions options;
        options.by = by(key);
        if (set) set(options);
        return must(make_table_fold(std::move(options)));
    });
}

Table diff(const std::string& key) {
    return Table([=] {
        DiffOptions options;
        options.by = by(key);
        return must(make_table_diff(std::move(options)));
    });
}

TEST(TableFold, TheNewestRowOfEachKeyInOrderOfKeyItsOwnBytes) {
    Table table = fold("id");
    for (const char* row : {R"({"id":"b","v": 1.50})", R"({"id":10})", R"({"id":9,"v":1})", R"({"id":null,"v":0})", R"({ "v":2,"id":9.0 })", R"({"id":"a"})",
                            R"({"id":true})", R"({"id":[1]})"}) {
        EXPECT_EQ(table.give(0, row), "");
    }
    EXPECT_EQ(table.finish(), (Lines{R"({"id":null,"v":0})", R"({"id":true})", R"({ "v":2,"id":9.0 })", R"({"id":10})", R"({"id":"a"})",
                                     R"({"id":"b","v": 1.50})", R"({"id":[1]})"}));
}

TEST(TableFold, Envelopes) {
    Table table = fold("id");
    EXPECT_EQ(table.give(0, R"({"op":"r","before":null,"after":{"id":1,"v":1}})"), "");
    EXPECT_EQ(table.give(0, R"({"schema":{"op":"x"},"payload":{"before":null,"after":{"id":2,"v":2},"op":"c","source":{"id":7}}})"), "");
    EXPECT_EQ(table.give(0, R"({"op":"u","before":{"id":2},"after":{"id":3,"v":2}})"), "") << "another key";
    EXPECT_EQ(table.give(0, R"({"op":"u","before":{"v":1},"after":{"id":1,"v":5}})"), "") << "a key that is not known";
    EXPECT_EQ(table.give(0, R"({"schema":null,"payload":null})"), "");
    EXPECT_EQ(table.give(0, R"({"ts_ms":1})"), "");
    EXPECT_EQ(table.give(0, R"({"status":"BEGIN","id":"571:53195829","ts_ms":1,"event_count":null,"data_collections":null})"), "");
    EXPECT_EQ(table.give(0, R"({"op":"m","ts_ms":1,"source":{},"message":{"prefix":"a","content":"b"}})"), "");
    EXPECT_EQ(table.give(0, R"({"id":4,"op":"a row that has an op"})"), "");
    EXPECT_EQ(table.finish(), (Lines{R"({"id":1,"v":5})", R"({"id":3,"v":2})", R"({"id":4,"op":"a row that has an op"})"}));
    EXPECT_EQ(table.give(0, R"({"op":"t","source":{"table":"x"}})"), "");
    EXPECT_EQ(table.finish(), Lines{});
}

TEST(TableFold, WhatMakesNoSenseIsBad) {
    Table table = fold("id");
    EXPECT_EQ(table.give(0, R"({"op":"x","before":null,"after":{"id":1}})"), R"(an unknown op: "x")");
    EXPECT_EQ(table.give(0, R"({"op":"c","before":null,"after":null})"), R"(an insert without "after")");
    EXPECT_EQ(table.give(0, R"({"op":"u","before":{"id":1},"after":5})"), R"("after" is no object: "5")");
    EXPECT_EQ(table.give(0, R"({"op":"d","before":null,"after":null})"), R"(a delete without "before")");
    EXPECT_EQ(table.give(0, R"({"v":1})"), R"(no key: "id" is missing)");
    EXPECT_EQ(table.give(0, R"({"op":"d","before":{"v":1},"after":null})"), R"(no key: "id" is missing)");
    EXPECT_EQ(table.finish(), Lines{});
}

TEST(TableFold, DeletedByAnExpression) {
    Table table = fold("id", [](FoldOptions& o) { o.deleted = R"(.__deleted == "true")"; });
    EXPECT_EQ(table.give(0, R"({"id":1,"__deleted":"false"})"), "");
    EXPECT_EQ(table.give(0, R"({"id":2})"), "");
    EXPECT_EQ(table.give(0, R"({"id":1,"__deleted":"true"})"), "");
    EXPECT_EQ(table.give(0, R"({"op":"u","before":{"id":2},"after":{"id":3,"__deleted":"true"}})"), "");
    EXPECT_EQ(table.finish(), Lines{});
}

TEST(TableFold, AsOfATime) {
    const auto as_of = [](TimeNs time) { return fold("id", [=](FoldOptions& o) { o.as_of = time; }); };
    const std::pair<TimeNs, const char*> changes[] = {
        {5, R"({"id":1,"v":5})"}, {3, R"({"id":1,"v":3})"}, {7, R"({"op":"d","before":{"id":1}})"}, {6, R"({"id":1,"v":6})"}, {6, R"({"id":1,"v":66})"},
        {2, R"({"id":2,"v":2})"}, {4, R"({"op":"t","source":{}})"}, {4, R"({"id":3,"v":4})"},      {3, R"({"id":3,"v":3})"}};
    const std::pair<TimeNs, Lines> wanted[] = {{2, {R"({"id":2,"v":2})"}},
                                               {3, {R"({"id":1,"v":3})", R"({"id":2,"v":2})", R"({"id":3,"v":3})"}},
                                               {4, {R"({"id":3,"v":4})"}},
                                               {5, {R"({"id":1,"v":5})", R"({"id":3,"v":4})"}},
                                               {6, {R"({"id":1,"v":66})", R"({"id":3,"v":4})"}},
                                               {7, {R"({"id":3,"v":4})"}}};
    for (const auto& [time, rows] : wanted) {
        Table table = as_of(time);
        for (const auto& [at, change] : changes) {
            EXPECT_EQ(table.give(0, change, at), "");
            table.restart();
        }
        EXPECT_EQ(table.finish(), rows) << time;
    }
}

TEST(TableFold, EveryInstantOnceAllUpToItHasCome) {
    Table table = fold("id", [](FoldOptions& o) { o.every = 10; });
    const auto ts = [](int ns, const char* rest) { return fmt::format(R"({{"id":{},"ts":"1970-01-01T00:00:00.{:09}Z"}})", rest, ns); };
    table.give(0, R"({"id":1,"ts":7})", 7);
    table.watermark(10);
    EXPECT_EQ(table.take(), Lines{}) << "a change at 10 itself may come";
    table.give(0, R"({"id":2})", 10);
    table.watermark(11);
    EXPECT_EQ(table.take(), (Lines{ts(10, "1"), ts(10, "2")}));
    table.restart();
    table.give(0, R"({"op":"d","before":{"id":1},"after":null})", 35);
    EXPECT_EQ(table.take(), (Lines{ts(20, "1"), ts(20, "2"), ts(30, "1"), ts(30, "2")}));
    EXPECT_EQ(table.finish(), (Lines{ts(40, "2")}));
    Table jump = fold("id", [](FoldOptions& o) { o.every = 1; });
    jump.give(0, R"({"id":1})", 0);
    EXPECT_NE(jump.give(0, R"({"id":1})", ns_per_hour).find("event time jumps"), std::string::npos);
}

TEST(TableFold, MemoryIsBounded) {
    Table table = fold("id", [](FoldOptions& o) { o.memory_bytes = 100'000; });
    std::string error;
    int rows = 0;
    for (; rows < 10'000 && error.empty(); ++rows) error = table.give(0, fmt::format(R"({{"id":{},"text":"{}"}})", rows, std::string(80, 'x')));
    EXPECT_NE(error.find("--memory"), std::string::npos) << error;
    EXPECT_GT(rows, 200);
    Table same = fold("id", [](FoldOptions& o) { o.memory_bytes = 10'000; });
    for (int i = 0; i < 10'000; ++i) ASSERT_EQ(same.give(0, fmt::format(R"({{"id":{},"text":"{}"}})", i % 9, std::string(80, 'x'))), "");
    for (int i = 0; i < 10'000; ++i) {
        ASSERT_EQ(same.give(0, fmt::format(R"({{"id":"{:040}"}})", i)), "");
        ASSERT_EQ(same.give(0, fmt::format(R"({{"op":"d","before":{{"id":"{:040}"}}}})", i)), "");
    }
}

// Any JSON value, numbers and strings in several spellings.
std::string random_value(int depth) {
    switch (*rc::gen::inRange(0, depth > 0 ? 10 : 7)) {
        case 0: return "null";
        case 1: return *rc::gen::element<std::string>("true", "false");
        case 2: return *rc::gen::element<std::string>("1", "1.0", "10e-1", "2", "-0", "0", "1e400", "12345678901234567890", "12345678901234567891", "0.1");
        case 3:
        case 4: return *rc::gen::element<std::string>(R"("a")", R"("\u0061")", R"("é")", R"("\u00e9")", R"("")", R"("\n")", R"("\u001f")", R"("1")");
        case 5: return "[]";
        case 6: return "{}";
        case 7: return fmt::format("[{},{}]", random_value(depth - 1), random_value(depth - 1));
        default: return fmt::format(R"({{"x":{}, "y":{}}})", random_value(depth - 1), random_value(depth - 1));
    }
}

std::string random_row() {
    std::string key = fmt::format(R"("k":{})", random_value(1));
    std::string value = fmt::format(R"("v":{})", random_value(2));
    if (*rc::gen::arbitrary<bool>()) std::swap(key, value);
    return fmt::format("{{{},{}}}", key, value);
}

RC_GTEST_PROP(TableDiff, FoldedOverTheOldTableItIsTheNewOne, ()) {
    Table differ = diff("k");
    Rows tables[2];
    std::vector<std::string> old_rows;
    for (const int side : {0, 1}) {
        const int count = *rc::gen::inRange(0, 12);
        for (int i = 0; i < count; ++i) {
            // Half of the new table's rows are old ones.
            const std::string row = side == 1 && !old_rows.empty() && *rc::gen::arbitrary<bool>()
                                        ? old_rows[static_cast<std::size_t>(*rc::gen::inRange(0, static_cast<int>(old_rows.size())))]
                                        : random_row();
            if (side == 0) old_rows.push_back(row);
            RC_ASSERT(differ.give(side, row, time_before_all) == "");
            fold_into(tables[side], row, {"k"});
            if (*rc::gen::inRange(0, 8) == 0) differ.restart();
        }
    }
    Table folder = fold("k");
    for (const std::string& row : old_rows) RC_ASSERT(folder.give(0, row) == "");
    std::string last;
    for (const std::string& line : differ.finish()) {
        RC_ASSERT(fold_into(tables[0], line, {"k"}, true));
        RC_ASSERT(folder.give(0, line) == "");
        const Value event = value_of(line);
        RC_ASSERT(at(event, "ts").type == Type::missing);
        const Value row = at(event, at(event, "after").type == Type::object ? "after" : "before");
        const std::string key = canonical(at(row, "k").text);
        RC_ASSERT(last.empty() || Keys::compare(last, key) < 0);
        last = key;
    }
    RC_ASSERT(tables[0] == tables[1]);
    Rows folded;
    std::vector<std::string> keys;
    for (const std::string& line : folder.finish()) {
        fold_into(folded, line, {"k"});
        keys.push_back(canonical(at(value_of(line), "k").text));
    }
    RC_ASSERT(folded == tables[1]);
    RC_ASSERT(std::is_sorted(keys.begin(), keys.end(), [](const auto& a, const auto& b) { return compare_values(value_of(a), value_of(b)) < 0; }));
}

TEST(TableDiff, WhatIsWritten) {
    Table table = diff("id");
    table.give(0, R"({"id":1,"v":[1.0, {"b":1,"a":2}]})", ns_per_second);
    table.give(0, R"({"id":2,"v":1})", 3 * ns_per_second);
    table.give(0, R"({"id":3,"v":1})", time_before_all);
    table.give(1, R"({"v":[1,{"a":2,"b":1.0}],"id":1e0})", 2 * ns_per_second);
    table.give(1, R"({"id":4, "v":1})", time_before_all);
    table.give(1, R"({"id":3,"v":2})", time_before_all);
    EXPECT_EQ(table.finish(), (Lines{R"({"op":"d","ts":"1970-01-01T00:00:03Z","before":{"id":2,"v":1},"after":null})",
                                     R"({"op":"u","ts":"1970-01-01T00:00:03Z","before":{"id":3,"v":1},"after":{"id":3,"v":2}})",
                                     R"({"op":"c","ts":"1970-01-01T00:00:03Z","before":null,"after":{"id":4, "v":1}})"}));
}

TEST(TableFold, FieldsThatNoRowHadAreTold) {
    Table table = fold("id,naem");
    table.give(0, R"({"id":1,"name":2})");
    EXPECT_EQ(table.op().closing_remark(), R"(no row had a field "naem")");
    Table empty = fold("id");
    EXPECT_EQ(empty.op().closing_remark(), "");
}

}  // namespace
}  // namespace stream
