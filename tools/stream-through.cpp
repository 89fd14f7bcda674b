// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>

#include "base/text.hpp"
#include "cli/through/through.hpp"
#include "cli/tool.hpp"

using namespace stream;

namespace {

// 0,1
Result<void> read_statuses(const std::string& text, std::set<int>& statuses) {
    statuses.clear();
    const char* const end = text.data() + text.size();
    for (const char* at = text.data();; ++at) {
        int status = 0;
        const auto parsed = std::from_chars(at, end, status);
        if (parsed.ec != std::errc() || status < 0 || status > 255 || (parsed.ptr != end && *parsed.ptr != ',')) {
            return fail(ErrorKind::usage, "exit statuses are wanted, 0 to 255: " + stream::quoted(text), "0,1");
        }
        statuses.insert(status);
        if (parsed.ptr == end) return {};
        at = parsed.ptr;
    }
}

Result<void> check(const Options& options, const ThroughOptions& through, bool marked) {
    if (through.command.empty()) return fail(ErrorKind::usage, "no command is given", "stream-through -- jq -c .user");
    const std::vector<std::string> given = options.given_names();
    // Whose --time was it?
    if (!marked && !given.empty()) return fail(ErrorKind::usage, "the command goes behind --, and its options with it", "stream-through -- " + through.command[0] + " …");
    if (!through.time_field.empty()) return {};
    for (const char* name : {"--lateness", "--watermark-every"}) {
        if (std::find(given.begin(), given.end(), name) != given.end()) return fail(ErrorKind::usage, std::string(name) + " goes with --time FIELD");
    }
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    const SignalsBefore signals;
    Tool tool("stream-through", "a command that knows no control lines, inside a run", "stream-through [OPTION…] -- COMMAND [ARG…]");
    Options& options = tool.options();
    options.example("stream-cat orders.ndjson | stream-through -- jq -c '{ts, price}' | stream-window tumbling 1h sum:price", "jq in a pipeline that stream-run may start");
    options.example("stream-cat app.ndjson | stream-through --ok-status 0,1 -- grep -F timeout", "grep, which exits with 1 where an epoch has no match");
    options.example("stream-cat access.ndjson | stream-through --time ts --lateness 10s -- jq -c 'select(.status == 500)'", "with watermarks of what comes out");
    ThroughOptions through;
    options.positionals({"COMMAND [ARG…]", "what each epoch's events go through, from its stdin to its stdout; it is to treat each line by itself", {}, true}, through.command);
    options.parsed({"--ok-status", "", "LIST", "exit statuses of COMMAND that are no failure (default 0)", {}},
                   [&](const std::string& text) { return read_statuses(text, through.ok_statuses); });
    options.value({"--time", "", "FIELD", "write watermarks, from this field of what COMMAND writes (default: none)", {}}, through.time_field);
    options.parsed({"--lateness", "", "DUR", "with --time: how far they may be out of order (default 0s)", {}}, into_duration(through.lateness));
    options.parsed({"--watermark-every", "", "DUR", "with --time: how often a watermark is written, in event time (default 1s)", {}}, into_duration(through.watermark_every));
    options.value({"--control", "", "KEY", "read and write control lines that end in KEY (stream-run does so by itself)", {}}, through.control_key);
    return tool.run_source(argc, argv, [&]() -> Result<int> {
        const bool marked = std::any_of(argv + 1, argv + argc, [](const char* word) { return std::string_view(word) == "--"; });
        STREAM_TRY(check(options, through, marked));
        for (int i = 1; i < argc; ++i) through.arguments += (i == 1 ? "" : " ") + std::string(argv[i]);
        return run_through(through, signals, tool.diagnostics());
    });
}
