// SPDX-License-Identifier: Apache-2.0
#include "io/place_search.hpp"

#include "base/check.hpp"
#include "io/rotated_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace stream {

namespace {

using Kind = FolderEntry::Kind;

// gzip and zstd may keep an mtime's whole seconds only.
constexpr std::int64_t modified_slack_ns = 2'000'000'000;
constexpr int attempts_max = 100;

struct Search {
    const std::string& path;
    const FilePlace& place;
    std::vector<FolderEntry> entries;
    std::vector<bool> taken;  // of entries: a part is made of it
    std::string why;          // there is a gap, where it isn't simply gone

    Result<std::optional<FilePart>> try_entry(std::size_t index, const FilePlace& wanted, bool same_file);
    Result<std::optional<FilePart>> find(const FilePlace& wanted, std::size_t& index);
    Result<std::optional<FilePart>> find_copy(const FilePlace& wanted, std::size_t& index);
    Result<void> add_from(std::size_t first, std::int64_t after_ns, std::vector<FilePart>& parts);
    Result<FoundPlace> run();
};

// The entry as the part that begins at `wanted`, if it is that file (by device and inode, or else by its
// bytes alone).
Result<std::optional<FilePart>> Search::try_entry(std::size_t index, const FilePlace& wanted,
                                                  bool same_file) {
    if (taken[index]) return std::nullopt;
    auto part = open_part(entries[index].path);
    if (!part) return part;
    if (!*part) {
        if (errno != 0 && errno != ENOENT) {
            why = fmt::format("{} cannot be opened: {}", quoted_name(entries[index].path),
                              system_message(errno));
        }
        return part;
    }
    if ((*part)->source->life()->identity.is_that_of(wanted) != same_file) return std::nullopt;
    auto found = (*part)->source->go_to(wanted);
    if (!found && found.error().kind() == ErrorKind::corrupt)
        return std::nullopt;  // half of a compressed one
    if (!found) return pass_on(found);
    if (!*found) return std::nullopt;
    (*part)->offset = wanted.offset;
    return part;
}

Result<std::optional<FilePart>> Search::find(const FilePlace& wanted, std::size_t& index) {
    for (index = 0; index < entries.size(); ++index) {
        if (entries[index].inode != wanted.inode || entries[index].device != wanted.device) continue;
        auto part = try_entry(index, wanted, true);
        if (!part || *part) return part;
    }
    if (wanted.offset == 0) return std::nullopt;
    return find_copy(wanted, index);
}

Result<std::optional<FilePart>> Search::find_copy(const FilePlace& wanted, std::size_t& index) {
    const auto too_early = [&](std::size_t i) {
        return entries[i].modified_ns + modified_slack_ns < wanted.modified_ns;
    };
    for (index = 0; index < entries.size(); ++index) {
        if (too_early(index)) continue;
        auto part = try_entry(index, wanted, false);
        if (!part || *part) return part;
    }
    std::optional<FilePart> only;
    std::size_t matches = 0;
    // Whose mtime was changed. Other files may well begin with a few bytes that are the same.
    for (std::size_t i = 0; i < entries.size() && wanted.offset >= place_edge; ++i) {
        if (!too_early(i)) continue;
        auto part = try_entry(i, wanted, false);
        if (!part) return part;
        if (!*part || matches++ > 0) continue;
        index = i;
        only = std::move(*part);
    }
    if (matches > 1) {
        why = fmt::format("{} files begin like it, and nothing tells which of them it was", matches);
        return std::nullopt;
    }
    return only;
}

// The rotated files from `first` on that were modified after that time, and the file of the name.
Result<void> Search::add_from(std::size_t first, std::int64_t after_ns, std::vector<FilePart>& parts) {
    for (std::size_t i = first; i < entries.size() && entries[i].kind != Kind::other; ++i) {
        const FolderEntry& entry = entries[i];
        // A compressor may have kept the whole seconds only.
        const bool in_seconds = entry.modified_ns % 1'000'000'000 == 0;
        const std::int64_t after = in_seconds ? after_ns - after_ns % 1'000'000'000 - 1 : after_ns;
        if (taken[i] || (entry.kind == Kind::rotated && entry.modified_ns <= after)) continue;
        const bool known = std::any_of(parts.begin(), parts.end(), [&](const FilePart& part) {
            const FileIdentity& one = part.source->life()->identity;
            return one.device == entry.device && one.inode == entry.inode;
        });
        if (known) continue;
        if (entry.unreadable) {
            return fail(
                ErrorKind::data,
                fmt::format("{} comes next, and only gzip and zstd are read", quoted_name(entry.path)),
                fmt::format("decompress {} first", entry.path));
        }
        auto part = open_part(entry.path);
        if (!part) return pass_on(part);
        if (*part) {
            parts.push_back(*std::move(*part));
        } else if (errno != 0 && errno != ENOENT) {
            return system_failure("open", entry.path, errno);
        }
        taken[i] = true;
    }
    return {};
}

std::string why_gone(const std::vector<FolderEntry>& entries, const FilePlace& place) {
    const auto same = std::find_if(entries.begin(), entries.end(), [&](const FolderEntry& entry) {
        return entry.device == place.device && entry.inode == place.inode;
    });
    if (same != entries.end() && same->kind == Kind::named && same->size < place.offset) {
        return fmt::format("the file has {} bytes now", same->size);
    }
    if (same != entries.end() && same->kind == Kind::named) return "other bytes are before it now";
    const auto rotated = std::count_if(entries.begin(), entries.end(),
                                       [](const FolderEntry& entry) { return entry.kind == Kind::rotated; });
    return fmt::format("no file of that name has it, nor any of {} rotated ones", rotated);
}

FilePlace start_of(const FilePlace& place) {
    FilePlace start;
    start.device = place.device;
    start.inode = place.inode;
    start.born_ns = place.born_ns;
    return start;
}

Result<FoundPlace> Search::run() {
    FoundPlace found;
    taken.assign(entries.size(), false);
    std::size_t index = 0;
    auto current = find(place, index);
    if (current && !*current && place.over) current = find(start_of(place), index);
    if (!current) return pass_on(current);
    const std::size_t at = index;
    if (*current) taken[at] = true;
    for (const FilePlace& left : place.left) {
        auto part = find(left, index);
        if (!part) return pass_on(part);
        if (!*part) continue;  // quiet, and removed since
        taken[index] = true;
        found.parts.push_back(*std::move(*part));
        found.parts.back().left = true;
    }
    if (!*current) {
        const auto named = std::find_if(entries.begin(), entries.end(),
                                        [](const FolderEntry& entry) { return entry.kind == Kind::named; });
        if (place.over) {
            STREAM_TRY(add_from(static_cast<std::size_t>(named - entries.begin()), 0, found.parts));
            return found;
        }
        if (place.offset == 0) {
            // Nothing of it was read: it and what came after it is what was written to since.
            const std::vector<bool> before = taken;
            STREAM_TRY(add_from(0, place.modified_ns - 1, found.parts));
            bool may_hold_it = false;  // one that was rotated since, and perhaps compressed
            for (std::size_t i = 0; i < entries.size(); ++i) {
                may_hold_it = may_hold_it || (taken[i] && !before[i] && entries[i].kind == Kind::rotated);
            }
            if (!place.waits || may_hold_it) return found;
        } else {
            STREAM_TRY(add_from(0, place.modified_ns, found.parts));
        }
        found.gap = fmt::format("the place in {} where reading stopped is gone (byte {} of inode {}; {})",
                                quoted_name(path), place.offset, place.inode,
                                why.empty() ? why_gone(entries, place) : why);
        return found;
    }
    const FolderEntry& entry = entries[at];
    found.parts.push_back(*std::move(*current));
    if (entry.kind == Kind::rotated) STREAM_TRY(add_from(at + 1, -1, found.parts));
    if (entry.kind == Kind::other) STREAM_TRY(add_from(0, entry.modified_ns, found.parts));
    return found;
}

}  // namespace

tl::unexpected<Error> gap_failure(const std::string& gap) {
    return fail(ErrorKind::data, gap, "--on-gap skip goes on with what is there");
}

Result<std::optional<FilePart>> open_part(const std::string& path) {
    auto fd = std::make_shared<OwnedFd>(open_fd(path, O_RDONLY | O_NONBLOCK));
    struct stat status;
    if (!fd->is_open() || ::fstat(fd->get(), &status) != 0) return std::nullopt;
    errno = 0;
    if (!S_ISREG(status.st_mode)) return std::nullopt;
    const int number = fd->get();
    auto source = std::make_unique<FileSource>(Descriptor(number, std::move(fd), path, status));
    STREAM_TRY(source->note_life(status));
    return FilePart{path, std::move(source), 0, false};
}

Result<FoundPlace> find_place(const std::string& path, const FilePlace& place,
                              const std::function<void()>& settle) {
    struct stat status;
    if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
        return fail(ErrorKind::usage,
                    fmt::format("{} is not a regular file: reading cannot go on in it", quoted_name(path)));
    }
    if (place.left.empty() && !place.over) {
        auto part = open_part(path);
        if (!part) return pass_on(part);
        if (!*part && errno != 0 && errno != ENOENT) return system_failure("open", path, errno);
        if (*part && (place.inode == 0 || (*part)->source->life()->identity.is_that_of(place))) {
            auto here = (*part)->source->go_to(place);
            if (!here) return pass_on(here);
            FoundPlace found;
            (*part)->offset = place.offset;
            found.parts.push_back(*std::move(*part));
            if (*here) return found;
        }
        if (place.inode == 0) return FoundPlace{};
    }
    Search search{path, place, {}, {}, {}};
    for (int attempt = 1;; ++attempt) {
        auto entries = list_rotated(path);
        if (!entries) return pass_on(entries);
        search.entries = *std::move(entries);
        search.why.clear();
        auto found = search.run();
        if (settle) settle();
        auto again = list_rotated(path);
        if (!again) return pass_on(again);
        if (same_files(*again, search.entries)) return found;
        if (attempt == attempts_max) {
            return fail(ErrorKind::io,
                        fmt::format("the files around {} are renamed faster than they are searched",
                                    quoted_name(path)));
        }
    }
}

PartReader::PartReader(std::vector<FilePart> parts, GivenBytes& given, bool always_ends_lines)
    : parts_(std::move(parts)), given_(given), always_ends_lines_(always_ends_lines) {}

Result<ReadOutcome> PartReader::read(std::span<char> into) {
    while (at_ < parts_.size()) {
        FilePart& part = parts_[at_];
        auto got = part.source->read(into);
        if (!got) return got;
        STREAM_CHECK(got->status != ReadOutcome::Status::would_block);
        const FileLifePtr& life = part.source->life();
        if (got->status == ReadOutcome::Status::data) {
            part.offset += got->size;
            given_.add(life, part.offset, got->size, got->size, part.left);
            in_line_ = into[got->size - 1] != '\n';
            return got;
        }
        const bool is_last = at_ + 1 == parts_.size();
        if (is_last && !always_ends_lines_) return got;
        const bool ends_line = std::exchange(in_line_, false);
        if (ends_line) {
            into[0] = '\n';
            given_.add(life, part.offset, 0, 1, part.left);
        }
        if (part.left) given_.drop(life);
        part.source.reset();
        ++at_;
        if (ends_line) return ReadOutcome{ReadOutcome::Status::data, 1};
    }
    return ReadOutcome{ReadOutcome::Status::end, 0};
}

std::uint64_t PartReader::raw_position() const {
    return at_ < parts_.size() ? parts_[at_].source->raw_position() : 0;
}

std::uint64_t PartReader::raw_size() const {
    return at_ < parts_.size() ? parts_[at_].source->raw_size() : 0;
}

void note_start(const std::vector<FilePart>& parts, GivenBytes& given) {
    for (const FilePart& part : parts) {
        if (part.left) given.start_left(part.source->life(), part.offset);
        if (part.left) continue;
        given.start_at(part.source->life(), part.offset);
        return;
    }
}

}  // namespace stream
