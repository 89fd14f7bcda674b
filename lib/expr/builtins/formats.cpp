// SPDX-License-Identifier: Apache-2.0
// jq's formats, as filters: "@csv" and its kind. Where jq 1.6 and 1.7 write the same text differently
// (@html's ', @uri's !*'(), a NUL in strings, base64 that is not canonical) they punt.
#include "base/base64.hpp"
#include "base/text.hpp"
#include "expr/run.hpp"
#include "expr/val.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace stream::expr {
namespace {

Val text_val(Run& run, std::string_view text) { return Val::of_string(run.arena.copy(text)); }

// What jq's tostring gives. `buffer` holds it where it has to be made.
std::string_view text_of(Run& run, Val in, std::string& buffer) {
    if (in.is_string()) return utf8_of(run.arena, in);
    append_tojson(run.arena, buffer, in);
    return buffer;
}

// jq 1.6 escapes a NUL as \0 wherever it escapes anything.
void refuse_nul(std::string_view text) {
    if (text.find('\0') != std::string_view::npos) throw Punt{"a NUL in a string that is formatted"};
}

// `escape` gives the text for one character, or nothing for those that stay.
template <typename Escape>
void append_escaped(std::string& out, std::string_view text, Escape escape) {
    refuse_nul(text);
    for (const char c : text) {
        const std::string_view instead = escape(c);
        if (instead.empty()) {
            out.push_back(c);
        } else {
            out.append(instead);
        }
    }
}

void append_scalar(Run& run, std::string& out, Val value) { append_tojson(run.arena, out, value); }

Val as_text(Run& run, Val in, const Val*) {
    if (in.is_string()) return in;
    std::string out;
    append_tojson(run.arena, out, in);
    return text_val(run, out);
}

Val as_json(Run& run, Val in, const Val*) {
    std::string out;
    append_tojson(run.arena, out, in);
    return text_val(run, out);
}

// The fields of a row, each by `string` if it is one; null is empty.
template <typename AppendString>
Val as_row(Run& run, Val in, char separator, AppendString string) {
    std::string out;
    bool first = true;
    for (const Val item : array_of(run.arena, in)) {
        if (!first) out.push_back(separator);
        first = false;
        run.step();
        run.arena.check_text(out.size());
        if (item.is_array() || item.is_object()) return run.fail("%A is not valid in a csv row", item);
        if (item.is_string()) {
            string(out, utf8_of(run.arena, item));
        } else if (!item.is_null()) {
            append_scalar(run, out, item);
        }
    }
    return text_val(run, out);
}

Val as_csv(Run& run, Val in, const Val*) {
    if (!in.is_array()) return run.fail("%A cannot be csv-formatted, only an array", in);
    return as_row(run, in, ',', [](std::string& out, std::string_view text) {
        out.push_back('"');
        append_escaped(out, text, [](char c) -> std::string_view { return c == '"' ? "\"\"" : ""; });
        out.push_back('"');
    });
}

Val as_tsv(Run& run, Val in, const Val*) {
    if (!in.is_array()) return run.fail("%A cannot be tsv-formatted, only an array", in);
    return as_row(run, in, '\t', [](std::string& out, std::string_view text) {
        append_escaped(out, text, [](char c) -> std::string_view {
            switch (c) {
                case '\t':
                    return "\\t";
                case '\r':
                    return "\\r";
                case '\n':
                    return "\\n";
                case '\\':
                    return "\\\\";
                default:
                    return "";
            }
        });
    });
}

Val as_html(Run& run, Val in, const Val*) {
    std::string buffer;
    const std::string_view text = text_of(run, in, buffer);
    if (text.find('\'') != std::string_view::npos) throw Punt{"@html of a '"};
    std::string out;
    append_escaped(out, text, [](char c) -> std::string_view {
        switch (c) {
            case '<':
                return "&lt;";
            case '>':
                return "&gt;";
            case '&':
                return "&amp;";
            case '"':
                return "&quot;";
            default:
                return "";
        }
    });
    return text_val(run, out);
}

Val as_uri(Run& run, Val in, const Val*) {
    constexpr char hex[] = "0123456789ABCDEF";
    std::string buffer;
    const std::string_view text = text_of(run, in, buffer);
    if (text.find_first_of("!*'()") != std::string_view::npos) throw Punt{"@uri of one of !*'()"};
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           c == '-' || c == '_' || c == '.' || c == '~';
        if (plain) {
            out.push_back(c);
        } else {
            const auto byte = static_cast<unsigned char>(c);
            out.append({'%', hex[byte >> 4], hex[byte & 15]});
        }
    }
    return text_val(run, out);
}

bool append_shell_word(Run& run, std::string& out, Val word) {
    if (word.is_array() || word.is_object()) return false;
    if (!word.is_string()) {
        append_scalar(run, out, word);
        return true;
    }
    out.push_back('\'');
    append_escaped(out, utf8_of(run.arena, word),
                   [](char c) -> std::string_view { return c == '\'' ? "'\\''" : ""; });
    out.push_back('\'');
    return true;
}

Val as_sh(Run& run, Val in, const Val*) {
    constexpr const char* unfit = "%A can not be escaped for shell";
    std::string out;
    if (!in.is_array()) {
        if (!append_shell_word(run, out, in)) return run.fail(unfit, in);
        return text_val(run, out);
    }
    bool first = true;
    for (const Val item : array_of(run.arena, in)) {
        if (!first) out.push_back(' ');
        first = false;
        if (!append_shell_word(run, out, item)) return run.fail(unfit, item);
    }
    return text_val(run, out);
}

Val as_base64(Run& run, Val in, const Val*) {
    std::string buffer;
    std::string out;
    append_base64(out, text_of(run, in, buffer));
    return text_val(run, out);
}

Val as_base64d(Run& run, Val in, const Val*) {
    std::string buffer;
    const auto bytes = decode_base64(text_of(run, in, buffer));
    if (!bytes) throw Punt{"@base64d of text that is not canonical base64"};
    if (!is_utf8(*bytes)) throw Punt{"@base64d of what is not UTF-8"};
    return text_val(run, *bytes);
}

constexpr Builtin formats[] = {
    {"@text", 0, as_text}, {"@json", 0, as_json},     {"@csv", 0, as_csv},
    {"@tsv", 0, as_tsv},   {"@html", 0, as_html},     {"@uri", 0, as_uri},
    {"@sh", 0, as_sh},     {"@base64", 0, as_base64}, {"@base64d", 0, as_base64d},
};

}  // namespace

std::span<const Builtin> format_builtins() { return formats; }

}  // namespace stream::expr
