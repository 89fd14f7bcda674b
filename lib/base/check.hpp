// SPDX-License-Identifier: Apache-2.0
// A broken invariant stops the program, in release builds too: a wrong answer is worse than none.
// Bad user data never trips a check; that is what Result is for.
#pragma once

namespace stream {
[[noreturn]] void check_failed(const char* expression, const char* file, int line);
}

#define STREAM_CHECK(condition)                                                \
    do {                                                                       \
        if (!(condition)) [[unlikely]]                                         \
            ::stream::check_failed(#condition, __FILE__, __LINE__);            \
    } while (false)
