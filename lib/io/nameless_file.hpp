// SPDX-License-Identifier: Apache-2.0
// A file without a name: its space is the system's again when the process ends, however it ends.
#pragma once

#include <string>

#include "base/error.hpp"
#include "io/fd.hpp"

namespace stream {

// To read and write, in `folder`, which is made (mode 0700) if it is not there. ErrorKind::io.
Result<OwnedFd> open_nameless(const std::string& folder);

}  // namespace stream
