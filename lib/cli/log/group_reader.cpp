// SPDX-License-Identifier: Apache-2.0
#include "cli/log/group_reader.hpp"

#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "cli/log/place.hpp"

namespace stream {

namespace {

constexpr std::int64_t patience_ns = 2 * ns_per_second;  // for members who should let go

std::int64_t clock_now() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * ns_per_second + now.tv_nsec;
}

}  // namespace

Result<std::unique_ptr<GroupReader>> GroupReader::join(Tool& tool, const LogArguments& arguments, log::LogReader& reader) {
    const log::Manifest& manifest = reader.manifest();
    auto group = log::Group::open(real_file_system(), arguments.folder(), arguments.group, manifest.log_id(), manifest.config().partitions);
    if (!group) return pass_on(group);
    auto members = log::Membership::join(arguments.folder(), arguments.group, manifest.config().partitions);
    if (!members) return pass_on(members);
    if (::isatty(1) == 1) {
        tool.diagnostics().say("positions are committed by stream-log commit, the last stage of a pipe, not by having been printed");
    }
    std::unique_ptr<GroupReader> made(new GroupReader(reader, std::move(*group), std::move(*members)));
    made->generation_ = made->group_.state().generation;
    made->gained_ns_ = clock_now();
    return made;
}

void GroupReader::begin_at_position(std::uint32_t partition) {
    const auto& position = group_.state().positions[partition];
    reader_.seek(partition, position ? *position : reader_.first_offset(partition));
}

// What is lost is let go at once: what is being written of it may come twice, as anything uncommitted may.
Result<void> GroupReader::look() {
    settled_ns_ = clock_now();
    auto change = members_.settle();
    if (!change) return pass_on(change);
    STREAM_TRY(group_.refresh());
    if (group_.state().generation != generation_) {  // sought by somebody: all of it anew
        generation_ = group_.state().generation;
        gained_ = members_.held();
        changed_ = true;
    }
    if (!change->lost.empty()) {
        members_.release(change->lost);
        for (const std::uint32_t p : change->lost) std::erase(gained_, p);
        changed_ = true;
    }
    if (!change->gained.empty()) {
        gained_.insert(gained_.end(), change->gained.begin(), change->gained.end());
        gained_ns_ = settled_ns_;
        changed_ = true;
    }
    return {};
}

Result<void> GroupReader::set_reader() {
    changed_ = false;
    held_ = members_.held();
    reader_.set_partitions(held_);
    for (const std::uint32_t p : gained_) begin_at_position(p);
    gained_.clear();
    return {};
}

Result<void> GroupReader::settle() {
    STREAM_TRY(look());
    return set_reader();
}

Result<bool> GroupReader::settle_if_due() {
    if (wait_ms() == 0) STREAM_TRY(look());
    if (!changed_) return false;
    STREAM_TRY(set_reader());
    return true;
}

Result<void> GroupReader::settle_while_writing() { return wait_ms() == 0 ? look() : Result<void>{}; }

int GroupReader::wait_ms() const {
    const std::int64_t left = settled_ns_ + settle_ms * ns_per_ms - clock_now();
    return left <= 0 ? 0 : static_cast<int>(left / ns_per_ms + 1);
}

bool GroupReader::may_gain() const {
    const std::size_t fair = reader_.manifest().config().partitions / std::max<std::size_t>(1, members_.members());
    return members_.held().size() < fair && clock_now() - gained_ns_ < patience_ns;
}

}  // namespace stream
