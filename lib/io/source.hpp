// SPDX-License-Identifier: Apache-2.0
// Bytes in. A ByteSource is a file, a pipe, a followed file, or the decompressed form of one. It never
// waits: the pump polls, so that it can flush before it waits and notice signals and a reader that
// went away while it does.
#pragma once

#include "base/error.hpp"
#include "io/file_place.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

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

    // Where reading would go on behind the first `count` of the bytes that read() has given since the source
    // was opened (or resumed), all of them in the order in which they came, also a newline that the source
    // put in at a change of file (behind it reading goes on after the end of the file before). The caller
    // asks for ends of lines, or for what ended without one; never for less than it asked for before. Nothing
    // for a source that cannot be resumed, or was not opened to be. ErrorKind::io: bytes read before could
    // not be read again; ErrorKind::limit: too many files ended between `count` and what was read.
    virtual Result<std::optional<FilePlace>> place_at([[maybe_unused]] std::uint64_t count) {
        return std::nullopt;
    }

    // A regular file, read at will: never waited for, never read ahead by a merge.
    virtual bool is_regular() const = 0;
    // Grows without end (--follow): its last line is not complete until its newline is there.
    virtual bool is_followed() const { return false; }
};

// A source that is no file, and can be resumed where a text of its own says.
class PlacedSource : public ByteSource {
public:
    // Behind the first `count` of the bytes that read() has given. ErrorKind::io: too far back.
    virtual Result<std::string> place_text(std::uint64_t count) const = 0;
};

}  // namespace stream
