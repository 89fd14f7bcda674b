// SPDX-License-Identifier: Apache-2.0
#include "cli/run/attempt.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iterator>
#include <span>
#include <vector>

#include "base/text.hpp"
#include "cli/exit_status.hpp"
#include "cli/signals.hpp"
#include "io/file_system.hpp"
#include "run/state_files.hpp"

namespace stream {

namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

std::string new_key() { return fmt::format("{:016x}{:016x}", real_file_system().random(), real_file_system().random()); }

std::uint64_t inode_of(int fd) {
    struct stat status {};
    return ::fstat(fd, &status) == 0 ? static_cast<std::uint64_t>(status.st_ino) : 0;
}

// What is the same at the next try, and needs somebody to look: a FILE that is not there or may not be read.
bool is_lasting(const std::string& why) {
    constexpr int lasting[] = {ENOENT, ENOTDIR, EISDIR, EACCES, EPERM, ELOOP, ENAMETOOLONG, EROFS};
    return std::any_of(std::begin(lasting), std::end(lasting), [&](int number) { return why.ends_with(": " + system_message(number)); });
}

// Of a stdin that may bring something: its inode.
std::string what_stdin_is() {
    struct stat status {};
    if (::fstat(0, &status) != 0 || (S_ISCHR(status.st_mode) && ::isatty(0) == 0)) return {};
    return std::to_string(status.st_ino);
}

}  // namespace

Attempt::Attempt(const RunOptions& options, RunFolder& folder, const run::Commit& last, RunWatch& watch, Diagnostics& diagnostics, bool again)
    : options_(options), folder_(folder), watch_(watch), diagnostics_(diagnostics), again_(again), key_(new_key()), lines_(key_), last_(last) {
    last_.run = folder.file().run;
}

Attempt::~Attempt() {
    watch_.attempt_ends();
    if (pid_ <= 0) return;
    kill_attempt(folder_.path());
    if (shell_status_ < 0) ::waitpid(pid_, nullptr, 0);
    if (!folder_.attempt_is_held()) folder_.remove_spilled();
}

// --- the start ---------------------------------------------------------------------------------

Result<void> Attempt::begin() {
    FileSystem& files = real_file_system();
    for (const char* name : {"/state", "/staged"}) {
        auto made = files.make_folder(folder_.path() + name);
        if (!made) return pass_on(made);
    }
    STREAM_TRY(files.sync_folder(folder_.path()));
    STREAM_TRY(open_sink());
    keep_offset();
    return start_pipeline();
}

Result<void> Attempt::start_pipeline() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return system_failure("make", "a pipe", errno);
    stdout_ = OwnedFd(ends[0]);
    OwnedFd theirs(ends[1]);
    widen_pipe(ends[0]);
    run::CoordinatorOptions how;
    how.every_ns = options_.every_ns;
    how.once = options_.once;
    how.drain = options_.drain;
    how.sinks = options_.sinks;
    how.strict = options_.strict;
    how.stdout_pipe = inode_of(stdout_.get());
    how.key = key_;
    how.attempt = folder_.file().attempt;
    how.now_ns = folder_.file().now_ns;
    run::Coordinator::World world;
    world.send = [this](std::uint64_t id, const run::Message& message) {
        const auto found = channels_.find(id);
        if (found != channels_.end()) found->second.send(message);
    };
    world.commit = [this](const run::Commit& commit) -> Result<void> {
        STREAM_TRY(run::write_commit(real_file_system(), folder_.path(), commit));
        watch_.committed(commit);
        return run::drop_states(real_file_system(), folder_.path(), coordinator_->last(), commit);
    };
    world.publish_stdout = [this](std::uint64_t) -> Result<void> {
        STREAM_TRY(sink_->publish());
        keep_offset();
        return {};
    };
    coordinator_ = std::make_unique<run::Coordinator>(how, last_, std::move(world));
    watch_.attempt_begins([this] { return tools(); });

    // Before the fork: nothing may be allocated behind it.
    const std::string key = key_;
    const std::string folder = folder_.path();
    const std::string now = std::to_string(folder_.file().now_ns);
    const std::string given = what_stdin_is();
    // A terminal is read by its foreground processes alone.
    const bool own_group = !options_.at_most_once || ::isatty(0) == 0;
    pid_ = ::fork();
    if (pid_ < 0) return system_failure("start", "the pipeline", errno);
    if (pid_ == 0) {
        if (own_group) ::setpgid(0, 0);  // a terminal's Ctrl-C is ours to answer
        for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ}) ::signal(number, SIG_DFL);
        if (!folder_.hold_attempt()) {
            const bool is_held = errno == EWOULDBLOCK;
            for (const char* part : {"stream-run: cannot lock attempt.lock: ", ::strerrordesc_np(errno), "\n"}) {
                [[maybe_unused]] const auto n = ::write(2, part, std::strlen(part));
            }
            ::_exit(is_held ? exit_locked : exit_io);
        }
        const int null = ::open("/dev/null", O_RDONLY);
        if (!options_.at_most_once) ::dup2(null, 0);
        ::dup2(theirs.get(), 1);
        ::setenv("STREAM_CONTROL", "1", 1);
        ::setenv("STREAM_KEY", key.c_str(), 1);
        ::setenv("STREAM_RUN", folder.c_str(), 1);
        ::setenv("STREAM_RUN_NOW", now.c_str(), 1);
        ::setenv("STREAM_RUN_STDIN", given.c_str(), 1);
        ::setenv("STREAM_RUN_AT_MOST_ONCE", options_.at_most_once ? "1" : "", 1);
        ::setenv("STREAM_RUN_AGAIN", again_ ? "1" : "", 1);
        if (options_.file.empty()) ::execlp("bash", "bash", "-o", "pipefail", "-c", options_.command.c_str(), static_cast<char*>(nullptr));
        else ::execl(options_.file.c_str(), options_.file.c_str(), static_cast<char*>(nullptr));
        const char* what = options_.file.empty() ? "bash" : options_.file.c_str();
        const char* hint = errno == EACCES ? "hint: a FILE is a script that can be executed (chmod +x); -c takes a pipeline itself\n" : "";
        for (const char* part : {"stream-run: cannot start ", what, ": ", ::strerrordesc_np(errno), "\n", hint}) {
            [[maybe_unused]] const auto n = ::write(2, part, std::strlen(part));
        }
        ::_exit(127);
    }
    if (own_group) ::setpgid(pid_, pid_);
    process_ = OwnedFd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    last_hello_ns_ = steady_ns();
    return {};
}

// --- what comes --------------------------------------------------------------------------------

Result<void> Attempt::accept_one() {
    auto channel = run::accept_from(watch_.door());
    if (!channel) return {};
    const std::uint64_t id = next_id_++;
    channels_.emplace(id, std::move(*channel));
    unnamed_.emplace(id, true);
    return {};
}

Result<void> Attempt::receive(std::uint64_t id) {
    const auto found = channels_.find(id);
    if (found == channels_.end()) return {};
    for (;;) {
        run::Message message;
        const auto got = found->second.receive(message, false);
        if (got == run::Channel::Got::nothing) return {};
        if (got == run::Channel::Got::gone) {
            channels_.erase(found);
            if (unnamed_.erase(id) == 0) coordinator_->gone(id);
            return {};
        }
        if (unnamed_.count(id) == 0) {
            STREAM_TRY(coordinator_->take(id, message));
            heard(id, message);
            continue;
        }
        if (message.kind() == "status") {
            watch_.answer(found->second);
            channels_.erase(found);
            unnamed_.erase(id);
            return {};
        }
        if (message.kind() == "bye" && message.text("key") == key_) {
            coordinator_->refused({static_cast<int>(message.number("status")), message.flag("incomplete"), message.text("tool"), message.text("why")});
            continue;
        }
        if (message.kind() != "hello") continue;
        unnamed_.erase(id);
        last_hello_ns_ = steady_ns();
        if (const auto refusal = coordinator_->hello(id, message)) {
            found->second.send(*refusal);
            channels_.erase(found);
            return {};
        }
    }
}

// --- what is looked at now and then ------------------------------------------------------------

// The pipeline is what the run's state is of, or a new one: now it may be written down as the run's.
Result<void> Attempt::accepted() {
    accepted_ = true;
    tell_once_only();
    const std::string names = coordinator_->by_arrival();
    if (!names.empty()) diagnostics_.say("the result depends on when events arrive: " + names);
    RunFile file = folder_.file();
    if (file.pipeline == pipeline_of(options_)) return {};
    diagnostics_.say("the pipeline was edited since epoch " + std::to_string(last_.epoch) + "; sources, states and sinks are compared by name");
    file.pipeline = pipeline_of(options_);
    return folder_.write(file);
}

void Attempt::tell_once_only() {
    std::string names;
    for (const auto& [id, member] : coordinator_->members()) {
        for (const std::string& input : member.once_only) names += (names.empty() ? "" : ", ") + input + " (" + member.tool + ")";
    }
    if (!names.empty() && !again_) diagnostics_.say("what cannot be read again, and is lost by a crash or a stop where it is not committed yet: " + names);
}

// Pipe ends that no tool holds.
Result<void> Attempt::look_at_topology(std::int64_t now_ns) {
    if (coordinator_->is_complete()) return accepted_ ? Result<void>{} : accepted();
    if (now_ns - last_hello_ns_ < 5 * second_ns || coordinator_->members().empty()) return {};
    std::string names;
    for (const std::uint64_t pipe : coordinator_->open_ends()) {
        const std::string who = who_has_pipe(pipe);
        if (!who.empty() && names.find(who) == std::string::npos) names += (names.empty() ? "" : ", ") + who;
    }
    return fail(ErrorKind::usage, names.empty() ? std::string("a command of the pipeline takes no part in the run") : names + " in the pipeline takes no part in the run",
                "stream-through -- " + (names.empty() ? std::string("COMMAND") : names) + ", or --sinks K where all lines go through it (tee)");
}

Result<void> Attempt::look_at_processes() {
    if (shell_status_ >= 0) return {};
    int status = 0;
    const pid_t got = ::waitpid(pid_, &status, WNOHANG);
    if (got != pid_) return {};
    shell_status_ = WIFEXITED(status) ? WEXITSTATUS(status) : exit_signal + WTERMSIG(status);
    shell_was_killed_ = WIFSIGNALED(status);
    process_.reset();
    shell_ended_ns_ = steady_ns();
    return {};
}

// False: all is over, one way or the other.
Result<bool> Attempt::wait(std::int64_t until) {
    std::vector<pollfd> polled;
    polled.push_back({stop_signal() == 0 ? stop_fd() : -1, POLLIN, 0});
    polled.push_back({watch_.door(), POLLIN, 0});
    polled.push_back({stdout_.get(), POLLIN, 0});
    polled.push_back({process_.get(), POLLIN, 0});
    std::vector<std::uint64_t> ids;
    for (const auto& [id, channel] : channels_) {
        ids.push_back(id);
        polled.push_back({channel.fd(), POLLIN, 0});
    }
    const std::size_t others = polled.size();
    watch_.add_to(polled);
    if (coordinator_->due_ns() >= 0) until = std::min(until, coordinator_->due_ns());
    if (watch_.due_ns() >= 0) until = std::min(until, watch_.due_ns());
    const std::int64_t left = std::max<std::int64_t>(0, until - steady_ns());
    const timespec timeout{static_cast<time_t>(left / second_ns), static_cast<long>(left % second_ns)};
    ::ppoll(polled.data(), static_cast<nfds_t>(polled.size()), &timeout, nullptr);
    if (stop_signal() != 0) {
        watch_.stopping();
        coordinator_->stop();
    }
    watch_.serve(std::span<const pollfd>(polled).subspan(others));
    if (polled[2].revents != 0) STREAM_TRY(read_stdout());
    for (std::size_t i = 0; i < ids.size(); ++i) {
        if (polled[4 + i].revents != 0) STREAM_TRY(receive(ids[i]));
    }
    if (polled[1].revents != 0) STREAM_TRY(accept_one());
    if (polled[3].revents != 0) STREAM_TRY(look_at_processes());
    if (coordinator_->failure()) return false;
    // Everybody has gone, and nothing is left to read.
    return !(shell_status_ >= 0 && channels_.empty() && !stdout_.is_open() && !somebody_knocks() && !somebody_may_come());
}

Result<void> Attempt::loop() {
    for (;;) {
        auto more = wait(steady_ns() + (shell_status_ < 0 ? second_ns : second_ns / 20));
        if (!more) return pass_on(more);
        STREAM_TRY(coordinator_->step(steady_ns()));
        if (!*more || coordinator_->failure()) break;
        if (stop_signal() != 0 && !coordinator_->is_complete()) break;  // nothing has begun
        STREAM_TRY(look_at_topology(steady_ns()));
        ask_for_counts(steady_ns());
        if (coordinator_->is_over() && shell_status_ >= 0) break;
    }
    // What failed together is heard together: the cause may come a moment after its effects.
    const std::int64_t until = steady_ns() + second_ns / 20;
    while (coordinator_->failure() && steady_ns() < until && (shell_status_ < 0 || !channels_.empty() || somebody_knocks())) {
        auto more = wait(until);
        if (!more) return pass_on(more);
    }
    return {};
}

// A shell does not wait for >( ): where the others had nothing more to do, one there may not even have begun.
bool Attempt::somebody_may_come() const {
    return !coordinator_->is_complete() && steady_ns() - shell_ended_ns_ < 5 * second_ns && folder_.attempt_is_held();
}

// Who was refused may have told so, and gone, before it was let in.
bool Attempt::somebody_knocks() const {
    pollfd door{watch_.door(), POLLIN, 0};
    return ::poll(&door, 1, 0) > 0;
}

// --- the end -----------------------------------------------------------------------------------

Attempt::Outcome Attempt::judge() {
    Outcome outcome;
    outcome.commits = coordinator_->commits();
    outcome.last = coordinator_->last();
    if (!coordinator_->failure() && coordinator_->is_over()) {
        outcome.done = true;
        // A shell that was killed while its commands ended well says nothing of them: they have told.
        if (shell_was_killed_) outcome.status = coordinator_->worst_status();
        else outcome.status = shell_status_ < 0 ? 0 : shell_status_;
        return outcome;
    }
    const auto& failure = coordinator_->failure();
    if (!failure) {
        const bool was_killed = shell_status_ > exit_signal && shell_status_ != exit_signal + SIGPIPE;
        // One in >( ) was killed before it took part: the shell does not tell.
        const bool broke_off = shell_status_ <= 0 && !coordinator_->members().empty();
        if (was_killed) diagnostics_.say(fmt::format("the pipeline was killed by signal {}", shell_status_ - exit_signal));
        else if (broke_off && stop_signal() == 0) diagnostics_.say("the pipeline ended before its epoch was complete");
        else if (shell_status_ <= 0 && stop_signal() == 0) diagnostics_.say("no command of the pipeline takes part in the run");
        outcome.status = shell_status_ > 0 ? shell_status_ : static_cast<int>(exit_input);
        outcome.may_restart = was_killed || broke_off || coordinator_->is_complete();
        return outcome;
    }
    const bool has_no_reader = failure->status == exit_signal + SIGPIPE;  // who was to read died before it could say a word
    outcome.status = failure->status == 0 || has_no_reader ? static_cast<int>(exit_input) : failure->status;
    const bool for_good = failure->status == exit_usage || failure->status == exit_corrupt || failure->status == exit_locked || failure->status == exit_limit ||
                          (failure->status == exit_input && !failure->incomplete);
    outcome.may_restart = !for_good && !(failure->status == exit_io && is_lasting(failure->why));
    // The shell's word: a command is not there, or no program.
    const bool no_command = !coordinator_->is_complete() && (shell_status_ == 127 || shell_status_ == 126) && (failure->incomplete || failure->status > exit_signal);
    if (no_command) {
        outcome.status = exit_usage;
        outcome.may_restart = false;
    }
    std::string why = failure->why;
    std::string hint;
    if (const std::size_t end = why.find('\n'); end != std::string::npos) {
        hint = why.substr(end + 1);
        why.resize(end);
    }
    if (failure->tool.empty()) outcome.why = why;
    else if (failure->status == 0) outcome.why = failure->tool + " was killed";
    else if (has_no_reader) outcome.why = failure->tool + " lost its reader: a command behind it ended";
    else if (failure->status > exit_signal) outcome.why = failure->tool + " was stopped";
    else outcome.why = failure->tool + " failed: " + why;
    // What a tool ends with for good it has said itself.
    if (no_command) outcome.why = "a command of the pipeline cannot be run";
    else if (!failure->tool.empty() && !outcome.may_restart) return outcome;
    diagnostics_.say(outcome.why);
    if (failure->tool.empty() && !hint.empty()) diagnostics_.hint(hint);
    return outcome;
}

Result<Attempt::Outcome> Attempt::run() {
    STREAM_TRY(begin());
    STREAM_TRY(loop());
    Outcome outcome = judge();
    // Killed before they see that the run has left them, and say so.
    kill_attempt(folder_.path());
    channels_.clear();
    if (shell_status_ < 0) {
        int status = 0;
        ::waitpid(pid_, &status, 0);
        shell_status_ = WIFEXITED(status) ? WEXITSTATUS(status) : exit_signal + WTERMSIG(status);
    }
    return outcome;
}

}  // namespace stream
