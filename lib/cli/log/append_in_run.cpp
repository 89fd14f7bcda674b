// SPDX-License-Identifier: Apache-2.0
#include "cli/log/append_in_run.hpp"

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "base/text.hpp"

namespace stream {

namespace {

// A staged record: this, the key's text, the record.
struct RecordHeader {
    std::uint32_t size = 0;
    std::uint32_t key_size = 0;
    std::uint32_t partition = 0;
    std::uint32_t has_key = 0;
    std::int64_t time = 0;
};
static_assert(sizeof(RecordHeader) == 24);

}  // namespace

RunAppend::RunAppend(log::LogWriter writer) : writer_(std::move(writer)), partitions_(writer_.config().partitions) {}

void RunAppend::partition_by(const FieldPath& field, FieldSet& fields) { by_ = Keys({KeySpec{"", field}}, fields); }

void RunAppend::drop_repeats(const FieldPath& field, FieldSet& fields, Repeats repeats) {
    repeat_slot_ = fields.add(field, true);
    repeat_key_ = Keys({KeySpec{"", field}}, fields);
    repeat_name_ = field.text;
    repeats_ = std::move(repeats);
    writer_.set_key_filter(repeats_.filter.get());
}

Result<void> RunAppend::on_event(int, const Event& event, Sink&) {
    RecordHeader header;
    header.size = static_cast<std::uint32_t>(event.raw.size());
    header.time = event.time;
    header.partition = static_cast<std::uint32_t>(events_ % partitions_);
    if (partitions_ > 1 && !by_.empty()) header.partition = log::partition_of(by_.bytes(event.values, scratch_), partitions_);
    std::string_view key;
    if (repeats_.filter != nullptr) {
        const Value& value = event.values[repeat_slot_];
        if (value.is_nothing()) return fail(ErrorKind::data, fmt::format("no key: {} is {}", quoted(repeat_name_), value.type == Type::null ? "null" : "missing"));
        key = repeat_key_.bytes(event.values, scratch_);
        header.has_key = 1;
        header.key_size = static_cast<std::uint32_t>(key.size());
    }
    if (event.raw.size() > log::record_max) {
        return fail(ErrorKind::limit, fmt::format("a record of {} bytes is longer than a log takes", event.raw.size()));
    }
    ++events_;
    std::string& buffer = staging_->buffer();
    buffer.append(reinterpret_cast<const char*>(&header), sizeof header);
    buffer += key;
    buffer += event.raw;
    return staging_->commit();
}

Result<run::StagedFile> RunAppend::prepare(std::uint64_t epoch) {
    auto staged = staging_->finish();
    if (!staged) return staged;
    if (!staged->file.empty()) newest_ = epoch;
    prepared_ = std::move(*staged);
    prepared_.base = newest_;
    return prepared_;
}

Result<void> RunAppend::publish(std::uint64_t epoch) {
    if (prepared_.file.empty() || prepared_.base != epoch) return {};
    STREAM_TRY(append_staged(prepared_));
    prepared_.file.clear();
    return {};
}

// The file goes once its records are there.
Result<void> RunAppend::append_staged(const run::StagedFile& staged) {
    std::string bytes;  // not used up: less than a record, and a block
    const auto take = [&](std::string_view more, std::uint64_t) -> Result<void> {
        bytes += more;
        std::size_t used = 0;
        for (RecordHeader header; bytes.size() - used >= sizeof header;) {
            std::memcpy(&header, bytes.data() + used, sizeof header);
            const std::size_t size = std::size_t{header.key_size} + header.size;
            if (bytes.size() - used < sizeof header + size) break;
            const std::string_view text = std::string_view(bytes).substr(used + sizeof header, size);
            used += sizeof header + size;
            Hash128 key{};
            const bool has_key = header.has_key != 0 && repeats_.filter != nullptr;
            if (has_key) key = repeats_.hash(text.substr(0, header.key_size));
            STREAM_TRY(writer_.add(header.partition, text.substr(header.key_size), header.time, has_key ? &key : nullptr));
        }
        bytes.erase(0, used);
        return {};
    };
    STREAM_TRY(staging_->read(staged, take));
    if (!bytes.empty()) return fail(ErrorKind::corrupt, fmt::format("staged/{}: its last record is cut short", staged.file));
    auto acks = writer_.publish(run_, name_, staged.base);
    if (!acks) return pass_on(acks);
    for (const log::Ack& ack : *acks) appended_ += ack.last - ack.first + 1;
    if (repeats_.save) repeats_.save();
    return staging_->remove(staged);
}

Result<void> RunAppend::open(const run::Start& start, const std::string& run_folder, const std::string& name, const std::optional<run::StagedFile>& committed) {
    staging_.emplace(real_file_system(), run_folder, name, start.attempt);
    name_ = name;
    run_ = start.run;
    const std::uint64_t there = writer_.published(run_, name_);
    newest_ = committed ? committed->base : 0;
    if (there > newest_) {
        return fail(ErrorKind::corrupt, fmt::format("the log has epoch {} of this run, and the run has committed {}: an old copy of the run's folder was put back", there, newest_),
                    "stream-run reset begins anew");
    }
    if (there < newest_) {
        auto is_staged = staging_->is_there(*committed);
        if (!is_staged) return pass_on(is_staged);
        if (!*is_staged) {
            return fail(ErrorKind::corrupt, fmt::format("the log has epoch {} of this run, {} was committed, and what was staged is gone: an old copy of the log was put back", there, newest_),
                        "stream-run reset begins anew");
        }
        STREAM_TRY(append_staged(*committed));
    }
    return staging_->sweep();  // what nobody committed
}

Result<void> RunAppend::restore(StateReader& reader) {
    events_ = reader.get_u64();
    return reader.check("an append");
}

void RunAppend::append_stats(std::string& out) const { out += fmt::format(R"(,"appended":{},"duplicates":{})", appended_, writer_.duplicates()); }

}  // namespace stream
