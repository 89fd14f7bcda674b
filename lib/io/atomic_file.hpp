// SPDX-License-Identifier: Apache-2.0
// Small files read and replaced whole.
#pragma once

#include "base/error.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace stream {

// After it returns, `path` holds `bytes`, also after a power failure; until then, and after an error,
// what it held before: a file of mode 0600 beside it (.NAME.tmp-PID-N) is written, synced and renamed
// over it, and the folder synced. A symbolic link at `path` is replaced, not followed. A crash can leave
// the file beside it behind; nobody ever reads it.
Result<void> replace_file(const std::string& path, std::string_view bytes);

// ErrorKind::limit when there are more than `max_bytes`; a directory is ErrorKind::usage.
Result<std::string> read_file(const std::string& path, std::size_t max_bytes);

// The same, and nothing where there is no such file.
Result<std::optional<std::string>> read_file_if_there(const std::string& path, std::size_t max_bytes);

}  // namespace stream
