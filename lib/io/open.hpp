// SPDX-License-Identifier: Apache-2.0
// Opening a FILE of the command line.
#pragma once

#include <memory>
#include <string>

#include "base/error.hpp"
#include "io/source.hpp"

namespace stream {

// `path` as given; "-" is stdin (descriptor 0, not closed). Gzip (also several members one after the
// other) and zstd (also several frames; window up to 128 MiB) are known by their first bytes, on
// stdin and in FIFOs too. Asks for a 1 MiB pipe where it is one, and for sequential read-ahead.
// Errors: ErrorKind::io naming what the system said; a directory is ErrorKind::usage.
Result<std::unique_ptr<ByteSource>> open_source(const std::string& path);

// From a descriptor that the caller keeps open.
Result<std::unique_ptr<ByteSource>> open_descriptor(int fd, const std::string& name);

}  // namespace stream
