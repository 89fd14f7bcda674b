// SPDX-License-Identifier: Apache-2.0
// Sets of keys by their 128-bit hashes, exact up to that: in memory (key_table.hpp) up to a limit, past
// it on disk too (disk_set.hpp), and the caller doesn't see which.
//
//     ExactSet   keys for ever                          at most 20 bytes a key at 7/8 load
//     TimedSet   keys with a time, which expire         at most 30 bytes
//     ValuedSet  keys with a time and a number          at most 40 bytes
//
// and at growth's worst half as much again. A shard that is full and may not grow moves to disk whole
// and begins anew: memory then holds what came last.
//
// Of the sets with times: entries of one hash lie more than `within` apart. An entry matches a time t
// if |time - t| <= within.
#pragma once

#include "base/error.hpp"
#include "state/bytes.hpp"
#include "state/disk_set.hpp"
#include "state/key_hash.hpp"
#include "state/key_table.hpp"
#include "time/timestamp.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace stream {

struct KeySetLimits {
    std::size_t memory_bytes = 256u << 20;    // of which the disk tier, once there is one, takes half
    std::uint64_t spill_bytes = 10ull << 30;  // on disk; past it ErrorKind::limit, naming --spill-max
    std::string folder;                       // for the disk tier, made only when it is needed
};

// Whether two times are at most `within` apart, whatever their signs and sizes.
constexpr bool is_within(TimeNs a, TimeNs b, DurationNs within) {
    const std::uint64_t apart = a > b ? static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b)
                                      : static_cast<std::uint64_t>(b) - static_cast<std::uint64_t>(a);
    return apart <= static_cast<std::uint64_t>(within);
}

template <unsigned Words>
class KeySet {
public:
    using Entry = typename KeyTable<Words>::Entry;

    explicit KeySet(KeySetLimits limits, DurationNs within = 0);

    // Fetches the cache line that a look for this key will begin with.
    void prefetch(const Hash128& hash, TimeNs time = 0) const {
        table_.prefetch(hash, Words == 0 ? 0 : table_.step_of(time));
    }

    // ExactSet: adds the key; whether it is new.
    Result<bool> insert(const Hash128& hash) requires(Words == 0);

    // TimedSet: adds the key with this time unless an entry matches it; whether it did.
    Result<bool> insert(const Hash128& hash, TimeNs time) requires(Words == 1);

    // ValuedSet: the matching entry, of two the one with the lesser time.
    Result<std::optional<Entry>> find(const Hash128& hash, TimeNs time) requires(Words == 2);
    // ValuedSet: the entry with exactly this time.
    Result<std::optional<Entry>> find_exact(const Hash128& hash, TimeNs time) requires(Words == 2);
    // ValuedSet: adds an entry (nothing matches its time), or replaces the value of the one with exactly
    // this time.
    Result<void> put(const Entry& entry) requires(Words == 2);

    // Entries with time < before are of no use any more. They go little by little, as this is called
    // and as room is needed; until then they may still be found.
    void expire(TimeNs before);

    std::uint64_t size() const;  // on disk an estimate
    std::size_t memory_used() const;
    std::uint64_t spilled_bytes() const { return disk_ ? disk_->bytes() : 0; }

    // What is on disk goes into files beside the state that is saved next (StateWriter::with_files()).
    Result<void> keep_files(KeptFiles& files) { return disk_ ? disk_->keep(files) : Result<void>{}; }
    // Without files a disk tier that cannot be read here ends the program: half a set must not be saved.
    void snapshot(StateWriter& writer) const;
    // Into an empty set with the same `within`.
    Result<void> restore(StateReader& reader);

    // From here on entries that are added are noted, in a quarter of the memory at most: past it they are no longer
    // known. What was noted since, and into a set in the state of that moment.
    void track_changes(bool on) requires(Words < 2);
    bool knows_changes() const { return tracks_; }
    void snapshot_changes(StateWriter& writer) requires(Words < 2);
    Result<void> restore_changes(StateReader& reader) requires(Words < 2) { return restore(reader); }

private:
    template <class Use>
    bool find_in_table(const Hash128& hash, TimeNs time, Use&& use) const;
    template <class Use>
    Result<bool> find_on_disk(const Hash128& hash, TimeNs time, Use&& use) const;
    Result<void> add(const Entry& entry);
    Result<void> make_room(std::size_t shard);
    Result<void> move_to_disk(std::size_t shard);
    // The disk tier wants ten bits a key for its filters, or each new key costs reads.
    std::size_t table_bytes_max() const { return limits_.memory_bytes / 8 * (disk_ ? 4 : 7); }
    std::size_t disk_memory() const { return limits_.memory_bytes / 2; }
    DiskSetOptions disk_options() const { return {limits_.folder, disk_memory(), limits_.spill_bytes, Words}; }

    KeySetLimits limits_;
    DurationNs within_;
    DurationNs disk_step_;  // entries of one hash never share a step
    KeyTable<Words> table_;
    std::unique_ptr<DiskSet> disk_;
    TimeNs cutoff_ = time_before_all;
    TimeNs swept_to_ = time_before_all;
    std::size_t next_sweep_ = 0;
    bool tracks_ = false;
    std::string noted_;  // entries as a snapshot has them

    // Times for which one look is enough, and its step.
    mutable TimeNs step_begin_ = 0;
    mutable TimeNs step_end_ = 0;
    mutable std::int64_t step_ = 0;
};

using ExactSet = KeySet<0>;
using TimedSet = KeySet<1>;
using ValuedSet = KeySet<2>;

}  // namespace stream
