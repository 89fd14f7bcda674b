// SPDX-License-Identifier: Apache-2.0
#include "ops/window/rolling.hpp"

#include <algorithm>

#include "json/number.hpp"
#include "json/splice.hpp"

namespace stream {

Rolling::Rolling(WindowOptions options, AggregatePlan plan, Keys keys)
    : options_(std::move(options)),
      plan_(std::move(plan)),
      keys_(std::move(keys)),
      results_(options_, plan_, keys_),
      sliding_(options_.kind == WindowKind::sliding),
      element_cost_(sizeof(Element) + plan_.state_bytes() + 24) {}

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

void Rolling::pop_front(Queue& queue) {
    if (queue.front.empty()) {
        // Turn the back stack over: each element takes in all behind it.
        queue.front.reserve(queue.back.size());
        while (!queue.back.empty()) {
            Element element = std::move(queue.back.back());
            queue.back.pop_back();
            if (!queue.front.empty()) {
                [[maybe_unused]] auto merged = plan_.merge(element.states.get(), queue.front.back().states.get());
            }
            queue.front.push_back(std::move(element));
        }
        free_states(queue.back_total);
    }
    Element& oldest = queue.front.back();
    if (plan_.has_increase()) {
        queue.before.resize(plan_.size());
        for (std::size_t i = 0; i < plan_.size(); ++i) {
            if (!oldest.numbers[i].empty()) queue.before[i] = std::move(oldest.numbers[i]);
        }
    }
    free_states(oldest.states);
    queue.front.pop_back();
    --elements_;
    used_ -= std::min(used_, element_cost_);
}

Result<void> Rolling::on_event(int, const Event& event, Sink& sink) {
    const TimeNs time = sliding_ ? event.time : 0;
    if (sliding_ && !waiting_.empty() && waiting_.front().time < time) STREAM_TRY(answer_waiting(sink));
    Element element;
    element.time = time;
    element.states = new_states();
    std::size_t grown = 0;
    auto added = plan_.add(element.states.get(), event, time, grown);
    if (!added) {
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
        used_ += key.size() + sizeof(Queue) + 64;
    }
    Queue& queue = *found->second;
    if (sliding_) {
        const TimeNs oldest = time_sub(time, options_.size_ns);
        while (queue.size() > 0 &&
               (queue.front.empty() ? queue.back.front().time : queue.front.back().time) < oldest) {
            pop_front(queue);
        }
    } else if (queue.size() == options_.rows) {
        pop_front(queue);
    }
    if (queue.back_total == nullptr) queue.back_total = new_states();
    auto merged = plan_.merge(queue.back_total.get(), element.states.get());
    queue.back.push_back(std::move(element));
    queue.newest = time;
    ++elements_;
    used_ += element_cost_ + 2 * grown;
    if (!merged) return merged;
    if (used_ > options_.memory_bytes) {
        return fail(ErrorKind::limit,
                    std::to_string(elements_) + " events in the windows need more than --memory " +
                        std::to_string(options_.memory_bytes >> 20) + "MiB",
                    plan_.advice());
    }
    if (!sliding_) return answer(queue, event, sink);
    waiting_.push_back({&queue, std::string(event.raw), time, event.position});
    return {};
}

Result<void> Rolling::answer(Queue& queue, const Event& event, Sink& sink) {
    States total = new_states();
    Result<void> merged;
    if (!queue.front.empty()) merged = plan_.merge(total.get(), queue.front.back().states.get());
    if (merged && queue.back_total != nullptr) merged = plan_.merge(total.get(), queue.back_total.get());
    if (!merged) {
        free_states(total);
        return merged;
    }
    Bounds bounds{time_sub(event.time, options_.size_ns), event.time, !sliding_};
    Values values;
    if (plan_.has_increase()) queue.before.resize(plan_.size());
    auto written = results_.values(total.get(), bounds, plan_.has_increase() ? &queue.before : nullptr, values);
    free_states(total);
    if (!written) return written;
    line_.assign(event.raw);
    for (std::size_t i = 0; i < plan_.size(); ++i) {
        next_line_.clear();
        append_with_member(next_line_, line_, plan_.name(i), values[i]);
        line_.swap(next_line_);
    }
    sink.begin() += line_;
    sink.end(event.time);
    return {};
}

// All events of one time are there: each sees its peers.
Result<void> Rolling::answer_waiting(Sink& sink) {
    for (const Waiting& waiting : waiting_) {
        const Event event{waiting.raw, waiting.time, waiting.position, nullptr};
        STREAM_TRY(answer(*waiting.queue, event, sink));
    }
    waiting_.clear();
    return {};
}

Result<void> Rolling::on_watermark(TimeNs watermark, Sink& sink) {
    watermark_ = watermark;
    if (!waiting_.empty() && waiting_.front().time < watermark) STREAM_TRY(answer_waiting(sink));
    if (sliding_ && watermark >= next_sweep_ && watermark != time_after_all) {
        sweep();
        next_sweep_ = time_add(watermark, std::max<DurationNs>(options_.size_ns, ns_per_second));
    }
    return {};
}

// Keys that have been silent for longer than a window hold nothing that an event could still see.
void Rolling::sweep() {
    if (plan_.has_increase()) return;
    const TimeNs oldest = time_sub(watermark_, options_.size_ns);
    for (auto entry = by_key_.begin(); entry != by_key_.end();) {
        Queue& queue = *entry->second;
        if (queue.newest >= oldest) {
            ++entry;
            continue;
        }
        while (queue.size() > 0) pop_front(queue);
        free_states(queue.back_total);
        used_ -= std::min(used_, entry->first.size() + sizeof(Queue) + 64);
        by_key_.erase(entry++);
    }
}

Result<void> Rolling::on_end(Sink& sink) { return answer_waiting(sink); }

void Rolling::snapshot(StateWriter& writer) const {
    writer.put_i64(watermark_);
    writer.put_i64(next_sweep_);
    const auto put_element = [&](const Element& element) {
        writer.put_i64(element.time);
        plan_.snapshot(element.states.get(), writer);
        for (const std::string& number : element.numbers) writer.put_bytes(number);
    };
    writer.put_varint(by_key_.size());
    for (const auto& [key, queue] : by_key_) {
        writer.put_bytes(key);
        writer.put_i64(queue->newest);
        writer.put_varint(queue->before.size());
        for (const std::string& value : queue->before) writer.put_bytes(value);
        writer.put_varint(queue->front.size());
        for (const Element& element : queue->front) put_element(element);
        writer.put_varint(queue->back.size());
        for (const Element& element : queue->back) put_element(element);
    }
    writer.put_varint(waiting_.size());
    for (const Waiting& waiting : waiting_) {
        for (const auto& [key, queue] : by_key_) {
            if (queue.get() == waiting.queue) writer.put_bytes(key);
        }
        writer.put_bytes(waiting.raw);
        writer.put_i64(waiting.time);
        writer.put_u64(waiting.position);
    }
}

Result<void> Rolling::restore(StateReader& reader) {
    watermark_ = reader.get_i64();
    next_sweep_ = reader.get_i64();
    const auto more = [&](std::uint64_t& left) { return reader.ok() && left > 0 && left-- > 0; };
    const auto get_element = [&](Element& element) -> Result<void> {
        element.time = reader.get_i64();
        element.states = new_states();
        auto restored = plan_.restore(element.states.get(), reader);
        if (plan_.has_increase()) {
            element.numbers.resize(plan_.size());
            for (std::string& number : element.numbers) number = reader.get_bytes();
        }
        ++elements_;
        used_ += element_cost_ + plan_.heap_bytes(element.states.get());
        return restored;
    };
    for (std::uint64_t keys = reader.get_varint(); more(keys);) {
        Queue& queue = *by_key_.emplace(std::string(reader.get_bytes()), std::make_unique<Queue>()).first->second;
        used_ += sizeof(Queue) + 64;
        queue.newest = reader.get_i64();
        for (std::uint64_t values = reader.get_varint(); more(values);) queue.before.emplace_back(reader.get_bytes());
        for (std::uint64_t left = reader.get_varint(); more(left);) STREAM_TRY(get_element(queue.front.emplace_back()));
        for (std::uint64_t left = reader.get_varint(); more(left);) {
            Element& element = queue.back.emplace_back();
            STREAM_TRY(get_element(element));
            if (queue.back_total == nullptr) queue.back_total = new_states();
            STREAM_TRY(plan_.merge(queue.back_total.get(), element.states.get()));
        }
    }
    for (std::uint64_t left = reader.get_varint(); more(left);) {
        const auto found = by_key_.find(reader.get_bytes());
        if (found == by_key_.end()) return fail(ErrorKind::corrupt, "the saved state names a key it does not have");
        Waiting waiting{found->second.get(), std::string(reader.get_bytes()), reader.get_i64(), reader.get_u64()};
        waiting_.push_back(std::move(waiting));
    }
    return reader.check("the rows");
}

void Rolling::append_stats(std::string& out) const {
    out += ",\"keys\":";
    append_uint64(out, by_key_.size());
    out += ",\"events_held\":";
    append_uint64(out, elements_);
    out += ",\"memory\":";
    append_uint64(out, used_);
}

}  // namespace stream
