// SPDX-License-Identifier: Apache-2.0
// A command with a pipe as its stdin.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/error.hpp"
#include "io/fd.hpp"

namespace stream {

class Child {
public:
    // Runs it (found along $PATH) with `STREAM_BATCH` set and what is a run's own taken out of its environment.
    // It is told (SIGTERM) when this process dies. Where it cannot be run, its status is 127 or 126, as a
    // shell's, and why() says so.
    static Result<Child> start(const std::vector<std::string>& command, const std::string& batch);

    // Its stdin, non-blocking. To be closed at the end.
    OwnedFd& input() { return input_; }
    // Readable once it has ended; -1 where the system has no such thing.
    int pidfd() const { return pidfd_.get(); }
    // Whether it has ended. Never waits.
    bool has_ended();
    void signal(int number);

    // Once it has ended: its exit status, 128 + n for signal n.
    int status() const { return status_; }
    // "exited with 1", "was killed by signal 9", "cannot be run: …".
    std::string how() const;

private:
    Child() = default;
    pid_t pid_ = -1;
    bool ended_ = false;
    int status_ = 0;
    int signal_ = 0;
    std::string why_;
    OwnedFd input_;
    OwnedFd pidfd_;
};

}  // namespace stream
