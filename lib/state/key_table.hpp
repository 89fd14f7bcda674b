// SPDX-License-Identifier: Apache-2.0
// The memory tier of a key set: open addressing over 128-bit hashes in buckets of 15 with one-byte
// tags (after Swiss tables: Kulukundis, CppCon 2017). A bucket is four to eight cache lines, fetched
// together. Buckets of seven in two lines were slower: more of them overflow.
//
// 1,024 shards by the hash's top bits grow one at a time by half, so the worst moment of growth costs
// half a shard and the fill stays between 7/12 and 7/8. An entry may carry words after its hash; its
// first word is then its time, and entries of one hash with different times may stand side by side.
// Where in its shard such an entry stands also depends on its time, in steps of `placement_step`: a
// hash with very many times spreads over the shard instead of making one long chain.
//
// Nothing is deleted singly. sweep() rebuilds one shard without what has expired.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/check.hpp"
#include "state/key_hash.hpp"
#include "time/timestamp.hpp"

namespace stream {

namespace key_table {

inline constexpr unsigned slots = 15;  // a bucket; the 16th tag says that the bucket has overflowed
inline constexpr unsigned shards_log2 = 10;
inline constexpr std::size_t shards = 1u << shards_log2;

template <unsigned Words>
struct Payload {
    std::int64_t words[Words][slots];
};
template <>
struct Payload<0> {};

template <unsigned Words>
struct alignas(64) Bucket {
    std::uint8_t tags[16];  // 0: free
    Hash128 hashes[slots];
    [[no_unique_address]] Payload<Words> payload;
};
static_assert(sizeof(Bucket<0>) == 256 && sizeof(Bucket<1>) == 384 && sizeof(Bucket<2>) == 512);

// One bit for each slot whose tag is `wanted`.
inline unsigned match(const std::uint8_t* tags, std::uint8_t wanted) {
#if defined(__SSE2__)
    const __m128i all = _mm_load_si128(reinterpret_cast<const __m128i*>(tags));
    const __m128i equal = _mm_cmpeq_epi8(all, _mm_set1_epi8(static_cast<char>(wanted)));
    return static_cast<unsigned>(_mm_movemask_epi8(equal)) & 0x7fff;
#else
    unsigned mask = 0;
    for (unsigned i = 0; i < slots; ++i) mask |= (tags[i] == wanted ? 1u : 0u) << i;
    return mask;
#endif
}

}  // namespace key_table

template <unsigned Words>
class KeyTable {
public:
    using Bucket = key_table::Bucket<Words>;
    struct Entry {
        Hash128 hash;
        TimeNs time = 0;          // meaningless with no words
        std::uint64_t value = 0;  // with two
    };

    explicit KeyTable(DurationNs placement_step = 1)
        : shards_(std::make_unique<std::array<Shard, key_table::shards>>()),
          placement_step_(placement_step) {}

    static std::size_t shard_of(const Hash128& hash) { return hash.high >> (64 - key_table::shards_log2); }

    void prefetch(const Hash128& hash, std::int64_t step = 0) const {
        const Shard& shard = (*shards_)[shard_of(hash)];
        if (shard.buckets != 0) fetch(shard.data[home(shard, hash, step)]);
    }

    // Calls use(time, value_slot) for each entry of this hash that may stand where `step` places it,
    // until it answers true: then so does find(). value_slot is null without values.
    template <class Use>
    bool find(const Hash128& hash, std::int64_t step, Use&& use) const {
        const Shard& shard = (*shards_)[shard_of(hash)];
        if (shard.buckets == 0) return false;
        const std::uint8_t tag = tag_of(hash);
        std::uint32_t at = home(shard, hash, step);
        fetch(shard.data[at]);
        for (std::uint32_t looked = 0; looked < shard.buckets; ++looked) {
            Bucket& bucket = shard.data[at];
            for (unsigned mask = key_table::match(bucket.tags, tag); mask != 0; mask &= mask - 1) {
                const auto slot = static_cast<unsigned>(std::countr_zero(mask));
                if (bucket.hashes[slot] != hash) continue;
                if constexpr (Words == 0) {
                    return true;
                } else {
                    std::int64_t* value = nullptr;
                    if constexpr (Words == 2) value = &bucket.payload.words[1][slot];
                    if (use(TimeNs{bucket.payload.words[0][slot]}, value)) return true;
                }
            }
            if (bucket.tags[key_table::slots] == 0) return false;
            at = at + 1 == shard.buckets ? 0 : at + 1;
        }
        return false;
    }

    // Whether the shard takes one more entry as it is. If not: sweep() it, grow() it or clear() it.
    bool has_room(std::size_t shard) const { return (*shards_)[shard].count < (*shards_)[shard].limit; }

    // The caller has looked: the entry is not there, and there is room.
    void insert(const Entry& entry) {
        Shard& shard = (*shards_)[shard_of(entry.hash)];
        STREAM_CHECK(shard.count < shard.limit);
        put(shard, entry);
        ++count_;
    }

    // By half, or to the first bucket.
    void grow(std::size_t number) {
        const std::uint32_t now = (*shards_)[number].buckets;
        rebuild(number, now + std::max<std::uint32_t>(1, now / 2), time_before_all);
    }
    std::size_t growth_bytes(std::size_t number) const {
        return std::max<std::size_t>(1, (*shards_)[number].buckets / 2) * sizeof(Bucket);
    }

    // Drops what is older than `before` and gives memory back where the shard has become too wide.
    // How many went.
    std::size_t sweep(std::size_t number, TimeNs before) {
        Shard& shard = (*shards_)[number];
        if (shard.buckets == 0) return 0;
        std::size_t live = 0;
        for_each(number, [&](const Entry& entry) { live += entry.time >= before ? 1 : 0; });
        const std::size_t gone = shard.count - live;
        // Three quarters full at most afterwards, so that the next inserts don't grow it at once.
        const auto needed = static_cast<std::uint32_t>((live * 4 / 3 + key_table::slots) / key_table::slots);
        const bool too_wide = needed < shard.buckets / 2;
        if (gone == 0 && !too_wide) return 0;
        rebuild(number, too_wide ? needed : shard.buckets, before);
        return gone;
    }

    // Forgets a shard's entries; keeps its memory, or half of it.
    void clear(std::size_t number, bool halve) {
        Shard& shard = (*shards_)[number];
        count_ -= shard.count;
        shard.count = 0;
        for (std::uint32_t i = 0; i < shard.buckets; ++i) std::memset(shard.data[i].tags, 0, 16);
        if (halve && shard.buckets > 1) rebuild(number, shard.buckets / 2, time_before_all);
    }

    template <class Use>
    void for_each(std::size_t number, Use&& use) const {
        const Shard& shard = (*shards_)[number];
        for (std::uint32_t i = 0; i < shard.buckets; ++i) {
            const Bucket& bucket = shard.data[i];
            for (unsigned slot = 0; slot < key_table::slots; ++slot) {
                if (bucket.tags[slot] != 0) use(entry_at(bucket, slot));
            }
        }
    }

    std::uint64_t size() const { return count_; }
    std::size_t shard_size(std::size_t number) const { return (*shards_)[number].count; }
    std::size_t memory() const { return bytes_ + sizeof(*shards_); }

    // In which step a time falls; entries are found again under the step of their own time.
    std::int64_t step_of(TimeNs time) const {
        if (time >= step_begin_ && time < step_end_) [[likely]]
            return step_;
        const std::int64_t step = floor_div(time, placement_step_);
        std::int64_t begin = 0;
        if (!__builtin_mul_overflow(step, placement_step_, &begin)) {
            step_ = step;
            step_begin_ = begin;
            step_end_ = time_add(begin, placement_step_);
        }
        return step;
    }

private:
    struct Shard {
        struct Free {
            void operator()(Bucket* data) const { ::operator delete[](data, std::align_val_t{64}); }
        };
        std::unique_ptr<Bucket[], Free> data;
        std::uint32_t buckets = 0;
        std::uint32_t count = 0;
        std::uint32_t limit = 0;  // 7/8 of the slots
    };

    // All lines of a bucket at once: tags, the hash that they point to, and the place that is written
    // next are then one wait for memory and not three.
    static void fetch(Bucket& bucket) {
        auto* at = reinterpret_cast<char*>(&bucket);
        for (std::size_t line = 0; line < sizeof(Bucket); line += 64) __builtin_prefetch(at + line, 1);
    }
    static std::uint8_t tag_of(const Hash128& hash) {
        const auto tag = static_cast<std::uint8_t>(hash.high);
        return tag == 0 ? 255 : tag;
    }
    static std::uint32_t home(const Shard& shard, const Hash128& hash, std::int64_t step) {
        const std::uint64_t mixed = hash.low + static_cast<std::uint64_t>(step) * 0x9e3779b97f4a7c15u;
        return static_cast<std::uint32_t>(((mixed >> 32) * shard.buckets) >> 32);
    }
    static Entry entry_at(const Bucket& bucket, unsigned slot) {
        Entry entry{bucket.hashes[slot], 0, 0};
        if constexpr (Words >= 1) entry.time = bucket.payload.words[0][slot];
        if constexpr (Words == 2) entry.value = static_cast<std::uint64_t>(bucket.payload.words[1][slot]);
        return entry;
    }

    void put(Shard& shard, const Entry& entry) {
        std::uint32_t at = home(shard, entry.hash, Words == 0 ? 0 : step_of(entry.time));
        for (;;) {
            Bucket& bucket = shard.data[at];
            const unsigned free = key_table::match(bucket.tags, 0);
            if (free != 0) {
                const auto slot = static_cast<unsigned>(std::countr_zero(free));
                bucket.tags[slot] = tag_of(entry.hash);
                bucket.hashes[slot] = entry.hash;
                if constexpr (Words >= 1) bucket.payload.words[0][slot] = entry.time;
                if constexpr (Words == 2)
                    bucket.payload.words[1][slot] = static_cast<std::int64_t>(entry.value);
                ++shard.count;
                return;
            }
            bucket.tags[key_table::slots] = 1;
            at = at + 1 == shard.buckets ? 0 : at + 1;
        }
    }

    void rebuild(std::size_t number, std::uint32_t buckets, TimeNs before) {
        Shard& old = (*shards_)[number];
        Shard fresh;
        if (buckets > 0) {
            fresh.data.reset(
                static_cast<Bucket*>(::operator new[](buckets * sizeof(Bucket), std::align_val_t{64})));
            fresh.buckets = buckets;
            fresh.limit = static_cast<std::uint32_t>(std::uint64_t{buckets} * key_table::slots * 7 / 8);
            for (std::uint32_t i = 0; i < buckets; ++i) std::memset(fresh.data[i].tags, 0, 16);
        }
        for_each(number, [&](const Entry& entry) {
            if (Words == 0 || entry.time >= before) put(fresh, entry);
        });
        count_ -= old.count - fresh.count;
        bytes_ += (std::size_t{fresh.buckets} - old.buckets) * sizeof(Bucket);  // wraps both ways
        old = std::move(fresh);
    }

    std::unique_ptr<std::array<Shard, key_table::shards>> shards_;
    DurationNs placement_step_;
    mutable std::int64_t step_ = 0;  // of the times from step_begin_ to before step_end_: the last division
    mutable TimeNs step_begin_ = 0;
    mutable TimeNs step_end_ = 0;
    std::uint64_t count_ = 0;
    std::size_t bytes_ = 0;
};

}  // namespace stream
