// SPDX-License-Identifier: Apache-2.0
// Counts and sums, and what comes from them.
#include <cstdint>

#include "json/number.hpp"
#include "ops/aggregates/exact.hpp"
#include "ops/aggregates/of_sums.hpp"

namespace stream {
namespace {

struct Counter {
    std::uint64_t count = 0;

    void release() {}
};

class CountBase : public StatefulAggregate<Counter> {
public:
    using StatefulAggregate::StatefulAggregate;

    Result<void> merge(std::byte* into, const std::byte* from) const final {
        at(into).count += at(from).count;
        return {};
    }
    void snapshot(const std::byte* state, StateWriter& writer) const final {
        writer.put_varint(at(state).count);
    }
    Result<void> restore(std::byte* state, StateReader& reader) const final {
        at(state).count = reader.get_varint();
        return reader.check(spec().function);
    }
};

class CountEvents : public CountBase {
public:
    using CountBase::CountBase;

    Result<void> add(std::byte* state, const AggregateInput&) const final {
        ++at(state).count;
        return {};
    }
    Result<void> write(const std::byte* state, const WindowSpan&, std::string& out) const override {
        append_uint64(out, at(state).count);
        return {};
    }
};

class CountTrue final : public CountBase {
public:
    using CountBase::CountBase;

    Result<void> add(std::byte* state, const AggregateInput& input) const override {
        if (input.value.is_truthy()) ++at(state).count;
        return {};
    }
    Result<void> write(const std::byte* state, const WindowSpan&, std::string& out) const override {
        append_uint64(out, at(state).count);
        return {};
    }
};

class RateOfEvents final : public CountEvents {
public:
    using CountEvents::CountEvents;

    Result<void> write(const std::byte* state, const WindowSpan& window, std::string& out) const override {
        const std::uint64_t count = at(state).count;
        if (count == 0 || window.length_ns <= 0) {
            out.append("null");
        } else {
            append_double(out,
                          nearest_quotient(Int128{count}, 9, static_cast<std::uint64_t>(window.length_ns)));
        }
        return {};
    }
};

struct Total {
    ExactSum sum;

    void release() { sum.release(); }
    void merge(const Total& other) { sum.add(other.sum); }
    void snapshot(StateWriter& writer) const { sum.snapshot(writer); }
    void restore(StateReader& reader) { sum.restore(reader); }
    std::size_t heap_bytes() const { return sum.heap_bytes(); }
};

struct CountedTotal {
    ExactSum sum;
    std::uint64_t count = 0;

    void release() { sum.release(); }
    void merge(const CountedTotal& other) {
        sum.add(other.sum);
        count += other.count;
    }
    void snapshot(StateWriter& writer) const {
        writer.put_varint(count);
        sum.snapshot(writer);
    }
    void restore(StateReader& reader) {
        count = reader.get_varint();
        sum.restore(reader);
    }
    std::size_t heap_bytes() const { return sum.heap_bytes(); }
};

class Sum final : public OfSums<Total> {
public:
    using OfSums::OfSums;

    Result<void> add(std::byte* state, const AggregateInput& input) const override {
        if (input.value.is_nothing()) return {};
        return add_term(at(state).sum, input.value);
    }
    // The limit is looked at here and not in add(): a sum that passes 128 bits on its way and comes
    // back must not fail in one order of arrival and succeed in another.
    Result<void> write(const std::byte* state, const WindowSpan&, std::string& out) const override {
        const ExactSum& sum = at(state).sum;
        if (!sum.has_terms()) {
            out.append("null");
        } else if (sum.only_integers() && !sum.is_int128()) {
            return fail(ErrorKind::limit, "the sum of \"" + spec().field + "\" does not fit in 128 bits");
        } else {
            sum.append_to(out);
        }
        return {};
    }
};

class RateOfSum final : public OfSums<Total> {
public:
    using OfSums::OfSums;

    Result<void> add(std::byte* state, const AggregateInput& input) const override {
        if (input.value.is_nothing()) return {};
        return add_term(at(state).sum, input.value);
    }
    Result<void> write(const std::byte* state, const WindowSpan& window, std::string& out) const override {
        const ExactSum& sum = at(state).sum;
        if (!sum.has_terms() || window.length_ns <= 0) {
            out.append("null");
        } else {
            append_double(out, sum.nearest_quotient(9, static_cast<std::uint64_t>(window.length_ns)));
        }
        return {};
    }
};

class Mean final : public OfSums<CountedTotal> {
public:
    using OfSums::OfSums;

    Result<void> add(std::byte* state, const AggregateInput& input) const override {
        if (input.value.is_nothing()) return {};
        Result<void> added = add_term(at(state).sum, input.value);
        if (added) [[likely]]
            ++at(state).count;
        return added;
    }
    Result<void> write(const std::byte* state, const WindowSpan&, std::string& out) const override {
        const CountedTotal& total = at(state);
        if (total.count == 0) {
            out.append("null");
        } else {
            append_double(out, total.sum.nearest_quotient(0, total.count));
        }
        return {};
    }
};

struct Extent {
    TimeNs first = time_after_all;
    TimeNs last = time_before_all;

    void release() {}
    void include(const Extent& other) {
        if (other.first < first) first = other.first;
        if (other.last > last) last = other.last;
    }
};

class Span final : public StatefulAggregate<Extent> {
public:
    using StatefulAggregate::StatefulAggregate;

    Result<void> add(std::byte* state, const AggregateInput& input) const override {
        at(state).include({input.time, input.time});
        return {};
    }
    Result<void> merge(std::byte* into, const std::byte* from) const override {
        at(into).include(at(from));
        return {};
    }
    Result<void> write(const std::byte* state, const WindowSpan&, std::string& out) const override {
        const Extent& extent = at(state);
        if (extent.first > extent.last) {
            out.append("null");
            return {};
        }
        std::string seconds;
        append_int128(seconds, Int128{extent.last} - extent.first);
        append_canonical_number(out, seconds + "e-9");
        return {};
    }
    void snapshot(const std::byte* state, StateWriter& writer) const override {
        writer.put_i64(at(state).first);
        writer.put_i64(at(state).last);
    }
    Result<void> restore(std::byte* state, StateReader& reader) const override {
        at(state).first = reader.get_i64();
        at(state).last = reader.get_i64();
        return reader.check("span");
    }
};

}  // namespace

std::unique_ptr<Aggregate> make_count(const AggregateSpec& spec) {
    if (spec.field.empty()) return std::make_unique<CountEvents>(spec);
    return std::make_unique<CountTrue>(spec);
}
std::unique_ptr<Aggregate> make_sum(const AggregateSpec& spec) { return std::make_unique<Sum>(spec); }
std::unique_ptr<Aggregate> make_mean(const AggregateSpec& spec) { return std::make_unique<Mean>(spec); }
std::unique_ptr<Aggregate> make_rate(const AggregateSpec& spec) {
    if (spec.field.empty()) return std::make_unique<RateOfEvents>(spec);
    return std::make_unique<RateOfSum>(spec);
}
std::unique_ptr<Aggregate> make_span(const AggregateSpec& spec) { return std::make_unique<Span>(spec); }

}  // namespace stream
