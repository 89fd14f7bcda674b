// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"
#include "expr/parser_impl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace stream::expr {
namespace {

// Without a place to stop: bytes that are no UTF-8 count as characters.
std::size_t character_size(std::string_view text) {
    const auto first = static_cast<unsigned char>(text.front());
    const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
    return size <= text.size() && is_utf8(text.substr(0, size)) ? size : 1;
}

// What a terminal shows in one column.
std::string_view shown(std::string_view character) {
    if (character == "\t" || character == "\r") return " ";
    return character == "\\" || printable(character) == character ? character : "�";
}

std::string place_of(std::string_view program, std::size_t at) {
    const std::string_view before = program.substr(0, at);
    const std::size_t line = before.rfind('\n') + 1;  // npos + 1 is 0
    std::size_t column = 1;
    for (std::size_t i = line; i < at; i += character_size(program.substr(i))) ++column;
    return fmt::format("line {}, column {}", std::count(before.begin(), before.end(), '\n') + 1, column);
}

}  // namespace

std::string caret(std::string_view message, std::string_view program, std::size_t begin) {
    constexpr std::size_t columns = 70;
    begin = std::min(begin, program.size());
    const std::size_t start = begin == 0 ? 0 : program.rfind('\n', begin - 1) + 1;  // npos + 1 is 0
    std::size_t stop = std::min(program.find('\n', begin), program.size());
    // No more of a line than can be shown, however long it is.
    constexpr std::size_t reach = columns * 4;
    std::size_t from = begin - start > reach ? begin - reach : start;
    if (stop - begin > reach) stop = begin + reach;
    while (from < begin && (static_cast<unsigned char>(program[from]) & 0xC0) == 0x80) ++from;

    std::vector<std::string_view> characters;
    std::size_t column = 0;
    for (std::size_t at = from; at < stop;) {
        const std::size_t size = character_size(program.substr(at));
        if (at < begin) ++column;
        characters.push_back(shown(program.substr(at, size)));
        at += size;
    }
    std::size_t first = 0;
    if (characters.size() > columns && column > columns / 2) {
        first = std::min(column - columns / 2, characters.size() - columns);
    }
    const std::size_t last = std::min(first + columns, characters.size());
    const bool cut = first > 0 || from > start;
    std::string out(message);
    out += cut ? "\n…" : "\n";
    for (std::size_t i = first; i < last; ++i) out += characters[i];
    if (last < characters.size()) out += "…";
    out += '\n';
    out.append(column - first + (cut ? 1 : 0), ' ');
    out += '^';
    return out;
}

tl::unexpected<Error> Parser::wrong(const std::string& message, std::size_t place, std::string hint) const {
    return fail(ErrorKind::usage, caret(message, program_, place), std::move(hint));
}

tl::unexpected<Error> Parser::too_long(std::size_t place) const {
    return wrong(fmt::format("a chain of more than {} links", tree_height_max), place);
}

// The token that stands there is not what was wanted.
tl::unexpected<Error> Parser::unexpected(std::string_view wanted, std::string hint) const {
    if (hint.empty()) hint = hint_for_token();
    if (token_.kind == TokenKind::end) {
        return wrong(fmt::format("unexpected end of the program, wanted {}", wanted), before_.end,
                     std::move(hint));
    }
    const std::string found = token_.kind == TokenKind::quote ? "string" : quoted(token_.text, 20);
    return wrong(fmt::format("unexpected {}, wanted {}", found, wanted), token_.begin, std::move(hint));
}

// What people who come from other languages meant.
std::string Parser::hint_for_token() const {
    const bool adjacent = before_.end == token_.begin;
    const bool behind_dot = before_.is(".") && token_.kind != TokenKind::end;
    if (token_.kind == TokenKind::unknown) return hint_for_unknown();
    if (is("|") && before_.is("|") && adjacent) return "\"||\" is written or";
    if (is("=") && adjacent && (before_.is("==") || before_.is("!="))) {
        return fmt::format("\"{}=\" is written {}", before_.text, before_.text);
    }
    if (is("?//")) return "\"?\" and \"//\" want a blank between them: .a? // .b";
    if (behind_dot && is("[")) return "no dot before a bracket: .a[0]";
    if (behind_dot && is("$")) return "a name from a variable goes in brackets: .[$name]";
    if (behind_dot && (token_.kind == TokenKind::word || token_.kind == TokenKind::keyword)) {
        return fmt::format("without the blank: .{}", token_.text);
    }
    if (token_.kind == TokenKind::number && token_.text.front() == '.' && before_.kind == TokenKind::field) {
        return fmt::format("an item of an array: [{}]", token_.text.substr(1));
    }
    if (token_.kind == TokenKind::field && (before_.is("?") || before_.is("end") || before_.is(")"))) {
        return fmt::format("| {}", token_.text);
    }
    if (before_.is("?")) {
        const bool doubled = before_.begin > 0 && program_[before_.begin - 1] == '?';
        return doubled ? "\"??\" is written //" : "\"a ? b : c\" is written if a then b else c end";
    }
    if (before_.is(",") && (is("]") || is(")"))) return fmt::format("no comma before \"{}\"", token_.text);
    if (is(")") && before_.is("(")) return "a function that takes nothing has no parentheses";
    if (is(";")) return "filters are joined by |";
    return {};
}

std::string Parser::hint_for_unknown() const {
    const std::string_view text = token_.text;
    if (text == "&&" || text == "&") return fmt::format("\"{}\" is written and", text);
    if (text == "!") return "\"!x\" is written x | not";
    if (text == "\r") return "a carriage return: the program has the line ends of Windows";
    if (text == "'") {
        const std::string_view rest = program_.substr(token_.end);
        const std::size_t end = rest.find_first_of("'\"\\\n");
        if (end == rest.npos || end > 30 || rest[end] != '\'') return "strings are written in double quotes";
        return fmt::format("strings are written in double quotes: {}", quoted(rest.substr(0, end)));
    }
    const bool letter = static_cast<unsigned char>(text.front()) >= 0xC0;
    if (letter && before_.kind == TokenKind::field && before_.end == token_.begin) {
        return "a name with other letters than a-z goes in quotes: .\"größe\"";
    }
    for (const std::string_view quote : {"“", "”", "„", "‘", "’", "`"}) {
        if (text == quote) return "strings are written in straight double quotes";
    }
    return {};
}

// Takes what ends that which `opened` began.
Result<void> Parser::close(std::string_view closing, const Token& opened, std::string hint) {
    if (is(closing)) return advance();
    if (token_.kind == TokenKind::end) {
        return wrong(fmt::format("\"{}\" without its \"{}\"", opened.text, closing), opened.begin,
                     std::move(hint));
    }
    if (hint.empty()) hint = hint_for_token();
    if (hint.empty())
        hint = fmt::format("the \"{}\" of {} is still open", opened.text, place_of(program_, opened.begin));
    return unexpected(fmt::format("\"{}\"", closing), std::move(hint));
}

Result<void> Parser::want(std::string_view symbol) {
    if (is(symbol)) return advance();
    const bool bare = symbol == "$" && token_.kind == TokenKind::word;
    return unexpected(fmt::format("\"{}\"", symbol), bare ? fmt::format("${}", token_.text) : "");
}

// A name of something the program defines; a word of the language is none.
Result<void> Parser::name(std::string& out, std::string_view wanted) {
    if (token_.kind == TokenKind::keyword) {
        return unexpected(wanted, fmt::format("\"{}\" is a word of the language", token_.text));
    }
    if (token_.kind != TokenKind::word) return unexpected(wanted);
    out = token_.text;
    return advance();
}

Result<void> Parser::Nesting::check() const {
    // The program itself is no nesting.
    if (parser_.depth_ <= program_depth_max + 1) return {};
    return parser_.wrong(fmt::format("nested deeper than {} levels", program_depth_max),
                         parser_.token_.begin);
}

// What no token can be made of, so that nothing after this has to look for it.
Result<void> Parser::check_text() const {
    if (program_.size() > program_max) {
        return fail(ErrorKind::usage, fmt::format("a program of {} bytes: at most {} are read",
                                                  program_.size(), format_size(program_max)));
    }
    const std::size_t nul = program_.find('\0');
    if (nul != program_.npos) return wrong("a NUL byte in the program", nul);
    if (is_utf8(program_)) return {};
    std::size_t at = 0;
    while (is_utf8(program_.substr(at, character_size(program_.substr(at))))) {
        at += character_size(program_.substr(at));
    }
    return wrong("the program is not UTF-8", at);
}

}  // namespace stream::expr
