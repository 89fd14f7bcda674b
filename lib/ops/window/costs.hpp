// SPDX-License-Identifier: Apache-2.0
// What things cost against --memory, and when --every is due: shared by the kinds of windows.
#pragma once

#include "base/int128.hpp"
#include "time/timestamp.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace stream {

inline constexpr std::size_t pane_cost = 160;  // besides its groups: places in the maps

inline std::size_t cost_of_key(std::string_view key) { return key.size() + 64; }
inline std::size_t cost_of_history(std::string_view key) { return key.size() + 160; }
inline std::size_t cost_of_values(std::string_view key, const std::vector<std::string>& values) {
    std::size_t bytes = key.size() + 80 + values.size() * sizeof(std::string);
    for (const std::string& value : values) bytes += value.size();
    return bytes;
}

inline std::size_t cost_of_session_key(std::string_view key) { return 2 * key.size() + 160; }
inline constexpr std::size_t cost_of_session = 200;  // besides states: itself, its queue entry, its place

// The first multiple of `every` behind the watermark.
inline TimeNs tick_after(TimeNs watermark, DurationNs every) {
    Int128 index = Int128{watermark} / every;
    if (Int128{watermark} % every < 0) --index;
    const Int128 tick = (index + 1) * every;
    return tick > Int128{time_after_all} ? time_after_all : static_cast<TimeNs>(tick);
}

}  // namespace stream
