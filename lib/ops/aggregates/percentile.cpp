// SPDX-License-Identifier: Apache-2.0
// Percentiles by nearest rank: of n values in order, the one at ⌈p/100 · n⌉ (the first for p0).
#include <algorithm>

#include "base/int128.hpp"
#include "ops/aggregates/exact.hpp"
#include "ops/aggregates/number_cells.hpp"
#include "ops/aggregates/on_heap.hpp"

namespace stream {
namespace {

struct Numbers {
    NumberCells numbers;
    std::vector<NumberCells::Cell> cells;

    void merge(const Numbers& other) {
        for (const auto cell : other.cells) cells.push_back(numbers.store_from(other.numbers, cell));
    }
    void snapshot(StateWriter& writer) const {
        numbers.snapshot(writer);
        writer.put_varint(cells.size());
        for (const auto cell : cells) writer.put_f64(cell);
    }
    bool restore(StateReader& reader) {
        numbers.restore(reader);
        const std::uint64_t count = reader.get_varint();
        if (!reader.ok() || count > reader.left() / sizeof(double)) return false;
        cells.resize(count);
        for (auto& cell : cells) cell = reader.get_f64();
        return std::all_of(cells.begin(), cells.end(),
                           [this](double cell) { return numbers.is_valid(cell); });
    }
    std::size_t heap_bytes() const { return numbers.heap_bytes() + cells.capacity() * sizeof(cells[0]); }
};

class Percentile final : public HeapAggregate<Numbers> {
public:
    // `percent` is the NN of pNN: digits, perhaps with a point.
    Percentile(const AggregateSpec& spec, std::string_view percent)
        : HeapAggregate(spec), approximate_form_("approx_p" + std::string(percent)) {
        bool in_fraction = false;
        for (const char c : percent) {
            if (c == '.') {
                in_fraction = true;
                continue;
            }
            share_ = share_ * 10 + static_cast<unsigned>(c - '0');
            if (in_fraction) whole_ *= 10;
        }
    }

    Result<void> add(std::byte* state, const AggregateInput& input) const override {
        const Value& value = input.value;
        if (value.is_nothing()) return {};
        if (value.type != Type::number) return wants_numbers(value);
        Numbers& body = make_body(state);
        body.cells.push_back(body.numbers.store(value.text));
        return {};
    }
    Result<void> write(const std::byte* state, const WindowSpan&, std::string& out) const override {
        Numbers* body = body_of(state);
        if (body == nullptr || body->cells.empty()) {
            out.append("null");
            return {};
        }
        auto& cells = body->cells;
        const auto at_rank = cells.begin() + static_cast<std::ptrdiff_t>(rank(cells.size()) - 1);
        if (body->numbers.only_doubles()) {
            std::nth_element(cells.begin(), at_rank, cells.end());
        } else {
            std::nth_element(cells.begin(), at_rank, cells.end(),
                             [body](double a, double b) { return body->numbers.compare(a, b) < 0; });
        }
        body->numbers.append_to(out, *at_rank);
        return {};
    }
    std::string_view approximate_form() const override { return approximate_form_; }

private:
    std::uint64_t rank(std::uint64_t count) const {
        const UInt128 rank = (UInt128{share_} * count + whole_ - 1) / whole_;
        return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(rank));
    }

    // p/100 = share_ ÷ whole_, at most 1.
    std::uint64_t share_ = 0;
    std::uint64_t whole_ = 100;
    std::string approximate_form_;
};

}  // namespace

std::unique_ptr<Aggregate> make_percentile(const AggregateSpec& spec) {
    const std::string percent = spec.function == "median" ? "50" : spec.function.substr(1);
    return std::make_unique<Percentile>(spec, percent);
}

}  // namespace stream
