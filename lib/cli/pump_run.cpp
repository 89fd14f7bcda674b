// SPDX-License-Identifier: Apache-2.0
#include "cli/pump_impl.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/text.hpp"
#include "cli/exit_status.hpp"
#include "cli/signals.hpp"
#include "io/follow.hpp"
#include "io/file_system.hpp"
#include "io/open.hpp"
#include "log/log_source.hpp"
#include "log/writer.hpp"
#include "time/duration.hpp"

namespace stream {

namespace {

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

std::string format_of(const std::string& format, std::string path) {
    if (format != "auto") return format;
    for (const std::string_view packed : {".gz", ".zst"}) {
        if (ends_with(path, packed)) path.resize(path.size() - packed.size());
    }
    if (ends_with(path, ".csv")) return "csv";
    if (ends_with(path, ".tsv")) return "tsv";
    return "ndjson";
}

// The next duration up that a person would write.
DurationNs rounded_up(DurationNs duration) {
    const DurationNs unit = duration >= ns_per_second ? ns_per_second
                            : duration >= ns_per_ms   ? ns_per_ms
                                                      : 1;
    const DurationNs over = duration % unit;
    return over == 0 ? duration : duration - over + unit;
}

}  // namespace

Result<std::unique_ptr<Pump::Impl::Input>> Pump::Impl::open_input(int index, const std::string& path) {
    auto input = std::make_unique<Input>();
    input->index = index;
    const PumpPlan::JoinedInput* joined = is_joined() ? &plan.joined[static_cast<std::size_t>(index)] : nullptr;
    const bool follow = joined != nullptr ? joined->follow : plan.follow;
    const std::string format = format_of(joined != nullptr ? joined->format : plan.format, path);
    if (format != "ndjson") {
        TextFormatOptions options;
        options.name = format;
        options.columns = plan.columns;
        options.time = plan.time_options;
        auto made = make_text_format(options);
        if (!made) return pass_on(made);
        input->format = std::move(*made);
    }
    const bool ours = is_controlled() && control->is_ours_to_read(static_cast<std::size_t>(index));
    input->is_static = ours && joined != nullptr && joined->first && !joined->follow;
    input->is_once_only = ours && control->kind_of(static_cast<std::size_t>(index)) == Control::InputKind::once_only;
    Result<std::unique_ptr<ByteSource>> source = [&]() -> Result<std::unique_ptr<ByteSource>> {
        if (ours) return open_resumed(*input, path);
        if (plan.open_input) return plan.open_input(static_cast<std::size_t>(index));
        if (path != "-" && log::is_log(real_file_system(), path)) {
            log::LogSourceOptions options;
            options.follow = plan.follow;
            options.from_end = plan.follow && plan.follow_from_end;
            if (plan.skip_gaps) options.tell_gap = gap_teller();
            auto opened = log::open_log_source(real_file_system(), path, options);
            if (!opened) return pass_on(opened);
            return std::unique_ptr<ByteSource>(std::move(*opened));
        }
        if (!follow || path == "-") return open_source(path);
        FollowOptions options;
        options.from_end = plan.follow_from_end;
        options.on_gap = gap_teller();
        return open_followed(path, options);
    }();
    if (!source) return pass_on(source);
    const bool is_pipe = is_controlled() && !ours;
    if (is_pipe && has_several()) {
        auto spool = std::make_unique<SpoolSource>(std::move(*source), SpoolSource::Limits{1 << 20, plan.spill_max, plan.spill_folder});
        input->spool = spool.get();
        source = std::unique_ptr<ByteSource>(std::move(spool));
    }
    input->reader = std::make_unique<InputReader>(display_name(path), std::move(*source), fields_of(index),
                                                  input->format.get(), plan.line_max);
    input->heard_ns = clock_ns(CLOCK_MONOTONIC);
    input->controlled = is_pipe;
    const bool pauses = is_controlled() && control->start.once && !control->start.drain;
    if (input->controlled || (pauses && !input->is_once_only)) input->reader->whole_lines_only();
    if (const Resumed* saved = resumed_of(index); saved != nullptr) {
        apply_resumed(*input);
        if (input->format == nullptr && !input->controlled) input->reader->count_from(saved->lines, input->bytes_before);
    }
    if (input->text_place && !input->reader->go_on(*input->text_place, input->bytes_before)) {
        return fail(ErrorKind::corrupt, "the saved place in " + display_name(path) + " cannot be read");
    }
    return input;
}

void Pump::Impl::tick(bool last) {
    Progress::Numbers numbers;
    numbers.events_in = position;
    numbers.events_out = sink.events_out();
    numbers.bad = bad.count();
    numbers.late = late.count();
    numbers.newest = newest;
    numbers.watermark = watermark;
    numbers.bytes_out = output.bytes_written();
    numbers.bytes_in = bytes_in;
    for (const auto& input : inputs) {
        if (input == nullptr) continue;
        if (!input->ended) numbers.bytes_in += input->reader->bytes_read();
        numbers.raw_position += input->reader->source().raw_position();
        numbers.raw_size += input->reader->source().raw_size();
    }
    if ((plan.merge || (is_joined() && !plan.as_they_come)) && !last && inputs.size() > 1) {
        const Input* slowest = nullptr;
        for (const auto& input : inputs) {
            if (input->ended || input->reader->source().is_regular()) continue;
            if (slowest == nullptr || input->newest < slowest->newest) slowest = input.get();
        }
        if (slowest != nullptr) numbers.holds = slowest->reader->name();
    }
    op->append_stats(numbers.extra);
    progress->tick(numbers, last);
}

SnapshotHeader Pump::Impl::snapshot_header() const {
    return {diagnostics.tool(), "", plan.state_identity};
}

Result<void> Pump::Impl::compute_fields() {
    if (is_joined() && joined_computed.empty()) {
        for (const PumpPlan::JoinedInput& input : plan.joined) {
            joined_computed.emplace_back();
            if (input.fields->expressions().empty()) continue;
            auto made = expr::ComputedFields::make(*input.fields, plan.expressions);
            if (!made) return pass_on(made);
            joined_computed.back() = std::move(*made);
        }
    }
    if (fields.expressions().empty()) return {};
    auto made = expr::ComputedFields::make(fields, plan.expressions);
    if (!made) return pass_on(made);
    computed = std::move(*made);
    return {};
}

Result<void> Pump::Impl::prepare() {
    if (plan.files.empty()) plan.files.emplace_back("-");
    STREAM_TRY(begin_control());
    const auto side = [&](const char* what) -> Result<std::unique_ptr<Output>> {
        if (!is_controlled() || !control->in_run()) return nullptr;
        return control->side_output(what);
    };
    auto late_side = side("late");
    if (!late_side) return pass_on(late_side);
    auto bad_side = side("bad");
    if (!bad_side) return pass_on(bad_side);
    STREAM_TRY(bad.open(plan.bad, plan.line_max, std::move(*bad_side)));
    STREAM_TRY(late.open(plan.late, std::move(*late_side)));
    if (plan.time_need != TimeNeed::none) {
        const char* environment = ::getenv("STREAM_TIME");
        // A tool that reads text forms of time does so for the field it was told; others read the
        // forms every event may have.
        auto made = EventTime::make(fields, plan.event_time_is_ts ? "ts" : plan.time_field,
                                    environment != nullptr ? environment : "",
                                    plan.event_time_is_ts ? TimeOptions{} : plan.time_options);
        if (!made) return pass_on(made);
        event_time.emplace(std::move(*made));
        if (plan.merge || is_joined()) event_time->share_fields();
        for (std::size_t i = 0; (plan.merge || is_joined()) && i < std::max<std::size_t>(1, plan.files.size()); ++i) {
            auto again = EventTime::make(fields_of(static_cast<int>(i)), is_joined() ? plan.joined[i].time_field : plan.event_time_is_ts ? "ts" : plan.time_field,
                                         environment != nullptr ? environment : "",
                                         plan.event_time_is_ts ? TimeOptions{} : plan.time_options);
            if (!again) return pass_on(again);
            if (!is_joined()) again->share_fields();
            merged_times.push_back(std::move(*again));
        }
    }
    STREAM_TRY(compute_fields());
    if (plan.ordered || plan.merge || is_joined()) {
        SpillLimits limits;
        limits.memory_bytes = plan.memory;
        limits.spill_bytes = plan.spill_max;
        limits.folder = plan.spill_folder;
        queue = std::make_unique<SpillQueue>(limits);
    }
    release_scanner = std::make_unique<Scanner>(fields);
    for (const PumpPlan::JoinedInput& input : plan.joined) joined_scanners.push_back(std::make_unique<Scanner>(*input.fields));
    auto made = Progress::make(diagnostics, plan.progress, plan.stats_path);
    if (!made) return pass_on(made);
    progress = std::move(*made);
    if (is_controlled()) return control->reads_itself() ? load_run_state() : Result<void>{};
    return load_state();
}

Result<void> Pump::Impl::run_all() {
    sink.set_in_block(true);
    if (is_joined()) return run_joined();
    if (plan.merge) return run_merged();
    if (plan.follow && plan.files.size() > 1) return run_as_they_come();
    return run_in_turn();
}

Result<void> Pump::Impl::close_all() {
    finished = true;
    sink.end_run();
    watermark = time_after_all;
    if (plan.ordered) STREAM_TRY(release());
    sink.end_run();
    STREAM_TRY(op->on_watermark(time_after_all, sink));
    return op->on_end(sink);
}

void Pump::Impl::judge_fields() {
    if (fields_judged) return;
    fields_judged = true;
    if (is_joined()) return judge_joined();
    std::vector<std::string> missing;
    const auto judge = [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            if (!fields.seen(i)) missing.push_back(fields.name(i));
        }
    };
    judge(0, plan.operator_fields);
    if (computed != nullptr) judge(computed->first_read(), computed->end_read());
    for (const std::string& name : missing) {
        diagnostics.say("no event had a field " + stream::quoted(name));
    }
    if (missing.empty()) return;
    const auto names = member_names(sample_event, 20);
    if (names.empty()) return;
    std::vector<std::string_view> candidates(names.begin(), names.end());
    const std::string_view near = nearest(missing.front(), candidates);
    std::string hint;
    if (!near.empty()) hint = "did you mean " + std::string(near) + "? ";
    hint += "the members there are: ";
    for (std::size_t i = 0; i < names.size(); ++i) hint += (i == 0 ? "" : ", ") + names[i];
    diagnostics.hint(hint);
}

bool Pump::Impl::tell_counts() {
    if (bad.count() > 0) {
        const std::string where = plan.bad.kind == BadPolicy::Kind::file ? ", kept in " + plan.bad.path : ", skipped";
        diagnostics.say(std::to_string(bad.count()) + (bad.count() == 1 ? " bad event" : " bad events") + where);
    }
    if (late.count() == 0) return false;
    std::string message = std::to_string(late.count()) + (late.count() == 1 ? " late event" : " late events");
    if (plan.late.kind == LatePolicy::Kind::file) message += ", kept in " + plan.late.path;
    else message += ", dropped";
    message += "; the latest by " + format_duration(late.largest());
    diagnostics.say(message);
    const bool fault = plan.late.kind == LatePolicy::Kind::none && !plan.late_is_kept;
    const DurationNs enough = rounded_up(is_joined() ? late_enough : time_add(plan.lateness, late.missing()));
    diagnostics.hint("--lateness " + format_duration(enough) + " would have kept all" +
                     (fault ? "; --late drop or --late FILE says they may be late" : ""));
    return fault;
}

int Pump::Impl::run() {
    auto result = prepare();
    if (!result) {
        diagnostics.say(result.error());
        const int status = exit_status_of(result.error().kind(), stop_signal());
        if (is_controlled() && control->client != nullptr) control->client->bye(status, result.error().message(), result.error().kind() == ErrorKind::incomplete, false);
        return status;
    }
    result = run_all();
    if ((!result || is_stopped()) && !is_controlled()) {
        auto kept = op->on_stop(sink);
        if (result && !kept) result = std::move(kept);
    }
    if (result && is_controlled()) {
        if (is_stopped()) result = fail(ErrorKind::stopped, "stopped");
        if (result) result = finish_run();
    } else if (result) {
        const bool pause = !plan.state_dir.empty() && !plan.final;
        if (stopped || is_stopped()) {
            stopped = true;
        } else if (!pause) {
            result = close_all();
        }
        if (result) result = flush();
        if (result && !plan.state_dir.empty() && (!stopped || all_inputs_are_streams())) {
            result = pause || stopped ? save_state() : end_state();
        }
    }
    const std::string why = result ? std::string() : result.error().message();
    const bool incomplete = !result && (result.error().kind() == ErrorKind::incomplete || result.error().kind() == ErrorKind::closed);
    const bool done = result.has_value();
    const int status = finish(std::move(result));
    if (is_controlled() && control->client != nullptr) control->client->bye(status, why, incomplete, done);
    return status;
}

bool Pump::Impl::all_inputs_are_streams() const {
    return std::all_of(inputs.begin(), inputs.end(),
                       [](const auto& input) { return input == nullptr || !input->reader->source().is_regular(); });
}

int Pump::Impl::finish(Result<void> result) {
    // What came before an error is written, as far as that is possible.
    auto flushed = flush();
    if (result && !flushed) result = std::move(flushed);
    auto closed = output.close();
    if (result && !closed) result = std::move(closed);
    for (auto* outcome : {&result}) {
        auto bad_closed = bad.close();
        if (*outcome && !bad_closed) *outcome = std::move(bad_closed);
        auto late_closed = late.close();
        if (*outcome && !late_closed) *outcome = std::move(late_closed);
    }
    if (progress != nullptr) {
        tick(true);
        auto written = progress->finish();
        if (result && !written) result = std::move(written);
    }
    if (!result) {
        if (result.error().kind() == ErrorKind::closed) return exit_signal + 13;
        if (result.error().kind() == ErrorKind::stopped) return exit_signal + stop_signal();
        diagnostics.say(result.error());
        (void)tell_counts();
        return exit_status_of(result.error().kind(), stop_signal());
    }
    if (!stopped && position > 0) judge_fields();
    if (const std::string remark = op->closing_remark(); !remark.empty()) diagnostics.say(remark);
    const bool fault = tell_counts();
    if (stopped) return exit_signal + stop_signal();
    if (fault || gap) return exit_input;
    return exit_done;
}

}  // namespace stream
