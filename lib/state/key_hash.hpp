// SPDX-License-Identifier: Apache-2.0
// 128-bit hashes of keys: XXH3 (xxHash 0.8, whose XXH3 values are frozen) under a random secret, so
// that nobody who chooses keys can make them collide without having read the state.
#pragma once

#include "base/hash.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace stream {

using HashSecret = std::array<unsigned char, 192>;

// From getrandom(2). A secret belongs to one state and is saved with it.
HashSecret random_secret();

Hash128 hash_key(std::string_view key, const HashSecret& secret);

// Without a secret, the same everywhere and for ever: for names of things, not for what events bring.
Hash128 fingerprint(std::string_view bytes);

}  // namespace stream
