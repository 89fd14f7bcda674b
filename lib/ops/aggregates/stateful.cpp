// SPDX-License-Identifier: Apache-2.0
#include "ops/aggregates/stateful.hpp"

#include "base/text.hpp"

namespace stream {

tl::unexpected<Error> wants_numbers_error(const AggregateSpec& spec, const Value& value) {
    std::string message = quoted(spec.field);
    switch (value.type) {
        case Type::string:
            message += " is a string, " + quoted(value.inner());
            break;
        case Type::array:
            message += " is an array";
            break;
        case Type::object:
            message += " is an object";
            break;
        case Type::boolean_false:
            message += " is false";
            break;
        case Type::boolean_true:
            message += " is true";
            break;
        default:
            message += " is no number";
            break;
    }
    return fail(ErrorKind::data, message + ": " + spec.function + " wants numbers");
}

tl::unexpected<Error> out_of_range_error(const AggregateSpec& spec, std::string_view number) {
    return fail(ErrorKind::data, quoted(spec.field) + " is out of range, " + quoted(number) + ": " +
                                     spec.function + " takes digits from 1e-4096 to 1e4096");
}

}  // namespace stream
