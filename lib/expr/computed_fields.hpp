// SPDX-License-Identifier: Apache-2.0
// Fields that are expressions (`--by 'u=.user|ascii_downcase'`, `'kb=sum:(.bytes/1024)'`): worked out for
// each event, and from there on fields like others.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "expr/expression.hpp"
#include "json/fields.hpp"

namespace stream::expr {

class ComputedFields final : public FieldComputer {
public:
    // Compiles the expressions that `fields` holds, registers what they read, and becomes its computer;
    // `fields` must not outlive it. ErrorKind::usage, with a caret.
    static Result<std::unique_ptr<ComputedFields>> make(FieldSet& fields, const Settings& settings);

    // Null and nothing are what they are for fields; several results are a failure.
    Result<void> compute(std::string_view event, Value* values, std::string& storage) override;

    // The fields that the expressions read: from first_read(), up to end_read().
    std::size_t first_read() const { return first_read_; }
    std::size_t end_read() const { return end_read_; }
    bool uses_now() const;
    bool uses_environment() const;

private:
    struct Computed {
        Expression expression;
        std::size_t field;
        std::size_t begin = 0;  // of its text in the storage
        Value value;
    };
    std::vector<Computed> computed_;
    std::size_t first_read_ = 0;
    std::size_t end_read_ = 0;
};

}  // namespace stream::expr
