// SPDX-License-Identifier: Apache-2.0
#include "cli/run/supervisor.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>

#include "base/text.hpp"
#include "cli/exit_status.hpp"
#include "cli/run/attempt.hpp"
#include "cli/run/folder.hpp"
#include "cli/run/watch.hpp"
#include "cli/signals.hpp"
#include "io/file_system.hpp"
#include "io/output.hpp"
#include "run/commit.hpp"
#include "run/state_files.hpp"

namespace stream {

namespace {

constexpr int backoff_first_ms = 50;
constexpr int backoff_most_ms = 5'000;

std::string new_run_id() { return fmt::format("{:016x}{:016x}", real_file_system().random(), real_file_system().random()); }

// Whether something of the commit may not be visible yet: what was staged for it is still there.
Result<bool> has_unpublished(const RunFolder& folder, const run::Commit& commit) {
    for (const run::StagedFile& file : commit.files) {
        if (file.file.empty()) continue;
        auto there = real_file_system().open_if_there(folder.path() + "/staged/" + file.file, Open::read);
        if (!there) return pass_on(there);
        if (*there != nullptr) return true;
    }
    return false;
}

}  // namespace

std::string pipeline_of(const RunOptions& options) { return options.file.empty() ? options.command : "file " + options.file; }

Result<int> run_pipeline(const RunOptions& options, Diagnostics& diagnostics) {
    auto folder = RunFolder::open(options.folder, true);
    if (!folder) return pass_on(folder);
    auto commit = run::read_commit(real_file_system(), folder->path());
    if (!commit) return pass_on(commit);
    run::Commit last = *commit ? std::move(**commit) : run::Commit{};
    RunFile file = folder->file();
    if (folder->is_new()) {
        file.run = new_run_id();
        file.now_ns = real_file_system().now_ns();
    }
    if (!last.run.empty() && last.run != file.run) {
        return fail(ErrorKind::corrupt, folder->path() + "/commit is another run's", "stream-run reset begins anew");
    }
    last.run = file.run;
    auto unpublished = has_unpublished(*folder, last);
    if (!unpublished) return pass_on(unpublished);
    if (last.finished && !*unpublished) {
        diagnostics.say("the run is finished: epoch " + std::to_string(last.epoch) + " was its last");
        return static_cast<int>(exit_done);
    }
    // Over a state that is there it is written once it is known to be that state's.
    if (last.epoch == 0) file.pipeline = pipeline_of(options);
    RunWatch watch(options, *folder, last);
    STREAM_TRY(watch.open(diagnostics));
    std::uint64_t failures = 0;
    for (;;) {
        STREAM_TRY(folder->clear_attempts());
        STREAM_TRY(run::sweep_states(real_file_system(), folder->path(), last));
        file.attempt += 1;
        STREAM_TRY(folder->write(file));
        auto outcome = Attempt(options, *folder, last, watch, diagnostics, failures > 0).run();
        if (!outcome) return pass_on(outcome);
        last = outcome->last;
        file = folder->file();
        if (outcome->done) watch.done();
        if (outcome->done) return stop_signal() != 0 ? exit_signal + stop_signal() : outcome->status;
        if (stop_signal() != 0) return exit_signal + stop_signal();
        failures = outcome->commits > 0 ? 1 : failures + 1;
        if (!outcome->may_restart || failures > options.restarts) {
            if (outcome->may_restart) diagnostics.say(fmt::format("given up after {} attempts without a commit", failures));
            return outcome->status;
        }
        watch.restarting(outcome->why);
        const int pause = std::min(backoff_most_ms, backoff_first_ms << std::min<std::uint64_t>(failures - 1, 10));
        if (!watch.rest(failures == 1 && outcome->commits > 0 ? 0 : pause)) return exit_signal + stop_signal();
    }
}

Result<int> reset_run(const std::string& path, Diagnostics& diagnostics) {
    auto folder = RunFolder::open(path, false, true);
    if (!folder) return pass_on(folder);
    STREAM_TRY(folder->clear_attempts());
    FileSystem& files = real_file_system();
    // A new id before the old state goes: the other way round a crash between them would leave sinks that know more
    // than the run does.
    RunFile file = folder->file();
    file.run = new_run_id();
    file.now_ns = files.now_ns();
    STREAM_TRY(folder->write(file));
    STREAM_TRY(files.remove(folder->path() + "/commit"));
    STREAM_TRY(files.sync_folder(folder->path()));
    for (const char* name : {"/state", "/staged"}) {
        auto names = files.list(folder->path() + name);
        if (!names) return pass_on(names);
        if (!*names) continue;
        for (const std::string& one : **names) STREAM_TRY(files.remove(folder->path() + name + "/" + one));
    }
    static_cast<void>(diagnostics);
    return static_cast<int>(exit_done);
}

}  // namespace stream
