// SPDX-License-Identifier: Apache-2.0
// stream-table diff; ops/table.hpp says what it does.
#pragma once

#include <array>
#include <memory>

#include "ops/changes.hpp"
#include "ops/table.hpp"
#include "ops/table/rows.hpp"

namespace stream {

class TableDiff final : public Operator {
public:
    TableDiff(DiffOptions options, std::array<std::unique_ptr<ChangeReader>, 2> readers);

    Result<void> on_event(int input, const Event& event, Sink& sink) override;
    Result<void> on_end(Sink& sink) override;
    void snapshot(StateWriter& writer) const override;
    Result<void> restore(StateReader& reader) override;
    std::string closing_remark() const override;
    void append_stats(std::string& out) const override;

private:
    void write(std::string_view before, std::string_view after, Sink& sink);

    DiffOptions options_;
    std::array<std::unique_ptr<ChangeReader>, 2> readers_;  // each input has its own forms of the fields
    std::array<TableRows, 2> tables_;
    TimeNs newest_ = time_before_all;
    std::array<std::uint64_t, 3> written_{};  // inserts, updates, deletes
    std::uint64_t same_ = 0;
};

}  // namespace stream
