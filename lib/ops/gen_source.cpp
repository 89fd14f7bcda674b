// SPDX-License-Identifier: Apache-2.0
#include "ops/gen_source.hpp"

#include <string>

namespace stream {
namespace {

constexpr std::array<char, 200> two_digits = [] {
    std::array<char, 200> table{};
    for (std::size_t k = 0; k < 100; ++k) {
        table[2 * k] = static_cast<char>('0' + k / 10);
        table[2 * k + 1] = static_cast<char>('0' + k % 10);
    }
    return table;
}();

constexpr std::array<char, 512> hex_bytes = [] {
    std::array<char, 512> table{};
    for (std::size_t k = 0; k < 256; ++k) {
        table[2 * k] = "0123456789abcdef"[k >> 4];
        table[2 * k + 1] = "0123456789abcdef"[k & 15];
    }
    return table;
}();

struct Octet {
    std::array<char, 3> text;
    char size;
};
constexpr std::array<Octet, 256> octets = [] {
    std::array<Octet, 256> table{};
    for (std::size_t k = 0; k < 256; ++k) {
        std::size_t size = 0;
        if (k >= 100) table[k].text[size++] = static_cast<char>('0' + k / 100);
        if (k >= 10) table[k].text[size++] = static_cast<char>('0' + k / 10 % 10);
        table[k].text[size++] = static_cast<char>('0' + k % 10);
        table[k].size = static_cast<char>(size);
    }
    return table;
}();

}  // namespace

char* put_two_digits(char* p, std::uint64_t value) {
    std::memcpy(p, &two_digits[2 * value], 2);
    return p + 2;
}

char* put_octet(char* p, std::uint64_t value) {
    std::memcpy(p, &octets[value], sizeof(Octet));
    return p + octets[value].size;
}

char* put_hex(char* p, std::uint64_t value, unsigned digits) {
    for (unsigned k = digits / 2; k-- > 0; p += 2)
        std::memcpy(p, &hex_bytes[2 * ((value >> (8 * k)) & 255)], 2);
    return p;
}

char* put_decimal(char* p, std::uint64_t value) {
    std::array<char, 20> text;
    std::size_t at = text.size();
    for (; value >= 100; value /= 100) std::memcpy(&text[at -= 2], &two_digits[2 * (value % 100)], 2);
    if (value >= 10) {
        std::memcpy(&text[at -= 2], &two_digits[2 * value], 2);
    } else {
        text[--at] = static_cast<char>('0' + value);
    }
    std::memcpy(p, &text[at], text.size() - at);
    return p + (text.size() - at);
}

char* TimeText::write(char* p, std::int64_t time_ms) {
    constexpr std::int64_t ms_per_minute = ns_per_minute / ns_per_ms;
    const std::int64_t minute = floor_div(time_ms, ms_per_minute);
    Minute& cached = minutes_[static_cast<std::size_t>(minute & 1)];
    if (cached.minute != minute) [[unlikely]] {
        std::string text;
        append_rfc3339(text, minute * ns_per_minute);
        cached.minute = minute;
        std::memcpy(cached.text.data(), text.data(), 17);  // 2026-01-01T00:00:
    }
    const auto in_minute = static_cast<std::uint64_t>(time_ms - minute * ms_per_minute);
    const std::uint64_t ms = in_minute % 1000;
    std::memcpy(p, cached.text.data(), 17);
    put_two_digits(p + 17, in_minute / 1000);
    p[19] = '.';
    p[20] = static_cast<char>('0' + ms / 100);
    put_two_digits(p + 21, ms % 100);
    p[23] = 'Z';
    return p + 24;
}

// exp(ln(median) + sigma × Φ⁻¹((k + 0.5) / 256)), rounded, for k = 0 … 255.
// clang-format off
const QuantileTable latency_quantiles = {
    8, 11, 13, 15, 16, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 28, 29, 30, 31, 32, 32, 33, 34, 35, 35,
    36, 37, 38, 38, 39, 40, 41, 41, 42, 43, 43, 44, 45, 46, 46, 47, 48, 48, 49, 50, 51, 51, 52, 53, 53, 54,
    55, 56, 56, 57, 58, 58, 59, 60, 61, 61, 62, 63, 64, 64, 65, 66, 67, 67, 68, 69, 70, 70, 71, 72, 73, 73,
    74, 75, 76, 77, 77, 78, 79, 80, 81, 81, 82, 83, 84, 85, 86, 87, 87, 88, 89, 90, 91, 92, 93, 94, 94, 95,
    96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116,
    117, 118, 119, 121, 122, 123, 124, 125, 126, 127, 129, 130, 131, 132, 134, 135, 136, 137, 139, 140,
    141, 143, 144, 145, 147, 148, 150, 151, 153, 154, 155, 157, 159, 160, 162, 163, 165, 166, 168, 170,
    171, 173, 175, 177, 179, 180, 182, 184, 186, 188, 190, 192, 194, 196, 198, 200, 202, 205, 207, 209,
    212, 214, 216, 219, 221, 224, 226, 229, 232, 235, 237, 240, 243, 246, 249, 252, 256, 259, 262, 266,
    269, 273, 277, 281, 285, 289, 293, 297, 302, 306, 311, 316, 321, 326, 331, 337, 343, 349, 355, 361,
    368, 375, 382, 390, 398, 406, 415, 424, 434, 445, 456, 467, 480, 493, 508, 523, 540, 559, 579, 601,
    626, 654, 686, 724, 768, 821, 888, 976, 1103, 1315, 1861,
};
// clang-format on

// clang-format off
const QuantileTable size_quantiles = {
    111, 175, 221, 260, 294, 326, 356, 385, 413, 440, 466, 492, 517, 541, 566, 590, 614, 638, 661, 684,
    708, 731, 754, 777, 800, 823, 846, 869, 892, 915, 938, 961, 984, 1007, 1030, 1054, 1077, 1100, 1124,
    1147, 1171, 1195, 1218, 1242, 1266, 1290, 1315, 1339, 1364, 1388, 1413, 1438, 1463, 1488, 1514, 1539,
    1565, 1591, 1617, 1643, 1669, 1696, 1722, 1749, 1776, 1804, 1831, 1859, 1887, 1915, 1943, 1972, 2000,
    2029, 2059, 2088, 2118, 2148, 2178, 2208, 2239, 2270, 2301, 2332, 2364, 2396, 2428, 2461, 2494, 2527,
    2561, 2594, 2628, 2663, 2698, 2733, 2768, 2804, 2840, 2876, 2913, 2950, 2988, 3026, 3064, 3103, 3142,
    3182, 3222, 3262, 3303, 3344, 3386, 3428, 3470, 3514, 3557, 3601, 3646, 3691, 3736, 3783, 3829, 3876,
    3924, 3973, 4021, 4071, 4121, 4172, 4223, 4275, 4328, 4381, 4435, 4490, 4546, 4602, 4659, 4716, 4775,
    4834, 4894, 4955, 5017, 5080, 5143, 5208, 5273, 5340, 5407, 5475, 5545, 5615, 5686, 5759, 5833, 5908,
    5984, 6061, 6140, 6219, 6301, 6383, 6467, 6552, 6639, 6727, 6817, 6909, 7002, 7097, 7193, 7292, 7392,
    7494, 7598, 7704, 7812, 7923, 8035, 8150, 8267, 8387, 8509, 8634, 8762, 8892, 9026, 9162, 9302, 9445,
    9591, 9741, 9894, 10051, 10213, 10378, 10548, 10722, 10901, 11085, 11273, 11468, 11668, 11873, 12085,
    12304, 12529, 12761, 13001, 13249, 13506, 13771, 14045, 14330, 14625, 14931, 15250, 15581, 15925,
    16284, 16659, 17050, 17459, 17888, 18338, 18810, 19307, 19831, 20384, 20969, 21590, 22250, 22953,
    23705, 24511, 25379, 26316, 27332, 28439, 29652, 30989, 32473, 34134, 36010, 38152, 40634, 43556,
    47071, 51420, 57009, 64601, 75872, 95645, 150966,
};
// clang-format on

}  // namespace stream
