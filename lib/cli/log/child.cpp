// SPDX-License-Identifier: Apache-2.0
#include "cli/log/child.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

namespace stream {

namespace {

// In the child, which has one thread and ends here.
[[noreturn]] void become(const std::vector<std::string>& command, const std::string& batch, int input, int failure, pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::raise(SIGTERM);
    for (const int number : {SIGPIPE, SIGXFSZ}) ::signal(number, SIG_DFL);
    ::dup2(input, 0);
    ::setenv("STREAM_BATCH", batch.c_str(), 1);
    for (const char* name : {"STREAM_CONTROL", "STREAM_KEY", "STREAM_RUN"}) ::unsetenv(name);
    std::vector<char*> words;
    for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));  // execvp only reads them
    words.push_back(nullptr);
    ::execvp(words[0], words.data());
    const int error_number = errno;
    [[maybe_unused]] const auto told = ::write(failure, &error_number, sizeof error_number);
    ::_exit(error_number == ENOENT ? 127 : 126);
}

}  // namespace

Result<Child> Child::start(const std::vector<std::string>& command, const std::string& batch) {
    int in[2];
    int failure[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(failure, O_CLOEXEC) != 0) {
        const int error_number = errno;
        return system_failure("make a pipe for", command[0], error_number);
    }
    OwnedFd read_end(in[0]);
    OwnedFd failure_read(failure[0]);
    OwnedFd failure_write(failure[1]);
    Child child;
    child.input_.reset(in[1]);
    const pid_t parent = ::getpid();
    child.pid_ = ::fork();
    if (child.pid_ < 0) {
        const int error_number = errno;
        return system_failure("start", command[0], error_number);
    }
    if (child.pid_ == 0) become(command, batch, read_end.get(), failure_write.get(), parent);
    failure_write.reset();
    read_end.reset();
    widen_pipe(child.input_.get());
    ::fcntl(child.input_.get(), F_SETFL, O_NONBLOCK);
    child.pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, child.pid_, 0)));
    int error_number = 0;
    ssize_t got = 0;
    do got = ::read(failure_read.get(), &error_number, sizeof error_number);
    while (got < 0 && errno == EINTR);
    if (got == sizeof error_number) child.why_ = "cannot be run: " + system_message(error_number);
    return child;
}

bool Child::has_ended() {
    if (ended_) return true;
    int status = 0;
    const pid_t got = ::waitpid(pid_, &status, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR)) return false;
    ended_ = true;
    if (got == pid_ && WIFSIGNALED(status)) signal_ = WTERMSIG(status);
    status_ = got != pid_ ? 126 : signal_ != 0 ? 128 + signal_ : WEXITSTATUS(status);
    return true;
}

void Child::signal(int number) {
    if (!ended_) ::kill(pid_, number);
}

std::string Child::how() const {
    if (!why_.empty()) return why_;
    if (signal_ != 0) return "was killed by signal " + std::to_string(signal_);
    return "exited with " + std::to_string(status_);
}

}  // namespace stream
