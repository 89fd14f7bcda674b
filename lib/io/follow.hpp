// SPDX-License-Identifier: Apache-2.0
// Following a growing file by name, as `tail -F` means to: through rename (the old file is read to its
// end first, then the new one from its start), truncation, copytruncate and rewriting in place. No
// line is lost or repeated as long as its bytes were still there when we could look; bytes that were
// removed before any read are reported as a gap. At a change of file a last line without a newline
// is complete: a newline is put in.
#pragma once

#include "base/error.hpp"
#include "io/file_place.hpp"
#include "io/source.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace stream {

struct FollowOptions {
    bool from_end = false;  // start at the end of what is there now (after its last newline)
    int poll_ms = 200;      // asked again this often, where inotify tells nothing (network file systems)
    // Called with a sentence for a person when bytes went away unread ("100 bytes of access.log were
    // cut off before they were read").
    std::function<void(const std::string&)> on_gap;

    // Notes what place_at() needs; without it there are no places.
    bool places = false;
    // Goes on there (from_end means nothing then, and places are noted). Where the file of that name isn't
    // the place's any more its rotated siblings are searched, as open_source_at() does, and read up to the
    // file of that name.
    std::optional<FilePlace> resume;
    OnGap on_resume_gap = OnGap::fail;  // skip: on_gap is told
};

// ErrorKind::data: a gap at the place where reading was to go on, not skipped.
// The file need not exist yet.
Result<std::unique_ptr<ByteSource>> open_followed(const std::string& path, FollowOptions options);

}  // namespace stream
