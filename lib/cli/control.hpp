// SPDX-License-Identifier: Apache-2.0
// The pump's part in control lines and in a run (design: docs/adr/0007-runs.md): what it is in the run, where its
// inputs begin, what was asked of it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "cli/pump.hpp"
#include "cli/state_saver.hpp"
#include "control/lines.hpp"
#include "io/fd.hpp"
#include "io/output.hpp"
#include "run/client.hpp"
#include "run/file_sink.hpp"
#include "run/state_files.hpp"

namespace stream {

class Control {
public:
    // Nothing where neither the environment nor --control asks for control lines.
    static Result<std::unique_ptr<Control>> make(const PumpPlan& plan);

    Control(std::string key, std::string folder) : lines(key), key_(std::move(key)), folder_(std::move(folder)) {}

    bool in_run() const { return !folder_.empty(); }
    const std::string& folder() const { return folder_; }

    // Joins the run: says what we are, and learns where to begin.
    Result<void> join(const PumpPlan& plan, const std::string& tool);

    // What kind of input a FILE of the command line is.
    enum class InputKind : std::uint8_t {
        pipe,       // control lines come with its events
        source,     // a file, a log: ours to read from a place
        once_only,  // from outside, as it comes: it cannot be read again
    };
    InputKind kind_of(std::size_t input) const { return kinds_[input]; }
    bool is_ours_to_read(std::size_t input) const { return kinds_[input] != InputKind::pipe; }
    // An attempt before this one may have read a part of a line of what cannot be read again.
    bool is_again() const { return again_; }
    bool is_source() const { return is_source_; }
    // Whether an input is ours to read, if only once at the start.
    bool reads_itself() const { return reads_itself_; }

    // The state of the last commit, a whole copy and what changed since; nothing where there is none.
    Result<void> load_state(const run::StateFiles::Use& use) { return states_ != nullptr ? states_->load(use) : Result<void>{}; }

    // What the state of an epoch is saved from.
    struct Frozen {
        enum class Form : std::uint8_t {
            none,     // there is no state
            whole,    // `payload`
            changes,  // `payload`, since the epoch before
            beside,   // a process of ours writes a whole copy, and tells on `answer`
        };
        Form form = Form::none;
        std::string payload;
        std::vector<std::string> kept;  // of a whole copy: files that it speaks of
        OwnedFd answer;
        pid_t process = -1;
    };
    // Whether it may be what changed, and whether a whole copy is better made beside the stream.
    bool takes_changes() const { return states_ != nullptr && states_->takes_changes(); }
    bool is_large() const { return states_ != nullptr && states_->is_large(); }
    std::size_t changes_max() const { return states_ != nullptr ? states_->changes_max() : 0; }
    std::uint64_t state_bytes() const { return states_ != nullptr ? states_->bytes() : 0; }
    // Where the files go that a whole copy of this epoch speaks of; and where those are of the last commit's.
    KeptFiles keep(std::uint64_t number) const { return states_ != nullptr ? states_->keep(number) : KeptFiles(); }
    KeptFiles kept() const { return states_ != nullptr ? states_->kept() : KeptFiles(); }
    // A process that has all our memory as it is now makes the payload and writes it.
    Result<Frozen> copy_beside(std::uint64_t number, const std::function<Result<std::string>()>& payload);

    // Makes our part of an epoch durable and tells the run: state, and side files. What takes long is begun, and told
    // when it has ended.
    Result<void> save(std::uint64_t number, Frozen state, bool end, bool for_good);
    // Waits for what was begun; what failed.
    Result<void> settle() { return saver_ != nullptr ? saver_->settle() : Result<void>{}; }
    // What failed meanwhile.
    Result<void> failure() { return saver_ != nullptr ? saver_->failure() : Result<void>{}; }

    ControlLines lines;
    run::Start start;
    std::unique_ptr<run::Client> client;
    std::string name;             // of the operator, in the run
    std::uint64_t epoch = 0;      // the newest barrier that went through
    bool told_new = false;
    bool told_at_end = false;
    bool ended = false;           // $end went through
    TimeNs written = time_before_all;  // the last watermark that we wrote
    bool idle = false;            // it was the end of the epoch that is committed: there is nothing to do

    // Where late or bad events go: staged with each epoch. Nothing where they go to no file.
    Result<std::unique_ptr<Output>> side_output(const std::string& what);
    // What a commit makes visible.
    Result<void> publish(std::uint64_t number);
    bool has_sinks() const { return sink_ != nullptr || !sides_.empty(); }
    std::uint64_t published = 0;

private:
    Result<void> look_at_inputs(const PumpPlan& plan, run::Hello& hello);
    Result<InputKind> kind_of_file(const std::string& file) const;
    Result<void> look_at_output(const PumpPlan& plan, run::Hello& hello);

    std::string key_;
    std::string folder_;
    std::vector<InputKind> kinds_;
    bool is_source_ = false;
    bool reads_itself_ = false;
    bool is_stateful_ = false;
    bool again_ = false;
    run::EpochSink* sink_ = nullptr;
    struct Side {
        std::string what;
        std::unique_ptr<run::FileSink> sink;
        OwnedFd gathered;  // what the epoch that is under way brought
    };
    Result<void> stage(Side& side);
    std::vector<Side> sides_;
    std::unique_ptr<run::StateFiles> states_;
    std::unique_ptr<StateSaver> saver_;  // uses what is above
};

}  // namespace stream
