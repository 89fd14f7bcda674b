// SPDX-License-Identifier: Apache-2.0
// One attempt of a run: the pipeline's processes, their connections, what comes on its stdout, and the epochs.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "cli/diagnostics.hpp"
#include "cli/run/folder.hpp"
#include "cli/run/supervisor.hpp"
#include "cli/run/watch.hpp"
#include "control/lines.hpp"
#include "io/fd.hpp"
#include "run/channel.hpp"
#include "run/coordinator.hpp"
#include "run/file_sink.hpp"
#include "run/pace.hpp"

namespace stream {

class Attempt {
public:
    Attempt(const RunOptions& options, RunFolder& folder, const run::Commit& last, RunWatch& watch, Diagnostics& diagnostics, bool again);
    ~Attempt();

    struct Outcome {
        int status = 0;
        bool done = false;       // all is committed and published
        bool may_restart = false;
        std::uint64_t commits = 0;
        run::Commit last;
        std::string why;         // it failed
    };
    // ErrorKind::stopped where a signal came twice.
    Result<Outcome> run();

private:
    Result<void> begin();
    Result<void> open_sink();
    Result<void> start_pipeline();
    void keep_offset() const;
    Result<void> loop();
    Result<bool> wait(std::int64_t until);
    bool somebody_knocks() const;
    bool somebody_may_come() const;
    Result<void> accept_one();
    Result<void> receive(std::uint64_t id);
    Result<void> read_stdout();
    Result<void> take_stdout_line(std::string_view line);
    void tell_once_only();
    Result<void> look_at_topology(std::int64_t now_ns);
    Result<void> look_at_processes();
    Result<void> accepted();
    void heard(std::uint64_t id, const run::Message& message);
    void ask_for_counts(std::int64_t now_ns);
    RunWatch::Tools tools() const;
    Outcome judge();

    const RunOptions& options_;
    RunFolder& folder_;
    RunWatch& watch_;
    Diagnostics& diagnostics_;
    bool again_;                 // one before it has failed
    std::string key_;
    ControlLines lines_;
    run::Commit last_;
    std::unique_ptr<run::Coordinator> coordinator_;
    std::unique_ptr<run::FileSink> sink_;  // of stdout
    OwnedFd stdout_;
    OwnedFd process_;            // a pidfd of the shell
    pid_t pid_ = -1;
    std::map<std::uint64_t, run::Channel> channels_;
    std::map<std::uint64_t, bool> unnamed_;  // connections that have said nothing yet
    struct Said {
        run::Pace pace;
        std::int64_t done_ns = 0;            // when its part of an epoch was durable
        std::int64_t counted_ns = 0;         // when it told its counts
        bool waits = false;                  // it was asked for them, and has not answered
    };
    std::map<std::uint64_t, Said> said_;
    std::uint64_t next_id_ = 1;
    std::string line_;           // of stdout, not ended
    bool stdout_began_ = false;
    std::uint64_t stdout_epoch_ = 0;
    int shell_status_ = -1;
    bool shell_was_killed_ = false;
    std::int64_t shell_ended_ns_ = 0;
    std::int64_t last_hello_ns_ = 0;
    bool accepted_ = false;
};

}  // namespace stream
