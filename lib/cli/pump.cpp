// SPDX-License-Identifier: Apache-2.0
#include "cli/pump.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <ctime>

#include "base/check.hpp"
#include "base/text.hpp"
#include "cli/event_time.hpp"
#include "cli/exit_status.hpp"
#include "cli/hints.hpp"
#include "cli/input_reader.hpp"
#include "cli/output_sink.hpp"
#include "cli/progress.hpp"
#include "cli/signals.hpp"
#include "io/follow.hpp"
#include "io/open.hpp"
#include "io/output.hpp"
#include "json/number.hpp"
#include "state/snapshot.hpp"
#include "state/spill_queue.hpp"
#include "time/duration.hpp"

namespace stream {

namespace {

std::int64_t clock_ns(clockid_t id) {
    timespec now{};
    ::clock_gettime(id, &now);
    return std::int64_t{now.tv_sec} * ns_per_second + now.tv_nsec;
}

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

std::string format_of(const std::string& format, std::string path) {
    if (format != "auto") return format;
    for (const std::string_view packed : {".gz", ".zst"}) {
        if (ends_with(path, packed)) path.resize(path.size() - packed.size());
    }
    if (ends_with(path, ".csv")) return "csv";
    if (ends_with(path, ".tsv")) return "tsv";
    return "ndjson";
}

// The next duration up that a person would write.
DurationNs rounded_up(DurationNs duration) {
    const DurationNs unit = duration >= ns_per_second ? ns_per_second
                            : duration >= ns_per_ms   ? ns_per_ms
                                                      : 1;
    const DurationNs over = duration % unit;
    return over == 0 ? duration : duration - over + unit;
}

}  // namespace

struct Pump::Impl {
    Impl(PumpPlan p, Operator& o, FieldSet& f, Diagnostics& d)
        : plan(std::move(p)), op(o), fields(f), diagnostics(d), output(1, "stdout"), sink(output, late) {}

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
    };

    PumpPlan plan;
    Operator& op;
    FieldSet& fields;
    Diagnostics& diagnostics;
    Output output;
    LateEvents late;
    BadEvents bad;
    OutputSink sink;
    std::optional<EventTime> event_time;
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
    bool stopped = false;
    bool finished = false;
    std::int64_t pace_clock = 0;
    TimeNs pace_time = 0;
    bool pace_set = false;

    // --- opening -------------------------------------------------------------------------------

    std::string display_name(const std::string& path) const { return path == "-" ? "stdin" : path; }

    Result<std::unique_ptr<Input>> open_input(int index, const std::string& path) {
        auto input = std::make_unique<Input>();
        input->index = index;
        const std::string format = format_of(plan.format, path);
        if (format != "ndjson") {
            TextFormatOptions options;
            options.name = format;
            options.columns = plan.columns;
            options.time = plan.time_options;
            auto made = make_text_format(options);
            if (!made) return pass_on(made);
            input->format = std::move(*made);
        }
        Result<std::unique_ptr<ByteSource>> source = [&]() {
            if (!plan.follow || path == "-") return open_source(path);
            FollowOptions options;
            options.from_end = plan.follow_from_end;
            options.on_gap = [this](const std::string& what) {
                gap = true;
                diagnostics.say(what);
            };
            return open_followed(path, options);
        }();
        if (!source) return pass_on(source);
        input->reader = std::make_unique<InputReader>(display_name(path), std::move(*source), fields,
                                                      input->format.get(), plan.line_max);
        input->heard_ns = clock_ns(CLOCK_MONOTONIC);
        return input;
    }

    // --- failures ------------------------------------------------------------------------------

    Result<void> bad_event(const Input& input, const Error& error, std::string_view raw) {
        const InputReader& reader = *input.reader;
        return bad_event_at(input, reader.line_number(), reader.line_offset(), error.message(), error.hint(), raw);
    }

    Result<void> bad_event_at(const Input& input, std::uint64_t line, std::uint64_t offset,
                              std::string_view reason, std::string_view hint, std::string_view raw) {
        BadEvents::Line entry{input.reader->name(), line, offset, reason, raw};
        return bad.add(entry, hint, position + bad.count() + 1);
    }

    // Places of events that waited are gone; their count is what is left to name.
    Result<void> bad_released(const Event& event, const Error& error) {
        BadEvents::Line entry{plan.files.size() == 1 ? display_name(plan.files[0]) : std::string("input"),
                              event.position + 1, 0, error.message(), event.raw};
        return bad.add(entry, error.hint(), position + bad.count() + 1);
    }

    Result<void> unscannable(const Input& input) {
        const Scanner& scanner = input.reader->scanner();
        const LineFault& fault = scanner.fault();
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

    // --- events --------------------------------------------------------------------------------

    // Gives the event its time, or says it is bad; true if it can be used.
    Result<bool> timed(Input& input, Event& event) {
        if (plan.time_need == TimeNeed::none) return true;
        if (plan.time_need != TimeNeed::required && !event_time->has(event.values)) {
            event.time = time_before_all;
            return true;
        }
        auto time = event_time->read(event.values, event.raw);
        if (!time) [[unlikely]] {
            if (plan.time_need == TimeNeed::guessed) {
                event.time = time_before_all;
                return true;
            }
            STREAM_TRY(bad_event(input, time.error(), input.reader->original()));
            return false;
        }
        event.time = *time;
        const TimeNs seen = plan.merge ? input.newest : watermark;
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

    // False: the operator cannot use the event, which is bad then.
    Result<bool> deliver(Input& input, const Event& event) {
        auto done = op.on_event(input.index, event, sink);
        if (!done) [[unlikely]] {
            if (done.error().kind() != ErrorKind::data) return pass_on(done);
            STREAM_TRY(bad_event(input, done.error(), input.reader->original()));
            return false;
        }
        return true;
    }

    Result<void> advance(TimeNs to) {
        if (to <= watermark) return {};
        watermark = to;
        if (plan.ordered) STREAM_TRY(release());
        return op.on_watermark(watermark, sink);
    }

    Result<void> release() {
        while (!queue->empty() && queue->min_time() < watermark) {
            auto waiting = queue->pop();
            if (!waiting) return pass_on(waiting);
            STREAM_TRY(deliver_copy(*waiting));
        }
        return {};
    }

    // An event that waited: its bytes are looked at again.
    Result<void> deliver_copy(const QueuedEvent& waiting) {
        release_line.assign(waiting.bytes);
        release_line.push_back('\n');
        const std::size_t size = release_line.size();
        release_line.append(LineBlocks::padding, '\0');
        release_scanner->start(release_line.data(), size);
        STREAM_CHECK(release_scanner->next() == Scanner::Outcome::event);
        Event event{release_scanner->line(), waiting.time, waiting.position, release_scanner->values()};
        sink.end_run();
        sink.set_in_block(false);
        ++released;
        auto done = op.on_event(static_cast<int>(waiting.input), event, sink);
        sink.end_run();
        sink.set_in_block(true);
        if (!done) {
            if (done.error().kind() != ErrorKind::data) return done;
            return bad_released(event, done.error());
        }
        return {};
    }

    Result<void> take(Input& input, Event& event) {
        auto usable = timed(input, event);
        if (!usable) return pass_on(usable);
        if (!*usable) return {};
        event.position = position++;
        if (sample_event.empty()) sample_event = event.raw.substr(0, 1 << 16);
        if (position == fields_judged_after) judge_fields();
        if (plan.pace > 0) STREAM_TRY(keep_pace(event.time));
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
        if (event.time > newest) {
            newest = event.time;
            sink.set_newest(newest);
        }
        if (plan.warn_overlap) {
            input.first_time = std::min(input.first_time, event.time);
            input.last_time = std::max(input.last_time, event.time);
        }
        return plan.lateness_all ? Result<void>{} : advance(time_sub(newest, plan.lateness));
    }

    Result<void> keep_pace(TimeNs time) {
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
            const int ms = static_cast<int>(std::min<std::int64_t>(left / ns_per_ms + 1, 1000));
            if (left < 2 * ns_per_ms) {
                timespec nap{0, left};
                ::nanosleep(&nap, nullptr);
                break;
            }
            if (wait_for(nullptr, 0, 1, ms - 1) == Woken::reader_gone) return fail(ErrorKind::closed, "the reader went away");
        }
        return {};
    }

    // --- batches -------------------------------------------------------------------------------

    Result<void> flush() {
        sink.end_run();
        STREAM_TRY(sink.take_failure());
        STREAM_TRY(output.flush());
        STREAM_TRY(bad.flush());
        return late.flush();
    }

    Result<void> after_batch() {
        sink.end_run();
        STREAM_TRY(sink.take_failure());
        if (reader_is_gone(1)) return fail(ErrorKind::closed, "the reader went away");
        if (progress != nullptr) tick(false);
        return {};
    }

    void tick(bool last) {
        Progress::Numbers numbers;
        numbers.events_in = position;
        numbers.events_out = sink.events_out();
        numbers.bad = bad.count();
        numbers.late = late.count();
        numbers.newest = newest;
        numbers.watermark = watermark;
        numbers.bytes_out = output.bytes_written();
        numbers.bytes_in = bytes_in;
        for (const auto& input : inputs) {
            if (input == nullptr) continue;
            if (!input->ended) numbers.bytes_in += input->reader->bytes_read();
            numbers.raw_position += input->reader->source().raw_position();
            numbers.raw_size += input->reader->source().raw_size();
        }
        op.append_stats(numbers.extra);
        progress->tick(numbers, last);
    }

    // Takes all events of the batch that fill() brought.
    Result<void> take_batch(Input& input) {
        InputReader& reader = *input.reader;
        for (;;) {
            const Scanner::Outcome outcome = reader.next();
            if (outcome == Scanner::Outcome::end) return {};
            if (outcome == Scanner::Outcome::bad) [[unlikely]] {
                STREAM_TRY(unscannable(input));
                continue;
            }
            Event event;
            event.raw = reader.scanner().line();
            event.values = reader.scanner().values();
            STREAM_TRY(take(input, event));
            if (plan.line_buffered) [[unlikely]] STREAM_TRY(flush());
            if (op.is_done()) [[unlikely]] return {};
        }
    }

    Result<void> take_bad_line(Input& input) {
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

    // One step of one input. False: it has nothing for now (input.ended tells whether for good).
    Result<bool> step(Input& input) {
        sink.end_run();
        auto fill = input.reader->fill();
        if (!fill) return pass_on(fill);
        switch (*fill) {
            case InputReader::Fill::events:
                STREAM_TRY(take_batch(input));
                STREAM_TRY(after_batch());
                input.heard_ns = 0;
                return true;
            case InputReader::Fill::bad_line:
                STREAM_TRY(take_bad_line(input));
                STREAM_TRY(after_batch());
                return true;
            case InputReader::Fill::would_block:
                return false;
            case InputReader::Fill::end:
                input.ended = true;
                bytes_in += input.reader->bytes_read();
                return false;
        }
        return false;
    }

    // Waits until one of the inputs may have something. False: a signal came.
    Result<bool> wait_for_inputs() {
        STREAM_TRY(flush());
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
            if (input == nullptr || input->ended) continue;
            if (input->reader->source().poll_fd() >= 0) fds.push_back(input->reader->source().poll_fd());
            sooner(input->reader->source().wait_ms());
        }
        if (plan.idle > 0) {
            const std::int64_t silent = clock_ns(CLOCK_MONOTONIC) - heard_ns;
            const std::int64_t due = silent < plan.idle ? plan.idle - silent : 100 * ns_per_ms;
            sooner(static_cast<int>(std::min<std::int64_t>(due / ns_per_ms + 1, 60'000)));
        }
        if (progress != nullptr) sooner(1000);
        switch (wait_for(fds.data(), static_cast<int>(fds.size()), 1, timeout)) {
            case Woken::stop:
                return false;
            case Woken::reader_gone:
                return fail(ErrorKind::closed, "the reader went away");
            case Woken::timeout:
                if (progress != nullptr) tick(false);
                STREAM_TRY(move_with_clock());
                return true;
            case Woken::input:
                return true;
        }
        return true;
    }

    // --idle: all inputs have been silent that long; event time goes on with the clock.
    Result<void> move_with_clock() {
        if (plan.idle <= 0 || watermark_heard == time_before_all || plan.merge) return {};
        const std::int64_t silent = clock_ns(CLOCK_MONOTONIC) - heard_ns;
        if (silent < plan.idle) return {};
        STREAM_TRY(advance(time_add(watermark_heard, silent)));
        return flush();
    }

    bool is_stopped() {
        if (stop_signal() != 0) stopped = true;
        return stopped;
    }

    // Files one after the other.
    Result<void> run_in_turn() {
        TimeNs before = time_before_all;
        std::string before_name;
        bool warned = false;
        for (std::size_t i = 0; i < plan.files.size() && !op.is_done(); ++i) {
            auto opened = open_input(static_cast<int>(i), plan.files[i]);
            if (!opened) return pass_on(opened);
            inputs.clear();
            inputs.push_back(std::move(*opened));
            Input& input = *inputs.front();
            while (!input.ended && !is_stopped() && !op.is_done()) {
                auto more = step(input);
                if (!more) return pass_on(more);
                if (*more) {
                    heard_ns = 0;
                    continue;
                }
                if (input.ended) break;
                STREAM_TRY(op.on_caught_up(sink));
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
        if (!stopped) STREAM_TRY(op.on_caught_up(sink));
        return {};
    }

    // Several followed files, as their lines come.
    Result<void> run_as_they_come() {
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
                if (is_stopped() || op.is_done()) return {};
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
            STREAM_TRY(op.on_caught_up(sink));
            auto waited = wait_for_inputs();
            if (!waited) return pass_on(waited);
            if (!*waited) {
                stopped = true;
                return {};
            }
        }
    }

    // --merge: the least line, by (what it counts as, input, place in it). Regular files keep one line
    // waiting and are read when it has gone; pipes and followed files are read as they come, and wait
    // in the queue, so that no writer is held up by another.
    Result<void> run_merged() {
        for (std::size_t i = 0; i < plan.files.size(); ++i) {
            auto opened = open_input(static_cast<int>(i), plan.files[i]);
            if (!opened) return pass_on(opened);
            inputs.push_back(std::move(*opened));
        }
        while (!is_stopped() && !op.is_done()) {
            for (const auto& input : inputs) {
                if (input->reader->source().is_regular()) STREAM_TRY(refill_head(*input));
            }
            auto gone = merge_one();
            if (!gone) return pass_on(gone);
            if (*gone == Merged::done) return {};
            if (*gone == Merged::wrote) continue;
            // Some open pipe could still bring an older line.
            bool any = false;
            for (const auto& input : inputs) {
                if (input->ended || input->reader->source().is_regular()) continue;
                auto more = step_into_queue(*input);
                if (!more) return pass_on(more);
                if (*more) input->heard_ns = clock_ns(CLOCK_MONOTONIC);
                any = any || *more || input->ended;
            }
            if (any) continue;
            auto waited = wait_for_inputs();
            if (!waited) return pass_on(waited);
            if (!*waited) stopped = true;
        }
        return {};
    }

    enum class Merged : std::uint8_t { wrote, wait, done };

    bool is_idle(const Input& input) const {
        return plan.idle > 0 && clock_ns(CLOCK_MONOTONIC) - input.heard_ns >= plan.idle;
    }

    Result<Merged> merge_one() {
        Input* best = nullptr;
        for (const auto& input : inputs) {
            if (!input->has_head) continue;
            if (best == nullptr || input->head_key < best->head_key) best = input.get();
        }
        TimeNs key = best != nullptr ? best->head_key : time_after_all;
        std::uint32_t index = best != nullptr ? static_cast<std::uint32_t>(best->index) : UINT32_MAX;
        bool from_queue = false;
        if (!queue->empty()) {
            const auto next = queue->min_key();
            if (next.time < key || (next.time == key && next.input < index)) {
                from_queue = true;
                key = next.time;
                index = next.input;
            }
        }
        bool open = false;
        for (const auto& input : inputs) {
            if (input->ended) continue;
            open = true;
            if (input->reader->source().is_regular()) continue;
            const auto i = static_cast<std::uint32_t>(input->index);
            const bool could_be_older =
                (best != nullptr || from_queue) ? i != index && (input->newest < key || (input->newest == key && i < index))
                                                : true;
            if (could_be_older && !is_idle(*input)) return Merged::wait;
        }
        if (best == nullptr && !from_queue) return open ? Merged::wait : Merged::done;
        if (from_queue) {
            auto waiting = queue->pop();
            if (!waiting) return pass_on(waiting);
            QueuedEvent event = *waiting;
            if (plan.pace > 0) STREAM_TRY(keep_pace(event.time));
            STREAM_TRY(deliver_copy(event));
            STREAM_TRY(sink.take_failure());
            return Merged::wrote;
        }
        if (plan.pace > 0) STREAM_TRY(keep_pace(best->head.time));
        auto used = deliver(*best, best->head);
        if (!used) return pass_on(used);
        best->has_head = false;
        return Merged::wrote;
    }

    // The next usable event of an input whose fill() brought a batch; false at the batch's end.
    Result<bool> next_in_batch(Input& input, Event& event) {
        for (;;) {
            const Scanner::Outcome outcome = input.reader->next();
            if (outcome == Scanner::Outcome::end) {
                input.in_batch = false;
                return false;
            }
            if (outcome == Scanner::Outcome::bad) {
                STREAM_TRY(unscannable(input));
                continue;
            }
            event = Event{};
            event.raw = input.reader->scanner().line();
            event.values = input.reader->scanner().values();
            auto usable = timed(input, event);
            if (!usable) return pass_on(usable);
            if (!*usable) continue;
            event.position = position++;
            if (sample_event.empty()) sample_event = event.raw.substr(0, 1 << 16);
            newest = std::max(newest, event.time);
            input.newest = std::max(input.newest, event.time);
            return true;
        }
    }

    Result<void> refill_head(Input& input) {
        while (!input.has_head && !input.ended) {
            if (input.in_batch) {
                auto found = next_in_batch(input, input.head);
                if (!found) return pass_on(found);
                if (*found) {
                    input.has_head = true;
                    input.head_key = input.newest;
                }
                continue;
            }
            auto filled = fill_for_merge(input);
            if (!filled) return pass_on(filled);
        }
        return {};
    }

    Result<bool> step_into_queue(Input& input) {
        auto filled = fill_for_merge(input);
        if (!filled || !*filled) return filled;
        Event event;
        for (;;) {
            auto found = next_in_batch(input, event);
            if (!found) return pass_on(found);
            if (!*found) return true;
            STREAM_TRY(queue->push({input.newest, static_cast<std::uint32_t>(input.index), event.position, event.raw}));
        }
    }

    Result<bool> fill_for_merge(Input& input) {
        STREAM_TRY(after_batch());
        auto fill = input.reader->fill();
        if (!fill) return pass_on(fill);
        if (*fill == InputReader::Fill::bad_line) {
            STREAM_TRY(take_bad_line(input));
            return true;
        }
        input.in_batch = *fill == InputReader::Fill::events;
        if (*fill == InputReader::Fill::end) {
            input.ended = true;
            bytes_in += input.reader->bytes_read();
        }
        return input.in_batch;
    }

    // --- the whole run -------------------------------------------------------------------------

    SnapshotHeader snapshot_header() const {
        return {diagnostics.tool(), "", plan.state_identity};
    }

    Result<void> load_state() {
        if (plan.state_dir.empty()) return {};
        auto lock = StateLock::acquire(plan.state_dir);
        if (!lock) return pass_on(lock);
        state_lock.emplace(std::move(*lock));
        auto loaded = load_snapshot(plan.state_dir, snapshot_header());
        if (!loaded) return pass_on(loaded);
        if (!*loaded) return {};
        StateReader reader(**loaded);
        newest = reader.get_i64();
        watermark = reader.get_i64();
        position = reader.get_u64();
        const std::uint64_t late_count = reader.get_u64();
        const DurationNs late_largest = reader.get_i64();
        const DurationNs late_missing = reader.get_i64();
        (void)late_count, (void)late_largest, (void)late_missing;  // each call tells of its own
        const std::string_view forms = reader.get_bytes();
        const bool has_time = reader.get_u8() != 0;
        STREAM_TRY(reader.check("the pump"));
        if (!fields.load(forms)) return fail(ErrorKind::corrupt, "the saved state's fields cannot be read");
        sink.set_newest(newest);
        if (has_time != event_time.has_value()) return fail(ErrorKind::corrupt, "the saved state's event time cannot be read");
        if (has_time) STREAM_TRY(event_time->restore(reader));
        if (queue != nullptr) STREAM_TRY(queue->restore(reader));
        STREAM_TRY(op.restore(reader));
        STREAM_TRY(reader.check("the operator"));
        if (!reader.at_end()) return fail(ErrorKind::corrupt, "the saved state is longer than it should be");
        fields_judged = true;
        return {};
    }

    Result<void> save_state() {
        if (plan.state_dir.empty()) return {};
        StateWriter writer;
        writer.put_i64(newest);
        writer.put_i64(watermark);
        writer.put_u64(position);
        writer.put_u64(late.count());
        writer.put_i64(late.largest());
        writer.put_i64(late.missing());
        writer.put_bytes(fields.save());
        writer.put_u8(event_time ? 1 : 0);
        if (event_time) event_time->snapshot(writer);
        if (queue != nullptr) queue->snapshot(writer);
        op.snapshot(writer);
        return save_snapshot(plan.state_dir, snapshot_header(), writer.bytes());
    }

    Result<void> prepare() {
        STREAM_TRY(bad.open(plan.bad, plan.line_max));
        STREAM_TRY(late.open(plan.late));
        if (plan.time_need != TimeNeed::none) {
            const char* environment = ::getenv("STREAM_TIME");
            // A tool that reads text forms of time does so for the field it was told; others read the
            // forms every event may have.
            auto made = EventTime::make(fields, plan.event_time_is_ts ? "ts" : plan.time_field,
                                        environment != nullptr ? environment : "",
                                        plan.event_time_is_ts ? TimeOptions{} : plan.time_options);
            if (!made) return pass_on(made);
            event_time.emplace(std::move(*made));
        }
        if (plan.ordered || plan.merge) {
            SpillLimits limits;
            limits.memory_bytes = plan.memory;
            limits.spill_bytes = plan.spill_max;
            limits.folder = plan.spill_folder;
            queue = std::make_unique<SpillQueue>(limits);
        }
        release_scanner = std::make_unique<Scanner>(fields);
        if (plan.files.empty()) plan.files.emplace_back("-");
        auto made = Progress::make(diagnostics, plan.progress, plan.stats_path);
        if (!made) return pass_on(made);
        progress = std::move(*made);
        return load_state();
    }

    Result<void> run_all() {
        sink.set_in_block(true);
        if (plan.merge) return run_merged();
        if (plan.follow && plan.files.size() > 1) return run_as_they_come();
        return run_in_turn();
    }

    Result<void> close_all() {
        finished = true;
        sink.end_run();
        watermark = time_after_all;
        if (plan.ordered) STREAM_TRY(release());
        sink.end_run();
        STREAM_TRY(op.on_watermark(time_after_all, sink));
        return op.on_end(sink);
    }

    void judge_fields() {
        if (fields_judged) return;
        fields_judged = true;
        std::vector<std::string> missing;
        for (std::size_t i = 0; i < plan.operator_fields; ++i) {
            if (!fields.seen(i)) missing.push_back(fields.name(i));
        }
        for (const std::string& name : missing) {
            diagnostics.say("no event had a field " + stream::quoted(name));
        }
        if (missing.empty()) return;
        const auto names = member_names(sample_event, 20);
        std::vector<std::string_view> candidates(names.begin(), names.end());
        const std::string_view near = nearest(missing.front(), candidates);
        std::string hint;
        if (!near.empty()) hint = "did you mean " + std::string(near) + "? ";
        hint += "the members there are: ";
        for (std::size_t i = 0; i < names.size(); ++i) hint += (i == 0 ? "" : ", ") + names[i];
        diagnostics.hint(hint);
    }

    // What was counted is told once, at the end. True if the late events are a fault.
    bool tell_counts() {
        if (bad.count() > 0) {
            const std::string where = plan.bad.kind == BadPolicy::Kind::file ? ", kept in " + plan.bad.path : ", skipped";
            diagnostics.say(std::to_string(bad.count()) + (bad.count() == 1 ? " bad event" : " bad events") + where);
        }
        if (late.count() == 0) return false;
        std::string message = std::to_string(late.count()) + (late.count() == 1 ? " late event" : " late events");
        if (plan.late.kind == LatePolicy::Kind::file) message += ", kept in " + plan.late.path;
        else message += ", dropped";
        message += "; the latest by " + format_duration(late.largest());
        diagnostics.say(message);
        const bool fault = plan.late.kind == LatePolicy::Kind::none && !plan.late_is_kept;
        const DurationNs enough = rounded_up(time_add(plan.lateness, late.missing()));
        diagnostics.hint("--lateness " + format_duration(enough) + " would have kept all" +
                         (fault ? "; --late drop or --late FILE says they may be late" : ""));
        return fault;
    }

    int run() {
        auto result = prepare();
        if (!result) {
            diagnostics.say(result.error());
            return exit_status_of(result.error().kind(), stop_signal());
        }
        result = run_all();
        if (result) {
            const bool pause = !plan.state_dir.empty() && !plan.final;
            if (stopped || is_stopped()) {
                stopped = true;
            } else if (!pause) {
                result = close_all();
            }
            if (result) result = flush();
            if (result && !plan.state_dir.empty() && (!stopped || all_inputs_are_streams())) {
                result = pause || stopped ? save_state() : remove_snapshot(plan.state_dir);
            }
        }
        return finish(std::move(result));
    }

    bool all_inputs_are_streams() const {
        return std::all_of(inputs.begin(), inputs.end(),
                           [](const auto& input) { return input == nullptr || !input->reader->source().is_regular(); });
    }

    int finish(Result<void> result) {
        // What came before an error is written, as far as that is possible.
        auto flushed = flush();
        if (result && !flushed) result = std::move(flushed);
        auto closed = output.close();
        if (result && !closed) result = std::move(closed);
        for (auto* outcome : {&result}) {
            auto bad_closed = bad.close();
            if (*outcome && !bad_closed) *outcome = std::move(bad_closed);
            auto late_closed = late.close();
            if (*outcome && !late_closed) *outcome = std::move(late_closed);
        }
        if (progress != nullptr) {
            tick(true);
            auto written = progress->finish();
            if (result && !written) result = std::move(written);
        }
        if (!result) {
            if (result.error().kind() == ErrorKind::closed) return exit_signal + 13;
            if (result.error().kind() == ErrorKind::stopped) return exit_signal + stop_signal();
            diagnostics.say(result.error());
            (void)tell_counts();
            return exit_status_of(result.error().kind(), stop_signal());
        }
        if (!stopped && position > 0) judge_fields();
        if (const std::string remark = op.closing_remark(); !remark.empty()) diagnostics.say(remark);
        const bool fault = tell_counts();
        if (stopped) return exit_signal + stop_signal();
        if (fault || gap) return exit_input;
        return exit_done;
    }
};

Pump::Pump(PumpPlan plan, Operator& op, FieldSet& fields, Diagnostics& diagnostics)
    : impl_(std::make_unique<Impl>(std::move(plan), op, fields, diagnostics)) {}
Pump::~Pump() = default;

int Pump::run() { return impl_->run(); }

}  // namespace stream
