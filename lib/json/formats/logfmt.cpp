// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"
#include "json/formats/formats.hpp"
#include "json/formats/record_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace stream {
namespace {

bool is_space(char c) { return static_cast<unsigned char>(c) <= ' '; }

void append_utf8(std::string& out, std::uint32_t code) {
    const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xC0 | (code >> 6));
        put(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        put(0xE0 | (code >> 12));
        put(0x80 | ((code >> 6) & 0x3F));
        put(0x80 | (code & 0x3F));
    } else {
        put(0xF0 | (code >> 18));
        put(0x80 | ((code >> 12) & 0x3F));
        put(0x80 | ((code >> 6) & 0x3F));
        put(0x80 | (code & 0x3F));
    }
}

// The code unit of the \uXXXX that `text` starts with; none if it does not.
constexpr std::uint32_t none = 0x110000;
std::uint32_t code_unit(std::string_view text) {
    if (text.size() < 6 || text[0] != '\\' || text[1] != 'u') return none;
    std::uint32_t code = 0;
    for (const char c : text.substr(2, 4)) {
        const char lower = static_cast<char>(c | 0x20);
        const bool digit = c >= '0' && c <= '9';
        if (!digit && (lower < 'a' || lower > 'f')) return none;
        code = code * 16 + static_cast<std::uint32_t>(digit ? c - '0' : lower - 'a' + 10);
    }
    return code;
}

// Unescapes the \uXXXX, or the two that make a surrogate pair, at the front; its length, 0 if none is
// there. Half a pair is U+FFFD.
std::size_t append_code(std::string& out, std::string_view text) {
    constexpr std::uint32_t replacement = 0xFFFD;
    const std::uint32_t code = code_unit(text);
    if (code == none) return 0;
    if (code >= 0xD800 && code < 0xDC00) {
        const std::uint32_t low = code_unit(text.substr(6));
        if (low >= 0xDC00 && low < 0xE000) {
            append_utf8(out, 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00));
            return 12;
        }
    }
    append_utf8(out, code >= 0xD800 && code < 0xE000 ? replacement : code);
    return 6;
}

void append_unescaped_value(std::string& out, std::string_view text) {
    constexpr std::string_view letters = "\"\\/bfnrt";
    constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    while (!text.empty()) {
        const std::size_t plain = std::min(text.find('\\'), text.size());
        out += text.substr(0, plain);
        text.remove_prefix(plain);
        if (text.empty()) return;
        std::size_t length = append_code(out, text);
        if (length == 0) {
            const std::size_t letter = text.size() > 1 ? letters.find(text[1]) : letters.npos;
            out += letter == letters.npos ? '\\' : meanings[letter];
            length = letter == letters.npos ? 1 : 2;
        }
        text.remove_prefix(length);
    }
}

class Logfmt final : public RecordFormat {
private:
    enum class Kind : std::uint8_t { bare, cell, quoted };
    struct Pair {
        std::string_view key;
        std::string_view value;  // without its quotes, escapes and all
        Kind kind = Kind::bare;
    };

    Result<bool> write_event(std::string_view line, ObjectWriter& object) override;
    static Result<Pair> take_pair(std::string_view& rest);
    void add(const Pair& pair);
    void write(const Pair& pair, ObjectWriter& object);

    std::vector<Pair> pairs_;
    std::unordered_map<std::string_view, std::size_t> places_;  // of keys, once there are many
    std::string unescaped_;
};

Result<bool> Logfmt::write_event(std::string_view line, ObjectWriter& object) {
    pairs_.clear();
    places_.clear();
    while (true) {
        while (!line.empty() && is_space(line[0])) line.remove_prefix(1);
        if (line.empty()) break;
        const auto pair = take_pair(line);
        if (!pair) return fail(ErrorKind::data, pair.error().message());
        add(*pair);
    }
    if (pairs_.empty()) return false;
    for (const Pair& pair : pairs_) {
        object.raw(&pair == &pairs_.front() ? "{" : ",");
        object.string(pair.key);
        object.raw(":");
        write(pair, object);
    }
    object.raw("}");
    return true;
}

Result<Logfmt::Pair> Logfmt::take_pair(std::string_view& rest) {
    Pair pair;
    std::size_t length = 0;
    while (length < rest.size() && !is_space(rest[length]) && rest[length] != '=' && rest[length] != '"') {
        ++length;
    }
    if (length == 0 || (length < rest.size() && rest[length] == '"')) {
        return fail(ErrorKind::data, fmt::format("not key=value: {}", quoted(rest)));
    }
    pair.key = rest.substr(0, length);
    rest.remove_prefix(length);
    if (!rest.starts_with('=')) return pair;
    rest.remove_prefix(1);
    if (!rest.starts_with('"')) {
        length = 0;
        while (length < rest.size() && !is_space(rest[length])) ++length;
        pair.kind = Kind::cell;
        pair.value = rest.substr(0, length);
        rest.remove_prefix(length);
        return pair;
    }
    rest.remove_prefix(1);
    length = 0;
    while (length < rest.size() && rest[length] != '"') length += rest[length] == '\\' ? 2U : 1U;
    if (length >= rest.size()) {
        return fail(ErrorKind::data,
                    fmt::format("the quote after {}= is not closed", printable(pair.key, 40)));
    }
    pair.kind = Kind::quoted;
    pair.value = rest.substr(0, length);
    rest.remove_prefix(length + 1);
    if (!rest.empty() && !is_space(rest[0])) {
        return fail(ErrorKind::data, fmt::format("text after the closing quote of {}=: {}",
                                                 printable(pair.key, 40), quoted(rest)));
    }
    return pair;
}

void Logfmt::add(const Pair& pair) {
    constexpr std::size_t few = 16;
    if (pairs_.size() < few) {
        for (Pair& earlier : pairs_) {
            if (earlier.key == pair.key) {
                earlier = pair;
                return;
            }
        }
    } else {
        if (places_.empty()) {
            for (std::size_t i = 0; i < pairs_.size(); ++i) places_.emplace(pairs_[i].key, i);
        }
        const auto [place, is_new] = places_.emplace(pair.key, pairs_.size());
        if (!is_new) {
            pairs_[place->second] = pair;
            return;
        }
    }
    pairs_.push_back(pair);
}

void Logfmt::write(const Pair& pair, ObjectWriter& object) {
    switch (pair.kind) {
        case Kind::bare:
            return object.raw("true");
        case Kind::cell:
            return object.cell(pair.value);
        case Kind::quoted:
            break;
    }
    if (pair.value.find('\\') == pair.value.npos) return object.string(pair.value);
    unescaped_.clear();
    append_unescaped_value(unescaped_, pair.value);
    object.string(unescaped_);
}

}  // namespace

Result<std::unique_ptr<TextFormat>> make_logfmt() { return std::make_unique<Logfmt>(); }

}  // namespace stream
