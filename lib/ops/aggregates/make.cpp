// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"
#include "ops/aggregates/aggregate.hpp"
#include "ops/aggregates/functions.hpp"
#include "ops/aggregates/sketch_aggregates.hpp"

namespace stream {

Result<std::unique_ptr<Aggregate>> make_aggregate(const AggregateSpec& spec) {
    if (is_sketch_function(spec.function)) return make_sketch_aggregate(spec);
    const ExactFunction* function = find_exact_function(spec.function);
    if (function == nullptr) return unknown_function(spec, spec.function);
    if (function->takes_field == TakesField::always && spec.field.empty()) {
        return fail(ErrorKind::usage, spec.function + " needs a field",
                    spec.function + ":FIELD, as in " + spec.function + ":bytes");
    }
    if (function->takes_field == TakesField::never && !spec.field.empty()) {
        return fail(ErrorKind::usage, spec.function + " takes no field, and was given " + quoted(spec.field));
    }
    return function->make(spec);
}

}  // namespace stream
