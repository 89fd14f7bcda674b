// SPDX-License-Identifier: Apache-2.0
// Events, and corrections; closing is in fixed_close.cpp, the rows are in fixed_rows.cpp.
#include "ops/window/fixed.hpp"

#include "base/text.hpp"
#include "ops/window/costs.hpp"

#include <algorithm>

namespace stream {

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

FixedWindows::Pane& FixedWindows::pane_at(TimeNs start) {
    Pane*& place = pane_index_[start];
    if (place == nullptr) {
        auto made = std::make_unique<Pane>(plan_, options_.hash_seed);
        place = made.get();
        used_ += pane_cost + made->groups.memory();
        panes_.emplace(start, std::move(made));
    }
    return *place;
}

// Sets pane_ to the event's pane. `open_window`: its earliest window that is still open, or one that
// begins after the event if there is none.
FixedWindows::Place FixedWindows::find_pane(const Event& event, Sink& sink, TimeNs& open_window) {
    const TimeNs last_window = grid_.last_window_starting_by(event.time);
    const TimeNs last_end = grid_.window_end(last_window);
    if (event.time >= last_end) return Place::none;  // between two windows
    const TimeNs last_chance = time_add(last_end, options_.allowed_lateness_ns);
    if (last_chance <= watermark_) {
        sink.late(event, time_add(time_sub(watermark_, last_chance), 1));
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
    open_window = first_end > watermark_ ? first_window
                                         : grid_.first_window_ending_after(std::max(event.time, watermark_));
    return first_end > watermark_ ? Place::open : Place::closed_in_part;
}

// A window that has events is to be closed; with --fill, so are those without between the last that was
// closed and this one. What the watermark has passed of these had no event in time.
void FixedWindows::expect_window(TimeNs start) {
    if (options_.fill && !has_next_ && has_closed_ && start >= after_closed_ && knows_keys_before(start)) {
        start = after_closed_;
        fill_only_until_ = watermark_;
    }
    if (has_next_ && start >= next_start_) return;
    has_next_ = true;
    next_start_ = start;
    plan_next();
}

// The event that pane_ was found for was refused: it leaves no trace.
void FixedWindows::take_back(bool group_is_new) {
    if (group_is_new) {
        used_ -= pane_->groups.memory();
        pane_->groups.drop_last();
        used_ += pane_->groups.memory();
    }
    if (pane_->groups.size() == 0) {
        const TimeNs start = all_ ? 0 : pane_begin_;
        used_ -= pane_cost + pane_->groups.memory();
        pane_index_.erase(start);
        panes_.erase(start);
    }
    pane_ = nullptr;
}

Result<void> FixedWindows::on_event(int, const Event& event, Sink& sink) {
    Place place = Place::open;
    bool found_anew = false;
    TimeNs open_window = 0;
    if (all_) {
        if (pane_ == nullptr) pane_ = &pane_at(0);
    } else if (pane_ == nullptr || event.time < pane_begin_ || event.time >= pane_end_ ||
               pane_open_until_ <= watermark_) {
        place = find_pane(event, sink, open_window);
        if (place == Place::none || place == Place::late) return {};
        found_anew = true;
    }
    const std::string_view key = keys_.empty() ? std::string_view() : keys_.bytes(event.values, scratch_);
    Groups& groups = pane_->groups;
    const std::size_t groups_before = groups.size();
    const std::size_t memory_before = groups.memory();
    Groups::Group& group = groups.find_or_make(key);
    used_ += groups.memory() - memory_before;
    if (auto added = plan_.add(group.states(), event, event.time, used_); !added) [[unlikely]] {
        take_back(groups.size() > groups_before);
        return added;
    }
    if (tracks_) groups.note(group);
    if (all_) {
        newest_ = std::max(newest_, event.time);
    } else if (found_anew) {
        newest_pane_ = std::max(newest_pane_, pane_begin_);
        if (open_window <= event.time) expect_window(open_window);
    }
    if (options_.fill) {
        auto [last, is_new] = pane_->last.try_emplace(key, event.time);
        if (is_new)
            used_ += cost_of_key(key);
        else
            last->second = std::max(last->second, event.time);
    }
    if (used_ > options_.memory_bytes) [[unlikely]]
        return out_of_memory();
    if (place == Place::closed_in_part && options_.allowed_lateness_ns > 0) {
        return on_late(event.time, std::string(key), sink);
    }
    return {};
}

tl::unexpected<Error> FixedWindows::out_of_memory() const {
    std::size_t groups = 0;
    for (const auto& [start, pane] : panes_) groups += pane->groups.size();
    return fail(ErrorKind::limit,
                std::to_string(groups) + (groups == 1 ? " open group needs" : " open groups need") +
                    " more than --memory " + format_size(options_.memory_bytes),
                plan_.advice());
}

// A late event within --allowed-lateness.
Result<void> FixedWindows::on_late(TimeNs time, std::string_view key, Sink& sink) {
    // With --fill, windows that nothing was known of may be found to have been.
    const bool found = options_.fill && !has_next_ && has_closed_ && newest_pane_ >= after_closed_;
    const TimeNs written_before = found ? after_closed_ : time_after_all;
    STREAM_TRY(correct(time, key, written_before, sink));
    if (found) {
        filled_rows_ = 0;
        expect_window(std::max(written_before, grid_.first_window_ending_after(time)));
        STREAM_TRY(close_due(watermark_, sink));
    }
    plan_next();
    return {};
}

// Every closed window before `before` that holds the event is said again, and so are later ones in which
// it changes what they are compared with, count from or are filled with.
Result<void> FixedWindows::correct(TimeNs time, std::string_view key, TimeNs before, Sink& sink) {
    const auto is_closed = [&](TimeNs start) { return grid_.window_end(start) <= watermark_; };
    TimeNs start = grid_.first_window_ending_after(time);
    for (; start <= time && start < before && is_closed(start); start = grid_.next_window(start)) {
        if (time_add(grid_.window_end(start), options_.allowed_lateness_ns) <= watermark_) continue;
        windows_[start].closed = true;
        if (options_.top > 0)
            STREAM_TRY(write_window(start, sink, {.only_changed = true, .fill = options_.fill}));
        else
            STREAM_TRY(rewrite_row(start, key, sink, false));
    }
    if (options_.fill) {
        for (; start <= newest_pane_ && start < before && is_closed(start);
             start = grid_.next_window(start)) {
            windows_[start].closed = true;
            STREAM_TRY(write_window(start, sink, {.only_changed = true, .fill = true}));
        }
        if (start <= newest_pane_) {
            if (start < before) expect_window(start);
        } else {
            after_closed_ = has_closed_ ? std::max(after_closed_, start) : start;
            has_closed_ = true;
        }
    } else if (options_.compare || plan_.has_increase()) {
        for (auto window = windows_.lower_bound(start); window != windows_.end() && window->second.closed;
             ++window) {
            if (options_.top > 0)
                STREAM_TRY(write_window(window->first, sink, {.only_changed = true}));
            else
                STREAM_TRY(rewrite_row(window->first, key, sink, true));
        }
    }
    return {};
}

}  // namespace stream
