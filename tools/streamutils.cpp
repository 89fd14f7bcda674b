// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <string>

#include "base/text.hpp"
#include "cli/exit_status.hpp"
#include "cli/tool.hpp"
#include "io/output.hpp"

namespace {

using namespace stream;

struct Entry {
    std::string_view name;
    std::string_view job;
    std::string_view example;
};

// What this release has; tests/check/inventory.sh compares it with tools/.
constexpr std::array<Entry, 12> entries = {{
    {"stream-cat", "read events from files, followed files, compressed files and other text formats; merge by event time",
     "stream-cat -f --format combined access.log"},
    {"stream-dedupe", "drop repeats by key, exactly or in bounded memory", "stream-dedupe --by id --within 1h"},
    {"stream-filter", "events for which an expression of jq's language holds", "stream-filter '.status >= 500' access.ndjson"},
    {"stream-gen", "make events: web traffic with sessions, or orders", "stream-gen web --events 1000 --disorder 5%"},
    {"stream-join", "join a stream with a stream or a table, in event time", "stream-join clicks.ndjson --on user --within 1h < searches.ndjson"},
    {"stream-log", "an append-only log in a folder: append, read, follow, groups, retention, repair", "stream-log read web --from -2h"},
    {"stream-map", "events made of events, by an expression of jq's language", "stream-map '{ts, path, kb: (.bytes / 1024)}' access.ndjson"},
    {"stream-run", "a shell pipeline that a crash cannot make wrong", "stream-run totals.run --once -c 'stream-log read orders | stream-window tumbling 1h count | stream-log append totals'"},
    {"stream-table", "fold changes into a table, find the changes between two tables, join two that change",
     "stream-table --by order_id orders.ndjson"},
    {"stream-through", "a command that knows no control lines (jq, awk, grep), inside a run",
     "stream-cat orders.ndjson | stream-through -- jq -c '{ts, price}' | stream-window tumbling 1h sum:price"},
    {"stream-time", "put event time right: parse, correct, reorder, stamp, report", "stream-time report --at 10s,60s access.ndjson"},
    {"stream-window", "aggregates over windows of event time", "stream-window tumbling 1m --by path count p95:latency_ms"},
}};

}  // namespace

int main(int argc, char** argv) {
    Tool tool("streamutils", "list and describe the tools", "streamutils [TOOL]");
    Options& options = tool.options();
    options.example("streamutils", "all tools, a line each");
    options.example("streamutils stream-window", "one of them");
    std::vector<std::string> words;
    options.positionals({"TOOL", "the tool to describe",
                         {"stream-cat", "stream-dedupe", "stream-filter", "stream-gen", "stream-join", "stream-log", "stream-map", "stream-run", "stream-table", "stream-through", "stream-time", "stream-window"}, false},
                        words);
    return tool.run_source(argc, argv, [&]() -> Result<int> {
        Output out(1, "stdout");
        if (words.size() > 1) return fail(ErrorKind::usage, "one tool at a time: " + stream::quoted(words[1]));
        if (words.empty()) {
            for (const Entry& entry : entries) {
                std::string line(entry.name);
                line.append(16 - line.size(), ' ');
                STREAM_TRY(out.append(line + std::string(entry.job) + "\n"));
            }
        } else {
            const Entry* found = nullptr;
            std::vector<std::string_view> names;
            for (const Entry& entry : entries) {
                names.push_back(entry.name);
                if (entry.name == words[0] || entry.name == "stream-" + words[0]) found = &entry;
            }
            if (found == nullptr) {
                const auto near = nearest(words[0], names);
                return fail(ErrorKind::usage, "no tool is called " + stream::quoted(words[0]),
                            near.empty() ? "streamutils lists them" : "did you mean " + std::string(near) + "?");
            }
            STREAM_TRY(out.append(std::string(found->name) + " - " + std::string(found->job) + "\n\n  " +
                                  std::string(found->example) + "\n\nMore: " + std::string(found->name) +
                                  " --help, man " + std::string(found->name) + "\n"));
        }
        STREAM_TRY(out.close());
        return static_cast<int>(exit_done);
    });
}
