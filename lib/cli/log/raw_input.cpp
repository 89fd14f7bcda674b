// SPDX-License-Identifier: Apache-2.0
#include "cli/log/raw_input.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/text.hpp"
#include "cli/dead_letters.hpp"
#include "cli/output_sink.hpp"
#include "cli/signals.hpp"
#include "io/fd.hpp"

namespace stream {

namespace {

constexpr std::size_t block = 256 << 10;

class RawInput {
public:
    RawInput(LogAppend& op, Output& out) : op_(op), out_(out), sink_(out, late_) {}

    Result<void> read_file(const std::string& path) {
        OwnedFd opened;
        if (path != "-") opened = open_fd(path, O_RDONLY);
        const int fd = path == "-" ? 0 : opened.get();
        const std::string name = path == "-" ? "stdin" : path;
        if (fd < 0) {
            const int error_number = errno;
            return system_failure("open", name, error_number);
        }
        struct stat status {};
        const bool regular = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
        if (S_ISDIR(status.st_mode)) return fail(ErrorKind::usage, stream::quoted(name, 200) + " is a directory");
        widen_pipe(fd);
        for (;;) {
            if (!regular) STREAM_TRY(wait(fd));
            if (stop_signal() != 0) return fail(ErrorKind::stopped, "stopped");
            const std::size_t have = pending_.size();
            pending_.resize(have + block);
            const ssize_t got = ::read(fd, pending_.data() + have, block);
            const int error_number = errno;
            pending_.resize(have + (got > 0 ? static_cast<std::size_t>(got) : 0));
            if (got < 0 && error_number != EINTR && error_number != EAGAIN) return system_failure("read", name, error_number);
            if (got == 0) break;
            STREAM_TRY(take_lines(have));
        }
        if (!pending_.empty()) STREAM_TRY(op_.add_raw(pending_, sink_));
        pending_.clear();
        return {};
    }

    Result<void> end() {
        STREAM_TRY(op_.on_end(sink_));
        return flush();
    }
    Result<void> stop() {
        STREAM_TRY(op_.on_stop(sink_));
        return flush();
    }

private:
    Result<void> flush() {
        STREAM_TRY(sink_.take_failure());
        return out_.flush();
    }

    // Until there is something to read, or a signal.
    Result<void> wait(int fd) {
        pollfd asked{fd, POLLIN, 0};
        if (::poll(&asked, 1, 0) > 0) return {};
        for (;;) {
            STREAM_TRY(op_.on_caught_up(sink_));
            STREAM_TRY(flush());
            const Woken woken = wait_for(&fd, 1, -1, op_.wait_ms());
            if (woken == Woken::stop || woken == Woken::input) return {};
        }
    }

    // `searched`: no line ends before.
    Result<void> take_lines(std::size_t searched) {
        std::size_t begin = 0;
        const char* const bytes = pending_.data();
        while (const void* newline = std::memchr(bytes + searched, '\n', pending_.size() - searched)) {
            const auto end = static_cast<std::size_t>(static_cast<const char*>(newline) - bytes);
            STREAM_TRY(op_.add_raw({bytes + begin, end - begin}, sink_));
            begin = searched = end + 1;
        }
        if (begin > 0 && out_.has_buffered()) STREAM_TRY(flush());
        pending_.erase(0, begin);
        if (pending_.size() <= log::record_max) return {};
        return fail(ErrorKind::limit, "a line longer than " + format_size(log::record_max) + ", the most that a record may be");
    }

    LogAppend& op_;
    Output& out_;
    LateEvents late_;
    OutputSink sink_;
    std::string pending_;
};

}  // namespace

Result<void> append_raw(const std::vector<std::string>& files, LogAppend& op) {
    Output out(1, "stdout");
    RawInput input(op, out);
    Result<void> result;
    for (const std::string& file : files.empty() ? std::vector<std::string>{"-"} : files) {
        result = input.read_file(file);
        if (!result) break;
    }
    auto kept = result ? input.end() : input.stop();
    if (result && !kept) result = std::move(kept);
    auto closed = out.close();
    if (result && !closed) result = std::move(closed);
    return result;
}

}  // namespace stream
