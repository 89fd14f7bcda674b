// SPDX-License-Identifier: Apache-2.0
// What one side of an interval join holds: events in order of time, found by key, dropped in that order.
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/hash_map.hpp"
#include "state/bytes.hpp"
#include "state/event_arena.hpp"
#include "time/timestamp.hpp"

namespace stream {

struct HeldEvent {
    TimeNs time = 0;
    EventArena::Place place;
    bool matched = false;
    bool has_key = true;  // false: its key is null, and matches nothing
    Hash128 key;
    std::uint64_t next = 0;  // number of the next one with this key; 0: none
    std::string_view bytes() const { return EventArena::bytes_at(place.data); }
};

class JoinSide {
public:
    JoinSide() : arena_(256 << 10) {}

    // Events are numbered from 1 in the order they were added. Times never go back.
    std::uint64_t add(const Hash128& key, bool has_key, TimeNs time, std::string_view bytes);
    bool empty() const { return held_.empty(); }
    std::size_t size() const { return held_.size(); }
    std::uint64_t first_number() const { return first_; }
    std::uint64_t end_number() const { return first_ + held_.size(); }
    HeldEvent& at(std::uint64_t number) { return held_[static_cast<std::size_t>(number - first_)]; }
    HeldEvent& front() { return held_.front(); }
    void drop_front();

    // The number of the oldest one with this key; 0: none.
    std::uint64_t first_with(const Hash128& key) const;
    std::size_t memory_used() const;

    void snapshot(StateWriter& writer) const;
    Result<void> restore(StateReader& reader);

private:
    struct List {
        std::uint64_t first = 0;
        std::uint64_t last = 0;
    };
    struct HashOfKey {
        std::size_t operator()(const Hash128& key) const { return static_cast<std::size_t>(key.low); }
    };
    std::deque<HeldEvent> held_;
    std::uint64_t first_ = 1;
    HashMap<Hash128, List, HashOfKey> keys_;
    EventArena arena_;
};

}  // namespace stream
