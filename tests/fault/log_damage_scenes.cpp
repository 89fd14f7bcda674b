// SPDX-License-Identifier: Apache-2.0
// The logs that are damaged.
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "fault/log_damage.hpp"
#include "log/batch.hpp"
#include "log/head.hpp"
#include "log/maintain.hpp"
#include "log/manifest.hpp"
#include "log/reader.hpp"
#include "log/seal.hpp"
#include "log/writer.hpp"

namespace stream::test {

using namespace stream::log;

namespace {

template <class T>
T must(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

struct Recipe {
    const char* name;
    std::uint32_t partitions;
    bool compressed;
    std::uint64_t segment_bytes;
    std::size_t batches;
    std::size_t record_bytes;
    bool archive;
    bool head;
    bool synced;
    bool runs = false;  // some batches are epochs
};
constexpr Recipe recipes[] = {
    {"one", 1, false, 2500, 24, 40, true, true, true, true},
    {"two", 2, true, 1500, 24, 40, true, true, true, true},
    {"no head", 1, false, 1800, 14, 40, false, false, true},
    {"no head of two", 2, true, 1500, 14, 40, false, false, true},
    {"blocks", 1, false, 40000, 60, 900, false, true, true},
    {"64 KiB", 1, false, 65536, 90, 1100, false, true, true},
};

std::string record_of(std::size_t batch, std::size_t i, std::size_t bytes, SeededRandom& random) {
    std::string text = fmt::format(R"({{"batch":{},"i":{},"text":")", batch, i);
    while (text.size() < bytes) text.push_back(static_cast<char>('a' + random.below(26)));
    return text + "\"}";
}

void add_batch(SimulatedDisk& disk, const Recipe& recipe, std::size_t batch, SeededRandom& random, RunEntry* run = nullptr) {
    WriterOptions options;
    options.runs_bytes = 600;  // some are made anew, some were appended since
    auto writer = must(LogWriter::open(disk, damage_folder, options));
    const std::size_t records = 1 + random.below(4);
    for (std::size_t i = 0; i < records; ++i) {
        const auto partition = static_cast<std::uint32_t>(random.below(recipe.partitions));
        must(writer.add(partition, record_of(batch, i, recipe.record_bytes / 2 + random.below(recipe.record_bytes), random), 1'700'000'000'000'000'000 + static_cast<TimeNs>(batch)));
    }
    if (run == nullptr) {
        must(writer.commit());
        return;
    }
    must(writer.publish(run->run, run->sink, run->epoch));
    run->sequence = writer.manifest().run_sequence();
}

// As an epoch of one of two sinks.
void add_epoch(Scene& scene, SimulatedDisk& disk, const Recipe& recipe, std::size_t batch, SeededRandom& random) {
    scene.epochs.push_back({"run", batch % 4 == 0 ? "late" : "totals", batch + 1, 0});
    add_batch(disk, recipe, batch, random, &scene.epochs.back());
}

std::string content_of(SimulatedDisk& disk, const std::string& path) {
    auto file = must(disk.open(path, Open::read));
    std::string bytes(must(file->size()), '\0');
    must(file->read_at(bytes, 0));
    return bytes;
}

std::string active_of(SimulatedDisk& disk, std::uint32_t partition) {
    const Manifest manifest = must(Manifest::load(disk, damage_folder));
    return manifest.active(partition) == nullptr ? "" : segment_path(damage_folder, partition, *manifest.active(partition));
}

// A writer that dies before its batch is whole: recovery cuts what is there of it. Returns what was cut off in
// its place: a block of an older epoch.
std::vector<std::string> die_writing(std::unique_ptr<SimulatedDisk>& disk, const Recipe& recipe, SeededRandom& random) {
    std::vector<std::string> stale;
    const auto before = disk->killed(random.next());
    for (std::uint64_t stop = 1; stop < 6; ++stop) {
        auto dying = before->killed(random.next());
        auto writer = must(LogWriter::open(*dying, damage_folder, {}));
        dying->stop_at_change(stop);
        try {
            for (std::uint32_t p = 0; p < recipe.partitions; ++p) must(writer.add(p, R"({"stale":"never acknowledged, and cut"})", time_before_all));
            static_cast<void>(writer.commit());
        } catch (const SimulatedCrash&) {
        }
        auto after = dying->killed(random.next());
        std::vector<std::string> left;
        for (std::uint32_t p = 0; p < recipe.partitions; ++p) {
            const std::string path = active_of(*after, p);
            if (!path.empty()) left.push_back(content_of(*after, path));
        }
        const auto epoch = must(Manifest::load(*after, damage_folder)).epoch();
        static_cast<void>(must(LogWriter::open(*after, damage_folder, {})));
        if (must(Manifest::load(*after, damage_folder)).epoch() <= epoch) continue;
        // What a disk held on which this did not happen is nothing that this log was ever on.
        stale = std::move(left);
        disk = std::move(after);
    }
    return stale;
}

std::vector<WrittenFrame> frames_in(const std::string& bytes) {
    std::vector<WrittenFrame> frames;
    std::uint64_t id = 0;
    FileHeader header;
    std::uint32_t crc = 0;
    if (read_file_header(bytes, header, crc) != nullptr) return frames;
    id = header.file_id;
    for (std::size_t at = file_header_size; at < bytes.size();) {
        FrameHeader frame;
        if (read_lone_header(std::string_view(bytes).substr(at), id, frame) != FrameState::valid) break;
        ZstdExpander expander;
        std::string buffer;
        Batch batch;
        std::uint64_t end = frame.end_offset();
        if (header.kind == FileKind::segment && open_batch(frame, std::string_view(bytes).substr(at + frame_header_size, frame.stored), expander, buffer, batch) == nullptr) {
            end = batch.end_offset();
        }
        frames.push_back({at, at + static_cast<std::size_t>(frame.size()), frame.durable, frame.offset, end});
        at += static_cast<std::size_t>(frame.size());
    }
    return frames;
}

DamageRecords read_all(SimulatedDisk& disk) {
    auto reader = must(LogReader::open(disk, damage_folder, {}));
    DamageRecords all(reader.manifest().config().partitions);
    for (Run run; must(reader.next(run)) == LogReader::Next::records;) {
        std::string_view rest = run.lines;
        for (std::uint32_t i = 0; i < run.records; ++i) {
            const std::size_t end = rest.find('\n');
            all[run.partition].push_back({run.offset_of(i), std::string(rest.substr(0, end))});
            rest.remove_prefix(end + 1);
        }
    }
    return all;
}

void add_target(Scene& scene, const std::string& path, FileKindOf kind, std::uint32_t partition) {
    Target target{path, kind, partition, content_of(*scene.disk, path), {}, {}};
    target.frames = frames_in(target.bytes);
    scene.targets.push_back(std::move(target));
}

void add_targets(Scene& scene, const Recipe& recipe) {
    SimulatedDisk& disk = *scene.disk;
    const Manifest manifest = must(Manifest::load(disk, damage_folder));
    for (std::uint32_t p = 0; p < recipe.partitions; ++p) {
        for (const SegmentEntry& segment : manifest.segments(p)) {
            const FileKindOf kind = !segment.archive.empty() ? FileKindOf::archived : segment.sealed ? FileKindOf::sealed : FileKindOf::active;
            add_target(scene, segment_path(damage_folder, p, segment), kind, p);
            if (segment.sealed && scene.has_head) add_target(scene, index_path(damage_folder, p, segment), FileKindOf::index, p);
        }
    }
    add_target(scene, std::string(damage_folder) + "/manifest", FileKindOf::manifest, 0);
    if (!scene.has_head) return;
    add_target(scene, std::string(damage_folder) + "/head", FileKindOf::head, 0);
    add_target(scene, std::string(damage_folder) + "/groups/nightly", FileKindOf::group, 0);
    if (recipe.runs) add_target(scene, std::string(damage_folder) + "/runs", FileKindOf::runs, 0);
}

void add_splices(Scene& scene, const std::vector<std::string>& stale, const std::vector<std::string>& foreign, const std::vector<std::string>& old_runs) {
    const auto is_segment = [](const Target& t) { return t.kind == FileKindOf::sealed || t.kind == FileKindOf::active || t.kind == FileKindOf::archived; };
    for (Target& target : scene.targets) {
        for (const Target& other : scene.targets) {
            const bool alike = other.kind == target.kind || (is_segment(other) && is_segment(target));
            if (alike && other.path != target.path && target.others.size() < 3) target.others.push_back(other.bytes);
        }
        FileHeader own;
        std::uint32_t crc = 0;
        static_cast<void>(read_file_header(target.bytes, own, crc));
        for (const std::string& bytes : stale) {
            FileHeader old;
            if (is_segment(target) && read_file_header(bytes, old, crc) == nullptr && old.file_id == own.file_id && bytes != target.bytes) target.others.push_back(bytes);
        }
        if (target.kind == FileKindOf::manifest) target.others.push_back(foreign[0]);
        if (is_segment(target)) target.others.push_back(foreign[1]);
        if (target.kind == FileKindOf::head) target.others.push_back(foreign[2]);
        if (target.kind == FileKindOf::group) target.others.push_back(foreign[3]);
        if (target.kind == FileKindOf::runs) target.others.insert(target.others.end(), {foreign[4], old_runs.at(0), old_runs.at(1)});
    }
}

// The same kind of log, another one: its manifest, active segment, head, group and what runs published.
std::vector<std::string> make_foreign(const Recipe& recipe) {
    SimulatedDisk disk(77);
    SeededRandom random(78);
    LogConfig config;
    config.partitions = recipe.partitions;
    config.compressed = recipe.compressed;
    must(create_log(disk, damage_folder, config));
    for (std::size_t batch = 0; batch < 5; ++batch) add_batch(disk, recipe, batch, random);
    Scene published;
    for (std::size_t batch = 5; recipe.runs && batch < 25; ++batch) add_epoch(published, disk, recipe, batch, random);
    auto group = must(Group::open(disk, damage_folder, "nightly", must(Manifest::load(disk, damage_folder)).log_id(), recipe.partitions));
    must(group.commit({{0, 3}}, group.state().generation));
    const std::string folder = damage_folder;
    return {content_of(disk, folder + "/manifest"), content_of(disk, active_of(disk, 0)), content_of(disk, folder + "/head"),
            content_of(disk, folder + "/groups/nightly"), recipe.runs ? content_of(disk, folder + "/runs") : ""};
}

// Everything durable: such a disk is cheap to copy.
std::unique_ptr<SimulatedDisk> settled(SimulatedDisk& disk, const Recipe& recipe) {
    const std::string folder = damage_folder;
    std::vector<std::string> folders = {folder, folder + "/segments", folder + "/groups", folder + "/quarantine"};
    if (recipe.archive) folders.emplace_back("/archive");
    for (const std::string& one : folders) {
        const auto names = must(disk.list(one));
        if (!names) continue;
        must(disk.sync_folder(one));
        for (const std::string& name : *names) {
            if (!disk.list(one + "/" + name)) must(must(disk.open(one + "/" + name, Open::write))->sync());
        }
    }
    must(disk.sync_folder(""));
    return disk.crash(3);
}

Group open_group(SimulatedDisk& disk, std::uint32_t partitions) {
    return must(Group::open(disk, damage_folder, "nightly", must(Manifest::load(disk, damage_folder)).log_id(), partitions));
}

}  // namespace

const char* name_of(FileKindOf kind) {
    constexpr const char* names[file_kinds] = {"sealed segment", "active segment", "archived segment", "manifest", "head", "group", "index", "runs file"};
    return names[static_cast<std::size_t>(kind)];
}

std::vector<std::string> scene_names() {
    std::vector<std::string> names;
    for (const Recipe& recipe : recipes) names.emplace_back(recipe.name);
    return names;
}

Scene make_scene(const std::string& name) {
    const Recipe& recipe = *std::find_if(std::begin(recipes), std::end(recipes), [&](const Recipe& one) { return one.name == name; });
    Scene scene;
    scene.name = name;
    scene.has_head = recipe.head;
    auto disk = std::make_unique<SimulatedDisk>(1);
    SeededRandom random(2);
    LogConfig config;
    config.partitions = recipe.partitions;
    config.compressed = recipe.compressed;
    config.segment_bytes = recipe.segment_bytes;
    must(create_log(*disk, damage_folder, config));
    std::vector<std::string> stale;
    std::vector<std::string> old_runs;
    for (std::size_t batch = 0; batch < recipe.batches; ++batch) {
        if (recipe.runs && batch % 3 == 1) add_epoch(scene, *disk, recipe, batch, random);
        else add_batch(*disk, recipe, batch, random);
        if (recipe.runs && (batch == 7 || batch == 21)) old_runs.push_back(content_of(*disk, std::string(damage_folder) + "/runs"));
        if (batch % 4 != 2) continue;
        auto group = open_group(*disk, recipe.partitions);
        if (scene.group.empty()) scene.group.push_back(group.state());
        if (batch == 10) {
            must(group.seek({{0, 1}}));
            scene.group.push_back(group.state());
        }
        must(group.commit({{0, batch + 1}}, group.state().generation));
        scene.group.push_back(group.state());
        for (std::string& bytes : die_writing(disk, recipe, random)) stale.push_back(std::move(bytes));
    }
    if (recipe.archive) {
        must(archive_log(*disk, damage_folder, "/archive"));
        for (std::size_t batch = 100; batch < 112; ++batch) {
            if (recipe.runs && batch % 4 == 1) add_epoch(scene, *disk, recipe, batch, random);
            else add_batch(*disk, recipe, batch, random);
        }
    }
    if (!recipe.head) must(disk->remove(std::string(damage_folder) + "/head"));
    scene.disk = settled(*disk, recipe);
    scene.records = read_all(*scene.disk);
    add_targets(scene, recipe);
    add_splices(scene, stale, make_foreign(recipe), old_runs);
    return scene;
}

}  // namespace stream::test
