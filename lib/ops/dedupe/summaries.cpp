// SPDX-License-Identifier: Apache-2.0
#include "ops/dedupe/summaries.hpp"

#include "json/splice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace stream {
namespace {

constexpr std::size_t bytes_a_count = 40;  // in the hash map, on average

}  // namespace

Summaries::Summaries(const KeySetLimits& limits, std::optional<DurationNs> within, DurationNs every)
    : memory_max_(limits.memory_bytes / 4),
      within_(within),
      every_(every),
      firsts_({limits.memory_bytes / 2, limits.spill_bytes / 2, limits.folder}, within.value_or(0)),
      copies_({limits.memory_bytes / 4, limits.spill_bytes / 2, limits.folder}) {}

Result<bool> Summaries::add(const Hash128& hash, const Event& event, Sink& sink) {
    const std::int64_t stretch = floor_div(event.time, every_);
    if (!stretch_ || stretch > *stretch_) {
        STREAM_TRY(write(sink));
        stretch_ = stretch;
    }
    const TimeNs key_time = within_ ? event.time : 0;
    auto found = firsts_.find(hash, key_time);
    if (!found) return pass_on(found);
    if (!*found) {
        auto ref = copies_.add(event.time, event.raw);
        if (!ref) return pass_on(ref);
        STREAM_TRY(firsts_.put({hash, key_time, *ref}));
        return true;
    }
    ++counts_[(*found)->value];
    oldest_counted_ = std::min(oldest_counted_, (*found)->time);
    if (counts_.size() * bytes_a_count > memory_max_) {
        return fail(ErrorKind::limit, "too many different events are repeated at once for --memory",
                    "raise --memory, or give a shorter --summary");
    }
    return false;
}

Result<void> Summaries::write(Sink& sink) {
    struct Line {
        TimeNs time;
        CopyStore::Ref ref;
        std::uint64_t count;
    };
    std::vector<Line> lines;
    lines.reserve(counts_.size());
    for (const auto& [ref, count] : counts_) {
        auto copy = copies_.read(ref);
        if (!copy) return pass_on(copy);
        lines.push_back({copy->time, ref, count});
    }
    std::sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) {
        return a.time != b.time ? a.time < b.time : a.ref < b.ref;
    });
    for (const Line& line : lines) {
        auto copy = copies_.read(line.ref);
        if (!copy) return pass_on(copy);
        append_with_member(sink.begin(), copy->bytes, "suppressed", fmt::format_int(line.count).c_str());
        sink.end(line.time);
    }
    counts_.clear();
    oldest_counted_ = time_after_all;
    return {};
}

Result<void> Summaries::advance(TimeNs watermark, Sink& sink) {
    if (watermark == time_after_all) return write(sink);
    if (!within_) return {};
    const TimeNs before = time_sub(time_sub(watermark, *within_), *within_);
    firsts_.expire(before);
    copies_.expire(std::min(before, oldest_counted_));
    return {};
}

std::size_t Summaries::memory_used() const {
    return firsts_.memory_used() + copies_.memory_used() + counts_.size() * bytes_a_count;
}

Result<void> Summaries::keep_files(KeptFiles& files) {
    STREAM_TRY(firsts_.keep_files(files));
    return copies_.keep_files(files);
}

void Summaries::snapshot(StateWriter& writer) const {
    firsts_.snapshot(writer);
    copies_.snapshot(writer);
    std::vector<std::pair<CopyStore::Ref, std::uint64_t>> sorted(counts_.begin(), counts_.end());
    std::sort(sorted.begin(), sorted.end());
    writer.put_u8(stretch_ ? 1 : 0);
    writer.put_i64(stretch_.value_or(0));
    writer.put_i64(oldest_counted_);
    writer.put_varint(sorted.size());
    for (const auto& [ref, count] : sorted) {
        writer.put_varint(ref);
        writer.put_varint(count);
    }
}

Result<void> Summaries::restore(StateReader& reader) {
    STREAM_TRY(firsts_.restore(reader));
    STREAM_TRY(copies_.restore(reader));
    const bool has_stretch = reader.get_u8() != 0;
    const std::int64_t stretch = reader.get_i64();
    if (has_stretch) stretch_ = stretch;
    oldest_counted_ = reader.get_i64();
    const std::uint64_t size = reader.get_varint();
    for (std::uint64_t i = 0; i < size && reader.ok(); ++i) {
        const CopyStore::Ref ref = reader.get_varint();
        counts_[ref] = reader.get_varint();
    }
    return reader.check("repeats not yet told");
}

}  // namespace stream
