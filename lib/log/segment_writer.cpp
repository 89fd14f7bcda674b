// SPDX-License-Identifier: Apache-2.0
#include "log/segment_writer.hpp"

#include "base/check.hpp"

namespace stream::log {

namespace {
constexpr std::size_t write_block = 1 << 20;
}

Result<std::unique_ptr<File>> make_segment_file(FileSystem& files, const std::string& path, const FileHeader& header, std::uint32_t& header_crc) {
    auto made = files.open(path, Open::create_new);
    if (!made) return made;
    std::string bytes;
    append_file_header(bytes, header);
    FileHeader again;
    STREAM_CHECK(read_file_header(bytes, again, header_crc) == nullptr);
    STREAM_TRY((*made)->write_at(bytes, 0));
    return made;
}

Result<SegmentWriter> SegmentWriter::begin(FileSystem& files, const std::string& folder, const Manifest& manifest, std::uint32_t partition,
                                           const SegmentEntry& segment) {
    std::uint32_t chain = 0;
    auto file = make_segment_file(files, segment_path(folder, partition, segment), manifest.segment_header(partition, segment), chain);
    if (!file) return pass_on(file);
    return SegmentWriter(manifest, segment.id, std::move(*file), chain);
}

SegmentWriter::SegmentWriter(const Manifest& manifest, std::uint64_t id, std::unique_ptr<File> file, std::uint32_t chain)
    : id_(id),
      compressed_(manifest.config().compressed),
      compressor_(manifest.config().level),
      records_(manifest.config().partitions > 1, true),
      file_(std::move(file)),
      chain_(chain) {}

Result<void> SegmentWriter::end_batch(const FrameHeader& old) {
    if (records_.empty()) return {};
    FrameHeader h;
    h.offset = records_.first_offset();
    h.sequence = h.durable_sequence = records_.first_sequence();
    stored_.clear();
    records_.finish(h, stored_, compressed_ ? &compressor_ : nullptr);
    h.file_id = id_;
    h.epoch = old.epoch;
    h.chain = chain_;
    h.durable = position_ + out_.size();
    h.max_time = old.max_time;
    h.append_time = old.append_time;
    append_frame(out_, h, stored_);
    chain_ = h.next_chain();
    return out_.size() >= write_block ? flush() : Result<void>();
}

Result<void> SegmentWriter::flush() {
    STREAM_TRY(file_->write_at(out_, position_));
    position_ += out_.size();
    out_.clear();
    return {};
}

Result<void> SegmentWriter::finish() {
    STREAM_TRY(flush());
    STREAM_TRY(file_->sync());
    return file_->close();
}

}  // namespace stream::log
