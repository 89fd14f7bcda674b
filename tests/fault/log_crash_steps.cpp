// SPDX-License-Identifier: Apache-2.0
// What scenarios are made of.
#include <fmt/format.h>

#include <algorithm>

#include "fault/log_crash.hpp"

namespace stream::test {

std::vector<Scenario>& scenarios() {
    static std::vector<Scenario> all;
    return all;
}

void make_log(World& world, const log::LogConfig& config) {
    world.model.config = config;
    // What holds the log was there long before.
    static_cast<void>(ok(world.disk.make_folder("/data"), "make_folder"));
    ok(world.disk.sync_folder("/"), "sync_folder");
    world.model.creating = true;
    ok(log::create_log(world.files, world.model.folder, config), "create_log");
    world.model.creating = false;
    world.model.created = true;
}

log::LogWriter open_writer(World& world, bool sync) {
    log::WriterOptions options;
    options.sync = sync;
    options.runs_bytes = world.random.below(4) * 300;  // made anew often, or hardly ever
    if (options.runs_bytes == 0) options.runs_bytes = log::runs_rewrite_above;
    return ok(log::LogWriter::open(world.files, world.model.folder, options), "LogWriter::open");
}

GivenRecord some_record(World& world, std::size_t size) {
    SeededRandom& random = world.random;
    GivenRecord record;
    record.partition = static_cast<std::uint32_t>(random.below(world.model.config.partitions));
    const std::size_t length = size == 0 || random.one_in(12) ? 0 : random.below(size) + 1;
    const bool random_bytes = random.one_in(3);
    record.bytes = length < 8 ? "" : fmt::format("{:016x}", random.next());
    while (record.bytes.size() < length) {
        record.bytes.push_back(random_bytes ? static_cast<char>(random.next()) : static_cast<char>('a' + record.bytes.size() % 23));
    }
    record.bytes.resize(length);
    std::replace(record.bytes.begin(), record.bytes.end(), '\n', '\r');
    if (!random.one_in(5)) record.time = world.disk.now_ns() - static_cast<TimeNs>(random.below(1'000'000'000));
    return record;
}

std::vector<GivenRecord> some_batch(World& world, std::size_t records, std::size_t size) {
    std::vector<GivenRecord> batch;
    for (std::size_t i = 0; i < records; ++i) batch.push_back(some_record(world, size));
    return batch;
}

namespace {

// The acknowledgements are of the model's records from `first` on.
void check_acks(const Model& model, std::uint64_t first, std::span<const log::Ack> acks) {
    std::map<std::uint32_t, log::Ack> expected;
    for (std::uint64_t i = first; i < model.records().size(); ++i) {
        const GivenRecord& record = model.records()[i];
        const auto [entry, fresh] = expected.try_emplace(record.partition, log::Ack{record.partition, record.offset, record.offset});
        entry->second.last = record.offset;
    }
    if (acks.size() != expected.size()) throw Violation{fmt::format("{} acknowledgements for {} partitions", acks.size(), expected.size())};
    for (const log::Ack& ack : acks) {
        const auto entry = expected.find(ack.partition);
        if (entry == expected.end() || entry->second.first != ack.first || entry->second.last != ack.last) {
            throw Violation{fmt::format("acknowledged: partition {}, offsets {} to {}, which were not these", ack.partition, ack.first, ack.last)};
        }
    }
}

}  // namespace

void append(World& world, log::LogWriter& writer, std::vector<GivenRecord> batch, bool sync) {
    Model& model = world.model;
    const std::uint64_t first = model.records().size();
    for (const GivenRecord& record : batch) ok(writer.add(record.partition, record.bytes, record.time), "add");
    model.give(std::move(batch));
    const auto acks = ok(writer.commit(), "commit");
    model.acknowledge(sync);
    check_acks(model, first, acks);
}

void publish(World& world, log::LogWriter& writer, const std::string& run, const std::string& sink, std::uint64_t epoch, std::vector<GivenRecord> batch) {
    Model& model = world.model;
    RunMoves& moves = model.runs[{run, sink}];
    for (const GivenRecord& record : batch) ok(writer.add(record.partition, record.bytes, record.time), "add");
    const std::uint64_t first = model.records().size();
    const bool is_new = epoch > moves.done;
    if (is_new) {
        moves.last = {epoch, batch, first, first + batch.size()};
        moves.is_under_way = true;
        model.give(std::move(batch));
    }
    const auto acks = ok(writer.publish(run, sink, epoch), "publish");
    if (is_new) {
        model.acknowledge(true);
        moves.done = epoch;
        moves.is_under_way = false;
    }
    check_acks(model, first, acks);
    const std::uint64_t published = writer.published(run, sink);
    if (published != moves.done) throw Violation{fmt::format("published() is {} and not {}", published, moves.done)};
}

namespace {

// What a restart does: the last epoch of each run again, whether it was published or not.
void publish_again(World& world, log::LogWriter& writer) {
    for (auto& [name, moves] : world.model.runs) {
        if (moves.last.number != 0) publish(world, writer, name.first, name.second, moves.last.number, moves.last.records);
    }
}

}  // namespace

void do_upkeep(World& world, Upkeep upkeep) {
    world.model.begin(std::move(upkeep));
    ok(world.model.upkeep->again(world.files, world.model.folder), world.model.upkeep->name);
    world.model.finish_upkeep(true);
}

std::vector<std::uint64_t> in_sealed(World& world, const std::function<bool(const GivenRecord&)>& which) {
    const auto manifest = ok(log::Manifest::load(world.disk, world.model.folder), "Manifest::load");
    std::vector<std::uint64_t> found;
    const auto& records = world.model.records();
    for (std::uint64_t s = 0; s < records.size(); ++s) {
        const log::SegmentEntry* active = manifest.active(records[s].partition);
        if (active != nullptr && records[s].offset < active->base && which(records[s])) found.push_back(s);
    }
    return found;
}

SeenLog read_all(FileSystem& files, const std::string& folder, bool skip_corrupt) {
    log::ReaderOptions options;
    options.skip_corrupt = skip_corrupt;
    auto reader = ok(log::LogReader::open(files, folder, options), "LogReader::open");
    SeenLog seen;
    log::Run run;
    for (;;) {
        const auto next = ok(reader.next(run), "LogReader::next");
        if (next == log::LogReader::Next::end) break;
        if (next == log::LogReader::Next::damage) continue;
        if (next == log::LogReader::Next::gap) {
            if (skip_corrupt) continue;
            throw Violation{fmt::format("a gap: offsets {} to {} of partition {}", reader.gap().from, reader.gap().to, reader.gap().partition)};
        }
        std::string_view lines = run.lines;
        for (std::uint32_t i = 0; i < run.records; ++i) {
            const std::size_t end = lines.find('\n');
            if (end == std::string_view::npos) throw Violation{"a run of fewer lines than it says"};
            seen.records.push_back({run.partition, run.offset_of(i), run.batch->sequence_of(run.first + i), std::string(lines.substr(0, end))});
            lines.remove_prefix(end + 1);
        }
        if (!lines.empty()) throw Violation{"a run of more lines than it says"};
    }
    seen.sequence = reader.ends().sequence;
    for (std::uint32_t p = 0; p < reader.manifest().config().partitions; ++p) seen.end_offsets.push_back(reader.end_offset(p));
    return seen;
}

std::map<std::string, std::string> files_of(SimulatedDisk& disk, const std::string& folder) {
    std::map<std::string, std::string> found;
    const auto names = disk.list(folder.empty() ? "/" : folder);
    if (!names || !*names) return found;
    for (const std::string& name : **names) {
        const std::string path = folder + "/" + name;
        // A folder cannot be opened.
        auto file = disk.open_if_there(path, Open::read);
        if (file && *file != nullptr) {
            std::string bytes(ok((*file)->size(), "size"), '\0');
            bytes.resize(ok((*file)->read_at(bytes, 0), "read"));
            found.emplace(path, std::move(bytes));
        } else {
            found.emplace(path + "/", "");
            found.merge(files_of(disk, path));
        }
    }
    return found;
}

void go_on(World& world) {
    Model& model = world.model;
    if (!model.created && !log::is_log(world.files, model.folder)) {
        ok(log::create_log(world.files, model.folder, model.config), "create_log");
        model.created = true;
    }
    if (model.upkeep && (model.needs_repair || world.random.one_in(2))) {
        ok(model.upkeep->again(world.files, model.folder), model.upkeep->name + " again");
        model.finish_upkeep(false);
    }
    auto writer = open_writer(world);
    model.created = true;
    model.creating = false;
    model.settle(read_all(world.disk, model.folder));
    model.settle_runs(writer.manifest());
    if (!model.runs.empty() && world.random.one_in(2)) publish_again(world, writer);
    for (int i = 0; i < 2; ++i) append(world, writer, some_batch(world, 1 + world.random.below(4), 300));
    publish_again(world, writer);
    if (model.upkeep) {
        ok(model.upkeep->again(world.files, model.folder), model.upkeep->name + " again");
        model.finish_upkeep(false);
    }
}

}  // namespace stream::test
