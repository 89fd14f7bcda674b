// SPDX-License-Identifier: Apache-2.0
// One pass over all records finds what is to go, a second one over the segments that have any of it writes them anew.
// Between them only offsets are remembered: no record is asked for its key twice.
#include <fmt/format.h>

#include <array>
#include <vector>

#include "base/check.hpp"
#include "base/text.hpp"
#include "log/maintain.hpp"
#include "log/reader.hpp"
#include "log/seal.hpp"
#include "log/upkeep.hpp"

namespace stream::log {

namespace {

// Where a key's newest record is, in eight bytes.
struct Place {
    static constexpr unsigned offset_bits = 50;
    static constexpr std::uint64_t offset_end = std::uint64_t{1} << offset_bits;
    static constexpr std::uint64_t none = UINT64_MAX;  // partitions are fewer than 4096: no place is that

    std::uint32_t partition = 0;
    std::uint64_t offset = 0;
    bool expired = false;  // a tombstone that may go
    bool pinned = false;   // an older value stays in an active segment: no tombstone of the key may go

    std::uint64_t packed() const {
        return std::uint64_t{partition} << 52 | std::uint64_t{expired} << 51 | std::uint64_t{pinned} << offset_bits | offset;
    }
    static Place of(std::uint64_t packed) {
        return {static_cast<std::uint32_t>(packed >> 52), packed & (offset_end - 1), (packed >> 51 & 1) != 0, (packed >> offset_bits & 1) != 0};
    }
};

// Open addressing, 24 bytes a slot, filled to three quarters. Many small tables, so that one of them growing takes
// little beside what there is.
class KeyPlaces {
public:
    // The key's packed place, Place::none for a new one, to be set at once; valid until the next call.
    std::uint64_t& operator[](const Hash128& key) {
        Table& table = tables_[key.high >> 56];
        if (table.used * 4 >= table.slots.size() * 3) grow(table);
        Slot& slot = find(table.slots, key);
        if (slot.place == Place::none) {
            slot.key = key;
            ++table.used;
        }
        return slot.place;
    }
    std::size_t bytes() const { return bytes_; }

    template <class Use>
    void each(Use&& use) const {
        for (const Table& table : tables_) {
            for (const Slot& slot : table.slots) {
                if (slot.place != Place::none) use(slot.place);
            }
        }
    }

private:
    struct Slot {
        Hash128 key;
        std::uint64_t place = Place::none;
    };
    struct Table {
        std::vector<Slot> slots;
        std::size_t used = 0;
    };

    static Slot& find(std::vector<Slot>& slots, const Hash128& key) {
        std::size_t at = key.low % slots.size();
        while (slots[at].place != Place::none && slots[at].key != key) at = at + 1 == slots.size() ? 0 : at + 1;
        return slots[at];
    }

    void grow(Table& table) {
        std::vector<Slot> more(table.slots.size() + table.slots.size() / 2 + 8);
        for (const Slot& slot : table.slots) {
            if (slot.place != Place::none) find(more, slot.key) = slot;
        }
        bytes_ += (more.size() - table.slots.size()) * sizeof(Slot);
        table.slots = std::move(more);
    }

    std::array<Table, 256> tables_;
    std::size_t bytes_ = 0;
};

class Compaction {
public:
    Compaction(Upkeep& upkeep, const CompactOptions& options)
        : upkeep_(upkeep), options_(options), partitions_(upkeep.manifest().config().partitions), parts_(partitions_) {
        expired_before_ = time_sub(options.now_ns, options.tombstones_ns);
    }

    Result<Compacted> run() {
        STREAM_TRY(upkeep_.hold());
        STREAM_TRY(upkeep_.sweep());
        for (std::uint32_t p = 0; p < partitions_; ++p) {
            const SegmentEntry* active = upkeep_.manifest().active(p);
            parts_[p].active_from = active == nullptr ? 0 : active->base;
        }
        STREAM_TRY(upkeep_.let_go());
        if (options_.keys_stay_in_partition || partitions_ == 1) {
            for (std::uint32_t p = 0; p < partitions_; ++p) {
                STREAM_TRY(look({p}));
                STREAM_TRY(rewrite(p, true, true));
                parts_[p] = Part();
            }
        } else {
            STREAM_TRY(look({}));
            // A key's values and its tombstone may lie in different partitions: no tombstone goes before all values have.
            for (std::uint32_t p = 0; p < partitions_; ++p) STREAM_TRY(rewrite(p, true, false));
            for (std::uint32_t p = 0; p < partitions_; ++p) STREAM_TRY(rewrite(p, false, true));
        }
        STREAM_TRY(upkeep_.sync_unlinked());
        return done_;
    }

private:
    struct Part {
        std::uint64_t active_from = 0;  // offsets from here on are in a segment that is active, or was when this began
        OffsetSet superseded;
        OffsetSet expired;  // tombstones
    };

    // Finds what may go of these partitions (none: all).
    Result<void> look(const std::vector<std::uint32_t>& which) {
        ReaderOptions reading;
        reading.partitions = which;
        auto reader = LogReader::open(upkeep_.files(), upkeep_.folder(), reading);
        if (!reader) return pass_on(reader);
        KeyPlaces newest;
        for (Run run;;) {
            auto next = reader->next(run);
            if (!next) return pass_on(next);
            if (*next == LogReader::Next::end) break;
            if (*next != LogReader::Next::records) continue;
            STREAM_TRY(look_at(run, newest));
        }
        newest.each([&](std::uint64_t packed) {
            const Place place = Place::of(packed);
            if (place.expired) parts_[place.partition].expired.add(place.offset);
        });
        return {};
    }

    Result<void> look_at(const Run& run, KeyPlaces& newest) {
        Part& part = parts_[run.partition];
        const bool may_expire = options_.is_tombstone != nullptr && run.append_time() < expired_before_;
        std::string_view lines = run.lines;
        for (std::uint32_t record = 0; record < run.records; ++record) {
            const std::string_view line = lines.substr(0, lines.find('\n'));
            lines.remove_prefix(line.size() + 1);
            Hash128 key;
            if (!options_.key_of(line, key)) continue;
            Place place;
            place.partition = run.partition;
            place.offset = run.offset_of(record);
            STREAM_CHECK(place.offset < Place::offset_end);
            std::uint64_t& packed = newest[key];
            if (packed != Place::none) {
                const Place old = Place::of(packed);
                const bool stays = old.offset >= parts_[old.partition].active_from;
                place.pinned = old.pinned || stays;
                if (!stays) parts_[old.partition].superseded.add(old.offset);
            }
            place.expired = may_expire && !place.pinned && place.offset < part.active_from && options_.is_tombstone(line);
            packed = place.packed();
        }
        constexpr std::uint64_t often = 1 << 14;
        if ((looked_at_ + run.records) / often != looked_at_ / often) STREAM_TRY(check_memory(newest));
        looked_at_ += run.records;
        return {};
    }

    Result<void> check_memory(const KeyPlaces& newest) const {
        std::size_t bytes = newest.bytes();
        for (const Part& part : parts_) bytes += part.superseded.bytes();
        if (bytes <= options_.memory) return {};
        return fail(ErrorKind::limit,
                    fmt::format("{}: compaction needs more than the {} of --memory for its keys", upkeep_.folder(), format_size(options_.memory)),
                    "--memory " + format_size(2 * std::uint64_t{options_.memory}));
    }

    // Oldest segments first: a kill leaves no value without the tombstone that came after it.
    Result<void> rewrite(std::uint32_t p, bool superseded, bool expired) {
        const Part& part = parts_[p];
        const std::vector<SegmentEntry> segments = upkeep_.manifest().segments(p);
        for (const SegmentEntry& segment : segments) {
            if (!segment.sealed || segment.base >= part.active_from) continue;
            const std::uint64_t values = superseded ? part.superseded.count_in(segment.base, segment.end) : 0;
            const std::uint64_t tombstones = expired ? part.expired.count_in(segment.base, segment.end) : 0;
            if (values + tombstones == 0) continue;
            const auto keep = [&](const Batch& batch, std::uint32_t record, std::string_view) -> Result<bool> {
                const std::uint64_t offset = batch.offset_of(record);
                return !(superseded && part.superseded.contains(offset)) && !(expired && part.expired.contains(offset));
            };
            auto by = rewrite_segment(upkeep_.files(), upkeep_.folder(), upkeep_.manifest(), p, segment, keep);
            if (!by) return pass_on(by);
            STREAM_TRY(upkeep_.hold());
            STREAM_TRY(upkeep_.replace(p, segment, *by));
            STREAM_TRY(upkeep_.let_go());
            ++done_.segments;
            done_.records += values + tombstones;
            done_.tombstones += tombstones;
            done_.bytes_before += segment.bytes;
            done_.bytes_after += by->bytes;
        }
        return {};
    }

    Upkeep& upkeep_;
    const CompactOptions& options_;
    std::uint32_t partitions_;
    TimeNs expired_before_ = 0;
    std::vector<Part> parts_;
    std::uint64_t looked_at_ = 0;  // records
    Compacted done_;
};

}  // namespace

Result<Compacted> compact_log(FileSystem& files, const std::string& folder, const CompactOptions& options) {
    STREAM_CHECK(options.key_of != nullptr);
    auto upkeep = Upkeep::begin(files, folder);
    if (!upkeep) return pass_on(upkeep);
    return Compaction(*upkeep, options).run();
}

}  // namespace stream::log
