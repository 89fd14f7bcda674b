// SPDX-License-Identifier: Apache-2.0
#include "ops/join/interval.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "json/canonical.hpp"
#include "json/cursor.hpp"
#include "json/splice.hpp"
#include "time/duration.hpp"

namespace stream {

namespace {

constexpr std::uint64_t no_event = UINT64_MAX;  // behind every other

// How a waiting result is kept: its place among those of its time, by the numbers of its events (JoinSide), then the
// line. Numbers go by time and then position, so the order in which the lines of an input came does not matter.
struct Rank {
    std::uint64_t left = 0;
    std::uint64_t right = 0;
    friend bool operator<(const Rank& a, const Rank& b) { return a.left != b.left ? a.left < b.left : a.right < b.right; }
};

// An event's bytes, which will be written soon.
void prefetch(const char* bytes) {
    constexpr std::size_t line = 64, lines = 4;
    for (std::size_t i = 0; i < lines; ++i) __builtin_prefetch(bytes + i * line);
}

}  // namespace

IntervalJoin::IntervalJoin(IntervalJoinOptions options, FieldSet& left, FieldSet& right)
    : options_(std::move(options)),
      left_keys_(options_.keys.left, left),
      right_keys_(options_.keys.right, right),
      secret_(random_secret()),
      waiting_(options_.spill) {}

Result<void> IntervalJoin::on_event(int input, const Event& event, Sink& sink) {
    STREAM_TRY(match_pending(sink));
    STREAM_TRY(move_to(event.time, sink));
    const Keys& keys = input == 0 ? left_keys_ : right_keys_;
    JoinSide& side = input == 0 ? left_ : right_;
    const bool has_key = keys.empty() || !keys.has_null(event.values);
    const bool is_wanted = has_key || (input == 0 ? wants_left_alone() : wants_right_alone());
    if (!is_wanted) return {};
    const Hash128 hash = has_key && !keys.empty() ? hash_key(keys.bytes(event.values, scratch_), secret_) : Hash128{};
    if (!has_key) {
        side.add(hash, has_key, event.time, event.raw, 0);
        return check_memory();
    }
    keys_.prefetch(hash);
    pending_ = {input, side.add(hash, has_key, event.time, event.raw, 0)};
    if (options_.eager) STREAM_TRY(match_pending(sink));
    return check_memory();
}

Result<void> IntervalJoin::match_pending(Sink& sink) {
    if (pending_.number == 0) return {};
    const auto [input, number] = std::exchange(pending_, {});
    HeldEvent& event = input == 0 ? left_.at(number) : right_.at(number);
    NewestOfKeys::Newest& newest = newest_of(event.key);
    event.older = std::exchange(newest.of[input], number);
    return match(input, number, newest.of[1 - input], sink);
}

std::size_t IntervalJoin::memory_used() const {
    return left_.memory_used() + right_.memory_used() + found_.capacity() * sizeof(Found) + keys_.memory_used();
}

Result<void> IntervalJoin::check_memory() const {
    if (memory_used() <= options_.memory) return {};
    return fail(ErrorKind::limit, fmt::format("what may still match takes more than --memory ({} events of LEFT, {} of RIGHT are held)", left_.size(), right_.size()),
                "a shorter --within, more in --on, or --memory SIZE");
}

// With everything of the other side that has the key, from the newest on: that it lies within the bounds on one side
// is so because it is still held, on the other because it came before.
Result<void> IntervalJoin::match(int input, std::uint64_t number, std::uint64_t newest_other, Sink& sink) {
    HeldEvent& mine = input == 0 ? left_.at(number) : right_.at(number);
    JoinSide& others = input == 0 ? right_ : left_;
    for (std::uint64_t other = newest_other; others.holds(other);) {
        HeldEvent& theirs = others.at(other);
        HeldEvent& left = input == 0 ? mine : theirs;
        HeldEvent& right = input == 0 ? theirs : mine;
        // The chain goes back in time: past the bound nothing more matches, before it something may yet.
        const bool too_early = right.time < time_sub(left.time, options_.before);
        const bool too_late = right.time > time_add(left.time, options_.after);
        if (input == 0 ? too_early : too_late) break;
        const std::uint64_t here = other;
        other = theirs.older;
        if (too_early || too_late) continue;
        ++matches_;
        const bool first_of_left = !left.matched;
        left.matched = right.matched = true;
        if (writes_pairs() || (options_.type == JoinType::semi && first_of_left)) {
            found_.push_back(input == 0 ? Found{number, here} : Found{here, number});
            prefetch(theirs.data);
            if (found_.size() % 4096 == 0) STREAM_TRY(check_memory());
        }
    }
    if (options_.eager) return write_found(sink);
    return {};
}

Result<void> IntervalJoin::write_found(Sink& sink) {
    if (found_.empty()) return {};
    std::sort(found_.begin(), found_.end(), [](const Found& a, const Found& b) {
        return a.left != b.left ? a.left < b.left : a.right < b.right;
    });
    for (const Found& pair : found_) {
        const HeldEvent& left = left_.at(pair.left);
        if (options_.type == JoinType::semi) {
            STREAM_TRY(put_left(pair.left, left, sink));
            continue;
        }
        const HeldEvent& right = right_.at(pair.right);
        STREAM_TRY(put(std::max(left.time, right.time), pair.left, pair.right, &left, &right, sink));
    }
    found_.clear();
    return {};
}

Result<void> IntervalJoin::move_to(TimeNs time, Sink& sink) {
    if (time <= now_) return {};
    STREAM_TRY(match_pending(sink));
    STREAM_TRY(write_found(sink));
    now_ = time;
    STREAM_TRY(expire(time, sink));
    if (options_.type == JoinType::inner) return {};
    decided_ = oldest_undecided();
    return waits() ? release(std::min(now_, decided_), sink) : Result<void>{};
}

// Nothing older than `time` comes any more: what could only match older events is done.
Result<void> IntervalJoin::expire(TimeNs time, Sink& sink) {
    const bool all = time == time_after_all;
    while (!left_.empty() && (all || time_add(left_.front().time, options_.after) < time)) {
        const HeldEvent& event = left_.front();
        if (!event.matched && wants_left_alone()) {
            if (options_.type == JoinType::anti) STREAM_TRY(put_left(left_.first_number(), event, sink));
            else STREAM_TRY(put(event.time, left_.first_number(), no_event, &event, nullptr, sink));
        }
        left_.drop_front();
    }
    while (!right_.empty() && (all || time_add(right_.front().time, options_.before) < time)) {
        const HeldEvent& event = right_.front();
        if (!event.matched && wants_right_alone()) STREAM_TRY(put(event.time, no_event, right_.first_number(), nullptr, &event, sink));
        right_.drop_front();
    }
    return {};
}

NewestOfKeys::Newest& IntervalJoin::newest_of(const Hash128& key) {
    return keys_(key, [this](const NewestOfKeys::Newest& newest) { return left_.holds(newest.of[0]) || right_.holds(newest.of[1]); });
}

// The chains of a side, of what was restored.
void IntervalJoin::link(JoinSide& side, int input) {
    for (std::uint64_t number = side.first_number(); number < side.end_number(); ++number) {
        HeldEvent& event = side.at(number);
        if (!event.has_key || (pending_.input == input && pending_.number == number)) continue;
        std::uint64_t& newest = newest_of(event.key).of[input];
        event.older = newest;
        newest = number;
    }
}

// The time of the oldest event of which it is not known yet whether it is written alone (or, for semi, at all).
TimeNs IntervalJoin::oldest_undecided() {
    const auto oldest = [](JoinSide& side, std::uint64_t& from) {
        from = std::max(from, side.first_number());
        while (from < side.end_number() && side.at(from).matched) ++from;
        return from < side.end_number() ? side.at(from).time : time_after_all;
    };
    TimeNs time = time_after_all;
    if (wants_left_alone() || options_.type == JoinType::semi) time = std::min(time, oldest(left_, left_decided_));
    if (wants_right_alone()) time = std::min(time, oldest(right_, right_decided_));
    return time;
}

void IntervalJoin::append_pair(std::string& out, TimeNs time, const HeldEvent* left, const HeldEvent* right) {
    out += "{\"ts\":\"";
    append_rfc3339(out, time);
    out += "\",\"left\":";
    out += left != nullptr ? left->bytes() : std::string_view("null");
    out += ",\"right\":";
    out += right != nullptr ? right->bytes() : std::string_view("null");
    out += '}';
}

// LEFT's bytes with the pair's time as ts, then RIGHT's members under prefixed names.
void IntervalJoin::append_flat(std::string& out, TimeNs time, const HeldEvent* left, const HeldEvent* right) {
    std::string ts = "\"";
    append_rfc3339(ts, time);
    ts += '"';
    scratch_.clear();
    append_with_member(scratch_, left != nullptr ? left->bytes() : std::string_view("{}"), "ts", ts);
    if (right == nullptr) {
        out += scratch_;
        return;
    }
    // A name that LEFT has too is written once: RIGHT's value in its place.
    const bool may_clash = left != nullptr && left->bytes().find(options_.as + "_") != std::string_view::npos;
    if (!may_clash) out.append(scratch_, 0, scratch_.rfind('}'));
    std::string name;
    std::string merged;
    for (Cursor member(value_of(right->bytes())); member.next();) {
        name = options_.as + "_";
        append_unescaped(name, member.name());
        if (may_clash) {
            merged.clear();
            append_with_member(merged, scratch_, name, member.value().text);
            scratch_.swap(merged);
            continue;
        }
        out += ',';
        append_quoted(out, name);
        out += ':';
        out += member.value().text;
    }
    if (may_clash) out += scratch_;
    else out += '}';
}

Result<void> IntervalJoin::put(TimeNs time, std::uint64_t left_number, std::uint64_t right_number, const HeldEvent* left,
                               const HeldEvent* right, Sink& sink) {
    if (!waits()) {
        std::string& out = sink.begin();
        if (options_.flat) append_flat(out, time, left, right);
        else append_pair(out, time, left, right);
        sink.end(time);
        ++written_;
        return {};
    }
    const Rank rank{left_number, right_number};
    line_.assign(reinterpret_cast<const char*>(&rank), sizeof rank);
    if (options_.flat) append_flat(line_, time, left, right);
    else append_pair(line_, time, left, right);
    return waiting_.push({time, 0, put_++, line_});
}

Result<void> IntervalJoin::put_left(std::uint64_t number, const HeldEvent& left, Sink& sink) {
    if (!waits()) {
        sink.begin() += left.bytes();
        sink.end(left.time);
        ++written_;
        return {};
    }
    const Rank rank{number, no_event};
    line_.assign(reinterpret_cast<const char*>(&rank), sizeof rank);
    line_ += left.bytes();
    return waiting_.push({left.time, 0, put_++, line_});
}

// Writes what waits and is older than `before`, the results of one time by their ranks.
Result<void> IntervalJoin::release(TimeNs before, Sink& sink) {
    std::vector<std::pair<Rank, std::string>> same;
    std::size_t bytes = 0;
    while (!waiting_.empty() && (waiting_.min_time() < before || before == time_after_all)) {
        const TimeNs time = waiting_.min_time();
        same.clear();
        bytes = 0;
        while (!waiting_.empty() && waiting_.min_time() == time) {
            auto result = waiting_.pop();
            if (!result) return pass_on(result);
            Rank rank;
            std::memcpy(&rank, result->bytes.data(), sizeof rank);
            same.emplace_back(rank, result->bytes.substr(sizeof rank));
            bytes += result->bytes.size() + sizeof same.back();
            if (bytes > options_.memory) {
                return fail(ErrorKind::limit, fmt::format("the results of one time take more than --memory ({} of them)", same.size()),
                            "more in --on, --eager, or --memory SIZE");
            }
        }
        std::sort(same.begin(), same.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
        for (const auto& [rank, line] : same) {
            sink.begin() += line;
            sink.end(time);
            ++written_;
        }
    }
    return {};
}

Result<void> IntervalJoin::on_watermark(TimeNs watermark, Sink& sink) { return move_to(watermark, sink); }

Result<void> IntervalJoin::on_end(Sink& sink) {
    static_cast<void>(sink);
    return {};
}

void IntervalJoin::snapshot(StateWriter& writer) const {
    writer.put_raw(secret_.data(), secret_.size());
    left_.snapshot(writer);
    right_.snapshot(writer);
    writer.put_u8(static_cast<std::uint8_t>(pending_.input));
    writer.put_u64(pending_.number);
    writer.put_u64(found_.size());
    for (const Found& pair : found_) {
        writer.put_u64(pair.left - left_.first_number());
        writer.put_u64(pair.right - right_.first_number());
    }
    writer.put_i64(now_);
    writer.put_u64(put_);
    writer.put_u64(written_);
    writer.put_u64(matches_);
    writer.put_i64(decided_);
    waiting_.snapshot(writer);
}

Result<void> IntervalJoin::restore(StateReader& reader) {
    reader.get_raw(secret_.data(), secret_.size());
    STREAM_TRY(left_.restore(reader));
    STREAM_TRY(right_.restore(reader));
    pending_.input = reader.get_u8();
    pending_.number = reader.get_u64();
    const JoinSide& side = pending_.input == 0 ? left_ : right_;
    if (reader.ok() && pending_.number != 0 && (pending_.input > 1 || !side.holds(pending_.number) || pending_.number >= side.end_number())) {
        return fail(ErrorKind::corrupt, "the saved state of a join names an event that is not there");
    }
    link(left_, 0);
    link(right_, 1);
    const std::uint64_t count = reader.get_u64();
    for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
        const std::uint64_t left = reader.get_u64();
        const std::uint64_t right = reader.get_u64();
        if (left >= left_.size() || right >= right_.size()) return fail(ErrorKind::corrupt, "the saved state of a join names an event that is not there");
        found_.push_back({left_.first_number() + left, right_.first_number() + right});
    }
    now_ = reader.get_i64();
    put_ = reader.get_u64();
    written_ = reader.get_u64();
    matches_ = reader.get_u64();
    decided_ = reader.get_i64();
    STREAM_TRY(waiting_.restore(reader));
    return reader.check("a join");
}

void IntervalJoin::append_stats(std::string& out) const {
    out += fmt::format(",\"held_left\":{},\"held_right\":{},\"held_bytes\":{},\"waiting_results\":{},\"matches\":{}", left_.size(), right_.size(),
                       memory_used(), waiting_.size(), matches_);
}

}  // namespace stream
