// SPDX-License-Identifier: Apache-2.0
// A table in memory: rows by the canonical bytes of their keys.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/hash_map.hpp"
#include "state/bytes.hpp"
#include "time/timestamp.hpp"

namespace stream {

// By text, looked up without a copy.
struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return hash64(text, table_seed); }
};
struct TextEqual {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const { return a == b; }
};
template <class Key, class T>
using TextMap = HashMap<Key, T, TextHash, TextEqual>;

class TableRows {
public:
    struct Row {
        std::string json;
        TimeNs time = time_before_all;  // of the change that made it so
        bool gone = false;              // deleted: kept where older changes may still come
    };
    using Entry = std::pair<const std::string, Row>;

    Row* find(std::string_view key);
    const Row* find(std::string_view key) const;
    void put(std::string_view key, std::string_view json, TimeNs time);
    void remove(std::string_view key);
    // It is gone, and what is older must not bring it back.
    void bury(std::string_view key, TimeNs time);
    void clear();
    // Those that are not newer.
    void clear_until(TimeNs time);

    // Without those that are gone.
    std::size_t size() const { return rows_.size() - gone_; }
    std::size_t memory_used() const { return bytes_ + rows_.capacity() * (sizeof(Entry) + 1); }
    // By key, without those that are gone. Valid until the next change.
    std::vector<const Entry*> sorted() const;

    void snapshot(StateWriter& writer) const;
    Result<void> restore(StateReader& reader);

private:
    Row& row_of(std::string_view key);

    TextMap<std::string, Row> rows_;
    std::size_t gone_ = 0;
    std::size_t bytes_ = 0;  // outside the map's own memory
};

// Sorts what has a key, in Keys::compare's order.
class KeyOrder {
public:
    // Orders as the keys do where it differs.
    static std::uint64_t prefix(std::string_view key);

    template <class Item, class KeyOf>
    static void sort(std::vector<Item>& items, KeyOf&& key_of);

private:
    static void sort_numbers(std::vector<std::pair<std::uint64_t, std::size_t>>& order, const std::vector<std::string_view>& keys);
};

template <class Item, class KeyOf>
void KeyOrder::sort(std::vector<Item>& items, KeyOf&& key_of) {
    if (items.size() < 2) return;
    std::vector<std::pair<std::uint64_t, std::size_t>> order;
    std::vector<std::string_view> keys;
    order.reserve(items.size());
    keys.reserve(items.size());
    for (const Item& item : items) {
        keys.push_back(key_of(item));
        order.emplace_back(prefix(keys.back()), order.size());
    }
    sort_numbers(order, keys);
    std::vector<Item> sorted;
    sorted.reserve(items.size());
    for (const auto& [unused, place] : order) sorted.push_back(std::move(items[place]));
    items = std::move(sorted);
}

// Whether two rows say the same, whatever their bytes; an empty one is none.
bool same_row(std::string_view a, std::string_view b);

}  // namespace stream
