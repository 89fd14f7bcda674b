// SPDX-License-Identifier: Apache-2.0
// The state file: what goes in comes out, and whatever else lies there is an error with a name. Damage
// is done at every byte, both by cutting and by flipping a bit.
#include "state/snapshot.hpp"

#include "base/crc32c.hpp"
#include "unit/state/temp_folder.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace stream {
namespace {

using test::TempFolder;

const SnapshotHeader owner{"stream-dedupe", "dedupe-1", "--by id --within 10m"};

std::string slurp(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}
void spit(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}
std::string noise(std::size_t size) {
    std::string bytes(size, '\0');
    std::uint64_t x = 88172645463325252u;
    for (char& c : bytes) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        c = static_cast<char>(x >> 32);
    }
    return bytes;
}

std::string loaded_text(const std::string& folder) {
    auto loaded = load_snapshot(folder, owner);
    return loaded && loaded->has_value() ? **loaded : "(not loaded)";
}

TEST(Crc32c, KnownAnswers) {
    EXPECT_EQ(crc32c(""), 0u);
    EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
    EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);  // RFC 3720, B.4
    EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
}

TEST(Crc32c, InstructionAndTablesAgreeAtEveryLengthAndCut) {
    const std::string bytes = noise(300);
    for (std::size_t length = 0; length <= bytes.size(); ++length) {
        const std::string_view part(bytes.data(), length);
        const std::uint32_t crc = crc32c(part);
        ASSERT_EQ(crc32c_extend_portable(0, part), crc);
        const std::size_t cut = length / 3;
        ASSERT_EQ(crc32c_extend(crc32c(part.substr(0, cut)), part.substr(cut)), crc);
    }
}

TEST(Snapshot, NothingSavedYet) {
    TempFolder folder;
    auto none = load_snapshot(folder.path() + "/absent", owner);
    ASSERT_TRUE(none);
    EXPECT_FALSE(none->has_value());
    none = load_snapshot(folder.path(), owner);
    ASSERT_TRUE(none);
    EXPECT_FALSE(none->has_value());
}

TEST(Snapshot, RoundTripsEverySize) {
    for (const std::size_t size :
         {0u, 1u, 1000u, (1u << 20) - 1, 1u << 20, (1u << 20) + 1, (3u << 20) + 17}) {
        for (const std::string& payload : {noise(size), std::string(size, 'x')}) {
            TempFolder folder;
            const std::string dir = folder.path() + "/state";
            ASSERT_TRUE(save_snapshot(dir, owner, payload));
            auto back = load_snapshot(dir, owner);
            ASSERT_TRUE(back) << back.error().message();
            ASSERT_TRUE(back->has_value());
            ASSERT_TRUE(**back == payload) << size;
        }
    }
}

TEST(Snapshot, IsPrivateAndLeavesNoTemporaryFile) {
    TempFolder folder;
    const std::string dir = folder.path() + "/d";
    ASSERT_TRUE(save_snapshot(dir, owner, "one"));
    ASSERT_TRUE(save_snapshot(dir, owner, "two"));
    struct stat status {};
    ASSERT_EQ(::stat(dir.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700u);
    ASSERT_EQ(::stat((dir + "/state").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    const std::filesystem::directory_iterator files(dir);
    EXPECT_EQ(std::distance(begin(files), end(files)), 1);
    EXPECT_EQ(loaded_text(dir), "two");
}

TEST(Snapshot, LeftoverTemporaryFilesAreIgnoredAndRemoved) {
    TempFolder folder;
    ASSERT_TRUE(save_snapshot(folder.path(), owner, "good"));
    spit(folder.path() + "/state.tmp.aB3dE6", "half a fi");
    spit(folder.path() + "/notes.txt", "not ours");
    EXPECT_EQ(loaded_text(folder.path()), "good");
    EXPECT_FALSE(std::filesystem::exists(folder.path() + "/state.tmp.aB3dE6"));
    EXPECT_TRUE(std::filesystem::exists(folder.path() + "/notes.txt"));
}

TEST(Snapshot, CutAtEveryByteIsCorrupt) {
    TempFolder folder;
    const std::string path = folder.path() + "/state";
    ASSERT_TRUE(save_snapshot(folder.path(), owner, noise(300)));
    const std::string whole = slurp(path);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        spit(path, whole.substr(0, size));
        auto loaded = load_snapshot(folder.path(), owner);
        ASSERT_FALSE(loaded) << "cut at " << size;
        ASSERT_EQ(loaded.error().kind(), ErrorKind::corrupt) << "cut at " << size;
    }
    spit(path, whole + '\0');
    EXPECT_EQ(load_snapshot(folder.path(), owner).error().kind(), ErrorKind::corrupt);
    spit(path, whole + whole);
    EXPECT_EQ(load_snapshot(folder.path(), owner).error().kind(), ErrorKind::corrupt);
}

TEST(Snapshot, OneFlippedBitAtEveryByteIsCorrupt) {
    TempFolder folder;
    const std::string path = folder.path() + "/state";
    ASSERT_TRUE(save_snapshot(folder.path(), owner, noise(200)));
    const std::string whole = slurp(path);
    for (std::size_t at = 0; at < whole.size(); ++at) {
        for (const int bit : {0, 3, 7}) {
            std::string bad = whole;
            bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
            spit(path, bad);
            auto loaded = load_snapshot(folder.path(), owner);
            ASSERT_FALSE(loaded) << "byte " << at << " bit " << bit;
            ASSERT_EQ(loaded.error().kind(), ErrorKind::corrupt) << "byte " << at << " bit " << bit;
        }
    }
}

TEST(Snapshot, FramesOfAnotherFileAreCorrupt) {
    TempFolder folder;
    const std::string path = folder.path() + "/state";
    ASSERT_TRUE(save_snapshot(folder.path(), owner, noise(2 << 20)));
    const std::string one = slurp(path);
    std::string other_bytes = noise(2 << 20);
    std::reverse(other_bytes.begin(), other_bytes.end());
    ASSERT_TRUE(save_snapshot(folder.path(), owner, other_bytes));
    const std::string two = slurp(path);
    ASSERT_EQ(one.size(), two.size());
    // Both halves are sound and so is every frame; the file as a whole is not.
    const std::size_t middle = one.size() - 32 - (one.size() - 32 - 117) / 2;
    spit(path, one.substr(0, middle) + two.substr(middle));
    EXPECT_EQ(load_snapshot(folder.path(), owner).error().kind(), ErrorKind::corrupt);
}

TEST(Snapshot, ForeignFilesAreNamedSo) {
    TempFolder folder;
    for (const std::string& bytes : {std::string("{\"a\":1}\n"), std::string("{"), noise(5000)}) {
        spit(folder.path() + "/state", bytes);
        auto loaded = load_snapshot(folder.path(), owner);
        ASSERT_FALSE(loaded);
        EXPECT_EQ(loaded.error().kind(), ErrorKind::corrupt);
        EXPECT_NE(loaded.error().message().find("is no state file"), std::string::npos);
    }
    std::filesystem::remove(folder.path() + "/state");
    std::filesystem::create_directory(folder.path() + "/state");
    EXPECT_EQ(load_snapshot(folder.path(), owner).error().kind(), ErrorKind::corrupt);
}

TEST(Snapshot, AnotherOperatorsStateIsAUsageErrorThatSaysWhatChanged) {
    TempFolder folder;
    ASSERT_TRUE(save_snapshot(folder.path(), owner, "x"));
    SnapshotHeader other = owner;
    other.arguments = "--by user";
    auto loaded = load_snapshot(folder.path(), other);
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().kind(), ErrorKind::usage);
    EXPECT_NE(loaded.error().message().find("--by id --within 10m"), std::string::npos);
    EXPECT_NE(loaded.error().message().find("--by user"), std::string::npos);
    for (SnapshotHeader wrong : {SnapshotHeader{"stream-join", owner.name, owner.arguments},
                                 SnapshotHeader{owner.tool, "", owner.arguments}}) {
        EXPECT_EQ(load_snapshot(folder.path(), wrong).error().kind(), ErrorKind::usage);
    }
    SnapshotHeader long_one{"stream-filter", "", std::string(100000, 'e')};
    ASSERT_TRUE(save_snapshot(folder.path(), long_one, "x"));
    EXPECT_TRUE(load_snapshot(folder.path(), long_one));
    long_one.arguments.back() = 'f';
    EXPECT_EQ(load_snapshot(folder.path(), long_one).error().kind(), ErrorKind::usage);
}

// Changes the header of a file and makes its checksums right again, as another version might.
std::string with_header(std::string file, std::size_t at, char byte) {
    std::uint32_t length = 0;
    std::memcpy(&length, file.data() + 8, 4);
    file[at] = byte;
    const std::uint32_t crc = crc32c(std::string_view(file).substr(0, length - 4));
    std::memcpy(file.data() + length - 4, &crc, 4);
    return file;
}

TEST(Snapshot, OtherVersionsAndUnknownFeaturesAreRefused) {
    TempFolder folder;
    const std::string path = folder.path() + "/state";
    ASSERT_TRUE(save_snapshot(folder.path(), owner, ""));
    std::string whole = slurp(path);
    // The trailer's checksum covers the header; without frames it is easily made right too.
    const auto seal = [](std::string file) {
        const std::uint32_t body = crc32c(std::string_view(file).substr(0, file.size() - 32));
        std::memcpy(file.data() + file.size() - 8, &body, 4);
        const std::uint32_t trailer = crc32c(std::string_view(file).substr(file.size() - 32, 28));
        std::memcpy(file.data() + file.size() - 4, &trailer, 4);
        return file;
    };
    spit(path, seal(with_header(whole, 12, 2)));  // major version
    EXPECT_EQ(load_snapshot(folder.path(), owner).error().kind(), ErrorKind::usage);
    spit(path, seal(with_header(whole, 16, 1)));  // must-understand feature
    EXPECT_EQ(load_snapshot(folder.path(), owner).error().kind(), ErrorKind::usage);
    spit(path, seal(with_header(whole, 14, 9)));  // minor version
    EXPECT_TRUE(load_snapshot(folder.path(), owner));
    spit(path, seal(with_header(whole, 20, 1)));  // feature that may be ignored
    EXPECT_TRUE(load_snapshot(folder.path(), owner));
}

TEST(Snapshot, AnImpossibleLengthIsNeverAllocated) {
    TempFolder folder;
    const std::string path = folder.path() + "/state";
    ASSERT_TRUE(save_snapshot(folder.path(), owner, "hello"));
    spit(path, with_header(slurp(path), 31, 0x7f));  // 9 EiB in a sound header
    EXPECT_EQ(load_snapshot(folder.path(), owner).error().kind(), ErrorKind::corrupt);
}

TEST(Snapshot, SaysWhatTheSystemRefused) {
    if (::geteuid() == 0) {
        EXPECT_EQ(save_snapshot("/proc/nothing", owner, "x").error().kind(), ErrorKind::io);
    }
    TempFolder folder;
    spit(folder.path() + "/file", "x");
    EXPECT_EQ(save_snapshot(folder.path() + "/file", owner, "x").error().kind(), ErrorKind::io);
    EXPECT_EQ(save_snapshot(folder.path() + "/no/such", owner, "x").error().kind(), ErrorKind::io);
    const SnapshotHeader other{"t", "", ""};
    auto saved = write_snapshot_file("/dev/full/x", other, "x");
    EXPECT_EQ(saved.error().kind(), ErrorKind::io);
}

TEST(Snapshot, ReportsLengthAndChecksumOfTheFile) {
    TempFolder folder;
    const std::string path = folder.path() + "/17.1";
    auto saved = write_snapshot_file(path, owner, noise(100000));
    ASSERT_TRUE(saved);
    const std::string whole = slurp(path);
    EXPECT_EQ(saved->bytes, whole.size());
    EXPECT_EQ(saved->crc32c, crc32c(whole));
}

// The worked example of docs/formats/state.md: format 1.0 is read for ever. (What the writer makes may
// differ from it in the compressed bytes, which are zstd's to choose.)
TEST(Snapshot, ReadsTheBytesOfTheSpecification) {
    constexpr std::string_view hex =
        "895354524d0d0a1a5400000001000000000000000000000014000000000000000100000000001000"
        "e6fd560af6e30bb79ab3bde0013c09480d00070073747265616d2d6465647570652d2d6279206964"
        "b7b904255346524d000000001b000000140000000a4600aadde782aa28b52ffd2414750000406865"
        "6c6c6f2c200a0100e28a1121699d8753454e4401000000a7000000000000001400000000000000ba"
        "c9c736c230fb62";
    std::string bytes;
    for (std::size_t at = 0; at < hex.size(); at += 2) {
        bytes += static_cast<char>(std::stoi(std::string(hex.substr(at, 2)), nullptr, 16));
    }
    TempFolder folder;
    spit(folder.path() + "/state", bytes);
    auto loaded = load_snapshot(folder.path(), {"stream-dedupe", "", "--by id"});
    ASSERT_TRUE(loaded) << loaded.error().message();
    EXPECT_EQ(**loaded, "hello, hello, hello\n");
}

TEST(StateLock, OneAtATimeAndFreedAfterwards) {
    TempFolder folder;
    const std::string dir = folder.path() + "/d";
    {
        auto first = StateLock::acquire(dir);
        ASSERT_TRUE(first) << first.error().message();
        auto second = StateLock::acquire(dir);
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().kind(), ErrorKind::locked);
        EXPECT_NE(second.error().message().find(std::to_string(::getpid())), std::string::npos);
        StateLock moved = std::move(*first);
        EXPECT_FALSE(StateLock::acquire(dir));
    }
    EXPECT_TRUE(StateLock::acquire(dir));
}

TEST(StateLock, IsFreedByTheKernelWhenTheHolderDies) {
    TempFolder folder;
    const pid_t child = ::fork();
    if (child == 0) {
        auto lock = StateLock::acquire(folder.path());
        ::_exit(lock ? 0 : 1);  // without the destructor
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
    EXPECT_TRUE(StateLock::acquire(folder.path()));
}

TEST(StateLock, ARemovedLockFileDoesNotLetTwoIn) {
    TempFolder folder;
    auto first = StateLock::acquire(folder.path());
    ASSERT_TRUE(first);
    std::filesystem::remove(folder.path() + "/LOCK");
    auto second = StateLock::acquire(folder.path());  // the name is free: a new lock, that is all one can do
    ASSERT_TRUE(second);
    EXPECT_FALSE(StateLock::acquire(folder.path()));
}

}  // namespace
}  // namespace stream
