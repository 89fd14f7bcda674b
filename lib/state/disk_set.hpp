// SPDX-License-Identifier: Apache-2.0
// The disk tier of a key set: RocksDB in a folder of its own that goes when the set goes. Nothing in it
// is meant to survive the process but what was kept: no write-ahead log, and what a killed process left behind is
// removed by the next one that works in the same folder.
#pragma once

#include "base/error.hpp"
#include "state/bytes.hpp"
#include "state/kept_files.hpp"
#include "state/key_hash.hpp"
#include "time/timestamp.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stream {

struct DiskEntry {
    Hash128 hash;
    std::int64_t step = 0;  // with the hash: the key
    TimeNs time = 0;
    std::uint64_t value = 0;
};

struct DiskSetOptions {
    std::string folder;            // a folder is made inside it
    std::size_t memory_bytes = 0;  // for write buffers, filters and cached blocks
    std::uint64_t disk_bytes = 0;  // past it: ErrorKind::limit, naming --spill-max
    unsigned words = 0;            // 0: hashes alone; 1: with step and time; 2: and a value
};

class DiskSet {
public:
    static Result<std::unique_ptr<DiskSet>> open(const DiskSetOptions& options);
    ~DiskSet();
    // Removes the folders of all sets of this process, which is about to end without their destructors.
    static void remove_all();
    DiskSet(const DiskSet&) = delete;
    DiskSet& operator=(const DiskSet&) = delete;

    // As it was kept: the files are looked at only as they are needed. ErrorKind::corrupt.
    static Result<std::unique_ptr<DiskSet>> restore(const DiskSetOptions& options, StateReader& reader);
    // All that is in it now is in these files, and stays there whatever follows; snapshot() says which they are.
    Result<void> keep(KeptFiles& files);
    void snapshot(StateWriter& writer) const;

    // In any order; later entries replace earlier ones of the same key.
    Result<void> add(std::vector<DiskEntry>& entries);
    Result<std::optional<DiskEntry>> get(const Hash128& hash, std::int64_t step) const;
    // Entries older than this go when their files are next compacted; until then get() may find them.
    void set_cutoff(TimeNs before);

    Result<void> for_each(const std::function<void(const DiskEntry&)>& use) const;
    std::uint64_t size_estimate() const;
    std::uint64_t bytes() const;

private:
    struct Impl;
    static Result<std::unique_ptr<Impl>> begin(const DiskSetOptions& options);
    explicit DiskSet(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace stream
