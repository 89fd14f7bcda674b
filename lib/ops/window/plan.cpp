// SPDX-License-Identifier: Apache-2.0
#include "ops/window/plan.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/check.hpp"
#include "base/text.hpp"

namespace stream {

namespace {
constexpr std::array<std::string_view, 8> never_refuse = {"count", "min",     "max",      "first",
                                                          "last",  "collect", "distinct", "span"};
}

Result<AggregatePlan> AggregatePlan::make(const std::vector<AggregateSpec>& specs, FieldSet& fields) {
    AggregatePlan plan;
    for (const AggregateSpec& spec : specs) {
        for (const Part& other : plan.parts_) {
            if (other.spec.name == spec.name) {
                return fail(ErrorKind::usage, "two aggregates of one name: " + stream::quoted(spec.name),
                            "another name: OTHER=" + spec.function + (spec.field.empty() ? "" : ":" + spec.field));
            }
        }
        auto aggregate = make_aggregate(spec);
        if (!aggregate) return pass_on(aggregate);
        Part part;
        part.spec = spec;
        part.aggregate = std::move(*aggregate);
        part.offset = plan.state_bytes_;
        part.grows = part.aggregate->grows_with_events();
        part.can_refuse = std::none_of(never_refuse.begin(), never_refuse.end(),
                                       [&](std::string_view name) { return name == spec.function; });
        plan.state_bytes_ += part.aggregate->size();
        plan.grows_ = plan.grows_ || part.grows;
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
            if (plan.parts_[i].can_refuse == refusing) plan.order_.push_back(i);
        }
        if (refusing) plan.refusing_ = plan.order_.size();
    }
    return plan;
}

Result<void> AggregatePlan::try_out(const Part& part, const AggregateInput& input) const {
    alignas(8) std::byte state[256];
    STREAM_CHECK(part.aggregate->size() <= sizeof state);
    part.aggregate->init(state);
    auto added = part.aggregate->add(state, input);
    part.aggregate->destroy(state);
    return added;
}

Result<void> AggregatePlan::add(std::byte* states, const Event& event, TimeNs time, std::size_t& grown) const {
    AggregateInput input{{}, event.raw, time, event.position};
    // Only the first that can refuse an event may do so in place; the others are asked before.
    if (refusing_ > 1) {
        for (std::size_t k = 1; k < refusing_; ++k) {
            const Part& part = parts_[order_[k]];
            if (part.slot == SIZE_MAX) continue;
            input.value = event.values[part.slot];
            if (input.value.is_nothing() || input.value.type == Type::number) continue;
            STREAM_TRY(try_out(part, input));
        }
    }
    for (const std::size_t i : order_) {
        const Part& part = parts_[i];
        input.value = part.slot == SIZE_MAX ? Value{} : event.values[part.slot];
        std::byte* state = states + part.offset;
        const std::size_t before = part.grows ? part.aggregate->heap_bytes(state) : 0;
        auto added = part.aggregate->add(state, input);
        if (!added) [[unlikely]] return added;
        if (part.grows) grown += part.aggregate->heap_bytes(state) - before;
    }
    return {};
}

bool AggregatePlan::is_exact_percentile() const {
    for (const Part& part : parts_) {
        const std::string& f = part.spec.function;
        if (f == "median" || (f.size() > 1 && f[0] == 'p' && std::isdigit(static_cast<unsigned char>(f[1])) != 0)) {
            return true;
        }
    }
    return false;
}

std::string AggregatePlan::advice() const {
    for (const Part& part : parts_) {
        if (!part.grows || part.aggregate->approximate_form().empty()) continue;
        std::string text(part.aggregate->approximate_form());
        if (!part.spec.field.empty()) text += ":" + part.spec.field;
        return text + " needs little memory; or --memory SIZE";
    }
    return "--memory SIZE allows more";
}

std::size_t AggregatePlan::heap_bytes(const std::byte* states) const {
    std::size_t bytes = 0;
    for (const Part& part : parts_) {
        if (part.grows) bytes += part.aggregate->heap_bytes(states + part.offset);
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
