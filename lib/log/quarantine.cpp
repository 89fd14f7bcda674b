// SPDX-License-Identifier: Apache-2.0
#include "log/quarantine.hpp"

#include <fmt/format.h>

namespace stream::log {

Result<std::string> make_quarantine(FileSystem& files, const std::string& folder) {
    std::string quarantine = folder + "/quarantine";
    auto made = files.make_folder(quarantine);
    if (!made) return pass_on(made);
    STREAM_TRY(files.sync_folder(folder));
    return quarantine;
}

Result<void> keep_copy(FileSystem& files, const std::string& folder, const std::string& path, std::uint64_t from, std::uint64_t to,
                       const std::string& name) {
    auto file = files.open_if_there(path, Open::read);
    if (!file) return pass_on(file);
    if (*file == nullptr) return {};
    auto quarantine = make_quarantine(files, folder);
    if (!quarantine) return pass_on(quarantine);
    auto copy = files.open(fmt::format("{}/{}-{:016x}", *quarantine, name, files.random()), Open::create_new);
    if (!copy) return pass_on(copy);
    STREAM_TRY(each_block(**file, from, to, [&](std::string_view block, std::uint64_t at) { return (*copy)->write_at(block, at - from); }));
    STREAM_TRY((*copy)->sync());
    STREAM_TRY((*copy)->close());
    return files.sync_folder(*quarantine);
}

}  // namespace stream::log
