// SPDX-License-Identifier: Apache-2.0
// A view of one JSON value inside an event: its type and its own bytes. Nothing is decoded until
// somebody asks (json/number.hpp, json/canonical.hpp, json/unescape.hpp).
#pragma once

#include <cstdint>
#include <string_view>

namespace stream {

// In jq's order of types, so that comparing the enum orders values of different types
// (missing sorts with null).
enum class Type : std::uint8_t { missing, null, boolean_false, boolean_true, number, string, array, object };

// Lives as long as the bytes of the event it was found in. `text` is the exact JSON text without
// surrounding white space, valid by RFC 8259 already: a string keeps its quotes and escapes.
struct Value {
    std::string_view text;
    Type type = Type::missing;
    bool escaped = false;  // a string in whose text there is a backslash

    bool is_nothing() const { return type == Type::missing || type == Type::null; }
    bool is_truthy() const { return type != Type::missing && type != Type::null && type != Type::boolean_false; }
    // A string's bytes between its quotes, escapes and all.
    std::string_view inner() const { return text.substr(1, text.size() - 2); }
};

}  // namespace stream
