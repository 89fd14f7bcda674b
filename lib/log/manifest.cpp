// SPDX-License-Identifier: Apache-2.0
#include "log/manifest.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.hpp"
#include "base/text.hpp"
#include "json/canonical.hpp"
#include "json/number.hpp"
#include "log/json_entry.hpp"

namespace stream::log {

namespace {

constexpr std::uint64_t manifest_max = 256u << 20;
constexpr std::uint32_t partitions_max = 4096;

std::string encode(const LogConfig& config) {
    std::string by = "null";
    std::string time = "null";
    std::string deleted = "null";
    if (!config.by.empty()) append_quoted(by = "", config.by);
    if (!config.time.empty()) append_quoted(time = "", config.time);
    if (!config.deleted.empty()) append_quoted(deleted = "", config.deleted);
    return fmt::format(R"({{"entry":"create","partitions":{},"by":{},"codec":"{}","segment":{},"retain_ns":{},"max_bytes":{},)"
                       R"("single_writer":{},"compact":{},"deleted":{},"time":{}}})",
                       config.partitions, by, config.compressed ? fmt::format("zstd:{}", config.level) : "none", config.segment_bytes,
                       config.retain_ns, config.max_bytes, config.single_writer, config.compact, deleted, time);
}

bool decode(const JsonEntry& entry, LogConfig& config) {
    const auto partitions = entry.number("partitions");
    const auto segment = entry.number("segment");
    const auto retain = entry.number("retain_ns");
    const auto max_bytes = entry.number("max_bytes");
    if (!partitions || *partitions == 0 || *partitions > partitions_max || !segment || !retain || !max_bytes) return false;
    config.partitions = static_cast<std::uint32_t>(*partitions);
    config.by = entry.text("by");
    config.time = entry.text("time");
    const std::string codec = entry.text("codec");
    config.compressed = codec.starts_with("zstd:");
    if (!config.compressed && codec != "none") return false;
    if (config.compressed) {
        const auto level = parse_int64(std::string_view(codec).substr(5));
        if (!level || *level < 1 || *level > 22) return false;
        config.level = static_cast<int>(*level);
    }
    config.segment_bytes = *segment;
    config.retain_ns = static_cast<std::int64_t>(*retain);
    config.max_bytes = *max_bytes;
    config.single_writer = entry.flag("single_writer");
    config.compact = entry.flag("compact");
    config.deleted = entry.text("deleted");
    return true;
}

}  // namespace

std::string segment_name(std::uint32_t partition, const SegmentEntry& segment) {
    return fmt::format("{:05}-{:020}-{:016x}.seg", partition, segment.base, segment.id);
}

std::string segment_path(const std::string& folder, std::uint32_t partition, const SegmentEntry& segment) {
    return (segment.archive.empty() ? folder + "/segments" : segment.archive) + "/" + segment_name(partition, segment);
}

std::string index_path(const std::string& folder, std::uint32_t partition, const SegmentEntry& segment) {
    std::string path = segment_path(folder, partition, segment);
    path.replace(path.size() - 4, 4, ".idx");
    return path;
}

bool parse_segment_name(std::string_view name, std::uint32_t& partition, SegmentEntry& segment) {
    const auto number = [](std::string_view text, unsigned base) -> std::optional<std::uint64_t> {
        std::uint64_t value = 0;
        for (const char c : text) {
            const bool digit = c >= '0' && c <= '9';
            if (!digit && !(base == 16 && c >= 'a' && c <= 'f')) return std::nullopt;
            value = value * base + static_cast<std::uint64_t>(digit ? c - '0' : c - 'a' + 10);
        }
        return value;
    };
    if (name.size() != 47 || name[5] != '-' || name[26] != '-' || name.substr(43) != ".seg") return false;
    const auto p = number(name.substr(0, 5), 10);
    const auto base = number(name.substr(6, 20), 10);
    const auto id = number(name.substr(27, 16), 16);
    if (!p || !base || !id) return false;
    partition = static_cast<std::uint32_t>(*p);
    segment.base = *base;
    segment.id = *id;
    return true;
}

FileHeader Manifest::segment_header(std::uint32_t partition, const SegmentEntry& segment) const {
    return {FileKind::segment, segment.id, header_.log_id, partition, segment.base, segment.cuts};
}

std::uint64_t Manifest::published(std::string_view run, std::string_view sink) const {
    return std::max(runs_.table().epoch_of(run, sink), old_runs_.epoch_of(run, sink));
}

SegmentEntry* Manifest::find(std::uint32_t partition, std::uint64_t id) {
    for (SegmentEntry& segment : partitions_[partition]) {
        if (segment.id == id) return &segment;
    }
    return nullptr;
}

tl::unexpected<Error> Manifest::damaged(std::uint64_t at, std::string_view why) const {
    return fail(ErrorKind::corrupt, fmt::format("{}: {} (byte {})", path_, why, at));
}

Result<Manifest> Manifest::load(FileSystem& files, const std::string& folder) {
    Manifest manifest(files, folder);
    auto opened = files.open_if_there(manifest.path_, Open::write);
    if (!opened) opened = files.open_if_there(manifest.path_, Open::read);  // a log that may only be read
    if (!opened) return pass_on(opened);
    if (*opened == nullptr) return fail(ErrorKind::usage, folder + " is no log", "stream-log create " + folder + " makes one");
    manifest.file_ = std::move(*opened);
    std::string bytes(file_header_size, '\0');
    auto got = manifest.file_->read_at(bytes, 0);
    if (!got) return pass_on(got);
    bytes.resize(*got);
    if (const char* why = read_file_header(bytes, manifest.header_, manifest.chain_)) return manifest.damaged(0, why);
    if (manifest.header_.kind != FileKind::manifest) return manifest.damaged(0, "not a manifest");
    manifest.length_ = file_header_size;
    STREAM_TRY(manifest.read_on(false, 0));
    if (!manifest.has_config_) return manifest.damaged(file_header_size, "it does not say what the log is");
    STREAM_TRY(manifest.runs_.refresh(manifest.header_.log_id, false, 0));
    return manifest;
}

Result<Manifest> Manifest::create(FileSystem& files, const std::string& folder, const LogConfig& config) {
    Manifest manifest(files, folder);
    manifest.header_.kind = FileKind::manifest;
    manifest.header_.file_id = files.random();
    manifest.header_.log_id = {files.random(), files.random()};
    std::string bytes;
    append_file_header(bytes, manifest.header_);
    FileHeader again;
    STREAM_CHECK(read_file_header(bytes, again, manifest.chain_) == nullptr);
    FrameHeader frame;
    frame.type = FrameType::manifest;
    frame.file_id = manifest.header_.file_id;
    frame.epoch = manifest.epoch_;
    frame.chain = manifest.chain_;
    frame.records = 1;
    frame.append_time = files.now_ns();
    const std::string entry = encode(config) + "\n";
    frame.raw = static_cast<std::uint32_t>(entry.size());
    append_frame(bytes, frame, entry);
    // A manifest appears whole: beside its name first, so that half of one is never taken for a log.
    const std::string temporary = folder + fmt::format("/manifest.tmp-{:016x}", files.random());
    auto made = files.open(temporary, Open::create_new);
    if (!made) return pass_on(made);
    STREAM_TRY((*made)->write_at(bytes, 0));
    STREAM_TRY((*made)->sync());
    STREAM_TRY((*made)->close());
    STREAM_TRY(files.rename(temporary, manifest.path_));
    STREAM_TRY(files.sync_folder(folder));
    return load(files, folder);
}

Result<void> Manifest::refresh(bool lock_held, std::uint64_t proven, std::uint32_t proven_runs) {
    STREAM_TRY(read_on(lock_held, proven));
    if (length_ < proven) return damaged(length_, "shorter than it was");
    return runs_.refresh(header_.log_id, lock_held, proven_runs);
}

Result<void> Manifest::make_durable(std::uint64_t from) {
    STREAM_TRY(runs_.make_durable());
    if (from >= length_) return {};
    from = std::max<std::uint64_t>(from, file_header_size);
    std::string bytes(static_cast<std::size_t>(length_ - from), '\0');
    auto got = file_->read_at(bytes, from);
    if (!got) return pass_on(got);
    bytes.resize(*got);
    STREAM_TRY(file_->write_at(bytes, from));
    return file_->sync();
}

Result<void> Manifest::read_on(bool lock_held, std::uint64_t proven) {
    auto size = file_->size();
    if (!size) return pass_on(size);
    if (*size == length_) return {};
    if (*size < length_) return damaged(*size, "shorter than it was");
    if (*size > manifest_max) return damaged(0, "longer than 256 MiB");
    std::string bytes(static_cast<std::size_t>(*size - length_), '\0');
    auto got = file_->read_at(bytes, length_);
    if (!got) return pass_on(got);
    bytes.resize(*got);
    const std::uint64_t begin = length_;
    for (;;) {
        const std::string_view rest = std::string_view(bytes).substr(static_cast<std::size_t>(length_ - begin));
        FrameHeader header;
        const char* why = "cut short";
        const FrameState state = read_frame_header(rest, {header_.file_id, chain_, 0, entries_, FrameType::manifest}, header, why);
        if (state == FrameState::valid && payload_is_right(header, rest.substr(frame_header_size, header.stored)) && padding_is_zero(header, rest)) {
            STREAM_TRY(apply(rest.substr(frame_header_size, header.stored)));
            length_ += header.size();
            chain_ = header.next_chain();
            entries_ += header.records;
            continue;
        }
        if (rest.empty()) return {};
        if (proven > length_) return damaged(length_, why);
        if (is_proven_behind(rest, length_, header_.file_id)) return damaged(length_, why);
        auto counted = what_unnamed_files_say();
        if (counted && counted->empty()) counted = what_missing_files_say();
        if (!counted) return pass_on(counted);
        if (!counted->empty()) {  // it was no torn tail, or it is whole by now
            auto same = goes_on(rest);
            if (!same) return pass_on(same);
            if (!*same) return read_on(lock_held, proven);
            return damaged(length_, fmt::format("{}, and {}", why, *counted));
        }
        if (!lock_held) return {};  // somebody may be writing it
        STREAM_TRY(file_->truncate(length_));
        return file_->sync();
    }
}

Result<void> Manifest::apply(std::string_view payload) {
    JsonEntry entry;
    static_cast<void>(entry.parse(payload));  // what is none has no members, and makes no sense below
    const std::string kind = entry.text("entry");
    if (kind == "create") {
        if (has_config_ || !decode(entry, config_)) return damaged(length_, "it says twice, or wrongly, what the log is");
        has_config_ = true;
        partitions_.resize(config_.partitions);
        return {};
    }
    if (!has_config_) return damaged(length_, "it does not begin with what the log is");
    if (kind == "epoch") {
        const auto epoch = entry.number("epoch");
        if (!epoch || *epoch <= epoch_ || *epoch > UINT32_MAX) return damaged(length_, "an epoch out of order");
        epoch_ = static_cast<std::uint32_t>(*epoch);
        return {};
    }
    if (kind == "run") {  // as they were before there was a file of their own
        RunEntry run;
        if (!decode_run(entry, run) || run.sequence < old_runs_.sequence()) return damaged(length_, "a run's entry that makes no sense");
        old_runs_.keep(run);
        return {};
    }
    if (kind == "excise") {
        ++excisions_;
        return {};
    }
    const auto partition = entry.number("partition");
    const auto id = entry.id("id");
    if (!partition || *partition >= partitions_.size() || !id) return damaged(length_, "an entry that makes no sense");
    std::vector<SegmentEntry>& segments = partitions_[*partition];
    const auto p = static_cast<std::uint32_t>(*partition);
    if (kind == "segment") {
        const auto base = entry.number("base");
        const auto sequence = entry.number("sequence");
        if (!base || !sequence || find(p, *id) != nullptr) return damaged(length_, "a segment out of order");
        if (!segments.empty()) {
            SegmentEntry& sealed = segments.back();
            if (*base < sealed.base || !read_facts(entry, sealed)) return damaged(length_, "a segment out of order");
            sealed.sealed = true;
            sealed.end = *base;
        }
        SegmentEntry next;
        next.id = *id;
        next.base = *base;
        segments.push_back(next);
        durable_sequence_ = std::max(durable_sequence_, *sequence);
        return {};
    }
    SegmentEntry* segment = find(p, *id);
    if (kind == "cut") {
        const auto at = entry.number("at");
        const auto epoch = entry.number("epoch");
        if (segment == nullptr || !at || !epoch || *epoch > UINT32_MAX) return damaged(length_, "a cut that makes no sense");
        epoch_ = std::max(epoch_, static_cast<std::uint32_t>(*epoch));
        segment->cuts.push_back({*at, static_cast<std::uint32_t>(*epoch)});
        return {};
    }
    if (segment == nullptr || !segment->sealed) return damaged(length_, "an entry about a segment that is not sealed");
    if (kind == "remove") {
        std::erase_if(segments, [&](const SegmentEntry& one) { return one.id == *id; });
        return {};
    }
    if (kind == "replace") {
        const auto by = entry.id("by");
        SegmentEntry facts;
        if (!by || find(p, *by) != nullptr || !read_facts(entry, facts)) return damaged(length_, "a replacement that makes no sense");
        segment->id = *by;
        segment->cuts.clear();
        segment->bytes = facts.bytes;
        segment->chain = facts.chain;
        segment->max_time = facts.max_time;
        segment->keep_time = facts.keep_time;
        segment->rewritten = true;
        return {};
    }
    if (kind == "move") {
        segment->archive = entry.text("to");
        if (segment->archive.empty() || segment->archive.front() != '/') return damaged(length_, "an archive that is no path");
        if (std::find(archives_.begin(), archives_.end(), segment->archive) == archives_.end()) archives_.push_back(segment->archive);
        return {};
    }
    return damaged(length_, "an entry of a newer format: " + stream::quoted(kind));
}

Result<void> Manifest::append(const std::string& entry) {
    FrameHeader frame;
    frame.type = FrameType::manifest;
    frame.file_id = header_.file_id;
    frame.epoch = epoch_;
    frame.chain = chain_;
    frame.offset = entries_;
    frame.records = 1;
    frame.durable = length_;
    frame.append_time = files_->now_ns();
    frame.raw = static_cast<std::uint32_t>(entry.size());
    std::string bytes;
    append_frame(bytes, frame, entry);
    if (length_ + bytes.size() > manifest_max) {
        return fail(ErrorKind::limit, path_ + ": it would be longer than 256 MiB", "a new log, to go on in: this one can be read for ever");
    }
    if (auto written = file_->write_at(bytes, length_); !written) {  // no room: nothing of it is to be there
        unsure_ = !file_->truncate(length_) || !file_->sync();
        return written;
    }
    unsure_ = true;
    STREAM_TRY(file_->sync());
    STREAM_TRY(read_on(true, 0));
    unsure_ = false;
    return {};
}

std::string facts_of(const SegmentEntry& segment) {
    const auto time_text = [](TimeNs time) { return time == time_before_all ? "null" : fmt::format("{}", time); };
    return fmt::format(R"("bytes":{},"chain":{},"max_time":{},"keep_time":{})", segment.bytes, segment.chain, time_text(segment.max_time),
                       time_text(segment.keep_time));
}

bool read_facts(const JsonEntry& entry, SegmentEntry& segment) {
    const auto bytes = entry.number("bytes");
    const auto chain = entry.number("chain");
    const auto max_time = entry.time("max_time");
    const auto keep_time = entry.time("keep_time");
    if (!bytes || !chain || *chain > UINT32_MAX || !max_time || !keep_time) return false;
    segment.bytes = *bytes;
    segment.chain = static_cast<std::uint32_t>(*chain);
    segment.max_time = *max_time;
    segment.keep_time = *keep_time;
    return true;
}

Result<void> Manifest::add_segment(std::uint32_t partition, std::uint64_t id, std::uint64_t base, std::uint64_t sequence,
                                   const SegmentEntry* sealed) {
    return append(fmt::format("{{\"entry\":\"segment\",\"partition\":{},\"id\":\"{:016x}\",\"base\":{},\"sequence\":{}{}{}}}\n", partition, id, base,
                              sequence, sealed == nullptr ? "" : ",", sealed == nullptr ? "" : facts_of(*sealed)));
}

Result<void> Manifest::cut_segment(std::uint32_t partition, std::uint64_t id, std::uint64_t at, std::uint32_t epoch) {
    return append(fmt::format("{{\"entry\":\"cut\",\"partition\":{},\"id\":\"{:016x}\",\"at\":{},\"epoch\":{}}}\n", partition, id, at, epoch));
}

Result<void> Manifest::raise_epoch() { return append(fmt::format("{{\"entry\":\"epoch\",\"epoch\":{}}}\n", epoch_ + 1)); }

Result<void> Manifest::remove_segment(std::uint32_t partition, std::uint64_t id) {
    return append(fmt::format("{{\"entry\":\"remove\",\"partition\":{},\"id\":\"{:016x}\"}}\n", partition, id));
}

Result<void> Manifest::replace_segment(std::uint32_t partition, std::uint64_t id, const SegmentEntry& by) {
    return append(fmt::format("{{\"entry\":\"replace\",\"partition\":{},\"id\":\"{:016x}\",\"by\":\"{:016x}\",{}}}\n", partition, id, by.id, facts_of(by)));
}

Result<void> Manifest::move_segment(std::uint32_t partition, std::uint64_t id, const std::string& archive) {
    std::string to;
    append_quoted(to, archive);
    return append(fmt::format("{{\"entry\":\"move\",\"partition\":{},\"id\":\"{:016x}\",\"to\":{}}}\n", partition, id, to));
}

Result<void> Manifest::note_excision(std::uint64_t records, std::uint64_t segments) {
    return append(fmt::format("{{\"entry\":\"excise\",\"records\":{},\"segments\":{},\"at_ns\":{}}}\n", records, segments, files_->now_ns()));
}

Result<void> Manifest::publish_run(const RunEntry& run, std::uint64_t rewrite_above) { return runs_.append(header_.log_id, run, rewrite_above); }

}  // namespace stream::log
