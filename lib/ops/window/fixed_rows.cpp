// SPDX-License-Identifier: Apache-2.0
// What tumbling and hopping windows and `all` write: groups of a window, rows of nothing, --top,
// --compare, and what is remembered of windows before.

#include "base/hash_map.hpp"
#include "json/canonical.hpp"
#include "ops/window/costs.hpp"
#include "ops/window/fixed.hpp"

#include <algorithm>

namespace stream {

namespace {
constexpr std::uint64_t fill_rows_max = 1'000'000;  // in one jump of the watermark
}

// A window's groups: its pane's own, or the merge of its panes.
Result<Groups*> FixedWindows::groups_of(TimeNs start, TimeNs end, std::unique_ptr<Groups>& merged) {
    if (all_ || grid_.is_single_pane()) {
        const auto pane = pane_index_.find(start);
        return pane == pane_index_.end() ? nullptr : &pane->second->groups;
    }
    merged = std::make_unique<Groups>(plan_, options_.hash_seed);
    for (auto pane = panes_.lower_bound(start); pane != panes_.end() && pane->first < end; ++pane) {
        Groups& groups = pane->second->groups;
        for (std::size_t i = 0; i < groups.size(); ++i) {
            const Groups::Group& from = groups.at(i);
            STREAM_TRY(plan_.merge(merged->find_or_make(from.key()).states(), from.states()));
        }
    }
    return merged.get();
}

// --- what was before ---------------------------------------------------------------------------

// increase: the key's last values before the window, from the panes that are still there and, for what
// those do not tell, from what was carried on when older ones went.
const FixedWindows::Values* FixedWindows::values_before(TimeNs start, std::string_view key,
                                                        Values& scratch) const {
    if (!plan_.has_increase() || all_) return nullptr;
    scratch.assign(plan_.size(), std::string());
    TimeNs newer = start;
    for (auto pane = panes_.lower_bound(start); pane != panes_.begin();) {
        --pane;
        const Groups::Group* group = pane->second->groups.find(key);
        if (group == nullptr) continue;
        if (options_.fill_ns > 0 && is_silence(pane->second->last.find(key)->second, newer)) return &scratch;
        newer = pane->first;
        bool all_found = true;
        for (std::size_t i = 0; i < plan_.size(); ++i) {
            if (!plan_.is_increase(i) || !scratch[i].empty()) continue;
            scratch[i] = plan_.last_number(i, group->states());
            all_found = all_found && !scratch[i].empty();
        }
        if (all_found) return &scratch;
    }
    if (options_.fill_ns > 0) {
        const auto known = known_.find(key);
        if (known == known_.end() || is_silence(known->second, newer)) return &scratch;
    }
    if (const auto carried = carried_.find(key); carried != carried_.end()) {
        for (std::size_t i = 0; i < plan_.size(); ++i) {
            if (scratch[i].empty()) scratch[i] = carried->second[i];
        }
    }
    return &scratch;
}

const FixedWindows::Values* FixedWindows::compared_with(TimeNs start, std::string_view key) const {
    const TimeNs previous = grid_.previous_window(start);
    if (previous == start) return nullptr;
    const auto window = closed_values_.find(previous);
    if (window == closed_values_.end()) return nullptr;
    const auto found = window->second.find(key);
    return found == window->second.end() ? nullptr : &found->second;
}

void FixedWindows::keep_for_comparison(TimeNs start, const Row& row) {
    auto [kept, is_new] = closed_values_[start].try_emplace(row.key);
    if (!is_new) used_ -= cost_of_values(kept->first, kept->second);
    kept->second = row.values;
    used_ += cost_of_values(kept->first, kept->second);
}

// --fill: the key's last event before the window; time_before_all if there was none.
TimeNs FixedWindows::last_before(std::string_view key, TimeNs start) const {
    for (auto pane = panes_.lower_bound(start); pane != panes_.begin();) {
        --pane;
        const auto last = pane->second->last.find(key);
        if (last != pane->second->last.end()) return last->second;
    }
    const auto known = known_.find(key);
    return known == known_.end() ? time_before_all : known->second;
}

// --fill DUR: whether a window begins that long after a key's event and not after its next one, or one in
// the pane that begins there: the key is forgotten then.
bool FixedWindows::is_silence(TimeNs event, TimeNs next) const {
    return time_add(event, options_.fill_ns) < grid_.last_window_starting_by(next);
}

bool FixedWindows::is_forgotten(std::string_view key, TimeNs start) const {
    const TimeNs last = last_before(key, start);
    return last == time_before_all || time_add(last, options_.fill_ns) < start;
}

bool FixedWindows::knows_keys_before(TimeNs start) const {
    return !known_.empty() || (!panes_.empty() && panes_.begin()->first < start);
}

// Puts a row of nothing in for every known key that has none.
Result<void> FixedWindows::fill_rows(TimeNs start, std::vector<Row>& rows) {
    HashSet<std::string_view> there;
    for (const Row& row : rows) there.insert(row.key);
    std::vector<std::string_view> keys;
    const auto consider = [&](std::string_view key) {
        if (!there.insert(key).second) return;
        if (options_.fill_ns == 0 || !is_forgotten(key, start)) keys.push_back(key);
    };
    for (auto pane = panes_.begin(); pane != panes_.end() && pane->first < start; ++pane) {
        for (const auto& [key, time] : pane->second->last) consider(key);
    }
    for (const auto& [key, time] : known_) consider(key);
    if (keys.empty()) return {};
    filled_rows_ += keys.size();
    if (filled_rows_ > fill_rows_max) {
        return fail(ErrorKind::limit,
                    "--fill would write more than " + std::to_string(fill_rows_max) +
                        " empty results at once, up to " + to_rfc3339(start),
                    "--fill DUR forgets keys that are silent that long; --max-ahead DUR refuses wild times");
    }
    for (const std::string_view key : keys) rows.push_back({key, nullptr, {}});
    std::sort(rows.begin(), rows.end(),
              [](const Row& a, const Row& b) { return Keys::compare(a.key, b.key) < 0; });
    return {};
}

// --- rows --------------------------------------------------------------------------------------

Result<void> FixedWindows::compute(const Bounds& bounds, Row& row) {
    Values scratch;
    return results_.values(row.states, bounds, values_before(bounds.start, row.key, scratch), row.values);
}

Result<void> FixedWindows::write_window(TimeNs start, Sink& sink, const Writing& writing) {
    const Bounds bounds = bounds_of(start);
    std::unique_ptr<Groups> merged;
    auto groups = groups_of(start, bounds.end, merged);
    if (!groups) return pass_on(groups);
    std::vector<Row> rows;
    const bool all_late =
        options_.fill && time_add(bounds.end, options_.allowed_lateness_ns) <= fill_only_until_;
    if (*groups != nullptr && !all_late) {
        const auto sorted = (*groups)->sorted();
        if (!options_.fill && options_.top == 0 && !options_.compare && !keeps_history()) {
            Values scratch;
            for (Groups::Group* group : sorted) {
                const Values* before = values_before(bounds.start, group->key(), scratch);
                STREAM_TRY(results_.write_plain(sink, bounds, group->key(), group->states(), before));
            }
            return {};
        }
        rows.reserve(sorted.size());
        for (Groups::Group* group : sorted) rows.push_back({group->key(), group->states(), {}});
    }
    if (writing.fill) STREAM_TRY(fill_rows(bounds.start, rows));
    return write_rows(bounds, rows, sink, writing);
}

Result<void> FixedWindows::write_rows(const Bounds& bounds, std::vector<Row>& rows, Sink& sink,
                                      const Writing& writing) {
    for (Row& row : rows) STREAM_TRY(compute(bounds, row));
    if (options_.compare) {
        for (const Row& row : rows) keep_for_comparison(bounds.start, row);
    }
    if (options_.top > 0) {
        const std::size_t by = results_.top_index();
        std::stable_sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) {
            return compare_values(value_of(a.values[by]), value_of(b.values[by])) > 0;
        });
        if (rows.size() > options_.top) rows.resize(options_.top);
        if (keeps_history()) delete_rows_but(bounds, rows, sink);
    }
    for (const Row& row : rows) STREAM_TRY(write_row(bounds, row, sink, writing));
    return {};
}

// Rows that were among the first N and are not any more.
void FixedWindows::delete_rows_but(const Bounds& bounds, const std::vector<Row>& rows, Sink& sink) {
    const auto window = windows_.find(bounds.start);
    if (window == windows_.end()) return;
    HashSet<std::string_view> there;
    for (const Row& row : rows) there.insert(row.key);
    std::vector<std::pair<std::string_view, History*>> gone;
    for (auto& group : window->second.groups) {
        if (group.second.last.empty() || there.contains(group.first)) continue;
        gone.emplace_back(group.first, &group.second);
        note(window->second, group);
    }
    std::sort(gone.begin(), gone.end(),
              [](const auto& a, const auto& b) { return Keys::compare(a.first, b.first) < 0; });
    for (const auto& [key, history] : gone) {
        used_ -= history->last.size();
        results_.write_delete(sink, bounds, *history);
    }
}

Result<void> FixedWindows::write_row(const Bounds& bounds, const Row& row, Sink& sink,
                                     const Writing& writing) {
    std::string core;
    results_.append_core(core, bounds, row.key, row.values,
                         options_.compare ? compared_with(bounds.start, row.key) : nullptr);
    if (!keeps_history()) {
        results_.write(sink, bounds, std::move(core), nullptr, writing.is_final);
        return {};
    }
    Window& window = windows_[bounds.start];
    auto& groups = window.groups;
    auto found = groups.find(row.key);
    if (found == groups.end()) {
        found = groups.emplace(std::string(row.key), History{}).first;
        used_ += cost_of_history(row.key);
    }
    History& history = found->second;
    if (writing.only_changed && history.last == core) return {};
    used_ -= history.last.size();
    note(window, *found);
    results_.write(sink, bounds, std::move(core), &history, writing.is_final);
    used_ += history.last.size();
    return {};
}

// One group of a closed window, if it has that group.
Result<void> FixedWindows::rewrite_row(TimeNs start, std::string_view key, Sink& sink, bool only_changed) {
    const Bounds bounds = bounds_of(start);
    Row row{key, nullptr, {}};
    Groups one(plan_, options_.hash_seed);
    for (auto pane = panes_.lower_bound(start); pane != panes_.end() && pane->first < bounds.end; ++pane) {
        const Groups::Group* group = pane->second->groups.find(key);
        if (group == nullptr) continue;
        row.states = group->states();
        if (grid_.is_single_pane()) break;
        Groups::Group& sum = one.find_or_make(key);
        STREAM_TRY(plan_.merge(sum.states(), group->states()));
        row.states = sum.states();
    }
    if (row.states == nullptr) return {};
    STREAM_TRY(compute(bounds, row));
    if (options_.compare) keep_for_comparison(start, row);
    return write_row(bounds, row, sink, {.only_changed = only_changed});
}

}  // namespace stream
