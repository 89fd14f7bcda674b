// SPDX-License-Identifier: Apache-2.0
// An aggregate whose state is made of exact sums. State has merge(const State&), snapshot(StateWriter&),
// restore(StateReader&) and heap_bytes().
#pragma once

#include "ops/aggregates/exact_sum.hpp"
#include "ops/aggregates/stateful.hpp"

namespace stream {

template <class State>
class OfSums : public StatefulAggregate<State> {
public:
    using StatefulAggregate<State>::StatefulAggregate;

    Result<void> merge(std::byte* into, const std::byte* from) const final {
        this->at(into).merge(this->at(from));
        return {};
    }
    void snapshot(const std::byte* state, StateWriter& writer) const final {
        this->at(state).snapshot(writer);
    }
    Result<void> restore(std::byte* state, StateReader& reader) const final {
        this->at(state).restore(reader);
        return reader.check(this->spec().function);
    }
    std::size_t heap_bytes(const std::byte* state) const final { return this->at(state).heap_bytes(); }

protected:
    // A number, or true as 1 and false as 0.
    Result<void> add_term(ExactSum& sum, const Value& value) const {
        switch (value.type) {
            case Type::number:
                if (!sum.add(value.text)) [[unlikely]]
                    return this->out_of_range(value.text);
                return {};
            case Type::boolean_false:
                sum.add_integer(0);
                return {};
            case Type::boolean_true:
                sum.add_integer(1);
                return {};
            default:
                return this->wants_numbers(value);
        }
    }
};

}  // namespace stream
