// SPDX-License-Identifier: Apache-2.0
// A file without a name for what does not fit in memory: its space is the system's again when the
// process ends, however it ends.
#pragma once

#include "base/error.hpp"
#include "io/fd.hpp"
#include "state/kept_files.hpp"

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

    // One that was kept: to be read alone.
    static Result<TempFile> open_kept(const std::string& path);
    // From here on it is not changed any more. Its number in `files`.
    Result<std::uint64_t> keep(KeptFiles& files);
    bool is_kept() const { return is_kept_; }

    // ErrorKind::io, a full disk among them.
    Result<void> write_at(std::uint64_t at, std::string_view bytes);
    // Fills `into`.
    Result<void> read_at(std::uint64_t at, std::span<char> into) const;

    // Gives the space of a range back; false where it cannot be had (it comes back when the file is closed).
    bool punch(std::uint64_t at, std::uint64_t size);

private:
    TempFile(OwnedFd fd, std::string folder) : fd_(std::move(fd)), folder_(std::move(folder)) {}

    OwnedFd fd_;
    std::string folder_;  // for messages
    bool is_kept_ = false;
};

}  // namespace stream
