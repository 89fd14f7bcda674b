// SPDX-License-Identifier: Apache-2.0
// Numbers by their JSON text. Nothing here rounds unless its name says double.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/int128.hpp"

namespace stream {

// An integer written plainly (digits, perhaps a minus) that fits 64 bits; nothing otherwise.
std::optional<std::int64_t> parse_int64(std::string_view text);

// The nearest double; ±infinity past its range, ±0 below it.
double to_double(std::string_view text);

// As ECMAScript's Number::toString: 1, 0.1, 1e+21, 5e-7. Not finite: null.
void append_double(std::string& out, double value);
void append_int64(std::string& out, std::int64_t value);
void append_uint64(std::string& out, std::uint64_t value);
void append_int128(std::string& out, Int128 value);

// One text for all numbers of one value (1, 1.0, 1e0, 10e-1 -> 1; -0 -> 0), of any length and
// exponent, laid out as ECMAScript does (exponent from 1e21 on and below 1e-6).
void append_canonical_number(std::string& out, std::string_view text);

// By exact value: <0, 0, >0.
int compare_numbers(std::string_view a, std::string_view b);

// a - b, exact, as canonical text; nothing if the exponents are too far apart to write (> 4096 digits).
std::optional<std::string> subtract_numbers(std::string_view a, std::string_view b);

}  // namespace stream
