// SPDX-License-Identifier: Apache-2.0
#include "cli/joined_plan.hpp"

#include <tuple>
#include <utility>

#include "time/duration.hpp"

namespace stream {

namespace {

// Without RIGHT both are LEFT.
std::pair<std::string, std::string> both(const std::string& text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) return {text, text};
    return {text.substr(0, equals), text.substr(equals + 1)};
}

}  // namespace

Result<void> read_lateness(const std::string& text, DurationNs& lateness, bool& all) {
    if (text.empty()) return {};
    all = text == "all";
    if (all) return {};
    auto read = parse_duration(text);
    if (!read) return tl::unexpected<Error>(std::move(read.error()).at("--lateness"));
    if (*read < 0) return fail(ErrorKind::usage, "--lateness cannot be negative: " + text);
    lateness = *read;
    return {};
}

Result<void> plan_joined(PumpPlan& plan, const std::string& right, JoinedArguments& a) {
    if (right == "-") return fail(ErrorKind::usage, "RIGHT is a file: stdin is LEFT");
    plan.files = {"-", right};
    plan.joined.resize(2);
    PumpPlan::JoinedInput& left_input = plan.joined[0];
    PumpPlan::JoinedInput& right_input = plan.joined[1];
    left_input.fields = &a.left_fields;
    right_input.fields = &a.right_fields;
    std::tie(left_input.time_field, right_input.time_field) = both(a.time);
    const auto [left_lateness, right_lateness] = both(a.lateness);
    STREAM_TRY(read_lateness(left_lateness, left_input.lateness, left_input.lateness_all));
    STREAM_TRY(read_lateness(right_lateness, right_input.lateness, right_input.lateness_all));
    left_input.lateness_given = right_input.lateness_given = !a.lateness.empty();
    const std::size_t equals = a.format.find('=');
    left_input.format = a.format.substr(0, equals).empty() ? "ndjson" : a.format.substr(0, equals);
    right_input.format = equals == std::string::npos || equals + 1 == a.format.size() ? "auto" : a.format.substr(equals + 1);
    right_input.follow = a.follow;
    plan.time_need = TimeNeed::required;
    return {};
}

}  // namespace stream
