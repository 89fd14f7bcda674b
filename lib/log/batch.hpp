// SPDX-License-Identifier: Apache-2.0
// The payload of a batch frame (docs/formats/log.md): records, and where they stood.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/zstd_block.hpp"
#include "log/frame.hpp"

namespace stream::log {

// A frame read, checked and opened. The views live as long as the buffers they were made from.
struct Batch {
    FrameHeader header;
    std::uint64_t position = 0;  // of the frame in its file
    std::string_view lines;      // header.records lines, each with its '\n'
    std::vector<std::uint64_t> offsets;    // only where the frame is sparse
    std::vector<std::uint64_t> sequences;  // only where the frame is sequenced

    std::uint64_t offset_of(std::size_t record) const { return offsets.empty() ? header.offset + record : offsets[record]; }
    std::uint64_t sequence_of(std::size_t record) const {
        if (!sequences.empty()) return sequences[record];
        return (header.flags & frame_sequenced) != 0 ? header.sequence + record : offset_of(record);
    }
    // Past the last record.
    std::uint64_t end_offset() const { return header.records == 0 ? header.offset : offset_of(header.records - 1) + 1; }
};

// Checks the payload and opens it, decompressed into `buffer`. nullptr, or what is wrong.
const char* open_batch(const FrameHeader& header, std::string_view stored, ZstdExpander& expander, std::string& buffer, Batch& out);

// Records for one frame.
class BatchBuilder {
public:
    // sequenced: the log has several partitions. sparse: offsets have gaps (a segment that is rewritten).
    BatchBuilder(bool sequenced, bool sparse) : sequenced_(sequenced), sparse_(sparse) {}

    // `sequence` and `offset` are greater than those of the record before; both may count from anywhere
    // until finish(). `time`: its event time, time_before_all where it has none.
    void add(std::string_view record, std::uint64_t offset, std::uint64_t sequence, TimeNs time);
    // What a further record of so many bytes would make of bytes(), at most.
    std::size_t bytes_with(std::size_t record) const { return lines_.size() + index_bytes() + record + 1 + 20; }
    std::size_t bytes() const { return lines_.size() + index_bytes(); }
    std::uint32_t records() const { return records_; }
    bool empty() const { return records_ == 0; }
    std::uint64_t first_offset() const { return first_offset_; }
    std::uint64_t first_sequence() const { return first_sequence_; }

    // Sets flags, raw, records, index_bytes and max_time of `header` (nothing else of it), and appends the
    // payload as it is stored to `stored`. `compressor`: null for none. Then begins anew.
    void finish(FrameHeader& header, std::string& stored, ZstdCompressor* compressor);

private:
    std::size_t index_bytes() const { return sequence_index_.size() + offset_index_.size(); }

    bool sequenced_;
    bool sparse_;
    std::string lines_;
    std::string sequence_index_;
    std::string offset_index_;
    std::string raw_;
    std::uint32_t records_ = 0;
    std::uint64_t first_offset_ = 0;
    std::uint64_t last_offset_ = 0;
    std::uint64_t first_sequence_ = 0;
    std::uint64_t last_sequence_ = 0;
    TimeNs max_time_ = time_before_all;
};

}  // namespace stream::log
