// SPDX-License-Identifier: Apache-2.0
// Another source from behind its first newline on: somebody else has read the beginning of the line it stands in.
#pragma once

#include <cstring>
#include <memory>
#include <utility>

#include "io/source.hpp"

namespace stream {

class NextLineSource final : public ByteSource {
public:
    explicit NextLineSource(std::unique_ptr<ByteSource> inner) : inner_(std::move(inner)) {}

    Result<ReadOutcome> read(std::span<char> into) override {
        for (;;) {
            auto got = inner_->read(into);
            if (!got || began_ || got->status != ReadOutcome::Status::data) return got;
            const auto* newline = static_cast<const char*>(std::memchr(into.data(), '\n', got->size));
            if (newline == nullptr) continue;
            began_ = true;
            const auto dropped = static_cast<std::size_t>(newline - into.data()) + 1;
            if (dropped == got->size) continue;
            std::memmove(into.data(), newline + 1, got->size - dropped);
            return ReadOutcome{ReadOutcome::Status::data, got->size - dropped};
        }
    }
    int poll_fd() const override { return inner_->poll_fd(); }
    int wait_ms() const override { return inner_->wait_ms(); }
    std::uint64_t raw_position() const override { return inner_->raw_position(); }
    std::uint64_t raw_size() const override { return inner_->raw_size(); }
    bool is_regular() const override { return inner_->is_regular(); }

private:
    std::unique_ptr<ByteSource> inner_;
    bool began_ = false;
};

}  // namespace stream
