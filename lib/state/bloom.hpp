// SPDX-License-Identifier: Apache-2.0
// Approximate sets of keys: what was added is always found; what was not is found with at most a stated
// probability. About 13 bits a key at 1 %, 20 at 0.1 %, and as much again where a filter has just grown.
//
// Blocked filters (Putze, Sanders, Singler, 2007: one cache line a look), in a series whose sizes double
// and whose errors halve (Almeida et al., Scalable Bloom Filters, 2007). A line's load varies, so its
// error is more than a plain filter's: the size is chosen by the mixture of Poisson loads, not by the
// textbook formula.
#pragma once

#include "base/error.hpp"
#include "state/bytes.hpp"
#include "state/key_hash.hpp"
#include "time/timestamp.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace stream {

// Of fixed size.
class BloomFilter {
public:
    // For `keys` keys at most.
    BloomFilter(std::uint64_t keys, double error);

    bool contains(const Hash128& hash) const;
    void insert(const Hash128& hash);
    bool is_full() const { return count_ >= keys_; }
    std::uint64_t size() const { return count_; }
    std::size_t memory() const { return lines_ * 64; }

    void snapshot(StateWriter& writer) const;
    Result<void> restore(StateReader& reader);

private:
    struct Line {
        std::uint64_t words[8];
    };
    struct Free {
        void operator()(void* memory) const;
    };
    const Line& line_of(const Hash128& hash) const;

    std::uint64_t keys_;
    std::uint64_t lines_;
    unsigned bits_;  // set for each key
    std::uint64_t count_ = 0;
    std::unique_ptr<void, Free> memory_;
    Line* data_;
};

// Grows; the error holds over all that was ever added.
class ScalableBloom {
public:
    ScalableBloom(double error, std::uint64_t first_keys) : error_(error), first_keys_(first_keys) {}

    // Adds the key; whether it was new (as far as can be told).
    bool insert(const Hash128& hash);
    bool contains(const Hash128& hash) const;

    std::uint64_t size() const;
    std::size_t memory() const;

    void snapshot(StateWriter& writer) const;
    Result<void> restore(StateReader& reader);

private:
    void add_layer();

    double error_;
    std::uint64_t first_keys_;
    std::vector<BloomFilter> layers_;  // the last one takes new keys
};

// Keys with times, in generations a quarter of `within` wide that are dropped whole. A key that was
// added at most `within` from a time is found for it; one that was added more than 5/4 of `within` away
// is found with at most the stated probability; between the two it may be found.
class TimedBloom {
public:
    TimedBloom(double error, DurationNs within);

    bool insert(const Hash128& hash, TimeNs time);
    // Generations all of whose times are older are forgotten.
    void expire(TimeNs before);

    std::uint64_t size() const;
    std::size_t memory() const;

    void snapshot(StateWriter& writer) const;
    Result<void> restore(StateReader& reader);

private:
    std::uint64_t first_keys() const;

    double error_;
    DurationNs within_;
    DurationNs width_;
    std::map<std::int64_t, ScalableBloom> generations_;
};

}  // namespace stream
