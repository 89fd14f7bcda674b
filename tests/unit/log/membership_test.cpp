// SPDX-License-Identifier: Apache-2.0
// Goal: the living members of a group share its partitions, a dead one's are taken over within a second, and no
// partition ever has two readers, with processes that come, go and are killed.
#include "log/groups.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <set>
#include <stdexcept>
#include <thread>

namespace stream::log {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Partitions = std::vector<std::uint32_t>;

template <class T>
T must(Result<T> result) {
    EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().message());
    if (!result) throw std::runtime_error(result.error().message());
    return std::move(*result);
}

class Folder {
public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "stream-log-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
        path_ = name;
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    const std::string& path() const { return path_; }
    Membership join(std::uint32_t partitions) const { return must(Membership::join(path_, "g", partitions)); }
    std::uint32_t members() const { return must(count_members(path_, "g")); }

private:
    std::string path_;
};

Partitions every(std::uint32_t count, std::uint32_t rank = 0, std::uint32_t members = 1) {
    Partitions all;
    for (std::uint32_t p = rank; p < count; p += members) all.push_back(p);
    return all;
}

// Lets go of what is lost; what it gained.
Partitions settle(Membership& member) {
    const Membership::Change change = must(member.settle());
    member.release(change.lost);
    return change.gained;
}

// --- Members of one process: OFD locks go with the open file. ---

TEST(Membership, OneAloneHasAll) {
    const Folder folder;
    EXPECT_EQ(folder.members(), 0U);
    {
        Membership one = folder.join(5);
        EXPECT_TRUE(one.held().empty());
        EXPECT_EQ(settle(one), every(5));
        EXPECT_EQ(one.held(), every(5));
        EXPECT_EQ(one.members(), 1U);
        EXPECT_EQ(folder.members(), 1U);
        EXPECT_TRUE(settle(one).empty());
    }
    EXPECT_EQ(folder.members(), 0U);
    struct stat status;
    ASSERT_EQ(::stat((folder.path() + "/groups/g.members").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600U);
    EXPECT_EQ(status.st_size, 0);
    EXPECT_EQ(std::filesystem::status(folder.path() + "/groups").permissions(), std::filesystem::perms::owner_all);
}

TEST(Membership, AnotherGetsItsShareOnceItIsLetGo) {
    const Folder folder;
    Membership one = folder.join(5);
    settle(one);
    Membership two = folder.join(5);
    EXPECT_EQ(two.members(), 2U);
    EXPECT_TRUE(settle(two).empty());
    const Membership::Change change = must(one.settle());
    EXPECT_EQ(change.lost, every(5, 1, 2));
    EXPECT_TRUE(change.gained.empty());
    EXPECT_TRUE(settle(two).empty());              // still locked
    EXPECT_TRUE(must(one.settle()).lost.empty());  // told once
    EXPECT_EQ(one.held(), every(5));
    one.release({1});
    EXPECT_EQ(settle(two), Partitions{1});
    one.release({3, 3, 77});
    EXPECT_EQ(settle(two), Partitions{3});
    EXPECT_EQ(one.held(), every(5, 0, 2));
    {
        const Membership gone = std::move(one);
    }
    EXPECT_EQ(settle(two), every(5, 0, 2));
    EXPECT_EQ(two.held(), every(5));
    Membership three = folder.join(5);  // in the slot that is free: rank 0
    EXPECT_EQ(must(two.settle()).lost, every(5, 0, 2));
}

// Lost, and its own again before it was let go: it is gained anew after the release, not before.
TEST(Membership, WhatIsLostIsLostUntilReleased) {
    const Folder folder;
    Membership one = folder.join(4);
    settle(one);
    {
        const Membership two = folder.join(4);
        EXPECT_EQ(must(one.settle()).lost, every(4, 1, 2));
    }
    const Membership::Change change = must(one.settle());
    EXPECT_TRUE(change.gained.empty());
    EXPECT_TRUE(change.lost.empty());
    one.release({1, 3});
    EXPECT_EQ(settle(one), every(4, 1, 2));
}

TEST(Membership, MoreMembersThanPartitions) {
    const Folder folder;
    std::vector<Membership> members;
    for (int n = 0; n < 9; ++n) members.push_back(folder.join(4));
    EXPECT_EQ(folder.members(), 9U);
    for (Membership& member : members) settle(member);
    for (std::uint32_t n = 0; n < 9; ++n) EXPECT_EQ(members[n].held(), n < 4 ? Partitions{n} : Partitions{}) << n;
    members.erase(members.begin() + 1, members.begin() + 3);
    for (int round = 0; round < 2; ++round) {
        for (Membership& member : members) settle(member);
    }
    for (std::uint32_t n = 0; n < 7; ++n) EXPECT_EQ(members[n].held(), n < 4 ? Partitions{n} : Partitions{}) << n;
}

TEST(Membership, ManyPartitions) {
    constexpr std::uint32_t most = 4096;
    const Folder folder;
    const auto begin = Clock::now();
    std::vector<Membership> members;
    for (std::uint32_t count = 1; count <= 5; ++count) {
        members.push_back(folder.join(most));
        for (int round = 0; round < 2; ++round) {
            for (Membership& member : members) settle(member);
        }
        for (std::uint32_t n = 0; n < count; ++n) EXPECT_EQ(members[n].held(), every(most, n, count));
    }
    EXPECT_LT(Clock::now() - begin, 10s);
    const auto idle = Clock::now();
    EXPECT_TRUE(settle(members[0]).empty());
    EXPECT_LT(Clock::now() - idle, 50ms);
}

TEST(Membership, NoMoreMembersThanSlots) {
    const Folder folder;
    std::vector<Membership> members;
    constexpr std::size_t fds = 300;  // 4096 would need more descriptors than most are given
    for (std::size_t n = 0; n < fds; ++n) members.push_back(folder.join(1));
    EXPECT_EQ(folder.members(), fds);
    members.erase(members.begin() + 17);
    const Membership again = folder.join(1);
    EXPECT_EQ(again.members(), fds);
}

// --- What is wrong is said. ---

TEST(Membership, ErrorsNameTheFile) {
    const Folder folder;
    EXPECT_EQ(Membership::join(folder.path(), "../x", 1).error().kind(), ErrorKind::usage);
    EXPECT_EQ(count_members(folder.path(), "a b").error().kind(), ErrorKind::usage);
    const auto nowhere = Membership::join(folder.path() + "/none", "g", 1);
    ASSERT_FALSE(nowhere);
    EXPECT_EQ(nowhere.error().message(),
              fmt::format("cannot make the folder \"{}/none/groups\": No such file or directory", folder.path()));
    EXPECT_EQ(must(count_members(folder.path() + "/none", "g")), 0U);

    Membership one = folder.join(1);
    const std::string path = folder.path() + "/groups/g.members";
    std::filesystem::remove(path);
    const auto removed = one.settle();
    ASSERT_FALSE(removed);
    EXPECT_EQ(removed.error().kind(), ErrorKind::io);
    EXPECT_NE(removed.error().message().find("g.members: removed or replaced"), std::string::npos);
    std::filesystem::create_symlink("elsewhere", path);
    EXPECT_FALSE(Membership::join(folder.path(), "g", 1));
    EXPECT_FALSE(std::filesystem::exists(folder.path() + "/groups/elsewhere"));
    std::filesystem::remove(path);
    std::filesystem::create_directory(path);
    EXPECT_FALSE(Membership::join(folder.path(), "g", 1));
    EXPECT_FALSE(count_members(folder.path(), "g"));
}

// Runs it as a user whom permissions bind; its exit status.
int as_nobody(const std::function<int()>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
        constexpr uid_t nobody = 65534;
        if (::geteuid() == 0 && ::setresuid(nobody, nobody, nobody) != 0) ::_exit(99);
        ::_exit(work());
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Membership, AFolderThatMayOnlyBeRead) {
    const Folder folder;
    namespace fs = std::filesystem;
    constexpr auto others_read = static_cast<fs::perms>(0555);
    fs::permissions(folder.path(), others_read);
    const auto refused = [&] {
        const auto joined = Membership::join(folder.path(), "g", 1);
        if (joined || joined.error().kind() != ErrorKind::io) return 1;
        const std::string& message = joined.error().message();
        return message.find("groups") != std::string::npos && message.find("Permission denied") != std::string::npos ? 0 : 2;
    };
    EXPECT_EQ(as_nobody(refused), 0);
    fs::permissions(folder.path(), fs::perms::owner_all);
    fs::create_directory(folder.path() + "/groups");
    fs::permissions(folder.path(), others_read);
    fs::permissions(folder.path() + "/groups", others_read);
    EXPECT_EQ(as_nobody(refused), 0);
    EXPECT_EQ(as_nobody([&] { return count_members(folder.path(), "g").value_or(7) == 0 ? 0 : 1; }), 0);
    fs::permissions(folder.path() + "/groups", fs::perms::owner_all);
    fs::permissions(folder.path(), fs::perms::owner_all);
}

// --- Processes. ---

constexpr std::uint32_t shared_partitions = 16;

// What all processes of a test see.
struct Board {
    std::atomic<std::uint32_t> holder[shared_partitions];  // its number; 0: nobody's
    std::atomic<std::uint32_t> killed[1'000];  // those that could not take their names away
    std::atomic<std::uint32_t> kills;
    std::atomic<std::uint32_t> faults;
    std::atomic<std::uint32_t> changes;
};

class SharedBoard {
public:
    SharedBoard() {
        void* memory = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw std::runtime_error("mmap");
        board_ = new (memory) Board{};
    }
    SharedBoard(const SharedBoard&) = delete;
    SharedBoard& operator=(const SharedBoard&) = delete;
    ~SharedBoard() { ::munmap(board_, sizeof(Board)); }
    Board* operator->() const { return board_; }
    Board& operator*() const { return *board_; }

private:
    Board* board_;
};

volatile sig_atomic_t told_to_leave = 0;
void leave(int) { told_to_leave = 1; }

bool was_killed(const Board& board, std::uint32_t process) {
    return std::find(std::begin(board.killed), std::end(board.killed), process) != std::end(board.killed);
}

// A member until SIGTERM or worse. Who gains a partition finds nobody's name on it, or that of one who was killed.
void live(const std::string& folder, std::uint32_t partitions, Board& board, std::chrono::microseconds pause) {
    auto joined = Membership::join(folder, "g", partitions);
    if (!joined) ::_exit(1);
    const auto me = static_cast<std::uint32_t>(::getpid());
    while (told_to_leave == 0) {
        const auto change = joined->settle();
        if (!change) ::_exit(2);
        for (const std::uint32_t p : change->gained) {
            const std::uint32_t before = board.holder[p].exchange(me);
            if (before != 0 && !was_killed(board, before)) ++board.faults;
            ++board.changes;
        }
        std::this_thread::sleep_for(pause / 8);  // still reading
        for (const std::uint32_t p : change->lost) {
            if (board.holder[p].exchange(0) != me) ++board.faults;
        }
        joined->release(change->lost);
        for (const std::uint32_t p : joined->held()) {
            if (board.holder[p] != me) ++board.faults;
        }
        std::this_thread::sleep_for(pause);
    }
    for (const std::uint32_t p : joined->held()) board.holder[p] = 0;
    ::_exit(0);
}

pid_t start(const std::string& folder, std::uint32_t partitions, Board& board, std::chrono::microseconds pause) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    ::signal(SIGTERM, leave);
    live(folder, partitions, board, pause);
    ::_exit(3);
}

// The status it ended with; a killed one's is -1.
int end(Board& board, pid_t process, int signal) {
    if (signal == SIGKILL) board.killed[board.kills++] = static_cast<std::uint32_t>(process);
    ::kill(process, signal);
    int status = 0;
    EXPECT_EQ(::waitpid(process, &status, 0), process);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// How long until each partition is one of the living's, and each of them has its share.
Clock::duration until_shared(const Board& board, std::uint32_t partitions, const std::vector<pid_t>& living) {
    const auto begin = Clock::now();
    for (;;) {
        std::vector<std::uint32_t> shares(living.size());
        std::uint32_t held = 0;
        for (std::uint32_t p = 0; p < partitions; ++p) {
            const auto found = std::find(living.begin(), living.end(), static_cast<pid_t>(board.holder[p].load()));
            if (found == living.end()) continue;
            ++held;
            ++shares[static_cast<std::size_t>(found - living.begin())];
        }
        const auto [least, most] = std::minmax_element(shares.begin(), shares.end());
        const Clock::duration took = Clock::now() - begin;
        if ((held == partitions && *most - *least <= 1) || took > 10s) return took;
        std::this_thread::sleep_for(1ms);
    }
}

TEST(Membership, ProcessesShareWithinASecond) {
    const Folder folder;
    const SharedBoard board;
    std::vector<pid_t> living;
    const auto check = [&](const char* what) {
        EXPECT_LT(until_shared(*board, shared_partitions, living), 1s) << what;
        EXPECT_EQ(folder.members(), living.size()) << what;
    };
    for (int n = 0; n < 4; ++n) {
        living.push_back(start(folder.path(), shared_partitions, *board, 200ms));
        check("joined");
    }
    EXPECT_EQ(end(*board, living[1], SIGKILL), -1);
    living.erase(living.begin() + 1);
    check("killed");
    EXPECT_EQ(end(*board, living[0], SIGTERM), 0);
    living.erase(living.begin());
    check("left");
    for (const pid_t process : {living[0], living[1]}) EXPECT_EQ(end(*board, process, SIGKILL), -1);
    EXPECT_EQ(folder.members(), 0U);
    living = {start(folder.path(), shared_partitions, *board, 200ms)};
    check("all anew");
    EXPECT_EQ(end(*board, living[0], SIGTERM), 0);
    EXPECT_EQ(board->faults, 0U);
}

TEST(Membership, NeverTwoReadersOfAPartition) {
    const Folder folder;
    const SharedBoard board;
    std::mt19937 chance(20'240'501);
    std::vector<pid_t> living;
    constexpr std::size_t most = 24;  // more than there are partitions
    for (int round = 0; round < 400; ++round) {
        const bool grows = living.empty() || (living.size() < most && chance() % 2 == 0);
        if (grows) {
            living.push_back(start(folder.path(), shared_partitions, *board, std::chrono::microseconds(200 + chance() % 3'000)));
        } else {
            const std::size_t which = chance() % living.size();
            const int signal = chance() % 2 == 0 ? SIGKILL : SIGTERM;
            EXPECT_LE(end(*board, living[which], signal), 0);
            living.erase(living.begin() + static_cast<std::ptrdiff_t>(which));
        }
        std::this_thread::sleep_for(std::chrono::microseconds(chance() % 8'000));
        if (round % 50 == 49 && !living.empty()) {
            EXPECT_LT(until_shared(*board, shared_partitions, living), 1s);
            // One that was just started may be without a partition, and not have joined yet.
            const auto until = std::chrono::steady_clock::now() + 1s;
            while (folder.members() != living.size() && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(1ms);
            EXPECT_EQ(folder.members(), living.size());
        }
    }
    for (const pid_t process : living) EXPECT_EQ(end(*board, process, SIGTERM), 0);
    EXPECT_EQ(board->faults, 0U);
    EXPECT_GT(board->changes, 500U);
    EXPECT_EQ(folder.members(), 0U);
}

// A child that has not called exec() yet has the open file too: neither may its end let go what is ours, nor
// its life keep what we let go.
TEST(Membership, ForkedChildrenNeitherKeepNorFree) {
    const Folder folder;
    auto one = std::make_unique<Membership>(folder.join(3));
    settle(*one);
    const pid_t dying = ::fork();
    if (dying == 0) {
        one.reset();
        ::_exit(0);
    }
    int status = 1;
    ::waitpid(dying, &status, 0);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(folder.members(), 1U);
    const pid_t lasting = ::fork();
    if (lasting == 0) {
        ::pause();
        ::_exit(0);
    }
    one.reset();
    EXPECT_EQ(folder.members(), 0U);
    Membership two = folder.join(3);
    EXPECT_EQ(settle(two), every(3));
    const SharedBoard board;
    EXPECT_EQ(end(*board, lasting, SIGKILL), -1);
}

}  // namespace
}  // namespace stream::log
