// SPDX-License-Identifier: Apache-2.0
#include "cli/log/place.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "base/text.hpp"
#include "run/client.hpp"
#include "io/fd.hpp"
#include "log/writer.hpp"

namespace stream {

namespace {

// What a person's shell takes as one word.
std::string word(const std::string& name) {
    const bool plain = !name.empty() && name.find_first_of(" \t\n'\"$`\\!*?;&|<>()#~") == std::string::npos;
    return plain ? printable(name) : "'" + printable(name) + "'";
}

// The logs in a folder, for a hint.
std::string logs_in(const std::string& folder) {
    auto names = real_file_system().list(folder);
    if (!names || !*names) return {};
    std::string found;
    int count = 0;
    for (const std::string& name : **names) {
        const std::string path = folder + (folder.ends_with('/') ? "" : "/") + name;
        if (!log::is_log(real_file_system(), path)) continue;
        if (++count > 5) return found + ", …";
        found += (found.empty() ? "" : ", ") + printable(path);
    }
    return found;
}

}  // namespace

Result<void> check_log_folder(const std::string& folder) {
    struct stat status {};
    const std::string shown = stream::quoted(folder, 200);
    if (::stat(folder.c_str(), &status) != 0) {
        if (errno == ENOENT) return fail(ErrorKind::usage, "there is no log " + shown, "stream-log create " + word(folder) + " makes one");
        const int error_number = errno;
        return system_failure("open", folder, error_number);
    }
    if (!S_ISDIR(status.st_mode)) {
        return fail(ErrorKind::usage, shown + " is a file, not a log", "a log is a folder: stream-log append DIR <" + word(folder) + " makes one of a file");
    }
    if (log::is_log(real_file_system(), folder)) return {};
    // Damaged, or not for us to read: the manifest itself says.
    if (const std::string manifest = folder + "/manifest"; ::lstat(manifest.c_str(), &status) == 0) {
        auto loaded = log::Manifest::load(real_file_system(), folder);
        if (!loaded) return pass_on(loaded);
        return {};
    }
    const std::string inside = logs_in(folder);
    return fail(ErrorKind::usage, shown + " is a folder, but no log", inside.empty() ? "stream-log create " + word(folder) + " makes one" : "in it are logs: " + inside);
}

Result<log::Manifest> load_manifest(const std::string& folder) {
    STREAM_TRY(check_log_folder(folder));
    return log::Manifest::load(real_file_system(), folder);
}

Result<log::LogReader> open_log_reader(const std::string& folder, const log::ReaderOptions& options) {
    STREAM_TRY(check_log_folder(folder));
    return log::LogReader::open(real_file_system(), folder, options);
}

std::string time_field_of(const std::string& given, const log::LogConfig& config) { return given.empty() ? config.time : given; }

Result<void> refuse_in_run(const std::string& what) {
    const char* run = std::getenv("STREAM_RUN");
    if (run == nullptr || *run == '\0') return {};
    return fail(ErrorKind::usage, what + " in a run: the run keeps its own positions", "stream-log read DIR, without --group");
}

Result<Position> parse_log_position(const std::string& option, const std::string& text) {
    auto position = parse_position(text, run::command_line_now_ns());
    if (!position && !option.empty()) return tl::unexpected<Error>(std::move(position.error()).at(option));
    return position;
}

Result<std::uint64_t> offset_of(log::LogReader& reader, std::uint32_t partition, const Position& position, RecordTime* time) {
    const std::uint64_t first = reader.first_offset(partition);
    const std::uint64_t end = reader.end_offset(partition);
    switch (position.kind) {
        case Position::Kind::start: return first;
        case Position::Kind::end: return end;
        case Position::Kind::number: return position.number;
        case Position::Kind::last: return position.number >= end - first ? first : end - position.number;
        case Position::Kind::time: return reader.offset_at(partition, position.time, time->function());
    }
    return first;
}

}  // namespace stream
