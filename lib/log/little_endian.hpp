// SPDX-License-Identifier: Apache-2.0
// Numbers in the files of a log, which are little endian, as the machines are. Internal to lib/log.
#pragma once

#include <bit>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

namespace stream::log {

static_assert(std::endian::native == std::endian::little);

template <typename T>
void put(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// The caller has looked that the bytes are there.
template <typename T>
T get(std::string_view bytes, std::size_t at) {
    T value{};
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

}  // namespace stream::log
