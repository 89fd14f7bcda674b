// SPDX-License-Identifier: Apache-2.0
// One partition read from some offset on, across its segments. Internal to lib/log (reader.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "io/file_system.hpp"
#include "log/batch.hpp"
#include "log/head.hpp"
#include "log/manifest.hpp"
#include "log/reader.hpp"
#include "log/segment.hpp"

namespace stream::log {

class Cursor {
public:
    Cursor(FileSystem& files, const std::string& folder, Manifest& manifest, std::uint32_t partition, bool skip_corrupt)
        : files_(&files), folder_(&folder), manifest_(&manifest), partition_(partition), skip_corrupt_(skip_corrupt) {}

    void seek(std::uint64_t offset);
    std::uint64_t position() const { return next_; }
    std::uint64_t stop() const { return stop_; }
    void stop_at(std::uint64_t offset) { stop_ = offset; }

    // Makes sure that record() is the next one. `end`: none below `head`'s end and the stop.
    Result<LogReader::Next> advance(const PartitionHead& head);
    const Batch& batch() const { return batch_; }
    std::uint32_t record() const { return record_; }  // of batch()
    std::uint64_t sequence() const { return batch_.sequence_of(record_); }
    // Records from the next one on whose sequence number is less than `sequence`, at least one.
    void take(std::uint64_t sequence, Run& run);

    const Gap& gap() const { return gap_; }
    const std::string& problem() const { return problem_; }

private:
    Result<void> open_at(std::uint64_t offset, const PartitionHead& head);
    Result<void> open_segment(const SegmentEntry& segment);
    Result<void> find_place(std::uint64_t offset, const SegmentEntry& segment, std::uint64_t limit);
    Result<void> find_indexed(std::uint64_t offset, const SegmentEntry& segment);
    Result<LogReader::Next> load(const PartitionHead& head);
    Result<LogReader::Next> damaged(std::uint64_t limit);
    Result<LogReader::Next> damaged(std::string text, const SegmentPlace& behind, std::uint64_t next);
    Result<LogReader::Next> lost(const PartitionHead& head, Error error);
    const SegmentEntry* entry_now() const;
    void enter_batch();

    FileSystem* files_;
    const std::string* folder_;
    Manifest* manifest_;
    std::uint32_t partition_;
    bool skip_corrupt_;
    std::uint64_t next_ = 0;          // offset
    std::uint64_t stop_ = UINT64_MAX;
    std::optional<SegmentReader> reader_;
    SegmentEntry segment_;            // the one open, as it was when it was opened or last seen
    Batch batch_;
    bool in_batch_ = false;
    std::uint32_t record_ = 0;
    std::size_t line_ = 0;            // where that record begins in batch_.lines
    Gap gap_;
    std::string problem_;
};

}  // namespace stream::log
