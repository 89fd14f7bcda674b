// SPDX-License-Identifier: Apache-2.0
// stream-join: events of two inputs that belong together in time. Input 0 is LEFT, input 1 RIGHT; both come
// in event-time order (ties as the pump has them), but for a table that is read whole first.
//
// Source of the semantics: interval joins and temporal table joins as in Flink; both bounds are inclusive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "expr/expression.hpp"
#include "json/fields.hpp"
#include "json/keys.hpp"
#include "ops/operator.hpp"
#include "state/spill_queue.hpp"

namespace stream {

enum class JoinType : std::uint8_t { inner, left, right, full, semi, anti };

// `a,b=c`: LEFT's field, and RIGHT's where it has another name. ErrorKind::usage.
struct JoinKeys {
    std::vector<KeySpec> left;
    std::vector<KeySpec> right;
};
Result<JoinKeys> parse_join_keys(const std::vector<std::string>& arguments);

struct IntervalJoinOptions {
    JoinType type = JoinType::inner;
    JoinKeys keys;                 // none: every event matches every other in time
    DurationNs before = 0;         // left - before <= right <= left + after
    DurationNs after = 0;
    bool flat = false;             // one object of both sides' members
    std::string as = "right";      // flat: what RIGHT's members are prefixed with, and `_`
    bool ends_with_left = false;   // RIGHT has no end: done once nothing of LEFT is left
    bool eager = false;            // each result at once, in the order they are found
    std::size_t memory = 256u << 20;  // of what the window must hold; past it ErrorKind::limit
    SpillLimits spill;             // of results that wait for older ones
};
Result<std::unique_ptr<Operator>> make_interval_join(IntervalJoinOptions options, FieldSet& left, FieldSet& right);

struct TableJoinOptions {
    JoinType type = JoinType::inner;  // inner, left, semi, anti
    JoinKeys keys;
    std::string as = "right";
    std::vector<FieldPath> fields;    // of the row; empty: all of it
    std::string deleted;              // the expression true of a row that is deleted
    // as_of with RIGHT read whole first: every version of a row is kept, by its time. Else the newest one is,
    // and is valid from where it comes in the order of events.
    bool versions = false;
    bool ends_with_left = false;      // RIGHT has no end
    bool saved = true;                // rows are part of the state; false: RIGHT is read anew at each call
    std::size_t memory = 256u << 20;
    expr::Settings expressions;
};
Result<std::unique_ptr<Operator>> make_table_join(TableJoinOptions options, FieldSet& left, FieldSet& right);

}  // namespace stream
