// SPDX-License-Identifier: Apache-2.0
// Reads a regular expression of jq's language and writes it as RE2 has it. What does not mean the same in
// both, or is not known to, is refused.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace stream::expr {

inline constexpr std::size_t regex_groups_max = 63;

struct RegexSyntax {
    std::string re2;                 // the pattern for RE2, with its default options
    std::vector<std::string> names;  // of the groups in order, empty for a group without one
    bool has_names = false;
    bool may_be_empty = false;  // may match nothing
    bool ascii_only = false;    // something in it knows Unicode in one engine only
    bool has_end = false;       // a $, which in one engine also stands before a last newline
    // The pattern is `text`, perhaps between ^ and $.
    bool plain = true, from_begin = false, to_end = false;
    std::string text;
};

// False and `why`: `"(?=x)" looks ahead, which RE2 does not`. `pattern` is UTF-8.
bool translate_regex(std::string_view pattern, bool ignore_case, RegexSyntax& to, std::string& why);

}  // namespace stream::expr
