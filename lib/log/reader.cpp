// SPDX-License-Identifier: Apache-2.0
#include "log/reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/check.hpp"
#include "log/cursor.hpp"
#include "log/recovery.hpp"
#include "log/seal.hpp"

namespace stream::log {

struct LogReader::Impl {
    Impl(FileSystem& f, std::string where, Manifest m, const ReaderOptions& o)
        : files(f), folder(std::move(where)), manifest(std::move(m)), head_file(f, folder), options(o) {}

    FileSystem& files;
    std::string folder;
    Manifest manifest;
    Head head_file;
    ReaderOptions options;
    HeadState ends;
    std::vector<Cursor> cursors;  // of every partition
    std::vector<std::uint32_t> read;  // which of them are read
    Gap gap;
    std::string problem;

    // Where the log ends. While nobody writes, the frames themselves say it, whatever a dead writer left; while
    // somebody does, he has put it into `head` before he began.
    Result<void> look() {
        constexpr int tries = 1000;
        for (int i = 0; i < tries; ++i) {
            auto lock = files.lock_to_read(folder + "/LOCK");
            if (!lock && lock.error().kind() == ErrorKind::io) break;  // not ours to lock: it can be read all the same
            if (lock && *lock != nullptr) return look_at_frames();
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        auto head = head_file.read(manifest.id(), manifest.config().partitions);
        if (!head) return pass_on(head);
        if (!*head) return look_at_frames();
        STREAM_TRY(manifest.refresh(false, (*head)->manifest_length, (*head)->published));
        ends = std::move(**head);
        return {};
    }

    Result<void> look_at_frames() {
        auto head = head_file.read(manifest.id(), manifest.config().partitions);
        if (!head) return pass_on(head);
        STREAM_TRY(manifest.refresh(false, *head ? (*head)->manifest_length : 0, *head ? (*head)->published : 0));
        auto found = find_ends(files, folder, manifest, *head);
        if (found) {
            ends = std::move(found->head);
            return {};
        }
        // Damaged at its end: what is before it can be read, and reading says what is wrong.
        if (found.error().kind() != ErrorKind::corrupt || !options.skip_corrupt) return pass_on(found);
        problem = found.error().message();
        ends = *head ? std::move(**head) : HeadState();
        if (!*head) return ends_by_size();
        return {};
    }

    // With a damaged end and no head: everything up to the files' ends, as far as it can be read.
    Result<void> ends_by_size() {
        ends.epoch = manifest.epoch();
        for (std::uint32_t p = 0; p < manifest.config().partitions; ++p) {
            PartitionHead end;
            if (const SegmentEntry* active = manifest.active(p)) {
                end.segment = active->id;
                end.offset = std::uint64_t{1} << 62;
                if (auto file = files.open(segment_path(folder, p, *active), Open::read)) {
                    auto size = (*file)->size();
                    if (!size) return pass_on(size);
                    end.length = *size;
                }
            }
            ends.partitions.push_back(end);
        }
        return {};
    }

    // Of the partitions that are read, the one whose next record was appended first, and the number up to which
    // no other has one.
    Result<Next> next(Run& run) {
        Cursor* least = nullptr;
        std::uint64_t others = UINT64_MAX;
        for (const std::uint32_t p : read) {
            Cursor& cursor = cursors[p];
            auto got = cursor.advance(ends.partitions[p]);
            if (!got) return pass_on(got);
            if (*got == Next::gap) gap = cursor.gap();
            if (*got == Next::damage) problem = cursor.problem();
            if (*got == Next::gap || *got == Next::damage) return got;
            if (*got == Next::end) continue;
            if (least == nullptr || cursor.sequence() < least->sequence()) {
                if (least != nullptr) others = std::min(others, least->sequence());
                least = &cursor;
            } else {
                others = std::min(others, cursor.sequence());
            }
        }
        if (least == nullptr) return Next::end;
        least->take(others, run);
        return Next::records;
    }

    // The first segment, and in it the first place, with something as late as that.
    Result<std::uint64_t> offset_at(std::uint32_t p, TimeNs time, const TimeOf& time_of) {
        const PartitionHead& end = ends.partitions[p];
        for (const SegmentEntry& segment : manifest.segments(p)) {
            const TimeNs latest = segment.sealed ? std::max(segment.max_time, segment.keep_time) : std::max(end.max_time, end.keep_time);
            if (latest < time) continue;
            auto found = find_in(p, segment, time, time_of);
            if (!found) return pass_on(found);
            if (*found) return **found;
        }
        return end.offset;
    }

    Result<std::optional<std::uint64_t>> find_in(std::uint32_t p, const SegmentEntry& segment, TimeNs time, const TimeOf& time_of) {
        auto reader = SegmentReader::open(files, segment_path(folder, p, segment), manifest.segment_header(p, segment));
        if (!reader) return pass_on(reader);
        const std::uint64_t limit = segment.sealed ? segment.bytes : ends.partitions[p].length;
        if (segment.sealed) {
            auto index = read_index(files, index_path(folder, p, segment), segment);
            if (!index) return pass_on(index);
            if (*index) {  // the last place before which nothing is as late as that
                const auto behind = std::partition_point((*index)->begin(), (*index)->end(), [&](const IndexEntry& entry) { return entry.max_time < time; });
                if (behind != (*index)->begin()) {
                    const IndexEntry& entry = *(behind - 1);
                    reader->go_to({entry.position, entry.chain, entry.epoch, entry.offset});
                }
            }
        }
        for (;;) {
            const SegmentPlace place = reader->place();
            FrameHeader header;
            auto found = reader->next_header(limit, header);
            if (!found) return pass_on(found);
            if (*found != SegmentReader::Found::frame) return std::optional<std::uint64_t>();
            if (time_of_frame(header) < time) continue;
            const SegmentPlace behind = reader->place();
            reader->go_to(place);
            Batch batch;
            found = reader->next(limit, batch);
            if (!found) return pass_on(found);
            if (*found != SegmentReader::Found::frame) return std::optional<std::uint64_t>();
            if (const auto offset = find_record(batch, time, time_of)) return offset;
            reader->go_to(behind);
        }
    }

    static std::optional<std::uint64_t> find_record(const Batch& batch, TimeNs time, const TimeOf& time_of) {
        if (batch.header.max_time == time_before_all) return batch.header.records == 0 ? std::nullopt : std::optional(batch.offset_of(0));
        std::string_view lines = batch.lines;
        for (std::uint32_t i = 0; i < batch.header.records; ++i) {
            const std::string_view line = lines.substr(0, lines.find('\n'));
            lines.remove_prefix(line.size() + 1);
            const TimeNs at = time_of(line);
            if (at != time_before_all && at >= time) return batch.offset_of(i);
        }
        return std::nullopt;
    }
};

Result<LogReader> LogReader::open(FileSystem& files, const std::string& folder, const ReaderOptions& options) {
    auto manifest = Manifest::load(files, folder);
    if (!manifest) return pass_on(manifest);
    const std::uint32_t partitions = manifest->config().partitions;
    for (const std::uint32_t p : options.partitions) {
        if (p >= partitions) return fail(ErrorKind::usage, fmt::format("{} has no partition {}: they are 0 to {}", folder, p, partitions - 1));
    }
    auto impl = std::make_unique<Impl>(files, folder, std::move(*manifest), options);
    STREAM_TRY(impl->look());
    for (std::uint32_t p = 0; p < partitions; ++p) {
        impl->cursors.emplace_back(files, impl->folder, impl->manifest, p, options.skip_corrupt);
        if (options.partitions.empty()) impl->read.push_back(p);
    }
    LogReader reader(std::move(impl));
    for (std::uint32_t p = 0; p < partitions; ++p) reader.seek(p, reader.first_offset(p));
    if (!options.partitions.empty()) reader.set_partitions(options.partitions);
    return reader;
}

LogReader::LogReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LogReader::LogReader(LogReader&&) noexcept = default;
LogReader& LogReader::operator=(LogReader&&) noexcept = default;
LogReader::~LogReader() = default;

const Manifest& LogReader::manifest() const { return impl_->manifest; }
const HeadState& LogReader::ends() const { return impl_->ends; }
const Gap& LogReader::gap() const { return impl_->gap; }
const std::string& LogReader::problem() const { return impl_->problem; }

Result<bool> LogReader::refresh() {
    auto head = impl_->head_file.read(impl_->manifest.id(), impl_->manifest.config().partitions);
    if (!head) return pass_on(head);
    // None, or one that a writer is at: there will be another.
    if (!*head || (*head)->writes == impl_->ends.writes) return false;
    STREAM_TRY(impl_->manifest.refresh(false, (*head)->manifest_length, (*head)->published));
    const bool more = (*head)->sequence != impl_->ends.sequence;
    impl_->ends = std::move(**head);
    return more;
}

std::uint64_t LogReader::first_offset(std::uint32_t partition) const {
    const auto& segments = impl_->manifest.segments(partition);
    return segments.empty() ? impl_->ends.partitions[partition].offset : segments.front().base;
}

std::uint64_t LogReader::end_offset(std::uint32_t partition) const { return impl_->ends.partitions[partition].offset; }

Result<std::uint64_t> LogReader::offset_at(std::uint32_t partition, TimeNs time, const TimeOf& time_of) {
    return impl_->offset_at(partition, time, time_of);
}

void LogReader::seek(std::uint32_t partition, std::uint64_t offset) { impl_->cursors[partition].seek(offset); }
void LogReader::stop_at(std::uint32_t partition, std::uint64_t offset) { impl_->cursors[partition].stop_at(offset); }
std::uint64_t LogReader::position(std::uint32_t partition) const { return impl_->cursors[partition].position(); }

void LogReader::set_partitions(const std::vector<std::uint32_t>& partitions) {
    impl_->read = partitions;
    std::sort(impl_->read.begin(), impl_->read.end());
    impl_->read.erase(std::unique(impl_->read.begin(), impl_->read.end()), impl_->read.end());
}

Result<LogReader::Next> LogReader::next(Run& run) { return impl_->next(run); }

}  // namespace stream::log
