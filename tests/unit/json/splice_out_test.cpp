// SPDX-License-Identifier: Apache-2.0
// Taking members out of an event, its other bytes staying.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "json/canonical.hpp"
#include "json/cursor.hpp"
#include "json/splice.hpp"

namespace stream {
namespace {

std::string without(const std::string& event, const std::string& field) {
    std::string out;
    append_without(out, event, {*parse_field(field)});
    return out;
}

std::string kept(const std::string& event, const std::vector<std::string>& fields) {
    std::vector<FieldPath> paths;
    for (const std::string& field : fields) paths.push_back(*parse_field(field));
    std::string out;
    append_kept(out, event, paths);
    return out;
}

TEST(Without, TakesTheMemberAndItsComma) {
    EXPECT_EQ(without(R"({"a":1,"b":2,"c":3})", "a"), R"({"b":2,"c":3})");
    EXPECT_EQ(without(R"({"a":1,"b":2,"c":3})", "b"), R"({"a":1,"c":3})");
    EXPECT_EQ(without(R"({"a":1,"b":2,"c":3})", "c"), R"({"a":1,"b":2})");
    EXPECT_EQ(without(R"({"a":1})", "a"), "{}");
    EXPECT_EQ(without(R"( { "a" : 1 , "b" : 0.1000 } )", "a"), R"( { "b" : 0.1000 } )");
    EXPECT_EQ(without(R"( { "a" : 1 , "b" : 0.1000 } )", "b"), R"( { "a" : 1 } )");
    EXPECT_EQ(without(R"({"a":1})", "x"), R"({"a":1})");
    EXPECT_EQ(without("{}", "x"), "{}");
}

TEST(Without, AllOfThatName) {
    EXPECT_EQ(without(R"({"a":1,"a":2,"b":3,"a":4})", "a"), R"({"b":3})");
    EXPECT_EQ(without(R"({"b":3,"a":1,"a":2})", "a"), R"({"b":3})");
    EXPECT_EQ(without(R"({"\u0061":1,"b":3})", "a"), R"({"b":3})");
}

TEST(Without, Paths) {
    EXPECT_EQ(without(R"({"u":{"id":1,"mail":"x"},"k":2})", "u.mail"), R"({"u":{"id":1},"k":2})");
    EXPECT_EQ(without(R"({"u.mail":1,"u":{"mail":2}})", "u.mail"), R"({"u":{"mail":2}})");
    EXPECT_EQ(without(R"({"l":[1,2,3]})", "l[1]"), R"({"l":[1,3]})");
    EXPECT_EQ(without(R"({"l":[{"a":1,"b":2}]})", "l[0].a"), R"({"l":[{"b":2}]})");
    EXPECT_EQ(without(R"({"u":5})", "u.mail"), R"({"u":5})");
}

TEST(Without, SeveralAtOnce) {
    std::string out;
    append_without(out, R"({"l":[1,2,3],"a":1,"b":2})", {*parse_field("l[0]"), *parse_field("l[2]"), *parse_field("a")});
    EXPECT_EQ(out, R"({"l":[2],"b":2})");
    out.clear();
    append_without(out, R"({"l":[1,2,3]})", {*parse_field("l[0]"), *parse_field("l[1]"), *parse_field("l[2]")});
    EXPECT_EQ(out, R"({"l":[]})");
}

TEST(Kept, InTheEventsOrderWithTheirBytes) {
    EXPECT_EQ(kept(R"({"a": 1499816949527975237, "b":2, "c" : 0.1000})", {"c", "a"}), R"({"a": 1499816949527975237,"c" : 0.1000})");
    EXPECT_EQ(kept(R"({"u":{"id":1,"mail":"x","z":{"y":1}},"k":2})", {"u.id", "u.z.y"}), R"({"u":{"id":1,"z":{"y":1}}})");
    EXPECT_EQ(kept(R"({"u.id":7,"u":{"id":1}})", {"u.id"}), R"({"u.id":7})");
    EXPECT_EQ(kept(R"({"a":1})", {"x"}), "{}");
    EXPECT_EQ(kept(R"({"u":5})", {"u.id"}), "{}");
    EXPECT_EQ(kept(R"({"l":[1,2,3]})", {"l[0]", "l[2]"}), R"({"l":[1,3]})");
}

// What is left of random members is what a simple list says, in order.
RC_GTEST_PROP(Without, LeavesTheOthers, ()) {
    const auto names = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 5));
    const int gone = *rc::gen::inRange(0, 5);
    const auto spaces = *rc::gen::container<std::vector<int>>(names.size() * 4 + 1, rc::gen::inRange(0, 3));
    std::size_t at = 0;
    const auto space = [&] { return std::string(static_cast<std::size_t>(spaces[at++ % spaces.size()]), ' '); };
    std::string event = "{" + space();
    std::vector<std::string> wanted;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (i > 0) event += "," + space();
        const std::string name = std::string(1, static_cast<char>('a' + names[i]));
        event += "\"" + name + "\"" + space() + ":" + std::to_string(i) + space();
        if (names[i] != gone) wanted.push_back(name + std::to_string(i));
    }
    event += "}";
    const std::string left = without(event, std::string(1, static_cast<char>('a' + gone)));
    std::vector<std::string> got;
    for (Cursor cursor(value_of(left)); cursor.next();) {
        got.push_back(std::string(cursor.name().inner()) + std::string(cursor.value().text));
    }
    RC_ASSERT(got == wanted);
    RC_ASSERT(std::count(left.begin(), left.end(), ',') == std::max<std::ptrdiff_t>(0, static_cast<std::ptrdiff_t>(wanted.size()) - 1));
}

}  // namespace
}  // namespace stream
