// SPDX-License-Identifier: Apache-2.0
#include "expr/run.hpp"

#include "base/check.hpp"

namespace stream::expr {

namespace {

// "number (3)", long values cut.
void append_described(Arena& arena, std::string& out, Val value) {
    std::string text;
    constexpr std::size_t shown = 30;
    append_beginning(arena, text, value, shown);
    if (text.size() > shown) {
        std::size_t cut = shown;
        while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) --cut;
        text.resize(cut);
        text += "…";
    }
    out += type_name(value);
    out += " (" + text + ")";
}

}  // namespace

std::string Run::message() {
    std::string out;
    if (error.from_user) {
        if (error.a.is_string()) out = utf8_of(arena, error.a);
        else append_beginning(arena, out, error.a, 4096);
        return out;
    }
    for (const char* at = error.format; *at != '\0'; ++at) {
        if (*at != '%' || at[1] == '\0') {
            out.push_back(*at);
            continue;
        }
        switch (*++at) {
            case 'A': append_described(arena, out, error.a); break;
            case 'B': append_described(arena, out, error.b); break;
            case 'a': out += type_name(error.a); break;
            case 'b': out += type_name(error.b); break;
            case 'S': append_beginning(arena, out, error.a, 200); break;
            case 'T': append_beginning(arena, out, error.b, 200); break;
            default: out.push_back(*at); break;
        }
    }
    return out;
}

Val Node::one(Run& run, Val in) const {
    (void)run;
    (void)in;
    STREAM_CHECK(!"a node of many results asked for one");
    return Val::failed();
}

Flow Node::paths(Run& run, const Place& in, EmitPlace emit) const {
    (void)run;
    (void)in;
    (void)emit;
    STREAM_CHECK(!"a node without paths asked for them");
    return Flow::fail;
}

Val Node::change(Run& run, Val in, Change change) const {
    (void)run;
    (void)change;
    STREAM_CHECK(!"a node that cannot change its places was asked to");
    return in;
}

Flow Node::each(Run& run, Val in, Emit emit) const { return emit_one(one(run, in), emit); }

}  // namespace stream::expr
