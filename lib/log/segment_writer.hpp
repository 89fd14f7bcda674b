// SPDX-License-Identifier: Apache-2.0
// A segment made anew from batches of another: compaction, excision, repair. Internal to lib/log.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/error.hpp"
#include "io/file_system.hpp"
#include "io/zstd_block.hpp"
#include "log/batch.hpp"
#include "log/manifest.hpp"

namespace stream::log {

// A new file at `path` (there is none) with its header, not yet synced; `header_crc` is what the first frame's
// chain is.
Result<std::unique_ptr<File>> make_segment_file(FileSystem& files, const std::string& path, const FileHeader& header, std::uint32_t& header_crc);

class SegmentWriter {
public:
    static Result<SegmentWriter> begin(FileSystem& files, const std::string& folder, const Manifest& manifest, std::uint32_t partition,
                                       const SegmentEntry& segment);

    // A record of `batch` that stays, with its offset and its sequence number.
    void keep(const Batch& batch, std::uint32_t record, std::string_view line) {
        records_.add(line, batch.offset_of(record), batch.sequence_of(record), batch.header.max_time);
    }
    // The records kept since the last call, in a frame that takes the place of `old`; no frame for none.
    Result<void> end_batch(const FrameHeader& old);
    // Synced, and closed; the folder is not.
    Result<void> finish();

    std::uint64_t bytes() const { return position_; }
    std::uint32_t chain() const { return chain_; }

private:
    SegmentWriter(const Manifest& manifest, std::uint64_t id, std::unique_ptr<File> file, std::uint32_t chain);
    Result<void> flush();

    std::uint64_t id_;
    bool compressed_;
    ZstdCompressor compressor_;
    BatchBuilder records_;
    std::unique_ptr<File> file_;
    std::uint32_t chain_;
    std::uint64_t position_ = file_header_size;
    std::string out_;
    std::string stored_;
};

}  // namespace stream::log
