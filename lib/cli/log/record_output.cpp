// SPDX-License-Identifier: Apache-2.0
#include "cli/log/record_output.hpp"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.hpp"
#include "io/fd.hpp"

namespace stream {

namespace {
constexpr std::size_t envelope_flush = 256 << 10;
}

RecordOutput::RecordOutput(int fd, bool envelope) : out_(fd, fd == 1 ? "stdout" : "the command") {
    if (envelope) envelope_ = std::make_unique<Envelope>();
    struct stat status {};
    const int flags = ::fcntl(fd, F_GETFL);
    bounded_ = (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) && (flags < 0 || (flags & O_NONBLOCK) == 0);
    terminal_ = ::isatty(fd) == 1;
}

void RecordOutput::set_meanwhile(int every_ms, std::function<Result<void>()> meanwhile) {
    every_ms_ = every_ms;
    meanwhile_ = std::move(meanwhile);
}

Result<void> RecordOutput::write(const log::Run& run) {
    if (envelope_ == nullptr && meanwhile_ == nullptr) return out_.append_run(run.lines);
    if (envelope_ == nullptr) {
        if (run.lines.size() + out_.buffer().size() > envelope_flush) return flush_patiently(run.lines);
        out_.buffer().append(run.lines);
        return {};
    }
    envelope_->append(out_.buffer(), run);
    return out_.buffer().size() < envelope_flush ? Result<void>{} : flush();
}

Result<void> RecordOutput::flush() { return meanwhile_ == nullptr ? out_.flush() : flush_patiently({}); }

Result<void> RecordOutput::close() {
    STREAM_TRY(flush());
    return out_.close();
}

// A pipe that poll() calls writable takes PIPE_BUF bytes without waiting. (O_NONBLOCK would be set for all who
// share the descriptor.)
Result<void> RecordOutput::flush_patiently(std::string_view more) {
    std::string safe;
    if (terminal_) safe = terminal_safe(more);
    std::string& buffer = out_.buffer();
    if (terminal_) buffer = terminal_safe(buffer);
    for (std::string_view part : {std::string_view(buffer), terminal_ ? std::string_view(safe) : more}) {
        while (!part.empty()) {
            pollfd asked{out_.fd(), POLLOUT, 0};
            const int ready = ::poll(&asked, 1, every_ms_);
            if (ready == 0 || (ready < 0 && errno == EINTR)) {
                STREAM_TRY(meanwhile_());
                continue;
            }
            const std::size_t size = bounded_ ? std::min<std::size_t>(part.size(), PIPE_BUF) : part.size();
            const ssize_t put = ::write(out_.fd(), part.data(), size);
            if (put >= 0) {
                part.remove_prefix(static_cast<std::size_t>(put));
            } else if (errno == EPIPE) {
                return fail(ErrorKind::closed, "the reader went away");
            } else if (errno != EINTR && errno != EAGAIN) {
                const int error_number = errno;
                return system_failure("write to", out_.fd() == 1 ? "stdout" : "the command", error_number);
            }
        }
    }
    buffer.clear();
    return {};
}

}  // namespace stream
