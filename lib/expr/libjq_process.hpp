// SPDX-License-Identifier: Apache-2.0
// The process that libjq runs in, and how its parent (expr/libjq.cpp) talks to it: one request, one
// answer, in memory that both see; what does not fit there, and what wakes a side that has gone to sleep,
// goes through a socket. Events come every few microseconds, and waking takes as long: where there is a
// processor for each side, it looks for the other's word for a moment before it sleeps.
//
// On the socket are frames: u32 length, bytes. An empty one only wakes. An answer is a row of records,
// u32 length and bytes, one for each result; then end_of_results, u32 Status, and a last record, the message.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "expr/libjq.hpp"

namespace stream::expr {

inline constexpr std::size_t shared_bytes = 64u << 10;
inline constexpr std::uint32_t end_of_results = 0xffffffff;
inline constexpr int exit_out_of_memory = 66;

enum class Status : std::uint32_t {
    done,
    raised,       // by the program; its message
    not_read,     // libjq's parser refused the event; its message
    too_deep,     // a result is deeper than libjq writes
    too_much,     // more results than LibjqLimits::output_bytes
    not_compiled  // (the answer to the start) the compiler's message
};

// A number counts up to say that what it stands for is there: the parent's `requested`, the child's
// `answered`. Who finds `sleeps` set sends a frame. All of these in sequential order.
struct Channel {
    alignas(64) std::atomic<std::uint32_t> requested{0};
    std::uint64_t request_bytes = 0;  // more than shared_bytes: they come through the socket
    bool spins = false;               // whether to look for the next request before sleeping
    int parent_processor = -1;        // where spinning begins: the child should be on another one
    alignas(64) std::atomic<std::uint32_t> answered{0};
    std::uint64_t answer_in_memory = 0;
    std::uint64_t answer_by_socket = 0;  // these come first
    alignas(64) std::atomic<std::uint32_t> parent_sleeps{0};
    alignas(64) std::atomic<std::uint32_t> child_sleeps{0};
    alignas(64) char request[shared_bytes];
    alignas(64) char answer[shared_bytes];
};

// Looks for `number` in `word` for a moment: whether it came.
inline bool spin_until(const std::atomic<std::uint32_t>& word, std::uint32_t number) {
    constexpr std::int64_t longest_ns = 25'000;
    const auto now = [] {
        timespec time{};
        ::clock_gettime(CLOCK_MONOTONIC, &time);
        return std::int64_t{time.tv_sec} * ns_per_second + time.tv_nsec;
    };
    const std::int64_t begin = now();
    do {
        for (int i = 0; i < 16; ++i) {
            if (word.load(std::memory_order_acquire) == number) return true;
#if defined(__x86_64__) || defined(__i386__)
            __builtin_ia32_pause();
#elif defined(__aarch64__)
            asm volatile("yield");
#endif
        }
    } while (now() - begin < longest_ns);
    return false;
}

struct ProcessSettings {
    std::string program;
    std::vector<std::pair<std::string, std::string>> arguments;
    double now = 0;
    LibjqLimits limits;
};

// Never returns. `parent` is who must still be there.
[[noreturn]] void run_libjq_process(int socket, int parent, Channel& channel, const ProcessSettings& settings);

// What libjq does not know of our language, on one line: any time as seconds since the epoch, the nearest
// double. Regular expressions only say whether a text has the form; positions do the rest.
constexpr std::string_view seconds_definition() {
    return
        "def seconds:"
        R"( def bad: error("not a time: " + (tojson | if length > 40 then .[:40] + "…" else . end));)"
        " def scaled:"
        "  (if . < 0 then -. else . end) as $size"
        "  | if isnan or isinfinite then bad"
        "    elif $size < 1e11 then . elif $size < 1e14 then . / 1e3 elif $size < 1e17 then . / 1e6"
        "    else . / 1e9 end;"
        // More digits than a double has: the point is set in the text.
        R"( def pointed($places): (.[:-$places] + "." + .[-$places:]) | tonumber;)"
        " def number:"
        R"(  if test("\\A-?[1-9][0-9]{15,16}\\z") then pointed(6))"
        R"(  elif test("\\A-?[1-9][0-9]{17,}\\z") then pointed(9))"
        R"(  elif test("\\A-?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?\\z") then . as $text)"
        "   | tonumber | if isinfinite then $text | bad else scaled end"
        "  else bad end;"
        // Of a day in the proleptic Gregorian calendar.
        " def days($year; $month; $day):"
        "  (if $month > 2 then $year else $year - 1 end) as $y | ($y / 400 | floor) as $era"
        "  | ($y - $era * 400) as $of_era"
        "  | $era * 146097 + $of_era * 365 + ($of_era / 4 | floor) - ($of_era / 100 | floor)"
        "    + ((153 * (if $month > 2 then $month - 3 else $month + 9 end) + 2) / 5 | floor) + $day - 719469;"
        " def in_month($year; $month; $day):"
        "  $day >= 1 and ($day <= 28 or $day <= ([31,"
        "   (if $year % 4 == 0 and ($year % 100 != 0 or $year % 400 == 0) then 29 else 28 end),"
        "   31, 30, 31, 30, 31, 31, 30, 31, 30, 31][$month - 1]));"
        // ±hh:mm, ±hhmm, ±hh; its form has been seen.
        " def offset:"
        R"(  (.[1:3] | tonumber) as $hours | ((.[3:] | ltrimstr(":")) as $m | if $m == "" then 0 else ($m | tonumber) end))"
        "  as $minutes | if $hours > 23 or $minutes > 59 then null"
        R"(   else ($hours * 3600 + $minutes * 60) * (if .[:1] == "-" then -1 else 1 end) end;)"
        // Seconds, and a fraction's digits, to the nearest number.
        " def joined($seconds; $digits):"
        R"(  if $digits == "" or ($digits | test("\\A0+\\z")) then $seconds)"
        R"(  elif $seconds >= 0 then ($seconds | tostring) + "." + $digits | tonumber)"
        R"(  else "-" + (-1 - $seconds | tostring) + ".")"
        R"(   + (2e9 - ($digits + "00000000" | .[:9] | tonumber) | tostring | .[1:]) | tonumber end;)"
        // A clock's time and its offset, checked.
        " def at($year; $month; $day; $hour; $minute; $second; $offset; $digits):"
        "  if $month >= 1 and $month <= 12 and in_month($year; $month; $day) and $hour <= 23 and $minute <= 59"
        "   and $second <= 60 and $offset != null"
        "  then joined(days($year; $month; $day) * 86400 + $hour * 3600 + $minute * 60 + $second - $offset;"
        R"(   if $second == 60 then "" else $digits end))"
        "  else bad end;"
        " def rfc3339:"
        R"(  if test("\\A[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2})"
        R"(([.][0-9]{1,9})?([Zz]|[-+][0-9]{2}(:?[0-9]{2})?)?\\z"))"
        "  then explode as $c | .[19:] as $rest"
        "   | (if $c[19] == 46 then $rest | .[1:] | .[:(explode | (map(. < 48 or . > 57) | index(true)) // length)]"
        R"(      else "" end) as $digits)"
        R"(   | ($rest | if $digits == "" then . else .[($digits | length) + 1:] end) as $zone)"
        "   | at($c[0] * 1000 + $c[1] * 100 + $c[2] * 10 + $c[3] - 53328; $c[5] * 10 + $c[6] - 528;"
        "     $c[8] * 10 + $c[9] - 528; $c[11] * 10 + $c[12] - 528; $c[14] * 10 + $c[15] - 528;"
        "     $c[17] * 10 + $c[18] - 528;"
        "     if ($zone | length) < 2 then 0 else $zone | offset end; $digits)"
        "  else bad end;"
        " def clf:"
        R"(  if test("\\A[0-9]{2}/[A-Za-z]{3}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [-+][0-9]{2}(:?[0-9]{2})?\\z"))"
        "  then explode as $c"
        "   | at($c[7] * 1000 + $c[8] * 100 + $c[9] * 10 + $c[10] - 53328;"
        R"(     {"jan":1,"feb":2,"mar":3,"apr":4,"may":5,"jun":6,"jul":7,"aug":8,"sep":9,"oct":10,)"
        R"("nov":11,"dec":12}[.[3:6] | ascii_downcase] // 0;)"
        "     $c[0] * 10 + $c[1] - 528; $c[12] * 10 + $c[13] - 528; $c[15] * 10 + $c[16] - 528;"
        R"(     $c[18] * 10 + $c[19] - 528; .[21:] | offset; ""))"
        "  else bad end;"
        R"( if type == "number" then scaled elif type != "string" then bad)"
        R"( elif .[4:5] == "-" then rfc3339 elif .[2:3] == "/" then clf else number end;)";
}

}  // namespace stream::expr
