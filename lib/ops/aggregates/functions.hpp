// SPDX-License-Identifier: Apache-2.0
// The names of the exact aggregate functions (the others' are in sketch_aggregates.hpp), and the one
// message for a name that is no function's.
#pragma once

#include <memory>
#include <string_view>

#include "ops/aggregates/aggregate.hpp"

namespace stream {

enum class TakesField : unsigned char { never, maybe, always };

struct ExactFunction {
    std::string_view name;
    TakesField takes_field;
    std::unique_ptr<Aggregate> (*make)(const AggregateSpec& spec);
};

// Null if there is no exact function of this name. pNN is found for NN from 0 to 100.
const ExactFunction* find_exact_function(std::string_view name);

// ErrorKind::usage: no function of this name, with the one that was meant if that can be told.
// `argument` is the whole of what was typed, which may be a file's name.
tl::unexpected<Error> unknown_function(const AggregateSpec& spec, std::string_view argument);

}  // namespace stream
