// SPDX-License-Identifier: Apache-2.0
// `head`: how far each partition of a log is durable. Rewritten in place by writers, read by everybody; a
// cache, never ahead of the disk.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "io/file_system.hpp"
#include "log/frame.hpp"
#include "time/timestamp.hpp"

namespace stream::log {

struct PartitionHead {
    std::uint64_t segment = 0;  // the active one; 0: nothing was ever written
    std::uint64_t length = 0;   // how many of its bytes count
    std::uint64_t durable = 0;  // how many of them are durable: all, but for --sync none
    std::uint64_t offset = 0;   // the next one
    TimeNs max_time = time_before_all;   // the greatest event time in the active segment
    TimeNs keep_time = time_before_all;  // the same, no record counting as newer than its append time (retention)
    std::uint32_t chain = 0;    // of the next frame

    friend bool operator==(const PartitionHead&, const PartitionHead&) = default;
};

// What a frame counts as for retention and for finding a time: without any event time, when it was appended.
inline TimeNs time_of_frame(const FrameHeader& h) { return h.max_time == time_before_all ? h.append_time : h.max_time; }
inline TimeNs keep_time_of(const FrameHeader& h) { return time_of_frame(h) < h.append_time ? time_of_frame(h) : h.append_time; }

// Where a log ends.
struct HeadState {
    std::uint64_t manifest_id = 0;
    std::uint64_t writes = 0;
    std::uint32_t epoch = 0;
    std::uint64_t sequence = 0;          // the next one; in a log of one partition the next offset
    std::uint64_t durable_sequence = 0;  // all below it is durable
    std::uint64_t manifest_length = 0;
    std::uint32_t published = 0;         // how many epochs runs had (the low 32 bits)
    std::vector<PartitionHead> partitions;
};

class Head {
public:
    Head(FileSystem& files, std::string folder) : files_(&files), path_(folder + "/head"), folder_(std::move(folder)) {}

    // Nothing where there is none, or none that can be believed.
    Result<std::optional<HeadState>> read(std::uint64_t manifest_id, std::uint32_t partitions);
    // Only with the log's lock. Not synced.
    Result<void> write(const HeadState& state);

private:
    Result<void> check_owner(std::uint64_t manifest_id);

    FileSystem* files_;
    std::string path_;
    std::string folder_;
    std::unique_ptr<File> file_;
    bool writable_ = false;
    std::string bytes_;
};

}  // namespace stream::log
