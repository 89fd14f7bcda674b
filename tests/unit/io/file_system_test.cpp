// SPDX-License-Identifier: Apache-2.0
// Goal: what a log may rely on holds for the system's files and for the simulated disk alike.
#include "io/file_system.hpp"

#include "support/simulated_disk.hpp"
#include "unit/io/helpers.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <set>
#include <thread>

namespace stream {
namespace {

using namespace stream::test;
using Names = std::vector<std::string>;

template <class T>
T must(Result<T> result) {
    EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().message());
    if (!result) throw std::runtime_error(result.error().message());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// The text of what has to fail, with ErrorKind::io.
template <class T>
std::string failure(Result<T> result) {
    EXPECT_FALSE(result.has_value());
    if (result) return "";
    EXPECT_EQ(result.error().kind(), ErrorKind::io);
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

struct RealSubject {
    TemporaryFolder home;
    FileSystem& tested = real_file_system();
    std::string root = home.path() + "/";
};

struct SimulatedSubject {
    SimulatedDisk tested{1};
    std::string root;
};

template <class T>
class FileSystemContract : public testing::Test, public T {};
using Subjects = testing::Types<RealSubject, SimulatedSubject>;
TYPED_TEST_SUITE(FileSystemContract, Subjects);

TYPED_TEST(FileSystemContract, ReadsWhatWasWrittenWhereItWas) {
    FileSystem& system = this->tested;
    const std::string path = this->root + "x";
    auto file = must(system.open(path, Open::create_new));
    EXPECT_EQ(must(file->size()), 0U);
    must(file->write_at("hello", 0));
    must(file->write_at("HE", 0));
    must(file->write_at("", 500));
    EXPECT_EQ(must(file->size()), 5U);
    must(file->write_at("end", 1000));  // zeros before it
    must(file->sync());
    EXPECT_EQ(must(file->size()), 1003U);
    std::string block(10, '-');
    EXPECT_EQ(must(file->read_at(block, 0)), 10U);
    EXPECT_EQ(block, std::string("HEllo\0\0\0\0\0", 10));
    EXPECT_EQ(must(file->read_at(block, 1001)), 2U);
    EXPECT_EQ(block.substr(0, 2), "nd");
    EXPECT_EQ(must(file->read_at(block, 1003)), 0U);
    EXPECT_EQ(must(file->read_at(block, 1 << 20)), 0U);
    auto other = must(system.open(path, Open::write));
    must(other->truncate(3));
    EXPECT_EQ(must(file->size()), 3U);
    must(other->truncate(6));
    EXPECT_EQ(read_whole(system, path), std::string("HEl\0\0\0", 6));
    must(other->close());
    must(other->close());  // once more is nothing
    EXPECT_NE(failure(other->write_at("x", 0)).find("Bad file descriptor"), std::string::npos);
    EXPECT_NE(failure(other->sync()), "");
    EXPECT_NE(failure(other->size()), "");
}

TYPED_TEST(FileSystemContract, OpensOnlyWhatItWasToldTo) {
    FileSystem& system = this->tested;
    const std::string path = this->root + "x";
    EXPECT_EQ(must(system.open_if_there(path, Open::read)), nullptr);
    EXPECT_EQ(must(system.open_if_there(path, Open::write)), nullptr);
    EXPECT_EQ(must(system.open_if_there(this->root + "no/x", Open::read)), nullptr);
    EXPECT_NE(failure(system.open(path, Open::write)).find("No such file or directory"), std::string::npos);
    write_new(system, path, "1");
    EXPECT_NE(failure(system.open(path, Open::create_new)).find("File exists"), std::string::npos);
    EXPECT_NE(failure(system.open(this->root + "no/x", Open::create_new)), "");
    EXPECT_NE(failure(system.open_if_there(path + "/y", Open::read)).find("Not a directory"),
              std::string::npos);
    auto file = must(system.open_if_there(path, Open::read));
    ASSERT_NE(file, nullptr);
    EXPECT_NE(failure(file->write_at("2", 0)), "");
    EXPECT_NE(failure(file->truncate(0)), "");
    must(system.make_folder(this->root + "f"));
    EXPECT_NE(failure(system.open(this->root + "f", Open::read)).find("Is a directory"), std::string::npos);
    EXPECT_NE(failure(system.open(this->root + "f", Open::write)).find("Is a directory"), std::string::npos);
    EXPECT_NE(failure(system.open(this->root + std::string(256, 'n'), Open::create_new)), "");
    EXPECT_EQ(read_whole(system, path), "1");
}

TYPED_TEST(FileSystemContract, NamesAreMadeMovedAndRemoved) {
    FileSystem& system = this->tested;
    const std::string folder = this->root + "f";
    EXPECT_EQ(must(system.list(folder)), std::nullopt);
    EXPECT_TRUE(must(system.make_folder(folder)));
    EXPECT_FALSE(must(system.make_folder(folder)));
    EXPECT_TRUE(must(system.list(folder))->empty());
    for (const std::string name : {"b", "a", "B", "a.b"}) write_new(system, folder + "/" + name, name);
    EXPECT_EQ(must(system.list(folder)), (Names{"B", "a", "a.b", "b"}));
    must(system.sync_folder(folder));
    auto overwritten = must(system.open(folder + "/b", Open::read));
    must(system.rename(folder + "/a", folder + "/b"));
    must(system.rename(folder + "/b", folder + "/b"));
    EXPECT_EQ(must(system.list(folder)), (Names{"B", "a.b", "b"}));
    EXPECT_EQ(read_whole(system, folder + "/b"), "a");
    std::string block(5, '-');
    EXPECT_EQ(must(overwritten->read_at(block, 0)), 1U);  // lives on, without a name
    EXPECT_EQ(block[0], 'b');
    EXPECT_NE(failure(system.rename(folder + "/no", folder + "/b")).find("No such file"), std::string::npos);
    EXPECT_NE(failure(system.rename(folder + "/b", folder + "/no/b")), "");
    must(system.make_folder(folder + "/g"));
    must(system.rename(folder + "/b", folder + "/g/b"));
    EXPECT_NE(failure(system.rename(folder + "/B", folder + "/g")).find("Is a directory"), std::string::npos);
    must(system.remove(folder + "/a.b"));
    must(system.remove(folder + "/a.b"));
    must(system.remove(folder + "/no/x"));
    EXPECT_NE(failure(system.remove(folder + "/g")), "");
    EXPECT_EQ(must(system.list(folder + "/")), (Names{"B", "g"}));
    EXPECT_NE(failure(system.make_folder(folder + "/B")), "");
    EXPECT_NE(failure(system.make_folder(this->root + "no/f")), "");
    EXPECT_NE(failure(system.list(folder + "/B")), "");
    EXPECT_NE(failure(system.sync_folder(this->root + "no")), "");
}

TYPED_TEST(FileSystemContract, ALockIsHeldByOne) {
    FileSystem& system = this->tested;
    const std::string path = this->root + "LOCK";
    auto held = must(system.lock(path, true));
    ASSERT_NE(held, nullptr);
    EXPECT_EQ(must(system.lock(path, false)), nullptr);
    EXPECT_EQ(read_whole(system, path).back(), '\n');  // opened and closed: still held
    EXPECT_EQ(must(system.lock(path, false)), nullptr);
    held.reset();
    held = must(system.lock(path, false));
    EXPECT_NE(held, nullptr);
    EXPECT_NE(failure(system.lock(this->root + "no/LOCK", false)), "");
}

TYPED_TEST(FileSystemContract, ClockAndNumbers) {
    std::set<std::uint64_t> numbers;
    for (int i = 0; i < 100; ++i) numbers.insert(this->tested.random());
    EXPECT_EQ(numbers.size(), 100U);
    const std::int64_t first = this->tested.now_ns();
    EXPECT_GT(first, 1'600'000'000'000'000'000);
    EXPECT_GE(this->tested.now_ns(), first);
}

// --- The system's. ---

TEST(RealFileSystem, ModesLinksAndPipes) {
    TemporaryFolder folder;
    FileSystem& system = real_file_system();
    const mode_t mask = ::umask(0);
    write_new(system, folder.file("x"), "1");
    must(system.make_folder(folder.file("f")));
    must(system.lock(folder.file("l"), true));
    ::umask(mask);
    const auto mode = [&](const std::string& name) {
        struct stat status {};
        EXPECT_EQ(::stat(folder.file(name).c_str(), &status), 0);
        return status.st_mode & 07777;
    };
    EXPECT_EQ(mode("x"), 0600U);
    EXPECT_EQ(mode("l"), 0600U);
    EXPECT_EQ(mode("f"), 0700U);
    EXPECT_EQ(read_whole(system, folder.file("l")), std::to_string(::getpid()) + "\n");
    std::filesystem::create_symlink("x", folder.file("to_x"));
    std::filesystem::create_symlink("f", folder.file("to_f"));
    ASSERT_EQ(::mkfifo(folder.file("pipe").c_str(), 0600), 0);
    for (const std::string name : {"to_x", "pipe"}) {
        EXPECT_NE(failure(system.open(folder.file(name), Open::read)), "") << name;
        EXPECT_NE(failure(system.open(folder.file(name), Open::write)), "") << name;
        EXPECT_NE(failure(system.lock(folder.file(name), false)), "") << name;
    }
    EXPECT_NE(failure(system.list(folder.file("to_f"))), "");
    EXPECT_NE(failure(system.make_folder(folder.file("to_f"))), "");
}

TEST(RealFileSystem, AShortWriteIsGoneOnWithUntilTheSystemRefuses) {
    TemporaryFolder folder;
    auto file = must(real_file_system().open(folder.file("x"), Open::create_new));
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto handler = ::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{1000, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const std::string message = failure(file->write_at(std::string(2000, 'x'), 0));
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    ::signal(SIGXFSZ, handler);
    EXPECT_NE(message.find("File too large"), std::string::npos) << message;
    EXPECT_EQ(must(file->size()), 1000U);
}

TEST(RealFileSystem, ALockGoesWithItsProcess) {
    TemporaryFolder folder;
    const std::string path = folder.file("LOCK");
    Pipe locked;
    Pipe leave;
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        leave.writer.reset();
        auto lock = real_file_system().lock(path, true);
        char byte = 0;
        const bool told = lock && *lock && ::write(locked.writer.get(), "x", 1) == 1;
        ::_exit(told && ::read(leave.reader.get(), &byte, 1) == 0 ? 0 : 1);
    }
    char byte = 0;
    ASSERT_EQ(::read(locked.reader.get(), &byte, 1), 1);
    EXPECT_EQ(must(real_file_system().lock(path, false)), nullptr);
    std::thread waiting([&] { EXPECT_NE(must(real_file_system().lock(path, true)), nullptr); });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    leave.writer.reset();
    waiting.join();
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST(RealFileSystem, ALockFileThatSomebodyReplacedIsNotTheLock) {
    TemporaryFolder folder;
    auto old = must(real_file_system().lock(folder.file("LOCK"), true));
    must(real_file_system().remove(folder.file("LOCK")));
    auto held = must(real_file_system().lock(folder.file("LOCK"), true));
    EXPECT_NE(held, nullptr);
    EXPECT_EQ(must(real_file_system().lock(folder.file("LOCK"), false)), nullptr);
}

TEST(RealFileSystem, DescriptorsAreNeverStandardOnes) {
    TemporaryFolder folder;
    const OwnedFd kept(::fcntl(0, F_DUPFD_CLOEXEC, 10));
    ::close(0);
    {
        auto file = must(real_file_system().open(folder.file("x"), Open::create_new));
        auto lock = must(real_file_system().lock(folder.file("l"), true));
        EXPECT_EQ(::fcntl(0, F_GETFD), -1);
    }
    if (kept.is_open()) {
        EXPECT_EQ(::dup2(kept.get(), 0), 0);
    }
}

}  // namespace
}  // namespace stream
