// SPDX-License-Identifier: Apache-2.0
// Events, queues and answers; snapshots are in rolling_state.cpp.
#include "ops/window/rolling.hpp"

#include "base/text.hpp"
#include "json/splice.hpp"
#include "ops/window/costs.hpp"

#include <algorithm>

namespace stream {

Rolling::Rolling(WindowOptions options, AggregatePlan plan, Keys keys)
    : options_(std::move(options)),
      plan_(std::move(plan)),
      keys_(std::move(keys)),
      results_(options_, plan_, keys_),
      sliding_(options_.kind == WindowKind::sliding) {}

Rolling::~Rolling() {
    for (auto& [key, queue] : by_key_) {
        for (Element& element : queue->front) free_states(element.states);
        for (Element& element : queue->back) free_states(element.states);
        free_states(queue->back_total);
    }
}

Rolling::States Rolling::new_states() const {
    auto states = std::make_unique_for_overwrite<std::byte[]>(plan_.state_bytes() + 8);
    plan_.init(states.get());
    return states;
}

void Rolling::free_states(States& states) const {
    if (states == nullptr) return;
    plan_.destroy(states.get());
    states.reset();
}

std::size_t Rolling::cost_of_total(const States& states) const {
    if (states == nullptr) return 0;
    return plan_.state_bytes() + 24 + (plan_.has_heap() ? plan_.heap_bytes(states.get()) : 0);
}

std::size_t Rolling::cost_of(const Element& element) const {
    return sizeof(Element) + cost_of_total(element.states) + element.numbers.size() * sizeof(std::string);
}

// --- the queue ---------------------------------------------------------------------------------

Result<void> Rolling::add(Queue& queue, Element element) {
    Result<void> merged;
    if (!plan_.is_heavy()) {
        used_ -= cost_of_total(queue.back_total);
        if (queue.back_total == nullptr) queue.back_total = new_states();
        merged = plan_.merge(queue.back_total.get(), element.states.get());
        used_ += cost_of_total(queue.back_total);
    }
    used_ += cost_of(element);
    queue.newest = element.time;
    queue.back.push_back(std::move(element));
    ++elements_;
    return merged;
}

// The back stack becomes the front one: each element takes in all behind it.
Result<void> Rolling::turn_over(Queue& queue) {
    queue.front.reserve(queue.back.size());
    used_ -= cost_of_total(queue.back_total);
    free_states(queue.back_total);
    Result<void> merged;
    while (!queue.back.empty()) {
        Element element = std::move(queue.back.back());
        queue.back.pop_back();
        if (!plan_.is_heavy() && !queue.front.empty() && merged) {
            used_ -= cost_of(element);
            merged = plan_.merge(element.states.get(), queue.front.back().states.get());
            used_ += cost_of(element);
        }
        queue.front.push_back(std::move(element));
    }
    return merged;
}

Result<void> Rolling::pop_front(Queue& queue) {
    if (queue.front.empty()) STREAM_TRY(turn_over(queue));
    Element& oldest = queue.front.back();
    used_ -= cost_of(oldest);
    if (plan_.has_increase()) {
        queue.before.resize(plan_.size());
        for (std::size_t i = 0; i < plan_.size(); ++i) {
            if (!oldest.numbers[i].empty()) queue.before[i] = std::move(oldest.numbers[i]);
        }
    }
    free_states(oldest.states);
    queue.front.pop_back();
    --elements_;
    return {};
}

Result<void> Rolling::total(const Queue& queue, States& into) const {
    if (plan_.is_heavy()) {
        for (auto element = queue.front.rbegin(); element != queue.front.rend(); ++element) {
            STREAM_TRY(plan_.merge(into.get(), element->states.get()));
        }
        for (const Element& element : queue.back) STREAM_TRY(plan_.merge(into.get(), element.states.get()));
        return {};
    }
    if (!queue.front.empty()) STREAM_TRY(plan_.merge(into.get(), queue.front.back().states.get()));
    if (queue.back_total != nullptr) STREAM_TRY(plan_.merge(into.get(), queue.back_total.get()));
    return {};
}

// --- events ------------------------------------------------------------------------------------

Result<void> Rolling::on_event(int, const Event& event, Sink& sink) {
    const TimeNs time = sliding_ ? event.time : 0;  // rows go by arrival
    if (sliding_ && !waiting_.empty() && waiting_.front().time < time) STREAM_TRY(answer_waiting(sink));
    Element element;
    element.time = time;
    element.states = new_states();
    std::size_t heap = 0;
    if (auto added = plan_.add(element.states.get(), event, time, heap); !added) {
        free_states(element.states);
        return added;
    }
    if (plan_.has_increase()) {
        element.numbers.resize(plan_.size());
        for (std::size_t i = 0; i < plan_.size(); ++i) {
            if (plan_.is_increase(i)) element.numbers[i] = plan_.last_number(i, element.states.get());
        }
    }
    const std::string_view key = keys_.empty() ? std::string_view() : keys_.bytes(event.values, scratch_);
    auto found = by_key_.find(key);
    if (found == by_key_.end()) {
        found = by_key_.emplace(std::string(key), std::make_unique<Queue>()).first;
        used_ += cost_of_key(key) + sizeof(Queue);
    }
    Queue& queue = *found->second;
    if (sliding_) {
        const TimeNs oldest = time_sub(time, options_.size_ns);
        while (queue.size() > 0 && queue.oldest().time < oldest) STREAM_TRY(pop_front(queue));
    } else if (queue.size() == options_.rows) {
        STREAM_TRY(pop_front(queue));
    }
    STREAM_TRY(add(queue, std::move(element)));
    if (used_ > options_.memory_bytes) {
        return fail(ErrorKind::limit,
                    std::to_string(elements_) + " events in the windows need more than --memory " +
                        format_size(options_.memory_bytes),
                    plan_.advice());
    }
    if (!sliding_) {
        Values values;
        STREAM_TRY(answer(queue, event.time, values));
        write(event.raw, event.time, values, sink);
        return {};
    }
    waiting_.push_back({&queue, std::string(event.raw), time, event.position});
    used_ += sizeof(Waiting) + event.raw.size();
    return {};
}

Result<void> Rolling::answer(Queue& queue, TimeNs time, Values& values) {
    States all = new_states();
    auto summed = total(queue, all);
    if (summed) {
        if (plan_.has_increase()) queue.before.resize(plan_.size());
        const Bounds bounds{time_sub(time, options_.size_ns), time, !sliding_};
        summed = results_.values(all.get(), bounds, plan_.has_increase() ? &queue.before : nullptr, values);
    }
    free_states(all);
    return summed;
}

void Rolling::write(std::string_view raw, TimeNs time, const Values& values, Sink& sink) {
    line_.assign(raw);
    for (std::size_t i = 0; i < plan_.size(); ++i) {
        next_line_.clear();
        append_with_member(next_line_, line_, plan_.name(i), values[i]);
        line_.swap(next_line_);
    }
    sink.begin() += line_;
    sink.end(time);
}

// All events of one time are there: each sees its peers.
Result<void> Rolling::answer_waiting(Sink& sink) {
    const Queue* answered = nullptr;
    Values values;
    for (const Waiting& waiting : waiting_) {
        if (waiting.queue != answered) STREAM_TRY(answer(*waiting.queue, waiting.time, values));
        answered = waiting.queue;
        write(waiting.raw, waiting.time, values, sink);
        used_ -= sizeof(Waiting) + waiting.raw.size();
    }
    waiting_.clear();
    return {};
}

Result<void> Rolling::on_watermark(TimeNs watermark, Sink& sink) {
    watermark_ = watermark;
    if (!waiting_.empty() && waiting_.front().time < watermark) STREAM_TRY(answer_waiting(sink));
    if (sliding_ && watermark >= next_sweep_) {
        STREAM_TRY(sweep());
        next_sweep_ = time_add(watermark, std::max<DurationNs>(options_.size_ns, ns_per_second));
    }
    return {};
}

// Keys that have been silent for longer than a window hold nothing that an event could still see.
Result<void> Rolling::sweep() {
    if (plan_.has_increase()) return {};
    const TimeNs oldest = time_sub(watermark_, options_.size_ns);
    for (auto entry = by_key_.begin(); entry != by_key_.end();) {
        Queue& queue = *entry->second;
        if (queue.newest >= oldest) {
            ++entry;
            continue;
        }
        while (queue.size() > 0) STREAM_TRY(pop_front(queue));
        used_ -= cost_of_total(queue.back_total) + cost_of_key(entry->first) + sizeof(Queue);
        free_states(queue.back_total);
        by_key_.erase(entry++);
    }
    return {};
}

Result<void> Rolling::on_end(Sink& sink) { return answer_waiting(sink); }

}  // namespace stream
