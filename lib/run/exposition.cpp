// SPDX-License-Identifier: Apache-2.0
#include "run/exposition.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <string_view>

#include "time/duration.hpp"

namespace stream::run {

namespace {

using Value = std::optional<std::string>;

struct Series {
    const char* name;
    const char* type;
    const char* help;
    std::function<Value(const Message&)> value;
};

std::string in_seconds(std::int64_t ns) {
    const std::int64_t second = 1'000'000'000;
    return fmt::format("{}{}.{:09}", ns < 0 ? "-" : "", std::abs(ns / second), std::abs(ns % second));
}

std::function<Value(const Message&)> number(const char* member) {
    return [member](const Message& line) -> Value { return line.has(member) ? Value(std::to_string(line.number(member))) : Value(); };
}

std::function<Value(const Message&)> duration(const char* member) {
    return [member](const Message& line) -> Value { return line.has(member) ? Value(in_seconds(line.signed_number(member))) : Value(); };
}

// A time in RFC 3339, as seconds since 1970.
std::function<Value(const Message&)> instant(const char* member) {
    return [member](const Message& line) -> Value {
        const auto at = parse_position(line.text(member), 0);
        return at && at->kind == Position::Kind::time ? Value(in_seconds(at->time)) : Value();
    };
}

const std::vector<Series>& of_run() {
    static const std::vector<Series> series = {
        {"streamutils_run_info", "gauge", "The run, by its permanent id.", [](const Message&) -> Value { return "1"; }},
        {"streamutils_run_running", "gauge", "Whether all tools of the pipeline take part now.",
         [](const Message& line) -> Value { return line.text("state") == "running" ? "1" : "0"; }},
        {"streamutils_run_start_time_seconds", "gauge", "When this stream-run was started, seconds since 1970.", instant("started_at")},
        {"streamutils_run_attempt", "gauge", "How often the pipeline of this run was started, ever.", number("attempt")},
        {"streamutils_run_epoch", "gauge", "The newest committed epoch.", number("epoch")},
        {"streamutils_run_commits_total", "counter", "Epochs committed since this stream-run was started.", number("commits")},
        {"streamutils_run_restarts_total", "counter", "Times that this stream-run started its pipeline again after a failure.", number("restarts")},
        {"streamutils_run_last_commit_timestamp_seconds", "gauge", "When the newest epoch was committed, seconds since 1970.", instant("committed_at")},
        {"streamutils_run_staged_bytes", "gauge", "Output of the pipeline that is not committed yet.", number("staged_bytes")},
    };
    return series;
}

const std::vector<Series>& of_tools() {
    static const std::vector<Series> series = {
        {"streamutils_tool_up", "gauge", "Whether the tool takes part now.", [](const Message& line) -> Value { return line.flag("gone") ? "0" : "1"; }},
        {"streamutils_tool_events_in_total", "counter", "Events read. Begins anew when the pipeline is started again.", number("events_in")},
        {"streamutils_tool_events_out_total", "counter", "Events written. Begins anew when the pipeline is started again.", number("events_out")},
        {"streamutils_tool_late_events_total", "counter", "Events that came too late. Begins anew when the pipeline is started again.", number("late")},
        {"streamutils_tool_bad_events_total", "counter", "Lines that are no events. Begins anew when the pipeline is started again.", number("bad")},
        {"streamutils_tool_event_time_seconds", "gauge", "The greatest event time read, seconds since 1970.", instant("newest")},
        {"streamutils_tool_watermark_lag_seconds", "gauge", "How far the watermark is behind the greatest event time.", duration("watermark_lag_ns")},
        {"streamutils_tool_state_bytes", "gauge", "Size of the state at the newest barrier.", number("state_bytes")},
        {"streamutils_tool_epoch", "gauge", "The newest epoch that the tool has done its part of.", number("epoch")},
    };
    return series;
}

// The format's own rules: \\, \" and \n, and nothing else.
std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\\') out += "\\\\";
        else if (c == '"') out += "\\\"";
        else if (c == '\n') out += "\\n";
        else out += c;
    }
    return out;
}

void append_head(std::string& out, const Series& series) { out += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", series.name, series.help, series.type); }

}  // namespace

std::string exposition_of(const std::vector<Message>& report) {
    std::vector<std::pair<const Message*, std::string>> tools;
    std::map<std::string, int> seen;
    std::string out;
    for (const Message& line : report) {
        if (line.kind() == "run") {
            for (const Series& series : of_run()) {
                const Value value = series.value(line);
                if (!value) continue;
                append_head(out, series);
                const std::string labels = std::string_view(series.name) == "streamutils_run_info" ? "{run=\"" + escaped(line.text("run")) + "\"}" : "";
                out += fmt::format("{}{} {}\n", series.name, labels, *value);
            }
        } else if (line.kind() == "stats") {
            std::string name = line.text("name");
            if (const int count = ++seen[line.text("tool") + "\n" + name]; count > 1) name += "#" + std::to_string(count);
            tools.emplace_back(&line, fmt::format("{{tool=\"{}\",name=\"{}\"}}", escaped(line.text("tool")), escaped(name)));
        }
    }
    for (const Series& series : of_tools()) {
        std::string lines;
        for (const auto& [line, labels] : tools) {
            if (const Value value = series.value(*line)) lines += fmt::format("{}{} {}\n", series.name, labels, *value);
        }
        if (lines.empty()) continue;
        append_head(out, series);
        out += lines;
    }
    return out;
}

}  // namespace stream::run
