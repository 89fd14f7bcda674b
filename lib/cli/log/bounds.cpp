// SPDX-License-Identifier: Apache-2.0
#include "cli/log/bounds.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "json/fields.hpp"

namespace stream {

namespace {

// The index holds the times events had when they were appended: by another field the place would be wrong,
// and nobody would see it. (--merge --time orders by that field, between such bounds.)
Result<void> check_time_field(const std::string& time, const log::LogConfig& config) {
    if (time.empty()) return {};
    auto field = parse_plain_field(time);
    if (!field) return tl::unexpected<Error>(std::move(field.error()).at("--time"));
    if (field->text == config.time) return {};
    return fail(ErrorKind::usage, "--time " + printable(time) + ": a time in --from and --to is one that events had when they were appended",
                "leave --time out, or choose by ." + printable(field->text) + " with stream-filter");
}

}  // namespace

Result<ReadBounds> ReadBounds::make(const LogArguments& arguments, const std::string& time, const log::LogConfig& config) {
    ReadBounds bounds;
    bounds.stops_.resize(config.partitions);
    bounds.looked_in_.resize(config.partitions);
    if (!arguments.from.empty()) {
        auto from = parse_log_position("--from", arguments.from);
        if (!from) return pass_on(from);
        bounds.from_ = *from;
    }
    if (!arguments.to.empty()) {
        auto to = parse_log_position("--to", arguments.to);
        if (!to) return pass_on(to);
        bounds.to_ = *to;
    }
    const bool by_time = bounds.from_.kind == Position::Kind::time || (bounds.to_ && bounds.to_->kind == Position::Kind::time);
    if (by_time && !arguments.merge) STREAM_TRY(check_time_field(time, config));
    auto made = RecordTime::make(config.time);
    if (!made) return pass_on(made);
    bounds.time_ = std::move(*made);
    return bounds;
}

Result<std::uint64_t> ReadBounds::from(log::LogReader& reader, std::uint32_t partition) {
    return offset_of(reader, partition, from_, time_.get());
}

Result<void> ReadBounds::apply_to(log::LogReader& reader, const std::vector<std::uint32_t>& partitions, bool grows) {
    if (!to_) return {};
    for (const std::uint32_t partition : partitions) {
        if (stops_[partition]) {
            reader.stop_at(partition, *stops_[partition]);
            continue;
        }
        const bool by_time = to_->kind == Position::Kind::time;
        const log::PartitionHead& end = reader.ends().partitions[partition];
        if (by_time && grows && end.max_time < to_->time && looked_in_[partition] == end.segment && end.segment != 0) continue;
        looked_in_[partition] = end.segment;
        auto stop = offset_of(reader, partition, *to_, time_.get());
        if (!stop) return pass_on(stop);
        if (by_time && grows && *stop >= reader.end_offset(partition)) continue;
        stops_[partition] = *stop;
        reader.stop_at(partition, *stop);
    }
    return {};
}

bool ReadBounds::is_done(const log::LogReader& reader, const std::vector<std::uint32_t>& partitions) const {
    if (!to_ || partitions.empty()) return false;
    return std::all_of(partitions.begin(), partitions.end(),
                       [&](std::uint32_t p) { return stops_[p] && reader.position(p) >= *stops_[p]; });
}

}  // namespace stream
