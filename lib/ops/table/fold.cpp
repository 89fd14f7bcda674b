// SPDX-License-Identifier: Apache-2.0
#include "ops/table/fold.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "json/splice.hpp"
#include "ops/table/change_writer.hpp"

namespace stream {
namespace {

constexpr std::uint8_t state_version = 1;
constexpr std::uint64_t rows_per_jump_max = 100'000'000;  // of tables that one jump of event time shows

// The multiple at `time`, or the first one behind it.
TimeNs multiple_at(TimeNs time, DurationNs every) {
    const std::int64_t over = time % every;
    return over > 0 ? time_add(time, every - over) : time - over;
}

}  // namespace

TableFold::TableFold(FoldOptions options, std::unique_ptr<ChangeReader> reader)
    : options_(std::move(options)), reader_(std::move(reader)) {}

bool TableFold::is_newer(std::string_view key, TimeNs time) const {
    if (!options_.as_of) return true;
    const TableRows::Row* row = rows_.find(key);
    return time >= truncated_ && (row == nullptr || time >= row->time);
}

void TableFold::put(std::string_view key, std::string_view row, TimeNs time) {
    if (is_newer(key, time)) rows_.put(key, row, time);
}

void TableFold::remove(std::string_view key, TimeNs time) {
    if (!options_.as_of) rows_.remove(key);
    else if (is_newer(key, time)) rows_.bury(key, time);
}

void TableFold::truncate(TimeNs time) {
    if (!options_.as_of) {
        rows_.clear();
        return;
    }
    if (time < truncated_) return;
    truncated_ = time;
    rows_.clear_until(time);
}

Result<void> TableFold::check_memory() const {
    if (rows_.memory_used() <= options_.memory_bytes) [[likely]]
        return {};
    return fail(ErrorKind::limit,
                fmt::format("the table takes more than --memory {} ({} rows)", format_size(options_.memory_bytes), rows_.size()),
                "--memory SIZE allows more");
}

Result<void> TableFold::apply(const Change& change, TimeNs time) {
    if (change.key_is_missing) return tl::unexpected<Error>(no_key(options_.by));
    switch (change.kind) {
        case Change::Kind::nothing:
            ++other_;
            return {};
        case Change::Kind::truncate:
            truncate(time);
            break;
        case Change::Kind::remove:
        case Change::Kind::upsert:
            if (!change.before_key.empty()) remove(change.before_key, time);
            if (change.kind == Change::Kind::remove) remove(change.key, time);
            else put(change.key, change.row, time);
            break;
    }
    ++changes_;
    shown_ = false;
    return check_memory();
}

Result<void> TableFold::on_event(int, const Event& event, Sink& sink) {
    if (options_.as_of && event.time > *options_.as_of) {
        ++left_out_;
        return {};
    }
    auto change = reader_->read(event.raw, event.values);
    if (!change) return pass_on(change);
    if (options_.every > 0) {
        STREAM_TRY(show_until(event.time, sink));
        if (next_ == time_before_all) next_ = multiple_at(event.time, options_.every);
    }
    return apply(*change, event.time);
}

Result<void> TableFold::on_watermark(TimeNs watermark, Sink& sink) {
    return watermark == time_after_all ? Result<void>{} : show_until(watermark, sink);
}

Result<void> TableFold::on_end(Sink& sink) {
    if (options_.every == 0) {
        show(time_before_all, sink);
    } else if (!shown_) {
        // Nothing more will come: this is what the next instant sees.
        show(next_, sink);
        shown_ = true;
    }
    return {};
}

Result<void> TableFold::show_until(TimeNs time, Sink& sink) {
    if (next_ == time_before_all || next_ >= time) return {};
    const auto times = static_cast<std::uint64_t>((time - 1) / options_.every - next_ / options_.every);
    if (rows_.size() > 0 && times > rows_per_jump_max / rows_.size()) {
        return fail(ErrorKind::limit,
                    fmt::format("event time jumps from {} to {}: the table would be written {} times", to_rfc3339(next_), to_rfc3339(time), times),
                    "--max-ahead DUR, or a longer --every");
    }
    for (; next_ < time; next_ = time_add(next_, options_.every)) {
        show(next_, sink);
        shown_ = true;
    }
    return {};
}

void TableFold::show(TimeNs instant, Sink& sink) {
    std::string ts;
    if (instant != time_before_all) {
        ts = '"';
        append_rfc3339(ts, instant);
        ts += '"';
    }
    for (const TableRows::Entry* entry : rows_.sorted()) {
        std::string& out = sink.begin();
        if (ts.empty()) out += entry->second.json;
        else append_with_member(out, entry->second.json, "ts", ts);
        sink.end(instant == time_before_all ? entry->second.time : instant);
    }
}

void TableFold::snapshot(StateWriter& writer) const {
    writer.put_u8(state_version);
    writer.put_bytes(reader_->save());
    writer.put_i64(truncated_);
    writer.put_i64(next_);
    writer.put_u8(shown_ ? 1 : 0);
    writer.put_varint(changes_);
    writer.put_varint(other_);
    writer.put_varint(left_out_);
    rows_.snapshot(writer);
}

Result<void> TableFold::restore(StateReader& reader) {
    const bool known = reader.get_u8() == state_version;
    const std::string_view fields = reader.get_bytes();
    truncated_ = reader.get_i64();
    next_ = reader.get_i64();
    shown_ = reader.get_u8() != 0;
    changes_ = reader.get_varint();
    other_ = reader.get_varint();
    left_out_ = reader.get_varint();
    STREAM_TRY(reader.check("stream-table"));
    if (!known) return fail(ErrorKind::corrupt, "the saved state of stream-table has another form");
    STREAM_TRY(reader_->load(fields));
    return rows_.restore(reader);
}

std::string TableFold::closing_remark() const { return changes_ > 0 ? missing_fields({reader_.get()}) : std::string(); }

void TableFold::append_stats(std::string& out) const {
    out += fmt::format(R"(,"changes":{},"other":{},"left_out":{},"rows":{},"state_bytes":{})", changes_, other_, left_out_,
                       rows_.size(), rows_.memory_used());
}

}  // namespace stream
