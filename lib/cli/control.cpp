// SPDX-License-Identifier: Apache-2.0
#include "cli/control.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "base/crc32c.hpp"
#include "base/text.hpp"
#include "cli/dead_letters.hpp"
#include "cli/exit_status.hpp"
#include "io/atomic_file.hpp"
#include "io/file_system.hpp"
#include "state/snapshot.hpp"

namespace stream {

namespace {

constexpr std::size_t inline_max = 4096;  // a state of so many bytes is in the commit itself

bool is_pipe(const struct stat& status) { return S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode); }

std::string absolute(const std::string& path) {
    if (path.starts_with('/')) return path;
    char* here = ::getcwd(nullptr, 0);
    std::string result = here != nullptr ? std::string(here) + "/" + path : path;
    std::free(here);
    return result;
}

}  // namespace

Result<std::unique_ptr<Control>> Control::make(const PumpPlan& plan) {
    const run::Environment environment = run::Environment::read();
    if (!plan.control_key.empty()) {
        if (!environment.folder.empty()) return fail(ErrorKind::usage, "--control is the run's to say here");
        if (!ControlLines::is_key(plan.control_key)) return fail(ErrorKind::usage, "--control: not a key: " + quoted(plan.control_key), "1 to 64 letters and digits");
        return std::make_unique<Control>(plan.control_key, "");
    }
    if (environment.key.empty()) return nullptr;
    if (!ControlLines::is_key(environment.key)) return fail(ErrorKind::usage, "STREAM_KEY is no key");
    auto control = std::make_unique<Control>(environment.key, environment.folder);
    if (!control->in_run()) return control;
    auto client = run::Client::connect(environment, [] { ::_exit(exit_input); });
    if (!client) return pass_on(client);
    control->client = std::move(*client);
    return control;
}

Result<void> Control::look_at_inputs(const PumpPlan& plan, run::Hello& hello) {
    for (const std::string& file : plan.files.empty() ? std::vector<std::string>{"-"} : plan.files) {
        struct stat status {};
        const int got = file == "-" ? ::fstat(0, &status) : ::stat(file.c_str(), &status);
        const bool pipe = got == 0 && is_pipe(status);
        kinds_.push_back(pipe ? InputKind::pipe : InputKind::source);
        const std::size_t number = kinds_.size() - 1;
        if (pipe && number < plan.joined.size() && plan.joined[number].first) {
            return fail(ErrorKind::usage, "in a run a table that is read whole first is a file or a log, not a pipe: " + quoted(file), "--as-of, or --follow with a log");
        }
        if (pipe) {
            hello.pipes_in.push_back(static_cast<std::uint64_t>(status.st_ino));
            continue;
        }
        if (got == 0 && S_ISCHR(status.st_mode) && ::isatty(file == "-" ? 0 : -1) == 1) {
            return fail(ErrorKind::usage, "a terminal cannot be read again after a crash", "stream-log append in front, and the run reads the log");
        }
        reads_itself_ = true;
        const std::size_t index = kinds_.size() - 1;
        const bool only_first = index < plan.joined.size() && plan.joined[index].first && !plan.joined[index].follow;
        hello.is_source = hello.is_source || !only_first;
    }
    is_source_ = hello.is_source;
    return {};
}

Result<void> Control::look_at_output(const PumpPlan& plan, run::Hello& hello) {
    struct stat status {};
    if (plan.silent || ::fstat(1, &status) != 0) return {};
    if (S_ISREG(status.st_mode)) {
        return fail(ErrorKind::usage, "in a run stdout is not to be sent to a file: what is written there before a commit cannot be taken back",
                    "stream-run DIR --output FILE");
    }
    if (is_pipe(status)) hello.pipes_out.push_back(static_cast<std::uint64_t>(status.st_ino));
    return {};
}

Result<void> Control::join(const PumpPlan& plan, const std::string& tool) {
    if (client == nullptr) {
        run::Hello nobody;
        return look_at_inputs(plan, nobody);
    }
    if (!plan.state_dir.empty() || plan.final) return fail(ErrorKind::usage, "--state is the run's to keep here");
    run::Hello hello;
    hello.tool = tool;
    hello.name = name = plan.run_name;
    hello.arguments = plan.run_arguments;
    hello.by_arrival = plan.by_arrival;
    STREAM_TRY(look_at_inputs(plan, hello));
    STREAM_TRY(look_at_output(plan, hello));
    is_stateful_ = !plan.stateless;
    hello.is_stateful = is_stateful_;
    sink_ = plan.epoch_sink;
    if (sink_ != nullptr) hello.sinks.push_back(name);
    struct Path {
        std::string what;
        std::string path;
        std::string name;
    };
    std::vector<Path> paths;
    if (plan.late.kind == LatePolicy::Kind::file) paths.push_back({"late", absolute(plan.late.path), name + "-late"});
    if (plan.bad.kind == BadPolicy::Kind::file) paths.push_back({"bad", absolute(plan.bad.path), name + "-bad"});
    for (const Path& path : paths) hello.sinks.push_back(path.name);

    auto started = client->start(hello);
    if (!started) return pass_on(started);
    start = std::move(*started);
    epoch = start.epoch;
    const auto committed = [&](const std::string& sink) -> std::optional<run::StagedFile> {
        for (const run::StagedFile& file : start.files) {
            if (file.name == sink) return file;
        }
        return std::nullopt;
    };
    for (const Path& path : paths) {
        auto there = open_for_append(path.path);
        if (!there) return pass_on(there);
        STREAM_TRY((*there)->close());
        auto opened = run::FileSink::open(real_file_system(), folder_, path.name, path.path, start.attempt, committed(path.name));
        if (!opened) return pass_on(opened);
        sides_.push_back({path.what, std::move(*opened), {}});
    }
    published = start.epoch;
    if (sink_ != nullptr) STREAM_TRY(sink_->open(start, folder_, name, committed(name)));
    return {};
}

// A file without a name: it goes with the attempt.
Result<std::unique_ptr<Output>> Control::side_output(const std::string& what) {
    for (Side& side : sides_) {
        if (side.what != what) continue;
        side.gathered = OwnedFd(::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
        if (!side.gathered.is_open()) return system_failure("gather events in", folder_, errno);
        return std::make_unique<Output>(::fcntl(side.gathered.get(), F_DUPFD_CLOEXEC, 3), what);
    }
    return nullptr;
}

// What was gathered, to the epoch's staged file.
Result<void> Control::stage(Side& side) {
    std::string bytes(256 << 10, '\0');
    for (std::uint64_t at = 0;;) {
        const ssize_t got = pread_full(side.gathered.get(), bytes, at);
        if (got < 0) return system_failure("gather events in", folder_, errno);
        if (got == 0) break;
        STREAM_TRY(side.sink->append(std::string_view(bytes).substr(0, static_cast<std::size_t>(got))));
        at += static_cast<std::uint64_t>(got);
    }
    if (::ftruncate(side.gathered.get(), 0) != 0 || ::lseek(side.gathered.get(), 0, SEEK_SET) != 0) return system_failure("gather events in", folder_, errno);
    return {};
}

Result<void> Control::publish(std::uint64_t number) {
    for (Side& side : sides_) STREAM_TRY(side.sink->publish());
    if (sink_ != nullptr) STREAM_TRY(sink_->publish(number));
    published = number;
    client->tell(run::Message("published").set("epoch", number));
    return {};
}

Result<std::optional<std::string>> Control::load_state(const std::string& tool) {
    if (!start.state) return std::optional<std::string>();
    const run::SavedState& saved = *start.state;
    if (saved.file.empty()) return std::optional<std::string>(saved.bytes);
    const std::string path = folder_ + "/state/" + saved.file;
    auto whole = read_file(path, SIZE_MAX / 2);
    if (!whole) return fail(ErrorKind::corrupt, "the saved state: " + whole.error().message());
    if (whole->size() != saved.length || crc32c(*whole) != saved.crc) return fail(ErrorKind::corrupt, path + " is not the file that the commit names");
    auto payload = read_snapshot_file(path, {tool, name, ""});
    if (!payload) return pass_on(payload);
    return std::optional<std::string>(std::move(*payload));
}

Result<void> Control::save(std::uint64_t number, const std::string& payload, const std::string& tool, bool end, bool for_good) {
    if (client == nullptr) return {};
    if (is_stateful_ || reads_itself_) {
        run::SavedState state;
        state.name = name;
        state.ended = for_good;
        if (payload.size() <= inline_max) {
            state.bytes = payload;
        } else {
            state.file = fmt::format("{}.{}.{}", name, number, start.attempt);
            auto saved = write_snapshot_file(folder_ + "/state/" + state.file, {tool, name, ""}, payload);
            if (!saved) return pass_on(saved);
            state.length = saved->bytes;
            state.crc = saved->crc32c;
        }
        client->tell(run::to_message(state).set("epoch", number));
    }
    const auto tell_file = [&](const run::StagedFile& staged) { client->tell(run::to_message(staged).set("epoch", number)); };
    for (Side& side : sides_) {
        STREAM_TRY(stage(side));
        auto staged = side.sink->prepare(number);
        if (!staged) return pass_on(staged);
        tell_file(*staged);
    }
    if (sink_ != nullptr) {
        auto staged = sink_->prepare(number);
        if (!staged) return pass_on(staged);
        tell_file(*staged);
    }
    if (has_sinks()) client->tell(run::Message("mark").set("target", ""));
    client->tell(run::Message("done").set("epoch", number).flag("end", end));
    return {};
}

}  // namespace stream
