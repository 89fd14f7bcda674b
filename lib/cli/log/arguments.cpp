// SPDX-License-Identifier: Apache-2.0
#include "cli/log/arguments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.hpp"
#include "json/fields.hpp"
#include "json/keys.hpp"
#include "time/duration.hpp"

namespace stream {

namespace {

struct Verb {
    std::string_view name;
    std::string_view usage;    // behind the verb
    std::size_t least;         // words, the verb among them
    std::size_t most;
    std::string_view options;  // a blank before and behind each
};

constexpr std::size_t any = SIZE_MAX;

constexpr std::array<Verb, 14> verbs = {{
    {"create", "DIR", 2, 2, " --partitions --by --retain --max-bytes --compact --deleted --codec --segment --single-writer --time "},
    {"append", "DIR [FILE…]", 2, any,
     " --partitions --by --retain --max-bytes --compact --deleted --codec --segment --single-writer --time --sync --idempotency-key "
     "--within --expect-offset --raw --ack --bad --max-bad --max-line --memory --spill-max --progress --no-progress --stats --name --control "},
    {"read", "DIR", 2, 2,
     " --from --to --partitions --follow --group --merge --envelope --on-gap --skip-corrupt --time --idle --line-buffered --bad --max-bad "
     "--max-line --memory --spill-max --progress --no-progress --stats --name --control --watermark-every "},
    {"consume", "DIR --group G -- CMD", 3, any, " --group --max --envelope --on-gap --skip-corrupt "},
    {"commit", "DIR --group G", 2, 2, " --group --bad --max-bad --max-line --progress --no-progress --stats "},
    {"info", "DIR", 2, 2, " --time "},
    {"groups", "DIR", 2, 2, " --time "},
    {"seek", "DIR POS --group G", 3, 3, " --group --partitions "},
    {"retain", "DIR", 2, 2, " "},
    {"compact", "DIR", 2, 2, " --tombstones --memory --arg --argjson "},
    {"archive", "DIR DIR2", 3, 3, " "},
    {"excise", "DIR --where EXPR", 2, 2, " --where --dry-run --arg --argjson "},
    {"verify", "DIR", 2, 2, " "},
    {"repair", "DIR", 2, 2, " "},
}};

std::vector<std::string_view> verb_names() {
    std::vector<std::string_view> names;
    for (const Verb& verb : verbs) {
        if (!verb.name.empty()) names.push_back(verb.name);
    }
    return names;
}

const Verb* find_verb(std::string_view name) {
    for (const Verb& verb : verbs) {
        if (verb.name == name && !name.empty()) return &verb;
    }
    return nullptr;
}

bool takes(const Verb& verb, std::string_view option) { return verb.options.find(fmt::format(" {} ", option)) != std::string_view::npos; }

constexpr const char* all_verbs = "create, append, read, consume, commit, info, groups, seek, retain, compact, archive, excise, verify or repair";

tl::unexpected<Error> no_such_verb(const LogArguments& arguments) {
    const std::string& word = arguments.words[0];
    if (arguments.words.size() > 1 && find_verb(arguments.words[1]) != nullptr) {
        return fail(ErrorKind::usage, "no verb is called " + stream::quoted(word), "the verb comes first: stream-log " + arguments.words[1] + " " + word);
    }
    const auto names = verb_names();
    const auto near = nearest(word, names);
    return fail(ErrorKind::usage, "no verb is called " + stream::quoted(word), near.empty() ? all_verbs : "did you mean " + std::string(near) + "?");
}

Result<void> set_positive(const std::string& text, DurationNs& value) {
    STREAM_TRY(into_duration(value)(text));
    if (value <= 0) return fail(ErrorKind::usage, "not a time to wait: " + stream::quoted(text));
    return {};
}

Result<void> set_sync(const std::string& text, LogArguments& arguments) {
    if (text == "batch") return {};
    if (text == "none") {
        arguments.sync = false;
        return {};
    }
    auto done = set_positive(text, arguments.gather);
    if (!done) return fail(ErrorKind::usage, done.error().message(), "batch, none, or a duration: 50ms");
    return {};
}

Result<void> set_gap_policy(const std::string& text, bool& skip) {
    if (text != "skip" && text != "fail") return fail(ErrorKind::usage, "skip or fail is wanted, not " + stream::quoted(text));
    skip = text == "skip";
    return {};
}

Result<std::uint32_t> parse_count(std::string_view text) {
    std::uint32_t count = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), count);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || text.empty()) {
        return fail(ErrorKind::usage, "not a whole number: " + stream::quoted(text));
    }
    return count;
}

constexpr std::uint32_t partitions_max = 4096;
constexpr std::uint64_t segment_least = 64u << 10;

Result<void> set_codec(const std::string& text, log::LogConfig& config) {
    config.compressed = text != "none";
    if (text == "none" || text == "zstd") return {};
    const std::string_view level = std::string_view(text).substr(std::min<std::size_t>(text.size(), 5));
    auto number = parse_count(level);
    if (!text.starts_with("zstd:") || !number || *number < 1 || *number > 19) {
        return fail(ErrorKind::usage, "--codec: no codec is called " + stream::quoted(text), "zstd:1 to zstd:19, or none");
    }
    config.level = static_cast<int>(*number);
    return {};
}

Result<std::string> plain_field(const char* option, const std::string& text) {
    auto path = parse_plain_field(text);
    if (!path) return tl::unexpected<Error>(std::move(path.error()).at(option));
    if (split_outside_brackets(text).size() > 1) {
        return fail(ErrorKind::usage, std::string(option) + ": one field, not several: " + stream::quoted(text));
    }
    return path->text;
}

void declare_making(Options& options, LogArguments& arguments) {
    options.value({"--partitions", "", "N", "create: how many (default 1); read, seek: which of them, as in 0-3,7", {}}, arguments.partitions);
    options.value({"--by", "", "FIELD", "create: the field whose value decides an event's partition", {}}, arguments.by);
    options.parsed({"--retain", "", "DUR", "create: keep events that long (default: for ever)", {}},
                   [&](const std::string& text) { return set_positive(text, arguments.retain); });
    options.parsed({"--max-bytes", "", "SIZE", "create: the oldest segments go when the log is larger", {}}, into_size64(arguments.max_bytes));
    options.flag("--compact", "", "create: the log is made to be compacted: newest event a key (needs --by)", arguments.compact);
    options.value({"--deleted", "", "EXPR", "create: what is true of an event that says its key is deleted", {}}, arguments.deleted);
    options.value({"--codec", "", "CODEC", "create: how segments are compressed (default zstd:1)", {"zstd:1", "none"}}, arguments.codec);
    options.parsed({"--segment", "", "SIZE", "create: size of a segment file (default 256MiB)", {}}, into_size64(arguments.segment));
    options.flag("--single-writer", "", "create: one writer at a time, who holds the log as long as it runs", arguments.single_writer);
}

void declare_appending(Options& options, LogArguments& arguments) {
    options.parsed({"--sync", "", "batch|DUR|none", "append: make durable what is ready (batch), what came within DUR, or nothing", {"batch", "none"}},
                   [&](const std::string& text) { return set_sync(text, arguments); });
    options.value({"--idempotency-key", "", "FIELD", "append: an event whose key was appended before is dropped", {}}, arguments.idempotency_key);
    options.parsed({"--within", "", "DUR", "append: how long such keys are kept", {}},
                   [&](const std::string& text) { return set_positive(text, arguments.within); });
    options.parsed({"--expect-offset", "", "N", "append: exit 6, and append nothing, unless the first event gets offset N", {}},
                   [&](const std::string& text) -> Result<void> {
                       std::uint64_t offset = 0;
                       STREAM_TRY(into_count(offset)(text));
                       arguments.expect_offset = offset;
                       return {};
                   });
    options.flag("--raw", "", "append: lines are any bytes, not events", arguments.raw);
    options.flag("--ack", "", "append: write a line {\"partition\",\"first\",\"last\"} for what is durable, at once", arguments.ack);
}

void declare_reading(Options& options, LogArguments& arguments) {
    options.value({"--from", "", "POS", "read: begin at start, end, offset N, the last N (-N) or a time (default start)", {}}, arguments.from);
    options.value({"--to", "", "POS", "read: stop before offset N, a time, …", {}}, arguments.to);
    options.flag("--follow", "-f", "read: wait for what is appended", arguments.follow);
    options.value({"--group", "", "NAME", "read, consume, commit, seek: the consumer group", {}}, arguments.group);
    options.flag("--merge", "", "read: partitions in one order of event time", arguments.merge);
    options.flag("--envelope", "", "read, consume: add partition, offset and append_time to each event", arguments.envelope);
    options.parsed({"--on-gap", "", "fail|skip", "read, consume: what to do where events are gone (default fail: exit 3)", {"fail", "skip"}},
                   [&](const std::string& text) { return set_gap_policy(text, arguments.skip_gaps); });
    options.flag("--skip-corrupt", "", "read, consume: pass over what is damaged, telling each place", arguments.skip_corrupt);
    options.parsed({"--max", "", "N", "consume: give the command so many records at most", {}}, into_count(arguments.max));
}

}  // namespace

Result<void> check_one_field(const char* option, const std::string& text) {
    if (text.empty()) return {};
    auto field = plain_field(option, text);
    if (!field) return pass_on(field);
    return {};
}

void declare_log_options(Tool& tool, LogArguments& arguments) {
    Options& options = tool.options();
    declare_making(options, arguments);
    declare_appending(options, arguments);
    declare_reading(options, arguments);
    options.parsed({"--tombstones", "", "DUR", "compact: how long an event that deletes its key is kept (default 1d)", {}}, into_duration(arguments.tombstones));
    options.value({"--where", "", "EXPR", "excise: which events are to be gone", {}}, arguments.where);
    options.flag("--dry-run", "", "excise: count, and change nothing", arguments.dry_run);
    tool.share(shared_time | shared_expressions);
    options.parsed({"--idle", "", "DUR", "read --merge --follow: a partition silent for so long holds nobody back", {}}, into_duration(tool.plan().idle));
    tool.share(shared_bad | shared_memory | shared_spill | shared_output | shared_report);
}

Result<void> check_log_arguments(const Options& options, const LogArguments& arguments) {
    const auto& words = arguments.words;
    if (words.empty()) return fail(ErrorKind::usage, "no verb is given", all_verbs);
    const Verb* verb = find_verb(words[0]);
    if (verb == nullptr) return no_such_verb(arguments);
    const std::string usage = fmt::format("stream-log {} {}", verb->name, verb->usage);
    for (const std::string& name : options.given_names()) {
        if (takes(*verb, name)) continue;
        std::string others;
        for (const Verb& other : verbs) {
            if (takes(other, name)) others += (others.empty() ? "" : ", ") + std::string(other.name);
        }
        return fail(ErrorKind::usage, fmt::format("{} does not go with {}", name, verb->name), others.empty() ? usage : "it goes with " + others);
    }
    if (words.size() == 1) return fail(ErrorKind::usage, fmt::format("{} needs the log's folder", verb->name), usage);
    if (words[1].empty()) return fail(ErrorKind::usage, "the log's folder is an empty name", usage);
    if (words[1].starts_with("kafka://")) return fail(ErrorKind::usage, stream::quoted(words[1]) + ": kafka:// is not built in");
    if (words.size() > verb->most) {
        return fail(ErrorKind::usage, fmt::format("{} takes no {}", verb->name, stream::quoted(words[verb->most])),
                    verb->name == "read" ? "stream-log read DIR --from " + words[verb->most] : usage);
    }
    if (words.size() < verb->least) {
        const std::string_view missing = verb->name == "seek"      ? "a position: start, end, N, -N or a time"
                                         : verb->name == "archive" ? "the folder of the archive"
                                                                   : "a command, after --";
        return fail(ErrorKind::usage, fmt::format("{} needs {}", verb->name, missing), usage);
    }
    const bool for_group = verb->name == "consume" || verb->name == "commit" || verb->name == "seek";
    if (for_group && arguments.group.empty()) return fail(ErrorKind::usage, fmt::format("{} needs --group NAME", verb->name), usage);
    if (verb->name == "excise" && arguments.where.empty()) return fail(ErrorKind::usage, "excise needs --where EXPR", usage);
    return {};
}

Result<log::LogConfig> config_of(const LogArguments& arguments, const std::string& time) {
    log::LogConfig config;
    if (arguments.partitions) {
        auto count = parse_count(*arguments.partitions);
        if (!count) return tl::unexpected<Error>(std::move(count.error()).at("--partitions"));
        if (*count < 1 || *count > partitions_max) {
            return fail(ErrorKind::usage, fmt::format("--partitions: 1 to {}, not {}", partitions_max, *count));
        }
        config.partitions = *count;
    }
    if (!arguments.by.empty()) {
        auto field = plain_field("--by", arguments.by);
        if (!field) return pass_on(field);
        config.by = std::move(*field);
    }
    if (!time.empty()) {
        auto field = plain_field("--time", time);
        if (!field) return pass_on(field);
        config.time = std::move(*field);
    }
    if (!arguments.codec.empty()) STREAM_TRY(set_codec(arguments.codec, config));
    if (arguments.segment > 0) {
        if (arguments.segment < segment_least) return fail(ErrorKind::usage, "--segment: at least " + format_size(segment_least));
        config.segment_bytes = arguments.segment;
    }
    config.retain_ns = arguments.retain;
    config.max_bytes = arguments.max_bytes;
    if (config.max_bytes > 0 && arguments.segment == 0) {
        // A ring of whole segments wants some of them.
        config.segment_bytes = std::clamp<std::uint64_t>(config.max_bytes / 8, segment_least, config.segment_bytes);
    }
    config.single_writer = arguments.single_writer;
    config.compact = arguments.compact;
    config.deleted = arguments.deleted;
    if (config.compact && config.by.empty()) return fail(ErrorKind::usage, "--compact needs --by FIELD: the newest event of each key is kept");
    return config;
}

Result<void> check_same_config(const Options& options, const LogArguments& arguments, const log::LogConfig& wanted, const log::LogConfig& there) {
    for (const std::string& name : options.given_names()) {
        const auto other = [&](bool same, const std::string& has) -> Result<void> {
            if (same) return {};
            return fail(ErrorKind::usage, fmt::format("{} is decided when a log is created: {} has {}", name, arguments.folder(), has));
        };
        const auto or_none = [](const std::string& text, bool none) { return none ? std::string("none") : text; };
        Result<void> same;
        if (name == "--partitions") same = other(wanted.partitions == there.partitions, std::to_string(there.partitions));
        if (name == "--by") same = other(wanted.by == there.by, or_none(stream::quoted(there.by), there.by.empty()));
        if (name == "--time") same = other(wanted.time == there.time, or_none(stream::quoted(there.time), there.time.empty()));
        if (name == "--retain") same = other(wanted.retain_ns == there.retain_ns, or_none(format_duration(there.retain_ns), there.retain_ns == 0));
        if (name == "--max-bytes") same = other(wanted.max_bytes == there.max_bytes, or_none(format_size(there.max_bytes), there.max_bytes == 0));
        if (name == "--segment") same = other(wanted.segment_bytes == there.segment_bytes, format_size(there.segment_bytes));
        if (name == "--compact") same = other(there.compact, "none");
        if (name == "--single-writer") same = other(there.single_writer, "none");
        if (name == "--deleted") same = other(wanted.deleted == there.deleted, or_none(stream::quoted(there.deleted), there.deleted.empty()));
        if (name == "--codec") {
            same = other(wanted.compressed == there.compressed && (!wanted.compressed || wanted.level == there.level),
                         there.compressed ? "zstd:" + std::to_string(there.level) : "none");
        }
        if (!same) return same;
    }
    return {};
}

Result<std::vector<std::uint32_t>> parse_partitions(std::string_view text, std::uint32_t count) {
    std::vector<std::uint32_t> wanted;
    for (const std::string& part : split_outside_brackets(text)) {
        const std::size_t dash = part.find('-');
        auto first = parse_count(std::string_view(part).substr(0, dash));
        auto last = parse_count(std::string_view(part).substr(dash == std::string::npos ? 0 : dash + 1));
        if (!first || !last || *first > *last) {
            return fail(ErrorKind::usage, "--partitions: not a list of partitions: " + stream::quoted(text), "--partitions 0-3,7");
        }
        if (*last >= count) {
            return fail(ErrorKind::usage, fmt::format("--partitions: there is no partition {}", *last),
                        count == 1 ? "the log has one, 0" : fmt::format("the log has 0 to {}", count - 1));
        }
        for (std::uint32_t p = *first; p <= *last; ++p) wanted.push_back(p);
    }
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    return wanted;
}

}  // namespace stream
