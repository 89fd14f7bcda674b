// SPDX-License-Identifier: Apache-2.0
#include "cli/log/groups.hpp"

#include <algorithm>
#include <ctime>
#include <optional>

#include "base/text.hpp"
#include "cli/exit_status.hpp"
#include "cli/log/place.hpp"
#include "cli/log/segment_scan.hpp"
#include "io/output.hpp"
#include "json/canonical.hpp"
#include "json/number.hpp"
#include "log/groups.hpp"
#include "ops/log_commit.hpp"

namespace stream {

namespace {

std::int64_t monotonic_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * ns_per_second + now.tv_nsec;
}

struct Lag {
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;
    TimeNs at = time_before_all;      // event time of the first record that waits
    TimeNs newest = time_before_all;  // the greatest of those that wait
};

// What is behind a position: the frame it lies in is opened, of the others the headers tell.
Result<Lag> lag_behind(const std::string& folder, log::LogReader& reader, std::uint32_t partition, std::uint64_t position, RecordTime& time) {
    Lag lag;
    reader.set_partitions({partition});
    reader.seek(partition, std::max(position, reader.first_offset(partition)));
    log::Run run;
    auto next = reader.next(run);
    if (!next) return pass_on(next);
    if (*next != log::LogReader::Next::records) return lag;
    const std::string_view first = run.lines.substr(0, run.lines.find('\n'));
    lag.at = time.of(first);
    lag.newest = std::max(lag.at, run.batch->header.max_time);
    // The rest of the frame, which other partitions' records do not cut here.
    lag.records = run.records;
    lag.bytes = run.lines.size();
    STREAM_TRY(scan_frames(folder, reader.manifest(), reader.ends(), partition, run.batch->end_offset(), [&](const log::FrameHeader& header) {
        lag.records += header.records;
        lag.bytes += bytes_of_records(header);
        lag.newest = std::max(lag.newest, header.max_time);
    }));
    return lag;
}

void append_member(std::string& out, std::string_view name, std::uint64_t value) {
    out += ",\"";
    out += name;
    out += "\":";
    append_uint64(out, value);
}

Result<std::string> group_lines(const std::string& folder, const std::string& name, log::LogReader& reader, RecordTime& time) {
    const log::Manifest& manifest = reader.manifest();
    const std::uint32_t partitions = manifest.config().partitions;
    auto group = log::Group::open(real_file_system(), folder, name, manifest.log_id(), partitions);
    if (!group) return pass_on(group);
    auto members = log::count_members(folder, name);
    if (!members) return pass_on(members);
    std::string out;
    for (std::uint32_t p = 0; p < partitions; ++p) {
        const auto& position = group->state().positions[p];
        const std::uint64_t from = position.value_or(reader.first_offset(p));
        auto lag = lag_behind(folder, reader, p, from, time);
        if (!lag) return pass_on(lag);
        out += "{\"group\":";
        append_quoted(out, name);
        append_member(out, "partition", p);
        out += ",\"position\":";
        if (position) append_uint64(out, *position);
        else out += "null";
        append_member(out, "end", reader.end_offset(p));
        append_member(out, "lag", lag->records);
        append_member(out, "lag_bytes", lag->bytes);
        out += ",\"lag_seconds\":";
        if (lag->records == 0) out += '0';
        else if (lag->at == time_before_all || lag->newest == time_before_all) out += "null";
        else append_double(out, static_cast<double>(time_sub(lag->newest, lag->at)) / 1e9);
        append_member(out, "members", *members);
        out += ",\"batch\":";
        if (group->state().batch) append_quoted(out, group->state().batch->id);
        else out += "null";
        out += "}\n";
    }
    return out;
}

}  // namespace

Result<int> tell_groups(Tool& tool, const LogArguments& arguments) {
    auto reader = open_log_reader(arguments.folder(), {});
    if (!reader) return pass_on(reader);
    auto time = RecordTime::make(time_field_of(tool.plan().time_field, reader->manifest().config()));
    if (!time) return pass_on(time);
    auto names = log::list_groups(real_file_system(), arguments.folder());
    if (!names) return pass_on(names);
    Output out(1, "stdout");
    for (const std::string& name : *names) {
        auto lines = group_lines(arguments.folder(), name, *reader, **time);
        if (!lines) return pass_on(lines);
        STREAM_TRY(out.append(*lines));
    }
    STREAM_TRY(out.close());
    return static_cast<int>(exit_done);
}

Result<int> seek_group(Tool&, const LogArguments& arguments) {
    STREAM_TRY(refuse_in_run("seek --group"));
    auto position = parse_log_position("", arguments.words[2]);
    if (!position) return pass_on(position);
    auto reader = open_log_reader(arguments.folder(), {});
    if (!reader) return pass_on(reader);
    const log::Manifest& manifest = reader->manifest();
    const std::uint32_t count = manifest.config().partitions;
    auto partitions = parse_partitions(arguments.partitions.value_or("0-" + std::to_string(count - 1)), count);
    if (!partitions) return pass_on(partitions);
    auto time = RecordTime::make(manifest.config().time);
    if (!time) return pass_on(time);
    std::vector<std::pair<std::uint32_t, std::uint64_t>> positions;
    for (const std::uint32_t p : *partitions) {
        auto offset = offset_of(*reader, p, *position, time->get());
        if (!offset) return pass_on(offset);
        if (*offset > reader->end_offset(p) || *offset < reader->first_offset(p)) {
            const bool past = *offset > reader->end_offset(p);
            return fail(ErrorKind::usage,
                        "offset " + std::to_string(*offset) + (past ? " is past the end of partition " : " is gone from partition ") + std::to_string(p) +
                            ", which has " + std::to_string(reader->first_offset(p)) + " to " + std::to_string(reader->end_offset(p)),
                        past ? "end is where it ends" : "start is the oldest there is");
        }
        positions.emplace_back(p, *offset);
    }
    auto group = log::Group::open(real_file_system(), arguments.folder(), arguments.group, manifest.log_id(), count);
    if (!group) return pass_on(group);
    STREAM_TRY(group->seek(positions));
    return static_cast<int>(exit_done);
}

Result<std::unique_ptr<Operator>> commit_group(Tool& tool, const LogArguments& arguments) {
    STREAM_TRY(refuse_in_run("commit"));
    auto opened = open_log_reader(arguments.folder(), {});
    if (!opened) return pass_on(opened);
    auto reader = std::make_shared<log::LogReader>(std::move(*opened));
    const log::Manifest& manifest = reader->manifest();
    auto group = log::Group::open(real_file_system(), arguments.folder(), arguments.group, manifest.log_id(), manifest.config().partitions);
    if (!group) return pass_on(group);
    const auto end_of = [reader](std::uint32_t partition) -> Result<std::uint64_t> {
        auto more = reader->refresh();
        if (!more) return pass_on(more);
        return reader->end_offset(partition);
    };
    auto op = std::make_unique<LogCommit>(std::move(*group), manifest.config().partitions, end_of, monotonic_ns, tool.fields());
    tool.plan().operator_fields = tool.fields().size();
    tool.plan().silent = true;
    return op;
}

}  // namespace stream
