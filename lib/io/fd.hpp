// SPDX-License-Identifier: Apache-2.0
// Descriptors: owning one, opening one, reading and writing all of what was asked for, and the text of
// what the system said.
#pragma once

#include "base/error.hpp"

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace stream {

// Closes what it owns. -1 owns nothing.
class OwnedFd {
public:
    OwnedFd() = default;
    explicit OwnedFd(int fd) : fd_(fd) {}
    OwnedFd(OwnedFd&& other) noexcept : fd_(other.release()) {}
    OwnedFd& operator=(OwnedFd&& other) noexcept {
        if (this != &other) reset(other.release());
        return *this;
    }
    OwnedFd(const OwnedFd&) = delete;
    OwnedFd& operator=(const OwnedFd&) = delete;
    ~OwnedFd() { reset(); }

    int get() const { return fd_; }
    bool is_open() const { return fd_ >= 0; }
    int release() { return std::exchange(fd_, -1); }
    void reset(int fd = -1);

private:
    int fd_ = -1;
};

// open(2) with O_CLOEXEC and O_NOCTTY; the descriptor is never 0, 1 or 2, so that a file opened while
// one of those was closed cannot become somebody's stdout. Not open: errno says why (EINTR too).
OwnedFd open_fd(const std::string& path, int flags, mode_t mode = 0);

// Reads until `into` is full or the file ends: how many bytes, or -1 and errno. For regular files.
ssize_t pread_full(int fd, std::span<char> into, std::uint64_t position);

// Writes all of it, whatever short writes, EINTR or EAGAIN come. False: errno says why.
bool write_full(int fd, std::string_view bytes);

// Asks for a 1 MiB pipe where it is a pipe that is smaller. What the system refuses doesn't matter.
void widen_pipe(int fd);

// A file's name as messages show it: quoted, long enough to be told from others.
std::string quoted_name(std::string_view name);

// ErrorKind::io `cannot open "x": No such file or directory`, `what` being "open".
tl::unexpected<Error> system_failure(std::string_view what, std::string_view name, int error_number);
std::string system_message(int error_number);

}  // namespace stream
