// SPDX-License-Identifier: Apache-2.0
// `stream-run status`: asked of the run that is under way, else read from its folder.
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <vector>

#include "base/text.hpp"
#include "cli/exit_status.hpp"
#include "cli/run/status_table.hpp"
#include "cli/run/supervisor.hpp"
#include "cli/run/watch.hpp"
#include "cli/signals.hpp"
#include "io/atomic_file.hpp"
#include "io/file_system.hpp"
#include "io/output.hpp"
#include "run/channel.hpp"
#include "run/commit.hpp"

namespace stream {

namespace {

using Report = std::vector<run::Message>;

// Empty where nobody answers.
Report ask(const std::string& folder) {
    auto channel = run::connect_to(folder);
    if (!channel) return {};
    const timeval patience{15, 0};  // a start may wait ten seconds for processes of the attempt before
    ::setsockopt(channel->fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    channel->send(run::Message("status"));
    for (Report report;;) {
        run::Message message;
        if (channel->receive(message, true) != run::Channel::Got::message) return {};
        if (message.kind() == "end") return report;
        report.push_back(std::move(message));
    }
}

// A run that starts its tools again may not hear for a moment.
Report ask_patiently(const std::string& folder) {
    for (int tries = 0; stop_signal() == 0; ++tries) {
        Report report = ask(folder);
        if (!report.empty() || tries == 20) return report;
        static_cast<void>(wait_for(nullptr, 0, -1, 50));
    }
    return {};
}

Result<Report> read_folder(const std::string& folder) {
    auto commit = run::read_commit(real_file_system(), folder);
    if (!commit) return pass_on(commit);
    auto text = read_file_if_there(folder + "/run.json", 64 << 20);
    if (!text) return pass_on(text);
    if (!*commit && !*text) return fail(ErrorKind::usage, "there is no run in " + stream::quoted(folder, 200));
    const run::Commit last = *commit ? std::move(**commit) : run::Commit{};
    std::string line = text->value_or("");
    while (line.ends_with('\n')) line.pop_back();
    const run::Message file = run::Message::decode(line).value_or(run::Message());
    run::Message head("run");
    head.set("run", file.text("run").empty() ? last.run : file.text("run")).set("attempt", std::max(last.attempt, file.number("attempt")));
    put_commit(head, last.epoch, last.epoch > 0 ? commit_time_ns(folder) : 0);
    head.set("state", last.finished ? "finished" : "stopped").set("pipeline", file.text("pipeline")).flag("finished", last.finished);
    Report report{std::move(head)};
    for (const run::SavedState& state : last.states) {
        run::Message one("state");
        one.set("name", state.name).set("tool", state.name).set("state_bytes", state.size()).set("epoch", last.epoch);
        report.push_back(std::move(one));
    }
    return report;
}

std::string text_of(const Report& report, bool json) {
    if (!json) return status_table(report);
    std::string text;
    for (const run::Message& line : report) text += line.encode() + "\n";
    return text;
}

bool is_live_terminal() {
    const char* term = std::getenv("TERM");
    return ::isatty(1) == 1 && term != nullptr && std::string_view(term) != "dumb" && *term != '\0';
}

// Characters, not bytes: what goes past the terminal's edge is cut, for a line that wraps would be two.
std::string cut(std::string_view line, std::size_t width) {
    std::size_t at = 0;
    for (std::size_t shown = 0; at < line.size(); ++at) {
        if ((static_cast<unsigned char>(line[at]) & 0xC0) != 0x80 && shown++ == width) break;
    }
    return std::string(line.substr(0, at));
}

// The table in place of the one before, as much of it as the terminal shows.
std::string redrawn(const std::string& table, std::size_t& shown) {
    winsize size{};
    if (::ioctl(1, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) size.ws_row = 24, size.ws_col = 80;
    std::string out = shown > 0 ? "\x1b[" + std::to_string(shown) + "A\r" : std::string();
    shown = 0;
    for (std::size_t at = 0; at < table.size() && shown + 1 < size.ws_row; ++shown) {
        const std::size_t end = table.find('\n', at);
        out += cut(std::string_view(table).substr(at, end - at), size.ws_col) + "\x1b[K\n";
        at = end + 1;
    }
    return out + "\x1b[J";
}

bool is_written(std::string_view text) {
    while (!text.empty()) {
        const ssize_t n = ::write(1, text.data(), text.size());
        if (n <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

// Each second, until Ctrl-C or the end of the run.
Result<int> show_live(const std::string& folder, Report report) {
    for (std::size_t shown = 0;;) {
        if (!is_written(redrawn(status_table(report), shown))) return static_cast<int>(exit_io);
        if (report.front().has("finished")) return static_cast<int>(exit_done);
        if (wait_for(nullptr, 0, -1, 1000) == Woken::stop) return exit_signal + stop_signal();
        report = ask_patiently(folder);
        if (!report.empty()) continue;
        auto last = read_folder(folder);
        if (!last) return pass_on(last);
        report = std::move(*last);
    }
}

}  // namespace

Result<int> show_status(const StatusOptions& options, Diagnostics& diagnostics) {
    Report report = ask(options.folder);
    const bool under_way = !report.empty();
    if (!under_way) {
        auto last = read_folder(options.folder);
        if (!last) return pass_on(last);
        report = std::move(*last);
        diagnostics.say("not under way: " + report.front().text("state"));
    } else if (!options.json && !options.once && is_live_terminal()) {
        return show_live(options.folder, std::move(report));
    }
    Output out(1, "stdout");
    STREAM_TRY(out.append(text_of(report, options.json)));
    STREAM_TRY(out.close());
    return static_cast<int>(exit_done);
}

}  // namespace stream
