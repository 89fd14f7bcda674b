// SPDX-License-Identifier: Apache-2.0
// All values, or whole events, as an array in the order of (time, position).
#include <algorithm>

#include "ops/aggregates/exact.hpp"
#include "ops/aggregates/on_heap.hpp"

namespace stream {
namespace {

struct Texts {
    struct Entry {
        EventPlace place;
        std::size_t begin = 0;  // in `bytes`
        std::size_t size = 0;
    };
    std::string bytes;
    std::vector<Entry> entries;
    bool sorted = true;

    void add(std::string_view text, EventPlace place) {
        if (!entries.empty() && place < entries.back().place) sorted = false;
        entries.push_back({place, bytes.size(), text.size()});
        bytes.append(text);
    }
    std::string_view text(const Entry& entry) const {
        return std::string_view(bytes).substr(entry.begin, entry.size);
    }
    void sort() {
        const auto earlier = [](const Entry& a, const Entry& b) { return a.place < b.place; };
        if (!sorted) std::sort(entries.begin(), entries.end(), earlier);
        sorted = true;
    }

    void merge(const Texts& other) {
        for (const Entry& entry : other.entries) add(other.text(entry), entry.place);
    }
    void snapshot(StateWriter& writer) const {
        writer.put_varint(entries.size());
        for (const Entry& entry : entries) {
            writer.put_i64(entry.place.time);
            writer.put_u64(entry.place.position);
            writer.put_bytes(text(entry));
        }
    }
    bool restore(StateReader& reader) {
        for (std::uint64_t count = reader.get_varint(); count > 0 && reader.ok(); --count) {
            const TimeNs time = reader.get_i64();
            const std::uint64_t position = reader.get_u64();
            add(reader.get_bytes(), {time, position});
        }
        return reader.ok();
    }
    std::size_t heap_bytes() const { return bytes.capacity() + entries.capacity() * sizeof(Entry); }
};

class Collect final : public HeapAggregate<Texts> {
public:
    using HeapAggregate::HeapAggregate;

    Result<void> add(std::byte* state, const AggregateInput& input) const override {
        if (!has_field()) {
            make_body(state).add(input.event, place_of(input));
        } else if (!input.value.is_nothing()) {
            make_body(state).add(input.value.text, place_of(input));
        }
        return {};
    }
    Result<void> write(const std::byte* state, const WindowSpan&, std::string& out) const override {
        out.push_back('[');
        if (Texts* body = body_of(state)) {
            body->sort();
            for (const Texts::Entry& entry : body->entries) {
                if (&entry != body->entries.data()) out.push_back(',');
                out.append(body->text(entry));
            }
        }
        out.push_back(']');
        return {};
    }
};

}  // namespace

std::unique_ptr<Aggregate> make_collect(const AggregateSpec& spec) { return std::make_unique<Collect>(spec); }

}  // namespace stream
