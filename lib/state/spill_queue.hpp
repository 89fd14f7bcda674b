// SPDX-License-Identifier: Apache-2.0
// A priority queue of events waiting for their turn, ordered by (time, input, position), that keeps
// what exceeds its memory in sorted runs in one unlinked file of a folder.
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

    void snapshot(StateWriter& writer) const;
    Result<void> restore(StateReader& reader);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace stream
