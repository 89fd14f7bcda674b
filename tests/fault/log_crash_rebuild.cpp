// SPDX-License-Identifier: Apache-2.0
// Scenarios of repair where the manifest or a group is what is damaged: what was removed stays removed, what was
// there stays there, and the log that repair made can still be opened when the power has failed.
#include <fmt/format.h>

#include "base/hash.hpp"
#include "fault/log_crash_dying.hpp"
#include "fault/log_crash_repair.hpp"
#include "log/groups.hpp"
#include "log/maintain.hpp"

namespace stream::test {

namespace {

constexpr const char* archive_folder = "/data/archive";
constexpr const char* moved = R"({"entry":"move")";

// Killed when segments' files are unlinked and that is not durable: what does it again must see to that.
void killed_unlinking(World& world, const Upkeep& upkeep) {
    world.model.begin(upkeep);
    const std::string segments = world.model.folder + "/segments";
    const auto at_sync = [segments, unlinked = false, left = 1 + world.random.below(3)](std::string_view call, std::string_view path) mutable {
        unlinked = unlinked || (call == "remove" && path.starts_with(segments) && path.ends_with(".seg"));
        return unlinked && call == "sync_folder" && path == segments && --left == 0;
    };
    kill_in(world, at_sync, upkeep.name, [&](FileSystem& files) { return upkeep.again(files, world.model.folder); });
}

void archive(World& world) {
    Upkeep upkeep;
    upkeep.name = "archive";
    upkeep.again = [](FileSystem& files, const std::string& folder) -> Result<void> {
        STREAM_TRY(log::archive_log(files, folder, archive_folder));
        return {};
    };
    if (world.random.one_in(2)) killed_unlinking(world, upkeep);
    do_upkeep(world, std::move(upkeep));
}

// --- an entry of the manifest, and a group ---

// The group's state once it is repaired: two entries of the same partition behind the damaged one say it.
log::GroupState damage_group(World& world, log::GroupState left) {
    const std::string path = world.model.folder + "/groups/" + group_name;
    if (world.random.one_in(3)) {
        put_folder_there(world, path);
        for (auto& position : left.positions) position.reset();
        return left;
    }
    const auto commits = places_of(world, path, R"("entry":"commit")");
    write_there(world, path, "E", commits[world.random.below(2)] + 1);
    return left;
}

// The copy in the archive tells what the damaged entry did.
void rebuild(World& world) {
    World before = quiet(world);
    make_log(before, small(world, world.random.one_in(2) ? 1 : 2));
    append_some(before, 10);
    archive(before);
    append_some(before, 1);
    const std::string& folder = world.model.folder;
    for (std::uint64_t to = 1; to <= 4; ++to) commit(before, 0, to);
    log::GroupState state = ok(group_in(world.disk, folder, world.model.config.partitions), "Group::open").state();
    begin_repair(world, repairing());
    settle_head(world);
    const std::string manifest = folder + "/manifest";
    const auto entries = places_of(world, manifest, moved);
    const bool both = !entries.empty() && world.random.one_in(2);
    if (both || world.random.one_in(3)) state = damage_group(world, std::move(state));
    if (!entries.empty()) write_there(world, manifest, "E", entries[world.random.below(entries.size())] + 2);
    world.model.upkeep->again = [state](FileSystem& files, const std::string& where) -> Result<void> {
        STREAM_TRY(repair(files, where));
        auto group = group_in(files, where, static_cast<std::uint32_t>(state.positions.size()));
        if (!group) return pass_on(group);
        if (group->state().positions == state.positions) return {};
        return fail(ErrorKind::corrupt, "the group is elsewhere after repair");
    };
    do_upkeep(world, *world.model.upkeep);
    world.model.groups[group_name].before = state;
    append_some(world, 1);
}

// Nothing but head says that the manifest's last entry was whole once: it must not go before the new manifest is there.
void rebuild_last(World& world) {
    World before = quiet(world);
    auto config = small(world, 1);
    config.segment_bytes = 500;
    make_log(before, config);
    append_some(before, 5);
    archive(before);
    const std::string manifest = world.model.folder + "/manifest";
    const auto entries = places_of(world, manifest, moved);
    if (entries.empty()) return;
    begin_repair(world, repairing());
    settle_head(world);
    write_there(world, manifest, "E", entries.back() + 2);
    do_upkeep(world, repairing());
}

// --- the entry that says that a segment is removed, replaced or moved ---

bool key_of(std::string_view record, Hash128& key) {
    if (!record.starts_with("key")) return false;
    key = hash128(record.substr(0, 4), 7);
    return true;
}

// Records with few keys, and more without.
void append_keyed(World& world, std::string_view secret) {
    auto writer = open_writer(world);
    for (int i = 0; i < 9; ++i) {
        auto batch = some_batch(world, 1 + world.random.below(3), 400);
        GivenRecord& keyed = batch.front();
        keyed.key = fmt::format("key{}", world.random.below(3));
        keyed.bytes = fmt::format("{} {}{}", keyed.key, keyed.bytes.substr(0, 100), world.random.one_in(2) ? secret : "");
        append(world, writer, std::move(batch));
    }
}

// As a writer does it that has sealed a segment.
Result<void> retain_at_seal(FileSystem& files, const std::string& folder, std::int64_t now) {
    auto lock = files.lock(folder + "/LOCK", true);
    if (!lock) return pass_on(lock);
    auto manifest = log::Manifest::load(files, folder);
    if (!manifest) return pass_on(manifest);
    STREAM_TRY(log::retain_locked(files, folder, *manifest, now));
    return {};
}

void retain(World& world) {
    world.disk.advance_clock(2 * world.model.config.retain_ns);
    const std::int64_t now = world.disk.now_ns();
    Upkeep upkeep;
    upkeep.name = "retain";
    const bool at_seal = world.random.one_in(3);
    upkeep.again = [now, at_seal](FileSystem& files, const std::string& folder) -> Result<void> {
        if (at_seal) return retain_at_seal(files, folder, now);
        STREAM_TRY(log::retain_log(files, folder, now));
        return {};
    };
    const auto any = [](const GivenRecord&) { return true; };
    upkeep.must_go = in_sealed(world, any);
    upkeep.go_later = all_of(world.model, any);
    // At times one is killed that has it all in the manifest, and a segment's file left.
    if (!at_seal && world.random.one_in(3)) {
        killed_unlinking(world, upkeep);
    } else if (!at_seal && world.random.one_in(2)) {
        std::size_t segments = 0;
        const auto manifest = ok(log::Manifest::load(world.disk, world.model.folder), "Manifest::load");
        for (std::uint32_t p = 0; p < world.model.config.partitions; ++p) segments += manifest.segments(p).size() - 1;
        world.model.begin(upkeep);
        const auto at_last = [left = segments](std::string_view call, std::string_view path) mutable {
            return call == "remove" && path.ends_with(".seg") && --left == 0;
        };
        kill_in(world, at_last, "retain", [&](FileSystem& files) { return upkeep.again(files, world.model.folder); });
    }
    do_upkeep(world, std::move(upkeep));
}

void compact(World& world) {
    std::map<std::string, std::uint64_t> newest;
    const auto& records = world.model.records();
    for (std::uint64_t s = 0; s < records.size(); ++s) newest[records[s].key] = s;
    Upkeep upkeep;
    upkeep.name = "compact";
    upkeep.again = [](FileSystem& files, const std::string& folder) -> Result<void> {
        log::CompactOptions options;
        options.key_of = key_of;
        STREAM_TRY(log::compact_log(files, folder, options));
        return {};
    };
    const auto superseded = [&](const GivenRecord& record) {
        return !record.key.empty() && newest[record.key] != static_cast<std::uint64_t>(&record - records.data());
    };
    upkeep.must_go = in_sealed(world, superseded);
    upkeep.go_later = all_of(world.model, superseded);
    if (world.random.one_in(2)) killed_unlinking(world, upkeep);
    do_upkeep(world, std::move(upkeep));
}

// With one such entry lost nobody but the files says which of two is the segment: one that is gone must not be there
// again. Then what is excised is gone, wherever repair found it.
void repair_after(World& world, void (*remove)(World&), std::string_view entry) {
    World before = quiet(world);
    auto config = small(world, world.random.one_in(2) ? 1 : 2);
    config.retain_ns = 3'600'000'000'000;
    make_log(before, config);
    const std::string secret = fmt::format("secret-{:016x}{:016x}", world.random.next(), world.random.next());
    append_keyed(before, secret);
    remove(before);
    Upkeep upkeep = repairing();
    upkeep.secret = secret;
    upkeep.again = [secret](FileSystem& files, const std::string& folder) -> Result<void> {
        STREAM_TRY(repair(files, folder));
        const auto matches = [&](std::string_view record) -> Result<bool> { return record.find(secret) != std::string_view::npos; };
        STREAM_TRY(log::excise_log(files, folder, matches, false));
        return {};
    };
    upkeep.must_go = all_of(world.model, [&](const GivenRecord& record) { return record.bytes.find(secret) != std::string::npos; });
    const std::string manifest = world.model.folder + "/manifest";
    const auto entries = places_of(world, manifest, fmt::format(R"({{"entry":"{}")", entry));
    if (entries.empty()) return;
    begin_repair(world, upkeep);
    settle_head(world);
    write_there(world, manifest, "E", entries[world.random.below(entries.size())] + 2);
    do_upkeep(world, std::move(upkeep));
    append_some(world, 1);
}

const AddScenario rebuilding{{"rebuild", rebuild}};
const AddScenario repairing_retained{{"repair-retained", [](World& world) { repair_after(world, retain, "remove"); }, 0}};
const AddScenario repairing_compacted{{"repair-compacted", [](World& world) { repair_after(world, compact, "replace"); }, 0}};
const AddScenario repairing_archived{{"repair-archived", [](World& world) { repair_after(world, archive, "move"); }, 0}};
const AddScenario rebuilding_last{{"rebuild-last", rebuild_last}};

}  // namespace

}  // namespace stream::test
