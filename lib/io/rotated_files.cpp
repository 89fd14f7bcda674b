// SPDX-License-Identifier: Apache-2.0
#include "io/rotated_files.hpp"

#include "io/fd.hpp"
#include "io/file_place.hpp"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

namespace stream {

namespace {

using Kind = FolderEntry::Kind;

constexpr std::string_view read_endings[] = {".gz", ".zst", ".zstd"};
constexpr std::string_view other_endings[] = {".bz2", ".xz", ".lz4", ".lzma", ".Z", ".zip", ".br"};

struct Name {
    std::string_view plain;  // without the ending of a compressed file
    bool compressed = false;
    bool unreadable = false;
};

Name without_ending(std::string_view name) {
    for (const std::string_view ending : read_endings) {
        if (name.ends_with(ending)) return {name.substr(0, name.size() - ending.size()), true, false};
    }
    for (const std::string_view ending : other_endings) {
        if (name.ends_with(ending)) return {name.substr(0, name.size() - ending.size()), true, true};
    }
    return {name, false, false};
}

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

// What a rotator puts in: ".1", "-20260101", ".2026-01-01T10:00:00". A short number after a dash is more
// likely the name of another program's file.
bool is_rotation(std::string_view text) {
    constexpr std::string_view marks = "._-:+TZ";
    constexpr std::ptrdiff_t date_digits = 6;
    if (text == ".old") return true;
    if (text.empty() || (text[0] != '.' && text[0] != '-' && text[0] != '_')) return false;
    const auto fits = [&](char byte) { return is_digit(byte) || marks.find(byte) != std::string_view::npos; };
    const auto digits = std::count_if(text.begin(), text.end(), is_digit);
    return std::all_of(text.begin(), text.end(), fits) && digits >= (text[0] == '.' ? 1 : date_digits);
}

std::pair<std::string_view, std::string_view> stem_and_extension(std::string_view base) {
    const std::size_t dot = base.rfind('.');
    if (dot == std::string_view::npos || dot == 0) return {base, {}};
    return {base.substr(0, dot), base.substr(dot)};
}

std::optional<std::string_view> rotation_of(std::string_view plain, std::string_view base) {
    if (plain.starts_with(base) && is_rotation(plain.substr(base.size()))) return plain.substr(base.size());
    const auto [stem, extension] = stem_and_extension(base);
    if (extension.empty() || plain.size() < base.size() || !plain.starts_with(stem)) return std::nullopt;
    if (!plain.ends_with(extension)) return std::nullopt;
    const std::string_view middle = plain.substr(stem.size(), plain.size() - base.size());
    if (is_rotation(middle)) return middle;
    return std::nullopt;
}

// The N of ".N"; -1 of dates and all else.
int number_of(std::string_view rotation) {
    constexpr std::size_t digits_max = 5;
    int number = -1;
    if (rotation.size() < 2 || rotation.size() > digits_max + 1 || rotation[0] != '.') return -1;
    const char* last = rotation.data() + rotation.size();
    const auto [end, problem] = std::from_chars(rotation.data() + 1, last, number);
    return problem == std::errc() && end == last ? number : -1;
}

struct Listed {
    FolderEntry entry;
    int number = -1;
};

Result<void> list_folder(const std::string& folder, std::string_view base, std::vector<Listed>& listed) {
    const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.c_str()), ::closedir);
    if (open == nullptr) return errno == ENOENT ? Result<void>() : system_failure("open", folder, errno);
    const std::string_view stem = stem_and_extension(base).first;
    std::set<std::string, std::less<>> names;
    for (errno = 0; const dirent* found = ::readdir(open.get()); errno = 0) {
        const std::string_view name(found->d_name);
        if (name.starts_with(stem)) names.emplace(name);
    }
    if (errno != 0) return system_failure("read", folder, errno);
    for (const std::string& name : names) {
        const Name parts = without_ending(name);
        struct stat status;
        std::string path = folder + name;
        if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
        const bool named = name == base;
        if (!named && parts.compressed && names.contains(parts.plain)) continue;
        const auto rotation = named ? std::nullopt : rotation_of(parts.plain, base);
        const Kind kind = named ? Kind::named : rotation ? Kind::rotated : Kind::other;
        listed.push_back({{kind, std::move(path), status.st_dev, status.st_ino,
                           static_cast<std::uint64_t>(status.st_size), modified_ns(status), parts.unreadable},
                          rotation ? number_of(*rotation) : -1});
    }
    return {};
}

// Whether small numbers are the newer ones, as logrotate has it; by the mtimes, where they tell.
bool counts_down(const std::vector<Listed>& listed) {
    const Listed* oldest = nullptr;
    const Listed* newest = nullptr;
    for (const Listed& one : listed) {
        if (one.number < 0) continue;
        if (oldest == nullptr || one.entry.modified_ns < oldest->entry.modified_ns) oldest = &one;
        if (newest == nullptr || one.entry.modified_ns > newest->entry.modified_ns) newest = &one;
    }
    if (oldest == nullptr || oldest->entry.modified_ns == newest->entry.modified_ns) return true;
    return oldest->number > newest->number;
}

void split(const std::string& path, std::string& folder, std::string& base) {
    const std::size_t slash = path.rfind('/');
    folder = slash == std::string::npos ? "./" : path.substr(0, slash + 1);
    base = slash == std::string::npos ? path : path.substr(slash + 1);
}

std::string resolved(const std::string& path) {
    const std::unique_ptr<char, decltype(&std::free)> text(::realpath(path.c_str(), nullptr), &std::free);
    return text ? std::string(text.get()) : std::string();
}

}  // namespace

bool is_rotated_name(std::string_view name, std::string_view base) {
    return name != base && rotation_of(without_ending(name).plain, base).has_value();
}

Result<std::vector<FolderEntry>> list_rotated(const std::string& path) {
    std::string folder;
    std::string base;
    std::vector<Listed> listed;
    split(path, folder, base);
    STREAM_TRY(list_folder(folder, base, listed));
    const std::string target = resolved(path);
    if (!target.empty() && target != resolved(folder) + "/" + base) {
        std::vector<Listed> more;
        split(target, folder, base);
        STREAM_TRY(list_folder(folder, base, more));
        for (Listed& one : more) {
            const auto same = [&](const Listed& other) {
                return other.entry.device == one.entry.device && other.entry.inode == one.entry.inode;
            };
            if (std::none_of(listed.begin(), listed.end(), same)) listed.push_back(std::move(one));
        }
    }
    const int direction = counts_down(listed) ? -1 : 1;
    std::sort(listed.begin(), listed.end(), [&](const Listed& one, const Listed& other) {
        const auto rank = [&](const Listed& it) {
            return std::tuple(it.entry.kind, it.entry.modified_ns, direction * it.number,
                              std::string_view(it.entry.path));
        };
        return rank(one) < rank(other);
    });
    std::vector<FolderEntry> entries;
    for (Listed& one : listed) entries.push_back(std::move(one.entry));
    return entries;
}

bool same_files(const std::vector<FolderEntry>& one, const std::vector<FolderEntry>& other) {
    const auto names = [](const std::vector<FolderEntry>& entries) {
        std::set<std::tuple<std::string_view, std::uint64_t, std::uint64_t>> all;
        for (const FolderEntry& entry : entries) all.emplace(entry.path, entry.device, entry.inode);
        return all;
    };
    return names(one) == names(other);
}

}  // namespace stream
