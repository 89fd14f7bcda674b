// SPDX-License-Identifier: Apache-2.0
// Bytes out: one buffer in front of one descriptor. Nothing is lost on short writes, EINTR or a
// non-blocking descriptor; what the system refuses is an error, at flush() or at close().
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace stream {

class Output {
public:
    // Does not own the descriptor. Asks for a 1 MiB pipe where it is one. `capacity` is when a write
    // happens by itself.
    explicit Output(int fd, std::string name, std::size_t capacity = 256 << 10);

    // Buffered. ErrorKind::closed when the reader is gone (EPIPE), ErrorKind::io otherwise, naming
    // `name` and what the system said. After an error every call gives the same kind of error.
    Result<void> append(std::string_view bytes);
    // For long runs of untouched bytes: written straight from where they lie, after what is buffered,
    // with one writev where the run is larger than a quarter of the capacity.
    Result<void> append_run(std::string_view bytes);
    // To build a line in place: append to the string, then call commit().
    std::string& buffer() { return buffer_; }
    Result<void> commit();  // writes if the capacity is passed

    Result<void> flush();
    // flush(), and the last word of the file system (fsync is not asked for): errors that only close()
    // shows (NFS, quota) are shown here. The descriptor is closed.
    Result<void> close();

    std::uint64_t bytes_written() const { return written_; }
    bool has_buffered() const { return !buffer_.empty(); }
    int fd() const { return fd_; }

private:
    Result<void> write_all(std::string_view first, std::string_view second);

    int fd_;
    bool terminal_;  // what is written to one carries no raw control characters
    std::string name_;
    std::size_t capacity_;
    std::string buffer_;
    std::uint64_t written_ = 0;
    int failed_errno_ = 0;
};

// Whether whoever reads this pipe or socket has gone (POLLERR), without writing to it.
bool reader_is_gone(int fd);

}  // namespace stream
