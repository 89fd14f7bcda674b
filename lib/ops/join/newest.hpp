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

#include "base/hash.hpp"

namespace stream {

class NewestOfKeys {
public:
    struct Newest {
        std::uint64_t of[2] = {0, 0};  // LEFT's and RIGHT's; 0: none yet. They may be gone by now.
    };

    void prefetch(const Hash128& key) const {
        if (places_ != 0) __builtin_prefetch(&slots_[home(key)], 1);
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

    // Less than half full afterwards.
    template <class Holds>
    void make_room(Holds&& holds) {
        std::size_t live = 0;
        for (std::size_t i = 0; i < places_; ++i) live += !is_free(slots_[i]) && holds(slots_[i].newest) ? 1U : 0U;
        constexpr std::size_t least = 1024;
        std::size_t places = std::max(least, std::bit_ceil(live * 2 + 2));
        const auto old = std::exchange(slots_, std::make_unique<Slot[]>(places));
        const std::size_t old_places = std::exchange(places_, places);
        shift_ = 64 - static_cast<unsigned>(std::countr_zero(places));
        count_ = live;
        for (std::size_t i = 0; i < old_places; ++i) {
            if (!is_free(old[i]) && holds(old[i].newest)) slots_[place_of(old[i].key)] = old[i];
        }
    }

    std::unique_ptr<Slot[]> slots_;
    std::size_t places_ = 0;  // a power of two
    std::size_t count_ = 0;   // with those of no event
    unsigned shift_ = 63;
};

}  // namespace stream
