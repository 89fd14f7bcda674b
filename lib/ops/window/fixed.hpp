// SPDX-License-Identifier: Apache-2.0
// Tumbling and hopping windows, and `all`: windows that lie where they lie, whatever comes.
//
// Groups are kept by pane; a hopping window is the merge of its panes. A pane goes when the last window
// that holds it has closed for good. With --allowed-lateness a window lives on after its close until
// W >= window_end + allowed, each late event bringing a corrected result.
//
// However far a watermark jumps, windows close one after the other as if it had come step by step: what
// is remembered between windows (increase, --compare, --fill) is the same in a prompt and in a run.
#pragma once

#include "base/hash_map.hpp"
#include "ops/window/grid.hpp"
#include "ops/window/groups.hpp"
#include "ops/window/results.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace stream {

class FixedWindows final : public Operator {
public:
    FixedWindows(WindowOptions options, AggregatePlan plan, Keys keys);

    Result<void> on_event(int input, const Event& event, Sink& sink) override;
    Result<void> on_watermark(TimeNs watermark, Sink& sink) override;
    Result<void> on_end(Sink& sink) override;
    void snapshot(StateWriter& writer) const override;
    Result<void> restore(StateReader& reader) override;
    bool track_changes(bool on) override;
    void snapshot_changes(StateWriter& writer) override;
    Result<void> restore_changes(StateReader& reader) override;
    void append_stats(std::string& out) const override;

private:
    using Values = std::vector<std::string>;
    using KeyValues = KeyMap<Values>;

    struct Pane {
        Pane(const AggregatePlan& plan, std::uint64_t seed) : groups(plan, seed) {}
        Groups groups;
        KeyMap<TimeNs> last;  // --fill: each key's last event
    };
    // What was written of a window that is closed but not for good, or of an open one with --every.
    struct Window {
        using Histories = std::map<std::string, History, std::less<>>;
        Histories groups;
        bool closed = false;
        std::vector<Histories::value_type*> noted;  // changed since the state was saved
    };
    using Windows = std::map<TimeNs, Window>;
    struct Row {
        std::string_view key;
        const std::byte* states = nullptr;  // null: of nothing
        Values values;
    };
    struct Writing {
        bool is_final = false;
        bool only_changed = false;  // rows that were written before and say the same are left out
        bool fill = false;
    };

    // Events.
    enum class Place : std::uint8_t { open, closed_in_part, none, late };
    Place find_pane(const Event& event, Sink& sink, TimeNs& open_window);
    Pane& pane_at(TimeNs start);
    void take_back(bool group_is_new);
    void expect_window(TimeNs start);
    Result<void> on_late(TimeNs time, std::string_view key, Sink& sink);
    Result<void> correct(TimeNs time, std::string_view key, TimeNs before, Sink& sink);
    tl::unexpected<Error> out_of_memory() const;

    // Closing.
    Result<void> close_due(TimeNs watermark, Sink& sink);
    Result<void> close_next(Sink& sink);
    Result<void> finalize_next(Sink& sink);
    Result<void> tick(Sink& sink);
    void find_next(TimeNs from);
    void plan_next();
    void drop_panes(TimeNs now);
    void carry(TimeNs start, const Pane& pane);
    void forget_carried(std::string_view key);
    void forget_window(Windows::iterator window);
    void forget_compared(TimeNs closed);
    void forget_silent(TimeNs closed);

    // Rows.
    Result<void> write_window(TimeNs start, Sink& sink, const Writing& writing);
    Result<void> write_rows(const Bounds& bounds, std::vector<Row>& rows, Sink& sink, const Writing& writing);
    Result<void> write_row(const Bounds& bounds, const Row& row, Sink& sink, const Writing& writing);
    Result<void> rewrite_row(TimeNs start, std::string_view key, Sink& sink, bool only_changed);
    void delete_rows_but(const Bounds& bounds, const std::vector<Row>& rows, Sink& sink);
    Result<void> fill_rows(TimeNs start, std::vector<Row>& rows);
    Result<void> compute(const Bounds& bounds, Row& row);
    Result<Groups*> groups_of(TimeNs start, TimeNs end, std::unique_ptr<Groups>& merged);
    const Values* values_before(TimeNs start, std::string_view key, Values& scratch) const;
    const Values* compared_with(TimeNs start, std::string_view key) const;
    void keep_for_comparison(TimeNs start, const Row& row);
    TimeNs last_before(std::string_view key, TimeNs start) const;
    bool is_silence(TimeNs event, TimeNs next) const;
    bool is_forgotten(std::string_view key, TimeNs start) const;
    bool knows_keys_before(TimeNs start) const;
    Bounds bounds_of(TimeNs start) const;
    void note(Window& window, Window::Histories::value_type& group) const {
        if (!tracks_ || group.second.is_noted) return;
        group.second.is_noted = true;
        window.noted.push_back(&group);
    }
    void put_times(StateWriter& writer) const;
    void get_times(StateReader& reader);
    Result<void> restore_panes(StateReader& reader);
    void drop_pane(TimeNs start);
    bool keeps_history() const { return options_.has_revisions() || options_.changes; }

    WindowOptions options_;
    AggregatePlan plan_;
    Keys keys_;
    Results results_;
    WindowGrid grid_;
    bool all_;

    std::map<TimeNs, std::unique_ptr<Pane>> panes_;
    HashMap<TimeNs, Pane*> pane_index_;
    // The pane of the last event: [pane_begin_, pane_end_), all of whose windows are open while the
    // watermark is before pane_open_until_.
    Pane* pane_ = nullptr;
    TimeNs pane_begin_ = 0;
    TimeNs pane_end_ = 0;
    TimeNs pane_open_until_ = 0;

    TimeNs watermark_ = time_before_all;
    TimeNs newest_ = time_before_all;  // event, for `all`
    TimeNs newest_pane_ = time_before_all;
    bool has_next_ = false;
    TimeNs next_start_ = 0;  // of the earliest open window that has events (or is filled)
    bool has_closed_ = false;
    TimeNs after_closed_ = 0;                   // --fill: the window behind the last that was closed
    TimeNs fill_only_until_ = time_before_all;  // --fill: windows closed by then had nothing in time
    TimeNs next_action_ = time_after_all;       // no watermark before this does anything
    TimeNs next_tick_ = time_before_all;
    Windows windows_;
    std::map<TimeNs, KeyValues> closed_values_;  // --compare
    KeyValues carried_;                          // increase: last values before the panes there are
    KeyMap<TimeNs> known_;                       // --fill: last events before the panes there are
    std::uint64_t filled_rows_ = 0;

    std::size_t used_ = 0;  // bytes, for --memory
    bool tracks_ = false;
    std::string scratch_;
};

}  // namespace stream
