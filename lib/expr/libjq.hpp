// SPDX-License-Identifier: Apache-2.0
// Programs that are not compiled run in libjq, in a process of their own: it may be stopped at a time
// limit, held to a size, and may fail altogether without taking the tool with it. It can open nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "time/timestamp.hpp"

namespace stream::expr {

struct LibjqLimits {
    DurationNs time = 5 * ns_per_second;      // of processor and of clock, an event
    std::size_t memory_bytes = 512u << 20;    // address space of the process beyond what it begins with
    std::size_t output_bytes = 256u << 20;    // of one event's results together
    bool (*stopped)() = nullptr;              // asked while it is waited for: true ends the wait
};

class Libjq {
public:
    // Starts the process, which compiles `program`; its complaints come back as ErrorKind::usage, one line,
    // without libjq's own prefixes. `arguments` are $names and their JSON texts. `now` (seconds) is what
    // `now` gives; the environment is the one this process has.
    static Result<Libjq> start(std::string_view program, const std::vector<std::pair<std::string, std::string>>& arguments,
                               double now, const LibjqLimits& limits);
    Libjq(Libjq&&) noexcept;
    Libjq& operator=(Libjq&&) noexcept;
    ~Libjq();

    // All results for one event, as compact JSON texts (strings in quotes), valid until the next call.
    // ErrorKind::data: the program failed on this event (`libjq`'s message; with the results before it
    // in results()), or the event cannot go in unchanged (a number that a double would round, named; deeper than libjq
    // reads), or the process ran out of time or memory or died: the next call has a new one.
    Result<void> run(std::string_view event);
    const std::vector<std::string_view>& results() const;
    // Of the last failure: whether the program itself raised it (false: a limit, or a number).
    bool raised() const;

    // The version of the library: "1.6".
    static std::string version();

private:
    struct Impl;
    explicit Libjq(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// The first number in a JSON text that a double cannot hold (its nearest double, printed, is another
// value); empty if there is none. Numbers past the range of doubles are such.
std::string_view rounded_number(std::string_view json);

}  // namespace stream::expr
