// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"
#include "time/duration.hpp"
#include "time/time_forms.hpp"
#include "time/time_parser.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace stream {
namespace {

constexpr bool all_digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

Position at_time(TimeNs time) { return {Position::Kind::time, 0, time}; }

Result<Position> parse_count(std::string_view digits, Position::Kind kind) {
    std::uint64_t number = 0;
    for (const char c : digits) {
        if (__builtin_mul_overflow(number, std::uint64_t{10}, &number) ||
            __builtin_add_overflow(number, static_cast<std::uint64_t>(c - '0'), &number)) {
            return fail(ErrorKind::usage, fmt::format("the position {} is too large", quoted(digits)));
        }
    }
    return Position{kind, number, 0};
}

Result<Position> parse_epoch(std::string_view text) {
    Decimal number;
    TimeNs time = 0;
    if (!read_decimal(text.substr(1), number) ||
        to_nanoseconds(number, unit_by_magnitude(number), time) != nullptr) {
        return fail(ErrorKind::usage, fmt::format("not a time since 1970: {}", quoted(text)));
    }
    return at_time(time);
}

// RFC 3339; a date alone is its midnight UTC.
Result<Position> parse_date_time(std::string_view text) {
    std::string whole(text);
    if (text.size() == 10) whole += "T00:00:00Z";
    auto parser = TimeParser::make({});
    if (!parser) return pass_on(parser);
    auto time = parser->parse_text(whole);
    if (!time) {
        return fail(ErrorKind::usage, fmt::format("not a position: {}", quoted(text)),
                    "2026-01-31T12:00:00Z");
    }
    return at_time(*time);
}

// A minus, then N or a duration.
Result<Position> parse_backwards(std::string_view text, TimeNs now) {
    const std::string_view rest = text.substr(1);
    if (all_digits(rest)) return parse_count(rest, Position::Kind::last);
    auto ago = parse_duration(rest);
    if (!ago || *ago < 0) {
        return fail(
            ErrorKind::usage,
            fmt::format("not a position: {} (after a minus comes a number or a duration)", quoted(text)));
    }
    return at_time(time_sub(now, *ago));
}

}  // namespace

Result<Position> parse_position(std::string_view text, TimeNs now) {
    const TimeNs midnight = floor_div(now, ns_per_day) * ns_per_day;
    if (text == "start") return Position{Position::Kind::start, 0, 0};
    if (text == "end") return Position{Position::Kind::end, 0, 0};
    if (text == "now") return at_time(now);
    if (text == "today") return at_time(midnight);
    if (text == "yesterday") return at_time(time_sub(midnight, ns_per_day));
    if (all_digits(text)) return parse_count(text, Position::Kind::number);
    if (text.starts_with('-')) return parse_backwards(text, now);
    if (text.starts_with('@')) return parse_epoch(text);
    if (guess_form(text) == TimeForm::rfc3339) return parse_date_time(text);
    if (parse_duration(text)) {
        return fail(ErrorKind::usage, fmt::format("a time before now has a minus: {}", quoted(text)),
                    fmt::format("-{}", text));
    }
    return fail(
        ErrorKind::usage,
        fmt::format("not a position: {} (such are start, end, N, -N, 2026-01-31T12:00:00Z, @1769860800, now, "
                    "today, yesterday, -2h)",
                    quoted(text)));
}

}  // namespace stream
