// SPDX-License-Identifier: Apache-2.0
// A tool's side of a run: it says what it is, learns where to begin, is asked for barriers (sources), and tells what
// it has saved and prepared. The connection's end is the tool's end, wherever it waits: a thread of its own sees to
// that, so a tool of a run may be killed, or end, at any instruction.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "run/channel.hpp"
#include "run/commit.hpp"

namespace stream::run {

// The environment of a run's tools.
struct Environment {
    std::string folder;  // STREAM_RUN, absolute; empty: no run
    std::string key;     // STREAM_KEY; empty: no control lines
    bool at_most_once = false;  // STREAM_RUN_AT_MOST_ONCE: what cannot be read again may be read all the same
    std::string run_stdin;      // STREAM_RUN_STDIN: the inode of what the run itself was started with; empty: nothing
    bool again = false;         // STREAM_RUN_AGAIN: an attempt of this stream-run has failed before
    static Environment read();
};
// What `now`, -2h and today mean, nanoseconds since 1970: in a run when it was first started, else now.
std::int64_t command_line_now_ns();
// Tells a run why a tool ends before it has taken part.
void tell_refusal(const std::string& tool, int status, const std::string& why);
// For commands that are not ours: they get none of it.
void clear_environment();

struct Hello {
    std::string tool;              // "stream-window"
    std::string name;              // what its state goes by: unique in the run, the same in each attempt
    std::string arguments;         // for people
    bool is_source = false;        // is asked for barriers
    bool is_stateful = false;
    std::vector<std::string> sinks;           // names of what it writes but for its stdout
    std::vector<std::uint64_t> pipes_in;      // inodes it reads
    std::vector<std::uint64_t> pipes_out;     // and writes
    std::vector<std::string> by_arrival;      // options by which the result depends on arrival
    std::vector<std::string> once_only;       // inputs that cannot be read again
};

struct Start {
    std::string run;
    std::uint64_t epoch = 0;      // committed; 0: begin at the beginning
    std::uint64_t attempt = 0;
    bool once = false;
    bool drain = false;
    std::int64_t now_ns = 0;      // of the first start of the run
    std::optional<SavedState> state;
    std::vector<StagedFile> files;
};

// What a tool is asked: a source for a barrier, a sink to publish, anybody for its counts.
struct Request {
    enum class Kind { barrier, committed, counts };
    Kind kind = Kind::barrier;
    std::uint64_t epoch = 0;
    bool end = false;    // barrier: answer $end and stop
    bool drain = false;
};

class Client {
public:
    // `on_gone` is called, on a thread of the client's, when the run is no more: it must end the process.
    static Result<std::unique_ptr<Client>> connect(const Environment& environment, void (*on_gone)());
    ~Client();

    // ErrorKind::locked, usage, …: what the run says to it.
    Result<Start> start(const Hello& hello);

    // Readable while next() has something.
    int fd() const { return wake_.get(); }
    bool has_request() const;
    std::optional<Request> next();

    // From any thread: makes fd() readable, though nothing was asked.
    void wake();
    // From any thread.
    void tell(const Message& message);
    // The last word: how and why it ends. `end`: all that was asked of it is done.
    void bye(int status, const std::string& why, bool incomplete, bool end);

private:
    Client(Channel channel, std::string key, void (*on_gone)());
    void listen();

    Channel channel_;
    std::string key_;
    void (*on_gone_)();
    OwnedFd wake_;  // an eventfd
    mutable std::mutex mutex_;
    std::deque<Request> requests_;
    std::thread listener_;
    std::atomic<bool> said_bye_ = false;
};

}  // namespace stream::run
