// SPDX-License-Identifier: Apache-2.0
#include "ops/window/fixed.hpp"

#include <algorithm>

#include "json/canonical.hpp"
#include "json/number.hpp"

namespace stream {

namespace {
constexpr std::uint64_t fill_rows_max = 1'000'000;  // in one jump of the watermark
}

FixedWindows::FixedWindows(WindowOptions options, AggregatePlan plan, Keys keys)
    : options_(std::move(options)),
      plan_(std::move(plan)),
      keys_(std::move(keys)),
      results_(options_, plan_, keys_),
      grid_(options_),
      all_(options_.kind == WindowKind::all) {
    plan_next();
}

Bounds FixedWindows::bounds_of(TimeNs start) const {
    if (all_) return {0, newest_, true};
    return {start, grid_.window_end(start), false};
}

Groups& FixedWindows::pane_at(TimeNs start) {
    Groups*& place = pane_index_[start];
    if (place == nullptr) {
        auto made = std::make_unique<Groups>(plan_, options_.hash_seed);
        place = made.get();
        used_ += made->memory();
        panes_.emplace(start, std::move(made));
    }
    return *place;
}

// Sets pane_ to the event's pane.
FixedWindows::Place FixedWindows::find_pane(const Event& event, Sink& sink) {
    const TimeNs last_window = grid_.last_window_starting_by(event.time);
    const TimeNs last_end = grid_.window_end(last_window);
    if (event.time >= last_end) return Place::none;  // between two windows
    if (time_add(last_end, options_.allowed_lateness_ns) <= watermark_) {
        sink.late(event, time_add(time_sub(watermark_, last_end), 1));
        return Place::late;
    }
    const bool single = grid_.is_single_pane();
    const TimeNs start = single ? last_window : grid_.pane_start(event.time);
    const TimeNs first_window = single ? last_window : grid_.first_window_ending_after(event.time);
    const TimeNs first_end = single ? last_end : grid_.window_end(first_window);
    pane_ = &pane_at(start);
    pane_begin_ = start;
    pane_end_ = single ? last_end : grid_.pane_end(start);
    pane_open_until_ = first_end;
    newest_pane_ = std::max(newest_pane_, start);
    // The earliest window with this pane that is still open.
    const TimeNs open =
        first_end > watermark_ ? first_window : grid_.first_window_ending_after(std::max(event.time, watermark_));
    if (open <= event.time && (!has_next_ || open < next_start_)) {
        has_next_ = true;
        next_start_ = open;
        plan_next();
    }
    return first_end > watermark_ ? Place::open : Place::closed_in_part;
}

Result<void> FixedWindows::on_event(int, const Event& event, Sink& sink) {
    Place place = Place::open;
    if (all_) {
        newest_ = std::max(newest_, event.time);
        if (pane_ == nullptr) pane_ = &pane_at(0);
    } else if (pane_ == nullptr || event.time < pane_begin_ || event.time >= pane_end_ ||
               pane_open_until_ <= watermark_) {
        place = find_pane(event, sink);
        if (place == Place::none || place == Place::late) return {};
    }
    const std::string_view key = keys_.empty() ? std::string_view() : keys_.bytes(event.values, scratch_);
    const std::size_t before = pane_->memory();
    Groups::Group& group = pane_->find_or_make(key);
    used_ += pane_->memory() - before;
    STREAM_TRY(plan_.add(group.states(), event, event.time, used_));
    if (options_.fill) remember(key, event.time);
    if (used_ > options_.memory_bytes) [[unlikely]] return out_of_memory();
    if (place == Place::closed_in_part && options_.allowed_lateness_ns > 0) {
        return correct(event.time, std::string(key), sink);
    }
    return {};
}

void FixedWindows::remember(std::string_view key, TimeNs time) {
    const TimeNs window = grid_.first_window_ending_after(time);
    auto [known, is_new] = known_.try_emplace(key, Known{window, time});
    if (is_new) {
        used_ += key.size() + 64;
        return;
    }
    known->second.first = std::min(known->second.first, window);
    known->second.last = std::max(known->second.last, time);
}

tl::unexpected<Error> FixedWindows::out_of_memory() const {
    std::size_t groups = 0;
    for (const auto& [start, pane] : panes_) groups += pane->size();
    return fail(ErrorKind::limit,
                std::to_string(groups) + (groups == 1 ? " open group needs" : " open groups need") +
                    " more than --memory " + std::to_string(options_.memory_bytes >> 20) + "MiB",
                plan_.advice());
}

// A window's groups: its pane's own, or the merge of its panes.
Result<Groups*> FixedWindows::groups_of(TimeNs start, TimeNs end, std::unique_ptr<Groups>& merged) {
    if (all_ || grid_.is_single_pane()) {
        const auto pane = pane_index_.find(start);
        return pane == pane_index_.end() ? nullptr : pane->second;
    }
    merged = std::make_unique<Groups>(plan_, options_.hash_seed);
    for (auto pane = panes_.lower_bound(start); pane != panes_.end() && pane->first < end; ++pane) {
        for (std::size_t i = 0; i < pane->second->size(); ++i) {
            const Groups::Group& from = pane->second->at(i);
            STREAM_TRY(plan_.merge(merged->find_or_make(from.key()).states(), from.states()));
        }
    }
    return merged.get();
}

// increase: the key's last values before the window, from the panes that are still there and, for what
// those do not tell, from what was carried on when older ones went.
const FixedWindows::Values* FixedWindows::values_before(TimeNs start, std::string_view key, Values& scratch) const {
    if (!plan_.has_increase() || all_) return nullptr;
    scratch.assign(plan_.size(), std::string());
    for (auto pane = panes_.lower_bound(start); pane != panes_.begin();) {
        --pane;
        const Groups::Group* group = pane->second->find(key);
        if (group == nullptr) continue;
        bool all_found = true;
        for (std::size_t i = 0; i < plan_.size(); ++i) {
            if (!plan_.is_increase(i) || !scratch[i].empty()) continue;
            scratch[i] = plan_.last_number(i, group->states());
            all_found = all_found && !scratch[i].empty();
        }
        if (all_found) return &scratch;
    }
    if (const auto carried = carried_.find(key); carried != carried_.end()) {
        for (std::size_t i = 0; i < plan_.size(); ++i) {
            if (scratch[i].empty()) scratch[i] = carried->second[i];
        }
    }
    return &scratch;
}

const FixedWindows::Values* FixedWindows::compared_with(TimeNs start, std::string_view key) const {
    const auto window = closed_values_.find(grid_.previous_window(start));
    if (window == closed_values_.end()) return nullptr;
    const auto found = window->second.find(key);
    return found == window->second.end() ? nullptr : &found->second;
}

History& FixedWindows::history_of(TimeNs start, std::string_view key, std::size_t bytes) {
    auto& groups = windows_[start].groups;
    auto found = groups.find(key);
    if (found == groups.end()) {
        found = groups.emplace(std::string(key), History{}).first;
        used_ += key.size() + bytes + 128;
    }
    return found->second;
}

Result<void> FixedWindows::compute(const Bounds& bounds, Row& row) {
    Values scratch;
    return results_.values(row.states, bounds, values_before(bounds.start, row.key, scratch), row.values);
}

// Puts a row of nothing in for every known key that has none.
Result<void> FixedWindows::fill_rows(TimeNs start, std::vector<Row>& rows) {
    std::vector<std::string_view> keys;
    for (auto known = known_.begin(); known != known_.end();) {
        if (options_.fill_ns > 0 && time_add(known->second.last, options_.fill_ns) < start) {
            carried_.erase(known->first);
            known_.erase(known++);
            continue;
        }
        if (known->second.first <= start) keys.emplace_back(known->first);
        ++known;
    }
    std::sort(keys.begin(), keys.end(), [](auto a, auto b) { return Keys::compare(a, b) < 0; });
    std::vector<Row> all;
    std::size_t at = 0;
    for (const std::string_view key : keys) {
        while (at < rows.size() && Keys::compare(rows[at].key, key) < 0) all.push_back(std::move(rows[at++]));
        if (at < rows.size() && rows[at].key == key) {
            all.push_back(std::move(rows[at++]));
            continue;
        }
        all.emplace_back();
        all.back().key = key;
        if (++filled_rows_ > fill_rows_max) {
            return fail(ErrorKind::limit,
                        "--fill would write more than " + std::to_string(fill_rows_max) +
                            " empty results at once, up to " + to_rfc3339(start),
                        "--fill DUR forgets keys that are silent that long; --max-ahead DUR refuses wild times");
        }
    }
    while (at < rows.size()) all.push_back(std::move(rows[at++]));
    rows = std::move(all);
    return {};
}

Result<void> FixedWindows::write_window(TimeNs start, Sink& sink, bool is_final, bool only_changed) {
    const Bounds bounds = bounds_of(start);
    std::unique_ptr<Groups> merged;
    auto groups = groups_of(start, bounds.end, merged);
    if (!groups) return pass_on(groups);
    std::vector<Row> rows;
    if (*groups != nullptr) {
        const auto sorted = (*groups)->sorted();
        if (!options_.fill && options_.top == 0 && !options_.compare && !keeps_history()) {
            Values scratch;
            for (Groups::Group* group : sorted) {
                const Values* before = values_before(bounds.start, group->key(), scratch);
                STREAM_TRY(results_.write_plain(sink, bounds, group->key(), group->states(), before));
            }
            return {};
        }
        rows.reserve(sorted.size());
        for (Groups::Group* group : sorted) {
            rows.emplace_back();
            rows.back().key = group->key();
            rows.back().states = group->states();
        }
    }
    if (options_.fill) STREAM_TRY(fill_rows(bounds.start, rows));
    return write_rows(bounds, rows, sink, is_final, only_changed);
}

Result<void> FixedWindows::write_rows(const Bounds& bounds, std::vector<Row>& rows, Sink& sink, bool is_final,
                                      bool only_changed) {
    for (Row& row : rows) STREAM_TRY(compute(bounds, row));
    if (options_.compare) {
        KeyValues& mine = closed_values_[bounds.start];
        for (const Row& row : rows) mine.insert_or_assign(std::string(row.key), row.values);
    }
    if (options_.top > 0) {
        const std::size_t by = results_.top_index();
        std::stable_sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) {
            return compare_values(value_of(a.values[by]), value_of(b.values[by])) > 0;
        });
        if (rows.size() > options_.top) rows.resize(options_.top);
    }
    if (options_.changes) {  // rows that were shown and are not any more
        for (auto& [key, history] : windows_[bounds.start].groups) {
            const bool shown = std::any_of(rows.begin(), rows.end(), [&](const Row& row) { return row.key == key; });
            if (!shown) results_.write_delete(sink, bounds, history);
        }
    }
    for (const Row& row : rows) {
        std::string core;
        results_.append_core(core, bounds, row.key, row.values,
                             options_.compare ? compared_with(bounds.start, row.key) : nullptr);
        History* history = nullptr;
        if (keeps_history()) {
            history = &history_of(bounds.start, row.key, core.size());
            if (only_changed && history->last == core) continue;
        }
        results_.write(sink, bounds, std::move(core), history, is_final);
    }
    return {};
}

// A late event within --allowed-lateness: every closed window that holds it is said again.
Result<void> FixedWindows::correct(TimeNs time, std::string_view key, Sink& sink) {
    for (TimeNs start = grid_.first_window_ending_after(time); start <= time; start = grid_.next_window(start)) {
        const TimeNs end = grid_.window_end(start);
        if (end > watermark_) break;
        if (time_add(end, options_.allowed_lateness_ns) <= watermark_) continue;
        windows_[start].closed = true;
        STREAM_TRY(correct_window(start, key, sink));
    }
    plan_next();
    return {};
}

Result<void> FixedWindows::correct_window(TimeNs start, std::string_view key, Sink& sink) {
    if (options_.top > 0) return write_window(start, sink, false, true);
    const Bounds bounds = bounds_of(start);
    std::unique_ptr<Groups> merged;
    auto groups = groups_of(start, bounds.end, merged);
    if (!groups) return pass_on(groups);
    Row row;
    row.key = key;
    row.states = (*groups)->find(key)->states();
    STREAM_TRY(compute(bounds, row));
    if (options_.compare) closed_values_[start].insert_or_assign(std::string(key), row.values);
    std::string core;
    results_.append_core(core, bounds, key, row.values, options_.compare ? compared_with(start, key) : nullptr);
    History& history = history_of(start, key, core.size());
    results_.write(sink, bounds, std::move(core), &history, false);
    return {};
}

Result<void> FixedWindows::close_next(Sink& sink) {
    const TimeNs start = next_start_;
    const bool lives_on = options_.allowed_lateness_ns > 0;
    STREAM_TRY(write_window(start, sink, !lives_on, false));
    if (lives_on) windows_[start].closed = true;
    else windows_.erase(start);
    if (options_.compare) {
        // Only the window just before is ever compared with, or one that may still be corrected.
        const TimeNs oldest = time_sub(grid_.previous_window(start), options_.allowed_lateness_ns);
        while (!closed_values_.empty() && closed_values_.begin()->first < oldest) {
            closed_values_.erase(closed_values_.begin());
        }
    }
    find_next(grid_.next_window(start));
    return {};
}

// The earliest window from `from` on that has events or, with --fill, lies before one that has.
void FixedWindows::find_next(TimeNs from) {
    has_next_ = false;
    if (options_.fill && newest_pane_ >= from && !known_.empty()) {
        has_next_ = true;
        next_start_ = from;
        return;
    }
    auto pane = panes_.lower_bound(from);
    // A pane before `from` may be in a later window too (hopping never: windows from `from` on begin
    // there), so the first pane at or behind it decides.
    if (pane == panes_.end()) return;
    has_next_ = true;
    next_start_ = std::max(from, grid_.first_window_ending_after(pane->first));
}

// Closed for good: the last result once more, as the final one.
Result<void> FixedWindows::finalize_next(Sink& sink) {
    const auto first = windows_.begin();
    const Bounds bounds = bounds_of(first->first);
    if (!options_.changes) {
        std::vector<std::pair<std::string_view, History*>> rows;
        for (auto& [key, history] : first->second.groups) {
            if (!history.last.empty()) rows.emplace_back(key, &history);
        }
        std::sort(rows.begin(), rows.end(),
                  [](const auto& a, const auto& b) { return Keys::compare(a.first, b.first) < 0; });
        for (const auto& [key, history] : rows) results_.write(sink, bounds, history->last, history, true);
    }
    for (const auto& [key, history] : first->second.groups) {
        used_ -= std::min(used_, key.size() + history.last.size() + 128);
    }
    windows_.erase(first);
    return {};
}

// Provisional results of every open window that changed.
Result<void> FixedWindows::tick(Sink& sink) {
    if (all_) return panes_.empty() ? Result<void>{} : write_window(0, sink, false, true);
    if (!has_next_) return {};
    for (TimeNs start = next_start_; start <= newest_pane_; start = grid_.next_window(start)) {
        STREAM_TRY(write_window(start, sink, false, true));
    }
    return {};
}

void FixedWindows::carry(const Groups& pane) {
    for (std::size_t i = 0; i < pane.size(); ++i) {
        const Groups::Group& group = pane.at(i);
        auto [carried, is_new] = carried_.try_emplace(group.key(), Values(plan_.size()));
        if (is_new) used_ += group.key().size() + 128;
        for (std::size_t k = 0; k < plan_.size(); ++k) {
            if (!plan_.is_increase(k)) continue;
            std::string last = plan_.last_number(k, group.states());
            if (!last.empty()) carried->second[k] = std::move(last);
        }
    }
}

void FixedWindows::drop_panes() {
    while (!panes_.empty()) {
        const auto first = panes_.begin();
        const TimeNs last_window = grid_.last_window_starting_by(first->first);
        if (time_add(grid_.window_end(last_window), options_.allowed_lateness_ns) > watermark_) break;
        if (plan_.has_increase()) carry(*first->second);
        std::size_t freed = first->second->memory();
        if (plan_.grows()) {
            for (std::size_t i = 0; i < first->second->size(); ++i) freed += plan_.heap_bytes(first->second->at(i).states());
        }
        used_ -= std::min(used_, freed);
        if (pane_ == first->second.get()) pane_ = nullptr;
        pane_index_.erase(first->first);
        panes_.erase(first);
    }
}

void FixedWindows::plan_next() {
    next_action_ = has_next_ ? grid_.window_end(next_start_) : time_after_all;
    if (options_.allowed_lateness_ns > 0 && !windows_.empty() && windows_.begin()->second.closed) {
        next_action_ = std::min(next_action_, time_add(grid_.window_end(windows_.begin()->first),
                                                       options_.allowed_lateness_ns));
    }
    if (options_.every_ns > 0) next_action_ = std::min(next_action_, next_tick_);
}

Result<void> FixedWindows::on_watermark(TimeNs watermark, Sink& sink) {
    watermark_ = watermark;
    if (watermark < next_action_) return {};
    filled_rows_ = 0;
    while (!all_) {
        // In the order in which the watermark passes them: closes, and ends of --allowed-lateness.
        const bool can_close = has_next_ && grid_.window_end(next_start_) <= watermark;
        const bool waits = options_.allowed_lateness_ns > 0 && !windows_.empty() && windows_.begin()->second.closed;
        const TimeNs ends =
            waits ? time_add(grid_.window_end(windows_.begin()->first), options_.allowed_lateness_ns) : time_after_all;
        const bool can_end = waits && ends <= watermark;
        if (can_close && (!can_end || grid_.window_end(next_start_) <= ends)) {
            STREAM_TRY(close_next(sink));
        } else if (can_end) {
            STREAM_TRY(finalize_next(sink));
        } else {
            break;
        }
    }
    if (!all_) drop_panes();
    if (options_.every_ns > 0 && watermark != time_after_all) {
        if (next_tick_ != time_before_all && watermark >= next_tick_) STREAM_TRY(tick(sink));
        next_tick_ = time_add(floor_div(watermark, options_.every_ns) * options_.every_ns, options_.every_ns);
    }
    plan_next();
    return {};
}

Result<void> FixedWindows::on_end(Sink& sink) {
    if (!all_ || panes_.empty()) return {};
    STREAM_TRY(write_window(0, sink, true, false));
    panes_.clear();
    pane_index_.clear();
    pane_ = nullptr;
    return {};
}

void FixedWindows::snapshot(StateWriter& writer) const {
    for (const TimeNs time : {watermark_, newest_, newest_pane_, next_start_, next_tick_}) writer.put_i64(time);
    writer.put_u8(has_next_ ? 1 : 0);
    writer.put_varint(panes_.size());
    for (const auto& [start, pane] : panes_) {
        writer.put_i64(start);
        pane->snapshot(writer);
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
    writer.put_varint(known_.size());
    for (const auto& [key, known] : known_) {
        writer.put_bytes(key);
        writer.put_i64(known.first);
        writer.put_i64(known.last);
    }
}

Result<void> FixedWindows::restore(StateReader& reader) {
    for (TimeNs* time : {&watermark_, &newest_, &newest_pane_, &next_start_, &next_tick_}) *time = reader.get_i64();
    has_next_ = reader.get_u8() != 0;
    const auto more = [&](std::uint64_t& left) { return reader.ok() && left > 0 && left-- > 0; };
    for (std::uint64_t left = reader.get_varint(); more(left);) {
        Groups& pane = pane_at(reader.get_i64());
        const std::size_t before = pane.memory();
        STREAM_TRY(pane.restore(reader, used_));
        used_ += pane.memory() - before;
    }
    for (std::uint64_t left = reader.get_varint(); more(left);) {
        Window& window = windows_[reader.get_i64()];
        window.closed = reader.get_u8() != 0;
        for (std::uint64_t groups = reader.get_varint(); more(groups);) {
            History& history = window.groups[std::string(reader.get_bytes())];
            history.revision = reader.get_varint();
            history.last = reader.get_bytes();
        }
    }
    const auto get_values = [&](KeyValues& map) {
        for (std::uint64_t left = reader.get_varint(); more(left);) {
            Values& values = map[std::string(reader.get_bytes())];
            values.resize(plan_.size());
            for (std::string& value : values) value = reader.get_bytes();
        }
    };
    for (std::uint64_t left = reader.get_varint(); more(left);) get_values(closed_values_[reader.get_i64()]);
    get_values(carried_);
    for (std::uint64_t left = reader.get_varint(); more(left);) {
        Known& known = known_[std::string(reader.get_bytes())];
        known.first = reader.get_i64();
        known.last = reader.get_i64();
    }
    plan_next();
    return reader.check("the windows");
}

void FixedWindows::append_stats(std::string& out) const {
    std::size_t groups = 0;
    for (const auto& [start, pane] : panes_) groups += pane->size();
    out += ",\"open_panes\":";
    append_uint64(out, panes_.size());
    out += ",\"groups\":";
    append_uint64(out, groups);
    out += ",\"memory\":";
    append_uint64(out, used_);
}

}  // namespace stream
