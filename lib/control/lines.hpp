// SPDX-License-Identifier: Apache-2.0
// Control lines: how watermarks, barriers and ends travel among the events of a pipe (asynchronous barrier
// snapshots, Carbone et al. 2015, after Chandy and Lamport 1985). Each ends in the key of this attempt, 128 random
// bits that no event can know:
//
//     {"$stream":"stream-log","run":"KEY"}
//     {"$watermark":"2026-01-01T00:00:00Z","time":"ts","run":"KEY"}
//     {"$barrier":17,"run":"KEY"}
//     {"$end":17,"drain":false,"run":"KEY"}
//
// A line is one by its exact bytes, key included; every other line is an event.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "time/timestamp.hpp"

namespace stream {

struct ControlLine {
    enum class Kind : std::uint8_t {
        stream,     // the first line: who writes
        watermark,  // no event with an older time (in that field) is expected any more
        barrier,    // what came before belongs to the epoch or an earlier one
        end,        // the last line; it stands for the epoch's barrier and every later one
    };
    Kind kind = Kind::stream;
    std::string text;         // stream: the tool; watermark: the field
    TimeNs time = 0;          // watermark
    std::uint64_t epoch = 0;  // barrier, end
    bool drain = false;       // end: nothing more ever comes; everything that is open closes first
};

class ControlLines {
public:
    // `key`: 32 hex digits in a run; with --control any text of letters and digits.
    explicit ControlLines(std::string_view key);

    // Without the line end. Cheap for what is none.
    std::optional<ControlLine> read(std::string_view line) const {
        if (line.size() < shortest || line[0] != '{' || line[1] != '"' || line[2] != '$') [[likely]] return std::nullopt;
        return parse(line);
    }

    // Each with its line end.
    void append_stream(std::string& out, std::string_view tool) const;
    void append_watermark(std::string& out, TimeNs time, std::string_view field) const;
    void append_barrier(std::string& out, std::uint64_t epoch) const;
    void append_end(std::string& out, std::uint64_t epoch, bool drain) const;

    // Whether a key is one that lines can carry: 1 to 64 letters and digits.
    static bool is_key(std::string_view key);

private:
    static constexpr std::size_t shortest = 8;
    std::optional<ControlLine> parse(std::string_view line) const;

    std::string tail_;  // ,"run":"KEY"}
};

}  // namespace stream
