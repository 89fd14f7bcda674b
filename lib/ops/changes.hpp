// SPDX-License-Identifier: Apache-2.0
// Events as changes of a table: Debezium's envelope (`op` with `before` and `after`, also in `schema`/`payload`),
// or rows, each of which replaces the one of the same key. Debezium documentation, "Change event values".
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "expr/expression.hpp"
#include "json/fields.hpp"
#include "json/keys.hpp"
#include "json/scanner.hpp"
#include "expr/computed_fields.hpp"

namespace stream {

// Views are valid until the next read().
struct Change {
    enum class Kind : std::uint8_t {
        upsert,    // there is a row now
        remove,    // the row is gone
        truncate,  // every row is gone
        nothing,   // no change of a row: a heartbeat, a transaction's mark
    };
    Kind kind = Kind::nothing;
    std::string_view row;         // upsert: the row, a JSON object; remove: what is known of the row that was
    std::string_view before;      // the row before, where the event says it; may be empty, or be only its key
    std::string_view key;         // canonical bytes of the row's key (Keys::bytes)
    std::string_view before_key;  // upsert: of the row before, where it is known and another
    bool key_is_null = false;     // a member of the key is null or missing
};

class ChangeReader {
public:
    // `by`: the row's key, fields of the row and not of the envelope; may be empty (no key is worked out).
    // `deleted`: an expression that is true of a row that says it is deleted; empty: none is.
    static Result<std::unique_ptr<ChangeReader>> make(const std::vector<KeySpec>& by, const std::string& deleted,
                                                      const expr::Settings& settings);
    ~ChangeReader();

    // ErrorKind::data: an envelope that makes no sense (an unknown op, an insert without `after`).
    Result<Change> read(std::string_view event);
    const Keys& keys() const;

private:
    struct Impl;
    explicit ChangeReader(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace stream
