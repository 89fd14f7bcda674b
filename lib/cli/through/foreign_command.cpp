// SPDX-License-Identifier: Apache-2.0
#include "cli/through/foreign_command.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "base/text.hpp"

namespace stream {

namespace {

constexpr unsigned close_on_exec = 4;  // CLOSE_RANGE_CLOEXEC, which older headers lack

Error no_command(const std::string& name, int error_number) {
    if (error_number == ENOENT) return Error(ErrorKind::usage, "there is no command " + stream::quoted(name, 200));
    return Error(ErrorKind::usage, "cannot run " + stream::quoted(name, 200) + ": " + system_message(error_number));
}

std::vector<char*> arguments_of(const std::vector<std::string>& command) {
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));  // exec only reads them
    arguments.push_back(nullptr);
    return arguments;
}

int judge_file(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return errno;
    if (S_ISDIR(status.st_mode)) return EISDIR;
    return ::access(path.c_str(), X_OK) == 0 ? 0 : errno;
}

// All from 3 on go at exec; `kept` is one of them, and tells of an exec that fails.
void close_others(int kept) {
    if (::syscall(SYS_close_range, 3U, ~0U, close_on_exec) == 0) return;
    const auto last = static_cast<int>(std::min<long>(::sysconf(_SC_OPEN_MAX), 1 << 20));
    for (int fd = 3; fd < last; ++fd) {
        if (fd != kept) ::close(fd);
    }
}

// Behind the fork: nothing here allocates, another thread may have been in the allocator.
[[noreturn]] void exec_child(char* const* arguments, int input, int output, int failed, pid_t parent, const SignalsBefore& signals) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    signals.restore();
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (::dup2(input, 0) == 0 && ::dup2(output, 1) == 1) {
        close_others(failed);
        ::execvp(arguments[0], arguments);
    }
    const int error_number = errno;
    [[maybe_unused]] const auto n = ::write(failed, &error_number, sizeof error_number);
    ::_exit(127);
}

struct Pipe {
    OwnedFd reads;
    OwnedFd writes;
};

Result<Pipe> make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return system_failure("make", "a pipe", errno);
    return Pipe{OwnedFd(ends[0]), OwnedFd(ends[1])};
}

void never_block(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

}  // namespace

SignalsBefore::SignalsBefore() {
    for (std::size_t i = 0; i < numbers_.size(); ++i) ::sigaction(numbers_[i], nullptr, &before_[i]);
}

void SignalsBefore::restore() const {
    for (std::size_t i = 0; i < numbers_.size(); ++i) ::sigaction(numbers_[i], &before_[i], nullptr);
}

Result<void> find_command(const std::string& name) {
    int why = ENOENT;
    if (name.find('/') != std::string::npos) {
        why = judge_file(name);
        return why == 0 ? Result<void>{} : tl::unexpected<Error>(no_command(name, why));
    }
    const char* given = std::getenv("PATH");
    const std::string folders = given != nullptr ? given : "/bin:/usr/bin";
    for (std::size_t at = 0; !name.empty() && at <= folders.size();) {
        const std::size_t end = std::min(folders.find(':', at), folders.size());
        const std::string folder = folders.substr(at, end - at);
        const int found = judge_file((folder.empty() ? "." : folder) + "/" + name);
        if (found == 0) return {};
        if (found == EACCES) why = EACCES;
        at = end + 1;
    }
    return tl::unexpected<Error>(no_command(name, why));
}

Error become(const std::vector<std::string>& command, const SignalsBefore& signals) {
    signals.restore();
    ::execvp(command[0].c_str(), arguments_of(command).data());
    return no_command(command[0], errno);
}

Result<std::unique_ptr<ForeignCommand>> ForeignCommand::start(const std::vector<std::string>& command, const SignalsBefore& signals) {
    auto in = make_pipe();
    if (!in) return pass_on(in);
    auto out = make_pipe();
    if (!out) return pass_on(out);
    auto failed = make_pipe();
    if (!failed) return pass_on(failed);
    const std::vector<char*> arguments = arguments_of(command);
    const pid_t parent = ::getpid();
    auto child = std::unique_ptr<ForeignCommand>(new ForeignCommand);
    // A signal between fork and exec would be taken by our handler, and be told to us.
    sigset_t all, before;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before);
    child->pid_ = ::fork();
    if (child->pid_ == 0) exec_child(arguments.data(), in->reads.get(), out->writes.get(), failed->writes.get(), parent, signals);
    const int error_number = errno;
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    if (child->pid_ < 0) return system_failure("start", command[0], error_number);
    child->process_ = OwnedFd(static_cast<int>(::syscall(SYS_pidfd_open, child->pid_, 0)));
    if (!child->process_.is_open()) return system_failure("watch", command[0], errno);
    failed->writes.reset();
    int why = 0;
    ssize_t got = 0;
    while ((got = ::read(failed->reads.get(), &why, sizeof why)) < 0 && errno == EINTR) {
    }
    if (got == sizeof why) return tl::unexpected<Error>(no_command(command[0], why));
    child->input_ = std::move(in->writes);
    child->output_ = std::move(out->reads);
    for (const int fd : {child->input_.get(), child->output_.get()}) {
        never_block(fd);  // this end only: the command's own is another one
        widen_pipe(fd);
    }
    return child;
}

ForeignCommand::~ForeignCommand() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    reap();
}

Result<std::size_t> ForeignCommand::feed(std::string_view bytes) {
    const ssize_t put = ::write(input_.get(), bytes.data(), bytes.size());
    if (put >= 0) return static_cast<std::size_t>(put);
    if (errno == EAGAIN || errno == EINTR) return std::size_t{0};
    if (errno != EPIPE) return system_failure("write to", "the command", errno);
    close_input();
    return std::size_t{0};
}

Result<std::string_view> ForeignCommand::read(std::span<char> into) {
    const ssize_t got = ::read(output_.get(), into.data(), into.size());
    if (got > 0) return std::string_view(into.data(), static_cast<std::size_t>(got));
    if (got == 0) output_.reset();
    else if (errno != EAGAIN && errno != EINTR) return system_failure("read", "what the command writes", errno);
    return std::string_view();
}

int ForeignCommand::reap() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
}

}  // namespace stream
