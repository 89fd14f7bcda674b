// SPDX-License-Identifier: Apache-2.0
// A sink of a run, in two phases: what an epoch brings is made durable out of sight (prepare), and becomes visible
// after the commit (publish). Whoever writes a new kind of sink implements this.
//
//   open     once, at the start: the target is brought to where the commit says it is. An epoch that was committed
//            and not published is published now, from what was staged; what later epochs staged is dropped. A target
//            that is behind the commit with nothing staged, or ahead of it, is ErrorKind::corrupt.
//   prepare  durable when it returns; what it gives goes into the commit and comes back to open().
//   publish  of the epoch prepared last. Doing it again does nothing: the target itself remembers the epoch.
//
// A crash may come at any instruction of each.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "run/client.hpp"
#include "run/commit.hpp"

namespace stream::run {

class EpochSink {
public:
    virtual ~EpochSink() = default;
    // `name`: the sink's in the run. `committed`: what prepare() gave for the commit that counts.
    virtual Result<void> open(const Start& start, const std::string& run_folder, const std::string& name, const std::optional<StagedFile>& committed) = 0;
    virtual Result<StagedFile> prepare(std::uint64_t epoch) = 0;
    virtual Result<void> publish(std::uint64_t epoch) = 0;
};

}  // namespace stream::run
