// SPDX-License-Identifier: Apache-2.0
#include "cli/log/segment_scan.hpp"

#include <fmt/format.h>

#include "io/file_system.hpp"
#include "log/segment.hpp"

namespace stream {

Result<void> scan_frames(const std::string& folder, const log::Manifest& manifest, const log::HeadState& head, std::uint32_t partition,
                         std::uint64_t from, const std::function<void(const log::FrameHeader&)>& frame) {
    for (const log::SegmentEntry& segment : manifest.segments(partition)) {
        if (segment.sealed && segment.end <= from) continue;
        const log::PartitionHead& end = head.partitions[partition];
        if (!segment.sealed && segment.id != end.segment) break;
        const std::string path = log::segment_path(folder, partition, segment);
        auto reader = log::SegmentReader::open(real_file_system(), path, manifest.segment_header(partition, segment));
        if (!reader) return pass_on(reader);
        const std::uint64_t limit = segment.sealed ? segment.bytes : end.length;
        for (;;) {
            log::FrameHeader header;
            auto found = reader->next_header(limit, header);
            if (!found) return pass_on(found);
            if (*found == log::SegmentReader::Found::end) break;
            if (*found != log::SegmentReader::Found::frame) {
                return fail(ErrorKind::corrupt, fmt::format("{}: damaged at byte {}: {}", path, reader->place().position, reader->why()),
                            "stream-log verify " + folder + " tells all");
            }
            if (header.offset >= from) frame(header);
        }
    }
    return {};
}

}  // namespace stream
