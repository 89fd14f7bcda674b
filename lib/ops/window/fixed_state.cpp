// SPDX-License-Identifier: Apache-2.0
// Snapshots and counters of tumbling and hopping windows and `all`.
#include "json/number.hpp"
#include "ops/window/costs.hpp"
#include "ops/window/fixed.hpp"

namespace stream {

void FixedWindows::snapshot(StateWriter& writer) const {
    for (const TimeNs time :
         {watermark_, newest_, newest_pane_, next_start_, after_closed_, fill_only_until_, next_tick_}) {
        writer.put_i64(time);
    }
    writer.put_u8(static_cast<std::uint8_t>((has_next_ ? 1 : 0) | (has_closed_ ? 2 : 0)));
    const auto put_times = [&](const KeyMap<TimeNs>& map) {
        writer.put_varint(map.size());
        for (const auto& [key, time] : map) {
            writer.put_bytes(key);
            writer.put_i64(time);
        }
    };
    writer.put_varint(panes_.size());
    for (const auto& [start, pane] : panes_) {
        writer.put_i64(start);
        pane->groups.snapshot(writer);
        put_times(pane->last);
    }
    writer.put_varint(windows_.size());
    for (const auto& [start, window] : windows_) {
        writer.put_i64(start);
        writer.put_u8(window.closed ? 1 : 0);
        writer.put_varint(window.groups.size());
        for (const auto& [key, history] : window.groups) {
            writer.put_bytes(key);
            writer.put_varint(history.revision);
            writer.put_bytes(history.last);
        }
    }
    const auto put_values = [&](const auto& map) {
        writer.put_varint(map.size());
        for (const auto& [key, values] : map) {
            writer.put_bytes(key);
            for (const std::string& value : values) writer.put_bytes(value);
        }
    };
    writer.put_varint(closed_values_.size());
    for (const auto& [start, values] : closed_values_) {
        writer.put_i64(start);
        put_values(values);
    }
    put_values(carried_);
    put_times(known_);
}

Result<void> FixedWindows::restore(StateReader& reader) {
    for (TimeNs* time : {&watermark_, &newest_, &newest_pane_, &next_start_, &after_closed_,
                         &fill_only_until_, &next_tick_}) {
        *time = reader.get_i64();
    }
    const std::uint8_t flags = reader.get_u8();
    has_next_ = (flags & 1) != 0;
    has_closed_ = (flags & 2) != 0;
    const auto more = [&](std::uint64_t& left) { return reader.ok() && left > 0 && left-- > 0; };
    const auto get_times = [&](KeyMap<TimeNs>& map) {
        for (std::uint64_t left = reader.get_varint(); more(left);) {
            const std::string key(reader.get_bytes());
            if (map.try_emplace(key, reader.get_i64()).second) used_ += cost_of_key(key);
        }
    };
    for (std::uint64_t left = reader.get_varint(); more(left);) {
        Pane& pane = pane_at(reader.get_i64());
        const std::size_t before = pane.groups.memory();
        STREAM_TRY(pane.groups.restore(reader, used_));
        used_ += pane.groups.memory() - before;
        get_times(pane.last);
    }
    for (std::uint64_t left = reader.get_varint(); more(left);) {
        Window& window = windows_[reader.get_i64()];
        window.closed = reader.get_u8() != 0;
        for (std::uint64_t groups = reader.get_varint(); more(groups);) {
            const std::string key(reader.get_bytes());
            History& history = window.groups[key];
            history.revision = reader.get_varint();
            history.last = reader.get_bytes();
            used_ += cost_of_history(key) + history.last.size();
        }
    }
    const auto get_values = [&](KeyValues& map) {
        for (std::uint64_t left = reader.get_varint(); more(left);) {
            const std::string key(reader.get_bytes());
            Values& values = map[key];
            values.resize(plan_.size());
            for (std::string& value : values) value = reader.get_bytes();
            used_ += cost_of_values(key, values);
        }
    };
    for (std::uint64_t left = reader.get_varint(); more(left);) get_values(closed_values_[reader.get_i64()]);
    get_values(carried_);
    get_times(known_);
    plan_next();
    return reader.check("the windows");
}

void FixedWindows::append_stats(std::string& out) const {
    std::size_t groups = 0;
    for (const auto& [start, pane] : panes_) groups += pane->groups.size();
    out += ",\"open_panes\":";
    append_uint64(out, panes_.size());
    out += ",\"groups\":";
    append_uint64(out, groups);
    out += ",\"memory\":";
    append_uint64(out, used_);
}

}  // namespace stream
