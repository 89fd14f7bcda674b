// SPDX-License-Identifier: Apache-2.0
// Snapshots and counters of tumbling and hopping windows and `all`.
#include "json/number.hpp"
#include "ops/window/costs.hpp"
#include "ops/window/fixed.hpp"

namespace stream {

void FixedWindows::put_times(StateWriter& writer) const {
    for (const TimeNs time :
         {watermark_, newest_, newest_pane_, next_start_, after_closed_, fill_only_until_, next_tick_}) {
        writer.put_i64(time);
    }
    writer.put_u8(static_cast<std::uint8_t>((has_next_ ? 1 : 0) | (has_closed_ ? 2 : 0)));
}

void FixedWindows::get_times(StateReader& reader) {
    for (TimeNs* time : {&watermark_, &newest_, &newest_pane_, &next_start_, &after_closed_,
                         &fill_only_until_, &next_tick_}) {
        *time = reader.get_i64();
    }
    const std::uint8_t flags = reader.get_u8();
    has_next_ = (flags & 1) != 0;
    has_closed_ = (flags & 2) != 0;
}

void FixedWindows::snapshot(StateWriter& writer) const {
    put_times(writer);
    const auto put_all = [&](const KeyMap<TimeNs>& map) {
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
        put_all(pane->last);
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
    put_all(known_);
}

Result<void> FixedWindows::restore(StateReader& reader) {
    get_times(reader);
    const auto more = [&](std::uint64_t& left) { return reader.ok() && left > 0 && left-- > 0; };
    const auto get_all = [&](KeyMap<TimeNs>& map) {
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
        get_all(pane.last);
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
    get_all(known_);
    plan_next();
    return reader.check("the windows");
}

// --- what changed ------------------------------------------------------------------------------

// What is remembered between windows is not noted.
bool FixedWindows::track_changes(bool on) {
    tracks_ = on && !options_.fill && !options_.compare && !plan_.has_increase();
    for (auto& [start, pane] : panes_) pane->groups.forget_noted();
    for (auto& [start, window] : windows_) {
        for (auto* group : window.noted) group->second.is_noted = false;
        window.noted.clear();
    }
    return tracks_;
}

// All panes and windows there are, and of each the groups that changed.
void FixedWindows::snapshot_changes(StateWriter& writer) {
    put_times(writer);
    writer.put_varint(panes_.size());
    for (auto& [start, pane] : panes_) {
        writer.put_i64(start);
        pane->groups.snapshot_changes(writer);
    }
    writer.put_varint(windows_.size());
    for (auto& [start, window] : windows_) {
        writer.put_i64(start);
        writer.put_u8(window.closed ? 1 : 0);
        writer.put_varint(window.noted.size());
        for (auto* group : window.noted) {
            group->second.is_noted = false;
            writer.put_bytes(group->first);
            writer.put_varint(group->second.revision);
            writer.put_bytes(group->second.last);
        }
        window.noted.clear();
    }
}

Result<void> FixedWindows::restore_panes(StateReader& reader) {
    HashSet<TimeNs> there;
    for (std::uint64_t left = reader.get_varint(); reader.ok() && left > 0; --left) {
        const TimeNs start = reader.get_i64();
        there.insert(start);
        Pane& pane = pane_at(start);
        const std::size_t before = pane.groups.memory();
        STREAM_TRY(pane.groups.restore_changes(reader, used_));
        used_ += pane.groups.memory() - before;
    }
    std::vector<TimeNs> gone;
    for (const auto& [start, pane] : panes_) {
        if (!there.contains(start)) gone.push_back(start);
    }
    for (const TimeNs start : gone) drop_pane(start);
    return reader.check("the windows");
}

Result<void> FixedWindows::restore_changes(StateReader& reader) {
    get_times(reader);
    STREAM_TRY(restore_panes(reader));
    HashSet<TimeNs> there;
    for (std::uint64_t left = reader.get_varint(); reader.ok() && left > 0; --left) {
        const TimeNs start = reader.get_i64();
        there.insert(start);
        Window& window = windows_[start];
        window.closed = reader.get_u8() != 0;
        for (std::uint64_t groups = reader.get_varint(); reader.ok() && groups > 0; --groups) {
            const std::string key(reader.get_bytes());
            auto [found, is_new] = window.groups.try_emplace(key);
            used_ += is_new ? cost_of_history(key) : 0;
            used_ -= found->second.last.size();
            found->second.revision = reader.get_varint();
            found->second.last = reader.get_bytes();
            used_ += found->second.last.size();
        }
    }
    for (auto window = windows_.begin(); window != windows_.end();) {
        const auto next = std::next(window);
        if (!there.contains(window->first)) forget_window(window);
        window = next;
    }
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
