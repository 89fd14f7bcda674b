// SPDX-License-Identifier: Apache-2.0
#include "ops/join.hpp"

#include "base/text.hpp"
#include "ops/join/interval.hpp"
#include "ops/join/table.hpp"

namespace stream {

namespace {

// Where `left=right` is split: an `=` outside quotes and brackets that is no `==`, `<=`, …; npos: nowhere.
std::size_t find_equals(std::string_view text) {
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted) {
            if (c == '\\') ++i;
            else if (c == '"') quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '(' || c == '[' || c == '{') {
            ++depth;
        } else if (c == ')' || c == ']' || c == '}') {
            --depth;
        } else if (c == '=' && depth == 0) {
            if (i + 1 < text.size() && text[i + 1] == '=') ++i;
            else if (i == 0 || std::string_view("!<>|+-*/%").find(text[i - 1]) == std::string_view::npos) return i;
        }
    }
    return std::string_view::npos;
}

Result<KeySpec> one_key(std::string_view text, std::string_view whole) {
    auto path = parse_field(text);
    if (!path) return tl::unexpected<Error>(std::move(path.error()).at("--on " + std::string(whole)));
    return KeySpec{{}, std::move(*path)};
}

}  // namespace

Result<JoinKeys> parse_join_keys(const std::vector<std::string>& arguments) {
    JoinKeys keys;
    for (const std::string& argument : arguments) {
        for (const std::string& part : split_outside_brackets(argument)) {
            const std::size_t equals = find_equals(part);
            const std::string_view left = std::string_view(part).substr(0, equals);
            const std::string_view right = equals == std::string_view::npos ? left : std::string_view(part).substr(equals + 1);
            if (left.empty() || right.empty()) return fail(ErrorKind::usage, "--on " + stream::quoted(part) + " names no field", "--on LEFT[=RIGHT],…");
            auto left_key = one_key(left, part);
            if (!left_key) return pass_on(left_key);
            auto right_key = one_key(right, part);
            if (!right_key) return pass_on(right_key);
            keys.left.push_back(std::move(*left_key));
            keys.right.push_back(std::move(*right_key));
        }
    }
    return keys;
}

Result<std::unique_ptr<Operator>> make_interval_join(IntervalJoinOptions options, FieldSet& left, FieldSet& right) {
    if (time_add(options.before, options.after) < 0) {
        return fail(ErrorKind::usage, "--before and --after leave no time in which anything matches");
    }
    return std::unique_ptr<Operator>(std::make_unique<IntervalJoin>(std::move(options), left, right));
}

Result<std::unique_ptr<Operator>> make_table_join(TableJoinOptions options, FieldSet& left, FieldSet& right) {
    if (options.type == JoinType::right || options.type == JoinType::full) {
        return fail(ErrorKind::usage, "a table's rows without events are not written: --type is inner, left, semi or anti here");
    }
    if (options.keys.left.empty()) return fail(ErrorKind::usage, "a join with a table needs --on", "--on LEFT[=RIGHT]");
    auto changes = ChangeReader::make(options.keys.right, options.deleted, options.expressions);
    if (!changes) return pass_on(changes);
    (*changes)->find_in(right);
    return std::unique_ptr<Operator>(std::make_unique<TableJoin>(std::move(options), left, std::move(*changes)));
}

}  // namespace stream
