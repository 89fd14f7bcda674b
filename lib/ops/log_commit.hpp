// SPDX-License-Identifier: Apache-2.0
// stream-log commit: moves a group's positions past the enveloped events that come.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "json/fields.hpp"
#include "log/groups.hpp"
#include "ops/operator.hpp"

namespace stream {

class LogCommit final : public Operator {
public:
    // `end_of`: where a partition ends now. `clock`: nanoseconds, monotonic. Registers `partition` and `offset`.
    LogCommit(log::Group group, std::size_t partitions, std::function<Result<std::uint64_t>(std::uint32_t)> end_of,
              std::int64_t (*clock)(), FieldSet& fields);

    Result<void> on_event(int input, const Event& event, Sink& sink) override;
    Result<void> on_caught_up(Sink&) override { return commit(); }
    Result<void> on_end(Sink&) override { return commit(); }
    Result<void> on_stop(Sink&) override { return commit(); }
    void append_stats(std::string& out) const override;

private:
    Result<std::uint64_t> number(const Value& value, const char* name) const;
    Result<void> commit();

    log::Group group_;
    std::uint64_t generation_;
    std::function<Result<std::uint64_t>(std::uint32_t)> end_of_;
    std::int64_t (*clock_)();
    std::size_t partition_slot_;
    std::size_t offset_slot_;
    std::vector<std::uint64_t> next_;       // behind the greatest offset seen
    std::vector<std::uint64_t> committed_;
    std::vector<std::uint64_t> ends_;       // as last asked
    bool dirty_ = false;
    bool failed_ = false;
    std::int64_t committed_ns_ = 0;
    std::uint64_t since_look_ = 0;
    std::uint64_t commits_ = 0;
};

}  // namespace stream
