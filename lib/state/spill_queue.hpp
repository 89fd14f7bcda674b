// SPDX-License-Identifier: Apache-2.0
// A priority queue of events waiting for their turn, ordered by (time, input, position), that keeps
// what exceeds its memory in sorted runs, each in an unlinked file of a folder.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "state/bytes.hpp"
#include "time/timestamp.hpp"

namespace stream {

struct SpillLimits {
    std::size_t memory_bytes = 256u << 20;
    std::uint64_t spill_bytes = 10ull << 30;  // past it: ErrorKind::limit, naming --spill-max
    std::string folder;                       // for the spill file; it is unlinked as soon as it is open
};

struct QueuedEvent {
    TimeNs time = 0;
    std::uint32_t input = 0;
    std::uint64_t position = 0;
    std::string_view bytes;  // valid until the next call on the queue
};

class SpillQueue {
public:
    explicit SpillQueue(SpillLimits limits);
    ~SpillQueue();
    SpillQueue(const SpillQueue&) = delete;
    SpillQueue& operator=(const SpillQueue&) = delete;

    // Copies the bytes. (time, input, position) must be unique.
    Result<void> push(const QueuedEvent& event);
    bool empty() const;
    std::uint64_t size() const;
    TimeNs min_time() const;  // of the next event; time_after_all if empty
    // The next event's place in the order, without its bytes. The queue must not be empty.
    QueuedEvent min_key() const;
    // Takes the least event. The queue must not be empty.
    Result<QueuedEvent> pop();

    std::size_t memory_used() const;
    std::uint64_t spilled_bytes() const;

    // What is on disk goes into files beside the state that is saved next (StateWriter::with_files()).
    Result<void> keep_files(KeptFiles& files);
    void snapshot(StateWriter& writer) const;
    Result<void> restore(StateReader& reader);

    // From here on it is noted what comes and how many go, in `limit` bytes at most: past it the changes are no longer
    // known, and the queue has to be saved whole.
    void track(std::size_t limit);
    void stop_tracking();
    bool knows_changes() const { return tracking_ && !overflown_; }
    // What changed since track() or the last call; into a queue in the state of that moment.
    void snapshot_changes(StateWriter& writer);
    Result<void> restore_changes(StateReader& reader);

private:
    bool room_for(std::size_t bytes);

    bool tracking_ = false;
    bool overflown_ = false;
    std::size_t limit_ = 0;
    std::uint64_t gone_ = 0;  // since the last event in changes_
    StateWriter changes_;
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace stream
