// SPDX-License-Identifier: Apache-2.0
#include "ops/journal.hpp"

#include "base/check.hpp"

namespace stream {

namespace {

// docs/formats/state.md
enum class Kind : std::uint8_t { own = 1, calls = 2 };
enum class Call : std::uint8_t { event = 1, watermark = 2, caught_up = 3, input_end = 4 };

constexpr std::size_t event_overhead = 32;

// What was written once is not written again.
class Nowhere final : public Sink {
public:
    void pass(const Event&) override {}
    std::string& begin() override {
        line_.clear();
        return line_;
    }
    void end(TimeNs) override {}
    void late(const Event&, DurationNs) override {}

private:
    std::string line_;
};

tl::unexpected<Error> makes_no_sense() { return fail(ErrorKind::corrupt, "the saved changes of the operator make no sense"); }

}  // namespace

void Journal::track(std::size_t limit, bool by_calls) {
    limit_ = limit;
    calls_ = StateWriter();
    last_caught_up_ = SIZE_MAX;
    mode_ = inner_.track_changes(true) ? Mode::inner : by_calls ? Mode::calls : Mode::overflown;
}

void Journal::stop_tracking() {
    inner_.track_changes(false);
    calls_ = StateWriter();
    mode_ = Mode::off;
}

bool Journal::room_for(std::size_t bytes) {
    if (calls_.bytes().size() + bytes <= limit_) [[likely]] return true;
    mode_ = Mode::overflown;
    calls_ = StateWriter();
    return false;
}

Result<void> Journal::on_event(int input, const Event& event, Sink& sink) {
    if (mode_ == Mode::calls && room_for(event.raw.size() + event_overhead)) {
        calls_.put_u8(static_cast<std::uint8_t>(Call::event));
        calls_.put_varint(static_cast<std::uint64_t>(input));
        calls_.put_i64(event.time);
        calls_.put_varint(event.position);
        calls_.put_bytes(event.raw);
    }
    return inner_.on_event(input, event, sink);
}

Result<void> Journal::on_watermark(TimeNs watermark, Sink& sink) {
    if (mode_ == Mode::calls && room_for(event_overhead)) {
        calls_.put_u8(static_cast<std::uint8_t>(Call::watermark));
        calls_.put_i64(watermark);
    }
    return inner_.on_watermark(watermark, sink);
}

Result<void> Journal::on_caught_up(Sink& sink) {
    if (mode_ == Mode::calls && calls_.bytes().size() != last_caught_up_ && room_for(event_overhead)) {
        calls_.put_u8(static_cast<std::uint8_t>(Call::caught_up));
        last_caught_up_ = calls_.bytes().size();
    }
    return inner_.on_caught_up(sink);
}

Result<void> Journal::on_end(Sink& sink) {
    if (mode_ != Mode::off) mode_ = Mode::overflown;  // little is left to save
    return inner_.on_end(sink);
}

void Journal::on_input_end(int input) {
    if (mode_ == Mode::calls && room_for(event_overhead)) {
        calls_.put_u8(static_cast<std::uint8_t>(Call::input_end));
        calls_.put_varint(static_cast<std::uint64_t>(input));
    }
    inner_.on_input_end(input);
}

void Journal::snapshot_changes(StateWriter& writer) {
    STREAM_CHECK(knows_changes());
    const bool own = mode_ == Mode::inner;
    writer.put_u8(static_cast<std::uint8_t>(own ? Kind::own : Kind::calls));
    if (own) return inner_.snapshot_changes(writer);
    writer.put_bytes(calls_.bytes());
    calls_ = StateWriter();
    last_caught_up_ = SIZE_MAX;
}

Result<void> Journal::replay(StateReader& reader, const Scan& scan) {
    const std::uint8_t kind = reader.get_u8();
    STREAM_TRY(reader.check("the operator's changes"));
    if (kind == static_cast<std::uint8_t>(Kind::own)) return inner_.restore_changes(reader);
    if (kind != static_cast<std::uint8_t>(Kind::calls)) return makes_no_sense();
    StateReader calls(reader.get_bytes());
    STREAM_TRY(reader.check("the operator's changes"));
    return replay_calls(calls, scan);
}

Result<void> Journal::replay_calls(StateReader& reader, const Scan& scan) {
    Nowhere nowhere;
    while (!reader.at_end()) {
        Result<void> done;
        switch (static_cast<Call>(reader.get_u8())) {
            case Call::event: {
                const int input = static_cast<int>(reader.get_varint());
                Event event;
                event.time = reader.get_i64();
                event.position = reader.get_varint();
                const std::string_view raw = reader.get_bytes();
                STREAM_TRY(reader.check("the operator's changes"));
                if (!scan(input, raw, event)) return fail(ErrorKind::incomplete, "an event of the saved changes cannot be read this time: an expression took too long");
                done = inner_.on_event(input, event, nowhere);
                break;
            }
            case Call::watermark: {
                const TimeNs watermark = reader.get_i64();
                STREAM_TRY(reader.check("the operator's changes"));
                done = inner_.on_watermark(watermark, nowhere);
                break;
            }
            case Call::caught_up: done = inner_.on_caught_up(nowhere); break;
            case Call::input_end: {
                const int input = static_cast<int>(reader.get_varint());
                STREAM_TRY(reader.check("the operator's changes"));
                inner_.on_input_end(input);
                break;
            }
            default: return makes_no_sense();
        }
        // What made an event bad then does so now.
        if (!done && done.error().kind() != ErrorKind::data) return done;
    }
    return {};
}

}  // namespace stream
