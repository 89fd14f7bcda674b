// SPDX-License-Identifier: Apache-2.0
// Builtins on strings, with the results of jq 1.6.
#include "expr/run.hpp"

#include <algorithm>
#include <charconv>
#include <string>
#include <system_error>

namespace stream::expr {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Whether a text is JSON by RFC 8259, strictly.
class Checker {
public:
    explicit Checker(std::string_view text) : text_(text) {}
    bool is_value() { return value(0) && at_ == text_.size(); }
    bool is_number() { return number() && at_ == text_.size(); }

private:
    static constexpr unsigned depth_max = 200;  // libjq's own limit is a little further

    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    bool eat(char c) { return peek() == c && at_ < text_.size() ? ++at_, true : false; }
    bool eat(std::string_view word) {
        if (!text_.substr(at_).starts_with(word)) return false;
        at_ += word.size();
        return true;
    }
    void skip_space() {
        while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++at_;
    }
    bool digits() {
        const std::size_t begin = at_;
        while (is_digit(peek())) ++at_;
        return at_ > begin;
    }

    bool value(unsigned depth) {
        if (depth > depth_max) return false;
        switch (peek()) {
            case '{':
                return container(depth, '}', true);
            case '[':
                return container(depth, ']', false);
            case '"':
                return string();
            case 't':
                return eat("true");
            case 'f':
                return eat("false");
            case 'n':
                return eat("null");
            default:
                return number();
        }
    }
    bool container(unsigned depth, char end, bool named) {
        ++at_;
        skip_space();
        if (eat(end)) return true;
        for (;;) {
            skip_space();
            if (named) {
                if (!string()) return false;
                skip_space();
                if (!eat(':')) return false;
                skip_space();
            }
            if (!value(depth + 1)) return false;
            skip_space();
            if (eat(end)) return true;
            if (!eat(',')) return false;
        }
    }
    bool string() {
        if (!eat('"')) return false;
        while (at_ < text_.size()) {
            const char c = text_[at_++];
            if (c == '"') return true;
            if (static_cast<unsigned char>(c) < 0x20) return false;
            if (c == '\\' && !escape()) return false;
        }
        return false;
    }
    // Half a surrogate pair is an error to jq in one case and U+FFFD in the other: not here.
    bool escape() {
        if (!eat('u')) {
            if (at_ >= text_.size()) return false;
            return std::string_view("\"\\/bfnrt").find(text_[at_++]) != std::string_view::npos;
        }
        unsigned code = 0, second = 0;
        if (!hex(code) || (code >= 0xDC00 && code <= 0xDFFF)) return false;
        if (code < 0xD800 || code > 0xDBFF) return true;
        return eat("\\u") && hex(second) && second >= 0xDC00 && second <= 0xDFFF;
    }
    bool hex(unsigned& code) {
        const std::string_view four = text_.substr(at_, 4);
        at_ += four.size();
        return four.size() == 4 && std::all_of(four.begin(), four.end(), is_hex) &&
               std::from_chars(four.data(), four.data() + 4, code, 16).ec == std::errc();
    }
    bool number() {
        eat('-');
        if (!eat('0') && !digits()) return false;
        if (eat('.') && !digits()) return false;
        if (!eat('e') && !eat('E')) return true;
        if (!eat('-')) eat('+');
        return digits();
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

// --- pieces ------------------------------------------------------------------------------------------

// The first character of UTF-8 that is not empty.
std::string_view first_character(std::string_view text) {
    std::size_t size = 1;
    while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) ++size;
    return text.substr(0, size);
}

Val split(Run& run, Val in, const Val* args) {
    if (!in.is_string() || !args[0].is_string())
        return run.fail("split input and separator must be strings", in);
    std::string_view rest = utf8_of(run.arena, in);
    const std::string_view separator = utf8_of(run.arena, args[0]);
    ArrayBuilder parts(run.arena);
    if (rest.empty()) return parts.finish();
    if (separator.empty()) {
        for (; !rest.empty(); rest.remove_prefix(first_character(rest).size())) {
            parts.add(Val::of_string(first_character(rest)));
        }
        return parts.finish();
    }
    for (;;) {
        const std::size_t at = rest.find(separator);
        parts.add(Val::of_string(rest.substr(0, at)));
        if (at == rest.npos) return parts.finish();
        rest.remove_prefix(at + separator.size());
    }
}

Val join(Run& run, Val in, const Val* args) {
    if (!in.is_array() && !in.is_object()) return run.fail("cannot iterate over %A", in);
    std::string text;
    bool first = true;
    Val failed;
    const auto add = [&](Val item) {
        run.step();
        run.arena.check_text(text.size());
        if (!first && !args[0].is_null()) {
            if (!args[0].is_string())
                return failed = run.fail("%A and %B cannot be added", Val::of_string(run.arena.copy(text)),
                                         args[0]),
                       false;
            text += utf8_of(run.arena, args[0]);
        }
        first = false;
        if (item.is_string()) {
            text += utf8_of(run.arena, item);
        } else if (item.is_boolean() || item.is_number()) {
            append_tojson(run.arena, text, item);
        } else if (!item.is_null()) {
            return failed = run.fail("%A and %B cannot be added", Val::of_string(run.arena.copy(text)), item),
                   false;
        }
        return true;
    };
    if (in.is_array()) {
        for (const Val item : array_of(run.arena, in)) {
            if (!add(item)) return failed;
        }
    } else {
        for (const Member& member : object_of(run.arena, in)) {
            if (!add(member.value)) return failed;
        }
    }
    return Val::of_string(run.arena.copy(text));
}

Val startswith(Run& run, Val in, const Val* args) {
    if (!in.is_string() || !args[0].is_string()) return run.fail("startswith() requires string inputs");
    return Val::boolean(utf8_of(run.arena, in).starts_with(utf8_of(run.arena, args[0])));
}
Val endswith(Run& run, Val in, const Val* args) {
    if (!in.is_string() || !args[0].is_string()) return run.fail("endswith() requires string inputs");
    return Val::boolean(utf8_of(run.arena, in).ends_with(utf8_of(run.arena, args[0])));
}

// These two leave alone what is no string.
Val ltrimstr(Run& run, Val in, const Val* args) {
    if (!in.is_string() || !args[0].is_string()) return in;
    const std::string_view text = utf8_of(run.arena, in);
    const std::string_view prefix = utf8_of(run.arena, args[0]);
    return text.starts_with(prefix) ? Val::of_string(text.substr(prefix.size())) : in;
}
Val rtrimstr(Run& run, Val in, const Val* args) {
    if (!in.is_string() || !args[0].is_string()) return in;
    const std::string_view text = utf8_of(run.arena, in);
    const std::string_view suffix = utf8_of(run.arena, args[0]);
    return text.ends_with(suffix) ? Val::of_string(text.substr(0, text.size() - suffix.size())) : in;
}

// --- characters --------------------------------------------------------------------------------------

template <char from, char to>
Val change_case(Run& run, Val in, const Val*) {
    if (!in.is_string()) return run.fail("explode input must be a string", in);
    const std::string_view text = utf8_of(run.arena, in);
    const auto changes = [](char c) { return c >= from && c <= to; };
    if (std::none_of(text.begin(), text.end(), changes)) return Val::of_string(text);
    auto* const changed = static_cast<char*>(run.arena.allocate(text.size()));
    std::transform(text.begin(), text.end(), changed,
                   [&](char c) { return changes(c) ? static_cast<char>(c ^ 0x20) : c; });
    return Val::of_string({changed, text.size()});
}

Val explode(Run& run, Val in, const Val*) {
    if (!in.is_string()) return run.fail("explode input must be a string", in);
    const std::string_view text = utf8_of(run.arena, in);
    ArrayBuilder codes(run.arena, text.size());
    for (std::string_view rest = text; !rest.empty();) {
        const std::string_view character = first_character(rest);
        const unsigned lead = static_cast<unsigned char>(character[0]);
        unsigned code = character.size() == 1 ? lead : lead & (0xFFu >> (character.size() + 1));
        for (const char c : character.substr(1)) code = code << 6 | (static_cast<unsigned char>(c) & 0x3Fu);
        codes.add(Val::of_integer(code));
        rest.remove_prefix(character.size());
    }
    return codes.finish();
}

void append_utf8(std::string& out, std::uint32_t code) {
    const auto tail = [&](unsigned shift) { out += static_cast<char>(0x80 | (code >> shift & 0x3F)); };
    if (code < 0x80) {
        out += static_cast<char>(code);
    } else if (code < 0x800) {
        out += static_cast<char>(0xC0 | code >> 6);
        tail(0);
    } else if (code < 0x10000) {
        out += static_cast<char>(0xE0 | code >> 12);
        tail(6), tail(0);
    } else {
        out += static_cast<char>(0xF0 | code >> 18);
        tail(12), tail(6), tail(0);
    }
}

Val implode(Run& run, Val in, const Val*) {
    if (!in.is_array()) return run.fail("implode input must be an array", in);
    std::string text;
    for (const Val item : array_of(run.arena, in)) {
        std::int64_t code = 0;
        if (!item.is_number() || !integer_of(item, code) || code < 0 || code > 0x10FFFF ||
            (code >= 0xD800 && code <= 0xDFFF)) {
            throw Punt{"implode of what is no codepoint"};
        }
        append_utf8(text, static_cast<std::uint32_t>(code));
    }
    return Val::of_string(run.arena.copy(text));
}

Val utf8bytelength(Run& run, Val in, const Val*) {
    if (!in.is_string()) return run.fail("%A only strings have UTF-8 byte length", in);
    return Val::of_integer(static_cast<std::int64_t>(utf8_of(run.arena, in).size()));
}

// --- JSON --------------------------------------------------------------------------------------------

Val tojson(Run& run, Val in, const Val*) {
    std::string text;
    append_tojson(run.arena, text, in);
    return Val::of_string(run.arena.copy(text));
}
Val tostring(Run& run, Val in, const Val* args) { return in.is_string() ? in : tojson(run, in, args); }

// The text stays: no digit is lost.
Val tonumber(Run& run, Val in, const Val*) {
    if (in.is_number()) return in;
    if (!in.is_string()) return run.fail("%A cannot be parsed as a number", in);
    const std::string_view text = utf8_of(run.arena, in);
    if (Checker(text).is_number()) return Val::of_text(Kind::number_text, text, false);
    // Words; but those that begin null, true, false, nan and infinity are for jq to judge.
    const bool word = !text.empty() && std::string_view("tfniTFNI").find(text[0]) == text.npos &&
                      std::all_of(text.begin(), text.end(), is_letter);
    // What begins like a number and is a date or an address is none to any jq.
    const bool begins = !text.empty() && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9'));
    const bool other = begins && text.find('\0') == text.npos && text.find_first_not_of("0123456789+-.eE \t\r\n") != text.npos;
    if (word || other || text == "-") return run.fail("%A cannot be parsed as a number", in);
    throw Punt{"tonumber of a string that is no plain number"};
}

Val fromjson(Run& run, Val in, const Val*) {
    if (!in.is_string()) return run.fail("%A only strings can be parsed", in);
    std::string_view text = utf8_of(run.arena, in);
    constexpr std::string_view spaces = " \t\n\r";
    text.remove_prefix(std::min(text.find_first_not_of(spaces), text.size()));
    text = text.substr(0, text.find_last_not_of(spaces) + 1);
    if (!Checker(text).is_value()) throw Punt{"fromjson of what is no plain JSON"};
    return val_of_json(text);
}

}  // namespace

std::span<const Builtin> string_builtins() {
    static constexpr Builtin table[] = {
        {"split", 1, split},
        {"join", 1, join},
        {"startswith", 1, startswith},
        {"endswith", 1, endswith},
        {"ltrimstr", 1, ltrimstr},
        {"rtrimstr", 1, rtrimstr},
        {"ascii_downcase", 0, change_case<'A', 'Z'>},
        {"ascii_upcase", 0, change_case<'a', 'z'>},
        {"explode", 0, explode},
        {"implode", 0, implode},
        {"utf8bytelength", 0, utf8bytelength},
        {"tojson", 0, tojson},
        {"tostring", 0, tostring},
        {"tonumber", 0, tonumber},
        {"fromjson", 0, fromjson},
    };
    return table;
}

}  // namespace stream::expr
