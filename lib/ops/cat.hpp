// SPDX-License-Identifier: Apache-2.0
// stream-cat: events as they come, from a place to a place, perhaps stamped with their time (text made
// into events) and tagged with where they came from.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "ops/operator.hpp"
#include "time/duration.hpp"

namespace stream {

struct CatOptions {
    std::vector<bool> stamp;         // by input: write the event's time as `ts`
    std::string tag;                 // the member that takes the input's name; empty: none
    std::vector<std::string> names;  // by input
    std::optional<Position> from;    // events are counted from 1, over all inputs, as they are written
    std::optional<Position> to;      // that position itself is not read
    bool follows = false;            // there is no end: the last N lines are those that are there when it waits first
    std::size_t memory_bytes = 256u << 20;  // for the last N lines
};

class Cat final : public Operator {
public:
    explicit Cat(CatOptions options) : options_(std::move(options)) {}

    Result<void> on_event(int input, const Event& event, Sink& sink) override;
    Result<void> on_caught_up(Sink& sink) override;
    Result<void> on_end(Sink& sink) override { return write_last(sink); }
    bool is_done() const override { return done_; }
    void snapshot(StateWriter& writer) const override;
    Result<void> restore(StateReader& reader) override;

private:
    struct Held {
        int input;
        std::string raw;
        TimeNs time;
        std::uint64_t position;
    };
    void write(int input, const Event& event, Sink& sink);
    Result<void> write_last(Sink& sink);
    Result<void> hold(int input, const Event& event);

    CatOptions options_;
    std::deque<Held> last_;  // --from -N: the last N so far; --to -N: those that may be among the last N
    std::size_t last_bytes_ = 0;
    std::uint64_t events_ = 0;
    bool caught_up_ = false;
    bool done_ = false;
    std::string line_;
    std::string next_;
};

}  // namespace stream
