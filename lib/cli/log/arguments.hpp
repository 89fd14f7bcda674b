// SPDX-License-Identifier: Apache-2.0
// The command line of stream-log: its verbs, what each takes, and the options.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "cli/tool.hpp"
#include "log/manifest.hpp"
#include "time/timestamp.hpp"

namespace stream {

struct LogArguments {
    std::vector<std::string> words;  // VERB DIR …

    // create, and append where it creates
    std::optional<std::string> partitions;  // N; of readers: 0-3,7
    std::string by;
    DurationNs retain = 0;
    std::uint64_t max_bytes = 0;
    bool compact = false;
    std::string deleted;
    std::string codec;
    std::uint64_t segment = 0;
    bool single_writer = false;

    // append
    bool sync = true;
    DurationNs gather = 0;
    std::string idempotency_key;
    DurationNs within = 0;
    std::optional<std::uint64_t> expect_offset;
    bool raw = false;
    bool ack = false;

    // read, consume
    std::string from;
    std::string to;
    bool follow = false;
    std::string group;
    bool merge = false;
    bool envelope = false;
    bool skip_gaps = false;
    bool skip_corrupt = false;
    std::uint64_t max = 0;

    // compact, excise
    DurationNs tombstones = ns_per_day;
    std::string where;
    bool dry_run = false;

    const std::string& verb() const { return words[0]; }
    const std::string& folder() const { return words[1]; }
};

void declare_log_options(Tool& tool, LogArguments& arguments);

// Verb, number of words, and that every option given is one of the verb's. ErrorKind::usage.
Result<void> check_log_arguments(const Options& options, const LogArguments& arguments);

// What the options of create say; --time is `time`.
Result<log::LogConfig> config_of(const LogArguments& arguments, const std::string& time);
// ErrorKind::usage where an option of create that was given says other than the log's config does.
Result<void> check_same_config(const Options& options, const LogArguments& arguments, const log::LogConfig& wanted, const log::LogConfig& there);

// ErrorKind::usage for what is not exactly one field (an expression, several); nothing is fine.
Result<void> check_one_field(const char* option, const std::string& text);

// "0-3,7", sorted; all below `count`.
Result<std::vector<std::uint32_t>> parse_partitions(std::string_view text, std::uint32_t count);

}  // namespace stream
