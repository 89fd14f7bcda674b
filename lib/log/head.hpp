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

namespace stream::log {

struct PartitionHead {
    std::uint64_t segment = 0;  // 0: nothing was ever written
    std::uint64_t length = 0;   // durable bytes of that segment
    std::uint64_t offset = 0;   // the next one
    std::uint32_t chain = 0;    // of the next frame
};

struct HeadState {
    std::uint64_t manifest_id = 0;
    std::uint64_t writes = 0;
    std::uint32_t epoch = 0;
    std::uint64_t sequence = 0;  // the next one
    std::uint64_t manifest_length = 0;
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
    FileSystem* files_;
    std::string path_;
    std::string folder_;
    std::unique_ptr<File> file_;
    bool writable_ = false;
    std::string bytes_;
};

}  // namespace stream::log
