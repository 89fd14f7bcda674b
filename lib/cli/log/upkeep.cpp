// SPDX-License-Identifier: Apache-2.0
#include "cli/log/upkeep.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <climits>
#include <string>

#include "base/text.hpp"
#include "cli/exit_status.hpp"
#include "cli/log/place.hpp"
#include "io/output.hpp"
#include "json/canonical.hpp"
#include "log/maintain.hpp"
#include "state/key_hash.hpp"

namespace stream {

namespace {

// A line that is all of stdout.
Result<int> tell(const std::string& line, int status = exit_done) {
    Output out(1, "stdout");
    STREAM_TRY(out.append(line + "\n"));
    STREAM_TRY(out.close());
    return status;
}

std::string quoted_json(const std::string& text) {
    std::string out;
    append_quoted(out, is_utf8(text) ? text : printable(text));
    return out;
}

std::string removed_line(const log::Removed& removed) {
    return fmt::format(R"({{"segments":{},"records":{},"bytes":{}}})", removed.segments, removed.records, removed.bytes);
}

std::string absolute(const std::string& path) {
    if (path.starts_with('/')) return path;
    char here[PATH_MAX];
    return ::getcwd(here, sizeof here) != nullptr ? std::string(here) + "/" + path : path;
}

std::string problem_line(const log::Problem& problem) {
    std::string line = "{\"file\":" + quoted_json(problem.file) + ",\"problem\":" + quoted_json(problem.what);
    line += problem.is_damage ? ",\"damage\":true" : ",\"damage\":false";
    line += fmt::format(R"(,"from":{},"to":{})", problem.from, problem.to);
    if (problem.partition >= 0) line += fmt::format(R"(,"partition":{})", problem.partition);
    if (problem.partition >= 0 && problem.is_damage && problem.last_offset >= problem.first_offset) {
        line += fmt::format(R"(,"first_offset":{},"last_offset":{})", problem.first_offset, problem.last_offset);
    }
    return line + "}\n";
}

}  // namespace

Result<int> retain_log_now(Tool&, const LogArguments& arguments) {
    STREAM_TRY(check_log_folder(arguments.folder()));
    auto removed = log::retain_log(real_file_system(), arguments.folder(), real_file_system().now_ns());
    if (!removed) return pass_on(removed);
    return tell(removed_line(*removed));
}

Result<int> compact_log_now(Tool& tool, const LogArguments& arguments) {
    auto manifest = load_manifest(arguments.folder());
    if (!manifest) return pass_on(manifest);
    const log::LogConfig& config = manifest->config();
    if (config.by.empty()) {
        return fail(ErrorKind::usage, stream::quoted(arguments.folder(), 200) + " has no key, so none of its events replaces another",
                    "stream-log create DIR --by FIELD --compact says what the key is");
    }
    auto key = RecordKey::make(config.by);
    if (!key) return pass_on(key);
    log::CompactOptions options;
    options.key_of = [key = *key, secret = random_secret()](std::string_view record, Hash128& hash) {
        const std::string_view text = key->of(record);
        if (text.empty()) return false;
        hash = hash_key(text, secret);
        return true;
    };
    if (!config.deleted.empty()) {
        auto test = RecordTest::make("--deleted", config.deleted, tool.plan().expressions);
        if (!test) return pass_on(test);
        // Where it cannot be said, the event is one like others.
        options.is_tombstone = [test = *test](std::string_view record) { return test->holds(record).value_or(false); };
    }
    options.tombstones_ns = arguments.tombstones;
    options.now_ns = real_file_system().now_ns();
    options.memory = tool.plan().memory;
    options.keys_stay_in_partition = true;
    auto done = log::compact_log(real_file_system(), arguments.folder(), options);
    if (!done) return pass_on(done);
    return tell(fmt::format(R"({{"segments":{},"records":{},"tombstones":{},"bytes_before":{},"bytes_after":{}}})", done->segments, done->records,
                            done->tombstones, done->bytes_before, done->bytes_after));
}

Result<int> archive_log_now(Tool&, const LogArguments& arguments) {
    STREAM_TRY(check_log_folder(arguments.folder()));
    if (arguments.words[2].empty()) return fail(ErrorKind::usage, "the archive's folder is an empty name");
    auto moved = log::archive_log(real_file_system(), absolute(arguments.folder()), absolute(arguments.words[2]));
    if (!moved) return pass_on(moved);
    return tell(removed_line(*moved));
}

Result<int> excise_from_log(Tool& tool, const LogArguments& arguments) {
    STREAM_TRY(check_log_folder(arguments.folder()));
    auto test = RecordTest::make("--where", arguments.where, tool.plan().expressions);
    if (!test) return pass_on(test);
    auto done = log::excise_log(real_file_system(), arguments.folder(), [&](std::string_view record) { return (*test)->holds(record); }, arguments.dry_run);
    if (!done) return pass_on(done);
    std::string runs;
    for (const std::string& run : done->runs) runs += (runs.empty() ? "" : ",") + quoted_json(run);
    auto told = tell(fmt::format(R"({{"records":{},"segments":{},"undecided":{},"runs":[{}],"dry_run":{}}})", done->records, done->segments, done->undecided,
                                 runs, arguments.dry_run));
    if (!told || done->undecided == 0) return told;
    tool.diagnostics().say(fmt::format("{} {} and {} kept; the first: {}", done->undecided,
                                       done->undecided == 1 ? "record could not be decided" : "records could not be decided",
                                       done->undecided == 1 ? "is" : "are", done->first_undecided));
    return static_cast<int>(exit_input);
}

Result<int> verify_log_now(Tool&, const LogArguments& arguments) {
    STREAM_TRY(check_log_folder(arguments.folder()));
    Output out(1, "stdout");
    Result<void> written;
    auto done = log::verify_log(real_file_system(), arguments.folder(), [&](const log::Problem& problem) {
        if (written) written = out.append(problem_line(problem));
    });
    if (!written) return pass_on(written);
    if (!done) {
        STREAM_TRY(out.flush());
        return pass_on(done);
    }
    STREAM_TRY(out.append(fmt::format("{{\"segments\":{},\"frames\":{},\"records\":{},\"bytes\":{},\"damaged\":{}}}\n", done->segments, done->frames,
                                      done->records, done->bytes, done->damaged)));
    STREAM_TRY(out.close());
    return static_cast<int>(done->damaged > 0 ? exit_corrupt : exit_done);
}

Result<int> repair_log_now(Tool&, const LogArguments& arguments) {
    STREAM_TRY(check_log_folder(arguments.folder()));
    Output out(1, "stdout");
    Result<void> written;
    auto done = log::repair_log(real_file_system(), arguments.folder(), [&](const log::Problem& problem) {
        if (written) written = out.append(problem_line(problem));
    });
    if (!written) return pass_on(written);
    if (!done) {
        STREAM_TRY(out.flush());
        return pass_on(done);
    }
    STREAM_TRY(out.append(fmt::format("{{\"segments\":{},\"bytes_removed\":{},\"records_lost\":{}}}\n", done->segments, done->bytes_removed,
                                      done->records_lost)));
    STREAM_TRY(out.close());
    return static_cast<int>(exit_done);
}

}  // namespace stream
