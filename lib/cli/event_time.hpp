// SPDX-License-Identifier: Apache-2.0
// Which field of an event is its time, and how it is read: chosen at the first event that has one, and
// kept.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "json/fields.hpp"
#include "state/bytes.hpp"
#include "time/time_parser.hpp"

namespace stream {

class EventTime {
public:
    // `named`: --time, or empty for the defaults: $STREAM_TIME (`from_environment`), ts, window_end,
    // source.ts_ms.
    static Result<EventTime> make(FieldSet& fields, const std::string& named, const std::string& from_environment,
                                  const TimeOptions& options);

    // Those defaults, in their order.
    static std::vector<std::string> usual_fields(const std::string& from_environment);

    // ErrorKind::data with the reason and, for a first event without a time, a hint that names the
    // fields that look like one. `raw` is the event.
    Result<TimeNs> read(const Value* values, std::string_view raw);
    // Whether the event has one of the fields at all.
    bool has(const Value* values) const;

    // Other inputs may choose another field.
    void share_fields() { only_reader_ = false; }

    // The field chosen; empty before the first event that has one.
    std::string field() const { return chosen_ ? candidates_[*chosen_].name : std::string(); }
    bool is_window_end() const { return chosen_ && candidates_[*chosen_].window_end; }

    void snapshot(StateWriter& writer) const;
    Result<void> restore(StateReader& reader);

private:
    struct Candidate {
        std::string name;
        std::size_t slot;
        bool window_end;
        bool own;  // nobody else asked for the field
    };
    explicit EventTime(TimeParser parser) : parser_(std::move(parser)) {}
    Result<TimeNs> read_value(const Candidate& candidate, const Value& value);
    Result<TimeNs> parse(const Candidate& candidate, const Value& value);
    tl::unexpected<Error> no_time(const Value* values, std::string_view raw) const;

    void choose(std::size_t candidate);

    FieldSet* fields_ = nullptr;
    bool only_reader_ = true;  // of these fields' values: not where each input chooses for itself
    std::vector<Candidate> candidates_;
    std::optional<std::size_t> chosen_;
    TimeParser parser_;
    // The minute of the last time of the usual form, 2026-01-01T00:00:00.123Z, by its first 17 bytes.
    bool formatted_ = false;
    bool plain_ = false;
    char minute_text_[17] = {};
    TimeNs minute_ = 0;
};

// The names of an event's top-level members (at most `most`), printable, for messages.
std::vector<std::string> member_names(std::string_view event, std::size_t most);

}  // namespace stream
