// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <tuple>

#include "log/maintain.hpp"
#include "log/segment.hpp"
#include "log/upkeep.hpp"

namespace stream::log {

namespace {

// With both locks.
class Retention {
public:
    Retention(FileSystem& files, const std::string& folder, Manifest& manifest) : files_(files), folder_(folder), manifest_(manifest) {}

    Result<Removed> apply(std::int64_t now_ns) {
        const LogConfig& config = manifest_.config();
        if (config.retain_ns > 0) {
            const TimeNs keep_from = time_sub(now_ns, config.retain_ns);
            for (std::uint32_t p = 0; p < config.partitions; ++p) {
                for (auto segment = oldest(p); segment && segment->keep_time < keep_from; segment = oldest(p)) {
                    STREAM_TRY(remove(p, *segment));
                }
            }
        }
        if (config.max_bytes > 0) STREAM_TRY(fit(config.max_bytes));
        return removed_;
    }

private:
    // The next of a partition to go. An older one behind it waits: what is kept has no holes. A copy: remove() changes the manifest.
    std::optional<SegmentEntry> oldest(std::uint32_t partition) const {
        for (const SegmentEntry& segment : manifest_.segments(partition)) {
            if (!segment.archive.empty()) continue;
            return segment.sealed ? std::optional(segment) : std::nullopt;
        }
        return std::nullopt;
    }

    Result<void> remove(std::uint32_t partition, const SegmentEntry& segment) {
        const std::uint64_t records = segment.rewritten ? count_records(partition, segment) : segment.end - segment.base;
        STREAM_TRY(manifest_.remove_segment(partition, segment.id));
        STREAM_TRY(files_.remove(segment_path(folder_, partition, segment)));
        STREAM_TRY(files_.remove(index_path(folder_, partition, segment)));
        ++removed_.segments;
        removed_.bytes += segment.bytes;
        removed_.records += records;
        return {};
    }

    // Only to be told: a damaged segment goes like any other.
    std::uint64_t count_records(std::uint32_t partition, const SegmentEntry& segment) {
        std::uint64_t records = 0;
        auto reader = SegmentReader::open(files_, segment_path(folder_, partition, segment), manifest_.segment_header(partition, segment));
        if (!reader) return 0;
        for (FrameHeader header;;) {
            auto found = reader->next_header(segment.bytes, header);
            if (!found || *found != SegmentReader::Found::frame) return records;
            records += header.records;
        }
    }

    Result<std::uint64_t> local_bytes() {
        std::uint64_t bytes = 0;
        for (std::uint32_t p = 0; p < manifest_.config().partitions; ++p) {
            for (const SegmentEntry& segment : manifest_.segments(p)) {
                if (segment.sealed && segment.archive.empty()) bytes += segment.bytes;
            }
            const SegmentEntry* active = manifest_.active(p);
            if (active == nullptr) continue;
            auto file = files_.open(segment_path(folder_, p, *active), Open::read);
            if (!file) return pass_on(file);
            auto size = (*file)->size();
            if (!size) return pass_on(size);
            bytes += *size;
        }
        return bytes;
    }

    Result<void> fit(std::uint64_t max_bytes) {
        auto bytes = local_bytes();
        if (!bytes) return pass_on(bytes);
        while (*bytes > max_bytes) {
            std::optional<SegmentEntry> first;
            std::uint32_t partition = 0;
            for (std::uint32_t p = 0; p < manifest_.config().partitions; ++p) {
                auto next = oldest(p);
                if (!next || (first && std::tie(first->keep_time, first->base) <= std::tie(next->keep_time, next->base))) continue;
                first = std::move(next);
                partition = p;
            }
            if (!first) return {};  // active ones alone are more
            STREAM_TRY(remove(partition, *first));
            *bytes -= first->bytes;
        }
        return {};
    }

    FileSystem& files_;
    const std::string& folder_;
    Manifest& manifest_;
    Removed removed_;
};

}  // namespace

Result<Removed> retain_log(FileSystem& files, const std::string& folder, std::int64_t now_ns) {
    auto upkeep = Upkeep::begin(files, folder);
    if (!upkeep) return pass_on(upkeep);
    STREAM_TRY(upkeep->hold());
    STREAM_TRY(upkeep->sweep());
    auto removed = Retention(files, folder, upkeep->manifest()).apply(now_ns);
    if (!removed) return removed;
    STREAM_TRY(upkeep->sync_unlinked());
    STREAM_TRY(upkeep->let_go());
    return removed;
}

Result<Removed> retain_locked(FileSystem& files, const std::string& folder, Manifest& manifest, std::int64_t now_ns) {
    if (manifest.config().retain_ns == 0 && manifest.config().max_bytes == 0) return Removed{};
    auto claim = files.lock(upkeep_path(folder), false);
    if (!claim) return pass_on(claim);
    if (*claim == nullptr) return Removed{};  // at the next seal, then: waiting for it with LOCK could be for ever
    auto removed = Retention(files, folder, manifest).apply(now_ns);
    if (removed && removed->segments > 0) STREAM_TRY(files.sync_folder(folder + "/segments"));
    return removed;
}

}  // namespace stream::log
