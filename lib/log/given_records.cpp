// SPDX-License-Identifier: Apache-2.0
#include "log/given_records.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace stream::log {

void GivenRecords::add(const Run& run, std::string_view lines, std::vector<std::uint64_t> before) {
    Piece piece{count_, run.partition, std::move(before), {}, std::string(lines)};
    for (std::uint32_t i = 0; i < run.records; ++i) piece.offsets.push_back(run.offset_of(i));
    count_ += lines.size();
    kept_ += lines.size();
    pieces_.push_back(std::move(piece));
    constexpr std::uint64_t enough = 2u << 20;
    while (pieces_.size() > 2 && kept_ - pieces_.front().lines.size() > enough + 2 * pieces_.back().lines.size()) {
        kept_ -= pieces_.front().lines.size();
        pieces_.pop_front();
    }
}

Result<std::vector<std::uint64_t>> GivenRecords::places_at(std::uint64_t used, const std::vector<std::uint64_t>& now) const {
    if (used >= count_) return now;
    // The piece that holds the last byte used: of its partition the record behind it is next.
    for (auto piece = pieces_.rbegin(); piece != pieces_.rend(); ++piece) {
        if (piece->begin >= used) continue;
        std::vector<std::uint64_t> places = piece->before;
        const std::string_view lines = std::string_view(piece->lines).substr(0, static_cast<std::size_t>(used - piece->begin));
        const auto records = static_cast<std::size_t>(std::count(lines.begin(), lines.end(), '\n'));
        if (records > 0) places[piece->partition] = piece->offsets[records - 1] + 1;
        return places;
    }
    if (pieces_.front().begin == used) return pieces_.front().before;
    return fail(ErrorKind::io, fmt::format("byte {} of the log's records is too far back to be found again", used));
}

}  // namespace stream::log
