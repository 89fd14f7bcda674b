// SPDX-License-Identifier: Apache-2.0
// What scenarios of repair share: damage on the platter, and repair as the upkeep that ends it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fault/log_crash.hpp"
#include "log/groups.hpp"
#include "log/maintain.hpp"

namespace stream::test {

inline constexpr const char* group_name = "readers";

inline log::LogConfig small(World& world, std::uint32_t partitions) {
    log::LogConfig config;
    config.partitions = partitions;
    config.compressed = world.random.one_in(2);
    config.segment_bytes = 2000;
    return config;
}

inline void append_some(World& world, int batches) {
    auto writer = open_writer(world);
    for (int i = 0; i < batches; ++i) append(world, writer, some_batch(world, 1 + world.random.below(4), 400));
}

inline std::vector<std::uint64_t> all_of(const Model& model, const std::function<bool(const GivenRecord&)>& which) {
    std::vector<std::uint64_t> found;
    for (std::uint64_t s = 0; s < model.records().size(); ++s) {
        if (which(model.records()[s])) found.push_back(s);
    }
    return found;
}

inline std::string bytes_of(World& world, const std::string& path) {
    auto file = ok(world.disk.open(path, Open::read), "open");
    std::string bytes(ok(file->size(), "size"), '\0');
    bytes.resize(ok(file->read_at(bytes, 0), "read"));
    return bytes;
}

// Where `what` stands in the file.
inline std::vector<std::size_t> places_of(World& world, const std::string& path, std::string_view what) {
    const std::string bytes = bytes_of(world, path);
    std::vector<std::size_t> places;
    for (std::size_t at = bytes.find(what); at != std::string::npos; at = bytes.find(what, at + 1)) places.push_back(at);
    return places;
}

// On the platter.
inline void write_there(World& world, const std::string& path, std::string_view bytes, std::size_t at) {
    auto file = ok(world.disk.open(path, Open::write), "open");
    ok(file->write_at(bytes, at), "write");
    ok(file->sync(), "sync");
}

// The damage is found long after: head, which is never synced, is there, too. It proves that the last entry was whole.
inline void settle_head(World& world) {
    ok(ok(world.disk.open(world.model.folder + "/head", Open::write), "open")->sync(), "sync");
    ok(world.disk.sync_folder(world.model.folder), "sync_folder");
}

inline void put_folder_there(World& world, const std::string& path) {
    ok(world.disk.remove(path), "remove");
    static_cast<void>(ok(world.disk.make_folder(path), "make_folder"));
    ok(world.disk.sync_folder(path.substr(0, path.rfind('/'))), "sync_folder");
}

inline Result<void> repair(FileSystem& files, const std::string& folder) {
    STREAM_TRY(log::repair_log(files, folder, [](const log::Problem&) {}));
    return {};
}

inline Upkeep repairing() {
    Upkeep upkeep;
    upkeep.name = "repair";
    upkeep.again = repair;
    return upkeep;
}

inline void begin_repair(World& world, Upkeep upkeep) {
    world.model.needs_repair = true;
    world.model.begin(std::move(upkeep));
}

inline Result<log::Group> group_in(FileSystem& files, const std::string& folder, std::uint32_t partitions) {
    auto manifest = log::Manifest::load(files, folder);
    if (!manifest) return pass_on(manifest);
    return log::Group::open(files, folder, group_name, manifest->log_id(), partitions);
}

inline void commit(World& world, std::uint32_t partition, std::uint64_t to) {
    auto group = ok(group_in(world.files, world.model.folder, world.model.config.partitions), "Group::open");
    ok(group.commit({{partition, to}}, 0), "Group::commit");
}

}  // namespace stream::test
