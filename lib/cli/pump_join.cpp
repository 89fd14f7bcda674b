// SPDX-License-Identifier: Apache-2.0
// Several inputs in one order of event time, each judged by its own watermark (joins).
#include "cli/pump_impl.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "cli/signals.hpp"

namespace stream {

// No event of the input with a lesser time will be taken any more.
TimeNs Pump::Impl::watermark_of(const Input& input) const {
    if (input.ended && !is_pause()) return time_after_all;
    // A pause: its open ends stay open.
    if (is_controlled() && input.control_ended && !input.drain && input.given == time_before_all && input.newest == time_before_all) return time_before_all;
    if (input.controlled && input.given != time_before_all && input.given_field == merged_times[static_cast<std::size_t>(input.index)].field()) {
        const PumpPlan::JoinedInput& how = plan.joined[static_cast<std::size_t>(input.index)];
        if (!how.lateness_given && plan.max_ahead <= 0) return input.given;
        if (how.lateness_all || input.newest == time_before_all) return time_before_all;
        return std::min(input.given, time_sub(input.newest, how.lateness));
    }
    if (input.newest == time_before_all || plan.joined[static_cast<std::size_t>(input.index)].lateness_all) return time_before_all;
    return time_sub(input.newest, plan.joined[static_cast<std::size_t>(input.index)].lateness);
}

// Whether its lines come in the order they are taken: no older one is waited for, and a file is not read ahead.
bool Pump::Impl::goes_by_head(const Input& input) const {
    const PumpPlan::JoinedInput& how = plan.joined[static_cast<std::size_t>(input.index)];
    return input.reader->source().is_regular() && how.lateness == 0 && !how.lateness_all && !is_pause();
}

Result<void> Pump::Impl::run_joined() {
    for (std::size_t i = 0; i < plan.files.size(); ++i) {
        auto opened = open_input(static_cast<int>(i), plan.files[i]);
        if (!opened) return pass_on(opened);
        inputs.push_back(std::move(*opened));
        if (i < joined_newest.size()) inputs.back()->newest = joined_newest[i];
    }
    for (const auto& input : inputs) {
        if (!plan.joined[static_cast<std::size_t>(input->index)].first) continue;
        reading_whole = input->is_static;
        STREAM_TRY(read_whole(*input));
        reading_whole = false;
        STREAM_TRY(check_static(*input));
    }
    if (plan.as_they_come) {
        STREAM_TRY(deliver_arrivals());
        tell_ended();
        return run_unordered();
    }
    while (!is_stopped() && !op->is_done() && !is_ended_by_run()) {
        if (is_controlled()) STREAM_TRY(take_ahead());
        for (const auto& input : inputs) {
            if (goes_by_head(*input)) STREAM_TRY(refill_joined(*input));
        }
        Input* blocks = nullptr;
        auto gone = join_one(blocks);
        if (!gone) return pass_on(gone);
        if (*gone == Merged::done) return is_pause() ? keep_heads() : Result<void>{};
        if (*gone == Merged::wrote) {
            if (plan.line_buffered) STREAM_TRY(flush());
            if (is_controlled()) STREAM_TRY(tell_joined_watermark());
            continue;
        }
        STREAM_TRY(tell_joined_watermark());
        // Pipes are read while anything is waited for, so that no writer is held up by another; of files only what is
        // needed.
        bool any = false;
        for (const auto& input : inputs) {
            if (input->ended || input->at_barrier || goes_by_head(*input)) continue;
            const bool all = is_pause() && blocks == nullptr;  // what waits for the next call waits in the queue
            if (input->reader->source().is_regular() && input.get() != blocks && !all) continue;
            auto more = step_into_order(*input);
            if (!more) return pass_on(more);
            if (*more) input->heard_ns = clock_ns(CLOCK_MONOTONIC);
            any = any || *more || input->ended;
        }
        tell_ended();
        if (any) {
            heard_ns = 0;
            continue;
        }
        STREAM_TRY(op->on_caught_up(sink));
        auto waited = wait_for_inputs();
        if (!waited) return pass_on(waited);
        if (!*waited) stopped = true;
    }
    return {};
}

// An input that is there before the others: in the order of its lines, whatever their times.
Result<void> Pump::Impl::read_whole(Input& input) {
    while (!input.ended && !is_stopped()) {
        auto more = step(input);
        if (!more) return pass_on(more);
        if (*more || input.ended) continue;
        if (plan.joined[static_cast<std::size_t>(input.index)].follow) return {};
        // What other pipes bring meanwhile waits here, so that their writers are not held up.
        bool any = false;
        for (const auto& other : inputs) {
            if (other.get() == &input || other->ended || other->reader->source().is_regular()) continue;
            auto theirs = step_into_order(*other, true);
            if (!theirs) return pass_on(theirs);
            any = any || *theirs || other->ended;
        }
        if (any) continue;
        auto waited = wait_for_inputs();
        if (!waited) return pass_on(waited);
        if (!*waited) stopped = true;
    }
    return {};
}

// Each line as it comes.
Result<void> Pump::Impl::run_unordered() {
    while (!is_stopped() && !op->is_done() && !is_ended_by_run()) {
        if (is_controlled()) STREAM_TRY(take_ahead());
        bool any = false;
        bool open = false;
        for (const auto& input : inputs) {
            if (input->ended || input->control_ended) continue;
            open = open || input->at_barrier;
            if (input->at_barrier) continue;
            auto more = step(*input);
            if (!more) return pass_on(more);
            any = any || *more;
            open = open || !input->ended;
        }
        tell_ended();
        if (any) continue;
        if (!open) return {};
        STREAM_TRY(op->on_caught_up(sink));
        auto waited = wait_for_inputs();
        if (!waited) return pass_on(waited);
        if (!*waited) stopped = true;
    }
    return {};
}

// The next usable event that is not late.
Result<bool> Pump::Impl::next_in_time(Input& input, Event& event) {
    for (;;) {
        const TimeNs before = input.newest;
        auto found = next_in_batch(input, event);
        if (!found || !*found) return found;
        const TimeNs newest_now = input.newest;
        input.newest = before;
        // After --idle others may have gone on without it.
        const TimeNs own = std::max({watermark_of(input), clock_watermark, handed});
        input.newest = newest_now;
        if (event.time >= own) return true;
        sink.set_newest(input.newest);
        const DurationNs missing = time_sub(own, event.time);
        late_enough = std::max(late_enough, time_add(missing, plan.joined[static_cast<std::size_t>(input.index)].lateness));
        sink.late(event, missing);
    }
}

Result<void> Pump::Impl::refill_joined(Input& input) {
    while (!input.has_head && !input.ended && !input.at_barrier && !is_ended_by_run()) {
        if (input.in_batch) {
            auto found = next_in_time(input, input.head);
            if (!found) return pass_on(found);
            if (!*found) continue;
            input.has_head = true;
            input.head_key = input.head.time;
            continue;
        }
        auto filled = fill_for_merge(input);
        if (!filled) return pass_on(filled);
    }
    return {};
}

// By arrival: for an input whose events' times order nothing.
Result<bool> Pump::Impl::step_into_order(Input& input, bool by_arrival) {
    if (!input.in_batch) {
        auto filled = fill_for_merge(input);
        if (!filled || !*filled) return filled;
    }
    Event event;
    for (;;) {
        auto found = by_arrival ? next_in_batch(input, event) : next_in_time(input, event);
        if (!found) return pass_on(found);
        if (!*found) return true;
        STREAM_TRY(queue->push({by_arrival ? static_cast<TimeNs>(event.position) : event.time, order_of(input.index), event.position, event.raw}));
    }
}

// The least event by (time, input, position), if nothing before it can come any more. `blocks`: a file that may
// still hold one.
Result<Pump::Impl::Merged> Pump::Impl::join_one(Input*& blocks) {
    Input* best = nullptr;
    for (const auto& input : inputs) {
        if (!input->has_head || input->at_barrier) continue;
        if (best == nullptr || input->head_key < best->head_key || (input->head_key == best->head_key && order_of(input->index) < order_of(best->index))) {
            best = input.get();
        }
    }
    TimeNs key = best != nullptr ? best->head_key : time_after_all;
    std::uint32_t order = best != nullptr ? order_of(best->index) : UINT32_MAX;
    bool from_queue = false;
    if (!queue->empty()) {
        const auto next = queue->min_key();
        if (next.time < key || (next.time == key && next.input < order)) {
            from_queue = true;
            key = next.time;
            order = next.input;
        }
    }
    bool open = false;
    TimeNs least = time_after_all;
    bool wait = false;
    for (const auto& input : inputs) {
        if (input->ended && !is_pause()) continue;
        open = open || !input->ended;
        if ((input->has_head && !input->at_barrier) || (!input->ended && !input->reader->source().is_regular() && is_idle(*input))) continue;
        const TimeNs own = watermark_of(*input);
        if (best != nullptr || from_queue) {
            if (own > key || (own == key && order_of(input->index) >= order)) continue;
        }
        wait = true;
        if (!input->ended && !input->at_barrier && input->reader->source().is_regular() && (blocks == nullptr || own < least)) {
            least = own;
            blocks = input.get();
        }
    }
    if (wait) return open ? Merged::wait : Merged::done;
    if (best == nullptr && !from_queue) return open ? Merged::wait : Merged::done;
    if (from_queue) {
        auto waiting = queue->pop();
        if (!waiting) return pass_on(waiting);
        QueuedEvent event = *waiting;
        event.input = order_of(static_cast<int>(event.input));  // its own inverse
        handed = std::max(handed, event.time);
        STREAM_TRY(deliver_copy(event));
        STREAM_TRY(sink.take_failure());
        return Merged::wrote;
    }
    handed = std::max(handed, best->head.time);
    auto used = deliver(*best, best->head);
    if (!used) return pass_on(used);
    best->has_head = false;
    return Merged::wrote;
}

// What the operator may rely on while it waits.
Result<void> Pump::Impl::tell_joined_watermark() {
    TimeNs least = time_after_all;
    for (const auto& input : inputs) {
        if (plan.joined[static_cast<std::size_t>(input->index)].first) continue;
        if (!input->ended && is_idle(*input)) continue;
        least = std::min(least, input->has_head ? input->head_key : watermark_of(*input));
    }
    if (!queue->empty()) least = std::min(least, queue->min_time());
    if (least <= watermark || least == time_after_all) return {};
    watermark = least;
    STREAM_TRY(op->on_watermark(least, sink));
    return is_controlled() ? write_own_watermark() : Result<void>{};
}

// Which inputs have ended, once all they brought is delivered.
void Pump::Impl::tell_ended() {
    if (!queue->empty()) return;
    for (const auto& input : inputs) {
        if (!input->ended || input->has_head || input->told_end) continue;
        input->told_end = true;
        op->on_input_end(input->index);
    }
}

// What waited while another input was read whole.
Result<void> Pump::Impl::deliver_arrivals() {
    while (!queue->empty() && !is_stopped()) {
        auto waiting = queue->pop();
        if (!waiting) return pass_on(waiting);
        QueuedEvent event = *waiting;
        event.input = order_of(static_cast<int>(event.input));
        STREAM_TRY(deliver_copy(event));
        STREAM_TRY(sink.take_failure());
    }
    return {};
}

// A pause: lines of files that were looked at and wait for their turn.
Result<void> Pump::Impl::keep_heads() {
    for (const auto& input : inputs) {
        if (!input->has_head) continue;
        STREAM_TRY(queue->push({input->head.time, order_of(input->index), input->head.position, input->head.raw}));
        input->has_head = false;
    }
    return {};
}

// Each input's fields by its own events.
void Pump::Impl::judge_joined() {
    for (const auto& input : inputs) {
        const PumpPlan::JoinedInput& how = plan.joined[static_cast<std::size_t>(input->index)];
        if (input->sample.empty()) continue;
        for (std::size_t i = 0; i < how.operator_fields; ++i) {
            if (how.fields->seen(i)) continue;
            diagnostics.say("no event of " + input->reader->name() + " had a field " + stream::quoted(how.fields->name(i)));
            const auto names = member_names(input->sample, 20);
            std::string hint = "the members there are: ";
            for (std::size_t n = 0; n < names.size(); ++n) hint += (n == 0 ? "" : ", ") + names[n];
            if (!names.empty()) diagnostics.hint(hint);
        }
    }
}

}  // namespace stream
