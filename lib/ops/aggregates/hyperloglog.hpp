// SPDX-License-Identifier: Apache-2.0
// How many different values there were, in 16 KiB at most: HyperLogLog with the 64-bit hash and the
// sparse form of HyperLogLog++ (Heule, Nunkesser, Hall, "HyperLogLog in Practice", EDBT 2013), read
// with the improved estimator of Ertl ("New cardinality estimation algorithms for HyperLogLog
// sketches", 2017), which needs no bias tables and no switch between estimators.
//
// Up to sparse_limit distinct indexes of 25 bits the answer is their number: two values share one
// with a probability of 1.5e-4 among 100, and some 0.14 values are lost of 3,072. From there on the
// standard error is 1.04 / sqrt(2^14) = 0.81 %. The state depends on the set of hashes alone, never
// on their order or on how they were split over merged sketches.
#pragma once

#include "state/bytes.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace stream {

// XXH3, 64 bits, seed 0. Written into sketches' meaning, so it can never change.
std::uint64_t sketch_hash(std::string_view canonical_text);

class HyperLogLog {
public:
    static constexpr unsigned precision = 14;
    static constexpr unsigned sparse_precision = 25;
    static constexpr std::size_t register_count = std::size_t{1} << precision;
    static constexpr std::size_t sparse_limit = 3072;

    void add_hash(std::uint64_t hash);
    void merge(const HyperLogLog& other);
    std::uint64_t estimate() const;

    bool is_dense() const { return !registers_.empty(); }
    std::size_t heap_bytes() const;

    // Equal sketches give equal bytes (docs/formats/sketches.md, "hll1").
    void encode(StateWriter& writer) const;
    // Nothing if the bytes are not such a sketch.
    static std::optional<HyperLogLog> decode(StateReader& reader);

private:
    void add_entry(std::uint32_t entry);
    void place(std::uint32_t entry);
    void grow();
    void become_dense();
    void raise(std::uint32_t entry);
    std::vector<std::uint32_t> sorted_entries() const;

    // Sparse: an open-addressing table of (25-bit index << 6 | rank), 0 being an empty slot. The rank
    // is that of the bits behind the index, and 0 where the index alone gives the dense rank.
    std::vector<std::uint32_t> table_;
    std::size_t used_ = 0;
    // Dense: one rank a register; empty while sparse.
    std::vector<std::uint8_t> registers_;
};

}  // namespace stream
