// SPDX-License-Identifier: Apache-2.0
// Events with a table's rows (join.hpp): each event of LEFT gets the row of its key that is valid then.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/hash_map.hpp"
#include "ops/changes.hpp"
#include "ops/join.hpp"
#include "state/event_arena.hpp"
#include "state/key_hash.hpp"

namespace stream {

class TableJoin final : public Operator {
public:
    TableJoin(TableJoinOptions options, FieldSet& fields, std::unique_ptr<ChangeReader> changes);

    Result<void> on_event(int input, const Event& event, Sink& sink) override;
    void snapshot(StateWriter& writer) const override;
    Result<void> restore(StateReader& reader) override;
    void append_stats(std::string& out) const override;
    std::string closing_remark() const override;
    void on_input_end(int input) override { left_ended_ = left_ended_ || input == 0; }
    bool is_done() const override { return options_.ends_with_left && left_ended_; }

private:
    struct Version {
        TimeNs time = 0;
        std::uint64_t position = 0;
        bool deleted = false;
        EventArena::Place place;
    };
    struct Row {
        std::vector<Version> versions;  // without options_.versions one at most
        bool sorted = true;
    };
    struct Wiped {  // every row, by a truncation
        TimeNs time = 0;
        std::uint64_t position = 0;
    };
    struct HashOfKey {
        std::size_t operator()(const Hash128& key) const { return static_cast<std::size_t>(key.low); }
    };

    Result<void> on_change(const Event& event);
    Result<void> on_left(const Event& event, Sink& sink);
    void set(std::string_view key, const Event& event, std::string_view row, bool deleted);
    void wipe(const Event& event);
    // The row valid at `time`; nothing if there is none.
    std::optional<std::string_view> valid(Row& row, TimeNs time);
    std::size_t memory_used() const;
    Result<void> check_memory() const;

    TableJoinOptions options_;
    Keys left_keys_;
    std::unique_ptr<ChangeReader> changes_;
    HashSecret secret_;
    HashMap<Hash128, Row, HashOfKey> rows_;
    std::size_t versions_ = 0;
    EventArena arena_;
    std::vector<Wiped> wiped_;
    bool left_ended_ = false;
    bool any_field_ = false;  // a row had one of options_.fields
    std::uint64_t matched_ = 0;
    std::uint64_t unmatched_ = 0;
    std::string scratch_;
    std::string value_;
};

}  // namespace stream
