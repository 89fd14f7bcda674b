// SPDX-License-Identifier: Apache-2.0
// The J and R vectors of reference/vectors.md that are about stream-join; docs/adr/0006-joins.md lists what is
// meant differently. Each also runs with a restart after every event.
#include "join_testing.hpp"

namespace stream::testing::joins {
namespace {

using Lines = std::vector<std::string>;
using Kind = Joined::Kind;

Joined::Options interval(const std::string& type, std::int64_t before, std::int64_t after) {
    Joined::Options o;
    o.type = type_of(type);
    o.before_ms = before;
    o.after_ms = after;
    return o;
}
Joined::Options table(Kind kind, const std::string& type) {
    Joined::Options o;
    o.kind = kind;
    o.type = type_of(type);
    return o;
}

// J01: null values are no events here. An unmatched event comes when the watermark is past it by the bound, and
// results in order of time.
const std::string j01 = "L3 A, R4 a, L5 B, R6 b, L9 C, R10 c, R14 d, L15 D, L40 E, L61 F, R81 f, L101 G";

TEST(JoinVectors, J01Inner) {
    EXPECT_EQ(joined(interval("inner", 15, 15), j01),
              (Lines{"A-a@4", "B-a@5", "A-b@6", "B-b@6", "C-a@9", "C-b@9", "A-c@10", "B-c@10", "C-c@10", "A-d@14",
                     "B-d@14", "C-d@14", "D-a@15", "D-b@15", "D-c@15", "D-d@15"}));
}

TEST(JoinVectors, J01LeftAndOuter) {
    const Lines pairs = joined(interval("inner", 15, 15), j01);
    Lines left = pairs;
    for (const char* alone : {"E-null@40", "F-null@61", "G-null@101"}) left.emplace_back(alone);
    EXPECT_EQ(joined(interval("left", 15, 15), j01), left);
    Lines outer = pairs;
    for (const char* alone : {"E-null@40", "F-null@61", "null-f@81", "G-null@101"}) outer.emplace_back(alone);
    EXPECT_EQ(joined(interval("full", 15, 15), j01), outer);
}

// J01: strictly past: the watermark after t + 15 + 5 (grace) is t + 15 itself, and closes nothing.
TEST(JoinVectors, J01Strict) {
    Joined join(interval("left", 15, 15));
    join.give(given("L40 E").front());
    join.wm(55);
    EXPECT_EQ(join.take(), Lines{});
    join.wm(56);
    EXPECT_EQ(join.take(), Lines{"E-null@40"});
}

// J02: a stream with itself; nulls are no events.
TEST(JoinVectors, J02SelfJoin) {
    std::string both;
    for (const char* one : {"2 A", "3 B", "5 C", "7 D"}) both += std::string(both.empty() ? "" : ",") + "L" + one + ",R" + one;
    EXPECT_EQ(joined(interval("inner", 10, 10), both),
              (Lines{"A-A@2", "A-B@3", "B-A@3", "B-B@3", "A-C@5", "B-C@5", "C-A@5", "C-B@5", "C-C@5", "A-D@7", "B-D@7",
                     "C-D@7", "D-A@7", "D-B@7", "D-C@7", "D-D@7"}));
}

// J03: in order of time.
TEST(JoinVectors, J03Outer) {
    EXPECT_EQ(joined(interval("full", 100, 100),
                     "L0 0:A0, L0 0:A0-0, R0 1:11, R0 1:12, R111 1:10, R211 3:100, L200 2:A2, L200 2:A2-0, R201 2:13, R201 2:14, R1500 3:last"),
              (Lines{"A0-null@0", "A0-0-null@0", "null-11@0", "null-12@0", "null-10@111", "A2-13@201", "A2-14@201",
                     "A2-0-13@201", "A2-0-14@201", "null-100@211", "null-last@1500"}));
}

TEST(JoinVectors, J06BoundsInclusive) {
    const std::string lefts = "L1000 k0:l0, L1001 k1:l1, L1002 k2:l2, L1003 k3:l3";
    const auto with = [&](int at) {
        std::string all = lefts;
        for (int k = 0; k < 4; ++k) all += ", R" + std::to_string(at) + " k" + std::to_string(k) + ":r" + std::to_string(k);
        return joined(interval("inner", 100, 100), all);
    };
    EXPECT_EQ(with(1100), (Lines{"l0-r0@1100", "l1-r1@1100", "l2-r2@1100", "l3-r3@1100"}));
    EXPECT_EQ(with(1101), (Lines{"l1-r1@1101", "l2-r2@1101", "l3-r3@1101"}));
    EXPECT_EQ(with(1102), (Lines{"l2-r2@1102", "l3-r3@1102"}));
    EXPECT_EQ(with(1103), (Lines{"l3-r3@1103"}));
    EXPECT_EQ(with(1104), Lines{});
}

// J07: a null key matches nothing. It is written in its turn, not at once: the output is in order of time.
TEST(JoinVectors, J07NullKey) {
    const std::string events = "L1 null:x, R1 null:y, L2 null:z";
    EXPECT_EQ(joined(interval("inner", 5, 5), events), Lines{});
    EXPECT_EQ(joined(interval("left", 5, 5), events), (Lines{"x-null@1", "z-null@2"}));
    EXPECT_EQ(joined(interval("right", 5, 5), events), (Lines{"null-y@1"}));
    EXPECT_EQ(joined(interval("full", 5, 5), events), (Lines{"x-null@1", "null-y@1", "z-null@2"}));
    EXPECT_EQ(joined(interval("semi", 5, 5), events), Lines{});
    EXPECT_EQ(joined(interval("anti", 5, 5), events), (Lines{"x@1", "z@2"}));
    EXPECT_EQ(joined(table(Kind::as_of, "left"), "R0 null:y, L1 null:x"), (Lines{"x-null@1"}));
    EXPECT_EQ(joined(table(Kind::as_of, "inner"), "R0 null:y, L1 null:x"), Lines{});
}

// J08, by order of arrival: --latest of a table whose nulls are deletes.
TEST(JoinVectors, J08StreamTable) {
    const std::string events = "Rd2, L3 A, R4 a, L5 B, R6 b, Rd8, L9 C, R10 c, Rd11, Rd13, R14 d, L15 D";
    EXPECT_EQ(joined(table(Kind::as_of, "left"), events), (Lines{"A-null@3", "B-a@5", "C-null@9", "D-d@15"}));
    EXPECT_EQ(joined(table(Kind::as_of, "inner"), events), (Lines{"B-a@5", "D-d@15"}));
}

// J09, versioned: the table read whole, LEFT as it comes.
TEST(JoinVectors, J09Versioned) {
    const std::string events =
        "Rd2, L3 A, R4 a, L5 B, R6 b, Rd8, L9 C, R10 c, Rd11, Rd13, R7 d, L6 D, Rd3, R14 e, L15 E, Rd9, L4 F";
    EXPECT_EQ(joined(table(Kind::versions, "inner"), events), (Lines{"B-a@5", "D-b@6", "E-e@15", "F-a@4"}));
    EXPECT_EQ(joined(table(Kind::versions, "left"), events), (Lines{"A-null@3", "B-a@5", "C-null@9", "D-b@6", "E-e@15", "F-a@4"}));
    // Merged in order of time, it is the same but for the order.
    EXPECT_EQ(joined(table(Kind::as_of, "inner"), events), (Lines{"F-a@4", "B-a@5", "D-b@6", "E-e@15"}));
}

// J15: b - 10 <= a <= b + 20 is a - 20 <= b <= a + 10.
TEST(JoinVectors, J15Interval) {
    EXPECT_EQ(joined(interval("inner", 20, 10), "L1 k1:1, L2 k1:2, L5 k1:5, L35 k1:35, L40 k2:40, R2 k1:2, R15 k1:15, R39 k2:39"),
              (Lines{"1-2@2", "2-2@2", "5-2@5", "5-15@15", "35-15@35", "40-39@40"}));
}

// J17: b - 5 <= a <= b + 9; in order, each alone exactly once.
TEST(JoinVectors, J17LeftInterval) {
    const std::string events =
        "L1 k1:1, L2 k1:2, L19 k1:19, L20 k1:20, L21 k1:21, L50 k2:50, L49 k2:49, R1 k2:1, R2 k2:2, R39 k2:39, R40 k2:40, R41 k2:41, R26 k1:26, R25 k1:25";
    EXPECT_EQ(joined(interval("left", 9, 5), events),
              (Lines{"1-null@1", "2-null@2", "19-null@19", "20-25@25", "21-25@25", "21-26@26", "49-40@49", "49-41@49", "50-41@50"}));
    Joined join(interval("left", 9, 5));
    join.give(given("L1 k1:1").front());
    join.wm(6);
    EXPECT_EQ(join.take(), Lines{});
    join.wm(7);  // Flink: a millisecond later
    EXPECT_EQ(join.take(), Lines{"1-null@1"});
}

// J18: the second copy of (1,1a1) is late, which is the pump's matter.
TEST(JoinVectors, J18EventTimeTemporal) {
    const std::string events =
        "L1 k1:1a1, R2 k1:1a2, L3 k1:1a3, R4 k2:2a4, L6 k2:2a3, R7 k2:2a5, L9 k2:5a11, L11 k2:5a12, Rd9 k2:2a5, R10 k2:2a6";
    const Lines inner = {"1a3-1a2@3", "2a3-2a4@6", "5a12-2a6@11"};
    const Lines left = {"1a1-null@1", "1a3-1a2@3", "2a3-2a4@6", "5a11-null@9", "5a12-2a6@11"};
    for (const Kind kind : {Kind::as_of, Kind::versions}) {
        EXPECT_EQ(joined(table(kind, "inner"), events), inner);
        EXPECT_EQ(joined(table(kind, "left"), events), left);
    }
    // Replaced at the time of the version itself: of equal times the last.
    for (const Kind kind : {Kind::as_of, Kind::versions}) {
        EXPECT_EQ(joined(table(kind, "inner"), "R3 k1:0a3, Rd3 k1:0a3, R3 k1:0a5, L9 k1:x"), Lines{"x-0a5@9"});
    }
    // What was written is not revised.
    Joined join(table(Kind::as_of, "inner"));
    for (const JoinEvent& event : given("R3 k1:0a3, L6 k1:x, R6 k1:0a5, L9 k1:y")) join.give(event);
    EXPECT_EQ(join.finish(), (Lines{"x-0a3@6", "y-0a5@9"}));
}

// J19: hours as milliseconds.
TEST(JoinVectors, J19VersionedLookups) {
    for (const Kind kind : {Kind::as_of, Kind::versions}) {
        EXPECT_EQ(joined(table(kind, "inner"), "R1200 EUR:1.14, R1205 EUR:1.10, L1200 EUR:o_001, L1206 EUR:o_002"),
                  (Lines{"o_001-1.14@1200", "o_002-1.10@1206"}));
        EXPECT_EQ(joined(table(kind, "left"),
                         "R1 scooter:11.11, R1200 scooter:12.99, Rd1800 scooter:12.99, R2 basketball:23.11, R1200 basketball:19.99,"
                         "L1000 scooter:s, L1000 basketball:b, L1300 scooter:s, L1300 basketball:b, L1800 scooter:s, L1800 basketball:b"),
                  (Lines{"s-11.11@1000", "b-23.11@1000", "s-12.99@1300", "b-19.99@1300", "s-null@1800", "b-19.99@1800"}));
    }
}

// J20: by arrival, never revised.
TEST(JoinVectors, J20Lookup) {
    EXPECT_EQ(joined(table(Kind::as_of, "inner"), "R1000 euro:114, L1015 euro:a, R1020 usd:102, L1030 usd:b, R1045 euro:116, L1052 euro:c"),
              (Lines{"a-114@1015", "b-102@1030", "c-116@1052"}));
    EXPECT_EQ(joined(table(Kind::as_of, "left"), "L1 a, R2 11, L3 b, Rd4, L5 c"), (Lines{"a-null@1", "b-11@3", "c-null@5"}));
}

// J21's rows, of which pairs within 3 minutes are those of a window here.
TEST(JoinVectors, J21Types) {
    const std::string events = "L2 1:L1, L6 2:L2, L3 3:L3, R1 2:R2, R4 3:R3, R5 4:R4";
    EXPECT_EQ(joined(interval("full", 2, 2), events),
              (Lines{"null-R2@1", "L1-null@2", "L3-R3@4", "null-R4@5", "L2-null@6"}));
    EXPECT_EQ(joined(interval("inner", 2, 2), events), (Lines{"L3-R3@4"}));
    EXPECT_EQ(joined(interval("semi", 2, 2), events), (Lines{"L3@3"}));
    EXPECT_EQ(joined(interval("anti", 2, 2), events), (Lines{"L1@2", "L2@6"}));
}

// R06: a key that changes is a delete and an insert, whether as two events or one.
TEST(JoinVectors, R06KeyChange) {
    for (const Kind kind : {Kind::as_of, Kind::versions}) {
        EXPECT_EQ(joined(table(kind, "left"), "R1 a:x, Rd5 a:x, R5 b:x, L4 a:1, L4 b:2, L5 a:3, L5 b:4"),
                  (Lines{"1-x@4", "2-null@4", "3-null@5", "4-x@5"}));
    }
}

}  // namespace
}  // namespace stream::testing::joins
