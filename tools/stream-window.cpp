// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>

#include "base/text.hpp"
#include "cli/event_time.hpp"
#include "cli/tool.hpp"
#include "json/member_names.hpp"
#include "ops/window.hpp"
#include "time/duration.hpp"

namespace {

using namespace stream;

constexpr std::array<std::string_view, 6> kinds = {"tumbling", "hopping", "session", "sliding", "rows", "all"};

tl::unexpected<Error> unknown_kind(const std::string& word) {
    constexpr std::pair<std::string_view, std::string_view> synonyms[] = {
        {"tumble", "tumbling"}, {"fixed", "tumbling"}, {"hop", "hopping"},      {"sessions", "session"},
        {"slide", "sliding"},   {"rolling", "sliding"}, {"range", "sliding"},   {"row", "rows"},
        {"last", "rows"},       {"global", "all"},      {"total", "all"}};
    std::string_view meant = nearest(word, kinds);
    for (const auto& [synonym, kind] : synonyms) {
        if (word == synonym) meant = kind;
    }
    std::string hint = meant.empty() ? "tumbling 1m, hopping 5m 1m, session 30m, sliding 1m, rows 10 or all"
                                     : "did you mean " + std::string(meant) + "?";
    return fail(ErrorKind::usage, "no kind of window is called " + quoted(word), std::move(hint));
}

// 1d, 2w, 1mo of a zone's calendar.
bool calendar_size(const std::string& text, CalendarUnit& unit, std::int64_t& count) {
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, count);
    const std::string_view word(parsed.ptr, static_cast<std::size_t>(end - parsed.ptr));
    if (parsed.ec != std::errc() || count <= 0) return false;
    if (word == "d") unit = CalendarUnit::day;
    else if (word == "w") unit = CalendarUnit::week;
    else if (word == "mo") unit = CalendarUnit::month;
    else return false;
    return true;
}

Result<void> size_argument(const std::string& text, bool calendar, DurationNs& size, CalendarUnit& unit,
                           std::int64_t& count) {
    if (calendar) {
        if (calendar_size(text, unit, count)) return {};
        return fail(ErrorKind::usage, "with --tz a window is 1d, 1w, 1mo or several of them, not " + quoted(text));
    }
    if (text.ends_with("mo")) {
        return fail(ErrorKind::usage, "months have no fixed length: " + quoted(text), "--tz UTC, or --tz Europe/Berlin");
    }
    auto parsed = parse_duration(text);
    if (!parsed) return pass_on(parsed);
    size = *parsed;
    return {};
}

// KIND and its sizes are taken off the front of `words`; what is left are aggregates.
Result<void> read_kind(std::vector<std::string>& words, WindowOptions& o) {
    if (words.empty()) {
        return fail(ErrorKind::usage, "no kind of window is given", "for example: stream-window tumbling 1m count");
    }
    const auto found = std::find(kinds.begin(), kinds.end(), words[0]);
    if (found == kinds.end()) return unknown_kind(words[0]);
    o.kind = static_cast<WindowKind>(found - kinds.begin());
    const std::size_t wanted = o.kind == WindowKind::all ? 0 : o.kind == WindowKind::hopping ? 2 : 1;
    if (words.size() < 1 + wanted) {
        return fail(ErrorKind::usage, words[0] + (wanted == 2 ? " needs a SIZE and an ADVANCE" : " needs a size"),
                    o.kind == WindowKind::rows ? "stream-window rows 10 mean:price"
                                               : "stream-window " + words[0] + (wanted == 2 ? " 5m 1m count" : " 1m count"));
    }
    const bool calendar = o.zone != nullptr;
    if (o.kind == WindowKind::rows) {
        const auto parsed = std::from_chars(words[1].data(), words[1].data() + words[1].size(), o.rows);
        if (parsed.ec != std::errc() || parsed.ptr != words[1].data() + words[1].size()) {
            return fail(ErrorKind::usage, "rows needs a whole number, not " + quoted(words[1]));
        }
    } else if (wanted > 0) {
        STREAM_TRY(size_argument(words[1], calendar, o.size_ns, o.unit, o.unit_count));
        if (wanted == 2) STREAM_TRY(size_argument(words[2], calendar, o.advance_ns, o.advance_unit, o.advance_count));
    }
    words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(1 + wanted));
    return {};
}

Result<void> read_top(const std::string& text, WindowOptions& o) {
    const std::size_t colon = text.find(':');
    const std::string count = text.substr(0, colon);
    const auto parsed = std::from_chars(count.data(), count.data() + count.size(), o.top);
    if (count.empty() || parsed.ec != std::errc() || parsed.ptr != count.data() + count.size() || o.top == 0) {
        return fail(ErrorKind::usage, "N or N:AGG is wanted, not " + quoted(text), "--top 10, or --top 10:bytes_sum");
    }
    if (colon != std::string::npos) o.top_by = text.substr(colon + 1);
    return {};
}

bool replaces_time(const std::vector<AggregateSpec>& aggregates, const std::string& time_field) {
    const char* environment = std::getenv("STREAM_TIME");
    const auto usual = EventTime::usual_fields(environment != nullptr ? environment : "");
    for (const std::string& name : time_field.empty() ? usual : std::vector<std::string>{time_field}) {
        const auto path = parse_field(name);
        if (!path) continue;  // told where it is read
        const MemberNames time(*path);
        if (std::any_of(aggregates.begin(), aggregates.end(), [&](const AggregateSpec& one) { return time.has(one.name); })) return true;
    }
    return false;
}

}  // namespace

int main(int argc, char** argv) {
    Tool tool("stream-window", "aggregates over windows of event time",
              "stream-window KIND [SIZE] [--by FIELD,…] AGG… < EVENTS");
    Options& options = tool.options();
    options.example("stream-window tumbling 1m --by path count sum:bytes p95:latency_ms < access.ndjson",
                    "requests, bytes and latency by path and minute");
    options.example("stream-window session 30m --by user count span < clicks.ndjson", "visits: half an hour's silence ends one");
    options.example("stream-window hopping 5m 1m --by status count --lateness 10s < access.ndjson",
                    "five minutes' counts, each minute; events may be ten seconds late");
    options.example("stream-window tumbling 1h --top 10 --by path count < access.ndjson", "the ten busiest paths of each hour");
    options.example("stream-window rows 10 --by sensor mean:value < readings.ndjson", "a moving average of ten readings");

    WindowOptions window;
    std::vector<std::string> words;
    std::vector<std::string> by;
    std::string zone;
    std::string fill;
    std::string top;
    options.positionals({"KIND AGG…",
                         "KIND: tumbling SIZE, hopping SIZE ADVANCE, session GAP, sliding SIZE, rows N, all.\n"
                         "    AGG: [NAME=]FUNC[:FIELD]: count sum mean min max first last stddev variance median pNN\n"
                         "    distinct collect rate increase span, approx_distinct approx_pNN approx_topN, sketch_… merge",
                         {"tumbling", "hopping", "session", "sliding", "rows", "all", "count", "count:", "sum:", "mean:",
                          "min:", "max:", "first", "last", "stddev:", "variance:", "median:", "p50:", "p95:", "p99:",
                          "distinct:", "collect", "rate", "increase:", "span", "approx_distinct:", "approx_p95:",
                          "approx_top10:", "sketch_distinct:", "sketch_p95:", "sketch_top10:", "merge:"},
                         false},
                        words);
    options.values({"--by", "", "FIELD,…", "one result a key: [NAME=]FIELD, several by commas", {}}, by);
    tool.share(shared_expressions | shared_time | shared_watermark | shared_late);
    options.parsed({"--allowed-lateness", "", "DUR", "a closed window stays that long; late events bring corrected results", {}},
                   into_duration(window.allowed_lateness_ns));
    options.parsed({"--every", "", "DUR", "provisional results each DUR of event time", {}}, into_duration(window.every_ns));
    options.flag("--changes", "", "results as changes of a table: op, before, after", window.changes);
    options.flag("--compare", "", "beside each aggregate, the window before and the change since", window.compare);
    options.value({"--fill", "", "all|DUR", "results of nothing for known keys; DUR forgets a silent key", {"all"}}, fill);
    options.value({"--top", "", "N[:AGG]", "of each window, the N groups with the greatest AGG (default: the first)", {}}, top);
    options.parsed({"--offset", "", "DUR", "moves the windows' boundaries", {}}, [&](const std::string& text) -> Result<void> {
        auto parsed = parse_duration(text);
        if (!parsed) return pass_on(parsed);
        window.offset_ns = *parsed;
        return {};
    });
    options.value({"--tz", "", "ZONE", "calendar windows (1d 1w 1mo) of this zone", {}}, zone);
    options.parsed({"--max", "", "SIZE", "session: a longer one is cut in pieces when it closes", {}}, into_duration(window.session_max_ns));
    tool.share(shared_bad | shared_memory | shared_spill | shared_state | shared_output | shared_report);

    return tool.run(argc, argv, [&]() -> Result<std::unique_ptr<Operator>> {
        PumpPlan& plan = tool.plan();
        for (const std::string& word : words) plan.state_identity += (plan.state_identity.empty() ? "" : " ") + word;
        if (!zone.empty()) {
            auto found = Zone::find(zone);
            if (!found) return pass_on(found);
            window.zone = *found;
        }
        if (!fill.empty()) {
            window.fill = true;
            if (fill != "all") STREAM_TRY(into_duration(window.fill_ns)(fill));
        }
        if (!top.empty()) STREAM_TRY(read_top(top, window));
        STREAM_TRY(read_kind(words, window));
        for (const std::string& word : words) {
            auto spec = parse_aggregate(word);
            if (!spec) return pass_on(spec);
            window.aggregates.push_back(std::move(*spec));
        }
        auto keys = parse_keys(by);
        if (!keys) return pass_on(keys);
        window.by = std::move(*keys);
        window.memory_bytes = plan.memory;
        window.hash_seed = Tool::table_seed();
        plan.ordered = window.wants_order();
        plan.time_out = window.kind == WindowKind::all ? PumpPlan::TimeOut::none
                        : window.kind == WindowKind::sliding || window.kind == WindowKind::rows ? PumpPlan::TimeOut::same
                                                                                                : PumpPlan::TimeOut::window_end;
        // An aggregate in place of the event's time: what comes out is as old as it says.
        if (plan.time_out == PumpPlan::TimeOut::same && replaces_time(window.aggregates, plan.time_field)) plan.time_out = PumpPlan::TimeOut::none;
        plan.time_need = window.needs_time()  ? TimeNeed::required
                         : window.uses_time() ? TimeNeed::wanted
                                              : TimeNeed::none;
        plan.late_is_kept = window.allowed_lateness_ns > 0;
        auto made = make_window(std::move(window), tool.fields());
        if (made) plan.operator_fields = tool.fields().size();
        return made;
    });
}
