// SPDX-License-Identifier: Apache-2.0
#include "ops/log_commit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "json/number.hpp"

namespace stream {

namespace {
constexpr std::int64_t commit_every_ns = ns_per_second;
constexpr std::uint64_t look_every = 256;  // events between two looks at the clock
constexpr const char* envelope_hint = "stream-log read DIR --group G --envelope writes them";

FieldPath member(const char* name) { return {name, {{name, -1}}, false}; }
}  // namespace

LogCommit::LogCommit(log::Group group, std::size_t partitions, std::function<Result<std::uint64_t>(std::uint32_t)> end_of,
                     std::int64_t (*clock)(), FieldSet& fields)
    : group_(std::move(group)),
      generation_(group_.state().generation),
      end_of_(std::move(end_of)),
      clock_(clock),
      partition_slot_(fields.add(member("partition"))),
      offset_slot_(fields.add(member("offset"))),
      next_(partitions),
      committed_(partitions),
      ends_(partitions),
      committed_ns_(clock()) {}

Result<std::uint64_t> LogCommit::number(const Value& value, const char* name) const {
    if (value.is_nothing()) return fail(ErrorKind::data, fmt::format("not an enveloped event: no {}", quoted(name)), envelope_hint);
    const auto parsed = value.type == Type::number ? parse_int64(value.text) : std::nullopt;
    if (!parsed || *parsed < 0) {
        return fail(ErrorKind::data, fmt::format("not an enveloped event: {} is {}", quoted(name), printable(value.text, 40)), envelope_hint);
    }
    return static_cast<std::uint64_t>(*parsed);
}

Result<void> LogCommit::on_event(int, const Event& event, Sink&) {
    auto partition = number(event.values[partition_slot_], "partition");
    if (!partition) return pass_on(partition);
    auto offset = number(event.values[offset_slot_], "offset");
    if (!offset) return pass_on(offset);
    const auto p = static_cast<std::size_t>(*partition);
    if (p >= next_.size()) return fail(ErrorKind::data, fmt::format("not of this log: it has no partition {}", p));
    if (*offset >= ends_[p]) {
        auto end = end_of_(static_cast<std::uint32_t>(p));
        if (!end) return pass_on(end);
        ends_[p] = *end;
        if (*offset >= ends_[p]) return fail(ErrorKind::data, fmt::format("not of this log: partition {} ends at offset {}, before {}", p, ends_[p], *offset));
    }
    if (*offset >= next_[p]) {
        next_[p] = *offset + 1;
        dirty_ = true;
    }
    if (++since_look_ < look_every) return {};
    since_look_ = 0;
    return clock_() - committed_ns_ >= commit_every_ns ? commit() : Result<void>{};
}

Result<void> LogCommit::commit() {
    committed_ns_ = clock_();
    if (!dirty_ || failed_) return {};
    std::vector<std::pair<std::uint32_t, std::uint64_t>> positions;
    for (std::size_t p = 0; p < next_.size(); ++p) {
        if (next_[p] > committed_[p]) positions.emplace_back(static_cast<std::uint32_t>(p), next_[p]);
    }
    auto done = group_.commit(positions, generation_);
    if (!done) {
        failed_ = true;
        return done;
    }
    committed_ = next_;
    dirty_ = false;
    ++commits_;
    return {};
}

void LogCommit::append_stats(std::string& out) const { out += fmt::format(R"(,"commits":{})", commits_); }

}  // namespace stream
