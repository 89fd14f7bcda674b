// SPDX-License-Identifier: Apache-2.0
// Scenarios of repair where an active segment is what is damaged: beside others that are not synced, and with a head
// that is gone, another log's, or newer than what the power failure left.
#include <fmt/format.h>

#include "fault/log_crash_dying.hpp"
#include "fault/log_crash_repair.hpp"
#include "log/groups.hpp"
#include "log/segment.hpp"

namespace stream::test {

namespace {

// --- an active segment, beside one that is not synced ---

void remove_head(World& world) {
    ok(world.disk.remove(world.model.folder + "/head"), "remove");
    ok(world.disk.sync_folder(world.model.folder), "sync_folder");
}

// Repair says of what lies beside the damaged segment that it is durable; what head says of it may be more than is there.
void repair_beside(World& world) {
    World before = quiet(world);
    log::LogConfig config;
    config.partitions = 2 + static_cast<std::uint32_t>(world.random.below(2));
    config.compressed = world.random.one_in(2);
    make_log(before, config);
    auto writer = open_writer(before);
    auto lazy = open_writer(before, false);
    const bool beside_alone = world.random.one_in(2);
    for (int i = 0; i < 7; ++i) {
        const bool sync = i < 3;  // what lies behind the damage proves that it is none of a torn tail
        auto batch = some_batch(before, 3, 400);
        for (std::uint32_t p = 0; p < 3; ++p) {
            if (sync) batch[p].partition = p % config.partitions;
            else if (beside_alone) batch[p].partition = 1 + p % (config.partitions - 1);
        }
        append(before, sync ? writer : lazy, std::move(batch), sync);
    }
    const auto manifest = ok(log::Manifest::load(world.disk, world.model.folder), "Manifest::load");
    Upkeep upkeep = repairing();
    const std::uint64_t in_frame = config.partitions == 2 ? 2 : 1;
    upkeep.may_go = all_of(world.model, [&](const GivenRecord& record) { return record.partition == 0 && record.offset < in_frame; });
    begin_repair(world, upkeep);
    if (world.random.one_in(3)) remove_head(world);
    else if (world.random.one_in(2)) settle_head(world);
    const std::string path = log::segment_path(world.model.folder, 0, *manifest.active(0));
    const std::size_t first = places_of(world, path, "SLF1")[0];
    auto file = ok(world.disk.open(path, Open::write), "open");
    ok(file->write_at("?", first + 8 + world.random.below(60)), "write");
    if (world.random.one_in(2)) ok(file->sync(), "sync");
    do_upkeep(world, std::move(upkeep));
    append_some(world, 1);
}

// --- what stands where head should, and the active segment gone ---

void repair_head(World& world) {
    World before = quiet(world);
    make_log(before, small(world, 1));
    append_some(before, 6);
    const std::string& folder = world.model.folder;
    commit(before, 0, 1);
    commit(before, 0, world.model.next_offset(0));  // so it is known where the log ended
    ok(log::create_log(world.disk, "/data/other", world.model.config), "create_log");
    static_cast<void>(ok(log::LogWriter::open(world.disk, "/data/other", {}), "LogWriter::open"));
    const auto manifest = ok(log::Manifest::load(world.disk, folder), "Manifest::load");
    const log::SegmentEntry active = *manifest.active(0);
    Upkeep upkeep = repairing();
    upkeep.may_go = all_of(world.model, [&](const GivenRecord& record) { return record.offset >= active.base; });
    begin_repair(world, upkeep);
    ok(world.disk.remove(log::segment_path(folder, 0, active)), "remove");
    ok(world.disk.sync_folder(folder + "/segments"), "sync_folder");
    settle_head(world);
    if (world.random.one_in(2)) put_folder_there(world, folder + "/head");
    else write_there(world, folder + "/head", bytes_of(world, "/data/other/head"), 0);
    do_upkeep(world, std::move(upkeep));
    append_some(world, 1);
}

const AddScenario repairing_beside{{"repair-beside", repair_beside}};
const AddScenario repairing_head{{"repair-head", repair_head}};

}  // namespace

}  // namespace stream::test
