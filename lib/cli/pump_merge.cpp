// SPDX-License-Identifier: Apache-2.0
#include "cli/pump_impl.hpp"

#include <algorithm>

#include "cli/signals.hpp"

namespace stream {


Result<void> Pump::Impl::run_merged() {
    for (std::size_t i = 0; i < plan.files.size(); ++i) {
        auto opened = open_input(static_cast<int>(i), plan.files[i]);
        if (!opened) return pass_on(opened);
        inputs.push_back(std::move(*opened));
    }
    while (!is_stopped() && !op->is_done() && !is_ended_by_run()) {
        if (is_controlled()) STREAM_TRY(take_ahead());
        for (const auto& input : inputs) {
            if (input->reader->source().is_regular()) STREAM_TRY(refill_head(*input));
        }
        auto gone = merge_one();
        if (!gone) return pass_on(gone);
        if (*gone == Merged::done) return {};
        if (*gone == Merged::wrote) {
            if (is_controlled()) STREAM_TRY(write_merged_watermark());
            continue;
        }
        // Some open pipe could still bring an older line.
        bool any = false;
        for (const auto& input : inputs) {
            if (input->ended || input->at_barrier || input->reader->source().is_regular()) continue;
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

bool Pump::Impl::is_idle(const Input& input) const {
    return plan.idle > 0 && clock_ns(CLOCK_MONOTONIC) - input.heard_ns >= plan.idle;
}

Result<Pump::Impl::Merged> Pump::Impl::merge_one() {
    Input* best = nullptr;
    for (const auto& input : inputs) {
        if (!input->has_head || input->at_barrier) continue;
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
    // Whether reading on may bring anything: a file whose line waits has nothing to say before that has gone.
    const bool open = std::any_of(inputs.begin(), inputs.end(), [](const auto& input) {
        return !input->ended && (input->at_barrier || !input->has_head || !input->reader->source().is_regular());
    });
    for (const auto& input : inputs) {
        // Where the end is a pause, the next call may bring what is older.
        if (input->ended ? !is_pause() : input->reader->source().is_regular() && !input->at_barrier) continue;
        if (input->has_head && !input->at_barrier) continue;
        const auto i = static_cast<std::uint32_t>(input->index);
        const bool could_be_older =
            (best != nullptr || from_queue) ? i != index && (input->newest < key || (input->newest == key && i < index))
                                            : !input->ended;
        if (could_be_older && !is_idle(*input)) return open ? Merged::wait : Merged::done;
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

Result<bool> Pump::Impl::next_in_batch(Input& input, Event& event) {
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
        if (is_controlled()) [[unlikely]] {
            auto ours = take_control_line(input, event.raw);
            if (!ours) return pass_on(ours);
            if (*ours && (input.at_barrier || input.control_ended || is_ended_by_run())) return false;
            if (*ours) continue;
            tell_new();
        }
        auto usable = timed(input, event);
        if (!usable) return pass_on(usable);
        if (!*usable) continue;
        event.position = position++;
        if (sample_event.empty()) sample_event = event.raw.substr(0, 1 << 16);
        if (is_joined() && input.sample.empty()) input.sample = event.raw.substr(0, 1 << 16);
        newest = std::max(newest, event.time);
        if (position == fields_judged_after && is_joined()) judge_fields();
        input.newest = std::max(input.newest, event.time);
        return true;
    }
}

Result<void> Pump::Impl::refill_head(Input& input) {
    while (!input.has_head && !input.ended && !input.at_barrier && !is_ended_by_run()) {
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

Result<bool> Pump::Impl::step_into_queue(Input& input) {
    if (!input.in_batch) {
        auto filled = fill_for_merge(input);
        if (!filled || !*filled) return filled;
    }
    Event event;
    for (;;) {
        auto found = next_in_batch(input, event);
        if (!found) return pass_on(found);
        if (!*found) return true;
        STREAM_TRY(queue->push({input.newest, static_cast<std::uint32_t>(input.index), event.position, event.raw}));
    }
}

Result<bool> Pump::Impl::fill_for_merge(Input& input) {
    STREAM_TRY(after_batch());
    if (input.at_barrier || is_ended_by_run()) return false;  // asked for meanwhile
    auto fill = input.reader->fill();
    if (!fill) return pass_on(fill);
    if (*fill == InputReader::Fill::bad_line) {
        STREAM_TRY(take_bad_line(input));
        return true;
    }
    input.in_batch = *fill == InputReader::Fill::events;
    if (*fill == InputReader::Fill::would_block && ends_when_read(input)) input.ended = true;
    if (*fill == InputReader::Fill::end) {
        if (input.controlled && !input.control_ended) return tl::unexpected<Error>(broken_off(input));
        input.ended = true;
        bytes_in += input.reader->bytes_read();
    }
    return input.in_batch;
}

// Nothing older than what every input has shown is written any more.
Result<void> Pump::Impl::write_merged_watermark() {
    TimeNs least = time_after_all;
    for (const auto& input : inputs) {
        if (!input->ended) least = std::min(least, input->has_head ? input->head_key : input->newest);
    }
    if (!queue->empty()) least = std::min(least, queue->min_time());
    if (least == time_after_all || least == time_before_all) return {};
    least = time_sub(least, plan.lateness);
    if (least <= watermark) return {};
    watermark = least;
    return write_own_watermark();
}

}  // namespace stream
