// SPDX-License-Identifier: Apache-2.0
#include "ops/dedupe/keep_last.hpp"

#include <algorithm>
#include <cstring>

namespace stream {
namespace {

constexpr std::size_t record_head = 24;

}  // namespace

KeepLast::KeepLast(const KeySetLimits& limits, DurationNs within)
    : within_(within),
      groups_({limits.memory_bytes / 2, limits.spill_bytes / 2, limits.folder}, within),
      queue_({limits.memory_bytes / 2, limits.spill_bytes / 2, limits.folder}) {}

Result<bool> KeepLast::add(const Hash128& hash, const Event& event) {
    auto found = groups_.find(hash, event.time);
    if (!found) return pass_on(found);
    const TimeNs first = *found ? (*found)->time : event.time;
    const std::uint64_t arrival = arrivals_++;
    STREAM_TRY(groups_.put({hash, first, arrival}));
    if (has_front_ && front_.hash == hash && front_.first == first) front_.is_last = false;

    record_.resize(record_head);
    std::memcpy(record_.data(), &hash, 16);
    std::memcpy(record_.data() + 16, &first, 8);
    record_.append(event.raw);
    STREAM_TRY(queue_.push({event.time, 0, arrival, record_}));
    return !*found;
}

Result<void> KeepLast::take_front() {
    auto taken = queue_.pop();
    if (!taken) return pass_on(taken);
    if (taken->bytes.size() < record_head) return fail(ErrorKind::corrupt, "a held event is cut short");
    front_.time = taken->time;
    front_.arrival = taken->position;
    front_.record = taken->bytes;
    std::memcpy(&front_.hash, front_.record.data(), 16);
    std::memcpy(&front_.first, front_.record.data() + 16, 8);
    auto entry = groups_.find_exact(front_.hash, front_.first);
    if (!entry) return pass_on(entry);
    if (!*entry) return fail(ErrorKind::corrupt, "a held event belongs to no key");
    front_.is_last = (*entry)->value == front_.arrival;
    has_front_ = true;
    return {};
}

Result<void> KeepLast::put_front_back() {
    STREAM_TRY(queue_.push({front_.time, 0, front_.arrival, front_.record}));
    has_front_ = false;
    return {};
}

Result<std::uint64_t> KeepLast::advance(TimeNs watermark, Sink& sink) {
    std::uint64_t written = 0;
    for (;;) {
        // What came meanwhile may be older than what was taken from the queue's front.
        if (has_front_ && queue_.min_time() < front_.time) STREAM_TRY(put_front_back());
        if (!has_front_) {
            if (queue_.empty()) break;
            STREAM_TRY(take_front());
        }
        if (front_.is_last) {
            const TimeNs closes_after = time_add(time_add(front_.first, within_), within_);
            if (watermark != time_after_all && watermark <= closes_after) break;
            sink.begin().append(front_.record, record_head);
            sink.end(front_.time);
            ++written;
        }
        has_front_ = false;
    }
    // A copy stays in the queue until its time is at most 3·within behind, its first 4·within.
    TimeNs before = watermark;
    for (int i = 0; i < 4; ++i) before = time_sub(before, within_);
    if (watermark != time_after_all) groups_.expire(before);
    return written;
}

TimeNs KeepLast::least_held() const {
    return has_front_ ? std::min(front_.time, queue_.min_time()) : queue_.min_time();
}

Result<void> KeepLast::keep_files(KeptFiles& files) {
    STREAM_TRY(groups_.keep_files(files));
    return queue_.keep_files(files);
}

void KeepLast::snapshot(StateWriter& writer) const {
    writer.put_varint(arrivals_);
    groups_.snapshot(writer);
    queue_.snapshot(writer);
    writer.put_u8(has_front_ ? 1 : 0);
    if (!has_front_) return;
    writer.put_i64(front_.time);
    writer.put_varint(front_.arrival);
    writer.put_bytes(front_.record);
}

Result<void> KeepLast::restore(StateReader& reader) {
    arrivals_ = reader.get_varint();
    STREAM_TRY(groups_.restore(reader));
    STREAM_TRY(queue_.restore(reader));
    if (reader.get_u8() != 0) {
        QueuedEvent front;
        front.time = reader.get_i64();
        front.position = reader.get_varint();
        front.bytes = reader.get_bytes();
        STREAM_TRY(reader.check("a held event"));
        STREAM_TRY(queue_.push(front));
    }
    return reader.check("held events");
}

}  // namespace stream
