// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

#include "base/text.hpp"
#include "run/client.hpp"
#include "cli/tool.hpp"
#include "ops/cat.hpp"
#include "time/duration.hpp"

namespace {

using namespace stream;

constexpr std::array<std::string_view, 12> formats = {"ndjson", "csv",    "tsv",   "logfmt",   "clf",     "combined",
                                                      "syslog", "lines",  "regex:", "debezium", "maxwell", "wal2json"};

struct Arguments {
    std::vector<std::string> files;
    bool follow = false;
    std::optional<std::string> from;
    std::optional<std::string> to;
    std::string pace;
    std::string tag;
    std::optional<std::string> format;
    std::string columns;
    bool merge = false;
};

Result<double> parse_pace(const std::string& text) {
    if (text.empty() || text == "max") return 0.0;
    double pace = 0;
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, pace);
    if (parsed.ec != std::errc() || parsed.ptr != end - 1 || *(end - 1) != 'x' || !(pace > 0)) {
        return fail(ErrorKind::usage, "--pace: not a pace: " + stream::quoted(text), "1x, 10x, 0.5x or max");
    }
    return pace;
}

Result<std::optional<Position>> parse_bound(const char* option, const std::optional<std::string>& text) {
    if (!text) return std::optional<Position>();
    auto position = parse_position(*text, run::command_line_now_ns());
    if (!position) return tl::unexpected<Error>(std::move(position.error()).at(option));
    return std::optional<Position>(*position);
}

Result<void> check_format(const std::string& format) {
    if (format.starts_with("regex:")) return {};
    for (const std::string_view known : formats) {
        if (format != known) continue;
        if (known == "regex:") break;
        return {};
    }
    const auto near = nearest(format, formats);
    return fail(ErrorKind::usage, "no format is called " + stream::quoted(format),
                near.empty() ? "ndjson, csv, tsv, logfmt, clf, combined, syslog, lines, regex:RE, debezium, maxwell or wal2json"
                             : "did you mean " + std::string(near) + "?");
}

bool is_text_by_name(std::string name) {
    for (const std::string_view packed : {".gz", ".zst"}) {
        if (name.ends_with(packed)) name.resize(name.size() - packed.size());
    }
    return name.ends_with(".csv") || name.ends_with(".tsv");
}

Result<std::unique_ptr<Operator>> build(Tool& tool, Arguments& arguments) {
    PumpPlan& plan = tool.plan();
    plan.files = arguments.files;
    plan.follow = arguments.follow;
    plan.merge = arguments.merge;
    plan.format = arguments.format.value_or("auto");
    if (arguments.format) STREAM_TRY(check_format(*arguments.format));
    for (std::size_t begin = 0; begin < arguments.columns.size();) {
        const std::size_t end = std::min(arguments.columns.find(',', begin), arguments.columns.size());
        plan.columns.push_back(arguments.columns.substr(begin, end - begin));
        begin = end + 1;
    }
    CatOptions cat;
    cat.tag = arguments.tag;
    cat.memory_bytes = plan.memory;
    auto from = parse_bound("--from", arguments.from);
    if (!from) return pass_on(from);
    auto to = parse_bound("--to", arguments.to);
    if (!to) return pass_on(to);
    cat.from = *from;
    cat.to = *to;
    auto pace = parse_pace(arguments.pace);
    if (!pace) return pass_on(pace);
    plan.pace = *pace;
    bool any_text = false;
    bool stamps = false;
    for (const std::string& file : plan.files.empty() ? std::vector<std::string>{"-"} : plan.files) {
        const bool text = arguments.format ? *arguments.format != "ndjson" : is_text_by_name(file);
        any_text = any_text || text;
        cat.stamp.push_back(text && !plan.time_field.empty());
        stamps = stamps || cat.stamp.back();
        cat.names.push_back(file == "-" ? "stdin" : file);
    }
    const TimeOptions& time = plan.time_options;
    // The last N lines are held back, or what may be before them: older events than the newest that was read.
    const auto holds = [](const std::optional<Position>& bound) { return bound && bound->kind == Position::Kind::last; };
    if (holds(cat.from) || holds(cat.to)) plan.time_out = PumpPlan::TimeOut::none;
    // Whoever reads on goes by the ts that is written.
    else if (stamps && std::all_of(cat.stamp.begin(), cat.stamp.end(), [](bool stamp) { return stamp; })) plan.time_out = PumpPlan::TimeOut::ts;
    const bool writes_its_own = arguments.format && (*arguments.format == "clf" || *arguments.format == "combined" ||
                                                     *arguments.format == "syslog");
    if (plan.time_field.empty() && !writes_its_own &&
        (!time.format.empty() || time.unit != TimeUnit::none || !time.base.empty() || !time.zone.empty())) {
        return fail(ErrorKind::usage, "--time-format, --time-unit, --tz and --base say how --time FIELD is written",
                    "--time FIELD");
    }
    if (!any_text && !plan.columns.empty()) return fail(ErrorKind::usage, "--columns goes with --format csv or tsv");
    const bool by_time = (cat.from && cat.from->kind == Position::Kind::time) || (cat.to && cat.to->kind == Position::Kind::time);
    if (plan.merge || by_time || stamps || plan.pace > 0 || plan.max_ahead > 0) {
        plan.time_need = TimeNeed::required;
    } else if (plan.files.size() > 1 && !plan.follow) {
        plan.time_need = TimeNeed::guessed;  // only for the warning that files overlap
        plan.warn_overlap = true;
    }
    if (plan.lateness_given) {
        if (plan.time_need == TimeNeed::none) plan.time_need = TimeNeed::guessed;
        // Without it no time is looked for, and none is in the state: how much it is may change, but not whether.
        plan.run_identity = "--lateness\n";
    }
    const bool has_its_own = arguments.format && (*arguments.format == "debezium" || *arguments.format == "maxwell" ||
                                                  *arguments.format == "wal2json");
    if ((writes_its_own || has_its_own) && plan.time_field.empty()) plan.event_time_is_ts = true;
    if (plan.follow && cat.from && cat.from->kind == Position::Kind::end) {
        plan.follow_from_end = true;
        cat.from.reset();
    }
    if (plan.follow && plan.files.empty()) plan.follow = false;  // stdin is followed as it is
    cat.follows = plan.follow;
    return std::make_unique<Cat>(std::move(cat));
}

}  // namespace

int main(int argc, char** argv) {
    Tool tool("stream-cat", "read events from files, followed files and other text formats; merge them by event time",
              "stream-cat [OPTION…] [FILE…]");
    Options& options = tool.options();
    options.example("stream-cat --format combined access.log.gz | stream-window tumbling 1h count", "an access log as events");
    options.example("stream-cat -f app.ndjson | stream-window tumbling 1m --by level count", "follow a growing log, through rotation");
    options.example("stream-cat --merge a.ndjson b.ndjson", "two files in one order of event time");
    options.example("stream-cat --format csv --time timestamp --tz Europe/Berlin readings.csv", "CSV with its times written as ts");
    options.example("stream-cat --pace 10x orders.ndjson", "replay ten times as fast as it happened");
    Arguments arguments;
    options.positionals({"FILE…", "what to read; - is stdin; gzip and zstd are known by their first bytes", {}, true}, arguments.files);
    options.flag("--follow", "-f", "go on as the files grow, by name, through rotation", arguments.follow);
    options.flag("--merge", "", "several inputs in one order of event time; drops nothing", arguments.merge);
    options.value({"--from", "", "POS", "begin at start, end, line N, the last N lines (-N) or a time", {}}, arguments.from);
    options.value({"--to", "", "POS", "stop before line N or a time", {}}, arguments.to);
    options.value({"--pace", "", "PACE", "replay by event time: 1x, 10x, max", {"1x", "10x", "max"}}, arguments.pace);
    options.parsed({"--on-gap", "", "fail|skip", "where what was not read yet is gone: told, and exit 3 (fail), or told and no fault", {"fail", "skip"}},
                   [&](const std::string& text) -> Result<void> {
                       if (text != "fail" && text != "skip") return fail(ErrorKind::usage, "fail or skip is wanted");
                       tool.plan().skip_gaps = text == "skip";
                       return {};
                   });
    options.value({"--tag", "", "NAME", "add where each line came from, as member NAME", {}}, arguments.tag);
    options.value({"--format", "", "FORMAT", "what the input is (default: csv or tsv by the name's ending, else ndjson)",
                   {"ndjson", "csv", "tsv", "logfmt", "clf", "combined", "syslog", "lines", "regex:", "debezium", "maxwell", "wal2json"}},
                  arguments.format);
    options.value({"--columns", "", "A,B,…", "csv, tsv: the columns' names, for files without a header", {}}, arguments.columns);
    tool.share(shared_expressions | shared_time | shared_time_text);
    options.parsed({"--lateness", "", "DUR", "with control lines: write watermarks, so far behind the newest event", {}},
                   [&](const std::string& text) {
                       tool.plan().lateness_given = true;
                       return into_duration(tool.plan().lateness)(text);
                   });
    options.parsed({"--idle", "", "DUR", "an input silent for so long holds nobody back; with --lateness: watermarks go on with the clock", {}}, into_duration(tool.plan().idle));
    options.parsed({"--max-ahead", "", "DUR", "an event further ahead of the newest is bad", {}}, into_duration(tool.plan().max_ahead));
    tool.share(shared_bad | shared_memory | shared_spill | shared_output | shared_report);
    return tool.run(argc, argv, [&] { return build(tool, arguments); });
}
