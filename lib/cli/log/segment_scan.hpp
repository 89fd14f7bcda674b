// SPDX-License-Identifier: Apache-2.0
// The headers of a partition's frames, without their payloads: how much lies where, and of when.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/error.hpp"
#include "log/head.hpp"
#include "log/manifest.hpp"

namespace stream {

// Of the frames that begin at `from` or later, in order, up to where `head` says that the partition ends.
// ErrorKind::corrupt where they cannot be read on.
Result<void> scan_frames(const std::string& folder, const log::Manifest& manifest, const log::HeadState& head, std::uint32_t partition,
                         std::uint64_t from, const std::function<void(const log::FrameHeader&)>& frame);

// Bytes of the records in a frame, line ends among them.
inline std::uint64_t bytes_of_records(const log::FrameHeader& header) { return header.raw - header.index_bytes; }

}  // namespace stream
