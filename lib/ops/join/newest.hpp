// SPDX-License-Identifier: Apache-2.0
// Of each key of an interval join its newest event on each side, by number. Keys are not taken out one by one, which
// would cost a cache miss each: those none of whose events is held go when the table is full. Open addressing by the
// upper bits, two places a cache line, so a key is in the line that prefetch() brings, and a table made anew is filled
// in the order it is read.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/hash.hpp"

namespace stream {

class NewestOfKeys {
public:
    struct Newest {
        std::uint64_t of[2] = {0, 0};  // LEFT's and RIGHT's; 0: none yet. They may be gone by now.
    };

    void prefetch(const Hash128& key) const {
        if (places_ == 0) return;
        const auto* at = reinterpret_cast<const char*>(&slots_[home(key)]);
        __builtin_prefetch(at, 1);
        __builtin_prefetch(at + 64, 1);
    }

    // The key's entry, made if it is not there; one of its numbers must be set before the next call. `holds(newest)`:
    // whether one of its events is still held. Valid until the next call.
    template <class Holds>
    Newest& operator()(const Hash128& key, Holds&& holds) {
        if (count_ >= places_ / 8 * 5) make_room(holds);
        Slot& slot = slots_[place_of(key)];
        if (is_free(slot)) {
            slot.key = key;
            ++count_;
        }
        return slot.newest;
    }

    std::size_t memory_used() const { return places_ * sizeof(Slot); }

private:
    struct alignas(32) Slot {
        Hash128 key;
        Newest newest;
    };
    static_assert(sizeof(Slot) == 32);
    static bool is_free(const Slot& slot) { return slot.newest.of[0] == 0 && slot.newest.of[1] == 0; }
    std::size_t home(const Hash128& key) const { return static_cast<std::size_t>(key.low >> shift_); }
    std::size_t place_of(const Hash128& key) const {
        std::size_t at = home(key);
        while (!is_free(slots_[at]) && slots_[at].key != key) at = at + 1 == places_ ? 0 : at + 1;
        return at;
    }

    // Half full at most afterwards.
    template <class Holds>
    void make_room(Holds&& holds) {
        if (places_ != 0) sweep(holds);
        constexpr std::size_t least = 1024;
        const std::size_t needed = std::max(least, std::bit_ceil(count_ * 2 + 2));
        if (needed == places_ || needed == places_ / 2) return;
        const auto old = std::exchange(slots_, std::make_unique<Slot[]>(needed));
        const std::size_t old_places = std::exchange(places_, needed);
        shift_ = 64 - static_cast<unsigned>(std::countr_zero(needed));
        for (std::size_t i = 0; i < old_places; ++i) {
            if (!is_free(old[i])) slots_[place_of(old[i].key)] = old[i];
        }
    }

    // Takes out the keys without events where they lie: each run of places in use is made anew by itself.
    template <class Holds>
    void sweep(Holds&& holds) {
        std::size_t begin = 0;
        while (!is_free(slots_[begin])) ++begin;  // there is one: it is never quite full
        count_ = 0;
        for (std::size_t i = 1; i <= places_; ++i) {
            Slot& slot = slots_[(begin + i) & (places_ - 1)];
            if (!is_free(slot)) {
                if (holds(slot.newest)) run_.push_back(slot);
                slot = {};
                continue;
            }
            for (const Slot& kept : run_) slots_[place_of(kept.key)] = kept;
            count_ += run_.size();
            run_.clear();
        }
    }

    std::vector<Slot> run_;  // sweep()
    std::unique_ptr<Slot[]> slots_;
    std::size_t places_ = 0;  // a power of two
    std::size_t count_ = 0;   // with those of no event
    unsigned shift_ = 63;
};

}  // namespace stream
