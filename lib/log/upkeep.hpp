// SPDX-License-Identifier: Apache-2.0
// What retention, archiving, compaction and excision share. Internal to lib/log.
//
// Two locks: UPKEEP, held from begin() on, keeps them (and repair) from each other, so that nobody else removes,
// replaces or moves a segment, or takes a file that one of them is making for a leftover. LOCK, the writers' own,
// is held only between hold() and let_go(): appends go on while the bulk is read and written. Always in this order.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "io/file_system.hpp"
#include "log/batch.hpp"
#include "log/head.hpp"
#include "log/manifest.hpp"

namespace stream::log {

std::string upkeep_path(const std::string& folder);

class Upkeep {
public:
    // ErrorKind::usage where there is no log, ErrorKind::locked where somebody else is at it.
    static Result<Upkeep> begin(FileSystem& files, const std::string& folder);

    // Takes LOCK, learns what others did since, recovers what a dead writer left.
    Result<void> hold();
    // What the manifest is now goes into head, and LOCK is free.
    Result<void> let_go();

    FileSystem& files() const { return *files_; }
    const std::string& folder() const { return folder_; }
    Manifest& manifest() { return manifest_; }
    const Manifest& manifest() const { return manifest_; }
    // As of the last hold(); to be changed only with LOCK.
    HeadState& ends() { return ends_; }
    Head& head() { return head_; }

    // With LOCK: removes what another that was killed left. What it unlinked itself sync_unlinked() makes durable, too.
    Result<void> sweep();
    // Removes the files of a segment that the manifest no longer names there.
    Result<void> unlink(std::uint32_t partition, const SegmentEntry& segment);
    // With LOCK: `by`, as rewrite_segment() made it, is the segment from now on; the old file goes.
    Result<void> replace(std::uint32_t partition, const SegmentEntry& segment, const SegmentEntry& by);
    // Makes it durable that files were unlinked.
    Result<void> sync_unlinked();

private:
    Upkeep(FileSystem& files, std::string folder, std::unique_ptr<FileLock> claim, Manifest manifest)
        : files_(&files), folder_(std::move(folder)), claim_(std::move(claim)), manifest_(std::move(manifest)), head_(files, folder_) {}

    FileSystem* files_;
    std::string folder_;
    std::unique_ptr<FileLock> claim_;
    std::unique_ptr<FileLock> lock_;
    Manifest manifest_;
    Head head_;
    HeadState ends_;
    std::set<std::string> unlinked_in_;  // folders
};

// Every frame of a segment's file up to `limit`, checked. `chain`: what the last one has to prove. ErrorKind::corrupt
// where one is wrong.
Result<void> each_batch(FileSystem& files, const std::string& path, const FileHeader& header, std::uint64_t limit,
                        std::optional<std::uint32_t> chain, const std::function<Result<void>(const Batch&)>& use);

// Makes folder/name with this text, whole or not at all, and durable.
Result<void> write_whole(FileSystem& files, const std::string& folder, const std::string& name, std::string_view text);
// What write_whole() left where it was killed.
Result<void> remove_unfinished(FileSystem& files, const std::string& folder, const std::string& name);
// All of a file that is not long; nothing where it is not there.
Result<std::optional<std::string>> read_small(FileSystem& files, const std::string& path);

// Removes the copies that an archive_log() that was killed had made and not published. With both locks. `must`:
// ErrorKind::io where its archive cannot be looked into; else that is left for later.
Result<void> finish_archiving(FileSystem& files, const std::string& folder, const Manifest& manifest, bool must);

// Offsets of one partition: two bytes each where they lie scattered, a bit where they lie close.
class OffsetSet {
public:
    void add(std::uint64_t offset);
    bool contains(std::uint64_t offset) const;
    std::uint64_t count_in(std::uint64_t from, std::uint64_t to) const;
    std::uint64_t size() const { return size_; }
    std::size_t bytes() const { return bytes_; }

private:
    struct Block {  // of 65,536 offsets
        std::vector<std::uint16_t> few;   // sorted
        std::vector<std::uint64_t> bits;  // instead, once they are many
    };
    std::map<std::uint64_t, Block> blocks_;
    std::uint64_t size_ = 0;
    std::size_t bytes_ = 0;
};

}  // namespace stream::log
