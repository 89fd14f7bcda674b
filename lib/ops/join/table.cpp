// SPDX-License-Identifier: Apache-2.0
#include "ops/join/table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "json/splice.hpp"

namespace stream {

namespace {

bool is_before(TimeNs time, std::uint64_t position, TimeNs other_time, std::uint64_t other_position) {
    return time != other_time ? time < other_time : position < other_position;
}

}  // namespace

TableJoin::TableJoin(TableJoinOptions options, FieldSet& fields, std::unique_ptr<ChangeReader> changes)
    : options_(std::move(options)), left_keys_(options_.keys.left, fields), changes_(std::move(changes)), secret_(random_secret()), arena_(256 << 10) {}

Result<void> TableJoin::on_event(int input, const Event& event, Sink& sink) { return input == 1 ? on_change(event) : on_left(event, sink); }

Result<void> TableJoin::on_change(const Event& event) {
    auto change = changes_->read(event.raw, event.values);
    if (!change) return pass_on(change);
    switch (change->kind) {
        case Change::Kind::nothing: return {};
        case Change::Kind::truncate: wipe(event); return {};
        case Change::Kind::remove:
            if (!change->before_key.empty()) set(change->before_key, event, {}, true);
            if (!change->key_is_null) set(change->key, event, {}, true);
            return {};
        case Change::Kind::upsert:
            if (!change->before_key.empty()) set(change->before_key, event, {}, true);
            if (!change->key_is_null) set(change->key, event, change->row, false);
            return check_memory();
    }
    return {};
}

void TableJoin::set(std::string_view key, const Event& event, std::string_view row, bool deleted) {
    const Hash128 hash = hash_key(key, secret_);
    if (!options_.versions) {
        const auto found = rows_.find(hash);
        if (found != rows_.end()) {
            arena_.release(found->second.versions.front().place);
            --versions_;
            if (deleted) rows_.erase(found);
            else found->second.versions.clear();
        }
        if (deleted) return;
    }
    Row& mine = rows_[hash];
    Version version{event.time, event.position, deleted, {}};
    if (!deleted) version.place = arena_.add(row);
    if (!mine.versions.empty() && is_before(version.time, version.position, mine.versions.back().time, mine.versions.back().position)) mine.sorted = false;
    mine.versions.push_back(version);
    ++versions_;
}

void TableJoin::wipe(const Event& event) {
    if (options_.versions) {
        const Wiped wiped{event.time, event.position};
        const auto at = std::upper_bound(wiped_.begin(), wiped_.end(), wiped,
                                         [](const Wiped& a, const Wiped& b) { return is_before(a.time, a.position, b.time, b.position); });
        wiped_.insert(at, wiped);
        return;
    }
    rows_.clear();
    versions_ = 0;
    arena_ = EventArena(256 << 10);
}

// The newest version that is no newer than the time; of equal times the last by position.
std::optional<std::string_view> TableJoin::valid(Row& row, TimeNs time) {
    if (!row.sorted) {
        std::sort(row.versions.begin(), row.versions.end(),
                  [](const Version& a, const Version& b) { return is_before(a.time, a.position, b.time, b.position); });
        row.sorted = true;
    }
    auto behind = row.versions.end();
    if (options_.versions) {
        behind = std::upper_bound(row.versions.begin(), row.versions.end(), time, [](TimeNs t, const Version& version) { return t < version.time; });
    }
    if (behind == row.versions.begin()) return std::nullopt;
    const Version& version = *(behind - 1);
    if (version.deleted) return std::nullopt;
    const auto wiped = std::upper_bound(wiped_.begin(), wiped_.end(), time, [](TimeNs t, const Wiped& one) { return t < one.time; });
    if (wiped != wiped_.begin() && is_before(version.time, version.position, (wiped - 1)->time, (wiped - 1)->position)) return std::nullopt;
    return EventArena::bytes_at(version.place.data);
}

Result<void> TableJoin::on_left(const Event& event, Sink& sink) {
    std::optional<std::string_view> row;
    if (!left_keys_.has_null(event.values)) {
        const auto found = rows_.find(hash_key(left_keys_.bytes(event.values, scratch_), secret_));
        if (found != rows_.end()) row = valid(found->second, event.time);
    }
    ++(row ? matched_ : unmatched_);
    if (options_.type == JoinType::semi || options_.type == JoinType::anti) {
        if (row.has_value() == (options_.type == JoinType::semi)) sink.pass(event);
        return {};
    }
    if (!row && options_.type == JoinType::inner) return {};
    std::string_view value = row ? *row : std::string_view("null");
    if (row && !options_.fields.empty()) {
        value_.clear();
        append_kept(value_, *row, options_.fields);
        value = value_;
        any_field_ = any_field_ || value_ != "{}";
    }
    append_with_member(sink.begin(), event.raw, options_.as, value);
    sink.end(event.time);
    return {};
}

std::size_t TableJoin::memory_used() const {
    return arena_.allocated_bytes() + rows_.capacity() * (sizeof(Hash128) + sizeof(Row) + 1) + versions_ * sizeof(Version);
}

Result<void> TableJoin::check_memory() const {
    if (memory_used() <= options_.memory) return {};
    return fail(ErrorKind::limit, fmt::format("the table takes more than --memory ({} rows, {} versions)", rows_.size(), versions_), "--memory SIZE");
}

void TableJoin::snapshot(StateWriter& writer) const {
    writer.put_raw(secret_.data(), secret_.size());
    writer.put_bytes(changes_->save());
    writer.put_u64(options_.saved ? rows_.size() : 0);
    std::vector<const decltype(rows_)::value_type*> sorted;
    for (const auto& row : rows_) {
        if (options_.saved) sorted.push_back(&row);
    }
    std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) {
        return a->first.high != b->first.high ? a->first.high < b->first.high : a->first.low < b->first.low;
    });
    for (const auto* row : sorted) {
        writer.put_u64(row->first.low);
        writer.put_u64(row->first.high);
        writer.put_varint(row->second.versions.size());
        for (const Version& version : row->second.versions) {
            writer.put_i64(version.time);
            writer.put_u64(version.position);
            writer.put_u8(version.deleted ? 1 : 0);
            if (!version.deleted) writer.put_bytes(EventArena::bytes_at(version.place.data));
        }
    }
    writer.put_varint(options_.saved ? wiped_.size() : 0);
    for (const Wiped& wiped : wiped_) {
        if (!options_.saved) break;
        writer.put_i64(wiped.time);
        writer.put_u64(wiped.position);
    }
    writer.put_u64(matched_);
    writer.put_u64(unmatched_);
}

Result<void> TableJoin::restore(StateReader& reader) {
    reader.get_raw(secret_.data(), secret_.size());
    STREAM_TRY(changes_->load(reader.get_bytes()));
    const std::uint64_t rows = reader.get_u64();
    for (std::uint64_t i = 0; i < rows && reader.ok(); ++i) {
        const std::uint64_t low = reader.get_u64();
        const std::uint64_t high = reader.get_u64();
        Row& row = rows_[Hash128{low, high}];
        const std::uint64_t count = reader.get_varint();
        for (std::uint64_t v = 0; v < count && reader.ok(); ++v) {
            Version version;
            version.time = reader.get_i64();
            version.position = reader.get_u64();
            version.deleted = reader.get_u8() != 0;
            if (!version.deleted) version.place = arena_.add(reader.get_bytes());
            row.versions.push_back(version);
            ++versions_;
        }
        row.sorted = false;
    }
    const std::uint64_t count = reader.get_varint();
    for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
        const TimeNs time = reader.get_i64();
        wiped_.push_back({time, reader.get_u64()});
    }
    matched_ = reader.get_u64();
    unmatched_ = reader.get_u64();
    return reader.check("a join's table");
}

std::string TableJoin::closing_remark() const {
    std::string remark;
    for (const std::string& name : changes_->never_seen()) remark += (remark.empty() ? "no row had a field " : ", ") + stream::quoted(name);
    if (matched_ > 0 && !any_field_) {
        for (const FieldPath& field : options_.fields) remark += (remark.empty() ? "no row had a field " : ", ") + stream::quoted(field.text);
    }
    return remark;
}

void TableJoin::append_stats(std::string& out) const {
    out += fmt::format(",\"rows\":{},\"versions\":{},\"table_bytes\":{},\"matched\":{},\"unmatched\":{}", rows_.size(), versions_, memory_used(), matched_, unmatched_);
}

}  // namespace stream
