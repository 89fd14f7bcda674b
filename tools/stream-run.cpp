// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <optional>

#include "base/text.hpp"
#include "cli/run/supervisor.hpp"
#include "cli/tool.hpp"

using namespace stream;

int main(int argc, char** argv) {
    Tool tool("stream-run", "a shell pipeline that a crash cannot make wrong", "stream-run DIR [OPTION…] (FILE | -c PIPELINE) · stream-run status DIR [--json] · stream-run reset DIR");
    Options& options = tool.options();
    options.example("stream-run totals.run --output totals.ndjson -c 'stream-cat -f orders.ndjson | stream-window tumbling 1m sum:price'", "for good: killed at any time, and started again, it goes on");
    options.example("stream-run nightly.run --once -c 'stream-log read orders | stream-window tumbling 1h count | stream-log append totals'", "from cron: what is new since the last time");
    options.example("stream-run status totals.run", "how far it is: a table, on a terminal a live one");
    options.example("stream-run web.run --metrics :9464 -c 'stream-cat -f web.ndjson | stream-filter \".status >= 500\" | stream-log append fails'",
                    "metrics for Prometheus, at http://127.0.0.1:9464/metrics");
    RunOptions run;
    std::vector<std::string> words;
    bool json = false;
    DurationNs every = ns_per_second;
    std::uint64_t sinks = 0;
    bool sinks_given = false;
    options.positionals({"DIR [FILE]", "DIR: the run's folder, with its state; made where there is none.\n    FILE: the pipeline, run by its own first line.\n    status DIR shows how far the run is; reset DIR forgets its state", {}, true}, words);
    options.value({"--command", "-c", "PIPELINE", "the pipeline, run by bash -o pipefail", {}}, run.command);
    options.parsed({"--every", "", "DUR", "how often what is done is committed (default 1s)", {}}, into_duration(every));
    options.flag("--once", "", "what is there now, then stop; windows stay open for the next call. With status: one table", run.once);
    options.flag("--drain", "", "as --once, and close everything: the run is finished then", run.drain);
    options.parsed({"--restart", "", "N", "attempts without a commit before it gives up (default 5)", {}}, into_count(run.restarts));
    options.value({"--output", "", "FILE", "what the pipeline writes to stdout is appended to FILE", {}}, run.output);
    options.parsed({"--sinks", "", "K", "so many sinks, where a foreign command (tee) stands between the tools", {}},
                   [&](const std::string& text) {
                       sinks_given = true;
                       return into_count(sinks)(text);
                   });
    options.flag("--strict", "", "refuse what depends on when events arrive", run.strict);
    options.value({"--metrics", "", "ADDR", "serve Prometheus metrics over HTTP at ADDR: :9464 (this machine alone), HOST:PORT, unix:PATH", {}}, run.metrics);
    options.flag("--at-most-once", "", "read also what cannot be read again: a pipe from outside, a FIFO, a terminal", run.at_most_once);
    options.flag("--json", "", "status: as NDJSON", json);
    return tool.run_source(argc, argv, [&]() -> Result<int> {
        if (words.empty()) return fail(ErrorKind::usage, "no folder is given", "stream-run DIR -c 'PIPELINE'");
        const bool is_verb = words.size() == 2 && run.command.empty() && (words[0] == "status" || words[0] == "reset");
        if (is_verb) return words[0] == "status" ? show_status({words[1], json, run.once}, tool.diagnostics()) : reset_run(words[1], tool.diagnostics());
        if (json) return fail(ErrorKind::usage, "--json goes with status");
        if (words.size() > 2) return fail(ErrorKind::usage, "one pipeline, please: " + stream::quoted(words[2]), "-c 'A | B'");
        if (words.size() == 2) run.file = words[1].find('/') == std::string::npos ? "./" + words[1] : words[1];
        if (run.file.empty() == run.command.empty()) {
            return fail(ErrorKind::usage, run.file.empty() ? "no pipeline is given" : "a FILE and -c: which is the pipeline?", "stream-run DIR -c 'PIPELINE'");
        }
        if (every <= 0) return fail(ErrorKind::usage, "--every: a time longer than nothing is wanted");
        if (run.strict && run.at_most_once) return fail(ErrorKind::usage, "--strict and --at-most-once do not go together");
        run.folder = words[0];
        run.every_ns = every;
        if (sinks_given) run.sinks = sinks;
        return run_pipeline(run, tool.diagnostics());
    });
}
