// SPDX-License-Identifier: Apache-2.0
// Where tumbling and hopping windows lie: half-open, aligned to the epoch (plus an offset) or to a
// zone's calendar. Windows share panes: the finest pieces that no boundary cuts.
#pragma once

#include "base/int128.hpp"
#include "ops/window.hpp"
#include "time/timestamp.hpp"

#include <cstdint>
#include <memory>

namespace stream {

class WindowGrid {
public:
    explicit WindowGrid(const WindowOptions& options);

    TimeNs pane_start(TimeNs time) const;
    TimeNs pane_end(TimeNs pane) const;
    // Of the windows, by their start: ends, neighbours (a window is its own at the ends of time), and the
    // first whose end lies behind `time`.
    TimeNs window_end(TimeNs start) const;
    TimeNs next_window(TimeNs start) const;
    TimeNs previous_window(TimeNs start) const;
    TimeNs first_window_ending_after(TimeNs time) const;
    TimeNs last_window_starting_by(TimeNs time) const;
    // Whether a window is one pane (tumbling).
    bool is_single_pane() const { return single_; }

private:
    TimeNs floor_to(TimeNs time, DurationNs step) const;
    Int128 boundary_before(TimeNs time, DurationNs step) const;
    TimeNs after(TimeNs start, DurationNs distance, DurationNs step) const;

    bool calendar_ = false;
    bool single_ = false;
    DurationNs size_ = 0;
    DurationNs advance_ = 0;
    DurationNs pane_ = 0;
    DurationNs offset_ = 0;
    std::shared_ptr<const Zone> zone_;
    CalendarUnit unit_ = CalendarUnit::day;
    std::int64_t step_count_ = 0;  // units a step
    std::int64_t steps_in_window_ = 1;
};

}  // namespace stream
