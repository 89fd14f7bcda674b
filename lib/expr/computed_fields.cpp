// SPDX-License-Identifier: Apache-2.0
#include "expr/computed_fields.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace stream::expr {

Result<std::unique_ptr<ComputedFields>> ComputedFields::make(FieldSet& fields, const Settings& settings) {
    auto made = std::make_unique<ComputedFields>();
    made->first_read_ = fields.size();
    const std::vector<FieldSet::Expression> wanted = fields.expressions();
    for (const FieldSet::Expression& one : wanted) {
        auto expression = Expression::make(one.text, settings, fields);
        if (!expression) return pass_on(expression);
        made->computed_.push_back({std::move(*expression), one.field, 0, {}});
    }
    made->end_read_ = fields.size();
    fields.set_computer(made.get());
    return made;
}

Result<void> ComputedFields::compute(std::string_view event, Value* values, std::string& storage) {
    storage.clear();
    for (Computed& one : computed_) {
        auto value = one.expression.value(event, values);
        if (!value) {
            const Error& error = value.error();
            return fail(error.kind(), stream::quoted(one.expression.program()) + ": " + error.message(), error.hint());
        }
        one.value = *value;
        one.begin = storage.size();
        storage += value->text;
    }
    for (Computed& one : computed_) {
        one.value.text = std::string_view(storage).substr(one.begin, one.value.text.size());
        values[one.field] = one.value;
    }
    return {};
}

bool ComputedFields::uses_now() const {
    return std::any_of(computed_.begin(), computed_.end(), [](const Computed& one) { return one.expression.uses_now(); });
}

bool ComputedFields::uses_environment() const {
    return std::any_of(computed_.begin(), computed_.end(), [](const Computed& one) { return one.expression.uses_environment(); });
}

}  // namespace stream::expr
