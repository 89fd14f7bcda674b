// SPDX-License-Identifier: Apache-2.0
#include "cli/log/verbs.hpp"

#include <array>
#include <string_view>
#include <utility>

#include "cli/log/append.hpp"
#include "cli/log/consume.hpp"
#include "cli/log/groups.hpp"
#include "cli/log/info.hpp"
#include "cli/log/place.hpp"
#include "cli/log/read.hpp"
#include "cli/log/upkeep.hpp"
#include "run/client.hpp"

namespace stream {

namespace {

using Work = Result<int> (*)(Tool&, const LogArguments&);

constexpr std::array<std::pair<std::string_view, Work>, 12> works = {{
    {"create", create_log_folder},
    {"read", read_log},
    {"consume", consume_log},
    {"info", tell_info},
    {"groups", tell_groups},
    {"seek", seek_group},
    {"retain", retain_log_now},
    {"compact", compact_log_now},
    {"archive", archive_log_now},
    {"excise", excise_from_log},
    {"verify", verify_log_now},
    {"repair", repair_log_now},
}};

// What of read's options goes with what.
Result<void> check_reading(Tool& tool, const LogArguments& arguments, const Options& options) {
    const auto no_use = [](const std::string& name, const char* goes_with) {
        return fail(ErrorKind::usage, name + " goes with " + goes_with);
    };
    for (const std::string& name : options.given_names()) {
        const bool of_merge = name == "--bad" || name == "--max-bad" || name == "--max-line" || name == "--memory" || name == "--spill-max" ||
                              name == "--idle" || name == "--progress" || name == "--no-progress" || name == "--stats";
        if (of_merge && !arguments.merge) return no_use(name, "--merge");
        if (arguments.group.empty()) continue;
        if (name == "--merge" || name == "--partitions") {
            return fail(ErrorKind::usage, name + " and --group do not go together: the group's members share the partitions");
        }
        if (name == "--from") return fail(ErrorKind::usage, "--from and --group do not go together: a group goes on where it was", "stream-log seek DIR POS --group G");
    }
    if (tool.plan().idle > 0 && !arguments.follow) return no_use("--idle", "--merge --follow");
    return arguments.group.empty() ? Result<void>{} : refuse_in_run("--group");
}

}  // namespace

Result<std::unique_ptr<Operator>> run_log_verb(Tool& tool, const LogArguments& arguments) {
    STREAM_TRY(check_log_arguments(tool.options(), arguments));
    const std::string& verb = arguments.verb();
    if (verb == "append") return append_to_log(tool, arguments);
    if (verb == "commit") return commit_group(tool, arguments);
    if (verb == "read") {
        STREAM_TRY(check_reading(tool, arguments, tool.options()));
        const bool in_run = !run::Environment::read().key.empty() || !tool.plan().control_key.empty();
        if (arguments.merge) return merge_log(tool, arguments);
        if (in_run) return read_log_in_run(tool, arguments);
    }
    for (const auto& [name, work] : works) {
        if (name != verb) continue;
        auto status = work(tool, arguments);
        if (!status) return pass_on(status);
        tool.done(*status);
    }
    return nullptr;
}

}  // namespace stream
