// SPDX-License-Identifier: Apache-2.0
// A place in a file, from which reading goes on after a crash or a pause, also when the file was renamed,
// copied and truncated, or compressed meanwhile.
#pragma once

#include "base/error.hpp"

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stream {

// What a place tells of the file's bytes: its first and its last KiB before the offset.
constexpr std::size_t place_edge = 1024;

struct FilePlace {
    std::uint64_t device = 0;  // device and inode 0: no file was seen yet
    std::uint64_t inode = 0;
    std::int64_t born_ns = 0;      // a new file with an old inode number is told by it; 0: not known
    std::int64_t modified_ns = 0;  // the file's mtime when the place was taken, or earlier
    std::uint64_t offset = 0;      // of the next byte, in the decompressed file
    std::uint32_t head_crc = 0;    // CRC-32C of the (decompressed) first min(1024, offset) bytes
    std::uint32_t tail_crc = 0;    // of the last min(1024, offset) bytes before the offset
    // Followed files only: the file was seen to be truncated or rewritten, and what that lost was told. Where
    // no copy of it is found reading goes on with what is there, and that is no gap.
    bool over = false;
    // Followed files only: those that bore the name before and may still be written to, and how far they
    // were read. Theirs is empty.
    std::vector<FilePlace> left;
    // Followed files only, with offset 0: there were bytes to be read.
    bool waits = false;

    bool operator==(const FilePlace&) const = default;
    bool is_empty() const { return offset == 0 && left.empty(); }
};

// One line of flat JSON, without its newline. Its first member is the version.
std::string encode(const FilePlace& place);
// Exactly what encode() gives. ErrorKind::corrupt.
Result<FilePlace> decode_place(std::string_view text);

// Which file it is, for as long as it is.
struct FileIdentity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t born_ns = 0;

    bool is_that_of(const FilePlace& place) const;
};
FileIdentity identity_of_file(int fd, const struct stat& status);
std::int64_t modified_ns(const struct stat& status);

// What the caller of a resumed source wants where the bytes behind the place are gone.
enum class OnGap : std::uint8_t {
    fail,  // ErrorKind::data, whose message names the gap
    skip,  // reading goes on with the oldest file that came after, at its start; the gap is told
};

}  // namespace stream
