// SPDX-License-Identifier: Apache-2.0
// Goal: after a repair nothing is damaged, everything outside of the damage is read with its offsets, and records
// are appended behind it; also when the repair was killed at any step and done again.
#include <gtest/gtest.h>

#include <functional>

#include "log/groups.hpp"
#include "unit/log/upkeep_helpers.hpp"

namespace stream::log {
namespace {

constexpr int batches = 14;

std::unique_ptr<SimulatedDisk> some_log(std::uint32_t partitions) {
    auto disk = std::make_unique<SimulatedDisk>(1);
    LogConfig config;
    config.partitions = partitions;
    config.segment_bytes = 700;
    must(create_log(*disk, log_folder, config));
    for (int i = 0; i < batches; ++i) {
        append(*disk, {{0, "a" + std::to_string(i) + std::string(40, 'x'), i}, {static_cast<std::uint32_t>(i) % partitions, "b" + std::to_string(i), i}});
        if (i == 6) must(archive_log(*disk, log_folder, "/archive"));
    }
    auto group = must(Group::open(*disk, log_folder, "g", manifest_of(*disk).log_id(), partitions));
    for (std::uint64_t i = 2; i < 6; ++i) must(group.commit({{0, i}}, 0));
    for (const char* folder : {"/log", "/log/segments", "/log/groups", "/archive", ""}) must(disk->sync_folder(folder));
    for (const std::string& path : all_files(*disk, "")) must(must(disk->open(path, Open::write))->sync());
    return disk;
}

void damage(SimulatedDisk& disk, const std::string& path, std::uint64_t at) {
    auto file = must(disk.open(path, Open::write));
    must(file->write_at("damaged!", at));
    must(file->sync());
}

std::uint64_t damaged(FileSystem& files) { return must(verify_log(files, log_folder, {})).damaged; }

void add_new(SimulatedDisk& disk, std::uint32_t partitions) {
    std::vector<NewRecord> records;
    for (std::uint32_t p = 0; p < partitions; ++p) records.push_back({p, "new"});
    append(disk, records);
}

// Repairs, killed anywhere, and once more to the end. `lost_most`: records that may be gone.
void expect_repaired(const SimulatedDisk& disk, const Lines& before, std::size_t lost_most) {
    kill_everywhere(disk, [](SimulatedDisk& at) { must(repair_log(at, log_folder, {})); },
                    [&](SimulatedDisk& after) {
                        must(repair_log(after, log_folder, {}));
                        EXPECT_EQ(damaged(after), 0u);
                        const Lines lines = read_log(after);
                        EXPECT_TRUE(is_part_of(lines, before));
                        std::size_t lost = 0;
                        for (std::size_t p = 0; p < before.size(); ++p) lost += before[p].size() - lines[p].size();
                        EXPECT_LE(lost, lost_most);
                        add_new(after, static_cast<std::uint32_t>(before.size()));
                        const Lines more = read_log(after);
                        for (std::size_t p = 0; p < before.size(); ++p) {
                            ASSERT_EQ(more[p].size(), lines[p].size() + 1);
                            EXPECT_EQ(more[p].back().text, "new");
                            EXPECT_GT(more[p].back().offset, before[p].empty() ? 0 : before[p].back().offset);
                        }
                        expect_no_leftovers(after);
                        EXPECT_EQ(must(verify_log(after, log_folder, {})).damaged, 0u);
                    });
}

class Repair : public testing::TestWithParam<std::uint32_t> {
protected:
    void SetUp() override {
        disk = some_log(GetParam());
        before = read_log(*disk);
    }
    SegmentEntry segment(std::size_t i) { return manifest_of(*disk).segments(0).at(i); }
    std::size_t segments() { return manifest_of(*disk).segments(0).size(); }
    std::string path(std::size_t i) { return segment_path(log_folder, 0, segment(i)); }

    std::unique_ptr<SimulatedDisk> disk;
    Lines before;
};

TEST_P(Repair, HasNothingToDoWithAWholeLog) {
    const Repaired repaired = must(repair_log(*disk, log_folder, {}));
    EXPECT_EQ(repaired.segments, 0u);
    EXPECT_EQ(repaired.records_lost, 0u);
    EXPECT_EQ(read_log(*disk), before);
}

TEST_P(Repair, ASealedSegment) {
    const std::size_t i = segments() - 2;
    damage(*disk, path(i), 130);
    const std::string whole = read_whole(*disk, path(i));
    ASSERT_EQ(damaged(*disk), 1u);
    expect_repaired(*disk, before, 2);
    const Repaired repaired = must(repair_log(*disk, log_folder, {}));
    EXPECT_EQ(repaired.segments, 1u);
    EXPECT_GT(repaired.bytes_removed, 0u);
    EXPECT_EQ(repaired.records_lost, before[0].size() - read_log(*disk)[0].size());
    const auto kept = must(disk->list(std::string(log_folder) + "/quarantine"));
    ASSERT_TRUE(kept && kept->size() == 1);
    EXPECT_EQ(read_whole(*disk, std::string(log_folder) + "/quarantine/" + kept->front()), whole);
}

TEST_P(Repair, TheHeaderOfASegmentCostsNothing) {
    damage(*disk, path(segments() - 2), 20);
    expect_repaired(*disk, before, 0);
}

TEST_P(Repair, AnArchivedSegment) {
    ASSERT_FALSE(segment(0).archive.empty());
    damage(*disk, path(0), 130);
    expect_repaired(*disk, before, 2);
}

TEST_P(Repair, TheActiveSegment) {
    damage(*disk, path(segments() - 1), 130);
    ASSERT_EQ(damaged(*disk), 1u);
    expect_repaired(*disk, before, 2);
}

TEST_P(Repair, ASegmentThatIsGone) {
    const SegmentEntry gone = segment(segments() - 2);
    must(disk->remove(path(segments() - 2)));
    must(disk->sync_folder("/log/segments"));
    expect_repaired(*disk, before, gone.end - gone.base);
}

TEST_P(Repair, AnActiveSegmentThatIsGone) {
    const std::uint64_t base = segment(segments() - 1).base;
    must(disk->remove(path(segments() - 1)));
    must(disk->sync_folder("/log/segments"));
    expect_repaired(*disk, before, before[0].back().offset + 1 - base);
}

TEST_P(Repair, EveryEntryOfTheManifestButTheFirst) {
    const std::string bytes = read_whole(*disk, "/log/manifest");
    std::size_t entries = 0;
    for (std::size_t at = bytes.find("SLF1", 200); at != std::string::npos; at = bytes.find("SLF1", at + 4), ++entries) {
        SCOPED_TRACE(at);
        const auto copy = disk->killed(7 + at);
        damage(*copy, "/log/manifest", at + 16);
        ASSERT_EQ(damaged(*copy), 1u);
        if (entries % 3 == 0) {
            expect_repaired(*copy, before, 0);
        } else {
            must(repair_log(*copy, log_folder, {}));
            EXPECT_EQ(damaged(*copy), 0u);
            EXPECT_EQ(read_log(*copy), before);
        }
        if (HasFailure()) return;
    }
    EXPECT_GE(entries, 5u);
}

TEST_P(Repair, AManifestThatWasCutOff) {
    const std::string bytes = read_whole(*disk, "/log/manifest");
    for (std::size_t at = bytes.find("SLF1", 200); at != std::string::npos; at = bytes.find("SLF1", at + 4)) {
        SCOPED_TRACE(at);
        const auto copy = disk->killed(9 + at);
        auto file = must(copy->open("/log/manifest", Open::write));
        must(file->truncate(at));
        must(file->sync());
        if (damaged(*copy) == 0) continue;
        must(repair_log(*copy, log_folder, {}));
        EXPECT_EQ(damaged(*copy), 0u);
        EXPECT_TRUE(is_part_of(read_log(*copy), before));
        add_new(*copy, GetParam());
        EXPECT_EQ(damaged(*copy), 0u);
    }
}

// Nothing says then that the last entry was whole, but what it was about does.
TEST_P(Repair, TheManifestsLastEntryWithoutHead) {
    for (const bool archived : {false, true}) {
        if (archived) must(archive_log(*disk, log_folder, "/archive"));
        const auto copy = disk->killed(5);
        must(copy->remove("/log/head"));
        must(copy->sync_folder("/log"));
        const std::size_t last = read_whole(*copy, "/log/manifest").rfind("SLF1");
        for (const bool cut : {false, true}) {
            if (cut && archived) continue;  // the copies in the archive are the same
            SCOPED_TRACE(archived ? "moved" : cut ? "cut off" : "damaged");
            const auto broken = copy->killed(6);
            if (cut) must(must(broken->open("/log/manifest", Open::write))->truncate(last));
            else damage(*broken, "/log/manifest", last + 16);
            EXPECT_EQ(kind_of(LogReader::open(*broken, log_folder, {})), ErrorKind::corrupt);
            EXPECT_EQ(kind_of(LogWriter::open(*broken, log_folder, {})), ErrorKind::corrupt);
            EXPECT_EQ(kind_of(retain_log(*broken, log_folder, 0)), ErrorKind::corrupt);
            ASSERT_EQ(damaged(*broken), 1u);
            expect_repaired(*broken, before, 0);
            if (HasFailure()) return;
        }
    }
}

TEST_P(Repair, CannotKnowWhatALogWasWithoutTheFirstEntry) {
    damage(*disk, "/log/manifest", 80);
    auto repaired = repair_log(*disk, log_folder, {});
    ASSERT_FALSE(repaired);
    EXPECT_EQ(repaired.error().kind(), ErrorKind::corrupt);
    EXPECT_FALSE(repaired.error().hint().empty());
    must(disk->remove("/log/manifest"));
    EXPECT_EQ(kind_of(repair_log(*disk, log_folder, {})), ErrorKind::corrupt);
    EXPECT_EQ(kind_of(repair_log(*disk, "/nowhere", {})), ErrorKind::usage);
}

TEST_P(Repair, AGroupKeepsTheNewestPlaceThatIsLeft) {
    const std::string bytes = read_whole(*disk, "/log/groups/g");
    const std::size_t second = bytes.find("SLF1", bytes.find("SLF1") + 4);
    damage(*disk, "/log/groups/g", second + 8);
    ASSERT_EQ(damaged(*disk), 1u);
    expect_repaired(*disk, before, 0);
    must(repair_log(*disk, log_folder, {}));
    auto group = must(Group::open(*disk, log_folder, "g", manifest_of(*disk).log_id(), GetParam()));
    EXPECT_EQ(group.state().positions[0], 5u);
    must(group.commit({{0, 6}}, group.state().generation));
}

TEST_P(Repair, ADamagedHeadIsWrittenAnew) {
    damage(*disk, "/log/head", 20);
    EXPECT_EQ(damaged(*disk), 0u);
    must(repair_log(*disk, log_folder, {}));
    std::size_t problems = 0;
    must(verify_log(*disk, log_folder, [&](const Problem&) { ++problems; }));
    EXPECT_EQ(problems, 0u);
    EXPECT_EQ(read_log(*disk), before);
}

TEST_P(Repair, IsForOneAtATime) {
    const auto claim = must(disk->lock("/log/UPKEEP", false));
    EXPECT_EQ(kind_of(repair_log(*disk, log_folder, {})), ErrorKind::locked);
}

INSTANTIATE_TEST_SUITE_P(Partitions, Repair, testing::Values(1u, 2u));

}  // namespace
}  // namespace stream::log
