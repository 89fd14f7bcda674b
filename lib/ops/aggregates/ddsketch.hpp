// SPDX-License-Identifier: Apache-2.0
// Quantiles to 1 % of the value: DDSketch (Masson, Rim, Lee, "DDSketch: a fast and fully-mergeable
// quantile sketch with relative-error guarantees", VLDB 2019).
//
// Buckets are logarithmic with gamma = 2^(1/35), 35 to each power of two, which gives alpha =
// (gamma - 1)/(gamma + 1) = 0.9902 %. 35 whole buckets in an octave make a value's bucket a matter of
// its exponent and of comparing its mantissa with a table of integers: no logarithm, no rounding, the
// same bucket on every machine. Answers are rounded to five significant digits, which adds 0.005 %.
//
// The buckets of negative values, zero and positive values are one ordered sequence. Only those that
// hold something take room (12 bytes); past bucket_limit the lowest two become one, so that low
// quantiles alone lose accuracy. 4,096 buckets in a row span 35 powers of ten (1e-12 to 1e23).
// Neither order nor merging changes the state: the whole and its merged parts are the same.
#pragma once

#include "state/bytes.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace stream {

// p of pNN as an exact fraction of 1: 99.9 is 999/1000.
struct QuantileFraction {
    std::uint64_t numerator = 1;
    std::uint64_t denominator = 2;

    // The nearest rank among `count` values, counted from 1: ceil(p * count), at least 1.
    std::uint64_t rank(std::uint64_t count) const;
};

class DDSketch {
public:
    static constexpr double relative_error = 0.01;
    static constexpr std::size_t bucket_limit = 4096;
    static constexpr std::uint64_t count_limit = std::uint64_t{1} << 62;

    // A finite value. What is nearer to zero than 2.3e-308 counts as zero.
    void add(double value);
    // False, and nothing changed, if together they would hold more than count_limit values.
    [[nodiscard]] bool merge(const DDSketch& other);

    std::uint64_t count() const { return count_; }
    // Within 1 % of the value of that rank; the least and the greatest are exact. Of an empty sketch 0.
    double quantile(const QuantileFraction& fraction) const;

    std::size_t bucket_count() const { return keys_.size(); }
    std::size_t heap_bytes() const;

    // Equal sketches give equal bytes (docs/formats/sketches.md, "dds1").
    void encode(StateWriter& writer) const;
    // Nothing if the bytes are not such a sketch.
    static std::optional<DDSketch> decode(StateReader& reader);

    // The bucket of a value and the value that stands for a bucket; public for tests.
    static std::int32_t key_of(double value);
    static double value_of_key(std::int32_t key);

private:
    void add_to(std::int32_t key, std::uint64_t count);
    void collapse();

    std::vector<std::int32_t> keys_;  // ascending, each with its count of at least 1
    std::vector<std::uint64_t> counts_;
    std::uint64_t count_ = 0;
    double min_ = 0;  // once count_ > 0
    double max_ = 0;
};

}  // namespace stream
