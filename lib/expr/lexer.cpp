// SPDX-License-Identifier: Apache-2.0
#include "expr/lexer.hpp"

#include "base/text.hpp"
#include "expr/parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace stream::expr {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name(char c) { return is_letter(c) || is_digit(c); }

constexpr auto keywords = std::to_array<std::string_view>(
    {"as", "import", "include", "module", "def", "if", "then", "else", "elif", "and", "or", "end", "reduce",
     "foreach", "try", "catch", "label", "break", "__loc__"});

// Longer ones first.
constexpr auto symbols = std::to_array<std::string_view>(
    {"?//", "//=", "!=", "==", "|=", "+=", "-=", "*=", "/=", "%=", "<=", ">=", "//", "?", "=", ";", ",",
     ":",   "|",   "+",  "-",  "*",  "/",  "%",  "$",  "<",  ">",  "[",  "]",  "{",  "}", "(", ")"});

// Digits around at most one point. jq takes "1." and ".5".
bool is_number(std::string_view text) {
    const std::string_view mantissa = text.substr(0, text.find_first_of("eE"));
    return std::count(mantissa.begin(), mantissa.end(), '.') <= 1 &&
           std::any_of(mantissa.begin(), mantissa.end(), is_digit);
}

std::size_t character_size(std::string_view text) {
    const auto first = static_cast<unsigned char>(text.front());
    const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
    return std::min(size, text.size());
}

void append_utf8(std::string& out, unsigned character) {
    const auto put = [&](unsigned byte) { out.push_back(static_cast<char>(byte)); };
    if (character < 0x80) {
        put(character);
    } else if (character < 0x800) {
        put(0xC0 | character >> 6);
        put(0x80 | (character & 0x3F));
    } else if (character < 0x10000) {
        put(0xE0 | character >> 12);
        put(0x80 | (character >> 6 & 0x3F));
        put(0x80 | (character & 0x3F));
    } else {
        put(0xF0 | character >> 18);
        put(0x80 | (character >> 12 & 0x3F));
        put(0x80 | (character >> 6 & 0x3F));
        put(0x80 | (character & 0x3F));
    }
}

}  // namespace

bool is_keyword(std::string_view name) {
    return std::find(keywords.begin(), keywords.end(), name) != keywords.end();
}

// jq 1.6 knows no other blanks: a carriage return outside a comment is an error.
void Lexer::skip_blanks() {
    while (at_ < program_.size()) {
        const char c = program_[at_];
        if (c == '#') {
            at_ = std::min(program_.find('\n', at_), program_.size());
        } else if (c == ' ' || c == '\t' || c == '\n') {
            ++at_;
        } else {
            return;
        }
    }
}

// What begins with a digit or a point.
Result<void> Lexer::number_or_dots(Token& token) {
    std::size_t size = 0;
    while (is_digit(peek(size)) || peek(size) == '.') ++size;
    std::size_t exponent = size;
    if (peek(exponent) == 'e' || peek(exponent) == 'E') {
        ++exponent;
        if (peek(exponent) == '+' || peek(exponent) == '-') ++exponent;
        if (is_digit(peek(exponent))) {
            while (is_digit(peek(exponent))) ++exponent;
            size = exponent;
        }
    }
    std::size_t name = 0;
    if (peek() == '.' && is_letter(peek(1))) {
        name = 2;
        while (is_name(peek(name))) ++name;
    }
    if (name > size) {
        token.kind = TokenKind::field;
        token.text = program_.substr(at_, name);
        return {};
    }
    token.text = program_.substr(at_, size);
    if (token.text == "." || token.text == "..") {
        token.kind = TokenKind::symbol;
        return {};
    }
    token.kind = TokenKind::number;
    if (is_number(token.text)) return {};
    std::string hint;
    if (name != 0) hint = fmt::format(".\"{}\"", program_.substr(at_ + 1, name - 1));
    return fail(ErrorKind::usage, caret("not a number: " + quoted(token.text), program_, at_),
                std::move(hint));
}

Result<void> Lexer::next(Token& token) {
    skip_blanks();
    token = {};
    token.begin = at_;
    if (at_ < program_.size()) {
        const char c = program_[at_];
        const std::string_view rest = program_.substr(at_);
        std::size_t size = 1;
        if (is_digit(c) || c == '.') {
            STREAM_TRY(number_or_dots(token));
            size = token.text.size();
        } else if (is_letter(c)) {
            while (is_name(peek(size))) ++size;
            while (peek(size) == ':' && peek(size + 1) == ':' && is_letter(peek(size + 2))) {
                size += 2;
                while (is_name(peek(size))) ++size;
            }
            token.kind = is_keyword(rest.substr(0, size)) ? TokenKind::keyword : TokenKind::word;
        } else if (c == '@' && is_name(peek(1))) {
            while (is_name(peek(size))) ++size;
            token.kind = TokenKind::format;
        } else if (c == '"') {
            token.kind = TokenKind::quote;
        } else {
            const auto* const found = std::find_if(
                symbols.begin(), symbols.end(),
                [&](std::string_view symbol) { return rest.substr(0, symbol.size()) == symbol; });
            token.kind = found == symbols.end() ? TokenKind::unknown : TokenKind::symbol;
            size =
                found == symbols.end() ? rest.substr(0, 2) == "&&" ? 2 : character_size(rest) : found->size();
        }
        token.text = rest.substr(0, size);
        at_ += size;
    }
    token.end = at_;
    return {};
}

bool Lexer::hex4(std::size_t at, unsigned& value) const {
    if (program_.size() < at + 4) return false;
    value = 0;
    for (const char c : program_.substr(at, 4)) {
        const unsigned digit = is_digit(c)            ? static_cast<unsigned>(c - '0')
                               : c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a') + 10
                               : c >= 'A' && c <= 'F' ? static_cast<unsigned>(c - 'A') + 10
                                                      : 16U;
        if (digit == 16) return false;
        value = value << 4 | digit;
    }
    return true;
}

// At a backslash. JSON's escapes; half a surrogate pair is an error where it is the first half, and
// U+FFFD where it is the second, as jq has it.
Result<void> Lexer::escape(std::string& out) {
    const std::size_t begin = at_;
    const char c = peek(1);
    const auto bad = [&](const std::string& message, std::string hint = {}) {
        return fail(ErrorKind::usage, caret(message, program_, begin), std::move(hint));
    };
    if (c != 'u') {
        constexpr std::string_view letters = "\"\\/bfnrt";
        constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
        const std::size_t which = c == '\0' ? letters.npos : letters.find(c);
        if (which == letters.npos) {
            const std::string_view rest = program_.substr(begin + 1);
            const std::string_view shown = rest.empty() ? rest : rest.substr(0, character_size(rest));
            return bad("no such escape in a string: " + quoted(program_.substr(begin, 1 + shown.size())),
                       shown.empty() || shown == "\n" ? "" : "a backslash itself is written \\\\");
        }
        out.push_back(meanings[which]);
        at_ += 2;
        return {};
    }
    unsigned character = 0;
    if (!hex4(begin + 2, character)) return bad("\"\\u\" without four hexadecimal digits");
    at_ += 6;
    if (character >= 0xD800 && character <= 0xDBFF) {
        unsigned low = 0;
        const bool pair =
            program_.substr(at_, 2) == "\\u" && hex4(at_ + 2, low) && low >= 0xDC00 && low <= 0xDFFF;
        if (!pair) {
            return bad(quoted(program_.substr(begin, 6)) + " is half a character",
                       "its second half, \\udc00 to \\udfff, must follow");
        }
        at_ += 6;
        character = 0x10000 + ((character - 0xD800) << 10 | (low - 0xDC00));
    } else if (character >= 0xDC00 && character <= 0xDFFF) {
        character = 0xFFFD;
    }
    append_utf8(out, character);
    return {};
}

Result<void> Lexer::string_chunk(std::size_t opened, Chunk& chunk) {
    chunk = {};
    for (;;) {
        const std::size_t stop = program_.find_first_of("\"\\", at_);
        if (stop == program_.npos || (program_[stop] == '\\' && stop + 1 == program_.size())) {
            return fail(ErrorKind::usage, caret("a string that does not end", program_, opened));
        }
        chunk.text += program_.substr(at_, stop - at_);
        at_ = stop;
        if (program_[at_] == '"') {
            ++at_;
            return {};
        }
        if (peek(1) == '(') {
            at_ += 2;
            chunk.interpolation = true;
            return {};
        }
        STREAM_TRY(escape(chunk.text));
    }
}

}  // namespace stream::expr
