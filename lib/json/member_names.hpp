// SPDX-License-Identifier: Apache-2.0
// The top-level members that a field's value may lie in, by their names: the first step of its path, and the member of
// exactly its name. An expression may read any.
#pragma once

#include <string>
#include <string_view>

#include "json/fields.hpp"

namespace stream {

class MemberNames {
public:
    explicit MemberNames(const FieldPath& path)
        : all_(path.is_expression || path.steps.empty()), first_(all_ ? std::string() : path.steps[0].name), exact_(path.text), plain_(path.is_plain()) {}
    bool has(std::string_view name) const { return all_ || name == first_ || name == exact_; }
    // An expression: what is not there may matter as well.
    bool is_any() const { return all_; }
    // One member, and all of it.
    bool is_plain() const { return plain_; }
    bool has_part_of(const FieldPath& path) const { return all_ || path.is_expression || has(path.text) || (!path.steps.empty() && has(path.steps[0].name)); }

private:
    bool all_;
    std::string first_;
    std::string exact_;
    bool plain_;
};

}  // namespace stream
