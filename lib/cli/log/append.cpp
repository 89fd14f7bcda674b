// SPDX-License-Identifier: Apache-2.0
#include "cli/log/append.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include "base/text.hpp"
#include "cli/exit_status.hpp"
#include "cli/log/append_in_run.hpp"
#include "cli/log/place.hpp"
#include "cli/log/raw_input.hpp"
#include "log/maintain.hpp"
#include "log/writer.hpp"
#include "ops/log_append.hpp"
#include "ops/log_keys.hpp"
#include "run/client.hpp"

namespace stream {

namespace {

constexpr std::size_t gathered_bytes = 16u << 20;

std::int64_t monotonic_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * ns_per_second + now.tv_nsec;
}

Result<void> make_log(Tool& tool, const LogArguments& arguments, const log::LogConfig& config) {
    if (!config.deleted.empty()) {
        auto test = RecordTest::make("--deleted", config.deleted, tool.plan().expressions);
        if (!test) return pass_on(test);
    }
    struct stat status {};
    if (::stat(arguments.folder().c_str(), &status) == 0 && !S_ISDIR(status.st_mode)) {
        return fail(ErrorKind::usage, stream::quoted(arguments.folder(), 200) + " is a file, and a log is a folder");
    }
    return log::create_log(real_file_system(), arguments.folder(), config);
}

// Two may make it at once: the other one's is as good, if it says the same.
Result<void> make_if_missing(Tool& tool, const LogArguments& arguments, const log::LogConfig& config) {
    FileSystem& files = real_file_system();
    if (log::is_log(files, arguments.folder())) return {};
    auto made = make_log(tool, arguments, config);
    if (!made && made.error().kind() == ErrorKind::usage && log::is_log(files, arguments.folder())) return {};
    return made;
}

Result<void> check_raw(Tool& tool, const LogArguments& arguments, const log::LogConfig& config) {
    constexpr std::array<std::string_view, 10> of_events = {"--by", "--idempotency-key", "--memory", "--spill-max", "--bad", "--max-bad", "--max-line", "--progress", "--no-progress", "--stats"};
    for (const std::string& name : tool.options().given_names()) {
        if (std::find(of_events.begin(), of_events.end(), name) == of_events.end()) continue;
        return fail(ErrorKind::usage, name + " does not go with --raw: lines are any bytes then, not events");
    }
    if (config.partitions > 1 && !config.by.empty()) {
        return fail(ErrorKind::usage, "--raw: the partitions of " + arguments.folder() + " go by " + stream::quoted(config.by) + ", which raw lines do not have");
    }
    return {};
}

// Before the writer is opened: the keys are read from the log without its lock.
Result<std::unique_ptr<LogKeys>> open_keys(Tool& tool, const LogArguments& arguments) {
    if (arguments.idempotency_key.empty()) return nullptr;
    LogKeysOptions options;
    options.field = arguments.idempotency_key;
    if (arguments.within > 0) options.within = arguments.within;
    options.limits.memory_bytes = tool.plan().memory;
    options.limits.spill_bytes = tool.plan().spill_max;
    options.limits.folder = tool.plan().spill_folder;
    return LogKeys::open(real_file_system(), arguments.folder(), options);
}

// How the log is partitioned, and which repeats are dropped: of LogAppend, and of RunAppend.
template <class Append>
Result<void> set_fields(Tool& tool, const LogArguments& arguments, const log::LogConfig& config, std::unique_ptr<LogKeys> keys, Append& op) {
    if (config.partitions > 1 && !config.by.empty()) {
        auto by = parse_plain_field(config.by);
        if (!by) return pass_on(by);
        op.partition_by(*by, tool.fields());
    }
    if (keys == nullptr) return {};
    auto field = parse_plain_field(arguments.idempotency_key);
    if (!field) return pass_on(field);
    LogKeys* const known = keys.get();
    const auto hash = [known](std::string_view key) { return known->hash(key); };
    // What is saved only spares reading the log from its beginning.
    const auto save = [known, &tool] {
        auto saved = known->save();
        if (!saved) tool.diagnostics().say("keys are not saved: " + saved.error().message());
    };
    op.drop_repeats(*field, tool.fields(), {std::move(keys), hash, save});
    return {};
}

// Retention acts when a segment is sealed. Its failure is told at the end: what was appended is.
void retain_when_sealed(const std::string& folder, log::LogWriter& writer) {
    if (writer.config().retain_ns == 0 && writer.config().max_bytes == 0) return;
    writer.on_sealed([folder](log::Manifest& manifest) -> Result<void> {
        auto removed = log::retain_locked(real_file_system(), folder, manifest, real_file_system().now_ns());
        if (!removed) return pass_on(removed);
        return {};
    });
}

Result<void> check_appending(const LogArguments& arguments) {
    const run::Environment environment = run::Environment::read();
    if (!environment.folder.empty()) {
        const char* never = arguments.raw ? "--raw" : arguments.ack ? "--ack" : arguments.expect_offset ? "--expect-offset" : !arguments.sync ? "--sync none" : nullptr;
        if (never != nullptr) return fail(ErrorKind::usage, std::string(never) + " has no meaning in a run: an epoch is appended whole, once it is committed");
    }
    if (auto field = check_one_field("--idempotency-key", arguments.idempotency_key); !field) return field;
    if (arguments.within > 0 && arguments.idempotency_key.empty()) {
        return fail(ErrorKind::usage, "--within goes with --idempotency-key FIELD");
    }
    if (arguments.expect_offset && !arguments.idempotency_key.empty()) {
        return fail(ErrorKind::usage, "--expect-offset and --idempotency-key do not go together");
    }
    return {};
}

// As a sink of a run.
Result<std::unique_ptr<Operator>> append_in_run(Tool& tool, const LogArguments& arguments, const log::LogConfig& config, log::LogWriter writer,
                                                std::unique_ptr<LogKeys> keys) {
    PumpPlan& plan = tool.plan();
    auto sink = std::make_unique<RunAppend>(std::move(writer));
    plan.files.assign(arguments.words.begin() + 2, arguments.words.end());
    plan.run_paths.push_back(arguments.folder());
    STREAM_TRY(set_fields(tool, arguments, config, std::move(keys), *sink));
    plan.operator_fields = tool.fields().size();
    plan.time_field = config.time;
    plan.time_need = TimeNeed::guessed;
    plan.silent = true;
    plan.epoch_sink = sink.get();
    return sink;
}

}  // namespace

Result<int> create_log_folder(Tool& tool, const LogArguments& arguments) {
    auto config = config_of(arguments, tool.plan().time_field);
    if (!config) return pass_on(config);
    STREAM_TRY(make_log(tool, arguments, *config));
    return static_cast<int>(exit_done);
}

Result<std::unique_ptr<Operator>> append_to_log(Tool& tool, const LogArguments& arguments) {
    PumpPlan& plan = tool.plan();
    STREAM_TRY(check_appending(arguments));
    auto wanted = config_of(arguments, plan.time_field);
    if (!wanted) return pass_on(wanted);
    STREAM_TRY(make_if_missing(tool, arguments, *wanted));
    auto keys = open_keys(tool, arguments);
    if (!keys) return pass_on(keys);
    log::WriterOptions options;
    options.sync = arguments.sync;
    options.expect_offset = arguments.expect_offset;
    auto writer = log::LogWriter::open(real_file_system(), arguments.folder(), options);
    if (!writer) return pass_on(writer);
    const log::LogConfig config = writer->config();
    STREAM_TRY(check_same_config(tool.options(), arguments, *wanted, config));
    if (!writer->remark().empty()) tool.diagnostics().say(writer->remark());
    retain_when_sealed(arguments.folder(), *writer);
    if (!run::Environment::read().folder.empty()) return append_in_run(tool, arguments, config, std::move(*writer), std::move(*keys));

    LogAppendOptions append;
    append.ack = arguments.ack;
    append.gather_ns = arguments.gather;
    if (arguments.gather > 0) append.batch_bytes = gathered_bytes;
    append.clock = monotonic_ns;
    append.first_batch = real_file_system().random() >> 1;
    auto op = std::make_unique<LogAppend>(std::move(*writer), append);
    plan.files.assign(arguments.words.begin() + 2, arguments.words.end());
    if (arguments.raw) {
        STREAM_TRY(check_raw(tool, arguments, config));
        STREAM_TRY(append_raw(plan.files, *op));
        tool.done(exit_done);
        return nullptr;
    }
    STREAM_TRY(set_fields(tool, arguments, config, std::move(*keys), *op));
    plan.operator_fields = tool.fields().size();
    plan.time_field = config.time;
    plan.time_need = TimeNeed::guessed;
    plan.line_buffered = arguments.ack;
    plan.silent = !arguments.ack;
    return op;
}

}  // namespace stream
