// SPDX-License-Identifier: Apache-2.0
#include "cli/log/info.hpp"

#include <algorithm>
#include <string>

#include "cli/exit_status.hpp"
#include "cli/log/place.hpp"
#include "cli/log/segment_scan.hpp"
#include "io/output.hpp"
#include "json/canonical.hpp"
#include "json/number.hpp"
#include "log/segment.hpp"

namespace stream {

namespace {

struct Contents {
    std::uint64_t records = 0;
    std::uint64_t raw_bytes = 0;
    TimeNs oldest = time_before_all;  // event time of the first record
    TimeNs newest = time_before_all;  // the greatest event time
    TimeNs first_append = time_before_all;
    TimeNs last_append = time_before_all;
};

void member(std::string& out, std::string_view name, std::uint64_t value) {
    out += ",\"";
    out += name;
    out += "\":";
    append_uint64(out, value);
}

void time_member(std::string& out, std::string_view name, TimeNs time) {
    out += ",\"";
    out += name;
    out += "\":";
    if (time == time_before_all) {
        out += "null";
        return;
    }
    out += '"';
    append_rfc3339(out, time);
    out += '"';
}

void text_member(std::string& out, std::string_view name, const std::string& text) {
    out += ",\"";
    out += name;
    out += "\":";
    if (text.empty()) out += "null";
    else append_quoted(out, text);
}

Result<Contents> contents_of(const std::string& folder, log::LogReader& reader, std::uint32_t partition, RecordTime& time) {
    Contents contents;
    STREAM_TRY(scan_frames(folder, reader.manifest(), reader.ends(), partition, 0, [&](const log::FrameHeader& header) {
        contents.records += header.records;
        contents.raw_bytes += bytes_of_records(header);
        contents.newest = std::max(contents.newest, header.max_time);
        if (contents.first_append == time_before_all) contents.first_append = header.append_time;
        contents.last_append = header.append_time;
    }));
    reader.set_partitions({partition});
    reader.seek(partition, reader.first_offset(partition));
    log::Run run;
    auto next = reader.next(run);
    if (!next) return pass_on(next);
    if (*next == log::LogReader::Next::records) contents.oldest = time.of(run.lines.substr(0, run.lines.find('\n')));
    return contents;
}

void append_segments(std::string& out, const log::LogReader& reader, std::uint32_t partition, std::uint64_t& bytes) {
    out += ",\"segments\":[";
    const auto& segments = reader.manifest().segments(partition);
    const log::PartitionHead& end = reader.ends().partitions[partition];
    for (const log::SegmentEntry& segment : segments) {
        if (&segment != &segments.front()) out += ',';
        out += "{\"base\":";
        append_uint64(out, segment.base);
        const std::uint64_t length = segment.sealed ? segment.bytes : end.length;
        member(out, "next", segment.sealed ? segment.end : end.offset);
        member(out, "bytes", length);
        out += segment.sealed ? ",\"sealed\":true" : ",\"sealed\":false";
        out += segment.archive.empty() ? ",\"archived\":false" : ",\"archived\":true";
        time_member(out, "newest", segment.sealed ? segment.max_time : end.max_time);
        text_member(out, "file", log::segment_path("", partition, segment).substr(segment.archive.empty() ? 1 : 0));
        out += '}';
        bytes += length;
    }
    out += ']';
}

void append_config(std::string& out, const log::LogConfig& config) {
    out += ",\"log\":{\"partitions\":";
    append_uint64(out, config.partitions);
    text_member(out, "by", config.by);
    text_member(out, "time", config.time);
    text_member(out, "codec", config.compressed ? "zstd:" + std::to_string(config.level) : "none");
    member(out, "segment", config.segment_bytes);
    text_member(out, "retain", config.retain_ns > 0 ? format_duration(config.retain_ns) : "");
    if (config.max_bytes > 0) member(out, "max_bytes", config.max_bytes);
    else out += ",\"max_bytes\":null";
    out += config.compact ? ",\"compact\":true" : ",\"compact\":false";
    text_member(out, "deleted", config.deleted);
    out += config.single_writer ? ",\"single_writer\":true}" : ",\"single_writer\":false}";
}

}  // namespace

Result<int> tell_info(Tool& tool, const LogArguments& arguments) {
    auto reader = open_log_reader(arguments.folder(), {});
    if (!reader) return pass_on(reader);
    const log::LogConfig& config = reader->manifest().config();
    auto time = RecordTime::make(time_field_of(tool.plan().time_field, config));
    if (!time) return pass_on(time);
    Output out(1, "stdout");
    for (std::uint32_t p = 0; p < config.partitions; ++p) {
        auto contents = contents_of(arguments.folder(), *reader, p, **time);
        if (!contents) return pass_on(contents);
        std::string segments;
        std::uint64_t bytes = 0;
        append_segments(segments, *reader, p, bytes);
        std::string line = "{\"partition\":";
        append_uint64(line, p);
        member(line, "first", reader->first_offset(p));
        member(line, "next", reader->end_offset(p));
        member(line, "records", contents->records);
        member(line, "bytes", bytes);
        member(line, "raw_bytes", contents->raw_bytes);
        time_member(line, "oldest", contents->oldest);
        time_member(line, "newest", contents->newest);
        time_member(line, "first_append", contents->first_append);
        time_member(line, "last_append", contents->last_append);
        line += segments;
        append_config(line, config);
        STREAM_TRY(out.append(line + "}\n"));
    }
    STREAM_TRY(out.close());
    return static_cast<int>(exit_done);
}

}  // namespace stream
