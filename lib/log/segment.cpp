// SPDX-License-Identifier: Apache-2.0
#include "log/segment.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.hpp"
#include "base/text.hpp"

namespace stream::log {

namespace {

constexpr std::size_t read_ahead = 1 << 20;
constexpr std::size_t header_read = 4 << 10;    // where headers are far apart
constexpr std::uint64_t far_apart = 32 << 10;

}  // namespace

Result<bool> is_of_another_log(FileSystem& files, const std::string& path, const Hash128& log_id) {
    auto file = files.open_if_there(path, Open::read);
    if (!file) return pass_on(file);
    if (*file == nullptr) return false;
    std::string bytes(file_header_size, '\0');
    auto got = (*file)->read_at(bytes, 0);
    if (!got) return pass_on(got);
    FileHeader header;
    std::uint32_t crc = 0;
    return *got == bytes.size() && read_file_header(bytes, header, crc) == nullptr && header.log_id != log_id;
}

Result<SegmentReader> SegmentReader::open(FileSystem& files, const std::string& path, const FileHeader& expected) {
    auto opened = files.open_if_there(path, Open::read);
    if (!opened) return pass_on(opened);
    if (*opened == nullptr) return fail(ErrorKind::corrupt, path + ": the segment is not there");
    SegmentReader reader(path, std::move(*opened));
    std::string bytes(file_header_size, '\0');
    auto got = reader.file_->read_at(bytes, 0);
    if (!got) return pass_on(got);
    bytes.resize(*got);
    const char* why = read_file_header(bytes, reader.header_, reader.header_crc_);
    const FileHeader& found = reader.header_;
    if (why == nullptr && (found.kind != expected.kind || found.file_id != expected.file_id || found.log_id != expected.log_id ||
                           found.partition != expected.partition || found.base_offset != expected.base_offset)) {
        why = "another file under this segment's name";
    }
    if (why != nullptr) return fail(ErrorKind::corrupt, fmt::format("{}: {} (bytes 0 to {})", path, why, file_header_size));
    reader.header_.cuts = expected.cuts;
    reader.place_ = reader.begin();
    return reader;
}

Result<std::string_view> SegmentReader::window(std::uint64_t position, std::size_t need, std::uint64_t limit, std::size_t ahead) {
    if (position < buffer_at_ || position + need > buffer_at_ + buffer_size_) {
        const std::uint64_t left = limit > position ? limit - position : 0;
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left, std::max(need, ahead)));
        if (buffer_.size() < size) buffer_.resize(size);
        buffer_at_ = position;
        buffer_size_ = 0;
        auto got = file_->read_at(std::span<char>(buffer_.data(), size), position);
        if (!got) return pass_on(got);
        buffer_size_ = *got;
    }
    const std::size_t skip = static_cast<std::size_t>(position - buffer_at_);
    std::string_view bytes = std::string_view(buffer_).substr(0, buffer_size_);
    bytes.remove_prefix(std::min(skip, bytes.size()));
    if (limit - position < bytes.size()) bytes = bytes.substr(0, static_cast<std::size_t>(limit - position));
    return bytes;
}

std::uint32_t SegmentReader::least_epoch(std::uint64_t position) const {
    std::uint32_t epoch = 0;
    for (const EpochCut& cut : header_.cuts) {
        if (position >= cut.at) epoch = std::max(epoch, cut.epoch);
    }
    return epoch;
}

Result<SegmentReader::Found> SegmentReader::header_here(std::uint64_t limit, FrameHeader& header, std::size_t ahead) {
    if (place_.position >= limit) return Found::end;
    auto bytes = window(place_.position, frame_header_size, limit, ahead);
    if (!bytes) return pass_on(bytes);
    if (bytes->empty()) {  // shorter than the limit says
        why_ = "the file is cut short";
        return Found::cut_short;
    }
    why_ = "cut short";
    // The lengths within the file are the caller's to check: only the header is looked at here.
    const FramePlace fits{header_.file_id, place_.chain, std::max(place_.epoch, least_epoch(place_.position)), place_.offset, FrameType::batch};
    switch (read_frame_header(*bytes, fits, header, why_)) {
        case FrameState::nothing: return Found::nothing;
        case FrameState::invalid: return Found::invalid;
        case FrameState::valid: return Found::frame;
        case FrameState::cut_short: break;
    }
    if (bytes->size() < frame_header_size) return Found::cut_short;
    return header.size() <= limit - place_.position ? Found::frame : Found::cut_short;
}

Result<SegmentReader::Found> SegmentReader::next_header(std::uint64_t limit, FrameHeader& header) {
    auto found = header_here(limit, header, last_size_ > far_apart ? header_read : read_ahead);
    if (!found || *found != Found::frame) return found;
    last_size_ = header.size();
    place_ = {place_.position + header.size(), header.next_chain(), header.epoch, header.end_offset()};
    return Found::frame;
}

Result<SegmentReader::Found> SegmentReader::frame_here(std::uint64_t limit, FrameHeader& header, std::string_view& stored) {
    auto found = header_here(limit, header, read_ahead);
    if (!found || *found != Found::frame) return found;
    const auto size = static_cast<std::size_t>(header.size());
    auto bytes = window(place_.position, size, limit, read_ahead);
    if (!bytes) return pass_on(bytes);
    if (bytes->size() < size) {
        why_ = "the file is cut short";
        return Found::cut_short;
    }
    stored = bytes->substr(frame_header_size, header.stored);
    if (!padding_is_zero(header, *bytes)) {
        why_ = "something behind a batch's records";
        return Found::invalid;
    }
    return Found::frame;
}

Result<SegmentReader::Found> SegmentReader::next_stored(std::uint64_t limit, FrameHeader& header) {
    std::string_view stored;
    auto found = frame_here(limit, header, stored);
    if (!found || *found != Found::frame) return found;
    if (!payload_is_right(header, stored)) {
        why_ = "a batch's records fail their check";
        return Found::invalid;
    }
    place_ = {place_.position + header.size(), header.next_chain(), header.epoch, header.end_offset()};
    return Found::frame;
}

Result<SegmentReader::Found> SegmentReader::next(std::uint64_t limit, Batch& batch) {
    FrameHeader header;
    std::string_view stored;
    auto found = frame_here(limit, header, stored);
    if (!found || *found != Found::frame) return found;
    if (const char* why = open_batch(header, stored, expander_, raw_, batch)) {
        why_ = why;
        return Found::invalid;
    }
    batch.position = place_.position;
    place_ = {place_.position + header.size(), header.next_chain(), header.epoch, batch.end_offset()};
    return Found::frame;
}

Result<std::optional<SegmentPlace>> SegmentReader::find_frame(std::uint64_t from, std::uint64_t limit) {
    for (std::uint64_t at = (from + 7) / 8 * 8; at + frame_header_size <= limit; at += 8) {
        auto bytes = window(at, frame_header_size, limit, read_ahead);
        if (!bytes) return pass_on(bytes);
        FrameHeader header;
        if (bytes->size() < frame_header_size) return std::optional<SegmentPlace>{};
        if (bytes->compare(0, 4, "SLF1") != 0) continue;
        const FrameState state = read_lone_header(*bytes, header_.file_id, header);
        if ((state != FrameState::valid && state != FrameState::cut_short) || header.file_id != header_.file_id) continue;
        if (header.type != FrameType::batch || header.size() > limit - at || header.epoch < least_epoch(at)) continue;
        auto whole = window(at, static_cast<std::size_t>(header.size()), limit, read_ahead);
        if (!whole) return pass_on(whole);
        if (whole->size() < header.size() || !payload_is_right(header, whole->substr(frame_header_size, header.stored))) continue;
        return std::optional<SegmentPlace>(SegmentPlace{at, header.chain, header.epoch, header.offset});
    }
    return std::optional<SegmentPlace>{};
}

Result<std::uint64_t> SegmentReader::proven_behind(std::uint64_t from, std::uint64_t limit) {
    std::uint64_t proven = 0;
    for (;;) {
        auto place = find_frame(from, limit);
        if (!place) return pass_on(place);
        if (!*place) return proven;
        auto bytes = window((*place)->position, frame_header_size, limit, read_ahead);
        if (!bytes) return pass_on(bytes);
        FrameHeader header;
        static_cast<void>(read_lone_header(*bytes, header_.file_id, header));
        proven = std::max(proven, std::min(header.durable, limit));
        from = (*place)->position + header.size();
    }
}

}  // namespace stream::log
