// SPDX-License-Identifier: Apache-2.0
// Exact decimals of any length, for the sums that 128 bits do not hold. Slow and rare: correctness is
// all that matters here, and that the order of additions can never show.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/int128.hpp"

namespace stream {

class BigDecimal {
public:
    BigDecimal() = default;
    // mantissa × 10^exponent
    BigDecimal(Int128 mantissa, int exponent) { add(mantissa, exponent); }

    void add(Int128 mantissa, int exponent);
    // ± digits × 10^exponent; `digits` are digits only.
    void add_digits(bool negative, std::string_view digits, int exponent);
    void add(const BigDecimal& other) { add_multiple(other, 1); }
    void subtract(const BigDecimal& other) { add_multiple(other, -1); }
    void multiply(std::uint64_t factor);
    static BigDecimal product(const BigDecimal& a, const BigDecimal& b);

    // <0, 0, >0.
    int sign() const;
    // ± digits × 10^exponent, the digits neither starting nor ending with 0 (none for zero).
    struct Digits {
        bool negative = false;
        std::string digits;
        int exponent = 0;
    };
    Digits digits() const;

    // The double nearest to this × 10^shift ÷ (divisor × second); the divisors are not 0.
    double nearest_quotient(int shift, std::uint64_t divisor, std::uint64_t second = 1) const;

    std::size_t heap_bytes() const { return limbs_.capacity() * sizeof(std::int64_t); }

private:
    void add_multiple(const BigDecimal& other, std::int64_t sign);
    // Adds |amount| < 2 × 10^18 in units of 10^(18 × place), passing carries up.
    void add_at(int place, std::int64_t amount);
    // Sign and magnitude: limbs from the highest non-zero to the lowest, and the lowest one's place.
    struct Magnitude {
        bool negative = false;
        std::vector<std::uint64_t> limbs;
        int low = 0;
    };
    Magnitude magnitude() const;

    // limbs_[i] weighs 10^(18 × (low_ + i)); each lies between -10^18 and 10^18, both excluded, and
    // may have a sign of its own: additions then carry no further than they must.
    std::vector<std::int64_t> limbs_;
    int low_ = 0;
};

}  // namespace stream
