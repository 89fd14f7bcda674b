// SPDX-License-Identifier: Apache-2.0
// XXH3 (Collet), 64 bits. No result may depend on it: it only finds places in tables.
#pragma once

#include <cstdint>
#include <string_view>

namespace stream {
std::uint64_t hash64(std::string_view bytes, std::uint64_t seed);
}
