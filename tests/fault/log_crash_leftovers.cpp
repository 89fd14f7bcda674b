// SPDX-License-Identifier: Apache-2.0
// Scenarios of what somebody left who was killed, and of others who go on with it: what these say is then durable,
// what the killed one wrote and did not sync among it.
#include <fmt/format.h>

#include "fault/log_crash_dying.hpp"
#include "log/groups.hpp"
#include "log/maintain.hpp"

namespace stream::test {

namespace {

constexpr const char* archive_folder = "/data/archive";

// --- archives, and excision after them ---

Upkeep excising(const Model& model, const std::string& secret) {
    Upkeep upkeep;
    upkeep.name = "excise";
    upkeep.secret = secret;
    upkeep.again = [secret](FileSystem& files, const std::string& folder) -> Result<void> {
        const auto matches = [secret](std::string_view record) -> Result<bool> { return record.find(secret) != std::string_view::npos; };
        STREAM_TRY(log::excise_log(files, folder, matches, false));
        return {};
    };
    for (std::uint64_t s = 0; s < model.records().size(); ++s) {
        if (model.records()[s].bytes.find(secret) != std::string::npos) upkeep.must_go.push_back(s);
    }
    return upkeep;
}

// A log of several segments, most with the secret in them.
std::string make_with_secret(World& world) {
    log::LogConfig config;
    config.compressed = world.random.one_in(2);
    config.segment_bytes = 1500;
    make_log(world, config);
    const std::string secret = fmt::format("secret-{:016x}{:016x}", world.random.next(), world.random.next());
    auto writer = open_writer(world);
    for (int i = 0; i < 8; ++i) {
        auto batch = some_batch(world, 1 + world.random.below(3), 500);
        if (!world.random.one_in(4)) batch.back().bytes = secret + batch.back().bytes.substr(0, 30);
        append(world, writer, std::move(batch));
    }
    return secret;
}

Result<void> archive(FileSystem& files, const std::string& folder) {
    STREAM_TRY(log::archive_log(files, folder, archive_folder));
    return {};
}

// One who archives is killed, and at times another who goes on with it: their copies must not outlive an excision.
void excise_after_archive(World& world) {
    World before = quiet(world);
    const std::string secret = make_with_secret(before);
    const std::string& folder = world.model.folder;
    world.model.begin(excising(world.model, secret));
    const auto archive_it = [&](FileSystem& files) { return archive(files, folder); };
    const std::string where = archive_folder;
    const auto some_call = [&](World& in) { return after_some(1 + in.random.below(150)); };
    const auto copied = first_to("write", folder + "/manifest", "");
    switch (world.random.below(4)) {
        case 0:  // whose it is, is said, and not durable; the next one takes it for said
            kill_in(before, first_to("sync_folder", where, ""), "archive", archive_it);
            kill_in(world, world.random.one_in(2) ? copied : Dying::Last([](std::string_view, std::string_view) { return false; }), "archive again",
                    archive_it);
            break;
        case 1: kill_in(before, copied, "archive", archive_it); break;
        case 2: kill_in(before, first_to("rename", where, ""), "archive", archive_it); break;
        default:
            kill_in(before, some_call(world), "archive", archive_it);
            if (world.random.one_in(2)) kill_in(world, some_call(world), "archive again", archive_it);
    }
    do_upkeep(world, excising(world.model, secret));
    append(world, *std::make_unique<log::LogWriter>(open_writer(world)), some_batch(world, 2, 100));
}

// --- groups ---

// Who commits dies before the sync; the next one finds the position there, and is told that it is durable.
void commit_after_kill(World& world) {
    World before = quiet(world);
    make_log(before, {});
    GroupMoves& moves = world.model.groups["readers"];
    moves.before.positions.resize(1);
    const auto commit = [&](FileSystem& files, std::uint64_t to) -> Result<void> {
        auto manifest = log::Manifest::load(files, world.model.folder);
        if (!manifest) return pass_on(manifest);
        auto group = log::Group::open(files, world.model.folder, "readers", manifest->log_id(), 1);
        if (!group) return pass_on(group);
        return group->commit({{0, to}}, 0);
    };
    std::uint64_t to = 0;
    const auto moved = [&](World& in) {
        moves.after->positions[0] = to;
        ok(commit(in.files, to), "commit");
        moves.before = *moves.after;
    };
    for (int i = 0; i < 8; ++i) {
        to += 1 + world.random.below(9);
        moves.after = moves.before;
        moves.after->positions[0] = to;
        if (i >= 2) kill_in(before, first_to("sync", world.model.folder + "/groups/", ""), "commit", [&](FileSystem& files) { return commit(files, to); });
        moved(i < 2 ? before : world);
        moves.after.reset();
    }
}

const AddScenario excising_after_archive{{"excise-after-archive", excise_after_archive}};
const AddScenario committing_after_kill{{"groups-killed", commit_after_kill}};

}  // namespace

}  // namespace stream::test
