// SPDX-License-Identifier: Apache-2.0
// NDJSON lines to events: one pass that validates each line whole (RFC 8259, UTF-8, depth) and finds
// the wanted fields on the way. simdjson's first stage (Langdale and Lemire, 2019) finds the structural
// characters and checks UTF-8 for a batch of lines at once; the walk over them is ours, because it keeps
// no tree, rounds no number, and admits what RFC 8259 admits: integers of any length, 1e400, lone
// surrogates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "json/fields.hpp"
#include "json/value.hpp"

namespace stream {

inline constexpr std::size_t scanner_padding = 64;  // readable bytes wanted behind a batch
inline constexpr unsigned depth_max = 1024;         // brackets open at once, the event's own included

// Whether a field is in any event is watched for so many events; by then it has been said.
inline constexpr std::uint64_t fields_judged_after = 10'000;

// Why a line is no event. `column` counts bytes from 1.
struct LineFault {
    std::string reason;
    std::size_t column = 0;
};

class Scanner {
public:
    explicit Scanner(FieldSet& fields);
    ~Scanner();
    Scanner(const Scanner&) = delete;
    Scanner& operator=(const Scanner&) = delete;

    // A longer line is bad, whatever is in it.
    void limit_lines(std::size_t bytes) { line_max_ = bytes; }

    // A batch of whole lines, each ending in '\n' (also the last). The bytes must stay as they are
    // until the next start(); scanner_padding more must be readable.
    void start(const char* bytes, std::size_t size);

    enum class Outcome : std::uint8_t { event, bad, end };
    // The next line that is not blank. After `event`, line() and values() hold until the next call;
    // after `bad`, line() and fault().
    Outcome next();

    // Without its line end (\n or \r\n).
    std::string_view line() const { return line_; }
    // Where the line begins in the batch, and where the next one does.
    std::size_t line_begin() const { return line_begin_; }
    std::size_t line_next() const { return at_; }
    // Lines of this batch so far, blank ones too.
    std::uint64_t lines_seen() const { return lines_; }
    // One for each field of the set, missing ones with Type::missing.
    const Value* values() const { return slots_.data(); }
    const LineFault& fault() const { return fault_; }

private:
    template <bool with_escapes>
    struct Walk;
    // What the k-th key of an event was last time, and which field that is: events look alike.
    struct Guess {
        std::uint64_t head = 0;
        std::uint64_t mask = 0;  // 0: nothing known
        const void* child = nullptr;
    };
    static constexpr std::size_t guesses_max = 64;
    bool run_stage1(const char* bytes, std::size_t size, std::string& reason);
    bool walk(std::size_t begin, std::size_t end);
    template <bool with_escapes>
    bool walk_line(std::size_t begin, std::size_t end);
    void skip_positions(std::size_t end);
    void resolve();

    FieldSet& fields_;
    struct Stage1;
    std::unique_ptr<Stage1> stage1_;
    const char* bytes_ = nullptr;
    std::size_t size_ = 0;
    std::size_t at_ = 0;          // where the next line begins
    std::size_t line_begin_ = 0;
    std::string_view line_;
    std::uint64_t lines_ = 0;
    std::size_t structural_ = 0;  // next one not walked yet
    const char* next_backslash_ = nullptr;
    bool line_by_line_ = false;   // stage 1 refused the batch: each line by itself
    std::size_t line_max_ = SIZE_MAX;
    std::vector<Value> slots_;
    std::string computed_;  // texts of the fields that are expressions
    Guess guesses_[guesses_max];
    std::uint64_t events_ = 0;
    LineFault fault_;
};

}  // namespace stream
