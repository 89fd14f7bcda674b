// SPDX-License-Identifier: Apache-2.0
#include "cli/input_reader.hpp"

#include <algorithm>

namespace stream {

namespace {
constexpr std::size_t text_block = 128 << 10;
}

InputReader::InputReader(std::string name, std::unique_ptr<ByteSource> source, FieldSet& fields,
                         TextFormat* format, std::size_t line_max)
    : name_(std::move(name)),
      source_(std::move(source)),
      format_(format),
      line_max_(line_max),
      scanner_(fields),
      lines_(*source_, line_max) {
    if (format_ != nullptr) format_->begin_file();
    else scanner_.limit_lines(line_max);
}

std::uint64_t InputReader::line_number() const {
    if (format_ != nullptr) return records_[scanner_.lines_seen() - 1].line;
    return lines_before_ + scanner_.lines_seen();
}

std::uint64_t InputReader::line_offset() const {
    if (format_ != nullptr) return bytes_before_ + records_[scanner_.lines_seen() - 1].offset;
    return bytes_before_ + block_offset_ + scanner_.line_begin();
}

void InputReader::again() {
    const std::size_t begin = scanner_.line_begin();
    lines_before_ += scanner_.lines_seen() - 1;
    block_offset_ += begin;
    block_.remove_prefix(begin);
    scanner_.start(block_.data(), block_.size());
}

std::uint64_t InputReader::used_bytes() const {
    if (format_ != nullptr) return pending_offset_ + pending_at_;
    const std::uint64_t used = scanner_.line_next() > 0 ? block_offset_ + scanner_.line_next() : bytes_read_;
    return std::min(used, lines_.offset());  // a newline may have been put behind the last line
}

InputReader::TextPlace InputReader::text_place(bool head_waits) const {
    const std::uint64_t done = scanner_.lines_seen() - (head_waits ? 1 : 0);
    if (done < records_.size()) {
        TextPlace place = block_place_;
        place.skip = done;
        return place;
    }
    return {pending_offset_ + pending_at_, text_lines_, text_skip_, format_->save()};
}

bool InputReader::go_on(const TextPlace& place, std::uint64_t bytes_before) {
    text_lines_ = place.lines;
    text_skip_ = place.skip;
    bytes_before_ = bytes_before;
    text_began_ = bytes_before > 0;
    return format_->load(place.learnt);
}

std::uint64_t InputReader::used_lines() const { return format_ != nullptr ? text_lines_ : lines_before_ + scanner_.lines_seen(); }

std::string_view InputReader::original() const {
    if (format_ == nullptr) return scanner_.line();
    const Record& record = records_[scanner_.lines_seen() - 1];
    std::string_view raw(pending_.data() + record.begin, record.size);
    while (!raw.empty() && (raw.back() == '\n' || raw.back() == '\r')) raw.remove_suffix(1);
    return raw;
}

Result<InputReader::Fill> InputReader::fill() {
    if (format_ != nullptr) return fill_text();
    lines_before_ += scanner_.lines_seen();
    scanner_.start(nullptr, 0);
    auto block = lines_.next();
    if (!block) return pass_on(block);
    switch (block->status) {
        case LineBlocks::Status::lines:
            block_offset_ = block->offset;
            block_ = block->bytes;
            bytes_read_ = block->offset + block->bytes.size();
            scanner_.start(block->bytes.data(), block->bytes.size());
            return Fill::events;
        case LineBlocks::Status::long_piece:
        case LineBlocks::Status::long_end:
            bad_ = BadLine{};
            bad_.first = !long_line_open_;
            if (bad_.first) ++lines_before_;
            bad_.raw = std::string(block->bytes);
            bad_.whole = false;
            bad_.line = lines_before_;
            bad_.offset = block->offset;
            bad_.done = block->status == LineBlocks::Status::long_end;
            bad_.reason = "a line longer than " + std::to_string(line_max_) + " bytes";
            long_line_open_ = !bad_.done;
            bytes_read_ = block->offset + block->bytes.size();
            return Fill::bad_line;
        case LineBlocks::Status::would_block:
            return Fill::would_block;
        case LineBlocks::Status::end:
            return Fill::end;
    }
    return Fill::end;
}

// False: there is nothing for now.
Result<bool> InputReader::read_text() {
    if (pending_at_ > 0) {
        pending_.erase(0, pending_at_);
        pending_offset_ += pending_at_;
        pending_at_ = 0;
    }
    const std::size_t have = pending_.size();
    pending_.resize(have + text_block);
    auto outcome = source_->read({pending_.data() + have, text_block});
    pending_.resize(have + (outcome && outcome->status == ReadOutcome::Status::data ? outcome->size : 0));
    if (!outcome) return pass_on(outcome);
    if (outcome->status == ReadOutcome::Status::end) text_end_ = true;
    return outcome->status != ReadOutcome::Status::would_block;
}

void InputReader::begin_long_record(std::string_view rest) {
    bad_ = BadLine{};
    bad_.reason = "a record longer than " + std::to_string(line_max_) + " bytes";
    bad_.raw = std::string(rest);
    bad_.whole = false;
    bad_.line = ++text_lines_;
    bad_.offset = bytes_before_ + pending_offset_ + pending_at_;
    bad_.done = false;
    long_line_open_ = true;
    pending_at_ = pending_.size();
}

Result<InputReader::Fill> InputReader::go_on_with_long_record() {
    if (pending_.empty() && !text_end_) {
        auto more = read_text();
        if (!more) return pass_on(more);
        if (!*more) return Fill::would_block;
    }
    const std::size_t newline = pending_.find('\n');
    bad_ = BadLine{};
    bad_.raw = pending_.substr(0, newline);
    bad_.whole = false;
    bad_.first = false;
    bad_.done = newline != std::string::npos || text_end_;
    pending_at_ = newline == std::string::npos ? pending_.size() : newline + 1;
    long_line_open_ = !bad_.done;
    return Fill::bad_line;
}

Result<InputReader::Fill> InputReader::fill_text() {
    scanner_.start(nullptr, 0);
    records_.clear();
    converted_.clear();
    if (pending_at_ > 0) {
        pending_.erase(0, pending_at_);
        pending_offset_ += pending_at_;
        pending_at_ = 0;
    }
    if (long_line_open_) return go_on_with_long_record();
    block_place_ = {pending_offset_, text_lines_, 0, format_->save()};
    for (;;) {
        // Convert the whole records there are.
        while (pending_at_ < pending_.size() && converted_.size() < 2 * text_block) {
            const std::string_view rest = std::string_view(pending_).substr(pending_at_);
            const std::size_t length = format_->record_length(rest, text_end_ && !whole_lines_);
            if (length == 0) {
                if (rest.size() <= line_max_ || !records_.empty()) break;
                // Too long: bad, and dropped up to the next line end, whatever quote may be open.
                (void)format_->record_length(rest, true);
                begin_long_record(rest);
                return Fill::bad_line;
            }
            const std::string_view record = rest.substr(0, length);
            const std::uint64_t line = text_lines_ + 1;
            text_lines_ += static_cast<std::uint64_t>(std::count(record.begin(), record.end(), '\n'));
            if (record.back() != '\n') ++text_lines_;
            const std::size_t before = converted_.size();
            auto made = format_->convert(record, converted_);
            if (!made) {
                converted_.resize(before);
                if (made.error().kind() != ErrorKind::data) return pass_on(made);
                if (!records_.empty()) {  // the batch so far first; this record again after it
                    text_lines_ = line - 1;
                    break;
                }
                pending_at_ += length;
                bad_ = BadLine{};
                bad_.reason = made.error().message();
                bad_.raw = std::string(record);
                while (!bad_.raw.empty() && (bad_.raw.back() == '\n' || bad_.raw.back() == '\r')) {
                    bad_.raw.pop_back();
                }
                bad_.line = line;
                bad_.offset = bytes_before_ + pending_offset_ + pending_at_ - length;
                return Fill::bad_line;
            }
            if (*made) {
                converted_.push_back('\n');
                records_.insert(records_.end(), format_->events(), {pending_at_, length, line, pending_offset_ + pending_at_});
            }
            pending_at_ += length;
        }
        if (!records_.empty()) {
            const std::size_t size = converted_.size();
            converted_.append(LineBlocks::padding, '\0');
            bytes_read_ = pending_offset_ + pending_at_;
            scanner_.start(converted_.data(), size);
            for (; text_skip_ > 0 && scanner_.lines_seen() < records_.size(); --text_skip_) (void)scanner_.next();
            return Fill::events;
        }
        if (text_end_ && (whole_lines_ || pending_at_ >= pending_.size())) return Fill::end;
        auto more = read_text();
        if (!more) return pass_on(more);
        if (!*more) return Fill::would_block;
        if (!text_began_ && (pending_.size() >= 3 || text_end_)) {
            text_began_ = true;
            if (pending_.starts_with("\xEF\xBB\xBF")) {
                pending_at_ = 3;
            }
        }
    }
}

}  // namespace stream
