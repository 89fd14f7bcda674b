// SPDX-License-Identifier: Apache-2.0
// Streaming decompression of gzip (RFC 1952) and Zstandard (RFC 8878), with bounded memory. Several
// members or frames one after the other are read through.
#pragma once

#include "base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace stream {

enum class Compression : std::uint8_t {
    none,
    gzip,
    zstd,
    unknown_yet,  // what there is of the file could begin a compressed one: more bytes are needed
};

// By the first bytes; four are always enough. At the end of the file unknown_yet means none.
Compression detect_compression(std::string_view first_bytes);

class Decompressor {
public:
    struct Step {
        std::size_t consumed = 0;
        std::size_t produced = 0;
    };

    virtual ~Decompressor() = default;

    // Takes from the front of `in`, puts at the front of `out`. While `out` comes back full there may
    // be more to come out with no further input. ErrorKind::corrupt, or ErrorKind::limit for a window
    // of more than 128 MiB; what could be made of the bytes before the damage is given first.
    virtual Result<Step> step(std::span<const char> in, std::span<char> out) = 0;

    // The input has ended: ErrorKind::corrupt if that is in the middle.
    virtual Result<void> finish() const = 0;
};

// `name` is for messages.
std::unique_ptr<Decompressor> make_decompressor(Compression compression, std::string name);

}  // namespace stream
