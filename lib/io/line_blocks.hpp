// SPDX-License-Identifier: Apache-2.0
// A byte source cut into blocks of whole lines, in one buffer that grows only for a long line, up to a
// limit. A line past the limit is handed on in pieces, so that it can be counted or kept without ever
// being held whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "io/source.hpp"

namespace stream {

class LineBlocks {
public:
    static constexpr std::size_t padding = 128;  // readable, zero bytes behind every block

    LineBlocks(ByteSource& source, std::size_t line_max, std::size_t block = 256 << 10);

    enum class Status : std::uint8_t {
        lines,        // `bytes` is whole lines, each with its '\n' (one is put behind a last line without)
        long_piece,   // part of a line longer than line_max, without its '\n'; more follows
        long_end,     // the last part of such a line (may be empty)
        would_block,  // nothing for now
        end,
    };
    struct Block {
        Status status = Status::end;
        std::string_view bytes;    // valid until the next call
        std::uint64_t offset = 0;  // of its first byte in the (decompressed) input
    };
    Result<Block> next();

    // A last line without its '\n' is not handed out: whoever wrote it was stopped, or has not finished.
    void whole_lines_only() { whole_only_ = true; }
    // Of what was handed out the end, in the input.
    std::uint64_t offset() const { return offset_; }

    // Makes every read return at most this many bytes (tests).
    void limit_reads(std::size_t bytes) { read_max_ = bytes; }

private:
    Block lines_up_to(std::size_t end);

    ByteSource& source_;
    std::size_t line_max_;
    std::size_t block_;
    std::size_t read_max_ = SIZE_MAX;
    std::vector<char> buffer_;
    std::size_t begin_ = 0;    // of the bytes not handed out yet
    std::size_t end_ = 0;      // of the bytes read
    std::size_t searched_ = 0;  // no newline in [begin_, searched_)
    std::uint64_t offset_ = 0;  // of begin_
    bool whole_only_ = false;
    bool at_end_ = false;
    bool in_long_line_ = false;
    bool first_ = true;
};

}  // namespace stream
