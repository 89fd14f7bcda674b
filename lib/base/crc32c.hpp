// SPDX-License-Identifier: Apache-2.0
// CRC-32C (Castagnoli, RFC 3720 appendix B.4): what every file of ours is checked with.
// Frozen: log segments, manifests, state files and commits on disk depend on it for ever.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace stream {

// The CRC of `a` followed by `b` is crc32c_extend(crc32c(a), b). crc32c("123456789") is 0xe3069283.
std::uint32_t crc32c_extend(std::uint32_t crc, std::string_view bytes);

inline std::uint32_t crc32c(std::string_view bytes) { return crc32c_extend(0, bytes); }

// The same without the processor's instruction; for tests, which compare the two.
std::uint32_t crc32c_extend_portable(std::uint32_t crc, std::string_view bytes);

}  // namespace stream
