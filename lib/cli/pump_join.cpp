// SPDX-License-Identifier: Apache-2.0
// Several inputs in one order of event time, each judged by its own watermark (joins).
#include "cli/pump_impl.hpp"

#include <algorithm>

#include "cli/signals.hpp"

namespace stream {

// No event of the input with a lesser time will be taken any more.
TimeNs Pump::Impl::watermark_of(const Input& input) const {
    if (input.ended) return time_after_all;
    if (input.newest == time_before_all || plan.joined[static_cast<std::size_t>(input.index)].lateness_all) return time_before_all;
    return time_sub(input.newest, plan.joined[static_cast<std::size_t>(input.index)].lateness);
}

// Whether its lines come in the order they are taken: no older one is waited for, and a file is not read ahead.
bool Pump::Impl::goes_by_head(const Input& input) const {
    const PumpPlan::JoinedInput& how = plan.joined[static_cast<std::size_t>(input.index)];
    return input.reader->source().is_regular() && how.lateness == 0 && !how.lateness_all;
}

Result<void> Pump::Impl::run_joined() {
    for (std::size_t i = 0; i < plan.files.size(); ++i) {
        auto opened = open_input(static_cast<int>(i), plan.files[i]);
        if (!opened) return pass_on(opened);
        inputs.push_back(std::move(*opened));
        if (i < joined_newest.size()) inputs.back()->newest = joined_newest[i];
    }
    for (const auto& input : inputs) {
        if (plan.joined[static_cast<std::size_t>(input->index)].first) STREAM_TRY(read_whole(*input));
    }
    if (plan.as_they_come) return run_unordered();
    while (!is_stopped() && !op.is_done()) {
        for (const auto& input : inputs) {
            if (goes_by_head(*input)) STREAM_TRY(refill_joined(*input));
        }
        Input* blocks = nullptr;
        auto gone = join_one(blocks);
        if (!gone) return pass_on(gone);
        if (*gone == Merged::done) return {};
        if (*gone == Merged::wrote) continue;
        STREAM_TRY(tell_joined_watermark());
        // Pipes are read while anything is waited for, so that no writer is held up by another; of files only what is
        // needed.
        bool any = false;
        for (const auto& input : inputs) {
            if (input->ended || goes_by_head(*input)) continue;
            if (input->reader->source().is_regular() && input.get() != blocks) continue;
            auto more = step_into_order(*input);
            if (!more) return pass_on(more);
            if (*more) input->heard_ns = clock_ns(CLOCK_MONOTONIC);
            any = any || *more || input->ended;
        }
        if (any) continue;
        STREAM_TRY(op.on_caught_up(sink));
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
        auto waited = wait_for_inputs();
        if (!waited) return pass_on(waited);
        if (!*waited) stopped = true;
    }
    return {};
}

// Each line as it comes.
Result<void> Pump::Impl::run_unordered() {
    while (!is_stopped() && !op.is_done()) {
        bool any = false;
        bool open = false;
        for (const auto& input : inputs) {
            if (input->ended) continue;
            auto more = step(*input);
            if (!more) return pass_on(more);
            any = any || *more;
            open = open || !input->ended;
        }
        if (any) continue;
        if (!open) return {};
        STREAM_TRY(op.on_caught_up(sink));
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
        const TimeNs own = watermark_of(input);
        input.newest = newest_now;
        if (event.time >= own) return true;
        sink.late(event, time_sub(own, event.time));
    }
}

Result<void> Pump::Impl::refill_joined(Input& input) {
    while (!input.has_head && !input.ended) {
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

Result<bool> Pump::Impl::step_into_order(Input& input) {
    auto filled = fill_for_merge(input);
    if (!filled || !*filled) return filled;
    Event event;
    for (;;) {
        auto found = next_in_time(input, event);
        if (!found) return pass_on(found);
        if (!*found) return true;
        STREAM_TRY(queue->push({event.time, order_of(input.index), event.position, event.raw}));
    }
}

// The least event by (time, input, position), if nothing before it can come any more. `blocks`: a file that may
// still hold one.
Result<Pump::Impl::Merged> Pump::Impl::join_one(Input*& blocks) {
    Input* best = nullptr;
    for (const auto& input : inputs) {
        if (!input->has_head) continue;
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
        if (input->ended) continue;
        open = true;
        if (goes_by_head(*input) || is_idle(*input)) continue;
        const TimeNs own = watermark_of(*input);
        if (best != nullptr || from_queue) {
            if (own > key || (own == key && order_of(input->index) >= order)) continue;
        }
        wait = true;
        if (input->reader->source().is_regular() && (blocks == nullptr || own < least)) {
            least = own;
            blocks = input.get();
        }
    }
    if (wait) return Merged::wait;
    if (best == nullptr && !from_queue) return open ? Merged::wait : Merged::done;
    if (from_queue) {
        auto waiting = queue->pop();
        if (!waiting) return pass_on(waiting);
        QueuedEvent event = *waiting;
        event.input = order_of(static_cast<int>(event.input));  // its own inverse
        STREAM_TRY(deliver_copy(event));
        STREAM_TRY(sink.take_failure());
        return Merged::wrote;
    }
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
        least = std::min(least, input->has_head ? input->head_key : watermark_of(*input));
    }
    if (!queue->empty()) least = std::min(least, queue->min_time());
    if (least <= watermark || least == time_after_all) return {};
    watermark = least;
    return op.on_watermark(least, sink);
}

}  // namespace stream
