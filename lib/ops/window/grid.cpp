// SPDX-License-Identifier: Apache-2.0
#include "ops/window/grid.hpp"

#include "base/int128.hpp"

#include <numeric>

namespace stream {

namespace {

TimeNs clamp(Int128 value) {
    if (value < Int128{time_before_all}) return time_before_all;
    if (value > Int128{time_after_all}) return time_after_all;
    return static_cast<TimeNs>(value);
}

}  // namespace

WindowGrid::WindowGrid(const WindowOptions& options) : zone_(options.zone) {
    if (options.kind == WindowKind::all) {
        single_ = true;
        return;
    }
    const bool hopping = options.kind == WindowKind::hopping;
    size_ = options.size_ns;
    advance_ = hopping ? options.advance_ns : options.size_ns;
    offset_ = options.offset_ns;
    calendar_ = zone_ != nullptr;
    if (calendar_) {
        unit_ = hopping ? options.advance_unit : options.unit;
        step_count_ = hopping ? options.advance_count : options.unit_count;
        std::int64_t count = options.unit_count;
        if (hopping && options.unit == CalendarUnit::week && options.advance_unit == CalendarUnit::day)
            count *= 7;
        steps_in_window_ = count / step_count_;
        single_ = steps_in_window_ == 1;
        return;
    }
    pane_ = std::gcd(size_, advance_);
    single_ = pane_ == size_ && advance_ == size_;
    // Of any number and sign: boundaries repeat each ADVANCE.
    offset_ %= advance_;
}

// The last boundary at or before `time`, which may lie before all times there are.
Int128 WindowGrid::boundary_before(TimeNs time, DurationNs step) const {
    const Int128 shifted = Int128{time} - offset_;
    Int128 index = shifted / step;
    if (shifted % step < 0) --index;
    return index * step + offset_;
}

TimeNs WindowGrid::floor_to(TimeNs time, DurationNs step) const {
    constexpr TimeNs safe = time_after_all / 4;
    if (time < safe && time > -safe && advance_ < safe) [[likely]] {
        return floor_div(time - offset_, step) * step + offset_;
    }
    return clamp(boundary_before(time, step));
}

TimeNs WindowGrid::pane_start(TimeNs time) const {
    if (calendar_) return calendar_window(*zone_, time, unit_, step_count_, offset_).start;
    return floor_to(time, pane_);
}

// `distance` on from a boundary. Windows that begin before all times are one, which begins with them and
// ends where the last of those does.
TimeNs WindowGrid::after(TimeNs start, DurationNs distance, DurationNs step) const {
    if (start != time_before_all) [[likely]]
        return time_add(start, distance);
    return clamp(boundary_before(start, step) + distance);
}

TimeNs WindowGrid::pane_end(TimeNs pane) const {
    return calendar_ ? next_window(pane) : after(pane, pane_, pane_);
}

TimeNs WindowGrid::window_end(TimeNs start) const {
    if (!calendar_) return after(start, size_, advance_);
    for (std::int64_t i = 0; i < steps_in_window_; ++i) start = next_window(start);
    return start;
}

TimeNs WindowGrid::next_window(TimeNs start) const {
    if (calendar_) return calendar_window(*zone_, start, unit_, step_count_, offset_).end;
    return after(start, advance_, advance_);
}

TimeNs WindowGrid::previous_window(TimeNs start) const {
    if (calendar_) return calendar_window(*zone_, time_sub(start, 1), unit_, step_count_, offset_).start;
    return time_sub(start, advance_);
}

TimeNs WindowGrid::first_window_ending_after(TimeNs time) const {
    if (!calendar_) {
        // The least start with start + size > time.
        const Int128 wide = Int128{time} - size_ - offset_;
        Int128 index = wide / advance_;
        if (wide % advance_ < 0) --index;
        return clamp((index + 1) * advance_ + offset_);
    }
    TimeNs start = calendar_window(*zone_, time, unit_, step_count_, offset_).start;
    for (std::int64_t i = 1; i < steps_in_window_; ++i) start = previous_window(start);
    return start;
}

TimeNs WindowGrid::last_window_starting_by(TimeNs time) const {
    if (calendar_) return calendar_window(*zone_, time, unit_, step_count_, offset_).start;
    return floor_to(time, advance_);
}

}  // namespace stream
