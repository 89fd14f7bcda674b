// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "base/text.hpp"
#include "run/client.hpp"
#include "cli/joined_plan.hpp"
#include "cli/tool.hpp"
#include "json/keys.hpp"
#include "ops/join.hpp"
#include "ops/table.hpp"
#include "time/duration.hpp"

namespace {

using namespace stream;

constexpr std::array<std::string_view, 4> types = {"inner", "left", "right", "full"};

struct Arguments {
    std::vector<std::string> words;
    std::vector<std::string> by;
    std::vector<std::string> on;
    std::string deleted;
    std::string every;
    std::string as_of;
    std::string type = "inner";
    JoinedArguments inputs;  // fold and diff: without =RIGHT
};

enum class Verb : unsigned { fold = 1, diff = 2, join = 4 };

// What has a meaning in some of the three only; `every`: in a fold with --every only.
Result<void> check_options(const Options& options, Verb verb, bool every) {
    struct Rule {
        std::string_view name;
        unsigned verbs;
        bool every;
        const char* goes_with;
    };
    constexpr unsigned fold = static_cast<unsigned>(Verb::fold);
    constexpr unsigned join = static_cast<unsigned>(Verb::join);
    static constexpr Rule rules[] = {{"--every", fold, false, "the fold, not with diff or join"},
                                     {"--as-of", fold, false, "the fold, not with diff or join"},
                                     {"--on", join, false, "stream-table join"},
                                     {"--type", join, false, "stream-table join"},
                                     {"--follow", join, false, "stream-table join"},
                                     {"--lateness", fold | join, true, "--every and stream-table join"},
                                     {"--idle", fold | join, true, "--every and stream-table join"},
                                     {"--max-ahead", fold | join, true, "--every and stream-table join"},
                                     {"--late", fold | join, true, "--every and stream-table join"},
                                     {"--spill-max", fold | join, true, "--every and stream-table join"},
                                     {"--state", fold | join, false, "the fold and stream-table join"}};
    for (const std::string& name : options.given_names()) {
        for (const Rule& rule : rules) {
            if (rule.name != name) continue;
            const bool fits = (rule.verbs & static_cast<unsigned>(verb)) != 0 && (!rule.every || verb != Verb::fold || every);
            if (!fits) return fail(ErrorKind::usage, name + " goes with " + rule.goes_with);
        }
    }
    return {};
}

// What fold and diff have in common.
template <class Options>
Result<void> plan_tables(Tool& tool, const Arguments& a, Options& options) {
    auto by = parse_keys(a.by);
    if (!by) return pass_on(by);
    PumpPlan& plan = tool.plan();
    options.by = std::move(*by);
    options.deleted = a.deleted;
    options.memory_bytes = plan.memory;
    options.expressions = plan.expressions;
    plan.files = a.words;
    plan.time_field = a.inputs.time;
    plan.format = a.inputs.format.empty() ? "auto" : a.inputs.format;
    return {};
}

Result<std::unique_ptr<Operator>> build_fold(Tool& tool, Arguments& a) {
    PumpPlan& plan = tool.plan();
    FoldOptions fold;
    STREAM_TRY(plan_tables(tool, a, fold));
    fold.events = &tool.fields();
    if (!a.every.empty()) {
        auto read = into_duration(fold.every)(a.every);
        if (read && fold.every == 0) read = fail(ErrorKind::usage, "a time longer than nothing is wanted");
        if (!read) return tl::unexpected<Error>(std::move(read.error()).at("--every"));
        STREAM_TRY(read_lateness(a.inputs.lateness, plan.lateness, plan.lateness_all));
        plan.lateness_given = !a.inputs.lateness.empty();
        plan.ordered = true;
        plan.time_need = TimeNeed::required;
    }
    if (!a.as_of.empty()) {
        auto time = parse_position(a.as_of, run::command_line_now_ns());
        if (!time || time->kind != Position::Kind::time) {
            return fail(ErrorKind::usage, "--as-of: not a time: " + stream::quoted(a.as_of), "2026-01-31T12:00:00Z, @1769860800, yesterday or -2h");
        }
        fold.as_of = time->time;
        plan.time_need = TimeNeed::required;
    }
    return make_table_fold(std::move(fold));
}

Result<std::unique_ptr<Operator>> build_diff(Tool& tool, Arguments& a) {
    if (a.words.size() != 2) {
        return fail(ErrorKind::usage, "diff compares two tables, OLD and NEW, not " + std::to_string(a.words.size()), "stream-table diff OLD NEW --by id");
    }
    PumpPlan& plan = tool.plan();
    DiffOptions diff;
    STREAM_TRY(plan_tables(tool, a, diff));
    plan.time_need = a.inputs.time.empty() ? TimeNeed::guessed : TimeNeed::wanted;
    return make_table_diff(std::move(diff));
}

Result<JoinKeys> key_pairs(const std::vector<std::string>& arguments, const std::string& option) {
    auto keys = parse_join_keys(arguments);
    if (keys || option == "--on") return keys;
    // It says --on.
    std::string message = keys.error().message();
    if (message.starts_with("--on")) message.replace(0, 4, option);
    return fail(keys.error().kind(), std::move(message));
}

Result<std::unique_ptr<Operator>> build_join(Tool& tool, Arguments& a) {
    if (a.words.size() != 1) {
        return fail(ErrorKind::usage, a.words.empty() ? "RIGHT is not given" : "one RIGHT is joined with stdin, not also " + stream::quoted(a.words[1]),
                    "stream-table join RIGHT --on LEFT=RIGHT --by id < LEFT");
    }
    if (::isatty(0) == 1) return fail(ErrorKind::usage, "stdin is a terminal, and LEFT is read from it", "stream-table join RIGHT --on LEFT=RIGHT --by id < LEFT");
    PumpPlan& plan = tool.plan();
    JoinedTablesOptions join;
    auto on = key_pairs(a.on, "--on");
    if (!on) return pass_on(on);
    auto by = key_pairs(a.by, "--by");
    if (!by) return pass_on(by);
    if (by->left.empty()) *by = *on;
    const auto type = std::find(types.begin(), types.end(), a.type);
    if (type == types.end()) {
        const auto near = nearest(a.type, types);
        return fail(ErrorKind::usage, "--type: no join of tables is called " + stream::quoted(a.type),
                    near.empty() ? "inner, left, right or full" : "did you mean " + std::string(near) + "?");
    }
    join.left = {std::move(by->left), std::move(on->left), a.type == "left" || a.type == "full", &a.inputs.left_fields};
    join.right = {std::move(by->right), std::move(on->right), a.type == "right" || a.type == "full", &a.inputs.right_fields};
    join.deleted = a.deleted;
    join.memory_bytes = plan.memory;
    join.expressions = plan.expressions;
    STREAM_TRY(plan_joined(plan, a.words.front(), a.inputs));
    plan.time_out = PumpPlan::TimeOut::ts;
    plan.later_input_first = true;
    return make_joined_tables(std::move(join));
}

Result<std::unique_ptr<Operator>> build(Tool& tool, Arguments& a) {
    Verb verb = Verb::fold;
    if (!a.words.empty() && (a.words.front() == "diff" || a.words.front() == "join")) {
        verb = a.words.front() == "diff" ? Verb::diff : Verb::join;
        a.words.erase(a.words.begin());
    }
    STREAM_TRY(check_options(tool.options(), verb, !a.every.empty()));
    tool.plan().state_identity = verb == Verb::join ? "join" : "fold";
    switch (verb) {
        case Verb::diff:
            return build_diff(tool, a);
        case Verb::join:
            return build_join(tool, a);
        case Verb::fold:
            break;
    }
    return build_fold(tool, a);
}

}  // namespace

int main(int argc, char** argv) {
    Tool tool("stream-table", "fold changes into a table, find the changes between two, join two that change",
              "stream-table [OPTION…] --by FIELD,… [CHANGELOG…] | diff OLD NEW --by FIELD,… | join RIGHT --on LEFT[=RIGHT],…");
    Options& options = tool.options();
    options.example("stream-table --by order_id orders.ndjson", "of each order the newest row");
    options.example("stream-table diff yesterday.ndjson today.ndjson --by id", "what has changed between two tables");
    options.example("stream-table join customers.ndjson --on customer=id --by order_id=id < orders.ndjson", "two changing tables, joined: as changes");
    options.example("stream-table --format debezium --by id --as-of 2026-01-31T12:00:00Z changes.ndjson", "a table as it was at noon");
    Arguments a;
    options.positionals({"CHANGELOG", "changes to read (default stdin); or diff OLD NEW; or join RIGHT, with LEFT on stdin", {"diff", "join"}, true}, a.words);
    options.values({"--by", "", "FIELD,…", "the key of a row: fields of the row; join: LEFT[=RIGHT],… (default: as --on)", {}}, a.by);
    options.values({"--on", "", "LEFT[=RIGHT],…", "join: the fields that must be equal", {}}, a.on);
    options.value({"--type", "", "TYPE", "join: which rows without a match are in the table (default inner: none)", {types.begin(), types.end()}}, a.type);
    options.value({"--deleted", "", "EXPR", "true of a row that says it is deleted", {}}, a.deleted);
    options.value({"--every", "", "DUR", "write the whole table each DUR of event time, with the instant as ts", {}}, a.every);
    options.value({"--as-of", "", "TIME", "the table as it was then", {}}, a.as_of);
    options.value({"--time", "", "FIELD", "the field with the event time; join: LEFT[=RIGHT] (default: $STREAM_TIME, ts, window_end, source.ts_ms)", {}}, a.inputs.time);
    options.value({"--format", "", "FORMAT", "what the input is; join: LEFT[=RIGHT] (default: csv or tsv by the name's ending, else ndjson)", {}}, a.inputs.format);
    options.flag("--follow", "-f", "join: RIGHT goes on growing", a.inputs.follow);
    options.value({"--lateness", "", "DUR", "how far changes may be out of order; join: LEFT[=RIGHT] (default 0s)", {}}, a.inputs.lateness);
    options.parsed({"--idle", "", "DUR", "after this long without input, event time goes on; join: holds nobody back", {}}, into_duration(tool.plan().idle));
    options.parsed({"--max-ahead", "", "DUR", "a change further ahead of the watermark is bad", {}}, into_duration(tool.plan().max_ahead));
    tool.share(shared_expressions | shared_late | shared_bad | shared_memory | shared_spill | shared_state | shared_output | shared_report);
    return tool.run(argc, argv, [&] { return build(tool, a); });
}
