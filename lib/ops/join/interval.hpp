// SPDX-License-Identifier: Apache-2.0
// The interval join: events with events (join.hpp).
//
// Events come in order of time, so each pair is found when its later event comes: the other side then holds
// just what may still match. Results are written in order of their time (that of the later event; of an
// event without a match its own), then left event, then right event, both by time and position. Those of a
// type that also writes events without a match wait until nothing older can come.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "ops/join.hpp"
#include "ops/join/newest.hpp"
#include "ops/join/side.hpp"
#include "state/key_hash.hpp"

namespace stream {

class IntervalJoin final : public Operator {
public:
    IntervalJoin(IntervalJoinOptions options, FieldSet& left, FieldSet& right);

    Result<void> on_event(int input, const Event& event, Sink& sink) override;
    Result<void> on_watermark(TimeNs watermark, Sink& sink) override;
    Result<void> on_end(Sink& sink) override;
    void snapshot(StateWriter& writer) const override;
    Result<void> restore(StateReader& reader) override;
    Result<void> keep_files(KeptFiles& files) override { return waiting_.keep_files(files); }
    void append_stats(std::string& out) const override;
    TimeNs output_watermark(TimeNs watermark) const override { return std::min(watermark, decided_); }
    void on_input_end(int input) override { left_ended_ = left_ended_ || input == 0; }
    // Without LEFT nothing more is written.
    bool is_done() const override { return options_.ends_with_left && left_ended_ && !wants_right_alone() && left_.empty() && found_.empty() && waiting_.empty(); }

private:
    // A pair found at the time that is now (semi: by which LEFT first had a match).
    struct Found {
        std::uint64_t left = 0;  // numbers in the sides
        std::uint64_t right = 0;
    };

    bool writes_pairs() const { return options_.type != JoinType::semi && options_.type != JoinType::anti; }
    bool wants_left_alone() const { return options_.type == JoinType::left || options_.type == JoinType::full || options_.type == JoinType::anti; }
    bool wants_right_alone() const { return options_.type == JoinType::right || options_.type == JoinType::full; }
    bool waits() const { return !options_.eager && options_.type != JoinType::inner; }

    Result<void> move_to(TimeNs time, Sink& sink);
    Result<void> expire(TimeNs time, Sink& sink);
    Result<void> write_found(Sink& sink);
    Result<void> match_pending(Sink& sink);
    Result<void> match(int input, std::uint64_t number, std::uint64_t newest_other, Sink& sink);
    NewestOfKeys::Newest& newest_of(const Hash128& key);
    void link(JoinSide& side, int input);
    void append_pair(std::string& out, TimeNs time, const HeldEvent* left, const HeldEvent* right);
    void append_flat(std::string& out, TimeNs time, const HeldEvent* left, const HeldEvent* right);
    Result<void> put(TimeNs time, std::uint64_t left_number, std::uint64_t right_number, const HeldEvent* left, const HeldEvent* right, Sink& sink);
    Result<void> put_left(std::uint64_t number, const HeldEvent& left, Sink& sink);
    Result<void> release(TimeNs before, Sink& sink);
    TimeNs oldest_undecided();
    std::size_t memory_used() const;
    Result<void> check_memory() const;

    IntervalJoinOptions options_;
    Keys left_keys_;
    Keys right_keys_;
    HashSecret secret_;
    JoinSide left_;
    JoinSide right_;
    NewestOfKeys keys_;
    // The newest event, where it has a key: matched when the next call comes, by when its key's place is in the cache.
    struct Pending {
        int input = 0;
        std::uint64_t number = 0;  // 0: none
    } pending_;
    std::vector<Found> found_;  // of now_
    TimeNs now_ = time_before_all;
    TimeNs decided_ = time_after_all;  // nothing older is written any more, but for what the watermark says
    std::uint64_t left_decided_ = 1;   // every left event below this number has matched or is gone
    std::uint64_t right_decided_ = 1;
    SpillQueue waiting_;               // results by (time, 0, order of being put)
    std::uint64_t put_ = 0;
    std::uint64_t written_ = 0;
    std::uint64_t matches_ = 0;
    bool left_ended_ = false;
    std::string scratch_;
    std::string line_;
};

}  // namespace stream
