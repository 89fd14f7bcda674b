// SPDX-License-Identifier: Apache-2.0
// Any bytes as a segment's file: what is read of them follows each other, what is passed over is told, and no
// more is allocated than there is to read.
#include <algorithm>
#include <cstdint>

#include "fuzz/log_files.hpp"
#include "log/salvage.hpp"

using namespace fuzz_log;

namespace {

// Everything that reads one segment alone.
void read_segment(test::SimulatedDisk& disk, const std::string& path, const FileHeader& header, std::uint64_t size) {
    auto reader = SegmentReader::open_damaged(disk, path, header);
    STREAM_CHECK(reader);
    std::uint64_t end = file_header_size;
    const auto read = salvage_segment(*reader, size, [&](const GoodFrame& frame, const Batch& batch) -> Result<void> {
        STREAM_CHECK(frame.place.position >= end && frame.end() <= size);
        STREAM_CHECK(batch.lines.size() <= payload_max);
        end = frame.end();
        return {};
    });
    STREAM_CHECK(read);
    for (const BadPart& bad : read->bad) STREAM_CHECK(bad.from <= bad.to && (!bad.next_offset || *bad.next_offset >= bad.offset));
    reader->go_to(reader->begin());
    FrameHeader frame;
    while (*reader->next_header(size, frame) == SegmentReader::Found::frame) STREAM_CHECK(reader->place().position <= size);
    STREAM_CHECK(*reader->proven_behind(file_header_size, size) <= size);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string bytes(reinterpret_cast<const char*>(data), size);
    test::SimulatedDisk disk(1);
    FileHeader header{FileKind::segment, 0x0101010101010101, {}, 0, 0};
    std::uint32_t crc = 0;
    FileHeader said;
    if (read_file_header(bytes, said, crc) == nullptr) header = said;
    header.kind = FileKind::segment;
    LogConfig config;
    STREAM_CHECK(disk.make_folder(folder) && disk.make_folder("/log/segments"));
    auto manifest = Manifest::create(disk, folder, config);
    STREAM_CHECK(manifest && manifest->add_segment(0, header.file_id, 0, 0, nullptr));
    const std::string path = segment_path(folder, 0, *manifest->active(0));
    put(disk, path, bytes);
    greatest = 0;
    read_segment(disk, path, header, size);
    // Another log's file, mostly: the header is made to fit, what it was checked with not.
    if (size >= file_header_size) {
        std::string fitting;
        append_file_header(fitting, manifest->segment_header(0, *manifest->active(0)));
        put(disk, path, fitting + bytes.substr(file_header_size));
    }
    try_everything(disk);
    constexpr std::size_t most = 2 * payload_max + (4 << 20);  // a frame, as it is stored and as it is
    STREAM_CHECK(greatest <= most);
    return 0;
}

#ifndef STREAM_LIBFUZZER
#include "driver.hpp"

std::span<const std::string_view> fuzz_words() {
    static constexpr std::string_view words[] = {"SLF1", "\x89SLOG\r\n\x1a", "\x01\x01", "\n", "{}\n"};
    return words;
}
#endif
