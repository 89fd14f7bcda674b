// SPDX-License-Identifier: Apache-2.0
#include "cli/through/through.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "base/text.hpp"
#include "cli/exit_status.hpp"
#include "cli/own_watermarks.hpp"
#include "cli/run/folder.hpp"
#include "cli/signals.hpp"
#include "control/lines.hpp"
#include "io/output.hpp"
#include "run/client.hpp"

namespace stream {

namespace {

constexpr std::size_t block = 256 << 10;  // no control line is as long
constexpr const char* tool_name = "stream-through";

std::optional<std::uint64_t> pipe_of(int fd) {
    struct stat status {};
    if (::fstat(fd, &status) != 0 || !(S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode))) return std::nullopt;
    return static_cast<std::uint64_t>(status.st_ino);
}

class Through {
public:
    Through(const ThroughOptions& options, run::Environment environment, const SignalsBefore& signals)
        : options_(options), signals_(signals), environment_(std::move(environment)), lines_(environment_.key), output_(1, "stdout"),
          input_(block), from_child_(block) {}

    // Reads to the end line. Its failure has not been said.
    Result<void> run();
    // The last word to the run.
    void bye(const Result<void>& result, int status);

private:
    enum class Wanted : std::uint8_t { input, room, end };

    bool in_run() const { return !environment_.folder.empty(); }
    Result<void> join();
    Result<void> check() const;
    Result<void> loop();
    Result<void> read_input();
    Result<void> take_lines();
    Result<void> take_control(const ControlLine& line);
    Result<void> take_barrier(const ControlLine& line);
    Error no_stream() const;
    Result<void> feed(std::string_view bytes);
    Result<void> end_epoch();
    Result<void> wait(Wanted wanted);
    Result<void> read_child();
    Result<void> forward(std::string_view bytes);
    Result<void> judge_child();

    const ThroughOptions& options_;
    const SignalsBefore& signals_;
    run::Environment environment_;
    ControlLines lines_;
    std::unique_ptr<run::Client> client_;
    Output output_;
    std::unique_ptr<OwnWatermarks> watermarks_;
    std::unique_ptr<ForeignCommand> child_;
    std::vector<char> input_;
    std::size_t filled_ = 0;
    std::vector<char> from_child_;
    std::uint64_t epoch_ = 0;    // the newest that went through
    bool began_ = false;         // $stream was there
    bool ended_ = false;         // $end was there
    bool in_long_line_ = false;  // its beginning has been fed
    bool is_done_ = false;       // the command ended before the epoch did: the rest of it is not for it
    bool at_line_end_ = true;    // of what went out
};

// --- the beginning and the end -------------------------------------------------------------------

Result<void> Through::run() {
    STREAM_TRY(join());
    STREAM_TRY(check());
    if (!options_.time_field.empty()) {
        auto made = OwnWatermarks::make({{options_.time_field}}, options_.lateness, options_.watermark_every);
        if (!made) return pass_on(made);
        watermarks_ = std::move(*made);
    }
    lines_.append_stream(output_.buffer(), tool_name);
    STREAM_TRY(output_.flush());
    auto result = loop();
    child_.reset();
    // What came before an error is written; of an input that broke off nothing counts.
    const bool writes = result || (result.error().kind() != ErrorKind::incomplete && result.error().kind() != ErrorKind::closed);
    auto closed = writes ? output_.close() : Result<void>{};
    if (result && !closed) result = std::move(closed);
    return result;
}

Result<void> Through::join() {
    // It is known by now, and no command may find it.
    run::clear_environment();
    if (!in_run()) return {};
    auto client = run::Client::connect(environment_, [] { ::_exit(exit_input); });
    if (!client) return pass_on(client);
    client_ = std::move(*client);
    run::Hello hello;
    hello.tool = hello.name = tool_name;
    hello.arguments = options_.arguments;
    if (const auto pipe = pipe_of(0)) hello.pipes_in.push_back(*pipe);
    if (const auto pipe = pipe_of(1)) hello.pipes_out.push_back(*pipe);
    auto started = client_->start(hello);
    if (!started) return pass_on(started);
    epoch_ = started->epoch;
    return {};
}

// After the hello, so that the run hears of it.
Result<void> Through::check() const {
    struct stat out {};
    if (in_run() && ::fstat(1, &out) == 0 && S_ISREG(out.st_mode)) {
        return fail(ErrorKind::usage, "in a run stdout is not to be sent to a file: what is written there before a commit cannot be taken back",
                    "stream-run DIR --output FILE");
    }
    if (!pipe_of(0)) {
        return fail(ErrorKind::usage, "stdin is no pipe: with control lines a tool of ours is to write it", "stream-cat FILE | stream-through -- " + options_.command[0] + " …");
    }
    return find_command(options_.command[0]);
}

void Through::bye(const Result<void>& result, int status) {
    if (client_ == nullptr) return;
    const bool incomplete = !result && (result.error().kind() == ErrorKind::incomplete || result.error().kind() == ErrorKind::closed);
    client_->bye(status, result ? std::string() : result.error().message(), incomplete, result.has_value());
}

// --- lines that come -----------------------------------------------------------------------------

Result<void> Through::loop() {
    while (!ended_) {
        STREAM_TRY(wait(Wanted::input));
        STREAM_TRY(read_input());
        STREAM_TRY(take_lines());
    }
    return {};
}

Result<void> Through::read_input() {
    const ssize_t got = ::read(0, input_.data() + filled_, input_.size() - filled_);
    if (got > 0) {
        filled_ += static_cast<std::size_t>(got);
    } else if (got == 0) {
        return fail(ErrorKind::incomplete, began_ ? "stdin ended without its end line: the command that writes it was stopped" : "stdin ended before its first control line");
    } else if (errno != EINTR && errno != EAGAIN) {
        return system_failure("read", "stdin", errno);
    }
    return {};
}

// Whole lines: runs of events for the command, control lines for us.
Result<void> Through::take_lines() {
    const char* const bytes = input_.data();
    std::size_t events = 0;  // where those begin that have not been fed
    std::size_t at = 0;
    while (!ended_ && at < filled_) {
        const auto* end = static_cast<const char*>(std::memchr(bytes + at, '\n', filled_ - at));
        if (end == nullptr) break;
        const auto next = static_cast<std::size_t>(end - bytes) + 1;
        const auto control = in_long_line_ ? std::nullopt : lines_.read({bytes + at, next - 1 - at});
        in_long_line_ = false;
        if (control) {
            STREAM_TRY(feed({bytes + events, at - events}));
            STREAM_TRY(take_control(*control));
            events = next;
        } else if (!began_) {
            return tl::unexpected<Error>(no_stream());
        }
        at = next;
    }
    STREAM_TRY(feed({bytes + events, at - events}));
    if (at == 0 && filled_ == input_.size()) {
        if (!began_) return tl::unexpected<Error>(no_stream());
        in_long_line_ = true;
        at = filled_;
        STREAM_TRY(feed({bytes, at}));
    }
    filled_ -= at;
    std::memmove(input_.data(), bytes + at, filled_);
    return {};
}

// A first line that is not ours.
Error Through::no_stream() const {
    const auto pipe = pipe_of(0);
    const std::string writer = pipe ? who_has_pipe(*pipe) : std::string();
    const std::string who = writer.empty() ? "the command that writes stdin" : stream::quoted(writer);
    return Error(ErrorKind::data, who + " dropped the control lines", "put it in stream-through -- " + (writer.empty() ? std::string("COMMAND") : writer + " …"));
}

Result<void> Through::take_control(const ControlLine& line) {
    if (line.kind == ControlLine::Kind::stream) {
        if (began_) return fail(ErrorKind::usage, "two commands write to one pipe: a second first line, of " + line.text, "merge them: stream-cat --merge <(…) <(…)");
        began_ = true;
        return {};
    }
    if (!began_) return tl::unexpected<Error>(no_stream());
    // The command may have changed the times that a watermark speaks of.
    return line.kind == ControlLine::Kind::watermark ? Result<void>{} : take_barrier(line);
}

Result<void> Through::take_barrier(const ControlLine& line) {
    const bool end = line.kind == ControlLine::Kind::end;
    const bool idle = end && line.epoch == epoch_;  // of what is committed already
    if (!idle && line.epoch != epoch_ + 1 && in_run()) {
        return fail(ErrorKind::incomplete, fmt::format("stdin: barrier {} came, and {} should: lines were lost on the way", line.epoch, epoch_ + 1));
    }
    STREAM_TRY(end_epoch());
    if (end) lines_.append_end(output_.buffer(), line.epoch, line.drain);
    else lines_.append_barrier(output_.buffer(), line.epoch);
    STREAM_TRY(output_.flush());
    if (client_ != nullptr && !idle) client_->tell(run::Message("done").set("epoch", line.epoch).flag("end", end));
    epoch_ = line.epoch;
    ended_ = end;
    return {};
}

// --- the command ---------------------------------------------------------------------------------

Result<void> Through::feed(std::string_view bytes) {
    if (bytes.empty() || is_done_) return {};
    if (child_ == nullptr) {
        auto started = ForeignCommand::start(options_.command, signals_);
        if (!started) return pass_on(started);
        child_ = std::move(*started);
    }
    while (!bytes.empty() && child_ != nullptr && child_->input_fd() >= 0) {
        auto taken = child_->feed(bytes);
        if (!taken) return pass_on(taken);
        bytes.remove_prefix(*taken);
        if (!bytes.empty() && child_->input_fd() >= 0) STREAM_TRY(wait(Wanted::room));
    }
    return {};
}

Result<void> Through::end_epoch() {
    if (child_ != nullptr) {
        child_->close_input();
        STREAM_TRY(wait(Wanted::end));
    }
    is_done_ = false;
    return {};
}

// Until what is wanted is there. What the command writes meanwhile is passed on; and whatever lies in our buffer is,
// before nothing is left to do.
Result<void> Through::wait(Wanted wanted) {
    static const bool has_reader = pipe_of(1).has_value();
    for (;;) {
        if (wanted != Wanted::input && child_ == nullptr) return {};
        const int out = child_ != nullptr ? child_->output_fd() : -1;
        const int process = child_ != nullptr && out < 0 ? child_->process_fd() : -1;
        const int in = wanted == Wanted::room ? child_->input_fd() : wanted == Wanted::input ? 0 : -1;
        pollfd polled[] = {{stop_fd(), POLLIN, 0},
                           {has_reader ? 1 : -1, 0, 0},
                           {out, POLLIN, 0},
                           {process, POLLIN, 0},
                           {in, static_cast<short>(wanted == Wanted::room ? POLLOUT : POLLIN), 0}};
        const int ready = ::poll(polled, std::size(polled), output_.has_buffered() ? 0 : -1);
        if (stop_signal() != 0) return fail(ErrorKind::stopped, "stopped");
        if (ready < 0 && errno != EINTR) return system_failure("wait for", "the command", errno);
        if (ready == 0) STREAM_TRY(output_.flush());
        if (ready <= 0) continue;
        if ((polled[1].revents & (POLLERR | POLLHUP)) != 0) return fail(ErrorKind::closed, "the reader of stdout is gone");
        if (polled[2].revents != 0) STREAM_TRY(read_child());
        if (polled[3].revents != 0) STREAM_TRY(judge_child());
        if (polled[4].revents != 0) return {};
    }
}

Result<void> Through::read_child() {
    auto got = child_->read(from_child_);
    if (!got) return pass_on(got);
    if (!got->empty()) return forward(*got);
    if (child_->output_fd() >= 0) return {};
    // Its last line gets its end.
    if (watermarks_ != nullptr) return watermarks_->end(output_, lines_);
    return at_line_end_ ? Result<void>{} : forward("\n");
}

Result<void> Through::forward(std::string_view bytes) {
    at_line_end_ = bytes.back() == '\n';
    return watermarks_ != nullptr ? watermarks_->pass(bytes, output_, lines_) : output_.append_run(bytes);
}

// It has ended, and all that it wrote has been read.
Result<void> Through::judge_child() {
    const int status = child_->reap();
    child_.reset();
    is_done_ = true;
    const std::string name = stream::quoted(options_.command[0], 200);
    if (WIFSIGNALED(status)) return fail(ErrorKind::incomplete, fmt::format("{} was killed by signal {}", name, WTERMSIG(status)));
    const int number = WEXITSTATUS(status);
    if (options_.ok_statuses.count(number) != 0) return {};
    return fail(ErrorKind::data, fmt::format("{} failed: status {}", name, number), number == 1 ? "--ok-status 0,1 where that is no failure (grep)" : "");
}

}  // namespace

Result<int> run_through(const ThroughOptions& options, const SignalsBefore& signals, Diagnostics& diagnostics) {
    run::Environment environment = run::Environment::read();
    if (!options.control_key.empty()) {
        if (!environment.folder.empty()) return fail(ErrorKind::usage, "--control is the run's to say here");
        environment.key = options.control_key;
    }
    if (environment.key.empty()) return tl::unexpected<Error>(become(options.command, signals));
    if (!ControlLines::is_key(environment.key)) {
        return fail(ErrorKind::usage, options.control_key.empty() ? "STREAM_KEY is no key" : "--control: not a key: " + stream::quoted(options.control_key), "1 to 64 letters and digits");
    }
    Through through(options, std::move(environment), signals);
    const Result<void> result = through.run();
    const int status = result ? static_cast<int>(exit_done) : exit_status_of(result.error().kind(), stop_signal());
    const bool quiet = !result && (result.error().kind() == ErrorKind::closed || result.error().kind() == ErrorKind::stopped);
    if (!result && !quiet) diagnostics.say(result.error());
    through.bye(result, status);
    return status;
}

}  // namespace stream
