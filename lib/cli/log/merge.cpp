// SPDX-License-Identifier: Apache-2.0
// read --merge: each partition a source of bytes, which the pump brings into one order of event time.
#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "base/text.hpp"
#include "cli/log/bounds.hpp"
#include "cli/log/envelope.hpp"
#include "cli/log/place.hpp"
#include "cli/log/read.hpp"
#include "io/source.hpp"
#include "log/log_source.hpp"
#include "ops/cat.hpp"

namespace stream {

namespace {

class PartitionSource final : public ByteSource {
public:
    PartitionSource(Tool& tool, const LogArguments& arguments, std::uint32_t partition) : tool_(tool), arguments_(arguments), partition_{partition} {}

    Result<void> open() {
        if (arguments_.follow) watch_.emplace(arguments_.folder());
        log::ReaderOptions options;
        options.partitions = partition_;
        options.skip_corrupt = arguments_.skip_corrupt;
        auto reader = open_log_reader(arguments_.folder(), options);
        if (!reader) return pass_on(reader);
        auto bounds = ReadBounds::make(arguments_, tool_.plan().time_field, reader->manifest().config());
        if (!bounds) return pass_on(bounds);
        bounds_.emplace(std::move(*bounds));
        reader_.emplace(std::move(*reader));
        if (arguments_.envelope) envelope_ = std::make_unique<Envelope>();
        auto from = bounds_->from(*reader_, partition_[0]);
        if (!from) return pass_on(from);
        reader_->seek(partition_[0], *from);
        return bounds_->apply_to(*reader_, partition_, arguments_.follow);
    }

    Result<ReadOutcome> read(std::span<char> into) override {
        while (rest_.empty()) {
            auto more = load();
            if (!more) return pass_on(more);
            if (*more != ReadOutcome::Status::data) return ReadOutcome{*more, 0};
        }
        const std::size_t size = std::min(into.size(), rest_.size());
        std::memcpy(into.data(), rest_.data(), size);
        rest_.remove_prefix(size);
        given_ += size;
        return ReadOutcome{ReadOutcome::Status::data, size};
    }

    int poll_fd() const override { return watch_ ? watch_->fd() : -1; }
    int wait_ms() const override { return watch_ ? watch_->wait_ms() : -1; }
    std::uint64_t raw_position() const override { return given_; }
    bool is_regular() const override { return !arguments_.follow; }
    bool is_followed() const override { return arguments_.follow; }

private:
    using Status = ReadOutcome::Status;
    Result<Status> load() {
        log::Run run;
        auto next = reader_->next(run);
        if (!next) return pass_on(next);
        switch (*next) {
            case log::LogReader::Next::records:
                rest_ = run.lines;
                if (envelope_ != nullptr) {
                    text_.clear();
                    envelope_->append(text_, run);
                    rest_ = text_;
                }
                return Status::data;
            case log::LogReader::Next::gap:
                if (!arguments_.skip_gaps) return gap_failure(reader_->gap());
                tool_.diagnostics().say(gap_text(reader_->gap()));
                return load();
            case log::LogReader::Next::damage: tool_.diagnostics().say(reader_->problem()); return load();
            case log::LogReader::Next::end: break;
        }
        if (!watch_ || bounds_->is_done(*reader_, partition_)) return Status::end;
        watch_->drain();
        auto more = reader_->refresh();
        if (!more) return pass_on(more);
        STREAM_TRY(bounds_->apply_to(*reader_, partition_, true));
        return *more ? load() : Result<Status>(Status::would_block);
    }

    Tool& tool_;
    const LogArguments& arguments_;
    std::vector<std::uint32_t> partition_;
    std::optional<log::HeadWatch> watch_;
    std::optional<log::LogReader> reader_;
    std::optional<ReadBounds> bounds_;
    std::unique_ptr<Envelope> envelope_;
    std::string text_;
    std::string_view rest_;
    std::uint64_t given_ = 0;
};

}  // namespace

Result<std::unique_ptr<Operator>> merge_log(Tool& tool, const LogArguments& arguments) {
    auto manifest = load_manifest(arguments.folder());
    if (!manifest) return pass_on(manifest);
    const std::uint32_t count = manifest->config().partitions;
    auto chosen = parse_partitions(arguments.partitions.value_or("0-" + std::to_string(count - 1)), count);
    if (!chosen) return pass_on(chosen);
    PumpPlan& plan = tool.plan();
    for (const std::uint32_t p : *chosen) plan.files.push_back(arguments.folder() + " (partition " + std::to_string(p) + ")");
    plan.open_input = [&tool, &arguments, partitions = *chosen](std::size_t index) -> Result<std::unique_ptr<ByteSource>> {
        auto source = std::make_unique<PartitionSource>(tool, arguments, partitions[index]);
        STREAM_TRY(source->open());
        return source;
    };
    plan.follow = arguments.follow;
    plan.merge = true;
    plan.time_need = TimeNeed::required;
    plan.time_field = time_field_of(plan.time_field, manifest->config());
    return std::make_unique<Cat>(CatOptions{});
}

}  // namespace stream
