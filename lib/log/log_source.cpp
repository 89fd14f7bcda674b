// SPDX-License-Identifier: Apache-2.0
#include "log/log_source.hpp"

#include <fmt/format.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <deque>
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

class Records final : public LogSource {
public:
    Records(LogReader reader, const std::string& folder, bool follow) : reader_(std::move(reader)) {
        if (follow) watch_.emplace(folder);
        for (std::uint32_t p = 0; p < reader_.manifest().config().partitions; ++p) next_.push_back(reader_.position(p));
    }

    Result<ReadOutcome> read(std::span<char> into) override {
        while (left_.empty()) {
            auto got = reader_.next(run_);
            if (!got) return pass_on(got);
            switch (*got) {
                case LogReader::Next::records: begin_run(); break;
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

    Result<std::vector<std::uint64_t>> places_at(std::uint64_t delivered) const override {
        // The run that holds the last byte used: of its partition the record behind it is next.
        for (auto piece = pieces_.rbegin(); piece != pieces_.rend(); ++piece) {
            if (piece->begin >= delivered) continue;
            std::vector<std::uint64_t> places = piece->before;
            const std::string_view used = std::string_view(piece->lines).substr(0, static_cast<std::size_t>(delivered - piece->begin));
            const auto records = static_cast<std::size_t>(std::count(used.begin(), used.end(), '\n'));
            if (records > 0) places[piece->partition] = piece->offsets[records - 1] + 1;
            return places;
        }
        if (pieces_.empty() || delivered == pieces_.front().begin) return pieces_.empty() ? next_ : pieces_.front().before;
        return fail(ErrorKind::io, fmt::format("byte {} of the log's records is too far back to be found again", delivered));
    }

    int poll_fd() const override { return watch_ ? watch_->fd() : -1; }
    int wait_ms() const override { return watch_ ? watch_->wait_ms() : -1; }
    std::uint64_t raw_position() const override { return position_; }
    bool is_regular() const override { return !watch_; }
    bool is_followed() const override { return watch_.has_value(); }

private:
    // What was given, as far back as somebody may not have used it up: a block of lines and one line.
    struct Piece {
        std::uint64_t begin = 0;
        std::uint32_t partition = 0;
        std::vector<std::uint64_t> before;   // each partition's next offset, before it
        std::vector<std::uint64_t> offsets;  // of its records
        std::string lines;
    };

    void begin_run() {
        left_ = run_.lines;
        Piece piece{position_, run_.partition, next_, {}, std::string(run_.lines)};
        for (std::uint32_t i = 0; i < run_.records; ++i) piece.offsets.push_back(run_.offset_of(i));
        if (run_.records > 0) next_[run_.partition] = piece.offsets.back() + 1;
        kept_ += piece.lines.size();
        pieces_.push_back(std::move(piece));
        constexpr std::uint64_t enough = 2u << 20;
        while (pieces_.size() > 2 && kept_ - pieces_.front().lines.size() > enough + 2 * pieces_.back().lines.size()) {
            kept_ -= pieces_.front().lines.size();
            pieces_.pop_front();
        }
    }

    std::deque<Piece> pieces_;
    std::uint64_t kept_ = 0;
    std::vector<std::uint64_t> next_;
    LogReader reader_;
    std::optional<HeadWatch> watch_;
    Run run_;
    std::string_view left_;
    std::uint64_t position_ = 0;
};

}  // namespace

Result<std::unique_ptr<LogSource>> open_log_source(FileSystem& files, const std::string& folder, const LogSourceOptions& options) {
    ReaderOptions reading;
    reading.partitions = options.partitions;
    auto reader = LogReader::open(files, folder, reading);
    if (!reader) return pass_on(reader);
    for (std::uint32_t p = 0; options.from_end && p < reader->manifest().config().partitions; ++p) reader->seek(p, reader->end_offset(p));
    for (std::uint32_t p = 0; p < options.resume.size() && p < reader->manifest().config().partitions; ++p) reader->seek(p, options.resume[p]);
    for (std::uint32_t p = 0; p < options.stop.size() && p < reader->manifest().config().partitions; ++p) reader->stop_at(p, options.stop[p]);
    return std::unique_ptr<LogSource>(std::make_unique<Records>(std::move(*reader), folder, options.follow));
}

}  // namespace stream::log
