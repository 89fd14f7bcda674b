// SPDX-License-Identifier: Apache-2.0
#include "cli/signals.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <vector>

#include "base/check.hpp"

namespace stream {

namespace {

std::atomic<int> stopped_by{0};
int stop_pipe[2] = {-1, -1};

void on_stop(int number) {
    const int saved = errno;
    stopped_by.store(number);
    [[maybe_unused]] const auto n = ::write(stop_pipe[1], "x", 1);
    errno = saved;
}

std::int64_t now_ms() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace

void install_signals() {
    STREAM_CHECK(::pipe2(stop_pipe, O_CLOEXEC | O_NONBLOCK) == 0);
    struct sigaction action {};
    action.sa_handler = on_stop;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    ::sigemptyset(&action.sa_mask);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
        struct sigaction before {};
        ::sigaction(number, nullptr, &before);
        // nohup stays nohup; but a shell's background job, whose SIGINT is ignored, stops when asked.
        if (number != SIGHUP || before.sa_handler != SIG_IGN) ::sigaction(number, &action, nullptr);
    }
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGXFSZ, SIG_IGN);
}

int stop_signal() { return stopped_by.load(); }
int stop_fd() { return stop_pipe[0]; }

StandardDescriptors reserve_standard_descriptors() {
    StandardDescriptors open;
    for (int fd = 0; fd <= 2; ++fd) {
        if (::fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
        if (fd == 0) open.stdin_open = false;
        if (fd == 1) open.stdout_open = false;
        // open() takes the lowest free number, which is this one.
        STREAM_CHECK(::open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) == fd);
    }
    return open;
}

Woken wait_for(const int* fds, int count, int output_fd, int timeout_ms) {
    std::vector<pollfd> polled;
    polled.push_back({stop_pipe[0], POLLIN, 0});
    polled.push_back({output_fd, 0, 0});
    for (int i = 0; i < count; ++i) polled.push_back({fds[i], POLLIN, 0});
    // A regular file or a tty says POLLERR or POLLHUP for no reason that matters here.
    struct stat status {};
    if (output_fd >= 0 && (::fstat(output_fd, &status) != 0 || (!S_ISFIFO(status.st_mode) && !S_ISSOCK(status.st_mode)))) {
        polled[1].fd = -1;
    }
    const std::int64_t until = timeout_ms < 0 ? 0 : now_ms() + timeout_ms;
    for (;;) {
        if (stop_signal() != 0) return Woken::stop;
        const int left = timeout_ms < 0 ? -1 : static_cast<int>(std::max<std::int64_t>(0, until - now_ms()));
        const int n = ::poll(polled.data(), static_cast<nfds_t>(polled.size()), left);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return Woken::timeout;
        if (polled[0].revents != 0) return Woken::stop;
        for (std::size_t i = 2; i < polled.size(); ++i) {
            if (polled[i].revents != 0) return Woken::input;
        }
        if ((polled[1].revents & (POLLERR | POLLHUP)) != 0) return Woken::reader_gone;
    }
}

}  // namespace stream
