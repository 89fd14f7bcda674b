// SPDX-License-Identifier: Apache-2.0
// stream-dedupe: repeats of a key are dropped, in order of arrival.
//
// Without --within a key is written once for ever. With it, a copy is a repeat if an event of its key was
// written whose time is at most `within` away, before or after; so repeats are counted from the copy
// that was written and do not prolong its reach. A key's entry is kept until W > its time + 2·within,
// and a copy with time + within < W is late: then the two together forget nothing that could matter.
//
// --keep last (dedupe/keep_last.hpp), --summary (dedupe/summaries.hpp) and --approx change what is kept.
#pragma once

#include "base/error.hpp"
#include "ops/operator.hpp"
#include "state/bloom.hpp"
#include "state/key_set.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stream {

struct DedupeOptions {
    // The key's fields, for messages: their values are event.values[0 … fields.size()).
    std::vector<std::string> fields;
    std::optional<DurationNs> within;
    bool keep_last = false;
    double approx_error = 0;  // 0: exact
    DurationNs summary = 0;   // 0: none
    KeySetLimits limits;      // --memory, --spill-max, and a folder for what exceeds the memory
    HashSecret secret{};      // random_secret(); a restored state brings its own

    bool needs_time() const { return within.has_value() || summary > 0; }
    // ErrorKind::usage for what does not go together or is out of range.
    Result<void> validate() const;
};

// The bytes that a key is told by: its canonical text, several joined by commas.
class DedupeKey {
public:
    explicit DedupeKey(std::vector<std::string> fields) : fields_(std::move(fields)) {}
    // Until the next call, or as long as the event. ErrorKind::data: null or missing.
    Result<std::string_view> of(const Value* values);

private:
    Result<void> check(const Value& value, std::size_t field) const;

    std::vector<std::string> fields_;
    std::string scratch_;
};

class KeepLast;
class Summaries;

class Dedupe final : public Operator {
public:
    // The options are valid.
    explicit Dedupe(DedupeOptions options);
    ~Dedupe() override;

    // May be called for events some way ahead of their on_event(): their place in the set is fetched from
    // memory meanwhile. Changes nothing else.
    void announce(const Value* values, TimeNs time);

    Result<void> on_event(int input, const Event& event, Sink& sink) override;
    Result<void> on_watermark(TimeNs watermark, Sink& sink) override;

    // What may be passed on once on_watermark(watermark) returned: nothing older will be written.
    TimeNs output_watermark(TimeNs watermark) const override;

    void snapshot(StateWriter& writer) const override;
    Result<void> restore(StateReader& reader) override;
    bool track_changes(bool on) override;
    bool knows_changes() const override;
    void snapshot_changes(StateWriter& writer) override;
    Result<void> restore_changes(StateReader& reader) override { return restore(reader); }
    Result<void> keep_files(KeptFiles& files) override;
    void append_stats(std::string& out) const override;

private:
    void put_head(StateWriter& writer) const;
    enum class Mode : std::uint8_t { exact, exact_within, approx, approx_within, keep_last, summary };
    static Mode mode_of(const DedupeOptions& options);
    void make_state();
    Hash128 hash_of(std::string_view key) const;
    Result<bool> is_new(const Hash128& hash, const Event& event, Sink& sink);
    Result<void> check_memory(std::size_t used) const;
    std::size_t memory_used() const;

    DedupeOptions options_;
    Mode mode_;
    DedupeKey key_;
    TimeNs watermark_ = time_before_all;

    // The one that the mode asks for.
    std::optional<ExactSet> exact_;
    std::optional<TimedSet> timed_;
    std::optional<ScalableBloom> bloom_;
    std::optional<TimedBloom> timed_bloom_;
    std::unique_ptr<KeepLast> keep_last_;
    std::unique_ptr<Summaries> summaries_;

    std::uint64_t written_ = 0;
    std::uint64_t repeats_ = 0;
    std::uint64_t late_ = 0;
};

}  // namespace stream
