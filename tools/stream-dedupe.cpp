// SPDX-License-Identifier: Apache-2.0
#include <charconv>

#include "base/text.hpp"
#include "cli/tool.hpp"
#include "json/keys.hpp"
#include "ops/dedupe.hpp"
#include "state/key_hash.hpp"
#include "time/duration.hpp"

namespace {

using namespace stream;

Result<void> into_error_rate(const std::string& text, double& value) {
    const bool percent = text.ends_with('%');
    const char* end = text.data() + text.size() - (percent ? 1 : 0);
    const auto parsed = std::from_chars(text.data(), end, value);
    if (text.empty() || parsed.ec != std::errc() || parsed.ptr != end || !(value > 0)) {
        return fail(ErrorKind::usage, "not an error rate: " + stream::quoted(text), "--approx 0.001, or --approx 0.1%");
    }
    if (percent) value /= 100;
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    Tool tool("stream-dedupe", "drop repeats by key, exactly or in bounded memory", "stream-dedupe --by FIELD,… [OPTION…] [FILE…]");
    Options& options = tool.options();
    options.example("stream-dedupe --by id events.ndjson", "the first event of each id");
    options.example("stream-dedupe --by id --within 1h < events.ndjson", "a copy within the hour is a repeat; memory stays bounded");
    options.example("stream-dedupe --by user,path --within 10m --keep last events.ndjson", "of copies within ten minutes, the last");
    options.example("stream-dedupe --by id --approx 0.1% events.ndjson", "in little memory; one new event in a thousand may be dropped");
    DedupeOptions dedupe;
    std::vector<std::string> by;
    std::string keep = "first";
    options.positionals({"FILE…", "what to read; - is stdin", {}, true}, tool.plan().files);
    options.values({"--by", "", "FIELD,…", "the idempotency key: several fields by commas", {}}, by);
    options.parsed({"--within", "", "DUR", "a copy counts as a repeat so long, in event time (default: for ever)", {}},
                   [&](const std::string& text) -> Result<void> {
                       DurationNs within = 0;
                       STREAM_TRY(into_duration(within)(text));
                       dedupe.within = within;
                       return {};
                   });
    options.parsed({"--keep", "", "first|last", "which of the copies is written (last needs --within)", {"first", "last"}},
                   [&](const std::string& text) -> Result<void> {
                       if (text != "first" && text != "last") return fail(ErrorKind::usage, "first or last is wanted, not " + stream::quoted(text));
                       keep = text;
                       return {};
                   });
    options.parsed({"--approx", "", "ERROR", "a bounded filter that drops this share of new events wrongly: 0.001, 0.1%", {}},
                   [&](const std::string& text) { return into_error_rate(text, dedupe.approx_error); });
    options.parsed({"--summary", "", "DUR", "write a repeat's first copy again each DUR of event time, with suppressed", {}},
                   into_duration(dedupe.summary));
    tool.share(shared_expressions | shared_time | shared_watermark | shared_late | shared_bad | shared_memory | shared_spill | shared_state |
               shared_output | shared_report);
    return tool.run(argc, argv, [&]() -> Result<std::unique_ptr<Operator>> {
        PumpPlan& plan = tool.plan();
        auto keys = parse_keys(by);
        if (!keys) return pass_on(keys);
        if (keys->empty()) return fail(ErrorKind::usage, "no key is given", "--by FIELD: which field tells that two events are the same?");
        for (const KeySpec& key : *keys) {
            tool.fields().add(key.path, true);
            dedupe.fields.push_back(key.path.text);
        }
        plan.operator_fields = tool.fields().size();
        dedupe.keep_last = keep == "last";
        dedupe.limits.memory_bytes = plan.memory;
        dedupe.limits.spill_bytes = plan.spill_max;
        dedupe.limits.folder = plan.spill_folder;
        dedupe.secret = random_secret();
        STREAM_TRY(dedupe.validate());
        plan.time_need = dedupe.needs_time() ? TimeNeed::required : TimeNeed::none;
        return std::make_unique<Dedupe>(std::move(dedupe));
    });
}
