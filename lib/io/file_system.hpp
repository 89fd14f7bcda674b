// SPDX-License-Identifier: Apache-2.0
// The file-system seam: what the log does to a disk, as an interface, so that a simulator can stand in for
// the disk and stop it at any call. Paths are plain; nothing follows a symbolic link at the last step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace stream {

// An open file. Failures are ErrorKind::io and name the file. Not for several threads at once.
class File {
public:
    virtual ~File() = default;

    // As many bytes as there are, up to into.size(): fewer only at the end of the file.
    virtual Result<std::size_t> read_at(std::span<char> into, std::uint64_t position) = 0;
    // All of it, or an error; after an error any part of it may be there.
    virtual Result<void> write_at(std::string_view bytes, std::uint64_t position) = 0;
    // What was written before (and the size) is on the disk when this returns. After a failure nothing is
    // known, and the same call may not be believed again: the caller stops.
    virtual Result<void> sync() = 0;
    virtual Result<std::uint64_t> size() = 0;
    virtual Result<void> truncate(std::uint64_t size) = 0;
    // Closes; what only close() tells (NFS, quota) is told.
    virtual Result<void> close() = 0;
};

// An exclusive lock on a file, held while this lives and by this process alone; freed by its death.
class FileLock {
public:
    virtual ~FileLock() = default;
};

enum class Open : std::uint8_t {
    read,        // must be there
    write,       // read and write; must be there
    create_new,  // read and write, mode 0600; must not be there
};

class FileSystem {
public:
    virtual ~FileSystem() = default;

    virtual Result<std::unique_ptr<File>> open(const std::string& path, Open how) = 0;
    // The same, nothing where there is no such file (of Open::read and Open::write).
    virtual Result<std::unique_ptr<File>> open_if_there(const std::string& path, Open how) = 0;
    // Mode 0700. Whether it was made now (false: it was there). Its parent is not synced.
    virtual Result<bool> make_folder(const std::string& path) = 0;
    // Names of entries, sorted, without . and ..; nothing where there is no such folder.
    virtual Result<std::optional<std::vector<std::string>>> list(const std::string& folder) = 0;
    // Over what is there. Durable only once the folder is synced.
    virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
    // No error where it is not there.
    virtual Result<void> remove(const std::string& path) = 0;
    // Names made, renamed and removed in the folder are on the disk.
    virtual Result<void> sync_folder(const std::string& folder) = 0;

    // Makes the file where it is not there. With `wait`, until it is free; without, nothing where somebody
    // else holds it.
    virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path, bool wait) = 0;

    // For who only reads: nothing where somebody holds the lock; makes no file, and where there is none gives a
    // lock of nothing. Several may have it at once.
    virtual Result<std::unique_ptr<FileLock>> lock_to_read(const std::string& path) = 0;

    virtual std::uint64_t random() = 0;
    virtual std::int64_t now_ns() = 0;  // wall clock, since 1970
};

// The system's.
FileSystem& real_file_system();

}  // namespace stream
