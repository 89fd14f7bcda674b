// SPDX-License-Identifier: Apache-2.0
// Where the bytes that a source gave came from: for each of them the file and the offset in it, as far back
// as a place may still be asked for.
#pragma once

#include "base/error.hpp"
#include "io/fd.hpp"
#include "io/file_place.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stream {

// The first KiB of a file, and the last bytes before where it was read to.
struct KnownBytes {
    std::string head;
    std::string tail;
    std::uint64_t end = 0;            // how far it was read
    std::size_t window = place_edge;  // the tail holds this much, and at most twice

    void add(std::string_view bytes);
    std::string_view last() const;  // the last KiB
    std::optional<std::uint32_t> head_crc(std::uint64_t offset) const;
    std::optional<std::uint32_t> tail_crc(std::uint64_t offset) const;
};

// A window that holds what readers of lines commonly have read and not used.
constexpr std::size_t place_window = 1 << 20;

// A file from its first byte to its end or until it was truncated, and what is known of its bytes. It
// outlives the reading of it while a place in it may be asked for.
struct FileLife {
    FileIdentity identity;
    std::int64_t modified_ns = 0;
    std::string name;
    std::shared_ptr<OwnedFd> fd;  // bytes that are no longer in the window are read again
    bool compressed = false;
    bool followed = false;
    bool over = false;  // truncated or rewritten (the file has another life now), or left for good
    KnownBytes bytes;

    // ErrorKind::io where the bytes before it cannot be read again. If they are gone from the file the
    // place is one that will not be found.
    Result<FilePlace> place_at(std::uint64_t offset) const;
};
using FileLifePtr = std::shared_ptr<FileLife>;

class GivenBytes {
public:
    // Nothing is noted without.
    void enable() { enabled_ = true; }
    bool is_enabled() const { return enabled_; }

    // Where reading starts; not called again once bytes came.
    void start_at(FileLifePtr current, std::uint64_t offset) {
        current_ = {std::move(current), offset, false};
    }
    void start_left(FileLifePtr life, std::uint64_t offset) {
        left_.push_back({std::move(life), offset, false});
    }
    bool has_start() const { return current_.life != nullptr || !stretches_.empty(); }

    // `size` bytes come next: `file_size` of a file, up to its offset `file_end`, and the rest put in (a
    // newline). Those of a file that was left before don't make it the current one.
    void add(const FileLifePtr& life, std::uint64_t file_end, std::size_t file_size, std::size_t size,
             bool was_left);
    // This life ended there, all that can be had of it was given, and what is missing was told.
    void end_life(const FileLifePtr& life);
    // Nothing more comes of a file that was left.
    void drop(const FileLifePtr& life);

    // The place behind the first `count` bytes given; `count` never decreases from call to call. Nothing if
    // not enabled. ErrorKind::io as FileLife; ErrorKind::limit if too many changes of file lie behind it.
    Result<std::optional<FilePlace>> place_at(std::uint64_t count);

private:
    struct Stretch {
        enum class Kind : std::uint8_t { current, left, end, drop };
        Kind kind;
        FileLifePtr life;
        std::uint64_t begin;  // in the bytes given
        std::uint64_t size;
        std::uint64_t file_begin;
        std::uint64_t file_size;
    };
    struct Position {
        FileLifePtr life;
        std::uint64_t offset = 0;
        bool over = false;
    };

    void note(Stretch stretch);
    void apply(const Stretch& stretch, std::uint64_t size);
    void make_current(const FileLifePtr& life, std::uint64_t offset);
    void forget_left(const FileLifePtr& life);

    bool enabled_ = false;
    std::uint64_t count_ = 0;  // given
    std::uint64_t base_ = 0;   // current_ and left_ are as of here
    Position current_;
    std::vector<Position> left_;
    std::deque<Stretch> stretches_;  // behind base_, in order
};

}  // namespace stream
