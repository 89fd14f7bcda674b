// SPDX-License-Identifier: Apache-2.0
// A file that gets the output of a run: what an epoch writes is staged, durable before the epoch is committed, and
// appended to the file after that, from the place that the commit says.
//
//     auto sink = FileSink::open(files, run_folder, name, target, attempt, committed);   // finishes what was committed
//     sink->append(bytes);                         // any number of times
//     auto staged = sink->prepare(epoch);          // durable, not visible; goes into the commit
//     sink->publish();                             // after the commit: visible
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "io/file_system.hpp"
#include "run/commit.hpp"
#include "run/staging.hpp"

namespace stream::run {

class FileSink {
public:
    // `target` is there (perhaps empty). `committed`: the sink's entry of the last commit. What it says is in the
    // target when this returns, and durable: the staged bytes are written where they belong, over what is there of
    // them already. ErrorKind::corrupt where the target goes on past them or is shorter than what earlier commits
    // wrote, or the staged bytes fail their checksum. Staged files of others' attempts are removed.
    static Result<std::unique_ptr<FileSink>> open(FileSystem& files, const std::string& run_folder, const std::string& name, const std::string& target,
                                                  std::uint64_t attempt, const std::optional<StagedFile>& committed);
    // For what is no file (a pipe, a terminal): it gets the bytes by `deliver`, after the commit, at least once.
    using Deliver = std::function<Result<void>(std::string_view)>;
    static Result<std::unique_ptr<FileSink>> open_stream(FileSystem& files, const std::string& run_folder, const std::string& name, std::uint64_t attempt,
                                                         const std::optional<StagedFile>& committed, Deliver deliver);
    ~FileSink();

    Result<void> append(std::string_view bytes) { return staging_.append(bytes); }
    // After a failure nothing more is prepared.
    Result<StagedFile> prepare(std::uint64_t epoch);
    // Of what prepare() gave last.
    Result<void> publish();

    // What a commit holds of a sink of that name that had nothing new.
    const StagedFile& newest() const { return newest_; }
    bool is_file() const { return !deliver_; }
    // Where the target ends once what was prepared last is published.
    std::uint64_t published_end() const { return newest_.base + newest_.length; }
    std::uint64_t bytes_staged() const { return staging_.bytes(); }

private:
    FileSink(FileSystem& files, const std::string& run_folder, std::string name, std::string target, std::uint64_t attempt);
    Result<void> finish(const StagedFile& committed);
    Result<void> copy(const StagedFile& staged, File* target);

    FileSystem* files_;
    Staging staging_;
    std::string target_;
    std::uint64_t end_ = 0;  // of the target, once all that was prepared is published
    StagedFile newest_;
    Deliver deliver_;
};

}  // namespace stream::run
