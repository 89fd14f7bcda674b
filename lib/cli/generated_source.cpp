// SPDX-License-Identifier: Apache-2.0
#include "cli/generated_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <ctime>
#include <deque>

namespace stream {

namespace {

constexpr std::size_t block_bytes = 64 << 10;
constexpr std::size_t blocks_kept = 64;  // what is read ahead of what is used lies in them

std::int64_t steady_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * ns_per_second + now.tv_nsec;
}

class Generated final : public PlacedSource {
public:
    Generated(const GenOptions& options, double rate) : generator_(options), rate_(rate), start_ns_(steady_ns()) {}

    // Goes on there: what of the block was used is made again and left out.
    void go_to(std::uint64_t position, std::uint64_t skip) {
        generator_.seek(position);
        make_block(position);
        left_ = std::string_view(block_).substr(static_cast<std::size_t>(std::min<std::uint64_t>(skip, block_.size())));
        begins_.front().delivered = 0;
        begins_.front().skipped = skip;
    }

    Result<ReadOutcome> read(std::span<char> into) override {
        if (left_.empty()) {
            if (generator_.done()) return ReadOutcome{ReadOutcome::Status::end, 0};
            if (!is_due()) return ReadOutcome{ReadOutcome::Status::would_block, 0};
            make_block(generator_.position());
            left_ = block_;
            if (left_.empty()) return ReadOutcome{generator_.done() ? ReadOutcome::Status::end : ReadOutcome::Status::would_block, 0};
        }
        const std::size_t size = std::min(left_.size(), into.size());
        std::memcpy(into.data(), left_.data(), size);
        left_.remove_prefix(size);
        delivered_ += size;
        return ReadOutcome{ReadOutcome::Status::data, size};
    }

    Result<std::string> place_text(std::uint64_t count) const override {
        for (auto begin = begins_.rbegin(); begin != begins_.rend(); ++begin) {
            if (begin->delivered <= count) return fmt::format("gen {} {}", begin->position, count - begin->delivered + begin->skipped);
        }
        return std::string();
    }

    int poll_fd() const override { return -1; }
    int wait_ms() const override { return rate_ > 0 ? 1 : -1; }
    std::uint64_t raw_position() const override { return delivered_; }
    bool is_regular() const override { return rate_ <= 0; }

private:
    struct Begin {
        std::uint64_t delivered = 0;
        std::uint64_t position = 0;
        std::uint64_t skipped = 0;
    };

    bool is_due() const { return rate_ <= 0 || static_cast<double>(steady_ns() - start_ns_) / 1e9 * rate_ + 1 >= given_ + 1; }

    void make_block(std::uint64_t position) {
        block_.clear();
        begins_.push_back({delivered_, position, 0});
        if (begins_.size() > blocks_kept) begins_.pop_front();
        std::uint64_t turns = GenOptions::endless;
        if (rate_ > 0) {
            turns = static_cast<std::uint64_t>(std::max(1.0, static_cast<double>(steady_ns() - start_ns_) / 1e9 * rate_ + 1 - given_));
            given_ += static_cast<double>(turns);
        }
        generator_.next_block(block_, block_bytes, turns);
    }

    Generator generator_;
    double rate_;
    std::int64_t start_ns_;
    double given_ = 0;
    std::string block_;
    std::string_view left_;
    std::uint64_t delivered_ = 0;
    std::deque<Begin> begins_;
};

}  // namespace

Result<std::unique_ptr<PlacedSource>> open_generated(const GenOptions& options, double rate, const std::string& place) {
    auto source = std::make_unique<Generated>(options, place.empty() ? rate : 0);
    if (place.empty()) return std::unique_ptr<PlacedSource>(std::move(source));
    std::uint64_t numbers[2] = {0, 0};
    const char* at = place.data() + std::min<std::size_t>(4, place.size());
    const char* end = place.data() + place.size();
    for (std::uint64_t& number : numbers) {
        const auto parsed = std::from_chars(at, end, number);
        if (!place.starts_with("gen ") || parsed.ec != std::errc()) return fail(ErrorKind::corrupt, "the saved place of generated events cannot be read");
        at = std::min(parsed.ptr + 1, end);
    }
    source->go_to(numbers[0], numbers[1]);
    return std::unique_ptr<PlacedSource>(std::move(source));
}

}  // namespace stream
