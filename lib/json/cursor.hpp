// SPDX-License-Identifier: Apache-2.0
// Walks over the members of an object or the elements of an array, by their text.
//
//     for (Cursor cursor(value); cursor.next();) use(cursor.name(), cursor.value());
//
// The text is valid JSON already (the parser saw it); nothing is decoded or copied, and every view is
// one into the bytes of the event. A nested container is stepped over without looking into it, so a
// walk of a whole tree costs its size times its depth.
#pragma once

#include <cstddef>
#include <string_view>

#include "json/value.hpp"

namespace stream {

// Whether brackets are nested deeper than `allowed` in a valid JSON text. Most texts are too short for it.
bool nested_deeper(std::string_view json, unsigned allowed);

class Cursor {
public:
    // Of an array or object; any other value has nothing in it.
    explicit Cursor(const Value& container);

    // Steps to the next member or element (the first one at first); false after the last.
    bool next();

    // The member's name as a string value, quotes and escapes as written; missing in an array.
    const Value& name() const { return name_; }
    const Value& value() const { return value_; }

private:
    Value read_value();
    Value read_string();
    void skip_space();
    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

    std::string_view text_;
    std::size_t at_ = 0;
    bool object_ = false;
    Value name_;
    Value value_;
};

}  // namespace stream
