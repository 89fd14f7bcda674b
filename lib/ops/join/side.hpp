// SPDX-License-Identifier: Apache-2.0
// What one side of an interval join holds: events in order of time, dropped in that order, those of one key in a
// chain from the newest to the oldest.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "state/bytes.hpp"
#include "state/event_arena.hpp"
#include "time/timestamp.hpp"

namespace stream {

struct HeldEvent {
    TimeNs time = 0;
    const char* data = nullptr;   // in the arena
    std::uint32_t chunk = 0;      // of the arena
    std::uint32_t size = 0;
    bool matched = false;
    bool has_key = true;          // false: its key is null, and matches nothing
    std::uint64_t older = 0;      // number of the one before it with this key; it may be gone by now (or 0: there was none)
    Hash128 key;
    std::string_view bytes() const { return {data, size}; }
};

class JoinSide {
public:
    JoinSide() : arena_(256 << 10) {}

    // Events are numbered from 1 in the order they were added. Times never go back. `older`: as in HeldEvent.
    std::uint64_t add(const Hash128& key, bool has_key, TimeNs time, std::string_view bytes, std::uint64_t older);
    bool empty() const { return first_ == end_; }
    std::size_t size() const { return static_cast<std::size_t>(end_ - first_); }
    std::uint64_t first_number() const { return first_; }
    std::uint64_t end_number() const { return end_; }
    bool holds(std::uint64_t number) const { return number >= first_; }  // of one that was given out, or 0
    HeldEvent& at(std::uint64_t number) { return block_of(number).events[number % block_events]; }
    const HeldEvent& at(std::uint64_t number) const { return block_of(number).events[number % block_events]; }
    HeldEvent& front() { return at(first_); }
    void drop_front();

    std::size_t memory_used() const { return blocks_.size() * sizeof(Block) + arena_.allocated_bytes(); }

    // The chains are the owner's to make anew.
    void snapshot(StateWriter& writer) const;
    Result<void> restore(StateReader& reader);

private:
    static constexpr std::uint64_t block_events = 512;
    struct Block {
        HeldEvent events[block_events];
    };
    Block& block_of(std::uint64_t number) const { return *blocks_[static_cast<std::size_t>(number / block_events - first_block_)]; }

    std::deque<std::unique_ptr<Block>> blocks_;
    std::uint64_t first_ = 1;
    std::uint64_t end_ = 1;
    std::uint64_t first_block_ = 0;  // what blocks_.front() is, counted from number 0
    EventArena arena_;
};

}  // namespace stream
