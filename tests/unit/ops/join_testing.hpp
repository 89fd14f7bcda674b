// SPDX-License-Identifier: Apache-2.0
// For the tests of joins: an operator by itself, its two inputs brought into the order that the pump gives them.
#pragma once

#include "json/scanner.hpp"
#include "ops/join.hpp"
#include "support/must.hpp"
#include "unit/ops/saved_chain.hpp"
#include "time/duration.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stream::testing::joins {

inline constexpr TimeNs ms = ns_per_ms;

inline JoinType type_of(const std::string& name) {
    const std::vector<std::string> names = {"inner", "left", "right", "full", "semi", "anti"};
    return static_cast<JoinType>(std::find(names.begin(), names.end(), name) - names.begin());
}

// An event of a vector: `side` L or R; `change` c (a row) or d (a delete); `key` and `value` are JSON.
struct JoinEvent {
    char side = 'L';
    std::int64_t time_ms = 0;
    std::string value;
    std::string key = "1";
    bool deletes = false;

    TimeNs time() const { return time_ms * ms; }
    std::string json() const {
        const std::string members = "\"k\":" + key + ",\"v\":" + value;
        if (deletes) return "{\"op\":\"d\",\"before\":{" + members + "},\"after\":null}";
        return "{" + members + "}";
    }
};

// "L3 A, R4 a, Rd9": times in milliseconds; a value is a word, and "k2:A" has another key than 1.
inline std::vector<JoinEvent> given(const std::string& text) {
    std::vector<JoinEvent> all;
    std::istringstream in(text);
    for (std::string one; std::getline(in, one, ',');) {
        std::istringstream words(one);
        std::string place, value;
        words >> place >> value;
        JoinEvent event;
        event.side = place.at(0);
        event.deletes = place.at(1) == 'd';
        event.time_ms = std::stoll(place.substr(event.deletes ? 2 : 1));
        if (const auto colon = value.find(':'); colon != std::string::npos) {
            event.key = value.substr(0, colon) == "null" ? "null" : "\"" + value.substr(0, colon) + "\"";
            value.erase(0, colon + 1);
        }
        event.value = "\"" + value + "\"";
        all.push_back(event);
    }
    return all;
}

class Joined final : public Sink {
public:
    enum class Kind : std::uint8_t { interval, as_of, versions };

    struct Options {
        Kind kind = Kind::interval;
        JoinType type = JoinType::inner;
        std::int64_t before_ms = 0;
        std::int64_t after_ms = 0;
        bool eager = false;
        bool flat = false;
        std::size_t memory = 256u << 20;
        bool keyed = true;
    };

    explicit Joined(const Options& options, bool restarts = false) : options_(options), restarts_(restarts) { make(); }

    // In the order the pump has: by time, a table's change before an event, then as they are given. `versions`: the
    // table whole, then LEFT as it is.
    std::vector<std::string> run(std::vector<JoinEvent> events) {
        const bool table_first = options_.kind != Kind::interval;
        const bool whole = options_.kind == Kind::versions;
        std::stable_sort(events.begin(), events.end(), [&](const JoinEvent& a, const JoinEvent& b) {
            const int left = (a.side == 'L') == table_first ? 1 : 0;
            const int right = (b.side == 'L') == table_first ? 1 : 0;
            if (whole) return left < right;
            return a.time_ms != b.time_ms ? a.time_ms < b.time_ms : left < right;
        });
        for (const JoinEvent& event : events) give(event);
        return finish();
    }
    void give(const JoinEvent& event) {
        const int input = event.side == 'L' ? 0 : 1;
        line_ = event.json() + "\n";
        const std::size_t size = line_.size();
        line_.append(scanner_padding, ' ');
        Scanner& scanner = input == 0 ? *left_scanner_ : *right_scanner_;
        scanner.start(line_.data(), size);
        if (scanner.next() != Scanner::Outcome::event) throw std::runtime_error("not an event: " + event.json());
        must(op_->on_event(input, {scanner.line(), event.time(), position_++, scanner.values()}, *this));
        if (restarts_) restart();
    }
    void wm(std::int64_t time_ms) {
        must(op_->on_watermark(time_ms * ms, *this));
        if (restarts_) restart();
    }
    std::vector<std::string> finish() {
        must(op_->on_watermark(time_after_all, *this));
        must(op_->on_end(*this));
        return take();
    }
    void restart() {
        StateWriter writer;
        op_->snapshot(writer);
        const std::string bytes = writer.take();
        const std::string left = left_->save();
        const std::string right = right_->save();
        chain_.save(*op_);
        make();
        if (!left_->load(left) || !right_->load(right)) throw std::runtime_error("fields");
        chain_.load(*op_, [this](int input, std::string_view text, Event& event) { return scan_again(input == 0 ? *left_scanner_ : *right_scanner_, line_, text, event); });
        // Saved at once again, it is the same.
        StateWriter again;
        op_->snapshot(again);
        EXPECT_EQ(again.take(), bytes);
    }
    // What was written since the last call: `A-b@5`, an event of LEFT with its row or partner, null where there is none.
    std::vector<std::string> take() { return std::exchange(lines_, {}); }
    std::vector<std::string> raw;  // all lines as they are

    std::uint64_t stat(const std::string& name) const {
        std::string stats;
        op_->append_stats(stats);
        const auto found = stats.find("\"" + name + "\":");
        return found == std::string::npos ? UINT64_MAX : std::stoull(stats.substr(found + name.size() + 3));
    }

    // Sink.
    void pass(const Event& event) override {
        buffer_ = event.raw;
        end(event.time);
    }
    std::string& begin() override { return buffer_; }
    void end(TimeNs time) override {
        EXPECT_GE(time, options_.eager || options_.kind == Kind::versions ? time_before_all : last_) << buffer_;
        last_ = time;
        raw.push_back(buffer_);
        lines_.push_back(in_short(std::exchange(buffer_, {})) + "@" + std::to_string(time / ms));
    }
    void late(const Event&, DurationNs) override { ADD_FAILURE() << "late: the pump's matter"; }

private:
    void make() {
        left_ = std::make_unique<FieldSet>();
        right_ = std::make_unique<FieldSet>();
        const auto keys = must(parse_join_keys(options_.keyed ? std::vector<std::string>{"k"} : std::vector<std::string>{}));
        if (options_.kind == Kind::interval) {
            IntervalJoinOptions o;
            o.type = options_.type;
            o.keys = keys;
            o.before = options_.before_ms * ms;
            o.after = options_.after_ms * ms;
            o.eager = options_.eager;
            o.flat = options_.flat;
            o.memory = options_.memory;
            o.spill.folder = "/tmp";
            made_ = must(make_interval_join(std::move(o), *left_, *right_));
        } else {
            TableJoinOptions o;
            o.type = options_.type;
            o.keys = keys;
            o.versions = options_.kind == Kind::versions;
            o.memory = options_.memory;
            made_ = must(make_table_join(std::move(o), *left_, *right_));
        }
        op_ = std::make_unique<Journal>(*made_);
        left_scanner_ = std::make_unique<Scanner>(*left_);
        right_scanner_ = std::make_unique<Scanner>(*right_);
    }
    // The values of `"v"`, LEFT's first; null for a side that is not there.
    static std::string in_short(const std::string& line) {
        std::string text;
        std::size_t at = 0;
        while (at < line.size()) {
            const std::size_t value = line.find("\"v\":\"", at);
            const std::size_t none = std::min(line.find("\"left\":null", at), line.find("\"right\":null", at));
            if (value == std::string::npos && none == std::string::npos) break;
            if (!text.empty()) text += '-';
            if (value < none) {
                const std::size_t end = line.find('"', value + 5);
                text += line.substr(value + 5, end - value - 5);
                at = end;
            } else {
                text += "null";
                at = none + 10;
            }
        }
        return text;
    }

    Options options_;
    bool restarts_;
    std::unique_ptr<FieldSet> left_;
    std::unique_ptr<FieldSet> right_;
    std::unique_ptr<Operator> made_;
    std::unique_ptr<Journal> op_;
    SavedChain chain_;
    std::unique_ptr<Scanner> left_scanner_;
    std::unique_ptr<Scanner> right_scanner_;
    std::string line_;
    std::string buffer_;
    std::vector<std::string> lines_;
    TimeNs last_ = time_before_all;
    std::uint64_t position_ = 0;
};

// The same from one run and with a restart after every event.
inline std::vector<std::string> joined(const Joined::Options& options, const std::string& events) {
    auto whole = Joined(options).run(given(events));
    EXPECT_EQ(Joined(options, true).run(given(events)), whole);
    return whole;
}

}  // namespace stream::testing::joins
