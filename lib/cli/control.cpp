// SPDX-License-Identifier: Apache-2.0
#include "cli/control.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "base/text.hpp"
#include "cli/dead_letters.hpp"
#include "cli/exit_status.hpp"
#include "io/file_system.hpp"
#include "io/nameless_file.hpp"

namespace stream {

namespace {

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

// What comes from outside the run brings no control lines, and only once.
Result<Control::InputKind> Control::kind_of_file(const std::string& file) const {
    struct stat status {};
    struct statfs where {};
    const bool is_stdin = file == "-";
    if ((is_stdin ? ::fstat(0, &status) : ::stat(file.c_str(), &status)) != 0) return InputKind::source;
    if (!in_run()) return is_pipe(status) ? InputKind::pipe : InputKind::source;
    const run::Environment environment = run::Environment::read();
    const bool is_null = S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
    const auto refused = [&](const std::string& what) -> Result<InputKind> {
        if (environment.at_most_once) return InputKind::once_only;
        return fail(ErrorKind::usage, what + " cannot be read again after a crash", "stream-log append in front, and the run reads the log; or --at-most-once");
    };
    if (is_null && is_stdin && !environment.run_stdin.empty()) return refused("what stream-run itself has as stdin");
    if (S_ISSOCK(status.st_mode)) return refused((is_stdin ? std::string("stdin") : quoted(file)) + ", a socket,");
    if (S_ISCHR(status.st_mode) && !is_null) return refused((is_stdin ? std::string("stdin") : quoted(file)) + ", a terminal or device,");
    if (!S_ISFIFO(status.st_mode)) return InputKind::source;
    // One with a name may be from outside, or a way between two commands of the pipeline: --at-most-once says which.
    constexpr long anonymous = 0x50495045;  // PIPEFS_MAGIC
    const bool has_name = (is_stdin ? ::fstatfs(0, &where) : ::statfs(file.c_str(), &where)) == 0 && where.f_type != anonymous;
    const bool is_the_runs = environment.run_stdin == std::to_string(status.st_ino);
    return environment.at_most_once && (has_name || is_the_runs) ? InputKind::once_only : InputKind::pipe;
}

Result<void> Control::look_at_inputs(const PumpPlan& plan, run::Hello& hello) {
    for (const std::string& file : plan.files.empty() ? std::vector<std::string>{"-"} : plan.files) {
        auto kind = kind_of_file(file);
        if (!kind) return pass_on(kind);
        kinds_.push_back(*kind);
        const std::size_t number = kinds_.size() - 1;
        if (*kind != InputKind::source && number < plan.joined.size() && plan.joined[number].first) {
            return fail(ErrorKind::usage, "in a run a table that is read whole first is a file or a log, not a pipe: " + quoted(file), "--as-of, or --follow with a log");
        }
        if (*kind == InputKind::pipe) {
            struct stat status {};
            if ((file == "-" ? ::fstat(0, &status) : ::stat(file.c_str(), &status)) == 0) hello.pipes_in.push_back(static_cast<std::uint64_t>(status.st_ino));
            continue;
        }
        if (*kind == InputKind::once_only) hello.once_only.push_back(file == "-" ? "stdin" : file);
        reads_itself_ = true;
        const std::size_t index = kinds_.size() - 1;
        const bool only_first = index < plan.joined.size() && plan.joined[index].first && !plan.joined[index].follow;
        hello.is_source = hello.is_source || !only_first;
    }
    is_source_ = hello.is_source;
    again_ = run::Environment::read().again;
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
    if (is_stateful_ || reads_itself_) {
        states_ = std::make_unique<run::StateFiles>(real_file_system(), folder_, tool, name, start.attempt, start.state.value_or(run::SavedState{}));
        saver_ = std::make_unique<StateSaver>([this] { client->wake(); });
    }
    if (sink_ != nullptr) STREAM_TRY(sink_->open(start, folder_, name, committed(name)));
    return {};
}

// A file without a name: it goes with the attempt.
Result<std::unique_ptr<Output>> Control::side_output(const std::string& what) {
    for (Side& side : sides_) {
        if (side.what != what) continue;
        auto made = open_nameless(folder_);
        if (!made) return pass_on(made);
        side.gathered = std::move(*made);
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

// --- saving ------------------------------------------------------------------------------------

namespace {

// The copying process: it has but this thread, and ends with its parent.
[[noreturn]] void write_copy(const run::StateFiles& states, std::uint64_t number, const std::function<Result<std::string>()>& payload, int answer) {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::signal(signal, SIG_IGN);  // the parent's to answer
    auto bytes = payload();
    auto file = bytes ? states.write(number, *bytes) : Result<run::StateFile>(pass_on(bytes));
    run::Message said = file ? run::Message("file") : run::Message("failed");
    if (file) said.set("file", file->file).set("length", file->length).set("crc", std::uint64_t{file->crc});
    else said.set("why", file.error().message()).set("hint", file.error().hint()).flag("corrupt", file.error().kind() == ErrorKind::corrupt);
    write_full(answer, said.encode());
    ::_exit(0);
}

Result<run::StateFile> answer_of(const OwnedFd& answer, pid_t process) {
    std::string text;
    char bytes[4096];
    for (;;) {
        const ssize_t got = ::read(answer.get(), bytes, sizeof bytes);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        text.append(bytes, static_cast<std::size_t>(got));
    }
    while (::waitpid(process, nullptr, 0) < 0 && errno == EINTR) {}
    const auto said = run::Message::decode(text);
    if (!said) return fail(ErrorKind::io, "the process that writes the state was killed");
    if (said->kind() == "failed") return fail(said->flag("corrupt") ? ErrorKind::corrupt : ErrorKind::io, said->text("why"), said->text("hint"));
    return run::StateFile{said->text("file"), said->number("length"), static_cast<std::uint32_t>(said->number("crc"))};
}

}  // namespace

Result<Control::Frozen> Control::copy_beside(std::uint64_t number, const std::function<Result<std::string>()>& payload) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return system_failure("make", "a pipe", errno);
    Frozen frozen;
    frozen.form = Frozen::Form::beside;
    frozen.answer = OwnedFd(ends[0]);
    const OwnedFd theirs(ends[1]);
    const pid_t parent = ::getpid();
    frozen.process = ::fork();
    if (frozen.process < 0) return system_failure("start", "a process that writes the state", errno);
    if (frozen.process == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(1);
        write_copy(*states_, number, payload, theirs.get());
    }
    return frozen;
}

Result<void> Control::save(std::uint64_t number, Frozen state, bool end, bool for_good) {
    if (client == nullptr) return {};
    std::vector<run::Message> rest;
    for (Side& side : sides_) {
        STREAM_TRY(stage(side));
        auto staged = side.sink->prepare(number);
        if (!staged) return pass_on(staged);
        rest.push_back(run::to_message(*staged).set("epoch", number));
    }
    if (sink_ != nullptr) {
        auto staged = sink_->prepare(number);
        if (!staged) return pass_on(staged);
        rest.push_back(run::to_message(*staged).set("epoch", number));
    }
    if (has_sinks()) rest.push_back(run::Message("mark").set("target", ""));
    rest.push_back(run::Message("done").set("epoch", number).flag("end", end));
    if (state.form == Frozen::Form::none) {
        for (const run::Message& message : rest) client->tell(message);
        return {};
    }
    // Shared: a function object has to be copyable.
    const auto shared = std::make_shared<Frozen>(std::move(state));
    const auto work = [this, shared, rest = std::move(rest), number, for_good]() -> Result<void> {
        Result<run::SavedState> saved = [&]() -> Result<run::SavedState> {
            if (shared->form == Frozen::Form::whole) return states_->save_whole(number, shared->payload, shared->kept);
            if (shared->form == Frozen::Form::changes) return states_->save_changes(number, shared->payload);
            auto file = answer_of(shared->answer, shared->process);
            if (!file) return pass_on(file);
            return states_->take_whole(std::move(*file), shared->kept);
        }();
        if (!saved) return pass_on(saved);
        saved->ended = for_good;
        client->tell(run::to_message(*saved).set("epoch", number));
        for (const run::Message& message : rest) client->tell(message);
        return {};
    };
    // What is small goes into the commit, without a file.
    if (shared->form == Frozen::Form::whole && shared->kept.empty() && shared->payload.size() <= run::StateFiles::inline_max) return work();
    saver_->begin(work);
    return {};
}

}  // namespace stream
