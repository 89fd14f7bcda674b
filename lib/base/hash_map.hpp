// SPDX-License-Identifier: Apache-2.0
// Hash tables: Abseil's, under names of our own so that one file knows it. Iteration order is random in
// each process: nothing may come out in it.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

namespace stream {

template <class... Arguments>
using HashMap = absl::flat_hash_map<Arguments...>;
template <class... Arguments>
using HashSet = absl::flat_hash_set<Arguments...>;

}  // namespace stream
