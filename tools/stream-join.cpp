// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <array>

#include "base/text.hpp"
#include "cli/joined_plan.hpp"
#include "cli/tool.hpp"
#include "ops/join.hpp"
#include "time/duration.hpp"

namespace {

using namespace stream;

constexpr std::array<std::string_view, 6> types = {"inner", "left", "right", "full", "semi", "anti"};

struct Arguments {
    std::vector<std::string> words;
    std::vector<std::string> on;
    std::optional<std::string> within;
    std::optional<std::string> before;
    std::optional<std::string> after;
    bool as_of = false;
    bool latest = false;
    std::string type = "inner";
    bool flat = false;
    std::optional<std::string> as;
    std::vector<std::string> fields;
    std::string deleted;
    bool eager = false;
    JoinedArguments inputs;
};

Result<DurationNs> read_duration(const char* option, const std::optional<std::string>& text) {
    if (!text) return DurationNs{0};
    auto duration = parse_duration(*text);
    if (!duration) return tl::unexpected<Error>(std::move(duration.error()).at(option));
    return duration;
}

bool is_pipe(const std::string& path) {
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

Result<void> check(const Arguments& a) {
    const int ways = (a.within ? 1 : 0) + (a.before || a.after ? 1 : 0) + (a.as_of ? 1 : 0) + (a.latest ? 1 : 0);
    if (ways == 0) {
        return fail(ErrorKind::usage, "how the two relate in time is not said",
                    "--within 5s, --before 1h --after 0s, --as-of (the row valid at the event's time) or --latest");
    }
    if (ways > 1) return fail(ErrorKind::usage, "one of --within, --before with --after, --as-of and --latest is wanted");
    if (a.words.empty()) return fail(ErrorKind::usage, "RIGHT is not given", "stream-join RIGHT --on KEY --within 5s < LEFT");
    if (a.words.size() > 1) return fail(ErrorKind::usage, "one RIGHT is joined with stdin, not also " + stream::quoted(a.words[1]));
    const bool table = a.as_of || a.latest;
    if (table && (a.flat || a.eager)) return fail(ErrorKind::usage, std::string(a.flat ? "--flat" : "--eager") + " goes with --within, --before and --after");
    if (!table && !a.fields.empty()) return fail(ErrorKind::usage, "--fields goes with --as-of and --latest");
    if (!table && !a.deleted.empty()) return fail(ErrorKind::usage, "--deleted goes with --as-of and --latest");
    if (!table && a.as && !a.flat) return fail(ErrorKind::usage, "--as goes with --flat, --as-of and --latest");
    return {};
}

Result<JoinType> read_type(const std::string& text) {
    const auto found = std::find(types.begin(), types.end(), text);
    if (found != types.end()) return static_cast<JoinType>(found - types.begin());
    const auto near = nearest(text, types);
    return fail(ErrorKind::usage, "--type: no join is called " + stream::quoted(text), near.empty() ? "inner, left, right, full, semi or anti" : "did you mean " + std::string(near) + "?");
}

Result<void> plan_inputs(Tool& tool, Arguments& a) {
    PumpPlan& plan = tool.plan();
    STREAM_TRY(plan_joined(plan, a.words.front(), a.inputs));
    plan.time_out = PumpPlan::TimeOut::ts;
    if (a.eager) plan.by_arrival.push_back("--eager");
    if (a.latest && a.inputs.follow) plan.by_arrival.push_back("--latest --follow");
    PumpPlan::JoinedInput& left = plan.joined[0];
    PumpPlan::JoinedInput& right = plan.joined[1];
    if (a.latest) {
        left.time_need = right.time_need = plan.time_need = TimeNeed::guessed;
        right.first = true;
        plan.as_they_come = true;
    } else if (a.as_of) {
        plan.later_input_first = true;
        right.first = plan.as_they_come = !a.inputs.follow && !is_pipe(a.words.front());
    }
    if (!a.as_of && !a.latest && (left.lateness_all || right.lateness_all)) {
        tool.diagnostics().say("--lateness all: nothing can be dropped before the end, everything is held");
    }
    return {};
}

Result<std::unique_ptr<Operator>> build(Tool& tool, Arguments& a) {
    STREAM_TRY(check(a));
    auto type = read_type(a.type);
    if (!type) return pass_on(type);
    auto keys = parse_join_keys(a.on);
    if (!keys) return pass_on(keys);
    STREAM_TRY(plan_inputs(tool, a));
    PumpPlan& plan = tool.plan();
    Result<std::unique_ptr<Operator>> op = [&]() -> Result<std::unique_ptr<Operator>> {
        if (a.as_of || a.latest) {
            TableJoinOptions table;
            table.type = *type;
            table.keys = std::move(*keys);
            if (a.as) table.as = *a.as;
            for (const std::string& list : a.fields) {
                for (const std::string& name : split_outside_brackets(list)) {
                    auto path = parse_plain_field(name);
                    if (!path) return tl::unexpected<Error>(std::move(path.error()).at("--fields"));
                    table.fields.push_back(std::move(*path));
                }
            }
            table.deleted = a.deleted;
            table.versions = a.as_of && plan.as_they_come;
            table.saved = !plan.joined[1].first;
            table.memory = plan.memory;
            table.ends_with_left = a.inputs.follow;
            table.expressions = plan.expressions;
            return make_table_join(std::move(table), a.inputs.left_fields, a.inputs.right_fields);
        }
        IntervalJoinOptions interval;
        interval.type = *type;
        interval.keys = std::move(*keys);
        auto before = read_duration(a.within ? "--within" : "--before", a.within ? a.within : a.before);
        if (!before) return pass_on(before);
        auto after = read_duration(a.within ? "--within" : "--after", a.within ? a.within : a.after);
        if (!after) return pass_on(after);
        if (a.within && *before < 0) return fail(ErrorKind::usage, "--within cannot be negative: " + *a.within);
        interval.before = *before;
        interval.after = *after;
        interval.flat = a.flat;
        if (a.as) interval.as = *a.as;
        interval.eager = a.eager;
        interval.ends_with_left = a.inputs.follow;
        interval.memory = plan.memory;
        interval.spill.memory_bytes = plan.memory / 4;
        interval.spill.spill_bytes = plan.spill_max;
        interval.spill.folder = plan.spill_folder;
        return make_interval_join(std::move(interval), a.inputs.left_fields, a.inputs.right_fields);
    }();
    plan.joined[0].operator_fields = a.inputs.left_fields.size();
    plan.joined[1].operator_fields = a.inputs.right_fields.size();
    plan.state_identity = "RIGHT";
    return op;
}

}  // namespace

int main(int argc, char** argv) {
    Tool tool("stream-join", "join a stream with a stream or a table, in event time",
              "stream-join RIGHT [--on LEFT[=RIGHT],…] (--within D | --before D --after D | --as-of | --latest) < LEFT");
    Options& options = tool.options();
    options.example("stream-join clicks.ndjson --on user --within 1h --type left < searches.ndjson", "each search with the clicks of its user within an hour");
    options.example("stream-join prices.ndjson --on sku --as-of --as price < orders.ndjson", "orders with the price that was valid at their time");
    options.example("stream-join customers.csv --on customer=id --latest --fields name,country --as customer < orders.ndjson", "orders with what is known of their customer now");
    Arguments a;
    options.positionals({"RIGHT", "what stdin is joined with: a file, a pipe, a log's folder.", {}, true}, a.words);
    options.values({"--on", "", "LEFT[=RIGHT],…", "fields that must be equal (without: everything matches)", {}}, a.on);
    options.value({"--within", "", "DUR", "RIGHT at most so long before or after LEFT, both ends included", {}}, a.within);
    options.value({"--before", "", "DUR", "RIGHT at most so long before LEFT", {}}, a.before);
    options.value({"--after", "", "DUR", "RIGHT at most so long after LEFT", {}}, a.after);
    options.flag("--as-of", "", "RIGHT is a table's changes: the row as it was at the event's time", a.as_of);
    options.flag("--latest", "", "RIGHT is a table's changes: the row as it is now", a.latest);
    options.value({"--type", "", "TYPE", "which events are written (default inner)", {types.begin(), types.end()}}, a.type);
    options.flag("--flat", "", "one object of both sides' members, RIGHT's prefixed right_", a.flat);
    options.value({"--as", "", "NAME", "what RIGHT is called in the output (default right)", {}}, a.as);
    options.values({"--fields", "", "FIELD,…", "only these of the row", {}}, a.fields);
    options.value({"--deleted", "", "EXPR", "true of a row that is deleted", {}}, a.deleted);
    options.value({"--time", "", "LEFT[=RIGHT]", "the fields with the event time (default: $STREAM_TIME, ts, window_end, source.ts_ms)", {}}, a.inputs.time);
    options.value({"--lateness", "", "LEFT[=RIGHT]", "how far each input's events may be out of order (default 0s)", {}}, a.inputs.lateness);
    options.value({"--format", "", "LEFT[=RIGHT]", "how they are written (default: ndjson; RIGHT by its name's ending)", {}}, a.inputs.format);
    options.flag("--follow", "-f", "RIGHT goes on growing", a.inputs.follow);
    options.flag("--accept-changed", "", "in a run: RIGHT may be another file after a restart", tool.plan().accept_changed);
    options.flag("--eager", "", "write each result as it is found, not in order of event time", a.eager);
    options.parsed({"--idle", "", "DUR", "an input silent that long holds nobody back", {}}, into_duration(tool.plan().idle));
    options.parsed({"--max-ahead", "", "DUR", "an event further ahead of its input's newest is bad", {}}, into_duration(tool.plan().max_ahead));
    tool.share(shared_expressions | shared_late | shared_bad | shared_memory | shared_spill | shared_state | shared_output | shared_report);
    return tool.run(argc, argv, [&] { return build(tool, a); });
}
