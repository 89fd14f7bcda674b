// SPDX-License-Identifier: Apache-2.0
#include "io/fd.hpp"

#include "base/text.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace stream {

void OwnedFd::reset(int fd) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
}

OwnedFd open_fd(const std::string& path, int flags, mode_t mode) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, mode);
    if (fd < 0 || fd > 2) return OwnedFd(fd);
    const int moved = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
    const int error_number = errno;
    ::close(fd);
    errno = error_number;
    return OwnedFd(moved);
}

ssize_t pread_full(int fd, std::span<char> into, std::uint64_t position) {
    std::size_t done = 0;
    while (done < into.size()) {
        const ssize_t got =
            ::pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(position + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    return static_cast<ssize_t>(done);
}

bool write_full(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t put = ::write(fd, bytes.data(), bytes.size());
        if (put > 0) {
            bytes.remove_prefix(static_cast<std::size_t>(put));
        } else if (put == 0) {
            errno = EIO;
            return false;
        } else if (errno == EAGAIN) {
            pollfd waiting{fd, POLLOUT, 0};
            ::poll(&waiting, 1, -1);
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

void widen_pipe(int fd) {
    constexpr int wanted = 1 << 20;
    const int size = ::fcntl(fd, F_GETPIPE_SZ);
    if (size > 0 && size < wanted) ::fcntl(fd, F_SETPIPE_SZ, wanted);
}

std::string quoted_name(std::string_view name) {
    constexpr std::size_t limit = 200;
    return quoted(name, limit);
}

std::string system_message(int error_number) { return std::generic_category().message(error_number); }

tl::unexpected<Error> system_failure(std::string_view what, std::string_view name, int error_number) {
    return fail(ErrorKind::io,
                fmt::format("cannot {} {}: {}", what, quoted_name(name), system_message(error_number)));
}

}  // namespace stream
