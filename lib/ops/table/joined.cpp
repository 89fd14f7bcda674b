// SPDX-License-Identifier: Apache-2.0
#include "ops/table/joined.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "ops/table/change_writer.hpp"

namespace stream {
namespace {

std::size_t heap_bytes(const std::string& text) { return text.capacity() > 15 ? text.capacity() + 17 : 0; }

// Canonical bytes of several values: whether one of them is null.
bool has_null(std::string_view bytes) {
    for (;;) {
        const std::size_t end = std::min(bytes.find('\x1F'), bytes.size());
        if (bytes.substr(0, end) == "null") return true;
        if (end == bytes.size()) return false;
        bytes.remove_prefix(end + 1);
    }
}

}  // namespace

JoinedTables::JoinedTables(JoinedTablesOptions options, std::array<std::unique_ptr<ChangeReader>, 2> readers)
    : options_(std::move(options)) {
    sides_[0].reader = std::move(readers[0]);
    sides_[0].outer = options_.left.outer;
    sides_[1].reader = std::move(readers[1]);
    sides_[1].outer = options_.right.outer;
}

Result<void> JoinedTables::on_event(int input, const Event& event, Sink& sink) {
    const std::size_t side = input == 0 ? 0 : 1;
    auto change = sides_[side].reader->read(event.raw, event.values);
    if (!change) return pass_on(change);
    if (change->key_is_missing) return tl::unexpected<Error>(no_key(side == 0 ? options_.left.by : options_.right.by));
    switch (change->kind) {
        case Change::Kind::nothing:
            return {};
        case Change::Kind::truncate:
            truncate(side);
            break;
        case Change::Kind::remove:
        case Change::Kind::upsert:
            if (!change->before_key.empty()) remove(side, change->before_key);
            if (change->kind == Change::Kind::remove) remove(side, change->key);
            else upsert(side, *change);
            break;
    }
    ++sides_[side].changes;
    write_differences(event.time, sink);
    return check_memory();
}

void JoinedTables::upsert(std::size_t side, const Change& change) {
    const auto found = sides_[side].rows.find(change.key);
    Row* old = found == sides_[side].rows.end() ? nullptr : found->second.get();
    if (old != nullptr && same_row(old->json, change.row)) return;
    auto row = std::make_unique<Row>();
    row->key = change.key;
    if (!has_null(change.more)) row->on = change.more;
    row->json = change.row;
    row->order = KeyOrder::prefix(row->key);
    if (old != nullptr && old->on == row->on) {
        replace(side, *old, *row);
        auto gone = take(side, row->key);
        replaced_.push_back(std::move(gone));
        add(side, std::move(row));
        return;
    }
    if (old != nullptr) remove(side, change.key);
    connect(side, *row);
    add(side, std::move(row));
}

void JoinedTables::remove(std::size_t side, std::string_view key) {
    const auto found = sides_[side].rows.find(key);
    if (found == sides_[side].rows.end()) return;
    disconnect(side, *found->second);
    replaced_.push_back(take(side, key));
}

void JoinedTables::truncate(std::size_t side) {
    std::vector<std::string> keys;
    for (const auto& [key, row] : sides_[side].rows) keys.emplace_back(key);
    for (const std::string& key : keys) remove(side, key);
}

JoinedTables::Pair JoinedTables::pair(std::size_t side, const Row* row, const Row* other) {
    return side == 0 ? Pair{row, other} : Pair{other, row};
}

// The rows of the other side that a row matches.
const std::vector<JoinedTables::Row*>& JoinedTables::matches(std::size_t side, const Row& row) const {
    static const std::vector<Row*> none;
    if (row.on.empty()) return none;
    const auto& index = sides_[1 - side].index;
    const auto found = index.find(row.on);
    return found == index.end() ? none : found->second;
}

void JoinedTables::connect(std::size_t side, Row& row) {
    const auto& others = matches(side, row);
    const bool is_first = !others.empty() && !sides_[side].index.contains(row.on);
    for (const Row* other : others) {
        if (is_first && sides_[1 - side].outer) vanish(pair(side, nullptr, other));
        appear(pair(side, &row, other));
    }
    if (others.empty() && sides_[side].outer) appear(pair(side, &row, nullptr));
    enter(sides_[side], row);
}

void JoinedTables::disconnect(std::size_t side, Row& row) {
    leave(sides_[side], row);
    const auto& others = matches(side, row);
    const bool was_last = !others.empty() && !sides_[side].index.contains(row.on);
    for (const Row* other : others) {
        vanish(pair(side, &row, other));
        if (was_last && sides_[1 - side].outer) appear(pair(side, nullptr, other));
    }
    if (others.empty() && sides_[side].outer) vanish(pair(side, &row, nullptr));
}

// Another row of the same key that matches the same.
void JoinedTables::replace(std::size_t side, Row& old, Row& row) {
    const auto& others = matches(side, row);
    for (const Row* other : others) differences_.push_back({pair(side, &old, other), pair(side, &row, other), next_step(), true});
    if (others.empty() && sides_[side].outer) {
        differences_.push_back({pair(side, &old, nullptr), pair(side, &row, nullptr), next_step(), true});
    }
    leave(sides_[side], old);
    enter(sides_[side], row);
}

void JoinedTables::enter(Side& side, Row& row) {
    if (row.on.empty()) return;
    const auto [list, is_new] = side.index.try_emplace(row.on);
    if (is_new) bytes_ += heap_bytes(list->first);
    bytes_ -= list->second.capacity() * sizeof(Row*);
    row.place = list->second.size();
    list->second.push_back(&row);
    bytes_ += list->second.capacity() * sizeof(Row*);
}

void JoinedTables::leave(Side& side, Row& row) {
    if (row.on.empty()) return;
    const auto list = side.index.find(row.on);
    STREAM_CHECK(list != side.index.end() && list->second[row.place] == &row);
    auto& rows = list->second;
    rows.back()->place = row.place;
    rows[row.place] = rows.back();
    rows.pop_back();
    if (!rows.empty()) return;
    bytes_ -= heap_bytes(list->first) + rows.capacity() * sizeof(Row*);
    side.index.erase(list);
}

void JoinedTables::add(std::size_t side, std::unique_ptr<Row> row) {
    bytes_ += sizeof(Row) + heap_bytes(row->key) + heap_bytes(row->on) + heap_bytes(row->json);
    const std::string_view key = row->key;
    sides_[side].rows.emplace(key, std::move(row));
}

std::unique_ptr<JoinedTables::Row> JoinedTables::take(std::size_t side, std::string_view key) {
    const auto found = sides_[side].rows.find(key);
    std::unique_ptr<Row> row = std::move(found->second);
    sides_[side].rows.erase(found);
    bytes_ -= sizeof(Row) + heap_bytes(row->key) + heap_bytes(row->on) + heap_bytes(row->json);
    return row;
}

// By left key, then right key; none first.
int JoinedTables::compare(const Pair& a, const Pair& b) {
    const auto side = [](const Row* one, const Row* other) {
        if (one == other) return 0;
        if (one == nullptr || other == nullptr) return one == nullptr ? -1 : 1;
        if (one->order != other->order) return one->order < other->order ? -1 : 1;
        return Keys::compare(one->key, other->key);
    };
    const int left = side(a.left, b.left);
    return left != 0 ? left : side(a.right, b.right);
}

// Of what came and went under one identity, the first state and the last; nothing where they are the same.
void JoinedTables::settle() {
    std::sort(differences_.begin(), differences_.end(), [](const Difference& a, const Difference& b) {
        const int order = compare(a.who(), b.who());
        return order != 0 ? order < 0 : a.step < b.step;
    });
    const auto same = [](const Row* one, const Row* other) {
        if (one == other) return true;
        return one != nullptr && other != nullptr && same_row(one->json, other->json);
    };
    std::size_t kept = 0;
    for (std::size_t i = 0; i < differences_.size();) {
        Difference net = differences_[i];
        for (++i; i < differences_.size() && compare(net.who(), differences_[i].who()) == 0; ++i) {
            net.after = differences_[i].after;
            net.known = false;
        }
        if (net.before.is_nothing() && net.after.is_nothing()) continue;
        if (!net.known && !net.before.is_nothing() && !net.after.is_nothing() && same(net.before.left, net.after.left) &&
            same(net.before.right, net.after.right)) {
            continue;
        }
        differences_[kept++] = net;
    }
    differences_.resize(kept);
}

void JoinedTables::write_differences(TimeNs time, Sink& sink) {
    if (differences_.size() > 1) settle();
    if (differences_.empty()) ++unchanged_;
    for (const Difference& one : differences_) {
        if (one.after.is_nothing()) write(one, time, sink);
    }
    for (const Difference& one : differences_) {
        if (!one.before.is_nothing() && !one.after.is_nothing()) write(one, time, sink);
    }
    for (const Difference& one : differences_) {
        if (one.before.is_nothing()) write(one, time, sink);
    }
    differences_.clear();
    replaced_.clear();
}

void JoinedTables::write(const Difference& difference, TimeNs time, Sink& sink) {
    std::string& out = sink.begin();
    const auto append = [&out](const Pair& pair) {
        if (pair.is_nothing()) {
            out += "null";
            return;
        }
        out += R"({"left":)";
        append_row(out, pair.left == nullptr ? std::string_view() : pair.left->json);
        out += R"(,"right":)";
        append_row(out, pair.right == nullptr ? std::string_view() : pair.right->json);
        out += '}';
    };
    begin_change(out, !difference.before.is_nothing(), !difference.after.is_nothing(), time);
    append(difference.before);
    out += R"(,"after":)";
    append(difference.after);
    out += '}';
    sink.end(time);
    ++written_;
}

}  // namespace stream
