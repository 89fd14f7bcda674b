// SPDX-License-Identifier: Apache-2.0
// The most frequent values: Space-Saving (Metwally, Agrawal, El Abbadi, "Efficient Computation of
// Frequent and Top-k Elements in Data Streams", ICDT 2005) on its stream summary, a list of counters
// grouped by count, so that adding costs one hash look-up and a few links; merged as Agarwal et al.
// ("Mergeable Summaries", PODS 2012) show.
//
// Of n values, with m counters: count - error <= true count <= count for every value kept, error <=
// n/m, and every value that came more than n/m times is kept. Merging keeps all three, with the n of
// the whole. Up to m different values everything is exact and no order matters; beyond that the order
// of arrival decides which counter a new value takes over (the least one, of equal ones the one that
// has had its count longest).
#pragma once

#include "state/bytes.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stream {

class SpaceSaving {
public:
    static constexpr std::size_t capacity_max = 1'000'000;
    static constexpr std::uint64_t total_limit = std::uint64_t{1} << 62;

    struct Item {
        std::string_view value;  // canonical JSON, the sketch's own bytes
        std::uint64_t count = 0;
        std::uint64_t error = 0;
    };

    explicit SpaceSaving(std::size_t capacity);

    // `value` is canonical JSON and `hash` its sketch_hash().
    void add(std::string_view value, std::uint64_t hash);
    // The result has the lesser capacity of the two. False, and nothing changed, if together they
    // would hold more than total_limit values.
    [[nodiscard]] bool merge(const SpaceSaving& other);

    std::size_t capacity() const { return capacity_; }
    std::size_t size() const { return counters_.size(); }
    std::uint64_t total() const { return total_; }
    // No value that is not kept came more often than this.
    std::uint64_t floor() const { return floor_; }
    // The `limit` greatest counts, greatest first, ties in jq's order of values. Views hold until the
    // sketch changes.
    std::vector<Item> items(std::size_t limit = capacity_max) const;
    std::size_t heap_bytes() const;

    // docs/formats/sketches.md, "top1". `canonical`: equal counters give equal bytes. Otherwise counters
    // of one count stay in the order in which they would be taken over, as a snapshot needs.
    void encode(StateWriter& writer, bool canonical) const;
    // Nothing if the bytes are not such a sketch. That the values are canonical JSON is for the caller
    // to check.
    static std::optional<SpaceSaving> decode(StateReader& reader);

private:
    static constexpr std::uint32_t none = ~std::uint32_t{0};

    struct Counter {
        std::string value;
        std::uint64_t hash = 0;
        std::uint64_t error = 0;
        std::uint32_t bucket = none;
        std::uint32_t before = none;  // in its bucket, oldest first
        std::uint32_t after = none;
    };
    struct Bucket {
        std::uint64_t count = 0;
        std::uint32_t first = none;
        std::uint32_t last = none;
        std::uint32_t lower = none;
        std::uint32_t higher = none;
    };

    std::uint32_t find(std::string_view value, std::uint64_t hash) const;
    std::uint32_t make_counter(std::string_view value, std::uint64_t hash, std::uint64_t error);
    void insert_slot(std::uint32_t counter);
    void erase_slot(std::uint32_t counter);
    void grow_slots();

    void increment(std::uint32_t counter);
    void link(std::uint32_t counter, std::uint32_t lower, std::uint64_t count);
    void unlink(std::uint32_t counter);
    std::uint32_t make_bucket(std::uint32_t lower, std::uint64_t count);
    void free_bucket(std::uint32_t bucket);
    void append(const Item& item);
    std::vector<Item> unsorted_items() const;  // in the order of counters_
    bool holds_bounds() const;

    std::size_t capacity_;
    std::uint64_t total_ = 0;
    std::uint64_t floor_ = 0;
    std::size_t long_bytes_ = 0;  // of values too long to lie in their counter
    std::vector<Counter> counters_;
    std::vector<Bucket> buckets_;
    std::vector<std::uint32_t> free_buckets_;
    std::vector<std::uint32_t> slots_;  // hash table: a counter's place + 1; 0 is empty
    std::uint32_t lowest_ = none;
    std::uint32_t highest_ = none;
};

}  // namespace stream
