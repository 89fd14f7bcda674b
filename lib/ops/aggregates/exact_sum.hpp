// SPDX-License-Identifier: Apache-2.0
// A sum of JSON numbers that rounds nothing, so that neither the order of the terms nor the way they
// were grouped can show.
//
// 24 bytes: a 128-bit integer in units of 10^-scale, which holds what data brings; where it would not
// fit, a BigDecimal on the heap takes over. Terms must lie between 10^-4096 and 10^4096, every digit of
// them: each term is judged by itself, which no order can change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/int128.hpp"
#include "json/number.hpp"
#include "ops/aggregates/big_decimal.hpp"
#include "state/bytes.hpp"

namespace stream {

// The powers of ten that a term's digits may stand for.
inline constexpr int max_sum_exponent = 4096;

// Whether a number's digits lie in that range, so that a sum takes it.
bool is_summable(std::string_view number);

// The quick way in: a number without exponent of at most 18 digits, as mantissa × 10^-scale.
struct ShortDecimal {
    std::int64_t mantissa = 0;
    unsigned scale = 0;
    bool has_point = false;
};
inline bool read_short_decimal(std::string_view text, ShortDecimal& decimal) {
    if (text.size() > 18) return false;
    const char* at = text.data();
    const char* const end = at + text.size();
    const bool negative = at != end && *at == '-';
    if (negative) ++at;
    std::int64_t mantissa = 0;
    const char* after_point = nullptr;
    for (; at != end; ++at) {
        const unsigned digit = static_cast<unsigned char>(*at) - unsigned{'0'};
        if (digit <= 9) {
            mantissa = mantissa * 10 + digit;
        } else if (*at == '.') {
            after_point = at + 1;
        } else {
            return false;
        }
    }
    decimal.mantissa = negative ? -mantissa : mantissa;
    decimal.has_point = after_point != nullptr;
    decimal.scale = after_point != nullptr ? static_cast<unsigned>(end - after_point) : 0;
    return true;
}

// Lives in the bytes of an aggregate's state: trivially copyable so that these can be moved with
// memcpy, hence release() in place of a destructor. All zero bytes are the sum of nothing.
class ExactSum {
public:
    void release() {
        if (is_big_) delete big();
        *this = ExactSum();
    }

    // A JSON number's text. False, and nothing is added, if it is out of range.
    bool add(std::string_view number) {
        ShortDecimal decimal;
        if (!read_short_decimal(number, decimal)) [[unlikely]]
            return add_text(number);
        saw_decimal_ |= decimal.has_point;
        add_short(decimal.mantissa, decimal.scale);
        return true;
    }
    // Its square.
    bool add_square(std::string_view number);

    void add_integer(std::int64_t term) { add_short(term, 0); }
    // Part of a term: term × 10^-scale, 0 <= scale <= 2 × max_sum_exponent.
    void add_scaled(Int128 term, unsigned scale);
    void add(const ExactSum& other);
    void subtract(const ExactSum& other);

    bool has_terms() const { return any_; }
    // Every term was written as a plain integer.
    bool only_integers() const { return !saw_decimal_; }
    // An integer from -2^127 to 2^127 - 1.
    bool is_int128() const;

    // In full: an integer of 128 bits in digits, anything else as canonical number text.
    void append_to(std::string& out) const;
    // The double nearest to this × 10^shift ÷ divisor; divisor is not 0.
    double nearest_quotient(int shift, std::uint64_t divisor) const;
    BigDecimal to_big() const;

    // For the arithmetic of variances: whether the value is small(), in units of 10^-scale().
    bool is_small() const { return !is_big_; }
    Int128 small() const { return mantissa(); }
    unsigned scale() const { return scale_; }

    void snapshot(StateWriter& writer) const;
    // Into a sum of nothing; damage shows in reader.ok().
    void restore(StateReader& reader);

    std::size_t heap_bytes() const { return is_big_ ? sizeof(BigDecimal) + big()->heap_bytes() : 0; }

private:
    void add_short(std::int64_t term, unsigned scale) {
        any_ = true;
        Int128 sum = 0;
        if (scale_ == scale && !is_big_ && !__builtin_add_overflow(mantissa(), Int128{term}, &sum))
            [[likely]] {
            set_mantissa(sum);
        } else {
            add_scaled(term, scale);
        }
    }
    bool add_text(std::string_view number);
    Int128 mantissa() const { return static_cast<Int128>(static_cast<UInt128>(high_) << 64 | low_); }
    void set_mantissa(Int128 value) {
        low_ = static_cast<std::uint64_t>(value);
        high_ = static_cast<std::uint64_t>(static_cast<UInt128>(value) >> 64);
    }
    BigDecimal* big() const { return reinterpret_cast<BigDecimal*>(low_); }
    BigDecimal& make_big();

    // Two words and not one Int128, which would want 16-byte alignment. Of a big sum, `low_` is the
    // pointer.
    std::uint64_t low_ = 0;
    std::uint64_t high_ = 0;
    std::uint16_t scale_ = 0;
    bool is_big_ = false;
    bool saw_decimal_ = false;
    bool any_ = false;
};

static_assert(sizeof(ExactSum) == 24);

// For a sum that is no part of a state.
struct ScopedSum : ExactSum {
    ScopedSum() = default;
    ScopedSum(const ScopedSum&) = delete;
    ScopedSum& operator=(const ScopedSum&) = delete;
    ~ScopedSum() { release(); }
};

// The double nearest to numerator × 10^shift ÷ (divisor × second).
double nearest_quotient(Int128 numerator, int shift, std::uint64_t divisor, std::uint64_t second = 1);

}  // namespace stream
