// SPDX-License-Identifier: Apache-2.0
// Goal: the simulated disk loses what a power failure may lose, all of that at some seed, and nothing else;
// and fails, lies and stops where it was told to.
#include "support/simulated_disk.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>

namespace stream {
namespace {

using namespace stream::test;

template <class T>
T must(Result<T> result) {
    EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().message());
    if (!result) throw std::runtime_error(result.error().message());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// The text of what has to fail.
template <class T>
std::string failure(Result<T> result) {
    EXPECT_FALSE(result.has_value());
    if (result) return "";
    return result.error().message();
}

std::string read_whole(FileSystem& system, const std::string& path) {
    auto file = must(system.open(path, Open::read));
    std::string bytes(must(file->size()), '\0');
    EXPECT_EQ(must(file->read_at(bytes, 0)), bytes.size());
    return bytes;
}

// Nothing of it is synced.
void write_new(FileSystem& system, const std::string& path, std::string_view bytes) {
    auto file = must(system.open(path, Open::create_new));
    must(file->write_at(bytes, 0));
    must(file->close());
}

std::vector<std::string> names_in(FileSystem& system, const std::string& folder) {
    return must(system.list(folder)).value_or(std::vector<std::string>());
}

constexpr std::size_t sector = SimulatedFile::sector_size;

std::string sector_of(const std::string& bytes, std::size_t at) {
    std::string content = at < bytes.size() ? bytes.substr(at, sector) : std::string();
    content.resize(sector);
    return content;
}

// --- Data. ---

// Whatever is done to a file, after a crash each sector is what it was at some time since the last sync,
// and the size one of those there were, or a multiple of 512 between.
RC_GTEST_PROP(SimulatedDisk, ACrashLeavesOfEachSectorAVersionSinceTheLastSync,
              (bool ordered, std::uint64_t seed)) {
    const Names names = ordered ? Names::in_order : Names::any_subset;
    SimulatedDisk disk(1, {.names = names});
    auto file = must(disk.open("x", Open::create_new));
    must(disk.sync_folder(""));
    std::vector<std::string> versions{""};
    const auto steps = *rc::gen::inRange(0, 12);
    for (int step = 0; step < steps; ++step) {
        const auto what = *rc::gen::inRange(0, 5);
        const auto at = *rc::gen::inRange<std::size_t>(0, 5000);
        std::string now = versions.back();
        if (what == 0) {
            must(file->sync());
            versions.clear();
        } else if (what == 1) {
            must(file->truncate(at));
            now.resize(at);
        } else {
            const std::string bytes(*rc::gen::inRange<std::size_t>(1, 2000), static_cast<char>('a' + step));
            must(file->write_at(bytes, at));
            now.resize(std::max(now.size(), at + bytes.size()));
            now.replace(at, bytes.size(), bytes);
        }
        versions.push_back(now);
    }
    const std::string left = read_whole(*disk.crash(seed), "x");
    const auto by_size = [](const auto& a, const auto& b) { return a.size() < b.size(); };
    const auto [least, greatest] = std::minmax_element(versions.begin(), versions.end(), by_size);
    RC_ASSERT(left.size() >= least->size());
    RC_ASSERT(left.size() <= greatest->size());
    const auto has_size = [&](const auto& version) { return version.size() == left.size(); };
    RC_ASSERT(left.size() % sector == 0 || std::any_of(versions.begin(), versions.end(), has_size));
    for (std::size_t at = 0; at < left.size(); at += sector) {
        const auto fits = [&](const std::string& version) {
            return sector_of(version, at).substr(0, left.size() - at) == left.substr(at, sector);
        };
        RC_ASSERT(std::any_of(versions.begin(), versions.end(), fits));
    }
    RC_ASSERT(read_whole(disk, "x") == versions.back());  // the disk itself saw no crash
}

// Which of the outcomes the seeds give: each as what is left of the file "x".
std::set<std::string> outcomes(const SimulatedDisk& disk, std::uint64_t seeds = 500) {
    std::set<std::string> all;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        const auto after = disk.crash(seed);
        const bool there = must(after->open_if_there("x", Open::read)) != nullptr;
        all.insert(there ? read_whole(*after, "x") : "gone");
    }
    return all;
}

void write_synced(SimulatedDisk& disk, const std::string& path, std::string_view bytes) {
    write_new(disk, path, bytes);
    must(must(disk.open(path, Open::write))->sync());
    must(disk.sync_folder(""));
}

TEST(SimulatedDisk, WhatIsNotSyncedMayBeLostInEveryWay) {
    SimulatedDisk disk(1);
    const std::string old = std::string(sector, 'a') + std::string(sector, 'b');
    write_synced(disk, "x", old);
    EXPECT_EQ(outcomes(disk), (std::set{old}));
    auto file = must(disk.open("x", Open::write));
    must(file->write_at(std::string(2 * sector, 'N'), 0));
    const std::string a(sector, 'a'), b(sector, 'b'), n(sector, 'N');
    EXPECT_EQ(outcomes(disk), (std::set{a + b, a + n, n + b, n + n}));
    must(file->sync());
    EXPECT_EQ(outcomes(disk), (std::set{n + n}));
    must(file->truncate(10));
    EXPECT_EQ(outcomes(disk),
              (std::set{n + n, std::string(10, 'N') + std::string(sector - 10, '\0') + n, n,
                        std::string(10, 'N') + std::string(sector - 10, '\0'), std::string(10, 'N')}));
    must(file->sync());
    EXPECT_EQ(outcomes(disk), (std::set{std::string(10, 'N')}));
}

TEST(SimulatedDisk, ASectorMayBeWrittenBackBetweenTwoWrites) {
    for (const bool in_between : {false, true}) {
        SimulatedDisk disk(1, {.in_between = in_between});
        write_synced(disk, "x", "1");
        auto file = must(disk.open("x", Open::write));
        must(file->write_at("2", 0));
        must(file->write_at("3", 0));
        EXPECT_EQ(outcomes(disk),
                  in_between ? (std::set<std::string>{"1", "2", "3"}) : (std::set<std::string>{"1", "3"}));
    }
}

TEST(SimulatedDisk, TornSectors) {
    const std::string old(sector, 'o');
    for (const Torn torn : {Torn::never, Torn::changed_bytes, Torn::sector}) {
        SimulatedDisk disk(1, {.torn = torn});
        write_synced(disk, "x", old);
        must(must(disk.open("x", Open::write))->write_at("new", 100));
        bool garbage = false;
        bool spread = false;
        for (const std::string& left : outcomes(disk)) {
            for (std::size_t i = 0; i < sector; ++i) {
                if (i < 100 || i >= 103) {
                    spread |= left[i] != 'o';
                } else {
                    garbage |= left[i] != 'o' && left[i] != "new"[i - 100];
                }
            }
        }
        EXPECT_EQ(garbage, torn != Torn::never);
        EXPECT_EQ(spread, torn == Torn::sector);
    }
}

// --- Names. ---

// Files are told apart by what is in them; the content is synced, the names are not.
RC_GTEST_PROP(SimulatedDisk, NamesSurviveInOrderOrInAnySubset, (bool ordered, std::uint64_t seed)) {
    const Names names = ordered ? Names::in_order : Names::any_subset;
    using State = std::map<std::string, std::string>;
    SimulatedDisk disk(1, {.names = names});
    std::vector<State> states{{}};
    const auto any_name = rc::gen::elementOf(std::vector<std::string>{"a", "b", "c", "d"});
    const auto steps = *rc::gen::inRange(0, 15);
    for (int step = 0; step < steps; ++step) {
        const auto what = *rc::gen::inRange(0, 5);
        const std::string name = *any_name;
        const std::string other = *any_name;
        State now = states.back();
        if (what == 0) {
            must(disk.sync_folder("."));
            states.clear();
        } else if (what == 1) {
            must(disk.remove(name));
            now.erase(name);
        } else if (what == 2 && now.contains(name)) {
            must(disk.rename(name, other));
            const std::string content = now[name];
            now.erase(name);
            now[other] = content;
        } else if (!now.contains(name)) {
            now[name] = std::to_string(step);
            write_new(disk, name, now[name]);
            must(must(disk.open(name, Open::write))->sync());
        }
        states.push_back(now);
    }
    const auto after = disk.crash(seed);
    State left;
    for (const std::string& name : names_in(*after, "")) left[name] = read_whole(*after, name);
    if (names == Names::in_order) {
        RC_ASSERT(std::find(states.begin(), states.end(), left) != states.end());
        return;
    }
    for (const std::string name : {"a", "b", "c", "d"}) {
        const auto value = [&](const State& state) { return state.contains(name) ? state.at(name) : "none"; };
        RC_ASSERT(std::any_of(states.begin(), states.end(),
                              [&](const State& state) { return value(state) == value(left); }));
    }
}

// The names that are left, of each seed.
std::set<std::string> names_left(const SimulatedDisk& disk, const std::vector<std::string>& folders) {
    std::set<std::string> all;
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
        const auto after = disk.crash(seed);
        std::string text;
        for (const std::string& folder : folders) {
            if (!must(after->list(folder))) text += "(none)";
            for (const std::string& name : names_in(*after, folder)) text += name;
            text += "/";
        }
        all.insert(text);
    }
    return all;
}

TEST(SimulatedDisk, TwoNewNames) {
    for (const Names names : {Names::in_order, Names::any_subset}) {
        SimulatedDisk disk(1, {.names = names});
        must(disk.make_folder("f"));
        must(disk.sync_folder(""));
        write_new(disk, "f/a", "1");
        must(must(disk.open("f/a", Open::write))->sync());  // its name may be lost all the same
        write_new(disk, "f/b", "2");
        std::set<std::string> expected{"/", "a/", "ab/"};
        if (names == Names::any_subset) expected.insert("b/");
        EXPECT_EQ(names_left(disk, {"f"}), expected);
        must(disk.sync_folder("f"));
        EXPECT_EQ(names_left(disk, {"f"}), (std::set<std::string>{"ab/"}));
    }
}

TEST(SimulatedDisk, AMoveBetweenFoldersIsWhole) {
    for (const Names names : {Names::in_order, Names::any_subset}) {
        SimulatedDisk disk(1, {.names = names});
        must(disk.make_folder("f"));
        must(disk.make_folder("g"));
        must(disk.sync_folder(""));
        write_new(disk, "f/a", "1");
        must(disk.sync_folder("f"));
        must(disk.rename("f/a", "g/b"));
        EXPECT_EQ(names_left(disk, {"f", "g"}), (std::set<std::string>{"a//", "/b/"}));
        must(disk.sync_folder("g"));
        EXPECT_EQ(names_left(disk, {"f", "g"}), (std::set<std::string>{"/b/"}));
    }
    // A name made and moved on: durable in the second folder, it is not left in the first.
    SimulatedDisk disk(1, {.names = Names::any_subset});
    must(disk.make_folder("f"));
    must(disk.make_folder("g"));
    EXPECT_EQ(names_left(disk, {"f", "g"}),
              (std::set<std::string>{"(none)/(none)/", "/(none)/", "(none)//", "//"}));
    must(disk.sync_folder(""));
    write_new(disk, "f/a", "1");
    must(disk.rename("f/a", "g/b"));
    must(disk.sync_folder("g"));
    EXPECT_EQ(names_left(disk, {"f", "g"}), (std::set<std::string>{"/b/"}));
}

// --- Failures. ---

TEST(SimulatedDisk, FailsTheCallItWasToldTo) {
    SimulatedDisk disk(1);
    disk.fail_call(Call::create, 2, EDQUOT);
    write_new(disk, "x", "1");
    EXPECT_NE(failure(disk.open("y", Open::create_new)).find("quota"), std::string::npos);
    write_new(disk, "y", "2");
    disk.fail_call(Call::rename, 1, EIO);
    EXPECT_NE(failure(disk.rename("x", "y")), "");
    EXPECT_EQ(read_whole(disk, "y"), "2");
    disk.fail_call(Call::any, 3, ENOSPC, true);
    must(disk.list(""));
    must(disk.make_folder("f"));
    for (int i = 0; i < 3; ++i) EXPECT_NE(failure(disk.list("")).find("No space left"), std::string::npos);
    EXPECT_EQ(disk.calls(Call::list), 4U);
    EXPECT_EQ(disk.calls(Call::create), 3U);
}

TEST(SimulatedDisk, AFailedWriteIsThereInPart) {
    std::set<std::size_t> sizes;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        SimulatedDisk disk(seed);
        auto file = must(disk.open("x", Open::create_new));
        disk.fail_call(Call::write, 1, ENOSPC);
        EXPECT_NE(failure(file->write_at("abc", 0)), "");
        const std::string left = read_whole(disk, "x");
        EXPECT_EQ(left, std::string("abc").substr(0, left.size()));
        sizes.insert(left.size());
        must(file->write_at("abc", 0));
    }
    EXPECT_EQ(sizes, (std::set<std::size_t>{0, 1, 2, 3}));
    SimulatedDisk disk(1, {.file_max = 10});
    auto file = must(disk.open("x", Open::create_new));
    must(file->write_at("x", 9));
    EXPECT_NE(failure(file->write_at("xy", 9)).find("File too large"), std::string::npos);
    EXPECT_NE(failure(file->write_at("x", ~std::uint64_t{0})), "");
    EXPECT_NE(failure(file->truncate(11)), "");
    EXPECT_EQ(must(file->size()), 10U);
}

TEST(SimulatedDisk, AfterAFailedSyncLaterOnesDoNotHelp) {
    SimulatedDisk disk(1);
    write_synced(disk, "x", "old");
    auto file = must(disk.open("x", Open::write));
    must(file->write_at("new", 0));
    disk.fail_call(Call::sync, 1, EIO);
    EXPECT_NE(failure(file->sync()), "");
    must(file->sync());
    EXPECT_EQ(read_whole(disk, "x"), "new");  // from the page cache
    EXPECT_EQ(outcomes(disk), (std::set<std::string>{"old", "new"}));
    must(file->write_at("!", 2));  // dirty again
    must(file->sync());
    EXPECT_EQ(outcomes(disk), (std::set<std::string>{"ne!"}));
}

TEST(SimulatedDisk, AfterAFailedSyncOfAFolderLaterOnesDoNotHelp) {
    std::set<bool> there;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        SimulatedDisk disk(seed);
        write_new(disk, "x", "");
        disk.fail_call(Call::sync_folder, 1, EIO);
        EXPECT_NE(failure(disk.sync_folder("")), "");
        must(disk.sync_folder(""));
        const auto left = outcomes(disk, 20);
        EXPECT_EQ(left.size(), 1U);
        there.insert(!left.contains("gone"));
    }
    EXPECT_EQ(there.size(), 2U);
}

TEST(SimulatedDisk, Lies) {
    SimulatedDisk disk(1);
    write_synced(disk, "x", "old");
    auto file = must(disk.open("x", Open::write));
    disk.ignore_call(Call::sync, 1);
    must(file->write_at("new", 0));
    must(file->sync());
    EXPECT_EQ(outcomes(disk), (std::set<std::string>{"old", "new"}));
    must(file->sync());
    EXPECT_EQ(outcomes(disk), (std::set<std::string>{"new"}));
    disk.ignore_call(Call::sync_folder, 1);
    must(disk.remove("x"));
    must(disk.sync_folder(""));
    EXPECT_EQ(outcomes(disk), (std::set<std::string>{"gone", "new"}));
    write_new(disk, "y", "");
    disk.ignore_call(Call::rename, 1);
    must(disk.rename("y", "z"));
    EXPECT_EQ(names_in(disk, ""), (std::vector<std::string>{"y"}));
}

TEST(SimulatedDisk, StopsAtAChangeAndStaysStopped) {
    SimulatedDisk disk(1);
    write_synced(disk, "x", "old");
    auto lock = must(disk.lock("LOCK", true));
    EXPECT_EQ(must(disk.lock("LOCK", false)), nullptr);
    EXPECT_THROW(must(disk.lock("LOCK", true)), std::logic_error);
    disk.stop_at_change(2);
    auto file = must(disk.open("x", Open::write));
    must(file->write_at("n", 0));
    EXPECT_EQ(read_whole(disk, "x"), "nld");
    EXPECT_THROW(static_cast<void>(file->sync()), SimulatedCrash);
    EXPECT_TRUE(disk.stopped());
    EXPECT_NE(failure(file->sync()), "");
    EXPECT_NE(failure(disk.remove("x")), "");
    EXPECT_EQ(outcomes(disk), (std::set<std::string>{"old", "nld"}));
    for (const auto& after : {disk.crash(7), disk.killed(7)}) {
        EXPECT_FALSE(after->stopped());
        EXPECT_NE(must(after->lock("LOCK", true)), nullptr);
    }
    // The processes' death loses nothing, but does not make anything durable either.
    const auto killed = disk.killed(1);
    EXPECT_EQ(read_whole(*killed, "x"), "nld");
    EXPECT_EQ(outcomes(*killed), (std::set<std::string>{"old", "nld"}));
    must(must(killed->open("x", Open::write))->sync());
    EXPECT_EQ(outcomes(*killed), (std::set<std::string>{"nld"}));
    EXPECT_EQ(outcomes(disk), (std::set<std::string>{"old", "nld"}));
}

TEST(SimulatedDisk, TheSameSeedsDoTheSame) {
    const auto run = [](std::uint64_t seed) {
        SimulatedDisk disk(seed, {.torn = Torn::changed_bytes});
        disk.keep_trace(true);
        disk.fail_call(Call::write, 2, EIO);
        write_new(disk, "x", std::string(3000, 'x'));
        auto file = must(disk.open("x", Open::write));
        EXPECT_NE(failure(file->write_at(std::string(3000, 'y'), 1000)), "");
        must(disk.rename("x", "y"));
        std::string story;
        const auto after = disk.crash(seed, &story);
        for (const std::string& line : disk.trace()) story += line + "\n";
        for (const std::string& name : names_in(*after, "")) story += name + read_whole(*after, name);
        return fmt::format("{}{}{}{}", story, disk.random(), disk.now_ns(), after->random());
    };
    std::set<std::string> all;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        all.insert(run(seed));
        all.insert(run(seed));
    }
    EXPECT_EQ(all.size(), 20U);
    EXPECT_NE(run(1).find("2 write x 3000 0\n"), std::string::npos) << run(1);
    EXPECT_NE(run(1).find("write x 3000 1000: Input/output error\n"), std::string::npos);
}

// --- As the log will use it: a file replaced by another, stopped everywhere, crashed by many seeds. ---

bool survives_every_crash(const std::function<void(SimulatedDisk&)>& prepare, Names names) {
    const std::string old(1500, 'o');
    const std::string wanted(2500, 'n');
    for (std::uint64_t stop = 1;; ++stop) {
        SimulatedDisk disk(stop, {.names = names});
        write_synced(disk, "x", old);
        prepare(disk);
        disk.stop_at_change(stop);
        bool acknowledged = false;
        try {
            write_new(disk, "x.new", wanted);
            must(must(disk.open("x.new", Open::write))->sync());
            must(disk.rename("x.new", "x"));
            must(disk.sync_folder(""));
            acknowledged = true;
        } catch (const SimulatedCrash&) {
        }
        for (const std::string& left : outcomes(disk, 50)) {
            if (left != wanted && (acknowledged || left != old)) return false;
        }
        if (acknowledged) return true;
    }
}

TEST(SimulatedDisk, FindsWhatALyingDiskBreaks) {
    for (const Names names : {Names::in_order, Names::any_subset}) {
        EXPECT_TRUE(survives_every_crash([](SimulatedDisk&) {}, names));
        for (const Call kind : {Call::sync, Call::sync_folder, Call::rename, Call::write}) {
            EXPECT_FALSE(
                survives_every_crash([&](SimulatedDisk& disk) { disk.ignore_call(kind, 1); }, names));
        }
    }
}

}  // namespace
}  // namespace stream
