// SPDX-License-Identifier: Apache-2.0
// XXH3 (Collet). The only file that includes it is hash.cpp. No result may depend on a hash, exactness
// up to 128 bits aside: it finds places in tables.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace stream {

struct Hash128 {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    friend bool operator==(const Hash128&, const Hash128&) = default;
};

// For tables whose keys come from outside: set once, at the start of the process, to something nobody
// can guess.
inline std::uint64_t table_seed = 0x9E3779B97F4A7C15u;

std::uint64_t hash64(std::string_view bytes, std::uint64_t seed);
Hash128 hash128(std::string_view bytes, std::uint64_t seed);
// `secret`: at least 136 random bytes.
Hash128 hash128_keyed(std::string_view bytes, std::span<const unsigned char> secret);

}  // namespace stream
