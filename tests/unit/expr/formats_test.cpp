// SPDX-License-Identifier: Apache-2.0
// Expected values are those of jq 1.6, the binary, unless a test says otherwise.
#include "expr/run.hpp"
#include "expr/val.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace stream::expr {
namespace {

// What a builtin gives for JSON texts: its result as tojson writes it, "error: …" or "punt".
std::string call(std::string_view name, std::string_view in, std::vector<std::string_view> args = {}) {
    Run run(1u << 20, 1000, 0);
    for (const Builtin& builtin : format_builtins()) {
        if (builtin.name != name || builtin.arguments != args.size()) continue;
        std::vector<Val> values;
        for (const std::string_view arg : args) values.push_back(val_of_json(arg));
        try {
            const Val result = builtin.function(run, val_of_json(in), values.data());
            if (result.is_failed()) return "error: " + run.message();
            std::string out;
            append_tojson(run.arena, out, result);
            return out;
        } catch (const Punt&) {
            return "punt";
        }
    }
    return "no such builtin";
}

TEST(Formats, text_and_json) {
    EXPECT_EQ(call("@text", R"("x\n")"), R"("x\n")");
    EXPECT_EQ(call("@text", R"([1,{"a":"é\u0001"}])"), R"("[1,{\"a\":\"é\\u0001\"}]")");
    EXPECT_EQ(call("@json", R"("x")"), R"("\"x\"")");
    EXPECT_EQ(call("@json", R"({"b":1.0,"a":[ 2 ]})"), R"("{\"b\":1,\"a\":[2]}")");
    EXPECT_EQ(call("@json", "null"), R"("null")");
    EXPECT_EQ(call("@json", R"("\u007f")"), R"("\"\\u007f\"")");
}

TEST(Formats, csv) {
    EXPECT_EQ(call("@csv", R"(["a\"b,c",1,true,false,null,0.1,1e17,-0,"","x\ny"])"),
              R"("\"a\"\"b,c\",1,true,false,,0.1,1e+17,-0,\"\",\"x\ny\"")");
    EXPECT_EQ(call("@csv", "[0.00001,1e300,1.5e-7,3.0000000000000004]"),
              R"("1e-05,1e+300,1.5e-07,3.0000000000000004")");
    EXPECT_EQ(call("@csv", "[]"), R"("")");
    EXPECT_EQ(call("@csv", "[null]"), R"("")");
    EXPECT_EQ(call("@csv", "[null,null]"), R"(",")");
    EXPECT_EQ(call("@csv", "5"), "error: number (5) cannot be csv-formatted, only an array");
    EXPECT_EQ(call("@csv", R"("x")"), R"(error: string ("x") cannot be csv-formatted, only an array)");
    EXPECT_EQ(call("@csv", "[1,[2]]"), "error: array ([2]) is not valid in a csv row");
    EXPECT_EQ(call("@csv", R"([{"b":"c"},[]])"), R"(error: object ({"b":"c"}) is not valid in a csv row)");
    EXPECT_EQ(call("@csv", R"(["\u0000"])"), "punt");
}

TEST(Formats, csv_keeps_the_digits_of_integers) {
    // Not jq's, which rounds to a double.
    EXPECT_EQ(call("@csv", "[123456789012345678,9007199254740993]"),
              R"("123456789012345678,9007199254740993")");
}

TEST(Formats, tsv) {
    EXPECT_EQ(call("@tsv", R"(["a\tb","c\\d","e\nf\rg",1,true,false,null,"\"",-1.5])"),
              R"("a\\tb\tc\\\\d\te\\nf\\rg\t1\ttrue\tfalse\t\t\"\t-1.5")");
    EXPECT_EQ(call("@tsv", "[]"), R"("")");
    EXPECT_EQ(call("@tsv", "{}"), "error: object ({}) cannot be tsv-formatted, only an array");
    EXPECT_EQ(call("@tsv", "[{}]"), "error: object ({}) is not valid in a csv row");
    EXPECT_EQ(call("@tsv", R"(["a\u0000"])"), "punt");
}

TEST(Formats, html) {
    EXPECT_EQ(call("@html", R"("<a href=\"x\">é & b</a>")"),
              R"("&lt;a href=&quot;x&quot;&gt;é &amp; b&lt;/a&gt;")");
    EXPECT_EQ(call("@html", R"([1,{"a":"<"}])"), R"("[1,{&quot;a&quot;:&quot;&lt;&quot;}]")");
    EXPECT_EQ(call("@html", "null"), R"("null")");
    EXPECT_EQ(call("@html", R"("it's")"), "punt");  // &apos; or &#39;
    EXPECT_EQ(call("@html", R"("\u0000")"), "punt");
}

TEST(Formats, uri) {
    EXPECT_EQ(call("@uri", R"("~-_.a é%/+ ?\u0000")"), R"("~-_.a%20%C3%A9%25%2F%2B%20%3F%00")");
    EXPECT_EQ(call("@uri", R"({"a":[1]})"), R"("%7B%22a%22%3A%5B1%5D%7D")");
    for (const std::string_view in : {R"("!")", R"("a*")", R"("'")", R"("(")", R"x(")")x"}) {
        EXPECT_EQ(call("@uri", in), "punt") << in;
    }
}

TEST(Formats, sh) {
    EXPECT_EQ(call("@sh", R"(["a b'c",1,true,null,0.1,1e17,-0,""])"),
              R"("'a b'\\''c' 1 true null 0.1 1e+17 -0 ''")");
    EXPECT_EQ(call("@sh", R"("it's")"), R"("'it'\\''s'")");
    EXPECT_EQ(call("@sh", "null"), R"("null")");
    EXPECT_EQ(call("@sh", "[]"), R"("")");
    EXPECT_EQ(call("@sh", R"({"a":1})"), R"(error: object ({"a":1}) can not be escaped for shell)");
    EXPECT_EQ(call("@sh", "[1,[1]]"), "error: array ([1]) can not be escaped for shell");
    EXPECT_EQ(call("@sh", R"("\u0000")"), "punt");
}

TEST(Formats, base64) {
    EXPECT_EQ(call("@base64", R"("a")"), R"("YQ==")");
    EXPECT_EQ(call("@base64", R"("")"), R"("")");
    EXPECT_EQ(call("@base64", R"([1,"é"])"), R"("WzEsIsOpIl0=")");
    EXPECT_EQ(call("@base64", R"("ab\u0000")"), R"("YWIA")");
    EXPECT_EQ(call("@base64", "null"), R"("bnVsbA==")");
}

TEST(Formats, base64d_of_canonical_text) {
    EXPECT_EQ(call("@base64d", R"("YQ==")"), R"("a")");
    EXPECT_EQ(call("@base64d", R"("YWI=")"), R"("ab")");
    EXPECT_EQ(call("@base64d", R"("YWJj")"), R"("abc")");
    EXPECT_EQ(call("@base64d", R"("w6k=")"), R"("é")");
    EXPECT_EQ(call("@base64d", R"("")"), R"("")");
    EXPECT_EQ(call("@base64d", R"("YQA=")"), R"("a\u0000")");
    // jq has an answer for some of these.
    for (const std::string_view in :
         {R"("YQ")", R"("Y")", R"("YQ==YQ==")", R"("YR==")", R"("=")", R"("Y W=")", R"("_w==")", R"("/w==")",
          R"("4p8=")", "5", "null", "[1]"}) {
        EXPECT_EQ(call("@base64d", in), "punt") << in;
    }
}

}  // namespace
}  // namespace stream::expr
