// SPDX-License-Identifier: Apache-2.0
// One input of a tool: bytes, perhaps another text format, lines, events. Batches are got with fill(),
// which may have nothing for now; the events of a batch with next(), which never waits.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "io/line_blocks.hpp"
#include "io/source.hpp"
#include "json/scanner.hpp"
#include "json/text_format.hpp"

namespace stream {

class InputReader {
public:
    // `format` may be null (NDJSON); it belongs to the caller and outlives the reader.
    InputReader(std::string name, std::unique_ptr<ByteSource> source, FieldSet& fields, TextFormat* format,
                std::size_t line_max);

    enum class Fill : std::uint8_t { events, bad_line, would_block, end };
    // events: call next() until it says end. bad_line: bad_ tells of one line that never got as far as
    // the scanner (too long, not of the format); take it with take_bad().
    Result<Fill> fill();

    Scanner::Outcome next() { return scanner_.next(); }
    const Scanner& scanner() const { return scanner_; }

    // The line that next() gave is the next one again (its fields are found anew). Not of text formats.
    void again();
    // How many bytes of the source are used up: next() goes on behind them. At the end of a batch only, or of lines.
    std::uint64_t used_bytes() const;
    // The same before the line that next() gave.
    std::uint64_t head_bytes() const { return block_offset_ + scanner_.line_begin(); }
    // How many lines are, and, after a restart, were before.
    std::uint64_t used_lines() const;
    void count_from(std::uint64_t lines, std::uint64_t bytes) {
        lines_before_ = text_lines_ = lines;
        bytes_before_ = bytes;
    }
    void whole_lines_only() {
        lines_.whole_lines_only();
        whole_lines_ = true;
    }
    bool is_text() const { return format_ != nullptr; }
    // Pieces of a line that is too long are still to come: no place can be told.
    bool is_in_long_line() const { return long_line_open_; }

    // Text formats: where a reader of the same format goes on. Records are made into events by blocks, so it is the
    // beginning of one, and how many of its events are done with.
    struct TextPlace {
        std::uint64_t bytes = 0;  // of the source
        std::uint64_t lines = 0;
        std::uint64_t skip = 0;
        std::string learnt;       // by the format
    };
    // `head_waits`: the event that next() gave last is not done with.
    TextPlace text_place(bool head_waits) const;
    // To be called first; the source stands at `place.bytes`, which are `bytes_before` bytes into the file. False: the
    // format does not know what was learnt.
    bool go_on(const TextPlace& place, std::uint64_t bytes_before);

    // Of the event or bad line that next() gave: its number (from 1) and byte offset in the input.
    std::uint64_t line_number() const;
    std::uint64_t line_offset() const;
    // Its own bytes as they were read, where they differ from the event (text formats).
    std::string_view original() const;

    struct BadLine {
        std::string reason;
        std::string raw;          // at most the first kept_of_long_line bytes of it
        bool whole = true;        // raw is all of it
        std::uint64_t line = 0;
        std::uint64_t offset = 0;
        bool done = true;         // false: more pieces of the same line follow
        bool first = true;        // false: a further piece
    };
    BadLine take_bad() { return std::move(bad_); }

    const std::string& name() const { return name_; }
    ByteSource& source() { return *source_; }
    const ByteSource& source() const { return *source_; }
    std::uint64_t bytes_read() const { return bytes_read_; }

private:
    Result<Fill> fill_text();
    Result<bool> read_text();
    void begin_long_record(std::string_view rest);
    Result<Fill> go_on_with_long_record();

    std::string name_;
    std::unique_ptr<ByteSource> source_;
    TextFormat* format_;
    std::size_t line_max_;
    Scanner scanner_;
    LineBlocks lines_;
    BadLine bad_;
    std::uint64_t lines_before_ = 0;   // in earlier batches
    std::uint64_t block_offset_ = 0;
    std::uint64_t bytes_before_ = 0;   // of the file, for messages
    std::string_view block_;
    std::uint64_t bytes_read_ = 0;
    bool long_line_open_ = false;

    // Text formats: what was read and not yet converted, and the batch made of it.
    struct Record {
        std::size_t begin;
        std::size_t size;
        std::uint64_t line;
        std::uint64_t offset;
    };
    std::string pending_;
    std::size_t pending_at_ = 0;
    std::uint64_t pending_offset_ = 0;
    std::uint64_t text_lines_ = 0;
    bool text_end_ = false;
    bool text_began_ = false;
    bool whole_lines_ = false;
    TextPlace block_place_;        // of what fill() brought last
    std::uint64_t text_skip_ = 0;  // events that come, and were done with before
    std::string converted_;
    std::vector<Record> records_;  // of the batch, in the order of its lines
};

}  // namespace stream
