// SPDX-License-Identifier: Apache-2.0
#include "state/event_arena.hpp"

#include "base/check.hpp"

#include <algorithm>

namespace stream {
namespace {

constexpr std::size_t prefix = sizeof(std::uint32_t);
constexpr std::size_t free_chunks_max = 16;  // kept for the next burst

}  // namespace

std::uint32_t EventArena::open_chunk(std::size_t need) {
    if (need <= chunk_bytes_ && !free_.empty()) {
        const std::uint32_t number = free_.back();
        free_.pop_back();
        return number;
    }
    std::uint32_t number = static_cast<std::uint32_t>(chunks_.size());
    if (vacated_.empty()) {
        chunks_.emplace_back();
    } else {
        number = vacated_.back();
        vacated_.pop_back();
    }
    Chunk& chunk = chunks_[number];
    chunk.size = std::max(need, chunk_bytes_);
    chunk.bytes = std::make_unique_for_overwrite<char[]>(chunk.size);
    chunk.used = chunk.live = 0;
    allocated_ += chunk.size;
    return number;
}

EventArena::Place EventArena::add(std::string_view bytes) {
    STREAM_CHECK(bytes.size() < 0xffffffff);
    if (discard_ != none) {
        allocated_ -= chunks_[discard_].size;
        chunks_[discard_] = Chunk{};
        vacated_.push_back(discard_);
        discard_ = none;
    }
    const std::size_t need = prefix + bytes.size();
    std::uint32_t number = current_;
    if (number == none || need > chunks_[number].size - chunks_[number].used) {
        number = open_chunk(need);
        if (need <= chunk_bytes_ / 4 || current_ == none) current_ = number;  // a long event has its own
    }
    Chunk& chunk = chunks_[number];
    char* at = chunk.bytes.get() + chunk.used;
    const auto length = static_cast<std::uint32_t>(bytes.size());
    std::memcpy(at, &length, prefix);
    if (length > 0) std::memcpy(at + prefix, bytes.data(), length);
    chunk.used += need;
    chunk.live += need;
    live_ += need;
    return {at + prefix, number};
}

void EventArena::release(const Place& place, std::size_t length) {
    const std::size_t size = prefix + length;
    Chunk& chunk = chunks_[place.chunk];
    chunk.live -= size;
    live_ -= size;
    if (chunk.live > 0) return;
    chunk.used = 0;
    if (place.chunk == current_) return;
    if (chunk.size == chunk_bytes_ && free_.size() < free_chunks_max) {
        free_.push_back(place.chunk);
        return;
    }
    if (discard_ != none) {  // its bytes may go now: only the newest released must stay readable
        allocated_ -= chunks_[discard_].size;
        chunks_[discard_] = Chunk{};
        vacated_.push_back(discard_);
    }
    discard_ = place.chunk;
}

}  // namespace stream
