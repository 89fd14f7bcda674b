// SPDX-License-Identifier: Apache-2.0
// Reading one segment: its frames in order, each checked against the one before it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "io/file_system.hpp"
#include "log/batch.hpp"
#include "log/frame.hpp"

namespace stream::log {

// Where a frame begins, and what it must follow.
struct SegmentPlace {
    std::uint64_t position = file_header_size;
    std::uint32_t chain = 0;
    std::uint32_t epoch = 0;
    std::uint64_t offset = 0;
};

// Whether the file's header is whole and another log's.
Result<bool> is_of_another_log(FileSystem& files, const std::string& path, const Hash128& log_id);

class SegmentReader {
public:
    // Opens the file and checks its header: ErrorKind::corrupt, naming the file, where it is not the one
    // expected (kind, file_id, log_id, partition, base_offset) or not there.
    static Result<SegmentReader> open(FileSystem& files, const std::string& path, const FileHeader& expected);
    // The same for who looks for what can still be read: its header is taken to be the expected one (salvage.cpp).
    static Result<SegmentReader> open_damaged(FileSystem& files, const std::string& path, const FileHeader& expected);

    enum class Found : std::uint8_t {
        frame,
        end,        // the limit was reached, exactly
        nothing,    // zeros
        cut_short,  // the limit lies within a frame
        invalid,    // why() says what
    };
    // The next frame below `limit` (a length of the file). After anything but `frame` nothing has moved.
    Result<Found> next_header(std::uint64_t limit, FrameHeader& header);  // the payload is passed over
    Result<Found> next(std::uint64_t limit, Batch& batch);                // checked and opened; valid until the next call
    Result<Found> next_stored(std::uint64_t limit, FrameHeader& header);                // the stored payload is checked, not opened
    const char* why() const { return why_; }

    const SegmentPlace& place() const { return place_; }
    void go_to(const SegmentPlace& place) { place_ = place; }
    SegmentPlace begin() const { return {file_header_size, header_crc_, 0, header_.base_offset}; }

    // The greatest place known durable that a frame behind `from` proves (its own checks right, the chain not
    // looked at); 0 for none. For the verdict on damage: docs/formats/log.md, "Torn or damaged".
    Result<std::uint64_t> proven_behind(std::uint64_t from, std::uint64_t limit);
    // The next place from `from` on (a multiple of 8) where a whole frame of this file with right checks begins.
    Result<std::optional<SegmentPlace>> find_frame(std::uint64_t from, std::uint64_t limit);

    Result<std::uint64_t> size() { return file_->size(); }
    File& file() { return *file_; }
    const std::string& path() const { return path_; }
    const FileHeader& header() const { return header_; }

private:
    SegmentReader(std::string path, std::unique_ptr<File> file) : path_(std::move(path)), file_(std::move(file)) {}
    // At least `need` bytes from `position`, or up to the limit; `ahead` are read where something must be.
    Result<std::string_view> window(std::uint64_t position, std::size_t need, std::uint64_t limit, std::size_t ahead);
    // The whole frame whose header is here, padding checked.
    Result<Found> frame_here(std::uint64_t limit, FrameHeader& header, std::string_view& stored);
    std::uint32_t least_epoch(std::uint64_t position) const;
    Result<Found> header_here(std::uint64_t limit, FrameHeader& header, std::size_t ahead);

    std::string path_;
    std::unique_ptr<File> file_;
    FileHeader header_;
    std::uint32_t header_crc_ = 0;
    SegmentPlace place_;
    const char* why_ = "";
    std::string buffer_;
    std::uint64_t buffer_at_ = 0;
    std::size_t buffer_size_ = 0;
    std::uint64_t last_size_ = 0;  // of the frame passed over last
    std::string raw_;
    ZstdExpander expander_;
};

}  // namespace stream::log
