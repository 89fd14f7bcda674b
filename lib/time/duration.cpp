// SPDX-License-Identifier: Apache-2.0
#include "time/duration.hpp"

#include "base/text.hpp"
#include "time/time_forms.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <span>

namespace stream {
namespace {

struct Unit {
    std::string_view name;
    std::uint64_t size;
};

constexpr std::array<Unit, 8> duration_units = {{
    {"w", 7 * std::uint64_t{ns_per_day}},
    {"d", ns_per_day},
    {"h", ns_per_hour},
    {"m", ns_per_minute},
    {"s", ns_per_second},
    {"ms", ns_per_ms},
    {"us", ns_per_us},
    {"ns", 1},
}};
constexpr std::array<Unit, 4> iso_date_units = {
    {{"Y", 0}, {"M", 0}, {"W", 7 * std::uint64_t{ns_per_day}}, {"D", ns_per_day}}};
constexpr std::array<Unit, 3> iso_time_units = {
    {{"H", ns_per_hour}, {"M", ns_per_minute}, {"S", ns_per_second}}};

constexpr std::array<Unit, 4> binary_sizes = {
    {{"k", 1ULL << 10}, {"m", 1ULL << 20}, {"g", 1ULL << 30}, {"t", 1ULL << 40}}};
constexpr std::array<Unit, 4> decimal_sizes = {
    {{"k", 1'000}, {"m", 1'000'000}, {"g", 1'000'000'000}, {"t", 1'000'000'000'000}}};

constexpr const char* too_large = "it is too large";

// Moves `text` past its leading characters of that kind and returns them.
template <class Predicate>
std::string_view take_while(std::string_view& text, Predicate matches) {
    std::size_t length = 0;
    while (length < text.size() && matches(text[length])) ++length;
    const std::string_view taken = text.substr(0, length);
    text.remove_prefix(length);
    return taken;
}

bool in_number(char c) { return is_digit(c) || c == '.'; }

// number × unit, added to `sum`; the product must be whole.
const char* add_product(std::string_view number, std::uint64_t unit, std::uint64_t limit,
                        const char* not_whole, std::uint64_t& sum) {
    Decimal value;
    const auto whole = std::from_chars(number.data(), number.data() + number.size(), value.digits);
    if (whole.ec != std::errc{} || whole.ptr != number.data() + number.size()) {
        if (!read_decimal(number, value)) return "a number is malformed";
        if (value.magnitude > 19) return too_large;
        if (value.too_long) return "a number has too many digits";
    }
    // 64 bits times a week in nanoseconds: below 2^114, and a positive exponent only fills up 19 digits.
    WideInt product = WideInt{value.digits} * unit;
    for (std::int64_t i = value.exponent; i > 0; --i) product *= 10;
    for (std::int64_t i = value.exponent; i < 0 && product != 0; ++i) {
        if (product % 10 != 0) return not_whole;
        product /= 10;
    }
    if (product > limit - sum) return too_large;
    sum += static_cast<std::uint64_t>(product);
    return nullptr;
}

// Numbers with units, each smaller than the one before, until the text ends or `stop` comes.
const char* read_parts(std::string_view& text, std::span<const Unit> units, char stop, std::uint64_t limit,
                       std::uint64_t& sum) {
    std::size_t next = 0;
    while (!text.empty() && text.front() != stop) {
        const std::string_view number = take_while(text, in_number);
        if (number.empty()) return "";
        const std::string_view name = take_while(text, [&](char c) { return !in_number(c) && c != stop; });
        std::size_t found = 0;
        while (found < units.size() && units[found].name != name) ++found;
        if (found == units.size()) return name.empty() ? "a number lacks its unit" : "";
        if (found < next) return "units go from large to small, each once";
        if (units[found].size == 0) return "months and years have no fixed length";
        next = found + 1;
        if (const char* reason =
                add_product(number, units[found].size, limit, "it is finer than a nanosecond", sum)) {
            return reason;
        }
    }
    return nullptr;
}

const char* read_iso(std::string_view text, std::uint64_t limit, std::uint64_t& sum) {
    text.remove_prefix(1);
    if (text.empty()) return "";
    if (const char* reason = read_parts(text, iso_date_units, 'T', limit, sum)) return reason;
    if (text.empty()) return nullptr;
    text.remove_prefix(1);
    if (text.empty()) return "";
    return read_parts(text, iso_time_units, 'T', limit, sum) == nullptr && text.empty() ? nullptr : "";
}

constexpr bool all_digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

Result<DurationNs> parse_duration(std::string_view text) {
    std::string_view rest = text;
    const bool negative = rest.starts_with('-');
    if (negative) rest.remove_prefix(1);
    const std::uint64_t limit = std::uint64_t{time_after_all} + (negative ? 1 : 0);
    std::uint64_t size = 0;
    const char* reason = "";
    if (rest.starts_with('P')) {
        reason = read_iso(rest, limit, size);
    } else if (all_digits(rest)) {
        return fail(ErrorKind::usage, fmt::format("a duration needs its unit: {}", quoted(text)),
                    fmt::format("{}s", printable(text, 24)));
    } else if (!rest.empty()) {
        reason = read_parts(rest, duration_units, '\0', limit, size);
        if (reason == nullptr && !rest.empty()) reason = "";
    }
    if (reason != nullptr) {
        return fail(ErrorKind::usage,
                    fmt::format("not a duration: {} ({})", quoted(text),
                                *reason != '\0' ? reason : "such are 250ms, 10s, 5m, 1h30m, 1d, 2w, PT5M"));
    }
    return static_cast<DurationNs>(negative ? std::uint64_t{0} - size : size);
}

namespace {

// As one number of the largest unit that divides it: 90s.
std::string in_one_unit(std::uint64_t size) {
    for (const Unit& unit : duration_units) {
        if (size % unit.size == 0) return fmt::format("{}{}", size / unit.size, unit.name);
    }
    return {};
}

// As a number of each unit: 1m30s.
std::string in_all_units(std::uint64_t size) {
    std::string out;
    for (const Unit& unit : duration_units) {
        if (size >= unit.size) out += fmt::format("{}{}", size / unit.size, unit.name);
        size %= unit.size;
    }
    return out;
}

// With a fraction, of the largest unit from seconds down that leaves a digit before the point: 1.5s.
std::string with_fraction(std::uint64_t size) {
    for (std::size_t i = 4; i < duration_units.size(); ++i) {
        const Unit& unit = duration_units[i];
        if (size < unit.size) continue;
        std::string fraction = std::to_string(unit.size + size % unit.size).substr(1);
        while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
        return fmt::format("{}{}{}{}", size / unit.size, fraction.empty() ? "" : ".", fraction, unit.name);
    }
    return {};
}

}  // namespace

std::string format_duration(DurationNs duration) {
    if (duration == 0) return "0s";
    const auto bits = static_cast<std::uint64_t>(duration);
    const std::uint64_t size = duration < 0 ? std::uint64_t{0} - bits : bits;
    std::string best = in_one_unit(size);
    for (std::string other : {in_all_units(size), with_fraction(size)}) {
        if (other.size() < best.size()) best = std::move(other);
    }
    return duration < 0 ? "-" + best : best;
}

Result<std::uint64_t> parse_size(std::string_view text) {
    const auto refuse = [&](std::string_view reason) {
        return fail(ErrorKind::usage,
                    fmt::format("not a size: {} ({})", quoted(text),
                                reason.empty() ? "such are 4096, 64KiB, 10MB, 1G" : reason));
    };
    std::string_view rest = text;
    const std::string_view number = take_while(rest, in_number);
    if (number.empty()) return refuse("");

    std::string suffix;
    for (const char c : rest.substr(0, 4)) {
        suffix.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
    }
    std::uint64_t unit = 1;
    if (!suffix.empty() && suffix != "b") {
        const std::string_view tail = std::string_view(suffix).substr(1);
        if (!tail.empty() && tail != "b" && tail != "ib") return refuse("");
        unit = 0;
        for (const Unit& known : tail == "b" ? decimal_sizes : binary_sizes) {
            if (known.name.front() == suffix.front()) unit = known.size;
        }
        if (unit == 0) return refuse("");
    }
    std::uint64_t size = 0;
    if (const char* reason =
            add_product(number, unit, ~std::uint64_t{0}, "it is no whole number of bytes", size)) {
        return refuse(reason);
    }
    return size;
}

}  // namespace stream
