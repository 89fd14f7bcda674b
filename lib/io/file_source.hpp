// SPDX-License-Identifier: Apache-2.0
// The bytes of a descriptor, decompressed if their first ones ask for it.
#pragma once

#include "base/error.hpp"
#include "io/decompress.hpp"
#include "io/fd.hpp"
#include "io/given_bytes.hpp"
#include "io/source.hpp"

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace stream {

// The bytes as they are. Never changes O_NONBLOCK, which whoever else has the descriptor would see; whether
// a read would wait is asked first.
class Descriptor {
public:
    Descriptor(int fd, std::shared_ptr<OwnedFd> owned, std::string name, const struct stat& status);

    Result<ReadOutcome> read(std::span<char> into);
    Result<void> go_to(std::uint64_t position);  // of a regular file

    int fd() const { return fd_; }
    const std::shared_ptr<OwnedFd>& owned() const { return owned_; }
    const std::string& name() const { return name_; }
    bool is_regular() const { return regular_; }
    std::uint64_t position() const { return position_; }
    std::uint64_t size() const { return size_; }

private:
    bool is_ready() const;

    int fd_;
    std::shared_ptr<OwnedFd> owned_;  // of fd_, or empty
    std::string name_;
    bool regular_;
    bool ended_ = false;
    std::uint64_t position_ = 0;
    std::uint64_t size_ = 0;
};

class FileSource final : public ByteSource {
public:
    explicit FileSource(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

    Result<ReadOutcome> read(std::span<char> into) override;
    int poll_fd() const override { return descriptor_.is_regular() ? -1 : descriptor_.fd(); }
    std::uint64_t raw_position() const override { return descriptor_.position(); }
    std::uint64_t raw_size() const override { return descriptor_.size(); }
    bool is_regular() const override { return descriptor_.is_regular(); }

    // A regular file that it owns, not read yet: what is known of it is noted from now on.
    Result<void> note_life(const struct stat& status);
    const FileLifePtr& life() const { return life_; }
    // Moves to the place, after note_life(), if its checksums say that it is one of this file. If not, where
    // the source stands is not said. Errors are those of reading.
    Result<bool> go_to(const FilePlace& place);

private:
    Result<ReadOutcome> read_on(std::span<char> into);
    Result<ReadOutcome> read_first(std::span<char> into);
    Result<ReadOutcome> take_kept(std::span<char> into);
    Result<ReadOutcome> read_compressed(std::span<char> into);
    Result<ReadOutcome> refill();
    Result<bool> skip_to(const FilePlace& place);

    Descriptor descriptor_;
    std::string kept_;
    bool decided_ = false;
    FileLifePtr life_;

    std::unique_ptr<Decompressor> decompressor_;
    std::unique_ptr<char[]> block_;
    std::span<const char> compressed_;  // what is left of block_, or of kept_ at first
    bool more_to_come_out_ = false;
};

// Of the bytes [begin, begin + size) of a compressed file, decompressed from its start; fewer if it is
// shorter.
Result<std::uint32_t> crc_of_compressed(const OwnedFd& fd, const std::string& name, std::uint64_t begin,
                                        std::size_t size);

}  // namespace stream
