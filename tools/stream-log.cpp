// SPDX-License-Identifier: Apache-2.0
#include "cli/log/arguments.hpp"
#include "cli/log/verbs.hpp"
#include "cli/tool.hpp"

using namespace stream;

int main(int argc, char** argv) {
    Tool tool("stream-log", "an append-only log in a folder: append, read, follow, groups, retention, repair", "stream-log VERB DIR [OPTION…]");
    Options& options = tool.options();
    options.example("stream-gen web --events 1000 | stream-log append web", "events to a log, which is made where there is none");
    options.example("stream-log read web --follow | stream-window tumbling 1m count", "all of them, and what comes");
    options.example("stream-log read web --from -2h", "the last two hours");
    options.example("stream-log create orders --partitions 4 --by order --retain 7d", "four partitions, an order's events in one of them");
    options.example("stream-log consume web --group nightly -- ./report.sh", "what is new, to a command; for cron");
    options.example("stream-log read web --group g --envelope --follow | ./work | stream-log commit web --group g", "positions move when work is done");
    options.example("stream-log excise web --where '.user == \"u17\"' --dry-run", "how many events of this user are there?");
    LogArguments arguments;
    options.positionals({"VERB DIR …",
                         "create, append, read, consume, commit; info, groups, seek; retain, compact, archive, excise,\n"
                         "    verify, repair. DIR is one log. append takes FILE…, seek a position, archive the archive's folder,\n"
                         "    consume -- and a command.",
                         {"create", "append", "read", "consume", "commit", "info", "groups", "seek", "retain", "compact", "archive", "excise", "verify", "repair"},
                         true,
                         true},
                        arguments.words);
    declare_log_options(tool, arguments);
    return tool.run(argc, argv, [&] { return run_log_verb(tool, arguments); });
}
