// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace stream {
inline constexpr std::string_view version = STREAM_VERSION;
}
