// SPDX-License-Identifier: Apache-2.0
// stream-window: aggregates over windows of event time (tumbling, hopping, session, sliding), over the
// last rows, or over all.
//
// One closing rule: a window is closed once the watermark is greater than the last instant that may
// still belong to it; for half-open windows W >= window_end, for sessions, whose gap is inclusive,
// W > window_end. An event is late when every window it belongs to is closed (and --allowed-lateness
// has passed). Results come in order of window_end, window_start, key.
#pragma once

#include "base/error.hpp"
#include "json/fields.hpp"
#include "json/keys.hpp"
#include "ops/aggregates/aggregate.hpp"
#include "ops/operator.hpp"
#include "time/zone.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stream {

enum class WindowKind : std::uint8_t { tumbling, hopping, session, sliding, rows, all };

struct WindowOptions {
    WindowKind kind = WindowKind::all;
    DurationNs size_ns = 0;     // tumbling, hopping, sliding; session: the gap
    DurationNs advance_ns = 0;  // hopping
    DurationNs session_max_ns = 0;
    std::uint64_t rows = 0;
    DurationNs offset_ns = 0;
    // Calendar windows: units of the zone's calendar in place of size_ns and advance_ns.
    std::shared_ptr<const Zone> zone;
    CalendarUnit unit = CalendarUnit::day;
    std::int64_t unit_count = 0;
    std::int64_t advance_count = 0;  // hopping, in units of one `advance_unit`
    CalendarUnit advance_unit = CalendarUnit::day;

    std::vector<KeySpec> by;
    std::vector<AggregateSpec> aggregates;

    DurationNs allowed_lateness_ns = 0;
    DurationNs every_ns = 0;
    bool changes = false;
    bool compare = false;
    bool fill = false;
    DurationNs fill_ns = 0;  // 0: a key is remembered for ever
    std::uint64_t top = 0;   // 0: all groups
    std::string top_by;      // an aggregate's name; empty: the first

    std::size_t memory_bytes = 256u << 20;
    std::uint64_t hash_seed = 0;  // of tables only; no result depends on it

    // A corrected or provisional result is not the last word: `revision` and `final` are written.
    bool has_revisions() const { return allowed_lateness_ns > 0 || every_ns > 0; }
    // Events are wanted in event-time order (the pump brings them so).
    bool wants_order() const { return kind == WindowKind::sliding; }
    // Event time means something here.
    bool needs_time() const { return kind != WindowKind::rows && kind != WindowKind::all; }
    // It is used where an event has one: `all` writes the newest, and a `span` of rows is one of time.
    bool uses_time() const;
};

// Checks what belongs together and registers the fields. ErrorKind::usage.
Result<std::unique_ptr<Operator>> make_window(WindowOptions options, FieldSet& fields);

}  // namespace stream
