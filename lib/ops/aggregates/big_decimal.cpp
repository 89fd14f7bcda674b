// SPDX-License-Identifier: Apache-2.0
#include "ops/aggregates/big_decimal.hpp"

#include <algorithm>

#include "json/number.hpp"

namespace stream {
namespace {

constexpr int limb_digits = 18;
constexpr std::int64_t limb_base = 1'000'000'000'000'000'000;

// Enough digits of a quotient to round it to a double: a midpoint between two doubles has at most 768
// significant digits, so that with more than those and "something follows" the choice is exact.
constexpr std::size_t rounding_limbs = 46;

int floor_place(int exponent) {
    return exponent >= 0 ? exponent / limb_digits : -((-exponent + limb_digits - 1) / limb_digits);
}

std::int64_t small_power(int exponent) {
    std::int64_t power = 1;
    for (; exponent > 0; --exponent) power *= 10;
    return power;
}

// Highest limb first; true if something was left over.
bool divide(std::vector<std::uint64_t>& limbs, std::uint64_t divisor) {
    UInt128 rest = 0;
    for (std::uint64_t& limb : limbs) {
        rest = rest * static_cast<UInt128>(limb_base) + limb;
        limb = static_cast<std::uint64_t>(rest / divisor);
        rest %= divisor;
    }
    return rest != 0;
}

std::string limbs_to_digits(const std::vector<std::uint64_t>& limbs) {
    std::string text(limbs.size() * limb_digits, '0');
    std::size_t end = text.size();
    for (auto limb = limbs.rbegin(); limb != limbs.rend(); ++limb, end -= limb_digits) {
        std::uint64_t rest = *limb;
        for (std::size_t i = end; rest != 0; rest /= 10) text[--i] = static_cast<char>('0' + rest % 10);
    }
    text.erase(0, std::min(text.find_first_not_of('0'), text.size()));
    return text;
}

}  // namespace

void BigDecimal::add_at(int place, std::int64_t amount) {
    if (amount == 0) return;
    if (limbs_.empty()) low_ = place;
    if (place < low_) {
        limbs_.insert(limbs_.begin(), static_cast<std::size_t>(low_ - place), 0);
        low_ = place;
    }
    for (auto i = static_cast<std::size_t>(place - low_); amount != 0; ++i) {
        if (i >= limbs_.size()) limbs_.resize(i + 1);
        const std::int64_t sum = limbs_[i] + amount;
        amount = sum / limb_base;
        limbs_[i] = sum % limb_base;
    }
}

void BigDecimal::add(Int128 mantissa, int exponent) {
    int place = floor_place(exponent);
    const std::int64_t power = small_power(exponent - place * limb_digits);
    // In limbs of the mantissa, each times a power below 10^18: two limbs each.
    for (; mantissa != 0; mantissa /= limb_base, ++place) {
        const Int128 part = (mantissa % limb_base) * power;
        add_at(place, static_cast<std::int64_t>(part % limb_base));
        add_at(place + 1, static_cast<std::int64_t>(part / limb_base));
    }
}

void BigDecimal::add_digits(bool negative, std::string_view digits, int exponent) {
    while (!digits.empty()) {
        const std::size_t count = std::min<std::size_t>(digits.size(), limb_digits);
        std::int64_t chunk = 0;
        for (const char c : digits.substr(digits.size() - count)) chunk = chunk * 10 + (c - '0');
        add(negative ? -chunk : chunk, exponent);
        digits.remove_suffix(count);
        exponent += static_cast<int>(count);
    }
}

void BigDecimal::add_multiple(const BigDecimal& other, std::int64_t sign) {
    for (std::size_t i = 0; i < other.limbs_.size(); ++i) {
        add_at(other.low_ + static_cast<int>(i), sign * other.limbs_[i]);
    }
}

void BigDecimal::multiply(std::uint64_t factor) {
    Int128 carry = 0;
    for (std::int64_t& limb : limbs_) {
        const Int128 part = static_cast<Int128>(limb) * factor + carry;
        limb = static_cast<std::int64_t>(part % limb_base);
        carry = part / limb_base;
    }
    for (; carry != 0; carry /= limb_base) limbs_.push_back(static_cast<std::int64_t>(carry % limb_base));
}

BigDecimal BigDecimal::product(const BigDecimal& a, const BigDecimal& b) {
    BigDecimal result;
    for (std::size_t i = 0; i < a.limbs_.size(); ++i) {
        for (std::size_t j = 0; j < b.limbs_.size(); ++j) {
            const Int128 part = static_cast<Int128>(a.limbs_[i]) * b.limbs_[j];
            const int place = a.low_ + b.low_ + static_cast<int>(i + j);
            result.add_at(place, static_cast<std::int64_t>(part % limb_base));
            result.add_at(place + 1, static_cast<std::int64_t>(part / limb_base));
        }
    }
    return result;
}

int BigDecimal::sign() const {
    // What lies below the highest limb that is not 0 is less than one of its units.
    for (auto limb = limbs_.rbegin(); limb != limbs_.rend(); ++limb) {
        if (*limb != 0) return *limb < 0 ? -1 : 1;
    }
    return 0;
}

BigDecimal::Magnitude BigDecimal::magnitude() const {
    Magnitude result;
    const int of_all = sign();
    result.negative = of_all < 0;
    result.low = low_;
    if (of_all == 0) return result;
    std::int64_t borrow = 0;
    for (const std::int64_t signed_limb : limbs_) {
        std::int64_t limb = signed_limb * of_all - borrow;
        borrow = limb < 0 ? 1 : 0;
        limb += borrow * limb_base;
        result.limbs.push_back(static_cast<std::uint64_t>(limb));
    }
    while (result.limbs.back() == 0) result.limbs.pop_back();
    std::reverse(result.limbs.begin(), result.limbs.end());
    return result;
}

BigDecimal::Digits BigDecimal::digits() const {
    const Magnitude whole = magnitude();
    Digits result{whole.negative, limbs_to_digits(whole.limbs), whole.low * limb_digits};
    while (!result.digits.empty() && result.digits.back() == '0') {
        result.digits.pop_back();
        ++result.exponent;
    }
    return result;
}

double BigDecimal::nearest_quotient(int shift, std::uint64_t divisor, std::uint64_t second) const {
    Magnitude quotient = magnitude();
    if (quotient.limbs.empty()) return 0;
    // The divisors take at most four limbs away.
    const std::size_t wanted = rounding_limbs + 4;
    if (quotient.limbs.size() < wanted) {
        quotient.low -= static_cast<int>(wanted - quotient.limbs.size());
        quotient.limbs.resize(wanted, 0);
    }
    const bool first_rest = divide(quotient.limbs, divisor);
    const bool second_rest = divide(quotient.limbs, second);
    std::string text = limbs_to_digits(quotient.limbs);
    int exponent = quotient.low * limb_digits + shift;
    if (first_rest || second_rest) {
        text.push_back('1');
        --exponent;
    }
    if (quotient.negative) text.insert(text.begin(), '-');
    text.push_back('e');
    append_int64(text, exponent);
    return to_double(text);
}

}  // namespace stream
