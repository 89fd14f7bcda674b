// SPDX-License-Identifier: Apache-2.0
// The files that bore the name are read one after the other, each held open from the moment it is
// seen. One is left for the next when
//   - it was read to its end,
//   - the next one has bytes, so that its writer has gone over to it, and
//   - it was read to its end once more after that was seen.
// A writer of several processes may still write to the one that was left: it is looked at until it has
// been quiet for a while, and lines that come are put between those of the next.
#include "io/follow.hpp"

#include "base/check.hpp"
#include "io/decompress.hpp"
#include "io/fd.hpp"
#include "io/followed_file.hpp"
#include "io/given_bytes.hpp"
#include "io/name_watch.hpp"
#include "io/place_search.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace stream {

namespace {

using Clock = std::chrono::steady_clock;
using Found = FollowedFile::Look::Found;
using Identity = FollowedFile::Identity;

constexpr auto straggler_quiet = std::chrono::seconds(30);
constexpr auto straggler_pause = std::chrono::milliseconds(50);
constexpr auto unopenable_limit = std::chrono::seconds(30);
constexpr std::size_t stragglers_max = 16;
constexpr std::size_t files_max = 256;

ReadOutcome data(std::size_t size) { return {ReadOutcome::Status::data, size}; }

class FollowSource final : public ByteSource {
public:
    FollowSource(const std::string& path, FollowOptions options)
        : path_(path), options_(std::move(options)), watch_(path) {
        if (options_.places || options_.resume) given_.enable();
    }

    // The file that is there now, if there is one; or the place where reading goes on.
    Result<void> start();

    Result<ReadOutcome> read(std::span<char> into) override;

    int poll_fd() const override { return watch_.fd(); }
    int wait_ms() const override { return options_.poll_ms; }
    std::uint64_t raw_position() const override {
        if (earlier_) return earlier_->raw_position();
        return files_.empty() ? 0 : files_.front().file.delivered();
    }
    std::uint64_t raw_size() const override {
        if (earlier_) return earlier_->raw_size();
        return files_.empty() ? 0 : files_.front().file.size_seen();
    }
    Result<std::optional<FilePlace>> place_at(std::uint64_t count) override { return given_.place_at(count); }
    bool is_regular() const override { return false; }
    bool is_followed() const override { return true; }

private:
    struct Held {
        FollowedFile file;
        int watch;
        Clock::time_point active;  // of a straggler: when it last grew
        std::string line;          // of a straggler: the beginning of a very long line
    };

    Result<void> check_file() const;
    Result<void> resume(const FilePlace& place);
    Result<Held> hold(const FilePart& part);
    Result<void> look_at_name();
    std::optional<Held> open_file(const std::string& path);
    void take_in(std::optional<Held> held);
    bool is_known(Identity identity) const;
    Result<void> look_refused(int error_number);

    Result<std::optional<ReadOutcome>> read_earlier(std::span<char> into);
    Result<std::optional<ReadOutcome>> read_file(std::span<char> into);
    void read_stragglers();
    bool take_lines(Held& held);
    bool writer_went_over() const;
    void leave_first();
    void drop_straggler(std::size_t index);
    ReadOutcome deliver(std::span<const char> into, std::size_t size);
    ReadOutcome deliver_ready(std::span<char> into);
    void end_line(FollowedFile& file);
    void make_ready(const FileLifePtr& life, std::uint64_t file_end, std::string_view line, bool was_left,
                    bool newline);

    void report(const FollowedFile::Look& look, std::uint64_t position);
    void say(const std::string& sentence) const {
        if (options_.on_gap) options_.on_gap(sentence);
    }

    std::string path_;
    FollowOptions options_;
    NameWatch watch_;
    GivenBytes given_;
    std::optional<PartReader> earlier_;  // resumed: files to be read before any other
    std::deque<Held> files_;             // the one being read, then those that bore the name after it
    std::vector<Held> stragglers_;       // left, but perhaps still written to
    Clock::time_point stragglers_looked_at_;
    bool last_look_ = false;   // the first file ended after the next one was seen to have bytes
    bool overflowed_ = false;  // files may have borne the name unseen
    bool in_line_ = false;     // what was delivered doesn't end in a newline
    std::string block_;        // for reading stragglers
    std::string ready_;        // to be delivered before anything else
    std::optional<Clock::time_point> refused_since_;
};

Result<void> check_kind(const std::string& path, const struct stat& status) {
    if (S_ISREG(status.st_mode)) return {};
    if (S_ISDIR(status.st_mode))
        return fail(ErrorKind::usage, fmt::format("{} is a directory", quoted_name(path)));
    return fail(ErrorKind::usage,
                fmt::format("{} is not a regular file, and only those can be followed", quoted_name(path)),
                "leave out --follow: a pipe is read until its writer closes it");
}

Result<void> FollowSource::check_file() const {
    const OwnedFd fd = open_fd(path_, O_RDONLY | O_NONBLOCK);
    if (!fd.is_open()) {
        if (errno == ENOENT) return {};
        return system_failure("open", path_, errno);
    }
    struct stat status;
    if (::fstat(fd.get(), &status) != 0) return system_failure("open", path_, errno);
    STREAM_TRY(check_kind(path_, status));
    char first[4];
    const ssize_t got = pread_full(fd.get(), first, 0);
    if (got < 0) return system_failure("read", path_, errno);
    const Compression compression = detect_compression({first, static_cast<std::size_t>(got)});
    if (compression == Compression::gzip || compression == Compression::zstd) {
        return fail(ErrorKind::usage,
                    fmt::format("{} is compressed: such a file doesn't grow and can't be followed",
                                quoted_name(path_)),
                    "leave out --follow");
    }
    return {};
}

Result<void> FollowSource::start() {
    STREAM_TRY(check_file());
    const bool goes_on = options_.resume.has_value();
    if (goes_on && (options_.resume->inode != 0 || !options_.resume->is_empty()))
        return resume(*options_.resume);
    STREAM_TRY(look_at_name());
    if (goes_on || !options_.from_end || files_.empty()) return {};
    FollowedFile& file = files_.front().file;
    STREAM_TRY(file.skip_to_end());
    given_.start_at(file.life(), file.position());
    return {};
}

// Compressed siblings, and what comes before them, are read to their end; the others may still be written to.
Result<void> FollowSource::resume(const FilePlace& place) {
    auto found = find_place(path_, place, [this] { watch_.drain(); });
    if (!found) return pass_on(found);
    if (found->gap && options_.on_resume_gap == OnGap::fail) return gap_failure(*found->gap);
    if (found->gap) say(*found->gap + ": going on with what is there");

    std::vector<FilePart>& parts = found->parts;
    const auto is_compressed = [](const FilePart& part) { return part.source->life()->compressed; };
    const auto in_order =
        std::find_if(parts.begin(), parts.end(), [](const FilePart& part) { return !part.left; });
    const auto followed =
        std::find_if(parts.rbegin(), std::make_reverse_iterator(in_order), is_compressed).base();
    std::vector<FilePart> earlier;
    for (auto part = parts.begin(); part != parts.end(); ++part) {
        const bool ends = part->left ? is_compressed(*part) : part < followed;
        FileLifePtr life = part->source->life();
        const std::uint64_t offset = part->offset;
        const bool left = part->left;
        if (ends) {
            earlier.push_back(std::move(*part));
        } else {
            auto held = hold(*part);
            if (!held) return pass_on(held);
            life = held->file.life();
            if (left) stragglers_.push_back(*std::move(held));
            if (!left) files_.push_back(*std::move(held));
        }
        if (left) given_.start_left(life, offset);
        if (!left && part == in_order) given_.start_at(life, offset);
    }
    if (!earlier.empty()) earlier_.emplace(std::move(earlier), given_, true);
    return {};
}

Result<FollowSource::Held> FollowSource::hold(const FilePart& part) {
    const FileLifePtr& life = part.source->life();
    struct stat status;
    if (::fstat(life->fd->get(), &status) != 0) return system_failure("open", part.path, errno);
    const int watch = watch_.watch_file(life->fd->get());
    Held held{FollowedFile(life->fd, path_, status, place_window), watch, Clock::now(), {}};
    STREAM_TRY(held.file.start_at(part.offset));
    return held;
}

Result<ReadOutcome> FollowSource::read(std::span<char> into) {
    STREAM_CHECK(!into.empty());
    if (!ready_.empty()) return deliver_ready(into);
    STREAM_TRY(look_at_name());
    if (earlier_) {
        auto outcome = read_earlier(into);
        if (!outcome) return pass_on(outcome);
        if (*outcome) return **outcome;
    }
    if (Clock::now() - stragglers_looked_at_ >= straggler_pause) {
        read_stragglers();
        if (!ready_.empty()) return deliver_ready(into);
    }
    auto outcome = read_file(into);
    if (!outcome) return pass_on(outcome);
    if (*outcome) return **outcome;
    read_stragglers();
    if (!ready_.empty()) return deliver_ready(into);
    return ReadOutcome{ReadOutcome::Status::would_block, 0};
}

Result<std::optional<ReadOutcome>> FollowSource::read_earlier(std::span<char> into) {
    auto outcome = earlier_->read(into);
    if (!outcome) return pass_on(outcome);
    if (outcome->status == ReadOutcome::Status::data) return deliver(into, outcome->size);
    earlier_.reset();
    return std::nullopt;
}

// Nothing if all there is was read.
Result<std::optional<ReadOutcome>> FollowSource::read_file(std::span<char> into) {
    while (!files_.empty()) {
        FollowedFile& file = files_.front().file;
        if (!files_.front().line.empty()) {
            make_ready(file.life(), file.delivered(), std::exchange(files_.front().line, {}), false, false);
            return deliver_ready(into);
        }
        const std::uint64_t position = file.position();
        auto look = file.look(into);
        if (!look) return pass_on(look);
        report(*look, position);
        if (look->found == Found::data) {
            last_look_ = false;
            given_.add(file.life(), file.delivered(), look->size, look->size, false);
            return deliver(into, look->size);
        }
        if (look->found == Found::restarted) {
            last_look_ = false;
            end_line(file);
            given_.end_life(file.life_of_unfinished());
            if (!ready_.empty()) return deliver_ready(into);
            continue;
        }
        if (look->found == Found::stale) {
            leave_first();
        } else {
            if (!writer_went_over()) break;
            if (!std::exchange(last_look_, true)) continue;
            leave_first();
        }
        if (!ready_.empty()) return deliver_ready(into);
    }
    return std::nullopt;
}

// A file with bytes came after the first. (Or many empty ones did: they are not held for ever.)
bool FollowSource::writer_went_over() const {
    constexpr std::size_t empty_max = 8;
    const auto has_bytes = [](const Held& held) { return !held.file.is_empty_now(); };
    return files_.size() > empty_max || std::any_of(files_.begin() + 1, files_.end(), has_bytes);
}

void FollowSource::leave_first() {
    last_look_ = false;
    end_line(files_.front().file);
    if (stragglers_.size() == stragglers_max) {
        take_lines(stragglers_.front());
        drop_straggler(0);
    }
    files_.front().active = Clock::now();
    stragglers_.push_back(std::move(files_.front()));
    files_.pop_front();
}

// Whole lines only, and only where a line has ended: into ready_.
void FollowSource::read_stragglers() {
    if (in_line_ || stragglers_.empty()) return;
    stragglers_looked_at_ = Clock::now();
    for (std::size_t i = 0; i < stragglers_.size();) {
        Held& held = stragglers_[i];
        const std::uint64_t position = held.file.position();
        const bool over = !take_lines(held);
        if (held.file.position() != position) held.active = stragglers_looked_at_;
        if (over || stragglers_looked_at_ - held.active > straggler_quiet) {
            drop_straggler(i);
        } else {
            ++i;
        }
    }
}

// False when nothing more is to be had of this file.
bool FollowSource::take_lines(Held& held) {
    constexpr std::size_t at_once_max = 1 << 20;
    block_.resize(64 << 10);
    for (std::size_t taken = 0; taken < at_once_max;) {
        const std::uint64_t position = held.file.position();
        auto look = held.file.look(block_);
        if (!look) return false;
        report(*look, position);
        if (look->found != Found::data) return look->found == Found::nothing;
        held.line.append(block_, 0, look->size);
        taken += look->size;
        if (held.line.back() != '\n') continue;
        make_ready(held.file.life(), held.file.delivered(), std::exchange(held.line, {}), true, false);
    }
    return true;
}

// The end of what was taken of it is the end of a line.
void FollowSource::drop_straggler(std::size_t index) {
    Held& held = stragglers_[index];
    const FileLifePtr& life = held.file.life_of_unfinished();
    held.line += held.file.take_unfinished();
    if (!held.line.empty()) make_ready(life, life->bytes.end, held.line, true, true);
    given_.drop(life);
    watch_.forget_file(held.watch);
    stragglers_.erase(stragglers_.begin() + static_cast<std::ptrdiff_t>(index));
}

// A last line without a newline is complete where its file is.
void FollowSource::end_line(FollowedFile& file) {
    STREAM_CHECK(ready_.empty());
    const std::string rest = file.take_unfinished();
    const FileLifePtr& life = file.life_of_unfinished();
    make_ready(life, life->bytes.end, rest, false, in_line_ || !rest.empty());
}

// Puts the bytes of the file before `file_end` behind what is to be delivered.
void FollowSource::make_ready(const FileLifePtr& life, std::uint64_t file_end, std::string_view line,
                              bool was_left, bool newline) {
    ready_ += line;
    if (newline) ready_ += '\n';
    given_.add(life, file_end, line.size(), line.size() + (newline ? 1 : 0), was_left);
}

ReadOutcome FollowSource::deliver(std::span<const char> into, std::size_t size) {
    in_line_ = into[size - 1] != '\n';
    return data(size);
}

ReadOutcome FollowSource::deliver_ready(std::span<char> into) {
    const std::size_t size = std::min(ready_.size(), into.size());
    std::memcpy(into.data(), ready_.data(), size);
    ready_.erase(0, size);
    return deliver(into, size);
}

// Opens what bears the name, and what bore it since the last time, before it can go away.
Result<void> FollowSource::look_at_name() {
    struct stat status;
    const bool found = ::stat(path_.c_str(), &status) == 0;
    int error_number = found ? 0 : errno;
    std::optional<Held> bearer;
    if (found && S_ISREG(status.st_mode) && !is_known(FollowedFile::identity_of(status))) {
        bearer = open_file(path_);
        if (!bearer) error_number = errno;
    }
    // After opening it: what was renamed before it came is then known, and goes in front of it.
    NameWatch::Changes changes = watch_.drain();
    bool gone = changes.gone_unopened;
    if (gone && bearer && ::fstat(bearer->file.fd(), &status) == 0) gone = status.st_nlink > 0;
    for (const std::string& path : changes.renamed) take_in(open_file(path));
    take_in(std::move(bearer));
    if (watch_.has_unopened() && ::stat(path_.c_str(), &status) == 0 &&
        (is_known(FollowedFile::identity_of(status)) || !S_ISREG(status.st_mode))) {
        watch_.opened();
    }
    overflowed_ |= changes.overflow;
    if (gone) {
        say(fmt::format("a file {} came and went before it was read: its lines may be missing",
                        quoted_name(path_)));
    }
    return look_refused(error_number);
}

// A file that may not be opened yet (its owner is changed a moment later) is waited for, but not for
// ever: silence would look like a quiet service.
Result<void> FollowSource::look_refused(int error_number) {
    const bool waits = error_number == 0 || error_number == ENOENT || error_number == ENOTDIR;
    if (waits) {
        refused_since_.reset();
        return {};
    }
    const auto now = Clock::now();
    if (!refused_since_) refused_since_ = now;
    if (now - *refused_since_ < unopenable_limit) return {};
    return system_failure("open", path_, error_number);
}

bool FollowSource::is_known(Identity identity) const {
    // The newest is asked first: it nearly always is the one.
    const auto is_it = [&](const Held& held) { return held.file.identity() == identity; };
    return std::any_of(files_.rbegin(), files_.rend(), is_it);
}

// Nothing, and errno, if it cannot be opened; nothing and errno 0 if it is no regular file, or known.
std::optional<FollowSource::Held> FollowSource::open_file(const std::string& path) {
    OwnedFd fd = open_fd(path, O_RDONLY | O_NONBLOCK);
    struct stat status;
    if (!fd.is_open() || ::fstat(fd.get(), &status) != 0) return std::nullopt;
    errno = 0;
    if (!S_ISREG(status.st_mode) || is_known(FollowedFile::identity_of(status))) return std::nullopt;
    const int watch = watch_.watch_file(fd.get());
    const std::size_t window = given_.is_enabled() ? place_window : place_edge;
    return Held{FollowedFile(std::make_shared<OwnedFd>(std::move(fd)), path_, status, window), watch, {}, {}};
}

void FollowSource::take_in(std::optional<Held> held) {
    if (!held || is_known(held->file.identity())) return;
    if (overflowed_ && !files_.empty()) {
        say(fmt::format(
            "too much happened in the folder of {}: files that bore its name for a short time may be missing",
            quoted_name(path_)));
        overflowed_ = false;
    }
    if (files_.size() >= files_max) {
        say(fmt::format("{} was renamed more than {} times before it was read: lines are missing",
                        quoted_name(path_), files_max));
        watch_.forget_file(held->watch);
        return;
    }
    // One that was left and got the name back goes on where it was.
    const auto straggler = std::find_if(stragglers_.begin(), stragglers_.end(), [&](const Held& one) {
        return one.file.identity() == held->file.identity();
    });
    if (straggler != stragglers_.end()) {
        files_.push_back(std::move(*straggler));
        stragglers_.erase(straggler);
        return;
    }
    if (!given_.has_start()) given_.start_at(held->file.life(), 0);
    files_.push_back(std::move(*held));
}

void FollowSource::report(const FollowedFile::Look& look, std::uint64_t position) {
    const std::string name = quoted_name(path_);
    if (look.missing > 0) {
        say(fmt::format("{} bytes of {} were cut off before they were read", look.missing, name));
    }
    if (look.unfinished > 0) {
        say(fmt::format("{} bytes of {}, the beginning of a line, were taken back", look.unfinished, name));
    }
    if (look.found == Found::stale)
        say(fmt::format("{} was removed on its server: what was not read of it is missing", name));
    if (look.found == Found::restarted) {
        say(fmt::format(
            "{} was {} after {} bytes of it were read: what came behind those, if anything, is missing", name,
            look.rewritten ? "rewritten" : "truncated", position));
    }
}

}  // namespace

Result<std::unique_ptr<ByteSource>> open_followed(const std::string& path, FollowOptions options) {
    if (path == "-") {
        return fail(ErrorKind::usage, "stdin has no name to follow",
                    "leave out --follow: stdin is read until it ends");
    }
    auto source = std::make_unique<FollowSource>(path, std::move(options));
    STREAM_TRY(source->start());
    return source;
}

}  // namespace stream
