// SPDX-License-Identifier: Apache-2.0
#include "log/log_source.hpp"

#include <fmt/format.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace stream::log {

HeadWatch::HeadWatch(const std::string& folder) : fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    if (fd_ < 0) return;
    // The folder, for a head that is made anew; it tells of writes to the files in it as well.
    if (::inotify_add_watch(fd_, folder.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0) {
        ::close(fd_);
        fd_ = -1;
    }
}

HeadWatch::HeadWatch(HeadWatch&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
HeadWatch& HeadWatch::operator=(HeadWatch&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}
HeadWatch::~HeadWatch() {
    if (fd_ >= 0) ::close(fd_);
}

void HeadWatch::drain() {
    char events[4096];
    while (fd_ >= 0 && ::read(fd_, events, sizeof events) > 0) {
    }
}

namespace {

class LogSource final : public ByteSource {
public:
    LogSource(LogReader reader, const std::string& folder, bool follow) : reader_(std::move(reader)) {
        if (follow) watch_.emplace(folder);
    }

    Result<ReadOutcome> read(std::span<char> into) override {
        while (left_.empty()) {
            auto got = reader_.next(run_);
            if (!got) return pass_on(got);
            switch (*got) {
                case LogReader::Next::records: left_ = run_.lines; break;
                case LogReader::Next::gap:
                    return fail(ErrorKind::io, fmt::format("offsets {}..{} are gone (partition {})", reader_.gap().from, reader_.gap().to, reader_.gap().partition));
                case LogReader::Next::damage: break;
                case LogReader::Next::end: {
                    if (!watch_) return ReadOutcome{ReadOutcome::Status::end, 0};
                    watch_->drain();
                    auto more = reader_.refresh();
                    if (!more) return pass_on(more);
                    if (!*more) return ReadOutcome{ReadOutcome::Status::would_block, 0};
                    break;
                }
            }
        }
        const std::size_t size = std::min(left_.size(), into.size());
        std::memcpy(into.data(), left_.data(), size);
        left_.remove_prefix(size);
        position_ += size;
        return ReadOutcome{ReadOutcome::Status::data, size};
    }

    int poll_fd() const override { return watch_ ? watch_->fd() : -1; }
    int wait_ms() const override { return watch_ ? watch_->wait_ms() : -1; }
    std::uint64_t raw_position() const override { return position_; }
    bool is_regular() const override { return !watch_; }
    bool is_followed() const override { return watch_.has_value(); }

private:
    LogReader reader_;
    std::optional<HeadWatch> watch_;
    Run run_;
    std::string_view left_;
    std::uint64_t position_ = 0;
};

}  // namespace

Result<std::unique_ptr<ByteSource>> open_log_source(FileSystem& files, const std::string& folder, const LogSourceOptions& options) {
    ReaderOptions reading;
    if (options.partition) reading.partitions.push_back(*options.partition);
    auto reader = LogReader::open(files, folder, reading);
    if (!reader) return pass_on(reader);
    for (std::uint32_t p = 0; options.from_end && p < reader->manifest().config().partitions; ++p) reader->seek(p, reader->end_offset(p));
    return std::unique_ptr<ByteSource>(std::make_unique<LogSource>(std::move(*reader), folder, options.follow));
}

}  // namespace stream::log
