// SPDX-License-Identifier: Apache-2.0
#include "ops/window/groups.hpp"

#include "base/check.hpp"
#include "base/hash.hpp"
#include "json/keys.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace stream {

namespace {

// Keys are short: eight bytes at a time, without a call.
bool same_key(const Groups::Group& group, std::string_view key) {
    if (group.key_size != key.size()) return false;
    const char* a = group.key_data;
    const char* b = key.data();
    std::size_t left = key.size();
    for (; left >= 8; left -= 8, a += 8, b += 8) {
        std::uint64_t x = 0;
        std::uint64_t y = 0;
        std::memcpy(&x, a, 8);
        std::memcpy(&y, b, 8);
        if (x != y) return false;
    }
    for (; left > 0; --left) {
        if (*a++ != *b++) return false;
    }
    return true;
}

}  // namespace

Groups::Groups(const AggregatePlan& plan, std::uint64_t seed)
    : plan_(plan), seed_(seed), group_bytes_(sizeof(Group) + plan.state_bytes()) {
    slots_.resize(16);
    mask_ = slots_.size() - 1;
    memory_ = slots_.size() * sizeof(std::uint64_t) + sizeof *this;
}

Groups::~Groups() {
    for (std::size_t i = 0; i < count_; ++i) plan_.destroy(at(i).states());
}

const char* Groups::keep(std::string_view key) {
    if (key.empty()) return "";
    if (arena_size_ - arena_used_ < key.size()) {
        // Small at first: a pane may hold three short keys.
        arena_size_ = std::max(
            key.size(), arena_.empty() ? std::size_t{256} : std::min(2 * arena_size_, arena_block_max));
        arena_.push_back(std::make_unique<char[]>(arena_size_));
        arena_used_ = 0;
        memory_ += arena_size_;
    }
    char* at = arena_.back().get() + arena_used_;
    std::memcpy(at, key.data(), key.size());
    arena_used_ += key.size();
    return at;
}

void Groups::grow() {
    std::vector<std::uint64_t> old(slots_.size() * 2);
    old.swap(slots_);
    memory_ += (slots_.size() - old.size()) * sizeof(std::uint64_t);
    mask_ = slots_.size() - 1;
    STREAM_CHECK(mask_ <= UINT32_MAX);
    for (const std::uint64_t slot : old) {
        if (slot == 0) continue;
        std::size_t place = (slot >> 32) & mask_;
        while (slots_[place] != 0) place = (place + 1) & mask_;
        slots_[place] = slot;
    }
}

Groups::Group* Groups::find(std::string_view key) {
    const auto high = static_cast<std::uint32_t>(hash64(key, seed_) >> 32);
    for (std::size_t place = high & mask_;; place = (place + 1) & mask_) {
        const std::uint64_t slot = slots_[place];
        if (slot == 0) return nullptr;
        if (static_cast<std::uint32_t>(slot >> 32) != high) continue;
        Group& group = at((slot & UINT32_MAX) - 1);
        if (same_key(group, key)) return &group;
    }
}

Groups::Group& Groups::find_or_make(std::string_view key) {
    const auto high = static_cast<std::uint32_t>(hash64(key, seed_) >> 32);
    std::size_t place = high & mask_;
    for (;; place = (place + 1) & mask_) {
        const std::uint64_t slot = slots_[place];
        if (slot == 0) break;
        if (static_cast<std::uint32_t>(slot >> 32) != high) continue;
        Group& group = at((slot & UINT32_MAX) - 1);
        if (same_key(group, key)) return group;
    }
    if ((count_ + 1) * 8 > slots_.size() * 7) {
        grow();
        place = high & mask_;
        while (slots_[place] != 0) place = (place + 1) & mask_;
    }
    if (count_ % chunk_groups == 0) {
        chunks_.push_back(std::make_unique_for_overwrite<std::byte[]>(chunk_groups * group_bytes_));
        memory_ += chunk_groups * group_bytes_;
    }
    slots_[place] = std::uint64_t{high} << 32 | (count_ + 1);
    Group* group = new (&at(count_)) Group{keep(key), static_cast<std::uint32_t>(key.size()) & 0x7fffffffu, 0, high};
    plan_.init(group->states());
    ++count_;
    return *group;
}

void Groups::drop_last() {
    Group& group = at(count_ - 1);
    plan_.destroy(group.states());
    // Its slot was the last to be filled: no other was put behind it because of it.
    for (std::size_t place = group.hash_high & mask_;; place = (place + 1) & mask_) {
        if ((slots_[place] & UINT32_MAX) != count_) continue;
        slots_[place] = 0;
        break;
    }
    arena_used_ -= group.key_size;  // its key was the last to be kept, too
    --count_;
    if (count_ % chunk_groups == 0) {
        chunks_.pop_back();
        memory_ -= chunk_groups * group_bytes_;
    }
}

std::vector<Groups::Group*> Groups::sorted() {
    std::vector<Group*> groups;
    groups.reserve(count_);
    for (std::size_t i = 0; i < count_; ++i) groups.push_back(&at(i));
    std::sort(groups.begin(), groups.end(),
              [](const Group* a, const Group* b) { return Keys::compare(a->key(), b->key()) < 0; });
    return groups;
}

void Groups::snapshot(StateWriter& writer) const {
    writer.put_varint(count_);
    for (std::size_t i = 0; i < count_; ++i) {
        const Group& group = at(i);
        writer.put_bytes(group.key());
        plan_.snapshot(group.states(), writer);
    }
}

void Groups::forget_noted() {
    for (Group* group : noted_) group->is_noted = 0;
    noted_.clear();
}

void Groups::snapshot_changes(StateWriter& writer) {
    writer.put_varint(noted_.size());
    for (const Group* group : noted_) {
        writer.put_bytes(group->key());
        plan_.snapshot(group->states(), writer);
    }
    forget_noted();
}

Result<void> Groups::restore_changes(StateReader& reader, std::size_t& heap) {
    const std::uint64_t count = reader.get_varint();
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::string_view key = reader.get_bytes();
        STREAM_TRY(reader.check("a group"));
        Group& group = find_or_make(key);
        heap -= plan_.heap_bytes(group.states());
        plan_.destroy(group.states());
        plan_.init(group.states());
        STREAM_TRY(plan_.restore(group.states(), reader));
        heap += plan_.heap_bytes(group.states());
        STREAM_TRY(reader.check("a group"));
    }
    return {};
}

Result<void> Groups::restore(StateReader& reader, std::size_t& heap) {
    const std::uint64_t count = reader.get_varint();
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::string_view key = reader.get_bytes();
        STREAM_TRY(reader.check("a group"));
        Group& group = find_or_make(key);
        STREAM_TRY(plan_.restore(group.states(), reader));
        heap += plan_.heap_bytes(group.states());
        STREAM_TRY(reader.check("a group"));
    }
    return {};
}

}  // namespace stream
