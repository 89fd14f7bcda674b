// SPDX-License-Identifier: Apache-2.0
// For the tests of tables: an operator by itself, and tables as maps that are folded in the most obvious way.
#pragma once

#include "json/canonical.hpp"
#include "json/cursor.hpp"
#include "ops/changes.hpp"
#include "ops/table.hpp"
#include "support/must.hpp"
#include "unit/ops/saved_chain.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <fmt/format.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stream::testing {

inline std::vector<KeySpec> by(const std::string& text) { return must(parse_keys({text})); }

class Table final : public Sink {
public:
    using Make = std::function<std::unique_ptr<Operator>()>;
    explicit Table(Make make) : make_(std::move(make)), made_(make_()), op_(std::make_unique<Journal>(*made_)) {}

    // The error's text; empty if there was none.
    std::string give(int input, const std::string& raw, TimeNs time = 0) {
        const Event event{raw, time, position_++, nullptr};
        auto taken = op_->on_event(input, event, *this);
        return taken ? std::string() : taken.error().message();
    }
    void watermark(TimeNs time) { must(op_->on_watermark(time, *this)); }
    std::vector<std::string> finish() {
        must(op_->on_watermark(time_after_all, *this));
        must(op_->on_end(*this));
        return take();
    }
    std::vector<std::string> take() { return std::exchange(lines_, {}); }
    void restart() {
        StateWriter writer;
        op_->snapshot(writer);
        const std::string bytes = writer.take();
        chain_.save(*op_);
        made_ = make_();
        op_ = std::make_unique<Journal>(*made_);
        chain_.load(*op_, [](int, std::string_view raw, Event& event) {
            event.raw = raw;
            return true;
        });
        StateWriter again;
        op_->snapshot(again);
        EXPECT_EQ(again.bytes(), bytes);
    }
    Operator& op() { return *made_; }

    void pass(const Event& event) override { lines_.emplace_back(event.raw); }
    std::string& begin() override { return line_; }
    void end(TimeNs) override { lines_.push_back(std::exchange(line_, {})); }
    void late(const Event&, DurationNs) override { throw std::logic_error("late"); }

private:
    Make make_;
    std::unique_ptr<Operator> made_;
    std::unique_ptr<Journal> op_;
    SavedChain chain_;
    std::vector<std::string> lines_;
    std::string line_;
    std::uint64_t position_ = 0;
};

inline std::string canonical(std::string_view json) {
    std::string text;
    append_canonical(text, value_of(json));
    return text;
}

inline Value at(const Value& object, std::string_view path) {
    Value found;
    const std::size_t dot = path.find('.');
    for (Cursor cursor(object); cursor.next();) {
        if (cursor.name().inner() == path.substr(0, dot)) found = cursor.value();
    }
    return dot == std::string_view::npos ? found : at(found, path.substr(dot + 1));
}

// The canonical texts of some members, missing ones as null.
inline std::string members(const Value& row, const std::vector<std::string>& paths) {
    std::string text;
    for (const std::string& path : paths) {
        append_canonical(text, at(row, path));
        text += '|';
    }
    return text;
}

// A table as a map from key to canonical row.
using Rows = std::map<std::string, std::string>;

// Folds one change, an envelope's or a row. False: it made no sense (a delete of what is not there, an insert of what is).
inline bool fold_into(Rows& rows, const std::string& line, const std::vector<std::string>& key, bool strict = false) {
    const Value event = value_of(line);
    const Value op = at(event, "op");
    if (op.type == Type::missing) {
        rows[members(event, key)] = canonical(line);
        return true;
    }
    const Value before = at(event, "before");
    const Value after = at(event, "after");
    bool sense = true;
    if (before.type == Type::object) {
        const auto found = rows.find(members(before, key));
        if (strict) sense = found != rows.end() && found->second == canonical(before.text) && op.inner() != "c";
        if (found != rows.end()) rows.erase(found);
    }
    if (after.type == Type::object) {
        const auto [place, is_new] = rows.insert_or_assign(members(after, key), canonical(after.text));
        if (strict) sense = sense && is_new && op.inner() != "d";
    }
    if (strict && before.type == Type::object && after.type == Type::object) {
        sense = sense && canonical(before.text) != canonical(after.text) && members(before, key) == members(after, key);
    }
    return sense;
}

}  // namespace stream::testing
