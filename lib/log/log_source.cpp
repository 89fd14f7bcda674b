// SPDX-License-Identifier: Apache-2.0
#include "log/log_source.hpp"

#include <fmt/format.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "log/given_records.hpp"

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

class Records final : public LogSource {
public:
    Records(LogReader reader, const std::string& folder, const LogSourceOptions& options) : reader_(std::move(reader)), tell_gap_(options.tell_gap) {
        if (options.follow) watch_.emplace(folder);
    }

    Result<ReadOutcome> read(std::span<char> into) override {
        while (left_.empty()) {
            std::vector<std::uint64_t> before = positions();
            auto got = reader_.next(run_);
            if (!got) return pass_on(got);
            switch (*got) {
                case LogReader::Next::records:
                    left_ = run_.lines;
                    given_.add(run_, left_, std::move(before));
                    break;
                case LogReader::Next::gap:
                    if (tell_gap_ == nullptr) {
                        return fail(ErrorKind::data, gap_text(reader_.gap()), fmt::format("stream-log read and stream-cat go on at offset {}: --on-gap skip", reader_.gap().to + 1));
                    }
                    tell_gap_(gap_text(reader_.gap()));
                    break;
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
        return ReadOutcome{ReadOutcome::Status::data, size};
    }

    Result<std::vector<std::uint64_t>> places_at(std::uint64_t delivered) const override { return given_.places_at(delivered, positions()); }

    int poll_fd() const override { return watch_ ? watch_->fd() : -1; }
    int wait_ms() const override { return watch_ ? watch_->wait_ms() : -1; }
    std::uint64_t raw_position() const override { return given_.count() - left_.size(); }
    bool is_regular() const override { return !watch_; }
    bool is_followed() const override { return watch_.has_value(); }

private:
    std::vector<std::uint64_t> positions() const {
        std::vector<std::uint64_t> all;
        for (std::uint32_t p = 0; p < reader_.manifest().config().partitions; ++p) all.push_back(reader_.position(p));
        return all;
    }

    GivenRecords given_;
    LogReader reader_;
    std::function<void(const std::string&)> tell_gap_;
    std::optional<HeadWatch> watch_;
    Run run_;
    std::string_view left_;
};

}  // namespace

std::string gap_text(const Gap& gap) {
    if (gap.from == gap.to) return fmt::format("offset {} is gone (partition {})", gap.from, gap.partition);
    return fmt::format("offsets {}..{} are gone (partition {})", gap.from, gap.to, gap.partition);
}

tl::unexpected<Error> gap_failure(const Gap& gap) {
    return fail(ErrorKind::data, gap_text(gap), fmt::format("--on-gap skip goes on at offset {}", gap.to + 1));
}

Result<std::unique_ptr<LogSource>> open_log_source(FileSystem& files, const std::string& folder, const LogSourceOptions& options) {
    ReaderOptions reading;
    reading.partitions = options.partitions;
    auto reader = LogReader::open(files, folder, reading);
    if (!reader) return pass_on(reader);
    for (std::uint32_t p = 0; options.from_end && p < reader->manifest().config().partitions; ++p) reader->seek(p, reader->end_offset(p));
    for (std::uint32_t p = 0; p < options.resume.size() && p < reader->manifest().config().partitions; ++p) reader->seek(p, options.resume[p]);
    for (std::uint32_t p = 0; p < options.stop.size() && p < reader->manifest().config().partitions; ++p) reader->stop_at(p, options.stop[p]);
    return std::unique_ptr<LogSource>(std::make_unique<Records>(std::move(*reader), folder, options));
}

}  // namespace stream::log
