// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace stream {
namespace {

constexpr std::size_t longest_name = 64;

struct Decoded {
    char32_t character;
    std::size_t size;  // in bytes; 0: no UTF-8
};

// One character of a text that is not empty. Shortest forms only, no surrogates, up to U+10FFFF.
Decoded decode(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(0);
    if (first < 0x80) return {first, 1};
    const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || text.size() < size) return {0, 0};
    char32_t character = first & (0x7FU >> size);
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(i) & 0xC0) != 0x80) return {0, 0};
        character = character << 6 | (byte(i) & 0x3FU);
    }
    const bool too_long = (size == 3 && character < 0x800) || (size == 4 && character < 0x10000);
    if (too_long || character > 0x10FFFF || (character >= 0xD800 && character <= 0xDFFF)) return {0, 0};
    return {character, size};
}

// Above ASCII: C1, and what reorders or breaks a line.
bool is_unprintable(char32_t c) {
    return (c >= 0x80 && c <= 0x9F) || c == 0x61C || c == 0x200E || c == 0x200F ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

void append_printable(std::string& out, std::string_view text, std::size_t limit) {
    std::size_t count = 0;
    for (std::size_t at = 0; at < text.size(); ++count) {
        if (limit != 0 && count == limit) {
            out += "…";
            return;
        }
        const Decoded next = decode(text.substr(at));
        if (next.size == 0 || next.character < 0x20 || next.character == 0x7F) {
            fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(text[at]));
            ++at;
            continue;
        }
        if (is_unprintable(next.character)) {
            fmt::format_to(std::back_inserter(out), "\\u{{{:x}}}",
                           static_cast<std::uint32_t>(next.character));
        } else {
            out += text.substr(at, next.size);
        }
        at += next.size;
    }
}

// The characters of a name, ASCII letters in one case; bytes that are no UTF-8 count as characters.
struct Name {
    std::array<char32_t, longest_name> at{};
    std::size_t size = 0;
};

// False: too long to be a name.
bool spell(std::string_view text, Name& out) {
    while (!text.empty()) {
        if (out.size == longest_name) return false;
        Decoded next = decode(text);
        if (next.size == 0) next = {static_cast<unsigned char>(text.front()), 1};
        if (next.character >= 'A' && next.character <= 'Z') next.character += 'a' - 'A';
        out.at[out.size++] = next.character;
        text.remove_prefix(next.size);
    }
    return true;
}

// Insertions, deletions, replacements, and neighbours swapped (Damerau 1964, in the restricted form
// that edits no part twice).
std::size_t edit_distance(const Name& a, const Name& b) {
    std::array<std::array<std::size_t, longest_name + 1>, 3> rows{};
    for (std::size_t j = 0; j <= b.size; ++j) rows[0][j] = j;
    for (std::size_t i = 1; i <= a.size; ++i) {
        auto& row = rows[i % 3];
        const auto& above = rows[(i - 1) % 3];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size; ++j) {
            const std::size_t replaced = above[j - 1] + (a.at[i - 1] == b.at[j - 1] ? 0 : 1);
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, replaced});
            const bool swapped = i > 1 && j > 1 && a.at[i - 1] == b.at[j - 2] && a.at[i - 2] == b.at[j - 1];
            if (swapped) row[j] = std::min(row[j], rows[(i - 2) % 3][j - 2] + 1);
        }
    }
    return rows[a.size % 3][b.size];
}

}  // namespace

std::string quoted(std::string_view text, std::size_t limit) {
    std::string out = "\"";
    append_printable(out, text, limit);
    out += '"';
    return out;
}

std::string printable(std::string_view text, std::size_t limit) {
    std::string out;
    append_printable(out, text, limit);
    return out;
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
    std::string_view best;
    std::size_t best_distance = longest_name;
    Name wanted;
    if (!spell(word, wanted)) return {};
    for (const std::string_view candidate : candidates) {
        Name name;
        if (!spell(candidate, name)) continue;
        const std::size_t allowed = std::max(wanted.size, name.size) / 3;
        const std::size_t distance = edit_distance(wanted, name);
        if (distance > allowed || distance >= best_distance) continue;
        best = candidate;
        best_distance = distance;
    }
    return best;
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        // Eight ASCII bytes at a time.
        std::uint64_t block = 0;
        if (text.size() >= sizeof block) {
            std::memcpy(&block, text.data(), sizeof block);
            if ((block & 0x8080808080808080U) == 0) {
                text.remove_prefix(sizeof block);
                continue;
            }
        }
        const Decoded next = decode(text);
        if (next.size == 0) return false;
        text.remove_prefix(next.size);
    }
    return true;
}

std::string terminal_safe(std::string_view lines) {
    static constexpr char hex[] = "0123456789abcdef";
    std::string safe;
    safe.reserve(lines.size());
    const auto escape = [&](unsigned code) {
        safe += "\\u";
        for (int shift = 12; shift >= 0; shift -= 4) safe += hex[(code >> shift) & 15];
    };
    const auto byte = [&](std::size_t i) { return i < lines.size() ? static_cast<unsigned char>(lines[i]) : 0u; };
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const unsigned c = byte(i);
        if ((c < 0x20 && c != '\n') || c == 0x7F) {
            escape(c);
        } else if (c == 0xC2 && byte(i + 1) >= 0x80 && byte(i + 1) <= 0x9F) {
            escape(byte(++i));
        } else if (c == 0xD8 && byte(i + 1) == 0x9C) {  // U+061C
            escape(0x61C);
            ++i;
        } else if (c == 0xE2 && (byte(i + 1) == 0x80 || byte(i + 1) == 0x81)) {
            const unsigned code = 0x2000 + ((byte(i + 1) & 0x3Fu) << 6) + (byte(i + 2) & 0x3Fu);
            const bool bidi = code == 0x200E || code == 0x200F || (code >= 0x202A && code <= 0x202E) ||
                              (code >= 0x2066 && code <= 0x2069);
            if (bidi) {
                escape(code);
                i += 2;
            } else {
                safe += lines[i];
            }
        } else {
            safe += lines[i];
        }
    }
    return safe;
}

std::string format_size(std::uint64_t bytes) {
    const char* const units[] = {"", "KiB", "MiB", "GiB", "TiB"};
    int unit = 0;
    while (bytes != 0 && bytes % 1024 == 0 && unit < 4) {
        bytes /= 1024;
        ++unit;
    }
    return std::to_string(bytes) + units[unit];
}

}  // namespace stream
