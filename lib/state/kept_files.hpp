// SPDX-License-Identifier: Apache-2.0
// What is too large to be a part of a saved state lies beside it, in files that nobody changes any more. They get names
// there as hard links, so that they are saved at once however long they are, and as copies where the file system is
// another one.
#pragma once

#include "base/error.hpp"
#include "io/file_system.hpp"
#include "state/bytes.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stream {

// As a state names it.
struct KeptFile {
    std::string name;
    std::uint64_t bytes = 0;
    std::uint32_t crc32c = 0;
};

class KeptFiles {
public:
    KeptFiles() = default;
    // To save: in `folder`, with names that begin with `prefix`. The caller makes what was added durable, or removes it.
    KeptFiles(std::string folder, std::string prefix) : folder_(std::move(folder)), prefix_(std::move(prefix)) {}
    // To restore: these names in `folder`, looked at already.
    KeptFiles(std::string folder, std::vector<std::string> names) : folder_(std::move(folder)), names_(std::move(names)) {}

    // From here on nobody may change the file. Its number, counted from 0. ErrorKind::io.
    Result<std::uint64_t> add(const std::string& path);
    // A file that has no name, or none that is known.
    Result<std::uint64_t> add(int fd);

    const std::vector<std::string>& names() const { return names_; }  // in `folder`
    std::uint64_t bytes() const { return bytes_; }                    // of what was added

    // ErrorKind::corrupt where a state speaks of more files than it has.
    Result<std::string> path(std::uint64_t number) const;

    // Gives a file another name, as a hard link or else as a copy; or copies its first bytes. `to` is not there. ErrorKind::io.
    static Result<void> link_or_copy(const std::string& from, const std::string& to);
    static Result<void> copy(const std::string& from, const std::string& to, std::uint64_t most = UINT64_MAX);

private:
    Result<std::uint64_t> add_as(const std::string& from, int flags);

    std::string folder_;
    std::string prefix_;
    std::vector<std::string> names_;
    std::uint64_t bytes_ = 0;
};

// CRC-32C of what is there up to `size`.
Result<std::uint32_t> checksum_of(File& file, std::uint64_t size);

// The list of files that a state begins with which has a folder of its own: durable when it is put, and looked at, all of
// them, when it is read. ErrorKind::corrupt.
Result<void> put_kept(StateWriter& writer, FileSystem& files, const std::string& folder, const KeptFiles& kept);
Result<KeptFiles> get_kept(StateReader& reader, FileSystem& files, const std::string& folder);
// Removes what was kept in `folder` under names that begin with `prefix`, but for these.
Result<void> remove_kept(FileSystem& files, const std::string& folder, std::string_view prefix, const std::vector<std::string>& but);

}  // namespace stream
