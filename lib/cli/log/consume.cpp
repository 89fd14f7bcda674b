// SPDX-License-Identifier: Apache-2.0
#include "cli/log/consume.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "cli/exit_status.hpp"
#include "cli/log/child.hpp"
#include "cli/log/place.hpp"
#include "cli/log/record_output.hpp"
#include "cli/signals.hpp"
#include "log/groups.hpp"

namespace stream {

namespace {

constexpr int look_ms = 50;  // at signals and the command, while it reads nothing

class Consumer {
public:
    Consumer(Tool& tool, const LogArguments& arguments, log::LogReader reader, log::Group group)
        : tool_(tool),
          arguments_(arguments),
          command_(arguments.words.begin() + 2, arguments.words.end()),
          partitions_(reader.manifest().config().partitions),
          reader_(std::move(reader)),
          group_(std::move(group)) {}

    Result<int> run() {
        if (group_.state().batch) {
            log::OpenBatch batch = *group_.state().batch;
            auto any = find_records(batch);
            if (!any) return pass_on(any);
            auto status = *any ? give(batch) : finish();
            if (!status || *status != 0) return status;
        }
        log::OpenBatch batch;
        for (std::uint32_t p = 0; p < partitions_; ++p) {
            const std::uint64_t end = reader_.end_offset(p);
            batch.from.push_back(std::min(group_.state().positions[p].value_or(reader_.first_offset(p)), end));
            batch.to.push_back(end);
        }
        auto any = find_records(batch);
        if (!any) return pass_on(any);
        if (!*any) return static_cast<int>(exit_done);
        batch.id = fmt::format("{:016x}{:016x}", real_file_system().random(), real_file_system().random());
        STREAM_TRY(group_.begin_batch(batch));
        return give(batch);
    }

private:
    void go_to(const log::OpenBatch& batch) {
        for (std::uint32_t p = 0; p < partitions_; ++p) {
            reader_.seek(p, std::max(batch.from[p], reader_.first_offset(p)));
            reader_.stop_at(p, batch.to[p]);
        }
    }

    // Whether there is anything between the two sides; a batch not begun yet is cut to --max. What is gone is told,
    // or is an error.
    Result<bool> find_records(log::OpenBatch& batch) {
        for (std::uint32_t p = 0; p < partitions_; ++p) {
            const std::uint64_t first = std::min(reader_.first_offset(p), batch.to[p]);
            if (batch.from[p] >= first) continue;
            const log::Gap gap{p, batch.from[p], first - 1};
            if (!arguments_.skip_gaps) return gap_failure(gap);
            tool_.diagnostics().say(gap_text(gap));
        }
        go_to(batch);
        const std::uint64_t most = batch.id.empty() && arguments_.max > 0 ? arguments_.max : 0;
        std::uint64_t records = 0;
        for (;;) {
            log::Run run;
            auto next = reader_.next(run);
            if (!next) return pass_on(next);
            if (*next == log::LogReader::Next::gap) return gap_failure(reader_.gap());
            if (*next == log::LogReader::Next::damage) continue;  // told when it is given
            if (*next == log::LogReader::Next::end) return records > 0;
            if (most == 0) return true;
            if (records + run.records >= most) {
                cut(batch, run, static_cast<std::uint32_t>(most - records));
                return true;
            }
            records += run.records;
        }
    }

    // The batch ends behind the first `records` of this run.
    void cut(log::OpenBatch& batch, const log::Run& run, std::uint32_t records) {
        for (std::uint32_t p = 0; p < partitions_; ++p) {
            batch.to[p] = p == run.partition ? run.offset_of(records - 1) + 1 : std::clamp(reader_.position(p), batch.from[p], batch.to[p]);
        }
    }

    Result<int> finish() {
        STREAM_TRY(group_.finish_batch());
        return static_cast<int>(exit_done);
    }

    Result<int> give(const log::OpenBatch& batch) {
        go_to(batch);
        auto child = Child::start(command_, batch.id);
        if (!child) return pass_on(child);
        auto written = write_to(*child);
        child->input().reset();
        // A command that reads only the front and is content with it is none of our business.
        if (!written && written.error().kind() == ErrorKind::closed) written = {};
        if (!written) child->signal(written.error().kind() == ErrorKind::stopped ? stop_signal() : SIGTERM);
        bool told = !written;
        while (!child->has_ended()) {
            const int fd = child->pidfd();
            if (!told && wait_for(&fd, fd >= 0 ? 1 : 0, -1, fd >= 0 ? -1 : look_ms) == Woken::stop) {
                child->signal(stop_signal());
                written = fail(ErrorKind::stopped, "stopped");
                told = true;
            }
            pollfd asked{fd, POLLIN, 0};
            if (told) ::poll(&asked, 1, look_ms);
        }
        if (written && stop_signal() != 0) written = fail(ErrorKind::stopped, "stopped");
        if (written && child->status() == 0) return finish();
        tool_.diagnostics().say(fmt::format("{} {}: batch {} is given again next time", printable(command_[0], 200),
                                            written || child->status() != 0 ? child->how() : "was interrupted", batch.id));
        if (!written) return pass_on(written);
        return child->status();
    }

    Result<void> write_to(Child& child) {
        RecordOutput out(child.input().get(), arguments_.envelope);
        const auto look = [&]() -> Result<void> {
            if (stop_signal() != 0) return fail(ErrorKind::stopped, "stopped");
            if (child.has_ended()) return fail(ErrorKind::closed, "the command has ended");
            return {};
        };
        out.set_meanwhile(look_ms, look);
        for (;;) {
            STREAM_TRY(look());
            log::Run run;
            auto next = reader_.next(run);
            if (!next) return pass_on(next);
            switch (*next) {
                case log::LogReader::Next::records: STREAM_TRY(out.write(run)); break;
                case log::LogReader::Next::gap: return gap_failure(reader_.gap());
                case log::LogReader::Next::damage: tool_.diagnostics().say(reader_.problem()); break;
                case log::LogReader::Next::end: return out.flush();
            }
        }
    }

    Tool& tool_;
    const LogArguments& arguments_;
    std::vector<std::string> command_;
    std::uint32_t partitions_;
    log::LogReader reader_;
    log::Group group_;
};

}  // namespace

Result<int> consume_log(Tool& tool, const LogArguments& arguments) {
    STREAM_TRY(refuse_in_run("consume"));
    STREAM_TRY(log::check_group_name(arguments.group));
    STREAM_TRY(check_log_folder(arguments.folder()));
    FileSystem& files = real_file_system();
    auto folder = files.make_folder(arguments.folder() + "/groups");
    if (!folder) return pass_on(folder);
    auto lock = files.lock(arguments.folder() + "/groups/" + arguments.group + ".consume", false);
    if (!lock) return pass_on(lock);
    if (*lock == nullptr) {
        return fail(ErrorKind::locked, "group " + stream::quoted(arguments.group) + " is being consumed by somebody else");
    }
    log::ReaderOptions options;
    options.skip_corrupt = arguments.skip_corrupt;
    auto reader = open_log_reader(arguments.folder(), options);
    if (!reader) return pass_on(reader);
    const log::Manifest& manifest = reader->manifest();
    auto group = log::Group::open(files, arguments.folder(), arguments.group, manifest.log_id(), manifest.config().partitions);
    if (!group) return pass_on(group);
    Consumer consumer(tool, arguments, std::move(*reader), std::move(*group));
    return consumer.run();
}

}  // namespace stream
