// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "base/check.hpp"
#include "log/rebuild.hpp"
#include "log/seal.hpp"

namespace stream::log {

namespace {

constexpr std::size_t copy_block = 1 << 20;

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

Result<void> copy_file(File& from, File& to) {
    std::string block;
    for (std::uint64_t at = 0;; at += block.size()) {
        block.resize(copy_block);
        auto got = from.read_at(block, at);
        if (!got) return pass_on(got);
        block.resize(*got);
        if (block.empty()) return {};
        STREAM_TRY(to.write_at(block, at));
    }
}

// Frames one after the other into a new segment; each says where its records stood.
class SegmentBuilder {
public:
    SegmentBuilder(const Manifest& manifest, std::uint64_t id)
        : id_(id), compressed_(manifest.config().compressed), compressor_(manifest.config().level), records_(manifest.config().partitions > 1, true) {}

    Result<void> begin(FileSystem& files, const std::string& path, const FileHeader& header) {
        auto made = files.open(path, Open::create_new);
        if (!made) return pass_on(made);
        file_ = std::move(*made);
        append_file_header(out_, header);
        FileHeader again;
        STREAM_CHECK(read_file_header(out_, again, chain_) == nullptr);
        return {};
    }

    Result<void> add(const Batch& batch) {
        std::string_view lines = batch.lines;
        for (std::uint32_t record = 0; record < batch.header.records; ++record) {
            const std::string_view line = lines.substr(0, lines.find('\n'));
            lines.remove_prefix(line.size() + 1);
            records_.add(line, batch.offset_of(record), batch.sequence_of(record), batch.header.max_time);
        }
        if (records_.empty()) return {};
        FrameHeader h;
        h.offset = records_.first_offset();
        h.sequence = h.durable_sequence = records_.first_sequence();
        stored_.clear();
        records_.finish(h, stored_, compressed_ ? &compressor_ : nullptr);
        h.file_id = id_;
        h.epoch = batch.header.epoch;
        h.chain = chain_;
        h.durable = position_ + out_.size();
        h.max_time = batch.header.max_time;
        h.append_time = batch.header.append_time;
        append_frame(out_, h, stored_);
        chain_ = h.next_chain();
        return out_.size() >= copy_block ? flush() : Result<void>();
    }

    Result<void> finish() {
        STREAM_TRY(flush());
        STREAM_TRY(file_->sync());
        return file_->close();
    }
    std::uint64_t bytes() const { return position_; }
    std::uint32_t chain() const { return chain_; }

private:
    Result<void> flush() {
        STREAM_TRY(file_->write_at(out_, position_));
        position_ += out_.size();
        out_.clear();
        return {};
    }

    std::uint64_t id_;
    bool compressed_;
    ZstdCompressor compressor_;
    BatchBuilder records_;
    std::unique_ptr<File> file_;
    std::string out_;
    std::string stored_;
    std::uint64_t position_ = 0;
    std::uint32_t chain_ = 0;
};

// Which frames of the file are to be in the new one.
Result<std::vector<GoodFrame>> choose_frames(SegmentReader& reader, const SegmentEntry& segment) {
    std::vector<GoodFrame> frames;
    auto size = reader.size();
    if (!size) return pass_on(size);
    const std::uint64_t limit = std::min(*size, segment.bytes);
    auto read = salvage_segment(reader, limit, [&](const GoodFrame& frame, const Batch&) -> Result<void> {
        frames.push_back(frame);
        return {};
    });
    if (!read) return pass_on(read);
    // Everything follows, and yet it ends otherwise than it was sealed: then the last one is not what was written.
    if (read->bad.empty() && *size >= segment.bytes && read->end.chain != segment.chain && !frames.empty()) frames.pop_back();
    insert_strays(frames, std::move(read->strays));
    std::erase_if(frames, [&](const GoodFrame& frame) { return frame.end_offset > segment.end; });
    return frames;
}

Result<void> copy_frames(FileSystem& files, const std::string& path, const FileHeader& header, const SegmentEntry& segment, SegmentBuilder& out) {
    auto there = files.open_if_there(path, Open::read);
    if (!there) return pass_on(there);
    if (*there == nullptr) return {};
    auto reader = SegmentReader::open_damaged(files, path, header);
    if (!reader) return pass_on(reader);
    auto frames = choose_frames(*reader, segment);
    if (!frames) return pass_on(frames);
    for (const GoodFrame& frame : *frames) {
        reader->go_to(frame.place);
        Batch batch;
        auto found = reader->next(frame.end(), batch);
        if (!found) return pass_on(found);
        if (*found == SegmentReader::Found::frame) STREAM_TRY(out.add(batch));
    }
    return {};
}

}  // namespace

Result<void> quarantine(FileSystem& files, const std::string& folder, const std::string& path) {
    const std::string kept = folder + "/quarantine";
    auto made = files.make_folder(kept);
    if (!made) return pass_on(made);
    if (*made) STREAM_TRY(files.sync_folder(folder));
    if (is_no_file(files, path)) {  // moved aside, where it may be looked at
        const std::string last = path.substr(path.rfind('/') + 1);
        STREAM_TRY(files.rename(path, fmt::format("{}/.{}.aside-{:016x}", folder_of(path), last, files.random())));
        return files.sync_folder(folder_of(path));
    }
    const std::string name = fmt::format("{}/{}-{:016x}", kept, path.substr(path.rfind('/') + 1), files.random());
    auto from = files.open_if_there(path, Open::read);
    if (!from) return pass_on(from);
    if (*from == nullptr) return {};
    auto to = files.open(name, Open::create_new);
    if (!to) return pass_on(to);
    STREAM_TRY(copy_file(**from, **to));
    STREAM_TRY((*to)->sync());
    STREAM_TRY((*to)->close());
    return files.sync_folder(kept);
}

Result<SegmentEntry> rebuild_segment(FileSystem& files, const std::string& folder, const Manifest& manifest, std::uint32_t partition,
                                     const SegmentEntry& segment) {
    SegmentEntry by = segment;
    do by.id = files.random();
    while (by.id == 0);
    by.rewritten = true;
    const std::string path = segment_path(folder, partition, by);
    SegmentBuilder out(manifest, by.id);
    STREAM_TRY(out.begin(files, path, manifest.segment_header(partition, by)));
    STREAM_TRY(copy_frames(files, segment_path(folder, partition, segment), manifest.segment_header(partition, segment), segment, out));
    STREAM_TRY(out.finish());
    STREAM_TRY(files.sync_folder(folder_of(path)));
    by.bytes = out.bytes();
    by.chain = out.chain();
    const Result<void> index = write_index(files, folder, manifest, partition, by);  // a cache
    static_cast<void>(index);
    return by;
}

}  // namespace stream::log
