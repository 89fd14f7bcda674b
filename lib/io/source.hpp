// SPDX-License-Identifier: Apache-2.0
// Bytes in. A ByteSource is a file, a pipe, a followed file, or the decompressed form of one. It never
// waits: the pump polls, so that it can flush before it waits and notice signals and a reader that
// went away while it does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/error.hpp"

namespace stream {

struct ReadOutcome {
    enum class Status : std::uint8_t { data, end, would_block };
    Status status = Status::end;
    std::size_t size = 0;  // bytes put at the front of the span; > 0 exactly when status is data
};

class ByteSource {
public:
    virtual ~ByteSource() = default;

    // Puts at most into.size() bytes at the front of `into`. Never waits; EINTR and EAGAIN never show.
    // ErrorKind::io for what the system refuses, ErrorKind::corrupt for damaged compressed bytes or a
    // compressed stream that ends in the middle.
    virtual Result<ReadOutcome> read(std::span<char> into) = 0;

    // What to poll (POLLIN) after would_block, or -1; and how long at most to wait before asking again
    // (milliseconds; -1: until the descriptor says so).
    virtual int poll_fd() const = 0;
    virtual int wait_ms() const { return -1; }

    // For progress: bytes taken from the file or pipe itself (compressed ones where it is), and the
    // file's size; 0 if unknown.
    virtual std::uint64_t raw_position() const = 0;
    virtual std::uint64_t raw_size() const { return 0; }

    // A regular file, read at will: never waited for, never read ahead by a merge.
    virtual bool is_regular() const = 0;
    // Grows without end (--follow): its last line is not complete until its newline is there.
    virtual bool is_followed() const { return false; }
};

}  // namespace stream
