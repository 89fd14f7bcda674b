// SPDX-License-Identifier: Apache-2.0
// The growth of a counter that restarts from 0 now and then: in the order of (time, position) each
// value adds what it is above the one before, or all of itself where it is below.
#include <algorithm>

#include "json/number.hpp"
#include "ops/aggregates/exact.hpp"
#include "ops/aggregates/exact_sum.hpp"
#include "ops/aggregates/number_cells.hpp"
#include "ops/aggregates/on_heap.hpp"

namespace stream {
namespace {

struct Readings {
    struct Entry {
        EventPlace place;
        NumberCells::Cell cell = 0;
    };
    NumberCells numbers;
    std::vector<Entry> entries;
    bool sorted = true;

    void add(EventPlace place, NumberCells::Cell cell) {
        if (!entries.empty() && place < entries.back().place) sorted = false;
        entries.push_back({place, cell});
    }
    void sort() {
        const auto earlier = [](const Entry& a, const Entry& b) { return a.place < b.place; };
        if (!sorted) std::sort(entries.begin(), entries.end(), earlier);
        sorted = true;
    }

    void merge(const Readings& other) {
        for (const Entry& entry : other.entries)
            add(entry.place, numbers.store_from(other.numbers, entry.cell));
    }
    void snapshot(StateWriter& writer) const {
        numbers.snapshot(writer);
        writer.put_varint(entries.size());
        for (const Entry& entry : entries) {
            writer.put_i64(entry.place.time);
            writer.put_u64(entry.place.position);
            writer.put_f64(entry.cell);
        }
    }
    bool restore(StateReader& reader) {
        numbers.restore(reader);
        for (std::uint64_t count = reader.get_varint(); count > 0 && reader.ok(); --count) {
            const TimeNs time = reader.get_i64();
            const std::uint64_t position = reader.get_u64();
            const double cell = reader.get_f64();
            if (!numbers.is_valid(cell)) return false;
            add({time, position}, cell);
        }
        return reader.ok();
    }
    std::size_t heap_bytes() const { return numbers.heap_bytes() + entries.capacity() * sizeof(Entry); }
};

class Increase final : public HeapAggregate<Readings> {
public:
    using HeapAggregate::HeapAggregate;

    Result<void> add(std::byte* state, const AggregateInput& input) const override {
        const Value& value = input.value;
        if (value.is_nothing()) return {};
        if (value.type != Type::number) return wants_numbers(value);
        if (!is_summable(value.text)) return out_of_range(value.text);
        Readings& body = make_body(state);
        body.add(place_of(input), body.numbers.store(value.text));
        return {};
    }

    // Neighbours cancel out: what remains is the last value, less the one at the start, and at each
    // restart the one before it.
    Result<void> write(const std::byte* state, const WindowSpan& window, std::string& out) const override {
        Readings* body = body_of(state);
        if (body == nullptr || body->entries.empty()) {
            out.append("null");
            return {};
        }
        body->sort();
        const NumberCells& numbers = body->numbers;
        const auto& entries = body->entries;
        ScopedSum growth;
        ScopedSum start;
        const std::string first = numbers.text(entries.front().cell);
        if (window.before.empty()) {
            start.add(first);
        } else {
            start.add(window.before);
            if (compare_numbers(first, window.before) < 0) growth.add(window.before);
        }
        for (std::size_t i = 1; i < entries.size(); ++i) {
            if (numbers.compare(entries[i].cell, entries[i - 1].cell) < 0)
                growth.add(numbers.text(entries[i - 1].cell));
        }
        growth.add(numbers.text(entries.back().cell));
        growth.subtract(start);
        growth.append_to(out);
        return {};
    }

    std::string last_number(const std::byte* state) const override {
        Readings* body = body_of(state);
        if (body == nullptr || body->entries.empty()) return {};
        body->sort();
        return body->numbers.text(body->entries.back().cell);
    }
};

}  // namespace

std::unique_ptr<Aggregate> make_increase(const AggregateSpec& spec) {
    return std::make_unique<Increase>(spec);
}

}  // namespace stream
