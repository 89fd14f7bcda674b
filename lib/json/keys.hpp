// SPDX-License-Identifier: Apache-2.0
// Keys (`--by`): which fields they are, their canonical bytes, and where they are written.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "json/fields.hpp"
#include "json/value.hpp"

namespace stream {

struct KeySpec {
    std::string name;  // given with NAME=; empty: written where it was found
    FieldPath path;
};

// The arguments of --by: `[NAME=]FIELD`, several by commas outside quotes and brackets. Two equal
// names, and an index without a NAME, are usage errors.
Result<std::vector<KeySpec>> parse_keys(const std::vector<std::string>& arguments);

// The parts of `a,b(c,d),"e,f"`: by commas outside quotes and brackets.
std::vector<std::string> split_outside_brackets(std::string_view text);

class Keys {
public:
    Keys() = default;
    // Registers the fields.
    Keys(std::vector<KeySpec> specs, FieldSet& fields);

    bool empty() const { return specs_.size() == 0; }
    std::size_t size() const { return specs_.size(); }
    const std::string& name(std::size_t i) const { return specs_[i].path.text; }

    // The key's bytes: the canonical text of each value, 0x1F between them. Null and missing are one
    // value. A single plain string or integer is its own bytes: `scratch` is used only where it is not.
    std::string_view bytes(const Value* values, std::string& scratch) const;

    // Whether one of the values is null or missing.
    bool has_null(const Value* values) const;
    // `"repo":{"name":…},"type":…` without a comma in front or behind; nothing for no keys.
    void append_members(std::string& out, std::string_view key) const;

    // By jq's order of values, the first key first.
    static int compare(std::string_view a, std::string_view b);

    // The top-level names that append_members writes.
    std::vector<std::string> top_names() const;

private:
    struct Piece {
        std::string literal;
        std::size_t key;
    };
    void build_pieces() const;

    std::vector<KeySpec> specs_;
    std::vector<std::size_t> slots_;
    const FieldSet* fields_ = nullptr;
    mutable std::vector<Piece> pieces_;  // made at the first row, when the forms of the fields are known
    mutable std::string tail_;
    mutable bool built_ = false;
};

}  // namespace stream
