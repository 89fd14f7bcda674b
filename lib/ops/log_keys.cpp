// SPDX-License-Identifier: Apache-2.0
#include "ops/log_keys.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "state/snapshot.hpp"

namespace stream {

namespace {

constexpr std::uint64_t save_at_least = 100'000;

SnapshotHeader header_of(const LogKeysOptions& options, const log::Manifest& manifest) {
    const std::string within = options.within ? fmt::format("{}", *options.within) : "ever";
    return {"stream-log", fmt::format("{:016x}{:016x}", manifest.log_id().low, manifest.log_id().high), options.field + " " + within};
}

}  // namespace

LogKeys::LogKeys(std::string folder, const LogKeysOptions& options, log::LogReader reader)
    : folder_(std::move(folder)), options_(options), reader_(std::move(reader)) {
    forget_all();
}

LogKeys::~LogKeys() = default;

void LogKeys::forget_all() {
    secret_ = random_secret();
    exact_.reset();
    timed_.reset();
    if (options_.within) timed_.emplace(options_.limits, *options_.within);
    else exact_.emplace(options_.limits);
    for (std::uint32_t p = 0; p < reader_.manifest().config().partitions; ++p) reader_.seek(p, reader_.first_offset(p));
}

Result<std::unique_ptr<LogKeys>> LogKeys::open(FileSystem& files, const std::string& folder, const LogKeysOptions& options) {
    auto reader = log::LogReader::open(files, folder, {});
    if (!reader) return pass_on(reader);
    auto specs = parse_keys({options.field});
    if (!specs) return pass_on(specs);
    std::unique_ptr<LogKeys> keys(new LogKeys(folder, options, std::move(*reader)));
    keys->keys_ = std::make_unique<Keys>(std::move(*specs), keys->fields_);
    keys->scanner_ = std::make_unique<Scanner>(keys->fields_);
    STREAM_TRY(keys->load());
    STREAM_TRY(keys->read_on());
    return keys;
}

std::string LogKeys::path() const {
    const Hash128 name = fingerprint(header_of(options_, reader_.manifest()).arguments);
    return fmt::format("{}/keys/{:016x}", folder_, name.low);
}

// A saved set that cannot be used is none: the log has them all.
Result<void> LogKeys::load() {
    auto payload = read_snapshot_file(path(), header_of(options_, reader_.manifest()));
    if (!payload) return {};
    StateReader reader(*payload);
    const std::uint64_t excisions = reader.get_u64();
    const std::uint64_t partitions = reader.get_varint();
    std::vector<std::uint64_t> positions;
    for (std::uint64_t p = 0; p < partitions && reader.ok(); ++p) positions.push_back(reader.get_varint());
    HashSecret secret{};
    reader.get_raw(secret.data(), secret.size());
    if (!reader.ok() || excisions != reader_.manifest().excisions() || positions.size() != reader_.manifest().config().partitions) return {};
    for (std::uint32_t p = 0; p < positions.size(); ++p) {
        if (positions[p] > reader_.end_offset(p)) return {};  // ahead of the log: a copy of another time
    }
    secret_ = secret;
    auto restored = exact_ ? exact_->restore(reader) : timed_->restore(reader);
    if (!restored || !reader.ok()) {
        forget_all();
        return {};
    }
    for (std::uint32_t p = 0; p < positions.size(); ++p) reader_.seek(p, std::max(positions[p], reader_.first_offset(p)));
    return {};
}

Result<bool> LogKeys::insert(const Hash128& key, TimeNs append_time) {
    return exact_ ? exact_->insert(key) : timed_->insert(key, append_time);
}

Result<void> LogKeys::learn(const log::Run& run) {
    lines_.assign(run.lines);
    lines_.append(scanner_padding, '\0');
    scanner_->start(lines_.data(), run.lines.size());
    for (;;) {
        const Scanner::Outcome outcome = scanner_->next();
        if (outcome == Scanner::Outcome::end) return {};
        if (outcome == Scanner::Outcome::bad || scanner_->values()[0].is_nothing()) continue;
        auto known = insert(hash(keys_->bytes(scanner_->values(), scratch_)), run.append_time());
        if (!known) return pass_on(known);
        ++since_saved_;
    }
}

Result<void> LogKeys::read_on() {
    for (log::Run run;;) {
        auto got = reader_.next(run);
        if (!got) return pass_on(got);
        if (*got == log::LogReader::Next::end) return {};
        if (*got == log::LogReader::Next::records) STREAM_TRY(learn(run));
    }
}

Result<void> LogKeys::catch_up(const log::HeadState& ends) {
    auto more = reader_.refresh();
    if (!more) return pass_on(more);
    static_cast<void>(ends);
    if (!*more) return {};
    return read_on();
}

Result<bool> LogKeys::is_new(const Hash128& key, TimeNs append_time) {
    if (timed_ && options_.within) timed_->expire(append_time - *options_.within);
    auto is_new = insert(key, append_time);
    if (is_new && *is_new) ++since_saved_;
    return is_new;
}

// Ours are known: the reader passes over them.
Result<void> LogKeys::appended(const log::HeadState& ends) {
    auto more = reader_.refresh();
    if (!more) return pass_on(more);
    for (std::uint32_t p = 0; p < ends.partitions.size(); ++p) reader_.seek(p, ends.partitions[p].offset);
    return {};
}

Result<void> LogKeys::save() {
    const std::uint64_t size = exact_ ? exact_->size() : timed_->size();
    if (broken_ || since_saved_ < std::max(save_at_least, size / 4)) return {};
    StateWriter writer;
    writer.put_u64(reader_.manifest().excisions());
    const std::uint32_t partitions = reader_.manifest().config().partitions;
    writer.put_varint(partitions);
    for (std::uint32_t p = 0; p < partitions; ++p) writer.put_varint(reader_.position(p));
    writer.put_raw(secret_.data(), secret_.size());
    if (exact_) exact_->snapshot(writer);
    else timed_->snapshot(writer);
    auto made = real_file_system().make_folder(folder_ + "/keys");
    if (!made) return pass_on(made);
    auto saved = write_snapshot_file(path(), header_of(options_, reader_.manifest()), writer.bytes());
    if (!saved) return pass_on(saved);
    since_saved_ = 0;
    return {};
}

}  // namespace stream
