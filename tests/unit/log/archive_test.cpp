// SPDX-License-Identifier: Apache-2.0
// Goal: archived segments read as before from where they are now; nothing is lost or twice there wherever it is killed;
// a folder that is no place for an archive is refused before anything changes.
#include <stdlib.h>

#include <filesystem>

#include "upkeep_helpers.hpp"

namespace stream::log {
namespace {

std::unique_ptr<SimulatedDisk> some_log(bool compressed = true) {
    auto disk = std::make_unique<SimulatedDisk>(5, test::Dials{.names = test::Names::any_subset});
    LogConfig config;
    config.partitions = 2;
    config.segment_bytes = 400;
    config.compressed = compressed;
    must(create_log(*disk, log_folder, config));
    for (int i = 0; i < 8; ++i) {
        append(*disk, {{static_cast<std::uint32_t>(i % 2), fmt::format("record {} {:090}", i, i), i}, {0, "to the first", i}, {1, std::string(static_cast<std::size_t>(i) * 10, 'x'), i}});
    }
    return disk;
}

TEST(Archive, MovesTheSealedSegmentsAndTheLogReadsAsBefore) {
    const auto disk = some_log();
    const Lines before = read_log(*disk);
    const std::size_t sealed = sealed_segments(*disk);
    ASSERT_GE(sealed, 4u);
    const Removed moved = must(archive_log(*disk, log_folder, "/far/"));
    EXPECT_EQ(moved.segments, sealed);
    EXPECT_GT(moved.records, 0u);
    EXPECT_EQ(read_log(*disk), before);
    expect_no_leftovers(*disk);
    expect_head_is_up_to_date(*disk);
    EXPECT_EQ(all_files(*disk, "/log/segments").size(), 2u);  // the active ones
    EXPECT_EQ(all_files(*disk, "/far").size(), 2 * sealed + 1);
    const Manifest manifest = manifest_of(*disk);
    EXPECT_EQ(manifest.archives(), std::vector<std::string>{"/far"});
    EXPECT_EQ(read_whole(*disk, "/far/archive-of"), fmt::format("{:016x}{:016x}\n", manifest.log_id().high, manifest.log_id().low));
    for (std::uint32_t p = 0; p < 2; ++p) {
        for (const SegmentEntry& segment : manifest.segments(p)) {
            EXPECT_EQ(must(read_index(*disk, index_path(log_folder, p, segment), segment)).has_value(), segment.sealed);
        }
    }
    // More of it, and a second archive.
    for (int i = 0; i < 6; ++i) append(*disk, {{0, std::string(300, 'a'), i}, {1, std::string(300, 'b'), i}});
    const Lines more = read_log(*disk);
    EXPECT_GT(must(archive_log(*disk, log_folder, "/far")).segments, 0u);
    append(*disk, {{0, std::string(400, 'a'), 1}});
    append(*disk, {{0, std::string(400, 'a'), 1}});
    EXPECT_GT(must(archive_log(*disk, log_folder, "/farther")).segments, 0u);
    EXPECT_EQ(manifest_of(*disk).archives().size(), 2u);
    EXPECT_TRUE(is_part_of(more, read_log(*disk)));
    EXPECT_EQ(must(archive_log(*disk, log_folder, "/farther")).segments, 0u);
    expect_no_leftovers(*disk);
}

TEST(Archive, RefusesAFolderThatIsNoPlaceForOne) {
    const auto disk = some_log();
    for (const std::string target : {"/log", "/log/", "/log/segments", "/log/new", "/other/../log", "relative", "/li\nne", "/\xff"}) {
        EXPECT_EQ(kind_of(archive_log(*disk, log_folder, target)), ErrorKind::usage) << target;
    }
    must(create_log(*disk, "/log2", {}));
    EXPECT_EQ(kind_of(archive_log(*disk, log_folder, "/log2")), ErrorKind::usage);
    must(archive_log(*disk, "/log2", "/archive2"));
    EXPECT_EQ(kind_of(archive_log(*disk, log_folder, "/archive2")), ErrorKind::usage);
    EXPECT_EQ(all_files(*disk, "/log"), all_files(*some_log(), "/log"));
    EXPECT_TRUE(must(archive_log(*disk, log_folder, "/logs")).segments > 0);  // beside it, with its name as a beginning
}

// Only a real disk has links.
TEST(Archive, ALinkBackIntoTheLogIsRefused) {
    std::string name = (std::filesystem::temp_directory_path() / "stream-log-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    const std::filesystem::path root = name;
    FileSystem& files = real_file_system();
    const std::string log = (root / "log").string();
    LogConfig config;
    config.segment_bytes = 100;
    must(create_log(files, log, config));
    auto writer = must(LogWriter::open(files, log, {}));
    for (int i = 0; i < 4; ++i) {
        must(writer.add(0, fmt::format("record {}", i), i));
        must(writer.commit());
    }
    std::filesystem::create_directory_symlink(root, root / "link");
    std::filesystem::create_directory(root / "log" / "quarantine");
    for (const std::string inside : {"link/log", "link/log/segments", "link/log/quarantine"}) {
        EXPECT_EQ(kind_of(archive_log(files, log, (root / inside).string())), ErrorKind::usage) << inside;
        EXPECT_FALSE(std::filesystem::exists(root / inside / "archive-of"));
    }
    const std::string archive = (root / "archive").string();
    EXPECT_EQ(must(archive_log(files, log, archive)).records, 3u);
    EXPECT_EQ(std::filesystem::status(archive).permissions(), std::filesystem::perms::owner_all);
    auto reader = must(LogReader::open(files, log, {}));
    std::uint64_t records = 0;
    for (log::Run run; must(reader.next(run)) == LogReader::Next::records;) records += run.records;
    EXPECT_EQ(records, 4u);
    std::filesystem::remove_all(root);
}

TEST(Archive, ADamagedSegmentStaysWhereItIs) {
    const auto disk = some_log(false);
    const Manifest manifest = manifest_of(*disk);
    const std::string path = segment_path(log_folder, 0, manifest.segments(0)[1]);
    {
        auto file = must(disk->open(path, Open::write));
        must(file->write_at("X", file_header_size + frame_header_size + 3));
        must(file->sync());
    }
    const auto failed = archive_log(*disk, log_folder, "/far");
    ASSERT_FALSE(failed.has_value());
    EXPECT_EQ(failed.error().kind(), ErrorKind::corrupt);
    EXPECT_NE(failed.error().message().find(path), std::string::npos) << failed.error().message();
    EXPECT_EQ(manifest_of(*disk).segments(0)[1].archive, "");
    EXPECT_EQ(manifest_of(*disk).segments(0)[0].archive, "/far");
    EXPECT_EQ(all_files(*disk, "/far").size(), 3u);
}

TEST(Archive, AFullDiskLosesNothing) {
    for (std::uint64_t nth = 1; nth < 60; nth += 3) {
        const auto disk = some_log();
        const Lines before = read_log(*disk);
        disk->fail_call(test::Call::write, nth, ENOSPC, true);
        const auto failed = archive_log(*disk, log_folder, "/far");
        if (failed) break;
        EXPECT_EQ(failed.error().kind(), ErrorKind::io);
        const auto later = disk->killed(1);
        append(*later, {{0, "after", 1}});
        Lines there = read_log(*later);
        there[0].pop_back();
        EXPECT_EQ(there, before);
        must(archive_log(*later, log_folder, "/far"));
        expect_no_leftovers(*later);
    }
}

TEST(Archive, KilledAnywhereNothingIsLost) {
    const auto disk = some_log();
    const Lines before = read_log(*disk);
    const auto calls = kill_everywhere(
        *disk, [&](SimulatedDisk& one) { must(archive_log(one, log_folder, "/far")); },
        [&](SimulatedDisk& after) {
            append(after, {{0, "after", 1}});
            Lines there = read_log(after);
            ASSERT_FALSE(there[0].empty());
            there[0].pop_back();
            EXPECT_EQ(there, before);
            must(archive_log(after, log_folder, "/far"));
            expect_no_leftovers(after);
            there = read_log(after);
            there[0].pop_back();
            EXPECT_EQ(there, before);
            const auto crashed = after.crash(3);
            there = read_log(*crashed);
            there[0].pop_back();
            EXPECT_EQ(there, before);
        });
    EXPECT_GT(calls, 40u);
}

// A copy of the log archived to the same folder: what the manifest does not know is not for that a leftover.
TEST(Archive, LeavesFilesThatItDidNotMake) {
    const auto disk = some_log();
    must(archive_log(*disk, log_folder, "/far"));
    const std::string other = "/far/00001-00000000000000000077-84dde8a0e1f66d1b.seg";
    must(must(disk->open(other, Open::create_new))->write_at("of another", 0));
    append(*disk, {{0, std::string(500, 'a'), 1}});
    append(*disk, {{0, std::string(500, 'a'), 1}});
    must(archive_log(*disk, log_folder, "/far"));
    must(excise_log(*disk, log_folder, [](std::string_view) -> Result<bool> { return false; }, false));
    EXPECT_EQ(read_whole(*disk, other), "of another");
}

// What a kill left in one archive is found although the next one is another.
TEST(Archive, AnotherPlaceAfterAKillSweepsTheFirst) {
    const auto disk = some_log();
    const Lines before = read_log(*disk);
    kill_everywhere(
        *disk, [&](SimulatedDisk& one) { must(archive_log(one, log_folder, "/far")); },
        [&](SimulatedDisk& after) {
            must(archive_log(after, log_folder, "/farther"));
            expect_no_leftovers(after);
            EXPECT_EQ(read_log(after), before);
        });
}

}  // namespace
}  // namespace stream::log
