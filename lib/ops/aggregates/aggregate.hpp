// SPDX-License-Identifier: Apache-2.0
// One aggregate function of stream-window: immutable itself, its state in bytes that the caller owns.
//
// A caller lays the states of a group's aggregates side by side (each aligned to 8 bytes), calls
// init() once, add() for each event, perhaps merge() for panes, write() at will, and destroy() once.
// A state that needs the heap keeps a pointer in its bytes; states may be moved with memcpy between
// these calls. Order of add() calls never changes what write() says, ties in (time, position) being
// impossible: positions differ.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "json/value.hpp"
#include "state/bytes.hpp"
#include "time/timestamp.hpp"

namespace stream {

// What an aggregate sees of an event. `value` is its field's value (type `missing` if the event has
// none, or if the aggregate has no field).
struct AggregateInput {
    Value value;
    std::string_view event;  // the event's own bytes
    TimeNs time = 0;
    std::uint64_t position = 0;
};

// What write() may need to know of the window.
struct WindowSpan {
    DurationNs length_ns = 0;  // window_end - window_start; 0 where the window has no length
    // increase: the key's last value before the window, as number text; empty if there is none.
    std::string_view before;
};

class Aggregate {
public:
    virtual ~Aggregate() = default;

    virtual std::size_t size() const = 0;  // of the inline state, a multiple of 8
    virtual void init(std::byte* state) const = 0;
    virtual void destroy(std::byte* state) const = 0;

    // ErrorKind::data for a value of a type the function cannot take (a string where a number is
    // summed); the state is unchanged then. ErrorKind::limit for an exact integer sum past 128 bits.
    virtual Result<void> add(std::byte* state, const AggregateInput& input) const = 0;
    // `from` is left valid and unchanged.
    virtual Result<void> merge(std::byte* into, const std::byte* from) const = 0;
    // Appends one JSON value.
    virtual Result<void> write(const std::byte* state, const WindowSpan& window, std::string& out) const = 0;

    virtual void snapshot(const std::byte* state, StateWriter& writer) const = 0;
    // Into bytes that init() was called on.
    virtual Result<void> restore(std::byte* state, StateReader& reader) const = 0;

    // Bytes on the heap behind this state, for --memory; grows only in functions whose
    // grows_with_events() is true.
    virtual std::size_t heap_bytes(const std::byte* state) const { (void)state; return 0; }
    virtual bool grows_with_events() const { return false; }
    // The approx_ form to name when memory runs out; empty if there is none.
    virtual std::string_view approximate_form() const { return {}; }
    // Whether merge() gives what adding all would have: false only for functions that cannot be paned.
    virtual bool merges() const { return true; }
    // increase only: the state's last value by (time, position), as number text; empty of nothing.
    virtual std::string last_number(const std::byte* state) const { (void)state; return {}; }
};

// What the command line's `[NAME=]FUNC[:FIELD]` said.
struct AggregateSpec {
    std::string name;      // of the output member; given, or FUNC_FIELD with other characters than letters and digits as _
    std::string function;  // count, sum, p99, approx_top10, …
    std::string field;     // empty if none was given
};

// Splits and checks one argument. Usage errors name the nearest function and know the usual synonyms
// (avg -> mean, perc95 -> p95, …), and recognise a file name.
Result<AggregateSpec> parse_aggregate(std::string_view argument);

// By the function's name; ErrorKind::usage if there is no such function or it needs or refuses a field.
Result<std::unique_ptr<Aggregate>> make_aggregate(const AggregateSpec& spec);

}  // namespace stream
