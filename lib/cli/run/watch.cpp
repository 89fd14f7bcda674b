// SPDX-License-Identifier: Apache-2.0
#include "cli/run/watch.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "base/text.hpp"
#include "cli/signals.hpp"
#include "io/file_system.hpp"
#include "run/exposition.hpp"
#include "time/timestamp.hpp"

namespace stream {

namespace {

constexpr std::size_t pipeline_max = 4096;  // characters of it that are shown: a packet is not endless

}  // namespace

std::int64_t steady_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * ns_per_second + now.tv_nsec;
}

std::int64_t commit_time_ns(const std::string& folder) {
    struct stat status {};
    if (::stat((folder + "/commit").c_str(), &status) != 0) return 0;
    return std::int64_t{status.st_mtim.tv_sec} * ns_per_second + status.st_mtim.tv_nsec;
}

void put_commit(run::Message& head, std::uint64_t epoch, std::int64_t committed_ns) {
    head.set("epoch", epoch);
    if (committed_ns > 0) head.set("committed_at", to_rfc3339(committed_ns));
    const std::int64_t ago = std::max<std::int64_t>(0, real_file_system().now_ns() - committed_ns);
    head.set("committed_ago_ns", committed_ns > 0 ? ago : std::int64_t{-1});
}

RunWatch::RunWatch(const RunOptions& options, const RunFolder& folder, const run::Commit& last)
    : options_(options), folder_(folder), epoch_(last.epoch), committed_ns_(commit_time_ns(folder.path())), started_ns_(real_file_system().now_ns()) {}

Result<void> RunWatch::open(Diagnostics& diagnostics) {
    if (!options_.metrics.empty()) {
        auto metrics = run::MetricsServer::listen(options_.metrics);
        if (!metrics) return pass_on(metrics);
        metrics_ = std::move(*metrics);
        if (options_.metrics.ends_with(":0")) diagnostics.say("metrics: " + metrics_->place());
    }
    auto door = run::listen_in(folder_.path());
    if (!door) return pass_on(door);
    door_ = std::move(*door);
    return {};
}

void RunWatch::attempt_begins(std::function<Tools()> tools) {
    tools_ = std::move(tools);
    readiness_.still_starting(steady_ns());
}

void RunWatch::attempt_ends() {
    if (!tools_) return;
    last_tools_ = tools_();
    for (run::Message& line : last_tools_.lines) line.flag("gone", true);
    last_tools_.complete = false;
    tools_ = nullptr;
}

void RunWatch::committed(const run::Commit& commit) {
    epoch_ = commit.epoch;
    committed_ns_ = real_file_system().now_ns();
    ++commits_;
    readiness_.committed(epoch_, steady_ns());
}

void RunWatch::stopping() {
    stopping_ = true;
    readiness_.stopping();
}

void RunWatch::restarting(const std::string& why) {
    ++restarts_;
    failure_ = why;
    readiness_.restarting(why);
}

std::vector<run::Message> RunWatch::report() const {
    Tools tools = tools_ ? tools_() : last_tools_;
    run::Message head("run");
    head.set("run", folder_.file().run).set("attempt", folder_.file().attempt);
    put_commit(head, epoch_, committed_ns_);
    head.set("state", stopping_ ? "stopping" : !tools_ ? "waiting" : tools.complete ? "running" : "starting");
    head.set("staged_bytes", tools.staged_bytes).set("commits", commits_).set("restarts", restarts_);
    head.set("started_at", to_rfc3339(started_ns_)).set("pid", static_cast<std::uint64_t>(::getpid()));
    head.set("pipeline", printable(options_.file.empty() ? options_.command : options_.file, pipeline_max));
    if (!failure_.empty()) head.set("failure", failure_);
    std::vector<run::Message> report{std::move(head)};
    for (run::Message& line : tools.lines) report.push_back(std::move(line));
    return report;
}

void RunWatch::answer(run::Channel& channel) const {
    // Whoever asks and does not read holds nobody up.
    const timeval patience{0, 200'000};
    ::setsockopt(channel.fd(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    for (const run::Message& line : report()) {
        if (!channel.send(line)) return;
    }
    channel.send(run::Message("end"));
}

void RunWatch::add_to(std::vector<pollfd>& polled) const {
    if (metrics_ != nullptr) metrics_->add_to(polled);
}

void RunWatch::serve(std::span<const pollfd> polled) {
    const std::int64_t now = steady_ns();
    if (metrics_ != nullptr) metrics_->serve(polled, now, [this] { return run::exposition_of(report()); });
    readiness_.still_starting(now);
}

// Between attempts nobody but who asks is let in: a tool that is left over ends.
void RunWatch::let_in() const {
    auto channel = run::accept_from(door_.get());
    if (!channel) return;
    pollfd said{channel->fd(), POLLIN, 0};
    run::Message message;
    if (::poll(&said, 1, 50) == 1 && channel->receive(message, false) == run::Channel::Got::message && message.kind() == "status") answer(*channel);
}

bool RunWatch::rest(int ms) {
    const std::int64_t until = steady_ns() + std::int64_t{ms} * ns_per_ms;
    for (std::int64_t now = steady_ns(); now < until && stop_signal() == 0; now = steady_ns()) {
        std::vector<pollfd> polled{{stop_fd(), POLLIN, 0}, {door_.get(), POLLIN, 0}};
        add_to(polled);
        const std::int64_t next = due_ns() < 0 ? until : std::min(until, std::max(due_ns(), now));
        ::poll(polled.data(), polled.size(), static_cast<int>((next - now) / ns_per_ms + 1));
        if (polled[1].revents != 0) let_in();
        serve(std::span<const pollfd>(polled).subspan(2));
    }
    return stop_signal() == 0;
}

}  // namespace stream
