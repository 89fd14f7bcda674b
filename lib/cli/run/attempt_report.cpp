// SPDX-License-Identifier: Apache-2.0
// What the tools of an attempt tell of themselves, for `stream-run status` and --metrics.
#include "cli/run/attempt.hpp"

namespace stream {

namespace {

constexpr std::int64_t silence_ns = 1'500'000'000;  // after which a tool is asked

}  // namespace

RunWatch::Tools Attempt::tools() const {
    RunWatch::Tools tools;
    tools.staged_bytes = sink_->bytes_staged();
    tools.complete = coordinator_->is_complete();
    const std::int64_t now = steady_ns();
    for (const std::uint64_t id : coordinator_->in_order()) {
        const run::Member& member = coordinator_->members().at(id);
        run::Message line = member.stats ? *member.stats : run::Message("stats");
        line.set("tool", member.tool).set("name", member.name).set("arguments", member.arguments).set("pid", member.pid);
        line.set("epoch", member.done).flag("gone", member.gone);
        if (const auto said = said_.find(id); said != said_.end()) {
            if (said->second.done_ns > 0) line.set("epoch_ago_ns", now - said->second.done_ns);
            if (const auto rates = said->second.pace.rates(now)) line.real("events_in_per_s", rates->in).real("events_out_per_s", rates->out);
        }
        tools.lines.push_back(std::move(line));
    }
    return tools;
}

void Attempt::heard(std::uint64_t id, const run::Message& message) {
    const std::string kind = message.kind();
    if (kind == "done") said_[id].done_ns = steady_ns();
    if (kind != "stats") return;
    Said& said = said_[id];
    said.counted_ns = steady_ns();
    said.waits = false;
    said.pace.heard(message.number("events_in"), message.number("events_out"), said.counted_ns);
}

// Who has told nothing for a while, as barriers are far apart, or one is long under way.
void Attempt::ask_for_counts(std::int64_t now_ns) {
    if (!coordinator_->is_working()) return;
    for (auto& [id, channel] : channels_) {
        const auto member = coordinator_->members().find(id);
        if (member == coordinator_->members().end()) continue;
        Said& said = said_[id];
        if (said.counted_ns == 0) said.counted_ns = now_ns;
        if (said.waits || now_ns - said.counted_ns < silence_ns) continue;
        said.waits = true;
        channel.send(run::Message("count"));
    }
}

}  // namespace stream
