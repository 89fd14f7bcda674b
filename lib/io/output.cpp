// SPDX-License-Identifier: Apache-2.0
#include "io/output.hpp"

#include "base/text.hpp"
#include "io/fd.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace stream {

namespace {

tl::unexpected<Error> write_failure(const std::string& name, int error_number) {
    if (error_number == EPIPE) {
        return fail(ErrorKind::closed, fmt::format("the reader of {} is gone", quoted_name(name)));
    }
    return system_failure("write to", name, error_number);
}

}  // namespace

Output::Output(int fd, std::string name, std::size_t capacity)
    : fd_(fd), terminal_(::isatty(fd) == 1), name_(std::move(name)), capacity_(capacity) {
    widen_pipe(fd_);
    buffer_.reserve(capacity_);
}

Result<void> Output::append(std::string_view bytes) {
    if (bytes.size() >= capacity_) return append_run(bytes);
    buffer_.append(bytes);
    return commit();
}

Result<void> Output::append_run(std::string_view bytes) {
    if (bytes.size() <= capacity_ / 4) {
        buffer_.append(bytes);
        return commit();
    }
    return write_all(buffer_, bytes);
}

Result<void> Output::commit() {
    if (buffer_.size() < capacity_ && failed_errno_ == 0) [[likely]]
        return {};
    return flush();
}

Result<void> Output::flush() { return write_all(buffer_, {}); }

Result<void> Output::close() {
    Result<void> result = flush();
    if (fd_ < 0) return result;
    const bool closed = ::close(std::exchange(fd_, -1)) == 0;
    if (closed || failed_errno_ != 0) return result;
    // On Linux the descriptor is gone after EINTR too. A stdout that was closed from the start is no
    // failure as long as there was nothing to write to it.
    if (errno == EINTR || (errno == EBADF && written_ == 0)) return result;
    failed_errno_ = errno;
    return write_failure(name_, failed_errno_);
}

// Both parts, in order, to the last byte. The buffer (which `first` shows) is empty afterwards, after a
// failure too: what cannot be written must not pile up.
Result<void> Output::write_all(std::string_view first, std::string_view second) {
    std::string safe;
    if (terminal_) {
        safe = terminal_safe(first) + terminal_safe(second);
        first = safe;
        second = {};
    }
    while (failed_errno_ == 0 && !(first.empty() && second.empty())) {
        // writev only reads what iov_base shows; its type can't say so.
        iovec parts[2] = {{const_cast<char*>(first.data()), first.size()},
                          {const_cast<char*>(second.data()), second.size()}};
        const ssize_t put = first.empty()    ? ::write(fd_, second.data(), second.size())
                            : second.empty() ? ::write(fd_, first.data(), first.size())
                                             : ::writev(fd_, parts, 2);
        if (put > 0) {
            const auto size = static_cast<std::size_t>(put);
            const std::size_t of_first = size < first.size() ? size : first.size();
            first.remove_prefix(of_first);
            second.remove_prefix(size - of_first);
            written_ += size;
        } else if (put == 0) {
            failed_errno_ = EIO;  // a device that takes nothing and says nothing
        } else if (errno == EAGAIN) {
            pollfd waiting{fd_, POLLOUT, 0};
            ::poll(&waiting, 1, -1);
        } else if (errno != EINTR) {
            failed_errno_ = errno;
        }
    }
    buffer_.clear();
    if (buffer_.capacity() > 4 * capacity_) {  // one very long line is over: memory stays flat
        buffer_.shrink_to_fit();
        buffer_.reserve(capacity_);
    }
    if (failed_errno_ != 0) return write_failure(name_, failed_errno_);
    return {};
}

bool reader_is_gone(int fd) {
    struct stat status;
    if (::fstat(fd, &status) != 0) return false;
    int gone = 0;
    if (S_ISFIFO(status.st_mode)) gone = POLLERR;
    if (S_ISSOCK(status.st_mode)) gone = POLLERR | POLLHUP;
    if (gone == 0) return false;
    pollfd asked{fd, 0, 0};
    return ::poll(&asked, 1, 0) == 1 && (asked.revents & gone) != 0;
}

}  // namespace stream
