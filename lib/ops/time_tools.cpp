// SPDX-License-Identifier: Apache-2.0
#include "ops/time_tools.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "json/canonical.hpp"
#include "json/number.hpp"
#include "json/splice.hpp"

namespace stream {

namespace {

std::string time_text(TimeNs time) {
    std::string text = "\"";
    append_rfc3339(text, time);
    text += '"';
    return text;
}

void write_with(Sink& sink, const Event& event, std::string_view name, TimeNs time) {
    append_with_member(sink.begin(), event.raw, name, time_text(time));
    sink.end(time);
}

class Parse final : public Operator {
public:
    Result<void> on_event(int, const Event& event, Sink& sink) override {
        write_with(sink, event, "ts", event.time);
        return {};
    }
};

class Reorder final : public Operator {
public:
    Result<void> on_event(int, const Event& event, Sink& sink) override {
        sink.pass(event);
        return {};
    }
};

class Stamp final : public Operator {
public:
    Stamp(std::string name, std::function<TimeNs()> now) : name_(std::move(name)), now_(std::move(now)) {}
    Result<void> on_event(int, const Event& event, Sink& sink) override {
        write_with(sink, event, name_, now_());
        return {};
    }

private:
    std::string name_;
    std::function<TimeNs()> now_;
};

class Correct final : public Operator {
public:
    struct Clock {
        std::string field;
        std::size_t slot;
        TimeParser parser;
    };
    Correct(std::vector<Clock> clocks, std::function<TimeNs()> now) : clocks_(std::move(clocks)), now_(std::move(now)) {}

    Result<void> on_event(int, const Event& event, Sink& sink) override {
        TimeNs times[3] = {0, 0, clocks_.size() < 3 ? now_() : 0};  // device, sent, received
        for (std::size_t i = 0; i < clocks_.size(); ++i) {
            auto time = read(clocks_[i], event.values[clocks_[i].slot]);
            if (!time) return pass_on(time);
            times[i] = *time;
        }
        std::int64_t drift = 0;
        TimeNs corrected = 0;
        if (__builtin_sub_overflow(times[2], times[1], &drift) || __builtin_add_overflow(times[0], drift, &corrected) ||
            corrected == time_before_all || corrected == time_after_all) {
            return fail(ErrorKind::data, "the corrected time is out of range");
        }
        write_with(sink, event, "ts", corrected);
        return {};
    }
    void snapshot(StateWriter& writer) const override {
        for (const Clock& clock : clocks_) writer.put_bytes(clock.parser.save());
    }
    Result<void> restore(StateReader& reader) override {
        for (Clock& clock : clocks_) {
            if (!clock.parser.load(reader.get_bytes())) {
                return fail(ErrorKind::corrupt, "the saved state's time format cannot be read");
            }
        }
        return reader.check("the clocks");
    }

private:
    static Result<TimeNs> read(Clock& clock, const Value& value) {
        Result<TimeNs> time = [&]() -> Result<TimeNs> {
            if (value.is_nothing()) return fail(ErrorKind::data, value.type == Type::null ? "is null" : "is missing");
            if (value.type == Type::number) return clock.parser.parse_number(value.text);
            if (value.type != Type::string) return fail(ErrorKind::data, "not a time: " + printable(value.text, 40));
            std::string text;
            append_unescaped(text, value);
            return clock.parser.parse_text(text);
        }();
        if (!time) return tl::unexpected<Error>(std::move(time.error()).at("field " + stream::quoted(clock.field)));
        return time;
    }

    std::vector<Clock> clocks_;
    std::function<TimeNs()> now_;
};

// How often each value came, in bounded memory as long as the different values fit.
class Counted {
public:
    Result<void> add(std::int64_t value, std::size_t memory_bytes) {
        fresh_.push_back(value);
        if (fresh_.size() < std::max<std::size_t>(64 << 10, counts_.size() / 2)) return {};
        settle();
        if (counts_.size() * sizeof(Count) * 2 > memory_bytes) {
            return fail(ErrorKind::limit,
                        std::to_string(counts_.size()) + " different times need more than --memory " +
                            format_size(memory_bytes),
                        "--memory SIZE allows more");
        }
        return {};
    }
    struct Count {
        std::int64_t value;
        std::uint64_t count;
    };
    const std::vector<Count>& settle() {
        std::sort(fresh_.begin(), fresh_.end());
        std::vector<Count> merged;
        merged.reserve(counts_.size() + fresh_.size() / 8 + 1);
        std::size_t at = 0;
        const auto put = [&](std::int64_t value, std::uint64_t count) {
            if (!merged.empty() && merged.back().value == value) merged.back().count += count;
            else merged.push_back({value, count});
        };
        for (const std::int64_t value : fresh_) {
            while (at < counts_.size() && counts_[at].value <= value) {
                put(counts_[at].value, counts_[at].count);
                ++at;
            }
            put(value, 1);
        }
        for (; at < counts_.size(); ++at) put(counts_[at].value, counts_[at].count);
        counts_ = std::move(merged);
        fresh_.clear();
        return counts_;
    }
    void snapshot(StateWriter& writer) const {
        writer.put_varint(counts_.size());
        for (const Count& count : counts_) {
            writer.put_i64(count.value);
            writer.put_varint(count.count);
        }
        writer.put_varint(fresh_.size());
        for (const std::int64_t value : fresh_) writer.put_i64(value);
    }
    void restore(StateReader& reader) {
        for (std::uint64_t left = reader.get_varint(); left > 0 && reader.ok(); --left) {
            const std::int64_t value = reader.get_i64();
            counts_.push_back({value, reader.get_varint()});
        }
        for (std::uint64_t left = reader.get_varint(); left > 0 && reader.ok(); --left) fresh_.push_back(reader.get_i64());
    }

private:
    std::vector<Count> counts_;  // by value
    std::vector<std::int64_t> fresh_;
};

class Report final : public Operator {
public:
    explicit Report(ReportOptions options) : options_(std::move(options)), later_(options_.at.size()) {}

    Result<void> on_event(int, const Event& event, Sink&) override {
        const DurationNs lateness = event.time < newest_ ? time_sub(newest_, event.time) : 0;
        if (events_++ == 0) newest_ = event.time;
        newest_ = std::max(newest_, event.time);
        if (lateness > 0) ++out_of_order_;
        for (std::size_t i = 0; i < later_.size(); ++i) {
            if (lateness > options_.at[i].second) ++later_[i];
        }
        STREAM_TRY(lateness_.add(lateness, options_.memory_bytes / 2));
        return times_.add(event.time, options_.memory_bytes / 2);
    }

    Result<void> on_end(Sink& sink) override {
        std::string& out = sink.begin();
        out += "{\"events\":";
        append_uint64(out, events_);
        out += ",\"out_of_order\":";
        append_uint64(out, out_of_order_);
        const auto& lateness = lateness_.settle();
        const auto member = [&](std::string_view name, bool known, DurationNs value) {
            out += ",\"";
            out += name;
            out += "\":";
            if (known) append_canonical_number(out, std::to_string(value) + "e-9");
            else out += "null";
        };
        const auto percentile = [&](std::uint64_t percent) {  // nearest rank
            const std::uint64_t rank = std::max<std::uint64_t>(1, (events_ * percent + 99) / 100);
            std::uint64_t seen = 0;
            for (const Counted::Count& count : lateness) {
                seen += count.count;
                if (seen >= rank) return count.value;
            }
            return DurationNs{0};
        };
        member("lateness_p50", events_ > 0, percentile(50));
        member("lateness_p99", events_ > 0, percentile(99));
        member("lateness_max", events_ > 0, lateness.empty() ? 0 : lateness.back().value);
        const auto& times = times_.settle();
        DurationNs gap = 0;
        for (std::size_t i = 1; i < times.size(); ++i) gap = std::max(gap, time_sub(times[i].value, times[i - 1].value));
        member("gap_max", events_ > 0, gap);
        if (!later_.empty()) {
            out += ",\"late\":{";
            for (std::size_t i = 0; i < later_.size(); ++i) {
                if (i > 0) out += ',';
                append_quoted(out, options_.at[i].first);
                out += ':';
                append_uint64(out, later_[i]);
            }
            out += '}';
        }
        out += '}';
        sink.end(newest_);
        return {};
    }

    void snapshot(StateWriter& writer) const override {
        writer.put_u64(events_);
        writer.put_u64(out_of_order_);
        writer.put_i64(newest_);
        for (const std::uint64_t count : later_) writer.put_u64(count);
        lateness_.snapshot(writer);
        times_.snapshot(writer);
    }
    Result<void> restore(StateReader& reader) override {
        events_ = reader.get_u64();
        out_of_order_ = reader.get_u64();
        newest_ = reader.get_i64();
        for (std::uint64_t& count : later_) count = reader.get_u64();
        lateness_.restore(reader);
        times_.restore(reader);
        return reader.check("the report");
    }

private:
    ReportOptions options_;
    std::uint64_t events_ = 0;
    std::uint64_t out_of_order_ = 0;
    TimeNs newest_ = time_before_all;
    std::vector<std::uint64_t> later_;
    Counted lateness_;
    Counted times_;
};

}  // namespace

std::unique_ptr<Operator> make_time_parse() { return std::make_unique<Parse>(); }
std::unique_ptr<Operator> make_time_reorder() { return std::make_unique<Reorder>(); }
std::unique_ptr<Operator> make_time_stamp(std::string name, std::function<TimeNs()> now) {
    return std::make_unique<Stamp>(std::move(name), std::move(now));
}

Result<std::unique_ptr<Operator>> make_time_correct(const CorrectOptions& options, FieldSet& fields) {
    std::vector<Correct::Clock> clocks;
    std::vector<std::string> names{options.device, options.sent};
    if (!options.received.empty()) names.push_back(options.received);
    for (const std::string& name : names) {
        auto path = parse_field(name);
        if (!path) return pass_on(path);
        auto parser = TimeParser::make(options.time);
        if (!parser) return pass_on(parser);
        clocks.push_back({path->text, fields.add(*path), std::move(*parser)});
    }
    return std::make_unique<Correct>(std::move(clocks), options.now);
}

std::unique_ptr<Operator> make_time_report(ReportOptions options) { return std::make_unique<Report>(std::move(options)); }

}  // namespace stream
