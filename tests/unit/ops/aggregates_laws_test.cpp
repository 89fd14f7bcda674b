// SPDX-License-Identifier: Apache-2.0
// What holds for every exact aggregate: the order of arrival never shows, merging parts is adding all,
// a snapshot brings everything back, and nothing leaks (the sanitizers look).
#include <numeric>

#include "aggregates_testing.hpp"

namespace stream::testing {
namespace {

const std::vector<std::string> of_any_value = {"count:x",    "min:x",     "max:x", "first:x", "last:x",
                                               "distinct:x", "collect:x", "count", "first",   "last",
                                               "collect",    "rate",      "span"};
const std::vector<std::string> of_numbers = {"sum:x",    "mean:x",     "variance:x", "stddev:x",
                                             "median:x", "p0:x",       "p99.9:x",    "p100:x",
                                             "rate:x",   "increase:x", "p33:x"};

const WindowSpan window{60 * ns_per_second, "7.5"};

std::vector<Given> events(const std::vector<std::string>& texts) {
    std::vector<Given> items = given(texts);
    for (Given& item : items) item.time = *rc::gen::inRange<TimeNs>(-5, 5);
    return items;
}

void check_laws(const std::string& argument, const std::vector<Given>& items) {
    const std::string whole = result_of_events(argument, items, window);

    std::vector<std::size_t> order(items.size());
    std::iota(order.begin(), order.end(), 0u);
    for (std::size_t i = order.size(); i > 1; --i)
        std::swap(order[i - 1], order[*rc::gen::inRange<std::size_t>(0, i)]);
    Subject shuffled(argument);
    for (const std::size_t i : order) shuffled.add(items[i]);
    RC_ASSERT(shuffled.text(window) == whole);

    Subject parts[3] = {Subject(argument), Subject(argument), Subject(argument)};
    for (const Given& item : items) parts[*rc::gen::inRange(0, 3)].add(item);
    const std::string before = parts[1].text(window);
    Subject merged(argument);
    for (const Subject& part : parts) merged.merge(part);
    RC_ASSERT(merged.text(window) == whole);
    RC_ASSERT(parts[1].text(window) == before);

    // A snapshot half way; both go on, and writing in between changes nothing.
    Subject first(argument);
    const auto half = items.begin() + static_cast<std::ptrdiff_t>(items.size() / 2);
    first.add(std::vector<Given>(items.begin(), half));
    const std::string so_far = first.text(window);
    Subject second = first.restored();
    RC_ASSERT(second.text(window) == so_far);
    first.add(std::vector<Given>(half, items.end()));
    second.add(std::vector<Given>(half, items.end()));
    RC_ASSERT(first.text(window) == whole);
    RC_ASSERT(second.text(window) == whole);
    RC_ASSERT(second.aggregate().last_number(second.state()) == first.aggregate().last_number(first.state()));

    // Bytes that end early are found out and harmless.
    StateWriter writer;
    first.aggregate().snapshot(first.state(), writer);
    const std::string cut =
        writer.bytes().substr(0, *rc::gen::inRange<std::size_t>(0, writer.bytes().size()));
    Subject damaged(argument);
    StateReader reader(cut);
    const auto restored = damaged.aggregate().restore(damaged.state(), reader);
    RC_ASSERT(!restored);
    RC_ASSERT(restored.error().kind() == ErrorKind::corrupt);
}

TEST(AggregateLaws, of_any_value) {
    for (const std::string& argument : of_any_value) {
        EXPECT_TRUE(rc::check(argument, [&] {
            check_laws(argument, events(*rc::gen::container<std::vector<std::string>>(value_text())));
        }));
    }
}

TEST(AggregateLaws, of_numbers) {
    for (const std::string& argument : of_numbers) {
        EXPECT_TRUE(rc::check(argument, [&] {
            check_laws(argument, events(*rc::gen::container<std::vector<std::string>>(number_text())));
        }));
    }
}

TEST(AggregateLaws, of_nothing) {
    for (const auto* all : {&of_any_value, &of_numbers}) {
        for (const std::string& argument : *all) {
            const bool is_count = argument.starts_with("count") || argument.starts_with("distinct");
            const std::string want = is_count ? "0" : argument.starts_with("collect") ? "[]" : "null";
            EXPECT_EQ(Subject(argument).text(window), want) << argument;
            EXPECT_EQ(Subject(argument).restored().text(window), want) << argument;
            if (argument.ends_with(":x")) {
                EXPECT_EQ(result_of(argument, {"null", "", "null"}, window), want) << argument;
            }
            Subject empty(argument);
            empty.merge(Subject(argument));
            EXPECT_EQ(empty.text(window), want) << argument;
        }
    }
}

TEST(AggregateLaws, a_refused_value_changes_nothing) {
    for (const std::string& argument : of_numbers) {
        Subject subject(argument);
        subject.add(given({"3", "1.5", "22"}));
        const std::string before = subject.text(window);
        for (const std::string text : {"\"12\"", "[1]", "{\"a\":1}"}) {
            const auto added = subject.try_add({text, 9, 9});
            ASSERT_FALSE(added) << argument << " took " << text;
            EXPECT_EQ(added.error().kind(), ErrorKind::data);
        }
        EXPECT_EQ(subject.text(window), before);
    }
}

TEST(AggregateLaws, what_grows_says_so) {
    for (const std::string argument : {"p99:x", "distinct:x", "collect", "increase:x"}) {
        Subject subject(argument);
        EXPECT_TRUE(subject.aggregate().grows_with_events());
        const std::size_t before = subject.aggregate().heap_bytes(subject.state());
        for (std::uint64_t i = 0; i < 1000; ++i) subject.add(Given{std::to_string(i), 0, i});
        EXPECT_GE(subject.aggregate().heap_bytes(subject.state()), before + 8000);
    }
    EXPECT_EQ(Subject("p99.9:x").aggregate().approximate_form(), "approx_p99.9");
    EXPECT_EQ(Subject("median:x").aggregate().approximate_form(), "approx_p50");
    EXPECT_EQ(Subject("distinct:x").aggregate().approximate_form(), "approx_distinct");
    EXPECT_FALSE(Subject("sum:x").aggregate().grows_with_events());
}

TEST(AggregateLaws, inline_states_are_small) {
    EXPECT_EQ(Subject("count").aggregate().size(), 8u);
    EXPECT_LE(Subject("sum:x").aggregate().size(), 24u);
    EXPECT_LE(Subject("mean:x").aggregate().size(), 32u);
}

}  // namespace
}  // namespace stream::testing
