// SPDX-License-Identifier: Apache-2.0
#include "time/watermark.hpp"

#include <algorithm>

namespace stream {

bool InputWatermarks::raise(std::size_t input, TimeNs watermark) {
    Input& one = inputs_[input];
    if (watermark <= one.watermark) return false;
    one.watermark = watermark;
    return settle();
}

bool InputWatermarks::set_idle(std::size_t input) {
    inputs_[input].idle = true;
    return settle();
}

bool InputWatermarks::set_active(std::size_t input) {
    Input& one = inputs_[input];
    if (!one.idle) return false;
    one.idle = false;
    one.behind = one.watermark < current_;
    return settle();
}

bool InputWatermarks::move_to(TimeNs watermark) {
    if (watermark <= current_) return false;
    current_ = watermark;
    for (Input& input : inputs_) input.behind = input.watermark < current_;
    return true;
}

bool InputWatermarks::is_idle() const {
    return std::all_of(inputs_.begin(), inputs_.end(), [](const Input& input) { return input.idle; });
}

bool InputWatermarks::settle() {
    TimeNs least = time_after_all;
    bool any = false;
    for (Input& input : inputs_) {
        if (input.idle) continue;
        if (input.behind && input.watermark >= current_) input.behind = false;
        if (input.behind) continue;
        any = true;
        least = std::min(least, input.watermark);
    }
    if (!any || least <= current_) return false;
    current_ = least;
    return true;
}

}  // namespace stream
