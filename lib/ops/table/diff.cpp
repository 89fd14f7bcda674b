// SPDX-License-Identifier: Apache-2.0
#include "ops/table/diff.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "ops/table/change_writer.hpp"

namespace stream {
namespace {
constexpr std::uint8_t state_version = 1;
}

TableDiff::TableDiff(DiffOptions options, std::array<std::unique_ptr<ChangeReader>, 2> readers)
    : options_(std::move(options)), readers_(std::move(readers)) {}

Result<void> TableDiff::on_event(int input, const Event& event, Sink&) {
    const std::size_t side = input == 0 ? 0 : 1;
    TableRows& table = tables_[side];
    auto change = readers_[side]->read(event.raw, event.values);
    if (!change) return pass_on(change);
    if (change->key_is_missing) return tl::unexpected<Error>(no_key(options_.by));
    newest_ = std::max(newest_, event.time);
    switch (change->kind) {
        case Change::Kind::nothing:
            return {};
        case Change::Kind::truncate:
            table.clear();
            return {};
        case Change::Kind::remove:
        case Change::Kind::upsert:
            if (!change->before_key.empty()) table.remove(change->before_key);
            if (change->kind == Change::Kind::remove) table.remove(change->key);
            else table.put(change->key, change->row, event.time);
            break;
    }
    if (tables_[0].memory_used() + tables_[1].memory_used() <= options_.memory_bytes) [[likely]]
        return {};
    return fail(ErrorKind::limit,
                fmt::format("the two tables take more than --memory {} ({} and {} rows)", format_size(options_.memory_bytes),
                            tables_[0].size(), tables_[1].size()),
                "--memory SIZE allows more");
}

void TableDiff::write(std::string_view before, std::string_view after, Sink& sink) {
    std::string& out = sink.begin();
    begin_change(out, !before.empty(), !after.empty(), newest_);
    append_row(out, before);
    out += ",\"after\":";
    append_row(out, after);
    out += '}';
    sink.end(newest_);
    ++written_[before.empty() ? 0 : after.empty() ? 2 : 1];
}

Result<void> TableDiff::on_end(Sink& sink) {
    const auto before = tables_[0].sorted();
    const auto after = tables_[1].sorted();
    auto b = before.begin();
    auto a = after.begin();
    while (b != before.end() || a != after.end()) {
        const int order = b == before.end() ? 1 : a == after.end() ? -1 : Keys::compare((*b)->first, (*a)->first);
        const std::string_view was = order <= 0 ? std::string_view((*b++)->second.json) : std::string_view();
        const std::string_view is = order >= 0 ? std::string_view((*a++)->second.json) : std::string_view();
        if (order == 0 && same_row(was, is)) ++same_;
        else write(was, is, sink);
    }
    return {};
}

void TableDiff::snapshot(StateWriter& writer) const {
    writer.put_u8(state_version);
    writer.put_i64(newest_);
    for (const std::size_t side : {0u, 1u}) {
        writer.put_bytes(readers_[side]->save());
        tables_[side].snapshot(writer);
    }
}

Result<void> TableDiff::restore(StateReader& reader) {
    const bool known = reader.get_u8() == state_version;
    newest_ = reader.get_i64();
    for (const std::size_t side : {0u, 1u}) {
        const std::string_view fields = reader.get_bytes();
        STREAM_TRY(reader.check("stream-table"));
        if (!known) return fail(ErrorKind::corrupt, "the saved state of stream-table has another form");
        STREAM_TRY(readers_[side]->load(fields));
        STREAM_TRY(tables_[side].restore(reader));
    }
    return {};
}

std::string TableDiff::closing_remark() const { return missing_fields({readers_[0].get(), readers_[1].get()}); }

void TableDiff::append_stats(std::string& out) const {
    out += fmt::format(R"(,"old_rows":{},"new_rows":{},"inserts":{},"updates":{},"deletes":{},"same":{},"state_bytes":{})",
                       tables_[0].size(), tables_[1].size(), written_[0], written_[1], written_[2], same_,
                       tables_[0].memory_used() + tables_[1].memory_used());
}

}  // namespace stream
