// SPDX-License-Identifier: Apache-2.0
#include "json/text_format.hpp"

#include "base/text.hpp"
#include "json/formats/formats.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace stream {
namespace {

constexpr std::string_view regex_prefix = "regex:";

tl::unexpected<Error> unknown(std::string_view name) {
    // ndjson is known elsewhere, but may have been meant.
    static constexpr std::array<std::string_view, 12> names = {"csv",      "tsv",      "logfmt",  "clf",
                                                               "combined", "syslog",   "lines",   "regex:RE",
                                                               "ndjson",   "debezium", "maxwell", "wal2json"};
    if (name == "regex")
        return fail(ErrorKind::usage, "regex needs an expression", "--format 'regex:(?<name>…)'");
    const std::string_view near = nearest(name, names);
    std::string hint = near.empty() ? "the formats:" : "--format";
    if (!near.empty()) {
        hint.append(" ").append(near);
    } else {
        for (const std::string_view known : names) hint.append(" ").append(known);
    }
    return fail(ErrorKind::usage, fmt::format("no format is called {}", quoted(name)), std::move(hint));
}

}  // namespace

Result<std::unique_ptr<TextFormat>> make_text_format(const TextFormatOptions& options) {
    const std::string_view name = options.name;
    if (name == "csv") return make_csv(options);
    if (name == "tsv") return make_tsv(options);
    if (!options.columns.empty()) {
        return fail(ErrorKind::usage,
                    fmt::format("only csv and tsv have columns to name, {} does not", quoted(name)));
    }
    if (name == "logfmt") return make_logfmt();
    if (name == "clf" || name == "combined") return make_access_log(options, name == "combined");
    if (name == "syslog") return make_syslog(options);
    if (name == "lines") return make_lines();
    if (name == "debezium") return make_debezium();
    if (name == "maxwell") return make_maxwell();
    if (name == "wal2json") return make_wal2json();
    if (name.starts_with(regex_prefix)) return make_regex_lines(name.substr(regex_prefix.size()));
    return unknown(name);
}

}  // namespace stream
