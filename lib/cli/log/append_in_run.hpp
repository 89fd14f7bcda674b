// SPDX-License-Identifier: Apache-2.0
// stream-log append as a sink of a run (run/epoch_sink.hpp): what an epoch brings is staged in the run's folder, and
// published after the commit by one entry of the log's manifest, which remembers the epoch.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/hash.hpp"
#include "io/file_system.hpp"
#include "json/keys.hpp"
#include "log/writer.hpp"
#include "ops/log_append.hpp"
#include "run/epoch_sink.hpp"
#include "run/staging.hpp"

namespace stream {

class RunAppend final : public Operator, public run::EpochSink {
public:
    explicit RunAppend(log::LogWriter writer);

    // As in LogAppend. Without it events go to one partition after the other, by how many came before.
    void partition_by(const FieldPath& field, FieldSet& fields);
    using Repeats = LogAppend::Repeats;
    void drop_repeats(const FieldPath& field, FieldSet& fields, Repeats repeats);

    Result<void> on_event(int input, const Event& event, Sink& sink) override;
    void snapshot(StateWriter& writer) const override { writer.put_u64(events_); }
    Result<void> restore(StateReader& reader) override;
    void append_stats(std::string& out) const override;

    Result<void> open(const run::Start& start, const std::string& run_folder, const std::string& name, const std::optional<run::StagedFile>& committed) override;
    Result<run::StagedFile> prepare(std::uint64_t epoch) override;
    Result<void> publish(std::uint64_t epoch) override;

private:
    Result<void> append_staged(const run::StagedFile& staged);

    log::LogWriter writer_;
    std::uint32_t partitions_;
    Keys by_;
    Keys repeat_key_;
    std::size_t repeat_slot_ = 0;
    std::string repeat_name_;
    Repeats repeats_;

    std::optional<run::Staging> staging_;
    std::string name_;
    std::string run_;
    std::uint64_t newest_ = 0;  // epoch that brought anything
    run::StagedFile prepared_;
    std::uint64_t events_ = 0;
    std::uint64_t appended_ = 0;
    std::string scratch_;
};

}  // namespace stream
