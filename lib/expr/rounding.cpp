// SPDX-License-Identifier: Apache-2.0
#include "expr/libjq.hpp"
#include "json/number.hpp"

#include <cmath>
#include <cstring>
#include <string>

namespace stream::expr {
namespace {

constexpr std::size_t digits_that_fit = 15;  // a double gives back any decimal number of so many

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Behind the closing quote of the string whose first character is at `at`.
const char* after_string(const char* at, const char* end) {
    const char* const begin = at;
    while (at != end) {
        const void* found = std::memchr(at, '"', static_cast<std::size_t>(end - at));
        if (found == nullptr) return end;
        const char* const quote = static_cast<const char*>(found);
        const char* slash = quote;
        while (slash != begin && slash[-1] == '\\') --slash;
        at = quote + 1;
        if ((quote - slash) % 2 == 0) return at;
    }
    return end;
}

bool is_rounded(std::string_view number) {
    const double nearest = to_double(number);
    if (!std::isfinite(nearest)) return true;
    std::string printed;
    append_double(printed, nearest);
    return compare_numbers(printed, number) != 0;
}

}  // namespace

std::string_view rounded_number(std::string_view json) {
    const char* at = json.data();
    const char* const end = at + json.size();
    while (at != end) {
        const char c = *at++;
        if (c == '"') {
            at = after_string(at, end);
        } else if (is_digit(c) || c == '-') {
            const char* const begin = at - 1;
            std::size_t digits = c == '-' ? 0 : 1;
            while (at != end && is_digit(*at)) ++at, ++digits;
            if (at != end && *at == '.') {
                ++at;
                while (at != end && is_digit(*at)) ++at, ++digits;
            }
            const bool has_exponent = at != end && (*at == 'e' || *at == 'E');
            if (has_exponent) {
                while (at != end && (is_digit(*at) || *at == 'e' || *at == 'E' || *at == '+' || *at == '-'))
                    ++at;
            }
            if (digits <= digits_that_fit && !has_exponent) continue;
            const std::string_view number(begin, static_cast<std::size_t>(at - begin));
            if (is_rounded(number)) return number;
        }
    }
    return {};
}

}  // namespace stream::expr
