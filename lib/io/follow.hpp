// SPDX-License-Identifier: Apache-2.0
// Following a growing file by name, as `tail -F` means to: through rename (the old file is read to its
// end first, then the new one from its start), truncation, copytruncate and rewriting in place. No
// line is lost or repeated as long as its bytes were still there when we could look; bytes that were
// removed before any read are reported as a gap. At a change of file a last line without a newline
// is complete: a newline is put in.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/error.hpp"
#include "io/source.hpp"

namespace stream {

struct FollowOptions {
    bool from_end = false;  // start at the end of what is there now (after its last newline)
    int poll_ms = 200;      // asked again this often, where inotify tells nothing (network file systems)
    // Called with a sentence for a person when bytes went away unread ("100 bytes of access.log were
    // cut off before they were read").
    std::function<void(const std::string&)> on_gap;
};

// The file need not exist yet.
Result<std::unique_ptr<ByteSource>> open_followed(const std::string& path, FollowOptions options);

}  // namespace stream
