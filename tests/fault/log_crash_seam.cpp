// SPDX-License-Identifier: Apache-2.0
#include "fault/log_crash_seam.hpp"

#include <fmt/format.h>

#include <utility>

namespace stream::test {

namespace {

bool has(std::string_view path, std::string_view part) { return path.find(part) != std::string_view::npos; }

// What a file or folder is to the log.
std::string_view kind_of(std::string_view path) {
    if (path.ends_with(".idx")) return "index";
    if (path.ends_with(".seg") || path.ends_with(".seg.tmp") || has(path, ".seg.tmp-")) return has(path, "/archive") ? "archive" : "segment";
    if (has(path, "/quarantine/")) return "quarantine";
    if (has(path, "/groups/")) return "group";
    if (has(path, "/manifest")) return "manifest";
    if (path.ends_with("/runs") || has(path, "/runs.tmp-")) return "runs";
    if (path.ends_with("/head")) return "head";
    return "other";
}

std::string_view folder_kind_of(std::string_view path) {
    if (path.ends_with("/segments")) return "segments";
    if (path.ends_with("/groups")) return "groups";
    if (path.ends_with("/quarantine")) return "quarantine";
    if (has(path, "/archive")) return "archive";
    if (path.ends_with("/log")) return "log";
    return "parent";
}

}  // namespace

const std::vector<Plant>& plants() {
    static const std::vector<Plant> all = {
        // Not done, though the log asked for it.
        {"drop-segment-sync", "append-one"},
        {"drop-manifest-sync", "append-one"},
        {"drop-runs-sync", "publish"},
        {"drop-group-sync", "groups"},
        {"drop-quarantine-sync", "append-one"},
        {"drop-archive-sync", "archive"},
        {"drop-segments-folder-sync", "append-one"},
        {"drop-log-folder-sync", "create"},
        {"drop-parent-folder-sync", "create"},
        {"drop-groups-folder-sync", "groups"},
        {"drop-quarantine-folder-sync", "append-one"},
        {"drop-archive-folder-sync", "archive"},
        {"drop-remove", "excise"},
        {"drop-segment-truncate", "append-several"},
        // Done in another way.
        {"early-head", "append-several"},
        {"early-head", "publish"},
        {"late-run-entry", "publish"},
        {"no-rename", "create"},
        {"remove-first", "retain"},
        {"remove-first", "archive"},
        {"reader-writes", "append-one"},
    };
    return all;
}

class Seam::SeamFile final : public File {
public:
    SeamFile(Seam& seam, std::unique_ptr<File> file, std::string path) : seam_(seam), file_(std::move(file)), path_(std::move(path)) {}

    Result<std::size_t> read_at(std::span<char> into, std::uint64_t position) override { return file_->read_at(into, position); }
    Result<void> write_at(std::string_view bytes, std::uint64_t position) override {
        if (seam_.planted("remove-first") && kind_of(path_) == "manifest") seam_.remove_early(path_, bytes);
        seam_.tell("write", path_, bytes, position);
        auto written = file_->write_at(bytes, position);
        if (!written || kind_of(path_) != "head") return written;
        for (auto& sync : std::exchange(seam_.delayed_, {})) STREAM_TRY(sync());
        return {};
    }
    Result<void> sync() override {
        const std::string_view kind = kind_of(path_);
        if (seam_.planted(fmt::format("drop-{}-sync", kind))) return {};
        if ((seam_.planted("early-head") && kind == "segment") || (seam_.planted("late-run-entry") && path_.ends_with("/runs"))) {
            seam_.delayed_.push_back([&seam = seam_, path = path_]() -> Result<void> {
                auto again = seam.disk_.open_if_there(path, Open::write);
                if (!again || *again == nullptr) return {};
                seam.tell("sync", path);
                return (*again)->sync();
            });
            return {};
        }
        seam_.tell("sync", path_);
        return file_->sync();
    }
    Result<std::uint64_t> size() override { return file_->size(); }
    Result<void> truncate(std::uint64_t size) override {
        if (seam_.planted("drop-segment-truncate") && kind_of(path_) == "segment") return {};
        seam_.tell("truncate", path_);
        return file_->truncate(size);
    }
    Result<void> close() override { return file_->close(); }

private:
    Seam& seam_;
    std::unique_ptr<File> file_;
    std::string path_;
};

void Seam::tell(std::string_view what, std::string_view path, std::string_view bytes, std::uint64_t position) {
    ++stops_;
    if (hook_) hook_({stops_, what, path, what == "write", bytes, position});
}

// Removes the segment that the entry says is gone, before the entry is there.
void Seam::remove_early(const std::string& path, std::string_view entry) {
    const std::size_t at = entry.find("\"id\":\"");
    if (at == std::string_view::npos || !(has(entry, "\"remove\"") || has(entry, "\"replace\"") || has(entry, "\"move\""))) return;
    const std::string id(entry.substr(at + 6, 16));
    const std::string folder = path.substr(0, path.rfind('/')) + "/segments";
    const auto names = disk_.list(folder);
    if (!names || !*names) return;
    for (const std::string& name : **names) {
        if (!has(name, id)) continue;
        tell("remove", folder + "/" + name);
        static_cast<void>(disk_.remove(folder + "/" + name));
    }
}

std::string Seam::real_path(const std::string& path) const {
    const std::size_t at = path.find(".tmp-");
    return planted("no-rename") && at != std::string::npos ? path.substr(0, at) : path;
}

Result<std::unique_ptr<File>> Seam::open_if_there(const std::string& path, Open how) {
    if (how == Open::create_new) tell("create", path);
    auto file = disk_.open_if_there(real_path(path), how);
    if (!file || *file == nullptr) return file;
    return std::make_unique<SeamFile>(*this, std::move(*file), real_path(path));
}

Result<std::unique_ptr<File>> Seam::open(const std::string& path, Open how) {
    if (how == Open::create_new) tell("create", path);
    auto file = disk_.open(real_path(path), how);
    if (!file) return file;
    return std::make_unique<SeamFile>(*this, std::move(*file), real_path(path));
}

Result<bool> Seam::make_folder(const std::string& path) {
    tell("make_folder", path);
    return disk_.make_folder(path);
}

Result<void> Seam::rename(const std::string& from, const std::string& to) {
    if (real_path(from) != from) return {};
    tell("rename", from);
    return disk_.rename(from, to);
}

Result<void> Seam::remove(const std::string& path) {
    if (planted("drop-remove")) return {};
    tell("remove", path);
    return disk_.remove(path);
}

Result<void> Seam::sync_folder(const std::string& folder) {
    if (planted(fmt::format("drop-{}-folder-sync", folder_kind_of(folder)))) return {};
    tell("sync_folder", folder);
    return disk_.sync_folder(folder);
}

Result<std::unique_ptr<FileLock>> Seam::lock(const std::string& path, bool wait) {
    tell("lock", path);
    return disk_.lock(path, wait);
}

Result<std::unique_ptr<FileLock>> Seam::lock_to_read(const std::string& path) {
    if (planted("reader-writes")) return disk_.lock(path, false);
    if (planted("unlockable")) return fail(ErrorKind::io, "may not be locked");
    return disk_.lock_to_read(path);
}

}  // namespace stream::test
