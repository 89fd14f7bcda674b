// SPDX-License-Identifier: Apache-2.0
// Where a log is and where in it to read: its folder, its config, positions of the command line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "cli/log/records.hpp"
#include "io/file_system.hpp"
#include "log/log_source.hpp"
#include "log/manifest.hpp"
#include "log/reader.hpp"
#include "time/duration.hpp"

namespace stream {

// ErrorKind::usage, with a hint, where the folder is none, or holds no log.
Result<void> check_log_folder(const std::string& folder);
// Both with check_log_folder() in front.
Result<log::Manifest> load_manifest(const std::string& folder);
Result<log::LogReader> open_log_reader(const std::string& folder, const log::ReaderOptions& options);

// The field with the event time: --time as given, else the log's.
std::string time_field_of(const std::string& given, const log::LogConfig& config);

// In a run (stream-run) positions are the run's: ErrorKind::usage for `what`.
Result<void> refuse_in_run(const std::string& what);

// `option` is for the message. `now`, `-2h` are the clock's.
Result<Position> parse_log_position(const std::string& option, const std::string& text);
// The offset of a position in one partition: -N is counted from the end, a time is the first event at or after it.
Result<std::uint64_t> offset_of(log::LogReader& reader, std::uint32_t partition, const Position& position, RecordTime* time);

}  // namespace stream
