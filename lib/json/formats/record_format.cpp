// SPDX-License-Identifier: Apache-2.0
#include "json/formats/record_format.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <cstring>

namespace stream {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

std::string_view without_line_end(std::string_view record) {
    if (record.ends_with('\n')) record.remove_suffix(1);
    if (record.ends_with('\r')) record.remove_suffix(1);
    return record;
}

bool is_ascii(std::string_view text) {
    constexpr std::uint64_t high_bits = 0x8080808080808080U;
    const char* at = text.data();
    std::size_t left = text.size();
    std::uint64_t seen = 0;
    for (; left >= sizeof seen; left -= sizeof seen) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, sizeof word);
        seen |= word;
        at += sizeof word;
    }
    for (; left > 0; --left) seen |= static_cast<unsigned char>(*at++);
    return (seen & high_bits) == 0;
}

// The word that is to blame, rather than the beginning of a long line.
std::string_view first_word_not_utf8(std::string_view line) {
    constexpr std::string_view separators = " \t\n\r,;\"=[]";
    while (true) {
        const std::size_t end = line.find_first_of(separators);
        const std::string_view word = line.substr(0, end);
        if (end == std::string_view::npos || !is_utf8(word)) return word;
        line.remove_prefix(end + 1);
    }
}

}  // namespace

std::size_t RecordFormat::record_length(std::string_view bytes, bool at_end) {
    const std::size_t from = resume_at(bytes);
    if (from == bytes.size()) return incomplete(bytes, from, at_end);
    const void* const found = std::memchr(bytes.data() + from, '\n', bytes.size() - from);
    if (found == nullptr) return incomplete(bytes, bytes.size(), at_end);
    return complete(static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data()) + 1);
}

Result<bool> RecordFormat::convert(std::string_view record, std::string& out) {
    record.remove_prefix(mark_length(record));
    at_file_start_ = false;
    record = without_line_end(record);
    if (record.empty() && blank_lines_ == BlankLines::skipped) return false;
    if (!is_ascii(record) && !is_utf8(record)) {
        return tl::unexpected<Error>(refused(
            Error(ErrorKind::data, fmt::format("not UTF-8: {}", quoted(first_word_not_utf8(record))))));
    }
    object_.clear();
    auto written = write_event(record, object_);
    if (!written) return pass_on(written);
    if (*written) out.append(object_.text());
    return written;
}

void RecordFormat::begin_file() {
    at_file_start_ = true;
    looked_at_ = 0;
}

std::string RecordFormat::save() const { return (at_file_start_ ? "^" : "-") + learnt(); }

bool RecordFormat::load(std::string_view saved) {
    if (!saved.starts_with('^') && !saved.starts_with('-')) return false;
    at_file_start_ = saved[0] == '^';
    looked_at_ = 0;
    return relearn(saved.substr(1));
}

std::size_t RecordFormat::mark_length(std::string_view bytes) const {
    return at_file_start_ && bytes.starts_with(byte_order_mark) ? byte_order_mark.size() : 0;
}

std::size_t RecordFormat::incomplete(std::string_view bytes, std::size_t looked_at, bool at_end) {
    looked_at_ = at_end ? 0 : looked_at;
    return at_end ? bytes.size() : 0;
}

std::size_t RecordFormat::complete(std::size_t length) {
    looked_at_ = 0;
    return length;
}

}  // namespace stream
