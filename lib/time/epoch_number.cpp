// SPDX-License-Identifier: Apache-2.0
#include "time/time_forms.hpp"

#include <algorithm>

namespace stream {
namespace {

// Past these no number with 16 MiB of digits can come back into range.
constexpr std::int64_t exponent_limit = 1'000'000'000;

std::uint64_t power_of_ten(std::int64_t exponent) {
    std::uint64_t power = 1;
    while (exponent-- > 0) power *= 10;
    return power;
}

// Collects significant digits: leading zeros do not count, trailing ones wait until a digit follows.
class DigitCollector {
public:
    void add(char digit, bool after_point) {
        if (after_point) --exponent_;
        if (digit == '0') {
            if (count_ > 0) ++zeros_;
            return;
        }
        count_ += zeros_;
        if (count_ < 19) {
            value_ = value_ * power_of_ten(zeros_ + 1) + static_cast<std::uint64_t>(digit - '0');
        }
        zeros_ = 0;
        ++count_;
    }
    void finish(std::int64_t exponent, Decimal& out) const {
        out.digits = value_;
        out.too_long = count_ > 19;
        out.exponent = count_ == 0 ? 0 : exponent + exponent_ + zeros_;
        out.magnitude = count_ == 0 ? 0 : out.exponent + count_;
    }

private:
    std::uint64_t value_ = 0;
    std::int64_t count_ = 0;
    std::int64_t zeros_ = 0;
    std::int64_t exponent_ = 0;
};

// Digits, fraction and exponent of a number whose sign is behind the cursor.
bool read_long_decimal(TimeCursor cursor, Decimal& out) {
    DigitCollector digits;
    if (cursor.done() || !is_digit(*cursor.at)) return false;
    while (!cursor.done() && is_digit(*cursor.at)) digits.add(*cursor.at++, false);
    if (cursor.take('.')) {
        if (cursor.done() || !is_digit(*cursor.at)) return false;
        while (!cursor.done() && is_digit(*cursor.at)) digits.add(*cursor.at++, true);
    }
    std::int64_t exponent = 0;
    if (cursor.take('e') || cursor.take('E')) {
        const bool minus = cursor.take('-');
        if (!minus) cursor.take('+');
        if (cursor.done()) return false;
        while (!cursor.done() && is_digit(*cursor.at)) {
            exponent = std::min(exponent * 10 + (*cursor.at++ - '0'), exponent_limit);
        }
        if (minus) exponent = -exponent;
    }
    if (!cursor.done()) return false;
    digits.finish(exponent, out);
    return true;
}

constexpr std::int64_t decimals_of(TimeUnit unit) {
    switch (unit) {
        case TimeUnit::s:
            return 9;
        case TimeUnit::ms:
            return 6;
        case TimeUnit::us:
            return 3;
        case TimeUnit::ns:
        case TimeUnit::none:
            break;
    }
    return 0;
}

}  // namespace

bool read_decimal(std::string_view text, Decimal& out) {
    TimeCursor cursor{text.data(), text.data() + text.size()};
    out.negative = cursor.take('-');
    out.too_long = false;
    // The usual number: 1 to 19 digits and nothing else. Zeros at its end may stay.
    if (cursor.left() - 1 < 19 && *cursor.at != '0') {
        std::uint64_t value = 0;
        const char* at = cursor.at;
        while (at != cursor.end && is_digit(*at))
            value = value * 10 + static_cast<std::uint64_t>(*at++ - '0');
        if (at == cursor.end) {
            out.digits = value;
            out.exponent = 0;
            out.magnitude = cursor.end - cursor.at;
            return true;
        }
    }
    return read_long_decimal(cursor, out);
}

TimeUnit unit_by_magnitude(const Decimal& number) {
    if (number.magnitude <= 11) return TimeUnit::s;
    if (number.magnitude <= 14) return TimeUnit::ms;
    if (number.magnitude <= 17) return TimeUnit::us;
    return TimeUnit::ns;
}

const char* to_nanoseconds(const Decimal& number, TimeUnit unit, std::int64_t& out) {
    if (number.digits == 0) {
        out = 0;
        return nullptr;
    }
    const std::int64_t exponent = number.exponent + decimals_of(unit);
    if (number.magnitude + decimals_of(unit) > 19) return time_out_of_range;
    WideInt value = number.digits;
    if (exponent >= 0) {
        value *= power_of_ten(exponent);
    } else {
        // Less than 10^19, so at most 19 digits are whole: a longer number has a fraction.
        const std::uint64_t divisor = exponent >= -19 ? power_of_ten(-exponent) : 0;
        if (number.too_long || divisor == 0 || number.digits % divisor != 0) {
            return "it is finer than a nanosecond";
        }
        value /= divisor;
    }
    if (number.negative) value = -value;
    if (value <= time_before_all || value >= time_after_all) return time_out_of_range;
    out = static_cast<std::int64_t>(value);
    return nullptr;
}

}  // namespace stream
