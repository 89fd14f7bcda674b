// SPDX-License-Identifier: Apache-2.0
#include "log/batch.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace stream::log {

namespace {

void put_number(std::string& out, std::uint64_t value) {  // LEB128
    while (value >= 0x80) {
        out.push_back(static_cast<char>(value | 0x80));
        value >>= 7;
    }
    out.push_back(static_cast<char>(value));
}

// False where it is cut short or longer than 64 bits.
bool take_number(std::string_view& bytes, std::uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (bytes.empty()) return false;
        const auto byte = static_cast<unsigned char>(bytes.front());
        bytes.remove_prefix(1);
        if (shift == 63 && byte > 1) return false;
        value |= std::uint64_t{byte & 0x7Fu} << shift;
        if ((byte & 0x80) == 0) return true;
    }
    return false;
}

std::size_t count_line_ends(std::string_view lines) {
    constexpr std::size_t run = 128;  // a byte counts that many; of a fixed length, so that compilers make vectors of it
    std::size_t count = 0;
    const char* at = lines.data();
    std::size_t left = lines.size();
    for (; left >= run; at += run, left -= run) {
        unsigned char here = 0;
        for (std::size_t i = 0; i < run; ++i) here = static_cast<unsigned char>(here + (at[i] == '\n'));
        count += here;
    }
    return count + static_cast<std::size_t>(std::count(at, at + left, '\n'));
}

// `n` growing numbers, the first one known.
bool take_growing(std::string_view& index, std::uint64_t first, std::uint32_t n, std::vector<std::uint64_t>& out) {
    constexpr std::uint64_t end = std::uint64_t{1} << 62;
    out.clear();
    if (index.size() + 1 < n) return false;  // before anything is allocated for them
    out.reserve(n);
    std::uint64_t value = first;
    for (std::uint32_t i = 0; i < n; ++i) {
        std::uint64_t more = 0;
        if (i > 0 && (!take_number(index, more) || more == 0 || more > end - value)) return false;
        value += more;
        out.push_back(value);
    }
    return true;
}

}  // namespace

const char* open_batch(const FrameHeader& header, std::string_view stored, ZstdExpander& expander, std::string& buffer, Batch& out) {
    if (!payload_is_right(header, stored)) return "a batch's records fail their check";
    std::string_view raw = stored;
    if ((header.flags & frame_compressed) != 0) {
        if (buffer.size() < header.raw) buffer.resize(header.raw);
        if (!expander.expand(buffer.data(), stored, header.raw)) return "a batch that cannot be decompressed";
        raw = std::string_view(buffer).substr(0, header.raw);
    }
    out.header = header;
    out.offsets.clear();
    out.sequences.clear();
    std::string_view index = raw.substr(0, header.index_bytes);
    out.lines = raw.substr(header.index_bytes);
    if (header.records == 0 ? !out.lines.empty() : (out.lines.empty() || out.lines.back() != '\n')) return "a batch whose records have no end";
    if (count_line_ends(out.lines) != header.records) return "a batch with another number of records";
    // Each number takes a byte at least: what is allocated is no more than what was read.
    if ((header.flags & frame_sequenced) != 0 && !take_growing(index, header.sequence, header.records, out.sequences)) return "a batch with a wrong index";
    if ((header.flags & frame_sparse) != 0 && !take_growing(index, header.offset, header.records, out.offsets)) return "a batch with a wrong index";
    return index.empty() ? nullptr : "a batch with a wrong index";
}

void BatchBuilder::add(std::string_view record, std::uint64_t offset, std::uint64_t sequence, TimeNs time) {
    if (records_ == 0) {
        first_offset_ = offset;
        first_sequence_ = sequence;
        max_time_ = time;
    } else {
        if (sequenced_) put_number(sequence_index_, sequence - last_sequence_);
        if (sparse_) put_number(offset_index_, offset - last_offset_);
        max_time_ = std::max(max_time_, time);
    }
    last_offset_ = offset;
    last_sequence_ = sequence;
    lines_.append(record);
    lines_.push_back('\n');
    ++records_;
}

void BatchBuilder::finish(FrameHeader& header, std::string& stored, ZstdCompressor* compressor) {
    header.flags = static_cast<std::uint16_t>((sequenced_ ? frame_sequenced : 0) | (sparse_ ? frame_sparse : 0) |
                                              (compressor != nullptr ? frame_compressed : 0));
    header.records = records_;
    header.index_bytes = static_cast<std::uint32_t>(index_bytes());
    header.max_time = records_ == 0 ? time_before_all : max_time_;
    std::string_view raw = lines_;
    if (header.index_bytes != 0) {
        raw_.assign(sequence_index_).append(offset_index_).append(lines_);
        raw = raw_;
    }
    STREAM_CHECK(raw.size() <= payload_max);
    header.raw = static_cast<std::uint32_t>(raw.size());
    if (compressor != nullptr) compressor->append(stored, raw);
    else stored.append(raw);
    lines_.clear();
    sequence_index_.clear();
    offset_index_.clear();
    records_ = 0;
}

}  // namespace stream::log
