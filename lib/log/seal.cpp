// SPDX-License-Identifier: Apache-2.0
#include "log/seal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/check.hpp"
#include "base/crc32c.hpp"
#include "log/little_endian.hpp"
#include "log/segment.hpp"
#include "log/segment_writer.hpp"

namespace stream::log {

namespace {

std::uint64_t new_id(FileSystem& files) {
    for (;;) {
        const std::uint64_t id = files.random();
        if (id != 0) return id;
    }
}

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

}  // namespace

Result<std::unique_ptr<File>> begin_segment(FileSystem& files, const std::string& folder, Manifest& manifest, HeadState& head,
                                            std::uint32_t partition) {
    PartitionHead& end = head.partitions[partition];
    SegmentEntry next;
    next.id = new_id(files);
    next.base = end.offset;
    std::uint32_t chain = 0;
    auto made = make_segment_file(files, segment_path(folder, partition, next), manifest.segment_header(partition, next), chain);
    if (!made) return made;
    STREAM_TRY((*made)->sync());
    STREAM_TRY(files.sync_folder(folder + "/segments"));
    std::optional<SegmentEntry> sealed;
    if (const SegmentEntry* active = manifest.active(partition); active != nullptr) {
        STREAM_CHECK(active->id == end.segment && end.durable == end.length);
        sealed = *active;
        sealed->sealed = true;
        sealed->bytes = end.length;
        sealed->end = end.offset;
        sealed->chain = end.chain;
        sealed->max_time = end.max_time;
        sealed->keep_time = end.keep_time;
    }
    STREAM_TRY(manifest.add_segment(partition, next.id, next.base, head.sequence, sealed ? &*sealed : nullptr));
    end.segment = next.id;
    end.length = end.durable = file_header_size;
    end.chain = chain;
    end.max_time = end.keep_time = time_before_all;
    head.durable_sequence = head.sequence;
    head.manifest_length = manifest.length();
    if (sealed) {
        // A cache: without it readers look at every frame's header.
        const Result<void> index = write_index(files, folder, manifest, partition, *sealed);
        static_cast<void>(index);
        auto upkeep = files.lock(folder + "/UPKEEP", false);
        if (upkeep && *upkeep != nullptr) static_cast<void>(remove_leftovers(files, folder, manifest));
    }
    return made;
}

namespace {

Result<void> keep_some(const Batch& batch, const KeepRecord& keep, SegmentWriter& out) {
    std::string_view lines = batch.lines;
    for (std::uint32_t record = 0; record < batch.header.records; ++record) {
        const std::string_view line = lines.substr(0, lines.find('\n'));
        lines.remove_prefix(line.size() + 1);
        auto stays = keep(batch, record, line);
        if (!stays) return pass_on(stays);
        if (*stays) out.keep(batch, record, line);
    }
    return out.end_batch(batch.header);
}

}  // namespace

Result<SegmentEntry> rewrite_segment(FileSystem& files, const std::string& folder, const Manifest& manifest, std::uint32_t partition,
                                     const SegmentEntry& segment, const KeepRecord& keep) {
    auto reader = SegmentReader::open(files, segment_path(folder, partition, segment), manifest.segment_header(partition, segment));
    if (!reader) return pass_on(reader);
    SegmentEntry by = segment;
    by.id = new_id(files);
    by.rewritten = true;
    auto out = SegmentWriter::begin(files, folder, manifest, partition, by);
    if (!out) return pass_on(out);
    for (Batch batch;;) {
        auto found = reader->next(segment.bytes, batch);
        if (!found) return pass_on(found);
        if (*found == SegmentReader::Found::end) break;
        if (*found != SegmentReader::Found::frame) {
            return fail(ErrorKind::corrupt, fmt::format("{}: {} (byte {})", reader->path(), reader->why(), reader->place().position));
        }
        STREAM_TRY(keep_some(batch, keep, *out));
    }
    STREAM_TRY(out->finish());
    STREAM_TRY(files.sync_folder(folder_of(segment_path(folder, partition, by))));
    by.bytes = out->bytes();
    by.chain = out->chain();
    const Result<void> index = write_index(files, folder, manifest, partition, by);
    static_cast<void>(index);
    return by;
}

// --- indexes ---

namespace {

constexpr char index_magic[8] = {'S', 'L', 'I', 'D', 'X', '1', '\n', '\0'};
constexpr std::size_t index_fixed = 32;  // magic, segment id, its length, count
constexpr std::size_t index_each = 40;
constexpr std::uint64_t index_step = 64 << 10;
constexpr std::uint64_t index_entries_max = 1 << 20;

}  // namespace

Result<std::optional<std::vector<IndexEntry>>> read_index(FileSystem& files, const std::string& path, const SegmentEntry& segment) {
    using Entries = std::optional<std::vector<IndexEntry>>;
    auto file = files.open_if_there(path, Open::read);
    if (!file) return pass_on(file);
    if (*file == nullptr) return Entries{};
    auto size = (*file)->size();
    if (!size) return pass_on(size);
    if (*size < index_fixed + 4 || *size > index_fixed + 4 + index_each * index_entries_max) return Entries{};
    std::string bytes(static_cast<std::size_t>(*size), '\0');
    auto got = (*file)->read_at(bytes, 0);
    if (!got) return pass_on(got);
    const std::string_view all = std::string_view(bytes).substr(0, *got);
    if (all.size() < *size || all.compare(0, sizeof index_magic, std::string_view(index_magic, sizeof index_magic)) != 0) return Entries{};
    if (crc32c(all.substr(0, all.size() - 4)) != get<std::uint32_t>(all, all.size() - 4)) return Entries{};
    const auto count = get<std::uint64_t>(all, 24);
    if (get<std::uint64_t>(all, 8) != segment.id || get<std::uint64_t>(all, 16) != segment.bytes) return Entries{};
    if (count > index_entries_max || all.size() != index_fixed + count * index_each + 4) return Entries{};
    std::vector<IndexEntry> entries(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const std::size_t at = index_fixed + i * index_each;
        IndexEntry& entry = entries[i];
        entry.position = get<std::uint64_t>(all, at);
        entry.offset = get<std::uint64_t>(all, at + 8);
        entry.max_time = get<std::int64_t>(all, at + 16);
        entry.chain = get<std::uint32_t>(all, at + 24);
        entry.epoch = get<std::uint32_t>(all, at + 28);
        const IndexEntry* before = i == 0 ? nullptr : &entries[i - 1];
        if (before != nullptr && (entry.position <= before->position || entry.offset < before->offset || entry.max_time < before->max_time)) return Entries{};
        if (entry.position < file_header_size || entry.position >= segment.bytes) return Entries{};
    }
    return Entries(std::move(entries));
}

Result<void> write_index(FileSystem& files, const std::string& folder, const Manifest& manifest, std::uint32_t partition,
                         const SegmentEntry& segment) {
    auto reader = SegmentReader::open(files, segment_path(folder, partition, segment), manifest.segment_header(partition, segment));
    if (!reader) return pass_on(reader);
    std::string entries;
    std::uint64_t count = 0;
    std::uint64_t next = 0;
    TimeNs greatest = time_before_all;
    for (FrameHeader header;;) {
        const SegmentPlace place = reader->place();
        auto found = reader->next_header(segment.bytes, header);
        if (!found) return pass_on(found);
        if (*found == SegmentReader::Found::end) break;
        if (*found != SegmentReader::Found::frame) return fail(ErrorKind::corrupt, reader->path() + ": " + reader->why());
        if (place.position >= next && count < index_entries_max) {
            next = place.position + index_step;
            put(entries, place.position);
            put(entries, header.offset);
            put(entries, greatest);
            put(entries, place.chain);
            put(entries, place.epoch);
            put(entries, std::uint64_t{0});
            ++count;
        }
        greatest = std::max(greatest, time_of_frame(header));
    }
    std::string bytes(index_magic, sizeof index_magic);
    put(bytes, segment.id);
    put(bytes, segment.bytes);
    put(bytes, count);
    bytes += entries;
    put(bytes, crc32c(bytes));
    const std::string path = index_path(folder, partition, segment);
    STREAM_TRY(files.remove(path));
    auto file = files.open(path, Open::create_new);
    if (!file) return pass_on(file);
    STREAM_TRY((*file)->write_at(bytes, 0));
    return (*file)->close();
}

// --- leftovers ---

namespace {

bool is_temporary(std::string_view name) { return name.find(".tmp-") != std::string_view::npos; }

using Named = std::set<std::string>;                             // names of segments' files
using Places = std::set<std::pair<std::uint32_t, std::uint64_t>>;  // their partitions and first offsets

// What the log makes in a folder of segments and no entry names. With `only_at`, only temporary files and what was
// replaced at one of these places: a copy of the log may have archived others here.
Result<std::uint64_t> remove_unnamed(FileSystem& files, const std::string& folder, const Hash128& log_id, const Named& named, const Places* only_at) {
    auto names = files.list(folder);
    if (!names) return pass_on(names);
    std::uint64_t removed = 0;
    for (const std::string& name : *names ? **names : std::vector<std::string>{}) {
        std::string segment = name.substr(0, name.find(".tmp-"));
        if (segment.ends_with(".idx")) segment.replace(segment.size() - 4, 4, ".seg");
        std::uint32_t partition = 0;
        SegmentEntry entry;
        if (!parse_segment_name(segment, partition, entry)) continue;
        if (!is_temporary(name) && (named.contains(segment) || (only_at != nullptr && !only_at->contains({partition, entry.base})))) continue;
        if (name.ends_with(".seg")) {
            auto foreign = is_of_another_log(files, folder + "/" + name, log_id);
            if (!foreign) return pass_on(foreign);
            if (*foreign) continue;
        }
        STREAM_TRY(files.remove(folder + "/" + name));
        ++removed;
    }
    return removed;
}

}  // namespace

Result<std::uint64_t> remove_leftovers(FileSystem& files, const std::string& folder, const Manifest& manifest) {
    std::uint64_t removed = 0;
    std::vector<std::string> folders = manifest.archives();
    folders.insert(folders.begin(), std::string());
    for (const std::string& archive : folders) {
        Named named;
        Places places;
        for (std::uint32_t p = 0; p < manifest.config().partitions; ++p) {
            for (const SegmentEntry& segment : manifest.segments(p)) {
                if (segment.archive != archive) continue;
                named.insert(segment_name(p, segment));
                places.insert({p, segment.base});
            }
        }
        auto here = remove_unnamed(files, archive.empty() ? folder + "/segments" : archive, manifest.log_id(), named, archive.empty() ? nullptr : &places);
        if (!here) return pass_on(here);
        removed += *here;
    }
    auto names = files.list(folder);
    if (!names) return pass_on(names);
    for (const std::string& name : *names ? **names : std::vector<std::string>{}) {
        if (!name.starts_with("manifest.tmp-") && !name.starts_with("runs.tmp-")) continue;
        STREAM_TRY(files.remove(folder + "/" + name));
        ++removed;
    }
    return removed;
}

}  // namespace stream::log
