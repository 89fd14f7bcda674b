// SPDX-License-Identifier: Apache-2.0
// Watermarks of several inputs, and the one of all: the least of those that count.
//
// A watermark W says that no event with time < W is expected any more. An input's own is its newest
// event's time less the lateness, or what a mark said; neither it nor the one of all ever goes back. An
// idle input holds nobody back; when it speaks again it counts from when it has caught up. An input that
// has ended holds nobody back either.
#pragma once

#include "time/timestamp.hpp"

#include <cstddef>
#include <vector>

namespace stream {

class InputWatermarks {
public:
    InputWatermarks(std::size_t inputs, DurationNs lateness) : inputs_(inputs), lateness_(lateness) {}

    // Each gives whether current() grew by it.
    bool on_event(std::size_t input, TimeNs time) { return raise(input, time_sub(time, lateness_)); }
    bool on_mark(std::size_t input, TimeNs watermark) { return raise(input, watermark); }
    bool set_idle(std::size_t input);
    bool set_active(std::size_t input);
    bool end(std::size_t input) { return raise(input, time_after_all); }
    // With all inputs idle, event time goes on with somebody's clock.
    bool move_to(TimeNs watermark);

    // time_before_all until every input that counts has one.
    TimeNs current() const { return current_; }
    // An input's own: what an event of it is judged by where order is needed.
    TimeNs of(std::size_t input) const { return inputs_[input].watermark; }
    bool is_idle() const;

private:
    struct Input {
        TimeNs watermark = time_before_all;
        bool idle = false;
        bool behind = false;  // was idle and has not caught up with the others
    };
    bool raise(std::size_t input, TimeNs watermark);
    bool settle();

    std::vector<Input> inputs_;
    DurationNs lateness_;
    TimeNs current_ = time_before_all;
};

}  // namespace stream
