// SPDX-License-Identifier: Apache-2.0
#include "base/base64.hpp"

#include <array>
#include <cstdint>

namespace stream {

namespace {
constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::uint8_t, 256> make_values() {
    std::array<std::uint8_t, 256> values{};
    values.fill(255);
    for (std::size_t i = 0; i < letters.size(); ++i) {
        values[static_cast<unsigned char>(letters[i])] = static_cast<std::uint8_t>(i);
    }
    return values;
}
constexpr std::array<std::uint8_t, 256> values = make_values();
}  // namespace

void append_base64(std::string& out, std::string_view bytes) {
    const auto at = [&](std::size_t i) { return std::uint32_t{static_cast<unsigned char>(bytes[i])}; };
    std::size_t i = 0;
    for (; i + 3 <= bytes.size(); i += 3) {
        const std::uint32_t bits = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
        for (int shift = 18; shift >= 0; shift -= 6) out += letters[(bits >> shift) & 63];
    }
    if (i + 1 == bytes.size()) {
        const std::uint32_t bits = at(i) << 16;
        out += letters[bits >> 18];
        out += letters[(bits >> 12) & 63];
        out += "==";
    } else if (i + 2 == bytes.size()) {
        const std::uint32_t bits = at(i) << 16 | at(i + 1) << 8;
        out += letters[bits >> 18];
        out += letters[(bits >> 12) & 63];
        out += letters[(bits >> 6) & 63];
        out += '=';
    }
}

std::optional<std::string> decode_base64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    std::string out;
    out.reserve(text.size() / 4 * 3);
    for (std::size_t i = 0; i < text.size(); i += 4) {
        const bool last = i + 4 == text.size();
        const int pads = !last ? 0 : (text[i + 3] != '=' ? 0 : (text[i + 2] != '=' ? 1 : 2));
        std::uint32_t bits = 0;
        for (int k = 0; k < 4 - pads; ++k) {
            const std::uint8_t value = values[static_cast<unsigned char>(text[i + static_cast<std::size_t>(k)])];
            if (value == 255) return std::nullopt;
            bits |= std::uint32_t{value} << (18 - 6 * k);
        }
        if (pads == 1 && (bits & 0xFF) != 0) return std::nullopt;
        if (pads == 2 && (bits & 0xFFFF) != 0) return std::nullopt;
        for (int k = 0; k < 3 - pads; ++k) out += static_cast<char>((bits >> (16 - 8 * k)) & 0xFF);
    }
    return out;
}

}  // namespace stream
