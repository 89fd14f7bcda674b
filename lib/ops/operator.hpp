// SPDX-License-Identifier: Apache-2.0
// The contract between an operator and the pump (cli/pump.hpp).
//
// An operator is a state machine over events and watermarks: the same calls in the same order give
// the same output, whatever the chunking, the clock or the machine. It knows no descriptor, clock,
// environment, argv, exit or stderr. The pump owns reading, event time, ordering, lateness of ordered
// inputs, flushing and checkpoints.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "json/value.hpp"
#include "state/bytes.hpp"
#include "time/timestamp.hpp"

namespace stream {

// One event, valid only during the call that brings it.
struct Event {
    std::string_view raw;             // one JSON object, without its line end
    TimeNs time = 0;                  // its event time; 0 where the operator asked for none
    std::uint64_t position = 0;       // how many events came before it (all inputs, arrival order)
    const Value* values = nullptr;    // one for each field the operator registered, in that order
};

// Where an operator writes. Lines come out in the order of the calls.
class Sink {
public:
    virtual ~Sink() = default;

    // The event's own bytes.
    virtual void pass(const Event& event) = 0;

    // A line made by the operator: append one JSON object to the buffer that begin() gives, then call
    // end(). `time` is its event time (time_before_all where it has none).
    virtual std::string& begin() = 0;
    virtual void end(TimeNs time) = 0;

    // The event is too late to count; `lateness` is how much more --lateness would have kept it, in
    // nanoseconds beyond the one in force.
    virtual void late(const Event& event, DurationNs lateness) = 0;
};

class Operator {
public:
    virtual ~Operator() = default;

    // A failure of kind `data` makes this event bad and the policy decides; any other ends the run
    // after what was already written is flushed.
    virtual Result<void> on_event(int input, const Event& event, Sink& sink) = 0;
    // No event older than `watermark` is expected any more. Strictly growing.
    virtual Result<void> on_watermark(TimeNs watermark, Sink& sink) {
        (void)watermark;
        (void)sink;
        return {};
    }
    // The input is known to be complete; on_watermark(time_after_all) came just before.
    virtual Result<void> on_end(Sink& sink) {
        (void)sink;
        return {};
    }

    // The input has nothing more for now: it will wait, or (a file that is not followed) has ended.
    virtual Result<void> on_caught_up(Sink& sink) {
        (void)sink;
        return {};
    }
    // One of several inputs has ended for good.
    virtual void on_input_end(int input) { (void)input; }
    // After on_caught_up(): how long the input may stay silent before it is called again (milliseconds; -1: for ever).
    virtual int wait_ms() const { return -1; }
    // The run ends before its input does, by a signal or an error (perhaps the operator's own): no event and no
    // on_end() follow.
    virtual Result<void> on_stop(Sink& sink) {
        (void)sink;
        return {};
    }
    // Whether the operator wants no more events, whatever may come (`--to`).
    virtual bool is_done() const { return false; }

    // What is promised of our own events once the input's watermark is `watermark`: none older is written any more.
    virtual TimeNs output_watermark(TimeNs watermark) const { return watermark; }

    // The whole state, and back. restore() is called at most once, before any event.
    virtual void snapshot(StateWriter& writer) const { (void)writer; }
    virtual Result<void> restore(StateReader& reader) {
        (void)reader;
        return {};
    }

    // Notes from here on what changes, so that a large state need not be saved whole each time; or nothing more (`on`
    // false). False: it cannot, and whoever saves has to write down what the operator is told (ops/journal.hpp).
    virtual bool track_changes(bool on) {
        (void)on;
        return false;
    }
    // Whether all that changed was noted: an operator may give up where that would take too much memory.
    virtual bool knows_changes() const { return true; }
    // What changed since track_changes() or the last snapshot_changes(); into an operator in the state of that moment.
    virtual void snapshot_changes(StateWriter& writer) { (void)writer; }
    virtual Result<void> restore_changes(StateReader& reader) {
        (void)reader;
        return {};
    }

    // What of the state lies in files goes into `files`, where it stays as it is now; a snapshot() that follows at once,
    // with files, speaks of them by their numbers.
    virtual Result<void> keep_files(KeptFiles& files) {
        (void)files;
        return {};
    }

    // Something to be told once at the end of the input, on stderr; empty if there is nothing.
    virtual std::string closing_remark() const { return {}; }
    // Counters for --stats, as `,"name":value` text; documented in the tool's man page.
    virtual void append_stats(std::string& out) const { (void)out; }
};

}  // namespace stream
