// SPDX-License-Identifier: Apache-2.0
// A pipe whose bytes can be taken ahead while nobody wants them yet, so that its writer is not held up: in memory, then
// in a file without a name.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "base/error.hpp"
#include "io/fd.hpp"
#include "io/source.hpp"

namespace stream {

class SpoolSource final : public ByteSource {
public:
    struct Limits {
        std::size_t memory_bytes = 1 << 20;
        std::uint64_t file_bytes = 10ull << 30;  // past it ErrorKind::limit
        std::string folder = "/tmp";
    };
    SpoolSource(std::unique_ptr<ByteSource> inner, Limits limits) : inner_(std::move(inner)), limits_(std::move(limits)) {}

    // What the pipe has now, to be read later.
    Result<void> read_ahead();

    Result<ReadOutcome> read(std::span<char> into) override;
    int poll_fd() const override { return ended_ ? -1 : inner_->poll_fd(); }
    int wait_ms() const override { return inner_->wait_ms(); }
    std::uint64_t raw_position() const override { return inner_->raw_position(); }
    bool is_regular() const override { return false; }

private:
    Result<void> keep(std::string_view bytes);

    std::unique_ptr<ByteSource> inner_;
    Limits limits_;
    std::deque<std::string> memory_;
    std::size_t in_memory_ = 0;
    std::size_t taken_ = 0;  // of memory_.front()
    OwnedFd file_;           // what came after memory_
    std::uint64_t file_begin_ = 0;
    std::uint64_t file_end_ = 0;
    bool ended_ = false;
};

}  // namespace stream
