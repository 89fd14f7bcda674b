// SPDX-License-Identifier: Apache-2.0
#include "cli/tool.hpp"

#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <clocale>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "cli/exit_status.hpp"
#include "cli/hints.hpp"
#include "cli/signals.hpp"
#include "cli/version.hpp"
#include "io/file_system.hpp"
#include "io/output.hpp"
#include "log/writer.hpp"
#include "run/client.hpp"
#include "state/disk_set.hpp"
#include "time/duration.hpp"
#include "time/zone.hpp"

namespace stream {

std::function<Result<void>(const std::string&)> into_duration(DurationNs& value) {
    return [&value](const std::string& text) -> Result<void> {
        auto parsed = parse_duration(text);
        if (!parsed) return pass_on(parsed);
        if (*parsed < 0) return fail(ErrorKind::usage, "a negative duration: " + stream::quoted(text));
        value = *parsed;
        return {};
    };
}

std::function<Result<void>(const std::string&)> into_size(std::size_t& value) {
    return [&value](const std::string& text) -> Result<void> {
        auto parsed = parse_size(text);
        if (!parsed) return pass_on(parsed);
        value = static_cast<std::size_t>(*parsed);
        return {};
    };
}

std::function<Result<void>(const std::string&)> into_size64(std::uint64_t& value) {
    return [&value](const std::string& text) -> Result<void> {
        auto parsed = parse_size(text);
        if (!parsed) return pass_on(parsed);
        value = *parsed;
        return {};
    };
}

std::function<Result<void>(const std::string&)> into_count(std::uint64_t& value) {
    return [&value](const std::string& text) -> Result<void> {
        const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
        if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
            return fail(ErrorKind::usage, "not a whole number: " + stream::quoted(text));
        }
        return {};
    };
}

Tool::Tool(std::string name, std::string summary, std::string usage)
    : name_(name), options_(name, std::move(summary), std::move(usage)), diagnostics_(name) {}

void Tool::share(unsigned groups) {
    const auto has = [&](unsigned group) { return (groups & group) != 0; };
    if (has(shared_expressions)) expression_arguments_.add_options(options_);
    if (has(shared_time)) {
        options_.value({"--time", "", "FIELD", "the field with the event time (default: $STREAM_TIME, ts, window_end, source.ts_ms)", {}},
                       plan_.time_field);
    }
    if (has(shared_time_text)) {
        options_.value({"--time-format", "", "FMT", "how times are written, in strptime's letters", {}}, plan_.time_options.format);
        options_.parsed({"--time-unit", "", "UNIT", "what a number counts since the epoch", {"s", "ms", "us", "ns"}},
                        [this](const std::string& text) -> Result<void> {
                            const std::pair<const char*, TimeUnit> units[] = {
                                {"s", TimeUnit::s}, {"ms", TimeUnit::ms}, {"us", TimeUnit::us}, {"ns", TimeUnit::ns}};
                            for (const auto& [word, unit] : units) {
                                if (text == word) {
                                    plan_.time_options.unit = unit;
                                    return {};
                                }
                            }
                            return fail(ErrorKind::usage, "not a unit: " + stream::quoted(text), "s, ms, us or ns");
                        });
        options_.value({"--tz", "", "ZONE", "the zone of times that carry no offset (default UTC)", {}}, plan_.time_options.zone);
        options_.value({"--base", "", "DATE", "the year or date that times lack: 2017, 2013-10-07", {}}, plan_.time_options.base);
    }
    if (has(shared_watermark)) {
        options_.parsed({"--lateness", "", "DUR", "how far events may be out of order (default 0s; all: nothing closes before the end)", {}},
                        [this](const std::string& text) -> Result<void> {
                            lateness_given_ = true;
                            if (text == "all") {
                                plan_.lateness_all = true;
                                return {};
                            }
                            return into_duration(plan_.lateness)(text);
                        });
        options_.parsed({"--idle", "", "DUR", "after this long without input, event time goes on with the clock", {}}, into_duration(plan_.idle));
        options_.parsed({"--max-ahead", "", "DUR", "an event further ahead of the watermark is bad", {}}, into_duration(plan_.max_ahead));
    }
    if (has(shared_late)) {
        options_.parsed({"--late", "", "drop|FILE", "late events are dropped or kept in FILE, and are no fault", {"drop"}},
                        [this](const std::string& text) -> Result<void> {
                            if (text.empty() || text == "-") return fail(ErrorKind::usage, "drop or a FILE is wanted");
                            plan_.late.kind = text == "drop" ? LatePolicy::Kind::drop : LatePolicy::Kind::file;
                            plan_.late.path = text == "drop" ? "" : text;
                            return {};
                        });
    }
    if (has(shared_bad)) {
        options_.parsed({"--bad", "", "stop|skip|FILE", "what becomes of bad events (default stop: exit 3)", {"stop", "skip"}},
                        [this](const std::string& text) -> Result<void> {
                            auto policy = parse_bad_policy(text);
                            if (!policy) return pass_on(policy);
                            plan_.bad.kind = policy->kind;
                            plan_.bad.path = policy->path;
                            return {};
                        });
        options_.parsed({"--max-bad", "", "N|P%", "more bad events than this stop the tool (exit 3)", {}},
                        [this](const std::string& text) { return parse_max_bad(text, plan_.bad); });
        options_.parsed({"--max-line", "", "SIZE", "a longer line is a bad event (default 16MiB)", {}}, into_size(plan_.line_max));
    }
    if (has(shared_memory)) {
        options_.parsed({"--memory", "", "SIZE", "how much memory state may take (default 256MiB)", {}}, into_size(plan_.memory));
    }
    if (has(shared_spill)) {
        options_.parsed({"--spill-max", "", "SIZE", "how much disk events that wait may take (default 10GiB)", {}}, into_size64(plan_.spill_max));
    }
    if (has(shared_state)) {
        options_.value({"--state", "", "DIR", "keep state in DIR: pause at the end of the input, go on with the next call", {}}, plan_.state_dir);
        options_.flag("--final", "", "with --state: this input is the last, close everything", plan_.final);
    }
    if (has(shared_output)) {
        options_.flag("--line-buffered", "", "write each line at once (idle pipes are flushed anyway)", plan_.line_buffered);
    }
    if (has(shared_report) || has(shared_run)) {
        options_.value({"--name", "", "NAME", "what our state goes by in a run (default: the tool and its arguments)", {}}, plan_.run_name);
        options_.value({"--control", "", "KEY", "read and write control lines that end in KEY (stream-run does so by itself)", {}}, plan_.control_key);
        options_.parsed({"--watermark-every", "", "DUR", "with control lines: how often a watermark is written, in event time (default 1s)", {}},
                        into_duration(plan_.watermark_every));
    }
    if (has(shared_report)) {
        options_.flag("--progress", "", "show progress on stderr, also where it is no terminal", progress_);
        options_.flag("--no-progress", "", "show no progress", no_progress_);
        options_.value({"--stats", "", "FILE", "append counters to FILE as NDJSON, every 10 s and at the end", {}}, plan_.stats_path);
    }
}

void Tool::changes_members(std::function<bool(const MemberNames&)> may_change) {
    plan_.changes_time = [may_change = std::move(may_change)](const std::string& field) {
        const auto path = parse_field(field);
        return !path || may_change(MemberNames(*path));
    };
    plan_.own_watermarks = true;
}

std::uint64_t Tool::table_seed() {
    std::uint64_t seed = 0;
    if (::getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed) seed = static_cast<std::uint64_t>(::getpid());
    return seed;
}

int Tool::usage(const Error& error) {
    diagnostics_.say(error);
    const int status = exit_status_of(error.kind(), stop_signal());
    run::tell_refusal(name_, status, error.message());
    return status;
}

int Tool::print(const std::string& text) {
    Output out(1, "stdout");
    auto written = out.append(text);
    if (written) written = out.close();
    if (written) return exit_done;
    if (written.error().kind() == ErrorKind::closed) return exit_signal + 13;
    diagnostics_.say(written.error());
    return exit_io;
}

Result<std::string> Tool::take_expression(std::vector<std::string>& words, const std::string& example) {
    if (words.empty()) return fail(ErrorKind::usage, "no expression is given", "for example: " + name_ + " '" + example + "'");
    std::string program = std::move(words.front());
    plan_.files.assign(words.begin() + 1, words.end());
    struct stat status {};
    if (!program.empty() && program.find_first_of("|(){}\"") == std::string::npos && ::stat(program.c_str(), &status) == 0 && S_ISREG(status.st_mode)) {
        return fail(ErrorKind::usage, "the expression is missing: " + stream::quoted(program) + " is a file", name_ + " EXPR FILE");
    }
    return program;
}

std::optional<int> Tool::parse(int argc, char** argv) {
    std::setlocale(LC_ALL, "C");
    stream::table_seed = Tool::table_seed();
    const StandardDescriptors descriptors = reserve_standard_descriptors();
    stdin_open_ = descriptors.stdin_open;
    install_signals();
    if (!descriptors.stdout_open) {
        diagnostics_.say("stdout is closed");
        return exit_io;
    }
    auto next = options_.parse(argc, argv);
    if (!next) return usage(next.error());
    switch (*next) {
        case Options::Next::help: return print(options_.help_text());
        case Options::Next::version: return print(name_ + " " + std::string(version) + "\n");
        case Options::Next::dump: return print(options_.dump_text());
        default: break;
    }
    if (const std::string name = hint_for_stdout(); !name.empty()) {
        diagnostics_.say("stdout is a file called " + stream::quoted(name));
        diagnostics_.hint("an unquoted > is the shell's: put the expression in quotes, and remove that file");
        return exit_usage;
    }
    if (progress_) plan_.progress = true;
    if (no_progress_) plan_.progress = false;
    const char* folder = std::getenv("TMPDIR");
    struct stat temporary {};
    if (folder != nullptr && *folder != '\0' && ::stat(folder, &temporary) == 0 && S_ISDIR(temporary.st_mode)) {
        plan_.spill_folder = folder;
    }
    // Where the state lies, if any is saved: what is in files there is saved by giving it another name.
    if (!plan_.state_dir.empty()) plan_.spill_folder = plan_.state_dir + "/spill";
    if (const std::string run = stream::run::Environment::read().folder; !run.empty()) plan_.spill_folder = run + "/spill";
    for (int i = 1; i < argc; ++i) arguments_.emplace_back(argv[i]);
    return std::nullopt;
}

namespace {

bool same_file(const struct stat& a, const struct stat& b) {
    return S_ISREG(a.st_mode) && S_ISREG(b.st_mode) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

}  // namespace

// What would read its own output for ever, or cannot be read at all.
Result<void> Tool::check_inputs() const {
    struct stat out {};
    const bool has_out = ::fstat(1, &out) == 0;
    for (const std::string& file : plan_.files.empty() ? std::vector<std::string>{"-"} : plan_.files) {
        if (file.starts_with("kafka://")) {
            return fail(ErrorKind::usage, stream::quoted(file) + ": kafka:// is not built in");
        }
        if (file == "-" && !stdin_open_) return fail(ErrorKind::io, "stdin is closed");
        const std::string shown = file == "-" ? "stdin" : stream::quoted(file, 200);
        struct stat status {};
        if ((file == "-" ? ::fstat(0, &status) : ::stat(file.c_str(), &status)) != 0) continue;
        if (S_ISDIR(status.st_mode)) {
            if (file != "-" && log::is_log(real_file_system(), file)) continue;
            return fail(ErrorKind::usage, shown + " is a directory",
                        file == "-" ? "" : "name the files in it: " + file + (file.ends_with("/") ? "" : "/") + "*");
        }
        if (has_out && same_file(status, out)) {
            return fail(ErrorKind::usage, shown + " is the output too", "write to another file and rename it");
        }
        for (const std::string* kept : {&plan_.late.path, &plan_.bad.path, &plan_.stats_path}) {
            struct stat other {};
            if (!kept->empty() && ::stat(kept->c_str(), &other) == 0 && same_file(status, other)) {
                return fail(ErrorKind::usage, shown + " would be appended to while it is read: " + stream::quoted(*kept, 200));
            }
        }
    }
    return {};
}

// The same in each attempt, and wherever the run is started: paths are absolute, pipes have no number, and what only
// shows something is left out.
void Tool::name_in_run() {
    plan_.lateness_given = plan_.lateness_given || lateness_given_;
    const auto is_path = [&](const std::string& word) {
        return std::find(plan_.files.begin(), plan_.files.end(), word) != plan_.files.end() ||
               std::find(plan_.run_paths.begin(), plan_.run_paths.end(), word) != plan_.run_paths.end();
    };
    char* here = ::getcwd(nullptr, 0);
    const std::string folder = here != nullptr ? here : "";
    std::free(here);
    constexpr std::array<std::string_view, 13> with_value = {"--stats", "--name", "--control", "--watermark-every", "--late", "--bad", "--max-bad",
                                                             "--max-line", "--memory", "--spill-max", "--lateness", "--idle", "--on-gap"};
    constexpr std::array<std::string_view, 4> flags = {"--progress", "--no-progress", "--line-buffered", "--accept-changed"};
    std::string& identity = plan_.run_identity;
    for (std::size_t i = 0; i < arguments_.size(); ++i) {
        std::string word = arguments_[i];
        plan_.run_arguments += (i == 0 ? "" : " ") + word;
        const std::string option = word.substr(0, word.find('='));
        if (std::find(flags.begin(), flags.end(), word) != flags.end()) continue;
        if (std::find(with_value.begin(), with_value.end(), option) != with_value.end()) {
            if (option == word && i + 1 < arguments_.size()) plan_.run_arguments += " " + arguments_[++i];
            continue;
        }
        if (word.starts_with("/dev/fd/")) word = "<()";
        else if (word != "-" && !word.starts_with('/') && is_path(word)) word = folder + "/" + word;
        identity += word + '\n';
    }
    if (plan_.run_name.empty()) plan_.run_name = fmt::format("{}-{:016x}", name_, hash64(identity, 0));
    if (plan_.idle > 0) plan_.by_arrival.push_back("--idle");
    if (plan_.follow && plan_.files.size() > 1 && !plan_.merge) plan_.by_arrival.push_back("-f of several files without --merge");
}

int Tool::run(int argc, char** argv, const std::function<Result<std::unique_ptr<Operator>>()>& build) {
    if (const auto done = parse(argc, argv)) return *done;
    try {
        auto settings = expression_arguments_.settings();
        if (!settings) return usage(settings.error());
        plan_.expressions = std::move(*settings);
        if (!run::Environment::read().folder.empty()) plan_.expressions.now = static_cast<double>(run::command_line_now_ns() / ns_per_ms) / 1000.0;
        const auto is_letter = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.'; };
        if (!plan_.run_name.empty() && (plan_.run_name.size() > 100 || !std::all_of(plan_.run_name.begin(), plan_.run_name.end(), is_letter))) {
            return usage(Error(ErrorKind::usage, "--name: not a name: " + stream::quoted(plan_.run_name), "letters, digits, - _ and ."));
        }
        auto op = build();
        if (!op && op.error().kind() == ErrorKind::closed) return exit_signal + 13;
        if (!op && op.error().kind() == ErrorKind::stopped) return exit_signal + stop_signal();
        if (!op) return usage(op.error());
        if (answer_) return print(*answer_);
        if (done_) return *done_;
        if ((plan_.files.empty() || (!plan_.joined.empty() && plan_.files[0] == "-")) && ::isatty(0) == 1) {
            diagnostics_.say("stdin is a terminal, and no FILE is given");
            Output err(2, "stderr");
            [[maybe_unused]] auto written = err.append(options_.short_help_text());
            [[maybe_unused]] auto flushed = err.flush();
            return exit_usage;
        }
        if (plan_.final && plan_.state_dir.empty()) return usage(Error(ErrorKind::usage, "--final goes with --state DIR"));
        if (auto checked = check_inputs(); !checked) return usage(checked.error());
        // What says how much, where to and what is shown changes no state.
        const std::string given = options_.given({"--state", "--final", "--late", "--bad", "--max-bad", "--max-line",
                                                  "--memory", "--spill-max", "--line-buffered", "--progress",
                                                  "--no-progress", "--stats", "--idle"});
        name_in_run();
        plan_.state_identity += (plan_.state_identity.empty() || given.empty() ? "" : " ") + given;
        Pump pump(plan_, **op, fields_, diagnostics_);
        int status = pump.run();
        if (on_done_) status = on_done_(status);
#ifdef NDEBUG
        // All is written, closed and saved: freeing a state of millions of keys piece by piece is not worth
        // the wait. (Sanitizers and coverage want the ordinary end.)
        DiskSet::remove_all();
        ::_exit(status);
#else
        return status;
#endif
    } catch (const std::bad_alloc&) {
        diagnostics_.say("out of memory");
        diagnostics_.hint("--memory SIZE bounds what state may take");
        return exit_limit;
    }
}

int Tool::run_source(int argc, char** argv, const std::function<Result<int>()>& work) {
    if (const auto done = parse(argc, argv)) return *done;
    name_in_run();
    try {
        auto status = work();
        if (status) return *status;
        if (status.error().kind() == ErrorKind::closed) return exit_signal + 13;
        if (status.error().kind() == ErrorKind::stopped) return exit_signal + stop_signal();
        return usage(status.error());
    } catch (const std::bad_alloc&) {
        diagnostics_.say("out of memory");
        return exit_limit;
    }
}

}  // namespace stream
