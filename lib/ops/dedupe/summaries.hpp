// SPDX-License-Identifier: Apache-2.0
// --summary DUR: for each DUR of event time in which repeats of an event were dropped, the event is
// written again with how many they were, once W has passed the end of that stretch. A repeat that comes
// when its own stretch is over counts in the one that W is in. All counts together are all repeats.
// Summaries keep their event's own time; those of one stretch come by it, then by arrival.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <absl/container/flat_hash_map.h>

#include "ops/operator.hpp"
#include "state/copy_store.hpp"
#include "state/key_set.hpp"

namespace stream {

class Summaries {
public:
    Summaries(const KeySetLimits& limits, std::optional<DurationNs> within, DurationNs every);

    // Whether the event is to be written; otherwise it was counted as a repeat.
    Result<bool> add(const Hash128& hash, const Event& event, TimeNs watermark);
    // Writes what is due; how many lines.
    Result<std::uint64_t> advance(TimeNs watermark, Sink& sink);

    std::uint64_t keys() const { return firsts_.size(); }
    std::size_t memory_used() const;
    std::uint64_t spilled_bytes() const { return firsts_.spilled_bytes() + copies_.spilled_bytes(); }

    void snapshot(StateWriter& writer) const;
    Result<void> restore(StateReader& reader);

private:
    using Counts = absl::flat_hash_map<CopyStore::Ref, std::uint64_t>;

    Result<std::uint64_t> write(const Counts& counts, Sink& sink);
    bool is_over(std::int64_t stretch, TimeNs watermark) const;

    std::size_t memory_max_;
    std::optional<DurationNs> within_;
    DurationNs every_;
    ValuedSet firsts_;  // the value is where the event's copy is; without --within all times are 0
    CopyStore copies_;
    std::map<std::int64_t, Counts> stretches_;
    std::size_t counts_ = 0;
};

}  // namespace stream
