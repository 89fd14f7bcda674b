// SPDX-License-Identifier: Apache-2.0
// Aggregates that keep one of the values: the first, the last, the least, the greatest.
#include <cmath>
#include <limits>

#include "json/canonical.hpp"
#include "json/number.hpp"
#include "ops/aggregates/exact.hpp"
#include "ops/aggregates/small_text.hpp"
#include "ops/aggregates/stateful.hpp"

namespace stream {
namespace {

struct ByTime {
    SmallText text;
    EventPlace place;

    void release() { text.release(); }
};

template <bool Latest>
class FirstOrLast final : public StatefulAggregate<ByTime> {
public:
    using StatefulAggregate::StatefulAggregate;

    Result<void> add(std::byte* state, const AggregateInput& input) const override {
        if (!has_field()) {
            offer(at(state), input.event, place_of(input));
        } else if (!input.value.is_nothing()) {
            offer(at(state), input.value.text, place_of(input));
        }
        return {};
    }
    Result<void> merge(std::byte* into, const std::byte* from) const override {
        const ByTime& other = at(from);
        if (!other.text.empty()) offer(at(into), other.text.view(), other.place);
        return {};
    }
    Result<void> write(const std::byte* state, const WindowSpan&, std::string& out) const override {
        const SmallText& text = at(state).text;
        out.append(text.empty() ? "null" : text.view());
        return {};
    }
    void snapshot(const std::byte* state, StateWriter& writer) const override {
        const ByTime& kept = at(state);
        writer.put_bytes(kept.text.view());
        writer.put_i64(kept.place.time);
        writer.put_u64(kept.place.position);
    }
    Result<void> restore(std::byte* state, StateReader& reader) const override {
        ByTime& kept = at(state);
        kept.text.assign(reader.get_bytes());
        kept.place.time = reader.get_i64();
        kept.place.position = reader.get_u64();
        return reader.check(spec().function);
    }
    std::size_t heap_bytes(const std::byte* state) const override { return at(state).text.heap_bytes(); }

private:
    static void offer(ByTime& kept, std::string_view text, EventPlace place) {
        if (!kept.text.empty() && (Latest ? place < kept.place : place > kept.place)) return;
        kept.text.assign(text);
        kept.place = place;
    }
};

struct Extreme {
    SmallText text;
    EventPlace place;
    double near = 0;  // the nearest double of a number; not a number otherwise

    void release() { text.release(); }
};

template <bool Greatest>
class MinOrMax final : public StatefulAggregate<Extreme> {
public:
    using StatefulAggregate::StatefulAggregate;

    Result<void> add(std::byte* state, const AggregateInput& input) const override {
        if (!input.value.is_nothing()) offer(at(state), input.value, near_of(input.value), place_of(input));
        return {};
    }
    Result<void> merge(std::byte* into, const std::byte* from) const override {
        const Extreme& other = at(from);
        if (!other.text.empty()) offer(at(into), value_of(other.text.view()), other.near, other.place);
        return {};
    }
    Result<void> write(const std::byte* state, const WindowSpan&, std::string& out) const override {
        const SmallText& text = at(state).text;
        out.append(text.empty() ? "null" : text.view());
        return {};
    }
    void snapshot(const std::byte* state, StateWriter& writer) const override {
        const Extreme& kept = at(state);
        writer.put_bytes(kept.text.view());
        writer.put_i64(kept.place.time);
        writer.put_u64(kept.place.position);
    }
    Result<void> restore(std::byte* state, StateReader& reader) const override {
        Extreme& kept = at(state);
        kept.text.assign(reader.get_bytes());
        kept.place.time = reader.get_i64();
        kept.place.position = reader.get_u64();
        kept.near = near_of(value_of(kept.text.view()));
        return reader.check(spec().function);
    }
    std::size_t heap_bytes(const std::byte* state) const override { return at(state).text.heap_bytes(); }

private:
    static double near_of(const Value& value) {
        if (value.type != Type::number) return std::numeric_limits<double>::quiet_NaN();
        if (const auto integer = parse_int64(value.text)) return static_cast<double>(*integer);
        return to_double(value.text);
    }

    static void offer(Extreme& kept, const Value& value, double near, EventPlace place) {
        if (!kept.text.empty()) {
            // Rounding keeps the order, so where the nearest doubles differ they decide.
            if (Greatest ? near < kept.near : near > kept.near) return;
            if (!(Greatest ? near > kept.near : near < kept.near)) {
                const int compared = compare_values(value, value_of(kept.text.view()));
                if (Greatest ? compared < 0 : compared > 0) return;
                if (compared == 0 && place > kept.place) return;
            }
        }
        kept.text.assign(value.text);
        kept.place = place;
        kept.near = near;
    }
};

}  // namespace

std::unique_ptr<Aggregate> make_first(const AggregateSpec& spec) {
    return std::make_unique<FirstOrLast<false>>(spec);
}
std::unique_ptr<Aggregate> make_last(const AggregateSpec& spec) {
    return std::make_unique<FirstOrLast<true>>(spec);
}
std::unique_ptr<Aggregate> make_min(const AggregateSpec& spec) {
    return std::make_unique<MinOrMax<false>>(spec);
}
std::unique_ptr<Aggregate> make_max(const AggregateSpec& spec) {
    return std::make_unique<MinOrMax<true>>(spec);
}

}  // namespace stream
