// SPDX-License-Identifier: Apache-2.0
// Making a log, and what is asked of one before it is opened.
#include <fmt/format.h>

#include "base/text.hpp"
#include "log/writer.hpp"

namespace stream::log {

Result<void> create_log(FileSystem& files, const std::string& folder, const LogConfig& config) {
    auto made = files.make_folder(folder);
    if (!made) return pass_on(made);
    const std::size_t slash = folder.find_last_of('/', folder.find_last_not_of('/'));
    STREAM_TRY(files.sync_folder(slash == std::string::npos ? "." : slash == 0 ? "/" : folder.substr(0, slash)));
    auto lock = files.lock(folder + "/LOCK", true);
    if (!lock) return pass_on(lock);
    if (is_log(files, folder)) return fail(ErrorKind::usage, folder + " is a log already");
    auto names = files.list(folder);
    if (!names) return pass_on(names);
    for (const std::string& name : *names ? **names : std::vector<std::string>{}) {
        if (name == "LOCK" || name == "segments" || name.starts_with("manifest.tmp-")) continue;  // what a creation that was killed leaves
        return fail(ErrorKind::usage, fmt::format("{} is a folder with something else in it ({})", folder, stream::quoted(name)), "a log has a folder of its own");
    }
    auto segments = files.make_folder(folder + "/segments");
    if (!segments) return pass_on(segments);
    STREAM_TRY(files.sync_folder(folder));
    auto manifest = Manifest::create(files, folder, config);
    if (!manifest) return pass_on(manifest);
    return {};
}

bool is_log(FileSystem& files, const std::string& folder) {
    auto file = files.open_if_there(folder + "/manifest", Open::read);
    return file && *file != nullptr;
}

std::uint32_t partition_of(std::string_view key, std::uint32_t partitions) {
    return static_cast<std::uint32_t>(hash64(key, 0) % partitions);
}

}  // namespace stream::log
