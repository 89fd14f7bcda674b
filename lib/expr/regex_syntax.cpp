// SPDX-License-Identifier: Apache-2.0
#include "expr/regex_syntax.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

namespace stream::expr {
namespace {

constexpr unsigned nesting_max = 100;
constexpr std::uint32_t repeat_max = 1000;  // RE2's
constexpr std::string_view no_range = "has a - between brackets that is no range";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Of a part of the pattern.
struct Shape {
    bool empty = false;     // may match nothing
    bool repeated = false;  // has a quantifier, and nothing else around it
    bool repeatable = true;
};
constexpr Shape place{true, false, false};

// Reads the pattern and writes it anew; whatever it does not know is refused.
class Translator {
public:
    Translator(std::string_view pattern, bool ignore_case, RegexSyntax& to, std::string& why)
        : pattern_(pattern), ignore_case_(ignore_case), to_(to), why_(why) {}

    bool run() {
        const Shape all = alternatives(0);
        if (!refused_ && at_ < pattern_.size()) refuse("has a ) too many");
        if (!refused_ && to_.has_names && has_unnamed_) refuse("has groups with and without names");
        to_.may_be_empty = all.empty;
        return !refused_;
    }

private:
    enum class Escape : std::uint8_t { character, set, assertion, refused };

    struct Refused {
        operator bool() const { return false; }              // NOLINT: so that all may return it
        operator Shape() const { return {}; }                // NOLINT
        operator Escape() const { return Escape::refused; }  // NOLINT
    };
    Refused refuse(std::string_view what) {
        if (!refused_) why_ = fmt::format("{} {}", quoted(pattern_, 60), what);
        refused_ = true;
        at_ = pattern_.size();
        return {};
    }
    char peek(std::size_t ahead = 0) const {
        return at_ + ahead < pattern_.size() ? pattern_[at_ + ahead] : '\0';
    }
    bool ended() const { return at_ >= pattern_.size(); }
    bool eat(std::string_view text) {
        if (!pattern_.substr(at_).starts_with(text)) return false;
        at_ += text.size();
        return true;
    }

    Shape alternatives(unsigned depth) {
        if (depth > nesting_max) return refuse("is nested too deeply");
        Shape all = sequence(depth);
        while (eat("|")) {
            to_.plain = false;
            to_.re2 += '|';
            const Shape next = sequence(depth);
            all.empty = all.empty || next.empty;
            all.repeated = false;
        }
        return all;
    }

    Shape sequence(unsigned depth) {
        Shape all{true, false, true};
        for (std::size_t items = 0; !ended() && peek() != '|' && peek() != ')'; ++items) {
            Shape item = atom(depth);
            quantify(item);
            all.empty = all.empty && item.empty;
            all.repeated = items == 0 && item.repeated;
        }
        return all;
    }

    Shape atom(unsigned depth) {
        const bool first = at_ == 0, last = at_ + 1 == pattern_.size();
        switch (const char c = peek()) {
            case '(':
                return group(depth);
            case '[':
                return bracket();
            case '\\':
                return escaped();
            case '*':
            case '+':
            case '?':
                return refuse("has nothing to repeat somewhere");
            case '.':
                to_.plain = false;
                to_.re2 += c;
                ++at_;
                return {};
            case '^':
                (first ? to_.from_begin : to_.plain) = first;
                to_.re2 += "\\A";
                ++at_;
                return place;
            case '$':
                (last ? to_.to_end : to_.plain) = last;
                to_.has_end = true;
                to_.re2 += "\\z";
                ++at_;
                return place;
            case '{':
                if (at_count()) return refuse("has a count with nothing before it");
                [[fallthrough]];
            default:
                append_character(next_character());
                return {};
        }
    }

    Shape group(unsigned depth) {
        to_.plain = false;
        ++at_;
        bool captures = true;
        if (eat("?:")) {
            to_.re2 += "(?:";
            captures = false;
        } else if (peek() == '?') {
            if (eat("?=") || eat("?!")) return refuse("looks ahead, which RE2 does not");
            if (eat("?<=") || eat("?<!")) return refuse("looks behind, which RE2 does not");
            if (eat("?>")) return refuse("has an atomic group, which RE2 does not know");
            if (!eat("?<")) return refuse("has a (? that is not known here");
            if (!group_name()) return {};
        } else {
            to_.re2 += '(';
            to_.names.emplace_back();
            has_unnamed_ = true;
        }
        if (to_.names.size() > regex_groups_max) return refuse("has too many groups");
        Shape inside = alternatives(depth + 1);
        if (!refused_ && !eat(")")) return refuse("lacks a )");
        to_.re2 += ')';
        inside.repeated = inside.repeated && !captures;
        return inside;
    }

    bool group_name() {
        const std::size_t begin = at_;
        while (is_letter(peek()) || peek() == '_' || (at_ > begin && is_digit(peek()))) ++at_;
        std::string name(pattern_.substr(begin, at_ - begin));
        if (name.empty() || !eat(">")) return refuse("has a group whose name is no plain one");
        if (std::find(to_.names.begin(), to_.names.end(), name) != to_.names.end()) {
            return refuse(fmt::format("has two groups called {}", name));
        }
        to_.re2 += fmt::format("(?P<{}>", name);
        to_.names.push_back(std::move(name));
        to_.has_names = true;
        return true;
    }

    bool at_count() const { return peek() == '{' && (is_digit(peek(1)) || peek(1) == ','); }

    void quantify(Shape& item) {
        const char c = peek();
        const bool count = at_count();
        if (refused_ || (c != '*' && c != '+' && c != '?' && !count)) return;
        if (!item.repeatable) return void(refuse("repeats a place"));
        if (item.empty) return void(refuse("repeats a group that may match nothing"));
        if (item.repeated) return void(refuse("repeats a repetition"));
        to_.plain = false;
        bool exact = false;
        if (count) {
            if (!repeat_count(item, exact)) return;
        } else {
            item.empty = c != '+';
            to_.re2 += c;
            ++at_;
        }
        item.repeated = true;
        if (peek() == '?') {
            if (exact) return void(refuse("has {n}?, which not all engines read alike"));
            to_.re2 += '?';
            ++at_;
        }
        if (peek() == '+') return void(refuse("has a possessive quantifier, which RE2 does not know"));
        if (peek() == '*' || peek() == '?' || at_count()) refuse("repeats a repetition");
    }

    bool repeat_count(Shape& item, bool& exact) {
        const std::size_t begin = at_++;
        std::uint32_t low = 0, high = 0;
        if (!number(low)) return refuse("has a count that lacks its lower end");
        if (eat("}")) {
            exact = true;
            high = low;
        } else if (eat(",}")) {
            high = std::max(low, 1U);
        } else if (!eat(",") || !number(high) || !eat("}")) {
            return refuse("has a { that is no count");
        }
        if (std::max(low, high) > repeat_max) return refuse("repeats more than 1000 times");
        if (high == 0 || low > high) return refuse("has a count that is not in order");
        item.empty = low == 0;
        to_.re2 += pattern_.substr(begin, at_ - begin);
        return true;
    }
    bool number(std::uint32_t& value) {
        const std::size_t begin = at_;
        for (; is_digit(peek()); ++at_) {
            value = std::min(value * 10 + static_cast<std::uint32_t>(peek() - '0'), repeat_max + 1);
        }
        return at_ > begin;
    }

    // --- characters ------------------------------------------------------------------------------

    // The pattern is UTF-8.
    std::uint32_t next_character() {
        const auto byte = [this]() -> std::uint32_t { return static_cast<unsigned char>(pattern_[at_++]); };
        const std::uint32_t lead = byte();
        if (lead < 0x80) return lead;
        int more = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
        std::uint32_t code = lead & (0x3Fu >> more);
        while (more-- > 0) code = code << 6 | (byte() & 0x3Fu);
        if (ignore_case_) refuse("is to ignore the case of what is not ASCII");
        return code;
    }

    void append_code(std::uint32_t code) {
        const char c = static_cast<char>(code);
        if (code < 0x80 && (is_letter(c) || is_digit(c))) {
            to_.re2 += c;
        } else {
            to_.re2 += fmt::format("\\x{{{:x}}}", code);
        }
    }
    void append_character(std::uint32_t code) {
        append_code(code);
        if (code < 0x80) {
            to_.text += static_cast<char>(code);
        } else {  // as it stands in the pattern
            const std::size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
            to_.text += pattern_.substr(at_ - size, size);
        }
    }

    Shape escaped() {
        std::uint32_t code = 0;
        const Escape got = escape(false, code);
        if (got == Escape::character)
            append_character(code);
        else
            to_.plain = false;
        return got == Escape::assertion ? place : Shape{};
    }

    // A backslash and what it makes of the next character; sets and assertions are written at once.
    Escape escape(bool in_class, std::uint32_t& code) {
        ++at_;
        if (ended()) return refuse("ends in a backslash");
        const char c = peek();
        code = next_character();
        if (code >= 0x80) return refuse("has a backslash before what is not ASCII");
        switch (c) {
            case 't':
            case 'n':
            case 'r':
            case 'f':
                code = static_cast<unsigned char>("\t\n\r\f"[std::string_view("tnrf").find(c)]);
                return Escape::character;
            case 'x': {
                const std::string_view two = pattern_.substr(at_, 2);
                at_ += two.size();
                const char* const end = two.data() + two.size();
                const bool hex = two.size() == 2 && std::from_chars(two.data(), end, code, 16).ptr == end;
                if (!hex || code >= 0x80) return refuse("has a \\x that is no ASCII character");
                return Escape::character;
            }
            case 's':  // RE2's leaves out \v
                to_.re2 += in_class ? "\\t-\\r\\x20" : "[\\t-\\r\\x20]";
                return write_set("", in_class);
            case 'S':
                return write_set(in_class ? "\\x00-\\x08\\x0e-\\x1f\\x21-\\x{10ffff}" : "[^\\t-\\r\\x20]",
                                 in_class);
            default:
                break;
        }
        const std::string_view both = pattern_.substr(at_ - 2, 2);
        if (std::string_view("dDwW").find(c) != std::string_view::npos) return write_set(both, in_class);
        if (!in_class && std::string_view("bBAz").find(c) != std::string_view::npos) {
            to_.re2 += both;
            to_.ascii_only = to_.ascii_only || c == 'b' || c == 'B';
            return Escape::assertion;
        }
        if (is_plain(c)) return Escape::character;
        if (c >= '1' && c <= '9') return refuse("refers back to a group, which RE2 does not");
        return refuse(fmt::format("has {}, which is not known here", printable(both)));
    }

    // Characters that a backslash leaves as they are.
    static bool is_plain(char c) {
        return c >= ' ' && c < 0x7F && !is_letter(c) && !is_digit(c) &&
               std::string_view("<>'`").find(c) == std::string_view::npos;
    }
    // Oniguruma's \w between brackets holds the ligature of ff, and so matches two characters when it
    // ignores case.
    Escape write_set(std::string_view set, bool in_class) {
        if (in_class && ignore_case_ &&
            std::string_view("\\d [:digit:] [:space:] [:xdigit:]").find(set) == set.npos) {
            return refuse("ignores case with a set of letters between brackets");
        }
        to_.re2 += set;
        to_.ascii_only = true;
        return Escape::set;
    }

    Shape bracket() {
        to_.plain = false;
        ++at_;
        to_.re2 += '[';
        if (eat("^")) to_.re2 += '^';
        for (bool first = true; first || peek() != ']'; first = false) {
            if (ended()) return refuse("lacks a ]");
            if (peek() == '[') {
                if (!posix_bracket()) return {};
                continue;
            }
            if (first && peek() == ']') return refuse("has [] or []…]");
            if (peek() == '-' && !first && peek(1) != ']') return refuse(no_range);
            std::uint32_t low = 0, high = 0;
            const Escape got = bracket_character(low);
            if (got == Escape::refused) return {};
            if (got == Escape::set) continue;
            append_code(low);
            if (peek() != '-' || peek(1) == ']') continue;
            ++at_;
            if (ended() || peek() == '-' || peek() == '[') return refuse(no_range);
            if (bracket_character(high) != Escape::character) return refuse(no_range);
            if (low > high) return refuse("has a range that is not in order");
            to_.re2 += '-';
            append_code(high);
        }
        ++at_;
        to_.re2 += ']';
        return {};
    }

    Escape bracket_character(std::uint32_t& code) {
        if (peek() == '\\') return escape(true, code);
        if (peek() == '&' && peek(1) == '&') return refuse("has && between brackets");
        code = next_character();
        return Escape::character;
    }

    bool posix_bracket() {
        for (const std::string_view name : {"alpha", "digit", "alnum", "space", "xdigit"}) {
            const std::string whole = fmt::format("[:{}:]", name);
            if (!eat(whole)) continue;
            return write_set(whole, true) == Escape::set;
        }
        return refuse("has a [ between brackets");
    }

    std::string_view pattern_;
    bool ignore_case_;
    RegexSyntax& to_;
    std::string& why_;
    std::size_t at_ = 0;
    bool refused_ = false;
    bool has_unnamed_ = false;
};

}  // namespace

bool translate_regex(std::string_view pattern, bool ignore_case, RegexSyntax& to, std::string& why) {
    return Translator(pattern, ignore_case, to, why).run();
}

}  // namespace stream::expr
