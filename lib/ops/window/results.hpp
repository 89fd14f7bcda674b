// SPDX-License-Identifier: Apache-2.0
// Results as events: members in their documented order, revisions and changes.
#pragma once

#include "json/keys.hpp"
#include "ops/operator.hpp"
#include "ops/window.hpp"
#include "ops/window/plan.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stream {

// What was written of one group of one window, where results are revised.
struct History {
    std::uint64_t revision = 0;  // of the last result; 0: none yet
    std::string
        last;  // its text without revision and final, and without its brace; empty: not in the table now
    bool is_noted = false;  // it is among the changed ones
};

struct Bounds {
    TimeNs start = 0;
    TimeNs end = 0;
    bool open = false;  // `all`: no bounds; `end` is the newest event's time, or none
};

class Results {
public:
    Results(const WindowOptions& options, const AggregatePlan& plan, const Keys& keys)
        : options_(options), plan_(plan), keys_(keys) {}

    // The values of all aggregates, as JSON text. `states` null: of nothing.
    Result<void> values(const std::byte* states, const Bounds& bounds, const std::vector<std::string>* before,
                        std::vector<std::string>& out) const;
    // A result's text up to, but without, its closing brace. `previous`: the values of the window just
    // before, for --compare; null where there was none.
    void append_core(std::string& out, const Bounds& bounds, std::string_view key,
                     const std::vector<std::string>& values, const std::vector<std::string>* previous) const;

    // Straight from the states, for the common case without comparison.
    Result<void> write_plain(Sink& sink, const Bounds& bounds, std::string_view key, const std::byte* states,
                             const std::vector<std::string>* before) const;

    // Writes a result in the form asked for: plain, with revision and final, or as a change.
    void write(Sink& sink, const Bounds& bounds, std::string core, History* history, bool is_final) const;
    // As a change: the row is no more.
    void write_delete(Sink& sink, const Bounds& bounds, History& history) const;

    // Orders groups for --top: greatest value first, ties by key.
    std::size_t top_index() const;

    TimeNs time_of(const Bounds& bounds) const { return bounds.open ? bounds.end : bounds.end - 1; }

private:
    void append_head(std::string& out, const Bounds& bounds, std::string_view key) const;

    const WindowOptions& options_;
    const AggregatePlan& plan_;
    const Keys& keys_;
};

}  // namespace stream
