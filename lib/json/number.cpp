// SPDX-License-Identifier: Apache-2.0
#include "json/number.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <limits>
#include <system_error>

namespace stream {
namespace {

constexpr std::size_t max_difference_digits = 4096;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The power of ten of a number, of any size: "1e123456789012345678901234567890" is valid JSON. Nearly
// always it is `small`; one of more than 18 digits is kept as text, and since what is added to it (the
// length of the number's digits) is far less than 10^18, its sign never changes.
class Exponent {
public:
    // `text` as after the e: digits, perhaps with a sign; empty for none. Plus `offset`.
    Exponent(std::string_view text, std::int64_t offset) {
        bool negative = false;
        if (!text.empty() && !is_digit(text.front())) {
            negative = text.front() == '-';
            text.remove_prefix(1);
        }
        text.remove_prefix(std::min(text.find_first_not_of('0'), text.size()));
        if (text.size() <= 18) {
            for (const char c : text) small_ = small_ * 10 + (c - '0');
            small_ = (negative ? -small_ : small_) + offset;
            return;
        }
        big_ = true;
        negative_ = negative;
        digits_ = text;
        add_to_digits(negative ? -offset : offset);
    }

    bool is_small() const { return !big_; }
    std::int64_t small() const { return small_; }
    bool is_negative() const { return big_ ? negative_ : small_ < 0; }

    // Digits without a sign.
    std::string magnitude() const {
        if (big_) return digits_;
        std::string text = std::to_string(small_);
        if (text.front() == '-') text.erase(0, 1);
        return text;
    }

    friend int compare(const Exponent& a, const Exponent& b) {
        if (!a.big_ && !b.big_) return a.small_ < b.small_ ? -1 : a.small_ > b.small_ ? 1 : 0;
        if (a.is_negative() != b.is_negative()) return a.is_negative() ? -1 : 1;
        const std::string left = a.magnitude();
        const std::string right = b.magnitude();
        int order = left.size() < right.size() ? -1 : left.size() > right.size() ? 1 : left.compare(right);
        if (a.is_negative()) order = -order;
        return order;
    }

    // One less: from the place of the point to the exponent of scientific notation.
    Exponent minus_one() const {
        Exponent result = *this;
        if (!big_) {
            --result.small_;
        } else {
            result.add_to_digits(negative_ ? 1 : -1);
        }
        return result;
    }

private:
    // |delta| is less than the value of the digits.
    void add_to_digits(std::int64_t delta) {
        std::int64_t carry = delta;
        for (std::size_t i = digits_.size(); i > 0 && carry != 0; --i) {
            const std::int64_t sum = (digits_[i - 1] - '0') + carry;
            std::int64_t digit = sum % 10;
            carry = sum / 10;
            if (digit < 0) {
                digit += 10;
                --carry;
            }
            digits_[i - 1] = static_cast<char>('0' + digit);
        }
        if (carry > 0) digits_.insert(0, std::to_string(carry));
        digits_.erase(0, std::min(digits_.find_first_not_of('0'), digits_.size() - 1));
    }

    std::int64_t small_ = 0;
    bool big_ = false;
    bool negative_ = false;
    std::string digits_;
};

// A number's text in its parts.
struct Parts {
    bool negative = false;
    std::string_view integer;
    std::string_view fraction;
    std::string_view exponent;
};

Parts split(std::string_view text) {
    Parts parts;
    std::size_t at = 0;
    if (!text.empty() && text.front() == '-') {
        parts.negative = true;
        at = 1;
    }
    std::size_t begin = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    parts.integer = text.substr(begin, at - begin);
    if (at < text.size() && text[at] == '.') {
        begin = ++at;
        while (at < text.size() && is_digit(text[at])) ++at;
        parts.fraction = text.substr(begin, at - begin);
    }
    if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) parts.exponent = text.substr(at + 1);
    return parts;
}

// 0.DIGITS × 10^point, the digits neither starting nor ending with 0; no digits for zero.
struct Decimal {
    bool negative = false;
    std::string digits;
    Exponent point;
};

Decimal normalise(std::string_view text) {
    const Parts parts = split(text);
    std::string digits;
    digits.reserve(parts.integer.size() + parts.fraction.size());
    digits.append(parts.integer).append(parts.fraction);
    const std::size_t zeros = std::min(digits.find_first_not_of('0'), digits.size());
    if (zeros == digits.size()) return Decimal{false, {}, Exponent({}, 0)};
    digits.erase(digits.find_last_not_of('0') + 1);
    digits.erase(0, zeros);
    const std::int64_t offset =
        static_cast<std::int64_t>(parts.integer.size()) - static_cast<std::int64_t>(zeros);
    return Decimal{parts.negative, std::move(digits), Exponent(parts.exponent, offset)};
}

// ECMA-262, Number::toString, steps 6 to 10: `digits` with the point after the first `point` of them.
void append_layout(std::string& out, bool negative, std::string_view digits, const Exponent& point) {
    if (negative) out.push_back('-');
    const std::size_t count = digits.size();
    if (point.is_small() && point.small() > 0 && point.small() <= 21) {
        const auto n = static_cast<std::size_t>(point.small());
        if (count <= n) {
            out.append(digits).append(n - count, '0');
        } else {
            out.append(digits.substr(0, n)).append(1, '.').append(digits.substr(n));
        }
        return;
    }
    if (point.is_small() && point.small() > -6 && point.small() <= 0) {
        out.append("0.").append(static_cast<std::size_t>(-point.small()), '0').append(digits);
        return;
    }
    out.append(digits.substr(0, 1));
    if (count > 1) out.append(1, '.').append(digits.substr(1));
    const Exponent exponent = point.minus_one();
    out.append(exponent.is_negative() ? "e-" : "e+").append(exponent.magnitude());
}

void append_decimal(std::string& out, const Decimal& number) {
    if (number.digits.empty()) {
        out.push_back('0');
    } else {
        append_layout(out, number.negative, number.digits, number.point);
    }
}

// Whether this text is its own canonical text, as most are; "false" may only mean "not seen quickly".
bool is_canonical_number(std::string_view text) {
    if (!text.empty() && text.front() == '-') {
        text.remove_prefix(1);
        if (text == "0") return false;
    }
    std::size_t integer = 0;
    while (integer < text.size() && is_digit(text[integer])) ++integer;
    if (integer == 0 || integer > 21) return false;
    if (integer == text.size()) return integer == 1 || text.front() != '0';
    if (text[integer] != '.' || text.back() == '0') return false;
    const std::string_view fraction = text.substr(integer + 1);
    if (!std::all_of(fraction.begin(), fraction.end(), is_digit)) return false;
    if (text.front() != '0') return true;
    return integer == 1 && fraction.find_first_not_of('0') < 6;
}

}  // namespace

std::optional<std::int64_t> parse_int64(std::string_view text) {
    const bool negative = !text.empty() && text.front() == '-';
    const char* at = text.data() + (negative ? 1 : 0);
    const char* const end = text.data() + text.size();
    if (at == end) return std::nullopt;
    if (end - at > 18) {
        std::int64_t value = 0;
        const auto [stop, error] = std::from_chars(text.data(), end, value);
        if (error != std::errc{} || stop != end) return std::nullopt;
        return value;
    }
    std::int64_t value = 0;
    for (; at != end; ++at) {
        if (!is_digit(*at)) return std::nullopt;
        value = value * 10 + (*at - '0');
    }
    return negative ? -value : value;
}

double to_double(std::string_view text) {
    if (text.size() <= 15 && text != "-0") {
        if (const auto integer = parse_int64(text)) return static_cast<double>(*integer);
    }
    double value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc::result_out_of_range) return value;
    const Decimal number = normalise(text);
    const bool huge = !number.digits.empty() && !number.point.is_negative();
    const double magnitude = huge ? std::numeric_limits<double>::infinity() : 0.0;
    return number.negative ? -magnitude : magnitude;
}

void append_int64(std::string& out, std::int64_t value) {
    char text[24];
    const auto result = std::to_chars(text, text + sizeof text, value);
    out.append(text, result.ptr);
}

void append_uint64(std::string& out, std::uint64_t value) {
    char text[24];
    const auto result = std::to_chars(text, text + sizeof text, value);
    out.append(text, result.ptr);
}

void append_int128(std::string& out, Int128 value) {
    if (value >= std::numeric_limits<std::int64_t>::min() &&
        value <= std::numeric_limits<std::int64_t>::max()) {
        append_int64(out, static_cast<std::int64_t>(value));
        return;
    }
    constexpr std::uint64_t chunk = 10'000'000'000'000'000'000u;
    UInt128 rest = value < 0 ? -static_cast<UInt128>(value) : static_cast<UInt128>(value);
    if (value < 0) out.push_back('-');
    char text[40];
    char* at = text + sizeof text;
    while (rest != 0) {
        auto low = static_cast<std::uint64_t>(rest % chunk);
        rest /= chunk;
        for (int i = 0; i < 19 && (rest != 0 || low != 0); ++i, low /= 10) {
            *--at = static_cast<char>('0' + low % 10);
        }
    }
    out.append(at, text + sizeof text);
}

void append_double(std::string& out, double value) {
    if (!std::isfinite(value)) {
        out.append("null");
        return;
    }
    constexpr double exact_integers = 9007199254740992.0;
    if (std::fabs(value) <= exact_integers && value == std::trunc(value)) {
        append_int64(out, static_cast<std::int64_t>(value));
        return;
    }
    char text[48];
    if (const double size = std::fabs(value); size >= 1e-6 && size < exact_integers) {
        // The usual fraction: the shortest digits that read back, no exponent.
        const auto plain = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed);
        out.append(text, static_cast<std::size_t>(plain.ptr - text));
        return;
    }
    // The shortest digits that read back as this double, as d.ddde±xx.
    const auto result = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific);
    const std::string_view shortest(text, static_cast<std::size_t>(result.ptr - text));
    const Parts parts = split(shortest);
    char digits[24];
    char* end = std::copy(parts.integer.begin(), parts.integer.end(), digits);
    end = std::copy(parts.fraction.begin(), parts.fraction.end(), end);
    append_layout(out, parts.negative, std::string_view(digits, static_cast<std::size_t>(end - digits)),
                  Exponent(parts.exponent, 1));
}

void append_canonical_number(std::string& out, std::string_view text) {
    if (is_canonical_number(text)) {
        out.append(text);
    } else {
        append_decimal(out, normalise(text));
    }
}

int compare_numbers(std::string_view a, std::string_view b) {
    if (a == b) return 0;
    if (const auto left = parse_int64(a)) {
        if (const auto right = parse_int64(b)) return *left < *right ? -1 : *left > *right ? 1 : 0;
    }
    const Decimal left = normalise(a);
    const Decimal right = normalise(b);
    const auto sign = [](const Decimal& d) { return d.digits.empty() ? 0 : d.negative ? -1 : 1; };
    if (sign(left) != sign(right)) return sign(left) < sign(right) ? -1 : 1;
    if (sign(left) == 0) return 0;
    int order = compare(left.point, right.point);
    if (order == 0) order = left.digits.compare(right.digits);
    order = order < 0 ? -1 : order > 0 ? 1 : 0;
    return left.negative ? -order : order;
}

std::optional<std::string> subtract_numbers(std::string_view a, std::string_view b) {
    std::string out;
    if (const auto left = parse_int64(a)) {
        if (const auto right = parse_int64(b)) {
            // 64 bits minus 64 bits has at most 20 digits: canonical as it stands.
            append_int128(out, static_cast<Int128>(*left) - *right);
            return out;
        }
    }
    Decimal left = normalise(a);
    Decimal right = normalise(b);
    right.negative = !right.negative;
    if (left.digits.empty() || right.digits.empty()) {
        append_decimal(out, left.digits.empty() ? right : left);
        return out;
    }
    // Places counted from the higher point, downwards; each number's digits begin at its `skip`.
    const Exponent& top = compare(left.point, right.point) >= 0 ? left.point : right.point;
    const auto skip_of = [&top](const Decimal& d) -> std::optional<std::size_t> {
        if (compare(top, d.point) == 0) return 0;
        if (!top.is_small() || !d.point.is_small()) return std::nullopt;
        const auto skip =
            static_cast<std::uint64_t>(top.small()) - static_cast<std::uint64_t>(d.point.small());
        if (skip > max_difference_digits) return std::nullopt;
        return static_cast<std::size_t>(skip);
    };
    const auto left_skip = skip_of(left);
    const auto right_skip = skip_of(right);
    if (!left_skip || !right_skip) return std::nullopt;
    const std::size_t places = std::max(*left_skip + left.digits.size(), *right_skip + right.digits.size());
    if (places > max_difference_digits) return std::nullopt;

    const auto spread = [places](const Decimal& d, std::size_t skip) {
        std::string text(1 + skip, '0');  // one place more on top, for a carry
        text.append(d.digits).append(1 + places - text.size(), '0');
        return text;
    };
    std::string x = spread(left, *left_skip);
    std::string y = spread(right, *right_skip);
    bool negative = left.negative;
    if (left.negative == right.negative) {
        int carry = 0;
        for (std::size_t i = x.size(); i-- > 0;) {
            const int sum = (x[i] - '0') + (y[i] - '0') + carry;
            x[i] = static_cast<char>('0' + sum % 10);
            carry = sum / 10;
        }
    } else {
        if (x < y) {
            x.swap(y);
            negative = right.negative;
        }
        int borrow = 0;
        for (std::size_t i = x.size(); i-- > 0;) {
            const int difference = x[i] - y[i] - borrow;
            borrow = difference < 0 ? 1 : 0;
            x[i] = static_cast<char>('0' + difference + 10 * borrow);
        }
    }
    // 0.x × 10^(top+1), x having the place for the carry in front.
    const std::size_t zeros = x.find_first_not_of('0');
    if (zeros == std::string::npos) return std::string("0");
    x.erase(x.find_last_not_of('0') + 1);
    x.erase(0, zeros);
    const std::string exponent = (top.is_negative() ? "-" : "") + top.magnitude();
    append_layout(out, negative, x, Exponent(exponent, 1 - static_cast<std::int64_t>(zeros)));
    return out;
}

}  // namespace stream
