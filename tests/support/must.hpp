// SPDX-License-Identifier: Apache-2.0
// What has to go well for a test to go on.
#pragma once

#include "base/error.hpp"

#include <stdexcept>
#include <utility>

namespace stream {

template <class T>
T must(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message());
    return std::move(*result);
}
inline void must(Result<void> result) {
    if (!result) throw std::runtime_error(result.error().message());
}

}  // namespace stream
