// SPDX-License-Identifier: Apache-2.0
// Snapshots and counters of session windows.
#include "json/number.hpp"
#include "ops/window/costs.hpp"
#include "ops/window/sessions.hpp"

namespace stream {

void Sessions::snapshot(StateWriter& writer) const {
    writer.put_i64(watermark_);
    writer.put_i64(next_tick_);
    writer.put_varint(by_key_.size());
    for (const auto& [bytes, key] : by_key_) {
        writer.put_bytes(bytes);
        writer.put_varint(key->carried.size());
        for (const std::string& value : key->carried) writer.put_bytes(value);
        writer.put_varint(key->sessions.size());
        for (const Session* session : key->sessions) {
            writer.put_i64(session->first);
            writer.put_i64(session->last);
            writer.put_varint(session->revision);
            writer.put_u8(static_cast<std::uint8_t>((session->closed ? 1 : 0) | (session->changed ? 2 : 0)));
            plan_.snapshot(session->states.get(), writer);
            writer.put_varint(session->shown.size());
            for (const Shown& shown : session->shown) {
                writer.put_i64(shown.start);
                writer.put_i64(shown.end);
                writer.put_varint(shown.history.revision);
                writer.put_bytes(shown.history.last);
            }
            writer.put_varint(session->singles.size());
            for (const Single& single : session->singles) {
                writer.put_i64(single.time);
                writer.put_u64(single.position);
                plan_.snapshot(single.states.get(), writer);
            }
        }
    }
    writer.put_varint(ready_.size());
    for (const auto& [place, line] : ready_) {
        writer.put_i64(place.end);
        writer.put_i64(place.start);
        writer.put_bytes(place.key);
        writer.put_bytes(line);
    }
}

Result<void> Sessions::restore(StateReader& reader) {
    watermark_ = reader.get_i64();
    next_tick_ = reader.get_i64();
    const auto more = [&](std::uint64_t& left) { return reader.ok() && left > 0 && left-- > 0; };
    for (std::uint64_t keys = reader.get_varint(); more(keys);) {
        auto made = std::make_unique<Key>();
        Key& key = *made;
        key.bytes = reader.get_bytes();
        if (!by_key_.emplace(key.bytes, std::move(made)).second) {
            return fail(ErrorKind::corrupt, "the saved state names a key twice");
        }
        used_ += cost_of_session_key(key.bytes);
        for (std::uint64_t values = reader.get_varint(); more(values);)
            key.carried.emplace_back(reader.get_bytes());
        if (!key.carried.empty()) used_ += cost_of_values({}, key.carried);
        for (std::uint64_t sessions = reader.get_varint(); more(sessions);) {
            const TimeNs first = reader.get_i64();
            Session* session = new_session(key, first, reader.get_i64());
            const std::size_t cost_of_empty = cost_of(*session);
            session->revision = reader.get_varint();
            const std::uint8_t flags = reader.get_u8();
            session->closed = (flags & 1) != 0;
            session->changed = (flags & 2) != 0;
            STREAM_TRY(plan_.restore(session->states.get(), reader));
            for (std::uint64_t shown = reader.get_varint(); more(shown);) {
                Shown& version = session->shown.emplace_back();
                version.start = reader.get_i64();
                version.end = reader.get_i64();
                version.history.revision = reader.get_varint();
                version.history.last = reader.get_bytes();
            }
            for (std::uint64_t singles = reader.get_varint(); more(singles);) {
                session->singles.push_back({reader.get_i64(), reader.get_u64(), new_states()});
                STREAM_TRY(plan_.restore(session->singles.back().states.get(), reader));
            }
            used_ += cost_of(*session) - cost_of_empty;
        }
    }
    for (std::uint64_t left = reader.get_varint(); more(left);) {
        const TimeNs end = reader.get_i64();
        const TimeNs start = reader.get_i64();
        std::string key(reader.get_bytes());
        std::string line(reader.get_bytes());
        used_ += cost_of_history(key) + line.size();
        ready_.emplace(Place{end, start, std::move(key)}, std::move(line));
    }
    return reader.check("the sessions");
}

void Sessions::append_stats(std::string& out) const {
    out += ",\"sessions\":";
    append_uint64(out, live_);
    out += ",\"keys\":";
    append_uint64(out, by_key_.size());
    out += ",\"memory\":";
    append_uint64(out, used_);
}

}  // namespace stream
