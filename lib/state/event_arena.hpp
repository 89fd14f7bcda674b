// SPDX-License-Identifier: Apache-2.0
// Bytes of events that wait: bump allocation in chunks, each given back when its last event has gone.
// Events mostly leave about in the order they came, so chunks empty about in order too; what stays long
// (an event far ahead of its time) pins its chunk until the owner moves it (is_sparse()).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace stream {

class EventArena {
public:
    explicit EventArena(std::size_t chunk_bytes) : chunk_bytes_(chunk_bytes) {}

    struct Place {
        const char* data = nullptr;  // the length lies in the four bytes before it
        std::uint32_t chunk = 0;
    };

    // At most 4 GiB - 1.
    Place add(std::string_view bytes);

    static std::string_view bytes_at(const char* data) {
        std::uint32_t length = 0;
        std::memcpy(&length, data - sizeof length, sizeof length);
        return {data, length};
    }

    // The bytes stay readable until the next add().
    void release(const Place& place) { release(place, bytes_at(place.data).size()); }
    // The same without a look at the bytes, for who knows how many there are.
    void release(const Place& place, std::size_t length);

    std::size_t live_bytes() const { return live_; }
    std::size_t allocated_bytes() const { return allocated_; }

    // More than half of what is allocated is held back by chunks that are not empty: worth moving
    // every live event into a new arena.
    bool is_sparse() const { return allocated_ - free_.size() * chunk_bytes_ > 2 * live_ + 8 * chunk_bytes_; }

private:
    struct Chunk {
        std::unique_ptr<char[]> bytes;
        std::size_t size = 0;
        std::size_t used = 0;
        std::size_t live = 0;
    };
    std::uint32_t open_chunk(std::size_t need);

    static constexpr std::uint32_t none = 0xffffffff;
    std::size_t chunk_bytes_;
    std::vector<Chunk> chunks_;
    std::vector<std::uint32_t> free_;     // chunks of the usual size that hold nothing
    std::vector<std::uint32_t> vacated_;  // numbers of chunks that have no bytes
    std::uint32_t current_ = none;
    std::uint32_t discard_ = none;  // a long event's chunk, freed at the next add()
    std::size_t live_ = 0;
    std::size_t allocated_ = 0;
};

}  // namespace stream
