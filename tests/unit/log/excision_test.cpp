// SPDX-License-Identifier: Apache-2.0
// Goal: what is excised is in no byte of any file of the log, its archive, its quarantine; everything else is as it was;
// wherever it is killed, doing it again makes it so.
#include "log/groups.hpp"
#include "upkeep_helpers.hpp"

namespace stream::log {
namespace {

constexpr std::string_view secret = "alice@example.org";

Result<bool> matches(std::string_view record) {
    if (record.find("undecidable") != std::string_view::npos) return fail(ErrorKind::data, "no object");
    return record.find(secret) != std::string_view::npos;
}

void put_file(SimulatedDisk& disk, const std::string& path, std::string_view bytes) {
    auto file = must(disk.open(path, Open::create_new));
    must(file->write_at(bytes, 0));
    must(file->sync());
}

struct Made {
    std::unique_ptr<SimulatedDisk> disk;
    Lines before;
    Lines wanted;
    std::uint64_t matching = 0;
    std::uint64_t segments = 0;
};

// A log with the secret in its archive, its sealed and its active segments, its quarantine and its keys.
Made make_log(bool compressed, std::uint32_t partitions = 2) {
    Made made;
    made.disk = std::make_unique<SimulatedDisk>(9, test::Dials{.names = test::Names::any_subset});
    SimulatedDisk& disk = *made.disk;
    LogConfig config;
    config.partitions = partitions;
    config.segment_bytes = 500;
    config.compressed = compressed;
    must(create_log(disk, log_folder, config));
    const auto batch = [&](int i) {
        std::vector<NewRecord> records;
        for (std::uint32_t p = 0; p < partitions; ++p) {
            records.push_back({p, fmt::format("event {} {:040}", i, i * 7919), i});
            if (i % 3 == 0) records.push_back({p, fmt::format("{} did {}", secret, i), i});
            records.push_back({p, fmt::format("another {}", std::string(static_cast<std::size_t>(i), 'z')), i});
        }
        append(disk, records);
    };
    for (int i = 0; i < 8; ++i) batch(i);
    must(archive_log(disk, log_folder, "/archive"));
    for (int i = 8; i < 14; ++i) batch(i);
    // Whole segments of nothing else, and an active one with it.
    for (int i = 0; i < 10; ++i) append(disk, {{0, fmt::format("{} {:0150}", secret, i), 1}});
    must(disk.make_folder("/log/quarantine"));
    put_file(disk, "/log/quarantine/some.torn", secret);
    must(disk.make_folder("/log/keys"));
    put_file(disk, "/log/keys/some", secret);
    for (const std::string name : {"run:orders", "other"}) {
        auto group = must(Group::open(disk, log_folder, name, manifest_of(disk).log_id(), partitions));
        must(group.commit({{0, 3}}, group.state().generation));
    }
    made.before = read_log(disk);
    made.wanted.resize(partitions);
    const Manifest manifest = manifest_of(disk);
    for (std::uint32_t p = 0; p < partitions; ++p) {
        for (const Line& line : made.before[p]) {
            if (line.text.find(secret) == std::string::npos) made.wanted[p].push_back(line);
            else ++made.matching;
        }
        for (const SegmentEntry& segment : manifest.segments(p)) {
            const auto in = [&](const Line& line) {
                return line.text.find(secret) != std::string::npos && line.offset >= segment.base && (!segment.sealed || line.offset < segment.end);
            };
            made.segments += std::any_of(made.before[p].begin(), made.before[p].end(), in) ? 1U : 0U;
        }
    }
    return made;
}

TEST(Excision, LeavesNoByteAndEverythingElse) {
    for (const bool compressed : {true, false}) {
        Made made = make_log(compressed);
        SimulatedDisk& disk = *made.disk;
        ASSERT_NE(file_with(disk, secret), "");
        const Excised done = must(excise_log(disk, log_folder, matches, false));
        EXPECT_EQ(done.records, made.matching);
        EXPECT_EQ(done.segments, made.segments);
        EXPECT_EQ(done.undecided, 0u);
        EXPECT_EQ(done.runs, std::vector<std::string>{"run:orders"});
        EXPECT_EQ(file_with(disk, secret), "");
        EXPECT_EQ(read_log(disk), made.wanted);
        EXPECT_EQ(manifest_of(disk).excisions(), 1u);
        expect_no_leftovers(disk);
        expect_head_is_up_to_date(disk);
        EXPECT_EQ(file_with(*disk.crash(1), secret), "");
        append(disk, {{0, "goes on", 1}, {1, "here too", 1}});
        EXPECT_EQ(read_log(disk)[0].back().text, "goes on");
        EXPECT_EQ(read_log(disk)[0].back().offset, made.before[0].back().offset + 1);
        const Excised again = must(excise_log(disk, log_folder, matches, false));
        EXPECT_EQ(again.records, 0u);
        EXPECT_EQ(manifest_of(disk).excisions(), 1u);
    }
}

TEST(Excision, ADryRunCountsAndChangesNothing) {
    const Made made = make_log(true);
    SimulatedDisk& disk = *made.disk;
    const std::uint64_t changes = disk.changes();
    const auto claim = must(disk.lock(upkeep_path(log_folder), true));
    const Excised counted = must(excise_log(disk, log_folder, matches, true));
    EXPECT_EQ(disk.changes(), changes + 1);  // that lock
    EXPECT_EQ(counted.records, made.matching);
    EXPECT_EQ(counted.segments, made.segments);
    EXPECT_EQ(counted.runs, std::vector<std::string>{"run:orders"});
    EXPECT_EQ(read_log(disk), made.before);
}

TEST(Excision, NothingThatMatchesSealsNothing) {
    const Made made = make_log(true);
    SimulatedDisk& disk = *made.disk;
    const std::size_t sealed = sealed_segments(disk);
    const Excised done = must(excise_log(disk, log_folder, [](std::string_view) -> Result<bool> { return false; }, false));
    EXPECT_EQ(done.records, 0u);
    EXPECT_EQ(sealed_segments(disk), sealed);
    EXPECT_EQ(read_log(disk), made.before);
    EXPECT_EQ(manifest_of(disk).excisions(), 0u);
    // What cannot be looked into goes even so.
    EXPECT_TRUE(all_files(disk, "/log/quarantine").empty());
}

TEST(Excision, RecordsThatCannotBeDecidedStayAndAreTold) {
    Made made = make_log(true);
    append(*made.disk, {{0, "undecidable", 1}, {1, "undecidable too", 1}});
    const Excised done = must(excise_log(*made.disk, log_folder, matches, false));
    EXPECT_EQ(done.undecided, 2u);
    EXPECT_EQ(done.first_undecided, "no object");
    EXPECT_EQ(read_log(*made.disk)[0].back().text, "undecidable");
    const auto stopped = [](std::string_view) -> Result<bool> { return fail(ErrorKind::stopped, "a signal"); };
    EXPECT_EQ(kind_of(excise_log(*made.disk, log_folder, stopped, false)), ErrorKind::stopped);
}

TEST(Excision, TakesWhatAWriterThatDiedLeft) {
    const Made made = make_log(true);
    const auto lines = kill_everywhere(
        *made.disk, [&](SimulatedDisk& one) { append(one, {{0, fmt::format("{} at last", secret), 1}, {1, std::string(secret), 1}}); },
        [&](SimulatedDisk& after) {
            must(excise_log(after, log_folder, matches, false));
            EXPECT_EQ(file_with(after, secret), "");
            EXPECT_EQ(read_log(after), made.wanted);
            expect_no_leftovers(after);
        });
    EXPECT_GT(lines, 3u);
}

TEST(Excision, TakesWhatCompactionOrArchivingThatDiedLeft) {
    const Made made = make_log(true);
    CompactOptions options;
    options.key_of = [](std::string_view record, Hash128& key) {
        key = {record.size() % 7, record.size() % 7};
        return record.find(secret) == std::string_view::npos;
    };
    const auto work = [&](SimulatedDisk& one, bool compact) {
        if (compact) must(compact_log(one, log_folder, options));
        else must(archive_log(one, log_folder, "/second"));
    };
    for (const bool compact : {true, false}) {
        kill_everywhere(
            *made.disk, [&](SimulatedDisk& one) { work(one, compact); },
            [&](SimulatedDisk& after) {
                must(excise_log(after, log_folder, matches, false));
                EXPECT_EQ(file_with(after, secret), "");
                EXPECT_EQ(file_with(*after.crash(2), secret), "");
                EXPECT_TRUE(is_part_of(read_log(after), made.wanted));
                EXPECT_TRUE(compact || read_log(after) == made.wanted);
                expect_no_leftovers(after);
            });
    }
}

void kill_one(bool compressed, std::uint32_t partitions) {
    const Made made = make_log(compressed, partitions);
    const auto calls = kill_everywhere(
        *made.disk, [&](SimulatedDisk& one) { must(excise_log(one, log_folder, matches, false)); },
        [&](SimulatedDisk& after) {
            static_cast<void>(must(LogWriter::open(after, log_folder, {})));  // recovers
            const Lines there = read_log(after);
            EXPECT_TRUE(is_part_of(there, made.before));
            EXPECT_TRUE(is_part_of(made.wanted, there));
            must(excise_log(after, log_folder, matches, false));
            EXPECT_EQ(file_with(after, secret), "");
            EXPECT_EQ(read_log(after), made.wanted);
            EXPECT_GE(manifest_of(after).excisions(), 1u);
            expect_no_leftovers(after);
            const auto crashed = after.crash(5);
            EXPECT_EQ(file_with(*crashed, secret), "");
            append(*crashed, {{0, "after", 1}});
            Lines later = read_log(*crashed);
            ASSERT_EQ(later[0].back().text, "after");
            later[0].pop_back();
            EXPECT_EQ(later, made.wanted);
        });
    EXPECT_GT(calls, 80u);
}

TEST(Excision, KilledAnywhereDoingItAgainLeavesNoByte) {
    kill_one(true, 2);
    kill_one(false, 1);
}

TEST(Excision, KilledTwice) {
    const Made made = make_log(true, 1);
    for (std::uint64_t first = 7; first < 200; first += 31) {
        const auto disk = made.disk->killed((1u << 25) + first);
        disk->stop_at_change(first);
        try {
            must(excise_log(*disk, log_folder, matches, false));
        } catch (const SimulatedCrash&) {
        }
        if (!disk->stopped()) return;
        const auto half = disk->crash((1u << 24) + first);
        kill_everywhere(
            *half, [&](SimulatedDisk& one) { must(excise_log(one, log_folder, matches, false)); },
            [&](SimulatedDisk& after) {
                must(excise_log(after, log_folder, matches, false));
                EXPECT_EQ(file_with(after, secret), "");
                EXPECT_EQ(read_log(after), made.wanted);
            });
        if (HasFailure()) return;
    }
}

TEST(Excision, AnUnreachableArchiveOfAKilledArchivingIsTold) {
    const Made made = make_log(true, 1);
    put_file(*made.disk, "/log/archiving", "/gone/00000-00000000000000000003-6297abebf47f1d16.seg\n");
    const auto failed = excise_log(*made.disk, log_folder, matches, false);
    ASSERT_FALSE(failed.has_value());
    EXPECT_EQ(failed.error().kind(), ErrorKind::io);
    EXPECT_NE(failed.error().message().find("/gone"), std::string::npos);
    must(made.disk->remove("/log/archiving"));
    must(excise_log(*made.disk, log_folder, matches, false));
    EXPECT_EQ(file_with(*made.disk, secret), "");
}

}  // namespace
}  // namespace stream::log
