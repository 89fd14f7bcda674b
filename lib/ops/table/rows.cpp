// SPDX-License-Identifier: Apache-2.0
#include "ops/table/rows.hpp"

#include <algorithm>
#include <bit>

#include "json/canonical.hpp"
#include "json/keys.hpp"
#include "json/number.hpp"

namespace stream {
namespace {

// What a string holds outside itself.
std::size_t heap_bytes(const std::string& text) { return text.capacity() > 15 ? text.capacity() + 17 : 0; }

std::uint64_t prefix_of_number(std::string_view text) {
    const auto bits = std::bit_cast<std::uint64_t>(to_double(text));
    constexpr std::uint64_t sign = std::uint64_t{1} << 63;
    return (bits & sign) != 0 ? ~bits : bits | sign;
}

std::uint64_t prefix_of_string(const Value& value) {
    std::string unescaped;
    std::string_view text = value.inner();
    if (value.escaped) {
        append_unescaped(unescaped, value);
        text = unescaped;
    }
    std::uint64_t prefix = 0;
    for (std::size_t i = 0; i < 8; ++i) prefix = prefix << 8 | (i < text.size() ? static_cast<unsigned char>(text[i]) : 0u);
    return prefix;
}

}  // namespace

bool same_row(std::string_view a, std::string_view b) {
    if (a == b) return true;
    if (a.empty() || b.empty()) return false;
    return compare_values(value_of(a), value_of(b)) == 0;
}

std::uint64_t KeyOrder::prefix(std::string_view key) {
    const Value first = value_of(key.substr(0, std::min(key.find('\x1F'), key.size())));
    std::uint64_t prefix = 0;
    if (first.type == Type::number) prefix = prefix_of_number(first.text);
    if (first.type == Type::string) prefix = prefix_of_string(first);
    return static_cast<std::uint64_t>(first.type) << 60 | prefix >> 4;
}

void KeyOrder::sort_numbers(std::vector<std::pair<std::uint64_t, std::size_t>>& order, const std::vector<std::string_view>& keys) {
    std::sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
        if (a.first != b.first) return a.first < b.first;
        const int compared = Keys::compare(keys[a.second], keys[b.second]);
        return compared != 0 ? compared < 0 : a.second < b.second;
    });
}

TableRows::Row* TableRows::find(std::string_view key) {
    const auto found = rows_.find(key);
    return found == rows_.end() ? nullptr : &found->second;
}

const TableRows::Row* TableRows::find(std::string_view key) const {
    const auto found = rows_.find(key);
    return found == rows_.end() ? nullptr : &found->second;
}

TableRows::Row& TableRows::row_of(std::string_view key) {
    const auto [place, is_new] = rows_.try_emplace(key);
    if (is_new) bytes_ += heap_bytes(place->first);
    else bytes_ -= heap_bytes(place->second.json);
    if (place->second.gone) --gone_;
    return place->second;
}

void TableRows::put(std::string_view key, std::string_view json, TimeNs time) {
    Row& row = row_of(key);
    // A row that has become much shorter gives its memory back.
    if (row.json.capacity() > 2 * json.size()) row.json = std::string(json);
    else row.json.assign(json);
    row.time = time;
    row.gone = false;
    bytes_ += heap_bytes(row.json);
}

void TableRows::remove(std::string_view key) {
    const auto found = rows_.find(key);
    if (found == rows_.end()) return;
    bytes_ -= heap_bytes(found->first) + heap_bytes(found->second.json);
    if (found->second.gone) --gone_;
    rows_.erase(found);
}

void TableRows::bury(std::string_view key, TimeNs time) {
    Row& row = row_of(key);
    row.json = std::string();
    row.time = time;
    row.gone = true;
    ++gone_;
}

void TableRows::clear() {
    rows_.clear();
    gone_ = 0;
    bytes_ = 0;
}

void TableRows::clear_until(TimeNs time) {
    std::vector<std::string> old;
    for (const auto& [key, row] : rows_) {
        if (row.time <= time) old.push_back(key);
    }
    for (const std::string& key : old) remove(key);
}

std::vector<const TableRows::Entry*> TableRows::sorted() const {
    std::vector<const Entry*> entries;
    entries.reserve(size());
    for (const Entry& entry : rows_) {
        if (!entry.second.gone) entries.push_back(&entry);
    }
    KeyOrder::sort(entries, [](const Entry* entry) { return std::string_view(entry->first); });
    return entries;
}

// In the order of the bytes: the same state gives the same snapshot.
void TableRows::snapshot(StateWriter& writer) const {
    std::vector<const Entry*> entries;
    for (const Entry& entry : rows_) entries.push_back(&entry);
    std::sort(entries.begin(), entries.end(), [](const Entry* a, const Entry* b) { return a->first < b->first; });
    writer.put_varint(entries.size());
    for (const Entry* entry : entries) {
        writer.put_bytes(entry->first);
        writer.put_bytes(entry->second.json);
        writer.put_i64(entry->second.time);
        writer.put_u8(entry->second.gone ? 1 : 0);
    }
}

Result<void> TableRows::restore(StateReader& reader) {
    clear();
    for (std::uint64_t left = reader.get_varint(); left > 0 && reader.ok(); --left) {
        const std::string_view key = reader.get_bytes();
        const std::string_view json = reader.get_bytes();
        const TimeNs time = reader.get_i64();
        const bool gone = reader.get_u8() != 0;
        if (!reader.ok()) break;
        if (gone) bury(key, time);
        else put(key, json, time);
    }
    return reader.check("a table");
}

}  // namespace stream
