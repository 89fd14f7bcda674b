// SPDX-License-Identifier: Apache-2.0
#include "json/splice.hpp"

#include <gtest/gtest.h>

namespace stream {
namespace {

std::string spliced(std::string_view event, std::string_view name = "n", std::string_view value = "7") {
    std::string out = "+";
    append_with_member(out, event, name, value);
    return out.substr(1);
}

TEST(Splice, AddsBeforeTheFinalBraceAndKeepsEveryOtherByte) {
    EXPECT_EQ(spliced(R"({"a":1})"), R"({"a":1,"n":7})");
    EXPECT_EQ(spliced(R"({})"), R"({"n":7})");
    EXPECT_EQ(spliced("{ \t}"), "{ \t\"n\":7}");
    EXPECT_EQ(spliced(" { \"a\" : 1.0 ,\"b\":{\"n\":2} } "), " { \"a\" : 1.0 ,\"b\":{\"n\":2} ,\"n\":7} ");
    EXPECT_EQ(spliced(R"({"a":"}\"}","c":[{"n":1}]})"), R"({"a":"}\"}","c":[{"n":1}],"n":7})");
}

TEST(Splice, ReplacesTheLastMemberOfTheNameWhereItStands) {
    EXPECT_EQ(spliced(R"({"n":1,"a":2})"), R"({"n":7,"a":2})");
    EXPECT_EQ(spliced(R"({"n" : {"x":[1,2]} ,"a":2})"), R"({"n" : 7 ,"a":2})");
    EXPECT_EQ(spliced(R"({"n":1,"a":2,"n":3})"), R"({"n":1,"a":2,"n":7})");
    EXPECT_EQ(spliced(R"({"\u006e":1})"), R"({"\u006e":7})");
}

TEST(Splice, QuotesTheName) { EXPECT_EQ(spliced(R"({"a":1})", "a\"b"), R"({"a":1,"a\"b":7})"); }

}  // namespace
}  // namespace stream
