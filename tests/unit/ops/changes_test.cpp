// SPDX-License-Identifier: Apache-2.0
#include "ops/changes.hpp"

#include "json/canonical.hpp"
#include "json/cursor.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

namespace stream {
namespace {

std::unique_ptr<ChangeReader> reader(const std::string& by, const std::string& deleted = {}, const std::string& more = {}) {
    const auto keys = [](const std::string& text) { return text.empty() ? std::vector<KeySpec>{} : *parse_keys({text}); };
    auto made = ChangeReader::make(keys(by), deleted, expr::Settings{}, keys(more));
    EXPECT_TRUE(made.has_value());
    return std::move(*made);
}

std::string in_short(const Result<Change>& change) {
    if (!change) return change.error().message();
    std::string text = change->kind == Change::Kind::upsert     ? "upsert"
                       : change->kind == Change::Kind::remove   ? "remove"
                       : change->kind == Change::Kind::truncate ? "truncate"
                                                                : "nothing";
    const auto add = [&](const char* name, std::string_view value) {
        if (!value.empty()) text += std::string(" ") + name + "=" + std::string(value);
    };
    add("row", change->row);
    add("before", change->before);
    add("key", change->key);
    add("was", change->before_key);
    add("more", change->more);
    if (change->key_is_missing) text += " missing";
    else if (change->key_is_null) text += " null";
    return text;
}

TEST(Changes, Rows) {
    auto changes = reader("id");
    EXPECT_EQ(in_short(changes->read(R"({"id":1.0,"v":2})", nullptr)), R"(upsert row={"id":1.0,"v":2} key=1)");
    EXPECT_EQ(in_short(changes->read(R"({"id":null})", nullptr)), R"(upsert row={"id":null} key=null null)");
    EXPECT_EQ(in_short(changes->read(R"({"v":1})", nullptr)), R"(upsert row={"v":1} key=null missing)");
    EXPECT_EQ(in_short(changes->read(R"({"id":"a","op":"c"})", nullptr)), R"(upsert row={"id":"a","op":"c"} key="a")");
    EXPECT_EQ(in_short(changes->read(R"({"id":2,"payload":{"op":"c"}})", nullptr)), R"(upsert row={"id":2,"payload":{"op":"c"}} key=2)");
    EXPECT_EQ(in_short(changes->read(R"({"id":3,"before":1,"after":2})", nullptr)), R"(upsert row={"id":3,"before":1,"after":2} key=3)");
}

TEST(Changes, Envelopes) {
    auto changes = reader("id", {}, "f");
    EXPECT_EQ(in_short(changes->read(R"({"op":"c","before":null,"after":{"id":1,"f":"x"},"source":{"id":9}})", nullptr)),
              R"(upsert row={"id":1,"f":"x"} key=1 more="x")");
    EXPECT_EQ(in_short(changes->read(R"({"op":"u","before":{"id":1},"after":{"id":1.0}})", nullptr)),
              R"(upsert row={"id":1.0} before={"id":1} key=1 more=null)");
    EXPECT_EQ(in_short(changes->read(R"({"payload":{"op":"u","before":{"id":1},"after":{"id":2}},"schema":{}})", nullptr)),
              R"(upsert row={"id":2} before={"id":1} key=2 was=1 more=null)");
    EXPECT_EQ(in_short(changes->read(R"({"op":"u","before":{"v":1},"after":{"id":2}})", nullptr)),
              R"(upsert row={"id":2} before={"v":1} key=2 more=null)");
    EXPECT_EQ(in_short(changes->read(R"({"op":"d","before":{"id":1},"after":null})", nullptr)), R"(remove row={"id":1} before={"id":1} key=1)");
    EXPECT_EQ(in_short(changes->read(R"({"op":"t","source":{}})", nullptr)), "truncate");
    EXPECT_EQ(in_short(changes->read(R"({"op":"d","before":{"id":1},"after":null,"op":"c","after":{"id":2}})", nullptr)),
              R"(upsert row={"id":2} before={"id":1} key=2 was=1 more=null)");
    EXPECT_EQ(in_short(changes->read(R"({"schema":1,"payload":[]})", nullptr)), R"("payload" is no object: "[]")");
    EXPECT_EQ(in_short(changes->read(R"({"schema":{},"payload":{"id":5,"f":1}})", nullptr)), R"(upsert row={"id":5,"f":1} key=5 more=1)");
}

TEST(Changes, KeysOfSeveralMembers) {
    auto changes = reader("left.id,right.id");
    // Null for a whole side: a key all the same, and the row before is not another one.
    EXPECT_EQ(in_short(changes->read(R"({"op":"u","before":{"left":{"id":1},"right":null},"after":{"left":{"id":1,"v":2},"right":null}})", nullptr)),
              "upsert row={\"left\":{\"id\":1,\"v\":2},\"right\":null} before={\"left\":{\"id\":1},\"right\":null} key=1\x1Fnull null");
    EXPECT_EQ(in_short(changes->read(R"({"op":"d","before":{"left":null,"right":{"id":"b"}},"after":null})", nullptr)),
              "remove row={\"left\":null,\"right\":{\"id\":\"b\"}} before={\"left\":null,\"right\":{\"id\":\"b\"}} key=null\x1F\"b\" null");
}

TEST(Changes, Expressions) {
    auto changes = reader("k=(.name|ascii_downcase)", ".gone", "m=(.v + 1)");
    EXPECT_EQ(in_short(changes->read(R"({"op":"u","before":{"name":"A","v":1},"after":{"name":"B","v":2}})", nullptr)),
              R"(upsert row={"name":"B","v":2} before={"name":"A","v":1} key="b" was="a" more=3)");
    EXPECT_EQ(in_short(changes->read(R"({"name":"C","v":2,"gone":1})", nullptr)), R"(remove row={"name":"C","v":2,"gone":1} key="c")");
    EXPECT_EQ(in_short(changes->read(R"({"op":"u","before":{"v":1},"after":{"name":"B","v":2}})", nullptr)),
              R"(upsert row={"name":"B","v":2} before={"v":1} key="b" more=3)");
    EXPECT_FALSE(changes->read(R"({"name":5,"v":2})", nullptr).has_value());
    EXPECT_EQ(in_short(changes->read(R"({"name":"D","v":0})", nullptr)), R"(upsert row={"name":"D","v":0} key="d" more=1)");
}

TEST(Changes, WithoutAKey) {
    auto changes = reader("");
    EXPECT_EQ(in_short(changes->read(R"({"id":1})", nullptr)), R"(upsert row={"id":1})");
    EXPECT_EQ(in_short(changes->read(R"({"op":"d","before":null,"after":null})", nullptr)), "remove");
}

// The form of a dotted name is the first row's, also after a restart.
TEST(Changes, FormsAreKept) {
    auto changes = reader("a.b");
    EXPECT_EQ(in_short(changes->read(R"({"a.b":1})", nullptr)), R"(upsert row={"a.b":1} key=1)");
    const std::string saved = changes->save();
    auto again = reader("a.b");
    ASSERT_TRUE(again->load(saved).has_value());
    EXPECT_EQ(in_short(again->read(R"({"a":{"b":2}})", nullptr)), R"(upsert row={"a":{"b":2}} key=null missing)");
    EXPECT_TRUE(again->never_seen().empty());
    EXPECT_FALSE(again->load("nonsense").has_value());
}

std::string random_object(int depth) {
    std::string text = "{";
    const int members = *rc::gen::inRange(0, 7);
    for (int i = 0; i < members; ++i) {
        const std::string name = *rc::gen::element<std::string>("op", "before", "after", "source", "schema", "payload", "ts_ms", "status", "event_count", "id", "id", "v");
        const std::string value = depth > 0 && *rc::gen::arbitrary<bool>()
                                      ? random_object(depth - 1)
                                      : *rc::gen::element<std::string>("\"c\"", "\"u\"", "\"d\"", "\"t\"", "\"m\"", "null", "1", "[]", "[{}]", "\"\"");
        text += (i > 0 ? ", \"" : "\"") + name + "\":" + value;
    }
    return text + (*rc::gen::inRange(0, 3) == 0 ? R"(, "x":"some more than what a heartbeat has, so that it is looked at twice"})" : "}");
}

// Whatever an event holds: it is a row by its own right or an envelope that makes sense, or is refused.
RC_GTEST_PROP(Changes, AnyEventIsRefusedOrMakesSense, ()) {
    auto changes = reader("id");
    for (int i = 0; i < 8; ++i) {
        std::string event = random_object(3);
        if (event.starts_with("{, ")) event.erase(1, 2);
        const auto change = changes->read(event, nullptr);
        if (!change) {
            RC_ASSERT(change.error().kind() == ErrorKind::data);
            continue;
        }
        const bool has_row = change->kind == Change::Kind::upsert || change->kind == Change::Kind::remove;
        RC_ASSERT(has_row == !change->row.empty());
        if (!has_row) continue;
        RC_ASSERT(change->row.data() >= event.data());
        RC_ASSERT(change->row.data() + change->row.size() <= event.data() + event.size());
        Value id;
        for (Cursor cursor(value_of(change->row)); cursor.next();) {
            if (cursor.name().inner() == "id") id = cursor.value();
        }
        std::string key;
        append_canonical(key, id);
        RC_ASSERT(change->key == key);
        RC_ASSERT(change->key_is_missing == (id.type == Type::missing));
        RC_ASSERT(change->before_key.empty() || change->before_key != change->key);
    }
}

}  // namespace
}  // namespace stream
