// SPDX-License-Identifier: Apache-2.0
#include "ops/window/plan.hpp"

#include "base/check.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace stream {

namespace {

template <std::size_t n>
bool is_one_of(std::string_view function, const std::array<std::string_view, n>& names) {
    return std::find(names.begin(), names.end(), function) != names.end();
}

constexpr std::array<std::string_view, 8> never_refuse = {"count", "min",     "max",      "first",
                                                          "last",  "collect", "distinct", "span"};
constexpr std::array<std::string_view, 4> keep_one_text = {"min", "max", "first", "last"};
constexpr std::array<std::string_view, 4> take_any_value = {"approx_distinct", "approx_top",
                                                            "sketch_distinct", "sketch_top"};

bool is_sketch(std::string_view function) {
    return function.starts_with("approx_") || function.starts_with("sketch_") || function == "merge";
}

bool is_percentile(std::string_view f) {
    return f == "median" ||
           (f.size() > 1 && f[0] == 'p' && std::isdigit(static_cast<unsigned char>(f[1])) != 0);
}

// A number that every function takes that takes numbers at all.
bool is_plain_number(const Value& value) {
    return value.type == Type::number && value.text.size() <= 64 &&
           value.text.find_first_of("eE") == std::string_view::npos;
}

}  // namespace

Result<AggregatePlan> AggregatePlan::make(const std::vector<AggregateSpec>& specs, FieldSet& fields) {
    AggregatePlan plan;
    for (const AggregateSpec& spec : specs) {
        for (const Part& other : plan.parts_) {
            if (other.spec.name == spec.name) {
                return fail(
                    ErrorKind::usage, "two aggregates of one name: " + stream::quoted(spec.name),
                    "another name: OTHER=" + spec.function + (spec.field.empty() ? "" : ":" + spec.field));
            }
        }
        auto aggregate = make_aggregate(spec);
        if (!aggregate) return pass_on(aggregate);
        Part part;
        part.spec = spec;
        part.aggregate = std::move(*aggregate);
        part.offset = plan.state_bytes_;
        const bool grows = part.aggregate->grows_with_events();
        const bool sketch = is_sketch(spec.function);
        part.has_heap = grows || sketch || is_one_of(spec.function, keep_one_text);
        part.by_event_time = spec.function == "span";
        if (spec.function == "merge") {
            part.refuses = Refuses::anything;
        } else if (std::any_of(take_any_value.begin(), take_any_value.end(),
                               [&](std::string_view name) { return spec.function.starts_with(name); })) {
            part.refuses = Refuses::objects;
        } else if (!is_one_of(spec.function, never_refuse) && !spec.field.empty()) {
            part.refuses = Refuses::odd_numbers;
        }
        plan.state_bytes_ += part.aggregate->size();
        plan.grows_ = plan.grows_ || grows;
        plan.has_heap_ = plan.has_heap_ || part.has_heap;
        plan.heavy_ = plan.heavy_ || grows || sketch;
        plan.has_increase_ = plan.has_increase_ || spec.function == "increase";
        if (!spec.field.empty()) {
            auto path = parse_field(spec.field);
            if (!path) return pass_on(path);
            part.slot = fields.add(*path);
        }
        plan.parts_.push_back(std::move(part));
    }
    for (const bool refusing : {true, false}) {
        for (std::size_t i = 0; i < plan.parts_.size(); ++i) {
            if ((plan.parts_[i].refuses != Refuses::nothing) == refusing) plan.order_.push_back(i);
        }
        if (refusing) plan.refusing_ = plan.order_.size();
    }
    return plan;
}

// Whether one part would take the event, tried out on a state of its own.
Result<void> AggregatePlan::ask(const Part& part, const std::byte* states, AggregateInput& input,
                                const Event& event) const {
    input.value = event.values[part.slot];
    if (input.value.is_nothing()) return {};
    if (part.refuses == Refuses::odd_numbers && is_plain_number(input.value)) return {};
    if (part.refuses == Refuses::objects && input.value.type != Type::object) return {};
    alignas(8) std::byte state[256];
    STREAM_CHECK(part.aggregate->size() <= sizeof state);
    part.aggregate->init(state);
    Result<void> taken;
    if (part.refuses == Refuses::anything && states != nullptr) {
        taken = part.aggregate->merge(state, states + part.offset);
    }
    if (taken) taken = part.aggregate->add(state, input);
    part.aggregate->destroy(state);
    return taken;
}

Result<void> AggregatePlan::check(const std::byte* states, const Event& event, TimeNs time) const {
    AggregateInput input{{}, event.raw, time, event.position};
    for (std::size_t k = 0; k < refusing_; ++k) STREAM_TRY(ask(parts_[order_[k]], states, input, event));
    return {};
}

Result<void> AggregatePlan::add(std::byte* states, const Event& event, TimeNs time, std::size_t& used) const {
    AggregateInput input{{}, event.raw, time, event.position};
    // Only the first that can refuse an event may do so in place; the others are asked before.
    for (std::size_t k = 1; k < refusing_; ++k) STREAM_TRY(ask(parts_[order_[k]], states, input, event));
    for (const std::size_t i : order_) {
        const Part& part = parts_[i];
        input.value = part.slot == SIZE_MAX ? Value{} : event.values[part.slot];
        if (part.by_event_time) [[unlikely]] {
            if (event.time == time_before_all) continue;
            input.time = event.time;
        }
        std::byte* state = states + part.offset;
        const std::size_t before = part.has_heap ? part.aggregate->heap_bytes(state) : 0;
        auto added = part.aggregate->add(state, input);
        if (!added) [[unlikely]]
            return added;
        if (part.has_heap) used += part.aggregate->heap_bytes(state) - before;
        input.time = time;
    }
    return {};
}

bool AggregatePlan::is_exact_percentile() const { return !approximate_percentile().empty(); }

std::string AggregatePlan::approximate_percentile() const {
    for (const Part& part : parts_) {
        if (!is_percentile(part.spec.function)) continue;
        return std::string(part.aggregate->approximate_form()) + ":" + part.spec.field;
    }
    return {};
}

std::string AggregatePlan::advice() const {
    for (const Part& part : parts_) {
        if (part.aggregate->approximate_form().empty()) continue;
        std::string text(part.aggregate->approximate_form());
        if (!part.spec.field.empty()) text += ":" + part.spec.field;
        return text + " needs little memory; or --memory SIZE";
    }
    return "--memory SIZE allows more";
}

std::size_t AggregatePlan::heap_bytes(const std::byte* states) const {
    std::size_t bytes = 0;
    for (const Part& part : parts_) {
        if (part.has_heap) bytes += part.aggregate->heap_bytes(states + part.offset);
    }
    return bytes;
}

void AggregatePlan::snapshot(const std::byte* states, StateWriter& writer) const {
    for (const Part& part : parts_) part.aggregate->snapshot(states + part.offset, writer);
}

Result<void> AggregatePlan::restore(std::byte* states, StateReader& reader) const {
    for (const Part& part : parts_) STREAM_TRY(part.aggregate->restore(states + part.offset, reader));
    return {};
}

}  // namespace stream
