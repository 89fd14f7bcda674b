// SPDX-License-Identifier: Apache-2.0
#include "ops/join/side.hpp"

namespace stream {

std::uint64_t JoinSide::add(const Hash128& key, bool has_key, TimeNs time, std::string_view bytes, std::uint64_t older) {
    const std::uint64_t number = end_++;
    if (blocks_.empty()) first_block_ = number / block_events;
    if (number / block_events - first_block_ == blocks_.size()) blocks_.push_back(std::make_unique<Block>());
    HeldEvent& event = at(number);
    const EventArena::Place place = arena_.add(bytes);
    event = {time, place.data, place.chunk, static_cast<std::uint32_t>(bytes.size()), false, has_key, older, key};
    return number;
}

void JoinSide::drop_front() {
    const HeldEvent& event = front();
    arena_.release({event.data, event.chunk}, event.size);
    ++first_;
    if (first_ % block_events != 0) return;
    blocks_.pop_front();
    ++first_block_;
}

void JoinSide::snapshot(StateWriter& writer) const {
    writer.put_u64(first_);
    writer.put_u64(size());
    for (std::uint64_t number = first_; number < end_; ++number) {
        const HeldEvent& event = at(number);
        writer.put_i64(event.time);
        writer.put_u8(static_cast<std::uint8_t>((event.matched ? 1 : 0) | (event.has_key ? 2 : 0)));
        writer.put_u64(event.key.low);
        writer.put_u64(event.key.high);
        writer.put_bytes(event.bytes());
    }
}

Result<void> JoinSide::restore(StateReader& reader) {
    first_ = end_ = reader.get_u64();
    if (first_ == 0) return fail(ErrorKind::corrupt, "the saved state of a join has no first number");
    const std::uint64_t count = reader.get_u64();
    for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
        const TimeNs time = reader.get_i64();
        const std::uint8_t flags = reader.get_u8();
        const std::uint64_t low = reader.get_u64();
        const std::uint64_t high = reader.get_u64();
        const std::string_view bytes = reader.get_bytes();
        if (!reader.ok()) break;
        if (!empty() && time < at(end_ - 1).time) return fail(ErrorKind::corrupt, "the saved state of a join is out of order");
        at(add({low, high}, (flags & 2) != 0, time, bytes, 0)).matched = (flags & 1) != 0;
    }
    return reader.check("a join's side");
}

}  // namespace stream
