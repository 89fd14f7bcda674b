// SPDX-License-Identifier: Apache-2.0
// What a sink stages: the bytes of an epoch in a file of staged/, durable and with a checksum before the epoch is
// committed, taken up again after that.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "io/file_system.hpp"
#include "run/commit.hpp"

namespace stream::run {

class Staging {
public:
    Staging(FileSystem& files, const std::string& run_folder, std::string name, std::uint64_t attempt)
        : files_(&files), folder_(run_folder + "/staged"), name_(std::move(name)), attempt_(attempt) {}

    Result<void> append(std::string_view bytes);
    // To build bytes in place: append to the string, then call commit().
    std::string& buffer() { return buffer_; }
    Result<void> commit();
    // Durable when it returns: name, file, length and checksum of what was appended since; no file for nothing.
    Result<StagedFile> finish();
    std::uint64_t bytes() const { return length_ + buffer_.size(); }

    // Gives the bytes of a staged file, in blocks, once all of them have passed the checksum: use(bytes, position).
    // ErrorKind::corrupt.
    Result<void> read(const StagedFile& staged, const std::function<Result<void>(std::string_view, std::uint64_t)>& use) const;
    Result<bool> is_there(const StagedFile& staged) const;
    Result<void> remove(const StagedFile& staged) const { return files_->remove(folder_ + "/" + staged.file); }
    // Everything that attempts before staged for this sink.
    Result<void> sweep() const;

private:
    Result<void> write_out();

    FileSystem* files_;
    std::string folder_;
    std::string name_;
    std::uint64_t attempt_;
    std::string file_name_;
    std::unique_ptr<File> file_;
    std::uint64_t number_ = 0;  // of the files of this attempt
    std::uint64_t length_ = 0;
    std::uint32_t crc_ = 0;
    std::string buffer_;
};

}  // namespace stream::run
