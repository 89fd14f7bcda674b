// SPDX-License-Identifier: Apache-2.0
#include "expr/val.hpp"
#include "json/canonical.hpp"
#include "json/cursor.hpp"
#include "json/number.hpp"

namespace stream::expr {

namespace {

// What is written is an event or part of one, and a reader need not go deeper than into an event.
constexpr unsigned written_depth_max = 1024;

// As jq writes a string: what RFC 8259 demands, and DEL.
void append_jq_string(std::string& out, std::string_view utf8) {
    const std::size_t begin = out.size();
    append_quoted(out, utf8);
    if (utf8.find('\x7F') == std::string_view::npos) return;
    std::string text = out.substr(begin);
    out.resize(begin);
    for (const char c : text) {
        if (c == '\x7F') out += "\\u007f";
        else out.push_back(c);
    }
}

struct Writer {
    Arena& arena;
    std::string& out;
    bool anew;  // as tojson: nothing keeps its text
    std::size_t most = SIZE_MAX;
    std::size_t begin = out.size();

    void string(Val value) {
        if (anew) append_jq_string(out, utf8_of(arena, value));
        else if (value.kind == Kind::string_text) out.append(value.view());
        else append_quoted(out, value.view());
    }

    void value(Val v, unsigned depth) {
        // Also what is shared many times is written each time.
        if (out.size() - begin > most) throw LimitReached{"memory"};
        arena.check_text(out.size() - begin);
        arena.work(1);
        switch (v.kind) {
            case Kind::failed:
            case Kind::null: out += "null"; return;
            case Kind::boolean_false: out += "false"; return;
            case Kind::boolean_true: out += "true"; return;
            case Kind::integer: append_int64(out, v.integer); return;
            case Kind::number:
                if (anew) append_jq_number(out, v);
                else append_double(out, v.number);
                return;
            case Kind::number_text:
                if (anew) append_jq_number(out, v);
                else out.append(v.view());
                return;
            case Kind::string:
            case Kind::string_text: string(v); return;
            case Kind::array_text:
            case Kind::object_text:
                if (!anew) {
                    if (depth > 0 && nested_deeper(v.view(), written_depth_max - depth)) throw LimitReached{"depth"};
                    out.append(v.view());
                    return;
                }
                break;
            default: break;
        }
        if (depth >= written_depth_max) throw LimitReached{"depth"};
        if (v.is_array()) {
            out.push_back('[');
            bool first = true;
            for (const Val item : array_of(arena, v)) {
                if (!first) out.push_back(',');
                first = false;
                value(item, depth + 1);
            }
            out.push_back(']');
            return;
        }
        out.push_back('{');
        bool first = true;
        for (const Member& member : object_of(arena, v)) {
            if (!first) out.push_back(',');
            first = false;
            string(member.name);
            out.push_back(':');
            value(member.value, depth + 1);
        }
        out.push_back('}');
    }
};

}  // namespace

void append_json(Arena& arena, std::string& out, Val value) { Writer{arena, out, false}.value(value, 0); }

void append_tojson(Arena& arena, std::string& out, Val value) { Writer{arena, out, true}.value(value, 0); }

void append_beginning(Arena& arena, std::string& out, Val value, std::size_t bytes) {
    try {
        Writer{arena, out, true, bytes}.value(value, 0);
    } catch (const LimitReached&) {
        // The beginning is what was wanted.
    }
}

Value value_of(Arena& arena, std::string& buffer, Val val) {
    const std::size_t begin = buffer.size();
    append_json(arena, buffer, val);
    Value value = stream::value_of(std::string_view(buffer).substr(begin));
    return value;
}

}  // namespace stream::expr
