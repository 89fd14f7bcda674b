// SPDX-License-Identifier: Apache-2.0
// For aggregates that keep something of every event: 8 bytes of state, the rest on the heap once there
// is a first event. A Body has merge(const Body&), snapshot(StateWriter&), restore(StateReader&) that
// returns false for damage, and heap_bytes().
#pragma once

#include <string>

#include "ops/aggregates/stateful.hpp"

namespace stream {

template <class Body>
struct HeapState {
    Body* body = nullptr;

    void release() {
        delete body;
        body = nullptr;
    }
};

template <class Body>
class HeapAggregate : public StatefulAggregate<HeapState<Body>> {
public:
    using StatefulAggregate<HeapState<Body>>::StatefulAggregate;

    Result<void> merge(std::byte* into, const std::byte* from) const final {
        if (const Body* other = body_of(from)) make_body(into).merge(*other);
        return {};
    }
    void snapshot(const std::byte* state, StateWriter& writer) const final {
        const Body* body = body_of(state);
        writer.put_u8(body != nullptr ? 1 : 0);
        if (body != nullptr) body->snapshot(writer);
    }
    Result<void> restore(std::byte* state, StateReader& reader) const final {
        const bool sound = reader.get_u8() == 0 || make_body(state).restore(reader);
        if (reader.ok() && !sound) {
            return fail(ErrorKind::corrupt, "the saved state of " + this->spec().function + " is damaged");
        }
        return reader.check(this->spec().function);
    }
    std::size_t heap_bytes(const std::byte* state) const final {
        const Body* body = body_of(state);
        return body == nullptr ? 0 : sizeof(Body) + body->heap_bytes();
    }
    bool grows_with_events() const final { return true; }

protected:
    static Body& make_body(std::byte* state) {
        auto& heap = StatefulAggregate<HeapState<Body>>::at(state);
        if (heap.body == nullptr) heap.body = new Body();
        return *heap.body;
    }
    // Null if there was no event. The body behind a const state may be put in order: that changes
    // nothing of what it says.
    static Body* body_of(const std::byte* state) {
        return StatefulAggregate<HeapState<Body>>::at(state).body;
    }
};

}  // namespace stream
