// SPDX-License-Identifier: Apache-2.0
// The manifest of a log: what the log is, which segments each partition has, and the writer's epoch; and with it what
// runs published, which is in a file of its own. Appended to, one synced entry at a time, by the holder of the log's
// lock; read by everybody.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "io/file_system.hpp"
#include "log/frame.hpp"
#include "log/runs.hpp"

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
    bool compact = false;         // made to be compacted: `compact` needs no more to be said
    std::string deleted;          // the expression that is true of a tombstone; empty: none is
    std::string time;             // the field with the event time; empty: the usual ones

    friend bool operator==(const LogConfig&, const LogConfig&) = default;
};

struct SegmentEntry {
    std::uint64_t id = 0;
    std::uint64_t base = 0;  // its first offset
    // Of a sealed one; the active one's are in `head`.
    bool sealed = false;
    std::uint64_t bytes = 0;   // length of the file
    std::uint64_t end = 0;     // the next segment's base
    std::uint32_t chain = 0;   // what a further frame's would be: proves the last frame
    TimeNs max_time = time_before_all;   // the greatest event time
    TimeNs keep_time = time_before_all;  // the same, no record counting as newer than its append time
    bool rewritten = false;    // by compaction, excision or repair: its frames are sparse
    std::vector<EpochCut> cuts;
    std::string archive;       // the folder it was moved to; empty: it is in segments/
};

// Its file's name, and where that lies: `folder`/segments, or its archive.
std::string segment_name(std::uint32_t partition, const SegmentEntry& segment);
std::string segment_path(const std::string& folder, std::uint32_t partition, const SegmentEntry& segment);
std::string index_path(const std::string& folder, std::uint32_t partition, const SegmentEntry& segment);
// The partition and the entry's id and base that a name says; false: no name of a segment.
bool parse_segment_name(std::string_view name, std::uint32_t& partition, SegmentEntry& segment);

class JsonEntry;

// What a manifest entry says of a sealed segment: bytes, chain, max_time, keep_time. The members' text, without
// braces; and back, false where one is missing.
std::string facts_of(const SegmentEntry& segment);
bool read_facts(const JsonEntry& entry, SegmentEntry& segment);

class Manifest {
public:
    // Reads `folder`/manifest and `folder`/runs. ErrorKind::usage where the folder is no log, ErrorKind::corrupt where
    // one of them is damaged. A tail that was being written when its writer died is left aside.
    static Result<Manifest> load(FileSystem& files, const std::string& folder);
    // Makes the manifest of a new log, durable when this returns; the folder is there and holds none.
    static Result<Manifest> create(FileSystem& files, const std::string& folder, const LogConfig& config);

    // What others appended since. With `lock_held`, a torn tail is cut off. `proven`: a length that `head` says it
    // had, and so many epochs published; ErrorKind::corrupt where less of it is valid.
    Result<void> refresh(bool lock_held, std::uint64_t proven, std::uint32_t proven_runs);
    // Entries from this place on, and the newest of a run, may be in the page cache alone (their writer died): written
    // again and synced.
    Result<void> make_durable(std::uint64_t from);

    // Each appends an entry and syncs it. Only with the log's lock.
    // A new active segment: the file is there and synced, header and folder. The one before is sealed as
    // `sealed` says (bytes, end = base, chain, times), all of it and every record below `sequence` durable.
    Result<void> add_segment(std::uint32_t partition, std::uint64_t id, std::uint64_t base, std::uint64_t sequence,
                             const SegmentEntry* sealed);
    // What lay in the segment from `at` on was cut off; what comes there is of `epoch`, which is the log's now.
    Result<void> cut_segment(std::uint32_t partition, std::uint64_t id, std::uint64_t at, std::uint32_t epoch);
    Result<void> raise_epoch();
    // Sealed segments only. Retention removes the oldest of a partition.
    Result<void> remove_segment(std::uint32_t partition, std::uint64_t id);
    // The segment's records are in `by` (sealed, synced, with the same base and end) now.
    Result<void> replace_segment(std::uint32_t partition, std::uint64_t id, const SegmentEntry& by);
    Result<void> move_segment(std::uint32_t partition, std::uint64_t id, const std::string& archive);
    // What excision did: how many records, when (append_time of the entry).
    Result<void> note_excision(std::uint64_t records, std::uint64_t segments);
    // Published by a run (exactly-once): every record below its sequence is durable and counts, those of its frames too.
    // `rewrite_above`: see RunsFile::append().
    Result<void> publish_run(const RunEntry& run, std::uint64_t rewrite_above);

    const LogConfig& config() const { return config_; }
    // Oldest first; the last one is the active one, the others are sealed. May be empty for a partition
    // nobody wrote to.
    const std::vector<SegmentEntry>& segments(std::uint32_t partition) const { return partitions_[partition]; }
    const SegmentEntry* active(std::uint32_t partition) const {
        return partitions_[partition].empty() ? nullptr : &partitions_[partition].back();
    }
    FileHeader segment_header(std::uint32_t partition, const SegmentEntry& segment) const;
    // Everything below it is durable, as entries prove.
    std::uint64_t durable_sequence() const { return std::max(durable_sequence_, run_sequence()); }
    // Frames of runs count up to here.
    std::uint64_t run_sequence() const { return std::max(old_runs_.sequence(), runs_.table().sequence()); }
    // How many epochs were published: what head says of them.
    std::uint32_t run_count() const { return runs_.count(); }
    // The run's and sink's newest epoch; 0: none.
    std::uint64_t published(std::string_view run, std::string_view sink) const;
    // Whether a whole frame may count: any but one of an epoch that nothing says was published.
    bool is_published(const FrameHeader& frame) const {
        return (frame.flags & frame_of_epoch) == 0 || frame.batch_end() <= run_sequence() || frame.batch_first() < durable_sequence();
    }
    // After a failed call: whether what it was to append may be on the disk.
    bool is_unsure() const { return unsure_ || runs_.is_unsure(); }
    std::uint64_t excisions() const { return excisions_; }
    // Folders that segments were ever archived in.
    const std::vector<std::string>& archives() const { return archives_; }
    std::uint32_t epoch() const { return epoch_; }
    std::uint64_t id() const { return header_.file_id; }
    const Hash128& log_id() const { return header_.log_id; }
    std::uint64_t length() const { return length_; }
    const RunsFile& runs_file() const { return runs_; }

    // What there is of the segments' files tells of entries that are not here, whoever lost them: a segment has records
    // that no entry names (segments are named first). Empty: nothing does.
    Result<std::string> what_unnamed_files_say() const;

private:
    Manifest(FileSystem& files, const std::string& folder) : files_(&files), path_(folder + "/manifest"), runs_(files, folder) {}
    Result<void> read_on(bool lock_held, std::uint64_t proven);
    // The same of a file that is named and gone, as one is that an entry removed, replaced or moved.
    Result<std::string> what_missing_files_say() const;
    // Whether the file goes on so from length() on.
    Result<bool> goes_on(std::string_view bytes) const;
    std::string folder_of_path() const { return path_.substr(0, path_.rfind('/')); }
    Result<void> apply(std::string_view entry);
    SegmentEntry* find(std::uint32_t partition, std::uint64_t id);
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
    std::uint64_t durable_sequence_ = 0;
    bool unsure_ = false;
    std::uint64_t excisions_ = 0;
    RunTable old_runs_;  // entries of the manifest
    RunsFile runs_;
    std::vector<std::string> archives_;
};

}  // namespace stream::log
