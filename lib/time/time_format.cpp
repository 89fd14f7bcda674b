// SPDX-License-Identifier: Apache-2.0
#include "time/time_format.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

namespace stream {
namespace {

constexpr const char* mismatch = "it does not match the format";

// Letters that stand for several others.
std::string_view composite(char letter) {
    switch (letter) {
        case 'T':
        case 'X':
            return "%H:%M:%S";
        case 'R':
            return "%H:%M";
        case 'r':
            return "%I:%M:%S %p";
        case 'D':
        case 'x':
            return "%m/%d/%y";
        case 'F':
            return "%Y-%m-%d";
        case 'c':
            return "%a %b %e %H:%M:%S %Y";
        default:
            return {};
    }
}

}  // namespace

Result<void> TimeFormat::compile_letter(char letter, bool& rare) {
    constexpr std::string_view ours = "YymdejbBhaAHIklpMSfzZsuw";
    constexpr std::string_view of_the_library = "CgGUVWEO";
    if (const std::string_view parts = composite(letter); !parts.empty()) return compile(parts, rare);
    if (letter == '%') {
        steps_.push_back({0, '%'});
    } else if (letter == 'n' || letter == 't') {
        steps_.push_back({' ', ' '});
    } else if (ours.find(letter) != std::string_view::npos) {
        letters_.push_back(letter);
        steps_.push_back({letter, 0});
    } else if (of_the_library.find(letter) != std::string_view::npos) {
        letters_.push_back(letter);
        rare = true;
    } else {
        return fail(ErrorKind::usage,
                    fmt::format("no letter %{} in a time format", printable(std::string_view(&letter, 1))));
    }
    return {};
}

Result<void> TimeFormat::compile(std::string_view format, bool& rare) {
    for (std::size_t i = 0; i < format.size(); ++i) {
        const char c = format[i];
        if (c == '%') {
            if (++i == format.size()) return fail(ErrorKind::usage, "a time format ends in %");
            STREAM_TRY(compile_letter(format[i], rare));
            // E and O stand before the letter they change, which must not be read as ours alone.
            if ((format[i] == 'E' || format[i] == 'O') && i + 1 < format.size()) {
                letters_.push_back(format[++i]);
            }
        } else if (c == ' ' || c == '\t' || c == '\n') {
            steps_.push_back({' ', ' '});
        } else {
            steps_.push_back({0, c});
        }
    }
    return {};
}

Result<void> TimeFormat::check(const std::string& format) {
    const auto refuse = [&](std::string_view why) {
        return fail(ErrorKind::usage, fmt::format("the time format {} {}", quoted(format), why));
    };
    const bool has_year = has("YyCGgcx");
    const bool has_day = has("dej") || (has("UWV") && has("aAuw")) || has("cx");
    const bool has_month = has("mbBhjcx") || has("UWV");
    const bool has_hour = has("HIklX");
    if (has("s")) return {};
    if (!has_year && !has_day && !has_month && !has_hour) return refuse("names no time");
    if (has("Il") && !has("p")) return refuse("has a 12-hour clock without %p");
    if (has_day && !has_month) return refuse("has a day without its month");
    if (!has_hour && has("MSf")) return refuse("has minutes or seconds without an hour");
    lacks_date_ = !has_year && !has_month;
    lacks_year_ = !has_year && has_month;
    if (lacks_year_ && !has_day) return refuse("has neither year nor day");
    if (has("UWV") && (lacks_year_ || !has("aAuw")))
        return refuse("counts weeks without a year or a day of the week");
    return {};
}

Result<TimeFormat> TimeFormat::make(const std::string& format) {
    TimeFormat made;
    bool rare = false;
    STREAM_TRY(made.compile(format, rare));
    STREAM_TRY(made.check(format));
    if (rare) {
        if (made.has("sfkl")) {
            return fail(ErrorKind::usage,
                        fmt::format("the time format {} mixes %s %f %k %l with letters for weeks, "
                                    "centuries or eras",
                                    quoted(format)));
        }
        made.rare_ = std::make_unique<DateLibraryReader>(format);
        return made;
    }
    // Seconds take a fraction along unless the format itself says what follows.
    for (std::size_t i = 0; i < made.steps_.size(); ++i) {
        const bool last = i + 1 == made.steps_.size();
        const char next = last || made.steps_[i + 1].letter != 0 ? '\0' : made.steps_[i + 1].literal;
        if (made.steps_[i].letter == 'S' || made.steps_[i].letter == 's') {
            made.steps_[i].literal = next == '.' || next == ',' ? '\0' : '.';
        }
    }
    return made;
}

namespace {

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// 1 to `width` digits up to `limit`, perhaps one space for a leading zero; -1 if not.
int read_number(TimeCursor& cursor, int width, int limit, bool padded) {
    if (padded && cursor.left() > 1 && *cursor.at == ' ') {
        ++cursor.at;
        --width;
    }
    int value = 0;
    int count = 0;
    for (; count < width && !cursor.done() && is_digit(*cursor.at); ++count)
        value = value * 10 + (*cursor.at++ - '0');
    return count == 0 || value > limit ? -1 : value;
}

bool take_word(TimeCursor& cursor, std::string_view word) {
    if (cursor.left() < word.size()) return false;
    for (std::size_t i = 0; i < word.size(); ++i) {
        if (lower(cursor.at[i]) != word[i]) return false;
    }
    cursor.at += word.size();
    return true;
}

int read_weekday_name(TimeCursor& cursor) {
    constexpr std::string_view names[] = {"sunday",   "monday", "tuesday", "wednesday",
                                          "thursday", "friday", "saturday"};
    for (int i = 0; i < 7; ++i) {
        if (!take_word(cursor, names[i].substr(0, 3))) continue;
        take_word(cursor, names[i].substr(3));
        return i;
    }
    return -1;
}

const char* read_zone_name(TimeCursor& cursor, TimeFields& out) {
    const char* const start = cursor.at;
    if (!take_word(cursor, "utc") && !take_word(cursor, "gmt") && !take_word(cursor, "z")) {
        return "of zone names only UTC, GMT and Z say what they mean";
    }
    if (!cursor.done() && ((lower(*cursor.at) >= 'a' && lower(*cursor.at) <= 'z') || *cursor.at == '/')) {
        cursor.at = start;
        return "of zone names only UTC, GMT and Z say what they mean";
    }
    out.has_offset = true;
    out.offset_s = 0;
    return nullptr;
}

const char* read_zone_offset(TimeCursor& cursor, TimeFields& out) {
    out.has_offset = true;
    if (cursor.take('Z') || cursor.take('z')) return nullptr;
    return read_offset(cursor, out.offset_s);
}

const char* read_optional_fraction(TimeCursor& cursor, bool allowed, TimeFields& out) {
    if (!allowed || cursor.done() || (*cursor.at != '.' && *cursor.at != ',')) return nullptr;
    ++cursor.at;
    return read_fraction(cursor, out.nanoseconds);
}

const char* read_epoch_seconds(TimeCursor& cursor, bool fraction, TimeFields& out) {
    const bool negative = cursor.take('-');
    const char* const start = cursor.at;
    std::int64_t value = 0;
    for (; !cursor.done() && is_digit(*cursor.at); ++cursor.at) {
        if (cursor.at - start == 12) return "out of range";
        value = value * 10 + (*cursor.at - '0');
    }
    if (cursor.at == start) return mismatch;
    out.has_epoch = true;
    out.epoch_s = negative ? -value : value;
    if (const char* reason = read_optional_fraction(cursor, fraction, out)) return reason;
    if (negative && out.nanoseconds > 0) {
        out.epoch_s -= 1;
        out.nanoseconds = static_cast<std::int32_t>(ns_per_second) - out.nanoseconds;
    }
    return nullptr;
}

// A number into its field.
bool set(int value, int least, int& field) {
    if (value < least) return false;
    field = value;
    return true;
}

bool read_year(TimeCursor& cursor, TimeFields& out) {
    if (cursor.left() < 4) return false;
    const int century = two_digits(cursor.at);
    const int of_century = two_digits(cursor.at + 2);
    cursor.at += 4;
    out.year = century * 100 + of_century;
    return century >= 0 && of_century >= 0;
}

bool read_short_year(TimeCursor& cursor, TimeFields& out) {
    const int value = read_number(cursor, 2, 99, false);
    out.year = value < 69 ? 2000 + value : 1900 + value;  // POSIX
    return value >= 0;
}

struct HalfDay {
    bool seen = false;
    bool afternoon = false;
};

bool read_half_day(TimeCursor& cursor, HalfDay& out) {
    out.seen = true;
    out.afternoon = take_word(cursor, "pm");
    return out.afternoon || take_word(cursor, "am");
}

}  // namespace

const char* TimeFormat::read(std::string_view text, TimeFields& out) {
    out = TimeFields{};
    if (rare_) return rare_->read(text, out);
    TimeCursor cursor{text.data(), text.data() + text.size()};
    HalfDay half;
    bool twelve = false;
    for (const Step step : steps_) {
        bool good = true;
        const char* reason = nullptr;
        switch (step.letter) {
            case 0:
                good = cursor.take(step.literal);
                break;
            case ' ':
                while (!cursor.done() && is_space(*cursor.at)) ++cursor.at;
                break;
            case 'Y':
                good = read_year(cursor, out);
                break;
            case 'y':
                good = read_short_year(cursor, out);
                break;
            case 'm':
                good = set(read_number(cursor, 2, 12, false), 1, out.month);
                break;
            case 'd':
            case 'e':
                good = set(read_number(cursor, 2, 31, true), 1, out.day);
                break;
            case 'j':
                good = set(read_number(cursor, 3, 366, false), 1, out.day_of_year);
                break;
            case 'b':
            case 'B':
            case 'h':
                good = set(static_cast<int>(read_month_name(cursor, true)), 1, out.month);
                break;
            case 'a':
            case 'A':
                good = set(read_weekday_name(cursor), 0, out.weekday);
                break;
            case 'u':
                good = set(read_number(cursor, 1, 7, false), 1, out.weekday);
                out.weekday %= 7;
                break;
            case 'w':
                good = set(read_number(cursor, 1, 6, false), 0, out.weekday);
                break;
            case 'H':
            case 'k':
                good = set(read_number(cursor, 2, 23, true), 0, out.hour);
                break;
            case 'I':
            case 'l':
                good = set(read_number(cursor, 2, 12, true), 1, out.hour);
                twelve = true;
                break;
            case 'p':
                good = read_half_day(cursor, half);
                break;
            case 'M':
                good = set(read_number(cursor, 2, 59, false), 0, out.minute);
                break;
            case 'S':
                good = set(read_number(cursor, 2, 60, false), 0, out.second);
                if (good) reason = read_optional_fraction(cursor, step.literal != 0, out);
                break;
            case 'f':
                reason = read_fraction(cursor, out.nanoseconds);
                break;
            case 's':
                reason = read_epoch_seconds(cursor, step.literal != 0, out);
                break;
            case 'z':
                reason = read_zone_offset(cursor, out);
                break;
            case 'Z':
                reason = read_zone_name(cursor, out);
                break;
            default:
                good = false;
                break;
        }
        if (!good) return mismatch;
        if (reason != nullptr) return reason;
    }
    if (!cursor.done()) return "text follows what the format takes";
    if (twelve) out.hour = out.hour % 12 + (half.afternoon ? 12 : 0);
    return nullptr;
}

}  // namespace stream
