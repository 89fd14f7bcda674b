// SPDX-License-Identifier: Apache-2.0
// stream-dedupe against references that look through everything they have seen. Each property runs with
// restarts in the middle, with memory so small that keys go to disk, and with coarse watermarks: none of
// it may show.
#include "ops/dedupe.hpp"

#include "json/canonical.hpp"
#include "unit/ops/saved_chain.hpp"
#include "unit/state/temp_folder.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace stream {
namespace {

using test::TempFolder;

struct Collector final : Sink {
    void pass(const Event& event) override { lines.emplace_back(event.raw); }
    std::string& begin() override {
        buffer.clear();
        return buffer;
    }
    void end(TimeNs time) override {
        lines.push_back(buffer);
        made_times.push_back(time);
    }
    void late(const Event& event, DurationNs lateness) override {
        late_lines.emplace_back(event.raw);
        latenesses.push_back(lateness);
    }
    std::string buffer;
    std::vector<std::string> lines;
    std::vector<TimeNs> made_times;
    std::vector<std::string> late_lines;
    std::vector<DurationNs> latenesses;
};

struct Input {
    std::string key;  // JSON text
    TimeNs time = 0;
    std::string raw;
};

Input input(std::string key, TimeNs time) {
    std::string raw = fmt::format(R"({{"ts":{},"id":{}}})", time, key);
    return {std::move(key), time, std::move(raw)};
}

DedupeOptions options_by_id() {
    DedupeOptions options;
    options.fields = {"id"};
    options.limits.folder = "/nowhere";
    options.secret[0] = 1;
    return options;
}

Result<void> feed(Operator& dedupe, const Input& in, Sink& sink, std::uint64_t position = 0) {
    const Value value = in.key.empty() ? Value{} : value_of(in.key);
    return dedupe.on_event(0, Event{in.raw, in.time, position, &value}, sink);
}

void finish(Operator& dedupe, Sink& sink) {
    ASSERT_TRUE(dedupe.on_watermark(time_after_all, sink));
    ASSERT_TRUE(dedupe.on_end(sink));
}

std::vector<std::string> written(DedupeOptions options, const std::vector<std::string>& keys) {
    Dedupe dedupe(std::move(options));
    Collector sink;
    for (const std::string& key : keys) EXPECT_TRUE(feed(dedupe, {key, 0, key}, sink));
    return sink.lines;
}

TEST(Dedupe, KeysCompareByValueAndKeepTheirBytes) {
    const std::vector<std::string> keys = {R"("a")",
                                           R"("\u0061")",
                                           "1",
                                           "1.0",
                                           "1e0",
                                           "10e-1",
                                           "-0",
                                           "0",
                                           "true",
                                           R"("true")",
                                           "[1,2]",
                                           "[1.0, 2]",
                                           R"({"x":1,"y":2})",
                                           R"({"y":2,"x":1})",
                                           "9007199254740993",
                                           "9007199254740992",
                                           R"("1")",
                                           "false"};
    EXPECT_EQ(written(options_by_id(), keys),
              (std::vector<std::string>{R"("a")", "1", "-0", "true", R"("true")", "[1,2]", R"({"x":1,"y":2})",
                                        "9007199254740993", "9007199254740992", R"("1")", "false"}));
}

TEST(Dedupe, SeveralFieldsAreToldApart) {
    DedupeOptions options = options_by_id();
    options.fields = {"a", "b"};
    Dedupe dedupe(options);
    Collector sink;
    const auto feed_two = [&](const std::string& a, const std::string& b) {
        const Value values[2] = {value_of(a), value_of(b)};
        const std::string raw = a + b;
        return dedupe.on_event(0, Event{raw, 0, 0, values}, sink).has_value();
    };
    EXPECT_TRUE(feed_two(R"("a,b")", R"("c")"));
    EXPECT_TRUE(feed_two(R"("a")", R"("b,c")"));
    EXPECT_TRUE(feed_two("1", "23"));
    EXPECT_TRUE(feed_two("12", "3"));
    EXPECT_TRUE(feed_two("1.0", "23"));
    EXPECT_EQ(sink.lines.size(), 4u);
    EXPECT_FALSE(feed_two("1", "null"));
}

TEST(Dedupe, NullAndMissingKeysAreBad) {
    Dedupe dedupe(options_by_id());
    Collector sink;
    auto missing = feed(dedupe, {"", 0, "{}"}, sink);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().kind(), ErrorKind::data);
    EXPECT_EQ(missing.error().message(), R"(no key: "id" is missing)");
    auto null = feed(dedupe, {"null", 0, R"({"id":null})"}, sink);
    ASSERT_FALSE(null);
    EXPECT_EQ(null.error().kind(), ErrorKind::data);
    EXPECT_EQ(null.error().message(), R"(no key: "id" is null)");
    EXPECT_TRUE(sink.lines.empty());
}

TEST(Dedupe, OptionsThatDoNotGoTogetherAreUsageErrors) {
    const auto refused = [](auto&& change) {
        DedupeOptions options = options_by_id();
        change(options);
        const auto valid = options.validate();
        return !valid && valid.error().kind() == ErrorKind::usage;
    };
    EXPECT_FALSE(refused([](auto&) {}));
    EXPECT_FALSE(refused([](auto& o) { o.within = 0; }));
    EXPECT_FALSE(refused([](auto& o) { o.approx_error = 0.01; }));
    EXPECT_TRUE(refused([](auto& o) { o.fields.clear(); }));
    EXPECT_TRUE(refused([](auto& o) { o.within = -1; }));
    EXPECT_TRUE(refused([](auto& o) { o.keep_last = true; }));
    EXPECT_TRUE(refused([](auto& o) { o.approx_error = 1; }));
    EXPECT_TRUE(refused([](auto& o) { o.approx_error = -0.1; }));
    EXPECT_TRUE(refused([](auto& o) { o.approx_error = 0.1, o.summary = 1; }));
    EXPECT_TRUE(refused([](auto& o) { o.approx_error = 0.1, o.within = 1, o.keep_last = true; }));
    EXPECT_TRUE(refused([](auto& o) { o.summary = 1, o.within = 1, o.keep_last = true; }));
}

TEST(Dedupe, WithinIsCountedFromTheCopyThatWasWritten) {
    DedupeOptions options = options_by_id();
    options.within = 10;
    Dedupe dedupe(options);
    Collector sink;
    for (const TimeNs t : {100, 109, 110, 111, 121, 122}) {
        ASSERT_TRUE(feed(dedupe, input("1", t), sink));
        ASSERT_TRUE(dedupe.on_watermark(t, sink));
    }
    EXPECT_EQ(sink.lines, (std::vector<std::string>{R"({"ts":100,"id":1})", R"({"ts":111,"id":1})",
                                                    R"({"ts":122,"id":1})"}));
}

TEST(Dedupe, ACopyOlderThanWithinBehindTheWatermarkIsLate) {
    DedupeOptions options = options_by_id();
    options.within = 10;
    Dedupe dedupe(options);
    Collector sink;
    ASSERT_TRUE(dedupe.on_watermark(100, sink));
    ASSERT_TRUE(feed(dedupe, input("1", 90), sink));
    ASSERT_TRUE(feed(dedupe, input("1", 89), sink));
    ASSERT_TRUE(feed(dedupe, input("2", 80), sink));
    EXPECT_EQ(sink.lines.size(), 1u);
    EXPECT_EQ(sink.late_lines.size(), 2u);
    EXPECT_EQ(sink.latenesses, (std::vector<DurationNs>{1, 10}));
}

TEST(Dedupe, KeepLastWritesOnceNoOtherCanCome) {
    DedupeOptions options = options_by_id();
    options.within = 10;
    options.keep_last = true;
    Dedupe dedupe(options);
    Collector sink;
    ASSERT_TRUE(feed(dedupe, input("1", 100), sink));
    ASSERT_TRUE(feed(dedupe, input("1", 105), sink));
    ASSERT_TRUE(feed(dedupe, input("1", 103), sink));  // the last to arrive
    ASSERT_TRUE(dedupe.on_watermark(120, sink));
    EXPECT_TRUE(sink.lines.empty());
    EXPECT_EQ(dedupe.output_watermark(120), 103);
    ASSERT_TRUE(dedupe.on_watermark(121, sink));
    EXPECT_EQ(sink.lines, (std::vector<std::string>{R"({"ts":103,"id":1})"}));
    EXPECT_EQ(sink.made_times, (std::vector<TimeNs>{103}));
    EXPECT_EQ(dedupe.output_watermark(121), 111);
}

TEST(Dedupe, KeepLastWritesInOrderOfEventTime) {
    DedupeOptions options = options_by_id();
    options.within = 10;
    options.keep_last = true;
    Dedupe dedupe(options);
    Collector sink;
    ASSERT_TRUE(feed(dedupe, input("1", 100), sink));
    ASSERT_TRUE(feed(dedupe, input("1", 109), sink));
    ASSERT_TRUE(feed(dedupe, input("2", 105), sink));
    ASSERT_TRUE(dedupe.on_watermark(125, sink));  // 1 is decided, but 2 may still be written, and is older
    EXPECT_TRUE(sink.lines.empty());
    ASSERT_TRUE(dedupe.on_watermark(126, sink));
    EXPECT_EQ(sink.lines, (std::vector<std::string>{R"({"ts":105,"id":2})", R"({"ts":109,"id":1})"}));
}

TEST(Dedupe, SummariesTellEveryRepeat) {
    DedupeOptions options = options_by_id();
    options.summary = 10;
    Dedupe dedupe(options);
    Collector sink;
    for (const TimeNs t : {1, 2, 3, 11, 12, 30}) ASSERT_TRUE(feed(dedupe, input("1", t), sink));
    ASSERT_TRUE(feed(dedupe, input("2", 31), sink));
    finish(dedupe, sink);
    EXPECT_EQ(sink.lines,
              (std::vector<std::string>{R"({"ts":1,"id":1})", R"({"ts":1,"id":1,"suppressed":2})",
                                        R"({"ts":1,"id":1,"suppressed":2})", R"({"ts":31,"id":2})",
                                        R"({"ts":1,"id":1,"suppressed":1})"}));
    EXPECT_EQ(sink.made_times, (std::vector<TimeNs>{1, 1, 1}));
}

TEST(Dedupe, ApproximateForgetsNoKeyAndDropsFewNewOnes) {
    DedupeOptions options = options_by_id();
    options.approx_error = 0.01;
    Dedupe dedupe(options);
    Collector sink;
    for (int pass = 0; pass < 2; ++pass) {
        for (int i = 0; i < 100000; ++i) ASSERT_TRUE(feed(dedupe, input(std::to_string(i), 0), sink));
        EXPECT_LE(sink.lines.size(), 100000u);
        EXPECT_GT(sink.lines.size(), 98900u);
    }
    DedupeOptions other = options;
    other.secret[0] = 99;  // the same mistakes: the output is a function of the input
    Dedupe again(other);
    Collector second;
    for (int i = 0; i < 100000; ++i) ASSERT_TRUE(feed(again, input(std::to_string(i), 0), second));
    EXPECT_EQ(second.lines, sink.lines);
}

TEST(Dedupe, ApproximatePastItsMemoryIsALimit) {
    DedupeOptions options = options_by_id();
    options.approx_error = 0.01;
    options.limits.memory_bytes = 1 << 20;
    Dedupe dedupe(options);
    Collector sink;
    auto fed = feed(dedupe, input("1", 0), sink);
    ASSERT_FALSE(fed);
    EXPECT_EQ(fed.error().kind(), ErrorKind::limit);
    EXPECT_NE(fed.error().message().find("--memory"), std::string::npos);
}

TEST(Dedupe, RestoreRefusesDamageAndOtherModes) {
    DedupeOptions options = options_by_id();
    options.within = 10;
    options.keep_last = true;
    Dedupe dedupe(options);
    Collector sink;
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(feed(dedupe, input(std::to_string(i % 7), i), sink));
    ASSERT_TRUE(dedupe.on_watermark(5, sink));
    StateWriter writer;
    dedupe.snapshot(writer);
    for (std::size_t size = 0; size < writer.bytes().size(); ++size) {
        Dedupe other(options);
        StateReader reader(std::string_view(writer.bytes()).substr(0, size));
        ASSERT_FALSE(other.restore(reader)) << size;
    }
    options.keep_last = false;
    Dedupe other(options);
    StateReader reader(writer.bytes());
    EXPECT_EQ(other.restore(reader).error().kind(), ErrorKind::corrupt);
}

TEST(Dedupe, CountsWhatItDid) {
    Dedupe dedupe(options_by_id());
    Collector sink;
    for (const char* key : {"1", "2", "1", "1"}) ASSERT_TRUE(feed(dedupe, input(key, 0), sink));
    std::string stats;
    dedupe.append_stats(stats);
    EXPECT_EQ(stats.rfind(R"(,"written":2,"repeats":2,"keys":2,"held":0,"state_bytes":)", 0), 0u)
        << stats;
}

// References.

std::vector<std::string> reference_first(const std::vector<Input>& events, std::optional<DurationNs> within) {
    std::vector<std::string> out;
    std::map<std::string, std::vector<TimeNs>> copies;
    for (const Input& event : events) {
        auto& times = copies[event.key];
        const bool repeat = std::any_of(times.begin(), times.end(), [&](TimeNs t) {
            return !within || is_within(t, event.time, *within);
        });
        if (repeat) continue;
        times.push_back(event.time);
        out.push_back(event.raw);
    }
    return out;
}

std::vector<std::string> reference_last(const std::vector<Input>& events, DurationNs within) {
    struct Group {
        TimeNs first;
        std::size_t last;
    };
    std::map<std::string, std::vector<Group>> groups;
    for (std::size_t i = 0; i < events.size(); ++i) {
        Group* best = nullptr;
        for (Group& group : groups[events[i].key]) {
            if (is_within(group.first, events[i].time, within) && (!best || group.first < best->first))
                best = &group;
        }
        if (best)
            best->last = i;
        else
            groups[events[i].key].push_back({events[i].time, i});
    }
    std::vector<std::pair<TimeNs, std::size_t>> rows;
    for (const auto& [key, of_key] : groups) {
        for (const Group& group : of_key) rows.emplace_back(events[group.last].time, group.last);
    }
    std::sort(rows.begin(), rows.end());
    std::vector<std::string> out;
    for (const auto& [time, index] : rows) out.push_back(events[index].raw);
    return out;
}

struct Dials {
    DedupeOptions options;
    std::uint64_t seed = 0;
    DurationNs disorder = 0;
    std::uint64_t keys = 10;
    int events = 1000;
};

std::vector<Input> make_events(const Dials& dials) {
    std::mt19937_64 random(dials.seed);
    std::vector<Input> events;
    TimeNs now = -1000;
    for (int i = 0; i < dials.events; ++i) {
        now += static_cast<TimeNs>(random() % 4);
        const auto back = static_cast<TimeNs>(random() % static_cast<std::uint64_t>(dials.disorder + 1));
        events.push_back(input(std::to_string(random() % dials.keys), now - back));
        events.back().raw.insert(1, fmt::format(R"("n":{},)", i));
    }
    return events;
}

// Watermarks as the pump makes them: the highest time less the disorder; every `every` events.
std::vector<std::string> run(const Dials& dials, const std::vector<Input>& events, int every, bool restarts) {
    auto dedupe = std::make_unique<Dedupe>(dials.options);
    auto journal = std::make_unique<Journal>(*dedupe);
    testing::SavedChain chain;
    Value id;
    const auto scan = [&](int, std::string_view raw, Event& event) {
        event.raw = raw;
        const std::size_t at = raw.find("\"id\":") + 5;
        id = value_of(raw.substr(at, raw.size() - 1 - at));
        event.values = &id;
        return true;
    };
    Collector sink;
    std::mt19937_64 random(dials.seed + 1);
    TimeNs highest = time_before_all;
    TimeNs watermark = time_before_all;
    std::uint64_t position = 0;
    for (const Input& event : events) {
        const auto fed = feed(*journal, event, sink, position++);
        if (!fed) {
            ADD_FAILURE() << fed.error().message();
            return {};
        }
        highest = std::max(highest, event.time);
        if (position % static_cast<std::uint64_t>(every) == 0 && highest - dials.disorder > watermark) {
            watermark = highest - dials.disorder;
            EXPECT_TRUE(journal->on_watermark(watermark, sink));
        }
        if (restarts && random() % 200 == 0) {
            chain.save(*journal);
            DedupeOptions options = dials.options;
            options.secret[5] = static_cast<unsigned char>(random());  // the state brings its own
            dedupe = std::make_unique<Dedupe>(options);
            journal = std::make_unique<Journal>(*dedupe);
            chain.load(*journal, scan);
            position = 0;
        }
    }
    finish(*journal, sink);
    EXPECT_TRUE(sink.late_lines.empty());
    return sink.lines;
}

Dials any_dials() {
    Dials dials;
    dials.options = options_by_id();
    dials.seed = *rc::gen::arbitrary<std::uint32_t>();
    dials.disorder = *rc::gen::element<DurationNs>(0, 5, 100);
    dials.keys = *rc::gen::element<std::uint64_t>(1, 5, 300);
    return dials;
}

RC_GTEST_PROP(Dedupe, FirstAgreesWithTheReference, ()) {
    Dials dials = any_dials();
    if (*rc::gen::arbitrary<bool>())
        dials.options.within = *rc::gen::element<DurationNs>(0, 1, 10, 200, 100000);
    const auto events = make_events(dials);
    const auto expected = reference_first(events, dials.options.within);
    RC_ASSERT(run(dials, events, 1, false) == expected);
    RC_ASSERT(run(dials, events, 7, true) == expected);
}

RC_GTEST_PROP(Dedupe, LastAgreesWithTheReference, ()) {
    Dials dials = any_dials();
    dials.options.within = *rc::gen::element<DurationNs>(0, 1, 10, 200, 100000);
    dials.options.keep_last = true;
    dials.options.limits.memory_bytes = 16 << 20;
    const auto events = make_events(dials);
    const auto expected = reference_last(events, *dials.options.within);
    RC_ASSERT(run(dials, events, 1, false) == expected);
    RC_ASSERT(run(dials, events, 13, true) == expected);
}

RC_GTEST_PROP(Dedupe, SummariesDoNotDependOnWatermarksOrRestarts, ()) {
    Dials dials = any_dials();
    if (*rc::gen::arbitrary<bool>()) dials.options.within = *rc::gen::element<DurationNs>(0, 10, 200);
    dials.options.summary = *rc::gen::element<DurationNs>(1, 50, 100000);
    const auto events = make_events(dials);
    const auto lines = run(dials, events, 1, false);
    RC_ASSERT(run(dials, events, 11, true) == lines);
    // Without the summaries it is what dedupe writes; the counts add up to the rest.
    std::vector<std::string> passed;
    std::size_t suppressed = 0;
    for (const std::string& line : lines) {
        const auto at = line.find(R"(,"suppressed":)");
        if (at == std::string::npos)
            passed.push_back(line);
        else
            suppressed += std::stoul(line.substr(at + 14));
    }
    RC_ASSERT(passed == reference_first(events, dials.options.within));
    RC_ASSERT(passed.size() + suppressed == events.size());
}

TEST(Dedupe, AgreesWithTheReferenceOnDiskToo) {
    TempFolder folder;
    Dials dials;
    dials.options = options_by_id();
    dials.options.limits = {256 << 10, 1ull << 40, folder.path()};
    dials.disorder = 500;
    dials.events = 60000;
    for (const bool last : {false, true}) {
        for (const std::uint64_t keys : {10u, 50000u}) {
            dials.seed = keys;
            dials.keys = keys;
            dials.options.within = 20000;
            dials.options.keep_last = last;
            const auto events = make_events(dials);
            const auto lines = run(dials, events, 50, false);
            ASSERT_EQ(lines.size(),
                      (last ? reference_last(events, 20000) : reference_first(events, 20000)).size());
            ASSERT_TRUE(lines == (last ? reference_last(events, 20000) : reference_first(events, 20000)));
        }
    }
    dials.options.within.reset();
    dials.options.keep_last = false;
    dials.keys = 40000;
    const auto events = make_events(dials);
    ASSERT_TRUE(run(dials, events, 50, false) == reference_first(events, std::nullopt));
    dials.options.summary = 1000;
    ASSERT_TRUE(run(dials, events, 1, false) == run(dials, events, 50, false));
    EXPECT_TRUE(folder.empty());
}

RC_GTEST_PROP(Dedupe, ApproximateWithinForgetsNoKey, ()) {
    Dials dials = any_dials();
    dials.options.within = *rc::gen::element<DurationNs>(1, 10, 200);
    dials.options.approx_error = 0.001;
    const auto events = make_events(dials);
    const auto lines = run(dials, events, 1, false);
    RC_ASSERT(run(dials, events, 9, true) == lines);
    // Nothing that the exact one drops for a copy this one wrote is written.
    std::map<std::string, std::vector<TimeNs>> times;
    std::size_t at = 0;
    for (const Input& event : events) {
        if (at == lines.size() || lines[at] != event.raw) continue;
        ++at;
        for (const TimeNs t : times[event.key]) RC_ASSERT(!is_within(t, event.time, *dials.options.within));
        times[event.key].push_back(event.time);
    }
    RC_ASSERT(at == lines.size());
}

}  // namespace
}  // namespace stream
