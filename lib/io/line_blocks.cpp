// SPDX-License-Identifier: Apache-2.0
#include "io/line_blocks.hpp"

#include <algorithm>
#include <cstring>

namespace stream {

LineBlocks::LineBlocks(ByteSource& source, std::size_t line_max, std::size_t block)
    : source_(source), line_max_(line_max), block_(block), buffer_(block + block / 4 + padding) {}

LineBlocks::Block LineBlocks::lines_up_to(std::size_t end) {
    const Block block{Status::lines, {buffer_.data() + begin_, end - begin_}, offset_};
    offset_ += end - begin_;
    begin_ = end;
    searched_ = end;
    return block;
}

Result<LineBlocks::Block> LineBlocks::next() {
    for (;;) {
        // A byte order mark at the very beginning is no part of the first line.
        if (first_ && (end_ >= 3 || at_end_)) {
            first_ = false;
            if (end_ >= 3 && std::memcmp(buffer_.data(), "\xEF\xBB\xBF", 3) == 0) {
                begin_ = searched_ = 3;
                offset_ = 3;
            }
        }
        if (end_ > searched_ && (!first_ || end_ >= 3)) {
            if (in_long_line_) {
                const void* newline = std::memchr(buffer_.data() + begin_, '\n', end_ - begin_);
                const char* stop = newline != nullptr ? static_cast<const char*>(newline) : buffer_.data() + end_;
                const std::size_t stop_at = static_cast<std::size_t>(stop - buffer_.data());
                Block piece{newline != nullptr ? Status::long_end : Status::long_piece,
                            {buffer_.data() + begin_, stop_at - begin_},
                            offset_};
                const std::size_t taken = stop_at - begin_ + (newline != nullptr ? 1 : 0);
                offset_ += taken;
                begin_ += taken;
                searched_ = begin_;
                if (newline != nullptr) in_long_line_ = false;
                return piece;
            }
            const void* newline = ::memrchr(buffer_.data() + searched_, '\n', end_ - searched_);
            if (newline != nullptr) {
                return lines_up_to(static_cast<std::size_t>(static_cast<const char*>(newline) - buffer_.data()) + 1);
            }
            searched_ = end_;
        }
        if (at_end_) {
            if (in_long_line_) {
                in_long_line_ = false;
                return Block{Status::long_end, {}, offset_};
            }
            if (begin_ < end_ && !whole_only_) {  // a last line without a newline
                buffer_[end_] = '\n';
                const std::size_t length = end_ - begin_;
                Block block = lines_up_to(++end_);
                offset_ -= block.bytes.size() - length;
                return block;
            }
            return Block{Status::end, {}, offset_};
        }
        if (end_ - begin_ > line_max_) {  // no newline in all of it
            in_long_line_ = true;
            searched_ = begin_;
            continue;
        }
        // Make room behind what is left over, then read.
        if (begin_ > 0) {
            std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
            end_ -= begin_;
            searched_ -= begin_;
            begin_ = 0;
        }
        std::size_t room = buffer_.size() - padding - 1 - end_;
        if (room < block_ / 2) {
            buffer_.resize(std::min(buffer_.size() * 2, line_max_ + 2 * block_ + padding));
            room = buffer_.size() - padding - 1 - end_;
        }
        const std::size_t wanted = std::min({room, std::max(block_, end_), read_max_});
        auto outcome = source_.read({buffer_.data() + end_, wanted});
        if (!outcome) return pass_on(outcome);
        if (outcome->status == ReadOutcome::Status::would_block) return Block{Status::would_block, {}, offset_};
        if (outcome->status == ReadOutcome::Status::end) {
            at_end_ = true;
            continue;
        }
        end_ += outcome->size;
        std::memset(buffer_.data() + end_, 0, padding);
    }
}

}  // namespace stream
