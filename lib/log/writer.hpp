// SPDX-License-Identifier: Apache-2.0
// Appending to a log. Several writers, in one process or many, may have one log open: the log's lock is held
// for a batch at a time.
//
//     auto writer = LogWriter::open(files, folder, {});
//     writer->add(partition, record, time);      // any number of times
//     auto acks = writer->commit();              // durable; or nothing of it counts
// A run (exactly once) calls publish() in place of commit(), at the end of each epoch.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "io/file_system.hpp"
#include "log/head.hpp"
#include "log/manifest.hpp"

namespace stream::log {

inline constexpr std::size_t frame_bytes = 512 << 10;   // raw, but for a longer record
inline constexpr std::size_t record_max = 60 << 20;     // a longer one is ErrorKind::limit

struct WriterOptions {
    bool sync = true;                             // false: a batch counts once it is written
    std::optional<std::uint64_t> expect_offset;   // one partition: where the first batch must begin; each
                                                  // further one where ours ended; else ErrorKind::locked
    std::uint64_t runs_bytes = runs_rewrite_above;  // so much is appended to the file of what runs published, then it is
                                                    // made anew
};

struct Ack {
    std::uint32_t partition = 0;
    std::uint64_t first = 0;
    std::uint64_t last = 0;  // inclusive
};

// The keys of records that were appended (log/keys.hpp): asked by commit() and publish(), under the lock.
class KeyFilter {
public:
    virtual ~KeyFilter() = default;
    // Others may have appended since: learn their keys. `ends` is where the log ends now.
    virtual Result<void> catch_up(const HeadState& ends) = 0;
    // Whether the key is new now (and from now on known).
    virtual Result<bool> is_new(const Hash128& key, TimeNs append_time) = 0;
    // What was added since catch_up() was appended, and the log ends there; or was not, and is to be forgotten.
    virtual Result<void> appended(const HeadState& ends) = 0;
    virtual void dropped() = 0;
};

class LogWriter {
public:
    // ErrorKind::usage where there is no log; ErrorKind::locked where the log has a single writer and it is
    // somebody else; ErrorKind::corrupt where it is damaged. Recovers what a dead writer left.
    static Result<LogWriter> open(FileSystem& files, const std::string& folder, const WriterOptions& options);
    LogWriter(LogWriter&&) noexcept;
    LogWriter& operator=(LogWriter&&) noexcept;
    ~LogWriter();

    const LogConfig& config() const;
    const Manifest& manifest() const;

    // Without its line end, which it must not contain. `time`: its event time, time_before_all for none.
    // With a key only if the filter finds it new. The record is copied.
    Result<void> add(std::uint32_t partition, std::string_view record, TimeNs time, const Hash128* key = nullptr);
    std::size_t pending_bytes() const;
    // How many a batch should have at most: a batch lies in one segment of each partition.
    std::size_t batch_bytes(std::size_t wanted) const;
    std::uint64_t pending_records() const;

    // Appends what was added as one batch: all of it counts, or nothing. In order of partitions; the view
    // lives until the next call. After ErrorKind::io nothing was appended, or (a sync failed) nobody knows until
    // the next open; further calls fail.
    Result<std::span<const Ack>> commit();
    // The newest epoch that the run published through the sink, as of the last look under the lock; 0: none.
    std::uint64_t published(const std::string& run, const std::string& sink) const;
    // Appends what was added as an epoch (from 1 on) of a run: as commit() does, but always synced, and all of it
    // counts at once by one synced entry that says the epoch, too. One that is not newer than published(),
    // asked under the lock, is not appended again: what was added is dropped. Without records it is said all the
    // same. All of it lies in one segment of each partition, which may become longer than config() says.
    Result<std::span<const Ack>> publish(const std::string& run, const std::string& sink, std::uint64_t epoch);
    // Forgets what was added since the last commit() or publish().
    void drop_pending();
    std::uint64_t duplicates() const;  // records that the filter did not find new
    // Belongs to the caller.
    void set_key_filter(KeyFilter* filter);
    // Called at each commit() or publish() that sealed a segment, with the lock held (retention).
    void on_sealed(std::function<Result<void>(Manifest&)> action);

    // At the end: what went wrong after the last batch was appended (retention at a seal), if anything did. What
    // was acknowledged counts all the same.
    Result<void> finish() const;
    // What recovery found at open, in words, for stderr; empty for nothing.
    const std::string& remark() const;

private:
    struct Impl;
    explicit LogWriter(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// Makes the folders of a new log. ErrorKind::usage where there is one.
Result<void> create_log(FileSystem& files, const std::string& folder, const LogConfig& config);
// Whether the folder is a log.
bool is_log(FileSystem& files, const std::string& folder);

// The partition of a key's canonical text (XXH3-64, seed 0).
std::uint32_t partition_of(std::string_view key, std::uint32_t partitions);

}  // namespace stream::log
