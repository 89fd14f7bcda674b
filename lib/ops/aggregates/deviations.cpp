// SPDX-License-Identifier: Apache-2.0
// Variance and standard deviation of a sample, from exact sums: values that lie close together far
// from zero lose nothing.
#include <cmath>
#include <cstdint>
#include <limits>

#include "json/number.hpp"
#include "ops/aggregates/exact.hpp"
#include "ops/aggregates/of_sums.hpp"

namespace stream {
namespace {

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
            const int below = power_of_two
                                  ? compare_to_square(top, moments.count, 4 * whole - 1, exponent - 2)
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

}  // namespace

std::unique_ptr<Aggregate> make_variance(const AggregateSpec& spec) {
    return std::make_unique<Variance>(spec);
}
std::unique_ptr<Aggregate> make_stddev(const AggregateSpec& spec) { return std::make_unique<Stddev>(spec); }

}  // namespace stream
