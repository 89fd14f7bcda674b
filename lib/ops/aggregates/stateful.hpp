// SPDX-License-Identifier: Apache-2.0
// What the aggregates share: a state of a given type in the caller's bytes, and reading numbers.
#pragma once

#include <compare>
#include <cstddef>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>

#include "ops/aggregates/aggregate.hpp"

namespace stream {

// State is trivially copyable (the caller moves its bytes), made by its default constructor, and frees
// what it has on the heap in release().
template <class State>
class StatefulAggregate : public Aggregate {
public:
    static_assert(std::is_trivially_copyable_v<State> && alignof(State) <= 8 && sizeof(State) % 8 == 0);

    explicit StatefulAggregate(const AggregateSpec& spec) : spec_(spec) {}

    std::size_t size() const final { return sizeof(State); }
    void init(std::byte* state) const final { new (state) State(); }
    void destroy(std::byte* state) const final { at(state).release(); }

protected:
    static State& at(std::byte* state) { return *std::launder(reinterpret_cast<State*>(state)); }
    static const State& at(const std::byte* state) {
        return *std::launder(reinterpret_cast<const State*>(state));
    }

    bool has_field() const { return !spec_.field.empty(); }
    const AggregateSpec& spec() const { return spec_; }

    // What a value that is none of the numbers wanted gets.
    tl::unexpected<Error> wants_numbers(const Value& value) const;
    tl::unexpected<Error> out_of_range(std::string_view number) const;

private:
    AggregateSpec spec_;
};

// The messages of the two above.
tl::unexpected<Error> wants_numbers_error(const AggregateSpec& spec, const Value& value);
tl::unexpected<Error> out_of_range_error(const AggregateSpec& spec, std::string_view number);

template <class State>
tl::unexpected<Error> StatefulAggregate<State>::wants_numbers(const Value& value) const {
    return wants_numbers_error(spec_, value);
}
template <class State>
tl::unexpected<Error> StatefulAggregate<State>::out_of_range(std::string_view number) const {
    return out_of_range_error(spec_, number);
}

// (time, position): the order of events.
struct EventPlace {
    TimeNs time = 0;
    std::uint64_t position = 0;

    friend auto operator<=>(const EventPlace&, const EventPlace&) = default;
};

inline EventPlace place_of(const AggregateInput& input) { return {input.time, input.position}; }

}  // namespace stream
