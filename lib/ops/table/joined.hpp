// SPDX-License-Identifier: Apache-2.0
// stream-table join; ops/table.hpp says what it does.
//
// The joined table is not kept: a change of one side is answered from the rows of both and an index by the values
// they are joined on. Which rows of the other side have no match follows from how many rows of this side have
// their value.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ops/changes.hpp"
#include "ops/table.hpp"
#include "ops/table/rows.hpp"

namespace stream {

class JoinedTables final : public Operator {
public:
    JoinedTables(JoinedTablesOptions options, std::array<std::unique_ptr<ChangeReader>, 2> readers);

    Result<void> on_event(int input, const Event& event, Sink& sink) override;
    void snapshot(StateWriter& writer) const override;
    Result<void> restore(StateReader& reader) override;
    std::string closing_remark() const override;
    void append_stats(std::string& out) const override;

private:
    // One version of a row; another version is another object.
    struct Row {
        std::string key;
        std::string on;       // canonical bytes; empty: a null is among them, and it matches nothing
        std::string json;
        std::uint64_t order;  // KeyOrder::prefix of the key
        std::size_t place = 0;  // in its list of the index
    };
    struct Side {
        std::unique_ptr<ChangeReader> reader;
        bool outer = false;
        TextMap<std::string_view, std::unique_ptr<Row>> rows;  // by Row::key
        TextMap<std::string, std::vector<Row*>> index;         // by Row::on; no list is empty
        std::uint64_t changes = 0;
    };
    // A row of the joined table: of each side one, or none.
    struct Pair {
        const Row* left = nullptr;
        const Row* right = nullptr;
        bool is_nothing() const { return left == nullptr && right == nullptr; }
    };
    struct Difference {
        Pair before;
        Pair after;
        std::uint32_t step = 0;  // in one change, the order in which they came about
        bool known = false;      // that before and after differ
        const Pair& who() const { return before.is_nothing() ? after : before; }
    };

    void upsert(std::size_t side, const Change& change);
    void remove(std::size_t side, std::string_view key);
    void truncate(std::size_t side);
    void connect(std::size_t side, Row& row);
    void disconnect(std::size_t side, Row& row);
    void replace(std::size_t side, Row& old, Row& row);
    void add(std::size_t side, std::unique_ptr<Row> row);
    std::unique_ptr<Row> take(std::size_t side, std::string_view key);

    const std::vector<Row*>& matches(std::size_t side, const Row& row) const;
    void enter(Side& side, Row& row);
    void leave(Side& side, Row& row);
    static Pair pair(std::size_t side, const Row* row, const Row* other);
    void appear(const Pair& pair) { differences_.push_back({{}, pair, next_step(), false}); }
    void vanish(const Pair& pair) { differences_.push_back({pair, {}, next_step(), false}); }
    std::uint32_t next_step() const { return static_cast<std::uint32_t>(differences_.size()); }

    void write_differences(TimeNs time, Sink& sink);
    void settle();
    static int compare(const Pair& a, const Pair& b);
    void write(const Difference& difference, TimeNs time, Sink& sink);

    std::size_t memory_used() const;
    Result<void> check_memory() const;

    JoinedTablesOptions options_;
    std::array<Side, 2> sides_;
    std::size_t bytes_ = 0;  // of rows and lists, outside the maps' own memory
    std::uint64_t written_ = 0;
    std::uint64_t unchanged_ = 0;

    // Of the change that is being answered.
    std::vector<Difference> differences_;
    std::vector<std::unique_ptr<Row>> replaced_;  // what its differences may still name
};

}  // namespace stream
