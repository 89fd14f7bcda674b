// SPDX-License-Identifier: Apache-2.0
// Copies of events that may be asked for again, in order of arrival: in memory up to a limit, past it in
// unnamed files. They go in segments, when all of one are too old.
#pragma once

#include "base/error.hpp"
#include "state/bytes.hpp"
#include "state/temp_file.hpp"
#include "time/timestamp.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
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

    // What is on disk goes into files beside the state that is saved next (StateWriter::with_files()).
    Result<void> keep_files(KeptFiles& files);
    // Without files, one that cannot be read here ends the program.
    void snapshot(StateWriter& writer) const;
    Result<void> restore(StateReader& reader);

private:
    struct Segment {
        Ref begin = 0;
        std::uint64_t size = 0;
        TimeNs newest = time_before_all;
        std::string bytes;  // empty once it is in the file
        std::uint64_t file_at = 0;
        std::shared_ptr<TempFile> file;  // nothing while it is in memory
        std::uint64_t kept_as = 0;       // the file's number among those kept last
    };
    static bool is_in_file(const Segment& segment) { return segment.file != nullptr; }
    Result<void> restore_from_file(Segment& segment, StateReader& reader, std::map<std::uint64_t, std::shared_ptr<TempFile>>& files) const;
    Result<void> move_oldest_to_file();
    Result<void> read_segment(const Segment& segment, std::uint64_t at, std::span<char> into) const;
    std::uint64_t slots_of(const Segment& segment) const;

    CopyLimits limits_;
    std::size_t segment_bytes_;
    std::deque<Segment> segments_;  // the last one takes new copies
    std::shared_ptr<TempFile> file_;  // what is written now: another one, once it is kept
    std::vector<std::uint64_t> free_slots_;  // in it
    std::uint64_t slots_ = 0;
    Ref end_ = 0;
    std::size_t in_memory_ = 0;
    std::uint64_t on_disk_ = 0;
    std::string buffer_;
};

}  // namespace stream
