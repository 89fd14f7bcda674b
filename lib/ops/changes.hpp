// SPDX-License-Identifier: Apache-2.0
// Events as changes of a table: Debezium's envelope (`op` with `before` and `after`, also in `schema`/`payload`),
// or rows, each of which replaces the one of the same key. Debezium documentation, "Change event values".
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "expr/computed_fields.hpp"
#include "expr/expression.hpp"
#include "json/fields.hpp"
#include "json/keys.hpp"
#include "json/scanner.hpp"

namespace stream {

// Views are valid until the next read(), or as long as the event.
struct Change {
    enum class Kind : std::uint8_t {
        upsert,    // there is a row now
        remove,    // the row is gone
        truncate,  // every row is gone
        nothing,   // no change of a row: a heartbeat, a transaction's mark
    };
    Kind kind = Kind::nothing;
    std::string_view row;         // upsert: the row, a JSON object; remove: what is known of the row that was, or nothing
    std::string_view before;      // the row before, where the event says it; may be empty, or be only its key
    std::string_view key;         // canonical bytes of the row's key (Keys::bytes)
    std::string_view before_key;  // of the row before, where it is known and another: that row is gone
    std::string_view more;        // upsert: canonical bytes of the other members asked for
    bool key_is_null = false;     // a member of the key is null or missing
    bool key_is_missing = false;  // the row has no member of the key at all
};

class ChangeReader {
public:
    // `by`: the row's key, fields of the row and not of the envelope; may be empty (no key is worked out).
    // `deleted`: an expression that is true of a row that says it is deleted; empty: none is.
    // `more`: other members of a row that are wanted together with its key.
    static Result<std::unique_ptr<ChangeReader>> make(const std::vector<KeySpec>& by, const std::string& deleted,
                                                      const expr::Settings& settings, const std::vector<KeySpec>& more = {});
    ~ChangeReader();

    // Has the key, and `more`, found with the fields of the events themselves, so that those that are rows are not
    // scanned a second time. Without effect where that cannot be (`deleted`, a name that is a path or an expression).
    void find_in(FieldSet& events);

    // `values`: the event's, of find_in()'s fields. ErrorKind::data: an envelope that makes no sense (an unknown op,
    // an insert without `after`).
    Result<Change> read(std::string_view event, const Value* values);
    const Keys& keys() const;

    // Which forms of the fields were found first (FieldSet::save), for snapshots. load(): before the first event;
    // ErrorKind::corrupt.
    std::string save() const;
    Result<void> load(std::string_view saved);
    // The fields of the key, and of `more`, that no row had; none where there was no row.
    std::vector<std::string> never_seen() const;

private:
    struct Impl;
    explicit ChangeReader(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// "no key: "id" is missing", of a change whose key_is_missing.
Error no_key(const std::vector<KeySpec>& by);

}  // namespace stream
