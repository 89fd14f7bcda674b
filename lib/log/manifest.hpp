// SPDX-License-Identifier: Apache-2.0
// The manifest of a log: what the log is, which segments each partition has, and the writer's epoch.
// Appended to, one synced entry at a time, by the holder of the log's lock; read by everybody.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "io/file_system.hpp"
#include "log/frame.hpp"

namespace stream::log {

// What `create` says, once and for all.
struct LogConfig {
    std::uint32_t partitions = 1;
    std::string by;               // the field whose value decides the partition; empty: none
    bool compressed = true;       // zstd:LEVEL, else none
    int level = 1;
    std::uint64_t segment_bytes = 256u << 20;
    std::int64_t retain_ns = 0;   // 0: for ever
    std::uint64_t max_bytes = 0;  // 0: without limit
    bool single_writer = false;
    std::string time;             // the field with the event time; empty: the usual ones

    friend bool operator==(const LogConfig&, const LogConfig&) = default;
};

struct SegmentEntry {
    std::uint64_t id = 0;
    std::uint64_t base = 0;  // its first offset
};

std::string segment_name(std::uint32_t partition, const SegmentEntry& segment);

class Manifest {
public:
    // Reads `folder`/manifest. ErrorKind::usage where the folder is no log, ErrorKind::corrupt where the
    // manifest is damaged. A tail that was being written when its writer died is left aside.
    static Result<Manifest> load(FileSystem& files, const std::string& folder);
    // Makes the manifest of a new log, durable when this returns; the folder is there and holds none.
    static Result<Manifest> create(FileSystem& files, const std::string& folder, const LogConfig& config);

    // What others appended since. With `lock_held`, a torn tail is cut off.
    Result<void> refresh(bool lock_held);

    // Each appends an entry and syncs it. Only with the log's lock.
    Result<void> add_segment(std::uint32_t partition, const SegmentEntry& segment);
    Result<void> raise_epoch();
    Result<void> remove_segment(std::uint32_t partition, std::uint64_t id);

    const LogConfig& config() const { return config_; }
    // Oldest first; the last one is the active one. May be empty for a partition nobody wrote to.
    const std::vector<SegmentEntry>& segments(std::uint32_t partition) const { return partitions_[partition]; }
    std::uint32_t epoch() const { return epoch_; }
    std::uint64_t id() const { return header_.file_id; }
    const Hash128& log_id() const { return header_.log_id; }
    std::uint64_t length() const { return length_; }

private:
    Manifest(FileSystem& files, std::string path) : files_(&files), path_(std::move(path)) {}
    Result<void> read_on(bool lock_held);
    Result<void> apply(std::string_view entry);
    Result<void> append(const std::string& entry);
    tl::unexpected<Error> damaged(std::uint64_t at, std::string_view why) const;

    FileSystem* files_;
    std::string path_;
    std::unique_ptr<File> file_;
    FileHeader header_;
    LogConfig config_;
    bool has_config_ = false;
    std::vector<std::vector<SegmentEntry>> partitions_;
    std::uint32_t epoch_ = 1;
    std::uint64_t length_ = 0;   // of the valid frames
    std::uint64_t entries_ = 0;
    std::uint32_t chain_ = 0;
};

}  // namespace stream::log
