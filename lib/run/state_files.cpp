// SPDX-License-Identifier: Apache-2.0
#include "run/state_files.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "base/crc32c.hpp"
#include "base/text.hpp"
#include "state/bytes.hpp"
#include "state/snapshot.hpp"

namespace stream::run {

namespace {

constexpr std::uint64_t large_min = 8 << 20;
constexpr std::size_t changes_at_most = 32;      // files of changes; then the small ones become one
constexpr std::string_view bundle_end = ".bundle";  // of the name of a file that has several changes in it
constexpr std::size_t changes_bytes_min = 4 << 20;

}  // namespace

StateFiles::StateFiles(FileSystem& files, std::string folder, std::string tool, std::string name, std::uint64_t attempt, SavedState last)
    : files_(files), folder_(std::move(folder) + "/state"), tool_(std::move(tool)), attempt_(attempt), state_(std::move(last)) {
    state_.name = std::move(name);
    for (const StateFile& change : state_.changes) changed_bytes_ += change.length;
    for (const StateFile& file : state_.kept) kept_bytes_ += file.length;
}

std::uint64_t StateFiles::bytes() const { return state_.file.empty() ? state_.bytes.size() : state_.length + changed_bytes_ + kept_bytes_; }

bool StateFiles::takes_changes() const {
    return !state_.file.empty() && weight() > small_max && changed_bytes_ <= 2 * weight();
}

bool StateFiles::is_large() const { return bytes() - kept_bytes_ >= large_min; }

std::size_t StateFiles::changes_max(std::size_t weight) { return std::max(changes_bytes_min, weight); }

// --- reading -----------------------------------------------------------------------------------

// That it is what the commit names.
Result<std::unique_ptr<File>> StateFiles::open_checked(const StateFile& wanted) const {
    const std::string path = folder_ + "/" + wanted.file;
    auto file = files_.open_if_there(path, Open::read);
    if (!file) return file;
    if (*file == nullptr) return fail(ErrorKind::corrupt, path + " is missing, and the commit names it");
    const auto other = [&] { return fail(ErrorKind::corrupt, path + " is not the file that the commit names"); };
    auto size = (*file)->size();
    if (!size) return pass_on(size);
    if (*size != wanted.length) return other();
    auto crc = checksum_of(**file, *size);
    if (!crc) return pass_on(crc);
    if (*crc != wanted.crc) return other();
    return file;
}

Result<std::string> StateFiles::read(const StateFile& wanted) const {
    auto file = open_checked(wanted);
    if (!file) return pass_on(file);
    const SnapshotHeader header{tool_, state_.name, wanted.file.ends_with(bundle_end) ? "bundle" : ""};
    return read_snapshot(folder_ + "/" + wanted.file, wanted.length, [&](std::span<char> into, std::uint64_t at) { return (*file)->read_at(into, at); }, header);
}

Result<void> StateFiles::load(const Use& use) {
    for (const StateFile& one : state_.kept) {
        auto file = open_checked(one);
        if (!file) return pass_on(file);
        if (const auto identity = identity_of(folder_ + "/" + one.file)) known_.insert_or_assign(*identity, one);
    }
    if (state_.file.empty()) return state_.bytes.empty() ? Result<void>{} : use(state_.bytes, true);
    {
        auto payload = read({state_.file, state_.length, state_.crc});
        if (!payload) return pass_on(payload);
        STREAM_TRY(use(*payload, true));
    }
    for (const StateFile& one : state_.changes) {
        auto payload = read(one);
        if (!payload) return pass_on(payload);
        if (!one.file.ends_with(bundle_end)) {
            STREAM_TRY(use(*payload, false));
            continue;
        }
        StateReader reader(*payload);
        while (!reader.at_end()) {
            const std::string_view change = reader.get_bytes();
            STREAM_TRY(reader.check("changes"));
            STREAM_TRY(use(change, false));
        }
    }
    return {};
}

// --- files beside it ---------------------------------------------------------------------------

KeptFiles StateFiles::kept() const {
    Names names;
    for (const StateFile& one : state_.kept) names.push_back(one.file);
    return {folder_, std::move(names)};
}

KeptFiles StateFiles::keep(std::uint64_t epoch) const { return {folder_, fmt::format("{}.{}.{}.kept-", state_.name, epoch, attempt_)}; }

std::optional<StateFiles::FileIdentity> StateFiles::identity_of(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return std::nullopt;
    return FileIdentity{status.st_dev, status.st_ino};
}

// Makes it durable. Read whole once: it has many names, and does not change.
Result<StateFile> StateFiles::settle_kept(const std::string& name, std::map<FileIdentity, StateFile>& known) const {
    const std::string path = folder_ + "/" + name;
    auto file = files_.open(path, Open::write);
    if (!file) return pass_on(file);
    STREAM_TRY((*file)->sync());
    auto size = (*file)->size();
    if (!size) return pass_on(size);
    const auto identity = identity_of(path);
    StateFile settled{name, *size, 0};
    const auto before = identity ? known_.find(*identity) : known_.end();
    if (before != known_.end() && before->second.length == *size) {
        settled.crc = before->second.crc;
    } else {
        auto crc = checksum_of(**file, *size);
        if (!crc) return pass_on(crc);
        settled.crc = *crc;
    }
    if (identity) known.insert_or_assign(*identity, settled);
    return settled;
}

// --- writing -----------------------------------------------------------------------------------

Result<StateFile> StateFiles::write(std::uint64_t epoch, std::string_view payload) const {
    return write_as(fmt::format("{}.{}.{}", state_.name, epoch, attempt_), "", payload);
}

Result<StateFile> StateFiles::write_as(const std::string& name, std::string_view kind, std::string_view payload) const {
    const std::string path = folder_ + "/" + name;
    auto file = files_.open(path, Open::create_new);
    if (!file) return pass_on(file);
    std::uint64_t at = 0;
    auto saved = write_snapshot({tool_, state_.name, std::string(kind)}, payload, [&](std::string_view bytes) -> Result<void> {
        STREAM_TRY((*file)->write_at(bytes, at));
        at += bytes.size();
        return {};
    });
    if (!saved) return pass_on(saved);
    STREAM_TRY((*file)->sync());
    STREAM_TRY((*file)->close());
    STREAM_TRY(files_.sync_folder(folder_));
    return StateFile{name, saved->bytes, saved->crc32c};
}

Result<SavedState> StateFiles::take_whole(StateFile file, const Names& kept) {
    std::map<FileIdentity, StateFile> known;  // a number may be another file's once no state has the file any more
    std::vector<StateFile> settled;
    for (const std::string& name : kept) {
        auto one = settle_kept(name, known);
        if (!one) return pass_on(one);
        settled.push_back(std::move(*one));
    }
    if (!kept.empty()) STREAM_TRY(files_.sync_folder(folder_));
    known_ = std::move(known);
    state_.kept = std::move(settled);
    kept_bytes_ = 0;
    for (const StateFile& one : state_.kept) kept_bytes_ += one.length;
    state_.bytes.clear();
    state_.file = std::move(file.file);
    state_.length = file.length;
    state_.crc = file.crc;
    state_.changes.clear();
    changed_bytes_ = 0;
    return state_;
}

Result<SavedState> StateFiles::save_whole(std::uint64_t epoch, std::string_view payload, const Names& kept) {
    if (payload.size() > inline_max || !kept.empty()) {
        auto file = write(epoch, payload);
        if (!file) return pass_on(file);
        return take_whole(std::move(*file), kept);
    }
    STREAM_TRY(take_whole({}));
    state_.bytes = payload;
    return state_;
}

Result<SavedState> StateFiles::save_changes(std::uint64_t epoch, std::string_view payload) {
    auto file = write(epoch, payload);
    if (!file) return pass_on(file);
    changed_bytes_ += file->length;
    state_.changes.push_back(std::move(*file));
    if (state_.changes.size() >= changes_at_most) STREAM_TRY(bundle(epoch));
    return state_;
}

// The newest files become one, from the first on that is no larger than all behind it: so each byte is written again
// as often as the number of files doubles, and no more.
Result<void> StateFiles::bundle(std::uint64_t epoch) {
    std::vector<StateFile>& changes = state_.changes;
    std::uint64_t behind = 0;
    std::size_t first = changes.size() - 1;
    for (std::size_t i = changes.size(); i-- > 0;) {
        if (changes[i].length <= behind) first = i;
        behind += changes[i].length;
    }
    StateWriter writer;
    for (std::size_t i = first; i < changes.size(); ++i) {
        auto payload = read(changes[i]);
        if (!payload) return pass_on(payload);
        if (changes[i].file.ends_with(bundle_end)) writer.put_raw(payload->data(), payload->size());
        else writer.put_bytes(*payload);
    }
    auto file = write_as(fmt::format("{}.{}.{}{}", state_.name, epoch, attempt_, bundle_end), "bundle", writer.bytes());
    if (!file) return pass_on(file);
    STREAM_TRY(files_.remove(folder_ + "/" + changes.back().file));  // of this epoch: no commit names it
    changes.erase(changes.begin() + static_cast<std::ptrdiff_t>(first), changes.end());
    changes.push_back(std::move(*file));
    changed_bytes_ = 0;
    for (const StateFile& change : changes) changed_bytes_ += change.length;
    return {};
}

// --- what is left over -------------------------------------------------------------------------

namespace {

bool names(const Commit& commit, const std::string& file) {
    return std::any_of(commit.states.begin(), commit.states.end(), [&](const SavedState& state) { return state.has_file(file); });
}

}  // namespace

Result<void> drop_states(FileSystem& files, const std::string& folder, const Commit& before, const Commit& now) {
    const auto drop = [&](const std::string& file) -> Result<void> {
        return file.empty() || names(now, file) ? Result<void>{} : files.remove(folder + "/state/" + file);
    };
    for (const SavedState& old : before.states) {
        STREAM_TRY(drop(old.file));
        for (const StateFile& kept : old.kept) STREAM_TRY(drop(kept.file));
        for (const StateFile& change : old.changes) STREAM_TRY(drop(change.file));
    }
    return {};
}

Result<void> sweep_states(FileSystem& files, const std::string& folder, const Commit& commit) {
    auto found = files.list(folder + "/state");
    if (!found) return pass_on(found);
    if (!*found) return {};
    for (const std::string& name : **found) {
        if (!names(commit, name)) STREAM_TRY(files.remove(folder + "/state/" + name));
    }
    return {};
}

}  // namespace stream::run
