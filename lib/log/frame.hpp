// SPDX-License-Identifier: Apache-2.0
// The file header and the frame of docs/formats/log.md: what every file of a log is made of. Encoding and
// checking only; where frames lie in files is the others' business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.hpp"
#include "time/timestamp.hpp"

namespace stream::log {

inline constexpr std::size_t file_header_size = 64;
inline constexpr std::size_t frame_header_size = 104;
inline constexpr std::uint32_t payload_max = 64u << 20;  // stored, and decompressed

enum class FileKind : std::uint8_t { segment = 1, manifest = 2, group = 3, runs = 4 };

// From this place of a file on, frames of a lesser epoch are not what was written last there.
struct EpochCut {
    std::uint64_t at = 0;
    std::uint32_t epoch = 0;
};

struct FileHeader {
    FileKind kind = FileKind::segment;
    std::uint64_t file_id = 0;
    Hash128 log_id;
    std::uint32_t partition = 0;
    std::uint64_t base_offset = 0;  // of what runs published: the first entry's number
    std::vector<EpochCut> cuts = {};  // not in the file: what the manifest knows of it
};

void append_file_header(std::string& out, const FileHeader& header);
// nullptr if `bytes` begin with a valid header, else what is wrong ("too short", "not a file of a log",
// "a newer format", "its header fails its check").
const char* read_file_header(std::string_view bytes, FileHeader& header, std::uint32_t& crc);

enum class FrameType : std::uint8_t { batch = 1, manifest = 2, positions = 3, run = 4 };

inline constexpr std::uint16_t frame_compressed = 1;
inline constexpr std::uint16_t frame_sequenced = 2;
inline constexpr std::uint16_t frame_of_epoch = 4;
inline constexpr std::uint16_t frame_sparse = 8;

struct FrameHeader {
    FrameType type = FrameType::batch;
    std::uint16_t flags = 0;
    std::uint32_t stored = 0;
    std::uint32_t raw = 0;
    std::uint32_t records = 0;
    std::uint32_t index_bytes = 0;  // of the raw payload, how many at the front say where the records stood
    std::uint64_t offset = 0;
    std::uint64_t file_id = 0;
    std::uint32_t epoch = 0;
    std::uint32_t chain = 0;
    std::uint64_t durable = 0;
    TimeNs max_time = time_before_all;
    TimeNs append_time = 0;
    std::uint64_t sequence = 0;          // of the first record; its offset in a log of one partition
    std::uint64_t durable_sequence = 0;  // all below it was durable when the frame was made
    std::uint32_t batch_before = 0;      // records of the same batch with lesser sequence numbers than the first
    std::uint32_t batch_records = 0;     // records of the whole batch, in all partitions
    std::uint32_t payload_crc = 0;
    std::uint32_t header_crc = 0;

    // Of the whole frame, padding included.
    std::uint64_t size() const { return (frame_header_size + std::uint64_t{stored} + 7) & ~std::uint64_t{7}; }
    // Past its last record; where it is sparse, the least that can be.
    std::uint64_t end_offset() const { return offset + records; }
    std::uint64_t batch_first() const { return sequence - batch_before; }
    std::uint64_t batch_end() const { return batch_first() + batch_records; }
    // What the next frame's `chain` is.
    std::uint32_t next_chain() const;
};

// Appends the frame: the header with its CRCs worked out, the payload, the padding. Sets the CRCs in `header`.
void append_frame(std::string& out, FrameHeader& header, std::string_view stored_payload);

enum class FrameState : std::uint8_t {
    valid,
    nothing,    // zeros, or the end of the bytes: nothing was written here
    cut_short,  // the bytes end within it
    invalid,
};

// What a frame must fit to.
struct FramePlace {
    std::uint64_t file_id = 0;
    std::uint32_t chain = 0;
    std::uint32_t least_epoch = 0;
    std::uint64_t offset = 0;
    FrameType type = FrameType::batch;
};

// The header of a frame at the front of `bytes`, which are what the file holds from there. `why` is set
// where it is invalid. The payload is not looked at.
FrameState read_frame_header(std::string_view bytes, const FramePlace& place, FrameHeader& header, const char*& why);

// The same without knowing what came before (to find what is proven by frames behind a damage): only the
// frame's own checks and the file's id.
FrameState read_lone_header(std::string_view bytes, std::uint64_t file_id, FrameHeader& header);

// Of files whose entries are synced one by one: whether a whole frame of the file further on in `bytes` proves that what
// is at their front, place `at` of the file, was whole once.
bool is_proven_behind(std::string_view bytes, std::uint64_t at, std::uint64_t file_id);

// Whether the bytes behind the payload are zeros, as they are written. `frame` begins with the whole frame.
bool padding_is_zero(const FrameHeader& header, std::string_view frame);
// Whether the stored payload is what was written.
bool payload_is_right(const FrameHeader& header, std::string_view stored);

}  // namespace stream::log
