// SPDX-License-Identifier: Apache-2.0
#include "cli/log/append_in_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/crc32c.hpp"
#include "base/text.hpp"

namespace stream {

namespace {

constexpr std::size_t block = 256 << 10;

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
    buffer_.append(reinterpret_cast<const char*>(&header), sizeof header);
    buffer_ += key;
    buffer_ += event.raw;
    return buffer_.size() >= block ? write_out() : Result<void>{};
}

Result<void> RunAppend::write_out() {
    if (buffer_.empty()) return {};
    FileSystem& files = real_file_system();
    if (file_ == nullptr) {
        file_name_ = fmt::format("{}.{}.{}", name_, ++number_, attempt_);
        auto made = files.open(folder_ + "/" + file_name_, Open::create_new);
        if (!made) return pass_on(made);
        file_ = std::move(*made);
        length_ = 0;
        crc_ = 0;
    }
    STREAM_TRY(file_->write_at(buffer_, length_));
    length_ += buffer_.size();
    crc_ = crc32c_extend(crc_, buffer_);
    buffer_.clear();
    return {};
}

Result<run::StagedFile> RunAppend::prepare(std::uint64_t epoch) {
    STREAM_TRY(write_out());
    prepared_ = {name_, {}, {}, newest_, 0, 0};
    if (file_ == nullptr) return prepared_;
    STREAM_TRY(file_->sync());
    STREAM_TRY(file_->close());
    file_.reset();
    STREAM_TRY(real_file_system().sync_folder(folder_));
    newest_ = epoch;
    prepared_ = {name_, {}, file_name_, newest_, length_, crc_};
    return prepared_;
}

Result<void> RunAppend::publish(std::uint64_t epoch) {
    if (prepared_.file.empty() || prepared_.base != epoch) return {};
    STREAM_TRY(append_staged(prepared_));
    prepared_.file.clear();
    return {};
}

// The whole file's checksum before anything is taken from it; then its records. The file goes once they are there.
Result<void> RunAppend::append_staged(const run::StagedFile& staged) {
    FileSystem& files = real_file_system();
    const std::string path = folder_ + "/" + staged.file;
    auto file = files.open(path, Open::read);
    if (!file) return pass_on(file);
    const auto damaged = [&](std::string_view why) { return fail(ErrorKind::corrupt, fmt::format("{}: {}", path, why)); };
    std::uint32_t crc = 0;
    std::string bytes;
    for (std::uint64_t at = 0; at < staged.length; at += bytes.size()) {
        bytes.resize(static_cast<std::size_t>(std::min<std::uint64_t>(block, staged.length - at)));
        auto got = (*file)->read_at(bytes, at);
        if (!got) return pass_on(got);
        if (*got != bytes.size()) return damaged("cut short");
        crc = crc32c_extend(crc, bytes);
    }
    if (crc != staged.crc) return damaged("it fails its checksum");
    bytes.clear();
    std::uint64_t at = 0;  // of the file, behind `bytes`
    std::size_t used = 0;
    const auto need = [&](std::size_t size) -> Result<void> {
        if (bytes.size() - used >= size) return {};
        bytes.erase(0, used);
        used = 0;
        const std::size_t have = bytes.size();
        const std::uint64_t more = std::min<std::uint64_t>(std::max(block, size - have), staged.length - at);
        bytes.resize(have + static_cast<std::size_t>(more));
        auto got = (*file)->read_at(std::span<char>(bytes).subspan(have), at);
        if (!got) return pass_on(got);
        at += more;
        return *got == more && bytes.size() >= size ? Result<void>{} : Result<void>(damaged("cut short"));
    };
    while (at < staged.length || used < bytes.size()) {
        RecordHeader header;
        STREAM_TRY(need(sizeof header));
        std::memcpy(&header, bytes.data() + used, sizeof header);
        STREAM_TRY(need(sizeof header + header.key_size + header.size));
        const std::string_view text = std::string_view(bytes).substr(used + sizeof header, header.key_size + header.size);
        used += sizeof header + text.size();
        Hash128 key{};
        if (header.has_key != 0) key = repeats_.hash(text.substr(0, header.key_size));
        STREAM_TRY(writer_.add(header.partition, text.substr(header.key_size), header.time, header.has_key != 0 && repeats_.filter != nullptr ? &key : nullptr));
    }
    auto acks = writer_.publish(run_, name_, staged.base);
    if (!acks) return pass_on(acks);
    for (const log::Ack& ack : *acks) appended_ += ack.last - ack.first + 1;
    if (repeats_.save) repeats_.save();
    return files.remove(path);
}

Result<void> RunAppend::open(const run::Start& start, const std::string& run_folder, const std::string& name, const std::optional<run::StagedFile>& committed) {
    folder_ = run_folder + "/staged";
    name_ = name;
    run_ = start.run;
    attempt_ = start.attempt;
    FileSystem& files = real_file_system();
    const std::uint64_t there = writer_.published(run_, name_);
    newest_ = committed ? committed->base : 0;
    if (there > newest_) {
        return fail(ErrorKind::corrupt, fmt::format("the log has epoch {} of this run, and the run has committed {}: an old copy of the run's folder was put back", there, newest_),
                    "stream-run reset begins anew");
    }
    if (there < newest_) {
        const bool is_staged = !committed->file.empty();
        auto file = is_staged ? files.open_if_there(folder_ + "/" + committed->file, Open::read) : Result<std::unique_ptr<File>>(nullptr);
        if (!file) return pass_on(file);
        if (*file == nullptr) {
            return fail(ErrorKind::corrupt, fmt::format("the log has epoch {} of this run, {} was committed, and what was staged is gone: an old copy of the log was put back", there, newest_),
                        "stream-run reset begins anew");
        }
        STREAM_TRY(append_staged(*committed));
    }
    // What attempts before staged and nobody committed.
    auto names = files.list(folder_);
    if (!names) return pass_on(names);
    for (const std::string& one : *names ? **names : std::vector<std::string>{}) {
        if (one.starts_with(name_ + ".") && one.find_first_not_of("0123456789.", name_.size()) == std::string::npos) STREAM_TRY(files.remove(folder_ + "/" + one));
    }
    return {};
}

Result<void> RunAppend::restore(StateReader& reader) {
    events_ = reader.get_u64();
    return reader.check("an append");
}

void RunAppend::append_stats(std::string& out) const { out += fmt::format(R"(,"appended":{},"duplicates":{})", appended_, writer_.duplicates()); }

}  // namespace stream
