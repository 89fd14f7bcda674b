// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "ops/table/change_writer.hpp"
#include "ops/table/joined.hpp"

namespace stream {
namespace {
constexpr std::uint8_t state_version = 1;
}

std::size_t JoinedTables::memory_used() const {
    std::size_t bytes = bytes_;
    for (const Side& side : sides_) {
        bytes += side.rows.capacity() * (sizeof(std::string_view) + sizeof(void*) + 1);
        bytes += side.index.capacity() * (sizeof(std::string) + sizeof(std::vector<Row*>) + 1);
    }
    return bytes;
}

Result<void> JoinedTables::check_memory() const {
    if (memory_used() <= options_.memory_bytes) [[likely]]
        return {};
    return fail(ErrorKind::limit,
                fmt::format("the two tables take more than --memory {} ({} and {} rows)", format_size(options_.memory_bytes),
                            sides_[0].rows.size(), sides_[1].rows.size()),
                "--memory SIZE allows more");
}

// Rows in the order of their bytes: the same state gives the same snapshot. The index is made anew.
void JoinedTables::snapshot(StateWriter& writer) const {
    writer.put_u8(state_version);
    writer.put_varint(written_);
    writer.put_varint(unchanged_);
    for (const Side& side : sides_) {
        writer.put_varint(side.changes);
        writer.put_bytes(side.reader->save());
        std::vector<const Row*> rows;
        for (const auto& [key, row] : side.rows) rows.push_back(row.get());
        std::sort(rows.begin(), rows.end(), [](const Row* a, const Row* b) { return a->key < b->key; });
        writer.put_varint(rows.size());
        for (const Row* row : rows) {
            writer.put_bytes(row->key);
            writer.put_bytes(row->on);
            writer.put_bytes(row->json);
        }
    }
}

Result<void> JoinedTables::restore(StateReader& reader) {
    const bool known = reader.get_u8() == state_version;
    written_ = reader.get_varint();
    unchanged_ = reader.get_varint();
    for (std::size_t side = 0; side < 2; ++side) {
        sides_[side].changes = reader.get_varint();
        const std::string_view fields = reader.get_bytes();
        STREAM_TRY(reader.check("stream-table"));
        if (!known) return fail(ErrorKind::corrupt, "the saved state of stream-table has another form");
        STREAM_TRY(sides_[side].reader->load(fields));
        for (std::uint64_t left = reader.get_varint(); left > 0 && reader.ok(); --left) {
            auto row = std::make_unique<Row>();
            row->key = reader.get_bytes();
            row->on = reader.get_bytes();
            row->json = reader.get_bytes();
            row->order = KeyOrder::prefix(row->key);
            if (!reader.ok() || sides_[side].rows.contains(row->key)) break;
            enter(sides_[side], *row);
            add(side, std::move(row));
        }
        STREAM_TRY(reader.check("stream-table"));
    }
    return {};
}

std::string JoinedTables::closing_remark() const { return missing_fields({sides_[0].reader.get(), sides_[1].reader.get()}); }

void JoinedTables::append_stats(std::string& out) const {
    out += fmt::format(R"(,"left_rows":{},"right_rows":{},"left_changes":{},"right_changes":{},"written":{},"unchanged":{},"state_bytes":{})",
                       sides_[0].rows.size(), sides_[1].rows.size(), sides_[0].changes, sides_[1].changes, written_, unchanged_,
                       memory_used());
}

}  // namespace stream
