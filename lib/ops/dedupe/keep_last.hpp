// SPDX-License-Identifier: Apache-2.0
// --keep last: of the copies within `within` of the first, the last to arrive, written once no other can
// come (W > the first's time + 2·within) and nothing older either, so in order of (event time, arrival).
//
// Every copy goes into a queue by its time, and the first's entry notes which copy is the last; a copy
// that comes to the front of the queue and is not the last any more is dropped there.
#pragma once

#include "ops/operator.hpp"
#include "state/key_set.hpp"
#include "state/spill_queue.hpp"

#include <cstdint>
#include <string>

namespace stream {

class KeepLast {
public:
    KeepLast(const KeySetLimits& limits, DurationNs within);

    // Whether it is the first of its group. The event is not late.
    Result<bool> add(const Hash128& hash, const Event& event);
    // Writes what is due; how many events.
    Result<std::uint64_t> advance(TimeNs watermark, Sink& sink);
    // The least time that may still be written, for events that are here.
    TimeNs least_held() const;

    std::uint64_t held() const { return queue_.size() + (has_front_ ? 1 : 0); }
    std::uint64_t size() const { return groups_.size(); }
    std::size_t memory_used() const { return groups_.memory_used() + queue_.memory_used(); }
    std::uint64_t spilled_bytes() const { return groups_.spilled_bytes() + queue_.spilled_bytes(); }

    Result<void> keep_files(KeptFiles& files);
    void snapshot(StateWriter& writer) const;
    Result<void> restore(StateReader& reader);

private:
    struct Front {
        TimeNs time = 0;
        std::uint64_t arrival = 0;
        std::string record;  // hash and first's time, then the event
        Hash128 hash;
        TimeNs first = 0;
        bool is_last = true;
    };
    Result<void> take_front();
    Result<void> put_front_back();

    DurationNs within_;
    ValuedSet groups_;  // by hash and the first's time; the value is the last copy's arrival
    SpillQueue queue_;
    Front front_;  // taken from the queue because it must be looked at
    bool has_front_ = false;
    std::string record_;
    std::uint64_t arrivals_ = 0;  // of this operator: a pump may count anew after a restart
};

}  // namespace stream
