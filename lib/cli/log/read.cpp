// SPDX-License-Identifier: Apache-2.0
#include "cli/log/read.hpp"

#include <optional>
#include <vector>

#include "cli/exit_status.hpp"
#include "cli/log/bounds.hpp"
#include "cli/log/group_reader.hpp"
#include "cli/log/place.hpp"
#include "cli/log/read_source.hpp"
#include "cli/log/record_output.hpp"
#include "cli/signals.hpp"
#include "log/log_source.hpp"
#include "ops/cat.hpp"

namespace stream {

namespace {

tl::unexpected<Error> stopped() { return fail(ErrorKind::stopped, "stopped"); }

struct ReadLoop {
    Tool& tool;
    const LogArguments& arguments;
    log::LogReader& reader;
    ReadBounds& bounds;
    RecordOutput& out;
    log::HeadWatch* watch;               // null: to the end as it is, and no further
    GroupReader* group;             // null: no member of a group
    std::vector<std::uint32_t> partitions;  // without a group

    const std::vector<std::uint32_t>& read_now() const { return group != nullptr ? group->held() : partitions; }

    Result<void> begin() {
        if (group == nullptr) {
            reader.set_partitions(partitions);
            for (const std::uint32_t p : partitions) {
                auto from = bounds.from(reader, p);
                if (!from) return pass_on(from);
                reader.seek(p, *from);
            }
        } else {
            STREAM_TRY(group->settle());
        }
        return apply_to();
    }

    Result<void> apply_to() { return bounds.apply_to(reader, read_now(), watch != nullptr); }

    // All there is now.
    Result<void> read_on() {
        for (;;) {
            if (stop_signal() != 0) return stopped();
            if (group != nullptr) {
                auto changed = group->settle_if_due();
                if (!changed) return pass_on(changed);
                if (*changed) STREAM_TRY(apply_to());
            }
            log::Run run;
            auto next = reader.next(run);
            if (!next) return pass_on(next);
            switch (*next) {
                case log::LogReader::Next::end: return {};
                case log::LogReader::Next::records:
                    STREAM_TRY(out.write(run));
                    if (tool.plan().line_buffered) STREAM_TRY(out.flush());
                    break;
                case log::LogReader::Next::gap:
                    if (!arguments.skip_gaps) return gap_failure(reader.gap());
                    tool.diagnostics().say(gap_text(reader.gap()));
                    break;
                case log::LogReader::Next::damage: tool.diagnostics().say(reader.problem()); break;
            }
        }
    }

    // False: somebody asked us to stop.
    Result<void> wait() {
        int timeout = watch != nullptr ? watch->wait_ms() : -1;
        if (group != nullptr && (timeout < 0 || timeout > group->wait_ms())) timeout = group->wait_ms();
        const int fd = watch != nullptr ? watch->fd() : -1;
        switch (wait_for(&fd, fd >= 0 ? 1 : 0, 1, timeout)) {
            case Woken::stop: return stopped();
            case Woken::reader_gone: return fail(ErrorKind::closed, "the reader went away");
            case Woken::input: watch->drain(); return {};
            case Woken::timeout: return {};
        }
        return {};
    }

    Result<void> run() {
        STREAM_TRY(begin());
        for (;;) {
            STREAM_TRY(read_on());
            if (bounds.is_done(reader, read_now())) return {};
            if (watch == nullptr && (group == nullptr || !group->may_gain())) return {};
            STREAM_TRY(out.flush());
            if (watch != nullptr) {
                auto more = reader.refresh();
                if (!more) return pass_on(more);
                STREAM_TRY(apply_to());
                if (*more) continue;
            }
            STREAM_TRY(wait());
        }
    }
};

}  // namespace

Result<int> read_log(Tool& tool, const LogArguments& arguments) {
    // Before the reader looks where the log ends: what comes in between is not missed.
    std::optional<log::HeadWatch> watch;
    if (arguments.follow) watch.emplace(arguments.folder());
    log::ReaderOptions options;
    options.skip_corrupt = arguments.skip_corrupt;
    auto reader = open_log_reader(arguments.folder(), options);
    if (!reader) return pass_on(reader);
    const log::LogConfig& config = reader->manifest().config();
    std::vector<std::uint32_t> partitions;
    for (std::uint32_t p = 0; p < config.partitions; ++p) partitions.push_back(p);
    if (arguments.partitions) {
        auto chosen = parse_partitions(*arguments.partitions, config.partitions);
        if (!chosen) return pass_on(chosen);
        partitions = std::move(*chosen);
    }
    auto bounds = ReadBounds::make(arguments, tool.plan().time_field, config);
    if (!bounds) return pass_on(bounds);
    std::unique_ptr<GroupReader> group;
    if (!arguments.group.empty()) {
        auto joined = GroupReader::join(tool, arguments, *reader);
        if (!joined) return pass_on(joined);
        group = std::move(*joined);
    }
    RecordOutput out(1, arguments.envelope);
    if (group != nullptr) out.set_meanwhile(GroupReader::settle_ms, [&] { return group->settle_while_writing(); });
    ReadLoop loop{tool, arguments, *reader, *bounds, out, watch ? &*watch : nullptr, group.get(), std::move(partitions)};
    auto result = loop.run();
    // What came before an error is written, as far as that is possible.
    auto closed = out.close();
    if (!result) return pass_on(result);
    if (!closed) return pass_on(closed);
    return static_cast<int>(exit_done);
}

Result<std::unique_ptr<Operator>> read_log_in_run(Tool& tool, const LogArguments& arguments) {
    auto manifest = load_manifest(arguments.folder());
    if (!manifest) return pass_on(manifest);
    const std::uint32_t count = manifest->config().partitions;
    auto chosen = parse_partitions(arguments.partitions.value_or("0-" + std::to_string(count - 1)), count);
    if (!chosen) return pass_on(chosen);
    PumpPlan& plan = tool.plan();
    // Now, and not at the first line: what cannot be a position is a mistake of the command line.
    auto bounds = ReadBounds::make(arguments, plan.time_field, manifest->config());
    if (!bounds) return pass_on(bounds);
    plan.files = {arguments.folder()};
    plan.follow = arguments.follow;
    plan.time_field = time_field_of(plan.time_field, manifest->config());
    plan.time_need = TimeNeed::guessed;
    plan.open_placed = [&tool, &arguments, partitions = std::move(*chosen)](std::size_t, const PumpPlan::Placing& placing) {
        return open_read_source(tool, arguments, {partitions, arguments.follow, true, placing});
    };
    return std::make_unique<Cat>(CatOptions{});
}

}  // namespace stream
