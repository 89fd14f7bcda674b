// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "base/text.hpp"
#include "cli/tool.hpp"
#include "json/keys.hpp"
#include "ops/map.hpp"

namespace {

using namespace stream;

struct Arguments {
    std::vector<std::string> words;
    std::vector<std::string> set;
    std::vector<std::string> drop;
    std::vector<std::string> keep;
    bool raw = false;
    bool explain = false;
};

Result<void> read_fields(const std::vector<std::string>& given, const char* option, std::vector<FieldPath>& paths) {
    for (const std::string& text : given) {
        for (const std::string& part : split_outside_brackets(text)) {
            auto path = parse_plain_field(part);
            if (!path) {
                return fail(ErrorKind::usage, std::string(option) + ": " + path.error().message(), "name fields, such as user.email, separated by commas");
            }
            paths.push_back(std::move(*path));
        }
    }
    return {};
}

Result<std::unique_ptr<Operator>> build(Tool& tool, Arguments& given) {
    MapOptions map;
    map.raw = given.raw;
    STREAM_TRY(read_fields(given.drop, "--drop", map.drop));
    STREAM_TRY(read_fields(given.keep, "--keep", map.keep));
    std::string explained;
    for (const std::string& text : given.set) {
        const std::size_t equals = text.find('=');
        if (equals == std::string::npos || equals == 0 || text.find_first_not_of(" \t\n", equals + 1) == std::string::npos) {
            return fail(ErrorKind::usage, "--set: NAME=EXPR is wanted, not " + stream::quoted(text), "--set 'kb=.bytes / 1024'");
        }
        if (text[0] == '.') {
            return fail(ErrorKind::usage, "--set: a member's name is wanted, not " + stream::quoted(text.substr(0, equals)),
                        "--set '" + text.substr(1) + "'; a path is set by an EXPR: '.a.b = 1'");
        }
        auto made = expr::Expression::make(std::string_view(text).substr(equals + 1), tool.plan().expressions, tool.fields());
        if (!made) return pass_on(made);
        explained += text.substr(0, equals) + ": " + made->explain();
        map.set.push_back({text.substr(0, equals), std::move(*made)});
    }
    // Told at the end where no event had one.
    for (const auto* paths : {&map.drop, &map.keep}) {
        for (const FieldPath& path : *paths) tool.fields().add(path);
    }
    // What is set is kept where it stands.
    for (std::size_t i = 0; !given.keep.empty() && i < map.set.size(); ++i) {
        FieldPath path;
        path.text = map.set[i].name;
        path.steps.push_back({path.text, -1});
        map.keep.push_back(std::move(path));
    }
    std::optional<expr::Expression> expression;
    if (map.edits()) {
        // Then there is nothing more to say than what to read.
        for (const std::string& word : given.words) {
            const bool meant = word == "." || word.find_first_of("{}|()") != std::string::npos || (word.size() > 1 && word[0] == '.' && word.find('/') == std::string::npos && !word.starts_with(".."));
            if (!meant || (word != "." && ::access(word.c_str(), F_OK) == 0)) continue;
            return fail(ErrorKind::usage, "no file " + stream::quoted(word) + "; with --set, --drop or --keep there is no EXPR",
                        "stream-map --keep a | stream-map '…', or all of it in one EXPR");
        }
        if (map.raw) return fail(ErrorKind::usage, "-r goes with an EXPR, not with --set, --drop or --keep");
        tool.plan().files = given.words;
    } else {
        auto program = tool.take_expression(given.words, "{ts, path}");
        if (!program) return pass_on(program);
        auto made = expr::Expression::make(*program, tool.plan().expressions, tool.fields());
        if (!made) return pass_on(made);
        explained = made->explain();
        expression.emplace(std::move(*made));
    }
    if (given.explain) {
        tool.answer(explained.empty() ? "no expression\n" : explained);
        return nullptr;
    }
    if (map.raw && !tool.plan().time_field.empty()) return fail(ErrorKind::usage, "--time goes with events, not with -r");
    tool.plan().stateless = true;
    tool.plan().operator_fields = tool.fields().size();
    const bool raw = map.raw;
    auto op = std::make_unique<Map>(std::move(expression), std::move(map));
    // With --time it is said which time they are from, and that it is another one.
    tool.changes_members([op = op.get(), told = !tool.plan().time_field.empty()](const MemberNames& member) { return told || op->may_change(member); });
    tool.plan().own_watermarks = !raw;
    return op;
}

}  // namespace

int main(int argc, char** argv) {
    Tool tool("stream-map", "events made of events, by an expression of jq's language",
              "stream-map EXPR [OPTION…] [FILE…]\n       stream-map [--set NAME=EXPR] [--drop FIELD,…] [--keep FIELD,…] [OPTION…] [FILE…]");
    Options& options = tool.options();
    options.example("stream-map '{ts, path, kb: (.bytes / 1024)}' access.ndjson", "some members, one of them computed");
    options.example("stream-map --set 'slow=.latency_ms > 500' --drop user access.ndjson", "edits; all other bytes stay as they are");
    options.example("stream-map 'select(.status >= 500) | {ts, path, status}' access.ndjson", "choose and reshape at once");
    options.example("stream-map '.items[] + {ts, order_id}' orders.ndjson", "an event for each element of an array");
    options.example("stream-map -r '[.ts, .path, .status] | @csv' access.ndjson", "text out: CSV");
    Arguments arguments;
    options.positionals({"EXPR [FILE…]", "EXPR: what to make of each event, in jq's language; none with --set, --drop, --keep.\n    FILE: what to read; - is stdin", {}, true}, arguments.words);
    options.values({"--set", "", "NAME=EXPR", "add or replace a member; EXPR sees the event as it came", {}}, arguments.set);
    options.values({"--drop", "", "FIELD,…", "take members out", {}}, arguments.drop);
    options.values({"--keep", "", "FIELD,…", "keep only these members (and those of --set)", {}}, arguments.keep);
    options.flag("--raw", "-r", "write results as text, strings without quotes; no events then", arguments.raw);
    options.flag("--explain", "", "say how EXPR runs (compiled, or in libjq and why), and read nothing", arguments.explain);
    options.parsed({"--time", "", "FIELD", "with control lines: write watermarks, from this field of the results (default: where they may have another time)", {}},
                   [&](const std::string& text) -> Result<void> {
                       auto field = parse_plain_field(text);
                       if (!field) return pass_on(field);
                       tool.plan().time_field = field->text;
                       return {};
                   });
    options.parsed({"--lateness", "", "DUR", "with control lines: how far the results may be out of order (default 0s)", {}},
                   [&](const std::string& text) -> Result<void> {
                       tool.plan().lateness_given = true;
                       return into_duration(tool.plan().lateness)(text);
                   });
    tool.share(shared_expressions | shared_bad | shared_output | shared_report);
    return tool.run(argc, argv, [&] { return build(tool, arguments); });
}
