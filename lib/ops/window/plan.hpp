// SPDX-License-Identifier: Apache-2.0
// A group's aggregates side by side: where each one's state lies, and what is done to all of them.
#pragma once

#include "base/error.hpp"
#include "json/fields.hpp"
#include "ops/aggregates/aggregate.hpp"
#include "ops/operator.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace stream {

class AggregatePlan {
public:
    static Result<AggregatePlan> make(const std::vector<AggregateSpec>& specs, FieldSet& fields);

    std::size_t size() const { return parts_.size(); }
    std::size_t state_bytes() const { return state_bytes_; }
    const std::string& name(std::size_t i) const { return parts_[i].spec.name; }
    const AggregateSpec& spec(std::size_t i) const { return parts_[i].spec; }
    const Aggregate& at(std::size_t i) const { return *parts_[i].aggregate; }
    bool grows() const { return grows_; }
    // Whether some state keeps something on the heap, and whether that may be much for each state.
    bool has_heap() const { return has_heap_; }
    bool is_heavy() const { return heavy_; }
    bool has_increase() const { return has_increase_; }
    bool is_increase(std::size_t i) const { return parts_[i].spec.function == "increase"; }
    bool is_exact_percentile() const;
    // A sentence for when memory runs out.
    std::string advice() const;
    // The approximate aggregate to ask for in place of the exact percentile: "approx_p95:rtt".
    std::string approximate_percentile() const;

    void init(std::byte* states) const {
        for (const Part& part : parts_) part.aggregate->init(states + part.offset);
    }
    void destroy(std::byte* states) const {
        for (const Part& part : parts_) part.aggregate->destroy(states + part.offset);
    }
    // All or, where one of them refuses the event, none; `used` changes by the heap bytes taken.
    Result<void> add(std::byte* states, const Event& event, TimeNs time, std::size_t& used) const;
    // Whether all would take the event; nothing is changed. `states` null: none yet.
    Result<void> check(const std::byte* states, const Event& event, TimeNs time) const;
    Result<void> merge(std::byte* into, const std::byte* from) const {
        for (const Part& part : parts_)
            STREAM_TRY(part.aggregate->merge(into + part.offset, from + part.offset));
        return {};
    }
    Result<void> write(std::size_t i, const std::byte* states, const WindowSpan& span,
                       std::string& out) const {
        return parts_[i].aggregate->write(states + parts_[i].offset, span, out);
    }
    std::string last_number(std::size_t i, const std::byte* states) const {
        return parts_[i].aggregate->last_number(states + parts_[i].offset);
    }
    std::size_t heap_bytes(const std::byte* states) const;
    void snapshot(const std::byte* states, StateWriter& writer) const;
    Result<void> restore(std::byte* states, StateReader& reader) const;

private:
    // What a part refuses: nothing; all but plain numbers, perhaps; objects (sketches), perhaps; any
    // value, depending on what was added before.
    enum class Refuses : std::uint8_t { nothing, odd_numbers, objects, anything };
    struct Part {
        AggregateSpec spec;
        std::unique_ptr<Aggregate> aggregate;
        std::size_t offset = 0;
        std::size_t slot = SIZE_MAX;  // of its field; SIZE_MAX: none
        bool has_heap = false;
        bool by_event_time = false;  // whatever time the events are given
        Refuses refuses = Refuses::nothing;
    };
    Result<void> ask(const Part& part, const std::byte* states, AggregateInput& input,
                     const Event& event) const;

    std::vector<Part> parts_;
    std::vector<std::size_t> order_;  // of adding: those that can refuse an event first
    std::size_t refusing_ = 0;        // how many those are
    std::size_t state_bytes_ = 0;
    bool grows_ = false;
    bool has_heap_ = false;
    bool heavy_ = false;
    bool has_increase_ = false;
};

}  // namespace stream
