// SPDX-License-Identifier: Apache-2.0
// Goal: whatever stops a run, at any change of the disk, by a kill or a power cut, a file has every committed epoch once
// and nothing of the others; and a commit is the old one or the new one.
#include "run/file_sink.hpp"

#include <gtest/gtest.h>

#include "support/simulated_disk.hpp"
#include "support/must.hpp"

namespace stream::run {
namespace {

using stream::test::Dials;
using stream::test::Names;
using stream::test::SimulatedCrash;
using stream::test::SimulatedDisk;

constexpr std::uint64_t epochs = 4;

// What an epoch brings; the third brings nothing.
std::string bytes_of(std::uint64_t epoch) { return epoch == 3 ? std::string() : std::string(300 * epoch, static_cast<char>('a' + epoch)) + "\n"; }

std::string up_to(std::uint64_t epoch) {
    std::string all = "before\n";
    for (std::uint64_t e = 1; e <= epoch; ++e) all += bytes_of(e);
    return all;
}

std::string read_target(FileSystem& files) {
    auto file = must(files.open("/out", Open::read));
    std::string bytes(static_cast<std::size_t>(must(file->size())), '\0');
    must(file->read_at(bytes, 0));
    return bytes;
}

std::unique_ptr<SimulatedDisk> new_disk(std::uint64_t seed) {
    Dials dials;
    dials.names = seed % 2 == 0 ? Names::in_order : Names::any_subset;
    auto disk = std::make_unique<SimulatedDisk>(seed, dials);
    for (const char* folder : {"/run", "/run/staged"}) must(disk->make_folder(folder));
    must(disk->sync_folder("/"));
    must(disk->sync_folder("/run"));
    auto file = must(disk->open("/out", Open::create_new));
    must(file->write_at("before\n", 0));
    must(file->sync());
    must(disk->sync_folder("/"));
    return disk;
}

// One attempt, to the end of the last epoch.
void go_on(FileSystem& files, std::uint64_t attempt) {
    auto last = must(read_commit(files, "/run"));
    Commit commit = last ? *last : Commit{};
    commit.run = "r";
    std::optional<StagedFile> committed;
    if (!commit.files.empty()) committed = commit.files.front();
    auto sink = must(FileSink::open(files, "/run", "out", "/out", attempt, committed));
    if (read_target(files) != up_to(commit.epoch)) throw std::runtime_error("the file is not what was committed: " + std::to_string(commit.epoch));
    for (std::uint64_t epoch = commit.epoch + 1; epoch <= epochs; ++epoch) {
        must(sink->append(bytes_of(epoch)));
        commit.epoch = epoch;
        commit.files = {must(sink->prepare(epoch))};
        must(write_commit(files, "/run", commit));
        must(sink->publish());
    }
}

class Crashed : public ::testing::TestWithParam<bool> {};

TEST_P(Crashed, AtAnyChangeTheFileHasWhatWasCommittedOnce) {
    const bool power = GetParam();
    int stops = 0;
    for (std::uint64_t stop = 1;; ++stop) {
        bool ended = false;
        for (std::uint64_t seed = 1; seed <= 12; ++seed) {
            auto disk = new_disk(seed * 1000 + stop);
            disk->stop_at_change(stop);
            try {
                go_on(*disk, 1);
                ended = true;
                break;
            } catch (const SimulatedCrash&) {
            }
            ++stops;
            auto after = power ? disk->crash(seed) : disk->killed(seed);
            // And again, a little later, in what recovers.
            after->stop_at_change(1 + (stop * 7 + seed) % 9);
            try {
                go_on(*after, 2);
            } catch (const SimulatedCrash&) {
                after = power ? after->crash(seed + 100) : after->killed(seed + 100);
                ASSERT_NO_THROW(go_on(*after, 3)) << "stop " << stop << " seed " << seed;
            }
            ASSERT_EQ(read_target(*after), up_to(epochs)) << "stop " << stop << " seed " << seed;
        }
        if (ended) break;
    }
    EXPECT_GT(stops, 200);
}

INSTANTIATE_TEST_SUITE_P(KillsAndPowerCuts, Crashed, ::testing::Bool());

TEST(FileSink, NamesATargetThatIsNotAsItWasLeft) {
    auto disk = new_disk(1);
    go_on(*disk, 1);
    const Commit commit = *must(read_commit(*disk, "/run"));
    {
        auto file = must(disk->open("/out", Open::write));
        must(file->write_at("x", must(file->size())));
    }
    auto sink = FileSink::open(*disk, "/run", "out", "/out", 2, commit.files.front());
    ASSERT_FALSE(sink);
    EXPECT_EQ(sink.error().kind(), ErrorKind::corrupt);
    EXPECT_NE(sink.error().message().find("goes on past"), std::string::npos);
    {
        auto file = must(disk->open("/out", Open::write));
        must(file->truncate(3));
    }
    sink = FileSink::open(*disk, "/run", "out", "/out", 2, commit.files.front());
    ASSERT_FALSE(sink);
    EXPECT_EQ(sink.error().kind(), ErrorKind::corrupt);
}

TEST(Commit, EveryByteThatIsWrongIsNoticed) {
    auto disk = new_disk(1);
    Commit commit;
    commit.run = "r";
    commit.epoch = 7;
    commit.attempt = 3;
    commit.states = {{"a", std::string("\0\xff", 2), "", 0, 0, true}, {"b", "", "b.7.3", 100, 5, false}};
    commit.files = {{"c", "/tmp/with \"quotes\"", "c.1.3", 10, 20, 30}};
    commit.marks = {{"d", "/log"}};
    must(write_commit(*disk, "/run", commit));
    const Commit back = *must(read_commit(*disk, "/run"));
    EXPECT_EQ(back.epoch, 7u);
    EXPECT_EQ(back.states[0].bytes, commit.states[0].bytes);
    EXPECT_TRUE(back.states[0].ended);
    EXPECT_EQ(back.files[0].target, commit.files[0].target);
    auto file = must(disk->open("/run/commit", Open::write));
    std::string bytes(static_cast<std::size_t>(must(file->size())), '\0');
    must(file->read_at(bytes, 0));
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        for (const int bit : {0, 3, 5}) {
            std::string wrong = bytes;
            wrong[at] = static_cast<char>(wrong[at] ^ (1 << bit));
            must(file->write_at(wrong, 0));
            const auto read = read_commit(*disk, "/run");
            ASSERT_FALSE(read) << at << ' ' << bit;
            ASSERT_EQ(read.error().kind(), ErrorKind::corrupt);
        }
    }
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        must(file->write_at(bytes, 0));
        must(file->truncate(length));
        ASSERT_FALSE(read_commit(*disk, "/run")) << length;
    }
}

}  // namespace
}  // namespace stream::run
