// SPDX-License-Identifier: Apache-2.0
// Regular expressions of jq's language (Oniguruma, ONIG_SYNTAX_PERL_NG with capturing groups, as jq 1.6
// calls it), run by RE2 where both mean the same: the pattern is read, checked and written anew. In that
// syntax ^ is the beginning of the subject only, and $ its end or the newline that ends it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace stream::expr {

// A part of the subject that matched; data() is nullptr for a group that took no part.
using Span = std::string_view;

class Regex {
public:
    // `flags`: g, i, and x and n where they change nothing. nullptr and `why` (one line: `"(?=x)" looks
    // ahead, which RE2 does not`) if this is not the same in both engines, or is no regular expression.
    static std::unique_ptr<Regex> compile(std::string_view pattern, std::string_view flags, std::string& why);
    ~Regex();
    Regex(const Regex&) = delete;
    Regex& operator=(const Regex&) = delete;

    bool global() const { return global_; }
    std::size_t groups() const { return names_.size(); }
    // Of a group, from 0; empty if it has none.
    const std::string& name(std::size_t group) const { return names_[group]; }
    bool has_names() const { return has_names_; }

    // Whether both engines agree about this subject (UTF-8). Only then ask for matches.
    bool fits(std::string_view subject) const;
    bool test(std::string_view subject) const;
    // The first match at or after byte `start`, ^ and \b still seeing what is before it: the match in
    // spans[0], then the groups. `spans` has at least groups() + 1 places.
    bool search(std::string_view subject, std::size_t start, Span* spans) const;

private:
    // A pattern that is plain text is found without RE2.
    enum class Plain : std::uint8_t { no, contains, starts, ends, equals };
    struct Engine;
    Regex();
    std::size_t find_plain(std::string_view subject, std::size_t start) const;

    std::unique_ptr<Engine> engine_;
    std::vector<std::string> names_;
    std::string text_;  // of a plain pattern
    Plain plain_ = Plain::no;
    bool has_names_ = false;
    bool global_ = false;
    bool ascii_only_ = false;       // \w and the like know Unicode in one engine only
    bool no_last_newline_ = false;  // $ stands before one in one engine only
};

}  // namespace stream::expr
