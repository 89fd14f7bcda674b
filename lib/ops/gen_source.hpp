// SPDX-License-Identifier: Apache-2.0
// What the kinds of generated events share: dice, skew, event time, lanes and text. Private to gen*.cpp.
//
// Lanes make the life of a user or an order a pure function of the event's index. The events of a group
// go round its 2^bits lanes, each lane once a round, in an order that is shuffled anew each round; so what
// happens in one lane happens about one round apart. A lane's rounds are cut into frames, and a frame is
// cut by one of a few fixed patterns into the sessions or orders that follow each other in that lane.
#pragma once

#include "ops/gen.hpp"
#include "time/timestamp.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

namespace stream {

// The finalizer of SplitMix64 (Steele, Lea, Flood 2014). A bijection: different in, different out.
constexpr std::uint64_t mix64(std::uint64_t x) {
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}
constexpr std::uint64_t golden_gamma = 0x9E3779B97F4A7C15u;
// The n-th key of a seed: one die for each use.
constexpr std::uint64_t gen_key(std::uint64_t seed, std::uint64_t n) {
    return mix64(mix64(seed + golden_gamma) + n * golden_gamma);
}

// A number below n (at most 2^32) from 32 random bits.
constexpr std::uint64_t below(std::uint64_t random32, std::uint64_t n) { return (random32 * n) >> 32; }

// A rank below n (1 to 2^32), rank k about as often as 1 / (k + 1), as in Zipf's law: the octave is
// chosen evenly, then the rank in it.
constexpr std::uint64_t skewed(std::uint64_t random, std::uint64_t n) {
    const std::uint64_t octaves = static_cast<std::uint64_t>(std::bit_width(n));
    const std::uint64_t octave = below(random & 0xFFFFFFFFu, octaves);
    const std::uint64_t low = (std::uint64_t{1} << octave) - 1;
    const std::uint64_t rank = low + ((random >> 32) & low);
    return rank < n ? rank : rank >> 1;
}

// The time of event i: i gaps after the start, and within its own gap anywhere.
class EventClock {
public:
    explicit EventClock(const GenOptions& options)
        : start_ms_(floor_div(options.start, ns_per_ms)),
          gap_ns_(static_cast<std::uint64_t>(ns_per_second) / options.events_per_second),
          step_(gen_key(options.seed, 1) | 1) {}

    std::int64_t at_ms(std::uint64_t index) const {
        const std::uint64_t within = below((index * step_) >> 32, gap_ns_);
        return start_ms_ + static_cast<std::int64_t>((index * gap_ns_ + within) / 1'000'000);
    }
    std::uint64_t gap_ns() const { return gap_ns_; }
    std::int64_t start_ms() const { return start_ms_; }

private:
    std::int64_t start_ms_;
    std::uint64_t gap_ns_;
    std::uint64_t step_;
};

struct LanePlace {
    std::uint64_t lane;
    std::uint64_t round;
};

class Lanes {
public:
    // As many lanes (a power of two, at least 8) as it takes for a round of `events_per_second` × share
    // to last `round_seconds` or longer.
    Lanes(std::uint64_t events_per_second, std::uint64_t round_seconds, std::uint64_t share_divisor,
          std::uint64_t key)
        : bits_(
              static_cast<unsigned>(std::bit_width((events_per_second * round_seconds / share_divisor) | 7))),
          key_(key) {}

    LanePlace place(std::uint64_t index) const {
        const std::uint64_t mask = (std::uint64_t{1} << bits_) - 1;
        const std::uint64_t round = index >> bits_;
        const std::uint64_t shuffle = mix64(round + key_);
        std::uint64_t lane = (index ^ shuffle) & mask;
        lane = (lane * ((shuffle >> 32) | 1)) & mask;
        lane ^= lane >> ((bits_ + 1) / 2);
        lane = (lane * golden_gamma) & mask;
        return {lane, round};
    }
    std::uint64_t count() const { return std::uint64_t{1} << bits_; }
    unsigned bits() const { return bits_; }

private:
    unsigned bits_;
    std::uint64_t key_;
};

// Text up to 63 bytes, written as 64 and then cut to its length: one copy of known size.
struct Fragment {
    std::array<char, 63> text{};
    std::uint8_t size = 0;

    Fragment() = default;
    explicit Fragment(std::string_view from) : size(static_cast<std::uint8_t>(from.size())) {
        std::memcpy(text.data(), from.data(), from.size());
    }
    char* write(char* p) const {
        std::memcpy(p, this, sizeof *this);
        return p + size;
    }
};
static_assert(sizeof(Fragment) == 64);

// A line is at most this long, and write() may touch so many bytes.
inline constexpr std::size_t gen_line_room = 512;

template <std::size_t n>
char* put_text(char* p, const char (&text)[n]) {
    std::memcpy(p, text, n - 1);
    return p + n - 1;
}
char* put_decimal(char* p, std::uint64_t value);
char* put_two_digits(char* p, std::uint64_t value);            // value < 100
char* put_octet(char* p, std::uint64_t value);                 // value < 256; touches 4 bytes
char* put_hex(char* p, std::uint64_t value, unsigned digits);  // the low `digits` (even) of it

// RFC 3339 with milliseconds, 24 characters; what the minute says is kept for the next event.
class TimeText {
public:
    char* write(char* p, std::int64_t time_ms);

private:
    struct Minute {
        std::int64_t minute = std::numeric_limits<std::int64_t>::min();
        std::array<char, 32> text{};
    };
    std::array<Minute, 2> minutes_;  // the last even one and the last odd one
};

// Quantiles of a log-normal distribution, 256 of them, between which quantile() interpolates: 16 random
// bits give one value.
using QuantileTable = std::array<std::uint32_t, 256>;
extern const QuantileTable latency_quantiles;  // median 120 (tenths of a millisecond), sigma 0.95
extern const QuantileTable size_quantiles;     // median 4,096, sigma 1.25
inline std::uint64_t quantile(const QuantileTable& table, std::uint64_t random16) {
    const std::uint64_t k = random16 >> 8;
    const std::uint64_t low = table[k];
    const std::uint64_t high = table[k == 255 ? 255 : k + 1];
    return low + (((high - low) * (random16 & 255)) >> 8);
}

// One kind of events. write() appends event `index` as one line, its newline included, and gives the
// line's end; `p` has gen_line_room bytes. Any order of indices is allowed; rising is fastest.
class EventSource {
public:
    explicit EventSource(const GenOptions& options) : clock_(options) {}
    virtual ~EventSource() = default;
    virtual char* write(std::uint64_t index, char* p) = 0;
    const EventClock& clock() const { return clock_; }

private:
    EventClock clock_;
};

std::unique_ptr<EventSource> make_web_source(const GenOptions& options);
std::unique_ptr<EventSource> make_orders_source(const GenOptions& options);

// 0 means as many as the density asks for.
inline std::uint64_t gen_users(const GenOptions& options) {
    return options.users != 0 ? options.users : 1000 * options.events_per_second;
}

}  // namespace stream
