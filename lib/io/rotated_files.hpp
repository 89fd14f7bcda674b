// SPDX-License-Identifier: Apache-2.0
// The files around a file that may have borne its name before, by their names.
#pragma once

#include "base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stream {

// What a rotator makes of `base`: NAME.1, NAME-20260101, NAME.old, STEM-20260101.EXT, STEM.1.EXT, also with
// .gz, .zst and other endings of compressed files.
bool is_rotated_name(std::string_view name, std::string_view base);

struct FolderEntry {
    enum class Kind : std::uint8_t {
        rotated,
        named,  // the file of the name itself
        other,  // begins as it does
    };
    Kind kind = Kind::other;
    std::string path;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t modified_ns = 0;
    bool unreadable = false;  // compressed by something else than gzip and zstd, its name says
};

// Regular files in the folder of `path` and in that of what it links to whose names begin with its name or
// its stem: rotated ones by mtime, oldest first, then the named one, then others by mtime. One that is there
// both plain and compressed is shown plain. ErrorKind::io.
Result<std::vector<FolderEntry>> list_rotated(const std::string& path);

// The same files under the same names.
bool same_files(const std::vector<FolderEntry>& one, const std::vector<FolderEntry>& other);

}  // namespace stream
