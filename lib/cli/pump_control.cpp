// SPDX-License-Identifier: Apache-2.0
// Control lines and runs: what comes in an input among its events, what goes out among ours, and the epochs of a run.
#include "cli/pump_impl.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <utility>

#include "base/text.hpp"
#include "cli/signals.hpp"

namespace stream {

// --- the beginning -----------------------------------------------------------------------------

Result<void> Pump::Impl::begin_control() {
    auto made = Control::make(plan);
    if (!made) return pass_on(made);
    control = std::move(*made);
    if (control == nullptr) return {};
    STREAM_TRY(control->join(plan, diagnostics.tool()));
    STREAM_TRY(begin_own_watermarks());
    if (plan.silent) return {};
    std::string line;
    control->lines.append_stream(line, diagnostics.tool());
    STREAM_TRY(output.append(line));
    return output.flush();
}

// What is known before the first event: an attempt that goes on in the midst of the stream knows the same.
Result<void> Pump::Impl::begin_own_watermarks() {
    if (!plan.own_watermarks || plan.lateness_all) return {};
    std::vector<OwnWatermarks::Field> times;
    const char* environment = std::getenv("STREAM_TIME");
    // A file brings none that could be passed on.
    bool all = plan.lateness_given;
    for (std::size_t i = 0; i < plan.files.size(); ++i) all = all && control->is_ours_to_read(i);
    for (const std::string& name : plan.time_field.empty() ? EventTime::usual_fields(environment != nullptr ? environment : "") : std::vector<std::string>{plan.time_field}) {
        const auto path = parse_field(name);
        if (path && path->is_expression && plan.time_field.empty()) return {};  // $STREAM_TIME; nobody computes it here
        times.push_back({name, all || plan.changes_time(name)});
    }
    if (std::none_of(times.begin(), times.end(), [](const OwnWatermarks::Field& time) { return time.ours; })) return {};
    auto made = OwnWatermarks::make(times, plan.lateness, plan.watermark_every);
    if (!made) return pass_on(made);
    own_watermarks = std::move(*made);
    sink.set_watermarks(own_watermarks.get(), &control->lines);
    return {};
}

// --- lines that come ---------------------------------------------------------------------------

// Who else holds the other end of the pipe: `jq`, …
std::string Pump::Impl::writer_of(const Input& input) const {
    struct stat mine {};
    const std::string& path = plan.files[static_cast<std::size_t>(input.index)];
    if ((path == "-" ? ::fstat(0, &mine) : ::stat(path.c_str(), &mine)) != 0) return {};
    const std::string link = fmt::format("pipe:[{}]", mine.st_ino);
    DIR* processes = ::opendir("/proc");
    if (processes == nullptr) return {};
    std::string found;
    while (const dirent* entry = ::readdir(processes)) {
        const std::string pid = entry->d_name;
        if (pid.find_first_not_of("0123456789") != std::string::npos || pid == std::to_string(::getpid())) continue;
        char target[64];
        const ssize_t got = ::readlink(("/proc/" + pid + "/fd/1").c_str(), target, sizeof target);
        if (got <= 0 || std::string_view(target, static_cast<std::size_t>(got)) != link) continue;
        std::ifstream name("/proc/" + pid + "/comm");
        std::getline(name, found);
        if (found != "bash") break;
    }
    ::closedir(processes);
    return found;
}

Error Pump::Impl::broken_off(const Input& input) const {
    // Not said to be a command that knows no control lines: one of ours may have been stopped before its first.
    if (!input.began) return Error(ErrorKind::incomplete, input.reader->name() + " ended before its first control line");
    return Error(ErrorKind::incomplete, input.reader->name() + " ended without its end line: the command that writes it was stopped");
}

// A first line that is not ours.
Error Pump::Impl::no_stream(const Input& input) const {
    const std::string writer = writer_of(input);
    const std::string who = writer.empty() ? "the command that writes " + input.reader->name() : stream::quoted(writer);
    return Error(ErrorKind::data, who + " dropped the control lines", "put it in stream-through -- " + (writer.empty() ? std::string("COMMAND") : writer + " …"));
}

Result<bool> Pump::Impl::take_control_line(Input& input, std::string_view line) {
    if (!input.controlled) return false;
    const auto found = control->lines.read(line);
    if (!found) {
        if (!input.began) return tl::unexpected<Error>(no_stream(input));
        if (state_loaded) return false;
        STREAM_TRY(load_run_state());
        input.reader->again();
        return true;
    }
    if (found->kind == ControlLine::Kind::stream) {
        if (input.began) return fail(ErrorKind::usage, "two commands write to one pipe: a second first line, of " + found->text, "merge them: stream-cat --merge <(…) <(…)");
        input.began = true;
        return true;
    }
    if (!input.began) return tl::unexpected<Error>(no_stream(input));
    switch (found->kind) {
        case ControlLine::Kind::stream: break;
        case ControlLine::Kind::watermark:
            if (!state_loaded) STREAM_TRY(load_run_state());
            STREAM_TRY(take_watermark(input, *found));
            break;
        case ControlLine::Kind::barrier: STREAM_TRY(take_barrier(input, found->epoch, false, false)); break;
        case ControlLine::Kind::end: STREAM_TRY(take_barrier(input, found->epoch, true, found->drain)); break;
    }
    return true;
}

// --- watermarks --------------------------------------------------------------------------------

// The last that came, where it is of our field; else what our own events say.
TimeNs Pump::Impl::judged_watermark(const Input& input) const {
    const TimeNs own = plan.lateness_all || newest == time_before_all ? time_before_all : time_sub(newest, plan.lateness);
    if (!input.controlled || input.given == time_before_all || !event_time || input.given_field != event_time->field()) return own;
    // Whoever wrote it may have believed an event that is bad here.
    return plan.lateness_given || plan.max_ahead > 0 ? std::min(input.given, own) : input.given;
}

Result<void> Pump::Impl::take_watermark(Input& input, const ControlLine& line) {
    if (plan.changes_time && plan.changes_time(line.text)) return {};
    input.given = line.text == input.given_field ? std::max(input.given, line.time) : line.time;
    input.given_field = line.text;
    sink.end_run();
    if (plan.time_need == TimeNeed::none) {
        // Those of several inputs, of which no time is read, are not comparable: each may have a field of its own.
        return plan.time_out == PumpPlan::TimeOut::same && !has_several() ? write_watermark(line.time, line.text) : Result<void>{};
    }
    if (has_several()) return {};  // looked at when the inputs are compared
    const TimeNs judged = judged_watermark(input);
    if (judged != time_before_all) STREAM_TRY(advance(judged));
    return write_own_watermark();
}

std::string Pump::Impl::out_field() const {
    switch (plan.time_out) {
        case PumpPlan::TimeOut::same: return plan.merge ? merged_field() : event_time ? event_time->field() : std::string();
        case PumpPlan::TimeOut::window_end: return "window_end";
        case PumpPlan::TimeOut::ts: return plan.merge && merged_field().empty() ? std::string() : "ts";
        case PumpPlan::TimeOut::none: return {};
    }
    return {};
}

// Of files that are merged: where all have their times in one field. What came with watermarks of its own may be later
// than its newest event says: of those there are none.
std::string Pump::Impl::merged_field() const {
    std::string common;
    for (const auto& input : inputs) {
        const std::string field = merged_times[static_cast<std::size_t>(input->index)].field();
        if (input->controlled || (!common.empty() && !field.empty() && field != common)) return {};
        if (!field.empty()) common = field;
    }
    return common;
}

// A line each time that ours has grown by --watermark-every.
Result<void> Pump::Impl::write_own_watermark() {
    if (plan.silent || watermark == time_before_all || watermark == time_after_all) return {};
    // Asked at each event: what is most often so comes first. Ours is never past the input's.
    const TimeNs least = control->written == time_before_all ? time_before_all : time_add(control->written, plan.watermark_every);
    if (watermark < least) return {};
    const std::string field = out_field();
    if (field.empty()) return {};
    const TimeNs ours = op->output_watermark(watermark);
    if (ours == time_before_all || ours < least) return {};
    return write_watermark(ours, field);
}

Result<void> Pump::Impl::write_watermark(TimeNs time, const std::string& field) {
    if (plan.silent || (control->written != time_before_all && time <= control->written)) return {};
    control->written = time;
    sink.end_run();
    control->lines.append_watermark(output.buffer(), time, field);
    return output.commit();
}

// --- epochs ------------------------------------------------------------------------------------

Result<void> Pump::Impl::take_barrier(Input& input, std::uint64_t epoch, bool end, bool drain) {
    if (has_several()) return show_barrier(input, epoch, end, drain);
    if (end && epoch == control->epoch) {
        input.control_ended = true;
        return end_idle(epoch, drain);
    }
    if (epoch != control->epoch + 1 && control->in_run()) {
        return fail(ErrorKind::incomplete, fmt::format("{}: barrier {} came, and {} should: lines were lost on the way", input.reader->name(), epoch, control->epoch + 1));
    }
    if (!state_loaded) STREAM_TRY(load_run_state());
    STREAM_TRY(pass_barrier(epoch, end, drain));
    input.control_ended = end;
    return {};
}

// One of several inputs is at a barrier. The others are read on until they are, too; what it brings meanwhile waits.
Result<void> Pump::Impl::show_barrier(Input& input, std::uint64_t epoch, bool end, bool drain) {
    const bool committed = end && epoch == control->epoch;
    if (!committed && epoch != control->epoch + 1 && control->in_run()) {
        return fail(ErrorKind::incomplete, fmt::format("{}: barrier {} came, and {} should: lines were lost on the way", input.reader->name(), epoch, control->epoch + 1));
    }
    if (end) {
        input.control_ended = true;
        input.drain = drain;
    }
    input.at_barrier = true;
    if (!committed) barrier = epoch;
    return look_whether_aligned();
}

Result<void> Pump::Impl::look_whether_aligned() {
    bool all_ended = true;
    bool all_drain = true;
    for (const auto& input : inputs) {
        if (input->is_static) continue;
        if (!input->control_ended && !input->at_barrier) return {};
        all_ended = all_ended && input->control_ended;
        all_drain = all_drain && input->drain;
    }
    // All have ended what is committed: nothing is new.
    if (all_ended && barrier == 0) return end_idle(control->epoch, all_drain);
    if (barrier == 0) {
        for (const auto& input : inputs) input->at_barrier = false;
        return {};
    }
    if (!state_loaded) STREAM_TRY(load_run_state());
    const std::uint64_t epoch = std::exchange(barrier, 0);
    STREAM_TRY(pass_barrier(epoch, all_ended, all_ended && all_drain));
    for (const auto& input : inputs) {
        input->at_barrier = false;
        // What is done for good holds nobody back.
        if (input->control_ended && input->drain) input->ended = true;
    }
    return {};
}

// A barrier for the inputs that are ours to read: they show it where they are.
Result<void> Pump::Impl::ask_sources(const run::Request& request) {
    bool any = false;
    for (const auto& input : inputs) {
        if (input->controlled || input->is_static || input->control_ended) continue;
        any = true;
        if (request.end) {
            input->control_ended = true;
            input->drain = request.drain;
        }
        input->at_barrier = true;
    }
    if (!any) return {};
    if (!(request.end && request.epoch == control->epoch)) barrier = request.epoch;
    return look_whether_aligned();
}

// What pipes bring while their inputs wait at a barrier.
Result<void> Pump::Impl::take_ahead() {
    for (const auto& input : inputs) {
        if (input->at_barrier && input->spool != nullptr) STREAM_TRY(input->spool->read_ahead());
    }
    return {};
}

// Everything that waits for its turn has it: no older event can come any more.
Result<void> Pump::Impl::drain_inputs() {
    for (const auto& input : inputs) {
        input->ended = true;
        input->at_barrier = false;
    }
    for (;;) {
        Input* blocks = nullptr;
        auto gone = plan.merge ? merge_one() : plan.as_they_come ? Result<Merged>(Merged::done) : is_joined() ? join_one(blocks) : Result<Merged>(Merged::done);
        if (!gone) return pass_on(gone);
        if (*gone != Merged::wrote) break;
    }
    tell_ended();
    return {};
}

Result<void> Pump::Impl::pass_barrier(std::uint64_t epoch, bool end, bool drain) {
    sink.end_run();
    if (end && drain && has_several()) STREAM_TRY(drain_inputs());
    if (end && drain) STREAM_TRY(close_all());
    sink.end_run();
    STREAM_TRY(sink.take_failure());
    if (!plan.silent) {
        if (end) control->lines.append_end(output.buffer(), epoch, drain);
        else control->lines.append_barrier(output.buffer(), epoch);
    }
    auto state = freeze_state(epoch);
    if (!state) return pass_on(state);
    STREAM_TRY(flush());
    tell_stats(state->form == Control::Frozen::Form::whole ? state->payload.size() : control->state_bytes());
    STREAM_TRY(control->save(epoch, std::move(*state), end, end && drain));
    control->epoch = epoch;
    control->told_new = control->told_at_end = false;
    control->ended = control->ended || end;
    return {};
}

// The end of what is committed already.
Result<void> Pump::Impl::end_idle(std::uint64_t epoch, bool drain) {
    sink.end_run();
    if (!plan.silent) control->lines.append_end(output.buffer(), epoch, drain);
    control->ended = control->idle = true;
    return flush();
}

// For `stream-run status`. The size of the state is known at a barrier.
void Pump::Impl::tell_stats(std::optional<std::size_t> state_bytes) {
    if (control->client == nullptr) return;
    run::Message stats("stats");
    stats.set("events_in", position).set("events_out", sink.events_out()).set("late", late.count()).set("bad", bad.count());
    stats.set("newest", newest == time_before_all ? std::string() : to_rfc3339(newest));
    if (state_bytes) stats.set("state_bytes", std::uint64_t{*state_bytes});
    if (newest != time_before_all && watermark != time_before_all && watermark != time_after_all) stats.set("watermark_lag_ns", time_sub(newest, watermark));
    if (gaps > 0) stats.set("gaps", gaps);
    control->client->tell(stats);
}

void Pump::Impl::tell_new() {
    if (control->told_new || !control->is_source() || control->client == nullptr) return;
    control->told_new = true;
    control->client->tell(run::Message("new"));
}

// The inputs that are ours to read have nothing more, whatever the others do.
void Pump::Impl::tell_at_end() {
    if (control->client == nullptr || control->told_at_end || !control->is_source()) return;
    for (const auto& input : inputs) {
        if (!input->controlled && !input->is_static && !input->ended) return;
    }
    control->told_at_end = true;
    control->client->tell(run::Message("at-end").flag("new", control->told_new));
}

Result<void> Pump::Impl::serve_run() {
    if (control->client == nullptr || reading_whole) return {};
    STREAM_TRY(control->failure());
    // In the midst of a line that is passed over in pieces there is no place.
    for (const auto& input : inputs) {
        if (input->reader->is_in_long_line()) return {};
    }
    while (const auto request = control->client->next()) {
        if (request->kind == run::Request::Kind::committed) {
            STREAM_TRY(control->publish(request->epoch));
        } else if (request->kind == run::Request::Kind::counts) {
            tell_stats(std::nullopt);
        } else if (has_several()) {
            STREAM_TRY(ask_sources(*request));
        } else if (request->end && request->epoch == control->epoch) {
            STREAM_TRY(end_idle(request->epoch, request->drain));
        } else {
            STREAM_TRY(pass_barrier(request->epoch, request->end, request->drain));
        }
    }
    return {};
}

// The inputs have ended: a source waits to be asked, and whoever has sinks for the commit.
Result<void> Pump::Impl::finish_run() {
    if (control->client == nullptr) {
        return control->ended ? Result<void>{} : pass_barrier(control->epoch + 1, true, true);
    }
    if (control->start.state && control->start.state->ended && !control->ended) return end_idle(control->epoch, true);
    // A pause may come with lines that wait for others to go on: they are read again.
    for (const auto& input : inputs) input->ended = input->ended || !input->controlled;
    STREAM_TRY(flush());
    for (;;) {
        STREAM_TRY(serve_run());
        if (control->ended && (control->idle || !control->has_sinks() || control->published >= control->epoch)) return control->settle();
        if (!control->ended) tell_at_end();
        const int fd = control->client->fd();
        if (wait_for(&fd, 1, -1, -1) == Woken::stop) return fail(ErrorKind::stopped, "stopped");
    }
}

}  // namespace stream
