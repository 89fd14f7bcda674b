// SPDX-License-Identifier: Apache-2.0
// Reading a log: the records of its partitions in the order they were appended. Never writes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "io/file_system.hpp"
#include "log/batch.hpp"
#include "log/head.hpp"
#include "log/manifest.hpp"

namespace stream::log {

struct ReaderOptions {
    std::vector<std::uint32_t> partitions;  // which; empty: all
    bool skip_corrupt = false;              // pass over what is damaged, telling each (Next::damage)
};

// Consecutive records of one partition. Views are valid until the next call.
struct Run {
    std::uint32_t partition = 0;
    std::string_view lines;        // each with its '\n'
    std::uint32_t records = 0;
    const Batch* batch = nullptr;  // the frame they come from
    std::uint32_t first = 0;       // which of its records the first one is
    std::uint64_t offset_of(std::uint32_t record) const { return batch->offset_of(first + record); }
    TimeNs append_time() const { return batch->header.append_time; }
};

struct Gap {
    std::uint32_t partition = 0;
    std::uint64_t from = 0;  // the first offset that is gone
    std::uint64_t to = 0;    // the last one
};

class LogReader {
public:
    // ErrorKind::usage where there is no log. Looks at where the log ends (refresh()).
    static Result<LogReader> open(FileSystem& files, const std::string& folder, const ReaderOptions& options);
    LogReader(LogReader&&) noexcept;
    LogReader& operator=(LogReader&&) noexcept;
    ~LogReader();

    const Manifest& manifest() const;
    const HeadState& ends() const;
    // What was appended since, by live writers. Whether there is anything new.
    Result<bool> refresh();

    std::uint64_t first_offset(std::uint32_t partition) const;  // the oldest that is kept
    std::uint64_t end_offset(std::uint32_t partition) const;    // the next that will be given
    // The first offset whose event time is `time` or later, the end if there is none. `time_of` gives a
    // record's event time (time_before_all: none). Frames without any event time count by when they were
    // appended. One index and one frame are read.
    using TimeOf = std::function<TimeNs(std::string_view record)>;
    Result<std::uint64_t> offset_at(std::uint32_t partition, TimeNs time, const TimeOf& time_of);

    // The next record of the partition to be read; at first the oldest kept. An offset below first_offset()
    // is a gap, told by next(). Offsets that compaction removed are passed over.
    void seek(std::uint32_t partition, std::uint64_t offset);
    // Reads no further than this offset (exclusive) in this partition.
    void stop_at(std::uint32_t partition, std::uint64_t offset);
    // Which partitions are read from now on.
    void set_partitions(const std::vector<std::uint32_t>& partitions);
    // The next offset next() would give, of each partition that is read.
    std::uint64_t position(std::uint32_t partition) const;

    enum class Next : std::uint8_t { records, gap, damage, end };
    // `end`: no more up to ends() and stop_at(); refresh() may bring more. `gap`: take gap(); goes on behind
    // it. `damage` (skip_corrupt): problem() says what; goes on behind it. Without skip_corrupt damage is
    // ErrorKind::corrupt.
    Result<Next> next(Run& run);
    const Gap& gap() const;
    const std::string& problem() const;

private:
    struct Impl;
    explicit LogReader(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace stream::log
