// SPDX-License-Identifier: Apache-2.0
// Records that were given on as bytes: for a count of them, which record of which partition comes next.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "log/reader.hpp"

namespace stream::log {

class GivenRecords {
public:
    // The run comes next, as `lines`, one for each record. `before`: each partition's next offset in front of it.
    void add(const Run& run, std::string_view lines, std::vector<std::uint64_t> before);

    std::uint64_t count() const { return count_; }
    // Each partition's next offset once `used` bytes are used up, which end a record; `now` is where the reader is,
    // behind all that was given. ErrorKind::io: more lies behind `used` than somebody may not have used up, a block of
    // lines and one line.
    Result<std::vector<std::uint64_t>> places_at(std::uint64_t used, const std::vector<std::uint64_t>& now) const;

private:
    struct Piece {
        std::uint64_t begin = 0;
        std::uint32_t partition = 0;
        std::vector<std::uint64_t> before;
        std::vector<std::uint64_t> offsets;  // of its records
        std::string lines;
    };
    std::deque<Piece> pieces_;
    std::uint64_t kept_ = 0;
    std::uint64_t count_ = 0;
};

}  // namespace stream::log
