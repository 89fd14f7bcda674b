// SPDX-License-Identifier: Apache-2.0
// Comparing values by what they are, not by how they were written: keys, order, and text.
#pragma once

#include <string>
#include <string_view>

#include "json/value.hpp"

namespace stream {

// A Value for JSON text that is valid and without surrounding white space.
Value value_of(std::string_view text);

// Canonical compact JSON: equal values give equal bytes. Strings with only the escapes that RFC 8259
// demands (\" \\ \b \f \n \r \t \u00XX; lone surrogates as U+FFFD), numbers as append_canonical_number,
// objects with members sorted by name, the last of equal names counting. A missing value is null.
void append_canonical(std::string& out, const Value& value);

// A string's text after unescaping, UTF-8; lone surrogates become U+FFFD.
void append_unescaped(std::string& out, const Value& string_value);
// JSON string with quotes from UTF-8 text.
void append_quoted(std::string& out, std::string_view text);

// jq's total order: null < false < true < numbers < strings < arrays < objects (by their sorted
// member names first, then by values). <0, 0, >0. Depth is bounded by what the parser admits (1,024).
int compare_values(const Value& a, const Value& b);

}  // namespace stream
