// SPDX-License-Identifier: Apache-2.0
#include "ops/aggregates/exact_sum.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace stream {
namespace {

constexpr unsigned max_int128_digits = 38;

// Inline sums stop at this scale: no term that fits in 128 bits together with others needs more.
constexpr unsigned max_inline_scale = 64;

constexpr auto powers_of_ten = [] {
    std::array<Int128, max_int128_digits + 1> powers{1};
    for (std::size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * 10;
    return powers;
}();

// value × 10^exponent; false if that is past 128 bits.
bool scale_up(Int128& value, unsigned exponent) {
    if (value == 0 || exponent == 0) return true;
    if (exponent > max_int128_digits) return false;
    return !__builtin_mul_overflow(value, powers_of_ten[exponent], &value);
}

// A number as ± digits × 10^exponent, and as mantissa × 10^-scale where that fits.
struct Term {
    bool negative = false;
    bool in_range = false;
    bool fits = false;
    Int128 mantissa = 0;
    unsigned scale = 0;
    std::string digits;  // only if it does not fit
    int exponent = 0;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// What stands after the e, kept within ±10^12: far outside any range that is asked for.
std::int64_t read_exponent(std::string_view text) {
    constexpr std::int64_t limit = 1'000'000'000'000;
    const bool negative = !text.empty() && text.front() == '-';
    std::int64_t value = 0;
    for (const char c : text) {
        if (is_digit(c)) value = std::min(limit, value * 10 + (c - '0'));
    }
    return negative ? -value : value;
}

Term parse_term(std::string_view text) {
    Term term;
    std::size_t at = 0;
    if (!text.empty() && text.front() == '-') {
        term.negative = true;
        at = 1;
    }
    const std::size_t first = at;
    std::int64_t exponent = 0;
    std::size_t significant = 0;
    UInt128 value = 0;
    bool in_fraction = false;
    for (; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '.') {
            in_fraction = true;
            continue;
        }
        if (!is_digit(c)) break;
        if (in_fraction) --exponent;
        if (significant > 0 || c != '0') ++significant;
        if (significant <= max_int128_digits) value = value * 10 + static_cast<unsigned>(c - '0');
    }
    const std::size_t end = at;
    if (significant == 0) {
        term.in_range = term.fits = true;
        return term;
    }
    if (at < text.size()) exponent += read_exponent(text.substr(at + 1));

    // Where the digits end with zeros, their range and their fit are those without them.
    std::size_t zeros = 0;
    for (std::size_t i = end; i > first && (text[i - 1] == '0' || text[i - 1] == '.'); --i) {
        if (text[i - 1] == '0') ++zeros;
    }
    const std::int64_t lowest = exponent + static_cast<std::int64_t>(zeros);
    const std::int64_t highest = exponent + static_cast<std::int64_t>(significant);
    term.in_range = lowest >= -max_sum_exponent && highest <= max_sum_exponent;
    if (!term.in_range) return term;

    if (significant <= max_int128_digits && exponent >= -static_cast<std::int64_t>(max_inline_scale)) {
        term.mantissa = static_cast<Int128>(value);
        if (term.negative) term.mantissa = -term.mantissa;
        term.scale = exponent < 0 ? static_cast<unsigned>(-exponent) : 0;
        term.fits = exponent <= 0 || scale_up(term.mantissa, static_cast<unsigned>(exponent));
        if (term.fits) return term;
    }
    for (std::size_t i = first; i < end; ++i) {
        if (is_digit(text[i]) && (!term.digits.empty() || text[i] != '0')) term.digits.push_back(text[i]);
    }
    term.digits.resize(significant - zeros);
    term.exponent = static_cast<int>(lowest);
    return term;
}

bool is_plain_integer(std::string_view text) { return text.find_first_of(".eE") == std::string_view::npos; }

// Into `value`, if ± digits × 10^exponent is an integer of 128 bits.
bool to_int128(const BigDecimal::Digits& number, Int128& value) {
    constexpr std::size_t most_digits = 39;
    if (number.exponent < 0 ||
        number.digits.size() + static_cast<std::size_t>(number.exponent) > most_digits) {
        return false;
    }
    value = 0;
    const std::string digits = number.digits + std::string(static_cast<std::size_t>(number.exponent), '0');
    for (const char c : digits) {
        // Downwards, where there is one more.
        if (__builtin_mul_overflow(value, Int128{10}, &value)) return false;
        if (__builtin_sub_overflow(value, Int128{c - '0'}, &value)) return false;
    }
    return number.negative || !__builtin_sub_overflow(Int128{0}, value, &value);
}

}  // namespace

bool is_summable(std::string_view number) {
    const bool surely =
        number.size() < max_sum_exponent && number.find_first_of("eE") == std::string_view::npos;
    return surely || parse_term(number).in_range;
}

BigDecimal& ExactSum::make_big() {
    if (!is_big_) {
        auto* wide = new BigDecimal(mantissa(), -static_cast<int>(scale_));
        low_ = reinterpret_cast<std::uintptr_t>(wide);
        high_ = 0;
        scale_ = 0;
        is_big_ = true;
    }
    return *big();
}

void ExactSum::add_scaled(Int128 term, unsigned scale) {
    if (term == 0) return;
    if (!is_big_) {
        Int128 sum = mantissa();
        Int128 aligned = term;
        const unsigned common = std::max<unsigned>(scale, scale_);
        if (common <= 2 * max_inline_scale && scale_up(sum, common - scale_) &&
            scale_up(aligned, common - scale) && !__builtin_add_overflow(sum, aligned, &sum)) {
            set_mantissa(sum);
            scale_ = static_cast<std::uint16_t>(common);
            return;
        }
    }
    make_big().add(term, -static_cast<int>(scale));
}

bool ExactSum::add_text(std::string_view number) {
    const Term term = parse_term(number);
    if (!term.in_range) return false;
    any_ = true;
    if (!is_plain_integer(number)) saw_decimal_ = true;
    if (term.fits) {
        add_scaled(term.mantissa, term.scale);
    } else {
        make_big().add_digits(term.negative, term.digits, term.exponent);
    }
    return true;
}

bool ExactSum::add_square(std::string_view number) {
    ShortDecimal decimal;
    if (read_short_decimal(number, decimal)) [[likely]] {
        any_ = true;
        saw_decimal_ |= decimal.has_point;
        add_scaled(Int128{decimal.mantissa} * decimal.mantissa, 2 * decimal.scale);
        return true;
    }
    const Term term = parse_term(number);
    if (!term.in_range) return false;
    any_ = true;
    if (!is_plain_integer(number)) saw_decimal_ = true;
    Int128 square = 0;
    if (term.fits && !__builtin_mul_overflow(term.mantissa, term.mantissa, &square)) {
        add_scaled(square, 2 * term.scale);
        return true;
    }
    BigDecimal wide;
    if (term.fits) {
        wide.add(term.mantissa, -static_cast<int>(term.scale));
    } else {
        wide.add_digits(false, term.digits, term.exponent);
    }
    make_big().add(BigDecimal::product(wide, wide));
    return true;
}

void ExactSum::add(const ExactSum& other) {
    if (other.is_big_) {
        make_big().add(*other.big());
    } else {
        add_scaled(other.mantissa(), other.scale_);
    }
    any_ = any_ || other.any_;
    saw_decimal_ = saw_decimal_ || other.saw_decimal_;
}

void ExactSum::subtract(const ExactSum& other) {
    if (!other.is_big_ && other.mantissa() != std::numeric_limits<Int128>::min()) {
        add_scaled(-other.mantissa(), other.scale_);
    } else {
        make_big().subtract(other.to_big());
    }
    any_ = any_ || other.any_;
    saw_decimal_ = saw_decimal_ || other.saw_decimal_;
}

BigDecimal ExactSum::to_big() const {
    return is_big_ ? *big() : BigDecimal(mantissa(), -static_cast<int>(scale_));
}

bool ExactSum::is_int128() const {
    if (!is_big_ && scale_ == 0) return true;
    Int128 value = 0;
    const BigDecimal::Digits number = to_big().digits();
    return number.digits.empty() || to_int128(number, value);
}

void ExactSum::append_to(std::string& out) const {
    if (!is_big_) {
        Int128 value = mantissa();
        unsigned scale = scale_;
        for (; scale > 0 && value % 10 == 0; --scale) value /= 10;
        if (scale == 0) {
            append_int128(out, value);
            return;
        }
        std::string text;
        append_int128(text, value);
        text.append("e-").append(std::to_string(scale));
        append_canonical_number(out, text);
        return;
    }
    const BigDecimal::Digits number = to_big().digits();
    Int128 integer = 0;
    if (number.digits.empty()) {
        out.push_back('0');
    } else if (to_int128(number, integer)) {
        append_int128(out, integer);
    } else {
        std::string text = (number.negative ? "-" : "") + number.digits + "e";
        append_int64(text, number.exponent);
        append_canonical_number(out, text);
    }
}

double ExactSum::nearest_quotient(int shift, std::uint64_t divisor) const {
    if (is_big_) return big()->nearest_quotient(shift, divisor);
    return stream::nearest_quotient(mantissa(), shift - static_cast<int>(scale_), divisor);
}

void ExactSum::snapshot(StateWriter& writer) const {
    writer.put_u8(static_cast<std::uint8_t>((is_big_ ? 1 : 0) | (saw_decimal_ ? 2 : 0) | (any_ ? 4 : 0)));
    if (!is_big_) {
        writer.put_u64(low_);
        writer.put_u64(high_);
        writer.put_varint(scale_);
        return;
    }
    const BigDecimal::Digits number = big()->digits();
    writer.put_u8(number.negative ? 1 : 0);
    writer.put_i64(number.exponent);
    writer.put_bytes(number.digits);
}

void ExactSum::restore(StateReader& reader) {
    const std::uint8_t flags = reader.get_u8();
    saw_decimal_ = (flags & 2) != 0;
    any_ = (flags & 4) != 0;
    if ((flags & 1) == 0) {
        low_ = reader.get_u64();
        high_ = reader.get_u64();
        scale_ =
            static_cast<std::uint16_t>(std::min<std::uint64_t>(reader.get_varint(), 2 * max_inline_scale));
        return;
    }
    const bool negative = reader.get_u8() != 0;
    const std::int64_t exponent = reader.get_i64();
    const std::string_view digits = reader.get_bytes();
    const bool sane = exponent >= -4 * max_sum_exponent && exponent <= 4 * max_sum_exponent &&
                      std::all_of(digits.begin(), digits.end(), is_digit);
    if (reader.ok() && sane) make_big().add_digits(negative, digits, static_cast<int>(exponent));
}

double nearest_quotient(Int128 numerator, int shift, std::uint64_t divisor, std::uint64_t second) {
    // Where both sides of the fraction are exact in doubles, one division rounds once.
    constexpr Int128 exact = Int128{1} << 53;
    Int128 top = numerator;
    Int128 bottom = 0;
    if (!__builtin_mul_overflow(Int128{divisor}, Int128{second}, &bottom)) {
        int left = shift;
        for (; left > 0 && bottom % 10 == 0; --left) bottom /= 10;
        const auto power = static_cast<unsigned>(left < 0 ? -left : left);
        if (scale_up(left < 0 ? bottom : top, power) && top <= exact && top >= -exact && bottom <= exact) {
            return static_cast<double>(static_cast<std::int64_t>(top)) /
                   static_cast<double>(static_cast<std::int64_t>(bottom));
        }
    }
    return BigDecimal(numerator, 0).nearest_quotient(shift, divisor, second);
}

}  // namespace stream
