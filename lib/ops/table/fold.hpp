// SPDX-License-Identifier: Apache-2.0
// stream-table's fold; ops/table.hpp says what it does.
#pragma once

#include <memory>

#include "ops/changes.hpp"
#include "ops/table.hpp"
#include "ops/table/rows.hpp"

namespace stream {

class TableFold final : public Operator {
public:
    TableFold(FoldOptions options, std::unique_ptr<ChangeReader> reader);

    Result<void> on_event(int input, const Event& event, Sink& sink) override;
    Result<void> on_watermark(TimeNs watermark, Sink& sink) override;
    Result<void> on_end(Sink& sink) override;
    void snapshot(StateWriter& writer) const override;
    Result<void> restore(StateReader& reader) override;
    std::string closing_remark() const override;
    void append_stats(std::string& out) const override;

private:
    Result<void> apply(const Change& change, TimeNs time);
    void put(std::string_view key, std::string_view row, TimeNs time);
    void remove(std::string_view key, TimeNs time);
    void truncate(TimeNs time);
    bool is_newer(std::string_view key, TimeNs time) const;
    Result<void> check_memory() const;
    // What the multiples of `every` before `time` show.
    Result<void> show_until(TimeNs time, Sink& sink);
    void show(TimeNs instant, Sink& sink);

    FoldOptions options_;
    std::unique_ptr<ChangeReader> reader_;
    TableRows rows_;
    TimeNs truncated_ = time_before_all;  // as_of: rows that old, or older, are gone
    TimeNs next_ = time_before_all;       // every: the next instant; none before the first change
    bool shown_ = true;                   // since the last change
    std::uint64_t changes_ = 0;
    std::uint64_t other_ = 0;             // heartbeats, transactions' marks
    std::uint64_t left_out_ = 0;          // later than as_of
};

}  // namespace stream
