// SPDX-License-Identifier: Apache-2.0
// The pump's Sink: untouched events that lie side by side in the input block leave as one run.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cli/dead_letters.hpp"
#include "cli/own_watermarks.hpp"
#include "control/lines.hpp"
#include "io/output.hpp"
#include "ops/operator.hpp"

namespace stream {

class OutputSink final : public Sink {
public:
    OutputSink(Output& output, LateEvents& late) : output_(output), late_(late) {}

    void pass(const Event& event) override {
        ++events_out_;
        const char* begin = event.raw.data();
        const std::size_t size = event.raw.size();
        // The next line of the same block: the run's end is its '\n', and this event begins behind it.
        if (run_.data() != nullptr && begin == run_.data() + run_.size() && run_ends_in_newline_) {
            run_ = {run_.data(), run_.size() + size};
        } else {
            end_run();
            run_ = {begin, size};
        }
        // The byte behind the event is readable (block padding) and is its '\n' unless it was "\r\n".
        run_ends_in_newline_ = in_block_ && begin[size] == '\n';
        if (run_ends_in_newline_) run_ = {run_.data(), run_.size() + 1};
        else end_run();
    }
    std::string& begin() override {
        end_run();
        made_from_ = output_.buffer().size();
        return output_.buffer();
    }
    void end(TimeNs) override {
        ++events_out_;
        std::string& buffer = output_.buffer();
        buffer.push_back('\n');
        if (watermarks_ != nullptr) [[unlikely]] watermarks_->follow(std::string_view(buffer).substr(made_from_, buffer.size() - 1 - made_from_), buffer, *lines_);
        keep(output_.commit());
    }
    void late(const Event& event, DurationNs missing) override {
        keep(late_.add(event.raw, late_by(event.time), missing));
    }

    // Whether the events that come lie in a block with a line end behind each (and will stay there
    // until end_run()); an event held elsewhere is copied.
    void set_in_block(bool in_block) { in_block_ = in_block; }
    // Hands the run on; to be called before its block goes away.
    void end_run() {
        if (run_.empty()) {
            run_ = {};
            return;
        }
        const bool whole = run_.back() == '\n' && run_ends_in_newline_;
        keep(output_.append_run(run_));
        if (!whole) {
            output_.buffer().push_back('\n');
            keep(output_.commit());
        }
        run_ = {};
        run_ends_in_newline_ = false;
    }

    // Watermarks behind the lines that are made.
    void set_watermarks(OwnWatermarks* watermarks, const ControlLines* lines) {
        watermarks_ = watermarks;
        lines_ = lines;
    }

    void set_newest(TimeNs newest) { newest_ = newest; }
    std::uint64_t events_out() const { return events_out_; }
    // The first failure of a write; the pump looks after each batch.
    Result<void> take_failure() {
        Result<void> result = std::move(failure_);
        failure_ = {};
        return result;
    }
    bool failed() const { return !failure_; }

private:
    DurationNs late_by(TimeNs time) const { return time < newest_ ? time_sub(newest_, time) : 0; }
    void keep(Result<void> result) {
        if (!result && failure_) failure_ = std::move(result);
    }

    Output& output_;
    LateEvents& late_;
    OwnWatermarks* watermarks_ = nullptr;
    const ControlLines* lines_ = nullptr;
    std::size_t made_from_ = 0;
    std::string_view run_;
    bool run_ends_in_newline_ = false;
    bool in_block_ = false;
    TimeNs newest_ = time_before_all;
    std::uint64_t events_out_ = 0;
    Result<void> failure_;
};

}  // namespace stream
