// SPDX-License-Identifier: Apache-2.0
// A command that is not ours, as a child: its stdin and stdout are pipes whose other ends are here and never block.
// It gets the environment and the signal dispositions that a shell would give it, no other descriptor of ours (nor
// the lock of a run's attempt, which a shell hands down), and ends when we do.
#pragma once

#include <sys/types.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "io/fd.hpp"

namespace stream {

// What a command finds where we catch or ignore signals.
class SignalsBefore {
public:
    // To be called before install_signals().
    SignalsBefore();
    void restore() const;

private:
    static constexpr std::array<int, 5> numbers_ = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ};
    std::array<struct sigaction, numbers_.size()> before_{};
};

// Whether there is such a command. ErrorKind::usage names it where there is none.
Result<void> find_command(const std::string& name);

// In place of this process. Returns only the failure.
Error become(const std::vector<std::string>& command, const SignalsBefore& signals);

class ForeignCommand {
public:
    static Result<std::unique_ptr<ForeignCommand>> start(const std::vector<std::string>& command, const SignalsBefore& signals);
    // Kills it, where it has not ended.
    ~ForeignCommand();
    ForeignCommand(const ForeignCommand&) = delete;
    ForeignCommand& operator=(const ForeignCommand&) = delete;

    // To be polled; -1 once closed.
    int input_fd() const { return input_.get(); }
    int output_fd() const { return output_.get(); }
    int process_fd() const { return process_.get(); }

    // Writes what the pipe takes now: how many bytes. One that reads no more is not written to any more: input_fd() is
    // -1 then.
    Result<std::size_t> feed(std::string_view bytes);
    void close_input() { input_.reset(); }
    // What is there now, in `into`; empty where there is nothing, or nothing more: output_fd() is -1 then.
    Result<std::string_view> read(std::span<char> into);

    // Waits for its end: the status as wait(2) gives it.
    int reap();

private:
    ForeignCommand() = default;

    pid_t pid_ = -1;
    OwnedFd process_;
    OwnedFd input_;
    OwnedFd output_;
};

}  // namespace stream
