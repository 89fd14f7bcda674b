// SPDX-License-Identifier: Apache-2.0
// In an archive's folder: the segments' files under their names, and `archive-of`, which says whose they are. While
// copies are being made the log has a file `archiving` with their paths, one a line: a copy that no entry of the manifest
// names is then known for ours. Others' files in the folder are never touched (of a copy of this log, say).
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "log/maintain.hpp"
#include "log/upkeep.hpp"

namespace stream::log {

namespace {

constexpr std::string_view owner_name = "archive-of";
constexpr std::string_view marker_name = "archiving";
constexpr std::size_t copy_block = 1 << 20;

std::string plain(const std::string& path) {
    std::string result = std::filesystem::path(path).lexically_normal().string();
    while (result.size() > 1 && result.back() == '/') result.pop_back();
    return result;
}

std::string owner_text(const Hash128& log_id) { return fmt::format("{:016x}{:016x}\n", log_id.high, log_id.low); }

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

// The paths in `archiving`.
Result<std::vector<std::string>> unfinished(FileSystem& files, const std::string& folder) {
    auto text = read_small(files, fmt::format("{}/{}", folder, marker_name));
    if (!text) return pass_on(text);
    std::vector<std::string> paths;
    for (std::string_view rest = *text ? std::string_view(**text) : std::string_view(); !rest.empty();) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        std::uint32_t partition = 0;
        SegmentEntry entry;
        if (!line.starts_with('/') || !parse_segment_name(line.substr(line.rfind('/') + 1), partition, entry)) {
            return fail(ErrorKind::corrupt, fmt::format("{}/{}: {} is no segment's path", folder, marker_name, stream::quoted(line, 200)));
        }
        paths.emplace_back(line);
    }
    return paths;
}

Result<void> mark_unfinished(FileSystem& files, const std::string& folder, const std::vector<std::string>& paths) {
    if (paths.empty()) return files.remove(fmt::format("{}/{}", folder, marker_name));
    std::string text;
    for (const std::string& path : paths) text.append(path).push_back('\n');
    return write_whole(files, folder, std::string(marker_name), text);
}

// Removes the copies in one archive that the manifest does not name, and what was being copied. False where it cannot
// be looked into.
Result<bool> sweep(FileSystem& files, const std::string& archive, const std::set<std::string>& paths, const std::set<std::string>& named,
                   const Hash128& log_id) {
    auto owner = read_small(files, fmt::format("{}/{}", archive, owner_name));
    if (!owner || !*owner || **owner != owner_text(log_id)) return false;
    auto names = files.list(archive);
    if (!names) return pass_on(names);
    if (!*names) return false;
    for (const std::string& name : **names) {
        const std::size_t temporary = name.find(".tmp-");
        std::string path = archive + "/" + name.substr(0, temporary);
        if (path.ends_with(".idx")) path.replace(path.size() - 4, 4, ".seg");
        if (!paths.contains(path) || (temporary == std::string::npos && named.contains(path))) continue;
        STREAM_TRY(files.remove(archive + "/" + name));
    }
    STREAM_TRY(files.sync_folder(archive));
    return true;
}

class Archiver {
public:
    Archiver(Upkeep& upkeep, std::string archive) : upkeep_(upkeep), files_(upkeep.files()), archive_(std::move(archive)) {}

    // Whether the archive can be that, before anything is made.
    Result<void> check() {
        if (!archive_.starts_with('/')) return fail(ErrorKind::usage, "the archive " + stream::quoted(archive_, 200) + " is no absolute path");
        if (!is_utf8(archive_) || archive_.find('\n') != std::string::npos) {
            return fail(ErrorKind::usage, "the archive's path " + stream::quoted(archive_, 200) + " is not UTF-8, or has a line end in it");
        }
        const std::string folder = plain(upkeep_.folder());
        if (archive_ == folder || archive_.starts_with(folder + "/")) {
            return fail(ErrorKind::usage, "the archive " + stream::quoted(archive_, 200) + " is inside the log");
        }
        auto manifest = files_.open_if_there(archive_ + "/manifest", Open::read);
        if (!manifest) return pass_on(manifest);
        if (*manifest != nullptr) return fail(ErrorKind::usage, "the archive " + stream::quoted(archive_, 200) + " is a log");
        auto owner = read_small(files_, fmt::format("{}/{}", archive_, owner_name));
        if (!owner) return pass_on(owner);
        has_owner_ = owner->has_value();
        if (has_owner_ && **owner != owner_text(upkeep_.manifest().log_id())) {
            return fail(ErrorKind::usage, stream::quoted(archive_, 200) + " is the archive of another log", "take a folder of its own for each log");
        }
        return {};
    }

    // Folder, owner and marker, durable before the first copy.
    Result<void> prepare() {
        for (std::uint32_t p = 0; p < upkeep_.manifest().config().partitions; ++p) {
            for (const SegmentEntry& segment : upkeep_.manifest().segments(p)) {
                if (segment.sealed && segment.archive.empty()) segments_.emplace_back(p, segment);
            }
        }
        auto made = files_.make_folder(archive_);
        if (!made) return pass_on(made);
        const std::string parent = folder_of(archive_);
        STREAM_TRY(files_.sync_folder(parent.empty() ? "/" : parent));
        if (!has_owner_) {
            STREAM_TRY(remove_unfinished(files_, archive_, std::string(owner_name)));
            STREAM_TRY(write_whole(files_, archive_, std::string(owner_name), owner_text(upkeep_.manifest().log_id())));
        }
        STREAM_TRY(must_be_outside());
        // It may be there and not durable: another try was killed.
        STREAM_TRY(files_.sync_folder(archive_));
        if (segments_.empty()) return {};
        auto paths = unfinished(files_, upkeep_.folder());
        if (!paths) return pass_on(paths);
        for (auto [partition, segment] : segments_) {
            segment.archive = archive_;
            paths->push_back(segment_path(upkeep_.folder(), partition, segment));
        }
        return mark_unfinished(files_, upkeep_.folder(), *paths);
    }

    Result<void> move_all() {
        for (const auto& [partition, segment] : segments_) STREAM_TRY(move(partition, segment));
        STREAM_TRY(upkeep_.sync_unlinked());
        if (segments_.empty()) return {};
        auto paths = unfinished(files_, upkeep_.folder());
        if (!paths) return pass_on(paths);
        std::erase_if(*paths, [&](const std::string& path) { return folder_of(path) == archive_; });
        return mark_unfinished(files_, upkeep_.folder(), *paths);
    }

    Removed result;

private:
    Result<void> move(std::uint32_t partition, const SegmentEntry& segment) {
        SegmentEntry moved = segment;
        moved.archive = archive_;
        STREAM_TRY(copy(partition, segment, moved));
        STREAM_TRY(copy_index(partition, segment, moved));
        STREAM_TRY(files_.sync_folder(archive_));
        STREAM_TRY(upkeep_.hold());
        STREAM_TRY(upkeep_.manifest().move_segment(partition, segment.id, archive_));
        STREAM_TRY(upkeep_.unlink(partition, segment));
        STREAM_TRY(upkeep_.let_go());
        ++result.segments;
        result.bytes += segment.bytes;
        return {};
    }

    // A link or a mount may lead back into the log, where the segment would be its own copy.
    Result<void> must_be_outside() {
        for (const std::string_view inside : {"", "/segments", "/groups", "/keys", "/quarantine"}) {
            auto owner = files_.open_if_there(fmt::format("{}{}/{}", upkeep_.folder(), inside, owner_name), Open::read);
            if (!owner) return pass_on(owner);
            if (*owner == nullptr) continue;
            STREAM_TRY(files_.remove(fmt::format("{}/{}", archive_, owner_name)));
            return fail(ErrorKind::usage, "the archive " + stream::quoted(archive_, 200) + " leads back into the log");
        }
        return {};
    }

    // The copy is read again, every frame of it, before it counts.
    Result<void> copy(std::uint32_t partition, const SegmentEntry& from, const SegmentEntry& to) {
        const std::string source = segment_path(upkeep_.folder(), partition, from);
        const std::string target = segment_path(upkeep_.folder(), partition, to);
        const std::string temporary = fmt::format("{}.tmp-{:016x}", target, files_.random());
        STREAM_TRY(copy_bytes(source, temporary, from.bytes, true));
        const FileHeader header = upkeep_.manifest().segment_header(partition, from);
        std::uint64_t records = 0;
        auto read = each_batch(files_, temporary, header, from.bytes, from.chain, [&](const Batch& batch) -> Result<void> {
            records += batch.header.records;
            return {};
        });
        if (!read) {
            static_cast<void>(files_.remove(temporary));
            if (read.error().kind() != ErrorKind::corrupt) return read;
            STREAM_TRY(each_batch(files_, source, header, from.bytes, from.chain, [](const Batch&) -> Result<void> { return {}; }));
            return fail(ErrorKind::io, temporary + ": the copy does not read as it was written");
        }
        result.records += records;
        return put_in_place(temporary, target, from);
    }

    // What bears the name already is an earlier try's copy, or another copy of this log archived the segment when it
    // went on differently: that one's records are not to be lost.
    Result<void> put_in_place(const std::string& temporary, const std::string& target, const SegmentEntry& from) {
        auto there = files_.open_if_there(target, Open::read);
        if (!there) return pass_on(there);
        if (*there == nullptr) return files_.rename(temporary, target);
        auto same = is_same(temporary, **there, from.bytes);
        if (!same) return pass_on(same);
        STREAM_TRY(files_.remove(temporary));
        if (*same) return {};
        return fail(ErrorKind::usage, target + " is there and is another: a copy of this log archives in the same folder", "take a folder of its own for each copy");
    }

    Result<bool> is_same(const std::string& path, File& other, std::uint64_t size) {
        auto mine = files_.open(path, Open::read);
        if (!mine) return pass_on(mine);
        auto other_size = other.size();
        if (!other_size) return pass_on(other_size);
        if (*other_size != size) return false;
        std::string a;
        std::string b;
        for (std::uint64_t at = 0; at < size; at += a.size()) {
            a.resize(static_cast<std::size_t>(std::min<std::uint64_t>(size - at, copy_block)));
            b.resize(a.size());
            auto got = (*mine)->read_at(a, at);
            if (!got) return pass_on(got);
            auto theirs = other.read_at(b, at);
            if (!theirs) return pass_on(theirs);
            if (*got != a.size() || *theirs != a.size() || a != b) return false;
        }
        return true;
    }

    // A cache with its own checksum: not worth a sync.
    Result<void> copy_index(std::uint32_t partition, const SegmentEntry& from, const SegmentEntry& to) {
        const std::string source = index_path(upkeep_.folder(), partition, from);
        auto file = files_.open_if_there(source, Open::read);
        if (!file) return pass_on(file);
        if (*file == nullptr) return {};
        auto size = (*file)->size();
        if (!size) return pass_on(size);
        const std::string target = index_path(upkeep_.folder(), partition, to);
        const std::string temporary = fmt::format("{}.tmp-{:016x}", target, files_.random());
        STREAM_TRY(copy_bytes(source, temporary, *size, false));
        return files_.rename(temporary, target);
    }

    Result<void> copy_bytes(const std::string& from, const std::string& to, std::uint64_t size, bool sync) {
        auto source = files_.open(from, Open::read);
        if (!source) return pass_on(source);
        auto target = files_.open(to, Open::create_new);
        if (!target) return pass_on(target);
        std::string block;
        for (std::uint64_t at = 0; at < size; at += block.size()) {
            block.resize(static_cast<std::size_t>(std::min<std::uint64_t>(size - at, copy_block)));
            auto got = (*source)->read_at(block, at);
            if (!got) return pass_on(got);
            if (*got == 0) return fail(ErrorKind::corrupt, fmt::format("{}: cut short (byte {} of {})", from, at, size));
            block.resize(*got);
            STREAM_TRY((*target)->write_at(block, at));
        }
        if (sync) STREAM_TRY((*target)->sync());
        return (*target)->close();
    }

    Upkeep& upkeep_;
    FileSystem& files_;
    std::string archive_;
    bool has_owner_ = false;
    std::vector<std::pair<std::uint32_t, SegmentEntry>> segments_;  // to be moved
};

}  // namespace

Result<void> finish_archiving(FileSystem& files, const std::string& folder, const Manifest& manifest, bool must) {
    STREAM_TRY(remove_unfinished(files, folder, std::string(marker_name)));
    auto paths = unfinished(files, folder);
    if (!paths) return pass_on(paths);
    if (paths->empty()) return {};
    std::set<std::string> named;
    for (std::uint32_t p = 0; p < manifest.config().partitions; ++p) {
        for (const SegmentEntry& segment : manifest.segments(p)) named.insert(segment_path(folder, p, segment));
    }
    std::map<std::string, std::set<std::string>> archives;
    for (std::string& path : *paths) archives[folder_of(path)].insert(std::move(path));
    std::vector<std::string> left;
    for (const auto& [archive, copies] : archives) {
        auto swept = sweep(files, archive, copies, named, manifest.log_id());
        if (!swept) return pass_on(swept);
        if (*swept) continue;
        if (must) {
            return fail(ErrorKind::io, fmt::format("{}: archiving to {} was stopped, and what it left there cannot be looked for", folder, stream::quoted(archive, 200)),
                        fmt::format("make it reachable, or take its lines out of {}/{}", folder, marker_name));
        }
        left.insert(left.end(), copies.begin(), copies.end());
    }
    return mark_unfinished(files, folder, left);
}

Result<Removed> archive_log(FileSystem& files, const std::string& folder, const std::string& target) {
    auto upkeep = Upkeep::begin(files, folder);
    if (!upkeep) return pass_on(upkeep);
    Archiver archiver(*upkeep, plain(target));
    STREAM_TRY(archiver.check());
    STREAM_TRY(upkeep->hold());
    STREAM_TRY(upkeep->sweep());  // synced with what is moved; until then what comes back is named by nothing
    STREAM_TRY(finish_archiving(files, folder, upkeep->manifest(), false));
    STREAM_TRY(upkeep->let_go());
    STREAM_TRY(archiver.prepare());
    STREAM_TRY(archiver.move_all());
    return archiver.result;
}

}  // namespace stream::log
