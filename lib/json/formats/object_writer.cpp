// SPDX-License-Identifier: Apache-2.0
#include "json/formats/object_writer.hpp"

#include "json/canonical.hpp"

#include <algorithm>
#include <cstdint>

namespace stream {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

constexpr std::uint64_t all_bytes(unsigned char c) { return 0x0101010101010101U * c; }

// Not zero where one of the eight bytes must be escaped in a JSON string.
std::uint64_t escapes_in(std::uint64_t word) {
    const std::uint64_t control = (word - all_bytes(0x20)) & ~word;
    const std::uint64_t quote = word ^ all_bytes('"');
    const std::uint64_t backslash = word ^ all_bytes('\\');
    return (control | ((quote - all_bytes(1)) & ~quote) | ((backslash - all_bytes(1)) & ~backslash)) &
           all_bytes(0x80);
}

bool is_escaped(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }

// Copies text; false if some of it must be escaped.
bool copy_plain(char* to, std::string_view text) {
    const char* from = text.data();
    std::size_t left = text.size();
    std::uint64_t escapes = 0;
    for (; left >= sizeof escapes; left -= sizeof escapes) {
        std::uint64_t word = 0;
        std::memcpy(&word, from, sizeof word);
        std::memcpy(to, &word, sizeof word);
        escapes |= escapes_in(word);
        from += sizeof word;
        to += sizeof word;
    }
    bool plain = escapes == 0;
    for (; left > 0; --left) {
        plain &= !is_escaped(*from);
        *to++ = *from++;
    }
    return plain;
}

}  // namespace

bool is_json_number(std::string_view text) {
    const char* at = text.data();
    const char* const end = at + text.size();
    const auto digits = [&] {
        const char* const start = at;
        while (at != end && is_digit(*at)) ++at;
        return at != start;
    };
    if (at != end && *at == '-') ++at;
    if (at != end && *at == '0') {
        ++at;
    } else if (!digits()) {
        return false;
    }
    if (at != end && *at == '.') {
        ++at;
        if (!digits()) return false;
    }
    if (at != end && (*at == 'e' || *at == 'E')) {
        ++at;
        if (at != end && (*at == '+' || *at == '-')) ++at;
        if (!digits()) return false;
    }
    return at == end;
}

void ObjectWriter::string(std::string_view text) {
    reserve(text.size() + 2);
    char* const start = buffer_.data() + size_;
    if (!copy_plain(start + 1, text)) {
        escaped_.clear();
        append_quoted(escaped_, text);
        raw(escaped_);
        return;
    }
    start[0] = '"';
    start[text.size() + 1] = '"';
    size_ += text.size() + 2;
}

void ObjectWriter::cell(std::string_view text) {
    if (text.empty()) return null();
    if ((text[0] == '-' || is_digit(text[0])) && is_json_number(text)) return raw(text);
    string(text);
}

void ObjectWriter::grow(std::size_t more) {
    buffer_.resize(std::max({buffer_.size() * 2, size_ + more, std::size_t{1024}}));
}

}  // namespace stream
