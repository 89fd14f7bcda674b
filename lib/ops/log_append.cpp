// SPDX-License-Identifier: Apache-2.0
#include "ops/log_append.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "json/number.hpp"

namespace stream {

namespace {
constexpr std::uint64_t look_every = 256;  // events between two looks at the clock
}

LogAppend::LogAppend(log::LogWriter writer, LogAppendOptions options)
    : writer_(std::move(writer)), options_(options), partitions_(writer_.config().partitions) {
    options_.batch_bytes = writer_.batch_bytes(options_.batch_bytes);
}

void LogAppend::partition_by(const FieldPath& field, FieldSet& fields) { by_ = Keys({KeySpec{"", field}}, fields); }

void LogAppend::drop_repeats(const FieldPath& field, FieldSet& fields, Repeats repeats) {
    repeat_slot_ = fields.add(field, true);
    repeat_key_ = Keys({KeySpec{"", field}}, fields);
    repeat_name_ = field.text;
    repeats_ = std::move(repeats);
    writer_.set_key_filter(repeats_.filter.get());
}

std::uint32_t LogAppend::partition_of_batch() const {
    return static_cast<std::uint32_t>((options_.first_batch + batches_) % partitions_);
}

Result<void> LogAppend::on_event(int, const Event& event, Sink& sink) {
    std::uint32_t partition = 0;
    if (partitions_ > 1) {
        partition = by_.empty() ? partition_of_batch() : log::partition_of(by_.bytes(event.values, scratch_), partitions_);
    }
    if (repeats_.filter == nullptr) return add(partition, event.raw, event.time, nullptr, sink);
    const Value& value = event.values[repeat_slot_];
    if (value.is_nothing()) {
        return fail(ErrorKind::data, fmt::format("no key: {} is {}", quoted(repeat_name_), value.type == Type::null ? "null" : "missing"));
    }
    const Hash128 key = repeats_.hash(repeat_key_.bytes(event.values, scratch_));
    return add(partition, event.raw, event.time, &key, sink);
}

Result<void> LogAppend::add_raw(std::string_view record, Sink& sink) {
    return add(partitions_ > 1 ? partition_of_batch() : 0, record, time_before_all, nullptr, sink);
}

Result<void> LogAppend::add(std::uint32_t partition, std::string_view record, TimeNs time, const Hash128* key, Sink& sink) {
    STREAM_TRY(writer_.add(partition, record, time, key));
    if (writer_.pending_bytes() >= options_.batch_bytes) [[unlikely]] return commit(sink);
    if (options_.gather_ns == 0) return {};
    if (began_ns_ == 0) {
        began_ns_ = options_.clock();
        since_look_ = 0;
    } else if (++since_look_ >= look_every) {
        since_look_ = 0;
        if (options_.clock() - began_ns_ >= options_.gather_ns) return commit(sink);
    }
    return {};
}

Result<void> LogAppend::on_caught_up(Sink& sink) {
    if (options_.gather_ns > 0 && (began_ns_ == 0 || options_.clock() - began_ns_ < options_.gather_ns)) return {};
    return commit(sink);
}

Result<void> LogAppend::on_end(Sink& sink) {
    STREAM_TRY(commit(sink));
    if (failed_) return {};
    if (repeats_.save) repeats_.save();
    return writer_.finish();
}

int LogAppend::wait_ms() const {
    if (options_.gather_ns == 0 || began_ns_ == 0) return -1;
    const std::int64_t left = began_ns_ + options_.gather_ns - options_.clock();
    return left <= 0 ? 0 : static_cast<int>(std::min<std::int64_t>(left / ns_per_ms + 1, 60'000));
}

// After a failure nothing more is appended: the caller knows from the acknowledgements how far it came.
Result<void> LogAppend::commit(Sink& sink) {
    began_ns_ = 0;
    if (failed_ || writer_.pending_records() == 0) return {};
    const std::size_t bytes = writer_.pending_bytes();
    auto acks = writer_.commit();
    if (!acks) {
        failed_ = true;
        return pass_on(acks);
    }
    if (acks->empty()) return {};
    ++batches_;
    bytes_ += bytes;
    for (const log::Ack& ack : *acks) {
        appended_ += ack.last - ack.first + 1;
        if (!options_.ack) continue;
        std::string& out = sink.begin();
        out += "{\"partition\":";
        append_uint64(out, ack.partition);
        out += ",\"first\":";
        append_uint64(out, ack.first);
        out += ",\"last\":";
        append_uint64(out, ack.last);
        out += '}';
        sink.end(time_before_all);
    }
    return {};
}

void LogAppend::append_stats(std::string& out) const {
    out += fmt::format(R"(,"appended":{},"duplicates":{},"batches":{},"bytes":{})", appended_, writer_.duplicates(), batches_, bytes_);
}

}  // namespace stream
