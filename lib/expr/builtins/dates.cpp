// SPDX-License-Identifier: Apache-2.0
// Dates as jq has them, by the C library as jq does, and `seconds`, which is ours. Only whole seconds of
// years with four digits, and broken-down times that are a date's one proper form: what jq makes of the
// rest depends on its version, its machine or TZ, and is left to it.
#include "expr/run.hpp"
#include "expr/val.hpp"
#include "json/number.hpp"
#include "time/time_parser.hpp"

#include <array>
#include <charconv>
#include <clocale>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>

namespace stream::expr {
namespace {

constexpr std::string_view iso_format = "%Y-%m-%dT%H:%M:%SZ";
constexpr std::int64_t first_second = -30'610'224'000;  // 1000-01-01T00:00:00Z
constexpr std::int64_t last_second = 253'402'300'799;   // 9999-12-31T23:59:59Z
constexpr const char* odd_time = "a time that jq's versions take differently";

locale_t c_locale() {
    static const locale_t locale = newlocale(LC_ALL_MASK, "C", nullptr);
    return locale;
}

std::array<int, 8> fields_of(const std::tm& time) {
    return {time.tm_year + 1900, time.tm_mon, time.tm_mday, time.tm_hour,
            time.tm_min,         time.tm_sec, time.tm_wday, time.tm_yday};
}

std::tm from_seconds(std::int64_t seconds) {
    if (seconds < first_second || seconds > last_second) throw Punt{odd_time};
    const auto clock = static_cast<std::time_t>(seconds);
    std::tm time{};
    gmtime_r(&clock, &time);
    return time;
}

// strftime and todate cut a fraction off; gmtime keeps one, with the noise of doubles.
std::tm from_number(Val number, bool cuts = false) {
    std::int64_t seconds = 0;
    if (!integer_of(number, seconds)) {
        const double fraction = double_of(number);
        if (!cuts || !(fraction >= 0 && fraction < static_cast<double>(last_second))) throw Punt{"a time with a fraction"};
        seconds = static_cast<std::int64_t>(fraction);
    }
    return from_seconds(seconds);
}

// 31 February, a leap second or a weekday that is wrong are not proper.
std::int64_t to_seconds(const std::tm& time, bool with_days) {
    std::tm proper = time;
    const std::int64_t seconds = timegm(&proper);
    auto wanted = fields_of(time);
    const auto got = fields_of(proper);
    if (!with_days) {
        wanted[6] = got[6];
        wanted[7] = got[7];
    }
    // timegm's -1 is a failure to jq.
    if (wanted != got || seconds < first_second || seconds > last_second || seconds == -1)
        throw Punt{odd_time};
    return seconds;
}

std::tm from_array(Run& run, Val in) {
    const Array& items = array_of(run.arena, in);
    if (items.size != 8) throw Punt{odd_time};
    std::array<int, 8> fields{};
    for (std::size_t i = 0; i < 8; ++i) {
        std::int64_t field = 0;
        if (!items.items[i].is_number() || !integer_of(items.items[i], field)) throw Punt{odd_time};
        if (field < 0 || field > 9999) throw Punt{odd_time};
        fields[i] = static_cast<int>(field);
    }
    std::tm time{};
    time.tm_year = fields[0] - 1900;
    time.tm_mon = fields[1];
    time.tm_mday = fields[2];
    time.tm_hour = fields[3];
    time.tm_min = fields[4];
    time.tm_sec = fields[5];
    time.tm_wday = fields[6];
    time.tm_yday = fields[7];
    return time;
}

Val to_array(Run& run, const std::tm& time) {
    ArrayBuilder items(run.arena, 8);
    for (const int field : fields_of(time)) items.add(Val::of_integer(field));
    return items.finish();
}

// The C library wants an end.
const char* c_text(Run& run, std::string_view text) {
    if (text.find('\0') != std::string_view::npos) throw Punt{"a NUL in a date"};
    char* copy = run.arena.array<char>(text.size() + 1);
    if (!text.empty()) std::memcpy(copy, text.data(), text.size());
    copy[text.size()] = '\0';
    return copy;
}

// Whether a format has no conversions but those.
bool uses_only(std::string_view format, std::string_view letters) {
    for (std::size_t at = format.find('%'); at != std::string_view::npos; at = format.find('%', at + 2)) {
        if (at + 1 == format.size() || letters.find(format[at + 1]) == std::string_view::npos) return false;
    }
    return true;
}

bool has_conversion(std::string_view format, char letter) {
    for (std::size_t at = format.find('%'); at != std::string_view::npos; at = format.find('%', at + 2)) {
        if (at + 1 < format.size() && format[at + 1] == letter) return true;
    }
    return false;
}

// --- jq's --------------------------------------------------------------------------------------------

Val gmtime_of(Run& run, Val in, const Val*) {
    if (!in.is_number()) return run.fail("gmtime() requires numeric inputs, not %a", in);
    return to_array(run, from_number(in));
}

Val mktime_of(Run& run, Val in, const Val*) {
    if (!in.is_array()) return run.fail("mktime requires array inputs, not %a", in);
    return Val::of_integer(to_seconds(from_array(run, in), false));
}

// A time for strftime, which takes both forms. False: the error is raised.
bool read_time(Run& run, Val in, std::tm& time) {
    if (in.is_number()) {
        time = from_number(in, true);
        return true;
    }
    if (!in.is_array()) {
        run.fail("strftime/1 requires parsed datetime inputs, not %a", in);
        return false;
    }
    time = from_array(run, in);
    to_seconds(time, true);
    return true;
}

Val strftime_of(Run& run, Val in, const Val* args) {
    std::tm time{};
    if (!read_time(run, in, time)) return Val::failed();
    if (!args[0].is_string()) return run.fail("strftime/1 requires a string format, not %a", args[0]);
    const std::string_view format = utf8_of(run.arena, args[0]);
    // Not: %Z, %z and %s, which ask TZ; flags.
    if (!uses_only(format, "aAbBcCdDeFgGhHIjklmMnpPrRStTuUVwWxXyY%")) throw Punt{"strftime: a conversion"};
    char text[4096];  // as jq's
    const std::size_t size = strftime_l(text, sizeof text, c_text(run, format), &time, c_locale());
    if (size == 0) throw Punt{"strftime: an empty or very long text"};
    return Val::of_string(run.arena.copy({text, size}));
}

Val todate_of(Run& run, Val in, const Val*) {
    std::tm time{};
    if (!read_time(run, in, time)) return Val::failed();
    char* const text = run.arena.array<char>(20);
    char* at = text;
    const auto put = [&at](int value, char after) {
        *at++ = static_cast<char>('0' + value / 10);
        *at++ = static_cast<char>('0' + value % 10);
        if (after != '\0') *at++ = after;
    };
    put((time.tm_year + 1900) / 100, '\0');
    put((time.tm_year + 1900) % 100, '-');
    put(time.tm_mon + 1, '-');
    put(time.tm_mday, 'T');
    put(time.tm_hour, ':');
    put(time.tm_min, ':');
    put(time.tm_sec, 'Z');
    return Val::of_string({text, 20});
}

// False: the text does not match, the error is raised.
bool parse_time(Run& run, Val in, Val format_val, std::string_view format, std::tm& time) {
    constexpr const char* no_match = "date %S does not match format %T";
    if (!uses_only(format, "aAbBdeDFhHIjklmMnpRStTyYzZ%")) throw Punt{"strptime: a conversion"};
    const std::string_view text = utf8_of(run.arena, in);
    const bool has_zone_name = has_conversion(format, 'Z');
    if (has_zone_name) {
        // The C library takes any word for a zone.
        const std::size_t size = text.size();
        const bool plain = format.ends_with("%Z") && size >= 2 && text.ends_with('Z') &&
                           text[size - 2] >= '0' && text[size - 2] <= '9';
        if (!plain) throw Punt{"strptime: a zone other than Z"};
    }
    time = {};
    time.tm_wday = 8;  // jq's marks for "not known"; none comes through to_seconds
    time.tm_yday = 367;
    const char* const rest = strptime_l(c_text(run, text), c_text(run, format), &time, c_locale());
    if (rest == nullptr) {
        run.fail(no_match, in, format_val);
        return false;
    }
    if (*rest != '\0') {
        if (std::strchr(" \t\n\v\f\r", *rest) != nullptr) throw Punt{"strptime: space behind the date"};
        run.fail(no_match, in, format_val);
        return false;
    }
    if (time.tm_gmtoff != 0) throw Punt{"strptime: an offset, which jq reads and forgets"};
    to_seconds(time, true);
    return true;
}

constexpr const char* not_strings = "strptime/1 requires string inputs and arguments, not %a";

Val strptime_of(Run& run, Val in, const Val* args) {
    if (!in.is_string()) return run.fail(not_strings, in);
    if (!args[0].is_string()) return run.fail(not_strings, args[0]);
    std::tm time{};
    if (!parse_time(run, in, args[0], utf8_of(run.arena, args[0]), time)) return Val::failed();
    return to_array(run, time);
}

// 2015-03-05T23:51:47Z as nearly all of them are written; the rest is for strptime to say.
bool read_iso(std::string_view text, std::tm& time) {
    constexpr std::string_view shape = "0000-00-00T00:00:00Z";
    if (text.size() != shape.size()) return false;
    for (std::size_t i = 0; i < shape.size(); ++i) {
        const bool fits = shape[i] == '0' ? text[i] >= '0' && text[i] <= '9' : text[i] == shape[i];
        if (!fits) return false;
    }
    const auto two = [&text](std::size_t at) { return (text[at] - '0') * 10 + (text[at + 1] - '0'); };
    time.tm_year = two(0) * 100 + two(2) - 1900;
    time.tm_mon = two(5) - 1;
    time.tm_mday = two(8);
    time.tm_hour = two(11);
    time.tm_min = two(14);
    time.tm_sec = two(17);
    return time.tm_mon >= 0 && time.tm_mon < 12 && time.tm_mday >= 1 && time.tm_mday <= 31 &&
           time.tm_hour < 24 && time.tm_min < 60 && time.tm_sec < 60;
}

Val fromdate_of(Run& run, Val in, const Val*) {
    if (!in.is_string()) return run.fail(not_strings, in);
    std::tm time{};
    if (!read_iso(utf8_of(run.arena, in), time)) {
        if (!parse_time(run, in, Val::of_string(iso_format), iso_format, time)) return Val::failed();
    }
    return Val::of_integer(to_seconds(time, false));
}

// --- ours --------------------------------------------------------------------------------------------

// A time of any form that is read without flags, each by itself, as epoch seconds; exact.
Val seconds_of(Run& run, Val in, const Val*) {
    constexpr const char* not_a_time = "not a time: %A";
    if (!in.is_string() && !in.is_number()) return run.fail(not_a_time, in);
    thread_local TimeParser parser = std::move(*TimeParser::make({}));
    thread_local const std::string untaught = parser.save();
    parser.load(untaught);
    std::string made;
    if (in.is_number() && in.kind != Kind::number_text) append_json(run.arena, made, in);
    const auto time = in.is_string() ? parser.parse_text(utf8_of(run.arena, in))
                                     : parser.parse_number(made.empty() ? in.view() : std::string_view(made));
    if (!time) return run.fail(not_a_time, in);
    if (*time % ns_per_second == 0) return Val::of_integer(*time / ns_per_second);
    std::string text;
    append_int64(text, *time / ns_per_second);
    if (*time < 0 && text == "0") text = "-0";
    char digits[16];
    const std::int64_t fraction = *time % ns_per_second;
    std::to_chars(digits, digits + sizeof digits, ns_per_second + (fraction < 0 ? -fraction : fraction));
    std::string_view decimals(digits + 1, 9);  // behind the 1 that keeps the zeros
    decimals = decimals.substr(0, decimals.find_last_not_of('0') + 1);
    text.append(1, '.').append(decimals);
    return Val::of_text(Kind::number_text, run.arena.copy(text), false);
}

constexpr Builtin dates[] = {
    {"gmtime", 0, gmtime_of},     {"mktime", 0, mktime_of},
    {"strftime", 1, strftime_of}, {"strptime", 1, strptime_of},
    {"todate", 0, todate_of},     {"todateiso8601", 0, todate_of},
    {"fromdate", 0, fromdate_of}, {"fromdateiso8601", 0, fromdate_of},
    {"seconds", 0, seconds_of},
};

}  // namespace

std::span<const Builtin> date_builtins() { return dates; }

}  // namespace stream::expr
