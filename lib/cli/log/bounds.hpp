// SPDX-License-Identifier: Apache-2.0
// --from and --to of a reader: both sides resolved for each partition, the upper one also while the log grows.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "cli/log/arguments.hpp"
#include "cli/log/place.hpp"

namespace stream {

class ReadBounds {
public:
    // ErrorKind::usage for what is no position. `time`: the field given, or empty.
    static Result<ReadBounds> make(const LogArguments& arguments, const std::string& time, const log::LogConfig& config);

    // Where --from is.
    Result<std::uint64_t> from(log::LogReader& reader, std::uint32_t partition);
    // Tells the reader where --to is, as far as it can be known: a time that no event has reached yet is looked
    // for again by the next call, where `grows`.
    Result<void> apply_to(log::LogReader& reader, const std::vector<std::uint32_t>& partitions, bool grows);
    // Whether --to is reached in all of these.
    bool is_done(const log::LogReader& reader, const std::vector<std::uint32_t>& partitions) const;

    // Where --to was found to be; nothing where it is not known (yet).
    std::optional<std::uint64_t> stop_of(std::uint32_t partition) const { return stops_[partition]; }
    void set_stop(std::uint32_t partition, std::uint64_t offset) { stops_[partition] = offset; }

private:
    Position from_;
    std::optional<Position> to_;
    std::vector<std::optional<std::uint64_t>> stops_;
    std::vector<std::uint64_t> looked_in_;  // the active segment when --to was looked for
    std::shared_ptr<RecordTime> time_;
};

}  // namespace stream
