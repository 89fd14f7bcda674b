// SPDX-License-Identifier: Apache-2.0
#include "log/frame.hpp"

#include <algorithm>
#include <cstring>

#include "base/check.hpp"
#include "base/crc32c.hpp"
#include "log/little_endian.hpp"

namespace stream::log {

namespace {

constexpr char file_magic[8] = {'\x89', 'S', 'L', 'O', 'G', '\r', '\n', '\x1A'};
constexpr std::uint32_t frame_magic = 0x31464C53;  // "SLF1"
constexpr std::uint16_t major_version = 1;
constexpr std::uint8_t frame_version = 1;
constexpr std::uint16_t frame_flags = frame_compressed | frame_sequenced | frame_of_epoch | frame_sparse;
constexpr std::uint64_t numbers_end = std::uint64_t{1} << 62;  // offsets, sequence numbers: signed sums of two stay in range

bool is_zero(std::string_view bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == '\0'; });
}

// The fields of a header whose CRC is right.
void decode(std::string_view bytes, FrameHeader& h) {
    h.type = static_cast<FrameType>(get<std::uint8_t>(bytes, 5));
    h.flags = get<std::uint16_t>(bytes, 6);
    h.stored = get<std::uint32_t>(bytes, 8);
    h.raw = get<std::uint32_t>(bytes, 12);
    h.records = get<std::uint32_t>(bytes, 16);
    h.index_bytes = get<std::uint32_t>(bytes, 20);
    h.offset = get<std::uint64_t>(bytes, 24);
    h.file_id = get<std::uint64_t>(bytes, 32);
    h.epoch = get<std::uint32_t>(bytes, 40);
    h.chain = get<std::uint32_t>(bytes, 44);
    h.durable = get<std::uint64_t>(bytes, 48);
    h.max_time = get<std::int64_t>(bytes, 56);
    h.append_time = get<std::int64_t>(bytes, 64);
    h.sequence = get<std::uint64_t>(bytes, 72);
    h.durable_sequence = get<std::uint64_t>(bytes, 80);
    h.batch_before = get<std::uint32_t>(bytes, 88);
    h.batch_records = get<std::uint32_t>(bytes, 92);
    h.payload_crc = get<std::uint32_t>(bytes, 96);
    h.header_crc = get<std::uint32_t>(bytes, 100);
}

// What its CRC covers but may still make no sense: a file may be hostile.
const char* nonsense(const FrameHeader& h) {
    if (h.stored > payload_max || h.raw > payload_max) return "a payload beyond 64 MiB";
    if ((h.flags & frame_compressed) == 0 && h.stored != h.raw) return "two lengths for one payload";
    if (h.records > h.raw || h.index_bytes > h.raw) return "more records than bytes";
    if (h.offset >= numbers_end || h.sequence >= numbers_end) return "offsets past their range";
    if ((h.flags & (frame_sequenced | frame_sparse)) == 0 && h.index_bytes != 0) return "an index without its mark";
    if ((h.flags & ~frame_flags) != 0) return "a frame of a newer format";
    if (h.batch_before > h.sequence || std::uint64_t{h.batch_before} + h.records > h.batch_records) return "a frame beyond its batch";
    return nullptr;
}

FrameState read_checked(std::string_view bytes, FrameHeader& header, const char*& why) {
    if (bytes.size() < 4) return is_zero(bytes) ? FrameState::nothing : FrameState::cut_short;
    if (get<std::uint32_t>(bytes, 0) == 0) return FrameState::nothing;
    if (get<std::uint32_t>(bytes, 0) != frame_magic) {
        why = "not the beginning of a frame";
        return FrameState::invalid;
    }
    if (bytes.size() < frame_header_size) return FrameState::cut_short;
    if (crc32c(bytes.substr(0, frame_header_size - 4)) != get<std::uint32_t>(bytes, frame_header_size - 4)) {
        why = "a frame's header fails its check";
        return FrameState::invalid;
    }
    if (get<std::uint8_t>(bytes, 4) != frame_version) {
        why = "a frame of a newer format";
        return FrameState::invalid;
    }
    decode(bytes, header);
    if (const char* wrong = nonsense(header)) {
        why = wrong;
        return FrameState::invalid;
    }
    return bytes.size() < header.size() ? FrameState::cut_short : FrameState::valid;
}

}  // namespace

std::uint32_t FrameHeader::next_chain() const {
    std::string both;
    put(both, header_crc);
    put(both, payload_crc);
    return crc32c(both);
}

void append_file_header(std::string& out, const FileHeader& header) {
    const std::size_t begin = out.size();
    out.append(file_magic, sizeof file_magic);
    put(out, major_version);
    put(out, std::uint16_t{0});
    put(out, std::uint32_t{0});
    put(out, std::uint32_t{0});
    put(out, static_cast<std::uint8_t>(header.kind));
    out.append(3, '\0');
    put(out, header.file_id);
    put(out, header.log_id.low);
    put(out, header.log_id.high);
    put(out, header.partition);
    put(out, header.base_offset);
    put(out, crc32c(std::string_view(out).substr(begin)));
    STREAM_CHECK(out.size() - begin == file_header_size);
}

const char* read_file_header(std::string_view bytes, FileHeader& header, std::uint32_t& crc) {
    if (bytes.size() < file_header_size) return "too short for a file of a log";
    if (std::memcmp(bytes.data(), file_magic, sizeof file_magic) != 0) return "not a file of a log";
    crc = get<std::uint32_t>(bytes, 60);
    if (crc32c(bytes.substr(0, 60)) != crc) return "its header fails its check";
    if (get<std::uint16_t>(bytes, 8) != major_version || get<std::uint32_t>(bytes, 12) != 0) return "a newer format than this program reads";
    header.kind = static_cast<FileKind>(get<std::uint8_t>(bytes, 20));
    header.file_id = get<std::uint64_t>(bytes, 24);
    header.log_id = {get<std::uint64_t>(bytes, 32), get<std::uint64_t>(bytes, 40)};
    header.partition = get<std::uint32_t>(bytes, 48);
    header.base_offset = get<std::uint64_t>(bytes, 52);
    return nullptr;
}

void append_frame(std::string& out, FrameHeader& h, std::string_view stored_payload) {
    STREAM_CHECK(stored_payload.size() <= payload_max);
    h.stored = static_cast<std::uint32_t>(stored_payload.size());
    h.payload_crc = crc32c(stored_payload);
    if (h.batch_records == 0) h.batch_records = h.batch_before + h.records;  // a batch by itself
    const std::size_t begin = out.size();
    put(out, frame_magic);
    put(out, frame_version);
    put(out, static_cast<std::uint8_t>(h.type));
    put(out, h.flags);
    put(out, h.stored);
    put(out, h.raw);
    put(out, h.records);
    put(out, h.index_bytes);
    put(out, h.offset);
    put(out, h.file_id);
    put(out, h.epoch);
    put(out, h.chain);
    put(out, h.durable);
    put(out, h.max_time);
    put(out, h.append_time);
    put(out, h.sequence);
    put(out, h.durable_sequence);
    put(out, h.batch_before);
    put(out, h.batch_records);
    put(out, h.payload_crc);
    h.header_crc = crc32c(std::string_view(out).substr(begin));
    put(out, h.header_crc);
    STREAM_CHECK(out.size() - begin == frame_header_size);
    out.append(stored_payload);
    out.append(h.size() - frame_header_size - stored_payload.size(), '\0');
}

FrameState read_frame_header(std::string_view bytes, const FramePlace& place, FrameHeader& header, const char*& why) {
    const FrameState state = read_checked(bytes, header, why);
    if (state == FrameState::nothing || state == FrameState::invalid) return state;
    if (state == FrameState::cut_short && bytes.size() < frame_header_size) return state;
    if (header.file_id != place.file_id) why = "a frame of another file";
    else if (header.type != place.type) why = "a frame of another kind";
    else if (header.epoch < place.least_epoch) why = "a frame of an epoch that is over";
    else if (header.offset < place.offset || (header.offset > place.offset && (header.flags & frame_sparse) == 0)) why = "a frame of another offset";
    else if (header.chain != place.chain) why = "a frame that does not follow the one before it";
    else return state;
    return FrameState::invalid;
}

FrameState read_lone_header(std::string_view bytes, std::uint64_t file_id, FrameHeader& header) {
    const char* why = nullptr;
    const FrameState state = read_checked(bytes, header, why);
    if (state != FrameState::valid) return state;
    return header.file_id == file_id ? state : FrameState::invalid;
}

bool is_proven_behind(std::string_view bytes, std::uint64_t at, std::uint64_t file_id) {
    constexpr std::size_t step = 8;  // frames begin at multiples of it
    for (std::size_t skip = step; skip + frame_header_size <= bytes.size(); skip += step) {
        FrameHeader later;
        if (read_lone_header(bytes.substr(skip), file_id, later) != FrameState::valid) continue;
        if (later.durable > at && payload_is_right(later, bytes.substr(skip + frame_header_size, later.stored))) return true;
    }
    return false;
}

bool padding_is_zero(const FrameHeader& header, std::string_view frame) {
    const std::size_t end = frame_header_size + header.stored;
    return is_zero(frame.substr(end, static_cast<std::size_t>(header.size()) - end));
}

bool payload_is_right(const FrameHeader& header, std::string_view stored) {
    return stored.size() == header.stored && crc32c(stored) == header.payload_crc;
}

}  // namespace stream::log
