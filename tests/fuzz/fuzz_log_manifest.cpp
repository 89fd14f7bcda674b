// SPDX-License-Identifier: Apache-2.0
// Any lines as the entries of a manifest (frames with right checks), or any bytes as its file: it is read or
// refused, repair ends, and a log that can be opened can be read.
#include <cstdint>

#include "fuzz/log_files.hpp"
#include "log/salvage.hpp"

using namespace fuzz_log;

namespace {

const FileHeader header{FileKind::manifest, 5, {1, 2}, 0, 0};

std::string manifest_of(std::string_view lines) {
    std::string bytes;
    append_file_header(bytes, header);
    FileHeader again;
    std::uint32_t chain = 0;
    STREAM_CHECK(read_file_header(bytes, again, chain) == nullptr);
    for (std::uint64_t number = 0; !lines.empty() && number < 64; ++number) {
        const std::size_t end = lines.find('\n');
        const std::string entry = std::string(lines.substr(0, end)) + "\n";
        lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
        FrameHeader h;
        h.type = FrameType::manifest;
        h.file_id = header.file_id;
        h.epoch = 1;
        h.chain = chain;
        h.offset = number;
        h.records = 1;
        h.durable = bytes.size();
        h.raw = static_cast<std::uint32_t>(entry.size());
        append_frame(bytes, h, entry);
        chain = h.next_chain();
    }
    return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    test::SimulatedDisk disk(1);
    STREAM_CHECK(disk.make_folder(folder) && disk.make_folder("/log/segments") && disk.make_folder("/archive"));
    put(disk, "/log/manifest", input.starts_with('{') ? manifest_of(input) : std::string(input));
    // A segment that entries may name, and one that they may not.
    for (const std::uint64_t id : {1u, 2u}) {
        SegmentEntry segment;
        segment.id = id;
        std::string bytes;
        append_file_header(bytes, {FileKind::segment, id, header.log_id, 0, 0});
        put(disk, segment_path(folder, 0, segment), bytes);
    }
    greatest = 0;
    const auto salvaged = salvage_entries(disk, "/log/manifest", FileKind::manifest);
    STREAM_CHECK(salvaged && *salvaged);
    auto loaded = Manifest::load(disk, folder);
    if (loaded) {
        STREAM_CHECK(loaded->config().partitions >= 1 && loaded->length() <= (*salvaged)->size);
        for (std::uint32_t p = 0; p < loaded->config().partitions; ++p) {
            for (const SegmentEntry& segment : loaded->segments(p)) STREAM_CHECK(segment.sealed || &segment == loaded->active(p));
        }
    }
    try_everything(disk);
    constexpr std::size_t most = 8 << 20;
    STREAM_CHECK(greatest <= most);
    return 0;
}

#ifndef STREAM_LIBFUZZER
#include "driver.hpp"

std::span<const std::string_view> fuzz_words() {
    static constexpr std::string_view words[] = {
        R"({"entry":"create","partitions":1,"by":null,"codec":"none","segment":1000,"retain_ns":0,"max_bytes":0,"single_writer":false,"compact":false,"deleted":null,"time":null})" "\n",
        R"({"entry":"segment","partition":0,"id":"0000000000000001","base":0,"sequence":0})" "\n",
        R"({"entry":"segment","partition":0,"id":"0000000000000002","base":0,"sequence":0,"bytes":64,"chain":1,"max_time":null,"keep_time":null})" "\n",
        R"({"entry":"epoch","epoch":2})" "\n",
        R"({"entry":"remove","partition":0,"id":"0000000000000001"})" "\n",
        R"({"entry":"replace","partition":0,"id":"0000000000000001","by":"0000000000000002","bytes":64,"chain":1,"max_time":null,"keep_time":null})" "\n",
        R"({"entry":"move","partition":0,"id":"0000000000000001","to":"/archive"})" "\n",
        "-1", "18446744073709551615", "9223372036854775807", "null", "\"\"",
    };
    return words;
}
#endif
