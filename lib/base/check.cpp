// SPDX-License-Identifier: Apache-2.0
#include "base/check.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace stream {

void check_failed(const char* expression, const char* file, int line) {
    char text[512];
    const int length = std::snprintf(text, sizeof text, "internal error: %s does not hold (%s:%d)\n",
                                     expression, file, line);
    if (length > 0) {
        [[maybe_unused]] const auto ignored = ::write(2, text, static_cast<std::size_t>(length));
    }
    std::abort();
}

}  // namespace stream
