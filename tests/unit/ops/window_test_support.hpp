// SPDX-License-Identifier: Apache-2.0
// A window operator with its events, watermarks and restarts injected, and what it wrote.
#pragma once

#include "json/scanner.hpp"
#include "ops/window.hpp"
#include "support/must.hpp"
#include "unit/ops/saved_chain.hpp"
#include "time/duration.hpp"
#include "time/time_parser.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace stream::testing {

inline constexpr TimeNs ms = ns_per_ms;

// "hopping 3000 1000 --by k --allowed-lateness 10s count sum:v": as on the command line; a bare number
// is in milliseconds.
inline WindowOptions window_options(const std::string& line) {
    std::vector<std::string> words;
    std::istringstream in(line);
    for (std::string word; in >> word;) words.push_back(word);
    const auto duration = [](std::string text) -> DurationNs {
        if (text.find_first_not_of("-0123456789") == std::string::npos) return std::stoll(text) * ms;
        return must(parse_duration(text));
    };
    const std::map<std::string, WindowKind> kinds = {
        {"tumbling", WindowKind::tumbling}, {"hopping", WindowKind::hopping},
        {"session", WindowKind::session},   {"sliding", WindowKind::sliding},
        {"rows", WindowKind::rows},         {"all", WindowKind::all}};
    WindowOptions o;
    o.kind = kinds.at(words.at(0));
    std::size_t at = 1;
    for (const std::string& word : words) {
        if (word == "--tz") o.zone = must(Zone::find(*(&word + 1)));
    }
    const auto calendar = [](const std::string& text, CalendarUnit& unit, std::int64_t& count) {
        count = std::stoll(text);
        unit = text.ends_with("mo")  ? CalendarUnit::month
               : text.ends_with("w") ? CalendarUnit::week
                                     : CalendarUnit::day;
    };
    if (o.kind == WindowKind::rows) {
        o.rows = std::stoull(words.at(at++));
    } else if (o.kind != WindowKind::all) {
        if (o.zone != nullptr)
            calendar(words.at(at++), o.unit, o.unit_count);
        else
            o.size_ns = duration(words.at(at++));
        if (o.kind == WindowKind::hopping) {
            if (o.zone != nullptr)
                calendar(words.at(at++), o.advance_unit, o.advance_count);
            else
                o.advance_ns = duration(words.at(at++));
        }
    }
    std::vector<std::string> by;
    for (; at < words.size(); ++at) {
        const std::string& word = words[at];
        if (word == "--by")
            by.push_back(words.at(++at));
        else if (word == "--allowed-lateness")
            o.allowed_lateness_ns = duration(words.at(++at));
        else if (word == "--every")
            o.every_ns = duration(words.at(++at));
        else if (word == "--offset")
            o.offset_ns = duration(words.at(++at));
        else if (word == "--max")
            o.session_max_ns = duration(words.at(++at));
        else if (word == "--changes")
            o.changes = true;
        else if (word == "--compare")
            o.compare = true;
        else if (word == "--tz")
            ++at;
        else if (word == "--memory")
            o.memory_bytes = std::stoull(words.at(++at));
        else if (word == "--fill") {
            o.fill = true;
            if (words.at(++at) != "all") o.fill_ns = duration(words[at]);
        } else if (word == "--top") {
            const std::string& top = words.at(++at);
            o.top = std::stoull(top);
            if (const auto colon = top.find(':'); colon != std::string::npos)
                o.top_by = top.substr(colon + 1);
        } else {
            o.aggregates.push_back(must(parse_aggregate(word)));
        }
    }
    o.by = must(parse_keys(by));
    return o;
}

// What was wrong with the options; empty if nothing was.
inline std::string refusal(const std::string& line) {
    FieldSet fields;
    auto made = make_window(window_options(line), fields);
    if (made) return {};
    EXPECT_EQ(made.error().kind(), ErrorKind::usage) << line;
    return made.error().message() + " | " + made.error().hint();
}

class WindowDriver final : public Sink {
public:
    struct Late {
        std::string raw;
        DurationNs lateness = 0;
    };

    explicit WindowDriver(const std::string& line) : line_(line) { make(); }

    // An event at a time; what the operator refuses is kept in `refused`.
    WindowDriver& event(TimeNs time, const std::string& json) {
        Waiting waiting{time, position_++, json};
        if (!ordered_) {
            give(waiting);
        } else if (time < watermark_) {
            late(Event{json, time, waiting.position, nullptr}, time_sub(watermark_, time));
        } else {
            const auto place =
                std::upper_bound(waiting_.begin(), waiting_.end(), waiting,
                                 [](const Waiting& a, const Waiting& b) { return a.time < b.time; });
            waiting_.insert(place, std::move(waiting));
        }
        return *this;
    }
    // Milliseconds; `members` without braces.
    WindowDriver& at(std::int64_t time_ms, const std::string& members = {}) {
        return event(base + time_ms * ms, "{" + members + "}");
    }
    WindowDriver& watermark(TimeNs watermark) {
        if (watermark <= watermark_) return *this;
        watermark_ = watermark;
        release();
        must(op_->on_watermark(watermark, *this));
        return *this;
    }
    WindowDriver& wm(std::int64_t time_ms) { return watermark(base + time_ms * ms); }
    WindowDriver& end() {
        watermark(time_after_all);
        must(op_->on_end(*this));
        return *this;
    }
    // Stops, and goes on from the saved state.
    WindowDriver& restart() {
        chain_.save(*op_);
        const std::string fields = fields_->save();
        make();
        if (!fields_->load(fields)) throw std::runtime_error("fields");
        chain_.load(*op_, [this](int, std::string_view bytes, Event& event) { return scan_again(*scanner_, text_, bytes, event); });
        return *this;
    }

    // Lines written since the last call, as they are.
    std::vector<std::string> take() { return std::exchange(lines_, {}); }
    // The same, in short: `[0,2000) "k":"a","count":2`, in milliseconds after the base; changes as
    // `c ROW`, `u ROW => ROW`, `d ROW`.
    std::vector<std::string> brief() {
        std::vector<std::string> all;
        for (const std::string& line : take()) all.push_back(in_short(line));
        return all;
    }
    // The times that the lines were given.
    const std::vector<TimeNs>& times() const { return times_; }
    std::uint64_t stat(const std::string& name) const {
        std::string stats;
        op_->append_stats(stats);
        const auto found = stats.find("\"" + name + "\":");
        return found == std::string::npos ? UINT64_MAX : std::stoull(stats.substr(found + name.size() + 3));
    }
    std::string closing_remark() const { return op_->closing_remark(); }
    TimeNs reached() const { return watermark_; }

    std::vector<Late> lates;
    std::vector<std::string> refused;
    TimeNs base = 0;

    // Sink.
    void pass(const Event& event) override { lines_.emplace_back(event.raw); }
    std::string& begin() override { return line_buffer_; }
    void end(TimeNs time) override {
        lines_.push_back(std::exchange(line_buffer_, {}));
        times_.push_back(time);
    }
    void late(const Event& event, DurationNs lateness) override {
        lates.push_back({std::string(event.raw), lateness});
    }

private:
    struct Waiting {
        TimeNs time;
        std::uint64_t position;
        std::string json;
    };

    void make() {
        fields_ = std::make_unique<FieldSet>();
        WindowOptions options = window_options(line_);
        ordered_ = options.wants_order();
        made_ = must(make_window(std::move(options), *fields_));
        op_ = std::make_unique<Journal>(*made_);
        scanner_ = std::make_unique<Scanner>(*fields_);
    }
    void release() {
        while (!waiting_.empty() && waiting_.front().time < watermark_) {
            give(waiting_.front());
            waiting_.erase(waiting_.begin());
        }
    }
    void give(const Waiting& waiting) {
        text_ = waiting.json + "\n";
        const std::size_t size = text_.size();
        text_.append(scanner_padding, ' ');
        scanner_->start(text_.data(), size);
        if (scanner_->next() != Scanner::Outcome::event)
            throw std::runtime_error("not an event: " + waiting.json);
        const Event event{scanner_->line(), waiting.time, waiting.position, scanner_->values()};
        auto taken = op_->on_event(0, event, *this);
        if (taken) return;
        if (taken.error().kind() != ErrorKind::data) throw std::runtime_error(taken.error().message());
        refused.push_back(taken.error().message());
    }
    std::string time_in_short(const std::string& text) const {
        auto parser = must(TimeParser::make({}));
        const TimeNs time = must(parser.parse_text(text)) - base;
        if (time % ms == 0) return std::to_string(time / ms);
        return std::to_string(time) + "ns";
    }
    std::string row(const std::string& text) const {
        const std::string start = R"({"window_start":")";
        const std::string end = R"(","window_end":")";
        if (!text.starts_with(start)) return text;
        const auto middle = text.find(end);
        const auto close = text.find('"', middle + end.size());
        std::string rest = text.substr(close + 1);
        if (!rest.empty() && rest.front() == ',') rest.front() = ' ';
        rest.pop_back();
        return "[" + time_in_short(text.substr(start.size(), middle - start.size())) + "," +
               time_in_short(text.substr(middle + end.size(), close - middle - end.size())) + ")" + rest;
    }
    std::string in_short(const std::string& line) const {
        if (!line.starts_with(R"({"op":")")) return row(line);
        const std::string op(1, line[7]);
        const std::string before = R"("before":)";
        const std::string after = R"(,"after":)";
        const auto first = line.find(before) + before.size();
        const auto second = line.rfind(after);
        const std::string old = line.substr(first, second - first);
        std::string now = line.substr(second + after.size());
        now.pop_back();
        if (op == "c") return "c " + row(now);
        if (op == "d") return "d " + row(old);
        return "u " + row(old) + " => " + row(now);
    }

    std::string line_;
    std::unique_ptr<FieldSet> fields_;
    std::unique_ptr<Operator> made_;
    std::unique_ptr<Journal> op_;
    SavedChain chain_;
    std::unique_ptr<Scanner> scanner_;
    std::string text_;
    bool ordered_ = false;
    std::vector<Waiting> waiting_;
    TimeNs watermark_ = time_before_all;
    std::uint64_t position_ = 0;
    std::vector<std::string> lines_;
    std::vector<TimeNs> times_;
    std::string line_buffer_;
};

using Lines = std::vector<std::string>;

}  // namespace stream::testing
