// SPDX-License-Identifier: Apache-2.0
#include "json/canonical.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <forward_list>
#include <vector>

#include "json/cursor.hpp"
#include "json/number.hpp"

namespace stream {
namespace {

constexpr std::uint32_t replacement_character = 0xFFFD;

void append_utf8(std::string& out, std::uint32_t code) {
    const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xC0 | code >> 6);
        put(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        put(0xE0 | code >> 12);
        put(0x80 | (code >> 6 & 0x3F));
        put(0x80 | (code & 0x3F));
    } else {
        put(0xF0 | code >> 18);
        put(0x80 | (code >> 12 & 0x3F));
        put(0x80 | (code >> 6 & 0x3F));
        put(0x80 | (code & 0x3F));
    }
}

// The four hex digits of \uXXXX, of which `text` begins after the u.
std::uint32_t hex4(std::string_view text) {
    std::uint32_t code = 0;
    for (const char c : text.substr(0, 4)) {
        const auto letter = static_cast<unsigned char>(c | 0x20);
        code =
            code << 4 | (c <= '9' ? static_cast<std::uint32_t>(c - '0') : letter - std::uint32_t{'a'} + 10);
    }
    return code;
}

bool is_high_surrogate(std::uint32_t code) { return code >= 0xD800 && code <= 0xDBFF; }
bool is_low_surrogate(std::uint32_t code) { return code >= 0xDC00 && code <= 0xDFFF; }

// One \u escape at the front of `text` (after its backslash and u); how many bytes it took.
std::size_t append_unicode_escape(std::string& out, std::string_view text) {
    const std::uint32_t code = hex4(text);
    if (is_high_surrogate(code) && text.size() >= 10 && text[4] == '\\' && text[5] == 'u') {
        const std::uint32_t low = hex4(text.substr(6));
        if (is_low_surrogate(low)) {
            append_utf8(out, 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00));
            return 10;
        }
    }
    append_utf8(out, is_high_surrogate(code) || is_low_surrogate(code) ? replacement_character : code);
    return std::min<std::size_t>(4, text.size());
}

struct Member {
    std::string_view name;  // unescaped
    Value value;
};

// An object's members sorted by name, the last of equal names only.
class SortedMembers {
public:
    explicit SortedMembers(const Value& object) {
        for (Cursor cursor(object); cursor.next();)
            members_.push_back({unescape(cursor.name()), cursor.value()});
        const auto by_name = [](const Member& a, const Member& b) { return a.name < b.name; };
        if (!std::is_sorted(members_.begin(), members_.end(), by_name)) {
            std::stable_sort(members_.begin(), members_.end(), by_name);
        }
        // Of a run of equals the last one: unique() keeps first ones, so look from the back.
        const auto same = [](const Member& a, const Member& b) { return a.name == b.name; };
        const auto kept = std::unique(members_.rbegin(), members_.rend(), same);
        members_.erase(members_.begin(), kept.base());
    }

    std::size_t size() const { return members_.size(); }
    const Member& operator[](std::size_t i) const { return members_[i]; }

private:
    std::string_view unescape(const Value& name) {
        if (!name.escaped) return name.inner();
        append_unescaped(unescaped_.emplace_front(), name);
        return unescaped_.front();
    }

    std::vector<Member> members_;
    std::forward_list<std::string> unescaped_;
};

int sign(int order) { return order < 0 ? -1 : order > 0 ? 1 : 0; }

int compare_strings(const Value& a, const Value& b) {
    if (!a.escaped && !b.escaped) return sign(a.inner().compare(b.inner()));
    std::string left;
    std::string right;
    append_unescaped(left, a);
    append_unescaped(right, b);
    return sign(left.compare(right));
}

int compare_arrays(const Value& a, const Value& b) {
    Cursor left(a);
    Cursor right(b);
    while (true) {
        const bool more_left = left.next();
        const bool more_right = right.next();
        if (!more_left || !more_right) return more_left ? 1 : more_right ? -1 : 0;
        if (const int order = compare_values(left.value(), right.value())) return order;
    }
}

int compare_objects(const Value& a, const Value& b) {
    const SortedMembers left(a);
    const SortedMembers right(b);
    const std::size_t shared = std::min(left.size(), right.size());
    for (std::size_t i = 0; i < shared; ++i) {
        if (const int order = left[i].name.compare(right[i].name)) return sign(order);
    }
    if (left.size() != right.size()) return left.size() < right.size() ? -1 : 1;
    for (std::size_t i = 0; i < shared; ++i) {
        if (const int order = compare_values(left[i].value, right[i].value)) return order;
    }
    return 0;
}

}  // namespace

Value value_of(std::string_view text) {
    Value value;
    if (text.empty()) return value;
    value.text = text;
    switch (text.front()) {
        case 'n':
            value.type = Type::null;
            break;
        case 'f':
            value.type = Type::boolean_false;
            break;
        case 't':
            value.type = Type::boolean_true;
            break;
        case '"':
            value.type = Type::string;
            value.escaped = std::memchr(text.data(), '\\', text.size()) != nullptr;
            break;
        case '[':
            value.type = Type::array;
            break;
        case '{':
            value.type = Type::object;
            break;
        default:
            value.type = Type::number;
            break;
    }
    return value;
}

void append_unescaped(std::string& out, const Value& string_value) {
    std::string_view rest = string_value.inner();
    while (true) {
        const std::size_t plain = std::min(rest.find('\\'), rest.size());
        out.append(rest.substr(0, plain));
        rest.remove_prefix(plain);
        if (rest.size() < 2) return;
        const char kind = rest[1];
        rest.remove_prefix(2);
        switch (kind) {
            case 'b':
                out.push_back('\b');
                break;
            case 'f':
                out.push_back('\f');
                break;
            case 'n':
                out.push_back('\n');
                break;
            case 'r':
                out.push_back('\r');
                break;
            case 't':
                out.push_back('\t');
                break;
            case 'u':
                rest.remove_prefix(append_unicode_escape(out, rest));
                break;
            default:
                out.push_back(kind);
                break;  // a quote, backslash or slash
        }
    }
}

void append_quoted(std::string& out, std::string_view text) {
    static constexpr char hex[] = "0123456789abcdef";
    out.push_back('"');
    std::size_t begin = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        out.append(text.substr(begin, i - begin));
        begin = i + 1;
        switch (c) {
            case '"':
                out.append("\\\"");
                break;
            case '\\':
                out.append("\\\\");
                break;
            case '\b':
                out.append("\\b");
                break;
            case '\f':
                out.append("\\f");
                break;
            case '\n':
                out.append("\\n");
                break;
            case '\r':
                out.append("\\r");
                break;
            case '\t':
                out.append("\\t");
                break;
            default:
                out.append("\\u00").append(1, hex[c >> 4]).append(1, hex[c & 0xF]);
                break;
        }
    }
    out.append(text.substr(begin));
    out.push_back('"');
}

void append_canonical(std::string& out, const Value& value) {
    switch (value.type) {
        case Type::missing:
        case Type::null:
            out.append("null");
            return;
        case Type::boolean_false:
            out.append("false");
            return;
        case Type::boolean_true:
            out.append("true");
            return;
        case Type::number:
            append_canonical_number(out, value.text);
            return;
        case Type::string: {
            if (!value.escaped) {
                out.append(value.text);
                return;
            }
            std::string text;
            append_unescaped(text, value);
            append_quoted(out, text);
            return;
        }
        case Type::array: {
            out.push_back('[');
            bool first = true;
            for (Cursor cursor(value); cursor.next(); first = false) {
                if (!first) out.push_back(',');
                append_canonical(out, cursor.value());
            }
            out.push_back(']');
            return;
        }
        case Type::object: {
            const SortedMembers members(value);
            out.push_back('{');
            for (std::size_t i = 0; i < members.size(); ++i) {
                if (i > 0) out.push_back(',');
                append_quoted(out, members[i].name);
                out.push_back(':');
                append_canonical(out, members[i].value);
            }
            out.push_back('}');
            return;
        }
    }
}

int compare_values(const Value& a, const Value& b) {
    const Type left = a.type == Type::missing ? Type::null : a.type;
    const Type right = b.type == Type::missing ? Type::null : b.type;
    if (left != right) return left < right ? -1 : 1;
    switch (left) {
        case Type::number:
            return compare_numbers(a.text, b.text);
        case Type::string:
            return compare_strings(a, b);
        case Type::array:
            return compare_arrays(a, b);
        case Type::object:
            return compare_objects(a, b);
        default:
            return 0;
    }
}

}  // namespace stream
