// SPDX-License-Identifier: Apache-2.0
// What is done to a whole log: retention, compaction, archiving, excision, verification, repair. Each takes
// the log's lock as it needs it; each publishes by a manifest entry, and unlinks afterwards, so that a kill
// at any step leaves the log as it was or as it is to be, and doing it again finishes what was left.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "io/file_system.hpp"
#include "log/manifest.hpp"

namespace stream::log {

struct Removed {
    std::uint64_t segments = 0;
    std::uint64_t bytes = 0;
    std::uint64_t records = 0;
};

// Retention by age and the ring of --max-bytes, as the log's config says: oldest segments first, never an
// active one, whole ones only. A segment is as old as its keep_time. Archived segments are neither counted
// nor removed. `now_ns` is the clock.
Result<Removed> retain_log(FileSystem& files, const std::string& folder, std::int64_t now_ns);
// The same with the lock held (LogWriter::on_sealed).
Result<Removed> retain_locked(FileSystem& files, const std::string& folder, Manifest& manifest, std::int64_t now_ns);

// Moves the sealed segments to `target` (made if it is not there; an absolute path is recorded): copied, synced,
// published, unlinked. ErrorKind::usage where target is inside the log or is the archive of another log.
Result<Removed> archive_log(FileSystem& files, const std::string& folder, const std::string& target);

struct CompactOptions {
    // The record's key; false: it has none, and is kept.
    std::function<bool(std::string_view record, Hash128& key)> key_of;
    // Whether the record says that its key is deleted; null: none does.
    std::function<bool(std::string_view record)> is_tombstone;
    std::int64_t tombstones_ns = 0;  // a tombstone that is its key's newest record goes when it was appended longer ago
    std::int64_t now_ns = 0;
    std::size_t memory = 256u << 20;  // of the keys; past it ErrorKind::limit, naming --memory
    // All records of a key are in one partition (it decides the partition): memory is that of one partition's keys.
    bool keys_stay_in_partition = false;
};
struct Compacted {
    std::uint64_t segments = 0;  // rewritten
    std::uint64_t records = 0;   // removed
    std::uint64_t tombstones = 0;  // of them
    std::uint64_t bytes_before = 0;
    std::uint64_t bytes_after = 0;
};
// Keeps the newest record of each key in the sealed segments (archived ones too); a newer one in the active
// segment counts. Offsets, order, append times never change. Oldest segments first, so that no old value
// outlives its tombstone.
Result<Compacted> compact_log(FileSystem& files, const std::string& folder, const CompactOptions& options);

struct Excised {
    std::uint64_t records = 0;   // matched
    std::uint64_t segments = 0;  // rewritten
    std::uint64_t undecided = 0;  // records that `matches` could not decide: kept
    std::string first_undecided;  // why, of the first
    std::vector<std::string> runs;  // names of groups `run:…`, whose state may still hold them
};
// Removes every record that matches from every file of the log: segments (the active one is sealed first),
// archive, quarantine (all of it goes), keys, indexes, leftovers of kills. Holds the lock throughout. Leaves an
// entry in the manifest of how many and when. dry_run: counts, changes nothing.
Result<Excised> excise_log(FileSystem& files, const std::string& folder, const std::function<Result<bool>(std::string_view record)>& matches,
                           bool dry_run);

struct Problem {
    std::string file;         // relative to the log
    std::string what;
    std::uint64_t from = 0;   // bytes
    std::uint64_t to = 0;     // exclusive
    bool is_damage = true;    // false: a torn tail, a leftover, a cache out of date: nothing is lost
    std::int64_t partition = -1;
    std::uint64_t first_offset = 0;  // of what cannot be read, where it is damage in a segment
    std::uint64_t last_offset = 0;   // inclusive
};
struct Verified {
    std::uint64_t segments = 0;
    std::uint64_t frames = 0;
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;
    std::uint64_t damaged = 0;  // problems that are damage
};
// Reads everything (segments to their ends, archive, manifest, runs, head, groups, indexes) with the code that
// readers and recovery use, and changes nothing.
Result<Verified> verify_log(FileSystem& files, const std::string& folder, const std::function<void(const Problem&)>& found);

struct Repaired {
    std::uint64_t segments = 0;       // rewritten or cut
    std::uint64_t bytes_removed = 0;  // kept in quarantine/
    std::uint64_t records_lost = 0;
};
// Takes what is damaged out (a copy of every file that is changed goes to quarantine/ first) and keeps the rest: later
// records keep their offsets. Then the log can be read and appended to again.
Result<Repaired> repair_log(FileSystem& files, const std::string& folder, const std::function<void(const Problem&)>& found);

}  // namespace stream::log
