// SPDX-License-Identifier: Apache-2.0
// What others see of a run while stream-run lives, through all attempts: who asks for its status on run.sock, who reads its
// metrics (--metrics), and the service manager. Its tools join on the same socket.
#pragma once

#include <poll.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "cli/diagnostics.hpp"
#include "cli/run/folder.hpp"
#include "cli/run/readiness.hpp"
#include "cli/run/supervisor.hpp"
#include "io/fd.hpp"
#include "run/channel.hpp"
#include "run/commit.hpp"
#include "run/metrics_server.hpp"

namespace stream {

// By a clock that is never set.
std::int64_t steady_ns();
// When `folder`/commit was written, nanoseconds since 1970; 0: never.
std::int64_t commit_time_ns(const std::string& folder);
// How a report tells of the commit: epoch, committed_at, committed_ago_ns (-1: there is none).
void put_commit(run::Message& head, std::uint64_t epoch, std::int64_t committed_ns);

class RunWatch {
public:
    RunWatch(const RunOptions& options, const RunFolder& folder, const run::Commit& last);

    // Listens on run.sock, and at --metrics. ErrorKind::io where an address is in use.
    Result<void> open(Diagnostics& diagnostics);
    int door() const { return door_.get(); }

    // `tools`: a line for each tool, what is staged; asked whenever somebody wants to know.
    struct Tools {
        std::vector<run::Message> lines;
        std::uint64_t staged_bytes = 0;
        bool complete = false;
    };
    void attempt_begins(std::function<Tools()> tools);
    void attempt_ends();
    void committed(const run::Commit& commit);
    void stopping();
    void restarting(const std::string& why);
    void done() { readiness_.done(); }

    // A message "run", and one "stats" for each tool.
    std::vector<run::Message> report() const;
    void answer(run::Channel& channel) const;

    // In the poll loop of an attempt: what to poll, behind what is there, and what has come.
    void add_to(std::vector<pollfd>& polled) const;
    void serve(std::span<const pollfd> polled);
    // By the steady clock; -1: only when something comes.
    std::int64_t due_ns() const { return metrics_ != nullptr ? metrics_->due_ns() : -1; }

    // Between attempts: answers for so long. False: a signal came.
    bool rest(int ms);

private:
    void let_in() const;

    const RunOptions& options_;
    const RunFolder& folder_;
    OwnedFd door_;
    std::unique_ptr<run::MetricsServer> metrics_;
    Readiness readiness_;
    std::function<Tools()> tools_;
    Tools last_tools_;            // of the attempt before
    std::uint64_t epoch_ = 0;
    std::int64_t committed_ns_ = 0;
    std::int64_t started_ns_ = 0;
    std::uint64_t commits_ = 0;
    std::uint64_t restarts_ = 0;
    std::string failure_;
    bool stopping_ = false;
};

}  // namespace stream
