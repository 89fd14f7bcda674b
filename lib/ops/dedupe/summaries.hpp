// SPDX-License-Identifier: Apache-2.0
// --summary DUR: for each stretch of DUR of event time in which repeats of an event were dropped, the
// event is written again with how many they were. A stretch is over at the first event past its end, in
// order of arrival (not by the watermark: how finely watermarks come must not show in the order of
// lines); a repeat of an older stretch counts in the newest. All counts together are all repeats.
// Summaries keep their event's own time; those of one stretch come by it, then by arrival.
#pragma once

#include "base/hash_map.hpp"
#include "ops/operator.hpp"
#include "state/copy_store.hpp"
#include "state/key_set.hpp"


#include <cstdint>
#include <optional>
#include <string>

namespace stream {

class Summaries {
public:
    Summaries(const KeySetLimits& limits, std::optional<DurationNs> within, DurationNs every);

    // Whether the event is to be written; otherwise it was counted as a repeat.
    // Before that the stretches that it ends are written.
    Result<bool> add(const Hash128& hash, const Event& event, Sink& sink);
    // Forgets what no event in time can repeat any more; at the end writes what is left.
    Result<void> advance(TimeNs watermark, Sink& sink);

    std::uint64_t size() const { return firsts_.size(); }
    std::size_t memory_used() const;
    std::uint64_t spilled_bytes() const { return firsts_.spilled_bytes() + copies_.spilled_bytes(); }

    Result<void> keep_files(KeptFiles& files);
    void snapshot(StateWriter& writer) const;
    Result<void> restore(StateReader& reader);

private:
    using Counts = HashMap<CopyStore::Ref, std::uint64_t>;

    Result<void> write(Sink& sink);

    std::size_t memory_max_;
    std::optional<DurationNs> within_;
    DurationNs every_;
    ValuedSet firsts_;  // the value is where the event's copy is; without --within all times are 0
    CopyStore copies_;
    std::optional<std::int64_t> stretch_;     // the newest so far
    Counts counts_;                           // of the repeats counted in it, by where the copy is
    TimeNs oldest_counted_ = time_after_all;  // of their copies: none of these is forgotten yet
};

}  // namespace stream
