// SPDX-License-Identifier: Apache-2.0
// A file without a name for what does not fit in memory: its space is the system's again when the
// process ends, however it ends.
#pragma once

#include "base/error.hpp"
#include "io/fd.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace stream {

class TempFile {
public:
    // In `folder` (made with mode 0700 if it is not there). ErrorKind::io.
    static Result<TempFile> create(const std::string& folder);

    // ErrorKind::io, a full disk among them.
    Result<void> write_at(std::uint64_t at, std::string_view bytes);
    // Fills `into`.
    Result<void> read_at(std::uint64_t at, std::span<char> into) const;

    // Gives the space of a range back; false where the file system cannot (it comes back when the file
    // is closed).
    bool punch(std::uint64_t at, std::uint64_t size);

private:
    TempFile(OwnedFd fd, std::string folder) : fd_(std::move(fd)), folder_(std::move(folder)) {}

    OwnedFd fd_;
    std::string folder_;  // for messages
};

}  // namespace stream
