// SPDX-License-Identifier: Apache-2.0
#include "join_testing.hpp"

#include <rapidcheck/gtest.h>

#include <set>

namespace stream::testing::joins {
namespace {

using Lines = std::vector<std::string>;
using Kind = Joined::Kind;

TEST(JoinKeys, LeftAndRight) {
    const JoinKeys keys = must(parse_join_keys({"a,b.c=d", "(.e | .f == 1)=.g"}));
    ASSERT_EQ(keys.left.size(), 3u);
    EXPECT_EQ(keys.left[0].path.text, "a");
    EXPECT_EQ(keys.right[0].path.text, "a");
    EXPECT_EQ(keys.left[1].path.text, "b.c");
    EXPECT_EQ(keys.right[1].path.text, "d");
    EXPECT_EQ(keys.left[2].path.text, "(.e | .f == 1)");
    EXPECT_EQ(keys.right[2].path.text, "g");
    for (const char* bad : {"=a", "a=", "a,,b", ""}) EXPECT_FALSE(parse_join_keys({bad})) << bad;
}

TEST(IntervalJoin, RefusesBoundsInWhichNothingMatches) {
    FieldSet left, right;
    IntervalJoinOptions o;
    o.before = 5;
    o.after = -6;
    EXPECT_EQ(make_interval_join(o, left, right).error().kind(), ErrorKind::usage);
    o.after = -5;
    EXPECT_TRUE(make_interval_join(o, left, right));
}

TEST(TableJoin, RefusesWhatHasNoMeaning) {
    FieldSet left, right;
    TableJoinOptions o;
    EXPECT_EQ(make_table_join(std::move(o), left, right).error().kind(), ErrorKind::usage);  // no key
    for (const char* type : {"right", "full"}) {
        TableJoinOptions with;
        with.keys = must(parse_join_keys({"k"}));
        with.type = type_of(type);
        EXPECT_EQ(make_table_join(std::move(with), left, right).error().kind(), ErrorKind::usage);
    }
}

// What the window must hold is let go as the watermark moves, matched or not.
TEST(IntervalJoin, HoldsTheWindowAndNoMore) {
    Joined::Options o;
    o.type = JoinType::full;
    o.before_ms = 10;
    o.after_ms = 20;
    Joined join(o);
    for (int i = 0; i < 1000; ++i) {
        join.give({'L', i, "\"l\"", std::to_string(i)});
        join.give({'R', i, "\"r\"", std::to_string(i / 2)});
    }
    EXPECT_EQ(join.stat("held_left"), 21u);
    EXPECT_EQ(join.stat("held_right"), 11u);
    join.wm(1030);
    EXPECT_EQ(join.stat("held_left"), 0u);
    EXPECT_EQ(join.stat("waiting_results"), 0u);
}

// A key that cannot match is not held where its event is not written.
TEST(IntervalJoin, NullKeysAreNotHeldForNothing) {
    for (const char* type : {"inner", "semi", "right"}) {
        Joined::Options o;
        o.type = type_of(type);
        o.after_ms = 1000;
        Joined join(o);
        join.give({'L', 1, "\"l\"", "null"});
        EXPECT_EQ(join.stat("held_left"), 0u) << type;
    }
}

TEST(IntervalJoin, MemoryIsALimitWithAName) {
    Joined::Options o;
    o.after_ms = 1000000;
    o.memory = 1 << 20;
    Joined join(o);
    try {
        for (int i = 0; i < 100000; ++i) join.give({'L', i, "\"l\"", std::to_string(i)});
        FAIL();
    } catch (const std::runtime_error& error) {
        EXPECT_NE(std::string(error.what()).find("--memory"), std::string::npos) << error.what();
    }
}

TEST(IntervalJoin, DamagedStateIsRefused) {
    Joined::Options o;
    FieldSet left, right;
    IntervalJoinOptions options;
    options.keys = must(parse_join_keys({"k"}));
    options.after = 100 * ms;
    options.spill.folder = "/tmp";
    auto op = must(make_interval_join(options, left, right));
    StateWriter writer;
    op->snapshot(writer);
    const std::string bytes = writer.take();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        auto other = must(make_interval_join(options, left, right));
        StateReader reader(std::string_view(bytes).substr(0, size));
        EXPECT_FALSE(other->restore(reader)) << size;
    }
}

// --- random inputs against nested loops ---------------------------------------------------------------------

struct Case {
    std::vector<JoinEvent> events;
    Joined::Options options;
};

rc::Gen<std::vector<JoinEvent>> some_events(bool changes) {
    return rc::gen::container<std::vector<JoinEvent>>(rc::gen::exec([changes] {
        JoinEvent event;
        event.side = *rc::gen::element('L', 'R');
        event.time_ms = *rc::gen::inRange(-8, 9);
        event.key = *rc::gen::element<std::string>("1", "2", "\"a\"", "null", "1.0");
        event.deletes = changes && event.side == 'R' && *rc::gen::inRange(0, 3) == 0;
        return event;
    }));
}

// Each event its own value, by which it is known in the output.
std::vector<JoinEvent> named(std::vector<JoinEvent> events) {
    int number = 0;
    for (JoinEvent& event : events) event.value = "\"" + std::string(event.side == 'L' ? "l" : "r") + std::to_string(number++) + "\"";
    return events;
}

std::string name(const JoinEvent& event) { return event.value.substr(1, event.value.size() - 2); }
bool same_key(const JoinEvent& a, const JoinEvent& b) {
    const auto plain = [](const std::string& key) { return key == "1.0" ? std::string("1") : key; };
    return a.key != "null" && plain(a.key) == plain(b.key);
}

Lines by_nested_loops(const std::vector<JoinEvent>& events, const Joined::Options& o) {
    std::vector<std::pair<std::vector<std::int64_t>, std::string>> rows;
    const auto order = [&](const JoinEvent& event) { return static_cast<std::int64_t>(&event - events.data()); };
    constexpr std::int64_t behind = INT64_MAX;
    std::set<const JoinEvent*> matched;
    const bool pairs = o.type != JoinType::semi && o.type != JoinType::anti;
    for (const JoinEvent& l : events) {
        for (const JoinEvent& r : events) {
            if (l.side != 'L' || r.side != 'R' || (o.keyed && !same_key(l, r))) continue;
            if (r.time_ms < l.time_ms - o.before_ms || r.time_ms > l.time_ms + o.after_ms) continue;
            matched.insert(&l);
            matched.insert(&r);
            const std::int64_t at = std::max(l.time_ms, r.time_ms);
            if (pairs) rows.push_back({{at, l.time_ms, order(l), r.time_ms, order(r)}, name(l) + "-" + name(r) + "@" + std::to_string(at)});
        }
    }
    for (const JoinEvent& event : events) {
        const bool is_left = event.side == 'L';
        const bool alone = matched.count(&event) == 0;
        const std::string at = "@" + std::to_string(event.time_ms);
        const std::vector<std::int64_t> left = {event.time_ms, event.time_ms, order(event), behind, behind};
        if (is_left && ((o.type == JoinType::semi && !alone) || (o.type == JoinType::anti && alone))) rows.push_back({left, name(event) + at});
        if (is_left && alone && (o.type == JoinType::left || o.type == JoinType::full)) rows.push_back({left, name(event) + "-null" + at});
        if (!is_left && alone && (o.type == JoinType::right || o.type == JoinType::full)) {
            rows.push_back({{event.time_ms, behind, behind, event.time_ms, order(event)}, "null-" + name(event) + at});
        }
    }
    std::sort(rows.begin(), rows.end());
    Lines lines;
    for (auto& row : rows) lines.push_back(std::move(row.second));
    return lines;
}

Joined::Options some_interval() {
    Joined::Options o;
    o.type = static_cast<JoinType>(*rc::gen::inRange(0, 6));
    o.before_ms = *rc::gen::inRange(-3, 7);
    o.after_ms = std::max<std::int64_t>(-o.before_ms, *rc::gen::inRange(-3, 7));
    o.keyed = *rc::gen::inRange(0, 4) != 0;
    return o;
}

RC_GTEST_PROP(IntervalJoinProperty, IsWhatNestedLoopsFind, ()) {
    const auto events = named(*some_events(false));
    const Joined::Options o = some_interval();
    RC_ASSERT(Joined(o).run(events) == by_nested_loops(events, o));
}

RC_GTEST_PROP(IntervalJoinProperty, ARestartAfterEveryEventChangesNothing, ()) {
    const auto events = named(*some_events(false));
    const Joined::Options o = some_interval();
    RC_ASSERT(Joined(o, true).run(events) == Joined(o).run(events));
}

RC_GTEST_PROP(IntervalJoinProperty, EagerWritesTheSameInAnotherOrder, ()) {
    const auto events = named(*some_events(false));
    Joined::Options o = some_interval();
    auto wanted = Joined(o).run(events);
    o.eager = true;
    auto eager = Joined(o).run(events);
    std::sort(wanted.begin(), wanted.end());
    std::sort(eager.begin(), eager.end());
    RC_ASSERT(eager == wanted);
}

// Watermarks, as often as the pump likes, change what is written when, and not what.
RC_GTEST_PROP(IntervalJoinProperty, WatermarksInBetweenChangeNothing, ()) {
    auto events = named(*some_events(false));
    const Joined::Options o = some_interval();
    const auto wanted = Joined(o).run(events);
    std::stable_sort(events.begin(), events.end(), [](const JoinEvent& a, const JoinEvent& b) {
        return a.time_ms != b.time_ms ? a.time_ms < b.time_ms : a.side < b.side;
    });
    Joined join(o);
    std::int64_t at = -100;
    for (const JoinEvent& event : events) {
        if (event.time_ms > at && *rc::gen::inRange(0, 2) == 0) join.wm(at = event.time_ms);
        join.give(event);
    }
    RC_ASSERT(join.finish() == wanted);
}

RC_GTEST_PROP(IntervalJoinProperty, OuterJoinsWriteEachLeftEvent, ()) {
    const auto events = named(*some_events(false));
    Joined::Options o = some_interval();
    o.type = *rc::gen::element(JoinType::left, JoinType::full);
    std::set<std::string> seen;
    for (const std::string& line : Joined(o).run(events)) seen.insert(line.substr(0, line.find('-')));
    for (const JoinEvent& event : events) {
        if (event.side == 'L') RC_ASSERT(seen.count(name(event)) == 1u);
    }
}

Lines as_of_by_loops(const std::vector<JoinEvent>& events, JoinType type, bool in_order) {
    std::vector<const JoinEvent*> lefts;
    for (const JoinEvent& event : events) {
        if (event.side == 'L') lefts.push_back(&event);
    }
    if (in_order) std::stable_sort(lefts.begin(), lefts.end(), [](const JoinEvent* a, const JoinEvent* b) { return a->time_ms < b->time_ms; });
    Lines lines;
    for (const JoinEvent* left : lefts) {
        const JoinEvent* valid = nullptr;
        for (const JoinEvent& change : events) {
            if (change.side != 'R' || !same_key(*left, change) || change.time_ms > left->time_ms) continue;
            if (valid == nullptr || change.time_ms >= valid->time_ms) valid = &change;
        }
        const bool found = valid != nullptr && !valid->deletes;
        const std::string at = "@" + std::to_string(left->time_ms);
        if (type == JoinType::semi || type == JoinType::anti) {
            if (found == (type == JoinType::semi)) lines.push_back(name(*left) + at);
        } else if (found || type == JoinType::left) {
            lines.push_back(name(*left) + "-" + (found ? name(*valid) : "null") + at);
        }
    }
    return lines;
}

RC_GTEST_PROP(TableJoinProperty, IsTheNewestVersionThatIsNoNewer, ()) {
    const auto events = named(*some_events(true));
    Joined::Options o;
    o.type = *rc::gen::element(JoinType::inner, JoinType::left, JoinType::semi, JoinType::anti);
    o.kind = Kind::as_of;
    RC_ASSERT(Joined(o).run(events) == as_of_by_loops(events, o.type, true));
    RC_ASSERT(Joined(o, true).run(events) == as_of_by_loops(events, o.type, true));
    o.kind = Kind::versions;
    RC_ASSERT(Joined(o).run(events) == as_of_by_loops(events, o.type, false));
    RC_ASSERT(Joined(o, true).run(events) == as_of_by_loops(events, o.type, false));
}

// A merged table keeps one version of a row, whatever has changed.
TEST(TableJoin, KeepsOneVersionOfARow) {
    Joined::Options o;
    o.kind = Kind::as_of;
    Joined join(o);
    for (int i = 0; i < 10000; ++i) join.give({'R', i, "\"" + std::string(50, 'x') + "\"", std::to_string(i % 10)});
    EXPECT_EQ(join.stat("rows"), 10u);
    EXPECT_EQ(join.stat("versions"), 10u);
    EXPECT_LE(join.stat("table_bytes"), 2u << 20);
    for (int i = 0; i < 10; ++i) join.give({'R', 20000, "\"x\"", std::to_string(i), true});
    EXPECT_EQ(join.stat("rows"), 0u);
}

}  // namespace
}  // namespace stream::testing::joins
