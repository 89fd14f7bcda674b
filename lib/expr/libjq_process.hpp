// SPDX-License-Identifier: Apache-2.0
// The process that libjq runs in, and how its parent (expr/libjq.cpp) talks to it: one request, one
// answer, in memory that both see; what does not fit there, and what wakes a side that has gone to sleep,
// goes through a socket. Events come every few microseconds, and waking takes as long: where there is a
// processor for each side, it looks for the other's word for a moment before it sleeps.
//
// On the socket are frames: u32 length, bytes. An empty one only wakes. An answer is a row of records,
// u32 length and bytes, one for each result; then end_of_results, u32 Status, and a last record, the message.
#pragma once

#include "expr/libjq.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

// Whether to spin, by how that went. Where the machine is busy, the other side waits for the processor that
// the spinning has: then sleeping is faster by far, and spinning is tried again only now and then.
class SpinChoice {
public:
    explicit SpinChoice(bool possible) : possible_(possible) {}
    bool next() {
        if (rest_ == 0) return possible_;
        --rest_;
        waking_ = true;
        return false;
    }
    bool begins() const { return waking_; }
    void went(bool well) {
        if (waking_) {  // the other side slept: this says nothing
            waking_ = false;
        } else if (!well) {
            pause_ = std::clamp(pause_ * 2, 16u, 2048u);
            rest_ = pause_;
            good_ = 0;
        } else if (++good_ % 256 == 0) {
            pause_ /= 4;
        }
    }

private:
    bool possible_;
    unsigned rest_ = 0;
    unsigned pause_ = 0;
    unsigned good_ = 0;
    bool waking_ = true;
};

struct ProcessSettings {
    std::string program;
    std::vector<std::pair<std::string, std::string>> arguments;
    double now = 0;
    LibjqLimits limits;
};

// Never returns. `parent` is who must still be there.
[[noreturn]] void run_libjq_process(int socket, int parent, Channel& channel,
                                    const ProcessSettings& settings);

// What libjq does not know of our language, on one line: any time as seconds since the epoch, the nearest
// double. The C library's strptime is taken at its word where strftime gives the same text back; 1.6's mktime
// has no -1. The rest goes by characters' codes: 1.6 compiles a regular expression anew for each event.
constexpr std::string_view seconds_definition() {
    return "def seconds:"
           R"( def bad: error("not a time: " + (tojson | if length > 40 then .[:40] + "…" else . end));)"
           " def scaled:"
           "  (if . < 0 then -. else . end) as $size"
           "  | if isnan or isinfinite then bad"
           "    elif $size < 1e11 then . elif $size < 1e14 then . / 1e3 elif $size < 1e17 then . / 1e6"
           "    else . / 1e9 end;"
           // Of codes.
           " def are_digits: length > 0 and min >= 48 and max <= 57;"
           " def is_sign: . == 43 or . == 45;"
           // More digits than a double has: the point is set in the text.
           R"( def pointed($places): (.[:-$places] + "." + .[-$places:]) | tonumber;)"
           " def number:"
           "  explode | (if .[0] == 45 then .[1:] else . end) as $c | implode"
           "  | if $c | are_digits"
           "    then if ($c | length) < 16 or $c[0] == 48 then tonumber | scaled"
           "     elif ($c | length) < 18 then pointed(6) else pointed(9) end"
           R"(    elif test("\\A-?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?\\z"))"
           "    then . as $text | tonumber | if isinfinite then $text | bad else scaled end"
           "    else bad end;"
           // Of a day in the proleptic Gregorian calendar.
           " def days($year; $month; $day):"
           "  (if $month > 2 then $year else $year - 1 end) as $y | ($y / 400 | floor) as $era"
           "  | ($y - $era * 400) as $of_era"
           "  | $era * 146097 + $of_era * 365 + ($of_era / 4 | floor) - ($of_era / 100 | floor)"
           "    + ((153 * (if $month > 2 then $month - 3 else $month + 9 end) + 2) / 5 | floor) + $day - "
           "719469;"
           " def in_month($year; $month; $day):"
           "  $day >= 1 and ($day <= 28 or $day <= ([31,"
           "   (if $year % 4 == 0 and ($year % 100 != 0 or $year % 400 == 0) then 29 else 28 end),"
           "   31, 30, 31, 30, 31, 31, 30, 31, 30, 31][$month - 1]));"
           // ±hh:mm, ±hhmm, ±hh, of codes; null if it is none of them.
           " def offset:"
           "  length as $n | (if $n == 3 then 0 else .[$n - 2] * 10 + .[$n - 1] - 528 end) as $minutes"
           "  | (.[1] * 10 + .[2] - 528) as $hours"
           "  | if (.[0] | is_sign) and ($n == 3 or $n == 5 or ($n == 6 and .[3] == 58))"
           "     and (.[1:3] + .[$n - 2:] | are_digits) and $hours <= 23 and $minutes <= 59"
           "    then ($hours * 3600 + $minutes * 60) * (44 - .[0]) else null end;"
           // Seconds, and a fraction's digits, to the nearest number.
           " def joined($seconds; $digits):"
           R"(  if $digits == "" or ($digits | tonumber) == 0 then $seconds)"
           R"(  elif $seconds >= 0 then ($seconds | tostring) + "." + $digits | tonumber)"
           R"(  else "-" + (-1 - $seconds | tostring) + ".")"
           R"(   + (2e9 - ($digits + "00000000" | .[:9] | tonumber) | tostring | .[1:]) | tonumber end;)"
           // In an array, for 1.6's `try` (and `//`) takes the errors of what follows for its own.
           " def quick($form):"
           "  [try (strptime($form) | mktime) catch null][0] as $s"
           "  | if $s != null and ($s | strftime($form)) == . then $s else null end;"
           // What a clock showed, of hh:mm:ss the codes; null if none can show it.
           " def clock($year; $month; $day; $c):"
           "  ($c[0] * 10 + $c[1] - 528) as $hour | ($c[3] * 10 + $c[4] - 528) as $minute"
           "  | ($c[6] * 10 + $c[7] - 528) as $second"
           "  | if $month >= 1 and $month <= 12 and in_month($year; $month; $day) and $hour <= 23 and "
           "$minute <= 59"
           "     and $second <= 60"
           "    then days($year; $month; $day) * 86400 + $hour * 3600 + $minute * 60 + $second else null end;"
           " def rfc3339_clock:"
           "  explode as $c"
           "  | if ($c | length) >= 19 and $c[7] == 45 and $c[13] == 58 and $c[16] == 58"
           "     and ($c[:4] + $c[5:7] + $c[8:10] + $c[11:13] + $c[14:16] + $c[17:19] | are_digits)"
           "    then clock($c[0] * 1000 + $c[1] * 100 + $c[2] * 10 + $c[3] - 53328; $c[5] * 10 + $c[6] - 528;"
           "     $c[8] * 10 + $c[9] - 528; $c[11:19]) else null end;"
           " def rfc3339:"
           "  .[19:] as $rest"
           R"(  | (if .[10:11] | . == "T" or . == "t" or . == " ")"
           R"(     then (.[:10] + "T" + .[11:19] | quick("%Y-%m-%dT%H:%M:%S")) as $quick)"
           "      | if $quick != null then $quick else rfc3339_clock end else null end) as $clock"
           R"(  | if $clock == null then bad elif $rest == "Z" or $rest == "z" or $rest == "" then $clock)"
           "    else ($rest | explode) as $c | ($c | length) as $n"
           // Where the zone begins.
           "     | (if $c[$n - 1] == 90 or $c[$n - 1] == 122 then $n - 1 elif $c[$n - 6] | is_sign then $n - "
           "6"
           "        elif $c[$n - 5] | is_sign then $n - 5 elif $c[$n - 3] | is_sign then $n - 3 else $n end) "
           "as $z"
           "     | (if $n - $z < 2 then 0 else $c[$z:] | offset end) as $offset"
           "     | if $offset == null or ($z > 0 and ($c[0] != 46 or $z > 10 or ($c[1:$z] | are_digits | "
           "not))) then bad"
           R"(       else joined($clock - $offset; if $z == 0 or .[17:19] == "60" then "" else $rest[1:$z] end) end)"
           "    end;"
           " def clf_clock:"
           "  explode as $c"
           "  | if $c[6] == 47 and $c[11] == 58 and $c[14] == 58 and $c[17] == 58"
           "     and ($c[:2] + $c[7:11] + $c[12:14] + $c[15:17] + $c[18:20] | are_digits)"
           "    then clock($c[7] * 1000 + $c[8] * 100 + $c[9] * 10 + $c[10] - 53328;"
           R"(     {"jan":1,"feb":2,"mar":3,"apr":4,"may":5,"jun":6,"jul":7,"aug":8,"sep":9,"oct":10,"nov":11,)"
           R"("dec":12}[.[3:6] | ascii_downcase]; $c[0] * 10 + $c[1] - 528; $c[12:20]) else null end;)"
           " def clf:"
           R"(  (.[:20] | quick("%d/%b/%Y:%H:%M:%S")) as $quick)"
           "  | (if $quick != null then $quick else clf_clock end) as $clock"
           R"(  | (if .[20:] == " +0000" then 0 elif .[20:21] == " " then .[21:] | explode | offset else null end) as $offset)"
           "  | if $clock == null or $offset == null then bad else $clock - $offset end;"
           // A whole number of nanoseconds has more digits than its double: by its text.
           R"( . as $given | (if type == "number" then if . == floor and isnormal then tostring | number else scaled end)"
           R"( elif type != "string" then bad)"
           R"( elif .[4:5] == "-" then rfc3339 elif .[2:3] == "/" then clf else number end))"
           // What 64 bits of nanoseconds hold.
           " | if . < -9223372036.854775 or . > 9223372036.854775 then $given | bad else . end;";
}

}  // namespace stream::expr
