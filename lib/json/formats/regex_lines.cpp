// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"
#include "json/canonical.hpp"
#include "json/formats/formats.hpp"
#include "json/formats/record_format.hpp"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace stream {
namespace {

// The length of the bracket expression that `text` starts with. A ] that comes first is a member of
// it, and so is what stands in [:alpha:].
std::size_t class_length(std::string_view text) {
    std::size_t at = 1;
    if (at < text.size() && text[at] == '^') ++at;
    if (at < text.size() && text[at] == ']') ++at;
    while (at < text.size() && text[at] != ']') {
        const std::size_t posix_end = text.substr(at, 2) == "[:" ? text.find(":]", at + 2) : text.npos;
        if (posix_end != text.npos) {
            at = posix_end + 2;
        } else {
            at += text[at] == '\\' ? 2U : 1U;
        }
    }
    return std::min(at + 1, text.size());
}

// The length of the part that `text` starts with and in which no group can begin.
std::size_t opaque_length(std::string_view text) {
    if (text.starts_with("\\Q")) {
        const std::size_t end = text.find("\\E", 2);
        return end == text.npos ? text.size() : end + 2;
    }
    if (text[0] == '\\') return std::min<std::size_t>(2, text.size());
    if (text[0] == '[') return class_length(text);
    return 1;
}

// RE2 before 2023-09 knows (?P<name>…) only.
std::string with_named_groups(std::string_view expression) {
    std::string out;
    while (!expression.empty()) {
        if (expression.starts_with("(?<") && !expression.starts_with("(?<=") &&
            !expression.starts_with("(?<!")) {
            out += "(?P<";
            expression.remove_prefix(3);
            continue;
        }
        const std::size_t length = opaque_length(expression);
        out += expression.substr(0, length);
        expression.remove_prefix(length);
    }
    return out;
}

class RegexLines final : public RecordFormat {
public:
    // At least one group has a name.
    explicit RegexLines(std::unique_ptr<RE2> expression) : expression_(std::move(expression)) {
        for (const auto& [number, name] : expression_->CapturingGroupNames()) {  // ordered by number
            std::string prefix(members_.empty() ? "{" : ",");
            append_quoted(prefix, name);
            prefix += ':';
            members_.push_back({static_cast<std::size_t>(number), std::move(prefix)});
        }
        groups_.resize(members_.back().group + 1);
    }

private:
    struct Member {
        std::size_t group;
        std::string prefix;  // {"name":
    };

    Result<bool> write_event(std::string_view line, ObjectWriter& object) override {
        if (!expression_->Match({line.data(), line.size()}, 0, line.size(), RE2::UNANCHORED, groups_.data(),
                                static_cast<int>(groups_.size()))) {
            return fail(ErrorKind::data, fmt::format("does not match the expression: {}", quoted(line)));
        }
        for (const Member& member : members_) {
            object.raw(member.prefix);
            const auto& group = groups_[member.group];
            object.cell({group.data(), group.size()});
        }
        object.raw("}");
        return true;
    }

    std::unique_ptr<RE2> expression_;
    std::vector<Member> members_;
    std::vector<re2::StringPiece> groups_;
};

}  // namespace

Result<std::unique_ptr<TextFormat>> make_regex_lines(std::string_view expression) {
    RE2::Options options;
    options.set_log_errors(false);
    auto compiled = std::make_unique<RE2>(with_named_groups(expression), options);
    if (!compiled->ok()) {
        return fail(ErrorKind::usage,
                    fmt::format("not a regular expression: {}: {}", quoted(expression), compiled->error()));
    }
    std::set<std::string_view> names;
    for (const auto& [number, name] : compiled->CapturingGroupNames()) {
        if (!names.insert(name).second) {
            return fail(ErrorKind::usage, fmt::format("two groups are called {}", quoted(name)));
        }
    }
    if (names.empty()) {
        return fail(ErrorKind::usage, fmt::format("no group of {} has a name", quoted(expression)),
                    R"(name the groups that are to be members: (?<status>\d+))");
    }
    return std::make_unique<RegexLines>(std::move(compiled));
}

}  // namespace stream
