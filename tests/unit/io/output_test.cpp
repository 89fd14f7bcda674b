// SPDX-License-Identifier: Apache-2.0
// Goal: no byte is lost, repeated or put in the wrong place by short writes, whichever calls made it,
// and what the system refuses is told with its name.
#include "io/output.hpp"

#include "io/atomic_file.hpp"
#include "unit/io/helpers.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <random>
#include <thread>

namespace stream {
namespace {

using namespace stream::test;

class OutputTest : public testing::Test {
protected:
    void SetUp() override { ::signal(SIGPIPE, SIG_IGN); }
    void TearDown() override { ::signal(SIGPIPE, SIG_DFL); }
};

// Writes the lines by a random mixture of all calls.
void write_mixed(Output& output, std::string_view bytes, unsigned seed) {
    std::minstd_rand random(seed);
    while (!bytes.empty()) {
        const std::size_t size = std::min<std::size_t>(bytes.size(), 1 + random() % 3000);
        const std::string_view part = bytes.substr(0, size);
        bytes.remove_prefix(size);
        switch (random() % 4) {
            case 0:
                ASSERT_TRUE(output.append(part).has_value());
                break;
            case 1:
                ASSERT_TRUE(output.append_run(part).has_value());
                break;
            case 2:
                output.buffer().append(part);
                ASSERT_TRUE(output.commit().has_value());
                break;
            default:
                ASSERT_TRUE(output.append(part).has_value());
                ASSERT_TRUE(output.flush().has_value());
                EXPECT_FALSE(output.has_buffered());
        }
    }
}

TEST_F(OutputTest, AMixtureOfCallsKeepsTheOrder) {
    TemporaryFolder folder;
    const std::string bytes = many_lines(5000);
    for (unsigned seed = 1; seed <= 8; ++seed) {
        OwnedFd fd(::open(folder.file("x").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600));
        Output output(fd.get(), "x", std::size_t{1} << (4 + seed));
        write_mixed(output, bytes, seed);
        ASSERT_TRUE(output.close().has_value());
        EXPECT_EQ(::fcntl(fd.release(), F_GETFD), -1);
        EXPECT_EQ(output.bytes_written(), bytes.size());
        EXPECT_TRUE(*read_file(folder.file("x"), bytes.size()) == bytes);
        EXPECT_TRUE(output.close().has_value());  // again: nothing
    }
}

TEST_F(OutputTest, ANonBlockingPipeThatIsFullLosesNothing) {
    Pipe pipe;
    ::fcntl(pipe.writer.get(), F_SETFL, O_NONBLOCK);
    const std::string bytes = many_lines(40'000);
    std::string got;
    std::thread reader([&] {
        std::string block(5000, '\0');
        for (;;) {
            const ssize_t size = ::read(pipe.reader.get(), block.data(), block.size());
            if (size <= 0) break;
            got.append(block, 0, static_cast<std::size_t>(size));
            if (got.size() % 7 == 0) ::usleep(100);
        }
    });
    Output output(pipe.writer.get(), "stdout", 10'000);
    EXPECT_EQ(::fcntl(pipe.writer.get(), F_GETPIPE_SZ), 1 << 20);
    write_mixed(output, bytes, 3);
    ASSERT_TRUE(output.append_run(bytes).has_value());  // far more than the pipe holds, in one
    ASSERT_TRUE(output.close().has_value());
    static_cast<void>(pipe.writer.release());
    reader.join();
    EXPECT_TRUE(got == bytes + bytes);
}

TEST_F(OutputTest, AReaderThatIsGoneIsClosedAndStaysSo) {
    Pipe pipe;
    Output output(pipe.writer.get(), "stdout", 1000);
    EXPECT_FALSE(reader_is_gone(pipe.writer.get()));
    pipe.reader.reset();
    EXPECT_TRUE(reader_is_gone(pipe.writer.get()));
    ASSERT_TRUE(output.append("x\n").has_value());
    Result<void> result = output.flush();
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().kind(), ErrorKind::closed);
    EXPECT_FALSE(output.has_buffered());
    for (int i = 0; i < 3; ++i) {
        output.buffer().append("y");
        EXPECT_EQ(output.commit().error().kind(), ErrorKind::closed);
        EXPECT_EQ(output.append("y").error().kind(), ErrorKind::closed);
        EXPECT_EQ(output.flush().error().kind(), ErrorKind::closed);
        EXPECT_FALSE(output.has_buffered());
    }
    EXPECT_EQ(output.close().error().kind(), ErrorKind::closed);
    static_cast<void>(pipe.writer.release());
    EXPECT_EQ(output.bytes_written(), 0U);
}

TEST_F(OutputTest, ReaderIsGoneOnSocketsAndNeverOnFiles) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    OwnedFd one(ends[0]);
    OwnedFd other(ends[1]);
    EXPECT_FALSE(reader_is_gone(one.get()));
    other.reset();
    EXPECT_TRUE(reader_is_gone(one.get()));
    TemporaryFolder folder;
    const OwnedFd file(::open(folder.file("x").c_str(), O_WRONLY | O_CREAT, 0600));
    EXPECT_FALSE(reader_is_gone(file.get()));
    const OwnedFd null(::open("/dev/null", O_WRONLY));
    EXPECT_FALSE(reader_is_gone(null.get()));
    EXPECT_FALSE(reader_is_gone(-1));
}

TEST_F(OutputTest, AFullDiskIsNamed) {
    const OwnedFd full(::open("/dev/full", O_WRONLY));
    Output output(full.get(), "stdout", 10);
    Result<void> result = output.append("more than ten bytes\n");
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().kind(), ErrorKind::io);
    EXPECT_EQ(result.error().message(), "cannot write to \"stdout\": No space left on device");
    EXPECT_EQ(output.append("x").error().kind(), ErrorKind::io);
}

TEST_F(OutputTest, APartWrittenBeforeALimitIsCounted) {
    TemporaryFolder folder;
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit small{1500, before.rlim_max};
    OwnedFd fd(::open(folder.file("x").c_str(), O_WRONLY | O_CREAT, 0600));
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    Output output(fd.get(), "x", 1000);
    EXPECT_TRUE(output.append(std::string(900, 'a')).has_value());
    Result<void> result = output.append_run(std::string(900, 'b'));  // one writev, short, then refused
    ::setrlimit(RLIMIT_FSIZE, &before);
    ::signal(SIGXFSZ, SIG_DFL);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().message(), "cannot write to \"x\": File too large");
    EXPECT_EQ(output.bytes_written(), 1500U);
    EXPECT_EQ(*read_file(folder.file("x"), 2000), std::string(900, 'a') + std::string(600, 'b'));
}

TEST_F(OutputTest, AStdoutThatWasNeverOpen) {
    Output silent(987, "stdout");
    EXPECT_TRUE(silent.close().has_value());  // nothing to say: nothing wrong
    Output output(987, "stdout");
    EXPECT_TRUE(output.append("x\n").has_value());
    const Result<void> result = output.close();
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().message(), "cannot write to \"stdout\": Bad file descriptor");
}

TEST_F(OutputTest, OneLongLineDoesNotKeepItsMemory) {
    const OwnedFd null(::open("/dev/null", O_WRONLY));
    Output output(null.get(), "stdout", 1000);
    output.buffer().append(std::string(1 << 20, 'x'));
    ASSERT_TRUE(output.commit().has_value());
    EXPECT_LT(output.buffer().capacity(), 5000U);
}

TEST(AtomicFile, ReplacesReadsAndLeavesNothingBehind) {
    TemporaryFolder folder;
    const std::string path = folder.file("state");
    EXPECT_EQ(*read_file_if_there(path, 100), std::nullopt);
    EXPECT_EQ(read_file(path, 100).error().message(),
              "cannot open \"" + path + "\": No such file or directory");
    ASSERT_TRUE(replace_file(path, "one").has_value());
    ASSERT_TRUE(replace_file(path, std::string("two\0", 4)).has_value());
    EXPECT_EQ(*read_file(path, 4), std::string("two\0", 4));
    EXPECT_EQ(read_file(path, 3).error().kind(), ErrorKind::limit);
    EXPECT_EQ(read_file(folder.path(), 3).error().kind(), ErrorKind::usage);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
    EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms(0600));

    const Result<void> result = replace_file(folder.path() + "/missing/x", "");
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().kind(), ErrorKind::io);

    std::filesystem::create_symlink(path, folder.file("link"));
    ASSERT_TRUE(replace_file(folder.file("link"), "mine").has_value());
    EXPECT_EQ(*read_file(path, 4), std::string("two\0", 4));  // not followed
    EXPECT_EQ(*read_file(folder.file("link"), 4), "mine");
}

TEST(AtomicFile, AFailedReplacementKeepsTheOldFile) {
    TemporaryFolder folder;
    std::filesystem::create_directory(folder.file("x"));
    EXPECT_FALSE(replace_file(folder.file("x"), "bytes").has_value());  // rename over a folder
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

}  // namespace
}  // namespace stream
