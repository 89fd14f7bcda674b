// SPDX-License-Identifier: Apache-2.0
#include "io/atomic_file.hpp"

#include "io/fd.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace stream {

namespace {

struct Place {
    std::string folder;  // with its slash
    std::string name;
};

Place split(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return {"./", path};
    return {path.substr(0, slash + 1), path.substr(slash + 1)};
}

OwnedFd create_exclusively(const std::string& path) {
    constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    constexpr mode_t mode = 0600;
    OwnedFd fd = open_fd(path, flags, mode);
    if (fd.is_open() || errno != EEXIST) return fd;
    ::unlink(path.c_str());  // left by a process that crashed and had our number
    return open_fd(path, flags, mode);
}

bool sync(int fd) {
    int outcome = 0;
    do {
        outcome = ::fsync(fd);
    } while (outcome != 0 && errno == EINTR);
    return outcome == 0;
}

// Some file systems cannot sync a folder and say EINVAL; there a rename is as durable as it gets.
bool sync_folder(const std::string& folder) {
    const OwnedFd fd = open_fd(folder, O_RDONLY | O_DIRECTORY);
    return fd.is_open() && (sync(fd.get()) || errno == EINVAL);
}

bool write_temporary(const std::string& path, std::string_view bytes) {
    OwnedFd fd = create_exclusively(path);
    if (!fd.is_open() || !write_full(fd.get(), bytes) || !sync(fd.get())) return false;
    return ::close(fd.release()) == 0 || errno == EINTR;
}

}  // namespace

Result<void> replace_file(const std::string& path, std::string_view bytes) {
    static std::atomic<unsigned> counter{0};
    const Place place = split(path);
    const std::string temporary =
        fmt::format("{}.{}.tmp-{}-{}", place.folder, place.name, ::getpid(), counter.fetch_add(1));
    if (!write_temporary(temporary, bytes) || ::rename(temporary.c_str(), path.c_str()) != 0) {
        const int error_number = errno;
        ::unlink(temporary.c_str());
        return system_failure("write", path, error_number);
    }
    if (!sync_folder(place.folder)) return system_failure("sync the folder of", path, errno);
    return {};
}

Result<std::optional<std::string>> read_file_if_there(const std::string& path, std::size_t max_bytes) {
    const OwnedFd fd = open_fd(path, O_RDONLY);
    if (!fd.is_open()) {
        if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
        return system_failure("open", path, errno);
    }
    struct stat status;
    if (::fstat(fd.get(), &status) != 0) return system_failure("open", path, errno);
    if (S_ISDIR(status.st_mode)) {
        return fail(ErrorKind::usage, fmt::format("{} is a directory", quoted_name(path)));
    }
    std::string bytes;
    std::size_t size = 0;
    for (;;) {  // by what comes, not by st_size: it may be a pipe or one of /proc
        constexpr std::size_t block_size = 64 << 10;
        if (bytes.size() - size < block_size) bytes.resize(std::max(bytes.size() * 2, 2 * block_size));
        const ssize_t got = ::read(fd.get(), bytes.data() + size, bytes.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return system_failure("read", path, errno);
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
        if (size > max_bytes) {
            return fail(ErrorKind::limit,
                        fmt::format("{} is larger than {} bytes", quoted_name(path), max_bytes));
        }
    }
    bytes.resize(size);
    bytes.shrink_to_fit();
    return bytes;
}

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
    auto bytes = read_file_if_there(path, max_bytes);
    if (!bytes) return pass_on(bytes);
    if (!*bytes) return system_failure("open", path, ENOENT);
    return std::move(**bytes);
}

}  // namespace stream
