// SPDX-License-Identifier: Apache-2.0
#include "log/cursor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/check.hpp"
#include "log/seal.hpp"

namespace stream::log {

using Next = LogReader::Next;

void Cursor::seek(std::uint64_t offset) {
    next_ = offset;
    in_batch_ = false;
    reader_.reset();
}

// The segment that is open, as the manifest has it now; null where it was removed or replaced.
const SegmentEntry* Cursor::entry_now() const {
    for (const SegmentEntry& segment : manifest_->segments(partition_)) {
        if (segment.id == segment_.id) return &segment;
    }
    return nullptr;
}

Result<void> Cursor::open_segment(const SegmentEntry& segment) {
    auto reader = SegmentReader::open(*files_, segment_path(*folder_, partition_, segment), manifest_->segment_header(partition_, segment));
    if (!reader) return pass_on(reader);
    reader_.emplace(std::move(*reader));
    segment_ = segment;
    return {};
}

// The frame with the offset, to begin reading there.
Result<void> Cursor::find_place(std::uint64_t offset, const SegmentEntry& segment, std::uint64_t limit) {
    if (offset <= segment.base) return {};
    if (segment.sealed) STREAM_TRY(find_indexed(offset, segment));
    // On from there by the headers alone, to the last frame that begins at or before the offset.
    for (SegmentPlace last = reader_->place();;) {
        const SegmentPlace here = reader_->place();
        FrameHeader header;
        auto found = reader_->next_header(limit, header);
        if (!found) return pass_on(found);
        if (*found != SegmentReader::Found::frame || header.offset > offset) {
            reader_->go_to(last);
            return {};
        }
        last = here;
    }
}

// The last indexed frame at or before the offset.
Result<void> Cursor::find_indexed(std::uint64_t offset, const SegmentEntry& segment) {
    auto index = read_index(*files_, index_path(*folder_, partition_, segment), segment);
    if (!index) return pass_on(index);
    if (!*index) return {};
    const auto behind = std::upper_bound((*index)->begin(), (*index)->end(), offset,
                                         [](std::uint64_t o, const IndexEntry& entry) { return o < entry.offset; });
    if (behind == (*index)->begin()) return {};
    const IndexEntry& entry = *(behind - 1);
    reader_->go_to({entry.position, entry.chain, entry.epoch, entry.offset});
    return {};
}

// Opens the segment with the offset; retention, compaction or archiving may have changed them meanwhile.
Result<void> Cursor::open_at(std::uint64_t offset, const PartitionHead& head) {
    for (int tries = 0;; ++tries) {
        const auto& segments = manifest_->segments(partition_);
        const SegmentEntry* wanted = nullptr;
        for (const SegmentEntry& segment : segments) {
            if (segment.base <= offset && (!segment.sealed || offset < segment.end)) {
                wanted = &segment;
                if (segment.sealed) break;
            }
        }
        if (wanted == nullptr) {  // behind a segment that is no more: the next one
            for (const SegmentEntry& segment : segments) {
                if (segment.base >= offset && (wanted == nullptr || segment.base < wanted->base)) wanted = &segment;
            }
        }
        if (wanted == nullptr) return {};
        const SegmentEntry copy = segment_ = *wanted;
        const std::uint64_t before = manifest_->length();
        auto opened = open_segment(copy);
        if (opened) return find_place(offset, copy, copy.sealed ? copy.bytes : head.segment == copy.id ? head.length : file_header_size);
        // Gone since the manifest was read? Then it says so now.
        STREAM_TRY(manifest_->refresh(false, 0, 0));
        if (manifest_->length() == before || tries == 100) return opened;
    }
}

void Cursor::enter_batch() {
    in_batch_ = true;
    record_ = 0;
    line_ = 0;
    while (record_ < batch_.header.records && batch_.offset_of(record_) < next_) {
        line_ = batch_.lines.find('\n', line_) + 1;
        ++record_;
    }
    if (record_ == batch_.header.records) in_batch_ = false;
}

// The bytes from here on are not what was written: an error, or passed over.
Result<Next> Cursor::damaged(std::uint64_t limit) {
    const SegmentPlace place = reader_->place();
    auto behind = reader_->find_frame(place.position + 8, limit);
    if (!behind) return pass_on(behind);
    const std::uint64_t to = *behind ? (*behind)->position : limit;
    const std::uint64_t first = std::max(next_, place.offset);
    std::string offsets = fmt::format("offsets from {} on cannot be read", first);
    std::uint64_t next = next_;
    if (*behind) next = std::max(next_, (*behind)->offset);
    else if (segment_.sealed) next = segment_.end;
    if (next > first) offsets = next == first + 1 ? fmt::format("offset {} cannot be read", first) : fmt::format("offsets {} to {} cannot be read", first, next - 1);
    const std::string text = fmt::format("{}: {} (bytes {} to {}): {}", reader_->path(), reader_->why(), place.position, to, offsets);
    return damaged(text, *behind ? **behind : SegmentPlace{limit, 0, 0, next}, next);
}

Result<Next> Cursor::damaged(std::string text, const SegmentPlace& behind, std::uint64_t next) {
    if (!skip_corrupt_) return fail(ErrorKind::corrupt, std::move(text), "--skip-corrupt reads the rest; stream-log repair takes the damaged bytes out");
    problem_ = std::move(text);
    reader_->go_to(behind);
    next_ = next;
    return Next::damage;
}

// The segment that was to be opened is not there or not what it should be: its frames may be right all the same.
Result<Next> Cursor::lost(const PartitionHead& head, Error error) {
    if (!skip_corrupt_ || error.kind() != ErrorKind::corrupt) return tl::unexpected<Error>(std::move(error));
    problem_ = error.message();
    auto reader = SegmentReader::open_damaged(*files_, segment_path(*folder_, partition_, segment_), manifest_->segment_header(partition_, segment_));
    if (reader) reader_.emplace(std::move(*reader));
    else next_ = std::max(next_, segment_.sealed ? segment_.end : head.offset);
    return Next::damage;
}

Result<Next> Cursor::load(const PartitionHead& head) {
    for (;;) {
        if (!reader_) {
            auto opened = open_at(next_, head);
            if (!opened) return lost(head, std::move(opened.error()));
            if (!reader_) return Next::end;
            if (segment_.base > next_) {  // retention was faster
                gap_ = {partition_, next_, segment_.base - 1};
                next_ = segment_.base;
                return Next::gap;
            }
        }
        if (const SegmentEntry* now = entry_now()) segment_ = *now;
        else if (!segment_.sealed) {  // sealed and replaced while it was read: the rest is in another file
            reader_.reset();
            continue;
        }
        if (!segment_.sealed && segment_.id != head.segment) return Next::end;  // it goes on in the next head
        const std::uint64_t limit = segment_.sealed ? segment_.bytes : head.length;
        auto found = reader_->next(limit, batch_);
        if (!found) return pass_on(found);
        if (*found == SegmentReader::Found::frame) {
            // Older bytes of the same place follow what is before them as well: the end says which were the last.
            const std::uint32_t chain = segment_.sealed ? segment_.chain : head.chain;
            const std::uint64_t end = segment_.sealed ? segment_.end : head.offset;
            if (reader_->place().position == limit && reader_->place().chain != chain && (segment_.sealed || chain != 0)) {
                return damaged(fmt::format("{}: its last batch is not the one that was written last (bytes {} to {}): offsets {} to {} cannot be read",
                                           reader_->path(), batch_.position, limit, batch_.header.offset, end - 1),
                               {limit, chain, 0, end}, end);
            }
            enter_batch();
            if (in_batch_) return Next::records;
            continue;
        }
        if (*found != SegmentReader::Found::end) return damaged(limit);
        if (!segment_.sealed) return Next::end;
        next_ = std::max(next_, segment_.end);
        reader_.reset();
    }
}

Result<Next> Cursor::advance(const PartitionHead& head) {
    if (in_batch_) return batch_.offset_of(record_) < stop_ ? Next::records : Next::end;
    if (next_ >= stop_ || next_ >= head.offset) return Next::end;
    const auto& segments = manifest_->segments(partition_);
    if (!reader_ && !segments.empty() && next_ < segments.front().base) {
        gap_ = {partition_, next_, segments.front().base - 1};
        next_ = segments.front().base;
        return Next::gap;
    }
    auto got = load(head);
    if (!got || *got != Next::records) return got;
    if (batch_.offset_of(record_) >= head.offset) {  // a sealed segment that goes on past the end as it was looked at
        in_batch_ = false;
        reader_.reset();
        return Next::end;
    }
    return batch_.offset_of(record_) < stop_ ? Next::records : Next::end;
}

void Cursor::take(std::uint64_t sequence, Run& run) {
    STREAM_CHECK(in_batch_);
    const std::uint32_t records = batch_.header.records;
    run.partition = partition_;
    run.batch = &batch_;
    run.first = record_;
    const std::size_t begin = line_;
    // All of it, mostly: the last record says so.
    if (batch_.sequence_of(records - 1) < sequence && batch_.offset_of(records - 1) < stop_) {
        record_ = records;
        line_ = batch_.lines.size();
    } else {
        do {
            line_ = batch_.lines.find('\n', line_) + 1;
            ++record_;
        } while (record_ < records && batch_.sequence_of(record_) < sequence && batch_.offset_of(record_) < stop_);
    }
    run.records = record_ - run.first;
    run.lines = batch_.lines.substr(begin, line_ - begin);
    next_ = batch_.offset_of(record_ - 1) + 1;
    if (record_ == records) in_batch_ = false;
}

}  // namespace stream::log
