// SPDX-License-Identifier: Apache-2.0
// Goal: retention takes whole sealed segments, oldest first, as many as age and ring say and no more, wherever it is killed.
#include "upkeep_helpers.hpp"

namespace stream::log {
namespace {

constexpr std::int64_t day = ns_per_day;

// One segment an append: every record is longer than one.
void append_segments(SimulatedDisk& disk, std::uint32_t partition, const std::vector<TimeNs>& times) {
    for (const TimeNs time : times) append(disk, {{partition, fmt::format("p{} {}", partition, time), time}, {partition, "second", time}});
}

LogConfig small(std::uint32_t partitions = 1) {
    LogConfig config;
    config.partitions = partitions;
    config.segment_bytes = 100;
    config.compressed = false;
    return config;
}

std::uint64_t local_bytes(SimulatedDisk& disk) {
    std::uint64_t bytes = 0;
    for (const std::string& path : all_files(disk, "/log/segments")) {
        if (path.ends_with(".seg")) bytes += read_whole(disk, path).size();
    }
    return bytes;
}

std::vector<std::string> texts(const Lines& lines, std::uint32_t partition) {
    std::vector<std::string> result;
    for (const Line& line : lines[partition]) {
        if (line.text != "second") result.push_back(line.text);
    }
    return result;
}

TEST(Retention, TakesSegmentsOlderThanTheAge) {
    SimulatedDisk disk(1);
    LogConfig config = small();
    config.retain_ns = 7 * day;
    must(create_log(disk, log_folder, config));
    const std::int64_t now = disk.now_ns();
    append_segments(disk, 0, {now - 10 * day, now - 9 * day, now - 6 * day, now - 8 * day, now - 1 * day});
    const Removed removed = must(retain_log(disk, log_folder, now));
    EXPECT_EQ(removed.segments, 2u);
    EXPECT_EQ(removed.records, 4u);
    EXPECT_GT(removed.bytes, 0u);
    // One that is older but stands behind a younger one stays: no holes.
    const std::vector<std::string> kept = {fmt::format("p0 {}", now - 6 * day), fmt::format("p0 {}", now - 8 * day), fmt::format("p0 {}", now - 1 * day)};
    EXPECT_EQ(texts(read_log(disk), 0), kept);
    EXPECT_EQ(must(LogReader::open(disk, log_folder, {})).first_offset(0), 4u);
    expect_no_leftovers(disk);
    expect_head_is_up_to_date(disk);
    EXPECT_EQ(must(retain_log(disk, log_folder, now)).segments, 0u);
    append_segments(disk, 0, {now});
    EXPECT_EQ(texts(read_log(disk), 0).size(), 4u);
}

TEST(Retention, LeavesTheActiveSegment) {
    SimulatedDisk disk(1);
    LogConfig config = small();
    config.retain_ns = 1;
    config.max_bytes = 1;
    must(create_log(disk, log_folder, config));
    append_segments(disk, 0, {1, 2, 3});
    EXPECT_EQ(must(retain_log(disk, log_folder, disk.now_ns())).segments, 2u);
    EXPECT_EQ(texts(read_log(disk), 0), std::vector<std::string>{"p0 3"});
}

TEST(Retention, AnEventFromTheFuturePinsNothingAndNoTimeCountsByAppend) {
    SimulatedDisk disk(1);
    LogConfig config = small();
    config.retain_ns = 7 * day;
    must(create_log(disk, log_folder, config));
    const std::int64_t now = disk.now_ns();
    append_segments(disk, 0, {now + 10'000 * day, time_before_all, now + 8 * day});
    EXPECT_EQ(must(retain_log(disk, log_folder, now + 6 * day)).segments, 0u);
    disk.advance_clock(8 * day);
    EXPECT_EQ(must(retain_log(disk, log_folder, now + 8 * day)).segments, 2u);
}

TEST(Retention, TheRingTakesTheOldestOfAllPartitionsUntilItFits) {
    SimulatedDisk disk(1);
    LogConfig config = small(2);
    must(create_log(disk, log_folder, config));
    append_segments(disk, 0, {10, 40, 50, 90});
    append_segments(disk, 1, {20, 30, 60, 91});
    const std::uint64_t all = local_bytes(disk);
    const std::uint64_t each = all / 8;
    SimulatedDisk ringed(1);
    config.max_bytes = all - 3 * each + 20;  // three have to go, nearly
    must(create_log(ringed, log_folder, config));
    append_segments(ringed, 0, {10, 40, 50, 90});
    append_segments(ringed, 1, {20, 30, 60, 91});
    const Removed removed = must(retain_log(ringed, log_folder, ringed.now_ns()));
    EXPECT_EQ(removed.segments, 3u);
    EXPECT_LE(local_bytes(ringed), config.max_bytes);
    EXPECT_EQ(all - local_bytes(ringed), removed.bytes);
    const Lines left = read_log(ringed);
    EXPECT_EQ(texts(left, 0), (std::vector<std::string>{"p0 40", "p0 50", "p0 90"}));
    EXPECT_EQ(texts(left, 1), (std::vector<std::string>{"p1 60", "p1 91"}));
}

TEST(Retention, NeitherCountsNorTakesArchivedSegments) {
    SimulatedDisk disk(1);
    LogConfig config = small();
    config.retain_ns = 1;
    must(create_log(disk, log_folder, config));
    append_segments(disk, 0, {10, 20});
    EXPECT_EQ(must(archive_log(disk, log_folder, "/old")).segments, 1u);
    append_segments(disk, 0, {30, 40});
    EXPECT_EQ(must(retain_log(disk, log_folder, disk.now_ns())).segments, 2u);
    EXPECT_EQ(texts(read_log(disk), 0), (std::vector<std::string>{"p0 10", "p0 40"}));
    expect_no_leftovers(disk);
}

TEST(Retention, ActsWhenAWriterSealsASegmentAndDoesNotWait) {
    SimulatedDisk disk(1);
    LogConfig config = small();
    config.max_bytes = 1000;
    must(create_log(disk, log_folder, config));
    auto writer = must(LogWriter::open(disk, log_folder, {}));
    writer.on_sealed([&](Manifest& manifest) -> Result<void> {
        auto removed = retain_locked(disk, log_folder, manifest, disk.now_ns());
        if (!removed) return pass_on(removed);
        return {};
    });
    const auto add = [&](int i) {
        must(writer.add(0, fmt::format("record {}", i), i));
        must(writer.commit());
    };
    for (int i = 0; i < 50; ++i) add(i);
    EXPECT_LE(local_bytes(disk), config.max_bytes);
    EXPECT_EQ(read_log(disk)[0].back().text, "record 49");
    const std::size_t before = sealed_segments(disk);
    {
        const auto claim = must(disk.lock(upkeep_path(log_folder), false));
        for (int i = 50; i < 60; ++i) add(i);
        EXPECT_EQ(sealed_segments(disk), before + 10);
        EXPECT_EQ(kind_of(retain_log(disk, log_folder, disk.now_ns())), ErrorKind::locked);
    }
    add(60);
    EXPECT_LE(local_bytes(disk), config.max_bytes);
    EXPECT_EQ(writer.remark(), "");
}

TEST(Retention, ANoLogIsAUsageErrorAndNothingIsMade) {
    SimulatedDisk disk(1);
    must(disk.make_folder("/empty"));
    EXPECT_EQ(kind_of(retain_log(disk, "/empty", 0)), ErrorKind::usage);
    EXPECT_TRUE(all_files(disk, "/empty").empty());
}

TEST(Retention, KilledAnywhereItIsFinishedByTheNext) {
    SimulatedDisk disk(1);
    LogConfig config = small(2);
    config.retain_ns = day;
    config.max_bytes = 1200;
    must(create_log(disk, log_folder, config));
    const std::int64_t now = disk.now_ns();
    append_segments(disk, 0, {now - 3 * day, now - 2 * day, now - 5, now - 4});
    append_segments(disk, 1, {now - 3 * day, now - 5, now - 4, now - 3});
    const Lines before = read_log(disk);
    const auto whole = disk.killed(1);
    must(retain_log(*whole, log_folder, now));
    const Lines wanted = read_log(*whole);
    EXPECT_LT(wanted[0].size() + wanted[1].size(), before[0].size() + before[1].size());
    const auto calls = kill_everywhere(
        disk, [&](SimulatedDisk& one) { must(retain_log(one, log_folder, now)); },
        [&](SimulatedDisk& after) {
            append(after, {{0, "after", now}});
            Lines there = read_log(after);
            ASSERT_EQ(there[0].back().text, "after");
            there[0].pop_back();
            EXPECT_TRUE(is_part_of(there, before));
            EXPECT_TRUE(is_part_of(wanted, there) || there[0].size() + there[1].size() < wanted[0].size() + wanted[1].size());
            must(retain_log(after, log_folder, now));
            expect_no_leftovers(after);
            EXPECT_LE(local_bytes(after), config.max_bytes);
            const auto crashed = after.crash(7);
            must(retain_log(*crashed, log_folder, now));
            expect_no_leftovers(*crashed);
        });
    EXPECT_GT(calls, 10u);
}

}  // namespace
}  // namespace stream::log
