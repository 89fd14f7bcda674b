// SPDX-License-Identifier: Apache-2.0
// The epochs of one attempt of a run: who takes part, when a barrier is asked for, and when an epoch is committed.
// It knows no clock and no descriptor: whoever holds the connections tells it what came, and sends what it says.
//
// An epoch is committed once every source, stateful tool and sink has said that its part of it is durable. The tools
// take part once both ends of every pipe are accounted for (or `sinks` sinks are there).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "run/commit.hpp"
#include "run/message.hpp"

namespace stream::run {

// How many there are, and what they are called, for `status`.
struct Member {
    std::string tool;
    std::string name;
    std::string arguments;
    std::uint64_t pid = 0;
    bool is_source = false;
    bool is_stateful = false;
    std::vector<std::string> sinks;
    std::vector<std::uint64_t> pipes_in;
    std::vector<std::uint64_t> pipes_out;
    std::vector<std::string> by_arrival;
    std::vector<std::string> once_only;  // inputs that cannot be read again

    bool at_end = false;     // a source: nothing more for now
    bool has_new = false;    // a source: something since the last barrier
    std::uint64_t done = 0;  // the newest epoch that its part of is durable
    bool ended = false;      // it has passed $end on: what it did counts for every later epoch too
    std::uint64_t published = 0;
    bool gone = false;
    bool waits = false;      // for the others, before it begins
    std::optional<Message> bye;
    std::optional<Message> stats;

    bool has_duties() const { return is_source || is_stateful || !sinks.empty(); }
};

struct CoordinatorOptions {
    std::int64_t every_ns = 1'000'000'000;
    bool once = false;
    bool drain = false;
    std::optional<std::uint64_t> sinks;  // not the pipes, but so many sinks say that all are there
    bool strict = false;                 // none whose result depends on when events arrive
    std::uint64_t stdout_pipe = 0;       // inode of the pipe that stream-run reads
    std::string key;
    std::uint64_t attempt = 0;
    std::int64_t now_ns = 0;             // of the run's first start
};

// Why an attempt failed.
struct Failure {
    int status = 0;           // the tool's exit status; 0: it was killed
    bool incomplete = false;  // its input broke off: somebody else's failure
    std::string tool;
    std::string why;
};

class Coordinator {
public:
    struct World {
        std::function<void(std::uint64_t member, const Message&)> send;
        std::function<Result<void>(const Commit&)> commit;       // write_commit
        std::function<Result<void>(std::uint64_t epoch)> publish_stdout;
    };
    Coordinator(CoordinatorOptions options, Commit last, World world);

    // A new connection's first message. What it is refused with, if it is: the connection ends then.
    std::optional<Message> hello(std::uint64_t id, const Message& message);
    // ErrorKind::io: the commit failed, and nobody was told.
    Result<void> take(std::uint64_t id, const Message& message);
    void gone(std::uint64_t id);
    // A tool that ends before it takes part.
    void refused(Failure failure) { fail(std::move(failure)); }
    // The run's stdout: a tool writes to it; its barrier came, what was before it is durable (`staged`; nothing where
    // it is no file); its last line.
    Result<void> stdout_barrier(std::uint64_t epoch, const std::optional<StagedFile>& staged, bool end);

    // To be called now and then, and after each of the others. `now_ns` of a steady clock.
    Result<void> step(std::int64_t now_ns);
    // When next at the latest; -1: only when something comes.
    std::int64_t due_ns() const { return due_ns_; }

    // Ends the epoch at once, without drain.
    void stop() { stopping_ = true; }

    bool is_complete() const { return complete_; }
    // Something has come that is not committed.
    bool is_working() const;
    // The options by which the result depends on when events arrive, with their tools.
    std::string by_arrival() const;
    // Pipe ends that nobody has told of.
    std::vector<std::uint64_t> open_ends() const;
    // Everything is committed, published and said.
    bool is_over() const;
    // Of the members that have ended, the greatest exit status.
    int worst_status() const;
    const std::optional<Failure>& failure() const { return failure_; }
    const std::map<std::uint64_t, Member>& members() const { return members_; }
    // Their ids, writers in front of their readers.
    std::vector<std::uint64_t> in_order() const;
    const Commit& last() const { return last_; }
    std::uint64_t commits() const { return commits_; }

private:
    void look_whether_complete(std::int64_t now_ns);
    void let_begin(std::int64_t now_ns);
    std::optional<Message> changed_pipeline() const;
    bool all_sinks_are_there(std::uint64_t sinks, std::int64_t now_ns);
    void ask(std::int64_t now_ns);
    Result<void> commit_if_done();
    bool everybody_is_done() const;
    bool everybody_has_published() const;
    bool stdout_takes_part() const;
    void fail(Failure failure);

    CoordinatorOptions options_;
    Commit last_;
    Commit next_;
    World world_;
    std::map<std::uint64_t, Member> members_;
    bool complete_ = false;
    std::uint64_t asked_ = 0;         // the epoch that is under way; 0: none
    bool asked_end_ = false;          // all sources were asked to end
    bool asked_drain_ = false;
    bool first_asked_ = false;
    bool heard_ = false;              // a tool has come since the last step
    std::int64_t heard_at_ns_ = 0;
    bool stopping_ = false;
    std::int64_t asked_at_ns_ = 0;
    std::int64_t due_ns_ = -1;
    std::uint64_t commits_ = 0;
    std::uint64_t stdout_done_ = 0;
    bool stdout_ended_ = false;
    bool stdout_published_ = true;
    std::optional<Failure> failure_;
};

}  // namespace stream::run
