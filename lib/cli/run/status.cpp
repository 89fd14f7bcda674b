// SPDX-License-Identifier: Apache-2.0
// `stream-run status`: asked of the run that is under way, else read from its folder.
#include <fmt/format.h>

#include <vector>

#include "base/text.hpp"
#include "cli/exit_status.hpp"
#include "cli/run/supervisor.hpp"
#include "io/file_system.hpp"
#include "io/output.hpp"
#include "run/channel.hpp"
#include "run/commit.hpp"

namespace stream {

namespace {

std::vector<run::Message> ask(run::Channel& channel) {
    std::vector<run::Message> lines;
    channel.send(run::Message("status"));
    for (;;) {
        run::Message message;
        if (channel.receive(message, true) != run::Channel::Got::message || message.kind() == "end") return lines;
        lines.push_back(std::move(message));
    }
}

std::string in_seconds(std::int64_t ns) { return ns < 0 ? std::string("-") : fmt::format("{:.1f}s", static_cast<double>(ns) / 1e9); }

std::string table_of(const std::vector<run::Message>& lines) {
    std::string out;
    for (const run::Message& line : lines) {
        if (line.kind() == "run") {
            out += fmt::format("run {}, attempt {}, epoch {}, committed {} ago\n", line.text("run"), line.number("attempt"), line.number("epoch"),
                               in_seconds(line.signed_number("committed_ago_ns")));
            out += fmt::format("{:<16} {:>12} {:>12} {:>26} {:>8} {:>12} {:>7}\n", "tool", "events in", "events out", "event time", "late", "state", "epoch");
            continue;
        }
        out += fmt::format("{:<16} {:>12} {:>12} {:>26} {:>8} {:>12} {:>7}\n", line.text("tool"), line.number("events_in"), line.number("events_out"),
                           line.text("newest"), line.number("late"), line.number("state_bytes"), line.number("epoch"));
    }
    return out;
}

}  // namespace

Result<int> show_status(const std::string& folder, bool json, Diagnostics& diagnostics) {
    std::vector<run::Message> lines;
    auto channel = run::connect_to(folder);
    if (channel) lines = ask(*channel);
    if (lines.empty()) {
        auto commit = run::read_commit(real_file_system(), folder);
        if (!commit) return pass_on(commit);
        if (!*commit) return fail(ErrorKind::usage, "there is no run in " + stream::quoted(folder, 200));
        diagnostics.say(std::string("not under way") + ((*commit)->finished ? ": finished" : ""));
        run::Message head("run");
        head.set("run", (*commit)->run).set("attempt", (*commit)->attempt).set("epoch", (*commit)->epoch).flag("finished", (*commit)->finished);
        head.set("committed_ago_ns", std::int64_t{-1});
        lines.push_back(std::move(head));
        for (const run::SavedState& state : (*commit)->states) {
            run::Message line("state");
            lines.push_back(line.set("name", state.name).set("tool", state.name).set("state_bytes", state.file.empty() ? state.bytes.size() : state.length).set("epoch", (*commit)->epoch));
        }
    }
    std::string text;
    if (json) {
        for (const run::Message& line : lines) text += line.encode() + "\n";
    } else {
        text = table_of(lines);
    }
    Output out(1, "stdout");
    STREAM_TRY(out.append(text));
    STREAM_TRY(out.close());
    return static_cast<int>(exit_done);
}

}  // namespace stream
