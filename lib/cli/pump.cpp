// SPDX-License-Identifier: Apache-2.0
#include "cli/pump_impl.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "base/text.hpp"
#include "cli/hints.hpp"
#include "cli/signals.hpp"
#include "time/duration.hpp"

namespace stream {


Result<void> Pump::Impl::bad_event(const Input& input, const Error& error, std::string_view raw) {
    const InputReader& reader = *input.reader;
    return bad_event_at(input, reader.line_number(), reader.line_offset(), error.message(), error.hint(), raw);
}

Result<void> Pump::Impl::bad_event_at(const Input& input, std::uint64_t line, std::uint64_t offset,
                          std::string_view reason, std::string_view hint, std::string_view raw) {
    BadEvents::Line entry{input.reader->name(), line, offset, reason, raw};
    return bad.add(entry, hint, position + bad.count() + 1);
}

Result<void> Pump::Impl::bad_released(const Event& event, const Error& error) {
    BadEvents::Line entry{plan.files.size() == 1 ? display_name(plan.files[0]) : std::string("input"),
                          event.position + 1, 0, error.message(), event.raw};
    return bad.add(entry, error.hint(), position + bad.count() + 1);
}

Result<void> Pump::Impl::unscannable(const Input& input) {
    const Scanner& scanner = input.reader->scanner();
    const LineFault& fault = scanner.fault();
    if (stop_signal() != 0) return fail(ErrorKind::stopped, "stopped");  // perhaps while an expression ran
    std::string reason = fault.reason;
    if (fault.column > 1) reason += " at column " + std::to_string(fault.column);
    if (fault.column <= scanner.line().size() && fault.column > 0) {
        reason += ": " + stream::quoted(scanner.line().substr(fault.column - 1), 40);
    }
    const std::string hint =
        scanner.line().size() > plan.line_max ? "--max-line SIZE allows longer ones"
        : position == 0 || bad.policy().kind == BadPolicy::Kind::stop
            ? hint_for_bad_line(scanner.line(), diagnostics.tool(), input.reader->name())
            : std::string();
    return bad_event_at(input, input.reader->line_number(), input.reader->line_offset(), reason, hint,
                        input.reader->original());
}

Result<bool> Pump::Impl::timed(Input& input, Event& event) {
    const TimeNeed need = need_of(input);
    if (need == TimeNeed::none) {
        event.time = plan.time_need == TimeNeed::none ? 0 : time_before_all;
        return true;
    }
    EventTime& reader = time_of(input);
    if (need != TimeNeed::required && !reader.has(event.values)) {
        event.time = time_before_all;
        return true;
    }
    auto time = reader.read(event.values, event.raw);
    if (!time) [[unlikely]] {
        if (need == TimeNeed::guessed) {
            event.time = time_before_all;
            return true;
        }
        STREAM_TRY(bad_event(input, time.error(), input.reader->original()));
        return false;
    }
    event.time = *time;
    const TimeNs seen = plan.merge || is_joined() ? input.newest : watermark;
    if (plan.max_ahead > 0 && seen != time_before_all && event.time > time_add(seen, plan.max_ahead)) [[unlikely]] {
        STREAM_TRY(bad_event(input,
                             Error(ErrorKind::data, to_rfc3339(event.time) + " is " +
                                                        format_duration(time_sub(event.time, seen)) +
                                                        " ahead of the watermark, more than --max-ahead " +
                                                        format_duration(plan.max_ahead)),
                             input.reader->original()));
        return false;
    }
    return true;
}

Result<bool> Pump::Impl::deliver(Input& input, const Event& event) {
    auto done = op->on_event(input.index, event, sink);
    if (!done) [[unlikely]] {
        if (done.error().kind() != ErrorKind::data) return pass_on(done);
        STREAM_TRY(bad_event(input, done.error(), input.reader->original()));
        return false;
    }
    return true;
}

Result<void> Pump::Impl::advance(TimeNs to) {
    if (to <= watermark) return {};
    watermark = to;
    if (plan.ordered) STREAM_TRY(release());
    return op->on_watermark(watermark, sink);
}

Result<void> Pump::Impl::release() {
    while (!queue->empty() && queue->min_time() < watermark) {
        auto waiting = queue->pop();
        if (!waiting) return pass_on(waiting);
        STREAM_TRY(deliver_copy(*waiting));
    }
    return {};
}

Scanner::Outcome Pump::Impl::scan_copy(Scanner& scanner, std::string_view bytes) {
    release_line.assign(bytes);
    release_line.push_back('\n');
    const std::size_t size = release_line.size();
    release_line.append(LineBlocks::padding, '\0');
    scanner.start(release_line.data(), size);
    return scanner.next();
}

Result<void> Pump::Impl::deliver_copy(const QueuedEvent& waiting) {
    Scanner& scanner = scanner_of(waiting.input);
    const Scanner::Outcome outcome = scan_copy(scanner, waiting.bytes);
    if (outcome == Scanner::Outcome::bad) {
        // It was an event when it came: an expression that libjq runs may have taken too long this time.
        const Event refused{waiting.bytes, waiting.time, waiting.position, nullptr};
        return bad_released(refused, Error(ErrorKind::data, scanner.fault().reason));
    }
    STREAM_CHECK(outcome == Scanner::Outcome::event);
    Event event{scanner.line(), waiting.time, waiting.position, scanner.values()};
    sink.end_run();
    sink.set_in_block(false);
    ++released;
    auto done = op->on_event(static_cast<int>(waiting.input), event, sink);
    sink.end_run();
    sink.set_in_block(true);
    if (!done) {
        if (done.error().kind() != ErrorKind::data) return done;
        return bad_released(event, done.error());
    }
    return {};
}

Result<void> Pump::Impl::take(Input& input, Event& event) {
    auto usable = timed(input, event);
    if (!usable) return pass_on(usable);
    if (!*usable) return {};
    event.position = position++;
    if (sample_event.empty()) sample_event = event.raw.substr(0, 1 << 16);
    if (is_joined() && input.sample.empty()) input.sample = event.raw.substr(0, 1 << 16);
    if (position == fields_judged_after) judge_fields();
    if (is_controlled()) [[unlikely]] tell_new();
    if (plan.pace > 0) {
        STREAM_TRY(keep_pace(event.time, &input));
        if (is_ended_by_run()) return {};
    }
    const bool has_time = plan.time_need != TimeNeed::none && event.time != time_before_all;
    if (!plan.ordered) {
        // What the operator refuses is a bad event, and moves no watermark.
        auto used = deliver(input, event);
        if (!used) return pass_on(used);
        if (!*used) return {};
    } else if (event.time < watermark) {
        sink.late(event, time_sub(watermark, event.time));
        return {};
    } else {
        STREAM_TRY(queue->push({event.time, static_cast<std::uint32_t>(input.index), event.position, event.raw}));
    }
    if (!has_time) return {};
    input.newest = std::max(input.newest, event.time);
    if (event.time > newest) {
        newest = event.time;
        sink.set_newest(newest);
    }
    if (plan.warn_overlap) {
        input.first_time = std::min(input.first_time, event.time);
        input.last_time = std::max(input.last_time, event.time);
    }
    if (is_controlled()) [[unlikely]] {
        STREAM_TRY(advance(judged_watermark(input)));
        return write_own_watermark();
    }
    return plan.lateness_all ? Result<void>{} : advance(time_sub(newest, plan.lateness));
}

Result<void> Pump::Impl::keep_pace(TimeNs time, Input* input) {
    const std::int64_t now = clock_ns(CLOCK_MONOTONIC);
    if (!pace_set) {
        pace_set = true;
        pace_clock = now;
        pace_time = time;
        return {};
    }
    const double ahead = static_cast<double>(time_sub(time, pace_time)) / plan.pace;
    if (ahead > 9e18) return {};
    const std::int64_t due = time_add(pace_clock, static_cast<std::int64_t>(ahead));
    if (due <= now) return {};
    STREAM_TRY(flush());
    while (stop_signal() == 0) {
        const std::int64_t left = due - clock_ns(CLOCK_MONOTONIC);
        if (left <= 0) break;
        const int ms = static_cast<int>(std::min<std::int64_t>(left / ns_per_ms + 1, is_controlled() ? 20 : 1000));
        if (is_controlled() && input != nullptr) {
            // The event that waits is not done: a barrier now comes before it.
            const bool head = std::exchange(input->has_head, true);
            STREAM_TRY(serve_run());
            input->has_head = head;
            if (is_ended_by_run()) return {};
        }
        if (left < 2 * ns_per_ms) {
            timespec nap{0, left};
            ::nanosleep(&nap, nullptr);
            break;
        }
        if (wait_for(nullptr, 0, 1, ms - 1) == Woken::reader_gone) return fail(ErrorKind::closed, "the reader went away");
    }
    return {};
}

Result<void> Pump::Impl::flush() {
    sink.end_run();
    STREAM_TRY(sink.take_failure());
    STREAM_TRY(output.flush());
    STREAM_TRY(bad.flush());
    return late.flush();
}

Result<void> Pump::Impl::after_batch() {
    sink.end_run();
    STREAM_TRY(sink.take_failure());
    if (!plan.silent && !is_ended_by_run() && reader_is_gone(1)) return fail(ErrorKind::closed, "the reader went away");
    if (progress != nullptr) tick(false);
    if (is_controlled()) return serve_run();
    return {};
}

Result<void> Pump::Impl::take_batch(Input& input) {
    InputReader& reader = *input.reader;
    for (;;) {
        const Scanner::Outcome outcome = reader.next();
        if (outcome == Scanner::Outcome::end) {
            input.in_batch = false;
            return {};
        }
        if (outcome == Scanner::Outcome::bad) [[unlikely]] {
            STREAM_TRY(unscannable(input));
            continue;
        }
        Event event;
        event.raw = reader.scanner().line();
        event.values = reader.scanner().values();
        if (is_controlled()) [[unlikely]] {
            auto ours = take_control_line(input, event.raw);
            if (!ours) return pass_on(ours);
            if (*ours) {
                if (input.control_ended || input.at_barrier) return {};
                continue;
            }
        }
        STREAM_TRY(take(input, event));
        if (is_ended_by_run()) return {};
        if (plan.line_buffered) [[unlikely]] STREAM_TRY(flush());
        if (op->is_done()) [[unlikely]] return {};
    }
}

Result<void> Pump::Impl::take_bad_line(Input& input) {
    InputReader::BadLine line = input.reader->take_bad();
    if (line.whole) {
        const std::string hint = "--bad skip, or --bad FILE keeps what cannot be read";
        return bad_event_at(input, line.line, line.offset, line.reason, hint, line.raw);
    }
    if (line.first) {
        BadEvents::Line entry{input.reader->name(), line.line, line.offset, line.reason, {}};
        STREAM_TRY(bad.begin_long(entry, "--max-line SIZE allows longer ones", position + bad.count() + 1));
    }
    return bad.long_piece(line.raw, line.done);
}

Result<bool> Pump::Impl::step(Input& input) {
    sink.end_run();
    if (input.in_batch) {  // it waited at a barrier
        STREAM_TRY(take_batch(input));
        STREAM_TRY(after_batch());
        return true;
    }
    auto fill = input.reader->fill();
    if (!fill) return pass_on(fill);
    switch (*fill) {
        case InputReader::Fill::events:
            input.in_batch = true;
            STREAM_TRY(take_batch(input));
            STREAM_TRY(after_batch());
            input.heard_ns = 0;
            return true;
        case InputReader::Fill::bad_line:
            STREAM_TRY(take_bad_line(input));
            STREAM_TRY(after_batch());
            return true;
        case InputReader::Fill::would_block:
            if (ends_when_read(input)) input.ended = true;  // what was there
            return false;
        case InputReader::Fill::end:
            if (input.controlled && !input.control_ended) return tl::unexpected<Error>(broken_off(input));
            input.ended = true;
            bytes_in += input.reader->bytes_read();
            return false;
    }
    return false;
}

Result<bool> Pump::Impl::wait_for_inputs() {
    STREAM_TRY(flush());
    if (is_controlled() && has_several()) tell_at_end();
    if (plan.idle > 0 && heard_ns == 0) {
        heard_ns = clock_ns(CLOCK_MONOTONIC);
        watermark_heard = watermark;
    }
    std::vector<int> fds;
    int timeout = -1;
    const auto sooner = [&](int ms) {
        if (ms >= 0 && (timeout < 0 || ms < timeout)) timeout = ms;
    };
    for (const auto& input : inputs) {
        if (input == nullptr || input->ended || (input->control_ended && !input->at_barrier)) continue;
        if (input->reader->source().poll_fd() >= 0) fds.push_back(input->reader->source().poll_fd());
        sooner(input->reader->source().wait_ms());
    }
    if (plan.idle > 0) {
        const std::int64_t silent = clock_ns(CLOCK_MONOTONIC) - heard_ns;
        const std::int64_t due = silent < plan.idle ? plan.idle - silent : 100 * ns_per_ms;
        sooner(static_cast<int>(std::min<std::int64_t>(due / ns_per_ms + 1, 60'000)));
    }
    if (progress != nullptr) sooner(1000);
    if (is_controlled() && control->client != nullptr) fds.push_back(control->client->fd());
    sooner(op->wait_ms());
    switch (wait_for(fds.data(), static_cast<int>(fds.size()), plan.silent ? -1 : 1, timeout)) {
        case Woken::stop:
            return false;
        case Woken::reader_gone:
            return fail(ErrorKind::closed, "the reader went away");
        case Woken::timeout:
            if (progress != nullptr) tick(false);
            STREAM_TRY(move_with_clock());
            return true;
        case Woken::input:
            if (is_controlled()) STREAM_TRY(serve_run());
            return true;
    }
    return true;
}

Result<void> Pump::Impl::move_with_clock() {
    if (plan.idle <= 0 || plan.merge) return {};
    const std::int64_t silent = clock_ns(CLOCK_MONOTONIC) - heard_ns;
    if (silent < plan.idle) return {};
    // What is there goes first, and only where everybody is silent does time go on.
    if (is_joined() && !queue->empty()) return {};
    for (const auto& input : inputs) {
        if (!is_joined() || input->ended) continue;
        if (input->has_head || input->reader->source().is_regular() || !is_idle(*input)) return {};
    }
    for (const auto& input : inputs) {
        if (is_joined()) watermark_heard = std::max(watermark_heard, input->newest == time_before_all ? watermark_heard : time_sub(input->newest, plan.joined[static_cast<std::size_t>(input->index)].lateness));
    }
    if (watermark_heard == time_before_all) return {};
    if (is_joined()) clock_watermark = std::max(clock_watermark, time_add(watermark_heard, silent));
    STREAM_TRY(advance(time_add(watermark_heard, silent)));
    if (is_controlled()) STREAM_TRY(write_own_watermark());
    return flush();
}

bool Pump::Impl::is_stopped() {
    if (stop_signal() != 0) stopped = true;
    return stopped;
}

// A pipe's barriers come as it is read: those of one that waits for its turn would come too late.
Result<void> Pump::Impl::check_in_turn() const {
    for (std::size_t i = 0; is_controlled() && plan.files.size() > 1 && i < plan.files.size(); ++i) {
        if (control->is_ours_to_read(i)) continue;
        return fail(ErrorKind::usage, "several inputs are read one after the other, and " + display_name(plan.files[i]) + " comes with control lines",
                    "stream-cat --merge reads them at once");
    }
    return {};
}

Result<void> Pump::Impl::run_in_turn() {
    STREAM_TRY(check_in_turn());
    TimeNs before = time_before_all;
    std::string before_name;
    bool warned = false;
    for (std::size_t i = resumed_file; i < plan.files.size() && !op->is_done() && !is_ended_by_run(); ++i) {
        auto opened = open_input(static_cast<int>(i), plan.files[i]);
        if (!opened) return pass_on(opened);
        inputs.clear();
        inputs.push_back(std::move(*opened));
        Input& input = *inputs.front();
        while (!input.ended && !input.control_ended && !is_ended_by_run() && !is_stopped() && !op->is_done()) {
            auto more = step(input);
            if (!more) return pass_on(more);
            if (*more) {
                heard_ns = 0;
                continue;
            }
            if (input.ended) break;
            STREAM_TRY(op->on_caught_up(sink));
            auto waited = wait_for_inputs();
            if (!waited) return pass_on(waited);
        }
        if (is_stopped()) break;
        if (plan.warn_overlap && !warned && input.first_time < before) {
            warned = true;
            diagnostics.say(plan.files[i] + " begins before " + before_name + " ends (" +
                            to_rfc3339(input.first_time) + " < " + to_rfc3339(before) + ")");
            diagnostics.hint("--merge brings them into one order of event time");
        }
        if (input.last_time > before) {
            before = input.last_time;
            before_name = plan.files[i];
        }
    }
    if (!stopped) STREAM_TRY(op->on_caught_up(sink));
    return {};
}

Result<void> Pump::Impl::run_as_they_come() {
    for (std::size_t i = 0; i < plan.files.size(); ++i) {
        auto opened = open_input(static_cast<int>(i), plan.files[i]);
        if (!opened) return pass_on(opened);
        inputs.push_back(std::move(*opened));
    }
    for (;;) {
        bool any = false;
        bool open = false;
        for (const auto& input : inputs) {
            if (input->ended) continue;
            if (is_stopped() || op->is_done() || is_ended_by_run()) return {};
            auto more = step(*input);
            if (!more) return pass_on(more);
            any = any || *more;
            open = open || !input->ended;
        }
        if (any) {
            heard_ns = 0;
            continue;
        }
        if (!open) return {};
        STREAM_TRY(op->on_caught_up(sink));
        auto waited = wait_for_inputs();
        if (!waited) return pass_on(waited);
        if (!*waited) {
            stopped = true;
            return {};
        }
    }
}

Pump::Pump(PumpPlan plan, Operator& op, FieldSet& fields, Diagnostics& diagnostics)
    : impl_(std::make_unique<Impl>(std::move(plan), op, fields, diagnostics)) {}
Pump::~Pump() = default;

int Pump::run() { return impl_->run(); }

}  // namespace stream
