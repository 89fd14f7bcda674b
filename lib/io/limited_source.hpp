// SPDX-License-Identifier: Apache-2.0
// The first bytes of another source.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>

#include "io/source.hpp"

namespace stream {

class LimitedSource final : public ByteSource {
public:
    LimitedSource(std::unique_ptr<ByteSource> inner, std::uint64_t bytes) : inner_(std::move(inner)), left_(bytes) {}

    Result<ReadOutcome> read(std::span<char> into) override {
        if (left_ == 0) return ReadOutcome{ReadOutcome::Status::end, 0};
        auto got = inner_->read(into.first(static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), left_))));
        if (got) left_ -= got->size;
        return got;
    }
    int poll_fd() const override { return inner_->poll_fd(); }
    int wait_ms() const override { return inner_->wait_ms(); }
    std::uint64_t raw_position() const override { return inner_->raw_position(); }
    std::uint64_t raw_size() const override { return inner_->raw_size(); }
    bool is_regular() const override { return inner_->is_regular(); }
    Result<std::optional<FilePlace>> place_at(std::uint64_t count) override { return inner_->place_at(count); }
    // How many of them the other source did not have.
    std::uint64_t missing() const { return left_; }

private:
    std::unique_ptr<ByteSource> inner_;
    std::uint64_t left_;
};

}  // namespace stream
