// SPDX-License-Identifier: Apache-2.0
// Events made from a seed: web traffic with sessions, and the life of orders.
//
// Event i is a pure function of (kind, seed, i, start, events_per_second, users, paths, skus), in
// integers alone, so a seed gives the same bytes on any machine. The dials change arrival and nothing
// else: `disorder` holds some events back, `duplicates` repeats some. Whoever sorts the stream by time
// and drops the repeats has the stream of the same seed with both dials at 0.
//
// web     {"ts","id","user","session","path","method","status","bytes","latency_ms","ip","agent"}
//         `id` is unique. A user's requests come in sessions (seconds to a minute apart) with more than
//         30 minutes between two of them, while there are about 550 users or more for each event a
//         second; below that the pauses shrink. Some users are programs that never pause: u1, u2, …,
//         u1 making about 3 % of all events. Incidents of 1 to 4 minutes, every 32 minutes
//         on average, bring the share of status >= 500 from 0.4 % to 1-2 % overall.
// orders  {"ts","order_id","customer","sku","quantity","price","currency","status"}
//         (order_id, status) is unique. An order is created, paid, packed, shipped, delivered and sometimes
//         returned, or cancelled on the way; its steps are seconds to half an hour apart.
#pragma once

#include "base/error.hpp"
#include "time/timestamp.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stream {

// A new kind is a word here, in gen_kind_names and in make_source (gen.cpp), and a gen_<kind>.cpp.
enum class GenKind : std::uint8_t { web, orders };
inline constexpr std::array<std::string_view, 2> gen_kind_names{"web", "orders"};

// By its name on the command line; nullopt for another word.
std::optional<GenKind> gen_kind(std::string_view name);

struct GenOptions {
    static constexpr std::uint64_t endless = std::numeric_limits<std::uint64_t>::max();

    GenKind kind = GenKind::web;
    std::uint64_t events = endless;  // different events; repeats come on top
    std::uint64_t seed = 1;

    double disorder = 0;                           // share of events held back, 0 to 1
    double duplicates = 0;                         // share of events repeated once, 0 to 1
    DurationNs disorder_max = 10 * ns_per_second;  // how long an event or its repeat is held back at most

    TimeNs start = 1'767'225'600 * ns_per_second;  // 2026-01-01T00:00:00Z, in whole milliseconds
    std::uint64_t events_per_second = 100;         // of event time; 1 to 1,000,000
    std::uint64_t users = 0;    // at most so many users or customers; 0: 1,000 × events_per_second
    std::uint64_t paths = 200;  // web: different paths, 8 to 65,536
    std::uint64_t skus = 1000;  // orders: different articles

    // ErrorKind::usage where a dial is out of its range or cannot do what it says (a disorder_max
    // shorter than two events are apart), ErrorKind::limit where more than 2^24 events would be held.
    Result<void> validate() const;
};

class EventSource;

// Memory: fixed tables (64 bytes a path) and 16 bytes for each event held back, about
// (disorder / 3 + duplicates / 2) × disorder_max × events_per_second of them.
class Generator {
public:
    // `options` has been validated.
    explicit Generator(const GenOptions& options);
    ~Generator();

    // Appends whole lines until `bytes` or more were appended, `turns` events had their turn (an event
    // held back has it in silence; what it frees is written), or all is done. Gives the number of lines.
    // What is written does not depend on how it is cut into blocks.
    std::uint64_t next_block(std::string& out, std::size_t bytes, std::uint64_t turns = GenOptions::endless);
    bool done() const { return turn_ == end_ && held_.empty(); }

    // For a restart: seek(position()) in another Generator of the same options goes on exactly here. The
    // first `events` positions are turns (position n: event n is next), those after it are the lines that
    // were still held back at the end. Costs as much as disorder_max is long, not as the position is far.
    // A position past the end is done().
    std::uint64_t position() const { return turn_ + drained_; }
    void seek(std::uint64_t position);

    // The event time reached: of the newest event that had its turn (`start` before the first). With
    // --rate a caller may pace by it.
    TimeNs time() const;

private:
    // An event that waits: written before the first event newer than `due_ms`.
    struct Held {
        std::int64_t due_ms;
        std::uint64_t index_and_repeat;  // index × 2, + 1 for the repeat
        bool operator>(const Held& other) const {
            return due_ms != other.due_ms ? due_ms > other.due_ms : index_and_repeat > other.index_and_repeat;
        }
    };
    // When event `index` and its repeat come; -1 for at once, and for never.
    struct Delays {
        std::int64_t event_ms;
        std::int64_t repeat_ms;
    };

    Delays delays(std::uint64_t index) const;
    void hold(std::int64_t due_ms, std::uint64_t index_and_repeat);
    std::uint64_t pop_held();
    std::unique_ptr<EventSource> source_;
    std::uint64_t end_;         // events there are
    std::uint64_t key_;         // of the dials' dice
    std::uint64_t late_below_;  // a 32-bit throw below it: held back
    std::uint64_t repeat_below_;
    std::uint64_t least_delay_ms_;
    std::uint64_t most_delay_ms_;
    std::uint64_t look_back_;  // no event further back is still held
    std::uint64_t turn_ = 0;
    std::uint64_t drained_ = 0;
    std::vector<Held> held_;  // a heap, the next one due in front
};

}  // namespace stream
