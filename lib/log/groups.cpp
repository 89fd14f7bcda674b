// SPDX-License-Identifier: Apache-2.0
#include "log/groups.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "json/canonical.hpp"
#include "log/positions.hpp"

namespace stream::log {

namespace {

constexpr std::string_view run_prefix = "run:";
constexpr std::size_t name_max = 200;
constexpr std::size_t batch_id_max = 200;

bool is_plain(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

}  // namespace

Result<void> check_group_name(std::string_view name) {
    std::string_view plain = name;
    if (plain.starts_with(run_prefix)) plain.remove_prefix(run_prefix.size());
    const auto wrong = [&](std::string_view why, std::string hint = {}) {
        return fail(ErrorKind::usage, fmt::format("{} is no name of a group: {}", stream::quoted(name), why), std::move(hint));
    };
    if (plain.empty()) return wrong("it is empty");
    if (plain.size() > name_max) return wrong("it has more than 200 characters");
    if (plain.front() == '.' || plain.front() == '-') return wrong("it begins with a dot or a dash");
    if (!std::all_of(plain.begin(), plain.end(), is_plain)) return wrong("letters, digits, '.', '_' and '-' are allowed");
    if (plain.ends_with(".lock") || plain.ends_with(".members") || plain.ends_with(".consume")) return wrong("the names of locks end so");
    return {};
}

struct Group::Impl {
    Impl(FileSystem& files, const std::string& folder, const std::string& group, const Hash128& log_id, std::uint32_t partitions)
        : name(group), file(files, folder, group, log_id, partitions) {}

    tl::unexpected<Error> overtaken(std::string_view what) const {
        return fail(ErrorKind::locked, fmt::format("group {} {}", stream::quoted(name), what));
    }
    Result<void> check_positions(const std::vector<std::pair<std::uint32_t, std::uint64_t>>& positions) const {
        for (const auto& [partition, position] : positions) {
            if (partition < file.state().positions.size() && position < position_end) continue;
            return fail(ErrorKind::usage,
                        fmt::format("group {}: partition {} has no position {}", stream::quoted(name), partition, position));
        }
        return {};
    }
    Result<void> check_batch(const OpenBatch& batch) const;

    std::string name;
    PositionsFile file;
};

Result<void> Group::Impl::check_batch(const OpenBatch& batch) const {
    const std::size_t partitions = file.state().positions.size();
    bool right = !batch.id.empty() && batch.id.size() <= batch_id_max && is_utf8(batch.id) && batch.from.size() == partitions &&
                 batch.to.size() == partitions;
    for (std::size_t p = 0; right && p < partitions; ++p) right = batch.from[p] <= batch.to[p] && batch.to[p] < position_end;
    if (right) return {};
    return fail(ErrorKind::usage, fmt::format("group {}: {} cannot be a batch", stream::quoted(name), stream::quoted(batch.id)));
}

Group::Group(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Group::Group(Group&&) noexcept = default;
Group& Group::operator=(Group&&) noexcept = default;
Group::~Group() = default;

Result<Group> Group::open(FileSystem& files, const std::string& folder, const std::string& name, const Hash128& log_id,
                          std::uint32_t partitions) {
    STREAM_TRY(check_group_name(name));
    Group group(std::make_unique<Impl>(files, folder, name, log_id, partitions));
    STREAM_TRY(group.refresh());
    return group;
}

const GroupState& Group::state() const { return impl_->file.state(); }
bool Group::exists() const { return impl_->file.exists(); }
Result<void> Group::refresh() { return impl_->file.refresh(); }

Result<void> Group::commit(const std::vector<std::pair<std::uint32_t, std::uint64_t>>& positions, std::uint64_t generation) {
    STREAM_TRY(impl_->check_positions(positions));
    if (positions.empty()) return {};
    auto lock = impl_->file.begin();
    if (!lock) return pass_on(lock);
    GroupState next = state();
    if (generation != next.generation) return impl_->overtaken("was sought elsewhere");
    std::vector<std::optional<std::uint64_t>> raised(next.positions.size());
    bool any = false;
    for (const auto& [partition, position] : positions) {
        auto& here = next.positions[partition];
        if (here && *here >= position) continue;
        raised[partition] = here = position;
        any = true;
    }
    if (!any) return impl_->file.confirm();
    return impl_->file.append(fmt::format(R"({{"entry":"commit",{},"generation":{}}})", encode_positions(raised), generation),
                              std::move(next));
}

Result<void> Group::seek(const std::vector<std::pair<std::uint32_t, std::uint64_t>>& positions) {
    STREAM_TRY(impl_->check_positions(positions));
    auto lock = impl_->file.begin();
    if (!lock) return pass_on(lock);
    GroupState next = state();
    next.generation += 1;
    next.batch.reset();
    std::vector<std::optional<std::uint64_t>> sought(next.positions.size());
    for (const auto& [partition, position] : positions) sought[partition] = next.positions[partition] = position;
    return impl_->file.append(fmt::format(R"({{"entry":"seek",{},"generation":{}}})", encode_positions(sought), next.generation),
                              std::move(next));
}

Result<void> Group::begin_batch(const OpenBatch& batch) {
    STREAM_TRY(impl_->check_batch(batch));
    const std::uint64_t generation = state().generation;
    auto lock = impl_->file.begin();
    if (!lock) return pass_on(lock);
    GroupState next = state();
    if (generation != next.generation) return impl_->overtaken("was sought elsewhere");
    if (next.batch) return impl_->overtaken(fmt::format("has the open batch {} already", stream::quoted(next.batch->id)));
    for (std::size_t p = 0; p < next.positions.size(); ++p) {
        if (next.positions[p] && *next.positions[p] > batch.from[p]) return impl_->overtaken("was moved on elsewhere");
    }
    next.batch = batch;
    std::string entry = R"({"entry":"batch","id":)";
    append_quoted(entry, batch.id);
    return impl_->file.append(entry + "," + encode_extent(batch) + "}", std::move(next));
}

Result<void> Group::finish_batch() {
    if (!state().batch) return fail(ErrorKind::usage, fmt::format("group {} has no open batch", stream::quoted(impl_->name)));
    const std::string id = state().batch->id;
    auto lock = impl_->file.begin();
    if (!lock) return pass_on(lock);
    GroupState next = state();
    if (!next.batch || next.batch->id != id) return impl_->overtaken(fmt::format("has no open batch {} any more", stream::quoted(id)));
    finish_batch_of(next);
    std::string entry = R"({"entry":"done","id":)";
    append_quoted(entry, id);
    return impl_->file.append(entry + "}", std::move(next));
}

Result<std::vector<std::string>> list_groups(FileSystem& files, const std::string& folder) {
    auto names = files.list(folder + "/groups");
    if (!names) return pass_on(names);
    std::vector<std::string> groups = std::move(*names).value_or(std::vector<std::string>());
    std::erase_if(groups, [](const std::string& name) { return !check_group_name(name).has_value(); });
    return groups;
}

}  // namespace stream::log
