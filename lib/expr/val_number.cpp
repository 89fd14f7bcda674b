// SPDX-License-Identifier: Apache-2.0
#include "expr/val_number.hpp"

#include "expr/run.hpp"
#include "json/number.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <system_error>

namespace stream::expr {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Digits only, perhaps a minus.
bool is_plain_integer(std::string_view text) {
    if (!text.empty() && text.front() == '-') text.remove_prefix(1);
    return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

// A text with a point or an exponent that is a whole number of 64 bits: 1.0, 1e3, 250e-1.
bool whole_of_text(std::string_view text, std::int64_t& integer) {
    const char* at = text.data();
    const char* const end = at + text.size();
    const bool negative = at != end && *at == '-';
    at += negative;
    std::uint64_t digits = 0;
    std::int64_t exponent = 0;
    std::int64_t zeros = 0;  // seen, and not known yet to be followed by another digit
    bool after_point = false;
    for (; at != end && (is_digit(*at) || *at == '.'); ++at) {
        if (*at == '.') {
            after_point = true;
            continue;
        }
        exponent -= after_point;
        ++zeros;
        if (*at == '0') continue;
        for (; zeros > 0; --zeros) {
            if (__builtin_mul_overflow(digits, 10u, &digits)) return false;
            if (digits == 0) zeros = 1;  // leading zeros
        }
        if (__builtin_add_overflow(digits, static_cast<std::uint64_t>(*at - '0'), &digits)) return false;
    }
    if (digits == 0) {
        integer = 0;
        return !negative;
    }
    exponent += zeros;
    if (at != end) {                                       // e
        constexpr std::int64_t limit = 1'000'000'000'000;  // past all that so many digits could bring back
        ++at;
        const bool down = *at == '-';
        if (!is_digit(*at)) ++at;
        std::int64_t written = 0;
        for (; at != end; ++at) written = std::min(written * 10 + (*at - '0'), limit);
        exponent += down ? -written : written;
    }
    if (exponent < 0 || exponent > 19) return false;
    for (; exponent > 0; --exponent) {
        if (__builtin_mul_overflow(digits, 10u, &digits)) return false;
    }
    constexpr std::uint64_t least = std::uint64_t{1} << 63;
    if (digits > least - !negative) return false;
    integer = static_cast<std::int64_t>(negative ? -digits : digits);
    return true;
}

// A number that may be out of the range of doubles: infinite then.
double loose_double(Val number) {
    if (number.kind == Kind::number) return number.number;
    std::int64_t integer = 0;
    if (quick_integer(number, integer)) return static_cast<double>(integer);
    return to_double(number.view());
}

// At most 15 digits and not far from 1: no other such number has the same double.
bool is_short(Val number) {
    constexpr std::int64_t digits_15 = 1'000'000'000'000'000;
    if (number.kind == Kind::integer) return number.integer > -digits_15 && number.integer < digits_15;
    const std::string_view text = number.view();
    return text.size() <= 16 && text.find_first_of("eE") == std::string_view::npos &&
           (text.size() <= 15 || text.front() == '-' || text.find('.') != std::string_view::npos);
}

std::string exact_text(Val number) {
    std::string text;
    if (number.kind == Kind::integer) {
        append_int64(text, number.integer);
    } else if (number.kind == Kind::number) {
        append_double(text, number.number);
    } else {
        text = number.view();
    }
    return text;
}

}  // namespace

// Rounding keeps the order, so doubles that differ decide; only equal ones may hide a difference.
int compare_other_numbers(Val a, Val b) {
    const double left = loose_double(a);
    const double right = loose_double(b);
    if (left < right) return -1;
    if (left > right) return 1;
    // A computed double that is the double of a short number has that number as its shortest text.
    const bool left_easy = a.kind == Kind::number || is_short(a);
    const bool right_easy = b.kind == Kind::number || is_short(b);
    if (left_easy && right_easy) return 0;
    return compare_numbers(exact_text(a), exact_text(b));
}

double double_of(Val number) {
    const double value = loose_double(number);
    if (!std::isfinite(value)) [[unlikely]]
        throw Punt{"a number past the range of doubles"};
    return value;
}

bool integer_of(Val number, std::int64_t& integer) {
    if (number.kind == Kind::number) {
        constexpr double exact_integers = 9007199254740992.0;
        const double value = number.number;
        if (std::fabs(value) > exact_integers || value != std::trunc(value)) return false;
        integer = static_cast<std::int64_t>(value);
        return !(integer == 0 && std::signbit(value));
    }
    return quick_integer(number, integer) ||
           (number.kind == Kind::number_text && whole_of_text(number.view(), integer));
}

void append_jq_double(std::string& out, double value) {
    char text[32];
    const char* const end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific).ptr;
    const char* at = text;
    if (*at == '-') out.push_back(*at++);
    char digits[24];
    std::size_t count = 0;
    for (; *at != 'e'; ++at) {
        if (*at != '.') digits[count++] = *at;
    }
    int exponent = 0;
    at += at[1] == '+' ? 2 : 1;
    std::from_chars(at, end, exponent);
    if (value == 0) {
        out.push_back('0');
        return;
    }
    // jq's layout (its dtoa): the point stands behind the first `point` digits.
    const int point = exponent + 1;
    if (point <= -4 || point > static_cast<int>(count) + 15) {
        out.push_back(digits[0]);
        if (count > 1) out.append(1, '.').append(digits + 1, count - 1);
        out.append(exponent < 0 ? "e-" : "e+");
        if (std::abs(exponent) < 10) out.push_back('0');
        append_int64(out, std::abs(exponent));
    } else if (point <= 0) {
        out.append("0.").append(static_cast<std::size_t>(-point), '0').append(digits, count);
    } else if (const auto whole = static_cast<std::size_t>(point); whole >= count) {
        out.append(digits, count).append(whole - count, '0');
    } else {
        out.append(digits, whole).append(1, '.').append(digits + whole, count - whole);
    }
}

// Deliberately not jq's beyond 2^53: integers written plainly keep their digits, and never get an exponent.
void append_jq_number(std::string& out, Val number) {
    if (number.kind == Kind::integer) {
        append_int64(out, number.integer);
    } else if (number.kind == Kind::number_text && is_plain_integer(number.view())) {
        out.append(number.view());
    } else {
        append_jq_double(out, double_of(number));
    }
}

}  // namespace stream::expr
