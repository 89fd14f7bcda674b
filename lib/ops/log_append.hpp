// SPDX-License-Identifier: Apache-2.0
// stream-log append: events (or, by add_raw(), any records) to a log, in batches of what is ready.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/hash.hpp"
#include "json/keys.hpp"
#include "log/writer.hpp"
#include "ops/operator.hpp"

namespace stream {

struct LogAppendOptions {
    bool ack = false;            // a line for each partition of a batch, once it is durable
    DurationNs gather_ns = 0;    // 0: a batch is what is ready; else what came within so long
    std::size_t batch_bytes = 4u << 20;
    std::int64_t (*clock)() = nullptr;  // nanoseconds, monotonic
    std::uint64_t first_batch = 0;      // without a key: which partition the first batch goes to, mod N
};

class LogAppend final : public Operator {
public:
    LogAppend(log::LogWriter writer, LogAppendOptions options);

    // The partition of an event is its key's. Registers the field.
    void partition_by(const FieldPath& field, FieldSet& fields);
    // An event whose key was appended before is dropped; one without is bad. `hash` is of the key's canonical
    // text; `save` is called at the end.
    struct Repeats {
        std::unique_ptr<log::KeyFilter> filter;
        std::function<Hash128(std::string_view)> hash;
        std::function<void()> save;
    };
    void drop_repeats(const FieldPath& field, FieldSet& fields, Repeats repeats);

    Result<void> on_event(int input, const Event& event, Sink& sink) override;
    Result<void> add_raw(std::string_view record, Sink& sink);
    Result<void> on_caught_up(Sink& sink) override;
    Result<void> on_end(Sink& sink) override;
    Result<void> on_stop(Sink& sink) override { return on_end(sink); }
    int wait_ms() const override;
    void append_stats(std::string& out) const override;

private:
    Result<void> add(std::uint32_t partition, std::string_view record, TimeNs time, const Hash128* key, Sink& sink);
    Result<void> commit(Sink& sink);
    std::uint32_t partition_of_batch() const;

    log::LogWriter writer_;
    LogAppendOptions options_;
    std::uint32_t partitions_;
    Keys by_;
    Keys repeat_key_;
    std::size_t repeat_slot_ = 0;
    std::string repeat_name_;
    Repeats repeats_;
    std::string scratch_;
    std::int64_t began_ns_ = 0;  // the batch that gathers
    std::uint64_t since_look_ = 0;
    std::uint64_t appended_ = 0;
    std::uint64_t batches_ = 0;
    std::uint64_t bytes_ = 0;
    bool failed_ = false;
};

}  // namespace stream
