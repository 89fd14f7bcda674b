// SPDX-License-Identifier: Apache-2.0
#include "ops/window.hpp"

#include "base/text.hpp"
#include "json/number.hpp"
#include "ops/window/fixed.hpp"
#include "ops/window/plan.hpp"
#include "ops/window/rolling.hpp"
#include "ops/window/sessions.hpp"
#include "time/duration.hpp"

#include <algorithm>

namespace stream {

namespace {

constexpr std::int64_t overlap_max = 100'000;           // windows an event may be in
constexpr std::int64_t percentile_overlap_max = 1'000;  // the same, with exact percentiles

std::string_view kind_name(WindowKind kind) {
    switch (kind) {
        case WindowKind::tumbling:
            return "tumbling";
        case WindowKind::hopping:
            return "hopping";
        case WindowKind::session:
            return "session";
        case WindowKind::sliding:
            return "sliding";
        case WindowKind::rows:
            return "rows";
        case WindowKind::all:
            return "all";
    }
    return "";
}

Result<void> refuse(bool refused, std::string_view option, WindowKind kind) {
    if (!refused) return {};
    return fail(ErrorKind::usage,
                std::string(option) + " means nothing for " + std::string(kind_name(kind)) + " windows");
}

Result<void> check_kind(const WindowOptions& o) {
    const bool fixed = o.kind == WindowKind::tumbling || o.kind == WindowKind::hopping;
    const bool rolling = o.kind == WindowKind::sliding || o.kind == WindowKind::rows;
    const bool all = o.kind == WindowKind::all;
    if (o.kind == WindowKind::rows && o.rows == 0)
        return fail(ErrorKind::usage, "rows needs a number of rows of at least 1");
    const bool calendar = o.zone != nullptr && fixed;
    if (!all && o.kind != WindowKind::rows && (calendar ? o.unit_count : o.size_ns) <= 0) {
        return fail(ErrorKind::usage, std::string(kind_name(o.kind)) + " needs a duration greater than 0");
    }
    if (o.kind == WindowKind::hopping && (calendar ? o.advance_count : o.advance_ns) <= 0) {
        return fail(ErrorKind::usage, "hopping needs an ADVANCE greater than 0");
    }
    for (const DurationNs duration : {o.allowed_lateness_ns, o.every_ns, o.session_max_ns, o.fill_ns}) {
        if (duration < 0) return fail(ErrorKind::usage, "a duration of options is not negative");
    }
    STREAM_TRY(refuse(o.offset_ns != 0 && !fixed, "--offset", o.kind));
    STREAM_TRY(refuse(o.zone != nullptr && !fixed, "--tz", o.kind));
    STREAM_TRY(refuse(o.session_max_ns != 0 && o.kind != WindowKind::session, "--max", o.kind));
    STREAM_TRY(refuse(o.compare && !fixed, "--compare", o.kind));
    STREAM_TRY(refuse(o.fill && !fixed, "--fill", o.kind));
    STREAM_TRY(refuse(o.top > 0 && !fixed && !all, "--top", o.kind));
    STREAM_TRY(refuse(o.every_ns > 0 && rolling, "--every", o.kind));
    STREAM_TRY(refuse(o.changes && rolling, "--changes", o.kind));
    STREAM_TRY(refuse(o.allowed_lateness_ns > 0 && (rolling || all), "--allowed-lateness", o.kind));
    if (o.session_max_ns > 0 && (o.has_revisions() || o.changes)) {
        return fail(ErrorKind::usage, "--max does not go with --every, --allowed-lateness or --changes",
                    "a session is cut when it closes for good");
    }
    return {};
}

Result<void> check_overlap(const WindowOptions& o, const AggregatePlan& plan) {
    if (o.kind != WindowKind::hopping) return {};
    std::int64_t overlap = 0;
    if (o.zone != nullptr) {
        const bool weeks_by_days = o.unit == CalendarUnit::week && o.advance_unit == CalendarUnit::day;
        if (!weeks_by_days && o.unit != o.advance_unit) {
            return fail(ErrorKind::usage,
                        "with --tz, SIZE and ADVANCE are counted in one unit (or weeks by days)");
        }
        const std::int64_t count = o.unit_count * (weeks_by_days ? 7 : 1);
        if (count % o.advance_count != 0)
            return fail(ErrorKind::usage, "with --tz, SIZE is a multiple of ADVANCE");
        overlap = count / o.advance_count;
    } else {
        overlap = (o.size_ns - 1) / o.advance_ns + 1;
    }
    if (overlap > percentile_overlap_max && plan.is_exact_percentile()) {
        return fail(
            ErrorKind::usage,
            "exact percentiles over " + std::to_string(overlap) + " overlapping windows cost too much",
            plan.approximate_percentile() + " has a stated error and little cost");
    }
    if (overlap > overlap_max) {
        return fail(ErrorKind::usage,
                    "each event would be in " + std::to_string(overlap) + " windows, more than " +
                        std::to_string(overlap_max),
                    "a greater ADVANCE, or sliding for an answer at every event");
    }
    return {};
}

// What a result has besides its aggregates; empty where the event's own members are replaced, which may
// be meant.
std::vector<std::string> reserved_names(const WindowOptions& o) {
    std::vector<std::string> names;
    if (o.kind == WindowKind::sliding || o.kind == WindowKind::rows) return names;
    if (o.kind == WindowKind::all)
        names = {"ts"};
    else
        names = {"window_start", "window_end"};
    if (o.has_revisions() && !o.changes) {
        names.emplace_back("revision");
        names.emplace_back("final");
    }
    return names;
}

Result<void> check_names(const WindowOptions& o, const AggregatePlan& plan, const Keys& keys) {
    std::vector<std::string> names = reserved_names(o);
    const auto is_taken = [&](const std::string& name) {
        return std::find(names.begin(), names.end(), name) != names.end();
    };
    const auto twice = [](const std::string& name, std::string hint) {
        return fail(ErrorKind::usage, "a result would have two members " + stream::quoted(name),
                    std::move(hint));
    };
    if (!names.empty()) {
        for (std::size_t i = 0; i < keys.size(); ++i) {
            const KeySpec& key = o.by[i];
            const std::string& member = key.name.empty() ? key.path.steps[0].name : key.name;
            if (is_taken(member)) return twice(member, "another name: --by OTHER=" + key.path.text);
        }
        for (std::string& name : keys.top_names()) names.push_back(std::move(name));
    }
    for (std::size_t i = 0; i < plan.size(); ++i) {
        const AggregateSpec& spec = plan.spec(i);
        const std::string hint =
            "another name: OTHER=" + spec.function + (spec.field.empty() ? "" : ":" + spec.field);
        if (is_taken(spec.name)) return twice(spec.name, hint);
        if (!o.compare) continue;
        for (std::size_t k = 0; k < plan.size(); ++k) {
            if (spec.name == plan.name(k) + "_before" || spec.name == plan.name(k) + "_change")
                return twice(spec.name, hint);
        }
        if (is_taken(spec.name + "_before")) return twice(spec.name + "_before", hint);
        if (is_taken(spec.name + "_change")) return twice(spec.name + "_change", hint);
    }
    if (!o.top_by.empty()) {
        for (std::size_t i = 0; i < plan.size(); ++i) {
            if (plan.name(i) == o.top_by) return {};
        }
        std::vector<std::string_view> known;
        for (std::size_t i = 0; i < plan.size(); ++i) known.emplace_back(plan.name(i));
        const auto near = nearest(o.top_by, known);
        return fail(ErrorKind::usage, "--top: no aggregate is called " + stream::quoted(o.top_by),
                    near.empty() ? "--top N:NAME, NAME being one of the aggregates"
                                 : "did you mean " + std::string(near) + "?");
    }
    return {};
}

// A stage behind one that revises its results takes only the last word on each window.
// A template, so that the calls to the windows are direct.
template <class Windows>
class FinalOnly final : public Operator {
public:
    FinalOnly(WindowOptions options, AggregatePlan plan, Keys keys, std::size_t revision,
              std::size_t is_final)
        : inner_(std::move(options), std::move(plan), std::move(keys)),
          revision_(revision),
          final_(is_final) {}

    Result<void> on_event(int input, const Event& event, Sink& sink) override {
        if (event.values[revision_].type == Type::number && event.values[final_].type == Type::boolean_false)
            [[unlikely]] {
            ++left_;
            return {};
        }
        return inner_.on_event(input, event, sink);
    }
    Result<void> on_watermark(TimeNs watermark, Sink& sink) override {
        return inner_.on_watermark(watermark, sink);
    }
    Result<void> on_end(Sink& sink) override { return inner_.on_end(sink); }
    void snapshot(StateWriter& writer) const override {
        writer.put_u64(left_);
        inner_.snapshot(writer);
    }
    Result<void> restore(StateReader& reader) override {
        left_ = reader.get_u64();
        return inner_.restore(reader);
    }
    bool track_changes(bool on) override { return inner_.track_changes(on); }
    void snapshot_changes(StateWriter& writer) override {
        writer.put_u64(left_);
        inner_.snapshot_changes(writer);
    }
    Result<void> restore_changes(StateReader& reader) override {
        left_ = reader.get_u64();
        return inner_.restore_changes(reader);
    }
    std::string closing_remark() const override {
        if (left_ == 0) return {};
        return std::to_string(left_) +
               (left_ == 1 ? " provisional result was" : " provisional results were") +
               " left out: only final ones are counted";
    }
    void append_stats(std::string& out) const override {
        inner_.append_stats(out);
        out += ",\"provisional_left\":";
        append_uint64(out, left_);
    }

private:
    Windows inner_;
    std::size_t revision_;
    std::size_t final_;
    std::uint64_t left_ = 0;
};

}  // namespace

bool WindowOptions::uses_time() const {
    if (needs_time() || kind == WindowKind::all) return true;
    return std::any_of(aggregates.begin(), aggregates.end(),
                       [](const AggregateSpec& spec) { return spec.function == "span"; });
}

Result<std::unique_ptr<Operator>> make_window(WindowOptions options, FieldSet& fields) {
    STREAM_TRY(check_kind(options));
    if (options.aggregates.empty()) {
        return fail(ErrorKind::usage, "no aggregate is asked for",
                    "for example: count sum:bytes p95:latency_ms");
    }
    Keys keys(options.by, fields);
    auto plan = AggregatePlan::make(options.aggregates, fields);
    if (!plan) return pass_on(plan);
    STREAM_TRY(check_overlap(options, *plan));
    STREAM_TRY(check_names(options, *plan, keys));
    auto revision = parse_field("revision");
    auto is_final = parse_field("final");
    const std::size_t revision_slot = fields.add(*revision);
    const std::size_t final_slot = fields.add(*is_final);
    fields.expect_rarely(revision_slot);
    fields.expect_rarely(final_slot);
    const WindowKind kind = options.kind;
    const auto make = [&]<class Windows>() -> std::unique_ptr<Operator> {
        return std::make_unique<FinalOnly<Windows>>(std::move(options), std::move(*plan), std::move(keys),
                                                    revision_slot, final_slot);
    };
    switch (kind) {
        case WindowKind::tumbling:
        case WindowKind::hopping:
        case WindowKind::all:
            return make.operator()<FixedWindows>();
        case WindowKind::session:
            return make.operator()<Sessions>();
        case WindowKind::sliding:
        case WindowKind::rows:
            break;
    }
    return make.operator()<Rolling>();
}

}  // namespace stream
