// SPDX-License-Identifier: Apache-2.0
// Base64 (RFC 4648, section 4, with padding).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace stream {

void append_base64(std::string& out, std::string_view bytes);
// Nothing for text that is not canonical base64.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace stream
