// SPDX-License-Identifier: Apache-2.0
// The groups of one window (or pane): key bytes to aggregate states, in one open-addressing table.
// Groups lie in chunks that never move; keys lie in an arena. A group with count and sum costs its key,
// its states and about 40 bytes.
#pragma once

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/hash_map.hpp"
#include "ops/window/plan.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace stream {

// Maps by key bytes that can be asked with a view.
struct KeyHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const { return hash64(key, table_seed); }
};
struct KeyEqual {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const { return a == b; }
};
template <class T>
using KeyMap = HashMap<std::string, T, KeyHash, KeyEqual>;

class Groups {
public:
    Groups(const AggregatePlan& plan, std::uint64_t seed);
    ~Groups();
    Groups(const Groups&) = delete;
    Groups& operator=(const Groups&) = delete;

    struct Group {
        const char* key_data;
        std::uint32_t key_size : 31;
        std::uint32_t is_noted : 1;  // it is among the changed ones
        std::uint32_t hash_high;
        std::string_view key() const { return {key_data, key_size}; }
        std::byte* states() { return reinterpret_cast<std::byte*>(this + 1); }
        const std::byte* states() const { return reinterpret_cast<const std::byte*>(this + 1); }
    };

    // The group of this key, made with empty states if there is none.
    Group& find_or_make(std::string_view key);
    Group* find(std::string_view key);
    // Takes the group made last away again; nothing may have been made since.
    void drop_last();

    std::size_t size() const { return count_; }
    Group& at(std::size_t i) {
        return *reinterpret_cast<Group*>(chunks_[i / chunk_groups].get() + (i % chunk_groups) * group_bytes_);
    }
    const Group& at(std::size_t i) const { return const_cast<Groups*>(this)->at(i); }

    // Of tables, keys and fixed states; not what states keep on the heap.
    std::size_t memory() const { return memory_; }

    // All groups, in order of key.
    std::vector<Group*> sorted();

    void snapshot(StateWriter& writer) const;
    Result<void> restore(StateReader& reader, std::size_t& heap);

    // The groups noted since the last call, and back into groups in the state of that moment.
    void note(Group& group) {
        if (group.is_noted) return;
        group.is_noted = 1;
        noted_.push_back(&group);
    }
    void forget_noted();
    void snapshot_changes(StateWriter& writer);
    Result<void> restore_changes(StateReader& reader, std::size_t& heap);

private:
    static constexpr std::size_t chunk_groups = 16;
    static constexpr std::size_t arena_block_max = 16 << 10;

    const char* keep(std::string_view key);
    void grow();

    const AggregatePlan& plan_;
    std::uint64_t seed_;
    std::size_t group_bytes_;
    std::vector<std::unique_ptr<std::byte[]>> chunks_;
    std::size_t count_ = 0;
    // High half: hash, low half: group number + 1; 0: empty.
    std::vector<std::uint64_t> slots_;
    std::size_t mask_ = 0;
    std::vector<std::unique_ptr<char[]>> arena_;
    std::size_t arena_used_ = 0;
    std::size_t arena_size_ = 0;
    std::size_t memory_ = 0;
    std::vector<Group*> noted_;
};

}  // namespace stream
