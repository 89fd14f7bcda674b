// SPDX-License-Identifier: Apache-2.0
// `commit`: the one file whose rename says that an epoch of a run counts. docs/formats/run.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "io/file_system.hpp"
#include "run/message.hpp"

namespace stream::run {

// A file in state/.
struct StateFile {
    std::string file;
    std::uint64_t length = 0;
    std::uint32_t crc = 0;  // CRC-32C of the file
};

// The state of one operator, as of the epoch: its bytes where there are few, else a file in state/, and what changed
// since, oldest first.
struct SavedState {
    std::string name;          // of the operator
    std::string bytes;         // empty where there is a file
    std::string file;          // below state/
    std::uint64_t length = 0;  // of the file
    std::uint32_t crc = 0;     // CRC-32C of the file
    bool ended = false;        // nothing more comes from it: its inputs have ended for good
    std::vector<StateFile> changes{};
    std::vector<StateFile> kept{};  // what the whole copy has in files of their own (state/kept_files.hpp), by number

    bool has_file(const std::string& one) const;
    std::uint64_t size() const;  // of all of it, bytes
};

// What a file gets of an epoch: `length` bytes of a file in staged/, from the place `base` on.
struct StagedFile {
    std::string name;          // of the sink
    std::string target;        // absolute path; empty: not a file that can be looked at (a pipe, a terminal)
    std::string file;          // below staged/; empty where there is nothing new
    std::uint64_t base = 0;
    std::uint64_t length = 0;
    std::uint32_t crc = 0;     // CRC-32C of the staged bytes
};

// A sink that keeps its own record of epochs (a log).
struct SinkMark {
    std::string name;
    std::string target;
};

struct Commit {
    std::string run;            // permanent id
    std::uint64_t epoch = 0;    // 0: nothing was ever committed
    std::uint64_t attempt = 0;
    bool finished = false;      // drained: another start has nothing to do
    std::vector<SavedState> states;
    std::vector<StagedFile> files;
    std::vector<SinkMark> marks;
};

// How they are written, in the commit and on run.sock (kinds "state" and "file"); and back, nothing where the message
// makes no sense.
Message to_message(const SavedState& state);
Message to_message(const StagedFile& file);
std::optional<SavedState> saved_state_of(const Message& message);
std::optional<StagedFile> staged_file_of(const Message& message);

// Replaces `folder`/`name`: written beside it (NAME.next, which a crash leaves and the next call takes away), synced,
// renamed, the folder synced.
Result<void> replace_in_folder(FileSystem& files, const std::string& folder, const std::string& name, std::string_view bytes);

// Replaces `folder`/commit so. The rename is the commit; after a failure of the last step nobody may be told (ErrorKind::io).
Result<void> write_commit(FileSystem& files, const std::string& folder, const Commit& commit);
// ErrorKind::corrupt where it fails its checks. Nothing where there is none.
Result<std::optional<Commit>> read_commit(FileSystem& files, const std::string& folder);

}  // namespace stream::run
