// SPDX-License-Identifier: Apache-2.0
// Watermarks: windows that close, or close for good, and what is remembered and forgotten of them.
#include "ops/window/costs.hpp"
#include "ops/window/fixed.hpp"

#include <algorithm>

namespace stream {

Result<void> FixedWindows::close_next(Sink& sink) {
    const TimeNs start = next_start_;
    const bool lives_on = options_.allowed_lateness_ns > 0;
    STREAM_TRY(write_window(start, sink, {.is_final = !lives_on, .fill = options_.fill}));
    if (lives_on)
        windows_[start].closed = true;
    else if (const auto window = windows_.find(start); window != windows_.end())
        forget_window(window);
    has_closed_ = true;
    after_closed_ = grid_.next_window(start);
    if (options_.compare) forget_compared(start);
    if (options_.fill_ns > 0) forget_silent(start);
    find_next(after_closed_);
    return {};
}

// The earliest window from `from` on that has events or, with --fill, lies before one that has.
void FixedWindows::find_next(TimeNs from) {
    has_next_ = false;
    if (options_.fill && newest_pane_ >= from && knows_keys_before(from)) {
        has_next_ = true;
        next_start_ = from;
        return;
    }
    // Windows from `from` on hold no pane that begins before it.
    const auto pane = panes_.lower_bound(from);
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
    forget_window(first);
    return {};
}

void FixedWindows::forget_window(Windows::iterator window) {
    for (const auto& [key, history] : window->second.groups)
        used_ -= cost_of_history(key) + history.last.size();
    windows_.erase(window);
}

// Only the window just before is compared with, and that of one which may still be corrected.
void FixedWindows::forget_compared(TimeNs closed) {
    while (!closed_values_.empty()) {
        const auto first = closed_values_.begin();
        const TimeNs next = grid_.next_window(first->first);
        if (next > closed) break;
        if (options_.allowed_lateness_ns > 0 &&
            time_add(grid_.window_end(next), options_.allowed_lateness_ns) > watermark_) {
            break;
        }
        for (const auto& [key, values] : first->second) used_ -= cost_of_values(key, values);
        closed_values_.erase(first);
    }
}

// Keys that no window still to be written knows any more.
void FixedWindows::forget_silent(TimeNs closed) {
    const TimeNs earliest = windows_.empty() ? closed : std::min(closed, windows_.begin()->first);
    for (auto known = known_.begin(); known != known_.end();) {
        if (!is_forgotten(known->first, earliest)) {
            ++known;
            continue;
        }
        forget_carried(known->first);
        used_ -= cost_of_key(known->first);
        known_.erase(known++);
    }
}

void FixedWindows::forget_carried(std::string_view key) {
    const auto carried = carried_.find(key);
    if (carried == carried_.end()) return;
    used_ -= cost_of_values(carried->first, carried->second);
    carried_.erase(carried);
}

// Provisional results of every open window that changed.
Result<void> FixedWindows::tick(Sink& sink) {
    constexpr Writing changed{.only_changed = true};
    if (all_) return panes_.empty() ? Result<void>{} : write_window(0, sink, changed);
    if (!has_next_) return {};
    for (TimeNs start = next_start_; start <= newest_pane_; start = grid_.next_window(start)) {
        const auto pane = panes_.lower_bound(start);
        if (pane == panes_.end()) break;
        start = std::max(start, grid_.first_window_ending_after(pane->first));
        STREAM_TRY(write_window(start, sink, changed));
    }
    return {};
}

// What windows to come need of a pane that goes.
void FixedWindows::carry(TimeNs start, const Pane& pane) {
    for (const auto& [key, time] : pane.last) {
        auto [known, is_new] = known_.try_emplace(key, time);
        if (is_new) {
            used_ += cost_of_key(key);
            continue;
        }
        if (options_.fill_ns > 0 && is_silence(known->second, start)) forget_carried(key);
        known->second = std::max(known->second, time);
    }
    if (plan_.has_increase()) {
        for (std::size_t i = 0; i < pane.groups.size(); ++i) {
            const Groups::Group& group = pane.groups.at(i);
            auto [carried, is_new] = carried_.try_emplace(group.key(), Values(plan_.size()));
            if (!is_new) used_ -= cost_of_values(carried->first, carried->second);
            for (std::size_t k = 0; k < plan_.size(); ++k) {
                if (!plan_.is_increase(k)) continue;
                std::string last = plan_.last_number(k, group.states());
                if (!last.empty()) carried->second[k] = std::move(last);
            }
            used_ += cost_of_values(carried->first, carried->second);
        }
    }
}

// Drops the panes whose last window has closed for good by `now`.
void FixedWindows::drop_panes(TimeNs now) {
    while (!panes_.empty()) {
        const auto first = panes_.begin();
        const TimeNs last_window = grid_.last_window_starting_by(first->first);
        if (time_add(grid_.window_end(last_window), options_.allowed_lateness_ns) > now) break;
        carry(first->first, *first->second);
        drop_pane(first->first);
    }
}

void FixedWindows::drop_pane(TimeNs start) {
    const auto place = panes_.find(start);
    Pane& pane = *place->second;
    std::size_t freed = pane_cost + pane.groups.memory();
    if (plan_.has_heap()) {
        for (std::size_t i = 0; i < pane.groups.size(); ++i) freed += plan_.heap_bytes(pane.groups.at(i).states());
    }
    for (const auto& [key, time] : pane.last) freed += cost_of_key(key);
    used_ -= freed;
    if (pane_ == &pane) pane_ = nullptr;
    pane_index_.erase(start);
    panes_.erase(place);
}

void FixedWindows::plan_next() {
    next_action_ = has_next_ ? grid_.window_end(next_start_) : time_after_all;
    if (options_.allowed_lateness_ns > 0 && !windows_.empty() && windows_.begin()->second.closed) {
        next_action_ = std::min(
            next_action_, time_add(grid_.window_end(windows_.begin()->first), options_.allowed_lateness_ns));
    }
    if (options_.every_ns > 0) next_action_ = std::min(next_action_, next_tick_);
}

// In the order in which the watermark passes them: closes, and ends of --allowed-lateness.
Result<void> FixedWindows::close_due(TimeNs watermark, Sink& sink) {
    while (!all_) {
        const TimeNs closes = has_next_ ? grid_.window_end(next_start_) : time_after_all;
        const bool can_close = has_next_ && closes <= watermark;
        const bool waits =
            options_.allowed_lateness_ns > 0 && !windows_.empty() && windows_.begin()->second.closed;
        const TimeNs ends =
            waits ? time_add(grid_.window_end(windows_.begin()->first), options_.allowed_lateness_ns)
                  : time_after_all;
        if (can_close && (!waits || closes <= ends)) {
            STREAM_TRY(close_next(sink));
            drop_panes(closes);
        } else if (waits && ends <= watermark) {
            STREAM_TRY(finalize_next(sink));
            drop_panes(ends);
        } else {
            break;
        }
    }
    return {};
}

Result<void> FixedWindows::on_watermark(TimeNs watermark, Sink& sink) {
    watermark_ = watermark;
    if (watermark < next_action_) return {};
    filled_rows_ = 0;
    STREAM_TRY(close_due(watermark, sink));
    if (!all_) drop_panes(watermark);
    if (options_.every_ns > 0 && watermark != time_after_all) {
        if (next_tick_ != time_before_all && watermark >= next_tick_) STREAM_TRY(tick(sink));
        next_tick_ = tick_after(watermark, options_.every_ns);
    }
    plan_next();
    return {};
}

Result<void> FixedWindows::on_end(Sink& sink) {
    if (!all_ || panes_.empty()) return {};
    STREAM_TRY(write_window(0, sink, {.is_final = true}));
    panes_.clear();
    pane_index_.clear();
    windows_.clear();
    pane_ = nullptr;
    used_ = 0;
    return {};
}

}  // namespace stream
