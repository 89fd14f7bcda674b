// SPDX-License-Identifier: Apache-2.0
#include "ops/dedupe/summaries.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "json/splice.hpp"

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

bool Summaries::is_over(std::int64_t stretch, TimeNs watermark) const {
    // Its end is the first time of the next one: floor_div(end, every) > stretch.
    return watermark == time_after_all || (watermark != time_before_all && floor_div(watermark, every_) > stretch);
}

Result<bool> Summaries::add(const Hash128& hash, const Event& event, TimeNs watermark) {
    const TimeNs key_time = within_ ? event.time : 0;
    auto found = firsts_.find(hash, key_time);
    if (!found) return pass_on(found);
    if (!*found) {
        auto ref = copies_.add(event.time, event.raw);
        if (!ref) return pass_on(ref);
        STREAM_TRY(firsts_.put({hash, key_time, *ref}));
        return true;
    }
    std::int64_t stretch = floor_div(event.time, every_);
    if (is_over(stretch, watermark)) stretch = floor_div(watermark, every_);
    auto& count = stretches_[stretch][(*found)->value];
    if (count++ == 0 && ++counts_ * bytes_a_count > memory_max_) {
        return fail(ErrorKind::limit, "too many different events are repeated at once for --memory",
                    "raise --memory, or give a shorter --summary");
    }
    return false;
}

Result<std::uint64_t> Summaries::write(const Counts& counts, Sink& sink) {
    struct Line {
        TimeNs time;
        CopyStore::Ref ref;
        std::uint64_t count;
    };
    std::vector<Line> lines;
    lines.reserve(counts.size());
    for (const auto& [ref, count] : counts) {
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
    return lines.size();
}

Result<std::uint64_t> Summaries::advance(TimeNs watermark, Sink& sink) {
    std::uint64_t written = 0;
    while (!stretches_.empty() && is_over(stretches_.begin()->first, watermark)) {
        auto lines = write(stretches_.begin()->second, sink);
        if (!lines) return lines;
        written += *lines;
        counts_ -= stretches_.begin()->second.size();
        stretches_.erase(stretches_.begin());
    }
    if (within_ && watermark != time_after_all) {
        const TimeNs before = time_sub(time_sub(watermark, *within_), *within_);
        firsts_.expire(before);
        // A repeat that came in time may have been counted in a stretch that ends this much later.
        copies_.expire(time_sub(before, every_));
    }
    return written;
}

std::size_t Summaries::memory_used() const {
    return firsts_.memory_used() + copies_.memory_used() + counts_ * bytes_a_count;
}

void Summaries::snapshot(StateWriter& writer) const {
    firsts_.snapshot(writer);
    copies_.snapshot(writer);
    writer.put_varint(stretches_.size());
    for (const auto& [stretch, counts] : stretches_) {
        std::vector<std::pair<CopyStore::Ref, std::uint64_t>> sorted(counts.begin(), counts.end());
        std::sort(sorted.begin(), sorted.end());
        writer.put_i64(stretch);
        writer.put_varint(sorted.size());
        for (const auto& [ref, count] : sorted) {
            writer.put_varint(ref);
            writer.put_varint(count);
        }
    }
}

Result<void> Summaries::restore(StateReader& reader) {
    STREAM_TRY(firsts_.restore(reader));
    STREAM_TRY(copies_.restore(reader));
    const std::uint64_t stretches = reader.get_varint();
    for (std::uint64_t i = 0; i < stretches && reader.ok(); ++i) {
        Counts& counts = stretches_[reader.get_i64()];
        const std::uint64_t size = reader.get_varint();
        for (std::uint64_t k = 0; k < size && reader.ok(); ++k) {
            const CopyStore::Ref ref = reader.get_varint();
            counts[ref] = reader.get_varint();
            ++counts_;
        }
    }
    return reader.check("repeats not yet told");
}

}  // namespace stream
