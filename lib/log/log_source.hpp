// SPDX-License-Identifier: Apache-2.0
// A log as a source of bytes, for every tool that reads FILEs: its records, each with '\n', in the order they
// were appended.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "io/file_system.hpp"
#include "io/source.hpp"
#include "log/reader.hpp"

namespace stream::log {

struct LogSourceOptions {
    std::vector<std::uint32_t> partitions;  // empty: all
    bool follow = false;    // never ends: what is appended later comes too
    bool from_end = false;  // only that
    // Where to go on, of each partition that is read: what places_at() gave.
    std::vector<std::uint64_t> resume;
    std::vector<std::uint64_t> stop;  // where each partition ends for us; empty: where it ends
    // Told what retention took away before it was read, in a sentence; null: that is an error.
    std::function<void(const std::string&)> tell_gap;
};

class LogSource : public ByteSource {
public:
    // The next offset of each partition of the log once `delivered` of the bytes that read() gave are used up, which
    // end a record. At most what the last few reads gave lies behind.
    virtual Result<std::vector<std::uint64_t>> places_at(std::uint64_t delivered) const = 0;
};

// "offsets 100..499 are gone (partition 0)".
std::string gap_text(const Gap& gap);
// ErrorKind::data for it.
tl::unexpected<Error> gap_failure(const Gap& gap);

// Errors as LogReader::open(). Records that retention took away before they were read are ErrorKind::data when their
// turn comes, unless there is somebody to be told.
Result<std::unique_ptr<LogSource>> open_log_source(FileSystem& files, const std::string& folder, const LogSourceOptions& options);

// Wakes who waits for a log to grow. fd() is to be polled (POLLIN); -1: there is nothing to poll, look now and then
// (wait_ms()). drain() takes what it told, before the log is looked at.
class HeadWatch {
public:
    explicit HeadWatch(const std::string& folder);
    HeadWatch(HeadWatch&&) noexcept;
    HeadWatch& operator=(HeadWatch&&) noexcept;
    ~HeadWatch();
    int fd() const { return fd_; }
    int wait_ms() const { return fd_ < 0 ? 100 : 1000; }
    void drain();

private:
    int fd_ = -1;
};

}  // namespace stream::log
