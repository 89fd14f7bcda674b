// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <ctime>

#include "base/text.hpp"
#include "cli/tool.hpp"
#include "ops/time_tools.hpp"
#include "time/duration.hpp"

namespace {

using namespace stream;

constexpr std::array<std::string_view, 5> verbs = {"parse", "correct", "reorder", "stamp", "report"};

TimeNs wall_clock() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return TimeNs{now.tv_sec} * ns_per_second + now.tv_nsec;
}

struct Arguments {
    std::vector<std::string> words;
    std::string device;
    std::string sent;
    std::string received;
    std::string as = "processing_time";
    std::string at;
};

Result<ReportOptions> report_options(const Arguments& arguments, std::size_t memory) {
    ReportOptions report;
    report.memory_bytes = memory;
    for (std::size_t begin = 0; begin < arguments.at.size();) {
        const std::size_t end = std::min(arguments.at.find(',', begin), arguments.at.size());
        const std::string text = arguments.at.substr(begin, end - begin);
        auto bound = parse_duration(text);
        if (!bound) return tl::unexpected<Error>(std::move(bound.error()).at("--at"));
        report.at.emplace_back(text, *bound);
        begin = end + 1;
    }
    return report;
}

Result<std::unique_ptr<Operator>> build(Tool& tool, Arguments& arguments) {
    auto& words = arguments.words;
    PumpPlan& plan = tool.plan();
    if (words.empty()) return fail(ErrorKind::usage, "no verb is given", "parse FIELD, correct, reorder, stamp or report");
    const std::string verb = words.front();
    words.erase(words.begin());
    std::unique_ptr<Operator> op;
    const TimeOptions& read = plan.time_options;
    const bool reads_otherwise = !read.format.empty() || read.unit != TimeUnit::none || !read.base.empty() || !read.zone.empty();
    if (verb == "parse") {
        if (words.empty()) return fail(ErrorKind::usage, "parse needs the field with the time", "stream-time parse time");
        if (!plan.time_field.empty() && plan.time_field != words.front()) {
            return fail(ErrorKind::usage, "parse " + words.front() + " and --time " + plan.time_field + ": which is the time?");
        }
        plan.time_field = words.front();
        words.erase(words.begin());
        plan.time_need = TimeNeed::required;
        // As read here, and nowhere before.
        plan.changes_time = [](const std::string&) { return true; };
        plan.time_out = PumpPlan::TimeOut::ts;
        op = make_time_parse();
    } else if (verb == "correct") {
        if (arguments.device.empty() || arguments.sent.empty()) {
            return fail(ErrorKind::usage, "correct needs --device FIELD and --sent FIELD");
        }
        auto made = make_time_correct({arguments.device, arguments.sent, arguments.received, plan.time_options, wall_clock}, tool.fields());
        if (!made) return made;
        op = std::move(*made);
        tool.changes_members([](const MemberNames& member) { return member.has("ts"); });
    } else if (verb == "reorder") {
        plan.time_need = TimeNeed::required;
        plan.ordered = true;
        // Who wrote a watermark knew no unit or zone.
        if (reads_otherwise) plan.changes_time = [](const std::string&) { return true; };
        op = make_time_reorder();
    } else if (verb == "stamp") {
        op = make_time_stamp(arguments.as, wall_clock);
        tool.changes_members([name = arguments.as](const MemberNames& member) { return member.has(name); });
    } else if (verb == "report") {
        plan.time_need = TimeNeed::required;
        auto report = report_options(arguments, plan.memory);
        if (!report) return pass_on(report);
        plan.time_out = PumpPlan::TimeOut::none;
        op = make_time_report(std::move(*report));
    } else {
        const auto near = nearest(verb, verbs);
        return fail(ErrorKind::usage, "no verb is called " + stream::quoted(verb),
                    near.empty() ? "parse FIELD, correct, reorder, stamp or report" : "did you mean " + std::string(near) + "?");
    }
    if (verb != "report" && !arguments.at.empty()) return fail(ErrorKind::usage, "--at goes with report");
    if (verb != "correct" && !(arguments.device + arguments.sent + arguments.received).empty()) {
        return fail(ErrorKind::usage, "--device, --sent and --received go with correct");
    }
    plan.files = words;
    plan.operator_fields = tool.fields().size();
    plan.state_identity = verb == "parse" ? verb + " " + plan.time_field : verb;
    return op;
}

}  // namespace

int main(int argc, char** argv) {
    Tool tool("stream-time", "put event time right: parse, correct, reorder, stamp, report",
              "stream-time parse FIELD | correct --device F --sent F [--received F] | reorder | stamp | report  [FILE…]");
    Options& options = tool.options();
    options.example("stream-time parse time access.ndjson", "write the time in field \"time\" as ts, RFC 3339 in UTC");
    options.example("stream-time report --at 10s,60s access.ndjson", "how far out of order is it, and what would each lateness lose?");
    options.example("stream-time reorder --lateness 60s access.ndjson", "in order of event time");
    options.example("stream-time correct --device at --sent sent_at --received ts device.ndjson", "a device's clock is off: three timestamps put it right");
    Arguments arguments;
    options.positionals({"VERB [FILE…]",
                         "parse FIELD writes ts; correct puts a device's clock right; reorder sorts within --lateness;\n"
                         "    stamp adds the time of processing; report measures disorder.",
                         {"parse", "correct", "reorder", "stamp", "report"}, true},
                        arguments.words);
    tool.share(shared_expressions | shared_time | shared_time_text | shared_watermark | shared_late);
    options.value({"--device", "", "FIELD", "correct: when it happened, by the device's clock", {}}, arguments.device);
    options.value({"--sent", "", "FIELD", "correct: when it was sent, by the device's clock", {}}, arguments.sent);
    options.value({"--received", "", "FIELD", "correct: when it was received, by ours (default: now)", {}}, arguments.received);
    options.value({"--as", "", "NAME", "stamp: the member that takes the time (default processing_time)", {}}, arguments.as);
    options.value({"--at", "", "DUR,…", "report: count the events later than each", {}}, arguments.at);
    tool.share(shared_bad | shared_memory | shared_spill | shared_state | shared_output | shared_report);
    return tool.run(argc, argv, [&] { return build(tool, arguments); });
}
