// SPDX-License-Identifier: Apache-2.0
#include "ops/join/side.hpp"

#include "base/check.hpp"

namespace stream {

std::uint64_t JoinSide::add(const Hash128& key, bool has_key, TimeNs time, std::string_view bytes) {
    const std::uint64_t number = end_number();
    HeldEvent event;
    event.time = time;
    event.place = arena_.add(bytes);
    event.has_key = has_key;
    event.key = key;
    held_.push_back(event);
    if (!has_key) return number;
    List& list = keys_[key];
    if (list.first == 0) list.first = number;
    else at(list.last).next = number;
    list.last = number;
    return number;
}

void JoinSide::drop_front() {
    const HeldEvent& event = held_.front();
    if (event.has_key) {
        const auto found = keys_.find(event.key);
        STREAM_CHECK(found != keys_.end() && found->second.first == first_);
        if (event.next == 0) keys_.erase(found);
        else found->second.first = event.next;
    }
    arena_.release(event.place);
    held_.pop_front();
    ++first_;
}

std::uint64_t JoinSide::first_with(const Hash128& key) const {
    const auto found = keys_.find(key);
    return found == keys_.end() ? 0 : found->second.first;
}

std::size_t JoinSide::memory_used() const {
    return held_.size() * sizeof(HeldEvent) + keys_.capacity() * (sizeof(Hash128) + sizeof(List) + 1) + arena_.allocated_bytes();
}

void JoinSide::snapshot(StateWriter& writer) const {
    writer.put_u64(first_);
    writer.put_u64(held_.size());
    for (const HeldEvent& event : held_) {
        writer.put_i64(event.time);
        writer.put_u8(static_cast<std::uint8_t>((event.matched ? 1 : 0) | (event.has_key ? 2 : 0)));
        writer.put_u64(event.key.low);
        writer.put_u64(event.key.high);
        writer.put_bytes(event.bytes());
    }
}

Result<void> JoinSide::restore(StateReader& reader) {
    first_ = reader.get_u64();
    const std::uint64_t count = reader.get_u64();
    for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
        const TimeNs time = reader.get_i64();
        const std::uint8_t flags = reader.get_u8();
        const std::uint64_t low = reader.get_u64();
        const std::uint64_t high = reader.get_u64();
        const std::string_view bytes = reader.get_bytes();
        if (!reader.ok()) break;
        if (!held_.empty() && time < held_.back().time) return fail(ErrorKind::corrupt, "the saved state of a join is out of order");
        at(add({low, high}, (flags & 2) != 0, time, bytes)).matched = (flags & 1) != 0;
    }
    return reader.check("a join's side");
}

}  // namespace stream
