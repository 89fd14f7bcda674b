// SPDX-License-Identifier: Apache-2.0
// stream-table: a changelog (ops/changes.hpp) folded into its table, the changes between two tables, and the join
// of two changing tables as a changelog.
//
//     fold(changes)            the table: of each key the newest row
//     diff(a, b)               changes such that a, with them folded in, is b
//     fold(join(l, r)) = fold(l) ⋈ fold(r)   at every prefix of the two
//
// Values are equal by what they are (json/canonical.hpp), whatever their bytes: 1 and 1.0 are, so are objects with
// the same members in another order. A null member of a key, or one that is missing among others, is a value like
// others there; a row without any of them is ErrorKind::data.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "expr/expression.hpp"
#include "json/fields.hpp"
#include "json/keys.hpp"
#include "ops/operator.hpp"

namespace stream {

struct FoldOptions {
    std::vector<KeySpec> by;
    std::string deleted;  // an expression; empty: none
    // The whole table at each multiple of `every`, with `ts` the instant, once all changes up to it have come; at
    // the end at the first multiple that sees them all. The operator takes events in event-time order then.
    // 0: only at the end, as the rows are.
    DurationNs every = 0;
    // The table as it was then: later changes are left out, and of one key the newest by (time, position) counts,
    // in whatever order they come. Not together with `every`.
    std::optional<TimeNs> as_of;
    std::size_t memory_bytes = 256u << 20;  // past it ErrorKind::limit
    expr::Settings expressions;
    FieldSet* events = nullptr;  // where the tool registers fields: rows are scanned once then
};
Result<std::unique_ptr<Operator>> make_table_fold(FoldOptions options);

struct DiffOptions {
    std::vector<KeySpec> by;
    std::string deleted;
    std::size_t memory_bytes = 256u << 20;
    expr::Settings expressions;
};
// Input 0 is the old table, input 1 the new one, each folded. At the end
// {"op":"c"|"u"|"d","ts":…,"before":…,"after":…} in order of key, `ts` being the newest event time of both tables,
// left out where no row has one.
Result<std::unique_ptr<Operator>> make_table_diff(DiffOptions options);

struct JoinedTablesOptions {
    struct Side {
        std::vector<KeySpec> by;  // what identifies a row
        std::vector<KeySpec> on;  // as many as the other side has; null and missing match nothing
        bool outer = false;       // a row without a match is in the table, with null for the other side
        FieldSet* events = nullptr;  // as in FoldOptions
    };
    Side left;
    Side right;
    std::string deleted;
    std::size_t memory_bytes = 256u << 20;
    expr::Settings expressions;
};
// Input 0 is the left changelog, input 1 the right one, in whatever order: each change is answered at once with what
// it changes in the joined table, {"op":…,"ts":…,"before":…,"after":…} with `ts` its time and rows
// {"left":{…}|null,"right":{…}|null}: deletes, then updates, then inserts, each by left and right key.
Result<std::unique_ptr<Operator>> make_joined_tables(JoinedTablesOptions options);

}  // namespace stream
