// SPDX-License-Identifier: Apache-2.0
// What a recovery cuts off and a repair takes out is kept in quarantine/, durable before it goes. Internal to
// lib/log.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "io/file_system.hpp"

namespace stream::log {

// Bytes [from, to) of `file`, or up to its end, one block after the other: use(bytes, position).
template <class Use>
Result<void> each_block(File& file, std::uint64_t from, std::uint64_t to, Use&& use) {
    constexpr std::size_t block_max = 1 << 20;
    std::string block;
    while (from < to) {
        block.resize(static_cast<std::size_t>(std::min<std::uint64_t>(to - from, block_max)));
        auto got = file.read_at(block, from);
        if (!got) return pass_on(got);
        if (*got == 0) return {};
        block.resize(*got);
        STREAM_TRY(use(std::string_view(block), from));
        from += *got;
    }
    return {};
}

// The folder is there, and durable: who made it may have been killed before it was.
Result<std::string> make_quarantine(FileSystem& files, const std::string& folder);

// Keeps a copy of those bytes of the file at `path`, in a new file whose name begins with `name`. Nothing where
// there is no such file.
Result<void> keep_copy(FileSystem& files, const std::string& folder, const std::string& path, std::uint64_t from, std::uint64_t to,
                       const std::string& name);

}  // namespace stream::log
