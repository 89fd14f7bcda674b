// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "log/quarantine.hpp"
#include "log/rebuild.hpp"
#include "log/seal.hpp"
#include "log/segment_writer.hpp"

namespace stream::log {

namespace {

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

void keep_all(const Batch& batch, SegmentWriter& out) {
    std::string_view lines = batch.lines;
    for (std::uint32_t record = 0; record < batch.header.records; ++record) {
        const std::string_view line = lines.substr(0, lines.find('\n'));
        lines.remove_prefix(line.size() + 1);
        out.keep(batch, record, line);
    }
}

// Which frames of the file are to be in the new one.
Result<std::vector<GoodFrame>> choose_frames(SegmentReader& reader, const Manifest& manifest, const SegmentEntry& segment) {
    std::vector<GoodFrame> frames;
    auto size = reader.size();
    if (!size) return pass_on(size);
    const std::uint64_t limit = std::min(*size, segment.bytes);
    auto read = salvage_segment(reader, limit, [&](const GoodFrame& frame, const Batch& batch) -> Result<void> {
        // Of one that was sealed to be repaired, the end may be of an epoch that was never published.
        if (manifest.is_published(batch.header)) frames.push_back(frame);
        return {};
    });
    if (!read) return pass_on(read);
    // Everything follows, and yet it ends otherwise than it was sealed: then the last one is not what was written.
    if (read->bad.empty() && *size >= segment.bytes && read->end.chain != segment.chain && !frames.empty()) frames.pop_back();
    insert_strays(frames, std::move(read->strays));
    std::erase_if(frames, [&](const GoodFrame& frame) { return frame.end_offset > segment.end; });
    return frames;
}

Result<void> copy_frames(FileSystem& files, const std::string& path, const Manifest& manifest, const FileHeader& header, const SegmentEntry& segment,
                         SegmentWriter& out) {
    auto there = files.open_if_there(path, Open::read);
    if (!there) return pass_on(there);
    if (*there == nullptr) return {};
    auto reader = SegmentReader::open_damaged(files, path, header);
    if (!reader) return pass_on(reader);
    auto frames = choose_frames(*reader, manifest, segment);
    if (!frames) return pass_on(frames);
    for (const GoodFrame& frame : *frames) {
        reader->go_to(frame.place);
        Batch batch;
        auto found = reader->next(frame.end(), batch);
        if (!found) return pass_on(found);
        if (*found != SegmentReader::Found::frame) continue;
        keep_all(batch, out);
        STREAM_TRY(out.end_batch(batch.header));
    }
    return {};
}

}  // namespace

Result<void> quarantine(FileSystem& files, const std::string& folder, const std::string& path) {
    if (is_no_file(files, path)) {  // moved aside, where it may be looked at
        const std::string last = path.substr(path.rfind('/') + 1);
        STREAM_TRY(files.rename(path, fmt::format("{}/.{}.aside-{:016x}", folder_of(path), last, files.random())));
        return files.sync_folder(folder_of(path));
    }
    return keep_copy(files, folder, path, 0, UINT64_MAX, path.substr(path.rfind('/') + 1));
}

Result<SegmentEntry> rebuild_segment(FileSystem& files, const std::string& folder, const Manifest& manifest, std::uint32_t partition,
                                     const SegmentEntry& segment) {
    SegmentEntry by = segment;
    do by.id = files.random();
    while (by.id == 0);
    by.rewritten = true;
    auto out = SegmentWriter::begin(files, folder, manifest, partition, by);
    if (!out) return pass_on(out);
    STREAM_TRY(copy_frames(files, segment_path(folder, partition, segment), manifest, manifest.segment_header(partition, segment), segment, *out));
    STREAM_TRY(out->finish());
    STREAM_TRY(files.sync_folder(folder_of(segment_path(folder, partition, by))));
    by.bytes = out->bytes();
    by.chain = out->chain();
    const Result<void> index = write_index(files, folder, manifest, partition, by);  // a cache
    static_cast<void>(index);
    return by;
}

}  // namespace stream::log
