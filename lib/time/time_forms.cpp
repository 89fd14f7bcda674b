// SPDX-License-Identifier: Apache-2.0
#include "time/time_forms.hpp"

#include "time/calendar.hpp"

#include <cstring>

namespace stream {
namespace {

constexpr const char* no_such_date = "there is no such day";
constexpr const char* no_such_hour = "there is no such time of day";
constexpr const char* cut_short = "it is cut short or lacks its seconds";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

template <std::size_t length>
bool hits(const MinuteCache& cache, const char* at) {
    static_assert(length == 16 || length == 17);
    return std::memcmp(cache.text, at, length) == 0 && cache.filled;
}

template <std::size_t length>
void fill(MinuteCache& cache, const char* at, std::int64_t seconds) {
    std::memcpy(cache.text, at, length);
    cache.seconds = seconds;
    cache.filled = true;
}

// Everything of "2026-01-01T00:00", which is there.
const char* read_rfc3339_minute(const char* at, MinuteCache& cache) {
    const int century = two_digits(at);
    const int of_century = two_digits(at + 2);
    const int month = two_digits(at + 5);
    const int day = two_digits(at + 8);
    const int hour = two_digits(at + 11);
    const int minute = two_digits(at + 14);
    const bool separator = at[10] == 'T' || at[10] == 't' || at[10] == ' ';
    if ((century | of_century | month | day | hour | minute) < 0 || at[4] != '-' || at[7] != '-' ||
        !separator || at[13] != ':') {
        return "";
    }
    const int year = century * 100 + of_century;
    if (!is_date(year, static_cast<unsigned>(month), static_cast<unsigned>(day))) return no_such_date;
    if (hour > 23 || minute > 59) return no_such_hour;
    const std::int64_t days = days_from_civil(year, static_cast<unsigned>(month), static_cast<unsigned>(day));
    fill<16>(cache, at, days * seconds_per_day + hour * 3600 + minute * 60);
    return nullptr;
}

// Everything of "17/May/2015:10:05", which is there.
const char* read_clf_minute(const char* at, MinuteCache& cache) {
    TimeCursor name{at + 3, at + 6};
    const unsigned month = read_month_name(name, false);
    const int day = two_digits(at);
    const int century = two_digits(at + 7);
    const int of_century = two_digits(at + 9);
    const int hour = two_digits(at + 12);
    const int minute = two_digits(at + 15);
    if ((day | century | of_century | hour | minute) < 0 || month == 0 || at[2] != '/' || at[6] != '/' ||
        at[11] != ':' || at[14] != ':') {
        return "";
    }
    const int year = century * 100 + of_century;
    if (!is_date(year, month, static_cast<unsigned>(day))) return no_such_date;
    if (hour > 23 || minute > 59) return no_such_hour;
    const std::int64_t days = days_from_civil(year, month, static_cast<unsigned>(day));
    fill<17>(cache, at, days * seconds_per_day + hour * 3600 + minute * 60);
    return nullptr;
}

}  // namespace

const char* read_fraction(TimeCursor& cursor, std::int32_t& nanoseconds) {
    constexpr std::int32_t scale[] = {0,      100'000'000, 10'000'000, 1'000'000, 100'000,
                                      10'000, 1'000,       100,        10,        1};
    std::int32_t value = 0;
    const char* const start = cursor.at;
    while (!cursor.done() && is_digit(*cursor.at)) {
        if (cursor.at - start == 9) return "more than 9 fraction digits";
        value = value * 10 + (*cursor.at++ - '0');
    }
    if (cursor.at == start) return "digits must follow the decimal point";
    nanoseconds = value * scale[cursor.at - start];
    return nullptr;
}

const char* read_offset(TimeCursor& cursor, std::int32_t& offset_s) {
    constexpr const char* bad = "the offset is not ±HH:MM, ±HHMM or ±HH";
    if (cursor.left() < 3 || (*cursor.at != '+' && *cursor.at != '-')) return bad;
    const bool west = *cursor.at == '-';
    const int hours = two_digits(cursor.at + 1);
    int minutes = 0;
    cursor.at += 3;
    const bool colon = cursor.take(':');
    if (cursor.left() >= 2 && is_digit(*cursor.at)) {
        minutes = two_digits(cursor.at);
        cursor.at += 2;
    } else if (colon) {
        return bad;
    }
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return bad;
    const int seconds = hours * 3600 + minutes * 60;
    offset_s = west ? -seconds : seconds;
    return nullptr;
}

unsigned read_month_name(TimeCursor& cursor, bool full) {
    constexpr const char* names[] = {"january", "february", "march",     "april",   "may",      "june",
                                     "july",    "august",   "september", "october", "november", "december"};
    if (cursor.left() < 3) return 0;
    for (unsigned i = 0; i < 12; ++i) {
        const char* const name = names[i];
        if (lower(cursor.at[0]) != name[0] || lower(cursor.at[1]) != name[1] ||
            lower(cursor.at[2]) != name[2]) {
            continue;
        }
        cursor.at += 3;
        const std::size_t rest = std::strlen(name + 3);
        if (full && rest > 0 && cursor.left() >= rest) {
            std::size_t same = 0;
            while (same < rest && lower(cursor.at[same]) == name[3 + same]) ++same;
            if (same == rest) cursor.at += rest;
        }
        return i + 1;
    }
    return 0;
}

const char* read_rfc3339(std::string_view text, MinuteCache& cache, ClockTime& out) {
    const char* const at = text.data();
    if (text.size() < 19) return text.size() >= 10 ? cut_short : "";
    if (!hits<16>(cache, at)) [[unlikely]] {
        if (const char* reason = read_rfc3339_minute(at, cache)) return reason;
    }
    const int second = two_digits(at + 17);
    if (at[16] != ':' || second < 0) return "";
    if (second > 60) return no_such_hour;
    out.seconds = cache.seconds + second;
    out.nanoseconds = 0;
    out.offset_s = 0;
    out.has_offset = false;

    TimeCursor cursor{at + 19, at + text.size()};
    if (cursor.take('.')) {
        if (const char* reason = read_fraction(cursor, out.nanoseconds)) return reason;
    }
    // A leap second is the start of the next one, whatever its fraction.
    if (second == 60) [[unlikely]]
        out.nanoseconds = 0;
    if (cursor.done()) return nullptr;
    out.has_offset = true;
    if (*cursor.at == 'Z' || *cursor.at == 'z') {
        ++cursor.at;
    } else if (*cursor.at == '+' || *cursor.at == '-') {
        if (const char* reason = read_offset(cursor, out.offset_s)) return reason;
    } else {
        return "";
    }
    return cursor.done() ? nullptr : "text follows it";
}

const char* read_clf(std::string_view text, MinuteCache& cache, ClockTime& out) {
    const char* const at = text.data();
    if (text.size() < 24) return cut_short;
    if (!hits<17>(cache, at)) [[unlikely]] {
        if (const char* reason = read_clf_minute(at, cache)) return reason;
    }
    const int second = two_digits(at + 18);
    if (at[17] != ':' || second < 0 || at[20] != ' ') return "";
    if (second > 60) return no_such_hour;
    out.seconds = cache.seconds + second;
    out.nanoseconds = 0;
    out.has_offset = true;
    TimeCursor cursor{at + 21, at + text.size()};
    if (const char* reason = read_offset(cursor, out.offset_s)) return reason;
    return cursor.done() ? nullptr : "text follows it";
}

TimeForm guess_form(std::string_view text) {
    if (text.empty()) return TimeForm::none;
    if (text.size() > 4 && is_digit(text[0]) && is_digit(text[3]) && text[4] == '-') return TimeForm::rfc3339;
    if (text.size() > 2 && is_digit(text[0]) && text[2] == '/') return TimeForm::clf;
    if (is_digit(text[0]) || (text[0] == '-' && text.size() > 1 && is_digit(text[1]))) {
        return text.find_first_not_of("0123456789.eE+-") == std::string_view::npos ? TimeForm::number
                                                                                   : TimeForm::none;
    }
    return TimeForm::none;
}

}  // namespace stream
