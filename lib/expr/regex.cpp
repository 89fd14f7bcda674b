// SPDX-License-Identifier: Apache-2.0
#include "expr/regex.hpp"

#include "base/text.hpp"
#include "expr/regex_syntax.hpp"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

namespace stream::expr {
namespace {

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

bool is_ascii(std::string_view text) {
    std::uint64_t seen = 0, word;
    for (; text.size() >= sizeof word; text.remove_prefix(sizeof word)) {
        std::memcpy(&word, text.data(), sizeof word);
        seen |= word;
    }
    for (const char c : text) seen |= static_cast<unsigned char>(c);
    return (seen & 0x8080808080808080u) == 0;
}

re2::StringPiece piece(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

struct Regex::Engine {
    Engine(std::string_view pattern, const RE2::Options& options) : re2(piece(pattern), options) {}
    RE2 re2;
};

Regex::Regex() = default;
Regex::~Regex() = default;

std::unique_ptr<Regex> Regex::compile(std::string_view pattern, std::string_view flags, std::string& why) {
    std::unique_ptr<Regex> regex(new Regex);
    bool ignore_case = false, extended = false, not_empty = false;
    for (const char c : flags) {
        switch (c) {
            case 'g':
                regex->global_ = true;
                break;
            case 'i':
                ignore_case = true;
                break;
            case 'x':
                extended = true;
                break;
            case 'n':
                not_empty = true;
                break;
            default:
                why = fmt::format("the flags {} are not known here", quoted(flags));
                return nullptr;
        }
    }
    const auto refuse = [&](std::string_view what) {
        why = fmt::format("{} {}", quoted(pattern, 60), what);
        return nullptr;
    };
    if (!is_utf8(pattern)) return refuse("is not UTF-8");
    if (extended &&
        std::any_of(pattern.begin(), pattern.end(), [](char c) { return is_blank(c) || c == '#'; })) {
        return refuse("has blanks or #, which the flag x leaves out");
    }
    RegexSyntax syntax;
    if (!translate_regex(pattern, ignore_case, syntax, why)) return nullptr;
    if (not_empty && syntax.may_be_empty) return refuse("may match nothing, which the flag n forbids");
    regex->ascii_only_ = syntax.ascii_only || ignore_case;
    regex->no_last_newline_ = syntax.has_end;
    regex->has_names_ = syntax.has_names;
    regex->names_ = std::move(syntax.names);
    if (syntax.plain && !ignore_case) {
        regex->text_ = std::move(syntax.text);
        regex->plain_ = syntax.from_begin ? (syntax.to_end ? Plain::equals : Plain::starts)
                                          : (syntax.to_end ? Plain::ends : Plain::contains);
        return regex;
    }
    RE2::Options options;
    options.set_log_errors(false);
    options.set_case_sensitive(!ignore_case);
    regex->engine_ = std::make_unique<Engine>(syntax.re2, options);
    if (!regex->engine_->re2.ok())
        return refuse(fmt::format("is not for RE2: {}", regex->engine_->re2.error()));
    return regex;
}

bool Regex::fits(std::string_view subject) const {
    if (no_last_newline_ && subject.ends_with('\n')) return false;
    return !ascii_only_ || is_ascii(subject);
}

std::size_t Regex::find_plain(std::string_view subject, std::size_t start) const {
    switch (plain_) {
        case Plain::starts:
            return start == 0 && subject.starts_with(text_) ? 0 : subject.npos;
        case Plain::equals:
            return start == 0 && subject == text_ ? 0 : subject.npos;
        case Plain::ends:
            if (!subject.ends_with(text_)) return subject.npos;
            return subject.size() - text_.size() >= start ? subject.size() - text_.size() : subject.npos;
        default:
            return subject.find(text_, start);
    }
}

bool Regex::test(std::string_view subject) const {
    if (plain_ != Plain::no) return find_plain(subject, 0) != subject.npos;
    return engine_->re2.Match(piece(subject), 0, subject.size(), RE2::UNANCHORED, nullptr, 0);
}

bool Regex::search(std::string_view subject, std::size_t start, Span* spans) const {
    if (subject.data() == nullptr) subject = "";
    if (plain_ != Plain::no) {
        const std::size_t at = find_plain(subject, start);
        if (at == subject.npos) return false;
        spans[0] = subject.substr(at, text_.size());
        return true;
    }
    re2::StringPiece found[regex_groups_max + 1];
    const std::size_t count = names_.size() + 1;
    if (!engine_->re2.Match(piece(subject), start, subject.size(), RE2::UNANCHORED, found,
                            static_cast<int>(count))) {
        return false;
    }
    for (std::size_t i = 0; i < count; ++i) spans[i] = {found[i].data(), found[i].size()};
    return true;
}

}  // namespace stream::expr
