// SPDX-License-Identifier: Apache-2.0
// Saved state: a versioned, checksummed, compressed file round the bytes of a StateWriter
// (docs/formats/state.md), and the lock of the folder it lies in.
#pragma once

#include "base/error.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace stream {

// Whose state it is. All three are compared when it is loaded; the third by its fingerprint, and kept
// as text (its first 4 KiB) so that the message can say what changed. At most 255 bytes of tool and name.
struct SnapshotHeader {
    std::string tool;       // stream-dedupe
    std::string name;       // the operator's name in a run, or --name; may be empty
    std::string arguments;  // as they would be typed, without what only changes display
};

// What a commit records of a state file.
struct SavedFile {
    std::uint64_t bytes = 0;
    std::uint32_t crc32c = 0;  // of the whole file
};

// Writes `path` (mode 0600) by way of `path.tmp.XXXXXX`: written, fsynced, renamed, folder fsynced.
// On success it is durable; on failure (ErrorKind::io) what was at `path` before is still there, except
// where only the last fsync of the folder failed: then either may be.
Result<SavedFile> write_snapshot_file(const std::string& path, const SnapshotHeader& header,
                                      std::string_view payload);

// The payload. ErrorKind::corrupt: damaged, cut short, too long, or no state file at all.
// ErrorKind::usage: sound, but another tool's, name's or arguments', or of a format version that this
// program cannot read. ErrorKind::io: cannot be opened or read.
Result<std::string> read_snapshot_file(const std::string& path, const SnapshotHeader& expected);

// The same bytes, for files that are written and read another way: `write` is given them in order; `read_at` answers
// as many as there are, up to into.size(). `path` is for messages.
using SnapshotSink = std::function<Result<void>(std::string_view)>;
using SnapshotReadAt = std::function<Result<std::size_t>(std::span<char> into, std::uint64_t at)>;
Result<SavedFile> write_snapshot(const SnapshotHeader& header, std::string_view payload, const SnapshotSink& write);
Result<std::string> read_snapshot(const std::string& path, std::uint64_t size, const SnapshotReadAt& read_at, const SnapshotHeader& expected);

// The state of one tool in a folder of its own (--state DIR), file `state`. save makes the folder
// (mode 0700) if it is not there. load answers nothing if nothing was saved yet, and removes temporary
// files that a crash left. Hold a StateLock on the folder round both.
Result<void> save_snapshot(const std::string& folder, const SnapshotHeader& header, std::string_view payload);
Result<std::optional<std::string>> load_snapshot(const std::string& folder, const SnapshotHeader& expected);

// The state has served its purpose: the next load finds nothing. Durable on success.
Result<void> remove_snapshot(const std::string& folder);

// One user of a folder at a time: flock on its file LOCK, which is never deleted. Freed by the
// destructor, and by the kernel when the process ends however it ends; children do not inherit it.
class StateLock {
public:
    // Makes the folder if it is not there. ErrorKind::locked, at once, if somebody else has it.
    static Result<StateLock> acquire(const std::string& folder);

    StateLock(StateLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
    StateLock& operator=(StateLock&& other) noexcept;
    ~StateLock();

private:
    explicit StateLock(int fd) : fd_(fd) {}
    int fd_ = -1;
};

}  // namespace stream
