// SPDX-License-Identifier: Apache-2.0
#include "state/copy_store.hpp"

#include "base/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>

namespace stream {
namespace {

constexpr std::uint8_t state_version = 1;
constexpr std::uint8_t state_version_files = 2;  // each segment in itself, or where it is in a file
constexpr std::size_t head_size = 12;  // time 8, length 4

}  // namespace

CopyStore::CopyStore(CopyLimits limits)
    : limits_(std::move(limits)),
      segment_bytes_(std::clamp<std::size_t>(limits_.memory_bytes / 16, 4 << 10, 1 << 20)) {}

std::uint64_t CopyStore::slots_of(const Segment& segment) const {
    return (segment.size + segment_bytes_ - 1) / segment_bytes_;
}

Result<CopyStore::Ref> CopyStore::add(TimeNs time, std::string_view bytes) {
    STREAM_CHECK(bytes.size() < 0xffffffff);
    const std::size_t size = head_size + bytes.size();
    if (segments_.empty() || is_in_file(segments_.back()) ||
        segments_.back().size + size > segments_.back().bytes.capacity()) {
        segments_.push_back({end_, 0, time_before_all, {}, 0, nullptr});
        segments_.back().bytes.reserve(std::max(size, segment_bytes_));
        in_memory_ += segments_.back().bytes.capacity();
    }
    Segment& segment = segments_.back();
    char head[head_size];
    const auto length = static_cast<std::uint32_t>(bytes.size());
    std::memcpy(head, &time, 8);
    std::memcpy(head + 8, &length, 4);
    const Ref ref = segment.begin + segment.size;
    segment.bytes.append(head, head_size).append(bytes);
    segment.size += size;
    segment.newest = std::max(segment.newest, time);
    end_ = segment.begin + segment.size;
    while (in_memory_ > limits_.memory_bytes) {
        const std::size_t before = in_memory_;
        STREAM_TRY(move_oldest_to_file());
        if (in_memory_ == before) break;  // only the newest is left
    }
    return ref;
}

Result<void> CopyStore::move_oldest_to_file() {
    const auto oldest =
        std::find_if(segments_.begin(), segments_.end(), [](const auto& s) { return !is_in_file(s); });
    if (oldest == segments_.end() || &*oldest == &segments_.back()) return {};
    Segment& segment = *oldest;
    if (on_disk_ + segment.size > limits_.spill_bytes) {
        return fail(ErrorKind::limit,
                    fmt::format("the events kept to be written again are more than --spill-max {} holds",
                                limits_.spill_bytes),
                    "raise --spill-max, or give a shorter --within");
    }
    if (file_ == nullptr || file_->is_kept()) {
        auto file = TempFile::create(limits_.folder);
        if (!file) return pass_on(file);
        file_ = std::make_shared<TempFile>(std::move(*file));
        free_slots_.clear();
        slots_ = 0;
    }
    if (slots_of(segment) == 1 && !free_slots_.empty()) {
        segment.file_at = free_slots_.back() * segment_bytes_;
        free_slots_.pop_back();
    } else {
        segment.file_at = slots_ * segment_bytes_;
        slots_ += slots_of(segment);
    }
    STREAM_TRY(file_->write_at(segment.file_at, segment.bytes));
    in_memory_ -= segment.bytes.capacity();
    on_disk_ += segment.size;
    std::string().swap(segment.bytes);  // frees it: = {} keeps the capacity
    segment.file = file_;
    return {};
}

Result<void> CopyStore::read_segment(const Segment& segment, std::uint64_t at, std::span<char> into) const {
    if (into.size() > segment.size - at) return fail(ErrorKind::corrupt, "a kept event is not where it was");
    if (is_in_file(segment)) return segment.file->read_at(segment.file_at + at, into);
    std::memcpy(into.data(), segment.bytes.data() + at, into.size());
    return {};
}

Result<CopyStore::Copy> CopyStore::read(Ref ref) {
    auto segment = std::upper_bound(segments_.begin(), segments_.end(), ref,
                                    [](Ref wanted, const Segment& s) { return wanted < s.begin; });
    if (segment == segments_.begin()) return fail(ErrorKind::corrupt, "a kept event is not where it was");
    --segment;
    const std::uint64_t at = ref - segment->begin;
    char head[head_size];
    if (at > segment->size) return fail(ErrorKind::corrupt, "a kept event is not where it was");
    STREAM_TRY(read_segment(*segment, at, head));
    Copy copy;
    std::uint32_t length = 0;
    std::memcpy(&copy.time, head, 8);
    std::memcpy(&length, head + 8, 4);
    if (length > segment->size - at - head_size)
        return fail(ErrorKind::corrupt, "a kept event is not where it was");
    buffer_.resize(length);
    STREAM_TRY(read_segment(*segment, at + head_size, buffer_));
    copy.bytes = buffer_;
    return copy;
}

void CopyStore::expire(TimeNs before) {
    while (!segments_.empty() && segments_.front().newest < before) {
        Segment& segment = segments_.front();
        if (is_in_file(segment)) {
            segment.file->punch(segment.file_at, slots_of(segment) * segment_bytes_);
            if (segment.file == file_) {
                for (std::uint64_t i = 0; i < slots_of(segment); ++i) free_slots_.push_back(segment.file_at / segment_bytes_ + i);
            }
            on_disk_ -= segment.size;
        } else {
            in_memory_ -= segment.bytes.capacity();
        }
        segments_.pop_front();
    }
}

// Segments that share a file share its number.
Result<void> CopyStore::keep_files(KeptFiles& files) {
    std::map<const TempFile*, std::uint64_t> numbers;
    for (Segment& segment : segments_) {
        if (!is_in_file(segment)) continue;
        const auto [entry, is_new] = numbers.try_emplace(segment.file.get());
        if (is_new) {
            auto number = segment.file->keep(files);
            if (!number) return pass_on(number);
            entry->second = *number;
        }
        segment.kept_as = entry->second;
    }
    return {};
}

void CopyStore::snapshot(StateWriter& writer) const {
    writer.put_u8(writer.with_files() ? state_version_files : state_version);
    writer.put_varint(end_);
    writer.put_varint(segments_.size());
    std::string bytes;
    for (const Segment& segment : segments_) {
        writer.put_varint(segment.begin);
        writer.put_i64(segment.newest);
        if (writer.with_files()) {
            writer.put_u8(is_in_file(segment) ? 1 : 0);
            if (is_in_file(segment)) {
                writer.put_varint(segment.kept_as);
                writer.put_varint(segment.file_at);
                writer.put_varint(segment.size);
                continue;
            }
        }
        bytes.resize(segment.size);
        const auto read = read_segment(segment, 0, bytes);
        STREAM_CHECK(read.has_value());
        writer.put_bytes(bytes);
    }
}

// As it was kept: in its file, which is not changed any more.
Result<void> CopyStore::restore_from_file(Segment& segment, StateReader& reader, std::map<std::uint64_t, std::shared_ptr<TempFile>>& files) const {
    const std::uint64_t number = reader.get_varint();
    segment.file_at = reader.get_varint();
    segment.size = reader.get_varint();
    STREAM_TRY(reader.check("kept events"));
    if (reader.files() == nullptr) return fail(ErrorKind::corrupt, "the saved state of kept events contradicts itself");
    std::shared_ptr<TempFile>& file = files[number];
    if (file == nullptr) {
        auto path = reader.files()->path(number);
        if (!path) return pass_on(path);
        auto opened = TempFile::open_kept(*path);
        if (!opened) return pass_on(opened);
        file = std::make_shared<TempFile>(std::move(*opened));
    }
    segment.file = file;
    return {};
}

Result<void> CopyStore::restore(StateReader& reader) {
    const auto version = reader.get_u8();
    end_ = reader.get_varint();
    const std::uint64_t count = reader.get_varint();
    STREAM_TRY(reader.check("kept events"));
    if (version != state_version && version != state_version_files) return fail(ErrorKind::corrupt, "the saved state of kept events has another form");
    std::map<std::uint64_t, std::shared_ptr<TempFile>> files;
    Ref last = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        Segment segment;
        segment.begin = reader.get_varint();
        segment.newest = reader.get_i64();
        if (version == state_version_files && reader.get_u8() != 0) {
            STREAM_TRY(restore_from_file(segment, reader, files));
            on_disk_ += segment.size;
        } else {
            segment.bytes = reader.get_bytes();
            segment.size = segment.bytes.size();
            in_memory_ += segment.bytes.capacity();
        }
        STREAM_TRY(reader.check("kept events"));
        if (segment.begin < last || segment.size > end_ || segment.begin > end_ - segment.size) {
            return fail(ErrorKind::corrupt, "the saved state of kept events contradicts itself");
        }
        last = segment.begin + segment.size;
        segments_.push_back(std::move(segment));
        while (in_memory_ > limits_.memory_bytes) {
            const std::size_t before = in_memory_;
            STREAM_TRY(move_oldest_to_file());
            if (in_memory_ == before) break;
        }
    }
    return {};
}

}  // namespace stream
