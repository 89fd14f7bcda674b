// SPDX-License-Identifier: Apache-2.0
// Comparing numbers, on the path of every `.status >= 500`: plain integers are read by hand, inline.
#pragma once

#include "expr/val.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace stream::expr {

namespace number_detail {

static_assert(std::endian::native == std::endian::little);

inline constexpr std::uint64_t zeros_8 = 0x3030303030303030u;  // "00000000"

template <typename T>
inline T load(const char* from) {
    T word;
    std::memcpy(&word, from, sizeof word);
    return word;
}

// 1 to 8 digits, right-aligned behind zeros, no byte beyond them read. False if one of them is no digit.
inline bool read_8(const char* at, std::size_t size, std::uint64_t& value) {
    std::uint64_t word;
    if (size < 4) {
        word = load<std::uint8_t>(at) | std::uint64_t{load<std::uint8_t>(at + size / 2)} << (8 * (size / 2)) |
               std::uint64_t{load<std::uint8_t>(at + size - 1)} << (8 * (size - 1));
        word = word << (64 - 8 * size) | zeros_8 >> (8 * size);
    } else if (size < 8) {
        const std::uint64_t first = load<std::uint32_t>(at);
        const std::uint64_t last = load<std::uint32_t>(at + size - 4);
        word = last << 32 | ((first << (64 - 8 * size)) & 0xFFFFFFFFu) | zeros_8 >> (8 * size);
    } else {
        word = load<std::uint64_t>(at);
    }
    constexpr std::uint64_t high = 0xF0F0F0F0F0F0F0F0u;
    const bool digits = ((word & high) | (((word + 0x0606060606060606u) & high) >> 4)) == 0x3333333333333333u;
    word -= zeros_8;
    word = word * 10 + (word >> 8);  // pairs, then fours, then all eight
    constexpr std::uint64_t pairs = 0x000000FF000000FFu;
    value = ((word & pairs) * 0x000F424000000064u + ((word >> 16) & pairs) * 0x0000271000000001u) >> 32;
    return digits;
}

}  // namespace number_detail

// A JSON number written as 1 to 18 digits, perhaps with a minus. -0 is none: it is no integer of 64 bits.
inline bool small_integer(std::string_view text, std::int64_t& integer) {
    const char* at = text.data();
    std::size_t size = text.size();
    if (size == 0) return false;
    const bool negative = *at == '-';
    at += negative;
    size -= negative;
    if (size - 1 >= 18) return false;
    std::uint64_t value = 0;
    bool digits = true;
    std::uint64_t part = 0;
    if (size <= 8) [[likely]] {
        digits = number_detail::read_8(at, size, value);
    } else {
        // The last eight, the eight before them, and at most two more.
        std::size_t rest = size - 8;
        digits = number_detail::read_8(at + rest, 8, value);
        const std::size_t middle = rest < 8 ? rest : 8;
        rest -= middle;
        digits &= number_detail::read_8(at + rest, middle, part);
        value += part * 100'000'000u;
        if (rest != 0) {
            digits &= number_detail::read_8(at, rest, part);
            value += part * 10'000'000'000'000'000u;
        }
    }
    const auto magnitude = static_cast<std::int64_t>(value);
    integer = negative ? -magnitude : magnitude;
    return digits && !(negative && value == 0);
}

inline bool quick_integer(const Val& number, std::int64_t& integer) {
    if (number.kind == Kind::number_text) return small_integer(number.view(), integer);
    integer = number.integer;
    return number.kind == Kind::integer;
}

int compare_other_numbers(Val a, Val b);

// Two numbers by exact decimal value, a computed double standing for its shortest text. <0, 0, >0.
inline int compare_number_vals(Val a, Val b) {
    std::int64_t left = 0;
    std::int64_t right = 0;
    if (quick_integer(a, left) && quick_integer(b, right)) [[likely]] {
        return static_cast<int>(left > right) - static_cast<int>(left < right);
    }
    return compare_other_numbers(a, b);
}

// Of val.hpp: double_of throws Punt for a text past the range of doubles. integer_of is false for -0,
// which prints with its sign, and for a double beyond 2^53, which must go on being reckoned as one.

// A double in jq's form: the fewest digits that read back, 1e-05 and 1e+17 where it would be long.
void append_jq_double(std::string& out, double value);

}  // namespace stream::expr
