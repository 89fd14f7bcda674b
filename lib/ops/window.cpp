// SPDX-License-Identifier: Apache-2.0
#include "ops/window.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "json/number.hpp"
#include "ops/window/fixed.hpp"
#include "ops/window/plan.hpp"
#include "ops/window/rolling.hpp"
#include "ops/window/sessions.hpp"
#include "time/duration.hpp"

namespace stream {

namespace {

constexpr std::int64_t overlap_max = 100'000;           // windows an event may be in
constexpr std::int64_t percentile_overlap_max = 1'000;  // the same, with exact percentiles

std::string_view kind_name(WindowKind kind) {
    switch (kind) {
        case WindowKind::tumbling: return "tumbling";
        case WindowKind::hopping: return "hopping";
        case WindowKind::session: return "session";
        case WindowKind::sliding: return "sliding";
        case WindowKind::rows: return "rows";
        case WindowKind::all: return "all";
    }
    return "";
}

Result<void> refuse(bool refused, std::string_view option, WindowKind kind) {
    if (!refused) return {};
    return fail(ErrorKind::usage, std::string(option) + " means nothing for " + std::string(kind_name(kind)) + " windows");
}

Result<void> check_kind(const WindowOptions& o) {
    const bool fixed = o.kind == WindowKind::tumbling || o.kind == WindowKind::hopping;
    const bool rolling = o.kind == WindowKind::sliding || o.kind == WindowKind::rows;
    const bool all = o.kind == WindowKind::all;
    if (o.kind == WindowKind::rows && o.rows == 0) return fail(ErrorKind::usage, "rows needs a number of rows of at least 1");
    if (!all && o.kind != WindowKind::rows && o.zone == nullptr && o.size_ns <= 0) {
        return fail(ErrorKind::usage, std::string(kind_name(o.kind)) + " needs a duration greater than 0");
    }
    if (o.kind == WindowKind::hopping && o.zone == nullptr && o.advance_ns <= 0) {
        return fail(ErrorKind::usage, "hopping needs an ADVANCE greater than 0");
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
            return fail(ErrorKind::usage, "with --tz, SIZE and ADVANCE are counted in one unit (or weeks by days)");
        }
        const std::int64_t count = o.unit_count * (weeks_by_days ? 7 : 1);
        if (count % o.advance_count != 0) return fail(ErrorKind::usage, "with --tz, SIZE is a multiple of ADVANCE");
        overlap = count / o.advance_count;
    } else {
        overlap = o.size_ns / o.advance_ns;
    }
    if (overlap > percentile_overlap_max && plan.is_exact_percentile()) {
        return fail(ErrorKind::usage,
                    "exact percentiles over " + std::to_string(overlap) + " overlapping windows cost too much",
                    plan.advice().substr(0, plan.advice().find(" needs")) + " has a stated error and little cost");
    }
    if (overlap > overlap_max) {
        return fail(ErrorKind::usage, "each event would be in " + std::to_string(overlap) + " windows, more than " +
                                          std::to_string(overlap_max),
                    "a greater ADVANCE, or sliding for an answer at every event");
    }
    return {};
}

Result<void> check_names(const WindowOptions& o, const AggregatePlan& plan, const Keys& keys) {
    std::vector<std::string> names = keys.top_names();
    if (o.kind == WindowKind::all) {
        names.emplace_back("ts");
    } else if (o.kind != WindowKind::sliding && o.kind != WindowKind::rows) {
        names.emplace_back("window_start");
        names.emplace_back("window_end");
    } else {
        names.clear();  // the event's own members are replaced, which may be meant
    }
    if (o.has_revisions() && !o.changes) {
        names.emplace_back("revision");
        names.emplace_back("final");
    }
    for (std::size_t i = 0; i < plan.size(); ++i) {
        if (std::find(names.begin(), names.end(), plan.name(i)) != names.end()) {
            return fail(ErrorKind::usage, "a result would have two members " + stream::quoted(plan.name(i)),
                        "another name: OTHER=" + plan.spec(i).function +
                            (plan.spec(i).field.empty() ? "" : ":" + plan.spec(i).field));
        }
    }
    if (!o.top_by.empty()) {
        for (std::size_t i = 0; i < plan.size(); ++i) {
            if (plan.name(i) == o.top_by) return {};
        }
        std::vector<std::string_view> known;
        for (std::size_t i = 0; i < plan.size(); ++i) known.emplace_back(plan.name(i));
        const auto near = nearest(o.top_by, known);
        return fail(ErrorKind::usage, "--top: no aggregate is called " + stream::quoted(o.top_by),
                    near.empty() ? "--top N:NAME, NAME being one of the aggregates" : "did you mean " + std::string(near) + "?");
    }
    return {};
}

// A stage behind one that revises its results takes only the last word on each window.
class FinalOnly final : public Operator {
public:
    FinalOnly(std::unique_ptr<Operator> inner, std::size_t revision, std::size_t is_final)
        : inner_(std::move(inner)), revision_(revision), final_(is_final) {}

    Result<void> on_event(int input, const Event& event, Sink& sink) override {
        if (event.values[revision_].type == Type::number && event.values[final_].type == Type::boolean_false) [[unlikely]] {
            ++left_;
            return {};
        }
        return inner_->on_event(input, event, sink);
    }
    Result<void> on_watermark(TimeNs watermark, Sink& sink) override { return inner_->on_watermark(watermark, sink); }
    Result<void> on_end(Sink& sink) override { return inner_->on_end(sink); }
    void snapshot(StateWriter& writer) const override {
        writer.put_u64(left_);
        inner_->snapshot(writer);
    }
    Result<void> restore(StateReader& reader) override {
        left_ = reader.get_u64();
        return inner_->restore(reader);
    }
    std::string closing_remark() const override {
        if (left_ == 0) return {};
        return std::to_string(left_) + (left_ == 1 ? " provisional result was" : " provisional results were") +
               " left out: only final ones are counted";
    }
    void append_stats(std::string& out) const override {
        inner_->append_stats(out);
        out += ",\"provisional_left\":";
        append_uint64(out, left_);
    }

private:
    std::unique_ptr<Operator> inner_;
    std::size_t revision_;
    std::size_t final_;
    std::uint64_t left_ = 0;
};

}  // namespace

Result<std::unique_ptr<Operator>> make_window(WindowOptions options, FieldSet& fields) {
    STREAM_TRY(check_kind(options));
    if (options.aggregates.empty()) {
        return fail(ErrorKind::usage, "no aggregate is asked for", "for example: count sum:bytes p95:latency_ms");
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
    std::unique_ptr<Operator> made;
    switch (kind) {
        case WindowKind::tumbling:
        case WindowKind::hopping:
        case WindowKind::all:
            made = std::make_unique<FixedWindows>(std::move(options), std::move(*plan), std::move(keys));
            break;
        case WindowKind::session:
            made = std::make_unique<Sessions>(std::move(options), std::move(*plan), std::move(keys));
            break;
        case WindowKind::sliding:
        case WindowKind::rows:
            made = std::make_unique<Rolling>(std::move(options), std::move(*plan), std::move(keys));
            break;
    }
    return std::make_unique<FinalOnly>(std::move(made), revision_slot, final_slot);
}

}  // namespace stream
