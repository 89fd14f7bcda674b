// SPDX-License-Identifier: Apache-2.0
// Copies of events that may be asked for again, in order of arrival: in memory up to a limit, past it in
// an unnamed file. They go in segments, when all of one are too old.
#pragma once

#include "base/error.hpp"
#include "state/bytes.hpp"
#include "state/temp_file.hpp"
#include "time/timestamp.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stream {

struct CopyLimits {
    std::size_t memory_bytes = 64u << 20;
    std::uint64_t spill_bytes = 10ull << 30;  // past it: ErrorKind::limit, naming --spill-max
    std::string folder;
};

class CopyStore {
public:
    // Where a copy is, for as long as it is kept, in a restored store too. Grows with each add().
    using Ref = std::uint64_t;
    struct Copy {
        TimeNs time = 0;
        std::string_view bytes;  // until the next call
    };

    explicit CopyStore(CopyLimits limits);

    Result<Ref> add(TimeNs time, std::string_view bytes);
    Result<Copy> read(Ref ref);
    // Forgets segments that hold nothing with time >= before.
    void expire(TimeNs before);

    std::size_t memory_used() const { return in_memory_; }
    std::uint64_t spilled_bytes() const { return on_disk_; }

    // A file that cannot be read here ends the program.
    void snapshot(StateWriter& writer) const;
    Result<void> restore(StateReader& reader);

private:
    struct Segment {
        Ref begin = 0;
        std::uint64_t size = 0;
        TimeNs newest = time_before_all;
        std::string bytes;  // empty once it is in the file
        std::uint64_t file_slot = 0;
        bool in_file = false;
    };
    Result<void> move_oldest_to_file();
    Result<void> read_segment(const Segment& segment, std::uint64_t at, std::span<char> into) const;
    std::uint64_t slots_of(const Segment& segment) const;

    CopyLimits limits_;
    std::size_t segment_bytes_;
    std::deque<Segment> segments_;  // the last one takes new copies
    std::optional<TempFile> file_;
    std::vector<std::uint64_t> free_slots_;
    std::uint64_t slots_ = 0;
    Ref end_ = 0;
    std::size_t in_memory_ = 0;
    std::uint64_t on_disk_ = 0;
    std::string buffer_;
};

}  // namespace stream
