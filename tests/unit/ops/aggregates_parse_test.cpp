// SPDX-License-Identifier: Apache-2.0
#include "aggregates_testing.hpp"

namespace stream::testing {
namespace {

void parses(std::string_view argument, std::string_view name, std::string_view function,
            std::string_view field) {
    const auto spec = parse_aggregate(argument);
    ASSERT_TRUE(spec) << argument << ": " << spec.error().message();
    EXPECT_EQ(spec->name, name) << argument;
    EXPECT_EQ(spec->function, function) << argument;
    EXPECT_EQ(spec->field, field) << argument;
}

// Both parsing and making have their say.
Error error_of(std::string_view argument) {
    const auto spec = parse_aggregate(argument);
    if (!spec) return Error(spec.error().kind(), spec.error().message(), spec.error().hint());
    const auto made = make_aggregate(*spec);
    if (!made) return Error(made.error().kind(), made.error().message(), made.error().hint());
    ADD_FAILURE() << argument << " was taken";
    return Error(ErrorKind::usage, "");
}

TEST(ParseAggregate, names_functions_fields) {
    parses("count", "count", "count", "");
    parses("n=count", "n", "count", "");
    parses("count:user", "count_user", "count", "user");
    parses("sum:user.bytes-in", "sum_user_bytes_in", "sum", "user.bytes-in");
    parses("p99.9:latency", "p99_9_latency", "p99.9", "latency");
    parses("max:@timestamp", "max__timestamp", "max", "@timestamp");
    parses("first:items[0].sku", "first_items_0__sku", "first", "items[0].sku");
    parses("sum:größe", "sum_gr__e", "sum", "größe");
    parses("sum:a:b", "sum_a_b", "sum", "a:b");
    parses("sum:a=b", "sum_a_b", "sum", "a=b");
    parses("_x9=sum:a=b:c", "_x9", "sum", "a=b:c");
    parses("sum:.user.id", "sum_user_id", "sum", "user.id");
    parses("sum:.a[0].b", "sum_a_0__b", "sum", "a[0].b");
    parses("sum:\"q\"", "sum__q_", "sum", "\"q\"");
    parses("approx_p99:x", "approx_p99_x", "approx_p99", "x");
    parses("merge:s", "merge_s", "merge", "s");
    parses("p0:x", "p0_x", "p0", "x");
    parses("p100:x", "p100_x", "p100", "x");
}

TEST(ParseAggregate, synonyms) {
    const auto meant = [](std::string_view argument) { return error_of(argument).hint(); };
    EXPECT_EQ(error_of("avg:bytes").message(), R"(unknown aggregate "avg")");
    EXPECT_EQ(meant("avg:bytes"), "did you mean mean:bytes?");
    EXPECT_EQ(meant("average:x"), "did you mean mean:x?");
    for (const std::string word :
         {"perc95", "percentile95", "q95", "p_95", "P95", "percentile_95", "pct95"}) {
        EXPECT_EQ(meant(word + ":x"), "did you mean p95:x?");
    }
    EXPECT_EQ(meant("stdev:x"), "did you mean stddev:x?");
    EXPECT_EQ(meant("std:x"), "did you mean stddev:x?");
    EXPECT_EQ(meant("var:x"), "did you mean variance:x?");
    for (const std::string word : {"uniq", "unique", "count_distinct", "distinct_count", "nunique"}) {
        EXPECT_EQ(meant(word + ":x"), "did you mean distinct:x?");
    }
    EXPECT_EQ(meant("cnt"), "did you mean count?");
    EXPECT_EQ(meant("n"), "did you mean count?");
    EXPECT_EQ(meant("total:x"), "did you mean sum:x?");
    EXPECT_EQ(meant("list:x"), "did you mean collect:x?");
    EXPECT_EQ(meant("hll:x"), "did you mean approx_distinct:x?");
    EXPECT_EQ(meant("top10:x"), "did you mean approx_top10:x?");
    EXPECT_EQ(meant("SUM:x"), "did you mean sum:x?");
    EXPECT_EQ(meant("cuont"), "did you mean count?");
    EXPECT_EQ(meant("medain:x"), "did you mean median:x?");
    EXPECT_NE(meant("zzz:x"), "");
}

TEST(ParseAggregate, mistakes) {
    for (const std::string argument :
         {"", "=sum:x", "1x=sum:x", "a-b=sum:x", "sum:", "zzz", "p101:x", "p:x", "p1.:x", "p100.1:x", "sum",
          "span:x", "p99", "distinct", "sum:(.a + 1)", "approx_nothing:x",
          "access.ndjson"}) {
        EXPECT_EQ(error_of(argument).kind(), ErrorKind::usage) << argument;
    }
    EXPECT_EQ(error_of("p101:x").message(), R"(there is no percentile "p101")");
    EXPECT_EQ(error_of("access.ndjson").message(), R"("access.ndjson" is a file name, not an aggregate)");
    EXPECT_EQ(error_of("access.ndjson").hint(), "stream-window reads stdin: stream-window … < access.ndjson");
    EXPECT_EQ(error_of("logs/today").message(), R"("logs/today" is a file name, not an aggregate)");
    EXPECT_EQ(error_of("sum").message(), "sum needs a field");
    EXPECT_NE(error_of("sum:(.a + 1)").message().find("needs a name"), std::string::npos);
    EXPECT_EQ(parse_aggregate("n=sum:(.a + 1)")->field, "(.a + 1)");
    EXPECT_EQ(parse_aggregate("n=sum:.a + 1")->field, ".a + 1");
    EXPECT_NE(error_of("sum:.").message().find("needs a name"), std::string::npos);
}

}  // namespace
}  // namespace stream::testing
