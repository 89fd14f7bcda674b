// SPDX-License-Identifier: Apache-2.0
// What an operator was told since its state was last saved. The same calls in the same order give the same state, so
// they are its changes, for every operator that does not note its own (Operator::track_changes()).
#pragma once

#include "ops/operator.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace stream {

// Stands before an operator, which must outlive it, and passes everything on.
class Journal final : public Operator {
public:
    explicit Journal(Operator& inner) : inner_(inner) {}

    // From here on, the state being saved whole, changes are noted. What is written down takes `limit` bytes at most:
    // past it they are no longer known, and the state has to be saved whole. `by_calls` false: calls are not written
    // down, as they would not give the same again; an operator's own notes are as good as ever.
    void track(std::size_t limit, bool by_calls);
    // Nothing is noted any more.
    void stop_tracking();
    // Whether snapshot_changes() may be called.
    bool knows_changes() const override { return mode_ == Mode::calls || (mode_ == Mode::inner && inner_.knows_changes()); }

    void snapshot_changes(StateWriter& writer) override;

    // Back: `scan` looks at the bytes of an event of this input again and sets its `raw` and `values`; false where they
    // cannot be read any more. What the operator writes goes nowhere: it was written once.
    using Scan = std::function<bool(int input, std::string_view bytes, Event& event)>;
    Result<void> replay(StateReader& reader, const Scan& scan);

    Result<void> on_event(int input, const Event& event, Sink& sink) override;
    Result<void> on_watermark(TimeNs watermark, Sink& sink) override;
    Result<void> on_end(Sink& sink) override;
    Result<void> on_caught_up(Sink& sink) override;
    void on_input_end(int input) override;
    int wait_ms() const override { return inner_.wait_ms(); }
    Result<void> on_stop(Sink& sink) override { return inner_.on_stop(sink); }
    bool is_done() const override { return inner_.is_done(); }
    TimeNs output_watermark(TimeNs watermark) const override { return inner_.output_watermark(watermark); }
    void snapshot(StateWriter& writer) const override { inner_.snapshot(writer); }
    Result<void> restore(StateReader& reader) override { return inner_.restore(reader); }
    Result<void> keep_files(KeptFiles& files) override { return inner_.keep_files(files); }
    std::string closing_remark() const override { return inner_.closing_remark(); }
    void append_stats(std::string& out) const override { inner_.append_stats(out); }

private:
    enum class Mode : std::uint8_t { off, inner, calls, overflown };
    bool room_for(std::size_t bytes);
    Result<void> replay_calls(StateReader& reader, const Scan& scan);

    Operator& inner_;
    Mode mode_ = Mode::off;
    std::size_t limit_ = 0;
    StateWriter calls_;
    std::size_t last_caught_up_ = SIZE_MAX;  // where in calls_ one ends: the next right behind it says nothing more
};

}  // namespace stream
