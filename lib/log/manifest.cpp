// SPDX-License-Identifier: Apache-2.0
#include "log/manifest.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.hpp"
#include "base/text.hpp"
#include "json/canonical.hpp"
#include "json/cursor.hpp"
#include "json/number.hpp"
#include "json/scanner.hpp"

namespace stream::log {

namespace {

constexpr std::uint64_t manifest_max = 256u << 20;
constexpr std::uint32_t partitions_max = 4096;

// One entry's members, by name. What is no object of plain values has none.
class Entry {
public:
    explicit Entry(std::string_view payload) {
        line_.assign(payload);
        const std::size_t size = line_.size();
        if (size == 0 || line_.back() != '\n') return;
        line_.append(scanner_padding, '\0');
        FieldSet none;
        Scanner scanner(none);
        scanner.start(line_.data(), size);
        if (scanner.next() != Scanner::Outcome::event) return;
        for (Cursor cursor(stream::value_of(scanner.line())); cursor.next();) {
            std::string name;
            append_unescaped(name, cursor.name());
            members_.emplace_back(std::move(name), cursor.value());
        }
    }
    std::string text(std::string_view name) const {
        std::string out;
        const Value* value = find(name);
        if (value != nullptr && value->type == Type::string) append_unescaped(out, *value);
        return out;
    }
    std::optional<std::uint64_t> number(std::string_view name) const {
        const Value* value = find(name);
        if (value == nullptr || value->type != Type::number) return std::nullopt;
        const auto parsed = parse_int64(value->text);
        if (!parsed || *parsed < 0) return std::nullopt;
        return static_cast<std::uint64_t>(*parsed);
    }
    bool flag(std::string_view name) const {
        const Value* value = find(name);
        return value != nullptr && value->type == Type::boolean_true;
    }
    std::optional<std::uint64_t> id(std::string_view name) const {
        const std::string hex = text(name);
        if (hex.size() != 16) return std::nullopt;
        std::uint64_t id = 0;
        for (const char c : hex) {
            const bool digit = c >= '0' && c <= '9';
            if (!digit && !(c >= 'a' && c <= 'f')) return std::nullopt;
            id = id << 4 | static_cast<std::uint64_t>(digit ? c - '0' : c - 'a' + 10);
        }
        return id;
    }

private:
    const Value* find(std::string_view name) const {
        for (const auto& [member, value] : members_) {
            if (member == name) return &value;
        }
        return nullptr;
    }
    std::string line_;
    std::vector<std::pair<std::string, Value>> members_;
};

std::string encode(const LogConfig& config) {
    std::string by = "null";
    std::string time = "null";
    if (!config.by.empty()) append_quoted(by = "", config.by);
    if (!config.time.empty()) append_quoted(time = "", config.time);
    return fmt::format(R"({{"entry":"create","partitions":{},"by":{},"codec":"{}","segment":{},"retain_ns":{},"max_bytes":{},)"
                       R"("single_writer":{},"time":{}}})",
                       config.partitions, by, config.compressed ? fmt::format("zstd:{}", config.level) : "none", config.segment_bytes,
                       config.retain_ns, config.max_bytes, config.single_writer, time);
}

bool decode(const Entry& entry, LogConfig& config) {
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
    return true;
}

}  // namespace

std::string segment_name(std::uint32_t partition, const SegmentEntry& segment) {
    return fmt::format("segments/{:05}-{:020}-{:016x}.seg", partition, segment.base, segment.id);
}

tl::unexpected<Error> Manifest::damaged(std::uint64_t at, std::string_view why) const {
    return fail(ErrorKind::corrupt, fmt::format("{}: {} (byte {})", path_, why, at));
}

Result<Manifest> Manifest::load(FileSystem& files, const std::string& folder) {
    Manifest manifest(files, folder + "/manifest");
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
    STREAM_TRY(manifest.read_on(false));
    if (!manifest.has_config_) return manifest.damaged(file_header_size, "it does not say what the log is");
    return manifest;
}

Result<Manifest> Manifest::create(FileSystem& files, const std::string& folder, const LogConfig& config) {
    Manifest manifest(files, folder + "/manifest");
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

Result<void> Manifest::refresh(bool lock_held) { return read_on(lock_held); }

Result<void> Manifest::read_on(bool lock_held) {
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
        if (state == FrameState::valid && payload_is_right(header, rest.substr(frame_header_size, header.stored))) {
            STREAM_TRY(apply(rest.substr(frame_header_size, header.stored)));
            length_ += header.size();
            chain_ = header.next_chain();
            entries_ += header.records;
            continue;
        }
        if (rest.empty()) return {};
        // Entries are synced one by one: what is valid behind this proves that this was whole once.
        for (std::size_t at = 8; at + frame_header_size <= rest.size(); at += 8) {
            FrameHeader later;
            if (read_lone_header(rest.substr(at), header_.file_id, later) == FrameState::valid &&
                payload_is_right(later, rest.substr(at + frame_header_size, later.stored)) && later.durable > length_) {
                return damaged(length_, why);
            }
        }
        if (!lock_held) return {};  // somebody may be writing it
        STREAM_TRY(file_->truncate(length_));
        return file_->sync();
    }
}

Result<void> Manifest::apply(std::string_view payload) {
    const Entry entry(payload);
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
    const auto partition = entry.number("partition");
    const auto id = entry.id("id");
    if (!partition || *partition >= partitions_.size() || !id) return damaged(length_, "an entry that makes no sense");
    std::vector<SegmentEntry>& segments = partitions_[*partition];
    if (kind == "segment") {
        const auto base = entry.number("base");
        if (!base || (!segments.empty() && *base < segments.back().base)) return damaged(length_, "a segment out of order");
        segments.push_back({*id, *base});
        return {};
    }
    if (kind == "remove") {
        std::erase_if(segments, [&](const SegmentEntry& segment) { return segment.id == *id; });
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
    STREAM_TRY(file_->write_at(bytes, length_));
    STREAM_TRY(file_->sync());
    return read_on(true);
}

Result<void> Manifest::add_segment(std::uint32_t partition, const SegmentEntry& segment) {
    return append(fmt::format("{{\"entry\":\"segment\",\"partition\":{},\"id\":\"{:016x}\",\"base\":{}}}\n", partition, segment.id, segment.base));
}

Result<void> Manifest::raise_epoch() { return append(fmt::format("{{\"entry\":\"epoch\",\"epoch\":{}}}\n", epoch_ + 1)); }

Result<void> Manifest::remove_segment(std::uint32_t partition, std::uint64_t id) {
    return append(fmt::format("{{\"entry\":\"remove\",\"partition\":{},\"id\":\"{:016x}\"}}\n", partition, id));
}

}  // namespace stream::log
