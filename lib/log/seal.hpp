// SPDX-License-Identifier: Apache-2.0
// Segments as files: making the next one, writing one anew without some of its records, its index.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "io/file_system.hpp"
#include "log/batch.hpp"
#include "log/head.hpp"
#include "log/manifest.hpp"
#include "log/segment.hpp"

namespace stream::log {

// Seals what `head` says is the partition's active segment, if there is one, and begins the next: the file is
// made and synced, the folder too, the manifest entry written, an index of the sealed one left (its failure is
// none). Every dirty segment was synced before. `head` is changed to it, not written. Only with the log's lock.
// Returns the new segment's file, open for writing.
Result<std::unique_ptr<File>> begin_segment(FileSystem& files, const std::string& folder, Manifest& manifest, HeadState& head,
                                            std::uint32_t partition);

// Writes a sealed segment anew, keeping the records `keep` says: a new file in the same folder, synced with its
// folder, its index too; frames keep their append times and their records their offsets and sequence numbers.
// Nothing is published: the caller calls Manifest::replace_segment() and then removes the old files. `by` is
// what is to be published. ErrorKind::corrupt where the segment is damaged.
using KeepRecord = std::function<Result<bool>(const Batch& batch, std::uint32_t record, std::string_view line)>;
Result<SegmentEntry> rewrite_segment(FileSystem& files, const std::string& folder, const Manifest& manifest, std::uint32_t partition,
                                     const SegmentEntry& segment, const KeepRecord& keep);

// Index of a sealed segment: a cache. About one entry for each 64 KiB.
struct IndexEntry {
    std::uint64_t position = 0;
    std::uint64_t offset = 0;
    TimeNs max_time = time_before_all;  // greatest event time (append time where frames have none) of all frames before it
    std::uint32_t chain = 0;
    std::uint32_t epoch = 0;
};
// Reads it; nothing where there is none that can be believed.
Result<std::optional<std::vector<IndexEntry>>> read_index(FileSystem& files, const std::string& path, const SegmentEntry& segment);
// Works it out from the segment's frames and writes it.
Result<void> write_index(FileSystem& files, const std::string& folder, const Manifest& manifest, std::uint32_t partition,
                         const SegmentEntry& segment);

// Removes what no manifest entry names of the forms the log itself makes (segments/*.seg, *.idx, *.tmp-*; manifest.tmp-*, runs.tmp-*;
// in archives too). Only with the locks LOCK and UPKEEP. How many files.
Result<std::uint64_t> remove_leftovers(FileSystem& files, const std::string& folder, const Manifest& manifest);

}  // namespace stream::log
