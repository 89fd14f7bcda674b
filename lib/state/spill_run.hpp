// SPDX-License-Identifier: Apache-2.0
// One sorted run of events in a file of its own. Each record has a CRC-32C: a disk that lies gives an
// error, not an event.
#pragma once

#include "base/error.hpp"
#include "state/temp_file.hpp"
#include "time/timestamp.hpp"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace stream {

struct EventOrder {
    TimeNs time = 0;
    std::uint32_t input = 0;
    std::uint64_t position = 0;
    friend auto operator<=>(const EventOrder&, const EventOrder&) = default;
};

// Reads records from `begin` to `end` of a file that outlives it.
class RunReader {
public:
    RunReader(const TempFile& file, std::uint64_t begin, std::uint64_t end, std::size_t buffer_bytes)
        : file_(&file), next_(begin), end_(end), buffer_bytes_(buffer_bytes) {}

    // False after the last record. ErrorKind::io, or corrupt for damage.
    Result<bool> next();
    const EventOrder& order() const { return order_; }
    std::string_view bytes() const { return bytes_; }  // until the next next()

    std::uint64_t begins_at() const { return record_at_; }  // of the record last read; the end after the last
    std::size_t memory() const { return buffer_.capacity(); }

private:
    Result<std::string_view> take(std::size_t size);  // of the next bytes of the file

    const TempFile* file_;
    std::uint64_t next_;  // in the file, of the first byte not taken yet
    std::uint64_t end_;
    std::size_t buffer_bytes_;
    std::string buffer_;
    std::size_t at_ = 0;  // in the buffer, of the byte at next_
    std::uint64_t record_at_ = 0;
    EventOrder order_;
    std::string_view bytes_;
};

class RunWriter {
public:
    RunWriter(TempFile& file, std::size_t buffer_bytes) : file_(file), buffer_bytes_(buffer_bytes) {}

    Result<void> add(const EventOrder& order, std::string_view bytes);
    // The run's length.
    Result<std::uint64_t> finish();

private:
    Result<void> flush();

    TempFile& file_;
    std::size_t buffer_bytes_;
    std::string buffer_;
    std::uint64_t written_ = 0;
};

}  // namespace stream
