// SPDX-License-Identifier: Apache-2.0
// The sketches' promises: error bounds over many seeds, merging, order, text and damage. Everything is
// seeded, so a failure repeats.
#include "base/base64.hpp"
#include "base/crc32c.hpp"
#include "json/canonical.hpp"
#include "json/number.hpp"
#include "ops/aggregates/ddsketch.hpp"
#include "ops/aggregates/hyperloglog.hpp"
#include "ops/aggregates/sketch_aggregates.hpp"
#include "ops/aggregates/space_saving.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace stream {
namespace {

template <class Sketch>
std::string bytes_of(const Sketch& sketch) {
    StateWriter writer;
    if constexpr (std::is_same_v<Sketch, SpaceSaving>) {
        sketch.encode(writer, true);
    } else {
        sketch.encode(writer);
    }
    return writer.take();
}

template <class Sketch>
std::optional<Sketch> from_bytes(std::string_view bytes) {
    StateReader reader(bytes);
    auto sketch = Sketch::decode(reader);
    if (!sketch || !reader.at_end()) return std::nullopt;
    return sketch;
}

// --- HyperLogLog

HyperLogLog distinct_numbers(std::uint64_t seed, std::uint64_t count) {
    HyperLogLog sketch;
    std::string text;
    for (std::uint64_t i = 0; i < count; ++i) {
        text = "\"" + std::to_string(seed) + "-" + std::to_string(i) + "\"";
        sketch.add_hash(sketch_hash(text));
    }
    return sketch;
}

struct Errors {
    double rms = 0;
    double worst = 0;
};
Errors distinct_errors(std::uint64_t count, std::uint64_t seeds) {
    double sum = 0;
    Errors errors;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        const double error =
            static_cast<double>(distinct_numbers(seed, count).estimate()) / static_cast<double>(count) - 1;
        sum += error * error;
        errors.worst = std::max(errors.worst, std::abs(error));
    }
    errors.rms = std::sqrt(sum / static_cast<double>(seeds));
    return errors;
}

TEST(HyperLogLog, IsAsGoodAsItsWord) {
    EXPECT_EQ(distinct_errors(100, 40).worst, 0);
    for (const std::uint64_t count : {1'000u, 3'000u}) EXPECT_LE(distinct_errors(count, 40).worst, 0.001);
    for (const std::uint64_t count : {3'100u, 10'000u, 40'000u, 100'000u}) {
        const Errors errors = distinct_errors(count, 40);
        EXPECT_LE(errors.rms, 0.009) << count;
        EXPECT_LE(errors.worst, 0.029) << count;
    }
    EXPECT_LE(distinct_errors(1'000'000, 3).worst, 0.029);
}

TEST(HyperLogLog, StaysSmallUntilItIsDense) {
    HyperLogLog sketch;
    EXPECT_EQ(sketch.estimate(), 0u);
    EXPECT_EQ(sketch.heap_bytes(), 0u);
    sketch = distinct_numbers(1, 10);
    EXPECT_EQ(sketch.estimate(), 10u);
    EXPECT_LE(sketch.heap_bytes(), 64u);
    EXPECT_FALSE(distinct_numbers(1, 3000).is_dense());
    EXPECT_TRUE(distinct_numbers(1, 3100).is_dense());
    EXPECT_LE(distinct_numbers(1, 3000).heap_bytes(), 16384u);
    EXPECT_EQ(distinct_numbers(1, 3100).heap_bytes(), 16384u);
}

TEST(HyperLogLog, MergedPartsAreTheWholeInAnyOrder) {
    rc::check([] {
        const auto count = *rc::gen::inRange<std::uint64_t>(0, 8000);
        const auto parts = *rc::gen::inRange<std::size_t>(1, 5);
        const auto seed = *rc::gen::arbitrary<std::uint64_t>();
        std::mt19937_64 random(seed);
        HyperLogLog whole;
        std::vector<HyperLogLog> part(parts);
        for (std::uint64_t i = 0; i < count; ++i) {
            // Indexes whose extra bits are zero, whose ranks the sparse form stores, are made frequent.
            std::uint64_t hash = random();
            if (i % 3 == 0) hash &= ~(std::uint64_t{2047} << 39);
            if (i % 9 == 0) hash &= ~std::uint64_t{0} << (random() % 64);
            whole.add_hash(hash);
            part[random() % parts].add_hash(hash);
            if (i % 5 == 0) part[random() % parts].add_hash(hash);
        }
        std::shuffle(part.begin(), part.end(), random);
        HyperLogLog merged;
        for (const HyperLogLog& one : part) merged.merge(one);
        RC_ASSERT(bytes_of(merged) == bytes_of(whole));
        RC_ASSERT(merged.estimate() == whole.estimate());
        const auto again = from_bytes<HyperLogLog>(bytes_of(whole));
        RC_ASSERT(again.has_value());
        RC_ASSERT(bytes_of(*again) == bytes_of(whole));
        RC_ASSERT(again->is_dense() == whole.is_dense());
    });
}

TEST(HyperLogLog, FullRegistersDoNotOverflow) {
    HyperLogLog sketch;
    for (std::uint64_t i = 0; i < HyperLogLog::register_count; ++i) sketch.add_hash(i << 50);
    EXPECT_TRUE(sketch.is_dense());
    EXPECT_GT(sketch.estimate(), std::uint64_t{1} << 60);
}

// --- DDSketch

// The exact nearest-rank value.
double exact_quantile(const std::vector<double>& sorted, const QuantileFraction& fraction) {
    return sorted[fraction.rank(sorted.size()) - 1];
}

const std::vector<QuantileFraction> fractions = {
    {0, 100},  {1, 1000}, {1, 100},  {5, 100},    {25, 100},       {50, 100}, {75, 100},
    {90, 100}, {95, 100}, {99, 100}, {999, 1000}, {99999, 100000}, {100, 100}};

DDSketch sketch_of(const std::vector<double>& values) {
    DDSketch sketch;
    for (const double value : values) sketch.add(value);
    return sketch;
}

void expect_within_one_percent(std::vector<double> values, const std::string& what) {
    const DDSketch sketch = sketch_of(values);
    std::sort(values.begin(), values.end());
    for (const QuantileFraction& fraction : fractions) {
        const double exact = exact_quantile(values, fraction);
        ASSERT_LE(std::abs(sketch.quantile(fraction) - exact), DDSketch::relative_error * std::abs(exact))
            << what << " p" << fraction.numerator << "/" << fraction.denominator << " exact " << exact;
    }
}

TEST(DDSketch, BucketsAreLogarithmicAndInOrder) {
    // Every key stands for a value in its own bucket, and keys go up with values.
    double before = -std::numeric_limits<double>::infinity();
    for (std::int32_t key = -71610; key <= 71610; ++key) {
        const double value = DDSketch::value_of_key(key);
        ASSERT_EQ(DDSketch::key_of(value), key);
        ASSERT_GT(value, before);
        before = value;
    }
    EXPECT_EQ(DDSketch::key_of(std::numeric_limits<double>::max()), 71610);
    EXPECT_EQ(DDSketch::key_of(std::numeric_limits<double>::min()), 1);
    EXPECT_EQ(DDSketch::key_of(-std::numeric_limits<double>::max()), -71610);
    // Bucket j of an octave begins at the first double not below 2^(j/35).
    const std::int32_t one = DDSketch::key_of(1.0);
    EXPECT_EQ(DDSketch::key_of(std::nextafter(1.0, 0)), one - 1);
    for (std::int32_t j = 1; j < 35; ++j) {
        std::uint64_t low = std::bit_cast<std::uint64_t>(1.0);
        std::uint64_t high = std::bit_cast<std::uint64_t>(2.0);
        while (high - low > 1) {
            const std::uint64_t middle = low + (high - low) / 2;
            (DDSketch::key_of(std::bit_cast<double>(middle)) < one + j ? low : high) = middle;
        }
        const long double begin = std::exp2(static_cast<long double>(j) / 35);
        EXPECT_NEAR(static_cast<double>(std::bit_cast<double>(high) / begin), 1.0, 3e-16) << j;
    }
}

TEST(DDSketch, NeverErrsByMoreThanOnePercent) {
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
        std::mt19937_64 random(seed);
        std::uniform_real_distribution<double> uniform(0, 1);
        std::normal_distribution<double> normal(0, 1);
        const std::size_t count = 1 + random() % 5000;
        const auto make = [&](auto&& value) {
            std::vector<double> values(count);
            for (double& one : values) one = value();
            return values;
        };
        const std::string at = " seed " + std::to_string(seed);
        expect_within_one_percent(make([&] { return uniform(random); }), "uniform" + at);
        expect_within_one_percent(make([&] { return normal(random) * 1e3; }), "normal" + at);
        expect_within_one_percent(make([&] { return std::exp(3 * normal(random)); }), "log-normal" + at);
        expect_within_one_percent(make([&] { return -std::exp(5 * normal(random)); }), "negative" + at);
        expect_within_one_percent(make([&] { return 1 / (uniform(random) + 1e-12); }), "heavy tail" + at);
        expect_within_one_percent(make([&] { return static_cast<double>(random() % 7) - 3; }), "small" + at);
        expect_within_one_percent(make([&] { return std::ldexp(normal(random), -1000); }), "tiny" + at);
        expect_within_one_percent(make([&] { return std::ldexp(normal(random), 1015); }), "huge" + at);
    }
}

// Vector S05.
TEST(DDSketch, MedianOfOneToAHundred) {
    DDSketch sketch;
    for (int i = 1; i <= 100; ++i) sketch.add(i);
    const double median = sketch.quantile({50, 100});
    EXPECT_GE(median, 49.5);
    EXPECT_LE(median, 50.5);
    EXPECT_EQ(sketch.quantile({0, 100}), 1);
    EXPECT_EQ(sketch.quantile({100, 100}), 100);
}

TEST(DDSketch, OneValueIsExact) {
    for (const double value : {0.0, 1.0, -17.25, 1e-300, 12345678.9, std::numeric_limits<double>::max()}) {
        const DDSketch sketch = sketch_of({value, value, value});
        EXPECT_EQ(sketch.quantile({50, 100}), value);
    }
    EXPECT_EQ(sketch_of({5e-324, -0.0, 0.0}).quantile({50, 100}), 0);
    EXPECT_FALSE(std::signbit(sketch_of({-0.0}).quantile({50, 100})));
}

TEST(DDSketch, MergedPartsAreTheWholeInAnyOrder) {
    rc::check([](std::vector<double> values, const std::vector<std::int16_t>& small, std::uint64_t seed) {
        for (const std::int16_t value : small) values.push_back(value);
        std::mt19937_64 random(seed);
        const DDSketch whole = sketch_of(values);
        std::shuffle(values.begin(), values.end(), random);
        std::vector<DDSketch> part(3);
        for (const double value : values) part[random() % 3].add(value);
        DDSketch merged;
        for (const DDSketch& one : part) RC_ASSERT(merged.merge(one));
        RC_ASSERT(bytes_of(merged) == bytes_of(whole));
        const auto again = from_bytes<DDSketch>(bytes_of(whole));
        RC_ASSERT(again.has_value());
        RC_ASSERT(bytes_of(*again) == bytes_of(whole));
    });
}

TEST(DDSketch, CollapsesTheLowestInAnyOrder) {
    std::vector<double> values;
    for (std::int32_t key = -3000; key <= 3000; ++key) {
        values.push_back(DDSketch::value_of_key(key * 7));
    }
    const DDSketch whole = sketch_of(values);
    EXPECT_EQ(whole.bucket_count(), DDSketch::bucket_limit);
    EXPECT_EQ(whole.count(), 6001u);
    std::mt19937_64 random(1);
    for (int round = 0; round < 3; ++round) {
        std::shuffle(values.begin(), values.end(), random);
        std::vector<DDSketch> part(2);
        for (const double value : values) part[random() % 2].add(value);
        ASSERT_TRUE(part[0].merge(part[1]));
        EXPECT_EQ(bytes_of(part[0]), bytes_of(whole));
    }
    const auto again = from_bytes<DDSketch>(bytes_of(whole));
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(bytes_of(*again), bytes_of(whole));
    std::sort(values.begin(), values.end());
    for (const QuantileFraction& fraction : fractions) {
        const std::uint64_t rank = fraction.rank(values.size());
        if (rank != 1 && rank < 6001 - DDSketch::bucket_limit + 1) continue;
        const double exact = values[rank - 1];
        EXPECT_LE(std::abs(whole.quantile(fraction) - exact), 0.01 * std::abs(exact));
    }
}

TEST(DDSketch, RanksAreExact) {
    EXPECT_EQ((QuantileFraction{99, 100}.rank(100)), 99u);
    EXPECT_EQ((QuantileFraction{99, 100}.rank(101)), 100u);
    EXPECT_EQ((QuantileFraction{999, 1000}.rank(1000)), 999u);
    EXPECT_EQ((QuantileFraction{0, 100}.rank(7)), 1u);
    EXPECT_EQ((QuantileFraction{100, 100}.rank(7)), 7u);
    EXPECT_EQ((QuantileFraction{99'999'999'999, 100'000'000'000}.rank(std::uint64_t{1} << 62)),
              4611686018381271044u);
}

// --- Space-Saving

void add(SpaceSaving& sketch, std::string_view value) { sketch.add(value, sketch_hash(value)); }

// Skewed values, heavier ones first.
std::string skewed(std::mt19937_64& random, double skew, double values) {
    const double u = std::uniform_real_distribution<double>(1e-9, 1)(random);
    return std::to_string(static_cast<std::uint64_t>(std::pow(u, -skew)) %
                          static_cast<std::uint64_t>(values));
}

void expect_bounds(const SpaceSaving& sketch, const std::map<std::string, std::uint64_t>& truth,
                   std::uint64_t total) {
    ASSERT_EQ(sketch.total(), total);
    ASSERT_LE(sketch.size(), sketch.capacity());
    ASSERT_LE(sketch.floor(), total / sketch.capacity());
    std::map<std::string, std::uint64_t> kept;
    for (const SpaceSaving::Item& item : sketch.items()) {
        const auto found = truth.find(std::string(item.value));
        const std::uint64_t count = found == truth.end() ? 0 : found->second;
        ASSERT_LE(item.count - item.error, count) << item.value;
        ASSERT_GE(item.count, count) << item.value;
        ASSERT_LE(item.error, total / sketch.capacity());
        kept[std::string(item.value)] = item.count;
    }
    for (const auto& [value, count] : truth) {
        if (count > total / sketch.capacity()) {
            ASSERT_TRUE(kept.contains(value)) << value;
        } else if (!kept.contains(value)) {
            ASSERT_LE(count, sketch.floor());
        }
    }
}

// Vector S05.
TEST(SpaceSaving, TwoCountersOnFourValues) {
    SpaceSaving sketch(2);
    for (const char* value : {"\"a\"", "\"a\"", "\"b\"", "\"c\""}) add(sketch, value);
    const auto items = sketch.items();
    ASSERT_EQ(items.size(), 2u);
    EXPECT_EQ(items[0].value, "\"a\"");
    EXPECT_EQ(items[0].count, 2u);
    EXPECT_EQ(items[0].error, 0u);
    EXPECT_EQ(items[1].value, "\"c\"");
    EXPECT_EQ(items[1].count, 2u);
    EXPECT_EQ(items[1].error, 1u);
}

TEST(SpaceSaving, KeepsItsBounds) {
    for (std::uint64_t seed = 0; seed < 36; ++seed) {
        std::mt19937_64 random(seed);
        SpaceSaving sketch(1 + seed * 3);
        std::map<std::string, std::uint64_t> truth;
        const std::uint64_t total = 3000;
        for (std::uint64_t i = 0; i < total; ++i) {
            const std::string value = skewed(random, 0.5 + static_cast<double>(seed % 4) / 2, 1e6);
            add(sketch, value);
            ++truth[value];
        }
        expect_bounds(sketch, truth, total);
        StateWriter writer;
        sketch.encode(writer, true);
        ASSERT_TRUE(from_bytes<SpaceSaving>(writer.bytes()).has_value());
    }
}

TEST(SpaceSaving, MergingKeepsTheBounds) {
    for (std::uint64_t seed = 0; seed < 36; ++seed) {
        std::mt19937_64 random(seed);
        const std::size_t capacity = 5 + seed;
        SpaceSaving merged(capacity);
        std::map<std::string, std::uint64_t> truth;
        std::uint64_t total = 0;
        for (int part = 0; part < 6; ++part) {
            SpaceSaving sketch(capacity + (part % 2 == 0 ? 0 : seed % 3));
            for (std::uint64_t i = random() % 1500; i > 0; --i, ++total) {
                const std::string value = skewed(random, 0.9, 1e6);
                ++truth[value];
                // Merging and adding take turns.
                add(part == 3 ? merged : sketch, value);
            }
            ASSERT_TRUE(merged.merge(sketch));
            expect_bounds(merged, truth, total);
            const auto again = from_bytes<SpaceSaving>(bytes_of(merged));
            ASSERT_TRUE(again.has_value());
            ASSERT_EQ(bytes_of(*again), bytes_of(merged));
        }
    }
}

TEST(SpaceSaving, IsExactAndWithoutOrderBelowItsCapacity) {
    rc::check([](std::vector<std::uint8_t> values, std::uint64_t seed) {
        SpaceSaving whole(256);
        for (const std::uint8_t value : values) add(whole, std::to_string(value));
        std::mt19937_64 random(seed);
        std::shuffle(values.begin(), values.end(), random);
        SpaceSaving left(256);
        SpaceSaving right(256);
        for (const std::uint8_t value : values) add(random() % 2 == 0 ? left : right, std::to_string(value));
        RC_ASSERT(left.merge(right));
        RC_ASSERT(bytes_of(left) == bytes_of(whole));
        RC_ASSERT(left.floor() == 0u);
    });
}

TEST(SpaceSaving, GoesOnAfterASnapshotAsIfNothingWas) {
    std::mt19937_64 random(3);
    SpaceSaving straight(20);
    SpaceSaving stopped(20);
    for (int i = 0; i < 4000; ++i) {
        const std::string value = "\"a value too long for a small string " + skewed(random, 0.7, 1e6) + "\"";
        add(straight, value);
        add(stopped, value);
        if (i % 97 == 0) {
            StateWriter writer;
            stopped.encode(writer, false);
            auto restored = from_bytes<SpaceSaving>(writer.bytes());
            ASSERT_TRUE(restored.has_value());
            stopped = std::move(*restored);
        }
    }
    EXPECT_EQ(bytes_of(stopped), bytes_of(straight));
    EXPECT_LT(straight.heap_bytes(), 20'000u);
}

// --- the aggregates

// One aggregate and one state.
class Held {
public:
    explicit Held(const std::string& function, const std::string& field = "v") {
        auto made = make_sketch_aggregate({.name = "n", .function = function, .field = field});
        if (!made) throw std::runtime_error(made.error().message());
        aggregate_ = std::move(*made);
        EXPECT_EQ(aggregate_->size(), 8u);
        aggregate_->init(state_);
    }
    ~Held() { aggregate_->destroy(state_); }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;

    Result<void> add(std::string_view json) {
        AggregateInput input;
        if (!json.empty()) input.value = value_of(json);
        return aggregate_->add(state_, input);
    }
    Held& with(std::initializer_list<std::string_view> values) {
        for (const std::string_view value : values) {
            const auto added = add(value);
            EXPECT_TRUE(added.has_value()) << (added ? "" : added.error().message());
        }
        return *this;
    }
    std::string refusal(std::string_view json) {
        const std::string before = saved();
        const auto added = add(json);
        if (added) return "taken";
        EXPECT_EQ(added.error().kind(), ErrorKind::data);
        EXPECT_EQ(saved(), before);
        return added.error().message();
    }
    std::string written() const {
        std::string out;
        EXPECT_TRUE(aggregate_->write(state_, WindowSpan{}, out).has_value());
        return out;
    }
    std::string saved() const {
        StateWriter writer;
        aggregate_->snapshot(state_, writer);
        return writer.take();
    }
    Result<void> load(std::string_view bytes) {
        StateReader reader(bytes);
        return aggregate_->restore(state_, reader);
    }
    Result<void> merge(const Held& other) { return aggregate_->merge(state_, other.state_); }
    std::size_t heap() const { return aggregate_->heap_bytes(state_); }
    const Aggregate& aggregate() const { return *aggregate_; }

private:
    std::unique_ptr<Aggregate> aggregate_;
    alignas(8) std::byte state_[8];
};

std::string as_sketch(const std::string& prefix, std::string body) {
    const std::uint32_t sum = crc32c(body);
    for (unsigned shift = 0; shift < 32; shift += 8) body += static_cast<char>((sum >> shift) & 255);
    std::string out = "{\"sketch\":\"" + prefix + ":";
    append_base64(out, body);
    return out + "\"}";
}

TEST(SketchAggregates, OfNothing) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"approx_distinct", "0"},  {"approx_p99", "null"},      {"approx_median", "null"},
        {"approx_top10", "[]"},    {"sketch_distinct", "null"}, {"sketch_p99", "null"},
        {"sketch_median", "null"}, {"sketch_top10", "null"},    {"merge", "null"}};
    for (const auto& [function, nothing] : cases) {
        Held held(function);
        EXPECT_EQ(held.written(), nothing) << function;
        held.with({"null", ""});
        EXPECT_EQ(held.written(), nothing) << function;
        EXPECT_EQ(held.heap(), 0u);
        Held other(function);
        EXPECT_TRUE(held.merge(other).has_value());
        EXPECT_TRUE(other.load(held.saved()).has_value());
        EXPECT_EQ(other.written(), nothing);
        EXPECT_FALSE(held.aggregate().grows_with_events());
        EXPECT_TRUE(held.aggregate().merges());
    }
}

TEST(SketchAggregates, Answers) {
    EXPECT_EQ(Held("approx_distinct")
                  .with({"1", "1.0", "10e-1", "\"1\"", "\"\\u0061\"", "\"a\"", "true", "-0", "0", "[1, 2]",
                         "[1,2.0]", R"({"a":1,"b":2})", R"({"b":2, "a":1})"})
                  .written(),
              "7");
    EXPECT_EQ(Held("approx_median").with({"3"}).written(), "3");
    EXPECT_EQ(Held("approx_p50").with({"1", "100", "10000"}).written(), "99.926");
    EXPECT_EQ(Held("approx_p100").with({"-1", "0.25", "1e3"}).written(), "1000");
    EXPECT_EQ(Held("approx_p99.9").with({"0.1", "0.1"}).written(), "0.1");
    EXPECT_EQ(Held("approx_top2").with({"\"b\"", "\"b\"", "\"c\"", "1.0", "\"c\"", "false"}).written(),
              R"([{"value":"b","count":2,"error":0},{"value":"c","count":2,"error":0}])");
    // Ties in jq's order of values.
    EXPECT_EQ(Held("approx_top5").with({"[1]", "\"a\"", "10", "9", "true"}).written(),
              R"([{"value":true,"count":1,"error":0},{"value":9,"count":1,"error":0},)"
              R"({"value":10,"count":1,"error":0},{"value":"a","count":1,"error":0},)"
              R"({"value":[1],"count":1,"error":0}])");
}

TEST(SketchAggregates, RefuseWhatIsNoNumber) {
    Held held("approx_p95", "rtt");
    EXPECT_EQ(held.refusal("\"x\""), "\"rtt\" is a string, \"x\": approx_p95 wants numbers");
    EXPECT_EQ(held.heap(), 0u);
    EXPECT_NE(held.refusal("true"), "taken");
    EXPECT_NE(held.refusal("{\"sketch\":1}"), "taken");
    EXPECT_EQ(held.refusal("1e400"),
              "\"rtt\" is out of range, \"1e400\": approx_p95 takes numbers up to 1.8e308");
    held.with({"1e-400"});
    EXPECT_EQ(held.written(), "0");
}

TEST(SketchAggregates, OtherObjectsAreValues) {
    Held held("approx_distinct");
    held.with({R"({"sketch":"a drawing"})", R"({"sketch":"hll1"})", R"({"sketch":"hll:AAAA"})",
               R"({"sketch":"hllo:AAAA"})", R"({"sketch":5})", R"({"sketch":"hll1:AAAA","b":1})", R"({})",
               R"("hll1:AAAA")", R"({"b":{"sketch":"hll1:AAAA"}})"});
    EXPECT_EQ(held.written(), "9");
}

TEST(SketchAggregates, MinutesMakeTheHour) {
    std::mt19937_64 random(7);
    for (const auto& [sketching, answering] :
         std::vector<std::pair<std::string, std::string>>{{"sketch_distinct", "approx_distinct"},
                                                          {"sketch_p90", "approx_p90"},
                                                          {"sketch_median", "approx_p50"},
                                                          {"sketch_top10", "approx_top10"}}) {
        Held whole(answering);
        Held whole_sketch(sketching);
        Held hour(answering);
        Held rolled(sketching);
        Held merged("merge");
        for (int minute = 0; minute < 10; ++minute) {
            Held sketch(sketching);
            for (int i = 0; i < 600; ++i) {
                const std::string value = std::to_string(random() % 900);
                sketch.with({value});
                whole.with({value});
                whole_sketch.with({value});
            }
            hour.with({sketch.written()});
            rolled.with({sketch.written()});
            merged.with({sketch.written()});
        }
        EXPECT_EQ(hour.written(), whole.written());
        EXPECT_EQ(merged.written(), whole.written());
        EXPECT_EQ(rolled.written(), whole_sketch.written());
        EXPECT_EQ(Held("merge").with({rolled.written()}).written(), whole.written());
        // Raw values and sketches may be mixed.
        hour.with({"1234567"});
        whole.with({"1234567"});
        rolled.with({"1234567"});
        whole_sketch.with({"1234567"});
        EXPECT_EQ(hour.written(), whole.written());
        EXPECT_EQ(rolled.written(), whole_sketch.written());
    }
}

TEST(SketchAggregates, MergeAnswersAsTheSketchWasAsked) {
    const auto merged = [](const Held& sketch) { return Held("merge").with({sketch.written()}).written(); };
    for (const auto& [sketching, answering] :
         std::vector<std::pair<std::string, std::string>>{{"sketch_p0", "approx_p0"},
                                                          {"sketch_p5", "approx_p05"},
                                                          {"sketch_p99.9", "approx_p99.900"},
                                                          {"sketch_p99.000000001", "approx_p99.000000001"},
                                                          {"sketch_p100", "approx_p100.0"},
                                                          {"sketch_top1", "approx_top1"},
                                                          {"sketch_top7", "approx_top7"},
                                                          {"sketch_distinct", "approx_distinct"}}) {
        Held sketch(sketching);
        Held answer(answering);
        for (int i = 0; i < 2000; ++i) {
            const std::string value = std::to_string(i * i % 577);
            sketch.with({value});
            answer.with({value});
        }
        EXPECT_EQ(merged(sketch), answer.written()) << sketching;
        // A sketch made of sketches is of its own percentile or N, not of theirs.
        for (const std::string own : {"p25", "top2"}) {
            const bool same_kind = sketching.find(own.substr(0, own.find('2')), 7) == 7;
            if (!same_kind) continue;
            Held of_sketch("sketch_" + own);
            of_sketch.with({sketch.written()});
            Held own_answer("approx_" + own);
            own_answer.with({sketch.written()});
            EXPECT_EQ(merged(of_sketch), own_answer.written()) << sketching;
            EXPECT_EQ(Held(answering).with({of_sketch.written()}).written(), answer.written());
        }
    }
    EXPECT_EQ(Held("sketch_p50").with({"1", "2"}).written(),
              Held("sketch_median").with({"1", "2"}).written());
    EXPECT_EQ(Held("sketch_p50").with({"1"}).written(), Held("sketch_p50.0").with({"1"}).written());
    EXPECT_NE(Held("sketch_p50").with({"1"}).written(), Held("sketch_p51").with({"1"}).written());
    EXPECT_NE(Held("sketch_top5").with({"1"}).written(), Held("sketch_top6").with({"1"}).written());
}

TEST(SketchAggregates, MergeRefusesAnotherPercentileOrNumber) {
    const auto sketch = [](const std::string& function) { return Held(function).with({"1"}).written(); };
    Held p99("merge", "s");
    p99.with({sketch("sketch_p99.9"), sketch("sketch_p99.90"), "null"});
    EXPECT_EQ(p99.refusal(sketch("sketch_median")),
              "\"s\" is a sketch of p50: merge began with a sketch of p99.9");
    const auto refused = p99.add(sketch("sketch_p05"));
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().hint(), "approx_p99.9:s reads both");
    Held top("merge", "s");
    top.with({sketch("sketch_top10")});
    EXPECT_EQ(top.refusal(sketch("sketch_top3")),
              "\"s\" is a sketch of top3: merge began with a sketch of top10");
    // So do states, and a state that was saved.
    Held other("merge", "s");
    ASSERT_TRUE(other.load(top.saved()).has_value());
    EXPECT_EQ(other.refusal(sketch("sketch_top3")), top.refusal(sketch("sketch_top3")));
    ASSERT_TRUE(other.merge(top).has_value());
    Held three("merge", "s");
    three.with({sketch("sketch_top3")});
    const std::string before = three.saved();
    const auto joined = three.merge(top);
    ASSERT_FALSE(joined.has_value());
    EXPECT_EQ(joined.error().kind(), ErrorKind::data);
    EXPECT_EQ(three.saved(), before);
    Held fresh("merge", "s");
    ASSERT_TRUE(fresh.merge(top).has_value());
    EXPECT_EQ(fresh.saved(), top.saved());
    // A saved state is of one percentile too.
    Held p90("approx_p90");
    p90.with({"1"});
    EXPECT_FALSE(Held("approx_p91").load(p90.saved()).has_value());
}

TEST(SketchAggregates, StatesMergeSaveAndLoad) {
    for (const std::string function :
         {"approx_distinct", "approx_p90", "approx_top3", "sketch_distinct", "sketch_p99", "sketch_top3"}) {
        std::mt19937_64 random(5);
        Held whole(function);
        Held left(function);
        Held right(function);
        for (int i = 0; i < 5000; ++i) {
            const std::string value = std::to_string(random() % (i % 2 == 0 ? 20 : 900));
            whole.with({value});
            (i < 2000 ? left : right).with({value});
        }
        const std::string before = right.written();
        ASSERT_TRUE(left.merge(right).has_value());
        EXPECT_EQ(left.written(), whole.written());
        EXPECT_EQ(right.written(), before);
        Held again(function);
        ASSERT_TRUE(again.load(left.saved()).has_value());
        EXPECT_EQ(again.written(), left.written());
        EXPECT_EQ(again.saved(), left.saved());
        EXPECT_GT(again.heap(), 100u);
        EXPECT_LT(again.heap(), 200'000u);
        // Cut short anywhere it is corrupt, and nothing worse.
        const std::string saved = left.saved();
        for (std::size_t size = 0; size < saved.size(); size += 1 + saved.size() / 300) {
            Held cut(function);
            const auto loaded = cut.load(std::string_view(saved).substr(0, size));
            ASSERT_FALSE(loaded.has_value());
            EXPECT_EQ(loaded.error().kind(), ErrorKind::corrupt);
        }
        Held other(function == "approx_p90" ? "approx_distinct" : "approx_p90");
        EXPECT_FALSE(other.load(saved).has_value());
    }
}

// What is stored anywhere must stay readable: these texts may never change (docs/formats/sketches.md).
TEST(SketchAggregates, TextsAreFrozen) {
    EXPECT_EQ(Held("sketch_distinct").with({"1", "2", "\"a\""}).written(),
              R"({"sketch":"hll1:AAOeojarkvgFg6KuCasg9DQ="})");
    EXPECT_EQ(Held("sketch_p99.9").with({"1", "2", "-0.5", "0"}).written(),
              R"({"sketch":"dds1:gI6ElPQCAAAAAAAA4L8AAAAAAAAAQASvrgQBl5cCAbqXAgEiAfTRAkI="})");
    EXPECT_EQ(Held("sketch_top2").with({"1", "\"a\"", "\"a\""}).written(),
              R"({"sketch":"top1:AugHAwACAQABMQIAAyJhIg+R6zg="})");
}

TEST(SketchAggregates, DamageIsNoticed) {
    for (const std::string function : {"sketch_distinct", "sketch_p99", "sketch_top3"}) {
        Held held(function);
        for (int i = 0; i < 40; ++i) held.with({std::to_string(i * i % 23)});
        const std::string text = held.written();
        const std::size_t begin = text.find(':', 10) + 1;
        for (std::size_t at = begin; at < text.size() - 2; ++at) {
            std::string changed = text;
            changed[at] = changed[at] == 'A' ? 'B' : 'A';
            EXPECT_NE(held.refusal(changed), "taken") << changed;
            std::string cut = text;
            cut.erase(at, 1);
            EXPECT_NE(held.refusal(cut), "taken");
            EXPECT_NE(held.refusal(text.substr(0, at) + "\"}"), "taken");
        }
        std::string spaced = " { \"sketch\" : " + text.substr(10);
        spaced.insert(spaced.size() - 1, "\n");
        EXPECT_EQ(held.refusal(spaced.substr(1)), "taken");
        EXPECT_NE(held.refusal(text.substr(0, begin) + "\"}"), "taken");
    }
    EXPECT_EQ(Held("approx_distinct", "s").refusal(R"({"sketch":"hll1:AAAA"})"),
              "\"s\" is not a sketch of distinct values: it was cut or changed");
    EXPECT_EQ(Held("approx_distinct", "s").refusal(R"({"sketch":"hll2:AAAA"})"),
              "\"s\" is a sketch of distinct values of a version unknown here, \"hll2\"");
    EXPECT_EQ(Held("approx_distinct", "s").refusal(R"({"sketch":"dds1:AAAA"})"),
              "\"s\" is a sketch of quantiles: approx_distinct wants a sketch of distinct values");
    EXPECT_EQ(Held("merge", "s").refusal("\"x\""), "\"s\" is a string, \"x\": merge wants sketches");
    Held merge("merge", "s");
    merge.with({Held("sketch_p99").with({"1"}).written()});
    EXPECT_EQ(merge.refusal(Held("sketch_distinct").with({"1"}).written()),
              "\"s\" is a sketch of distinct values: merge began with a sketch of quantiles");
}

TEST(SketchAggregates, SlashesMayBeEscaped) {
    Held held("sketch_distinct");
    for (int i = 0; i < 500; ++i) held.with({std::to_string(i)});
    std::string text = held.written();
    const std::string plain = text;
    for (std::size_t at = text.find('/'); at != std::string::npos; at = text.find('/', at + 2)) {
        text.insert(at, "\\");
    }
    ASSERT_NE(text, plain);
    EXPECT_EQ(Held("sketch_distinct").with({text}).written(), plain);
    EXPECT_EQ(Held("merge").with({text}).written(), Held("merge").with({plain}).written());
}

// A checksum is no secret: what passes it must still be what a sketch can be.
TEST(SketchAggregates, ForgeriesDoNoHarm) {
    const auto top = [](std::initializer_list<std::string_view> values) {
        SpaceSaving sketch(1000);
        for (const std::string_view value : values) add(sketch, value);
        return as_sketch("top1", '\x0a' + bytes_of(sketch));
    };
    Held held("approx_top10", "s");
    EXPECT_EQ(held.refusal(top({"1", "\"a\"", "[1,{\"b\":2}]"})), "taken");
    for (const char* bad : {"1}\n{\"v\":1", "1,\"v\":1", "1.0", " 1", "\"a", "\"\\u0061\"",
                            "{\"b\":1,\"a\":2}", "nothing", "null", "\"\xff\"", "1\n", "[1,2", "1e5", "}"}) {
        EXPECT_EQ(held.refusal(top({bad, "2"})), "\"s\" is not a sketch of top values: it was cut or changed")
            << bad;
    }
    // Bytes at random behind a good checksum.
    std::mt19937_64 random(11);
    for (const std::string prefix : {"hll1", "dds1", "top1"}) {
        Held all("merge");
        Held good(prefix == "hll1" ? "sketch_distinct" : prefix == "dds1" ? "sketch_p99" : "sketch_top3");
        for (int i = 0; i < 30; ++i) good.with({std::to_string(i * i % 17)});
        const std::string text = good.written();
        const std::size_t begin = text.find(':', 10) + 1;
        std::string body =
            decode_base64(std::string_view(text).substr(begin, text.size() - 2 - begin)).value();
        body.resize(body.size() - 4);
        EXPECT_EQ(as_sketch(prefix, body), text);
        for (int i = 0; i < 3000; ++i) {
            std::string forged = body;
            for (std::uint64_t k = random() % 4 + 1; k > 0; --k) {
                forged[random() % forged.size()] = static_cast<char>(random());
            }
            if (i % 3 == 0) forged.resize(random() % (forged.size() + 1));
            (void)all.add(as_sketch(prefix, forged));
        }
        (void)all.written();
        Held restored("merge");
        EXPECT_TRUE(restored.load(all.saved()).has_value());
    }
    // No such percentile or N, or more counters than go with it.
    const auto numbered = [](const std::string& prefix, std::uint64_t number, const std::string& body) {
        StateWriter writer;
        writer.put_varint(number);
        return as_sketch(prefix, writer.bytes() + body);
    };
    const std::string quantiles = bytes_of(DDSketch());
    const std::string tops = bytes_of(SpaceSaving(2000));
    EXPECT_EQ(Held("merge").refusal(numbered("dds1", 100'000'000'000, quantiles)), "taken");
    EXPECT_NE(Held("merge").refusal(numbered("dds1", 100'000'000'001, quantiles)), "taken");
    EXPECT_EQ(Held("merge").refusal(numbered("top1", 200, tops)), "taken");
    EXPECT_NE(Held("merge").refusal(numbered("top1", 199, tops)), "taken");
    EXPECT_EQ(Held("merge").refusal(numbered("top1", 100'000, tops)), "taken");
    EXPECT_NE(Held("merge").refusal(numbered("top1", 100'001, tops)), "taken");
    EXPECT_NE(Held("merge").refusal(numbered("top1", 0, tops)), "taken");
    EXPECT_EQ(Held("merge").with({numbered("dds1", 0, quantiles)}).written(), "null");
    EXPECT_EQ(Held("merge").with({numbered("top1", 200, tops)}).written(), "[]");
    // As many as can be counted, twice.
    StateWriter writer;
    writer.put_varint(50'000'000'000);
    writer.put_u64(0);
    writer.put_u64(0);
    writer.put_varint(1);
    writer.put_varint(0);
    writer.put_varint(DDSketch::count_limit);
    Held full("merge", "s");
    full.with({as_sketch("dds1", writer.bytes())});
    EXPECT_EQ(full.refusal(as_sketch("dds1", writer.bytes())),
              "\"s\": more values than merge can count (2^62)");
}

TEST(SketchAggregates, Names) {
    const auto message = [](const std::string& function, const std::string& field = "f") {
        const auto made = make_sketch_aggregate({.name = "n", .function = function, .field = field});
        if (made) return std::string("made");
        EXPECT_EQ(made.error().kind(), ErrorKind::usage);
        return made.error().message();
    };
    for (const std::string_view name : sketch_function_names()) {
        EXPECT_EQ(message(std::string(name)), "made") << name;
        EXPECT_TRUE(is_sketch_function(name));
        EXPECT_NE(message(std::string(name), ""), "made") << name;
    }
    for (const char* good : {"approx_p0", "approx_p100", "approx_p99.999999999", "approx_p05", "approx_top1",
                             "sketch_p99.9", "sketch_p0", "sketch_top100000"}) {
        EXPECT_EQ(message(good), "made") << good;
    }
    for (const char* bad : {"approx_p",        "approx_p101",   "approx_p99.",
                            "approx_p9x",      "approx_p100.1", "approx_p1.0000000001",
                            "approx_top",      "approx_top0",   "approx_top100001",
                            "approx_top-1",    "sketch_p",      "sketch_p101",
                            "sketch_quantile", "sketch_pear",   "sketch_top0",
                            "approx_sum",      "p99",           "",
                            "merge1",          "approx_top1x",  "approx_pear"}) {
        EXPECT_NE(message(bad), "made") << bad;
    }
    EXPECT_TRUE(is_sketch_function("approx_p101"));
    EXPECT_TRUE(is_sketch_function("sketch_p101"));
    EXPECT_FALSE(is_sketch_function("p99"));
    EXPECT_FALSE(is_sketch_function("sum"));
}

}  // namespace
}  // namespace stream
