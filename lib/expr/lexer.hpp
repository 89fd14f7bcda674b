// SPDX-License-Identifier: Apache-2.0
// The words of jq 1.6's language, as its flex rules cut them: the longest match wins, so `?//` is one
// word, `.a.0` ends in a number, and `.e1` is a number gone wrong.
#pragma once

#include "base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace stream::expr {

enum class TokenKind : std::uint8_t {
    end,
    word,     // a name: map, a::b
    keyword,  // if, and, __loc__
    field,    // .name
    number,
    format,   // @csv
    quote,    // the " that begins a string; its inside comes from Lexer::string_chunk
    symbol,   // | // |= ( ?// …
    unknown,  // no word of the language; the parser says what it wanted in its place
};

struct Token {
    TokenKind kind = TokenKind::end;
    std::size_t begin = 0;
    std::size_t end = 0;
    std::string_view text;  // as in the program

    bool is(std::string_view wanted) const {
        return (kind == TokenKind::symbol || kind == TokenKind::keyword) && text == wanted;
    }
    bool begins_string() const { return kind == TokenKind::quote || kind == TokenKind::format; }
};

class Lexer {
public:
    // `program` outlives the lexer and its tokens. It is UTF-8 without NUL.
    explicit Lexer(std::string_view program) : program_(program) {}

    Result<void> next(Token& token);

    // What stands in a string up to its end or the next `\(`, unescaped. Called behind the quote
    // and, for what follows an interpolation, right behind its `)`. `opened`: the place of the quote.
    struct Chunk {
        std::string text;
        bool interpolation = false;  // ended by \( and not by "
    };
    Result<void> string_chunk(std::size_t opened, Chunk& chunk);

    std::size_t place() const { return at_; }

private:
    void skip_blanks();
    Result<void> number_or_dots(Token& token);
    Result<void> escape(std::string& out);
    bool hex4(std::size_t at, unsigned& value) const;
    char peek(std::size_t ahead = 0) const {
        return at_ + ahead < program_.size() ? program_[at_ + ahead] : '\0';
    }

    std::string_view program_;
    std::size_t at_ = 0;
};

bool is_keyword(std::string_view name);

}  // namespace stream::expr
