// SPDX-License-Identifier: Apache-2.0
#include "io/followed_file.hpp"

#include "base/check.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace stream {

FollowedFile::FollowedFile(std::shared_ptr<OwnedFd> fd, std::string name, const struct stat& status,
                           std::size_t window)
    : fd_(std::move(fd)), name_(std::move(name)), identity_(identity_of(status)), window_(window) {
    ::posix_fadvise(this->fd(), 0, 0, POSIX_FADV_SEQUENTIAL);
    begin_life();
    looked_at_ = life_;
    life_->identity = identity_of_file(this->fd(), status);
    life_->modified_ns = modified_ns(status);
}

void FollowedFile::begin_life() {
    auto life = std::make_shared<FileLife>();
    if (life_ != nullptr) {
        life_->over = true;
        life->identity = life_->identity;
        life->modified_ns = life_->modified_ns;
    }
    life->name = name_;
    life->fd = fd_;
    life->followed = true;
    life->bytes.window = window_;
    life_ = std::move(life);
}

bool FollowedFile::is_empty_now() const {
    struct stat status;
    return ::fstat(fd(), &status) == 0 && status.st_size == 0;
}

tl::unexpected<Error> FollowedFile::read_failure() const {
    return fail(ErrorKind::io, fmt::format("cannot read {} at byte {}: {}", quoted_name(name_), position(),
                                           system_message(errno)));
}

Result<void> FollowedFile::skip_to_end() {
    struct stat status;
    if (::fstat(fd(), &status) != 0) return read_failure();
    std::string block(64 << 10, '\0');
    auto end = static_cast<std::uint64_t>(status.st_size);
    size_seen_ = end;
    while (end > 0) {  // backwards to the last newline
        const std::uint64_t begin = end - std::min<std::uint64_t>(end, block.size());
        const std::span<char> part(block.data(), end - begin);
        const ssize_t got = pread_full(fd(), part, begin);
        if (got < 0) return read_failure();
        const std::string_view bytes(block.data(), static_cast<std::size_t>(got));
        const std::size_t newline = bytes.rfind('\n');
        end = newline == std::string_view::npos ? begin : begin + newline + 1;
        if (newline != std::string_view::npos) break;
    }
    return start_at(end);
}

Result<void> FollowedFile::start_at(std::uint64_t position) {
    KnownBytes& bytes = life_->bytes;
    at_start_ = position == 0;
    const std::size_t kept = std::min<std::uint64_t>(position, place_edge);
    bytes.end = position;
    bytes.head.resize(kept);
    bytes.tail.resize(kept);
    if (pread_full(fd(), bytes.head, 0) < 0 || pread_full(fd(), bytes.tail, position - kept) < 0) {
        return read_failure();
    }
    return {};
}

Result<FollowedFile::Look> FollowedFile::look(std::span<char> into) {
    STREAM_CHECK(!into.empty());
    looked_at_ = life_;
    if (unfinished_.size() >= into.size()) {  // a smaller span than last time
        std::memcpy(into.data(), unfinished_.data(), into.size());
        unfinished_.erase(0, into.size());
        return Look{.found = Look::Found::data, .size = into.size()};
    }
    for (;;) {
        const std::span<char> room = into.subspan(unfinished_.size());
        const ssize_t got = pread_full(fd(), room, position());
        if (got < 0 && errno == ESTALE) return Look{.found = Look::Found::stale};
        if (got < 0) return read_failure();

        struct stat status;
        if (::fstat(fd(), &status) != 0) return read_failure();
        const auto size = static_cast<std::uint64_t>(status.st_size);
        auto unchanged = is_unchanged(size);
        if (!unchanged) return pass_on(unchanged);
        if (!*unchanged) return shrunk_or_rewritten(size);
        life_->modified_ns = modified_ns(status);

        const auto fresh = room.first(static_cast<std::size_t>(got));
        Look found = hand_over(into, skip_hole(fresh));
        // Cut, but not as far back as we had come.
        const std::uint64_t still_there = std::max(size, position());
        if (still_there < size_seen_) found.missing = size_seen_ - still_there;
        size_seen_ = still_there;
        const bool may_hold_more = fresh.size() == room.size();
        if (found.found == Look::Found::data || found.missing > 0 || !may_hold_more) return found;
    }
}

// `fresh` bytes are in `into`, behind the room for what is unfinished.
FollowedFile::Look FollowedFile::hand_over(std::span<char> into, std::size_t fresh) {
    const std::string_view bytes(into.data() + unfinished_.size(), fresh);
    if (bytes.empty()) return {};
    life_->bytes.add(bytes);
    const std::size_t newline = bytes.rfind('\n');
    const bool fills_the_span = unfinished_.size() + fresh == into.size();
    if (newline == std::string_view::npos && !fills_the_span) {
        unfinished_.append(bytes);
        return {};
    }
    const std::size_t whole = newline == std::string_view::npos ? fresh : newline + 1;
    std::memcpy(into.data(), unfinished_.data(), unfinished_.size());
    const std::size_t size = unfinished_.size() + whole;
    unfinished_.assign(bytes.substr(whole));
    return {.found = Look::Found::data, .size = size};
}

Result<bool> FollowedFile::same_bytes(std::string_view kept, std::uint64_t position) const {
    char there[place_edge];
    const ssize_t got = pread_full(fd(), std::span(there, kept.size()), position);
    if (got < 0) return read_failure();
    return std::string_view(there, static_cast<std::size_t>(got)) == kept;
}

// Whether the first `size` bytes are, as far as we can tell, those that were read.
Result<bool> FollowedFile::is_unchanged(std::uint64_t size) const {
    const KnownBytes& bytes = life_->bytes;
    if (size < bytes.end) return false;
    auto same = same_bytes(bytes.head, 0);
    if (!same || !*same || bytes.head.size() == bytes.end) return same;
    return same_bytes(bytes.last(), bytes.end - bytes.last().size());
}

// A writer that takes back the beginning of a line, and nothing that was handed on: no new file.
// Found::restarted if it isn't that.
Result<FollowedFile::Look> FollowedFile::take_back(std::uint64_t size) {
    KnownBytes& bytes = life_->bytes;
    const std::uint64_t cut = bytes.end - size;
    std::string left = unfinished_.substr(0, unfinished_.size() - cut);
    KnownBytes before = bytes;
    before.end = size;
    before.head = bytes.head.substr(0, size);
    before.tail = cut < bytes.tail.size() ? bytes.tail.substr(0, bytes.tail.size() - cut) : left;

    auto same = same_bytes(before.head, 0);
    if (same && *same) same = same_bytes(before.last(), size - before.last().size());
    if (!same) return pass_on(same);
    if (!*same) return Look{.found = Look::Found::restarted};

    const Look look{.missing = size_seen_ - std::min(size_seen_, bytes.end), .unfinished = cut};
    unfinished_ = std::move(left);
    bytes = std::move(before);
    size_seen_ = size;
    return look;
}

Result<FollowedFile::Look> FollowedFile::shrunk_or_rewritten(std::uint64_t size) {
    if (size > 0 && size < position() && size >= delivered()) {
        auto taken_back = take_back(size);
        if (!taken_back || taken_back->found == Look::Found::nothing) return taken_back;
    }
    Look look{.found = Look::Found::restarted, .rewritten = size >= position()};
    if (size_seen_ > position()) look.missing = size_seen_ - position();
    size_seen_ = 0;
    begin_life();
    at_start_ = true;
    return look;
}

// A writer without O_APPEND goes on at its old place after a truncation, and the file begins with a hole
// that reads as zeros. The zeros are no part of a line: passes over them, moves what follows to the
// front, and says how many bytes that are.
std::size_t FollowedFile::skip_hole(std::span<char> fresh) {
    if (!at_start_ || fresh.empty()) return fresh.size();
    const auto text = std::find_if(fresh.begin(), fresh.end(), [](char byte) { return byte != '\0'; });
    const auto zeros = static_cast<std::size_t>(text - fresh.begin());
    at_start_ = text == fresh.end();
    if (zeros == 0) return fresh.size();
    KnownBytes& bytes = life_->bytes;
    bytes.add(std::string_view(fresh.data(), zeros));
    std::memmove(fresh.data(), fresh.data() + zeros, fresh.size() - zeros);
    if (at_start_) {
        const off_t data = ::lseek(fd(), static_cast<off_t>(bytes.end), SEEK_DATA);
        constexpr std::uint64_t far = 64 << 10;
        if (data > 0 && static_cast<std::uint64_t>(data) > bytes.end + far) {
            bytes.end = static_cast<std::uint64_t>(data);
            bytes.tail.assign(place_edge, '\0');
        }
    }
    return fresh.size() - zeros;
}

}  // namespace stream
