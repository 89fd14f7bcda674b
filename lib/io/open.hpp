// SPDX-License-Identifier: Apache-2.0
// Opening a FILE of the command line.
#pragma once

#include "base/error.hpp"
#include "io/file_place.hpp"
#include "io/source.hpp"

#include <functional>
#include <memory>
#include <string>

namespace stream {

// `path` as given; "-" is stdin (descriptor 0, not closed). Gzip (also several members one after the
// other) and zstd (also several frames; window up to 128 MiB) are known by their first bytes, on
// stdin and in FIFOs too. Asks for a 1 MiB pipe where it is one, and for sequential read-ahead.
// Errors: ErrorKind::io naming what the system said; a directory is ErrorKind::usage.
Result<std::unique_ptr<ByteSource>> open_source(const std::string& path);

// From a descriptor that the caller keeps open.
Result<std::unique_ptr<ByteSource>> open_descriptor(int fd, const std::string& name);

struct ResumeOptions {
    OnGap on_gap = OnGap::fail;
    std::function<void(const std::string&)> tell_gap;  // with OnGap::skip: a sentence for a person
};

// A regular file (plain, gzip or zstd) whose reading can be resumed: it goes on at `place`, which an earlier
// source's place_at() gave, and the source's own place_at() gives others. An empty place is the start of the
// file. Where the file of that name isn't the place's any more, its rotated siblings are searched
// (place_search.hpp); the rest of the one found is read, then those that came after it, then the file of that
// name, as a follower would that had been there all the time. A stdin that is a regular file is read by the
// name it was opened by, the first time from where it stands. What is no regular file is opened as
// open_source() does if the place is empty (and has no places). Errors: as open_source(); ErrorKind::data
// names a gap: no file holds the place, or the bytes before it have changed; ErrorKind::usage where what has
// the name now is no regular file.
Result<std::unique_ptr<ByteSource>> open_source_at(const std::string& path, const FilePlace& place,
                                                   const ResumeOptions& options = {});

}  // namespace stream
