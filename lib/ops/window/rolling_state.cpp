// SPDX-License-Identifier: Apache-2.0
// Snapshots and counters of `sliding` and `rows`.

#include "base/hash_map.hpp"
#include "json/number.hpp"
#include "ops/window/costs.hpp"
#include "ops/window/rolling.hpp"

namespace stream {

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
    HashMap<const Queue*, std::string_view> keys;
    if (!waiting_.empty()) {
        for (const auto& [key, queue] : by_key_) keys.emplace(queue.get(), key);
    }
    for (const Waiting& waiting : waiting_) {
        writer.put_bytes(keys.at(waiting.queue));
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
        used_ += cost_of(element);
        return restored;
    };
    for (std::uint64_t keys = reader.get_varint(); more(keys);) {
        const std::string key(reader.get_bytes());
        Queue& queue = *by_key_.emplace(key, std::make_unique<Queue>()).first->second;
        used_ += cost_of_key(key) + sizeof(Queue);
        queue.newest = reader.get_i64();
        for (std::uint64_t values = reader.get_varint(); more(values);)
            queue.before.emplace_back(reader.get_bytes());
        for (std::uint64_t left = reader.get_varint(); more(left);)
            STREAM_TRY(get_element(queue.front.emplace_back()));
        for (std::uint64_t left = reader.get_varint(); more(left);) {
            Element& element = queue.back.emplace_back();
            STREAM_TRY(get_element(element));
            if (plan_.is_heavy()) continue;
            if (queue.back_total == nullptr) queue.back_total = new_states();
            STREAM_TRY(plan_.merge(queue.back_total.get(), element.states.get()));
        }
        used_ += cost_of_total(queue.back_total);
    }
    for (std::uint64_t left = reader.get_varint(); more(left);) {
        const auto found = by_key_.find(reader.get_bytes());
        if (found == by_key_.end())
            return fail(ErrorKind::corrupt, "the saved state names a key it does not have");
        Waiting waiting{found->second.get(), std::string(reader.get_bytes()), reader.get_i64(),
                        reader.get_u64()};
        used_ += sizeof(Waiting) + waiting.raw.size();
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
