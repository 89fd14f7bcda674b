// SPDX-License-Identifier: Apache-2.0
// What windows mean, computed the slow and simple way from everything that happened: for the properties.
#pragma once

#include "json/number.hpp"
#include "window_test_support.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace stream::testing {

// Milliseconds. A key below 0 is null.
struct TestEvent {
    std::int64_t time = 0;
    int key = 0;
    std::optional<std::int64_t> value;
    std::uint64_t position = 0;

    std::string json() const {
        return "{\"p\":" + std::to_string(position) + (key < 0 ? "" : ",\"k\":" + std::to_string(key)) +
               (value ? ",\"v\":" + std::to_string(*value) : "") + "}";
    }
    bool operator<(const TestEvent& other) const {
        return std::pair(time, position) < std::pair(other.time, other.position);
    }
};
using TestEvents = std::vector<TestEvent>;

// An event, or a watermark.
struct Step {
    std::optional<TestEvent> event;
    std::int64_t watermark = 0;
};
using Steps = std::vector<Step>;

inline const std::string test_aggregates =
    "count sum:v min:v max:v first:v last:v collect:v distinct:v p50:v increase:v span";
inline const Lines test_names = {"count",     "sum_v",      "min_v", "max_v",      "first_v", "last_v",
                                 "collect_v", "distinct_v", "p50_v", "increase_v", "span"};

using Before = std::optional<std::int64_t>;

inline Before last_value(const TestEvents& events) {
    Before last;
    for (const TestEvent& event : events) {
        if (event.value) last = event.value;
    }
    return last;
}

// Of events in order; `before`: the counter's last value before them.
inline Lines values_of(const TestEvents& events, Before before) {
    std::vector<std::int64_t> all;
    for (const TestEvent& event : events) {
        if (event.value) all.push_back(*event.value);
    }
    Lines values = {std::to_string(events.size())};
    std::string collected = "[";
    for (const std::int64_t value : all)
        collected += (collected.size() > 1 ? "," : "") + std::to_string(value);
    collected += "]";
    std::vector<std::int64_t> sorted = all;
    std::sort(sorted.begin(), sorted.end());
    const auto text = [&](std::int64_t value) { return all.empty() ? "null" : std::to_string(value); };
    std::int64_t sum = 0;
    std::int64_t growth = 0;
    for (const std::int64_t value : all) {
        sum += value;
        if (before) growth += value >= *before ? value - *before : value;
        before = value;
    }
    values.push_back(text(sum));
    values.push_back(text(all.empty() ? 0 : sorted.front()));
    values.push_back(text(all.empty() ? 0 : sorted.back()));
    values.push_back(text(all.empty() ? 0 : all.front()));
    values.push_back(text(all.empty() ? 0 : all.back()));
    values.push_back(collected);
    values.push_back(std::to_string(std::set<std::int64_t>(all.begin(), all.end()).size()));
    values.push_back(text(all.empty() ? 0 : sorted[(all.size() + 1) / 2 - 1]));
    values.push_back(text(growth));
    std::string span = "null";
    if (!events.empty()) {
        span.clear();
        append_double(span, static_cast<double>(events.back().time - events.front().time) / 1000);
    }
    values.push_back(span);
    return values;
}

struct Reference {
    Lines rows;  // in order, as WindowDriver::brief() gives them
    std::size_t late = 0;
};

inline std::string row_text(std::int64_t start, std::int64_t end, bool by, int key,
                            const std::string& values) {
    return "[" + std::to_string(start) + "," + std::to_string(end) + ") " +
           (by ? "\"k\":" + (key < 0 ? std::string("null") : std::to_string(key)) + "," : std::string()) +
           values;
}

inline std::string members(const Lines& values) {
    std::string text;
    for (std::size_t i = 0; i < values.size(); ++i)
        text += (i > 0 ? ",\"" : "\"") + test_names[i] + "\":" + values[i];
    return text;
}

struct FixedShape {
    std::int64_t size = 10;
    std::int64_t advance = 10;
    std::int64_t offset = 0;
    bool by = true;
    std::int64_t allowed = 0;
    bool compare = false;
    std::optional<std::int64_t> fill;  // 0: all
    std::size_t top = 0;
};

// Every window by itself, from all events that were in time for it.
inline Reference reference_of(const FixedShape& shape, const Steps& steps) {
    struct Window {
        std::map<int, TestEvents> groups;
        std::map<int, Lines> values;
    };
    Reference result;
    std::map<std::int64_t, Window> windows;
    std::map<int, TestEvents> counted;  // events that count in some window
    std::int64_t watermark = INT64_MIN / 2;
    for (const Step& step : steps) {
        if (!step.event) {
            watermark = std::max(watermark, step.watermark);
            continue;
        }
        const TestEvent& event = *step.event;
        const int key = shape.by ? event.key : 0;
        bool in_any = false;
        bool counts = false;
        for (std::int64_t start =
                 floor_div(event.time - shape.offset, shape.advance) * shape.advance + shape.offset;
             start + shape.size > event.time; start -= shape.advance) {
            in_any = true;
            if (start + shape.size + shape.allowed <= watermark) continue;
            counts = true;
            windows[start].groups[key].push_back(event);
        }
        if (counts) counted[key].push_back(event);
        if (in_any && !counts) ++result.late;
    }
    if (windows.empty()) return result;
    for (auto& [key, events] : counted) std::sort(events.begin(), events.end());
    // What the key had before a window begins.
    const auto before_window = [&](int key, std::int64_t start) {
        TestEvents events;
        for (const TestEvent& event : counted[key]) {
            if (event.time < start) events.push_back(event);
        }
        if (!shape.fill || *shape.fill == 0) return events;
        // Silent for longer than that when a window begins, the key was forgotten.
        std::int64_t next = start;
        for (std::size_t i = events.size(); i > 0; next = events[--i].time) {
            const std::int64_t begin =
                floor_div(next - shape.offset, shape.advance) * shape.advance + shape.offset;
            if (events[i - 1].time + *shape.fill >= begin) continue;
            events.erase(events.begin(), events.begin() + static_cast<std::ptrdiff_t>(i));
            break;
        }
        return events;
    };
    if (shape.fill) {
        const std::int64_t last = windows.rbegin()->first;
        for (std::int64_t start = windows.begin()->first; start <= last; start += shape.advance) {
            for (const auto& [key, events] : counted) {
                if (!before_window(key, start).empty()) windows[start].groups[key];
            }
        }
    }
    for (auto& [start, window] : windows) {
        std::vector<int> order;
        for (auto& [key, events] : window.groups) {
            std::sort(events.begin(), events.end());
            const TestEvents before = before_window(key, start);
            window.values[key] = values_of(events, last_value(before));
            order.push_back(key);
        }
        std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
            return shape.top > 0 && window.groups[a].size() > window.groups[b].size();
        });
        if (shape.top > 0 && order.size() > shape.top) order.resize(shape.top);
        for (const int key : order) {
            const Lines& values = window.values[key];
            std::string text = members(values);
            if (shape.compare) {
                const auto previous = windows.find(start - shape.advance);
                const Lines* old = nullptr;
                if (previous != windows.end() && previous->second.values.contains(key))
                    old = &previous->second.values[key];
                text.clear();
                for (std::size_t i = 0; i < values.size(); ++i) {
                    const std::string was = old == nullptr ? "null" : (*old)[i];
                    std::string change = "null";
                    if (old != nullptr && values[i] != "null" && was != "null" && values[i][0] != '[') {
                        change = subtract_numbers(values[i], was).value();
                    }
                    text += (i > 0 ? ",\"" : "\"") + test_names[i] + "\":" + values[i] + ",\"" +
                            test_names[i] + "_before\":" + was + ",\"" + test_names[i] +
                            "_change\":" + change;
                }
            }
            result.rows.push_back(row_text(start, start + shape.size, shape.by, key, text));
        }
    }
    return result;
}

// Sessions put together anew at every step from the events that are still there.
inline Reference reference_sessions(std::int64_t gap, std::int64_t allowed, std::int64_t max,
                                    const Steps& steps) {
    Reference result;
    std::map<int, TestEvents> live;
    std::map<int, Before> carried;
    std::vector<std::tuple<std::int64_t, std::int64_t, int, std::string>> rows;
    std::int64_t watermark = INT64_MIN / 2;
    const auto clusters = [&](TestEvents events) {
        std::sort(events.begin(), events.end());
        std::vector<TestEvents> all;
        for (const TestEvent& event : events) {
            if (all.empty() || all.back().back().time + gap < event.time) all.emplace_back();
            all.back().push_back(event);
        }
        return all;
    };
    const auto close = [&](int key, const TestEvents& session) {
        Before before = carried[key];
        for (std::size_t i = 0; i < session.size();) {
            TestEvents piece;
            const std::int64_t first = session[i].time;
            for (; i < session.size() && (max == 0 || session[i].time < first + max); ++i)
                piece.push_back(session[i]);
            const std::int64_t end = i == session.size() ? piece.back().time + gap : first + max;
            rows.emplace_back(end, first, key,
                              row_text(first, end, true, key, members(values_of(piece, before))));
            if (const Before last = last_value(piece)) before = last;
        }
        carried[key] = before;
    };
    const auto advance = [&](std::int64_t to) {
        watermark = std::max(watermark, to);
        const std::size_t from = rows.size();
        for (auto& [key, events] : live) {
            TestEvents left;
            for (const TestEvents& session : clusters(events)) {
                if (session.back().time + gap + allowed < watermark)
                    close(key, session);
                else
                    left.insert(left.end(), session.begin(), session.end());
            }
            events = left;
        }
        std::sort(rows.begin() + static_cast<std::ptrdiff_t>(from), rows.end());
    };
    for (const Step& step : steps) {
        if (!step.event) {
            advance(step.watermark);
            continue;
        }
        const TestEvent& event = *step.event;
        TestEvents& events = live[event.key];
        bool near = event.time + gap + allowed >= watermark;
        for (const TestEvent& other : events) near = near || std::abs(other.time - event.time) <= gap;
        if (near)
            events.push_back(event);
        else
            ++result.late;
    }
    advance(INT64_MAX / 2);
    for (const auto& [end, first, key, text] : rows) result.rows.push_back(text);
    return result;
}

// An answer for each event, spliced in: of the key's events in [t - size, t], or of its last `rows`.
inline Reference reference_rolling(std::int64_t size, std::size_t rows, const Steps& steps) {
    Reference result;
    TestEvents taken;
    std::int64_t watermark = INT64_MIN / 2;
    for (const Step& step : steps) {
        if (!step.event)
            watermark = std::max(watermark, step.watermark);
        else if (rows == 0 && step.event->time < watermark)
            ++result.late;
        else
            taken.push_back(*step.event);
    }
    if (rows == 0) std::sort(taken.begin(), taken.end());
    for (std::size_t i = 0; i < taken.size(); ++i) {
        TestEvents mine;
        for (std::size_t k = 0; k < taken.size(); ++k) {
            const bool counts = rows == 0 ? taken[k].time <= taken[i].time : k <= i;
            if (taken[k].key == taken[i].key && counts) mine.push_back(taken[k]);
        }
        TestEvents before;
        while (!mine.empty() && (rows == 0 ? mine.front().time < taken[i].time - size : mine.size() > rows)) {
            before.push_back(mine.front());
            mine.erase(mine.begin());
        }
        Lines values = values_of(mine, last_value(before));
        std::string text = taken[i].json();
        text.pop_back();
        if (rows > 0) {  // no time but of the test's
            std::int64_t first = INT64_MAX;
            std::int64_t last = INT64_MIN;
            for (const TestEvent& event : mine) {
                first = std::min(first, event.time);
                last = std::max(last, event.time);
            }
            values.back().clear();
            append_double(values.back(), static_cast<double>(last - first) / 1000);
        }
        result.rows.push_back(text + "," + members(values) + "}");
    }
    return result;
}

}  // namespace stream::testing
