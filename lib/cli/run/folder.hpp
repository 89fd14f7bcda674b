// SPDX-License-Identifier: Apache-2.0
// The folder of a run: run.json (what it runs, its permanent id, how often it was started), run.lock, attempt.lock.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.hpp"
#include "io/fd.hpp"

namespace stream {

struct RunFile {
    std::string run;             // permanent id; `reset` gives a new one
    std::uint64_t attempt = 0;   // raised, durably, before each start
    std::int64_t now_ns = 0;     // of the first start: what `now` and -2h mean
    std::string pipeline;        // its text, or the file's path
};

class RunFolder {
public:
    // Made (mode 0700) where it is not there; to be reset, it may be damaged. ErrorKind::locked where another stream-run has it.
    static Result<RunFolder> open(const std::string& path, bool make, bool to_reset = false);

    const std::string& path() const { return path_; }
    const RunFile& file() const { return file_; }
    bool is_new() const { return file_.run.empty(); }
    // Durable when it returns.
    Result<void> write(const RunFile& file);

    // Ends the processes of attempts before, and waits until the last one is gone: nobody writes any more then. What they
    // had spilled is removed.
    // ErrorKind::locked after ten seconds.
    Result<void> clear_attempts();
    // What tools had on disk beyond their memory, once they are gone.
    void remove_spilled() const;
    // In the child, before exec: a descriptor that only the pipeline keeps, and with it the lock.
    bool hold_attempt() const;
    // Whether a process of the attempt is left.
    bool attempt_is_held() const;

private:
    std::string path_;
    OwnedFd lock_;
    RunFile file_;
};

// Kills the processes whose environment names the run's folder. How many.
int kill_attempt(const std::string& folder);
// The names of the processes that have the pipe open (its inode), without shells; "" for none.
std::string who_has_pipe(std::uint64_t inode);

}  // namespace stream
