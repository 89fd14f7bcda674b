// SPDX-License-Identifier: Apache-2.0
#include "io/open.hpp"

#include "base/check.hpp"
#include "io/decompress.hpp"
#include "io/fd.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

namespace stream {

namespace {

using Status = ReadOutcome::Status;

// The bytes of a descriptor as they are. Never changes O_NONBLOCK, which whoever else has the
// descriptor would see; whether a read would wait is asked first.
class Descriptor {
public:
    Descriptor(int fd, OwnedFd owned, std::string name, const struct stat& status)
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

    Result<ReadOutcome> read(std::span<char> into) {
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

    int fd() const { return fd_; }
    const std::string& name() const { return name_; }
    bool is_regular() const { return regular_; }
    std::uint64_t position() const { return position_; }
    std::uint64_t size() const { return size_; }

private:
    bool is_ready() const {
        pollfd asked{fd_, POLLIN, 0};
        int ready = 0;
        do {
            ready = ::poll(&asked, 1, 0);
        } while (ready < 0 && errno == EINTR);
        return ready != 0;  // an error is for read() to name
    }

    int fd_;
    OwnedFd owned_;  // of fd_, or empty
    std::string name_;
    bool regular_;
    bool ended_ = false;
    std::uint64_t position_ = 0;
    std::uint64_t size_ = 0;
};

// A descriptor's bytes, decompressed if their first ones ask for it.
class FileSource final : public ByteSource {
public:
    explicit FileSource(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

    Result<ReadOutcome> read(std::span<char> into) override {
        STREAM_CHECK(!into.empty());
        if (decompressor_) return read_compressed(into);
        if (!decided_) return read_first(into);
        if (!kept_.empty()) return take_kept(into);
        return descriptor_.read(into);
    }

    int poll_fd() const override { return descriptor_.is_regular() ? -1 : descriptor_.fd(); }
    std::uint64_t raw_position() const override { return descriptor_.position(); }
    std::uint64_t raw_size() const override { return descriptor_.size(); }
    bool is_regular() const override { return descriptor_.is_regular(); }

private:
    // The first bytes go straight into the caller's span; only those that could begin a compressed
    // stream are kept aside until enough of them are there.
    Result<ReadOutcome> read_first(std::span<char> into) {
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

    Result<ReadOutcome> take_kept(std::span<char> into) {
        const std::size_t size = std::min(kept_.size(), into.size());
        std::memcpy(into.data(), kept_.data(), size);
        kept_.erase(0, size);
        return size > 0 ? ReadOutcome{Status::data, size} : ReadOutcome{Status::end, 0};
    }

    Result<ReadOutcome> read_compressed(std::span<char> into) {
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

    Result<ReadOutcome> refill() {
        constexpr std::size_t block_size = 128 << 10;
        if (!block_) block_ = std::make_unique<char[]>(block_size);
        auto got = descriptor_.read({block_.get(), block_size});
        if (got) compressed_ = {block_.get(), got->size};
        return got;
    }

    Descriptor descriptor_;
    std::string kept_;
    bool decided_ = false;

    std::unique_ptr<Decompressor> decompressor_;
    std::unique_ptr<char[]> block_;
    std::span<const char> compressed_;  // what is left of block_, or of kept_ at first
    bool more_to_come_out_ = false;
};

Result<std::unique_ptr<ByteSource>> make_source(int fd, OwnedFd owned, const std::string& name) {
    struct stat status;
    if (::fstat(fd, &status) != 0) return system_failure("open", name, errno);
    if (S_ISDIR(status.st_mode)) {
        return fail(ErrorKind::usage, fmt::format("{} is a directory", quoted_name(name)),
                    fmt::format("name the files in it: {}{}*", name, name.ends_with('/') ? "" : "/"));
    }
    return std::make_unique<FileSource>(Descriptor(fd, std::move(owned), name, status));
}

// The N of /dev/fd/N and its other spellings.
std::optional<int> descriptor_named_by(std::string_view path) {
    if (path == "/dev/stdin") return 0;
    for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
        if (!path.starts_with(folder)) continue;
        int number = -1;
        const char* last = path.data() + path.size();
        const auto [end, problem] = std::from_chars(path.data() + folder.size(), last, number);
        if (problem == std::errc() && end == last && number >= 0) return number;
    }
    return std::nullopt;
}

}  // namespace

Result<std::unique_ptr<ByteSource>> open_source(const std::string& path) {
    if (path == "-") return open_descriptor(STDIN_FILENO, "stdin");
    OwnedFd fd = open_fd(path, O_RDONLY);  // waits, on a FIFO, for its writer
    int error_number = fd.is_open() ? 0 : errno;
    if (error_number == ENXIO || error_number == EACCES) {
        // Linux opens /dev/fd/N anew, which it cannot do with a socket, nor with another user's pipe.
        if (const auto number = descriptor_named_by(path)) {
            fd.reset(::fcntl(*number, F_DUPFD_CLOEXEC, 3));
            if (fd.is_open()) error_number = 0;
        }
    }
    if (error_number == EINTR) {
        return fail(ErrorKind::stopped, fmt::format("stopped while opening {}", quoted_name(path)));
    }
    if (error_number != 0) return system_failure("open", path, error_number);
    const int number = fd.get();
    return make_source(number, std::move(fd), path);
}

Result<std::unique_ptr<ByteSource>> open_descriptor(int fd, const std::string& name) {
    return make_source(fd, OwnedFd(), name);
}

}  // namespace stream
