// SPDX-License-Identifier: Apache-2.0
// The pump's inside, for its own files: pump.cpp (events and batches), pump_merge.cpp (--merge),
// pump_run.cpp (opening, the end and what is told), pump_state.cpp (state),
// pump_control.cpp (control lines and epochs), pump_places.cpp (where inputs are).
#pragma once

#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/control.hpp"
#include "cli/event_time.hpp"
#include "cli/input_reader.hpp"
#include "cli/output_sink.hpp"
#include "cli/progress.hpp"
#include "cli/pump.hpp"
#include "expr/computed_fields.hpp"
#include "io/limited_source.hpp"
#include "io/output.hpp"
#include "io/spool_source.hpp"
#include "log/log_source.hpp"
#include "ops/journal.hpp"
#include "state/snapshot.hpp"
#include "state/spill_queue.hpp"

namespace stream {

inline std::int64_t clock_ns(clockid_t id) {
    timespec now{};
    ::clock_gettime(id, &now);
    return std::int64_t{now.tv_sec} * ns_per_second + now.tv_nsec;
}

struct Pump::Impl {
    Impl(PumpPlan p, Operator& o, FieldSet& f, Diagnostics& d)
        : plan(std::move(p)), journal(o), own_op(o), op(&o), fields(f), diagnostics(d), output(1, "stdout"), sink(output, late) {}

    struct Input {
        int index = 0;
        std::unique_ptr<TextFormat> format;
        std::unique_ptr<InputReader> reader;
        bool ended = false;
        bool in_batch = false;         // reader->next() has more to say
        bool at_line_end = true;
        TimeNs newest = time_before_all;  // for --merge: what its next line counts as, at least
        bool has_head = false;            // --merge, regular files: the line that waits
        Event head;
        TimeNs head_key = 0;
        std::int64_t heard_ns = 0;        // clock, for --idle
        TimeNs first_time = time_after_all;  // for the warning that files overlap
        TimeNs last_time = time_before_all;
        std::string sample;                  // joins: its first event
        bool told_end = false;               // joins: the operator knows that it has ended

        // Control lines (pump_control.cpp).
        bool controlled = false;             // they come with its events
        bool began = false;                  // $stream was there
        bool control_ended = false;          // $end was there
        bool drain = false;                  // and nothing more ever comes
        bool at_barrier = false;             // has shown the barrier, and waits for the other inputs
        bool is_static = false;              // read whole at the start, and again after a restart: no part of the epochs
        std::string static_place;            // of one that is
        const LimitedSource* limited = nullptr;
        SpoolSource* spool = nullptr;        // takes ahead what comes while it waits
        TimeNs given = time_before_all;      // the last $watermark
        std::string given_field;
        std::uint64_t bytes_before = 0;      // where reading its file began
        std::optional<InputReader::TextPlace> text_place;  // of a text format: where it goes on
        bool is_once_only = false;           // cannot be read again
        const log::LogSource* log = nullptr;  // where it is one
        const PlacedSource* placed = nullptr;
    };

    PumpPlan plan;
    Journal journal;  // before the operator while what it is told is noted
    Operator& own_op;
    Operator* op;     // whom to tell
    FieldSet& fields;
    Diagnostics& diagnostics;
    Output output;
    LateEvents late;
    BadEvents bad;
    OutputSink sink;
    std::unique_ptr<expr::ComputedFields> computed;
    std::optional<EventTime> event_time;
    std::vector<EventTime> merged_times;  // --merge: each input has its own field and form
    EventTime& time_of(const Input& input) {
        return merged_times.empty() ? *event_time : merged_times[static_cast<std::size_t>(input.index)];
    }
    std::vector<std::unique_ptr<Input>> inputs;
    std::unique_ptr<SpillQueue> queue;
    std::unique_ptr<Scanner> release_scanner;
    std::string release_line;
    std::unique_ptr<Progress> progress;
    std::optional<StateLock> state_lock;

    TimeNs newest = time_before_all;
    TimeNs watermark = time_before_all;
    std::int64_t heard_ns = 0;     // clock at the last data, for --idle
    TimeNs watermark_heard = time_before_all;
    std::uint64_t position = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t released = 0;
    std::string sample_event;      // the first event, for messages about names
    bool fields_judged = false;
    bool gap = false;
    std::uint64_t gaps = 0;        // in the whole run
    bool stopped = false;
    bool finished = false;
    std::int64_t pace_clock = 0;
    TimeNs pace_time = 0;
    bool pace_set = false;

    // --- opening -------------------------------------------------------------------------------

    std::string display_name(const std::string& path) const { return path == "-" ? "stdin" : path; }

    Result<std::unique_ptr<Input>> open_input(int index, const std::string& path);

    // --- failures ------------------------------------------------------------------------------

    Result<void> bad_event(const Input& input, const Error& error, std::string_view raw);

    Result<void> bad_event_at(const Input& input, std::uint64_t line, std::uint64_t offset,
                              std::string_view reason, std::string_view hint, std::string_view raw);

    // Places of events that waited are gone; their count is what is left to name.
    Result<void> bad_released(const Event& event, const Error& error);

    Result<void> unscannable(const Input& input);

    // --- events --------------------------------------------------------------------------------

    // Gives the event its time, or says it is bad; true if it can be used.
    Result<bool> timed(Input& input, Event& event);

    // False: the operator cannot use the event, which is bad then.
    Result<bool> deliver(Input& input, const Event& event);

    Result<void> advance(TimeNs to);

    Result<void> release();

    // Looks at the bytes of an event again.
    Scanner::Outcome scan_copy(Scanner& scanner, std::string_view bytes);

    // An event that waited.
    Result<void> deliver_copy(const QueuedEvent& waiting);

    Result<void> take(Input& input, Event& event);

    Result<void> keep_pace(TimeNs time, Input* input = nullptr);

    // --- batches -------------------------------------------------------------------------------

    Result<void> flush();

    Result<void> after_batch();

    void tick(bool last);

    // Takes all events of the batch that fill() brought.
    Result<void> take_batch(Input& input);

    Result<void> take_bad_line(Input& input);

    // One step of one input. False: it has nothing for now (input.ended tells whether for good).
    Result<bool> step(Input& input);

    // Waits until one of the inputs may have something. False: a signal came.
    Result<bool> wait_for_inputs();

    // --idle: all inputs have been silent that long; event time goes on with the clock.
    Result<void> move_with_clock();

    bool is_stopped();

    // Files one after the other.
    Result<void> check_in_turn() const;
    Result<void> run_in_turn();

    // Several followed files, as their lines come.
    Result<void> run_as_they_come();

    // --merge: the least line, by (what it counts as, input, place in it). Regular files keep one line
    // waiting and are read when it has gone; pipes and followed files are read as they come, and wait
    // in the queue, so that no writer is held up by another.
    Result<void> run_merged();

    enum class Merged : std::uint8_t { wrote, wait, done };

    bool is_idle(const Input& input) const;

    Result<Merged> merge_one();
    Result<void> write_merged_watermark();

    // The next usable event of an input whose fill() brought a batch; false at the batch's end.
    Result<bool> next_in_batch(Input& input, Event& event);

    Result<void> refill_head(Input& input);

    Result<bool> step_into_queue(Input& input);

    Result<bool> fill_for_merge(Input& input);

    // --- joins (pump_join.cpp) -----------------------------------------------------------------

    std::vector<TimeNs> joined_newest;  // of each input, from the saved state
    std::vector<std::unique_ptr<Scanner>> joined_scanners;
    std::vector<std::unique_ptr<expr::ComputedFields>> joined_computed;
    TimeNs handed = time_before_all;           // the newest event the operator has had
    DurationNs late_enough = 0;                // the lateness that would have kept every late event
    TimeNs clock_watermark = time_before_all;  // --idle: what the clock moved it to
    // The end of the input is a pause: what waits for its turn waits for the next call.
    bool is_pause() const {
        if (control != nullptr && control->in_run()) return control->start.once && !control->start.drain;
        return !plan.state_dir.empty() && !plan.final;
    }
    // --once: what was there is all there is; but for what cannot be read again, which is read to its end.
    bool ends_when_read(const Input& input) const { return control != nullptr && control->start.once && !input.controlled && !input.is_once_only; }
    FieldSet& fields_of(int index) { return is_joined() ? *plan.joined[static_cast<std::size_t>(index)].fields : fields; }
    Scanner& scanner_of(std::uint32_t index) { return is_joined() ? *joined_scanners[index] : *release_scanner; }
    bool is_joined() const { return !plan.joined.empty(); }
    TimeNeed need_of(const Input& input) const { return is_joined() ? plan.joined[static_cast<std::size_t>(input.index)].time_need : plan.time_need; }
    // Which of two inputs comes first at the same time.
    std::uint32_t order_of(int input) const { return static_cast<std::uint32_t>(plan.later_input_first && input < 2 ? 1 - input : input); }
    TimeNs watermark_of(const Input& input) const;
    bool goes_by_head(const Input& input) const;
    Result<void> run_joined();
    Result<void> run_unordered();
    Result<void> read_whole(Input& input);
    Result<bool> next_in_time(Input& input, Event& event);
    Result<void> refill_joined(Input& input);
    Result<bool> step_into_order(Input& input, bool by_arrival = false);
    Result<void> deliver_arrivals();
    Result<void> keep_heads();
    void judge_joined();
    void tell_ended();
    Result<Merged> join_one(Input*& blocks);
    Result<void> tell_joined_watermark();

    // --- control lines (pump_control.cpp) ------------------------------------------------------

    std::unique_ptr<Control> control;     // null: a pipe holds events alone
    struct Resumed {
        int index = 0;
        TimeNs given = time_before_all;
        std::string given_field;
        TimeNs newest = time_before_all;
        std::uint64_t lines = 0;
        std::string place;
    };
    std::vector<Resumed> resumed;         // of the inputs, from the saved state
    const Resumed* resumed_of(int index) const;
    void apply_resumed(Input& input) const;
    Result<std::string> place_of(Input& input);
    Result<std::string> text_place_of(Input& input);
    std::function<void(const std::string&)> gap_teller();
    void tell_gap(const std::string& what);
    Result<std::unique_ptr<ByteSource>> open_resumed_log(Input& input, const std::string& path, const std::string& place);
    Error no_stream(const Input& input) const;
    std::uint64_t resumed_file = 0;       // of several one after the other: which
    bool state_loaded = false;
    bool reading_whole = false;           // a table, before anything else
    Result<void> check_static(Input& input);
    bool is_controlled() const { return control != nullptr; }
    Result<void> begin_control();
    std::unique_ptr<OwnWatermarks> own_watermarks;
    Result<void> begin_own_watermarks();
    Result<void> load_run_state();
    // Whether the line is one of ours, which is done with then.
    Result<bool> take_control_line(Input& input, std::string_view line);
    Result<void> take_watermark(Input& input, const ControlLine& line);
    Result<void> take_barrier(Input& input, std::uint64_t epoch, bool end, bool drain);
    std::uint64_t barrier = 0;  // of several inputs: the one that some wait at; 0: none
    bool has_several() const { return plan.merge || is_joined() || (plan.follow && plan.files.size() > 1); }
    Result<void> show_barrier(Input& input, std::uint64_t epoch, bool end, bool drain);
    Result<void> look_whether_aligned();
    Result<void> ask_sources(const run::Request& request);
    Result<void> take_ahead();
    Result<void> drain_inputs();
    Result<void> pass_barrier(std::uint64_t epoch, bool end, bool drain);
    Result<void> end_idle(std::uint64_t epoch, bool drain);
    // What the run has asked for meanwhile.
    Result<void> serve_run();
    Result<void> finish_run();
    Result<void> write_own_watermark();
    Result<void> write_watermark(TimeNs time, const std::string& field);
    std::string out_field() const;
    std::string merged_field() const;
    TimeNs judged_watermark(const Input& input) const;
    void tell_new();
    void tell_stats(std::optional<std::size_t> state_bytes);
    void tell_at_end();
    Result<std::string> places();
    Result<void> read_places(StateReader& reader);
    Result<std::unique_ptr<ByteSource>> open_resumed(Input& input, const std::string& path);
    std::string writer_of(const Input& input) const;
    Error broken_off(const Input& input) const;
    bool is_ended_by_run() const { return control != nullptr && control->ended; }

    // --- the whole run -------------------------------------------------------------------------

    SnapshotHeader snapshot_header() const;

    Result<void> load_state();

    Result<void> save_state();
    // It has served its purpose.
    Result<void> end_state();

    // --- what is saved (pump_state.cpp) --------------------------------------------------------

    Result<void> save_pump(StateWriter& writer);
    Result<void> put_state(StateWriter& writer);
    // What of the state lies in files, before it is put.
    Result<void> keep_files(KeptFiles& kept);
    Result<std::string> state_payload();
    Result<std::string> changes_payload();
    Result<Control::Frozen> freeze_state(std::uint64_t epoch);
    bool knows_changes() const;
    void track_changes(std::size_t most);
    Result<void> load_pump(StateReader& reader);
    Result<void> load_payload(std::string_view payload, const KeptFiles* files);
    Result<void> load_changes(std::string_view payload);

    // Compiles the fields that are expressions.
    Result<void> compute_fields();

    Result<void> prepare();

    Result<void> run_all();

    Result<void> close_all();

    void judge_fields();

    // What was counted is told once, at the end. True if the late events are a fault.
    bool tell_counts();

    int run();

    bool all_inputs_are_streams() const;

    int finish(Result<void> result);
};

}  // namespace stream
