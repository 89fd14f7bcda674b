// SPDX-License-Identifier: Apache-2.0
// Blocks of bytes as independent Zstandard frames (RFC 8878), with content checksum and content size.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace stream {

// The most that so many bytes become.
std::size_t zstd_bound(std::size_t bytes);

class ZstdCompressor {
public:
    explicit ZstdCompressor(int level);
    ~ZstdCompressor();
    ZstdCompressor(ZstdCompressor&&) noexcept;
    ZstdCompressor& operator=(ZstdCompressor&&) noexcept;

    // Appends `raw` compressed.
    void append(std::string& out, std::string_view raw);

private:
    struct Context;
    std::unique_ptr<Context> context_;
};

class ZstdExpander {
public:
    ZstdExpander();
    ~ZstdExpander();
    ZstdExpander(ZstdExpander&&) noexcept;
    ZstdExpander& operator=(ZstdExpander&&) noexcept;

    // Appends what `stored` holds; false, and `out` as it was, unless that is one frame of exactly `size` bytes.
    bool append(std::string& out, std::string_view stored, std::size_t size);
    // The same into `size` bytes that are there.
    bool expand(char* into, std::string_view stored, std::size_t size);

private:
    struct Context;
    std::unique_ptr<Context> context_;
};

}  // namespace stream
