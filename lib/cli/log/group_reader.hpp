// SPDX-License-Identifier: Apache-2.0
// A reader as a member of a group: which partitions are its own, and from where they are read.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/error.hpp"
#include "cli/log/arguments.hpp"
#include "cli/tool.hpp"
#include "log/groups.hpp"
#include "log/reader.hpp"

namespace stream {

class GroupReader {
public:
    static constexpr int settle_ms = 200;

    // `reader` outlives it; its partitions and positions are set from here on.
    static Result<std::unique_ptr<GroupReader>> join(Tool& tool, const LogArguments& arguments, log::LogReader& reader);

    // Looks at who lives, and sets the reader accordingly.
    Result<void> settle();
    // The same where it is time for it; whether anything changed.
    Result<bool> settle_if_due();
    // While a run of the reader is being written: what others are to have is let go; the reader is set by the
    // next settle_if_due().
    Result<void> settle_while_writing();
    int wait_ms() const;

    const std::vector<std::uint32_t>& held() const { return held_; }
    // Whether others hold what will be ours soon.
    bool may_gain() const;

private:
    GroupReader(log::LogReader& reader, log::Group group, log::Membership members)
        : reader_(reader), group_(std::move(group)), members_(std::move(members)) {}
    Result<void> look();
    Result<void> set_reader();
    void begin_at_position(std::uint32_t partition);

    log::LogReader& reader_;
    log::Group group_;
    log::Membership members_;
    std::vector<std::uint32_t> held_;    // what the reader reads
    std::vector<std::uint32_t> gained_;  // to be begun at the group's position
    std::uint64_t generation_ = 0;
    bool changed_ = false;
    std::int64_t settled_ns_ = 0;
    std::int64_t gained_ns_ = 0;
};

}  // namespace stream
