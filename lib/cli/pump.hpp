// SPDX-License-Identifier: Apache-2.0
// The pump: what every tool does around its operator. It opens inputs, reads batches, gives events
// their time, keeps watermarks, brings events into order where the operator needs it or several inputs
// are merged, applies the policies for bad and late events, flushes before it waits, watches for
// signals and for a reader that went away, and saves and restores state.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "cli/dead_letters.hpp"
#include "cli/diagnostics.hpp"
#include "expr/expression.hpp"
#include "io/source.hpp"
#include "json/fields.hpp"
#include "json/text_format.hpp"
#include "ops/operator.hpp"
#include "run/epoch_sink.hpp"
#include "time/time_parser.hpp"

namespace stream {

enum class TimeNeed : std::uint8_t {
    none,      // events have no time here
    guessed,   // looked at where the event has one that can be read, never missed
    wanted,    // used where the event has one, never missed
    required,  // an event without is bad
};

struct PumpPlan {
    // What is read.
    std::vector<std::string> files;  // "-" is stdin
    // Opens the input of that number; null: by its name in `files`.
    std::function<Result<std::unique_ptr<ByteSource>>(std::size_t)> open_input;
    // In a run: the input of that number, that goes on at a place; null: files and logs, by their names.
    struct Placing {
        std::string place;  // empty: at its beginning
        bool once = false;  // what is there now, and no more
        std::function<void(const std::string&)> tell_gap;  // of events that are passed over, a sentence for a person
    };
    std::function<Result<std::unique_ptr<PlacedSource>>(std::size_t input, const Placing& placing)> open_placed;
    bool follow = false;
    bool follow_from_end = false;
    bool skip_gaps = false;          // --on-gap skip: what is gone is told, and is no fault
    std::string format = "ndjson";   // or "auto": by the name's ending
    std::vector<std::string> columns;
    std::size_t line_max = 16 << 20;

    // Event time.
    TimeNeed time_need = TimeNeed::none;
    std::string time_field;
    TimeOptions time_options;
    DurationNs lateness = 0;
    bool lateness_all = false;       // no watermark before the end
    DurationNs max_ahead = 0;        // 0: believe everything
    DurationNs idle = 0;             // 0: the clock moves nothing

    // Order.
    bool ordered = false;  // the operator takes events in event-time order; older ones are late
    bool merge = false;    // several inputs, k-way, a line counting as old as the newest before it
    double pace = 0;       // events a second of event time per second of clock; 0: as fast as it goes
    bool event_time_is_ts = false;  // the format writes `ts` itself; time_options say how it reads
    bool warn_overlap = false;  // several files one after the other that overlap in time

    // Several inputs in one order of event time, each with a watermark of its own (joins): one for each of `files`.
    struct JoinedInput {
        FieldSet* fields = nullptr;       // what is looked for in its events; belongs to the tool
        std::size_t operator_fields = 0;  // how many of them are the operator's
        std::string format = "ndjson";
        bool follow = false;
        TimeNeed time_need = TimeNeed::required;
        std::string time_field;
        DurationNs lateness = 0;
        bool lateness_all = false;
        bool lateness_given = false;
        bool first = false;  // read before the others, in the order of its lines: whole, or, followed, as far as it goes
    };
    std::vector<JoinedInput> joined;
    bool later_input_first = false;  // of events of one time, input 1's before input 0's (a table's change before the event)
    bool as_they_come = false;       // no order between the inputs

    // Policies and limits.
    BadPolicy bad;
    LatePolicy late;
    bool late_is_kept = false;  // --allowed-lateness: late events are no fault
    std::size_t memory = 256u << 20;
    std::uint64_t spill_max = 10ull << 30;
    std::string spill_folder = "/tmp";

    bool line_buffered = false;
    bool silent = false;  // nothing is written to stdout: whoever reads it may go away
    std::string state_dir;
    bool final = false;
    std::string stats_path;
    std::optional<bool> progress;  // forced on or off; unset: on a terminal

    // Control lines and runs (cli/control.hpp).
    std::string control_key;           // --control KEY
    std::string run_name;              // what our state goes by in a run: --name, or the tool and its arguments
    std::string run_arguments;         // for people
    std::string run_identity;          // of the arguments what decides the state, a line each
    std::vector<std::string> run_paths;   // arguments that are paths, for the name
    std::vector<std::string> by_arrival;  // options by which the result depends on arrival
    bool stateless = false;            // nothing is carried from one event to the next
    // What becomes of a watermark that comes, and whether our own events' times are those of the input's.
    enum class TimeOut : std::uint8_t { same, window_end, ts, none };
    TimeOut time_out = TimeOut::same;
    DurationNs watermark_every = ns_per_second;  // of event time
    // Whether the operator may write another time into that field than the event had: a watermark of it ends here.
    // Null: it never does.
    std::function<bool(const std::string& field)> changes_time;
    // And those of ours are from the lines that it makes, --lateness behind the newest (cli/own_watermarks.hpp).
    bool own_watermarks = false;
    bool lateness_given = false;
    bool accept_changed = false;       // a table that was read whole may be another one after a restart
    run::EpochSink* epoch_sink = nullptr;  // in a run; belongs to the operator

    // What fields that are expressions see.
    expr::Settings expressions;

    // Names of things in messages.
    std::string state_identity;   // the operator's arguments, as far as they decide its state
    std::size_t operator_fields = 0;  // how many of the fields are the operator's (they come first)
};

class Pump {
public:
    Pump(PumpPlan plan, Operator& op, FieldSet& fields, Diagnostics& diagnostics);
    ~Pump();
    Pump(const Pump&) = delete;
    Pump& operator=(const Pump&) = delete;

    // Runs to the end of the input (or a signal, or an error) and gives the exit status; everything
    // there is to say has been said.
    int run();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace stream
