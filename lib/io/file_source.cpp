// SPDX-License-Identifier: Apache-2.0
#include "io/file_source.hpp"

#include "base/check.hpp"
#include "base/crc32c.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace stream {

using Status = ReadOutcome::Status;

Descriptor::Descriptor(int fd, std::shared_ptr<OwnedFd> owned, std::string name, const struct stat& status)
    : fd_(fd), owned_(std::move(owned)), name_(std::move(name)), regular_(S_ISREG(status.st_mode)) {
    if (!regular_) {
        widen_pipe(fd_);
        return;
    }
    ::posix_fadvise(fd_, 0, 0, POSIX_FADV_SEQUENTIAL);
    size_ = static_cast<std::uint64_t>(status.st_size);
    const off_t start = ::lseek(fd_, 0, SEEK_CUR);
    if (start > 0) position_ = static_cast<std::uint64_t>(start);
}

Result<void> Descriptor::go_to(std::uint64_t position) {
    if (::lseek(fd_, static_cast<off_t>(position), SEEK_SET) < 0) return system_failure("read", name_, errno);
    position_ = position;
    return {};
}

Result<ReadOutcome> Descriptor::read(std::span<char> into) {
    STREAM_CHECK(!into.empty());
    while (!ended_) {
        if (!regular_ && !is_ready()) return ReadOutcome{Status::would_block, 0};
        const ssize_t got = ::read(fd_, into.data(), into.size());
        if (got > 0) {
            const auto size = static_cast<std::size_t>(got);
            position_ += size;
            return ReadOutcome{Status::data, size};
        }
        if (got == 0) ended_ = true;  // and it stays so, on a terminal too
        if (got < 0 && errno == EAGAIN) return ReadOutcome{Status::would_block, 0};
        if (got < 0 && errno != EINTR) {
            return fail(ErrorKind::io, fmt::format("cannot read {} at byte {}: {}", quoted_name(name_),
                                                   position_, system_message(errno)));
        }
    }
    return ReadOutcome{Status::end, 0};
}

bool Descriptor::is_ready() const {
    pollfd asked{fd_, POLLIN, 0};
    int ready = 0;
    do {
        ready = ::poll(&asked, 1, 0);
    } while (ready < 0 && errno == EINTR);
    return ready != 0;  // an error is for read() to name
}

Result<ReadOutcome> FileSource::read(std::span<char> into) {
    auto got = read_on(into);
    if (got && life_ != nullptr && life_->compressed) life_->bytes.add({into.data(), got->size});
    return got;
}

Result<ReadOutcome> FileSource::read_on(std::span<char> into) {
    STREAM_CHECK(!into.empty());
    if (decompressor_) return read_compressed(into);
    if (!decided_) return read_first(into);
    if (!kept_.empty()) return take_kept(into);
    return descriptor_.read(into);
}

// The first bytes go straight into the caller's span; only those that could begin a compressed
// stream are kept aside until enough of them are there.
Result<ReadOutcome> FileSource::read_first(std::span<char> into) {
    for (;;) {
        auto got = descriptor_.read(into);
        if (!got || got->status == Status::would_block) return got;
        if (got->status == Status::end) {
            decided_ = true;
            return take_kept(into);
        }
        const std::string_view bytes(into.data(), got->size);
        const bool alone = kept_.empty();
        if (!alone) kept_.append(bytes);
        const Compression found = detect_compression(alone ? bytes : std::string_view(kept_));
        decided_ = found != Compression::unknown_yet;
        if (found == Compression::none && alone) return got;
        if (found == Compression::none) return take_kept(into);
        if (alone) kept_.assign(bytes);
        if (!decided_) continue;
        decompressor_ = make_decompressor(found, descriptor_.name());
        compressed_ = kept_;
        return read_compressed(into);
    }
}

Result<ReadOutcome> FileSource::take_kept(std::span<char> into) {
    const std::size_t size = std::min(kept_.size(), into.size());
    std::memcpy(into.data(), kept_.data(), size);
    kept_.erase(0, size);
    return size > 0 ? ReadOutcome{Status::data, size} : ReadOutcome{Status::end, 0};
}

Result<ReadOutcome> FileSource::read_compressed(std::span<char> into) {
    for (;;) {
        if (compressed_.empty() && !more_to_come_out_) {
            auto got = refill();
            if (!got || got->status == Status::would_block) return got;
            if (got->status == Status::end) {
                STREAM_TRY(decompressor_->finish());
                return got;
            }
        }
        auto step = decompressor_->step(compressed_, into);
        if (!step) return pass_on(step);
        compressed_ = compressed_.subspan(step->consumed);
        more_to_come_out_ = step->produced == into.size();
        if (step->produced > 0) return ReadOutcome{Status::data, step->produced};
    }
}

Result<ReadOutcome> FileSource::refill() {
    constexpr std::size_t block_size = 128 << 10;
    if (!block_) block_ = std::make_unique<char[]>(block_size);
    auto got = descriptor_.read({block_.get(), block_size});
    if (got) compressed_ = {block_.get(), got->size};
    return got;
}

Result<void> FileSource::note_life(const struct stat& status) {
    STREAM_CHECK(descriptor_.is_regular() && descriptor_.owned() != nullptr);
    char first[4];
    const ssize_t got = pread_full(descriptor_.fd(), first, 0);
    if (got < 0) return system_failure("read", descriptor_.name(), errno);
    const Compression found = detect_compression({first, static_cast<std::size_t>(got)});
    life_ = std::make_shared<FileLife>();
    life_->identity = identity_of_file(descriptor_.fd(), status);
    life_->modified_ns = modified_ns(status);
    life_->name = descriptor_.name();
    life_->fd = descriptor_.owned();
    life_->compressed = found == Compression::gzip || found == Compression::zstd;
    life_->bytes.window = place_window;
    return {};
}

Result<bool> FileSource::go_to(const FilePlace& place) {
    if (life_->compressed) return skip_to(place);
    struct stat status;
    if (::fstat(descriptor_.fd(), &status) != 0) return system_failure("read", descriptor_.name(), errno);
    if (static_cast<std::uint64_t>(status.st_size) < place.offset) return false;
    auto here = life_->place_at(place.offset);
    if (!here) return pass_on(here);
    if (here->head_crc != place.head_crc || here->tail_crc != place.tail_crc) return false;
    decided_ = place.offset > 0;
    STREAM_TRY(descriptor_.go_to(place.offset));
    return true;
}

Result<bool> FileSource::skip_to(const FilePlace& place) {
    std::string block(64 << 10, '\0');
    bool head_seen = false;
    const KnownBytes& bytes = life_->bytes;
    while (bytes.end < place.offset) {
        auto got = read({block.data(), std::min<std::uint64_t>(block.size(), place.offset - bytes.end)});
        if (!got) return pass_on(got);
        if (got->status != Status::data) return false;
        if (head_seen || bytes.end < std::min<std::uint64_t>(place.offset, place_edge)) continue;
        head_seen = true;
        if (bytes.head_crc(place.offset) != place.head_crc) return false;
    }
    return bytes.head_crc(place.offset) == place.head_crc && bytes.tail_crc(place.offset) == place.tail_crc;
}

Result<std::uint32_t> crc_of_compressed(const OwnedFd& fd, const std::string& name, std::uint64_t begin,
                                        std::size_t size) {
    // Opened anew: the other descriptor's position is in use.
    auto again = std::make_shared<OwnedFd>(open_fd(fmt::format("/proc/self/fd/{}", fd.get()), O_RDONLY));
    struct stat status;
    if (!again->is_open() || ::fstat(again->get(), &status) != 0) return system_failure("open", name, errno);
    const int number = again->get();
    FileSource source(Descriptor(number, std::move(again), name, status));
    std::string block(64 << 10, '\0');
    std::string wanted;
    for (std::uint64_t position = 0; wanted.size() < size;) {
        const std::uint64_t room = position < begin ? begin - position : size - wanted.size();
        auto got = source.read({block.data(), std::min<std::uint64_t>(block.size(), room)});
        if (!got) return pass_on(got);
        if (got->status != Status::data) break;
        if (position >= begin) wanted.append(block, 0, got->size);
        position += got->size;
    }
    return crc32c(wanted);
}

}  // namespace stream
