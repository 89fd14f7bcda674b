// SPDX-License-Identifier: Apache-2.0
// Making anew what repair finds damaged: segments from the frames that can be read, the manifest from its
// entries and the segments' files, what runs published and a group from their frames. Internal to lib/log.
// Everything here is called with the log's locks, and can be done again where it was killed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "io/file_system.hpp"
#include "log/manifest.hpp"
#include "log/salvage.hpp"

namespace stream::log {

// Copies a file to quarantine/, durable when this returns; what is no file gets another name beside it. Nothing
// to do where it is not there.
Result<void> quarantine(FileSystem& files, const std::string& folder, const std::string& path);

// Writes a sealed segment anew from the frames that can be read and that end at its end at most, as
// rewrite_segment() does; where there is no file, or none of it can be read, one without records.
Result<SegmentEntry> rebuild_segment(FileSystem& files, const std::string& folder, const Manifest& manifest, std::uint32_t partition,
                                     const SegmentEntry& segment);

// Writes the manifest anew, the old one being in quarantine: its valid entries, and what the segments' files
// say. ErrorKind::corrupt where the first entry is gone.
Result<void> rebuild_manifest(FileSystem& files, const std::string& folder, const SalvagedEntries& old);

// Writes anew what runs published: the entries that can be read, of a file that was this log's; none where there is none.
Result<void> rebuild_runs(FileSystem& files, const std::string& folder, const Hash128& log_id, const std::optional<SalvagedEntries>& old);

// Writes a group's file anew: the positions of the entries that can be read.
Result<void> rebuild_group(FileSystem& files, const std::string& folder, const Manifest& manifest, const std::string& name);

}  // namespace stream::log
