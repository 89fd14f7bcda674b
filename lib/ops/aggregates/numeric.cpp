// SPDX-License-Identifier: Apache-2.0
// Counts and sums, and what comes from them.
#include <cmath>
#include <cstdint>
#include <limits>

#include "json/number.hpp"
#include "ops/aggregates/exact.hpp"
#include "ops/aggregates/exact_sum.hpp"
#include "ops/aggregates/stateful.hpp"

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
    void snapshot(const std::byte* state, StateWriter& writer) const final { writer.put_varint(at(state).count); }
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
            append_double(out, nearest_quotient(Int128{count}, 9, static_cast<std::uint64_t>(window.length_ns)));
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

struct Moments {
    ExactSum sum;
    ExactSum squares;
    std::uint64_t count = 0;

    void release() {
        sum.release();
        squares.release();
    }
    void merge(const Moments& other) {
        sum.add(other.sum);
        squares.add(other.squares);
        count += other.count;
    }
    void snapshot(StateWriter& writer) const {
        writer.put_varint(count);
        sum.snapshot(writer);
        squares.snapshot(writer);
    }
    void restore(StateReader& reader) {
        count = reader.get_varint();
        sum.restore(reader);
        squares.restore(reader);
    }
    std::size_t heap_bytes() const { return sum.heap_bytes() + squares.heap_bytes(); }
};

// An aggregate whose state is made of sums.
template <class State>
class OfSums : public StatefulAggregate<State> {
public:
    using StatefulAggregate<State>::StatefulAggregate;

    Result<void> merge(std::byte* into, const std::byte* from) const final {
        this->at(into).merge(this->at(from));
        return {};
    }
    void snapshot(const std::byte* state, StateWriter& writer) const final { this->at(state).snapshot(writer); }
    Result<void> restore(std::byte* state, StateReader& reader) const final {
        this->at(state).restore(reader);
        return reader.check(this->spec().function);
    }
    std::size_t heap_bytes(const std::byte* state) const final { return this->at(state).heap_bytes(); }

protected:
    // A number, or true as 1 and false as 0.
    Result<void> add_term(ExactSum& sum, const Value& value) const {
        switch (value.type) {
            case Type::number:
                if (!sum.add(value.text)) [[unlikely]] return this->out_of_range(value.text);
                return {};
            case Type::boolean_false: sum.add_integer(0); return {};
            case Type::boolean_true: sum.add_integer(1); return {};
            default: return this->wants_numbers(value);
        }
    }
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
        if (added) [[likely]] ++at(state).count;
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

// Variance = top ÷ (n (n − 1)), top = n Σx² − (Σx)², nothing rounded before the division.
class Deviations : public OfSums<Moments> {
public:
    using OfSums::OfSums;

    Result<void> add(std::byte* state, const AggregateInput& input) const final {
        const Value& value = input.value;
        if (value.is_nothing()) return {};
        if (value.type != Type::number) return wants_numbers(value);
        Moments& moments = at(state);
        if (!moments.sum.add(value.text)) return out_of_range(value.text);
        moments.squares.add_square(value.text);
        ++moments.count;
        return {};
    }
    Result<void> write(const std::byte* state, const WindowSpan&, std::string& out) const final {
        const Moments& moments = at(state);
        if (moments.count < 2) {
            out.append("null");
        } else {
            append_double(out, result(moments));
        }
        return {};
    }

protected:
    virtual double result(const Moments& moments) const = 0;

    // In 128 bits, in units of 10^-(2 scale of the sum); false if it does not fit.
    static bool small_top(const Moments& moments, Int128& top) {
        const ExactSum& sum = moments.sum;
        const ExactSum& squares = moments.squares;
        if (!sum.is_small() || !squares.is_small() || squares.scale() != 2 * sum.scale()) return false;
        Int128 square = 0;
        return !__builtin_mul_overflow(squares.small(), Int128{moments.count}, &top) &&
               !__builtin_mul_overflow(sum.small(), sum.small(), &square) &&
               !__builtin_sub_overflow(top, square, &top);
    }
    static BigDecimal big_top(const Moments& moments) {
        BigDecimal top = moments.squares.to_big();
        top.multiply(moments.count);
        const BigDecimal sum = moments.sum.to_big();
        top.subtract(BigDecimal::product(sum, sum));
        return top;
    }
    // times 10^shift
    static double variance(const Moments& moments, int shift = 0) {
        Int128 top = 0;
        if (small_top(moments, top)) {
            shift -= 2 * static_cast<int>(moments.sum.scale());
            return nearest_quotient(top, shift, moments.count, moments.count - 1);
        }
        return big_top(moments).nearest_quotient(shift, moments.count, moments.count - 1);
    }
};

class Variance final : public Deviations {
public:
    using Deviations::Deviations;

protected:
    double result(const Moments& moments) const override { return variance(moments); }
};

class Stddev final : public Deviations {
public:
    using Deviations::Deviations;

protected:
    // The root of the nearest double may be a unit off the double nearest to the root: the exact
    // variance is held against the squares of the midpoints to both neighbours.
    double result(const Moments& moments) const override {
        double root = approximate_root(moments);
        if (!(root > 1e-300 && root < 1e308)) return root;  // a neighbour may be subnormal or infinite
        const BigDecimal top = big_top(moments);
        while (true) {
            int exponent = 0;
            // root = whole × 2^exponent, whole of 53 bits.
            const auto whole = static_cast<std::uint64_t>(std::ldexp(std::frexp(root, &exponent), 53));
            exponent -= 53;
            const bool odd = whole % 2 == 1;
            const int above = compare_to_square(top, moments.count, 2 * whole + 1, exponent - 1);
            if (above > 0 || (above == 0 && odd)) {
                root = std::nextafter(root, std::numeric_limits<double>::infinity());
                continue;
            }
            // Below a power of two the doubles lie twice as close.
            const bool power_of_two = whole == std::uint64_t{1} << 52;
            const int below = power_of_two ? compare_to_square(top, moments.count, 4 * whole - 1, exponent - 2)
                                           : compare_to_square(top, moments.count, 2 * whole - 1, exponent - 1);
            if (below > 0 || (below == 0 && !odd)) return root;
            root = std::nextafter(root, 0.0);
        }
    }

private:
    // Within a few units, also where the variance is past the range of a double and its root is not.
    static double approximate_root(const Moments& moments) {
        const double square = variance(moments);
        if (square > 1e280) return std::sqrt(variance(moments, -400)) * 1e200;
        if (square < 1e-280) return std::sqrt(variance(moments, 400)) * 1e-200;
        return std::sqrt(square);
    }

    // The variance against (number × 2^exponent)²: <0, 0, >0.
    static int compare_to_square(BigDecimal top, std::uint64_t count, std::uint64_t number, int exponent) {
        BigDecimal other(1, 0);
        for (const std::uint64_t factor : {number, number, count, count - 1}) other.multiply(factor);
        BigDecimal& lesser = exponent < 0 ? top : other;
        for (int twos = 2 * std::abs(exponent); twos > 0; twos -= 32) {
            lesser.multiply(std::uint64_t{1} << (twos < 32 ? twos : 32));
        }
        top.subtract(other);
        return top.sign();
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
std::unique_ptr<Aggregate> make_variance(const AggregateSpec& spec) { return std::make_unique<Variance>(spec); }
std::unique_ptr<Aggregate> make_stddev(const AggregateSpec& spec) { return std::make_unique<Stddev>(spec); }
std::unique_ptr<Aggregate> make_rate(const AggregateSpec& spec) {
    if (spec.field.empty()) return std::make_unique<RateOfEvents>(spec);
    return std::make_unique<RateOfSum>(spec);
}
std::unique_ptr<Aggregate> make_span(const AggregateSpec& spec) { return std::make_unique<Span>(spec); }

}  // namespace stream
