// SPDX-License-Identifier: Apache-2.0
#include "state/key_set.hpp"

#include <algorithm>
#include <vector>

namespace stream {
namespace {

constexpr std::uint8_t state_version = 1;
constexpr std::uint8_t state_version_files = 2;  // the disk tier comes first, as files
constexpr std::size_t block_entries = 4096;
constexpr std::size_t sweep_entries = 16 << 10;  // looked at in one expire(): some tens of microseconds

// Wide, so that few times are near the edge of a step; narrow, so that few entries of a hash share one.
constexpr DurationNs placement_steps = 16;

constexpr DurationNs step_width(DurationNs within, DurationNs times) {
    DurationNs width = 0;
    if (within == time_after_all || __builtin_mul_overflow(within + 1, times, &width)) return time_after_all;
    return width;
}

template <unsigned Words>
constexpr std::size_t entry_bytes = 16 + 8 * Words;

template <unsigned Words, class Entry>
void append_entry(std::string& out, const Entry& entry) {
    const std::uint64_t words[4] = {entry.hash.low, entry.hash.high, static_cast<std::uint64_t>(entry.time), entry.value};
    out.append(reinterpret_cast<const char*>(words), entry_bytes<Words>);
}

}  // namespace

template <unsigned Words>
KeySet<Words>::KeySet(KeySetLimits limits, DurationNs within)
    : limits_(std::move(limits)),
      within_(within),
      disk_step_(step_width(within, 1)),
      table_(step_width(within, placement_steps)) {}

template <unsigned Words>
template <class Use>
bool KeySet<Words>::find_in_table(const Hash128& hash, TimeNs time, Use&& use) const {
    const auto matching = [&](TimeNs at, std::int64_t* value) {
        return is_within(at, time, within_) && use(at, value);
    };
    if (time >= step_begin_ && time < step_end_) [[likely]]
        return table_.find(hash, step_, matching);
    const std::int64_t low = table_.step_of(time_sub(time, within_));
    const std::int64_t high = table_.step_of(time_add(time, within_));
    if (low != high) return table_.find(hash, low, matching) || table_.find(hash, high, matching);
    const DurationNs width = step_width(within_, placement_steps);
    TimeNs begin = 0;
    if (width < time_after_all && !__builtin_mul_overflow(low, width, &begin)) {
        step_ = low;
        step_begin_ = time_add(begin, within_);
        step_end_ = time_sub(time_add(begin, width), within_);
    }
    return table_.find(hash, low, matching);
}

template <unsigned Words>
template <class Use>
Result<bool> KeySet<Words>::find_on_disk(const Hash128& hash, TimeNs time, Use&& use) const {
    const std::int64_t last = floor_div(time_add(time, within_), disk_step_);
    for (std::int64_t step = floor_div(time_sub(time, within_), disk_step_); step <= last; ++step) {
        auto entry = disk_->get(hash, step);
        if (!entry) return pass_on(entry);
        if (*entry && is_within((*entry)->time, time, within_) && use(**entry)) return true;
    }
    return false;
}

template <unsigned Words>
Result<bool> KeySet<Words>::insert(const Hash128& hash) requires(Words == 0) {
    if (table_.find(hash, 0, [](TimeNs, std::int64_t*) { return true; })) return false;
    if (disk_) {
        auto entry = disk_->get(hash, 0);
        if (!entry) return pass_on(entry);
        if (*entry) return false;
    }
    STREAM_TRY(add({hash, 0, 0}));
    return true;
}

template <unsigned Words>
Result<bool> KeySet<Words>::insert(const Hash128& hash, TimeNs time) requires(Words == 1) {
    if (find_in_table(hash, time, [](TimeNs, std::int64_t*) { return true; })) return false;
    if (disk_) {
        auto found = find_on_disk(hash, time, [](const DiskEntry&) { return true; });
        if (!found) return found;
        if (*found) return false;
    }
    STREAM_TRY(add({hash, time, 0}));
    return true;
}

template <unsigned Words>
Result<std::optional<typename KeySet<Words>::Entry>> KeySet<Words>::find(const Hash128& hash,
                                                                         TimeNs time) requires(Words == 2) {
    std::optional<Entry> best;
    find_in_table(hash, time, [&](TimeNs at, std::int64_t* value) {
        if (!best || at < best->time) best = Entry{hash, at, static_cast<std::uint64_t>(*value)};
        return false;
    });
    if (disk_) {
        // Of the same time the table's is the newer value.
        auto looked = find_on_disk(hash, time, [&](const DiskEntry& entry) {
            if (!best || entry.time < best->time) best = Entry{hash, entry.time, entry.value};
            return false;
        });
        if (!looked) return pass_on(looked);
    }
    return best;
}

template <unsigned Words>
Result<std::optional<typename KeySet<Words>::Entry>> KeySet<Words>::find_exact(const Hash128& hash,
                                                                               TimeNs time) requires(Words ==
                                                                                                     2) {
    std::optional<Entry> found;
    const auto take = [&](TimeNs at, std::int64_t* value) {
        if (at == time) found = Entry{hash, at, static_cast<std::uint64_t>(*value)};
        return at == time;
    };
    if (table_.find(hash, table_.step_of(time), take) || !disk_) return found;
    auto entry = disk_->get(hash, floor_div(time, disk_step_));
    if (!entry) return pass_on(entry);
    if (*entry && (*entry)->time == time) found = Entry{hash, time, (*entry)->value};
    return found;
}

template <unsigned Words>
Result<void> KeySet<Words>::put(const Entry& entry) requires(Words == 2) {
    const auto replace = [&](TimeNs at, std::int64_t* value) {
        if (at != entry.time) return false;
        *value = static_cast<std::int64_t>(entry.value);
        return true;
    };
    // What is only on disk is shadowed here, and overwritten when this shard moves.
    if (table_.find(entry.hash, table_.step_of(entry.time), replace)) return {};
    return add(entry);
}

template <unsigned Words>
Result<void> KeySet<Words>::add(const Entry& entry) {
    const std::size_t shard = table_.shard_of(entry.hash);
    if (!table_.has_room(shard)) [[unlikely]]
        STREAM_TRY(make_room(shard));
    table_.insert(entry);
    if (tracks_) {
        append_entry<Words>(noted_, entry);
        if (noted_.size() > limits_.memory_bytes / 4) [[unlikely]] {
            tracks_ = false;
            noted_ = std::string();
        }
    }
    return {};
}

template <unsigned Words>
void KeySet<Words>::track_changes(bool on) requires(Words < 2) {
    tracks_ = on;
    noted_ = std::string();
}

// In the form of a whole set.
template <unsigned Words>
void KeySet<Words>::snapshot_changes(StateWriter& writer) requires(Words < 2) {
    writer.put_u8(state_version);
    writer.put_u8(Words);
    writer.put_i64(cutoff_);
    if (!noted_.empty()) {
        writer.put_varint(noted_.size() / entry_bytes<Words>);
        writer.put_raw(noted_.data(), noted_.size());
    }
    writer.put_varint(0);
    noted_ = std::string();
}

template <unsigned Words>
Result<void> KeySet<Words>::make_room(std::size_t shard) {
    const std::size_t before = table_.shard_size(shard);
    if (Words > 0 && table_.sweep(shard, cutoff_) > before / 4) return {};
    // A shard's first bucket is always allowed: without it there is no set.
    if (before == 0 || table_.memory() + table_.growth_bytes(shard) <= table_bytes_max()) {
        table_.grow(shard);
        return {};
    }
    return move_to_disk(shard);
}

template <unsigned Words>
Result<void> KeySet<Words>::move_to_disk(std::size_t shard) {
    if (!disk_) {
        auto disk = DiskSet::open(disk_options());
        if (!disk) return pass_on(disk);
        disk_ = std::move(*disk);
        disk_->set_cutoff(cutoff_);
    }
    std::vector<DiskEntry> entries;
    entries.reserve(table_.shard_size(shard));
    table_.for_each(shard, [&](const Entry& entry) {
        const std::int64_t step = Words == 0 ? 0 : floor_div(entry.time, disk_step_);
        entries.push_back({entry.hash, step, entry.time, entry.value});
    });
    STREAM_TRY(disk_->add(entries));
    table_.clear(shard, table_.memory() > table_bytes_max());
    return {};
}

template <unsigned Words>
void KeySet<Words>::expire(TimeNs before) {
    if (Words == 0 || before <= cutoff_) return;
    cutoff_ = before;
    if (disk_) disk_->set_cutoff(before);
    // All shards once in each `within` of event time.
    const DurationNs pace = std::max<DurationNs>(1, within_ / static_cast<DurationNs>(key_table::shards));
    const TimeNs a_round_ago =
        time_sub(before, step_width(pace - 1, static_cast<DurationNs>(key_table::shards)));
    swept_to_ = std::max(swept_to_, a_round_ago);
    std::size_t looked = 0;
    while (swept_to_ <= time_sub(before, pace) && looked < sweep_entries) {
        looked += table_.shard_size(next_sweep_) + 8;
        table_.sweep(next_sweep_, before);
        next_sweep_ = (next_sweep_ + 1) % key_table::shards;
        swept_to_ = time_add(swept_to_, pace);
    }
}

template <unsigned Words>
std::uint64_t KeySet<Words>::size() const {
    return table_.size() + (disk_ ? disk_->size_estimate() : 0);
}

template <unsigned Words>
std::size_t KeySet<Words>::memory_used() const {
    return table_.memory() + (disk_ ? disk_memory() : 0) + noted_.capacity();
}

// Blocks of entries, each with its count in front, and an empty one. What is on disk comes first, so
// that what shadows it is read after it.
template <unsigned Words>
void KeySet<Words>::snapshot(StateWriter& writer) const {
    const bool as_files = disk_ && writer.with_files();
    writer.put_u8(as_files ? state_version_files : state_version);
    writer.put_u8(Words);
    writer.put_i64(cutoff_);
    if (as_files) disk_->snapshot(writer);
    std::string block;
    const auto flush = [&] {
        if (block.empty()) return;
        writer.put_varint(block.size() / entry_bytes<Words>);
        writer.put_raw(block.data(), block.size());
        block.clear();
    };
    const auto put = [&](const auto& entry) {
        if (Words > 0 && entry.time < cutoff_) return;
        append_entry<Words>(block, entry);
        if (block.size() >= block_entries * entry_bytes<Words>) flush();
    };
    if (disk_ && !as_files) {
        const auto read = disk_->for_each(put);
        STREAM_CHECK(read.has_value());
    }
    for (std::size_t shard = 0; shard < key_table::shards; ++shard) table_.for_each(shard, put);
    flush();
    writer.put_varint(0);
}

template <unsigned Words>
Result<void> KeySet<Words>::restore(StateReader& reader) {
    const auto version = reader.get_u8();
    const auto words = reader.get_u8();
    cutoff_ = reader.get_i64();
    STREAM_TRY(reader.check("a set of keys"));
    if ((version != state_version && version != state_version_files) || words != Words) {
        return fail(ErrorKind::corrupt, "the saved state of a set of keys has another form");
    }
    if (version == state_version_files) {
        auto disk = DiskSet::restore(disk_options(), reader);
        if (!disk) return pass_on(disk);
        disk_ = std::move(*disk);
        disk_->set_cutoff(cutoff_);
    }
    for (;;) {
        const std::uint64_t count = reader.get_varint();
        if (!reader.ok() || count == 0) break;
        for (std::uint64_t i = 0; i < count; ++i) {
            std::uint64_t raw[4] = {};
            if (!reader.get_raw(raw, entry_bytes<Words>)) break;
            const Entry entry{{raw[0], raw[1]}, static_cast<TimeNs>(raw[2]), raw[3]};
            if constexpr (Words == 2) {
                STREAM_TRY(put(entry));
            } else {
                STREAM_TRY(add(entry));
            }
        }
    }
    return reader.check("a set of keys");
}

template class KeySet<0>;
template class KeySet<1>;
template class KeySet<2>;

}  // namespace stream
