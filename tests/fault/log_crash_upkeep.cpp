// SPDX-License-Identifier: Apache-2.0
// Scenarios of what is done to a whole log, and of groups.
#include <fmt/format.h>

#include "base/hash.hpp"
#include "fault/log_crash.hpp"
#include "log/groups.hpp"
#include "log/maintain.hpp"
#include "log/segment.hpp"

namespace stream::test {

namespace {

constexpr const char* archive_folder = "/data/archive";

log::LogConfig small(World& world, std::uint32_t partitions) {
    log::LogConfig config;
    config.partitions = partitions;
    config.compressed = world.random.one_in(2);
    config.segment_bytes = 2500;
    return config;
}

template <class T>
Result<void> done(Result<T> result) {
    if (!result) return pass_on(result);
    return {};
}

void append_some(World& world, int batches) {
    auto writer = open_writer(world);
    for (int i = 0; i < batches; ++i) append(world, writer, some_batch(world, 1 + world.random.below(5), 500));
}

std::vector<std::uint64_t> all_of(const Model& model, const std::function<bool(const GivenRecord&)>& which) {
    std::vector<std::uint64_t> found;
    for (std::uint64_t s = 0; s < model.records().size(); ++s) {
        if (which(model.records()[s])) found.push_back(s);
    }
    return found;
}

bool any(const GivenRecord&) { return true; }

// --- retention ---

void retain(World& world) {
    auto config = small(world, 2);
    config.retain_ns = 3'600'000'000'000;
    make_log(world, config);
    append_some(world, 14);
    world.disk.advance_clock(2 * config.retain_ns);
    const std::int64_t now = world.disk.now_ns();
    Upkeep upkeep;
    upkeep.name = "retain";
    upkeep.in_prefixes = true;
    upkeep.again = [now](FileSystem& files, const std::string& folder) { return done(log::retain_log(files, folder, now)); };
    upkeep.must_go = in_sealed(world, any);
    upkeep.go_later = all_of(world.model, any);
    do_upkeep(world, std::move(upkeep));
    append_some(world, 3);
}

// Of the ring nothing is promised but the newest sealed segment and what follows.
void allow_ring(World& world) {
    const auto manifest = ok(log::Manifest::load(world.disk, world.model.folder), "Manifest::load");
    const auto& segments = manifest.segments(0);
    if (segments.size() < 2) return;
    const auto& records = world.model.records();
    for (std::uint64_t s = 0; s < records.size(); ++s) {
        if (records[s].offset < segments[segments.size() - 2].base) world.model.let_go(s);
    }
}

void ring(World& world) {
    auto config = small(world, 1);
    config.max_bytes = 4 * config.segment_bytes;
    make_log(world, config);
    world.model.in_prefixes = true;
    auto writer = open_writer(world);
    writer.on_sealed([&](log::Manifest& manifest) {
        return done(log::retain_locked(world.files, world.model.folder, manifest, world.disk.now_ns()));
    });
    for (int i = 0; i < 24; ++i) {
        allow_ring(world);
        append(world, writer, some_batch(world, 1 + world.random.below(4), 700));
    }
}

// --- compaction ---

GivenRecord keyed_record(World& world, std::uint64_t keys) {
    GivenRecord record = some_record(world, 200);
    const std::uint64_t key = world.random.below(keys);
    record.key = fmt::format("k{}", key);
    record.partition = static_cast<std::uint32_t>(key % world.model.config.partitions);
    record.bytes = record.key + (world.random.one_in(6) ? " tombstone" : " value ") + record.bytes;
    return record;
}

bool key_of(std::string_view record, Hash128& key) {
    const std::size_t space = record.find(' ');
    if (space == std::string_view::npos || !record.starts_with('k') || space > 4) return false;
    key = hash128(record.substr(0, space), 7);
    return true;
}

bool is_tombstone(std::string_view record) { return record.find(" tombstone") != std::string_view::npos; }

void compact(World& world) {
    make_log(world, small(world, world.random.one_in(2) ? 1 : 2));
    {
        auto writer = open_writer(world);
        for (int i = 0; i < 16; ++i) {
            std::vector<GivenRecord> batch;
            for (std::uint64_t j = world.random.below(6) + 1; j > 0; --j) batch.push_back(keyed_record(world, 12));
            batch.push_back(some_record(world, 7));  // without a key
            append(world, writer, std::move(batch));
        }
    }
    std::map<std::string, std::uint64_t> newest;
    const auto& records = world.model.records();
    for (std::uint64_t s = 0; s < records.size(); ++s) newest[records[s].key] = s;
    const auto superseded = [&](const GivenRecord& record) {
        return !record.key.empty() && newest[record.key] != static_cast<std::uint64_t>(&record - records.data());
    };
    log::CompactOptions options;
    options.key_of = key_of;
    options.is_tombstone = is_tombstone;
    options.now_ns = world.disk.now_ns();
    options.tombstones_ns = world.random.one_in(2) ? 0 : INT64_C(86'400'000'000'000);
    Upkeep upkeep;
    upkeep.name = "compact";
    upkeep.again = [options](FileSystem& files, const std::string& folder) { return done(log::compact_log(files, folder, options)); };
    upkeep.must_go = in_sealed(world, superseded);
    if (options.tombstones_ns == 0) upkeep.may_go = all_of(world.model, [&](const GivenRecord& record) { return is_tombstone(record.bytes); });
    upkeep.go_later = all_of(world.model, superseded);
    do_upkeep(world, std::move(upkeep));
    append_some(world, 2);
}

// --- archive ---

Upkeep archiving() {
    Upkeep upkeep;
    upkeep.name = "archive";
    upkeep.again = [](FileSystem& files, const std::string& folder) { return done(log::archive_log(files, folder, archive_folder)); };
    return upkeep;
}

void archive(World& world) {
    make_log(world, small(world, 2));
    append_some(world, 9);
    do_upkeep(world, archiving());
    append_some(world, 6);
    do_upkeep(world, archiving());
    append_some(world, 1);
}

// --- excision ---

void excise_from(World& world, const std::string& secret) {
    {
        auto writer = open_writer(world);
        for (int i = 0; i < 10; ++i) {
            auto batch = some_batch(world, 1 + world.random.below(5), 300);
            if (world.random.one_in(2)) {
                batch.back().bytes = fmt::format("{}{}", batch.back().bytes.substr(0, 30), secret);
                if (batch.size() > 2) batch[1].bytes = secret + secret;
            }
            append(world, writer, std::move(batch));
            if (i == 5 && secret.find("archived") != std::string::npos) do_upkeep(world, archiving());
        }
    }
    Upkeep upkeep;
    upkeep.name = "excise";
    upkeep.secret = secret;
    upkeep.again = [secret](FileSystem& files, const std::string& folder) {
        const auto matches = [secret](std::string_view record) -> Result<bool> { return record.find(secret) != std::string_view::npos; };
        return done(log::excise_log(files, folder, matches, false));
    };
    upkeep.must_go = all_of(world.model, [&](const GivenRecord& record) { return record.bytes.find(secret) != std::string::npos; });
    do_upkeep(world, std::move(upkeep));
    append_some(world, 2);
}

std::string some_secret(World& world, std::string_view name) { return fmt::format("{}-{:016x}{:016x}", name, world.random.next(), world.random.next()); }

void excise(World& world) {
    make_log(world, small(world, 2));
    excise_from(world, some_secret(world, "secret"));
}

void excise_archived(World& world) {
    make_log(world, small(world, 1));
    excise_from(world, some_secret(world, "archived"));
}

// A writer died in the middle of a record that is excised then: it may be in quarantine, or in the torn tail.
void excise_torn(World& world) {
    make_log(world, small(world, 2));
    append_some(world, 4);
    const std::string secret = some_secret(world, "secret");
    {
        auto writer = open_writer(world);
        auto batch = some_batch(world, 4, 300);
        for (GivenRecord& record : batch) record.bytes = secret + record.bytes;
        append(world, writer, std::move(batch));
    }
    const auto manifest = ok(log::Manifest::load(world.disk, world.model.folder), "Manifest::load");
    for (std::uint32_t p = 0; p < 2; ++p) {
        const log::SegmentEntry* active = manifest.active(p);
        if (active == nullptr) continue;
        auto file = ok(world.disk.open(log::segment_path(world.model.folder, p, *active), Open::write), "open");
        ok(file->write_at("SLF1 half of a frame " + secret, ok(file->size(), "size")), "write");
    }
    excise_from(world, secret);
}

// --- repair ---

// One byte of a batch that is not the last is changed: its records go.
void repair(World& world) {
    make_log(world, small(world, 2));
    append_some(world, 12);
    const auto manifest = ok(log::Manifest::load(world.disk, world.model.folder), "Manifest::load");
    Upkeep upkeep;
    upkeep.name = "repair";
    upkeep.again = [](FileSystem& files, const std::string& folder) {
        return done(log::repair_log(files, folder, [](const log::Problem&) {}));
    };
    const std::uint32_t p = static_cast<std::uint32_t>(world.random.below(2));
    const auto& segments = manifest.segments(p);
    const log::SegmentEntry& segment = segments[world.random.below(segments.size())];
    const std::string path = log::segment_path(world.model.folder, p, segment);
    auto reader = ok(log::SegmentReader::open(world.disk, path, manifest.segment_header(p, segment)), "SegmentReader::open");
    const std::uint64_t size = ok(reader.size(), "size");
    std::vector<std::pair<std::uint64_t, log::FrameHeader>> frames;
    for (log::FrameHeader header;;) {
        const std::uint64_t position = reader.place().position;
        if (ok(reader.next_header(size, header), "next_header") != log::SegmentReader::Found::frame) break;
        frames.emplace_back(position, header);
    }
    if (frames.empty() || (!segment.sealed && frames.size() < 2)) return;
    const auto& [position, header] = frames[world.random.below(frames.size() - (segment.sealed ? 0 : 1))];
    const auto damaged = [&](const GivenRecord& record) {
        return record.partition == p && record.offset >= header.offset && record.offset < header.offset + header.records;
    };
    upkeep.may_go = all_of(world.model, damaged);
    world.model.needs_repair = true;
    world.model.begin(upkeep);
    auto file = ok(world.disk.open(path, Open::write), "open");
    const std::uint64_t at = position + world.random.below(log::frame_header_size + header.stored);
    char byte = 0;
    ok(file->read_at({&byte, 1}, at), "read");
    byte = static_cast<char>(byte ^ (1 << world.random.below(8)));
    ok(file->write_at({&byte, 1}, at), "write");
    ok(file->sync(), "sync");
    do_upkeep(world, std::move(upkeep));
    append_some(world, 2);
}

// --- groups ---

struct GroupOfWorld {
    World& world;
    std::string name;
    log::Group group;
    GroupMoves& moves;

    template <class Change>
    void change(const log::GroupState& after, Change&& todo) {
        moves.after = after;
        ok(todo(), "a change of group " + name);
        moves = {after, std::nullopt};
        world.model.judge_group(name, group.state());
    }
};

log::Group open_group(World& world, const std::string& name) {
    const auto manifest = ok(log::Manifest::load(world.disk, world.model.folder), "Manifest::load");
    return ok(log::Group::open(world.files, world.model.folder, name, manifest.log_id(), world.model.config.partitions), "Group::open");
}

void change_group(GroupOfWorld& one) {
    SeededRandom& random = one.world.random;
    log::GroupState after = one.moves.before;
    const auto p = static_cast<std::uint32_t>(random.below(after.positions.size()));
    const std::uint64_t at = after.positions[p].value_or(0);
    switch (random.below(4)) {
        case 0: {
            after.positions[p] = random.below(50);
            ++after.generation;
            after.batch.reset();
            one.change(after, [&] { return one.group.seek({{p, *after.positions[p]}}); });
            return;
        }
        case 1: {
            if (after.batch) {
                for (std::size_t i = 0; i < after.positions.size(); ++i) after.positions[i] = std::max(after.positions[i].value_or(0), after.batch->to[i]);
                after.batch.reset();
                one.change(after, [&] { return one.group.finish_batch(); });
                return;
            }
            log::OpenBatch batch{fmt::format("batch-{}", random.below(1000)), {}, {}};
            for (const auto& position : after.positions) {
                batch.from.push_back(position.value_or(0));
                batch.to.push_back(position.value_or(0) + random.below(20));
            }
            after.batch = batch;
            one.change(after, [&] { return one.group.begin_batch(batch); });
            return;
        }
        default: {
            if (after.batch) return;
            after.positions[p] = at + 1 + random.below(9);
            one.change(after, [&] { return one.group.commit({{p, *after.positions[p]}}, after.generation); });
            return;
        }
    }
}

void groups(World& world) {
    make_log(world, small(world, 2));
    append_some(world, 3);
    for (const char* name : {"first", "run:second"}) world.model.groups[name].before.positions.resize(2);
    GroupOfWorld first{world, "first", open_group(world, "first"), world.model.groups["first"]};
    GroupOfWorld second{world, "run:second", open_group(world, "run:second"), world.model.groups["run:second"]};
    for (int i = 0; i < 20; ++i) {
        GroupOfWorld& one = world.random.one_in(3) ? second : first;
        if (world.random.one_in(5)) one.group = open_group(world, one.name);
        change_group(one);
    }
}

const AddScenario retaining{{"retain", retain}};
const AddScenario ringing{{"ring", ring}};
const AddScenario compacting{{"compact", compact}};
const AddScenario archives{{"archive", archive}};
const AddScenario excising{{"excise", excise}};
const AddScenario excising_archived{{"excise-archived", excise_archived}};
const AddScenario excising_torn{{"excise-torn", excise_torn}};
const AddScenario repairing{{"repair", repair}};
const AddScenario grouping{{"groups", groups}};

}  // namespace

}  // namespace stream::test
