// SPDX-License-Identifier: Apache-2.0
// Goal: whatever stops a run, at any change of the disk, by a kill, a power cut or a disk that fails, the state that the
// commit names is there, whole and in order; and nothing that is damaged, missing or another's is ever taken for it.
#include "run/state_files.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <random>

#include "support/simulated_disk.hpp"
#include "support/must.hpp"

namespace stream::run {
namespace {

using stream::test::Call;
using stream::test::Dials;
using stream::test::Names;
using stream::test::SimulatedCrash;
using stream::test::SimulatedDisk;

constexpr std::uint64_t last_epoch = 7;

// That does not compress.
std::string noise(std::uint64_t seed, std::size_t size) {
    std::mt19937_64 random(seed);
    std::string bytes;
    while (bytes.size() < size) bytes.push_back(static_cast<char>(random()));
    return bytes;
}

// The first epoch is small, the others have a file; changes are large enough to call for a whole copy in between.
std::string whole_of(std::uint64_t epoch) { return noise(epoch, epoch == 1 ? 100 : 20'000); }
std::string changes_of(std::uint64_t epoch) { return noise(1000 + epoch, 15'000); }

std::string kept_of(std::uint64_t epoch) { return noise(2000 + epoch, 400); }

// The whole copy, the files beside it, and what changed.
std::vector<std::string> loaded(FileSystem& files, StateFiles states) {
    std::vector<std::string> all;
    must(states.load([&](std::string_view payload, bool is_whole) -> Result<void> {
        EXPECT_EQ(is_whole, all.empty());
        all.emplace_back(payload);
        return {};
    }));
    const KeptFiles kept = states.kept();
    for (std::uint64_t i = 0; i < kept.names().size(); ++i) {
        auto file = must(files.open(must(kept.path(i)), Open::read));
        std::string bytes(must(file->size()), '\0');
        must(file->read_at(bytes, 0));
        all.insert(all.begin() + 1 + static_cast<std::ptrdiff_t>(i), bytes);
    }
    return all;
}

// As an operator leaves them that has part of its state in files: written, not synced.
SavedState save_with_file(FileSystem& files, StateFiles& states, std::uint64_t epoch, std::uint64_t attempt) {
    if (epoch == 1) return must(states.save_whole(epoch, whole_of(epoch)));
    const std::string name = "n." + std::to_string(epoch) + "." + std::to_string(attempt) + ".kept-0";
    auto file = must(files.open("/run/state/" + name, Open::create_new));
    must(file->write_at(kept_of(epoch), 0));
    must(file->close());
    return must(states.save_whole(epoch, whole_of(epoch), {name}));
}

Result<void> load(StateFiles states) {
    return states.load([](std::string_view, bool) -> Result<void> { return {}; });
}

std::unique_ptr<SimulatedDisk> disk_of(std::uint64_t seed) {
    Dials dials;
    dials.names = seed % 2 == 0 ? Names::in_order : Names::any_subset;
    auto disk = std::make_unique<SimulatedDisk>(seed, dials);
    for (const char* folder : {"/run", "/run/state"}) must(disk->make_folder(folder));
    must(disk->sync_folder("/"));
    must(disk->sync_folder("/run"));
    return disk;
}

// What an undisturbed run's epochs load, by the same choices.
std::vector<std::vector<std::string>> expected() {
    std::vector<std::vector<std::string>> all(1);
    auto disk = disk_of(1);
    StateFiles states(*disk, "/run", "t", "n", 1, {});
    for (std::uint64_t epoch = 1; epoch <= last_epoch; ++epoch) {
        const bool changes = states.takes_changes();
        all.push_back(changes ? all.back() : std::vector<std::string>());
        all.back().push_back(changes ? changes_of(epoch) : whole_of(epoch));
        if (!changes && epoch > 1) all.back().push_back(kept_of(epoch));
        if (changes) must(states.save_changes(epoch, changes_of(epoch)));
        else save_with_file(*disk, states, epoch, 1);
    }
    return all;
}

// One attempt, to the end of the last epoch, as tools and stream-run share it.
void go_on(FileSystem& files, std::uint64_t attempt, const std::vector<std::vector<std::string>>& wanted) {
    auto read = must(read_commit(files, "/run"));
    Commit last = read ? *read : Commit{};
    last.run = "r";
    must(sweep_states(files, "/run", last));
    StateFiles states(files, "/run", "t", "n", attempt, last.states.empty() ? SavedState{} : last.states.front());
    if (last.epoch > 0 && loaded(files, states) != wanted[last.epoch]) throw std::logic_error("not the state of epoch " + std::to_string(last.epoch));
    for (std::uint64_t epoch = last.epoch + 1; epoch <= last_epoch; ++epoch) {
        Commit next = last;
        next.epoch = epoch;
        next.states = {states.takes_changes() ? must(states.save_changes(epoch, changes_of(epoch))) : save_with_file(files, states, epoch, attempt)};
        must(write_commit(files, "/run", next));
        must(drop_states(files, "/run", last, next));
        last = next;
    }
}

void finish(std::unique_ptr<SimulatedDisk> disk, const std::vector<std::vector<std::string>>& wanted) {
    go_on(*disk, 9, wanted);
    const Commit commit = *must(read_commit(*disk, "/run"));
    EXPECT_EQ(commit.epoch, last_epoch);
    EXPECT_EQ(loaded(*disk, StateFiles(*disk, "/run", "t", "n", 10, commit.states.front())), wanted[last_epoch]);
    // Nothing is left over.
    EXPECT_EQ(must(disk->list("/run/state"))->size(), wanted[last_epoch].size());
}

class StateCrashed : public ::testing::TestWithParam<bool> {};

TEST_P(StateCrashed, AtAnyChangeTheCommittedStateIsThere) {
    const auto wanted = expected();
    EXPECT_GT(wanted[4].size(), 1u);
    EXPECT_EQ(wanted[6].size(), 2u);
    const bool power = GetParam();
    for (std::uint64_t stop = 1;; ++stop) {
        bool ended = false;
        for (std::uint64_t seed = 1; seed <= 6 && !ended; ++seed) {
            auto disk = disk_of(seed * 1000 + stop);
            disk->stop_at_change(stop);
            try {
                go_on(*disk, 1, wanted);
                ended = true;
            } catch (const SimulatedCrash&) {
                auto after = power ? disk->crash(seed) : disk->killed(seed);
                after->stop_at_change(1 + (stop * 7 + seed) % 11);
                try {
                    go_on(*after, 2, wanted);
                } catch (const SimulatedCrash&) {
                    after = power ? after->crash(seed + 100) : after->killed(seed + 100);
                }
                ASSERT_NO_THROW(finish(std::move(after), wanted)) << "stop " << stop << " seed " << seed;
            }
        }
        if (!ended) continue;
        EXPECT_GT(stop, 50u);
        break;
    }
}

INSTANTIATE_TEST_SUITE_P(KillsAndPowerCuts, StateCrashed, ::testing::Bool());

TEST(StateFiles, ADiskThatFailsAtAnyCallLosesNothingCommitted) {
    const auto wanted = expected();
    for (std::uint64_t nth = 1;; ++nth) {
        auto disk = disk_of(nth);
        disk->fail_call(Call::any, nth, EIO);
        try {
            go_on(*disk, 1, wanted);
            EXPECT_GT(nth, 80u);
            break;
        } catch (const std::runtime_error&) {
        }
        ASSERT_NO_THROW(finish(disk->crash(nth), wanted)) << nth;
    }
}

TEST(StateFiles, DamageIsNamedAndNeverTaken) {
    auto disk = disk_of(3);
    StateFiles states(*disk, "/run", "t", "n", 1, {});
    save_with_file(*disk, states, 2, 1);
    const SavedState saved = must(states.save_changes(3, changes_of(2)));
    ASSERT_EQ(saved.changes.size(), 1u);
    ASSERT_EQ(saved.kept.size(), 1u);
    for (const std::string& name : {saved.file, saved.changes[0].file, saved.kept[0].file}) {
        auto file = must(disk->open("/run/state/" + name, Open::write));
        for (const std::uint64_t at : {std::uint64_t{0}, std::uint64_t{70}, must(file->size()) - 1}) {
            std::string byte(1, '\0');
            must(file->read_at(byte, at));
            must(file->write_at(std::string(1, static_cast<char>(byte[0] ^ 4)), at));
            const auto read = load(StateFiles(*disk, "/run", "t", "n", 2, saved));
            ASSERT_FALSE(read) << name << ' ' << at;
            EXPECT_EQ(read.error().kind(), ErrorKind::corrupt);
            EXPECT_NE(read.error().message().find(name), std::string::npos);
            must(file->write_at(byte, at));
        }
    }
    // Two files changed about, and one that is gone.
    SavedState other = saved;
    std::swap(other.file, other.changes[0].file);
    EXPECT_FALSE(load(StateFiles(*disk, "/run", "t", "n", 2, other)));
    other = saved;
    other.kept[0].file = saved.changes[0].file;
    EXPECT_FALSE(load(StateFiles(*disk, "/run", "t", "n", 2, other)));
    EXPECT_TRUE(load(StateFiles(*disk, "/run", "t", "n", 2, saved)));
    EXPECT_EQ(load(StateFiles(*disk, "/run", "u", "n", 2, saved)).error().kind(), ErrorKind::usage);
    must(disk->remove("/run/state/" + saved.changes[0].file));
    EXPECT_EQ(load(StateFiles(*disk, "/run", "t", "n", 2, saved)).error().kind(), ErrorKind::corrupt);
}

// A large state of which little changes: files stay few, and each byte is not written again and again.
TEST(StateFiles, ManySmallChangesBecomeFewFiles) {
    auto disk = disk_of(5);
    StateFiles states(*disk, "/run", "t", "n", 1, {});
    std::vector<std::string> wanted{noise(1, 400'000)};
    Commit last;
    last.run = "r";
    last.states = {must(states.save_whole(1, wanted[0]))};
    std::size_t most = 0;
    for (std::uint64_t epoch = 2; epoch < 700; ++epoch) {
        ASSERT_TRUE(states.takes_changes()) << epoch;
        wanted.push_back(noise(epoch, 200 + epoch % 7 * 100));
        Commit next = last;
        next.states = {must(states.save_changes(epoch, wanted.back()))};
        must(drop_states(*disk, "/run", last, next));
        last = next;
        most = std::max(most, last.states.front().changes.size());
    }
    EXPECT_LE(most, 32u);
    EXPECT_EQ(must(disk->list("/run/state"))->size(), last.states.front().changes.size() + 1);
    const StateFiles again(*disk, "/run", "t", "n", 2, last.states.front());
    EXPECT_EQ(loaded(*disk, again), wanted);
    EXPECT_TRUE(again.takes_changes());
}

TEST(StateFiles, SaysInTheCommitWhatItHas) {
    SavedState state;
    state.name = "n o";
    state.file = "n o.3.1";
    state.length = 12;
    state.crc = 4'000'000'000;
    state.ended = true;
    state.changes = {{"n o.4.1", 5, 7}, {"n o.5.1", 18'000'000'000'000'000'000u, 0}};
    state.kept = {{"n o.3.1.kept-0", 100, 1}};
    const auto back = saved_state_of(to_message(state));
    ASSERT_TRUE(back);
    ASSERT_EQ(back->kept.size(), 1u);
    EXPECT_EQ(back->kept[0].file, "n o.3.1.kept-0");
    EXPECT_TRUE(back->has_file("n o.3.1.kept-0"));
    EXPECT_EQ(back->size(), state.size());
    ASSERT_EQ(back->changes.size(), 2u);
    EXPECT_EQ(back->changes[1].file, "n o.5.1");
    EXPECT_EQ(back->changes[1].length, 18'000'000'000'000'000'000u);
    EXPECT_TRUE(back->has_file("n o.4.1"));
    EXPECT_FALSE(back->has_file("n o.6.1"));
    for (const char* wrong : {"x", "x 1", "a/b 1 2", "x 1 2 y", "x -1 2", " 1 2"}) {
        EXPECT_FALSE(saved_state_of(Message("state").set("name", "n").set("file", "f").set("changes", wrong))) << wrong;
        EXPECT_FALSE(saved_state_of(Message("state").set("name", "n").set("file", "f").set("kept", wrong))) << wrong;
    }
}

}  // namespace
}  // namespace stream::run
