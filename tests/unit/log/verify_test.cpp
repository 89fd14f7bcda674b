// SPDX-License-Identifier: Apache-2.0
// Goal: verify finds nothing where nothing is wrong, names the file, the bytes and the offsets where something
// is, and tells what is lost from what is merely left over. (Every bit and block: tests/fault/log_damage.)
#include <gtest/gtest.h>

#include "log/groups.hpp"
#include "unit/log/upkeep_helpers.hpp"

namespace stream::log {
namespace {

struct Told {
    Verified verified;
    std::vector<Problem> problems;
};

Told verify(FileSystem& files) {
    Told out;
    out.verified = must(verify_log(files, log_folder, [&](const Problem& problem) { out.problems.push_back(problem); }));
    return out;
}

// Twelve records of one partition in several segments, a group.
std::unique_ptr<SimulatedDisk> some_log(std::uint32_t partitions = 1) {
    auto disk = std::make_unique<SimulatedDisk>(1);
    LogConfig config;
    config.partitions = partitions;
    config.compressed = false;
    config.segment_bytes = 700;
    must(create_log(*disk, log_folder, config));
    for (int i = 0; i < 12; ++i) append(*disk, {{static_cast<std::uint32_t>(i) % partitions, "record " + std::to_string(i) + std::string(60, 'x')}});
    auto group = must(Group::open(*disk, log_folder, "g", manifest_of(*disk).log_id(), partitions));
    must(group.commit({{0, 2}}, 0));
    must(group.commit({{0, 3}}, 0));
    return disk;
}

void change(SimulatedDisk& disk, const std::string& path, std::uint64_t at, char by) {
    auto file = must(disk.open(path, Open::write));
    std::string byte(1, '\0');
    must(file->read_at(byte, at));
    byte[0] = static_cast<char>(byte[0] ^ by);
    must(file->write_at(byte, at));
}

std::string path_of(SimulatedDisk& disk, std::size_t segment) {
    const Manifest manifest = manifest_of(disk);
    return segment_path(log_folder, 0, manifest.segments(0).at(segment));
}

std::string name_in_log(const std::string& path) { return path.substr(std::string(log_folder).size() + 1); }

TEST(Verify, FindsNothingWrongInAWholeLog) {
    for (const std::uint32_t partitions : {1u, 3u}) {
        const auto disk = some_log(partitions);
        const std::uint64_t changes = disk->changes();
        const Told told = verify(*disk);
        EXPECT_TRUE(told.problems.empty()) << told.problems.front().file << ": " << told.problems.front().what;
        EXPECT_EQ(told.verified.records, 12u);
        EXPECT_EQ(told.verified.frames, 12u);
        EXPECT_EQ(told.verified.damaged, 0u);
        EXPECT_EQ(disk->changes(), changes);
    }
}

TEST(Verify, NamesTheBytesAndTheOffsetsThatCannotBeRead) {
    const auto disk = some_log();
    const std::string path = path_of(*disk, 1);
    const std::uint64_t base = manifest_of(*disk).segments(0)[1].base;
    change(*disk, path, file_header_size + frame_header_size + 3, 4);
    const Told told = verify(*disk);
    ASSERT_EQ(told.problems.size(), 1u);
    const Problem& problem = told.problems[0];
    EXPECT_EQ(problem.file, name_in_log(path));
    EXPECT_TRUE(problem.is_damage);
    EXPECT_EQ(problem.from, file_header_size);
    EXPECT_EQ(problem.to, file_header_size + frame_header_size + 72);
    EXPECT_EQ(problem.partition, 0);
    EXPECT_EQ(problem.first_offset, base);
    EXPECT_EQ(problem.last_offset, base);
    EXPECT_EQ(told.verified.damaged, 1u);
    EXPECT_EQ(told.verified.records, 11u);
}

TEST(Verify, TellsASegmentThatIsGoneOrAnothers) {
    const auto disk = some_log();
    const std::string path = path_of(*disk, 1);
    const std::string bytes = read_whole(*disk, path);
    must(disk->remove(path));
    Told told = verify(*disk);
    ASSERT_EQ(told.problems.size(), 2u);
    EXPECT_EQ(told.problems[0].what, "the segment is not there");
    EXPECT_EQ(told.problems[1].last_offset + 1 - told.problems[1].first_offset, manifest_of(*disk).segments(0)[1].end - manifest_of(*disk).segments(0)[1].base);
    auto file = must(disk->open(path, Open::create_new));
    must(file->write_at(read_whole(*disk, path_of(*disk, 0)), 0));
    told = verify(*disk);
    ASSERT_FALSE(told.problems.empty());
    EXPECT_EQ(told.problems[0].what.substr(0, 12), "another file");
}

TEST(Verify, ATornTailIsNoDamage) {
    const auto disk = some_log();
    const std::string path = segment_path(log_folder, 0, *manifest_of(*disk).active(0));
    auto file = must(disk->open(path, Open::write));
    const std::uint64_t size = must(file->size());
    must(file->write_at("SLF1 and then nothing", size));
    const Told told = verify(*disk);
    ASSERT_EQ(told.problems.size(), 1u);
    EXPECT_FALSE(told.problems[0].is_damage);
    EXPECT_EQ(told.problems[0].from, size);
    EXPECT_EQ(told.problems[0].to, size + 21);
    EXPECT_EQ(told.verified.damaged, 0u);
}

TEST(Verify, WhatCanBeMadeAnewIsNoDamage) {
    const auto disk = some_log();
    const Manifest manifest = manifest_of(*disk);
    change(*disk, std::string(log_folder) + "/head", 20, 1);
    change(*disk, index_path(log_folder, 0, manifest.segments(0)[0]), 40, 1);
    SegmentEntry leftover;
    leftover.id = 1;
    must(disk->open(segment_path(log_folder, 0, leftover), Open::create_new));
    must(disk->open(std::string(log_folder) + "/notes", Open::create_new));
    const Told told = verify(*disk);
    EXPECT_EQ(told.problems.size(), 4u);
    EXPECT_EQ(told.verified.damaged, 0u);
    EXPECT_EQ(told.verified.records, 12u);
}

TEST(Verify, AnArchiveThatIsNotThereIsDamage) {
    const auto disk = some_log();
    must(archive_log(*disk, log_folder, "/archive"));
    EXPECT_TRUE(verify(*disk).problems.empty());
    const auto moved = must(disk->list("/archive")).value_or(std::vector<std::string>());
    for (const std::string& name : moved) must(disk->remove("/archive/" + name));
    Told told = verify(*disk);
    EXPECT_GT(told.verified.damaged, 0u);
    must(disk->rename("/archive", "/elsewhere"));
    told = verify(*disk);
    ASSERT_EQ(told.verified.damaged, 1u);
    EXPECT_EQ(told.problems[0].file, "/archive");
}

TEST(Verify, TellsADamagedGroup) {
    const auto disk = some_log();
    change(*disk, std::string(log_folder) + "/groups/g", file_header_size + frame_header_size + 2, 1);
    const Told told = verify(*disk);
    ASSERT_EQ(told.problems.size(), 1u);
    EXPECT_EQ(told.problems[0].file, "groups/g");
    EXPECT_TRUE(told.problems[0].is_damage);
}

TEST(Verify, TellsADamagedManifestAndThatThereIsNoLog) {
    const auto disk = some_log();
    EXPECT_EQ(kind_of(verify_log(*disk, "/other", {})), ErrorKind::usage);
    change(*disk, std::string(log_folder) + "/manifest", 300, 1);
    Told told = verify(*disk);
    ASSERT_EQ(told.problems.size(), 1u);
    EXPECT_EQ(told.problems[0].file, "manifest");
    EXPECT_LE(told.problems[0].from, 300u);
    EXPECT_GT(told.problems[0].to, 300u);
    must(disk->remove(std::string(log_folder) + "/manifest"));
    told = verify(*disk);
    EXPECT_EQ(told.verified.damaged, 1u);
}

TEST(Verify, LeavesALivingWritersBatchAlone) {
    const auto disk = some_log();
    const std::string path = segment_path(log_folder, 0, *manifest_of(*disk).active(0));
    const auto lock = must(disk->lock(std::string(log_folder) + "/LOCK", false));
    auto file = must(disk->open(path, Open::write));
    must(file->write_at("half a batch", must(file->size())));
    EXPECT_TRUE(verify(*disk).problems.empty());
}

}  // namespace
}  // namespace stream::log
